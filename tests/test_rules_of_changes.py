"""Findings about a change: each with the change that is wrong and the nearest one that is right."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from company import (
    CANARY,
    CANDIDATE,
    GIT_ENVIRONMENT,
    SERVICE,
    STRATEGIES,
    Content,
    Map,
    Repository,
    base,
    company,
    compose,
    kubernetes,
    model,
    record,
    registry,
    release,
    repository,
    run,
    tree,
    with_service,
    write,
    written,
)
from relspec.compiler import Compiler
from relspec.diagnostics import Finding, Kind, RelspecError, Severity
from relspec.gitops.commit_tree import missing
from relspec.positions import locate
from relspec.rules.attributes import merge_attribute, merged_otherwise
from relspec.rules.changes import (
    Side,
    aliases,
    check_change,
    edited_records,
    environments_within_window,
    graded,
    keeping,
    lost_by_restoring,
    mixed_commits,
    moves_to_quarantined,
    reached,
    removed_quarantines,
    running,
)
from relspec.tree import EntryKind, MemoryTree

Files = Mapping[str, Content]
RECS = "environments/production/recs/release.yaml"
ENVIRONMENT = "environments/production/environment.yaml"
MODEL = "registry/als/model.yaml"
NEW_IMAGE: Map = {"image": "ghcr.io/acme/recs:2.0.0"}


def side(files: Files) -> Side:
    return Side(Compiler(tree(files)))


def paths(old: Files, new: Files) -> set[str]:
    """What a diff of two repositories names."""
    before, after = ({path: written(content) for path, content in files.items()} for files in (old, new))
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def found(old: Files, new: Files) -> list[Finding]:
    """The findings about a change: the same ones whether what changed is known or not."""
    everything = list(check_change(side(old), side(new), None))
    narrow = list(check_change(side(old), side(new), paths(old, new)))
    assert narrow == everything
    assert all(finding.hint and finding.message for finding in narrow)
    return narrow


def moved(base: Side, head: Side, changed: Sequence[str] | None = None) -> set[tuple[str, str]]:
    """The services that a change moves to a quarantined version."""
    return {(move.release, move.service) for move in moves_to_quarantined(base, head, changed)}


def codes(old: Files, new: Files) -> list[str]:
    return [finding.code for finding in found(old, new)]


def line(files: Files, finding: Finding) -> str:
    """The text of the line that a finding points at."""
    (diagnostic,) = locate([finding], tree(files).read)
    assert diagnostic.range is not None
    return written(files[diagnostic.file]).decode().splitlines()[diagnostic.range.line - 1].strip()


def services(extra: Map, router: str | None = "istio", **fields: Any) -> dict[str, Content]:
    """One good service and `extra`, in Kubernetes with a router or without one; als v0.1 and v0.2 are registered."""
    return with_service(extra, kubernetes(router), **fields) | registry("v1", "v2")


# --- strategies

ROUTER_NAMES = ("istio", "gateway", None)
STABLE = ("fixed", "stepped", "blueGreen")
HELD = ("held", "abTest", "shadow")
HELD_BY_REQUEST: Map = {**CANDIDATE, "strategy": {"canary": {"weight": 10}}}
BY_APPLICATION: Mapping[str, Map] = {
    name: {"model": "als@v1", "routing": "app", "candidate": {"model": "als@v2"}, "strategy": declared}
    for name, declared in (
        ("held", {"canary": {"weight": 10}}),
        ("abTest", {"abTest": {"weight": 50}}),
        ("shadow", {"shadow": {"writes": "allowed"}}),
    )
}


def declared(name: str, router: str | None) -> Map:
    """A strategy as it can be had: without a router the application splits, and Gateway API keeps nobody on a side."""
    if name in HELD and (router is None or (router, name) == ("gateway", "abTest")):
        return BY_APPLICATION[name]
    return HELD_BY_REQUEST if (router, name) == ("gateway", "held") else STRATEGIES[name]


def writes_a_candidate(name: str, router: str | None) -> bool:
    return declared(name, router).get("routing") != "app" and name in HELD


HASHED = {
    *(("istio", name) for name in ("fixed", "stepped", "blueGreen")),
    *(("gateway", name) for name in ("stepped", "blueGreen")),
    (None, "blueGreen"),
    ("istio", "app"),
}
"""Where the controller keeps its hash in the selector of Service n."""


@pytest.mark.parametrize("router", ROUTER_NAMES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_compiles_under_every_router(name: str, router: str | None) -> None:
    assert side(services(declared(name, router), router)).compiled("production/recs") is not None


@pytest.mark.parametrize("router", ROUTER_NAMES)
@pytest.mark.parametrize("before", STRATEGIES)
def test_blue_green_is_entered_with_the_pods_as_they_were(before: str, router: str | None) -> None:
    old = services(declared(before, router), router)
    into = {**STRATEGIES["blueGreen"], **{k: v for k, v in declared(before, router).items() if k == "model"}}
    hashed = (router, before) in HASHED
    with_other_pods = found(old, services({**into, **NEW_IMAGE, "env": {"A": "1"}}, router))
    said = [finding for finding in with_other_pods if finding.code == "RS342"]
    assert bool(said) is not hashed
    if before in STABLE or writes_a_candidate(before, router):
        assert "RS342" not in codes(old, services(into, router))


def test_the_gate_is_pointed_at_where_it_is_declared() -> None:
    new = services({**STRATEGIES["blueGreen"], **NEW_IMAGE}, None)
    (finding,) = found(services({}, None), new)
    assert (finding.code, line(new, finding), finding.release) == ("RS342", "blueGreen:", "production/recs")


@pytest.mark.parametrize("router", ROUTER_NAMES)
@pytest.mark.parametrize("after", HELD)
@pytest.mark.parametrize("before", STRATEGIES)
def test_a_candidate_has_pods_before_it_has_traffic(before: str, after: str, router: str | None) -> None:
    old, new = services(declared(before, router), router), services(declared(after, router), router)
    first = writes_a_candidate(after, router) and not writes_a_candidate(before, router)
    assert ("RS340" in codes(old, new)) is (first and after != "shadow")


@pytest.mark.parametrize("name", ["held", "abTest"])
def test_the_weight_is_pointed_at(name: str) -> None:
    new = services(STRATEGIES[name])
    (finding,) = found(services({}), new)
    assert (finding.code, line(new, finding)) == ("RS340", f"weight: {10 if name == 'held' else 50}")
    zero = deepcopy(STRATEGIES[name])
    next(iter(zero["strategy"].values()))["weight"] = 0 if name == "held" else 50
    assert codes(services({}), services(zero)) == ([] if name == "held" else ["RS340"])
    assert codes(services(zero), new) == []


def test_a_weight_that_nobody_wrote_is_pointed_at_too() -> None:
    unwritten = {**CANDIDATE, "strategy": {"abTest": {"stickyBy": {"cookie": "uid", "bucket": "parity"}}}}
    new = services(unwritten)
    (finding,) = found(services({}), new)
    assert (finding.code, line(new, finding)) == ("RS340", "abTest:")


def test_a_candidate_that_comes_back_with_the_end_of_a_fallback_has_no_pods_either() -> None:
    both = {**STRATEGIES["held"], "variants": {"baseline": {"env": {"B": "1"}}}}
    fallback = services({**both, "active": "baseline"})
    assert codes(fallback, services(both)) == ["RS340"]
    assert codes(services(both), fallback) == ["RS343"]


def test_what_is_new_or_elsewhere_has_no_traffic_to_lose() -> None:
    new = services(STRATEGIES["held"])
    without_it = {path: content for path, content in new.items() if path != RECS}
    assert codes(without_it, new) == []
    assert codes(new, without_it) == []
    place = kubernetes()
    place["targets"]["rollouts"]["namespace"] = "another"
    assert codes(services({}), with_service(STRATEGIES["held"], place) | registry("v1", "v2")) == []
    one, two = (company({"api": SERVICE, "web": {**SERVICE, **extra}}) for extra in ({}, STRATEGIES["held"]))
    assert codes(one, two) == ["RS340"]
    assert codes(company({"api": SERVICE}), two) == []


def test_compose_waits_by_itself() -> None:
    wanted = {**CANDIDATE, "strategy": CANARY}
    assert codes(with_service({}, compose()), with_service(wanted, compose())) == []
    assert codes(with_service(wanted, compose()), with_service(NEW_IMAGE, compose())) == []
    assert codes(with_service({"replicas": 3}, compose()), with_service({"replicas": RANGE}, compose())) == []


@pytest.mark.parametrize("router", ["istio", "gateway"])
@pytest.mark.parametrize("after", STRATEGIES)
@pytest.mark.parametrize("before", HELD)
def test_a_candidate_goes_alone(before: str, after: str, router: str) -> None:
    old = services(declared(before, router), router)
    goes = writes_a_candidate(before, router) and not writes_a_candidate(after, router)
    with_new_pods = services({**declared(after, router), **NEW_IMAGE}, router)
    assert ("RS343" in codes(old, with_new_pods)) is goes
    same_pods = declared(after, router).get("routing") != "app"
    with_new_steps = goes and after == "stepped"
    assert ("RS343" in codes(old, services(declared(after, router), router))) is (
        with_new_steps or (not same_pods and goes)
    )


def test_the_service_is_pointed_at_and_what_changed_is_named() -> None:
    new = services({**STRATEGIES["stepped"], **NEW_IMAGE})
    (finding,) = found(services(STRATEGIES["held"]), new)
    assert (finding.code, line(new, finding)) == ("RS343", "api:")
    assert "the pods and steps of stable" in finding.message


def test_pods_that_a_template_changes_count() -> None:
    packaged = Path(__file__).parent.parent / "templates/rollouts/rollouts.yaml.j2"
    text = packaged.read_text()
    changed = text.replace("      serviceAccountName:", "      hostNetwork: false\n      serviceAccountName:", 1)
    assert changed != text
    old, new = services(STRATEGIES["held"]), services({})
    assert codes(old, new) == []
    assert codes(old, {**new, "templates/rollouts/rollouts.yaml.j2": changed}) == ["RS343"]


# --- scale

RANGE: Map = {"min": 2, "max": 10, "cpu": 70}


@pytest.mark.parametrize(("number", "severity"), [(3, None), (2, None), (1, Severity.NOTE), (0, Severity.NOTE)])
def test_a_range_takes_over_from_one_pod(number: int, severity: Severity | None) -> None:
    new = services({"replicas": RANGE})
    (finding,) = found(services({"replicas": number}), new)
    assert (finding.code, finding.severity, line(new, finding)) == ("RS441", severity, "replicas:")
    assert codes(new, services({"replicas": number})) == []
    assert codes(new, services({"replicas": {**RANGE, "max": 12}})) == []


def test_the_range_of_a_candidate_counts_too() -> None:
    one, two = (deepcopy(STRATEGIES["held"]) for _ in range(2))
    one["candidate"]["replicas"], two["candidate"]["replicas"] = 3, RANGE
    assert codes(services(one), services(two)) == ["RS441"]


def test_the_reference_chart_has_the_same_objects_and_a_chart_of_the_team_its_own() -> None:
    place = kubernetes()
    place["targets"] = {"helm": {"namespace": "ml", "prometheus": "http://prometheus:9090"}}
    assert codes(with_service({"replicas": 3}, place), with_service({"replicas": RANGE}, place)) == ["RS441"]
    assert codes(with_service(STRATEGIES["held"], place), with_service(NEW_IMAGE, place)) == ["RS343"]
    own = deepcopy(place)
    own["targets"]["helm"]["chart"] = "../../charts/recs"
    assert codes(with_service({"replicas": 3}, own), with_service({"replicas": RANGE}, own)) == []


# --- records


def test_a_new_record_is_welcome() -> None:
    assert codes(registry("v1"), registry("v1", "v2")) == []


@pytest.mark.parametrize(
    ("edit", "words", "at"),
    [
        ({"data": {"snapshot": "other"}}, "data.snapshot", "snapshot: other"),
        ({"description": "new"}, "description", "description: new"),
        ({"config": {"hyperparameters": {"rank": 64, "alpha": 1}}}, "config.hyperparameters.alpha", "alpha: 1"),
        ({"config": {"hyperparameters": {}}}, "config.hyperparameters", "hyperparameters: {}"),
        ({"config": {"hyperparameters": {"rank": 64.0}}}, "config.hyperparameters.rank", "rank: 64.0"),
    ],
)
def test_the_edited_value_of_a_record_is_pointed_at(edit: Map, words: str, at: str) -> None:
    new = {**registry("v1"), "registry/als/v1.yaml": record("v1", **edit)}
    (finding,) = found(registry("v1"), new)
    assert (finding.code, line(new, finding)) == ("RS430", at)
    assert finding.message.endswith(words)


def test_a_record_that_is_gone_renamed_or_only_commented_on_is_no_longer_the_same() -> None:
    old = registry("v1", "v2")
    gone = {path: content for path, content in old.items() if "v2" not in path}
    assert codes(old, gone) == ["RS430"]
    assert codes(old, {**gone, "registry/als/v3.yaml": record("v3")}) == ["RS430"]
    commented = {**old, "registry/als/v2.yaml": written(record("v2")) + b"# fine\n"}
    (finding,) = found(old, commented)
    assert (finding.code, line(commented, finding)) == ("RS430", "apiVersion: relspec/v1")
    assert codes(old, {}) == ["RS430", "RS430"]


def test_many_edits_are_one_finding() -> None:
    edits: Map = {
        "description": "a",
        "data": {"snapshot": "b"},
        "code": {"commit": "1234567"},
        "reports": "x*",
        "metrics": {"a": 1},
    }
    (finding,) = found(registry("v1"), {**registry("v1"), "registry/als/v1.yaml": record("v1", **edits)})
    assert finding.message.endswith("and 2 more")


QUARANTINED: Map = {"quarantine": {"v2": {"reason": "errors", "since": "2026-03-04"}}}
LIFTED: Map = {"quarantine": {"v2": {"reason": "errors", "since": "2026-03-04", "lifted": "it was the cache"}}}


@pytest.mark.parametrize("before", [QUARANTINED, LIFTED])
def test_a_quarantine_is_lifted_and_never_removed(before: Map) -> None:
    old = registry("v1", "v2", **before)
    new = registry("v1", "v2")
    (finding,) = found(old, new)
    assert (finding.code, line(new, finding)) == ("RS431", "apiVersion: relspec/v1")
    assert finding.hint.endswith('then, to let v2 come back: relspec model quarantine als v2 --lift "REASON"')
    another = registry("v1", "v2", quarantine={"v1": {"reason": "r", "since": "2026-03-05"}})
    (finding,) = found(old, another)
    assert (finding.code, line(another, finding)) == ("RS431", "quarantine:")
    assert codes(old, registry("v1", "v2", **LIFTED)) == []
    assert codes(new, old) == []
    assert "RS431" in codes(old, {path: content for path, content in old.items() if path != MODEL})


def test_a_model_that_cannot_be_read_is_not_taken_for_one_without_quarantine() -> None:
    old = registry("v1", "v2", **QUARANTINED)
    assert codes(old, {**old, MODEL: "nonsense: ["}) == []


# --- going to a quarantined version


def quarantined(extra: Map, where: Map | None = None) -> dict[str, Content]:
    return with_service({"image": None, **extra}, where) | registry("v1", "v2", "v3", **QUARANTINED)


RUNS_V1: Map = {"model": "als@v1"}
RUNS_V2: Map = {"model": "als@v2"}
FALLBACK: Map = {"variants": {"old": {"model": "als@v2"}}}


@pytest.mark.parametrize(
    ("old", "new", "moves"),
    [
        (RUNS_V1, RUNS_V2, True),
        (RUNS_V2, RUNS_V2, False),
        (RUNS_V2, {**RUNS_V2, "replicas": 4}, False),
        (RUNS_V2, RUNS_V1, False),
        (RUNS_V1, {**RUNS_V1, "candidate": RUNS_V2, "strategy": CANARY}, True),
        (RUNS_V2, {"model": "als@v2", "candidate": RUNS_V1, "strategy": CANARY}, False),
        ({**RUNS_V1, "candidate": RUNS_V2, "strategy": CANARY}, RUNS_V2, True),
        (RUNS_V2, {**RUNS_V1, "candidate": RUNS_V2, "strategy": CANARY}, False),
        (
            {**RUNS_V1, "candidate": RUNS_V2, "strategy": CANARY},
            {**RUNS_V1, "candidate": RUNS_V2, "strategy": CANARY, "replicas": 4},
            False,
        ),
        (RUNS_V1, {**RUNS_V1, **FALLBACK}, True),
        ({**RUNS_V1, **FALLBACK}, {**RUNS_V1, **FALLBACK, "replicas": 4}, False),
        ({**RUNS_V1, **FALLBACK}, {**RUNS_V1, **FALLBACK, "active": "old"}, True),
        ({**RUNS_V1, **FALLBACK, "active": "old"}, {**RUNS_V1, **FALLBACK, "active": "old", "replicas": 4}, False),
    ],
)
def test_a_service_moves_to_a_quarantined_version_when_it_gets_more_of_it(old: Map, new: Map, moves: bool) -> None:
    before, after = quarantined(old), quarantined(new)
    for changed in (None, paths(before, after)):
        sides = side(before), side(after), changed
        assert moved(*sides) == ({("production/recs", "api")} if moves else frozenset())
    result = Compiler(tree(after)).release(side(after).places["production/recs"])
    of_quarantine = [finding for finding in result.findings if finding.code == "RS411"]
    severities = {finding.severity for finding in graded(of_quarantine, moves_to_quarantined(*sides))}
    assert severities == ({Severity.ERROR} if moves else {Severity.WARNING} if of_quarantine else set())


def test_only_the_line_that_moved_is_an_error() -> None:
    before = quarantined({**RUNS_V1, **FALLBACK})
    after = quarantined({**RUNS_V2, **FALLBACK})
    result = Compiler(tree(after)).release(side(after).places["production/recs"])
    moves = moves_to_quarantined(side(before), side(after), paths(before, after))
    assert [
        (finding.where.path, finding.severity) for finding in graded(result.findings, moves) if finding.code == "RS411"
    ] == [
        (("services", "api", "model"), Severity.ERROR),
        (("services", "api", "variants", "old", "model"), Severity.WARNING),
    ]


def test_an_alias_a_base_and_an_environment_move_a_service_too() -> None:
    records = registry("v1", "v2", **QUARANTINED)

    def by_alias(version: str) -> Files:
        service = {**SERVICE, "model": "als@prod"}
        return company({"api": service}) | registry("v1", "v2", **QUARANTINED, aliases={"prod": version})

    def by_base(version: str) -> Files:
        bases = {"bases/a": base({}, extends="b.yaml"), "bases/b.yaml": base({"api": {"model": f"als@{version}"}})}
        return company(None, extends="../../../bases/a") | bases | records

    def by_environment(version: str) -> Files:
        return company(None, kubernetes(defaults={"model": f"als@{version}"})) | records

    for way in (by_alias, by_base, by_environment):
        old, new = way("v1"), way("v2")
        assert moved(side(old), side(new), paths(old, new)) == {("production/recs", "api")}, way
        assert moved(side(new), side(new), paths(old, new)) == set()


# --- aliases


def two_environments(alias: str, **fields: Any) -> dict[str, Content]:
    service = {**SERVICE, "model": "als@prod"}
    both = company({"api": service, "web": SERVICE}) | {
        "environments/staging/environment.yaml": compose(),
        "environments/staging/recs/release.yaml": release("recs", {"api": service}),
        "environments/staging/pinned/release.yaml": release("pinned", {"api": {**SERVICE, "model": "als@v1"}}),
        "environments/staging/other/release.yaml": release("other", {"api": {**SERVICE, "model": "als@production"}}),
    }
    return both | registry("v1", "v2", "v3", aliases={"prod": alias, "production": "v1"}, **fields)


def test_a_moved_alias_names_every_release_that_it_changes() -> None:
    new = two_environments("v2")
    (finding,) = found(two_environments("v1"), new)
    assert (finding.code, line(new, finding)) == ("RS433", "prod: v2")
    assert finding.message == "prod moves from v1 to v2: changes production/recs (api), staging/recs (api)"
    assert [related.where.file for related in finding.related] == [RECS, "environments/staging/recs/release.yaml"]


def test_an_alias_that_nobody_names_is_a_note() -> None:
    (finding,) = found(registry("v1", "v2", aliases={"prod": "v1"}), registry("v1", "v2", aliases={"prod": "v2"}))
    assert (finding.code, finding.severity) == ("RS433", Severity.NOTE)
    assert codes(registry("v1", "v2", aliases={"prod": "v1"}), registry("v1", "v2", aliases={"next": "v2"})) == []


def test_a_release_that_is_pinned_in_the_same_change_is_not_moved() -> None:
    new = two_environments("v2")
    new[RECS] = release("recs", {"api": {**SERVICE, "model": "als@v1"}, "web": SERVICE})
    (finding,) = found(two_environments("v1"), new)
    assert finding.message.endswith("changes staging/recs (api)")


def test_a_service_that_names_the_alias_since_is_not_changed_by_its_move() -> None:
    old, new = two_environments("v1"), two_environments("v2")
    old[RECS] = release("recs", {"api": {**SERVICE, "model": "als@v1"}, "web": SERVICE})
    (finding,) = found(old, new)
    assert finding.message.endswith("changes staging/recs (api)")


def test_candidates_and_variants_name_aliases_too() -> None:
    extra = {
        "model": "als@v1",
        "candidate": {"model": "als@prod"},
        "strategy": CANARY,
        "variants": {"b": {"model": "als@prod"}},
    }
    old, new = (with_service(extra) | registry("v1", "v2", aliases={"prod": v}) for v in ("v1", "v2"))
    (finding,) = found(old, new)
    assert finding.message.endswith("changes production/recs (api candidate, api variant b)")


def test_the_named_releases_of_a_fleet_fit_on_a_line() -> None:
    def fleet(alias: str) -> Files:
        folder = "environments/production"
        many = {
            f"{folder}/r{n:02}/release.yaml": release(f"r{n:02}", {"api": {**SERVICE, "model": "als@prod"}})
            for n in range(25)
        }
        return {f"{folder}/environment.yaml": kubernetes(None), **many, **registry("v1", "v2", aliases={"prod": alias})}

    (finding,) = found(fleet("v1"), fleet("v2"))
    assert finding.message.endswith("production/r19 (api) and 5 more")
    assert len(finding.related) == 25


# --- versions to go back to


def active(version: str, *versions: str, window: int = 3, **fields: Any) -> dict[str, Content]:
    place = kubernetes(rollback={"window": window})
    return with_service({"model": f"als@{version}"}, place) | registry(*versions, **fields)


FIVE = ("v1", "v2", "v3", "v4", "v5")


def test_keep_earlier_versions_stay_deployable() -> None:
    old = active("v5", *FIVE, window=1)
    two_gone: Map = {"lifecycle": {"v1": "archived", "v2": "archived"}}
    new = active("v5", *FIVE, window=1, **two_gone)
    (finding,) = found(old, new)
    assert (finding.code, line(new, finding)) == ("RS432", "v2: archived")
    assert "2 versions of als before v5" in finding.message
    assert codes(old, active("v5", *FIVE, window=1, **two_gone, keep=2)) == []
    assert codes(old, active("v5", *FIVE, window=1, lifecycle={"v1": "archived"})) == []
    assert codes(new, new) == []
    assert codes(new, active("v5", *FIVE, window=1, **two_gone, aliases={"prod": "v5"})) == []
    assert (
        codes(active("v5", *FIVE, window=1, keep=2, **two_gone), active("v5", *FIVE, window=1, keep=4, **two_gone))
        == []
    )


def test_a_quarantine_leaves_one_version_less() -> None:
    old = active("v4", *FIVE)
    entry = {"reason": "errors", "since": "2026-03-04"}
    new = active("v4", *FIVE, quarantine={"v3": entry})
    (finding,) = found(old, new)
    assert (finding.code, finding.where.path) == ("RS432", ("quarantine", "v3"))
    assert codes(old, active("v4", *FIVE, quarantine={"v5": entry})) == []


def test_a_version_that_came_later_is_none_to_go_back_to() -> None:
    assert codes(active("v2", *FIVE), active("v2", *FIVE, lifecycle={"v5": "archived"})) == []


def test_versions_of_a_model_that_nobody_runs_can_all_go() -> None:
    gone: Map = {"lifecycle": dict.fromkeys(FIVE[:4], "archived")}
    assert codes(registry(*FIVE), registry(*FIVE, **gone)) == []


@pytest.mark.parametrize(("window", "inside"), [(1, ["v4"]), (2, ["v3", "v4"]), (3, ["v2", "v3", "v4"])])
def test_what_a_rollback_window_holds_is_not_archived(window: int, inside: Sequence[str]) -> None:
    old = active("v5", *FIVE, window=window, keep=0)
    for version in FIVE[:4]:
        new = active("v5", *FIVE, window=window, keep=0, lifecycle={version: "archived"})
        said = found(old, new)
        assert [finding.code for finding in said] == (["RS435"] if version in inside else [])
        assert [line(new, finding) for finding in said] == ([f"{version}: archived"] if version in inside else [])
        assert (environments_within_window(side(old), side(old), "als", version) == ("production",)) is (
            version in inside
        )
    assert environments_within_window(side(old), side(old), "als", "v5") == ("production",)


# --- interfaces

OLD_INTERFACE: Map = {
    "input": {"type": "object", "properties": {"user_id": {"type": "string"}}, "required": ["user_id"]}
}
WIDER: Map = {"input": {"type": "object", "properties": {"user_id": {"type": "string"}}}}
OTHER: Map = {"input": {"type": "object", "properties": {"user_id": {"type": "integer"}}, "required": ["user_id"]}}


def with_interface(version: str, second: Map | None, **more: Any) -> dict[str, Content]:
    """als v1 with an interface, v2 with `second`; more releases by name, each with what it uses."""
    files = with_service({"model": f"als@{version}"}) | registry("v1", "v2")
    files["registry/als/v1.yaml"] = record("v1", interface=OLD_INTERFACE)
    files["registry/als/v2.yaml"] = record("v2") if second is None else record("v2", interface=second)
    for name, uses in more.items():
        files[f"environments/production/{name}/release.yaml"] = release(name, {name: {**SERVICE, "uses": uses}})
    return files


def test_a_breaking_interface_names_who_has_to_go_back_too() -> None:
    callers = {"web": ["production/recs"], "other": ["production/web"]}
    new = with_interface("v2", OTHER, **callers)
    (finding,) = found(with_interface("v1", OTHER, **callers), new)
    assert (finding.code, line(new, finding), finding.release) == ("RS434", "model: als@v2", "production/recs")
    assert finding.message.endswith("production/web uses production/recs")
    assert finding.hint == "going back needs production/web too: relspec rollback production/recs production/web"


def test_a_breaking_interface_without_known_callers_asks_for_them() -> None:
    (finding,) = found(with_interface("v1", OTHER), with_interface("v2", OTHER))
    assert "`uses`" in finding.hint


@pytest.mark.parametrize("second", [OLD_INTERFACE, WIDER, None])
def test_an_interface_that_does_not_break_is_not_mentioned(second: Map | None) -> None:
    assert codes(with_interface("v1", second), with_interface("v2", second)) == []


def test_an_alias_can_break_an_interface() -> None:
    def with_alias(alias: str) -> dict[str, Content]:
        files = with_interface("prod", OTHER, web=["production/recs"])
        return {**files, MODEL: model(aliases={"prod": alias})}

    assert codes(with_alias("v1"), with_alias("v2")) == ["RS433", "RS434"]


# --- what a revert would lose


def test_a_real_revert_loses_a_record_and_a_quarantine_and_the_hint_brings_them_back(tmp_path: Path) -> None:
    first = with_service({"model": "als@v1"}) | registry("v1")
    made = repository(tmp_path, first)
    write(tmp_path, with_service({"model": "als@v2"}) | registry("v1", "v2"))
    made.commit("v2")
    write(tmp_path, registry("v1", "v2", quarantine={"v1": {"reason": "old", "since": "2026-03-04"}}))
    before = made.commit("quarantine")
    made.git("revert", "--no-edit", "HEAD", "HEAD~1")
    lost = lost_by_restoring(at(made, before), at(made, "HEAD"))
    assert [loss.words for loss in lost] == ["the record of als v2", "the quarantine of als v1"]
    typed(made, keeping(lost, before))
    assert lost_by_restoring(at(made, before), at(made, "HEAD")) == ()
    assert RUNS_V1["model"] in (tmp_path / RECS).read_text()


def typed(made: Repository, line: str) -> None:
    """A line in a shell, with the verbs of this interpreter."""
    verbs = Path(sys.executable).parent
    where = {**GIT_ENVIRONMENT, "PATH": f"{verbs}{os.pathsep}{GIT_ENVIRONMENT['PATH']}"}
    subprocess.run(line, shell=True, cwd=made.folder, env=where, check=True, capture_output=True)


def test_what_else_a_revert_does_to_a_model_stays_done(tmp_path: Path) -> None:
    """The alias goes back with the revert; the quarantine is entered again."""
    first = {**with_service({"model": "als@v1"}), **registry("v1", "v2", aliases={"prod": "v1"})}
    made = repository(tmp_path, first)
    write(
        tmp_path,
        registry(
            "v1", "v2", aliases={"prod": "v2"}, quarantine={"v1": {"reason": "it's  slow", "since": "2026-03-04"}}
        ),
    )
    made.commit("v2 for all, v1 for nobody")
    made.git("revert", "--no-edit", "HEAD")
    lost = lost_by_restoring(at(made, "HEAD~1"), at(made, "HEAD"))
    assert [loss.words for loss in lost] == ["the quarantine of als v1"]
    typed(made, keeping(lost, "HEAD~1"))
    held = at(made, "HEAD").model("als")
    assert held is not None
    assert held.quarantine is not None
    assert (held.aliases, held.quarantine["v1"].reason) == ({"prod": "v1"}, "it's slow")


def test_a_revert_that_lifts_a_quarantine_loses_it_too() -> None:
    old, new = registry("v1", "v2", **QUARANTINED), registry("v1", "v2", **LIFTED)
    assert [loss.words for loss in lost_by_restoring(side(old), side(new))] == ["the quarantine of als v2"]
    assert lost_by_restoring(side(new), side(old)) == ()
    assert lost_by_restoring(side(new), side(registry("v1", "v2"))) == (), "it was lifted, so nothing comes back"
    assert codes(old, new) == []
    (finding,) = removed_quarantines(side(old), side(new), reverts={("quarantine", "als", "v2"): ["1a2b3c4d5"]})
    assert (finding.code, finding.message) == (
        "RS431",
        "the quarantine of als v2 was lifted by the revert of 1a2b3c4d5",
    )


LIFT = ("model", "quarantine", "als", "v2", "--lift", "cause found")


class Lifting:
    """A repository in which v2 is quarantined (`before`), and nothing runs it."""

    def __init__(self, folder: Path) -> None:
        self.made = repository(folder, with_service({"model": "als@v1"}) | registry("v1", "v2"))
        write(folder, registry("v1", "v2", **QUARANTINED))
        self.before = self.made.commit("quarantine")

    def lift(self, message: str = "lift") -> None:
        assert run(self.made.folder, *LIFT).code == 0
        self.made.commit(message)

    def unrelated(self) -> str:
        write(self.made.folder, {"notes.txt": "a"})
        return self.made.commit("notes")

    def revert(self, commit: str, *words: str) -> None:
        self.made.git("revert", "--no-edit", *words, commit)

    def said(self) -> list[str]:
        """What `check` says of the quarantine."""
        result = run(self.made.folder, "check", "--since", self.before, "--format", "json")
        return [each["message"] for each in json.loads(result.out)["diagnostics"] if each["code"] == "RS431"]


@pytest.fixture
def lifting(tmp_path: Path) -> Lifting:
    return Lifting(tmp_path)


def test_a_quarantine_may_be_lifted_beside_a_revert_of_something_else(lifting: Lifting) -> None:
    lifting.lift()
    other = lifting.unrelated()
    assert lifting.said() == []
    lifting.revert(other, "--no-commit")
    assert lifting.said() == [], "midway"
    lifting.made.git("revert", "--abort")
    lifting.revert(other)
    assert lifting.said() == []


def test_a_quarantine_may_be_lifted_in_one_commit_with_a_revert_of_something_else(lifting: Lifting) -> None:
    other = lifting.unrelated()
    lifting.lift(f'Revert "notes"\n\nThis reverts commit {other}.')
    assert lifting.said() == []


def test_a_quarantine_that_a_revert_takes_away_is_named_with_that_revert_alone(lifting: Lifting) -> None:
    other, removed = lifting.unrelated(), f"the quarantine of als v2 was removed by the revert of {lifting.before[:9]}"
    lifting.revert(lifting.before, "--no-commit")
    assert lifting.said() == [removed], "midway"
    lifting.made.git("revert", "--continue")
    assert lifting.said() == [removed]
    lifting.revert(other)
    assert lifting.said() == [removed]


def test_what_a_revert_takes_away_and_somebody_lifts_afterwards_is_lifted(lifting: Lifting) -> None:
    lifting.revert(lifting.before)
    write(lifting.made.folder, registry("v1", "v2", **QUARANTINED))
    lifting.made.commit("not like this")
    assert lifting.said() == []
    lifting.lift()
    assert lifting.said() == []


def test_a_lift_that_comes_back_with_the_revert_of_another_quarantine_is_nobodys(lifting: Lifting) -> None:
    """In the base somebody lifted it and somebody else quarantined it again: the second of these goes back."""
    lifting.lift()
    write(lifting.made.folder, registry("v1", "v2", **QUARANTINED))
    lifting.before = lifting.made.commit("again")
    lifting.revert(lifting.before)
    assert lifting.said() == [f"the quarantine of als v2 was lifted by the revert of {lifting.before[:9]}"]


def test_many_records_are_kept_by_one_line(tmp_path: Path) -> None:
    made = repository(tmp_path, with_service({"model": "als@v1"}) | registry("v1"))
    versions = [f"v{number}" for number in range(1, 10)]
    write(tmp_path, registry(*versions))
    before = made.commit("eight more")
    made.git("revert", "--no-edit", "HEAD")
    lost = lost_by_restoring(at(made, before), at(made, "HEAD"))
    assert len(lost) == 8
    typed(made, keeping(lost, before))
    assert made.git("diff", "--name-only", before, "HEAD") == ""


def test_a_record_is_kept_with_its_model(tmp_path: Path) -> None:
    made = repository(tmp_path, with_service({}))
    write(tmp_path, registry("v1"))
    before = made.commit("a model")
    made.git("revert", "--no-edit", "HEAD")
    lost = lost_by_restoring(at(made, before), at(made, "HEAD"))
    typed(made, keeping(lost, before))
    assert at(made, "HEAD").model("als") is not None


def at(made: Repository, revision: str) -> Side:
    """The tree of a commit."""
    names = made.git("ls-tree", "-r", "--name-only", revision).splitlines()
    return Side(Compiler(MemoryTree({name: blob(made, revision, name) for name in names})))


def blob(made: Repository, revision: str, name: str) -> bytes:
    result = subprocess.run(
        ["git", "show", f"{revision}:{name}"], cwd=made.folder, env=GIT_ENVIRONMENT, capture_output=True, check=True
    )
    return result.stdout


def test_a_hostile_revision_stays_one_word() -> None:
    (lost,) = edited_records(side(registry("v1", "v2")), side(registry("v1")), revision="x; $(id) 'y'")
    words = shlex.split(lost.hint.replace(";  ", "; ").rpartition("; archive")[0])
    assert words == ["git", "checkout", "x; $(id) 'y'", "--", "registry/als/v2.yaml"]
    losses = lost_by_restoring(side(registry("v1", "v2")), side(registry("v1")))
    assert shlex.split(keeping(losses, "x; $(id) 'y'"))[:5] == words


# --- commits


def mixed(commits: Sequence[Sequence[str]], old: Files, new: Files) -> list[tuple[str, str]]:
    found = list(mixed_commits([(f"{n}" * 40, each) for n, each in enumerate(commits)], side(old), side(new)))
    assert all(finding.hint for finding in found)
    return [(finding.code, finding.where.file) for finding in found]


LOCK = "relspec.lock"


def test_the_lock_changes_alone() -> None:
    files = {**company(), "bases/a.yaml": base({}), "docs/notes.yaml": "kind: Notes\n"}
    outputs = "rendered/production/recs/rollouts/rollouts.yaml"
    for spec in (RECS, ENVIRONMENT, MODEL, "bases/a.yaml"):
        assert mixed([[LOCK, spec]], files, files)[0] == ("RS621", LOCK), spec
        assert mixed([[LOCK], [spec]], files, files) == []
    assert mixed([[LOCK, outputs, "docs/notes.yaml", "src/app.py", "relspec.yaml"]], files, files) == []


def test_an_environment_and_a_release_change_apart() -> None:
    files = company() | {"environments/production/eu/environment.yaml": kubernetes(name="eu")}
    assert mixed([[ENVIRONMENT, RECS]], files, files) == [("RS622", ENVIRONMENT)]
    assert mixed([[ENVIRONMENT, "environments/production/recs/config/app.yaml"]], files, files) == [
        ("RS622", ENVIRONMENT)
    ]
    assert mixed([[ENVIRONMENT], [RECS]], files, files) == []
    assert mixed([[ENVIRONMENT, "environments/production/eu/environment.yaml"]], files, files) == []
    assert mixed([[ENVIRONMENT, "README.md", "rendered/production/recs/compose/compose.yaml"]], files, files) == []


def test_what_is_new_in_an_inner_environment_is_not_a_release_beside_the_outer_one() -> None:
    beside = "environments/production/release.yaml"
    inner = "environments/production/eu2"
    files: dict[str, Content] = {ENVIRONMENT: kubernetes(), beside: release("recs")}
    more: dict[str, Content] = {
        f"{inner}/environment.yaml": kubernetes(name="eu2"),
        f"{inner}/shop/release.yaml": release("shop"),
    }
    added = [ENVIRONMENT, *more]
    assert mixed([added], files, {**files, **more}) == []
    assert mixed([[ENVIRONMENT, *added[2:]]], {**files, **more}, files) == [("RS622", ENVIRONMENT)]
    assert mixed([[*added, beside]], files, {**files, **more}) == [("RS622", ENVIRONMENT)]
    assert mixed([[ENVIRONMENT, "environments/production/app.conf"]], files, {**files, **more}) == [
        ("RS622", ENVIRONMENT)
    ]


@pytest.mark.parametrize("loose", ["notes.txt", "config/app.yaml", "values.yaml.j2"])
def test_a_loose_file_of_an_inner_environment_belongs_to_no_release(loose: str) -> None:
    beside = "environments/production/release.yaml"
    inner: dict[str, Content] = {
        "environments/production/eu/environment.yaml": kubernetes(name="eu"),
        f"environments/production/eu/{loose}": "a\n",
    }
    files: dict[str, Content] = {ENVIRONMENT: kubernetes(), beside: release("recs")}
    changed = [ENVIRONMENT, *inner]
    assert mixed([changed], files, {**files, **inner}) == []
    assert mixed([[ENVIRONMENT, changed[-1]]], {**files, **inner}, {**files, **inner}) == []
    assert mixed([[*changed, beside]], files, {**files, **inner}) == [("RS622", ENVIRONMENT)]


def test_a_record_that_was_not_fetched_is_not_one_that_is_empty(tmp_path: Path) -> None:
    files = {**with_service({"model": "als@v1"}), **registry("v1")}
    made = repository(tmp_path / "whole", files)
    write(made.folder, {"registry/als/v1.yaml": record("v1", data={"snapshot": "another"})})
    made.commit()
    made.git("config", "uploadpack.allowFilter", "true")
    made.git("clone", "-q", "--filter=blob:none", made.folder.as_uri(), str(tmp_path / "partial"))
    assert "RS430" in run(made.folder, "check", "--since", "HEAD~1").err
    done = run(tmp_path / "partial", "check", "--since", "HEAD~1")
    assert (done.code, "RS631 registry/als/v1.yaml" in done.err) == (2, True)
    assert "RS631" not in run(tmp_path / "partial", "check", "--since", "HEAD").err


@pytest.mark.parametrize("path", [RECS, "bases/a.yaml", ENVIRONMENT, MODEL])
def test_a_side_that_lacks_an_object_says_nothing_of_its_own(path: str) -> None:
    class Partial(MemoryTree):
        def read(self, name: str) -> bytes:
            if name == path:
                raise missing(name)
            return super().read(name)

    files = {**with_service({"model": "als@prod"}), **registry("v1", aliases={"prod": "v1"}), "bases/a.yaml": base({})}
    files[RECS] = {**files[RECS], "extends": "../../../bases/a.yaml"}  # type: ignore[dict-item]
    partial = Side(Compiler(Partial(tree(files).files)))
    for ask in (
        lambda: partial.text(path),
        lambda: partial.release("production/recs"),
        lambda: partial.compiled("production/recs"),
    ):
        with pytest.raises(RelspecError) as caught:
            ask()
        assert caught.value.findings[0].code == "RS631"


def test_a_release_that_goes_counts_and_what_is_new_does_not() -> None:
    files = company()
    without = {path: content for path, content in files.items() if path != RECS}
    assert mixed([[ENVIRONMENT, RECS]], files, without) == [("RS622", ENVIRONMENT)]
    assert mixed([[ENVIRONMENT, RECS]], without, files) == []
    assert mixed([[ENVIRONMENT, RECS]], {}, files) == []
    inner = "environments/production/eu/environment.yaml"
    assert mixed([[inner, RECS]], files, {**files, inner: kubernetes(name="eu")}) == []


# --- how much is looked at


class RecordingTree:
    """A tree that remembers what was read."""

    def __init__(self, files: Files) -> None:
        self.inner = tree(files)
        self.reads: list[str] = []

    def kind(self, path: str) -> EntryKind:
        return self.inner.kind(path)

    def read(self, path: str) -> bytes:
        self.reads.append(path)
        return self.inner.read(path)

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        return self.inner.entries(folder)


def fleet(count: int, **changed: Map) -> dict[str, Content]:
    """Many releases on one base, of which every tenth names an alias."""
    folder = "environments/production"
    files: dict[str, Content] = {f"{folder}/environment.yaml": kubernetes(), "bases/a.yaml": base({"api": SERVICE})}
    files |= registry("v1", "v2", aliases={"prod": "v1", "next": "v1"})
    files |= {"bases/rare.yaml": base({"api": SERVICE})}
    for number in range(count):
        name = f"r{number}"
        extra = {"replicas": 2, **({"model": "als@prod"} if number % 10 == 0 else {}), **changed.get(name, {})}
        extends = "../../../bases/rare.yaml" if number == 7 else "../../../bases/a.yaml"
        files[f"{folder}/{name}/release.yaml"] = release(name, {"api": extra}, extends=extends)
    return files


def looked_at(old: Files, new: Files) -> tuple[set[str], list[str], set[str]]:
    """What was read of the head, what was resolved, what was said."""
    trees = RecordingTree(old), RecordingTree(new)
    sides = [Side(Compiler(each)) for each in trees]
    findings = list(check_change(sides[0], sides[1], paths(old, new)))
    return set(trees[1].reads), sorted(name for name in sides[1]._resolved), {finding.code for finding in findings}


def test_one_changed_release_among_many_is_all_that_is_read() -> None:
    reads, resolved, said = looked_at(fleet(60), fleet(60, r3={"replicas": RANGE}))
    assert said == {"RS441"}
    assert resolved == ["production/r3"]
    assert reads == {"environments/production/r3/release.yaml", "bases/a.yaml", ENVIRONMENT}


def test_a_moved_alias_resolves_only_those_that_name_it() -> None:
    new = {**fleet(60), **registry("v1", "v2", aliases={"prod": "v2", "next": "v1"})}
    _, resolved, said = looked_at(fleet(60), new)
    assert said == {"RS433"}
    assert resolved == sorted(f"production/r{number}" for number in range(0, 60, 10))


def test_a_changed_base_resolves_only_those_that_extend_it() -> None:
    new = {**fleet(60), "bases/rare.yaml": base({"api": {**SERVICE, "image": "a/b:2"}})}
    _, resolved, _ = looked_at(fleet(60), new)
    assert resolved == ["production/r7"]


def test_nothing_is_resolved_for_what_is_no_spec() -> None:
    reads, resolved, said = looked_at(
        fleet(20), {**fleet(20), "README.md": "# new", "registry/als/v3.yaml": record("v3")}
    )
    assert (reads - {"README.md"}, resolved, said) == (set(), [], set())


@pytest.mark.parametrize(
    "written_otherwise",
    [
        'extends: "../../../bases/\\x72are.yaml"',
        "extends:\n  ../../../bases/rare.yaml",
        "extends: >-\n  ../../../bases/rare.yaml",
        "'extends' : '../../../bases/rare.yaml'",
        "? extends\n: ../../../bases/rare.yaml",
        '"ext\\u0065nds": ../../../bases/rare.yaml',
        "extends: ../../../bases/./rare.yaml # the rare one",
        'extends: "../../../bases/\\x72are.yaml" # not extends: ../../../bases/a.yaml',
    ],
)
def test_however_a_base_is_named_its_release_is_reached(written_otherwise: str) -> None:
    file = "environments/production/r1/release.yaml"
    text = f"apiVersion: relspec/v1\nkind: Release\nname: r1\n{written_otherwise}\nservices: {{api: {{replicas: 2}}}}\n"
    old = {**fleet(3), file: text}
    new = {**old, "bases/rare.yaml": base({"api": {**SERVICE, "image": "a/b:2"}})}
    assert "production/r1" in reached(side(old), side(new), paths(old, new))


def test_a_base_that_hides_what_it_is_still_counts() -> None:
    text = 'apiVersion: "relspec\\x2fv1"\nkind: Release\nservices: {api: {image: %s, replicas: 2}}\n'
    old, new = ({**fleet(8), "bases/rare.yaml": text % image} for image in ("a/b:1", "a/b:2"))
    assert side(new).release("production/r7") is not None
    assert reached(side(old), side(new), paths(old, new)) == ["production/r7"]


@pytest.mark.parametrize("reference", ["als@prod", '"als@prod"', "'als@prod'", '"al\\x73@prod"', ">-\n      als@prod"])
def test_however_an_alias_is_named_its_release_is_reached(reference: str) -> None:
    file = "environments/production/r1/release.yaml"
    text = f"apiVersion: relspec/v1\nkind: Release\nname: r1\nservices:\n  api:\n    image: a/b:1\n    model: {reference}\n"
    old = {**fleet(3), file: text}
    assert side(old).release("production/r1") is not None
    new = {**old, **registry("v1", "v2", aliases={"prod": "v2", "next": "v1"})}
    (finding,) = found(old, new)
    assert "production/r1 (api)" in finding.message


# --- merge attributes

OUTPUT = "rendered/production/recs/rollouts/rollouts.yaml"


def attributes(text: str, more: Files | None = None) -> list[Finding]:
    return list(merged_otherwise(tree({".gitattributes": text, **(more or {})}), "rendered", ["production/recs"]))


@pytest.mark.parametrize(
    "text",
    [
        "rendered/** merge=ours",
        "rendered/** linguist-generated merge=union",
        "* merge=ours",
        "*.yaml merge=theirs",
        "/rendered/**/*.yaml   merge=own-driver",
        "**/rollouts.yaml merge=ours",
        "rendered/*/*/*/* merge=ours",
        "rendered/production/recs/r[a-p]llouts/* merge=ours",
        '"rendered/**" merge=ours',
        "[attr]generated -diff merge=ours\nrendered/** generated",
        "rendered/** -merge\nrendered/** merge=ours",
        "rendered/** merge=text merge=ours",
        "rendered/** merge=text",
        "rendered/** merge=binary",
    ],
)
def test_a_merge_attribute_over_outputs_is_refused(text: str) -> None:
    (finding,) = attributes(text + "\n")
    assert (finding.code, finding.where.file) == ("RS603", ".gitattributes")
    assert finding.where.range is not None
    assert finding.where.range.line == len(text.splitlines())
    last = finding.hint.partition(": ")[2]
    instead = text.replace("merge=text", "merge").replace("merge=binary", "-merge")
    assert attributes(f"{text}\n{last}\n" if last else instead) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* text=auto eol=lf\nrendered/** linguist-generated=true",
        "rendered/** -merge",
        "rendered/** merge",
        "*.yaml binary",
        "registry/** merge=ours",
        "rendered/ merge=ours",
        "rendered merge=ours",
        "rendered/* merge=ours",
        "# rendered/** merge=ours",
        "rendered/** merge=ours\nrendered/** !merge",
        "rendered/** merge=ours\nrendered/** -merge",
        "[attr]generated merge=ours\n* generated\nrendered/** -generated",
        "[attr]generated merge=ours",
        "*.yml merge=ours",
    ],
)
def test_other_attributes_are_nobodys_business(text: str) -> None:
    assert attributes(text + "\n") == []


def test_the_attributes_of_inner_folders_count() -> None:
    inner = {"rendered/production/.gitattributes": "*.yaml merge=ours\n"}
    (finding,) = attributes("", inner)
    assert finding.where.file == "rendered/production/.gitattributes"
    assert attributes("* merge=ours\n", {"rendered/.gitattributes": "* !merge\n"}) == []
    assert attributes("", {"environments/.gitattributes": "* merge=ours\n"}) == []
    assert attributes("", {"rendered/production/.gitattributes": "[attr]x merge=ours\n* x\n"}) == []


def test_the_attributes_of_a_clone_count_before_all_others() -> None:
    def found(info: str, text: str = "", prefix: str = "") -> list[str]:
        files = tree({".gitattributes": text})
        said = merged_otherwise(files, "rendered", ["production/recs"], info=info.encode(), prefix=prefix)
        return [each.where.file for each in said]

    assert found("* merge=ours\n", "rendered/** -merge\n") == [".git/info/attributes"]
    assert found("rendered/** -merge\n", "* merge=ours\n") == []
    assert found("rendered/** text\n", "* merge=ours\n") == [".gitattributes"]
    assert found("rendered/** merge=ours\n", prefix="sub/") == []
    assert found("sub/rendered/** merge=ours\n", prefix="sub/") == [".git/info/attributes"]
    assert found("[attr]out merge=ours\n", "rendered/** out\n") == [".gitattributes"]
    assert found("rendered/** out\n", "[attr]out merge=ours\n") == [".git/info/attributes"]


PATTERNS = (
    *(
        "*",
        "**",
        "rendered",
        "rendered/",
        "rendered/*",
        "rendered/**",
        "/rendered/**",
        "**/recs/**",
        "rendered/**/",
        "*/",
    ),
    *(
        "*.yaml",
        "rollouts.*",
        "r?llouts.yaml",
        "[qr]ollouts.yaml",
        "[!r]ollouts.yaml",
        "[^r]ollouts.yaml",
        "[]r]*.yaml",
    ),
    *(
        "rendered/**/rollouts.yaml",
        "rendered/**.yaml",
        "rendered/production/**/rollouts/*",
        "production/**",
        "\\*.yaml",
    ),
    *(
        "recs/rollouts/rollouts.yaml",
        "rendered/*/*/*/*",
        "rendered/*/*/*/*/*",
        "**/",
        "***",
        "rendered/***",
        "***/recs/****/*",
        "a/**/b",
    ),
    *(
        "rendered/production/recs/rollouts/rollouts.yaml",
        "/rollouts.yaml",
        "[a-z]*.[x-z]aml",
        "rollouts\\.yaml",
        "[r",
        "ren*/**",
    ),
    *(
        '"rollouts.yaml"',
        '"rendered/**"',
        "!rendered/**",
        "Rendered/**",
        "rendered//**",
        "./rendered/**",
        "[r-]*",
        "[\\r]*",
    ),
    *("[[:alpha:]]ollouts.yaml", "[![:digit:]]*.yaml", "[[:digit:]]*", "[\\]r]*", "[a-]*", "[^]]*", "rollouts[.]yaml"),
)
LINES = ("{} merge=ours", "{} -merge", "{} binary", "{} gen", "{} merge=a -gen", "{} -merge gen", "{} gen !merge")


@pytest.mark.parametrize("deep", [False, True])
def test_attributes_are_read_as_git_reads_them(tmp_path: Path, deep: bool) -> None:
    made = repository(tmp_path)
    folder = "rendered/production" if deep else ""
    wrong = []
    for number, pattern in enumerate(PATTERNS):
        one, two = LINES[number % len(LINES)], LINES[(number * 3 + 1) % len(LINES)]
        for lines in ([one], [one, two], ["* " + two.partition(" ")[2], one]):
            text = "\n".join(each.format(pattern) for each in lines) + "\n"
            macro = "[attr]gen -diff merge=gen-driver\n"
            files = {".gitattributes": macro if deep else macro + text}
            if deep:
                files[f"{folder}/.gitattributes"] = text
            write(tmp_path, files)
            wanted = made.git("check-attr", "merge", "--", OUTPUT).rpartition(": ")[2]
            got = merge_attribute(tree(files), OUTPUT)
            if got != {"set": True, "unset": False, "unspecified": None}.get(wanted, wanted):
                wrong.append((text, wanted, got))
    assert wrong == []


@pytest.mark.parametrize(
    "pattern", [f"rendered/**/{'*a' * 25}*b/**", f"rendered/{'**/a*/' * 30}x", f"rendered/**/{'*' * 60}b/**"]
)
def test_a_pattern_that_is_made_to_take_long_does_not(pattern: str) -> None:
    folder = f"rendered/{'a/' * 30}{'a' * 50}"
    assert merge_attribute(tree({".gitattributes": f"{pattern} merge=ours\n"}), f"{folder}/x.yaml") is None
    assert merge_attribute(tree({".gitattributes": "rendered/**/*a*a*/** merge=ours\n"}), f"{folder}/x.yaml") == "ours"


@pytest.mark.parametrize(
    ("attribute", "silent"),
    [
        ("", False),
        ("merge", False),
        ("merge=text", True),
        ("merge=ours", True),
        ("merge=custom", True),
        ("-merge", False),
        ("merge=binary", True),
        ("binary", False),
    ],
)
def test_what_git_does_with_a_revert_under_an_attribute(tmp_path: Path, attribute: str, silent: bool) -> None:
    """The bad output stays, and git says nothing: exactly where RS603 is said. A driver can have any name."""
    made = repository(tmp_path, {".gitattributes": f"rendered/** {attribute}\n" if attribute else "\n"})
    made.git("config", "merge.custom.driver", "exit 0")
    for name in ("ours", "text", "binary"):
        made.git("config", f"merge.{name}.driver", "true")
    for image, level in (("good", "info"), ("bad", "info"), ("bad", "debug")):
        text = f"image: {image}\n" + "line: same\n" * 5 + f"level: {level}\n"
        write(tmp_path, {OUTPUT: text, RECS: text})
        made.commit(f"{image} {level}")
    result = made.git("revert", "--no-edit", "HEAD~1", check=False)
    conflict = "CONFLICT" in result
    spec, output = ((tmp_path / file).read_text() for file in (RECS, OUTPUT))
    assert "image: good" in spec
    kept_the_bad_one = not conflict and "image: bad" in output
    assert kept_the_bad_one is silent
    assert bool(attributes((tmp_path / ".gitattributes").read_text())) is silent


def test_what_git_does_with_union(tmp_path: Path) -> None:
    made = repository(tmp_path, {".gitattributes": "rendered/** merge=union\n"})
    for image in ("good", "bad", "worse"):
        write(tmp_path, {OUTPUT: f"image: {image}\n"})
        made.commit(image)
    made.git("revert", "--no-edit", "HEAD~1")
    assert (tmp_path / OUTPUT).read_text().splitlines() == ["image: worse", "image: good"]
    assert len(attributes((tmp_path / ".gitattributes").read_text())) == 1


def test_what_git_does_with_attributes_of_the_clone_and_check_says_it(tmp_path: Path) -> None:
    made = repository(tmp_path / "in/sub", services({}))
    top = made.folder.parent
    shutil.move(made.folder / ".git", top / ".git")
    assert run(made.folder, "compile").code == 0
    made.commit("outputs")
    write(top, {".git/info/attributes": "sub/rendered/** merge=ours\n"})
    made.git("config", "merge.ours.driver", "true")
    for replicas in (3, 4, 5):
        write(made.folder, services({"replicas": replicas}))
        assert run(made.folder, "compile").code == 0
        made.commit(str(replicas))
    found = json.loads(run(made.folder, "check", "--format", "json").out)["diagnostics"]
    assert [(each["file"], each["line"]) for each in found if each["code"] == "RS603"] == [(".git/info/attributes", 1)]
    write(top, {".git/info/attributes": "rendered/** merge=ours\n"})
    assert "RS603" not in run(made.folder, "check", "--format", "json").out


# --- through the verb


def test_check_since_says_it_at_its_line(tmp_path: Path) -> None:
    made = repository(tmp_path, services({}))
    write(tmp_path, services(STRATEGIES["held"]))
    assert "RS340" not in run(tmp_path, "check").out
    result = run(tmp_path, "check", "--since", "HEAD", "--format", "json")
    (diagnostic,) = [d for d in json.loads(result.out)["diagnostics"] if d["code"] == "RS340"]
    assert (result.code, diagnostic["file"], diagnostic["class"]) == (1, RECS, Kind.SAFETY)
    assert made.git("show", "HEAD:" + RECS) != (tmp_path / RECS).read_text()


def of_a_user(*, required: bool, pattern: str = "^u") -> Map:
    """An interface that takes a user, of whom a pattern says how it is written."""
    user = {"type": "object", "properties": {"user": {"type": "string", "pattern": pattern}}}
    return {"input": {**user, "required": ["user"]} if required else user}


@pytest.mark.parametrize(
    ("versions", "callers", "hint"),
    [
        (
            (OLD_INTERFACE, OTHER),
            "b",
            "going back needs production/b too: relspec rollback production/recs production/b",
        ),
        (
            (OLD_INTERFACE, OTHER),
            "ab",
            "going back needs production/a and production/b too: relspec rollback production/recs production/a production/b",
        ),
        (
            (OLD_INTERFACE, OTHER),
            "abc",
            "going back needs production/a and production/b and production/c: "
            "relspec rollback production/recs production/a production/b production/c",
        ),
        ((WIDER, OLD_INTERFACE), "a", "production/a needs the same change; the way back to v1 needs nobody else"),
        (
            (WIDER, OLD_INTERFACE),
            "ab",
            "production/a and production/b need the same change; the way back to v1 needs nobody else",
        ),
        (
            (of_a_user(required=False), of_a_user(required=True, pattern="^v")),
            "a",
            "production/a needs the same change; whether going back breaks it, the interfaces don't say",
        ),
        (
            (of_a_user(required=False), of_a_user(required=True, pattern="^v")),
            "ab",
            "production/a and production/b need the same change; "
            "whether going back breaks them, the interfaces don't say",
        ),
    ],
)
def test_a_breaking_interface_says_what_the_way_back_needs(versions: tuple[Map, Map], callers: str, hint: str) -> None:
    def files(version: str) -> dict[str, Content]:
        made = with_interface(version, versions[1], **{name: ["production/recs"] for name in callers})
        return {**made, "registry/als/v1.yaml": record("v1", interface=versions[0])}

    (finding,) = found(files("v1"), files("v2"))
    assert (finding.code, finding.hint) == ("RS434", hint)
    uses = "uses" if len(callers) == 1 else "use"
    named = ", ".join(f"production/{name}" for name in callers)
    assert finding.message.endswith(f"; {named} {uses} production/recs")


# --- what runs a version


def test_what_runs_a_version_and_who_can_not_be_asked() -> None:
    def of(name: str, **services: Map) -> dict[str, Content]:
        return {
            f"environments/production/{name}/release.yaml": release(
                name, {k: {**SERVICE, **v} for k, v in services.items()}
            )
        }

    held = {"model": "als@v1", "candidate": {"model": "als@v2"}, "strategy": {"canary": {"weight": 10}}}
    versions = registry("v1", "v2", "v3", aliases={"prod": "v2", "last": "v3", "stable": "v2"})
    files = {
        "environments/production/environment.yaml": kubernetes(),
        **versions,
        **registry("v1", "v2", name="other"),
        **of("zoo", api={"model": "als@prod"}, web={}),
        **of("held", api=held),
        **of("ways", api={"model": "als@v1", "variants": {"old": {"model": "als@v2"}, "new": {"model": "als@v3"}}}),
        **of("newer", api={"model": "als@v3"}),
        **of("both", api={"model": "other@v2"}, web={"model": "als@v1"}),
        **of("broken", api={"model": "als@v2", "route": 5}),
        **of("wrong", api={"model": "als@v9"}),
        **of("stranger", api={"model": "other@v9"}),
    }
    side = Side(Compiler(tree(files)))
    found, unknown = running(side, "als", "v2")
    assert [str(each) for each in found] == [
        "production/held (api candidate)",
        "production/ways (api variant old)",
        "production/zoo (api)",
    ]
    assert unknown == ("production/broken", "production/wrong")
    assert aliases(side, "als", "v2") == ("prod", "stable")
    assert aliases(side, "als", "v1") == aliases(side, "nobody", "v1") == aliases(side, "other", "v2") == ()


# --- what to type about an attribute


@pytest.mark.parametrize(
    ("files", "info", "hint"),
    [
        ({".gitattributes": "* merge=ours\n"}, "", "add as the last line: /rendered/** !merge"),
        ({"rendered/.gitattributes": "* merge=ours\n"}, "", "take merge out of this line"),
        ({}, "* merge=ours\n", "take merge out of this line"),
        ({".gitattributes": "* merge=text\n"}, "", "write merge in its place, which no driver can redefine"),
        ({}, "* merge=binary\n", "write -merge in its place, which no driver can redefine"),
    ],
)
def test_what_to_type_depends_on_where_the_attribute_stands(files: dict[str, str], info: str, hint: str) -> None:
    (found,) = merged_otherwise(tree(files), "rendered", ["production/recs"], info=info.encode())
    assert found.hint == hint
    assert ("where a driver is called so" in found.message) is hint.startswith("write")

"""A release's change in the field's words: every field of a service, models, environments, and nothing that isn't so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from company import (
    ANALYSES,
    SERVICE,
    STRATEGIES,
    Content,
    Files,
    Map,
    base,
    company,
    compose,
    environment,
    kubernetes,
    model,
    record,
    release,
    tree,
    with_service,
)
from relspec.compiler import Compiler
from relspec.gitops.changes import (
    FIELDS,
    LONGEST_VALUE,
    Change,
    changed_lines,
    describe,
    describe_environment,
    headline,
)
from relspec.resolve import ResolvedEnvironment, ResolvedRelease
from relspec.spec.service import Service

PLACE = "environments/production/environment.yaml"
SPEC = "environments/production/recs/release.yaml"
DIGESTS = ["@sha256:" + digit * 64 for digit in "ab"]


def resolved(files: Files) -> ResolvedRelease:
    """The one release of a small repository."""
    compiler = Compiler(tree(files))
    (place,) = compiler.found.releases
    return compiler.resolver.release(place.file, place.environment, place.id)


def between(old: Files, new: Files) -> tuple[Change, ...]:
    return describe(resolved(old), resolved(new))


def words(changes: tuple[Change, ...]) -> list[str]:
    return [change.words for change in changes]


STEPS: list[Map] = [{"setWeight": 10}, {"pause": "5m"}, {"pause": {}}]
INIT: Map = {"name": "unpack", "image": "ghcr.io/acme/unpack:1.0.0"}
HELD = STRATEGIES["held"]
BASELINE: Map = {"baseline": {"image": "ghcr.io/acme/rules:1.0.0"}}

TABLE: list[tuple[Map, Map, list[str]]] = [
    # image
    ({}, {"image": "ghcr.io/acme/recs:1.9.0"}, ["image ghcr.io/acme/recs 1.8.2 -> 1.9.0"]),
    ({}, {"image": "ghcr.io/acme/other:1.8.2"}, ["image ghcr.io/acme/recs:1.8.2 -> ghcr.io/acme/other:1.8.2"]),
    ({}, {"image": SERVICE["image"] + DIGESTS[0]}, ["image ghcr.io/acme/recs:1.8.2, now with its digest"]),
    (
        {"image": SERVICE["image"] + DIGESTS[0]},
        {"image": SERVICE["image"] + DIGESTS[1]},
        ["image ghcr.io/acme/recs:1.8.2, digest aaaaaaaaaaaa -> bbbbbbbbbbbb"],
    ),
    # strategy and traffic
    ({}, STRATEGIES["stepped"], ["strategy fixed -> canary, stepped"]),
    (
        STRATEGIES["stepped"],
        HELD,
        ["strategy canary, stepped -> canary, held; weight 10 %", "candidate ghcr.io/acme/recs:1.9.0 added"],
    ),
    ({}, STRATEGIES["blueGreen"], ["strategy fixed -> blue-green; a person promotes"]),
    (
        HELD,
        STRATEGIES["abTest"],
        ["strategy canary, held -> A/B test; weight 50 %"],
    ),
    (HELD, {**HELD, "strategy": {"canary": {"weight": 50}}}, ["stickyBy removed (was: {…})", "weight 10 % -> 50 %"]),
    (
        STRATEGIES["shadow"],
        {**STRATEGIES["shadow"], "strategy": {"shadow": {"percent": 50}}},
        ["shadow 20 % -> 50 %", "writes removed (was: allowed)"],
    ),
    (
        {"strategy": {"canary": {"steps": STEPS}}},
        {"strategy": {"canary": {"steps": [*STEPS[:2], {"analyze": ["success-rate"]}], "maxSurge": 1}}},
        ["maxSurge 1 (was: none)", "steps [10 %, 5m, a person] -> [10 %, 5m, success-rate]"],
    ),
    (
        {"strategy": {"blueGreen": {"promote": "manual"}}},
        {"strategy": {"blueGreen": {"promote": "auto"}}},
        ["promotion manual -> auto"],
    ),
    (HELD, {}, ["strategy canary, held -> fixed", "candidate ghcr.io/acme/recs:1.9.0 removed"]),
    (
        HELD,
        {"image": "ghcr.io/acme/recs:1.9.0"},
        [
            "image ghcr.io/acme/recs 1.8.2 -> 1.9.0",
            "strategy canary, held -> fixed",
            "candidate ghcr.io/acme/recs:1.9.0 removed (it is stable now)",
        ],
    ),
    (
        HELD,
        {**HELD, "candidate": {"image": "ghcr.io/acme/recs:1.9.1"}},
        ["candidate: image ghcr.io/acme/recs 1.9.0 -> 1.9.1"],
    ),
    ({"routing": "router"}, {"routing": "app"}, ["routing router -> app"]),
    # variants
    ({"variants": BASELINE}, {"variants": BASELINE, "active": "baseline"}, [
        "active: baseline (was: none)",
        "image ghcr.io/acme/recs:1.8.2 -> ghcr.io/acme/rules:1.0.0",
    ]),
    ({}, {"variants": BASELINE}, ["variant baseline added: image ghcr.io/acme/rules:1.0.0"]),
    ({"variants": BASELINE}, {}, ["variant baseline removed (was: image ghcr.io/acme/rules:1.0.0)"]),
    (
        {"variants": BASELINE},
        {"variants": {"baseline": {"image": "ghcr.io/acme/rules:1.1.0"}}},
        ["variant baseline: image ghcr.io/acme/rules 1.0.0 -> 1.1.0"],
    ),
    # numbers
    ({"replicas": 3}, {"replicas": 5}, ["replicas 3 -> 5"]),
    ({"replicas": 3}, {"replicas": {"min": 2, "max": 10, "cpu": 70}}, ["replicas 3 -> 2..10 (autoscaled)"]),
    (
        {"replicas": {"min": 2, "max": 10, "cpu": 70}},
        {"replicas": {"min": 2, "max": 12, "cpu": 80}},
        ["replicas 2..10 -> 2..12 (autoscaled); target cpu 70 -> 80"],
    ),
    (
        {},
        {"resources": {"cpu": 1, "memory": "2Gi", "gpu": 1}},
        ["cpu 500m -> 1", "gpu 1 (was: none)", "memory 1Gi -> 2Gi"],
    ),
    (
        {"resources": {"gpu": 1}},
        {"resources": {"gpu": {"count": 1, "resource": "amd.com/gpu"}}},
        ['gpu 1 -> {"count": 1, "resource": "amd.com/gpu"}'],
    ),
    # env
    ({"env": {"LOG_LEVEL": "info"}}, {"env": {"LOG_LEVEL": "debug"}}, ["env LOG_LEVEL info -> debug"]),
    ({}, {"env": {"B": 1, "A": "x y"}}, ['env A="x y" added', "env B=1 added"]),
    ({"env": {"A": ""}}, {}, ['env A removed (was: "")']),
    (
        {"env": {"API_KEY": {"secret": "recs/old"}}},
        {"env": {"API_KEY": {"secret": "recs/new"}}},
        ["env API_KEY secret recs/old -> secret recs/new"],
    ),
    ({"env": {"API_TOKEN": "abc"}}, {"env": {"API_TOKEN": "abd"}}, [
        "env API_TOKEN (a literal secret, not shown) -> (a literal secret, not shown)"
    ]),
    # files
    ({}, {"files": {"/a.yaml": {"content": "x\n"}}}, ["file /a.yaml added, 2 bytes"]),
    (
        {"files": {"/a.yaml": {"content": "x\ny\n"}}},
        {"files": {"/a.yaml": {"content": "x\nz\nw\n"}}},
        ["file /a.yaml changed, 2 lines added, 1 removed"],
    ),
    ({"files": {"/a.yaml": {"content": "x"}}}, {}, ["file /a.yaml removed"]),
    # the rest
    ({}, {"command": ["run"], "args": ["--port", 8080]}, [
        'command ["run"] (was: none)',
        'args ["--port", 8080] (was: none)',
    ]),
    ({}, {"ports": {"http": {"port": 9000}}}, ["ports.http.port 8080 -> 9000"]),
    ({}, {"ports": {"http": 8080, "grpc": {"port": 9000, "protocol": "grpc"}}}, [
        'ports.grpc {"port": 9000, "protocol": "grpc"} (was: none)',
    ]),
    ({}, {"route": "http"}, ["route http (was: none)"]),
    ({}, {"health": {"path": "/ready", "startup": "2m"}}, ["health.path /healthz -> /ready", "health.startup 60s -> 2m"]),
    ({}, {"shutdown": {"drain": "10s"}}, ["shutdown.drain 5s -> 10s"]),
    ({}, {"metrics": {"port": 9100}}, ['metrics {"port": 9100, "path": "/metrics"} (was: none)']),
    ({}, {"volumes": {"/data": {"empty": "1Gi"}}}, ['volumes./data {"empty": "1Gi"} (was: none)']),
    ({}, {"init": [INIT]}, ["init unpack added (ghcr.io/acme/unpack:1.0.0)"]),
    (
        {"sidecars": [INIT]},
        {"sidecars": [{**INIT, "image": "ghcr.io/acme/unpack:1.1.0", "args": ["-v"]}]},
        ['sidecars unpack: args ["-v"] (was: none)', "sidecars unpack: image ghcr.io/acme/unpack 1.0.0 -> 1.1.0"],
    ),
    (
        {"init": [INIT, {**INIT, "name": "warm"}]},
        {"init": [{**INIT, "name": "warm"}, INIT]},
        ["init in another order: warm, unpack"],
    ),
    ({}, {"security": {"user": 10001}}, ['security {"user": 10001} (was: none)']),
    ({}, {"writable": ["/var/tmp"]}, ['writable ["/var/tmp"] (was: none)']),
    ({"labels": {"team": "a"}}, {"labels": {"team": "b"}}, ["labels.team a -> b"]),
    ({}, {"annotations": {"acme.example/oncall": "recs"}}, ["annotations.acme.example/oncall recs (was: none)"]),
    ({}, {"serviceAccount": "recs"}, ["serviceAccount recs (was: none)"]),
    ({}, {"imagePullSecrets": ["ghcr"]}, ['imagePullSecrets ["ghcr"] (was: none)']),
    ({}, {"placement": {"runtimeClass": "nvidia"}}, ['placement {"runtimeClass": "nvidia"} (was: none)']),
    ({}, {"restart": "always"}, ["restart unless-stopped -> always"]),
    ({}, {"targets": ["rollouts"]}, ['targets ["rollouts"] (was: none)']),
    ({}, {"build": {"context": "."}}, ['build {"context": "."} (was: none)']),
    ({}, {"verify": [{"path": "/version"}]}, ['verify [{"path": "/version"}] (was: none)']),
    ({}, {"uses": ["production/features"]}, ['uses ["production/features"] (was: none)']),
    (
        {},
        {"overrides": {"rollouts": {"container": {"stdin": True}}}},
        ['overrides.rollouts {"container": {"stdin": true}} (was: none)'],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), TABLE, ids=lambda value: str(value)[:60])
def test_a_change_of_a_service_is_said(before: Map, after: Map, said: list[str]) -> None:
    changes = between(with_service(before), with_service(after))
    found = [text.replace('{"header": "x-user-id", "bucket": "mod100"}', "{…}") for text in words(changes)]
    assert found == said
    assert all(change.service == "api" and change.field.startswith("api") for change in changes)


@pytest.mark.parametrize(("before", "after", "said"), TABLE, ids=lambda value: str(value)[:60])
def test_a_revert_changes_the_same_fields(before: Map, after: Map, said: list[str]) -> None:
    there = between(with_service(before), with_service(after))
    back = between(with_service(after), with_service(before))
    assert sorted((c.field, json.dumps([c.before, c.after])) for c in there) == sorted(
        (c.field, json.dumps([c.after, c.before])) for c in back
    )


@pytest.mark.parametrize("extra", [extra for case in TABLE for extra in case[:2]], ids=str)
def test_nothing_is_said_of_what_did_not_change(extra: Map) -> None:
    assert between(with_service(extra), with_service(extra)) == ()


EXTRAS = [*(before for before, _, _ in TABLE), *(after for _, after, _ in TABLE)]


@given(st.sampled_from(EXTRAS), st.sampled_from(EXTRAS))
@settings(max_examples=80, deadline=None)
def test_no_change_of_an_output_goes_unsaid(old: Map, new: Map) -> None:
    """Any two states: where the specs differ something is said, and every change is found from both ends."""
    before, after = (resolved(with_service(extra)) for extra in (old, new))
    there, back = describe(before, after), describe(after, before)
    differ = before.services["api"].layers.merged != after.services["api"].layers.merged
    assert bool(there) == differ == bool(back)
    assert all(change.before != change.after or "not shown" in change.words for change in there)
    assert len({(change.field, "not in use" in change.words) for change in there}) == len(there)


def test_every_field_of_a_service_has_its_place_and_is_covered_by_the_table() -> None:
    fields = {info.alias or name for name, info in Service.model_fields.items()}
    assert {name for name, _ in FIELDS} == fields
    changed = {key for before, after, _ in TABLE for key in {*before, *after}}
    assert fields - changed == {"model", "dependsOn"}, "these have tests of their own"


def test_the_fields_come_in_one_order() -> None:
    after = {
        "labels": {"a": "b"},
        "env": {"A": "1"},
        "replicas": 3,
        "image": "ghcr.io/acme/recs:2.0.0",
        "restart": "no",
    }
    fields = [change.field for change in between(with_service({}), with_service(after))]
    assert fields == ["api.image", "api.replicas", "api.env.A", "api.labels.a", "api.restart"]


def test_before_and_after_are_json() -> None:
    (change,) = between(with_service({"replicas": 3}), with_service({"replicas": {"min": 2, "max": 4, "cpu": 70}}))
    assert (change.field, change.before, change.after) == ("api.replicas", 3, {"min": 2, "max": 4, "cpu": 70})
    everything = between(with_service({}), with_service({**HELD, "init": [INIT], "files": {"/a": {"content": "x"}}}))
    assert json.loads(json.dumps([[c.before, c.after] for c in everything]))


# --- services and releases


def test_services_come_and_go_by_name() -> None:
    worker = {**SERVICE, "image": "ghcr.io/acme/worker:1.0.0"}
    old, new = company({"worker": worker, "api": SERVICE}), company({"api": SERVICE, "jobs": worker})
    assert words(between(old, new)) == [
        "service jobs added: image ghcr.io/acme/worker:1.0.0",
        "service worker removed (was: image ghcr.io/acme/worker:1.0.0)",
    ]


def test_a_release_comes_and_goes() -> None:
    there = resolved(with_service({}))
    (came,), (went,) = describe(None, there), describe(there, None)
    assert came.words == "new release production/recs: api (image ghcr.io/acme/recs:1.8.2)"
    assert went.words == "release production/recs removed (was: api (image ghcr.io/acme/recs:1.8.2))"
    assert (came.service, came.field, came.before, went.after) == ("", ".", None, None)
    assert came.after == went.before
    assert describe(None, None) == ()


def test_a_release_of_another_name_is_renamed() -> None:
    old = with_service({})
    new = {path.replace("/recs/", "/films/"): content for path, content in old.items()}
    new["environments/production/films/release.yaml"] = release("films")
    assert words(between(old, new)) == ["renamed production/recs -> production/films"]


def test_fields_of_the_release_itself() -> None:
    new = with_service({}, targets=["rollouts"], overrides={"rollouts": {"pod": {"priorityClassName": "high"}}})
    changes = between(with_service({}), new)
    assert [change.field for change in changes] == [".targets", ".overrides.rollouts"]
    assert changes[0].words == "targets all of the environment's -> rollouts"


def test_variables_of_the_host() -> None:
    def source(**fields: str) -> dict[str, Content]:
        return with_service({"env": {"SOURCE": {"variable": "SOURCE", **fields}}}, compose())

    (change,) = between(source(), source(default="binance"))
    assert change.words == "env SOURCE the host's SOURCE -> the host's SOURCE (default binance)"
    assert (change.before, change.after) == (
        {"variable": "SOURCE", "default": None},
        {"variable": "SOURCE", "default": "binance"},
    )


def test_files_that_are_long_or_no_text() -> None:
    def files(content: bytes) -> dict[str, Content]:
        made = with_service({"files": {"/a": {"from": "a.bin"}}})
        return {**made, "environments/production/recs/a.bin": content}

    assert words(between(files(b"\0ab"), files(b"\0abc"))) == ["file /a changed, 3 -> 4 bytes"]
    long = [b"%d\n" % number for number in range(20_000)]
    other = [b"new\n", *long[:10_000], b"x\n", *long[10_001:]]
    (change,) = between(files(b"".join(long)), files(b"".join(other)))
    assert change.words == "file /a changed, 2 lines added, 1 removed"
    assert between(files(b"a\n" * 5000), files(b"b\n" + b"a\n" * 4000))[0].words.endswith("1 line added, 1000 removed")


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("", "", (0, 0)),
        ("ab", "ab", (0, 0)),
        ("ab", "axb", (1, 0)),
        ("aab", "ab", (0, 1)),
        ("abc", "adc", (1, 1)),
        ("ab", "ba", (1, 1)),
    ],
)
def test_lines_that_a_diff_adds_and_removes(old: str, new: str, counts: tuple[int, int]) -> None:
    assert changed_lines(*([line.encode() for line in side] for side in (old, new))) == counts


def test_dependencies() -> None:
    services = {"api": {**SERVICE, "dependsOn": ["db"]}, "db": SERVICE}
    changed = {"api": {**SERVICE, "dependsOn": {"db": "healthy"}}, "db": SERVICE}
    assert words(between(company(services), company(changed))) == ["dependsOn.db auto -> healthy"]


# --- where a value comes from


def test_a_value_from_elsewhere_says_so() -> None:
    def files(level: str, memory: str) -> dict[str, Content]:
        made = with_service({"resources": None}, kubernetes(defaults={"resources": {"memory": memory}}))
        made[SPEC] = release("recs", extends="../../../bases/recs.yaml")
        made["bases/recs.yaml"] = base({"api": {"labels": {"level": level}, "env": {"X": {"environment": "name"}}}})
        spec: Any = made[SPEC]
        del spec["services"]["api"]["resources"]
        return made

    assert words(between(files("a", "1Gi"), files("b", "2Gi"))) == [
        "memory 1Gi -> 2Gi (in environments/production/environment.yaml)",
        "labels.level a -> b (in bases/recs.yaml)",
    ]


def test_a_value_that_a_release_gives_up_comes_from_the_environment() -> None:
    where = kubernetes(defaults={"replicas": 2})
    assert words(between(with_service({"replicas": 3}, where), with_service({}, where))) == [
        "replicas 3 -> 2 (now from environments/production/environment.yaml)"
    ]


def test_a_value_that_is_gone_comes_from_nowhere() -> None:
    """What lies around it may come from a base; the value itself never did."""

    def files(own: Map, theirs: Map) -> dict[str, Content]:
        made = with_service({**own}, kubernetes())
        made[SPEC] = {"extends": "../../../bases/recs.yaml", **made[SPEC]}  # type: ignore[dict-item]
        return {**made, "bases/recs.yaml": base({"api": theirs})}

    around = {"env": {"OTHER": "x"}, "labels": {"team": "a"}}
    own = {"env": {"N": "1"}, "labels": {"level": "a"}, "replicas": 3}
    assert words(between(files(own, around), files({}, around))) == [
        "replicas 3 -> 1",
        "env N removed (was: 1)",
        "labels.level removed (was: a)",
    ]
    more = {"env": {"OTHER": "x", "N": "1"}}
    assert words(between(files({}, more), files({}, around | {"labels": {}}))) == [
        "env N removed (was: 1) (in bases/recs.yaml)"
    ]
    assert words(between(files(own, more), files({"replicas": 3}, more))) == ["labels.level removed (was: a)"]
    assert words(between(files({"env": {"N": "2"}}, more), files({}, more))) == [
        "env N 2 -> 1 (now from bases/recs.yaml)"
    ]


def test_a_value_that_a_base_takes_away_is_taken_away_there() -> None:
    def files(level: str | None) -> dict[str, Content]:
        made = with_service({}, kubernetes())
        made[SPEC] = {"extends": "../../../bases/recs.yaml", **made[SPEC]}  # type: ignore[dict-item]
        middle = {**base({"api": {"labels": {"level": level}}}), "extends": "top.yaml"}
        return {**made, "bases/recs.yaml": middle, "bases/top.yaml": base({"api": {"labels": {"level": "a"}}})}

    assert words(between(files("b"), files(None))) == ["labels.level removed (was: b) (in bases/recs.yaml)"]
    assert words(between(files("a"), files(None))) == ["labels.level removed (was: a) (in bases/recs.yaml)"]


def test_a_variable_that_follows_the_environment() -> None:
    extra = {"env": {"WHERE": {"environment": "REGION"}}}
    old, new = (with_service(extra, kubernetes(variables={"REGION": region})) for region in ("eu-1", "eu-2"))
    assert words(between(old, new)) == ["env WHERE eu-1 -> eu-2 (follows the environment)"]


def test_what_means_the_same_is_said_only_where_nothing_else_is() -> None:
    assert words(between(with_service({}), with_service({"replicas": 1}))) == [
        "replicas 1 (was: none), which means the same"
    ]
    both = between(with_service({}), with_service({"replicas": 1, "restart": "always"}))
    assert words(both) == ["restart unless-stopped -> always"]


# --- models


NO_RECORDS: Mapping[str, Map] = {}


def with_model(
    reference: str, *, alias: str = "v0.3", service: Map | None = None, records: Mapping[str, Map] = NO_RECORDS
) -> dict[str, Content]:
    """A company whose service runs `reference` of a semver model with v0.3 and v0.4."""
    made = with_service({"model": reference, **(service or {})})
    made["registry/als/model.yaml"] = model(versioning="semver", aliases={"prod": alias})
    for version in ("v0.3", "v0.3.1", "v0.4", "v1.0"):
        made[f"registry/als/{version}.yaml"] = {
            **record(version),
            "data": {"snapshot": f"data-{version}"},
            **records.get(version, {}),
        }
    return made


def interface(*required: str) -> Map:
    """An interface whose input needs some properties."""
    properties = {name: {"type": "string"} for name in ("user", "age")}
    return {"interface": {"input": {"type": "object", "properties": properties, "required": list(required)}}}


STEP = [
    ("als@v0.3", "als@v0.4", "model als v0.3 -> v0.4, minor; data data-v0.3 -> data-v0.4"),
    ("als@v0.4", "als@v0.3", "model als v0.4 -> v0.3, back, minor; data data-v0.4 -> data-v0.3"),
    ("als@v0.3", "als@v0.3.1", "model als v0.3 -> v0.3.1, patch; data data-v0.3 -> data-v0.3.1"),
    ("als@v1.0", "als@v0.3", "model als v1.0 -> v0.3, back, major; data data-v1.0 -> data-v0.3"),
]


@pytest.mark.parametrize(("before", "after", "said"), STEP)
def test_a_step_of_a_model(before: str, after: str, said: str) -> None:
    (change,) = between(with_model(before), with_model(after))
    runtime = "image unchanged, although the runtime's is another"
    assert change.words == f"{said}; interface unknown: not declared; {runtime}"
    assert (change.field, change.before, change.after) == ("api.model", before, after)
    assert headline((change,)) == f"api: als {before[4:]} -> {after[4:]}"


def test_the_example_of_the_plan() -> None:
    facts = {"data": {"snapshot": "9c1de442"}, "runtime": {"python": "3.11.5"}, **interface("user")}
    versions = {"v0.3": facts, "v0.4": {**facts, "data": {"snapshot": "77aa01be"}}}
    (change,) = between(with_model("als@v0.3", records=versions), with_model("als@v0.4", records=versions))
    assert change.words == (
        "model als v0.3 -> v0.4, minor; data 9c1de442 -> 77aa01be; interface compatible; image unchanged"
    )


def test_a_breaking_interface_is_named() -> None:
    versions = {"v0.3": interface("user"), "v0.4": interface("user", "age")}
    (change,) = between(with_model("als@v0.3", records=versions), with_model("als@v0.4", records=versions))
    assert "; interface breaking: input: `age` became required; " in change.words


def test_the_whole_lineage_is_compared() -> None:
    new: Map = {
        "code": {"commit": "b07521c0ffee"},
        "config": {"hyperparameters": {"rank": 128, "alpha": 2, "beta": 3}},
        "runtime": {"image": "ghcr.io/acme/als-serving:v0.4", "python": "3.12.1"},
        "hardware": {"memory": "8Gi"},
    }
    (change,) = between(with_model("als@v0.3"), with_model("als@v0.4", records={"v0.4": new}))
    assert change.words.split("; ")[1:6] == [
        "code a07521c0 -> b07521c0",
        "data data-v0.3 -> data-v0.4",
        "config alpha 2 (was: none), beta 3 (was: none) and 1 more",
        "runtime python 3.12.1 (was: none)",
        "hardware not recorded -> recorded",
    ]


def test_a_model_that_carries_the_image() -> None:
    def files(version: str) -> dict[str, Content]:
        made = with_model(f"als@{version}")
        made.update(with_service({"model": f"als@{version}", "image": None}))
        return made

    assert words(between(files("v0.3"), files("v0.4")))[1:] == [
        "image ghcr.io/acme/als-serving v0.3 -> v0.4 (from the model's runtime)"
    ]


def test_an_alias_that_moves_leaves_the_release_alone() -> None:
    (change,) = between(with_model("als@prod"), with_model("als@prod", alias="v0.4"))
    assert change.words.startswith("als@prod: v0.3 -> v0.4 (the alias moved; the release is unchanged), minor; data ")
    assert (change.before, change.after) == ("als@v0.3", "als@v0.4")
    also = between(with_model("als@prod"), with_model("als@prod", alias="v0.4", service={"restart": "always"}))
    assert also[0].words.startswith("als@prod: v0.3 -> v0.4 (the alias moved), minor")


def test_pinning_an_alias_changes_no_version() -> None:
    (change,) = between(with_model("als@prod"), with_model("als@v0.3"))
    assert change.words == "model als v0.3, now pinned (was: als@prod), the same version"
    (back,) = between(with_model("als@v0.3"), with_model("als@prod"))
    assert back.words == "model als v0.3, now by its alias prod (was: als@v0.3), the same version"


def test_a_candidate_by_its_model() -> None:
    held = {"strategy": {"canary": {"weight": 10}}}
    service = {**held, "candidate": {"model": "als@v0.4"}}
    old, new = with_model("als@v0.3"), with_model("als@v0.3", service=service)
    assert words(between(old, new)) == [
        "strategy fixed -> canary, held; weight 10 %",
        "candidate als@v0.4 added",
    ]
    (change,) = between(new, with_model("als@v0.3", service={**held, "candidate": {"model": "als@v1.0"}}))
    assert change.words.startswith("candidate: model als v0.4 -> v1.0, major; ")
    assert change.field == "api.candidate.model"
    promoted = between(new, with_model("als@v0.4"))
    assert promoted[-1].words == "candidate als@v0.4 removed (it is stable now)"


def test_what_candidate_and_service_share_is_said_once() -> None:
    old, new = (with_service({**HELD, "env": {"A": value}}) for value in "12")
    assert words(between(old, new)) == ["env A 1 -> 2"]


def test_a_service_gains_loses_and_swaps_its_model() -> None:
    without = {**with_model("als@v0.3"), **with_service({})}
    assert words(between(without, with_model("als@v0.3"))) == ["model als v0.3 (was: none)"]
    assert words(between(with_model("als@v0.3"), without)) == ["no model (was: als v0.3)"]
    other = with_model("als@v0.3")
    other |= {"registry/rules/model.yaml": model("rules"), "registry/rules/1.yaml": record("1", "rules")}
    swapped = {**other, **with_service({"model": "rules@1"})}
    (change,) = between(other, swapped)
    assert change.words.startswith("model als v0.3 -> rules 1, another model; interface unknown: not declared")


def test_steps_of_a_sequential_model() -> None:
    def files(version: str) -> dict[str, Content]:
        made = with_service({"model": f"als@{version}"})
        made["registry/als/model.yaml"] = model()
        made.update({f"registry/als/v{number}.yaml": record(f"v{number}") for number in range(4)})
        return made

    assert between(files("v0"), files("v1"))[0].words.startswith("model als v0 -> v1, 1 step; ")
    assert between(files("v3"), files("v1"))[0].words.startswith("model als v3 -> v1, back, 2 steps; ")


def test_an_edited_record_is_said() -> None:
    edited = with_model("als@v0.3", records={"v0.3": {"data": {"snapshot": "other"}}})
    assert words(between(with_model("als@v0.3"), edited)) == [
        "the record of als v0.3 was edited: data data-v0.3 -> other"
    ]


def test_a_variable_that_follows_the_model() -> None:
    service = {"env": {"MODEL_VERSION": {"model": "version"}}}
    changes = between(with_model("als@v0.3", service=service), with_model("als@v0.4", service=service))
    assert words(changes)[1] == "env MODEL_VERSION v0.3 -> v0.4 (follows the model)"


# --- under a variant


def test_what_an_active_variant_hides_is_said() -> None:
    extra = {"variants": BASELINE, "active": "baseline"}
    old, new = with_service(extra), with_service({**extra, "image": "ghcr.io/acme/recs:1.9.0"})
    assert words(between(old, new)) == [
        "image ghcr.io/acme/recs:1.8.2 -> ghcr.io/acme/recs:1.9.0 (not in use while baseline is active)"
    ]


def test_what_goes_under_a_variant_in_the_same_change_is_said() -> None:
    old = with_service({"variants": BASELINE, **HELD})
    new = with_service({"variants": BASELINE, "active": "baseline", "image": "ghcr.io/acme/recs:1.9.0"})
    assert words(between(old, new)) == [
        "active: baseline (was: none)",
        "image ghcr.io/acme/recs:1.8.2 -> ghcr.io/acme/rules:1.0.0",
        "image ghcr.io/acme/recs:1.8.2 -> ghcr.io/acme/recs:1.9.0 (not in use while baseline is active)",
        "strategy canary, held -> fixed",
        'strategy removed (was: {"canary": {"weight": 10, "stickyBy": {"header": "x-user-id…) '
        "(not in use while baseline is active)",
        "candidate ghcr.io/acme/recs:1.9.0 removed",
        'candidate removed (was: {"image": "ghcr.io/acme/recs:1.9.0"}) (not in use while baseline is active)',
    ]


def test_what_an_active_variant_does_not_hide_is_said_once() -> None:
    extra = {"variants": BASELINE, "active": "baseline"}
    assert words(between(with_service(extra), with_service({**extra, "replicas": 3}))) == ["replicas 1 -> 3"]


# --- environments


def environments(old: Map, new: Map) -> list[str]:
    def resolved_environment(fields: Map) -> ResolvedEnvironment:
        return resolved(with_service({}, environment(**fields))).environment

    return words(describe_environment(resolved_environment(old), resolved_environment(new)))


ROLLOUTS: Map = {"targets": {"rollouts": {"prometheus": "http://prometheus:9090"}}}
ANALYSIS = ANALYSES["success-rate"]
ENVIRONMENTS: list[tuple[Map, Map, list[str]]] = [
    ({}, {"rollback": {"window": 5}}, ["rollback.window 3 -> 5"]),
    ({}, {"rollback": {"objective": "2m"}}, ["rollback.objective 2m (was: none)"]),
    ({"analyses": ANALYSES}, {"analyses": {"success-rate": {**ANALYSIS, "count": 9}}}, [
        "analysis success-rate changed: count 5 -> 9"
    ]),
    ({}, {"analyses": ANALYSES}, ["analysis success-rate added"]),
    ({"analyses": ANALYSES}, {}, ["analysis success-rate removed"]),
    (
        {"defaults": {"resources": {"memory": "1Gi"}}},
        {"defaults": {"resources": {"memory": "2Gi"}}},
        ["defaults.resources.memory 1Gi -> 2Gi"],
    ),
    ({}, {"policies": {"requireDigest": True}}, ["policy requireDigest on"]),
    ({"policies": {"pinned": True}}, {}, ["policy pinned off"]),
    ({}, {"policies": {"minReplicas": 2}}, ["policy minReplicas 0 -> 2"]),
    ({}, {"policies": {"allow": [{"code": "RS420", "release": "x", "reason": "y", "until": "2026-12-31"}]}}, [
        "allowances 0 -> 1"
    ]),
    ({"variables": {"REGION": "a"}}, {"variables": {"REGION": "b"}}, ["variable REGION a -> b"]),
    ({}, {"targets": {**ROLLOUTS["targets"], "compose": {}}}, ["target compose added"]),
    ({}, {"targets": {"rollouts": {"prometheus": "http://other:9090"}}}, [
        "targets.rollouts.prometheus http://prometheus:9090 -> http://other:9090"
    ]),
    ({}, {"router": {"istio": {"gateway": "a/b"}}}, ['router.istio {"gateway": "a/b"} (was: none)']),
    ({}, {"expose": {"host": "x.example"}}, ["expose.host x.example (was: none)"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), ENVIRONMENTS, ids=lambda value: str(value)[:60])
def test_a_change_of_an_environment_is_said(before: Map, after: Map, said: list[str]) -> None:
    assert environments({**ROLLOUTS, **before}, {**ROLLOUTS, **after}) == said
    assert environments({**ROLLOUTS, **after}, {**ROLLOUTS, **after}) == []


def test_an_environment_comes_and_goes() -> None:
    there = resolved(with_service({}, compose())).environment
    assert words(describe_environment(None, there)) == ["new environment staging"]
    assert words(describe_environment(there, None)) == ["environment staging removed"]
    assert describe_environment(None, None) == ()


# --- one line


def test_the_headline_of_a_release() -> None:
    held = {"candidate": {"image": "ghcr.io/acme/recs:1.9.0"}}
    old = with_model("als@v0.3", service={**held, "strategy": {"canary": {"weight": 10}}})
    new = with_model("als@v0.4", service={**held, "strategy": {"canary": {"weight": 50}}})
    assert headline(between(old, new)) == "api: als v0.3 -> v0.4; weight 10 -> 50"


def test_a_headline_is_short() -> None:
    old, new = ({f"V{number}": value for number in range(20)} for value in "ab")
    line = headline(between(with_service({"env": old}), with_service({"env": new})))
    assert line == "api: env V0 a -> b; env V1 a -> b; env V10 a -> b; 17 more"
    assert headline(()) == ""


def test_a_line_names_some_services_and_counts_the_rest() -> None:
    names = [f"s{number}" for number in range(9)]
    old, new = (company({name: {**SERVICE, "replicas": count} for name in names}) for count in (1, 2))
    assert headline(between(old, new)).endswith("s4: replicas 1 -> 2 | 4 more services")
    (came,) = describe(None, resolved(old))
    assert came.words.endswith(", 4 more")


# --- hostile values


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_value_steers_the_terminal_or_floods_it(old: str, new: str) -> None:
    there = resolved(with_service({}))
    service = there.services["api"]
    sides = []
    for value in (old, new):
        changed = service.__class__(
            **{**{name: getattr(service, name) for name in service.__slots__}, "env": {"A": value}}
        )
        release_class = there.__class__
        fields = {name: getattr(there, name) for name in there.__slots__}
        sides.append(release_class(**{**fields, "services": {"api": changed}}))
    for change in describe(*sides):
        assert change.words.isprintable()
        assert len(change.words) < 2 * LONGEST_VALUE + 40
        assert headline((change,)).isprintable()


def test_a_secret_in_a_changed_value_is_never_repeated() -> None:
    secret = "ghp_" + "a" * 40
    for extra in (
        {"args": [secret]},
        {"labels": {"x": secret}},
        {"env": {"A": secret}},
        {"verify": [{"exec": [secret]}]},
    ):
        changes = between(with_service({}), with_service(extra))
        assert changes
        assert "ghp_" not in repr(changes)


def test_a_reference_to_a_secret_shows_its_name() -> None:
    init = {**INIT, "env": {"A": {"secret": "recs/old"}}}
    old, new = with_service({"init": [init]}), with_service({"init": [{**init, "env": {"A": {"secret": "recs/new"}}}]})
    assert words(between(old, new)) == ["init unpack: env.A.secret recs/old -> recs/new"]

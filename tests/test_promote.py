"""`relspec promote`: what one release runs, in another one's release.yaml, and nothing else of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from company import (
    SERVICE,
    Content,
    Run,
    compose,
    environment,
    on_disk,
    record,
    registry,
    release,
    repository,
    run,
    write,
)
from relspec.editor_schemas import schema
from relspec.lock import text as lock_text
from test_readme import ROOT

SPEC = "environments/production/recs/release.yaml"
TARGET = """\
# kept by the recs team
apiVersion: relspec/v1
kind: Release
name: recs
services:
  api:
    model:    als@v2   # what everybody gets
    image: "ghcr.io/acme/recs:1.8.2"
    replicas: 3        # stays
    ports: {http: 8080}
    health: {path: /healthz}
    resources: {cpu: 500m,  memory: 1Gi}
    env: {MODE: fast, VERSION: {model: version}}
"""
API = {**SERVICE, "model": "als@v3"}


def files(
    api: dict[str, Any] = API, target: str = TARGET, *, source: dict[str, Any] | None = None, **policies: Any
) -> dict[str, Content]:
    """staging/recs and production/recs, both in Docker Compose, and four versions of als."""
    return {
        "relspec.lock": lock_text(),
        "environments/staging/environment.yaml": compose(),
        "environments/staging/recs/release.yaml": source or release("recs", {"api": api}),
        "environments/production/environment.yaml": compose("production", policies=policies),
        SPEC: target,
        **registry("v1", "v2", "v3", "v4", aliases={"prod": "v2", "latest": "v3"}),
    }


def promote(root: Path, *arguments: str, source: str = "staging/recs", target: str = "production/recs") -> Run:
    return run(root, "promote", source, target, *arguments)


def spec(root: Path) -> str:
    return (root / SPEC).read_bytes().decode()


def rendered(root: Path) -> str:
    return (root / "rendered/production/recs/compose/compose.yaml").read_text(encoding="utf-8")


def test_the_model_moves_and_everything_else_stays(tmp_path: Path) -> None:
    write(tmp_path, files())
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert spec(tmp_path) == TARGET.replace("als@v2", "als@v3")
    assert done.out.splitlines()[:4] == [
        "staging/recs -> production/recs",
        "  api.model: als@v2 -> als@v3",
        "note: no plan: " + done.out.splitlines()[2].removeprefix("note: no plan: "),
        f"wrote {SPEC}",
    ]
    assert "git commit -m 'Promote staging/recs to production/recs'" in done.out
    assert run(tmp_path, "compile", "--check", "production/recs").code == 0


def test_the_image_moves_in_its_quotes(tmp_path: Path) -> None:
    write(tmp_path, files({**API, "image": "ghcr.io/acme/recs:1.9.0"}))
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert spec(tmp_path) == TARGET.replace("als@v2", "als@v3").replace("1.8.2", "1.9.0")
    assert "image: ghcr.io/acme/recs:1.9.0" in rendered(tmp_path)


def test_an_image_of_the_record_moves_with_the_model(tmp_path: Path) -> None:
    source = {**API, "image": None}
    own = TARGET.replace('    image: "ghcr.io/acme/recs:1.8.2"\n', "")
    write(tmp_path, files(source={**release("recs", {"api": {k: v for k, v in source.items() if v}})}, target=own))
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert spec(tmp_path) == own.replace("als@v2", "als@v3")
    assert "ghcr.io/acme/als-serving:v3" in rendered(tmp_path)


def test_a_target_that_names_its_image_goes_on_naming_it(tmp_path: Path) -> None:
    write(tmp_path, files(source=release("recs", {"api": {k: v for k, v in API.items() if k != "image"}})))
    done = promote(tmp_path)
    assert done.code == 0, done.err
    image = "ghcr.io/acme/als-serving:v3"
    assert spec(tmp_path) == TARGET.replace("als@v2", "als@v3").replace("ghcr.io/acme/recs:1.8.2", image)


def test_an_alias_moves_as_its_version_and_pins_an_alias(tmp_path: Path) -> None:
    write(tmp_path, files({**API, "model": "als@latest"}, TARGET.replace("als@v2", "als@prod")))
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert spec(tmp_path) == TARGET.replace("als@v2   # what", "als@v3   # was als@prod; what")
    assert "note: staging/recs says als@latest, which means v3 now" in done.out


@pytest.mark.parametrize(("source", "target"), [("als@v2", "als@v2"), ("als@prod", "als@v2"), ("als@v2", "als@prod")])
def test_nothing_to_promote(tmp_path: Path, source: str, target: str) -> None:
    write(tmp_path, files({**API, "model": source}, TARGET.replace("als@v2", target)))
    before = on_disk(tmp_path)
    done = promote(tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out == "nothing to promote: production/recs has what staging/recs runs\n"
    assert on_disk(tmp_path) == before


def test_a_value_of_a_base_is_overridden_in_the_release(tmp_path: Path) -> None:
    base = "apiVersion: relspec/v1\nkind: Release\nservices:\n  api:\n    model: als@prod\n"
    target = TARGET.replace("    model:    als@v2   # what everybody gets\n", "")
    target = target.replace("services:", "extends: ../../../bases/recs.yaml\nservices:")
    write(tmp_path, {**files(target=target), "bases/recs.yaml": base})
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert spec(tmp_path) == target + "    model: als@v3  # was als@prod\n"
    assert (tmp_path / "bases/recs.yaml").read_text() == base
    assert "note: api.model comes from bases/recs.yaml:5; release.yaml now says otherwise, for this release alone" in (
        done.out
    )


def test_line_ends_stay(tmp_path: Path) -> None:
    write(tmp_path, files(target=TARGET.replace("\n", "\r\n")))
    assert promote(tmp_path).code == 0
    assert spec(tmp_path) == TARGET.replace("als@v2", "als@v3").replace("\n", "\r\n")


def test_services_of_one_side_are_named_and_not_made(tmp_path: Path) -> None:
    source = release("recs", {"api": API, "worker": {"image": "ghcr.io/acme/worker:1.0.0"}})
    target = TARGET + "  web:\n    image: ghcr.io/acme/web:1.0.0\n"
    write(tmp_path, files(source=source, target=target))
    done = promote(tmp_path)
    assert done.code == 0
    assert spec(tmp_path) == target.replace("als@v2", "als@v3")
    assert "  only in staging/recs: worker\n  only in production/recs: web\n" in done.out


def test_one_service_of_two(tmp_path: Path) -> None:
    web = {"image": "ghcr.io/acme/web:2.0.0"}
    target = TARGET + "  web:\n    image: ghcr.io/acme/web:1.0.0\n"
    write(tmp_path, files(source=release("recs", {"api": API, "web": web}), target=target))
    assert promote(tmp_path, "--service", "web").code == 0
    assert spec(tmp_path) == target.replace("web:1.0.0", "web:2.0.0")
    assert promote(tmp_path).code == 0
    assert spec(tmp_path) == target.replace("web:1.0.0", "web:2.0.0").replace("als@v2", "als@v3")


@pytest.mark.parametrize(
    ("version", "code"),
    [("v3", "RS411"), ("v4", "RS410")],
)
def test_what_must_not_be_deployed_is_refused(tmp_path: Path, version: str, code: str) -> None:
    wanted = files({**API, "model": f"als@{version}"})
    quarantine = {"v3": {"reason": "slow", "since": "2026-03-04"}}
    wanted |= registry("v1", "v2", "v3", "v4", lifecycle={"v4": "archived"}, quarantine=quarantine)
    write(tmp_path, wanted)
    before = on_disk(tmp_path)
    done = promote(tmp_path)
    assert done.code == 1
    assert f"error {code}: als {version} is " in done.err
    assert "environments/staging/recs/release.yaml" in done.err
    assert done.err.endswith("nothing was written\n")
    assert on_disk(tmp_path) == before


def test_a_quarantined_version_that_runs_already_does_not_hold_up_its_image(tmp_path: Path) -> None:
    wanted = files({**API, "model": "als@v2", "image": "ghcr.io/acme/recs:1.9.0"})
    wanted |= registry("v1", "v2", "v3", "v4", quarantine={"v2": {"reason": "slow", "since": "2026-03-04"}})
    write(tmp_path, wanted)
    done = promote(tmp_path)
    assert done.code == 0
    assert "warning RS411" in done.err
    assert spec(tmp_path) == TARGET.replace("1.8.2", "1.9.0")


def test_policies_warn(tmp_path: Path) -> None:
    write(tmp_path, files(requireDigest=True))
    done = promote(tmp_path)
    assert done.code == 0
    assert "warning RS421" in done.err
    assert spec(tmp_path) == TARGET.replace("als@v2", "als@v3")


def test_what_would_not_compile_is_not_written(tmp_path: Path) -> None:
    target = TARGET.replace("{model: version}", "{model: digest}")
    bare = record("v3")
    del bare["artifact"]
    write(tmp_path, {**files(target=target), "registry/als/v3.yaml": bare})
    before = on_disk(tmp_path)
    done = promote(tmp_path)
    assert done.code == 1
    assert "error RS208" in done.err
    assert on_disk(tmp_path) == before


def test_a_dry_run_shows_the_lines(tmp_path: Path) -> None:
    write(tmp_path, files())
    before = on_disk(tmp_path)
    done = promote(tmp_path, "--dry-run")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[2].startswith("note: no plan: ")
    assert lines[3:5] == [f"--- {SPEC}", f"+++ {SPEC}"]
    assert "-    model:    als@v2   # what everybody gets" in lines
    assert "+    model:    als@v3   # what everybody gets" in lines
    assert lines[-1] == "would write rendered/production/recs/compose/compose.yaml"
    assert on_disk(tmp_path) == before


def test_a_dry_run_shows_the_plan_that_the_change_then_has(tmp_path: Path) -> None:
    made = repository(tmp_path, files())
    run(tmp_path, "compile")
    made.commit("outputs")
    before = on_disk(tmp_path)
    would, data = promote(tmp_path, "--dry-run"), promote(tmp_path, "--dry-run", "--format", "json")
    assert on_disk(tmp_path) == before
    assert made.git("status", "--porcelain") == ""
    assert "to commit it" not in would.out
    plan = would.out[would.out.index("\nplan: ") :]
    assert "api: model als v2 -> v3" in plan
    assert "way back: " in plan
    did = promote(tmp_path)
    assert did.out[did.out.index("\nplan: ") : did.out.index("\nto commit it")] == plan
    really = json.loads(run(tmp_path, "plan", "--format", "json", "HEAD").out)
    assert json.loads(data.out)["plan"]["releases"] == really["releases"]


def test_the_plan_of_what_it_did(tmp_path: Path) -> None:
    made = repository(tmp_path, files())
    run(tmp_path, "compile")
    made.commit("outputs")
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert "\nplan: " in done.out
    assert "api: model als v2 -> v3" in done.out
    assert "compose: recreates api" in done.out
    assert "way back: " in done.out
    assert made.git("status", "--porcelain").splitlines() == [
        f"M {SPEC}",
        " M rendered/production/recs/compose/compose.yaml",
    ]
    line = done.out.splitlines()[-1].removeprefix("to commit it: ")
    assert line.startswith(f"git add -A {SPEC} rendered/production/recs && git commit -m ")


def test_json(tmp_path: Path) -> None:
    made = repository(tmp_path, files())
    run(tmp_path, "compile")
    made.commit("outputs")
    done = promote(tmp_path, "--format", "json")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    validate(document, schema("promote"))
    assert document["schema"] == "relspec/promote/v1"
    assert document["moves"] == [
        {"service": "api", "field": "api.model", "before": "als@v2", "after": "als@v3", "below": None}
    ]
    assert document["written"] == [SPEC, "rendered/production/recs/compose/compose.yaml"]
    assert document["plan"]["schema"] == "relspec/plan/v1"
    assert [each["id"] for each in document["plan"]["releases"]] == ["production/recs"]
    again = json.loads(promote(tmp_path, "--format", "json").out)
    validate(again, schema("promote"))
    assert (again["moves"], again["written"], again["plan"]) == ([], [], None)


def test_nothing_is_half_written(tmp_path: Path) -> None:
    write(tmp_path, files())
    (tmp_path / "rendered/production/recs/compose/compose.yaml").mkdir(parents=True)
    done = promote(tmp_path)
    assert done.code == 1
    assert "error RS604" in done.err
    assert spec(tmp_path) == TARGET


def test_wrong_use(tmp_path: Path) -> None:
    write(tmp_path, files())
    assert "can't be promoted to itself" in promote(tmp_path, target="staging/recs").err
    assert "RS200" in promote(tmp_path, target="production/recz").err
    assert "means 2 releases" in promote(tmp_path, source="*").err
    unknown = promote(tmp_path, "--service", "apy")
    assert unknown.code == 1
    assert "error RS205: staging/recs has no service apy" in unknown.err
    assert "both have: api" in unknown.err


# --- as a candidate

HELD = (
    TARGET
    + """\
    candidate: {model: als@v3}   # since March
    strategy:
      canary: {weight: 25, stickyBy: {header: x-user-id, bucket: mod100}}
"""
)


def test_as_a_candidate_at_weight_0(tmp_path: Path) -> None:
    write(tmp_path, files({**API, "model": "als@v4"}, HELD))
    done = promote(tmp_path, "--as-candidate")
    assert done.code == 0, done.err
    assert spec(tmp_path) == HELD.replace("als@v3", "als@v4").replace("weight: 25", "weight: 0")
    assert "  api.candidate.model: als@v3 -> als@v4\n  api.strategy.canary.weight: 25 -> 0\n" in done.out


@pytest.mark.parametrize("model", ["als@v2", "als@v3"])
def test_what_runs_already_keeps_its_weight(tmp_path: Path, model: str) -> None:
    write(tmp_path, files({**API, "model": model}, HELD))
    done = promote(tmp_path, "--as-candidate")
    assert done.code == 0
    assert done.out.startswith("nothing to promote")
    assert spec(tmp_path) == HELD


def test_a_strategy_of_a_base_is_written_whole(tmp_path: Path) -> None:
    split = {"header": "x-user-id", "bucket": "mod100"}
    shared = {"candidate": {"model": "als@v3"}, "strategy": {"canary": {"weight": 25, "stickyBy": split}}}
    base = {"apiVersion": "relspec/v1", "kind": "Release", "services": {"api": shared}}
    target = TARGET.replace("services:", "extends: ../../../bases/recs.yaml\nservices:")
    write(tmp_path, {**files({**API, "model": "als@v4"}, target), "bases/recs.yaml": base})
    done = promote(tmp_path, "--as-candidate")
    assert done.code == 0, done.err
    assert spec(tmp_path) == target + (
        "    candidate:\n      model: als@v4\n"
        "    strategy:\n      canary:\n        weight: 0\n        stickyBy:\n          header: x-user-id\n"
        "          bucket: mod100\n"
    )


@pytest.mark.parametrize(
    ("strategy", "hint"),
    [
        ("", "relspec set production/recs api.candidate.model=als@v4 'api.strategy={canary: {weight: 0}}'"),
        (
            "    candidate: {model: als@v3}\n    strategy: {shadow: {percent: 20, writes: allowed}}\n",
            "relspec set production/recs api.candidate.model=als@v4\n",
        ),
    ],
)
def test_no_split_in_which_a_candidate_can_wait(tmp_path: Path, strategy: str, hint: str) -> None:
    write(tmp_path, files({**API, "model": "als@v4"}, TARGET + strategy))
    before = on_disk(tmp_path)
    done = promote(tmp_path, "--as-candidate")
    assert done.code == 1
    assert "error RS303" in done.err
    assert hint in done.err
    assert on_disk(tmp_path) == before


def test_a_candidate_that_became_stable_is_said(tmp_path: Path) -> None:
    write(tmp_path, files(target=HELD))
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert spec(tmp_path) == HELD.replace("als@v2", "als@v3")
    assert "relspec set production/recs --unset api.candidate --unset api.strategy" in done.out


# --- variants

VARIANT = "    variants: {plain: {model: als@v1}}\n    active: plain\n"


def test_a_source_that_runs_its_variant_promotes_nothing(tmp_path: Path) -> None:
    source = release("recs", {"api": {**API, "variants": {"plain": {"model": "als@v1"}}, "active": "plain"}})
    write(tmp_path, files(source=source))
    done = promote(tmp_path)
    assert done.code == 0
    assert "left out: api of staging/recs runs its variant plain" in done.out
    assert spec(tmp_path) == TARGET
    named = promote(tmp_path, "--service", "api")
    assert named.code == 1
    assert "error RS350: api of staging/recs runs its variant plain" in named.err


def test_a_target_that_runs_its_variant_gets_what_waits_behind_it(tmp_path: Path) -> None:
    write(tmp_path, files(target=TARGET + VARIANT))
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert spec(tmp_path) == (TARGET + VARIANT).replace("als@v2", "als@v3")
    assert "what was promoted waits until that is unset" in done.out


# --- the sample company


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    root = tmp_path / "company"
    for name in ("environments", "registry", "bases", "templates", "charts"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "relspec.lock", root)
    return root


def test_the_sample_company_has_promoted_its_recommender(sample: Path) -> None:
    done = promote(sample, source="staging/movie-recs", target="production/movie-recs")
    assert (done.code, done.err) == (0, "")
    assert done.out == "nothing to promote: production/movie-recs has what staging/movie-recs runs\n"


@pytest.mark.parametrize(
    ("source", "target", "old", "new"),
    [
        ("staging/sofareai", "production/sofareai", "sofarem3@1.2.0", "sofarem3@1.3.1"),
        ("staging/sofareai", "production/eu-west/sofareai", "sofarem3@1.2.0", "sofarem3@1.3.1"),
        ("staging/modelkit-demo", "production/modelkit-demo", "modelkit-demo@v1", "modelkit-demo@v2"),
        ("staging/modelkit-demo", "production/eu-west/modelkit-demo", "modelkit-demo@v1", "modelkit-demo@v2"),
    ],
)
def test_promotions_in_the_sample_company(sample: Path, source: str, target: str, old: str, new: str) -> None:
    file = sample / f"environments/{target}/release.yaml"
    before = file.read_text(encoding="utf-8")
    done = promote(sample, source=source, target=target)
    assert done.code == 0, done.err
    assert file.read_text(encoding="utf-8") == before.replace(f"model: {old}", f"model: {new}")
    assert before != file.read_text(encoding="utf-8")
    assert run(sample, "compile", "--check", target).code == 0


def test_an_environment_without_compose_needs_no_help(tmp_path: Path) -> None:
    """Targets belong to the environment: a promotion crosses them."""
    wanted = files()
    wanted["environments/production/environment.yaml"] = environment(
        "production", targets={"rollouts": {"namespace": "ml"}}
    )
    write(tmp_path, wanted)
    done = promote(tmp_path)
    assert done.code == 0, done.err
    assert "wrote rendered/production/recs/rollouts/rollouts.yaml" in done.out

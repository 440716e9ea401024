"""Golden pairs: a folder of specs beside the exact bytes that they compile to, and everything that is said about them.

`tests/golden/<case>/tree` is a small repository, `expected/` holds its outputs below rendered/, and
`expected.diagnostics.json` what is said. To renew them: `tools/update-goldens`, then read `git diff tests/golden`.

`tests/golden/edition.json` records the edition of relspec and one sha256 over all golden outputs. An output that
changes needs another edition, for every repository that is compiled with this one restarts what changed. Only while
nothing was released (the changelog has no dated version yet) may the record be renewed under the same edition.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from company import documents, on_disk, write
from golden_cases import CASES, GOLDEN, RECORD, consistent, diagnostics_of, digest, read_tree
from judges import compose_config, helm_lint, helm_template, kubeconform, nginx_test, rollouts_lint
from relspec.compiler import Compiled, compile_tree
from relspec.lock import EDITION
from relspec.packaged import TEMPLATES

ROOT = GOLDEN.parent.parent


@pytest.fixture(scope="module")
def results() -> dict[str, Compiled]:
    """Every case, compiled once."""
    return {case.name: compile_tree(read_tree(case)) for case in CASES}


def test_there_are_cases() -> None:
    assert len(CASES) >= 12


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outputs_are_the_expected_bytes(case: Path, results: dict[str, Compiled]) -> None:
    expected = on_disk(case / "expected")
    made = results[case.name].files
    assert sorted(made) == sorted(expected)
    for path, data in expected.items():
        assert made[path].decode() == data.decode(), f"{path}: if this is meant, run tools/update-goldens"
        assert made[path] == data


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exactly_what_is_expected_is_said(case: Path, results: dict[str, Compiled]) -> None:
    assert diagnostics_of(results[case.name]) == json.loads((case / "expected.diagnostics.json").read_text())


def test_the_edition_rises_exactly_when_a_golden_output_changes(results: dict[str, Compiled]) -> None:
    recorded = json.loads(RECORD.read_text())
    assert recorded["outputs"] == digest(), "golden outputs changed: raise EDITION in lock.py, run tools/update-goldens"
    assert recorded["edition"] == EDITION, "the edition rises only when a golden output does: run tools/update-goldens"


@pytest.mark.parametrize(
    ("edition", "outputs", "holds"),
    [(1, "same", True), (2, "same", False), (2, "other", True), (1, "other", False), (0, "other", False)],
)
def test_a_released_edition_keeps_its_outputs(edition: int, outputs: str, holds: bool) -> None:
    before = {"edition": 1, "outputs": "same"}
    assert consistent(before, {"edition": edition, "outputs": outputs}) is holds


def test_expected_outputs_are_yaml_with_our_header() -> None:
    for path, data in golden_outputs():
        first, _, rest = data.partition(b"\n")
        assert first.startswith(b"# Compiled by relspec from environments/"), path
        assert data.endswith(b"\n")
        assert not data.endswith(b"\n\n")
        assert b"\r" not in data
        if path.suffix == ".yaml":
            assert documents(rest), path


def golden_outputs() -> list[tuple[Path, bytes]]:
    """Every expected output with its bytes."""
    return [(case / "expected" / path, data) for case in CASES for path, data in on_disk(case / "expected").items()]


ROLLOUTS = sorted(GOLDEN.glob("*/expected/**/rollouts.yaml"))
COMPOSE = sorted(GOLDEN.glob("*/expected/**/compose.yaml"))
CONFS = sorted(GOLDEN.glob("*/expected/**/router-*.conf"))
VALUES = {
    "helm-reference": TEMPLATES / "helm" / "reference",
    "helm-own-chart/expected/rendered/grown": GOLDEN / "helm-own-chart" / "tree" / "charts" / "created",
    "helm-own-chart/expected/rendered/inline": GOLDEN / "helm-own-chart" / "tree" / "charts" / "server",
}


def named(path: Path) -> str:
    """A golden output as a test is called."""
    return path.relative_to(GOLDEN).as_posix().replace("/expected/rendered/", ":")


@pytest.mark.judge
def test_kubeconform_accepts_every_manifest() -> None:
    kubeconform(*ROLLOUTS)


@pytest.mark.judge
@pytest.mark.parametrize("path", ROLLOUTS, ids=named)
def test_the_controller_accepts_every_rollout(path: Path) -> None:
    rollouts_lint(path)


@pytest.mark.judge
@pytest.mark.parametrize("path", COMPOSE, ids=named)
def test_compose_accepts_every_project(path: Path, tmp_path: Path) -> None:
    """Where it lies in the repository, for its paths lead out of rendered/."""
    case = path.relative_to(GOLDEN).parts[0]
    there = tmp_path / path.relative_to(GOLDEN / case / "expected")
    write(tmp_path, {**on_disk(GOLDEN / case / "tree"), **on_disk(GOLDEN / case / "expected")})
    config = compose_config(there)
    assert set(config["services"]) == set(documents(path.read_bytes())[0]["services"])


@pytest.mark.judge
@pytest.mark.parametrize("path", CONFS, ids=named)
def test_nginx_accepts_every_router(path: Path) -> None:
    nginx_test(path.read_text(encoding="utf-8"))


@pytest.mark.judge
@pytest.mark.parametrize("place", VALUES)
def test_helm_accepts_all_values(place: str) -> None:
    found = sorted((GOLDEN / place).glob("**/helm/values*.yaml"))
    assert found
    for values in found:
        chart = VALUES[place]
        helm_lint(chart, values)
        assert helm_template(chart, values, name="recs", namespace="ml")


@pytest.mark.judge
def test_the_reference_chart_prints_what_a_rollouts_target_would_write(tmp_path: Path) -> None:
    values = GOLDEN / "helm-reference" / "expected/rendered/staging/recs/helm/values.yaml"
    printed = helm_template(TEMPLATES / "helm" / "reference", values, name="recs", namespace="staging")
    (document,) = documents(values.read_bytes())
    assert sorted(map(key, printed)) == sorted(map(key, document["objects"]))
    target = tmp_path / "rollouts.yaml"
    target.write_bytes(yaml.safe_dump_all(printed).encode())
    kubeconform(target)
    rollouts_lint(target)


def key(document: dict[str, Any]) -> tuple[str, str]:
    """Kind and name of an object."""
    return document["kind"], document["metadata"]["name"]

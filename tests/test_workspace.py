"""Writing outputs: only below their own folders, never through a link, nothing left behind by a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from company import company, compose, on_disk, write
from relspec.cli import relspec
from relspec.workspace import TEMPORARY

OUTPUT = "rendered/staging/recs/compose/compose.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    write(folder, company(where=compose()))
    assert run(folder, "compile").return_value == 0
    return folder


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(relspec, ["-C", str(root), *arguments], standalone_mode=False)


def test_out_writes_elsewhere_and_removes_nothing_else(root: Path) -> None:
    foreign = root / "build/other/compose.yaml"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes((root / OUTPUT).read_bytes())
    assert run(root, "compile", "--out", "build").return_value == 0
    assert (root / "build/staging/recs/compose/compose.yaml").read_bytes() == (root / OUTPUT).read_bytes()
    assert foreign.exists()
    stale = root / "build/staging/recs/rollouts/rollouts.yaml"
    stale.parent.mkdir()
    stale.write_bytes((root / OUTPUT).read_bytes())
    run(root, "compile", "--out", "build")
    assert not stale.exists()


@pytest.mark.parametrize("folder", [".", ".."])
def test_out_is_never_the_repository_nor_around_it(root: Path, folder: str) -> None:
    before = on_disk(root)
    result = run(root, "compile", "--out", folder)
    assert "name a folder for the outputs alone" in str(result.exception)
    assert on_disk(root) == before


@pytest.mark.parametrize("link", ["rendered", "rendered/staging", "rendered/staging/recs/compose"])
def test_nothing_is_read_or_removed_behind_a_link(root: Path, link: str) -> None:
    (root / link).rename(root.parent / "elsewhere")
    (root / link).symlink_to(root.parent / "elsewhere")
    stale = next(root.parent.joinpath("elsewhere").rglob("compose.yaml")).with_name("stale.yaml")
    stale.write_bytes((root / OUTPUT).read_bytes())
    for arguments in (["compile"], ["compile", "--check"]):
        error = run(root, *arguments).exception
        assert error is not None
        assert error.findings[0].code == "RS604"  # type: ignore[attr-defined]
    assert stale.exists()


def test_what_a_kill_left_behind_is_named_and_removed(root: Path) -> None:
    left = root / (OUTPUT + TEMPORARY)
    left.write_text("half a fi")
    assert f"no longer compiled: {OUTPUT}{TEMPORARY}" in run(root, "compile", "--check").output
    run(root, "compile")
    assert not left.exists()
    assert run(root, "compile", "--check").return_value == 0


def test_json_says_which_outputs_are_out_of_date(root: Path) -> None:
    (root / OUTPUT).write_text("garbage")
    result = run(root, "compile", "--check", "--format", "json")
    entries = json.loads(result.stdout)["diagnostics"]
    assert [(entry["code"], entry["file"]) for entry in entries] == [("RS601", OUTPUT)]
    assert result.return_value == 1
    assert json.loads(run(root, "compile", "--format", "json").stdout)["diagnostics"] == []


def test_a_release_is_meant_by_an_absolute_path_too(root: Path) -> None:
    file = root / "environments/staging/recs/release.yaml"
    assert "1 output of 1 release up to date" in run(root, "compile", "--check", str(file)).output


def test_a_lock_of_a_kubernetes_without_schemas_is_refused(root: Path) -> None:
    run(root, "lock")
    lock = root / "relspec.lock"
    lock.write_text(lock.read_text().replace('kubernetes: "1.34"', 'kubernetes: "1.25"'))
    result = run(root, "check", "--format", "json")
    entries = json.loads(result.stdout)["diagnostics"]
    assert [(entry["code"], entry["file"], entry["line"]) for entry in entries] == [("RS122", "relspec.lock", 8)]
    assert result.return_value == 1

"""RS601: what `compile --check` says to type where outputs are out of date."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from company import GIT_ENVIRONMENT, Repository, company, repository, run, write

AMEND = "relspec compile && git add -A rendered && git commit --amend --no-edit"
COMMIT = "relspec compile && git add -A rendered && git commit -m Recompile"
RECS = "environments/production/recs/release.yaml"


def stale(folder: Path) -> None:
    file = folder / RECS
    file.write_text(file.read_text().replace("1.8.2", "1.9.0"))


def hint(folder: Path, *arguments: str) -> str:
    """The line to type, the same in text and in JSON."""
    done = run(folder, "compile", "--check", *arguments)
    assert done.code == 1
    assert "RS601" in done.err
    line = done.err.rpartition("help: ")[2].strip()
    said = json.loads(run(folder, "compile", "--check", "--format", "json", *arguments).out)
    assert {each["hint"] for each in said["diagnostics"] if each["code"] == "RS601"} == {line}
    return line


@pytest.fixture
def made(tmp_path: Path) -> Repository:
    """A company whose last commit has an output that is out of date."""
    found = repository(tmp_path / "company", company())
    run(found.folder, "compile")
    found.commit("outputs")
    stale(found.folder)
    found.commit("not compiled")
    return found


def test_a_commit_of_ones_own_is_amended(made: Repository) -> None:
    made.git("update-ref", "refs/remotes/origin/main", "HEAD~1")
    assert hint(made.folder) == AMEND


def test_what_is_on_main_already_gets_a_commit_on_top(made: Repository) -> None:
    made.git("update-ref", "refs/remotes/origin/main", "HEAD")
    assert hint(made.folder) == COMMIT
    made.git("update-ref", "refs/remotes/origin/main", made.commit("later"))
    made.git("checkout", "-q", "--detach", "HEAD~1")
    assert hint(made.folder) == COMMIT


def test_another_name_of_main_and_another_folder_of_outputs(tmp_path: Path) -> None:
    settings = "apiVersion: relspec/v1\nkind: Repository\nmain: trunk\noutput: out\n"
    found = repository(tmp_path / "company", {**company(), "relspec.yaml": settings})
    found.git("update-ref", "refs/remotes/origin/trunk", "HEAD")
    assert hint(found.folder) == COMMIT.replace("rendered", "out")


def test_an_earlier_commit_is_not_amended(made: Repository) -> None:
    made.commit("later")
    assert hint(made.folder, "--at", "HEAD~1") == COMMIT
    assert hint(made.folder, "--at", "HEAD") == AMEND


def test_without_git_it_is_compile_alone(tmp_path: Path) -> None:
    write(tmp_path, company())
    assert hint(tmp_path) == "relspec compile"


def test_before_the_first_commit_it_is_compile_alone(tmp_path: Path) -> None:
    write(tmp_path, company())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=GIT_ENVIRONMENT, check=True)
    assert hint(tmp_path) == "relspec compile"


def test_the_line_works(made: Repository) -> None:
    hint(made.folder)
    run(made.folder, "compile")
    made.git("add", "-A", "rendered")
    made.git("commit", "-q", "--amend", "--no-edit")
    assert run(made.folder, "compile", "--check").code == 0
    assert made.git("status", "--short") == ""

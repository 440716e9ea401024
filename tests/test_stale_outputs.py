"""RS601: outputs out of date, as `compile --check` and `check --since` say it, and what they say to type."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from company import (
    GIT_ENVIRONMENT,
    SERVICE,
    Repository,
    company,
    compose,
    kubernetes,
    registry,
    release,
    repository,
    run,
    write,
)
from relspec.lock import EDITION

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


# --- check --since: the change and its outputs

SEARCH = "environments/staging/search/release.yaml"
ENVIRONMENT = "environments/production/environment.yaml"


@pytest.fixture
def two(tmp_path: Path) -> Repository:
    """Two releases in two environments, and their outputs."""
    files = {**company(), "environments/staging/environment.yaml": compose(), SEARCH: release("search")}
    found = repository(tmp_path / "company", files)
    return compiled(found, "outputs")


def compiled(made: Repository, message: str) -> Repository:
    assert run(made.folder, "compile").code == 0
    made.commit(message)
    return made


def edited(made: Repository, path: str, old: str, new: str) -> None:
    file = made.folder / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def stale_since(made: Repository, base: str, *arguments: str) -> dict[str, str]:
    """The outputs out of date by what is to be typed; the exit code agrees with them."""
    done = run(made.folder, "check", "--since", base, "--format", "json", *arguments)
    found = [each for each in json.loads(done.out)["diagnostics"] if each["code"] == "RS601"]
    assert all((each["severity"], each["class"]) == ("error", "structure") for each in found)
    assert done.code == bool(found), done.out
    return {each["file"]: each["hint"] for each in found}


def test_a_plain_revert_that_is_clean_and_stale_is_refused(two: Repository) -> None:
    """Since the change that is reverted a target was added, whose output holds what goes back."""
    edited(two, RECS, "1.8.2", "1.9.0")
    compiled(two, "1.9.0")
    change = two.git("rev-parse", "HEAD")
    write(two.folder, {ENVIRONMENT: kubernetes(targets={"compose": {}, "rollouts": {}})})
    compiled(two, "compose, too")
    base = two.git("rev-parse", "HEAD")
    two.git("revert", "--no-edit", change)
    assert stale_since(two, base) == {"rendered/production/recs/compose/compose.yaml": AMEND}
    text = run(two.folder, "check", "--since", base)
    assert "compose.yaml: error RS601: this output is out of date" in text.out + text.err
    two.git("update-ref", "refs/remotes/origin/main", "HEAD")
    assert stale_since(two, base) == {"rendered/production/recs/compose/compose.yaml": COMMIT}
    run(two.folder, "compile")
    two.git("add", "-A", "rendered")
    two.git("commit", "-q", "-m", "Recompile")
    assert stale_since(two, base) == {}


def test_a_restoration_that_policy_does_not_hold_up_is_held_up_by_stale_outputs(two: Repository) -> None:
    digest = f"ghcr.io/acme/recs@sha256:{'a' * 64}"
    edited(two, RECS, "ghcr.io/acme/recs:1.8.2", digest)
    compiled(two, "a digest")
    write(two.folder, {ENVIRONMENT: kubernetes(policies={"requireDigest": True})})
    compiled(two, "digests are a must")
    base = two.git("rev-parse", "HEAD")
    edited(two, RECS, digest, "ghcr.io/acme/recs:1.8.2")
    two.commit("back, not compiled")
    assert list(stale_since(two, base)) == ["rendered/production/recs/rollouts/rollouts.yaml"]
    compiled(two, "compiled")
    assert stale_since(two, base) == {}


def test_only_the_releases_that_a_change_reaches_count(two: Repository) -> None:
    edited(two, SEARCH, "1.8.2", "1.8.3")
    two.commit("main is stale")
    edited(two, RECS, "1.8.2", "1.9.0")
    assert run(two.folder, "compile", "production/recs").code == 0
    two.commit("recs alone")
    assert stale_since(two, "HEAD~1") == {}
    assert list(stale_since(two, "HEAD~2")) == ["rendered/staging/search/compose/compose.yaml"]
    assert stale_since(two, "HEAD~2", "production/recs") == {}


def test_a_removed_release_and_an_edited_output_count(two: Repository) -> None:
    two.git("rm", "-q", "-r", "environments/staging/search")
    two.commit("search goes, its outputs stay")
    output = "rendered/staging/search/compose/compose.yaml"
    assert list(stale_since(two, "HEAD~1")) == [output]
    compiled(two, "outputs go")
    assert stale_since(two, "HEAD~2") == {}
    edited(two, "rendered/production/recs/rollouts/rollouts.yaml", "1.8.2", "6.6.6")
    two.commit("by hand")
    assert list(stale_since(two, "HEAD~1")) == ["rendered/production/recs/rollouts/rollouts.yaml"]


def test_a_release_gives_way_to_an_environment_of_its_name(two: Repository) -> None:
    two.git("rm", "-q", "-r", "environments/staging/search")
    inner = {
        "environments/staging/search/environment.yaml": compose("search"),
        "environments/staging/search/api/release.yaml": release("api"),
    }
    write(two.folder, inner)
    compiled(two, "an environment in its place")
    assert stale_since(two, "HEAD~1") == {}
    two.git("checkout", "-q", "HEAD~1", "--", "rendered")
    two.git("commit", "-q", "-m", "the outputs of before, too")
    assert list(stale_since(two, "HEAD~2")) == ["rendered/staging/search/compose/compose.yaml"]


def test_what_a_shared_file_changes_counts(tmp_path: Path) -> None:
    api = {**SERVICE, "model": "als@prod", "env": {"MODEL": {"model": "reference"}}}
    files = {**company({"api": api}), **registry("v1", "v2", aliases={"prod": "v1"})}
    made = compiled(repository(tmp_path / "company", files), "outputs")
    edited(made, "registry/als/model.yaml", "prod: v1", "prod: v2")
    made.commit("the alias moves")
    assert list(stale_since(made, "HEAD~1")) == ["rendered/production/recs/rollouts/rollouts.yaml"]


@pytest.mark.parametrize("ignored", [True, False])
def test_a_repository_that_does_not_commit_its_outputs_is_left_alone(tmp_path: Path, ignored: bool) -> None:
    made = repository(tmp_path / "company", {**company(), ".gitignore": "/rendered/\n" if ignored else ""})
    if ignored:
        assert run(made.folder, "compile").code == 0
    else:
        write(made.folder, {"rendered/README.md": "Nothing is kept here.\n"})
        made.commit("a note")
    edited(made, RECS, "1.8.2", "1.9.0")
    assert stale_since(made, "HEAD") == {}
    made.commit("1.9.0")
    assert stale_since(made, "HEAD~1") == {}


def test_a_release_that_does_not_compile_is_not_called_stale(two: Repository) -> None:
    edited(two, RECS, "8080", "no-port")
    two.commit("broken")
    found = json.loads(run(two.folder, "check", "--since", "HEAD~1", "--format", "json").out)["diagnostics"]
    assert "error" in {each["severity"] for each in found}
    assert "RS601" not in {each["code"] for each in found}


def test_a_work_tree_and_a_bare_repository(two: Repository, tmp_path: Path) -> None:
    edited(two, RECS, "1.8.2", "1.9.0")
    assert list(stale_since(two, "HEAD")) == ["rendered/production/recs/rollouts/rollouts.yaml"]
    assert run(two.folder, "compile").code == 0
    assert stale_since(two, "HEAD") == {}
    two.git("add", RECS)
    two.git("commit", "-q", "-m", "without its outputs")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", two.folder, bare], env=GIT_ENVIRONMENT, check=True)
    assert list(stale_since(Repository(bare), "HEAD~1")) == ["rendered/production/recs/rollouts/rollouts.yaml"]


def test_an_output_out_of_date_is_said_with_its_release(two: Repository) -> None:
    edited(two, RECS, "1.8.2", "1.9.0")
    two.commit("not compiled")
    found = json.loads(run(two.folder, "check", "--since", "HEAD~1", "--format", "json").out)["diagnostics"]
    assert [each["releases"] for each in found if each["code"] == "RS601"] == [["production/recs"]]


@pytest.mark.parametrize("ref", ["refs/remotes/origin/topic", "refs/remotes/origin/notmain", "refs/tags/main"])
def test_only_the_main_branch_of_a_remote_keeps_a_commit_from_being_amended(made: Repository, ref: str) -> None:
    made.git("update-ref", ref, "HEAD")
    assert hint(made.folder) == AMEND


def test_an_output_of_a_target_that_went_counts(two: Repository) -> None:
    write(two.folder, {ENVIRONMENT: kubernetes(targets={"compose": {}, "rollouts": {}})})
    compiled(two, "compose, too")
    write(two.folder, {ENVIRONMENT: kubernetes(targets={"rollouts": {}})})
    two.commit("without it, not compiled")
    assert list(stale_since(two, "HEAD~1")) == ["rendered/production/recs/compose/compose.yaml"]
    compiled(two, "compiled")
    assert stale_since(two, "HEAD~2") == {}


def test_a_branch_without_a_commit_has_no_outputs_yet(two: Repository) -> None:
    base = two.git("rev-parse", "HEAD")
    two.git("checkout", "-q", "--orphan", "anew")
    edited(two, RECS, "1.8.2", "1.9.0")
    assert stale_since(two, base) == {}


def test_what_another_edition_writes_is_not_called_stale(two: Repository, tmp_path: Path) -> None:
    """Looked at in a bare repository, where a lock of another edition stops nothing."""
    edited(two, RECS, "1.8.2", "1.9.0")
    two.commit("not compiled")
    edited(two, "relspec.lock", f"edition: {EDITION}", f"edition: {EDITION + 1}")
    two.commit("a relspec of tomorrow")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", two.folder, bare], env=GIT_ENVIRONMENT, check=True)
    assert stale_since(Repository(bare), "HEAD~2") == {}


def test_an_edited_output_of_no_release_is_nobodys(two: Repository) -> None:
    """A file that lies in the folder of the outputs, but in that of no release."""
    header = (two.folder / "rendered/staging/search/compose/compose.yaml").read_text().partition("\n")[0]
    write(two.folder, {"rendered/staging/notes.yaml": f"{header}\na: 1\n"})
    two.commit("a file beside them")
    assert stale_since(two, "HEAD~1") == {}

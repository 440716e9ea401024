"""What a plain `git revert` would give, with Git's own revert as the judge."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from company import Files, company, compose, on_disk, registry, release, repository, run, with_service, write
from company import Repository as Made
from relspec.diagnostics import RelspecError
from relspec.gitops.prediction import Prediction, merged, predict
from relspec.gitops.repository import Repository

pytestmark = pytest.mark.judge

RECS = "environments/production/recs/release.yaml"


# --- the judge

LABEL = re.compile(r"~(HEAD|parent of [0-9a-f]+ \(.*\))(_\d+)?$")
"""What Git adds to one side of a conflict between a file and a folder or link."""


@dataclass(frozen=True)
class Reverted:
    """What `git revert --no-commit` left in the index: its tree, or the paths in conflict."""

    tree: str | None
    conflicts: tuple[str, ...]


def revert(made: Made, commit: str) -> Reverted:
    """Reverts a commit in the work tree, looks, and puts everything back."""
    parents = made.git("rev-list", "--parents", "-1", commit).split()[1:]
    mainline = ["-m", "1"] if len(parents) > 1 else []
    made.git("revert", "--no-commit", *mainline, commit, check=False)
    unmerged = made.git("ls-files", "-u", "-z").split("\0")
    conflicts = tuple(sorted({LABEL.sub("", entry.split("\t", 1)[1]) for entry in unmerged if entry}))
    tree = None if conflicts else made.git("write-tree")
    made.git("revert", "--quit", check=False)
    made.git("reset", "-q", "--hard")
    made.git("clean", "-fdq")
    return Reverted(tree, conflicts)


def ids(made: Made) -> list[str]:
    """Every commit that HEAD has in its history."""
    return made.git("rev-list", "HEAD").split()


def predicted(made: Made, commit: str = "HEAD") -> Prediction:
    """The prediction for a commit of a repository, at its HEAD."""
    reader = Repository(made.folder)
    head = reader.head()
    assert head is not None
    try:
        return predict(reader, reader.resolve(commit), head)
    finally:
        reader.close()


def as_git_does(made: Made, commit: str) -> Prediction:
    """The prediction, after Git's own revert gave the same."""
    found = predicted(made, commit)
    truth = revert(made, commit)
    assert (found.tree, found.conflicts) == (truth.tree, truth.conflicts)
    assert (found.kind == "nothing to undo") == (truth.tree == made.git("rev-parse", "HEAD^{tree}"))
    assert (found.kind == "conflicts") == bool(truth.conflicts)
    return found


# --- random histories

Edit = Callable[[Path], None]
NAMES = ("a/one", "a/two", "b/one", "b/sub/three", "c")


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if ".git" not in path.parts and path.is_file()]


def pick(folder: Path, number: int) -> Path | None:
    found = [path for path in files_of(folder) if not path.is_symlink()]
    return found[number % len(found)] if found else None


def write_lines(number: int, place: int, word: str) -> Edit:
    def edit(folder: Path) -> None:
        path = pick(folder, number)
        if path is not None and (text := lines(path)):
            text[place % len(text)] = f"{word}\n".encode()
            path.write_bytes(b"".join(text))

    return edit


def insert(number: int, place: int, word: str) -> Edit:
    def edit(folder: Path) -> None:
        path = pick(folder, number)
        if path is not None:
            text = lines(path)
            text.insert(place % (len(text) + 1), f"{word}\n".encode())
            path.write_bytes(b"".join(text))

    return edit


def remove(number: int) -> Edit:
    def edit(folder: Path) -> None:
        path = pick(folder, number)
        if path is not None:
            path.unlink()

    return edit


def copy(number: int, name: str) -> Edit:
    def edit(folder: Path) -> None:
        path = pick(folder, number)
        target = folder / name
        if path is not None and not target.exists() and can_hold(folder, name):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes() + b"copied\n")

    return edit


def can_hold(folder: Path, name: str) -> bool:
    """Whether no file stands where the path needs a folder."""
    return not any((folder / parent).is_file() for parent in Path(name).parents)


def move(number: int, name: str) -> Edit:
    def edit(folder: Path) -> None:
        copy(number, name)(folder)
        path = pick(folder, number)
        if path is not None and (folder / name).exists() and path != folder / name:
            path.unlink()

    return edit


def move_folder(source: str, target: str) -> Edit:
    def edit(folder: Path) -> None:
        if (folder / source).is_dir() and not (folder / target).exists():
            shutil.move(folder / source, folder / target)

    return edit


def other_mode(number: int) -> Edit:
    def edit(folder: Path) -> None:
        path = pick(folder, number)
        if path is not None:
            path.chmod(0o755 if not os.access(path, os.X_OK) else 0o644)

    return edit


def other_line_ends(number: int) -> Edit:
    def edit(folder: Path) -> None:
        path = pick(folder, number)
        if path is not None:
            text = path.read_bytes()
            crlf = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            path.write_bytes(text.replace(b"\r\n", b"\n") if b"\r\n" in text else crlf)

    return edit


def link(number: int) -> Edit:
    def edit(folder: Path) -> None:
        path = pick(folder, number)
        if path is not None:
            path.unlink()
            path.symlink_to("c")

    return edit


def attributes(folder_name: str, word: str) -> Edit:
    def edit(folder: Path) -> None:
        if can_hold(folder, f"{folder_name}/x"):
            (folder / folder_name).mkdir(parents=True, exist_ok=True)
            (folder / folder_name / ".gitattributes").write_text(f"* {word}\n")

    return edit


NUMBERS = st.integers(0, 40)
WORDS = st.sampled_from(["x", "y", "z"])
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.builds(write_lines, NUMBERS, NUMBERS, WORDS),
    st.builds(write_lines, NUMBERS, NUMBERS, WORDS),
    st.builds(insert, NUMBERS, NUMBERS, WORDS),
    st.builds(remove, NUMBERS),
    st.builds(copy, NUMBERS, st.sampled_from(["a/copy", "d/one", "e"])),
    st.builds(move, NUMBERS, st.sampled_from(["a/moved", "d/two", "f"])),
    st.builds(move_folder, st.sampled_from(["a", "b", "b/sub"]), st.sampled_from(["g", "h/i", "a"])),
    st.builds(other_mode, NUMBERS),
    st.builds(other_line_ends, NUMBERS),
    st.builds(link, NUMBERS),
    st.builds(
        attributes, st.sampled_from([".", "a", "b"]), st.sampled_from(["merge=union", "-merge", "text", "binary"])
    ),
)


@dataclass(frozen=True)
class Step:
    """One step of a history: a commit of some edits, a branch that comes back, or a revert of an earlier commit."""

    kind: str
    edits: tuple[Edit, ...]
    more: tuple[Edit, ...]
    number: int

    def take(self, made: Made) -> None:
        if self.kind == "revert":
            self._revert(made)
            return
        if self.kind in ("merge", "squash"):
            made.git("switch", "-q", "-C", "side")
            self._commit(made, self.more)
            made.git("switch", "-q", "main")
        self._commit(made, self.edits)
        if self.kind in ("merge", "squash"):
            how = ["--no-ff", "-m", "merge"] if self.kind == "merge" else ["--squash"]
            made.git("merge", "-q", *how, "side", check=False)
            if made.git("ls-files", "-u"):
                made.git("reset", "-q", "--hard")
                made.git("clean", "-fdq")
            else:
                made.commit("squash")

    def _commit(self, made: Made, edits: tuple[Edit, ...]) -> None:
        for edit in edits:
            edit(made.folder)
        made.commit()

    def _revert(self, made: Made) -> None:
        known = ids(made)
        commit = known[self.number % len(known)]
        if len(made.git("rev-list", "--parents", "-1", commit).split()) != 2:
            return
        made.git("revert", "--no-edit", commit, check=False)
        if made.git("ls-files", "-u"):
            made.git("revert", "--abort", check=False)
        made.git("reset", "-q", "--hard")


STEPS = st.builds(
    Step,
    st.sampled_from(["edit", "edit", "edit", "merge", "squash", "revert", "revert"]),
    st.lists(EDITS, min_size=1, max_size=3).map(tuple),
    st.lists(EDITS, min_size=1, max_size=2).map(tuple),
    NUMBERS,
)


@contextmanager
def place() -> Iterator[Path]:
    """A folder in memory where there is one: a history is a thousand small files."""
    shared = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=shared if shared.is_dir() else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate],
)
@given(st.lists(STEPS, min_size=2, max_size=7), st.sampled_from(["", "merge.renames=false", "diff.renames=copies"]))
def test_the_prediction_is_what_git_revert_does(steps: list[Step], setting: str) -> None:
    with place() as folder:
        content = "".join(f"line {number}\n" for number in range(12))
        made = repository(folder, {name: f"{name}\n{content}" for name in NAMES})
        if setting:
            made.git("config", *setting.split("="))
        for step in steps:
            step.take(made)
        for commit in ids(made)[:6]:
            as_git_does(made, commit)


# --- one commit at a time


def test_nothing_is_added_to_the_object_store(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n2\n3\n4\n5\n"})
    write(tmp_path, {"a": "x\n2\n3\n4\n5\n"})
    made.commit()
    write(tmp_path, {"a": "x\n2\n3\n4\ny\n"})
    made.commit()
    before = sorted(path for path in (tmp_path / ".git").rglob("*"))
    found = predicted(made, "HEAD^")
    assert found.tree is not None
    assert made.git("cat-file", "-e", found.tree, check=False) == ""
    assert sorted(path for path in (tmp_path / ".git").rglob("*")) == before
    assert on_disk(tmp_path) == {"a": b"x\n2\n3\n4\ny\n"}


def test_the_ids_are_the_same_each_time(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n"})
    write(tmp_path, {"a": "2\n"})
    made.commit()
    assert predicted(made) == predicted(made)


def test_a_root_is_undone_to_nothing(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n"})
    found = as_git_does(made, "HEAD")
    assert (found.kind, found.beside) == ("exact", ())


def test_a_merge_commit_is_undone_to_its_first_parent(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n"})
    made.git("switch", "-q", "-c", "side")
    write(tmp_path, {"b": "2\n"})
    made.commit()
    made.git("switch", "-q", "main")
    made.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    found = as_git_does(made, "HEAD")
    assert found.tree == made.git("rev-parse", "HEAD^1^{tree}")


def test_nothing_to_undo(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n"})
    write(tmp_path, {"a": "2\n"})
    commit = made.commit()
    made.git("revert", "--no-edit", commit)
    found = as_git_does(made, commit)
    assert (found.kind, found.word) == ("nothing to undo", "nothing-to-undo")
    assert not found.restores


def test_a_commit_of_another_branch_is_refused(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n"})
    made.git("switch", "-q", "-c", "side")
    write(tmp_path, {"b": "2\n"})
    commit = made.commit()
    made.git("switch", "-q", "main")
    with pytest.raises(RelspecError) as caught:
        predicted(made, commit)
    assert [finding.code for finding in caught.value.findings] == ["RS611"]


def test_a_shallow_boundary_is_no_root(tmp_path: Path) -> None:
    made = repository(tmp_path / "whole", {"a": "1\n"})
    write(made.folder, {"a": "2\n"})
    made.commit()
    made.git("clone", "-q", "--depth=1", made.folder.as_uri(), str(tmp_path / "shallow"))
    with pytest.raises(RelspecError) as caught:
        predicted(Made(tmp_path / "shallow"))
    assert [finding.code for finding in caught.value.findings] == ["RS630"]


@pytest.mark.parametrize("setting", ["merge.renames=false", "merge.directoryRenames=true", "diff.renameLimit=-1"])
def test_settings_that_steer_a_merge_count(tmp_path: Path, setting: str) -> None:
    text = "".join(f"{number}\n" for number in range(20))
    made = repository(tmp_path, {"old/a": text, "old/b": text + "b\n", "old/c": text + "c\n"})
    made.git("config", *setting.split("="))
    write(tmp_path, {"old/a": text + "changed\n"})
    commit = made.commit()
    (tmp_path / "old").rename(tmp_path / "new")
    made.commit()
    as_git_does(made, commit)


def test_line_ends_that_only_git_knows(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\r\n2\r\n3\r\n", ".gitattributes": "* -text\n"})
    made.git("config", "merge.renormalize", "true")
    write(tmp_path, {"a": "x\r\n2\r\n3\r\n"})
    commit = made.commit()
    write(tmp_path, {"a": "x\n2\n3\n", ".gitattributes": "* text\n"})
    made.commit()
    assert as_git_does(made, commit).kind == "exact"


def test_attributes_of_inner_folders_count(tmp_path: Path) -> None:
    made = repository(tmp_path, {"in/a": "1\n2\n3\n", "in/.gitattributes": "a merge=union\n", "out": "1\n2\n3\n"})
    write(tmp_path, {"in/a": "1\nx\n3\n"})
    commit = made.commit()
    write(tmp_path, {"in/a": "1\ny\n3\n"})
    made.commit()
    assert as_git_does(made, commit).kind == "exact"


def test_attributes_of_the_folder_that_a_file_was_moved_to_count(tmp_path: Path) -> None:
    lines = "".join(f"{number}\n" for number in range(20))
    made = repository(tmp_path, {"a": lines, "in/.gitattributes": "* merge=union\n", "in/b/c": "c"})
    write(tmp_path, {"a": lines.replace("7", "x", 1)})
    commit = made.commit()
    made.git("mv", "a", "in/b/a")
    write(tmp_path, {"in/b/a": lines.replace("7", "y", 1)})
    made.commit()
    assert as_git_does(made, commit).kind == "exact"


def test_attributes_of_a_folder_that_a_renamed_one_brings_a_file_to_count(tmp_path: Path) -> None:
    def lines(first: int, last: int) -> str:
        return "".join(f"{number}\n" for number in range(first, last))

    made = repository(
        tmp_path,
        {"a/x": lines(1, 13), "d/k1": lines(20, 41), "d/k2": lines(50, 71), "e/sub/.gitattributes": "* merge=union\n"},
    )
    made.git("config", "merge.directoryRenames", "true")
    (tmp_path / "d/sub").mkdir()
    made.git("mv", "a/x", "d/sub/x")
    write(tmp_path, {"d/sub/x": lines(1, 13).replace("6", "six"), "d/extra": "extra\n"})
    made.commit()
    (tmp_path / "a").mkdir(exist_ok=True)
    made.git("mv", "d/sub/x", "a/x")
    made.git("rm", "-q", "d/extra")
    write(tmp_path, {"a/x": lines(1, 13)})
    commit = made.commit()
    for name in ("k1", "k2"):
        made.git("mv", f"d/{name}", f"e/{name}")
    write(tmp_path, {"a/x": lines(1, 13).replace("6", "SECHS")})
    made.commit()
    assert as_git_does(made, commit).kind == "exact"


def test_an_old_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = repository(tmp_path / "repository", {"a": "1\n"})
    write(made.folder, {"a": "2\n"})
    commit = made.commit()
    write(made.folder, {"b": "1\n"})
    made.commit()
    real = shutil.which("git")
    script = f'#!/bin/sh\nfor word; do [ "$word" = merge-tree ] && exit 129; done\nexec {real} "$@"\n'
    write(tmp_path, {"bin/git": script})
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert predicted(made).kind == "exact"  # the newest commit goes back without a merge
    with pytest.raises(RelspecError) as caught:
        predicted(made, commit)
    (finding,) = caught.value.findings
    assert finding.code == "RS632"
    assert "2.38" in finding.message


# --- what it means for releases


def a_company(tmp_path: Path, files: Files) -> Made:
    """A repository whose outputs are compiled and committed."""
    made = repository(tmp_path, files)
    change(made, {})
    return made


def change(made: Made, files: Files, *, compiled: bool = True) -> str:
    """A commit of some files, with the outputs that they give."""
    write(made.folder, files)
    if compiled:
        assert run(made.folder, "compile").code == 0
    return made.commit()


def replicas(number: int, image: str = "ghcr.io/acme/recs:1.8.2") -> Files:
    return with_service({"replicas": number, "image": image})


def test_exact(tmp_path: Path) -> None:
    made = a_company(tmp_path, replicas(2))
    commit = change(made, replicas(3))
    found = as_git_does(made, commit)
    assert (found.kind, found.restores, found.findings()) == ("exact", True, ())
    assert found.tree == made.git("rev-parse", "HEAD^^{tree}")


def test_what_was_changed_since_is_kept(tmp_path: Path) -> None:
    text = """\
apiVersion: relspec/v1
kind: Release
name: recs
services:
  api:
    image: ghcr.io/acme/recs:1.8.2
    ports: {http: 8080}
    health: {path: /healthz}
    resources: {cpu: 500m, memory: 1Gi}
    env:
      A: one
      B: one
      C: one
      D: one
      E: one
"""
    made = a_company(tmp_path, {**company(), RECS: text})
    commit = change(made, {RECS: text.replace("A: one", "A: two")})
    change(made, {RECS: text.replace("A: one", "A: two").replace("E: one", "E: two")})
    found = as_git_does(made, commit)
    assert (found.kind, found.kept, found.restores) == ("exact", (RECS,), False)


def test_clean_but_stale(tmp_path: Path) -> None:
    made = a_company(tmp_path, replicas(2))
    commit = change(made, replicas(3), compiled=False)
    change(made, {})
    found = as_git_does(made, commit)
    assert (found.kind, found.word, found.restores) == ("clean but stale", "clean-but-stale", False)
    assert found.stale == ("rendered/production/recs/rollouts/rollouts.yaml",)
    made.git("revert", "--no-edit", commit)
    assert run(tmp_path, "compile", "--check").out.splitlines()[0] == f"out of date: {found.stale[0]}"


def test_a_release_that_comes_back_without_its_outputs_is_stale(tmp_path: Path) -> None:
    made = a_company(tmp_path, {**replicas(2), "environments/production/beside/release.yaml": release("beside")})
    shutil.rmtree(tmp_path / "environments/production/beside")
    commit = made.commit()
    change(made, {})
    found = as_git_does(made, commit)
    assert found.kind == "clean but stale"
    assert found.stale == ("rendered/production/beside/rollouts/rollouts.yaml",)


def test_outputs_of_a_release_that_goes_stay_behind(tmp_path: Path) -> None:
    made = a_company(tmp_path, replicas(2))
    commit = change(made, {"environments/production/beside/release.yaml": release("beside")}, compiled=False)
    change(made, {})
    found = as_git_does(made, commit)
    assert found.kind == "clean but stale"
    assert found.stale == ("rendered/production/beside/rollouts/rollouts.yaml",)


def test_what_an_environment_brings_makes_its_releases_stale(tmp_path: Path) -> None:
    made = a_company(tmp_path, company(where=compose()))
    environment = "environments/staging/environment.yaml"
    changed = compose(defaults={"env": {"REGION": "eu"}})
    commit = change(made, {environment: changed}, compiled=False)
    change(made, {})
    found = as_git_does(made, commit)
    assert (found.kind, found.stale) == ("clean but stale", ("rendered/staging/recs/compose/compose.yaml",))


def test_what_can_not_be_compiled_is_said(tmp_path: Path) -> None:
    made = a_company(tmp_path, {**with_service({"model": "als@v1", "image": None}), **registry("v1", "v2")})
    commit = change(made, with_service({"model": "als@v2", "image": None}))
    (tmp_path / "registry/als/v1.yaml").unlink()
    change(made, {})
    found = as_git_does(made, commit)
    assert found.kind == "clean but stale"
    assert [finding.release for finding in found.findings()] == ["production/recs"]
    assert not found.restores


def test_an_alias_that_moves_back_concerns_the_releases_that_name_it(tmp_path: Path) -> None:
    files = with_service({"model": "als@prod", "image": None})
    made = a_company(tmp_path, {**files, **registry("v1", "v2", aliases={"prod": "v1"})})
    commit = change(made, registry("v1", "v2", aliases={"prod": "v2"}), compiled=False)
    change(made, {})
    found = as_git_does(made, commit)
    assert (found.kind, found.stale) == ("clean but stale", ("rendered/production/recs/rollouts/rollouts.yaml",))


def test_another_edition_is_exact_where_the_outputs_are_those_from_before(tmp_path: Path) -> None:
    made, commit = upgraded(tmp_path)
    found = as_git_does(made, commit)
    assert (found.kind, found.restores, found.findings()) == ("exact", True, ())
    assert found.tree == made.git("rev-parse", "HEAD^^{tree}")


def test_another_edition_can_not_be_proven_where_outputs_have_changed_since(tmp_path: Path) -> None:
    made, commit = upgraded(tmp_path)
    change(made, replicas(3))
    found = as_git_does(made, commit)
    assert found.kind == "clean but stale"
    assert [finding.code for finding in found.findings()] == ["RS620"]


def upgraded(tmp_path: Path) -> tuple[Made, str]:
    """A company, and the commit that brought its lock to this edition."""
    made = a_company(tmp_path, replicas(2))
    lock = (tmp_path / "relspec.lock").read_text()
    (tmp_path / "relspec.lock").write_text(lock.replace("edition: 1", "edition: 2"))
    made.commit()
    (tmp_path / "relspec.lock").write_text(lock)
    return made, made.commit()


def test_an_output_that_comes_back_without_its_release_is_stale(tmp_path: Path) -> None:
    made = a_company(tmp_path, replicas(2))
    lost = "rendered/production/lost.yaml"
    write(tmp_path, {lost: "# Compiled by relspec from environments/production/lost/release.yaml.\n"})
    made.commit()
    (tmp_path / lost).unlink()
    commit = made.commit()
    found = as_git_does(made, commit)
    assert (found.kind, found.stale) == ("clean but stale", (lost,))


def test_without_committed_outputs_nothing_is_stale(tmp_path: Path) -> None:
    made = repository(tmp_path, replicas(2))
    write(tmp_path, replicas(3))
    commit = made.commit()
    found = as_git_does(made, commit)
    assert (found.kind, found.restores) == ("exact", True)


def test_conflicts(tmp_path: Path) -> None:
    made = a_company(tmp_path, replicas(2))
    commit = change(made, replicas(3))
    change(made, replicas(4))
    found = as_git_does(made, commit)
    assert found.conflicts == (RECS, "rendered/production/recs/rollouts/rollouts.yaml")
    assert found.as_json()["kind"] == "conflicts"


def test_a_deleted_and_a_similar_new_release(tmp_path: Path) -> None:
    """Git takes the new release for the old one under another name, and reverts it."""
    made = a_company(tmp_path, {**company(), RECS: release("recs", replicas_of(2))})
    commit = change(made, {RECS: release("recs", replicas_of(3))})
    shutil.rmtree(tmp_path / "environments/production/recs")
    change(made, {"environments/production/recs2/release.yaml": release("recs2", replicas_of(3))})
    found = as_git_does(made, commit)
    assert "environments/production/recs2/release.yaml" in found.beside
    assert not found.restores
    (finding,) = found.findings()
    short = commit[:9]
    assert (finding.code, finding.message) == ("RS610", f"a plain revert of {short} would also change production/recs2")
    patch = f"git diff-tree -p --binary --full-index --no-renames {short} {short}^ | git apply --index --3way"
    assert finding.hint == f"use relspec rollback, or: {patch}"


def test_many_paths_beside_are_counted() -> None:
    beside = tuple(f"path/{number}" for number in range(7))
    (finding,) = Prediction("c" * 40, "d" * 40, "exact", "e" * 40, beside=beside).findings()
    assert finding.message.endswith("path/0, path/1, path/2, path/3, path/4 and 2 more")


def replicas_of(number: int) -> dict[str, object]:
    env = {f"NAME_{index}": f"value {index}" for index in range(20)}
    return {
        "api": {
            "image": "ghcr.io/acme/recs:1.8.2",
            "ports": {"http": 8080},
            "health": {"path": "/healthz"},
            "resources": {"cpu": "500m", "memory": "1Gi"},
            "env": env,
            "replicas": number,
        }
    }


def test_a_folder_inside_a_larger_repository(tmp_path: Path) -> None:
    made = repository(tmp_path)
    write(tmp_path / "deploy", replicas(2))
    write(tmp_path, {"code": "1\n"})
    run(tmp_path / "deploy", "compile")
    made.commit()
    write(tmp_path / "deploy", replicas(3))
    write(tmp_path, {"code": "2\n"})
    run(tmp_path / "deploy", "compile")
    commit = made.commit()
    reader = Repository(tmp_path / "deploy")
    found = predict(reader, commit, commit)
    assert (found.kind, found.restores, found.tree) == ("exact", True, revert(made, commit).tree)
    write(tmp_path, {"code": "3\n"})
    last = made.commit()
    assert predict(Repository(tmp_path / "deploy"), commit, last).conflicts == ("../code",)


# --- two commits in memory


def test_two_commits_are_merged_as_git_merge_does(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n2\n3\n4\n5\n"})
    made.git("switch", "-q", "-c", "side")
    write(tmp_path, {"a": "1\n2\n3\n4\nx\n"})
    theirs = made.commit()
    made.git("switch", "-q", "main")
    write(tmp_path, {"a": "y\n2\n3\n4\n5\n"})
    ours = made.commit()
    found = merged(Repository(tmp_path), ours, theirs)
    made.git("merge", "-q", "--no-edit", "side")
    assert (found.tree, found.conflicts) == (made.git("rev-parse", "HEAD^{tree}"), ())


def test_two_commits_in_conflict(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a b\n": "1\n"})
    made.git("switch", "-q", "-c", "side")
    write(tmp_path, {"a b\n": "2\n"})
    theirs = made.commit()
    made.git("switch", "-q", "main")
    write(tmp_path, {"a b\n": "3\n"})
    found = merged(Repository(tmp_path), made.commit(), theirs)
    assert (found.tree, found.conflicts) == (None, ("a b\n",))


def test_commits_without_common_history(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n"})
    ours = made.git("rev-parse", "HEAD")
    made.git("switch", "-q", "--orphan", "other")
    theirs = made.commit()
    with pytest.raises(RelspecError) as caught:
        merged(Repository(tmp_path), ours, theirs)
    assert [finding.code for finding in caught.value.findings] == ["RS606"]

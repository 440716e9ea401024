"""The ten steps of a commit of ours, on real repositories: what it makes, what stops it, and what a kill leaves."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from company import GIT_ENVIRONMENT, Repository, repository
from relspec.catalogue import CATALOGUE
from relspec.diagnostics import RelspecError
from relspec.gitops.commit import Committed, Proposal, Recovered, commit, commit_on_branch, pending, recover
from relspec.gitops.repository import Repository as Place

SPEC = "environments/production/recs/release.yaml"
OUTPUT = "rendered/production/recs/rollouts.yaml"
GONE = "rendered/production/recs/extra/gone.yaml"
NEW = "rendered/production/recs/deep/er/new.yaml"
OTHER = "environments/production/other/release.yaml"
BEFORE: Mapping[str, str] = {
    SPEC: "model: als@v0.4\n",
    OUTPUT: "version: v0.4\n",
    GONE: "only in v0.4\n",
    OTHER: "model: ncf@v1\n",
    "README.md": "hello\n",
    ".gitignore": "*.ignored\n",
}
AFTER: Mapping[str, bytes | None] = {
    SPEC: b"model: als@v0.3\n",
    OUTPUT: b"version: v0.3\n",
    GONE: None,
    NEW: b"only in v0.3\n",
}


@pytest.fixture(autouse=True)
def _our_own_git_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in GIT_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def recs(tmp_path: Path) -> Repository:
    """A repository in which `recs` is to go back to v0.3."""
    return repository(tmp_path / "company", BEFORE)


def git(folder: Path, *arguments: str, data: bytes = b"", **environment: str) -> bytes:
    result = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        input=data,
        env={**GIT_ENVIRONMENT, **environment},
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, (arguments, result.stderr)
    return result.stdout


def tree_of(made: Repository, files: Mapping[str, bytes | None], revision: str = "HEAD") -> str:
    """The tree that the files give, computed beside the repository's own object store."""
    beside = made.folder.parent / f"beside-{time.monotonic_ns()}"
    (beside / "objects").mkdir(parents=True)
    common = git(made.folder, "rev-parse", "--path-format=absolute", "--git-common-dir").decode().strip()
    where = {
        "GIT_INDEX_FILE": str(beside / "index"),
        "GIT_OBJECT_DIRECTORY": str(beside / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{common}/objects",
    }
    git(made.folder, "read-tree", revision, **where)
    for path, data in sorted(files.items(), key=lambda item: item[1] is not None):
        if data is None:
            line = b"0 " + b"0" * 40
        else:
            blob = git(made.folder, "hash-object", "-w", "--no-filters", "--stdin", data=data, **where).strip()
            mode = git(made.folder, "--literal-pathspecs", "ls-tree", revision, "--", path)[:6]
            line = (mode if mode == b"100755" else b"100644") + b" " + blob
        git(made.folder, "update-index", "-z", "--index-info", data=line + b"\t" + os.fsencode(path) + b"\0", **where)
    tree = git(made.folder, "write-tree", **where).decode().strip()
    shutil.rmtree(beside)
    return tree


def proposal(made: Repository, files: Mapping[str, bytes | None] = AFTER, message: str = "Roll back recs") -> Proposal:
    return Proposal(made.git("rev-parse", "HEAD"), files, message, tree_of(made, files))


def place(made: Repository) -> Place:
    return Place(made.folder)


def committed(made: Repository, files: Mapping[str, bytes | None] = AFTER) -> Committed:
    return commit(place(made), proposal(made, files))


def refused(code: str, work: Callable[[], object]) -> RelspecError:
    with pytest.raises(RelspecError) as caught:
        work()
    assert {finding.code for finding in caught.value.findings} == {code}, caught.value
    assert code in CATALOGUE
    assert all(finding.hint for finding in caught.value.findings)
    return caught.value


class State(Struct, frozen=True):
    """All of a repository that a failed commit must leave as it was."""

    refs: str
    index: bytes
    files: Mapping[str, tuple[int, int, bytes]]
    git_folder: frozenset[str]


def state(made: Repository) -> State:
    """Mode, modification time and bytes of every file and folder; refs; the index; the names in the Git folder."""
    git_dir = Path(made.git("rev-parse", "--absolute-git-dir"))
    files: dict[str, tuple[int, int, bytes]] = {}
    for path in sorted(made.folder.rglob("*")):
        name = path.relative_to(made.folder)
        if name.parts[0] != ".git":
            status = path.lstat()
            data = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            files[name.as_posix()] = (status.st_mode, 0 if path.is_dir() else status.st_mtime_ns, data)
    refs = made.git("for-each-ref") + made.git("rev-parse", "HEAD") + (git_dir / "HEAD").read_text()
    return State(refs, (git_dir / "index").read_bytes(), files, frozenset(path.name for path in git_dir.iterdir()))


def hook(made: Repository, name: str, script: str) -> None:
    path = made.folder / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def in_child(work: Callable[[], object]) -> int:
    """What became of a forked process that does the work: 0, 70 for an error, or minus the signal that ended it."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at(step: int, number: int) -> Callable[[int], None]:
    """Sends us a signal after a step."""
    return lambda done: os.kill(os.getpid(), number) if done == step else None


def is_new(made: Repository) -> None:
    """Commit, index and work tree are the proposal's, and nothing else has changed."""
    assert made.git("status", "--porcelain", "--ignored") == ""
    assert {path: made.git("show", f"HEAD:{path}") for path in (SPEC, OUTPUT, NEW)} == {
        SPEC: "model: als@v0.3",
        OUTPUT: "version: v0.3",
        NEW: "only in v0.3",
    }
    assert not (made.folder / GONE).parent.exists(), "a folder that is empty goes"
    whole(made)


def whole(made: Repository) -> None:
    """No object is missing, nothing of ours is left."""
    made.git("fsck", "--strict")
    leftovers = [path for path in made.folder.rglob("*") if "relspec" in path.name or path.name.endswith(".lock")]
    assert leftovers == []
    assert not pending(place(made))


# --- what it makes


def test_head_index_and_work_tree_get_the_files(recs: Repository) -> None:
    before = recs.git("rev-parse", "HEAD")
    made = commit(place(recs), proposal(recs, message="Roll back recs\n\nRelspec-Rollback: production/recs"))
    assert recs.git("rev-parse", "HEAD", "HEAD^").split() == [made.commit, before]
    assert recs.git("log", "-1", "--format=%B%an %cn") == "Roll back recs\n\nRelspec-Rollback: production/recs\nAnn Ann"
    assert recs.git("reflog", "-1", "--format=%gs") == "rollback: Roll back recs"
    assert recs.git("reflog", "-1", "--format=%gs", "main") == "rollback: Roll back recs"
    assert made.notes == ()
    is_new(recs)


def test_the_next_status_has_nothing_to_read(recs: Repository) -> None:
    committed(recs)
    assert recs.git("diff-files", "--name-only") == "", "diff-files doesn't refresh: sizes and times must be there"


def test_what_is_equal_to_head_is_not_written(recs: Repository) -> None:
    (recs.folder / "README.md").write_text("edited\n")
    committed(recs, {**AFTER, "README.md": b"hello\n"})
    assert (recs.folder / "README.md").read_text() == "edited\n"


def test_other_edits_and_staged_changes_stay_and_are_not_committed(recs: Repository) -> None:
    (recs.folder / "README.md").write_text("edited\n")
    (recs.folder / OTHER).write_text("staged\n")
    (recs.folder / "added.yaml").write_text("staged too\n")
    (recs.folder / "note.txt").write_text("untracked\n")
    recs.git("add", OTHER, "added.yaml")
    before = recs.git("status", "--porcelain")
    made = committed(recs)
    assert recs.git("status", "--porcelain") == before
    assert sorted(recs.git("show", "--format=", "--name-only", made.commit).split()) == sorted(AFTER)
    assert recs.git("show", f":{OTHER}") == "staged"


def test_an_unmerged_path_elsewhere_stays_unmerged(recs: Repository) -> None:
    (recs.folder / "README.md").write_text("mine\n")
    recs.git("stash")
    (recs.folder / "README.md").write_text("theirs\n")
    recs.commit()
    recs.git("stash", "pop", check=False)
    assert recs.git("status", "--porcelain") == "UU README.md"
    made = committed(recs)
    assert recs.git("status", "--porcelain") == "UU README.md"
    assert "README.md" not in recs.git("show", "--format=", "--name-only", made.commit)


NAMES = (
    *("a b.yaml", 'it\'s "quoted".yaml', "two\nlines.yaml", "-leading.yaml", "tab\t.yaml", "back\\slash.yaml"),
    *("наука.yaml", "*.yaml", "[a]?.yaml", ":(top)x.yaml", "#hash", "caf\u00e9", "-dir/-file", "sp ace/x"),
)


@pytest.mark.parametrize("inside", ["", '-folder "é\n'])
def test_names_of_any_kind(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / (inside or "plain")
    made = repository(folder, {**dict.fromkeys(NAMES, "old\n"), "x.yaml": "a glob must not reach this\n"})
    files: dict[str, bytes | None] = {**dict.fromkeys(NAMES, b"new\n")}
    files |= {"a b.yaml": None, 'new "\n.yaml': b"new\n"}
    (folder / "x.yaml").write_text("edited: no path of ours\n")
    new = committed(made, files)
    listed = git(folder, "show", "--format=", "--name-only", "-z", new.commit).decode().split("\0")
    assert sorted(name for name in listed if name) == sorted(files)
    assert made.git("status", "--porcelain").split() == ["M", "x.yaml"]
    whole(made)


def test_a_file_becomes_a_folder_and_a_folder_a_file(tmp_path: Path) -> None:
    made = repository(tmp_path / "r", {"a": "file\n", "b/c": "inside\n", "b/d": "inside\n"})
    files: dict[str, bytes | None] = {"a": None, "a/x/y": b"inside now\n", "b/c": None, "b/d": None, "b": b"file now\n"}
    before, old = state(made), made.git("rev-parse", "HEAD")
    hook(made, "prepare-commit-msg", "exit 1")
    refused("RS612", lambda: committed(made, files))
    shutil.rmtree(made.folder / ".git/hooks")
    assert state(made).files == before.files
    committed(made, files)
    assert (made.folder / "b").read_text() == "file now\n"
    assert (made.folder / "a/x/y").read_text() == "inside now\n"
    assert made.git("status", "--porcelain") == ""
    assert made.git("rev-parse", "HEAD^") == old


def test_a_mode_stays_and_a_new_file_is_plain(recs: Repository) -> None:
    (recs.folder / SPEC).chmod(0o755)
    recs.commit()
    committed(recs)
    assert recs.git("ls-tree", "HEAD", SPEC, NEW).split()[::4] == ["100755", "100644"]
    assert os.access(recs.folder / SPEC, os.X_OK)
    assert recs.git("status", "--porcelain") == ""


@pytest.mark.parametrize("ends", ["true", "input"])
def test_line_ends_that_git_would_convert(recs: Repository, ends: str) -> None:
    recs.git("config", "core.autocrlf", ends)
    (recs.folder / ".gitattributes").write_text("rendered/** text eol=crlf\n*.ident ident\n")
    recs.commit()
    committed(recs)
    assert git(recs.folder, "cat-file", "blob", f"HEAD:{OUTPUT}") == b"version: v0.3\n"
    assert (recs.folder / OUTPUT).read_bytes() == b"version: v0.3\n"
    assert recs.git("status", "--porcelain") == ""


def test_a_clean_filter_does_not_change_the_proven_bytes(recs: Repository) -> None:
    recs.git("config", "filter.shout.clean", "tr a-z A-Z")
    (recs.folder / ".gitattributes").write_text("* filter=shout\n")
    recs.git("add", "--renormalize", ".")
    recs.commit("loud files")
    assert recs.git("status", "--porcelain") == ""
    files = {OUTPUT: b"version: v0.3\n"}
    committed(recs, files)
    assert git(recs.folder, "cat-file", "blob", f"HEAD:{OUTPUT}") == b"version: v0.3\n"


def test_a_detached_head(recs: Repository) -> None:
    recs.git("checkout", "-q", "--detach")
    main = recs.git("rev-parse", "main")
    new = committed(recs)
    assert recs.git("rev-parse", "HEAD", "main").split() == [new.commit, main]
    is_new(recs)


def test_a_worktree_with_its_own_index_and_the_common_hooks(recs: Repository, tmp_path: Path) -> None:
    hook(recs, "prepare-commit-msg", 'echo "Ticket: 7" >> "$1"')
    recs.git("worktree", "add", "-q", str(tmp_path / "w"))
    main, linked = state(recs), Repository(tmp_path / "w")
    new = committed(linked)
    assert linked.git("log", "-1", "--format=%B").split("\n")[-1] == "Ticket: 7"
    assert linked.git("rev-parse", "refs/heads/w") == new.commit
    assert linked.git("status", "--porcelain") == ""
    assert replace(state(recs), refs="") == replace(main, refs="")


def test_a_folder_inside_the_repository_as_root(recs: Repository) -> None:
    commit(Place(recs.folder / "environments"), proposal(recs))
    is_new(recs)


@pytest.mark.parametrize(
    "settings",
    [
        ["core.splitIndex=true"],
        ["index.version=4"],
        ["core.untrackedCache=true", "feature.manyFiles=true"],
        ["core.fsmonitor=false"],
    ],
)
def test_unusual_indexes(recs: Repository, settings: list[str]) -> None:
    for setting in settings:
        recs.git("config", *setting.split("="))
    recs.git(
        "update-index", *(["--split-index"] if "splitIndex" in settings[0] else ["--force-write-index"]), check=False
    )
    recs.git("status")
    committed(recs)
    is_new(recs)


def test_a_file_monitor_that_says_nothing_has_changed_is_not_believed(recs: Repository) -> None:
    hook(recs, "fsmonitor", "printf 'token\\0'")
    recs.git("config", "core.fsmonitor", ".git/hooks/fsmonitor")
    recs.git("status")
    recs.git("status")
    (recs.folder / SPEC).write_text("edited meanwhile\n")
    refused("RS618", lambda: committed(recs))
    (recs.folder / SPEC).write_text(BEFORE[SPEC])
    committed(recs)
    recs.git("config", "--unset", "core.fsmonitor")
    is_new(recs)


@pytest.mark.parametrize("sparse_index", ["false", "true"])
def test_a_sparse_checkout_stays_sparse(recs: Repository, sparse_index: str) -> None:
    recs.git("config", "index.sparse", sparse_index)
    recs.git("sparse-checkout", "set", "--cone", "environments/production/recs")
    assert not (recs.folder / OUTPUT).exists()
    new = committed(recs, {SPEC: b"model: als@v0.3\n", OUTPUT: b"version: v0.3\n", GONE: None})
    assert recs.git("show", f"{new.commit}:{OUTPUT}") == "version: v0.3"
    assert not (recs.folder / OUTPUT).exists()
    assert recs.git("status", "--porcelain") == ""
    whole(recs)


def left_out(made: Repository, *paths: str) -> None:
    """Marks files that are there all the same, as people do to keep an edit of their own."""
    made.git("update-index", "--skip-worktree", *paths)


def test_a_file_that_is_marked_as_left_out_keeps_its_bytes_and_that_is_said(recs: Repository) -> None:
    left_out(recs, SPEC, GONE)
    done = committed(recs)
    assert (recs.folder / SPEC).read_bytes() == BEFORE[SPEC].encode()
    assert (recs.folder / GONE).exists()
    assert recs.git("show", f"HEAD:{SPEC}").encode() == (AFTER[SPEC] or b"").strip()
    assert recs.git("ls-files", "-v", SPEC) == f"S {SPEC}"
    spec, gone = sorted(done.notes, key=lambda note: not note.startswith(SPEC))
    mark = "is marked skip-worktree: it is right in the commit, and the file here keeps its old bytes"
    assert spec.startswith(f"{SPEC} {mark}"), done.notes
    assert gone.startswith(f"{GONE} {mark}"), done.notes
    for note in done.notes:
        typed = note.partition("to bring it up to date: ")[2]
        subprocess.run(typed, shell=True, cwd=recs.folder, env=GIT_ENVIRONMENT, check=True)
    (recs.folder / GONE).parent.rmdir()
    is_new(recs)


def test_what_somebody_wrote_into_such_a_file_is_not_offered_to_be_thrown_away(recs: Repository) -> None:
    left_out(recs, SPEC)
    edited(recs)
    mine = (recs.folder / SPEC).read_bytes()
    (note,) = committed(recs).notes
    assert note.endswith(f"git update-index --no-skip-worktree {SPEC} && git diff -- {SPEC}")
    assert (recs.folder / SPEC).read_bytes() == mine


def test_a_file_that_is_assumed_unchanged_and_is_gets_its_new_bytes(recs: Repository) -> None:
    recs.git("update-index", "--assume-unchanged", SPEC)
    assert committed(recs).notes == ()
    is_new(recs)


def test_a_file_that_is_left_out_and_not_there_needs_no_words(recs: Repository) -> None:
    left_out(recs, SPEC)
    (recs.folder / SPEC).unlink()
    assert committed(recs).notes == ()
    assert not (recs.folder / SPEC).exists()


@pytest.mark.parametrize("step", [3, 4, 7, 8, 9])
def test_a_recovery_leaves_what_is_marked_as_left_out(recs: Repository, step: int) -> None:
    left_out(recs, SPEC)
    wanted, before = proposal(recs), state(recs)
    assert in_child(lambda: commit(place(recs), wanted, after=at(step, signal.SIGKILL))) == -signal.SIGKILL
    done = recover(place(recs))
    assert (recs.folder / SPEC).read_bytes() == BEFORE[SPEC].encode()
    assert recs.git("ls-files", "-v", SPEC) == f"S {SPEC}"
    assert recs.git("status", "--porcelain") == ""
    if step < 8:
        assert (done.outcome, done.notes) == ("undone", ())
        assert (state(recs).files, state(recs).refs) == (before.files, before.refs)
    elif step == 8:
        assert done.outcome == "finished"
        assert [note.partition(" is marked skip-worktree")[0] for note in done.notes] == [SPEC]
    else:
        assert done == Recovered("nothing")


def test_a_caller_that_is_a_git_hook_itself(recs: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, wanted = Place(recs.folder), proposal(recs)
    assert where.top == recs.folder
    with monkeypatch.context() as inside:
        for name in ("GIT_INDEX_FILE", "GIT_DIR", "GIT_OBJECT_DIRECTORY"):
            inside.setenv(name, str(tmp_path / "elsewhere"))
        commit(where, wanted)
    is_new(recs)


# --- hooks


HOOKS = (
    *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-merge"),
    *("post-checkout", "post-rewrite", "pre-push", "reference-transaction", "post-index-change", "pre-rebase"),
)


def test_the_hooks_are_those_of_a_real_git_revert(tmp_path: Path) -> None:
    logs = {}
    for name in ("git revert", "ours"):
        made = repository(tmp_path / name, BEFORE)
        (made.folder / SPEC).write_text("model: als@v0.5\n")
        made.commit()
        log = tmp_path / f"{name}.log"
        for each in HOOKS:
            words = '"${1##*/} $2 editor=$GIT_EDITOR"' if each == "prepare-commit-msg" else ""
            hook(made, each, f"echo {each} {words} >> '{log}'")
        if name == "ours":
            committed(made, {SPEC: b"model: als@v0.4\n"})
        else:
            made.git("revert", "--no-edit", "HEAD")
        logs[name] = set(log.read_text().splitlines())
    assert logs["ours"] == logs["git revert"]
    assert "prepare-commit-msg COMMIT_EDITMSG message editor=:" in logs["ours"]
    assert not {"pre-commit", "commit-msg"} & logs["ours"]


def test_a_hook_sees_the_index_that_will_be_committed(recs: Repository) -> None:
    hook(recs, "prepare-commit-msg", 'git diff --cached --name-only >> "$1"; pwd >> "$1"')
    committed(recs)
    lines = recs.git("log", "-1", "--format=%B").split("\n")
    assert sorted(lines[1:-1]) == sorted(AFTER)
    assert lines[-1] == str(recs.folder)


def test_hooks_in_another_folder(recs: Repository, tmp_path: Path) -> None:
    hook(recs, "prepare-commit-msg", 'echo "Ticket: 7" > "$1"')
    (recs.folder / ".git/hooks").rename(tmp_path / "hooks")
    recs.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    committed(recs)
    assert recs.git("log", "-1", "--format=%B") == "Ticket: 7"


def test_pre_commit_only_when_asked(recs: Repository) -> None:
    hook(recs, "pre-commit", "echo 'the linter is not amused' >&2; exit 3")
    before = state(recs)
    error = refused("RS612", lambda: commit(place(recs), proposal(recs), pre_commit=True))
    assert "exit code 3" in str(error)
    assert "the linter is not amused" in error.findings[0].hint
    assert state(recs) == before
    committed(recs)
    is_new_but_for_hooks = recs.git("status", "--porcelain")
    assert is_new_but_for_hooks == ""


def test_a_failing_hook_leaves_all_as_it_was_even_what_it_edited(recs: Repository) -> None:
    hook(recs, "prepare-commit-msg", f"echo edited > {SPEC}; rm {OUTPUT}; git add -A; exit 1")
    before = state(recs)
    refused("RS612", lambda: committed(recs))
    assert state(recs) == before


@pytest.mark.parametrize(
    ("script", "named"),
    [
        (f"git show HEAD:{OUTPUT} > {OUTPUT}; git add {OUTPUT}", OUTPUT),
        ("echo x > extra; git add extra", "extra"),
        (f"git rm -q --cached {NEW}", NEW),
    ],
)
@pytest.mark.parametrize("which", ["prepare-commit-msg", "pre-commit"])
def test_a_hook_that_stages_other_content(recs: Repository, script: str, named: str, which: str) -> None:
    hook(recs, which, script)
    before = state(recs)
    error = refused("RS614", lambda: commit(place(recs), proposal(recs), pre_commit=True))
    assert error.findings[0].where.file == named
    (recs.folder / "extra").unlink(missing_ok=True)
    assert state(recs) == before


def test_a_proposal_whose_tree_is_another(recs: Repository) -> None:
    wrong = replace(proposal(recs), tree=recs.git("rev-parse", "HEAD^{tree}"))
    before = state(recs)
    refused("RS614", lambda: commit(place(recs), wrong))
    assert state(recs) == before


def test_a_post_commit_hook_that_fails_is_only_reported(recs: Repository) -> None:
    hook(recs, "post-commit", "git rev-parse HEAD > .git/seen; git add -A; exit 1")
    new = committed(recs)
    assert new.notes == ("the hook post-commit failed (exit code 1)",)
    assert (recs.folder / ".git/seen").read_text().strip() == new.commit, "HEAD has moved, and the index is free"
    is_new(recs)


def test_a_git_without_hook_run(recs: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin/git"
    old.write_text(
        f'#!/bin/sh\n[ "$2" = version ] || [ "$4" = version ] && echo "git version 2.30.2" && exit\nexec {real} "$@"\n'
    )
    old.chmod(0o755)
    hook(recs, "prepare-commit-msg", "exit 1")
    wanted = proposal(recs)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    new = commit(place(recs), wanted)
    assert [note for note in new.notes if "prepare-commit-msg was skipped" in note] == list(new.notes) != []


def test_a_reference_transaction_hook_that_refuses(recs: Repository) -> None:
    hook(recs, "reference-transaction", '[ "$1" = prepared ] && echo "frozen" >&2 && exit 1; exit 0')
    before = state(recs)
    refused("RS640", lambda: committed(recs))
    assert state(recs) == before


# --- signing and identity


def signer(recs: Repository, tmp_path: Path, script: str) -> None:
    program = tmp_path / "signer"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
    program.chmod(0o755)
    recs.git("config", "gpg.program", str(program))
    recs.git("config", "commit.gpgSign", "true")


def test_a_commit_is_signed_where_commits_are_signed(recs: Repository, tmp_path: Path) -> None:
    signature = "printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nours\\n-----END PGP SIGNATURE-----\\n'"
    signer(recs, tmp_path, f"printf '\\n[GNUPG:] SIG_CREATED x\\n' >&2; {signature}")
    committed(recs)
    assert "gpgsig -----BEGIN PGP SIGNATURE-----" in recs.git("cat-file", "commit", "HEAD")
    is_new(recs)


def test_a_signing_that_fails(recs: Repository, tmp_path: Path) -> None:
    signer(recs, tmp_path, "echo 'no secret key' >&2; exit 2")
    before = state(recs)
    error = refused("RS612", lambda: committed(recs))
    assert "gpg failed to sign" in error.findings[0].hint
    assert state(recs) == before


@pytest.mark.parametrize(
    "settings", [{"gpg.program": "no-such-program"}, {"gpg.format": "ssh", "gpg.ssh.program": "true"}]
)
def test_nothing_to_sign_with(recs: Repository, settings: Mapping[str, str]) -> None:
    for name, value in {**settings, "commit.gpgSign": "yes"}.items():
        recs.git("config", name, value)
    before = state(recs)
    refused("RS609", lambda: committed(recs))
    assert state(recs) == before


def test_nobody_to_commit_as(recs: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GIT_ENVIRONMENT:
        if "AUTHOR" in name or "COMMITTER" in name:
            monkeypatch.delenv(name)
    recs.git("config", "user.useConfigOnly", "true")
    before = state(recs)
    refused("RS609", lambda: committed(recs))
    assert state(recs) == before


# --- what stops it


def test_a_held_index_lock(recs: Repository) -> None:
    wanted = proposal(recs)
    (recs.folder / ".git/index.lock").touch()
    before = state(recs)
    error = refused("RS607", lambda: commit(place(recs), wanted))
    assert "another git process" in str(error)
    assert not pending(place(recs))
    assert state(recs) == before


def test_while_it_runs_git_is_kept_out_and_no_recovery_starts(recs: Repository) -> None:
    said: list[object] = []

    def look(step: int) -> None:
        if step == 3:
            said.append(recs.git("add", "-A", check=False))
            said.append(pending(place(recs)))
            said.append(str(refused("RS607", lambda: commit(place(recs), wanted))))
            # `pending` says no, and --recover does nothing beside a living rollback.
            said.append(recover(place(recs)))

    wanted = proposal(recs)
    commit(place(recs), wanted, after=look)
    assert said[1] is False
    assert "another relspec rollback is at work" in str(said[2])
    assert said[3] == Recovered("nothing")
    is_new(recs)


def test_a_head_that_has_moved(recs: Repository) -> None:
    stale = proposal(recs)
    (recs.folder / "README.md").write_text("somebody was faster\n")
    head = recs.commit()
    before = state(recs)
    assert head[:9] in str(refused("RS608", lambda: commit(place(recs), stale)))
    assert state(recs) == before


def test_a_head_that_moves_while_we_work(recs: Repository) -> None:
    tree = recs.git("rev-parse", "HEAD^{tree}")
    theirs = recs.git("commit-tree", tree, "-p", "HEAD", "-m", "theirs")
    files = state(recs).files

    def push(step: int) -> None:
        if step == 7:
            recs.git("update-ref", "refs/heads/main", theirs)

    wanted = proposal(recs)
    assert theirs[:9] in str(refused("RS608", lambda: commit(place(recs), wanted, after=push)))
    assert state(recs).files == files
    assert recs.git("status", "--porcelain") == ""
    whole(recs)


def conflict(made: Repository, *command: str) -> None:
    """A command that stops with a conflict in README.md."""
    made.git("checkout", "-q", "-b", "side")
    (made.folder / "README.md").write_text("side\n")
    made.commit("side")
    (made.folder / "README.md").write_text("more\n")
    made.commit("more")
    made.git("checkout", "-q", "main")
    (made.folder / "README.md").write_text("main\n")
    made.commit("main")
    made.git(*command, check=False)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("merge", "side"), "merge"),
        (("rebase", "side"), "rebase"),
        (("cherry-pick", "side"), "cherry-pick"),
        (("revert", "--no-edit", "side"), "revert"),
        (("revert", "--no-edit", "side", "side^"), "revert"),
    ],
)
def test_something_under_way(recs: Repository, command: tuple[str, ...], named: str) -> None:
    conflict(recs, *command)
    before = state(recs)
    assert named in str(refused("RS617", lambda: committed(recs)))
    assert state(recs) == before


def test_a_revert_of_several_whose_conflict_was_committed_by_hand(recs: Repository) -> None:
    conflict(recs, "revert", "--no-edit", "side", "side^")
    (recs.folder / "README.md").write_text("mended\n")
    recs.commit("mended")
    assert not (recs.folder / ".git/REVERT_HEAD").exists()
    refused("RS617", lambda: committed(recs))


def test_a_bisect_may_go_on(recs: Repository) -> None:
    recs.git("bisect", "start")
    committed(recs)
    assert recs.git("status", "--porcelain") == ""


def edited(made: Repository) -> None:
    (made.folder / SPEC).write_text("edited\n")


def staged(made: Repository) -> None:
    edited(made)
    made.git("add", SPEC)
    (made.folder / SPEC).write_text(BEFORE[SPEC])


def removed(made: Repository) -> None:
    (made.folder / SPEC).unlink()


def gone_is_edited(made: Repository) -> None:
    (made.folder / GONE).write_text("edited\n")


def untracked(made: Repository) -> None:
    (made.folder / NEW).parent.mkdir(parents=True)
    (made.folder / NEW).write_text("mine\n")


def ignored(made: Repository) -> None:
    (made.folder / ".git/info").mkdir(exist_ok=True)
    (made.folder / ".git/info/exclude").write_text("new.yaml\n")
    untracked(made)
    assert NEW not in made.git("status", "--porcelain", "-uall")


def added(made: Repository) -> None:
    untracked(made)
    made.git("add", NEW)


def a_file_for_a_folder(made: Repository) -> None:
    (made.folder / "rendered/production/recs/deep").write_text("mine\n")


def a_link_for_a_folder(made: Repository) -> None:
    (made.folder / "rendered/production/recs/deep").symlink_to("/tmp")


def a_folder_for_a_file(made: Repository) -> None:
    (made.folder / NEW / "x").mkdir(parents=True)
    (made.folder / NEW / "x/mine").write_text("mine\n")


def assumed_unchanged(made: Repository) -> None:
    made.git("update-index", "--assume-unchanged", SPEC)
    edited(made)
    assert made.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    "spoil",
    [
        *(edited, staged, removed, gone_is_edited, untracked, ignored, added),
        *(a_file_for_a_folder, a_link_for_a_folder, a_folder_for_a_file, assumed_unchanged),
    ],
)
def test_a_path_that_is_not_clean(recs: Repository, spoil: Callable[[Repository], None]) -> None:
    spoil(recs)
    wanted = proposal(recs)
    before = state(recs)
    refused("RS618", lambda: commit(place(recs), wanted))
    assert state(recs) == before


def test_every_path_that_is_not_clean_is_named(recs: Repository) -> None:
    edited(recs)
    gone_is_edited(recs)
    ignored(recs)
    error = refused("RS618", lambda: committed(recs))
    assert sorted(finding.where.file for finding in error.findings) == sorted([SPEC, GONE, NEW])


@pytest.mark.parametrize("path", ["../out", "/etc/x", "a/../b", ".git/hooks/post-commit", "x/.GIT/config", "", "a//b"])
def test_a_path_that_no_tree_can_hold(recs: Repository, path: str) -> None:
    before = state(recs)
    with pytest.raises(RelspecError, match="RS241"):
        commit(place(recs), replace(proposal(recs), files={**AFTER, path: b"x"}))
    assert state(recs) == before


def test_a_bare_repository(recs: Repository, tmp_path: Path) -> None:
    recs.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    wanted, bare = proposal(recs), Repository(tmp_path / "bare")
    refused("RS609", lambda: commit(place(bare), wanted))
    new = commit_on_branch(place(bare), wanted, "incident")
    assert bare.git("rev-parse", "incident", "incident^").split() == [new.commit, wanted.parent]


# --- a branch of its own


def test_a_branch_touches_neither_head_nor_index_nor_work_tree(recs: Repository) -> None:
    for spoil in (edited, ignored, gone_is_edited):
        spoil(recs)
    (recs.folder / OTHER).write_text("staged\n")
    recs.git("add", OTHER)
    wanted = proposal(recs)
    recs.git("config", "core.splitIndex", "true")
    hook(recs, "prepare-commit-msg", 'echo "Ticket: 7" >> "$1"')
    hook(recs, "post-commit", "touch ran")
    (recs.folder / ".git/index.lock").touch()
    before = state(recs)
    new = commit_on_branch(place(recs), wanted, "incident/7")
    (recs.folder / ".git/index.lock").unlink()
    recs.git("config", "core.splitIndex", "false")
    assert recs.git("rev-parse", "incident/7", "incident/7^{tree}").split() == [new.commit, wanted.tree]
    assert recs.git("log", "-1", "--format=%B", "incident/7") == "Roll back recs\nTicket: 7"
    recs.git("fsck", "--strict")
    recs.git("update-ref", "-d", "refs/heads/incident/7")
    shutil.rmtree(recs.folder / ".git/refs/heads/incident", ignore_errors=True)
    (recs.folder / ".git/index.lock").touch()
    assert state(recs) == before


@pytest.mark.parametrize("name", ["main", "-d", "a..b", "a b", "", "x.lock", "two\nlines"])
def test_a_branch_that_cannot_be_made(recs: Repository, name: str) -> None:
    before = state(recs)
    refused("RS642", lambda: commit_on_branch(place(recs), proposal(recs), name))
    assert state(recs) == before


def test_the_way_out_of_a_branch_that_is_there_works(recs: Repository) -> None:
    """`git branch -D` does not remove what is checked out."""
    recs.git("branch", "incident")
    for name, words in (("main", ": it is checked out"), ("incident", ", or remove it: git branch -D incident")):
        with pytest.raises(RelspecError) as caught:
            commit_on_branch(place(recs), proposal(recs), name)
        assert caught.value.findings[0].hint == f"choose another name{words}"
    recs.git("branch", "-D", "incident")
    assert commit_on_branch(place(recs), proposal(recs), "incident").commit


@pytest.mark.parametrize(("there", "wanted"), [("fix/1", "fix"), ("fix", "fix/1"), ("fix", "fix/1/a"), ("a/b/c", "a")])
def test_a_branch_cannot_be_a_folder_of_branches(recs: Repository, there: str, wanted: str) -> None:
    recs.git("branch", there)
    before = state(recs)
    with pytest.raises(RelspecError, match=f"RS642.*there is a branch {there}, and Git has no room") as caught:
        commit_on_branch(place(recs), proposal(recs), wanted)
    assert caught.value.findings[0].hint == "choose another name"
    assert state(recs) == before


def test_a_branch_beside_another_in_one_folder(recs: Repository) -> None:
    recs.git("branch", "fix/1")
    assert commit_on_branch(place(recs), proposal(recs), "fix/2").commit
    assert commit_on_branch(place(recs), proposal(recs), "fixed").commit


def test_a_hook_cannot_change_the_branch_commit(recs: Repository) -> None:
    hook(recs, "prepare-commit-msg", "echo x > extra; git add extra; rm extra")
    before = state(recs)
    refused("RS614", lambda: commit_on_branch(place(recs), proposal(recs), "incident"))
    assert state(recs) == before


# --- faults


@pytest.mark.parametrize("room", [0, 10, 25, 64, 150, 300, 600, 1000, 2000, 4000, 100_000])
def test_a_disk_that_is_full(recs: Repository, room: int) -> None:
    """No file may grow beyond `room` bytes: lock, files, objects, journal and index fail in turn."""
    wanted = proposal(recs, {**AFTER, NEW: os.urandom(50_000)})
    before = state(recs)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        if room == 100_000:
            commit(place(recs), wanted)
        else:
            refused("RS640", lambda: commit(place(recs), wanted))

    assert in_child(work) == 0
    if room < 100_000:
        assert state(recs) == before
    whole(recs)


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own takes rights")
@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 4, 12, 20, 28, 36, 44, 60])
def test_a_small_disk_that_is_full(tmp_path: Path, free: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no mount here")
    try:
        made = repository(disk / "r", BEFORE)
        shutil.rmtree(made.folder / ".git/hooks", ignore_errors=True)
        wanted = replace(proposal(made), message="x")
        used = shutil.disk_usage(disk)
        (disk / "filler").write_bytes(b"x" * (used.free - free * 1024))
        before = state(made)
        try:
            commit(place(made), wanted)
            codes = []
        except RelspecError as error:
            codes = [finding.code for finding in error.findings]
        (disk / "filler").unlink()
        if codes:
            assert codes == ["RS640"]
            assert state(made) == before
            whole(made)
        else:
            assert free > 0
            is_new(made)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("step", range(1, 11))
def test_a_termination_after_each_step(recs: Repository, step: int) -> None:
    wanted, before = proposal(recs), state(recs)
    code = in_child(lambda: commit(place(recs), wanted, after=at(step, signal.SIGTERM)))
    if step <= 7:
        assert code == -signal.SIGTERM, "the signal keeps its usual meaning"
        assert state(recs) == before
    else:
        assert code == 0
        is_new(recs)


def test_an_interrupt_is_a_keyboard_interrupt(recs: Repository) -> None:
    wanted, before, handler = proposal(recs), state(recs), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        commit(place(recs), wanted, after=at(5, signal.SIGINT))
    assert state(recs) == before
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_signal_that_the_caller_survives(recs: Repository) -> None:
    wanted, before, seen = proposal(recs), state(recs), []
    old = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        refused("RS643", lambda: commit(place(recs), wanted, after=at(3, signal.SIGTERM)))
    finally:
        signal.signal(signal.SIGTERM, old)
    assert seen == [signal.SIGTERM]
    assert state(recs) == before


def test_a_signal_after_the_commit_is_noted(recs: Repository) -> None:
    new = commit(place(recs), proposal(recs), after=at(9, signal.SIGTERM))
    assert new.notes == ("SIGTERM came when the commit was made: post-commit was not run, or not to its end",)
    is_new(recs)


def test_an_ignored_hangup_stays_ignored(recs: Repository) -> None:
    wanted = proposal(recs)

    def work() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        commit(place(recs), wanted, after=at(3, signal.SIGHUP))

    assert in_child(work) == 0
    is_new(recs)


@pytest.mark.parametrize("which", ["prepare-commit-msg", "post-commit"])
def test_a_signal_while_a_hook_runs(recs: Repository, tmp_path: Path, which: str) -> None:
    hook(recs, which, f"cd '{tmp_path}'; trap 'touch ended; exit' TERM; touch started; sleep 30 & wait")
    wanted, before = proposal(recs), state(recs)
    child = os.fork()
    if child == 0:
        try:
            os.setsid()  # no terminal, as in a pipeline
            commit(place(recs), wanted)
        finally:
            os._exit(0)
    sent = time.monotonic()
    while not (tmp_path / "started").exists() and time.monotonic() < sent + 10:
        time.sleep(0.01)
    os.kill(child, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    while not (tmp_path / "ended").exists() and time.monotonic() < sent + 10:
        time.sleep(0.01)
    assert time.monotonic() - sent < 10
    if which == "post-commit":
        assert code == 0
        is_new(recs)
    else:
        assert code == -signal.SIGTERM
        assert state(recs) == before


def test_a_hook_that_leaves_something_running_is_not_waited_for(recs: Repository) -> None:
    hook(recs, "post-commit", "sleep 5 &")
    start = time.monotonic()
    committed(recs)
    assert time.monotonic() - start < 4


# --- kills


def after_a_kill(made: Repository, old: str, before: State) -> None:
    """HEAD is old or new, nothing is broken, and --recover ends it: all old or all new. A second one has nothing to do."""
    head = made.git("rev-parse", "HEAD")
    made.git("fsck", "--strict")
    waiting = pending(place(made))
    done = recover(place(made))
    assert waiting == (done.outcome != "nothing")
    assert done.notes == ()
    assert recover(place(made)) == Recovered("nothing")
    assert made.git("rev-parse", "HEAD") == head, "--recover never moves HEAD"
    if head == old:
        now = state(made)
        assert replace(now, git_folder=frozenset()) == replace(before, git_folder=frozenset())
        assert now.git_folder - {"COMMIT_EDITMSG"} == before.git_folder - {"COMMIT_EDITMSG"}
        assert done.outcome in ("undone", "nothing")
        whole(made)
    else:
        assert made.git("rev-parse", "HEAD^") == old
        is_new(made)


@pytest.mark.parametrize("step", range(1, 11))
def test_a_kill_after_each_step(recs: Repository, step: int) -> None:
    wanted, before = proposal(recs), state(recs)
    assert in_child(lambda: commit(place(recs), wanted, after=at(step, signal.SIGKILL))) == -signal.SIGKILL
    assert (recs.git("rev-parse", "HEAD") == wanted.parent) == (step < 8)
    if step < 9:
        assert pending(place(recs))
        refused("RS641", lambda: commit(place(recs), wanted))
    after_a_kill(recs, wanted.parent, before)
    if step < 8:
        commit(place(recs), wanted)
        is_new(recs)


WRITING = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "subprocess.Popen", "fcntl.flock"}


def watched(act: Callable[[int], None]) -> None:
    """Calls `act` with the number of each event that touches the disk or starts a program, just before it happens."""
    count = 0

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in WRITING or writes:
            count += 1
            act(count)

    sys.addaudithook(audit)


def kill_at(wanted: int) -> Callable[[int], None]:
    return lambda count: os.kill(os.getpid(), signal.SIGKILL) if count == wanted else None


@pytest.mark.slow
def test_a_kill_before_every_single_write(tmp_path: Path) -> None:
    """Not only between the steps: before each rename, link, removal and program, until the commit gets through."""
    origin = repository(tmp_path / "origin", BEFORE)
    wanted, empty = proposal(origin), 0
    for number in range(1, 200):
        made = Repository(tmp_path / "copy")
        shutil.copytree(origin.folder, made.folder, symlinks=True)
        made.git("status")
        before = state(made)

        def work(number: int = number, made: Repository = made) -> None:
            watched(kill_at(number))
            commit(place(made), wanted)

        code = in_child(work)
        lock = made.folder / ".git/index.lock"
        if lock.exists() and lock.read_bytes() == b"":
            # The instant between making the lock and marking it: as after a crash of Git's own.
            empty += 1
            assert str(lock) in refused("RS607", partial(commit, place(made), wanted)).findings[0].hint
            lock.unlink()
        after_a_kill(made, wanted.parent, before)
        shutil.rmtree(made.folder)
        if code == 0:
            assert number > 40, "the audit saw the writes"
            assert empty <= 1
            return
        assert code == -signal.SIGKILL
    pytest.fail("the commit never got through")


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 8])
def test_a_recovery_may_be_killed_too(tmp_path: Path, step: int) -> None:
    origin = repository(tmp_path / "origin", BEFORE)
    wanted, before = proposal(origin), state(origin)
    assert in_child(lambda: commit(place(origin), wanted, after=at(step, signal.SIGKILL))) == -signal.SIGKILL
    for number in range(1, 60):
        made = Repository(tmp_path / "copy")
        shutil.copytree(origin.folder, made.folder, symlinks=True)

        def work(number: int = number, made: Repository = made) -> None:
            watched(kill_at(number))
            recover(place(made))

        code = in_child(work)
        recover(place(made))
        assert not pending(place(made))
        if step == 3:
            assert {p: d[2] for p, d in state(made).files.items()} == {p: d[2] for p, d in before.files.items()}
            assert made.git("status", "--porcelain") == ""
            whole(made)
        else:
            is_new(made)
        shutil.rmtree(made.folder)
        if code == 0:
            return
        assert code == -signal.SIGKILL
    pytest.fail("the recovery never got through")


def test_a_recovery_leaves_what_somebody_has_edited_since(recs: Repository) -> None:
    wanted = proposal(recs)
    in_child(lambda: commit(place(recs), wanted, after=at(3, signal.SIGKILL)))
    (recs.folder / SPEC).write_text("edited after the crash\n")
    done = recover(place(recs))
    assert done == Recovered("undone", (f"{SPEC} has changed since, and was left as it is",))
    assert (recs.folder / SPEC).read_text() == "edited after the crash\n"
    assert recs.git("status", "--porcelain").split() == ["M", SPEC]


def test_a_recovery_after_somebody_removed_the_lock_and_committed(recs: Repository) -> None:
    wanted = proposal(recs)
    in_child(lambda: commit(place(recs), wanted, after=at(8, signal.SIGKILL)))
    (recs.folder / ".git/index.lock").unlink()
    (recs.folder / OTHER).write_text("staged after the crash\n")
    recs.git("add", OTHER)
    assert pending(place(recs))
    assert recover(place(recs)) == Recovered("finished")
    assert recs.git("status", "--porcelain") == f"M  {OTHER}", "the index as it is now, and not a copy from before"


def test_a_recovery_while_git_holds_the_lock(recs: Repository) -> None:
    wanted = proposal(recs)
    in_child(lambda: commit(place(recs), wanted, after=at(4, signal.SIGKILL)))
    (recs.folder / ".git/index.lock").write_bytes(b"")
    before = state(recs)
    refused("RS607", lambda: recover(place(recs)))
    assert state(recs) == before


def test_what_cannot_be_put_back_waits_for_a_recovery(recs: Repository) -> None:
    hook(recs, "prepare-commit-msg", f"rm {OUTPUT}; mkdir {OUTPUT}; touch {OUTPUT}/x; exit 1")
    before = state(recs)
    error = refused("RS641", lambda: committed(recs))
    assert "relspec rollback --recover" in error.findings[0].hint
    assert pending(place(recs))
    shutil.rmtree(recs.folder / OUTPUT)
    (recs.folder / OUTPUT).write_bytes(b"version: v0.3\n")
    assert recover(place(recs)) == Recovered("undone")
    assert state(recs) == before


def test_nothing_to_recover(recs: Repository) -> None:
    before = state(recs)
    assert recover(place(recs)) == Recovered("nothing")
    assert state(recs) == before


# --- two at once


def both(made: Repository, tmp_path: Path, works: tuple[Callable[[], object], Callable[[], object]]) -> list[str]:
    """What two processes say that start at the same moment: `made`, or the code of the error."""
    read, write = os.pipe()
    children = []
    for number, work in enumerate(works):
        child = os.fork()
        if child == 0:
            try:
                os.close(write)
                os.read(read, 1)
                try:
                    work()
                    said = "made"
                except RelspecError as error:
                    said = error.findings[0].code
                (tmp_path / f"said-{number}").write_text(said)
            finally:
                os._exit(0)
        children.append(child)
    os.close(write)
    os.close(read)
    for child in children:
        os.waitpid(child, 0)
    return sorted((tmp_path / f"said-{number}").read_text() for number in range(2))


@pytest.mark.parametrize("attempt", range(4))
def test_two_at_once(recs: Repository, tmp_path: Path, attempt: int) -> None:
    wanted = proposal(recs)
    said = both(recs, tmp_path, (lambda: commit(place(recs), wanted), lambda: commit(place(recs), wanted)))
    assert said in (["RS607", "made"], ["RS608", "made"])
    assert recs.git("rev-list", "--count", "HEAD") == "2"
    is_new(recs)


def test_two_branches_of_one_name_at_once(recs: Repository, tmp_path: Path) -> None:
    wanted = proposal(recs)
    work = lambda: commit_on_branch(place(recs), wanted, "incident")  # noqa: E731
    assert both(recs, tmp_path, (work, work)) == ["RS642", "made"]
    whole(recs)


def test_two_recoveries_at_once(recs: Repository, tmp_path: Path) -> None:
    wanted = proposal(recs)
    in_child(lambda: commit(place(recs), wanted, after=at(8, signal.SIGKILL)))
    said = both(recs, tmp_path, (lambda: recover(place(recs)), lambda: recover(place(recs))))
    assert "made" in said
    assert set(said) <= {"made", "RS607"}
    is_new(recs)


def test_the_journal_says_what_it_is(recs: Repository) -> None:
    wanted = proposal(recs)
    in_child(lambda: commit(place(recs), wanted, after=at(3, signal.SIGKILL)))
    data = json.loads((recs.folder / ".git/relspec-rollback.json").read_text())
    assert data["schema"] == "relspec/rollback-journal/v1"
    assert data["parent"] == wanted.parent
    assert [change["path"] for change in data["changes"]] == sorted(AFTER)


@pytest.fixture(autouse=True)
def _no_child_left() -> Iterator[None]:
    """No process that a test started is left behind; those of tests before it are none of its business."""
    before = children()
    yield
    assert children() <= before


def children() -> set[str]:
    """The processes that this one started and that are not yet waited for (proc(5))."""
    return {child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()}

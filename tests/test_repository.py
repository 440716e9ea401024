"""Git, read as it is found: shallow, partial, bare, in worktrees, in hooks, with names that nobody would choose."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from company import GIT_ENVIRONMENT, base, kubernetes, on_disk, registry, repository, run, with_service, write
from company import Repository as Made
from relspec.compiler import Compiler
from relspec.diagnostics import RelspecError
from relspec.gitops import repository as module
from relspec.gitops.prediction import predict
from relspec.gitops.repository import Commit, Repository
from relspec.tree import DirectoryTree

pytestmark = pytest.mark.judge

NAMES = ("a b", "it's", 'say "so"', "é", "日本", "-dash", "tab\there", "new\nline", "back\\slash", "$(id)", "*", "a;b")


def code(ask: Callable[[], object]) -> str:
    """The code of the error that a question ends with."""
    with pytest.raises(RelspecError) as caught:
        ask()
    (finding,) = caught.value.findings
    assert finding.message
    assert finding.hint
    return finding.code


def three(folder: Path) -> Made:
    """Three commits of a file `a` that holds 1, 2, 3."""
    made = repository(folder, {"a": "1\n"})
    for number in (2, 3):
        write(folder, {"a": f"{number}\n"})
        made.commit(f"to {number}")
    return made


def git_in(folder: Path, *arguments: str, data: bytes | None = None, **more: str) -> bytes:
    """A git command with an environment of its own."""
    env = {**GIT_ENVIRONMENT, **more}
    return subprocess.run(["git", *arguments], cwd=folder, env=env, input=data, capture_output=True, check=True).stdout


def clone(made: Made, folder: Path, *arguments: str) -> Made:
    """A clone over Git's own protocol."""
    made.git("config", "uploadpack.allowFilter", "true")
    made.git("clone", "-q", *arguments, made.folder.as_uri(), str(folder))
    return Made(folder)


def everything_in(folder: Path) -> list[tuple[str, bytes, float]]:
    """Every file below a folder with its bytes and the time of its last change.

    Of objects the time is left out: Git sets it anew where it would write one that is there (freshen_loose_object).
    """
    return sorted(
        (str(path), path.read_bytes(), 0 if "objects" in path.parts else path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    )


# --- trees and commits as Git has them


def log_of(reader: Repository, name: str) -> list[tuple[str, tuple[str, ...] | None]]:
    """The commits of the log, with the paths that they changed."""
    return [(commit, None if records is None else tuple(records)) for commit, records in reader.records(name)]


def test_a_tree_is_what_git_lists(tmp_path: Path) -> None:
    files = {f"{name}/{name}": f"{name}\n" for name in NAMES}
    made = repository(tmp_path, {**files, "x/y/z": "deep\n", "x.y": "", "x-y": ""})
    tree = Repository(tmp_path).tree("HEAD")
    assert {path: tree.read(path) for path, _ in tree.files()} == on_disk(tmp_path)
    assert {path: entry.id for path, entry in tree.files()} == {
        path: made.git("rev-parse", f"HEAD:{path}") for path in on_disk(tmp_path)
    }


def test_a_name_that_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    made = repository(tmp_path)
    name = os.fsdecode(b"caf\xe9")
    write(tmp_path, {name: "1\n"})
    made.commit()
    reader = Repository(tmp_path)
    assert reader.tree("HEAD").read(name) == b"1\n"
    assert [paths for _, paths in log_of(reader, reader.resolve("HEAD"))] == [(name,), ()]


def test_links_submodules_and_pointers_are_refused(tmp_path: Path) -> None:
    made = repository(tmp_path, {"pointer": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"})
    (tmp_path / "link").symlink_to("pointer")
    made.git("update-index", "--add", "--cacheinfo", f"160000,{made.git('rev-parse', 'HEAD')},module")
    made.git("add", "link")
    made.git("commit", "-q", "-m", "more")
    tree = Repository(tmp_path).tree("HEAD")
    assert [tree.kind(name) for name in ("link", "module", "pointer", "none")] == ["link", "other", "file", "missing"]
    assert [code(lambda name=name: tree.read(name)) for name in ("link", "module", "pointer", "none")] == [  # type: ignore[misc]
        *("RS241", "RS241", "RS242", "RS240")
    ]


def test_the_log_is_what_git_says_of_each_commit(tmp_path: Path) -> None:
    made = repository(tmp_path, {"a": "1\n", "b": "1\n"})
    made.git("switch", "-q", "-c", "side")
    write(tmp_path, {":c": "1\n", "new\nline": "1\n"})
    made.commit()
    made.git("switch", "-q", "main")
    (tmp_path / "a").rename(tmp_path / "moved")
    made.commit()
    made.commit("empty")
    made.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    reader = Repository(tmp_path)
    head = reader.resolve("HEAD")
    log = log_of(reader, head)
    assert [name for name, _ in log] == made.git("rev-list", "--first-parent", "HEAD").split()
    assert [paths for _, paths in log] == [(":c", "new\nline"), (), ("a", "moved"), ("a", "b")]
    assert [commit.id for commit in reader.first_parents(head)] == [name for name, _ in log]
    assert reader.changed(log[-1][0], head) == (":c", "a", "moved", "new\nline")


def test_revisions_are_what_git_takes_them_for(tmp_path: Path) -> None:
    made = three(tmp_path)
    made.git("tag", "light", "HEAD^")
    made.git("tag", "-a", "-m", "a tag", "heavy", "HEAD~2")
    made.git("tag", "-a", "-m", "a tag of a tag", "heavier", "heavy")
    made.git("branch", "feature/ü")
    made.git("branch", "a'b\"c$(id)")
    made.git("pack-refs", "--all")
    made.git("branch", "loose", "HEAD^")
    reader = Repository(tmp_path)
    for word in (
        *(
            "HEAD",
            "main",
            "@",
            "HEAD~2",
            "HEAD^",
            "light",
            "heavy",
            "heavier",
            "refs/tags/heavy",
            "tags/light",
            "loose",
        ),
        *("feature/ü", "a'b\"c$(id)", "HEAD@{1}", "main@{0}", ":/to 2", made.git("rev-parse", "--short", "HEAD")),
    ):
        assert reader.resolve(word) == made.git("rev-parse", f"{word}^{{commit}}" if ":/" not in word else word), word
    assert reader.head() == made.git("rev-parse", "HEAD")
    assert reader.branch() == "refs/heads/main"


@pytest.mark.parametrize("name", ["\u2028line", "end\u00a0", "\x85", os.fsdecode(b"caf\xe9"), "😀", "-dash", "\ue000"])
def test_a_branch_with_any_name(tmp_path: Path, name: str) -> None:
    made = three(tmp_path)
    made.git("update-ref", f"refs/heads/{name}", "HEAD^")
    made.git("symbolic-ref", "HEAD", f"refs/heads/{name}")
    reader = Repository(tmp_path)
    assert reader.branch() == f"refs/heads/{name}"
    assert reader.head() == reader.resolve(f"refs/heads/{name}") == made.git("rev-parse", "main^")
    assert reader.resolve("main") == made.git("rev-parse", "main")


@pytest.mark.parametrize(
    "word",
    ["none", "-x", "--all", "--output=x", "", "HEAD~9", "a..b", "HEAD^{tree}", "HEAD:a", "0" * 40, "\n", "HEAD\0"],
)
def test_what_is_no_commit_is_said(tmp_path: Path, word: str) -> None:
    three(tmp_path)
    assert code(lambda: Repository(tmp_path).resolve(word)) == "RS606"
    assert not (tmp_path / "x").exists()


def test_a_replaced_commit_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = three(tmp_path)
    old, other = made.git("rev-parse", "HEAD"), made.git("rev-parse", "HEAD^")
    made.git("replace", old, other)
    reader = Repository(tmp_path)
    assert reader.commit(old).subject == "to 3"
    assert reader.tree(old).read("a") == b"3\n"
    assert not any(name.startswith("refs/replace/") for name in reader.refs)


def test_authors_and_messages_in_old_encodings(tmp_path: Path) -> None:
    made = three(tmp_path)
    author = "Ren\xe9 <rene@acme.example>".encode("latin-1")
    data = git_in(tmp_path, "cat-file", "commit", "HEAD").split(b"\n\n", 1)[0]
    lines = [line for line in data.split(b"\n") if not line.startswith(b"author ")]
    lines.insert(1, b"author " + author + b" 1700000000 +0530")
    text = b"\n".join(lines) + b"\nencoding ISO-8859-1\n\ncaf\xe9\n\nand\nmore\n"
    name = git_in(tmp_path, "hash-object", "-t", "commit", "-w", "--stdin", data=text).decode().strip()
    made.git("update-ref", "refs/heads/main", name)
    commit = Repository(tmp_path).commit(name)
    assert (commit.author, commit.email, commit.authored) == ("René", "rene@acme.example", 1700000000)
    assert (commit.subject, commit.message) == ("café", "café\n\nand\nmore\n")


def test_a_commit_whose_headers_are_broken_does_not_end_the_reading(tmp_path: Path) -> None:
    made = three(tmp_path)
    tree = made.git("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nauthor nobody\ncommitter  <> \nencoding klingon\n\nhm\n".encode()
    name = git_in(tmp_path, "hash-object", "--literally", "-t", "commit", "-w", "--stdin", data=text).decode().strip()
    commit = Repository(tmp_path).commit(name)
    assert (commit.author, commit.committed, commit.subject) == ("nobody", 0, "hm")


def test_times_and_zones_are_the_commits_own(tmp_path: Path) -> None:
    made = three(tmp_path)
    for date in ("1700000000 -0330", "1600000000 +0100"):
        made.folder.joinpath("a").write_text(date)
        git_in(tmp_path, "commit", "-q", "-a", "-m", date, GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE="1500000000 +0000")
    reader = Repository(tmp_path)
    newest, older = reader.first_parents(reader.resolve("HEAD"))[:2]
    assert (newest.committed, newest.zone, newest.authored) == (1600000000, "+0100", 1500000000)
    assert (older.committed, older.zone) == (1700000000, "-0330")
    assert reader.day() == "2020-09-13"


def test_ancestors_and_merge_bases(tmp_path: Path) -> None:
    made = three(tmp_path)
    head, root = made.git("rev-parse", "HEAD"), made.git("rev-parse", "HEAD~2")
    made.git("switch", "-q", "-c", "side", "HEAD^")
    side = made.commit("side")
    made.git("switch", "-q", "--orphan", "other")
    other = made.commit("other")
    reader = Repository(tmp_path)
    assert (reader.is_ancestor(root, head), reader.is_ancestor(head, root), reader.is_ancestor(head, head)) == (
        *(True, False, True),
    )
    assert reader.merge_base(head, side) == made.git("rev-parse", f"{head}^")
    assert code(lambda: reader.merge_base(head, other)) == "RS606"


# --- where a repository lies


def test_outside_of_git(tmp_path: Path) -> None:
    reader = Repository(tmp_path)
    assert (reader.exists, reader.day(), reader.tracked("*")) == (False, None, ())
    assert code(reader.head) == "RS606"


def test_before_the_first_commit(tmp_path: Path) -> None:
    Made(tmp_path).git("init", "-q", "-b", "trunk")
    reader = Repository(tmp_path)
    assert (reader.exists, reader.head(), reader.branch(), reader.day(), dict(reader.refs)) == (
        *(True, None, "refs/heads/trunk", None, {}),
    )
    assert code(lambda: reader.resolve("HEAD")) == "RS606"


def test_a_detached_head(tmp_path: Path) -> None:
    made = three(tmp_path)
    made.git("checkout", "-q", "HEAD^")
    reader = Repository(tmp_path)
    assert (reader.branch(), reader.upstream(), reader.head()) == (None, None, made.git("rev-parse", "main^"))
    assert reader.tree("HEAD").read("a") == b"2\n"


def test_a_branch_with_an_upstream(tmp_path: Path) -> None:
    made = three(tmp_path / "origin")
    copy = clone(made, tmp_path / "clone")
    reader = Repository(copy.folder)
    assert reader.upstream() == "refs/remotes/origin/main"
    assert reader.resolve("@{upstream}") == reader.resolve("origin/main") == made.git("rev-parse", "HEAD")


def test_a_bare_repository(tmp_path: Path) -> None:
    made = three(tmp_path / "origin")
    bare = clone(made, tmp_path / "bare.git", "--bare")
    reader = Repository(bare.folder)
    assert (reader.top, reader.prefix, reader.tracked("*")) == (None, "", ())
    assert reader.tree("HEAD^").read("a") == b"2\n"
    head = reader.resolve("HEAD")
    assert predict(reader, head, head).tree == made.git("rev-parse", "HEAD^^{tree}")


def test_a_worktree(tmp_path: Path) -> None:
    made = three(tmp_path / "main")
    made.git("worktree", "add", "-q", "-b", "work", str(tmp_path / "work"), "HEAD^")
    reader = Repository(tmp_path / "work")
    assert (reader.branch(), reader.head()) == ("refs/heads/work", made.git("rev-parse", "HEAD^"))
    assert reader.git_dir != reader.common_dir
    assert reader.common_dir == (tmp_path / "main/.git").resolve()
    assert reader.resolve("HEAD") == reader.head()
    assert reader.tracked("*") == ("a",)
    assert Repository(tmp_path / "main").branch() == "refs/heads/main"


@pytest.mark.parametrize("folder", ["", "deploy/ml/"])
def test_every_verb_that_reads_works_on_head_of_a_bare_repository(tmp_path: Path, folder: str) -> None:
    def below(tag: str) -> dict[str, Any]:
        files = with_service({"image": f"acme/recs:{tag}"})
        return {f"{folder}{path}": content for path, content in files.items()}

    made = repository(tmp_path / "made", below("1.0"))
    for tag in ("1.0", "2.0"):
        write(made.folder, below(tag))
        assert run(made.folder / folder, "compile").code == 0
        made.commit(tag)
    bare = tmp_path / "bare.git"
    made.git("clone", "-q", "--bare", ".", str(bare))
    before = everything_in(bare)
    for words in (("check",), ("check", "--since", "HEAD~1"), ("check", "--merge", "HEAD~1")):
        assert (run(bare, *words).code, run(bare, *words).out) == (0, "no problems in 1 release\n")
    assert run(bare, "compile", "--check").out == "1 output of 1 release up to date\n"
    assert "acme/recs:2.0" in run(bare, "compile", "--stdout").out
    assert "acme/recs 1.0 -> 2.0" in run(bare, "plan", "HEAD~1").out
    assert "1 restored, 0 failed" in run(bare, "drill").out
    assert "2 changes" in run(bare, "history", "production/recs").out
    edits = (("compile",), ("lock",), ("check", "--fix"), ("set", "production/recs", "api.replicas=3"))
    for words in (*edits, ("model", "register", "als", "v1")):
        assert "is a bare repository" in run(bare, *words).err
    assert "no report belongs" in run(bare, "check", "--report", "json:HEAD").err
    assert "lies in the bare repository" in run(bare, "compile", "--out", "objects").err
    assert everything_in(bare) == before


def test_what_is_wrong_in_head_of_a_bare_repository_is_found(tmp_path: Path) -> None:
    made = repository(tmp_path / "made", {**with_service({}), **registry("v1")})
    run(made.folder, "compile")
    base_id = made.commit("outputs")
    (made.folder / "registry/als/v1.yaml").unlink()
    write(made.folder, {"rendered/production/recs/rollouts/rollouts.yaml": "stale\n", "rendered/a/.env": "A=1\n"})
    made.git("add", "-f", "rendered/a/.env")
    made.commit("worse")
    bare = tmp_path / "bare.git"
    made.git("clone", "-q", "--bare", ".", str(bare))
    assert "out of date: rendered/production" in run(bare, "compile", "--check").out
    for folder in (made.folder, bare):
        found = json.loads(run(folder, "check", "--since", base_id, "--format", "json").out)["diagnostics"]
        assert {each["file"] for each in found} == {"registry/als/v1.yaml", "rendered/a/.env"}


def test_a_bare_repository_with_several_folders_of_releases(tmp_path: Path) -> None:
    files = with_service({})
    made = repository(tmp_path / "made", {f"{top}/{path}": files[path] for path in files for top in ("a", "b")})
    made.git("clone", "-q", "--bare", ".", str(tmp_path / "two.git"))
    assert "2 folders that can be meant: a, b" in run(tmp_path / "two.git", "check").err
    none = repository(tmp_path / "none", {"code.py": "1\n"})
    none.git("clone", "-q", "--bare", ".", str(tmp_path / "none.git"))
    assert "no repository of releases in HEAD" in run(tmp_path / "none.git", "check").err


def test_a_submodule_is_a_repository_of_its_own(tmp_path: Path) -> None:
    inner = three(tmp_path / "inner")
    outer = three(tmp_path / "outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.folder), "specs")
    outer.commit()
    reader = Repository(outer.folder / "specs")
    assert reader.top == (outer.folder / "specs").resolve()
    assert reader.resolve("HEAD") == inner.git("rev-parse", "HEAD")
    assert reader.tracked("*") == ("a",)
    assert Repository(outer.folder).tree("HEAD").kind("specs") == "other"


@pytest.mark.parametrize("path", ["bases/recs.yaml", "registry/als/model.yaml", "charts/own/Chart.yaml"])
def test_what_a_release_needs_from_a_submodule_is_refused_in_both_trees(tmp_path: Path, path: str) -> None:
    top, _, below = path.partition("/")
    files = {
        **with_service(
            {"model": "als@v1"},
            kubernetes(None, targets={"helm": {}}),
            helm={"chart": "../../../charts/own", "values": "values.yaml.j2"},
        ),
        **registry("v1"),
        "charts/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
        "bases/recs.yaml": base({}),
        "environments/production/recs/values.yaml.j2": "a: 1\n",
    }
    spec = "environments/production/recs/release.yaml"
    files[spec] = {**files[spec], "extends": "../../../bases/recs.yaml"}  # type: ignore[dict-item]
    inner = repository(
        tmp_path / "inner", {name.removeprefix(f"{top}/"): files[name] for name in files if name.startswith(f"{top}/")}
    )
    outer = repository(tmp_path / "outer", {name: files[name] for name in files if not name.startswith(f"{top}/")})
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.folder), top)
    outer.commit()
    trees = (DirectoryTree(outer.folder), Repository(outer.folder).tree("HEAD"))
    assert (outer.folder / path).is_file()
    for tree in trees:
        assert [tree.kind(name) for name in (top, f"{top}/{below}", "environments")] == ["other", "missing", "folder"]
        assert dict(tree.entries(""))[top] == "other"
        assert f"RS241 {top} is a submodule" in "\n".join(
            f"{each.code} {each.message}" for each in Compiler(tree).compile().diagnostics
        )
        assert code(lambda tree=tree: tree.read(path)) == code(lambda tree=tree: tree.read(top)) == "RS241"  # type: ignore[misc]


def test_a_folder_inside_a_larger_repository(tmp_path: Path) -> None:
    folder = "de ploy/*[x]"
    made = repository(tmp_path, {"code": "1\n", f"{folder}/a": "1\n", "de ploy/x/a": "other\n"})
    write(tmp_path, {"code": "2\n", f"{folder}/a": "2\n"})
    made.commit()
    (tmp_path / folder / "a").rename(tmp_path / folder / "b")
    made.commit()
    reader = Repository(tmp_path / folder)
    assert reader.prefix == f"{folder}/"
    assert reader.tree("HEAD^").read("a") == b"2\n"
    assert [path for path, _ in reader.tree("HEAD").files()] == ["b"]
    assert [paths for _, paths in log_of(reader, reader.resolve("HEAD"))] == [("a", "b"), ("a",), ("a",)]
    assert reader.changed("HEAD~2", "HEAD") == ("a", "b")
    assert reader.tracked("*") == ("b",)
    (tmp_path / "none").mkdir()
    assert list(Repository(tmp_path / "none").tree("HEAD").files()) == []


def test_a_link_to_a_repository(tmp_path: Path) -> None:
    three(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    reader = Repository(tmp_path / "link")
    assert (reader.prefix, reader.tree("HEAD").read("a")) == ("", b"3\n")


@pytest.mark.parametrize(
    "name",
    ["with space", "it's", 'say "so"', "é", "new\nline", "#hash", "$HOME", "%USER%", "~", "back\\slash", "-dash"],
)
def test_a_repository_in_a_folder_with_any_name(tmp_path: Path, name: str) -> None:
    three(tmp_path / name)
    reader = Repository(tmp_path / name)
    assert reader.tree("HEAD^").read("a") == b"2\n"


def test_a_repository_by_sha256(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.git("init", "-q", "-b", "main", "--object-format=sha256")
    for number in (1, 2):
        write(tmp_path, {"in/a": f"{number}\n"})
        made.commit()
    reader = Repository(tmp_path)
    head = reader.resolve("HEAD")
    assert len(head) == 64
    assert reader.tree(head).read("in/a") == b"2\n"
    assert [paths for _, paths in log_of(reader, head)] == [("in/a",), ("in/a",)]
    assert predict(reader, head, head).tree == made.git("rev-parse", "HEAD^^{tree}")


def test_a_repository_of_somebody_else(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    made = three(tmp_path)
    head = made.git("rev-parse", "HEAD")
    for path in [tmp_path, *tmp_path.rglob("*")]:
        os.chown(path, 65534, 65534)
    reader = Repository(tmp_path)
    assert reader.resolve("HEAD^") == reader.commit(head).parents[0]
    assert reader.tree("HEAD").read("a") == b"3\n"


@pytest.mark.parametrize(
    "variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"]
)
def test_a_hook_of_another_repository_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    three(tmp_path / "mine")
    other = repository(tmp_path / "other", {"b": "1\n"})
    places = {"GIT_WORK_TREE": "", "GIT_INDEX_FILE": ".git/index", "GIT_OBJECT_DIRECTORY": ".git/objects"}
    monkeypatch.setenv(variable, str(other.folder / places.get(variable, ".git")))
    reader = Repository(tmp_path / "mine")
    assert (reader.top, reader.prefix, reader.tracked("*")) == ((tmp_path / "mine").resolve(), "", ("a",))
    assert reader.tree("HEAD^").read("a") == b"2\n"


def test_a_hook_of_the_repository_itself(tmp_path: Path) -> None:
    made = repository(tmp_path / "mine", with_service({}))
    run(made.folder, "compile")
    made.commit()
    hook = (
        f'#!/bin/sh\nunset GIT_CONFIG_GLOBAL\n"{sys.executable}" -m relspec compile --check --at HEAD > ../said 2>&1\n'
    )
    write(made.folder, {".git/hooks/pre-commit": hook})
    (made.folder / ".git/hooks/pre-commit").chmod(0o755)
    write(made.folder, {"note": "1\n"})
    made.commit()
    assert "1 output of 1 release up to date" in (tmp_path / "said").read_text()


# --- clones that do not have everything


def test_a_shallow_boundary_is_never_a_root(tmp_path: Path) -> None:
    made = three(tmp_path / "whole")
    copy = clone(made, tmp_path / "shallow", "--depth=2")
    reader = Repository(copy.folder)
    head = reader.resolve("HEAD")
    parent = reader.parent(reader.commit(head))
    assert isinstance(parent, Commit)
    assert code(lambda: reader.parent(parent)) == "RS630"
    assert code(lambda: reader.resolve("HEAD~2")) == "RS630"
    assert code(lambda: predict(reader, parent.id, head)) == "RS630"
    assert [paths for _, paths in log_of(reader, head)] == [("a",), None]
    assert [commit.id for commit in reader.first_parents(head)] == [head, parent.id]
    whole = Repository(made.folder)
    assert whole.parent(whole.commit(whole.resolve("HEAD~2"))) is None


def test_a_worktree_of_a_shallow_clone_is_as_shallow(tmp_path: Path) -> None:
    copy = clone(three(tmp_path / "whole"), tmp_path / "shallow", "--depth=1")
    copy.git("worktree", "add", "-q", "-b", "work", str(tmp_path / "work"))
    reader = Repository(tmp_path / "work")
    assert code(lambda: reader.parent(reader.commit(reader.resolve("HEAD")))) == "RS630"


def test_a_shallow_clone_without_a_common_commit(tmp_path: Path) -> None:
    made = three(tmp_path / "whole")
    made.git("switch", "-q", "-c", "side", "HEAD~2")
    made.commit("side")
    copy = clone(made, tmp_path / "shallow", "--depth=1", "--no-single-branch")
    reader = Repository(copy.folder)
    one, other = reader.resolve("origin/main"), reader.resolve("origin/side")
    assert code(lambda: reader.merge_base(one, other)) == "RS630"


def test_a_blob_that_was_not_fetched_is_named_and_not_fetched(tmp_path: Path) -> None:
    made = repository(tmp_path / "whole", {"in/a": "1\n2\n3\n"})
    for text in ("1\n2\n4\n", "0\n2\n4\n"):
        write(made.folder, {"in/a": text})
        made.commit()
    copy = clone(made, tmp_path / "partial", "--filter=blob:none")
    before = everything_in(copy.folder)
    reader = Repository(copy.folder)
    assert reader.tree("HEAD").read("in/a") == b"0\n2\n4\n"
    tree = reader.tree("HEAD^")
    with pytest.raises(RelspecError) as caught:
        tree.read("in/a")
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file, "in/a" in finding.message) == ("RS631", "in/a", True)
    with pytest.raises(RelspecError) as caught:
        predict(reader, reader.resolve("HEAD^"), reader.resolve("HEAD"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("RS631", "in/a")
    assert [paths for _, paths in log_of(reader, reader.resolve("HEAD"))] == [("in/a",)] * 3
    assert everything_in(copy.folder) == before


def test_a_tree_that_was_not_fetched_is_no_end_of_history(tmp_path: Path) -> None:
    made = repository(tmp_path / "whole", {"in/a": "1\n"})
    for number in (2, 3):
        write(made.folder, {"in/a": f"{number}\n"})
        made.commit()
    copy = clone(made, tmp_path / "partial", "--filter=tree:0")
    before = everything_in(copy.folder)
    reader = Repository(copy.folder)
    head = reader.resolve("HEAD")
    assert code(lambda: reader.tree("HEAD^")) == "RS631"
    assert code(lambda: list(reader.records(head))) == "RS631"
    assert code(lambda: reader.changed(head, f"{head}^")) == "RS631"
    assert code(lambda: predict(reader, reader.resolve("HEAD^"), head)) == "RS631"
    assert len(reader.first_parents(head)) == 3
    assert everything_in(copy.folder) == before


def test_reading_writes_nothing(tmp_path: Path) -> None:
    made = three(tmp_path)
    before = everything_in(tmp_path)
    reader = Repository(tmp_path)
    head = reader.resolve("HEAD")
    list(reader.records(head))
    predict(reader, head, head)
    reader.git("hash-object", "-w", "--stdin", data=b"new")
    reader.tracked("*")
    assert everything_in(tmp_path) == before
    assert made.git("fsck") == ""


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    three(tmp_path)
    reader = Repository(tmp_path)
    reader.tree("HEAD").read("a")
    folder = Path(reader.git("rev-parse", "--absolute-git-dir").decode().strip())
    assert folder.is_dir()
    reader.close()
    assert not folder.exists()
    assert reader.tree("HEAD").read("a") == b"3\n"
    reader.close()


def layouts(folder: Path) -> Iterator[Path]:
    """Folders in and around repositories of many kinds."""
    made = repository(folder / "plain", {"in/a": "1", ".git-not/HEAD": "x"})
    yield from (
        made.folder,
        made.folder / "in",
        made.folder / ".git",
        made.folder / ".git/objects",
        made.folder / ".git-not",
    )
    made.git("worktree", "add", "-q", "../tree")
    yield folder / "tree"
    made.git("clone", "-q", "--bare", ".", "../bare")
    yield folder / "bare"
    made.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../plain", "part")
    yield made.folder / "part/in"
    (folder / "separate").mkdir()
    made.git("init", "-q", "--separate-git-dir", "../of", "../separate")
    yield folder / "separate"
    for name, settings in {
        "worktree": "worktree = ../../plain",
        "bare": "bare",
        "BARE": "BARE=true",
        "gone": "",
    }.items():
        inner = repository(folder / name, {"a": "1"})
        with (inner.folder / ".git/config").open("a") as config:
            config.write(f"[core]\n\t{settings}\n")
        yield inner.folder
    shutil.rmtree(folder / "gone/.git/refs")
    for head in ("", "nonsense\n", "ref: refs/heads/main\n"):
        inner = made.folder / "half"
        (inner / ".git/objects").mkdir(parents=True, exist_ok=True)
        (inner / ".git/refs").mkdir(exist_ok=True)
        (inner / ".git/config").touch()
        (inner / ".git/HEAD").write_text(head)
        yield inner
    (made.folder / "in/.git").mkdir()
    yield made.folder / "in"
    (made.folder / "in/.git").rmdir()
    (made.folder / "in/.git").symlink_to("../.git")
    yield made.folder / "in"
    yield folder


@pytest.mark.parametrize("variable", ["", "GIT_WORK_TREE", "GIT_DIR"])
def test_an_ordinary_clone_is_where_gitpython_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    def places(folder: Path) -> tuple[Path, Path, Path | None] | str:
        try:
            place = Repository(folder)
            return place.git_dir, place.common_dir, place.top
        except RelspecError as error:
            return str(error)

    ordinary = 0
    for folder in layouts(tmp_path):
        with monkeypatch.context() as patch:
            if variable:
                patch.setenv(variable, str(tmp_path / "bare"))
            found = places(folder)
            ordinary += module._ordinary(folder) is not None
            patch.setattr(module, "_ordinary", lambda _: None)
            assert found == places(folder), folder
    assert (ordinary >= 3) == (not variable)

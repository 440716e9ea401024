"""The first-parent chain: what the log says of earlier trees is what their folders hold."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from company import Repository, run
from relspec.diagnostics import RelspecError
from relspec.gitops.chain import Chain
from relspec.gitops.commit_tree import CommitTree
from relspec.gitops.recording import touches
from relspec.gitops.repository import Repository as Git

NAMES = ("a", "b", "a/b", "a/c", "a/c/d", "b/a", "c c/\u00e9", "a.b", "ab/x")
COMMITS = 60


def random_history(folder: Path, seed: int) -> Repository:
    """Files that come and go, change into folders and back, links and branches that are merged."""
    chance = random.Random(seed)
    made = Repository(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made.git("init", "-q", "-b", "main")
    for count in range(COMMITS):
        for _ in range(chance.randint(1, 3)):
            _change(folder / chance.choice(NAMES), chance, folder)
        made.commit(f"{count}")
        if count % 20 == 10:
            made.git("checkout", "-q", "-b", f"topic{count}")
            _change(folder / "topic" / str(count), chance, folder)
            made.commit("on a branch")
            made.git("checkout", "-q", "main")
            made.git("merge", "-q", "--no-ff", "-m", "merge", f"topic{count}")
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Repository]:
    """A random history by its seed, made once."""
    return functools.cache(lambda seed: random_history(tmp_path_factory.mktemp("chain"), seed))


def _change(path: Path, chance: random.Random, top: Path) -> None:
    """Something else at a path; what is in the way goes."""
    for folder in reversed(path.relative_to(top).parents):
        if (top / folder).is_file() or (top / folder).is_symlink():
            (top / folder).unlink()
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.rglob("*"), reverse=True):
            inner.rmdir() if inner.is_dir() and not inner.is_symlink() else inner.unlink()
        path.rmdir()
    elif path.exists() or path.is_symlink():
        path.unlink()
        if chance.random() < 0.4:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    if chance.random() < 0.1:
        path.symlink_to("somewhere")
    else:
        path.write_text(str(chance.randint(0, 5)))


def everything(tree: CommitTree) -> dict[str, tuple[str, str, str]]:
    return {path: (entry.kind, entry.id, entry.mode) for path, entry in tree.files()}


@pytest.mark.parametrize("near", [0, 20, 1000], ids="near {}".format)
@pytest.mark.parametrize("seed", [1, 2])
def test_an_earlier_tree_is_what_its_folders_hold(made: Callable[[int], Repository], seed: int, near: int) -> None:
    git = Git(made(seed).folder)
    head = git.head()
    assert head is not None
    chain = Chain(git, head, near=near)
    for asked in ((*NAMES, "nothing"), ("a/b", "b/a"), ("a/c", "topic", "ab"))[seed:]:
        for index in range(0, COMMITS, 3):
            chain.next_change(index, asked)
    index = 0
    while chain.has(index + 1):
        real, found = chain.tree(index + 1), chain.before(index)
        assert everything(found) == everything(real), index
        for path in (*NAMES, "", "a/c/d/e", "nothing", "topic", "topic/10"):
            assert found.kind(path) == real.kind(path), (index, path)
            assert found.entries(path) == real.entries(path), (index, path)
            assert found.entry(path) == real.entry(path), (index, path)
            assert read(found, path) == read(real, path), (index, path)
        index += 1
    assert index > COMMITS


def read(tree: CommitTree, path: str) -> bytes | str:
    try:
        return tree.read(path)
    except RelspecError as error:
        return error.findings[0].code


@pytest.mark.parametrize("near", [0, 20, 1000], ids="near {}".format)
@pytest.mark.parametrize("folder", ["", "a", "c c"])
def test_the_next_change_is_found_without_looking_at_every_commit(
    made: Callable[[int], Repository], near: int, folder: str
) -> None:
    """Also where the releases lie in a folder of the repository."""
    root = made(3).folder / folder
    root.mkdir(exist_ok=True)
    git = Git(root)
    head = git.head()
    assert head is not None
    log = list(git.records(head))
    for asked in (("a",), ("a/c", "b"), ("nothing",), ("c c/\u00e9", "topic"), ("",)):
        chain = Chain(git, head, near=near)
        for start in range(0, len(log), 7):
            wanted = next(
                (at for at in range(start, len(log)) if touches(log[at][1] or (), frozenset(asked))), len(log)
            )
            assert chain.next_change(start, asked) == wanted, (asked, start)
            assert any(chain.touched(start, path) for path in asked) == (wanted == start), (asked, start)
            assert set(chain.changed(start)) == set(log[start][1] or ()), start


def test_a_benchmark_repository_is_one_that_relspec_would_have_made(tmp_path: Path) -> None:
    from sys import path

    path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
    from big_repository import Shape, build  # type: ignore[import-not-found]

    made = Repository(build(tmp_path, Shape(3, 60, focus=3, merges=5)))
    made.git("checkout", "-q", "main")
    assert run(tmp_path, "compile", "--check").code == 0
    assert "fatal" not in made.git("fsck")
    assert run(tmp_path, "drill").code == 0

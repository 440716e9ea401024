"""A drill that several processes share: the same answers in the same order, whatever becomes of a process."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from company import SERVICE, Repository, company, release, run, write
from relspec.discovery import discover
from relspec.gitops import shared_drill as shared
from relspec.gitops.drill import Drilled, drill
from relspec.gitops.repository import Repository as Git
from relspec.gitops.states import History
from relspec.loader import Loader

RELEASES = 7
FIRST = os.getpid()


def no_time() -> float:
    return 0.0


def deadly() -> float:
    """A clock that ends every process but the first."""
    if os.getpid() != FIRST:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Releases that changed once each."""
    repository = Repository(tmp_path_factory.mktemp("shared"))
    repository.git("init", "-q", "-b", "main")
    for tag in ("1", "2"):
        service = {**SERVICE, "image": f"ghcr.io/acme/recs:{tag}"}
        names = [f"recs-{number}" for number in range(RELEASES)]
        releases = {f"environments/production/{name}/release.yaml": release(name, {"api": service}) for name in names}
        shared_files = {path: content for path, content in company().items() if not path.endswith("release.yaml")}
        write(repository.folder, {**shared_files, **releases})
        assert run(repository.folder, "compile").code == 0
        repository.commit(tag)
    return repository


def drilled(made: Repository, clock: shared.Clock, *, alone: bool = False) -> tuple[Drilled, ...]:
    git = Git(made.folder)
    history = History(git, git.resolve("HEAD"), many=True)
    places = discover(history.chain.newest, Loader(history.chain.newest)).releases
    assert len(places) == RELEASES
    try:
        return tuple((drill if alone else shared.shared_drill)(history, places, clock))
    finally:
        git.close()


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As if there were many releases for two processors; the folder for what is temporary."""
    monkeypatch.setattr(shared, "ENOUGH", 2)
    monkeypatch.setattr(shared, "SHARE", 2)
    monkeypatch.setattr(shared, "processors", lambda: 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_shared_or_not_it_is_the_same(made: Repository, shares: Path) -> None:
    alone = drilled(made, no_time, alone=True)
    assert [each.successful for each in alone] == [True] * RELEASES
    assert drilled(made, no_time) == alone
    assert list(shares.iterdir()) == []


def test_the_first_process_drills_what_a_killed_one_left(made: Repository, shares: Path) -> None:
    assert drilled(made, deadly) == drilled(made, no_time, alone=True)

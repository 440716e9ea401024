"""What a work tree has otherwise than a commit: every kind of entry in place of every other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from company import repository, write
from relspec.gitops.repository import Repository
from relspec.gitops.review import Review
from relspec.gitops.worktree import differences
from relspec.tree import DirectoryTree

FOLDER = "environments/production"
FILE = f"{FOLDER}/recs/release.yaml"
BESIDE = f"{FOLDER}/recs/files/a.txt"
PLAIN = {f"{FOLDER}/environment.yaml": "x", FILE: "x"}


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def nothing(path: Path) -> None:
    remove(path)


def a_file(path: Path) -> None:
    remove(path)
    path.write_text("other")


def an_empty_folder(path: Path) -> None:
    remove(path)
    path.mkdir()


def a_folder(path: Path) -> None:
    an_empty_folder(path)
    (path / "new").write_text("new")


def a_link(path: Path) -> None:
    remove(path)
    path.symlink_to("/etc")


def a_pipe(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def a_repository(path: Path) -> None:
    a_folder(path)
    (path / ".git").mkdir()


NEW_FOLDERS: tuple[Callable[[Path], None], ...] = (an_empty_folder, a_folder)


@pytest.mark.parametrize("change", [nothing, a_file, an_empty_folder, a_folder, a_link, a_pipe, a_repository])
@pytest.mark.parametrize("path", [FILE, f"{FOLDER}/recs", f"{FOLDER}/recs/files", FOLDER, "shared/x.yaml", "shared"])
def test_any_entry_in_place_of_any_other(tmp_path: Path, path: str, change: Callable[[Path], None]) -> None:
    repository(tmp_path, {**PLAIN, BESIDE: "x", f"{FOLDER}/other/release.yaml": "x", "shared/x.yaml": "x"})
    change(tmp_path / path)
    commit = Repository(tmp_path).tree("HEAD")
    found = differences(commit, DirectoryTree(tmp_path), "rendered")
    below = {each for each, _ in commit.files() if each == path or each.startswith(f"{path}/")}
    # What is new counts among the specs, but for a link or a file in the place of a folder: there the files are gone.
    new = {f"{path}/new"} if change is a_folder and path.startswith("environments/") else set()
    assert set(found.paths) == below | new
    was_folder = below != {path}
    new_folder = change in NEW_FOLDERS and path.startswith("environments/") and not was_folder
    assert set(found.folders) == ({path} if new_folder else set())


def test_what_is_new_counts_among_the_specs_and_nowhere_else(tmp_path: Path) -> None:
    repository(tmp_path, {**PLAIN, FILE: "x\n"})
    write(
        tmp_path, {"notes/a.md": "x", f"{FOLDER}/deep/er/release.yaml": "x", "templates/a.j2": "x", "rendered/a": "x"}
    )
    (tmp_path / FILE).write_bytes(b"x\r\n")  # as a checkout with autocrlf writes it
    found = differences(Repository(tmp_path).tree("HEAD"), DirectoryTree(tmp_path), "rendered")
    assert found.paths == (f"{FOLDER}/deep/er/release.yaml", "templates/a.j2")
    assert found.folders == (f"{FOLDER}/deep", f"{FOLDER}/deep/er", "templates")


@pytest.mark.parametrize("name", ["environment.yaml", "release.yaml"])
def test_an_empty_folder_in_the_place_of_a_file_is_found_in_a_review(tmp_path: Path, name: str) -> None:
    repository(tmp_path, PLAIN)
    (tmp_path / FOLDER / "inner" / name).mkdir(parents=True)
    review = Review(Repository(tmp_path), DirectoryTree(tmp_path), "HEAD")
    (finding,) = review.after.compiler.found.findings
    assert finding.where.file == f"{FOLDER}/inner/{name}"


def a_folder_of_its_own(root: Path) -> None:
    (root / "environments/.git").mkdir(parents=True)


def a_link_for_all(root: Path) -> None:
    (root / "environments").symlink_to("..")


@pytest.mark.parametrize("change", [a_folder_of_its_own, a_link_for_all])
def test_all_environments_in_what_is_not_ours(tmp_path: Path, change: Callable[[Path], None]) -> None:
    made = repository(tmp_path, {"README.md": "x"})
    change(tmp_path)

    def codes(revision: str) -> list[str]:
        review = Review(Repository(tmp_path), DirectoryTree(tmp_path), revision)
        return [finding.code for finding in review.after.compiler.found.findings]

    assert codes("HEAD") == ["RS241"]
    if change is a_link_for_all:
        made.commit()
        assert codes("HEAD~1") == ["RS241"]
        (tmp_path / "environments").unlink()
        (tmp_path / "environments").mkdir()
        assert codes("HEAD") == []

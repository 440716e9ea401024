"""A folder on disk as a tree: what can't be opened is said, and never taken for what is not there."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from company import Content, base, company, compose, on_disk, registry, run, write
from relspec.cli import relspec
from relspec.diagnostics import RelspecError
from relspec.packaged import packaged_template
from relspec.tree import DirectoryTree, not_ours
from relspec.workspace import find_root

NOBODY = 65534
RELEASE = "environments/staging/recs/release.yaml"
TEMPLATE = "templates/compose/compose.yaml.j2"

Said = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def sound() -> dict[str, Content]:
    """A repository with all that a tree is asked for, about which nothing is said."""
    service = {
        "image": "a:1",
        "model": "als@v3",
        "files": {"/etc/a": {"from": "files"}, "/etc/own": {"from": "own"}},
    }
    template = packaged_template(TEMPLATE.removeprefix("templates/"))
    assert template is not None
    files: dict[str, Content] = {
        **company({"api": service}, compose(), extends="../../../bases/recs.yaml"),
        **registry("v3"),
        "bases/recs.yaml": base({}),
        "environments/staging/recs/files/a": "a",
        "environments/staging/recs/own": "b",
        "relspec.yaml": "apiVersion: relspec/v1\nkind: Repository\nschemas: [policies/schemas]\n",
        "policies/schemas/compose.json": "{}",
        TEMPLATE: template + "{# ours #}",
    }
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), files)
        # By now all is imported that can't be by a user who may not read where Python lies.
        assert said_by(Path(name), "check") == said_by(Path(name), "compile") == []
    return files


@pytest.fixture
def root(sound: dict[str, Content]) -> Iterator[Path]:
    """The repository, in a folder that everybody can reach, as those of pytest can't be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        write(folder, sound)
        yield folder
        folder.chmod(0o755)


def as_nobody(act: Callable[[], Any]) -> Any:
    """What `act` returns, as JSON, in a process of a user who is not root: root is refused nothing."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            said = json.dumps(act())
        except BaseException:  # nothing of the child may go on as a second pytest
            said = json.dumps(traceback.format_exc())
        with os.fdopen(into, "w") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    result = json.loads(said)
    assert not isinstance(result, str), result
    return result


def said_by(root: Path, *arguments: str) -> Said:
    """Code, message and hint of each thing that a verb says."""
    arguments = ("-C", str(root), *arguments, "--format", "json")
    result = CliRunner().invoke(relspec, arguments, standalone_mode=False)
    if isinstance(result.exception, RelspecError):
        return [(each.code, each.message, each.hint or "") for each in result.exception.findings]
    if result.exception:
        raise result.exception
    return [
        (each["code"], each["message"], each.get("hint") or "") for each in json.loads(result.stdout)["diagnostics"]
    ]


def given_to_nobody(root: Path) -> None:
    if os.geteuid() == 0:
        for path in [root, *root.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("verb", ["check", "compile"])
@pytest.mark.parametrize(
    "folder",
    [
        *("environments", "environments/staging", "environments/staging/recs", "environments/staging/recs/files"),
        *("registry", "registry/als", "bases", "templates", "templates/compose", "policies", "policies/schemas"),
    ],
)
def test_a_folder_that_cant_be_opened_is_named_with_what_to_type(root: Path, folder: str, verb: str) -> None:
    given_to_nobody(root)
    (root / folder).chmod(0)
    said = as_nobody(lambda: said_by(root, verb))
    (root / folder).chmod(0o755)
    assert said == [["RS240", f"{folder} can't be opened: Permission denied", f"run: chmod u+rx {folder}"]]
    assert not (root / "rendered").exists()


@pytest.mark.parametrize("verb", ["check", "compile"])
@pytest.mark.parametrize(
    "file",
    [
        *(RELEASE, "environments/staging/environment.yaml", "environments/staging/recs/own", TEMPLATE, "relspec.yaml"),
        *("environments/staging/recs/files/a", "registry/als/v3.yaml", "registry/als/model.yaml", "bases/recs.yaml"),
        *("relspec.lock", "policies/schemas/compose.json"),
    ],
)
def test_a_file_that_cant_be_read_is_named_with_what_to_type(root: Path, file: str, verb: str) -> None:
    given_to_nobody(root)
    (root / file).chmod(0)
    assert as_nobody(lambda: said_by(root, verb)) == [
        ["RS240", f"{file} can't be read: Permission denied", f"run: chmod u+r {file}"]
    ]
    assert not (root / "rendered").exists()


def test_a_folder_that_may_be_listed_and_not_entered_is_what_the_hint_opens(root: Path) -> None:
    given_to_nobody(root)
    (root / "environments/staging/recs").chmod(0o444)
    said = as_nobody(lambda: said_by(root, "compile"))
    (root / "environments/staging/recs").chmod(0o755)
    assert {tuple(each) for each in said} == {
        (
            *("RS240", "environments/staging/recs can't be opened: Permission denied"),
            "run: chmod u+rx environments/staging/recs",
        )
    }


def refusals(act: Callable[[], object]) -> Said:
    with pytest.raises(RelspecError) as raised:
        act()
    return [(each.code, each.message, each.hint or "") for each in raised.value.findings]


def test_the_top_that_cant_be_opened_is_named(root: Path) -> None:
    given_to_nobody(root)
    tree = DirectoryTree(root)
    root.chmod(0)
    for act in (lambda: find_root(root), lambda: tree.entries(""), lambda: tree.read(RELEASE), lambda: tree.kind("a")):
        said = as_nobody(lambda act=act: refusals(act))  # type: ignore[misc]
        assert said == [["RS240", f"{root} can't be opened: Permission denied", f"run: chmod u+rx {root}"]]


@pytest.mark.parametrize("path", ["no", "no/no", f"{RELEASE}/no", "n" * 300, "a\0b", "itself/no", "\ud800"])
def test_nothing_lies_there(root: Path, path: str) -> None:
    (root / "itself").symlink_to("itself")
    tree = DirectoryTree(root)
    assert (tree.kind(path), tree.entries(path)) == ("missing", [])
    with pytest.raises(RelspecError) as raised:
        tree.read(path)
    assert raised.value.findings[0].code == ("RS241" if path.startswith("itself") else "RS240")


def test_a_folder_that_goes_while_it_is_looked_into_has_no_entries(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = DirectoryTree(root)
    listed, gone = os.scandir, root / "environments/staging/recs/files"

    def scandir(path: str) -> object:
        if str(path).endswith("recs/files"):
            (gone / "a").unlink()
            gone.rmdir()
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert tree.entries("environments/staging/recs/files") == []
    assert ("files", "folder") not in tree.entries("environments/staging/recs")


def test_a_pipe_that_goes_while_its_folder_is_listed_is_none_of_the_entries(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = root / "bases/pipe"
    os.mkfifo(pipe)
    listed = os.scandir

    class Listing:
        def __init__(self, path: str) -> None:
            self.entries = list(listed(path))
            pipe.unlink(missing_ok=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Listing)
    assert DirectoryTree(root).entries("bases") == [("recs.yaml", "file")]


def test_a_system_that_fails_is_not_taken_for_one_that_says_no(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str, *_: object, **__: object) -> object:
        raise OSError(errno.EIO, "Input/output error", path)

    tree = DirectoryTree(root)
    assert tree.kind("bases") == "folder"
    for name, act in (("lstat", tree.kind), ("open", tree.read)):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, broken)
            with pytest.raises(RelspecError) as raised:
                act("bases/recs.yaml")
        assert raised.value.findings[0].code == "RS240"
        assert "bases/recs.yaml can't be read: Input/output error" in raised.value.findings[0].message


def test_a_folder_in_the_place_of_a_template_is_said(root: Path) -> None:
    (root / TEMPLATE).unlink()
    (root / TEMPLATE).mkdir()
    assert [(code, message) for code, message, _ in said_by(root, "compile")] == [
        ("RS240", f"{TEMPLATE} is a folder, not a file")
    ]


# --- schemas of relspec.yaml


@pytest.mark.parametrize("verb", ["check", "compile"])
@pytest.mark.parametrize("place", ["policies", "policies/schemas", "policies/schemas/compose.json"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_schemas_that_are_no_files_are_called_what_they_are(root: Path, place: str, kind: str, verb: str) -> None:
    assert said_by(root, verb) == []
    outputs = on_disk(root)
    (root / place).rename(root / "elsewhere")
    if kind == "link":
        (root / place).symlink_to(root / "elsewhere")
    else:
        os.mkfifo(root / place)
    why = not_ours(place, kind, None)  # type: ignore[arg-type]
    assert said_by(root, verb) == [("RS241", why.message, why.hint)]
    assert {path for path in on_disk(root) if path.startswith("rendered")} <= set(outputs)


def test_schemas_that_are_not_there_are_missing(root: Path) -> None:
    for path in sorted((root / "policies").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    ran = run(root, "check")
    assert ran.code == 1
    assert "there is no file or folder policies/schemas" in ran.out + ran.err

"""A clone in which everything that Git can be told to start leaves a mark: relspec reads it and starts none of it."""

from __future__ import annotations

import importlib
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from company import GIT_ENVIRONMENT, registry, repository, run, with_service, write
from company import Repository as Made
from relspec.cli import VERBS
from relspec.diagnostics import RelspecError
from relspec.gitops.prediction import merged, predict
from relspec.gitops.repository import Repository

pytestmark = [pytest.mark.judge, pytest.mark.slow]

HOOKS = (
    *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-merge", "pre-push"),
    *("post-checkout", "post-index-change", "reference-transaction", "pre-rebase", "post-rewrite", "pre-auto-gc"),
    *("sendemail-validate", "fsmonitor-watchman", "proc-receive", "update", "post-update", "pre-receive"),
)
ATTRIBUTES = "* diff=trap merge=trap\n*.yaml filter=trap\n*.lock filter=process\n"

READS = (
    ("check",),
    ("check", "--since", "HEAD~2"),
    ("check", "--merge", "side"),
    ("compile", "--check"),
    ("compile", "--check", "--at", "HEAD"),
    ("compile", "--at", "HEAD~1", "--stdout"),
    ("explain", "production/recs", "api.image"),
    ("plan",),
    ("plan", "HEAD~2..HEAD"),
    ("plan", "HEAD~2..HEAD", "--format", "json"),
    ("plan", "HEAD~2..HEAD", "--format", "markdown"),
    ("history", "production/recs"),
    ("history", "production/recs", "--at", "2026-03-04T14:05Z"),
    ("drill",),
    ("rollback", "production/recs", "--dry-run"),
    ("rollback", "production/recs", "--to", "HEAD~2", "--dry-run"),
)
"""What relspec does without writing."""


@dataclass(frozen=True)
class Hostile:
    """The clone, and the folder where a trap that is started leaves its name."""

    made: Made
    marks: Path

    def started(self) -> set[str]:
        """The traps that were started so far."""
        return {path.name for path in self.marks.iterdir()}

    @property
    def environment(self) -> dict[str, str]:
        """What a user may have set on top: it names traps, too."""
        traps = {
            "GIT_EXTERNAL_DIFF": "environment-diff",
            "GIT_SSH_COMMAND": "environment-ssh",
            "GIT_PAGER": "environment-pager",
            "PAGER": "environment-pager",
            "GIT_EDITOR": "environment-editor",
            "GIT_SEQUENCE_EDITOR": "environment-editor",
            "GIT_ASKPASS": "environment-askpass",
            "GIT_PROXY_COMMAND": "environment-proxy",
        }
        mine = {name: str(self.trap(mark)) for name, mark in traps.items()}
        home = {"HOME": str(self.marks.parent / "home"), "PATH": os.environ["PATH"]}
        return {**os.environ, **home, **mine}

    def trap(self, name: str) -> Path:
        """A program that leaves its name. It is made where it is missing."""
        path = self.marks.parent / "traps" / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\n: > "{self.marks}/{name}"\nexit 1\n')
            path.chmod(0o755)
        return path


def set_traps(hostile: Hostile) -> None:
    """Everything in Git's settings that names a program."""

    def trap(name: str) -> str:
        return str(hostile.trap(name))

    git = hostile.made.git
    for key, value in {
        "core.fsmonitor": trap("fsmonitor"),
        "core.pager": trap("pager"),
        "pager.log": trap("pager"),
        "core.editor": trap("editor"),
        "sequence.editor": trap("editor"),
        "core.askPass": trap("askpass"),
        "core.sshCommand": trap("ssh"),
        "core.gitProxy": trap("proxy"),
        "core.alternateRefsCommand": trap("alternate-refs"),
        "core.attributesFile": str(hostile.marks.parent / "attributes"),
        "diff.external": trap("external-diff"),
        "diff.trap.textconv": trap("textconv"),
        "diff.trap.cachetextconv": "true",
        "filter.trap.clean": trap("clean"),
        "filter.trap.smudge": trap("smudge"),
        "filter.process.process": trap("process"),
        "merge.trap.driver": trap("merge-driver") + " %O %A %B",
        "merge.default": "trap",
        "merge.renormalize": "true",
        "gpg.program": trap("gpg"),
        "gpg.ssh.program": trap("gpg"),
        "log.showSignature": "true",
        "merge.verifySignatures": "true",
        "alias.trap": "!" + trap("alias"),
        "alias.log": "!" + trap("alias"),
        "alias.cat-file": "!" + trap("alias"),
        "credential.helper": "!" + trap("credential"),
        "interactive.diffFilter": trap("diff-filter"),
        "remote.origin.url": "ssh://git.acme.example/specs",
        "remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*",
        "remote.beside.url": str(hostile.made.folder),
        "remote.beside.uploadpack": trap("uploadpack"),
        "uploadpack.packObjectsHook": trap("pack-objects"),
        "branch.main.remote": "origin",
        "branch.main.merge": "refs/heads/main",
        "include.path": str(hostile.marks.parent / "included"),
    }.items():
        git("config", key, value)
    hooks = hostile.marks.parent / "hooks"
    hooks.mkdir()
    for name in HOOKS:
        shutil.copy(hostile.trap("hook"), hooks / name)
    write(hostile.marks.parent, {"included": f"[core]\n\thooksPath = {hooks}\n", "attributes": ATTRIBUTES})
    shutil.copytree(hooks, hostile.made.folder / ".git/hooks", dirs_exist_ok=True)
    write(hostile.made.folder / ".git/info", {"attributes": ATTRIBUTES})


def a_company(folder: Path) -> Made:
    """Five commits with their outputs, a merge and a signed commit among them, and a branch that main does not have."""
    files = {**with_service({"model": "als@v1", "image": None}), **registry("v1", "v2", "v3")}
    made = repository(folder, {**files, ".gitattributes": ATTRIBUTES})
    run(folder, "compile")
    made.commit()
    made.git("branch", "side")
    for version in ("v2", "v3"):
        write(folder, with_service({"model": f"als@{version}", "image": None}))
        run(folder, "compile")
        made.commit(f"als {version}")
    made.git("switch", "-q", "side")
    write(folder, {"registry/als/v4.yaml": registry("v4")["registry/als/v4.yaml"]})
    made.commit()
    made.git("switch", "-q", "main")
    made.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    made.git("switch", "-q", "side")
    write(folder, {"environments/production/recs/note": "a note\n"})
    made.commit()
    made.git("switch", "-q", "main")
    signed(made)
    return made


def signed(made: Made) -> None:
    """A last commit that says it is signed."""
    plain = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=made.folder, env=GIT_ENVIRONMENT, capture_output=True, check=True
    ).stdout
    head, _, _ = plain.partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.startswith(b"parent ")]
    lines.insert(1, b"parent " + made.git("rev-parse", "HEAD").encode())
    signature = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----"
    made.folder.joinpath("commit").write_bytes(b"\n".join([*lines, signature]) + b"\n\nsigned\n")
    made.git("update-ref", "refs/heads/main", made.git("hash-object", "-t", "commit", "-w", "commit"))
    made.folder.joinpath("commit").unlink()


def hostile_clone(folder: Path, *, partial: bool) -> Hostile:
    """The company, with traps. Partial: what older commits hold was not fetched, and fetching it is a trap, too."""
    (folder / "marks").mkdir(parents=True)
    (folder / "home").mkdir()
    made = a_company(folder / "clone")
    if partial:
        made.git("config", "uploadpack.allowFilter", "true")
        made.git("clone", "-q", "--filter=blob:none", made.folder.as_uri(), str(folder / "partial"))
        made = Made(folder / "partial")
        made.git("branch", "-q", "side", "origin/side")
    hostile = Hostile(made, folder / "marks")
    set_traps(hostile)
    if partial:
        made.git("config", "remote.origin.promisor", "true")
    write(folder, {"home/.gitconfig": (made.folder / ".git/config").read_bytes()})
    for mark in hostile.marks.iterdir():
        mark.unlink()
    return hostile


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """A clone with everything in it."""
    return hostile_clone(tmp_path_factory.mktemp("whole"), partial=False)


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """A clone without the blobs of older commits."""
    return hostile_clone(tmp_path_factory.mktemp("partial"), partial=True)


@pytest.fixture(params=["whole", "partial"])
def hostile(request: pytest.FixtureRequest) -> Iterator[Hostile]:
    """Both, one after the other; nothing may be started by the end."""
    found: Hostile = request.getfixturevalue(request.param)
    assert found.started() == set()
    yield found
    assert found.started() == set()


# --- the traps are armed


def test_the_traps_are_armed(tmp_path: Path) -> None:
    hostile = hostile_clone(tmp_path, partial=False)
    folder = hostile.made.folder
    environment = {**GIT_ENVIRONMENT, "GIT_TERMINAL_PROMPT": "0"}

    def git(*arguments: str, data: bytes = b"") -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=environment, input=data, capture_output=True, check=False)

    git("status")
    git("trap")
    git("diff", "HEAD~2", "HEAD")
    git("diff", "--no-ext-diff", "HEAD~2", "HEAD")
    git("log")
    git("log", "-1")
    git("show", "--show-signature", "HEAD")
    git("commit", "--allow-empty", "--no-verify")
    git("fetch", "origin")
    git("fetch", "beside")
    git("credential", "fill", data=b"protocol=https\nhost=acme.example\n\n")
    git("config", "--edit")
    git("branch", "another")
    (folder / "relspec.lock").touch()
    (folder / "environments/production/environment.yaml").write_text("changed\n")
    git("add", "-A")
    git("checkout", "-f", "HEAD~2")
    git("revert", "--no-commit", "HEAD")
    git("-c", "merge.verifySignatures=false", "revert", "--no-commit", "main~1")
    main, terminal = pty.openpty()
    subprocess.run(["git", "log"], cwd=folder, env={**environment, "TERM": "xterm"}, stdout=terminal, check=False)
    os.close(terminal)
    os.close(main)
    expected = {"fsmonitor", "hook", "alias", "external-diff", "textconv", "clean", "smudge", "process", "pager", "gpg"}
    expected |= {"editor", "ssh", "uploadpack", "credential"}
    assert hostile.started() >= expected


def test_the_merge_driver_is_armed(tmp_path: Path) -> None:
    hostile = hostile_clone(tmp_path, partial=False)
    git = hostile.made.git
    for key in ("filter.trap.clean", "filter.trap.smudge", "filter.process.process", "core.fsmonitor"):
        git("config", "--unset", key)
    shutil.rmtree(tmp_path / "hooks")
    shutil.rmtree(hostile.made.folder / ".git/hooks")
    git("revert", "--no-commit", "main~3", check=False)
    assert "merge-driver" in hostile.started()


# --- and nothing starts them

CALLS: dict[str, Callable[[Repository, str], object]] = {
    "git_dir": lambda r, _: r.git_dir,
    "common_dir": lambda r, _: r.common_dir,
    "top": lambda r, _: r.top,
    "prefix": lambda r, _: r.prefix,
    "exists": lambda r, _: r.exists,
    "refs": lambda r, _: r.refs,
    "head": lambda r, _: r.head(),
    "branch": lambda r, _: r.branch(),
    "upstream": lambda r, _: r.upstream(),
    "shallow": lambda r, _: r.shallow,
    "tracked": lambda r, _: r.tracked("**/*.yaml"),
    "day": lambda r, _: r.day(),
    "store": lambda r, head: [r.store.folder(r.commit(head).tree)],
    "git": lambda r, head: r.git("log", "-p", "-m", "--ext-diff", "--textconv", "--show-signature", head, check=False),
    "resolve": lambda r, _: [r.resolve(name) for name in ("HEAD~1", "main", "side", "HEAD@{0}", "0" * 40)],
    "commit": lambda r, head: r.commit(head),
    "tree": lambda r, head: [r.tree(f"{head}~{back}").read("relspec.lock") for back in range(3)],
    "tree_of": lambda r, head: list(r.tree_of(r.commit(head).tree).files()),
    "parent": lambda r, head: r.parent(r.commit(head)),
    "first_parents": lambda r, head: r.first_parents(head),
    "records": lambda r, head: list(r.records(head)),
    "first_parent_lines": lambda r, head: r.first_parent_lines(head),
    "path_ids": lambda r, head: r.path_ids([r.commit(head).tree] * 2).read(["registry/als", "no\nline"], 2),
    "has_read": lambda r, head: r.has_read(head),
    "read_commits": lambda r, head: r.read_commits([head]),
    "keep_tree": lambda r, head: r.keep_tree(r.commit(head), r.tree(head)),
    "between": lambda r, head: r.between(r.resolve("HEAD~3"), head),
    "changed": lambda r, head: r.changed(head, r.resolve("HEAD~3")),
    "differing": lambda r, head: r.differing(head, r.resolve("HEAD~3")),
    "is_ancestor": lambda r, head: r.is_ancestor(r.resolve("HEAD~3"), head),
    "merge_base": lambda r, head: r.merge_base(r.resolve("side"), head),
    "renewed": lambda r, _: r.renewed().head(),
    "close": lambda r, _: r.close(),
}


def test_all_that_a_repository_can_be_asked_is_asked_here() -> None:
    assert {name for name in vars(Repository) if not name.startswith("_")} == set(CALLS)


def answered(ask: Callable[[], Any]) -> Any:
    """An answer, or the error that says what this clone does not have."""
    try:
        return ask()
    except RelspecError as error:
        if {finding.code for finding in error.findings} <= {"RS606", "RS630", "RS631"}:
            return error
        raise


@pytest.mark.parametrize("name", CALLS)
def test_reading_starts_nothing(hostile: Hostile, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in hostile.environment.items():
        monkeypatch.setenv(variable, value)
    reader = Repository(hostile.made.folder)
    head = reader.head()
    assert head is not None
    try:
        found = answered(lambda: CALLS[name](reader, head))
    finally:
        reader.close()
    assert not isinstance(found, RelspecError) or name == "resolve" or hostile.made.folder.name == "partial"


def test_predictions_start_nothing(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in hostile.environment.items():
        monkeypatch.setenv(variable, value)
    reader = Repository(hostile.made.folder)
    head = reader.resolve("main")
    commits = [commit.id for commit in reader.first_parents(head)[:4]]
    found = [answered(lambda commit=commit: predict(reader, commit, head)) for commit in commits]  # type: ignore[misc]
    side = answered(lambda: merged(reader, head, reader.resolve("side")))
    if hostile.made.folder.name == "clone":
        assert {prediction.kind for prediction in found} >= {"exact", "conflicts"}
        assert side.tree is not None


def exists(arguments: tuple[str, ...]) -> bool:
    """Whether the program has the verb, with its options."""
    if arguments[0] not in VERBS:
        return False
    command = importlib.import_module(f"relspec.cli.{arguments[0]}").command
    options = {option for parameter in command.params for option in parameter.opts}
    return {word for word in arguments if word.startswith("--")} <= options


@pytest.mark.parametrize("arguments", [words for words in READS if exists(words)], ids=" ".join)
def test_verbs_start_nothing(hostile: Hostile, arguments: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "relspec", *arguments],
        cwd=hostile.made.folder,
        env=hostile.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode in ((0, 1) if hostile.made.folder.name == "clone" else (0, 1, 2)), result.stderr


@pytest.mark.parametrize("setting", [("core.worktree", "/"), ("core.worktree", "../elsewhere"), ("core.bare", "true")])
def test_a_repository_that_says_it_lies_elsewhere(tmp_path: Path, setting: tuple[str, str]) -> None:
    hostile = hostile_clone(tmp_path, partial=False)
    hostile.made.git("config", *setting)
    reader = Repository(hostile.made.folder)
    head = reader.resolve("main")
    assert reader.tree(head).kind("relspec.lock") == "file"
    assert predict(reader, head, head).kind == "nothing to undo"
    assert hostile.started() == set()

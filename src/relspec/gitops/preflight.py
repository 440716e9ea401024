"""What must hold before a commit of ours touches anything: who commits, what is under way, which paths are in the way."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops.journal import Change, identity, on_disk
from relspec.gitops.user_git import Entry, UserGit, chunks

UNDER_WAY = (
    ("MERGE_HEAD", "merge", "git merge --continue, or: git merge --abort"),
    ("CHERRY_PICK_HEAD", "cherry-pick", "git cherry-pick --continue, or: git cherry-pick --abort"),
    ("REVERT_HEAD", "revert", "git revert --continue, or: git revert --abort"),
    ("rebase-merge", "rebase", "git rebase --continue, or: git rebase --abort"),
    ("rebase-apply", "rebase or git am", "git rebase --continue, or: git rebase --abort (git am --abort)"),
    ("sequencer", "revert or cherry-pick of several commits", "git revert --continue, or: git revert --quit"),
)
"""What Git leaves in its folder while a command waits for its user: wt-status.c, wt_status_get_state. A bisect may go on."""

SIGNERS = {"openpgp": "gpg", "x509": "gpgsm", "ssh": "ssh-keygen"}
"""The signing program of each gpg.format: gpg-interface.c."""

FILE_MODES = ("100644", "100755")


def nothing_under_way(git_dir: Path) -> None:
    """Raises RelspecError RS617 where a merge, rebase, revert or cherry-pick waits to be continued."""
    for name, what, hint in UNDER_WAY:
        if os.path.lexists(git_dir / name):
            raise RelspecError(
                Finding(
                    "RS617",
                    f"a {what} is under way",
                    Where(str(git_dir / name)),
                    f"end it first: {hint}; or leave it alone: relspec rollback … --branch NAME",
                )
            )


def head_is(git: UserGit, parent: str) -> None:
    """Raises RelspecError RS608 where HEAD is another commit than the one that the proposal was proven on."""
    head = git.head()
    if head != parent:
        raise moved(parent, head)


def moved(parent: str, head: str | None) -> RelspecError:
    """RS608: somebody committed in between."""
    now = head[:9] if head else "no commit"
    return RelspecError(
        Finding(
            "RS608",
            f"HEAD is now {now}, and what was proven builds on {parent[:9]}",
            Where("HEAD"),
            "look at what came in with: git log -3; then run the same command again",
        )
    )


def identified(git: UserGit) -> None:
    """Raises RelspecError RS609 where Git doesn't know who commits."""
    for person in ("GIT_COMMITTER_IDENT", "GIT_AUTHOR_IDENT"):
        done = git.run("var", person)
        if done.code != 0:
            raise RelspecError(
                Finding(
                    "RS609",
                    "Git doesn't know who commits",
                    Where("user.email"),
                    "type: git config user.name 'Your Name' && git config user.email you@example.com",
                )
            )


def signs(git: UserGit) -> bool:
    """Whether commits are signed here (commit.gpgSign). Raises RelspecError RS609 where they can't be."""
    if git.run("config", "--type=bool", "--get", "commit.gpgSign").output.strip() != b"true":
        return False
    answer = git.run("config", "-z", "--get-regexp", r"^(gpg\.|user\.signingkey$)").output
    pairs = (entry.partition("\n") for entry in os.fsdecode(answer).split("\0") if entry)
    settings = {name: value for name, _, value in pairs}
    scheme = settings.get("gpg.format", "openpgp").lower()
    given = settings.get(f"gpg.{scheme}.program") or (settings.get("gpg.program") if scheme == "openpgp" else None)
    program = Path(given or SIGNERS.get(scheme, "gpg")).expanduser()
    found = (git.folder / program) if len(program.parts) > 1 else program
    if shutil.which(found) is None:
        raise _unsigned(f"commits are signed here (commit.gpgSign), and there is no program {program}")
    if scheme == "ssh" and not ({"user.signingkey", "gpg.ssh.defaultkeycommand"} & set(settings)):
        raise _unsigned("commits are signed here (commit.gpgSign) with ssh, and no key is set")
    return True


def _unsigned(message: str) -> RelspecError:
    return RelspecError(
        Finding(
            "RS609",
            message,
            Where("commit.gpgSign"),
            "install it, or set it up (gpg.program, user.signingKey); to commit unsigned this once: "
            "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=commit.gpgSign GIT_CONFIG_VALUE_0=false relspec rollback …",
        )
    )


def changes(
    git: UserGit, parent: str, files: Mapping[str, bytes | None], modes: Mapping[str, str]
) -> tuple[Change, ...]:
    """What `files` change in the tree of `parent`, sorted by path; the work tree isn't looked at.

    A mode is what `modes` says, else it stays as it is at `parent`; a new file (or one in place of a link) gets 100644. Raises RelspecError: RS618 for
    a submodule, RS241 for a path that no tree can hold.
    """
    for path in files:
        if not path or "\0" in path or any(part.lower() in ("", ".", "..", ".git") for part in path.split("/")):
            raise RelspecError(Finding("RS241", f"{path!r} is not a path in a repository", Where(path)))
    entries = git.entries(parent, files)
    found = []
    for path in sorted(files):
        data, old = files[path], entries.get(path)
        if old is not None and old.mode == "160000":
            raise RelspecError(_in_the_way(path, "is a submodule", f"move it elsewhere: git mv {path} …"))
        mode = old.mode if old is not None and old.mode in FILE_MODES else "100644"
        new = None if data is None else Entry(modes.get(path, mode), identity(data, parent))
        if new != old:
            found.append(Change(path, old, new))
    return tuple(found)


def clean(git: UserGit, wanted: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes with what lies in the work tree, all of which is as at HEAD.

    Raises RelspecError RS618 with every path that isn't: staged, edited, unmerged, or a file in the way that Git doesn't
    track, ignored or not (`git revert` would overwrite an ignored file: unpack-trees.c, verify_absent).
    """
    top = git.folder
    findings = [
        _in_the_way(path, "has changes that are not committed", "commit them, or put them aside: git stash push")
        for path in _dirty(git, wanted)
    ]
    flags = _flags(git, wanted)
    goes = {change.path for change in wanted if change.new is None}
    seen = []
    for change in wanted:
        flag = flags.get(change.path, "")
        present = flag.upper() != "S"
        here = on_disk(top / change.path, change.old.blob if change.old else _like(change))
        if change.old is None and change.path not in flags and here is not None:
            findings.append(_in_the_way(change.path, "is in the way, and Git doesn't track it", "move it elsewhere"))
        elif flag.islower() and present and here != (change.old.blob if change.old else None):
            what = "differs from HEAD, and is marked as unchanged (git update-index --assume-unchanged)"
            findings.append(_in_the_way(change.path, what, "commit it or put it back"))
        elif change.new is not None and present:
            findings += _parents(top, change.path, goes)
        seen.append(Change(change.path, change.old, change.new, here, present))
    if findings:
        raise RelspecError(*{finding.where.file: finding for finding in reversed(findings)}.values())
    return tuple(seen)


def folders_to_make(top: Path, wanted: Iterable[Change]) -> tuple[str, ...]:
    """The folders above new files that don't exist yet, or that stand where a file goes."""
    found = set()
    for change in wanted:
        if change.new is not None and change.on_disk:
            parts = change.path.split("/")[:-1]
            found |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
    return tuple(sorted(folder for folder in found if not _is_folder(top / folder)))


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _like(change: Change) -> str:
    return change.new.blob if change.new else ""


def _dirty(git: UserGit, wanted: tuple[Change, ...]) -> list[str]:
    """The tracked paths that differ between HEAD, index and work tree, as `git status` sees them."""
    found = []
    for some in chunks(change.path for change in wanted):
        output = git.must(
            *("--literal-pathspecs", "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no"),
            *("--ignore-submodules=none", "--", *some),
        )
        found += [os.fsdecode(record[3:]) for record in output.split(b"\0") if record]
    return found


def _flags(git: UserGit, wanted: tuple[Change, ...]) -> dict[str, str]:
    """What `git ls-files -v` says of the paths in the index: S where a sparse checkout leaves it out, small: assumed."""
    found = {}
    for some in chunks(change.path for change in wanted):
        output = git.must("--literal-pathspecs", "ls-files", "-v", "-z", "--", *some)
        found.update({os.fsdecode(record[2:]): chr(record[0]) for record in output.split(b"\0") if record})
    return found


def _parents(top: Path, path: str, goes: set[str]) -> list[Finding]:
    """What stands where a folder or the file itself has to be, and doesn't go with the same commit."""
    parts = path.split("/")
    for number in range(1, len(parts)):
        above = "/".join(parts[:number])
        if os.path.lexists(top / above) and not _is_folder(top / above):
            if above in goes:
                return []
            return [_in_the_way(above, f"is in the way of {path}", "move it elsewhere")]
    if not _is_folder(top / path):
        return []
    inside = (
        (Path(folder) / name).relative_to(top).as_posix() for folder, _, names in os.walk(top / path) for name in names
    )
    return [
        _in_the_way(other, f"is in the way of {path}", "move it elsewhere")
        for other in sorted(inside)
        if other not in goes
    ][:1]


def _in_the_way(path: str, what: str, hint: str) -> Finding:
    return Finding("RS618", f"{path} {what}", Where(path), f"{hint}; or leave the work tree alone: --branch NAME")

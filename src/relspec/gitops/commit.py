"""A commit of ours in the user's repository: made in ten steps, of which any may fail.

The model is what `git revert` does for one commit (sequencer.c, do_pick_commit and try_commit): its hooks
(prepare-commit-msg, post-commit, and Git's own reference-transaction and post-index-change; neither pre-commit nor
commit-msg), its author, its signing. Where it can't be the model: `git revert` refuses a dirty index, and we commit
beside it, as `git commit --only` does (builtin/commit.c, prepare_index); and a killed `git revert` leaves it to its user
to find out what happened.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct, field

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops import journal, preflight
from relspec.gitops.journal import Change, IndexLock, Journal
from relspec.gitops.signals import deferred
from relspec.gitops.user_git import Done, Entry, UserGit, failed, joined

HOOK_VERSION = (2, 36)
"""The first Git that has `git hook run`."""


class Place(Protocol):
    """Where a repository is (see `gitops.repository.Repository`)."""

    @property
    def git_dir(self) -> Path:
        """The folder of HEAD and the index."""

    @property
    def top(self) -> Path | None:
        """The top of the work tree; None in a bare repository."""


class Proposal(Struct, frozen=True):
    """A commit that was proven: onto `parent`, which must still be HEAD, `files` give the tree `tree`.

    Paths lie below the Git top folder; None is a file that goes. The message is taken as it is. `modes` are those of
    files that get another one than they have (100755, 100644).
    """

    parent: str
    files: Mapping[str, bytes | None]
    message: str
    tree: str
    modes: Mapping[str, str] = field(default_factory=dict)


class Committed(Struct, frozen=True):
    """The new commit's id, and what a person should know (a hook that was skipped or failed afterwards)."""

    commit: str
    notes: tuple[str, ...] = ()


class Recovered(Struct, frozen=True):
    """How an interrupted commit was ended: it was not made and all is as before, or it was and is finished now."""

    outcome: Literal["nothing", "undone", "finished"]
    notes: tuple[str, ...] = ()


def _unwatched(step: int) -> None:
    """Nobody looks at the steps."""


def commit(
    repository: Place, proposal: Proposal, *, pre_commit: bool = False, after: Callable[[int], None] = _unwatched
) -> Committed:
    """Makes the proposed commit on HEAD, in index and work tree; what is staged or edited elsewhere stays so.

    `pre_commit` runs that hook too; `after` is told the number of each step that is done. Whatever happens before HEAD
    has moved (step 8), signals included, everything is put back. A later signal ends only the post-commit hook.

    Raises RelspecError: RS607 index.lock is held; RS608 HEAD has moved; RS609 nobody to commit as, nothing to sign with,
    no work tree; RS612 a hook or the signing failed; RS614 the tree isn't the proven one; RS617 a merge or the like is
    under way; RS618 a path isn't clean; RS640 something can't be written; RS641 an earlier one was killed; RS643 a
    signal.
    """
    if repository.top is None:
        raise RelspecError(
            Finding("RS609", "a bare repository has no work tree", Where(str(repository.git_dir)), "use: --branch NAME")
        )
    with deferred() as signals:
        return _Attempt(UserGit(repository.top, signals), repository.git_dir, proposal, after).run(pre_commit)


def commit_on_branch(repository: Place, proposal: Proposal, branch: str) -> Committed:
    """Makes the proposed commit as a new branch; HEAD, index and work tree are not touched, and may be in any state.

    prepare-commit-msg runs; pre-commit and post-commit don't, which look at a work tree that isn't this commit's.
    Raises RelspecError: RS609, RS612, RS614, RS640, RS643 as `commit`; RS642 no name for a branch, or one that exists.
    """
    ref = f"refs/heads/{branch}"
    with deferred() as signals, tempfile.TemporaryDirectory(prefix="relspec-") as folder:
        # A split index would leave its shared half in the Git folder.
        git = UserGit(repository.top or repository.git_dir, signals, ("core.splitIndex=false",))
        if branch.startswith("-") or branch in ("HEAD", "@") or git.run("check-ref-format", ref).code != 0:
            raise RelspecError(Finding("RS642", f"{branch!r} is no name for a branch", Where(branch), "choose another"))
        _free(git, branch)
        preflight.identified(git)
        signed = preflight.signs(git)
        changes = preflight.changes(git, proposal.parent, proposal.files, proposal.modes)
        index = Path(folder) / "index"
        _store(git, Path(folder), changes, proposal.files)
        _tree_with(git, index, proposal.parent, changes)
        try:
            message, notes = _message(git, Path(folder), proposal.message, index)
        finally:
            signals.check()
        _proven(git, index, proposal, changes)
        new = _commit_object(git, proposal, message, signed)
        done = git.run("update-ref", "-m", _reflog(message), ref, new, "0" * len(new))
        if done.code != 0:
            _free(git, branch)
            raise _refused(done)
        return Committed(new, tuple(notes))


def pending(repository: Place) -> bool:
    """Whether a commit of ours was killed here and waits for `recover`; two looks at the Git folder."""
    who = journal.holder(repository.git_dir)
    return who == "nobody alive" or (who != "relspec" and journal.journal_file(repository.git_dir).exists())


def recover(repository: Place) -> Recovered:
    """Ends a commit that was killed: forward where HEAD already has it, back where not.

    Each path goes the way that HEAD shows now, and only where the bytes are those that we know: what somebody has
    edited since is left and noted. It may itself be killed and run again. Raises RelspecError: RS607 index.lock is held
    by somebody else, RS640 something can't be written.
    """
    git_dir = repository.git_dir
    if repository.top is None or not pending(repository):
        return Recovered("nothing")
    with deferred() as signals:
        lock = IndexLock.inherit(git_dir) or IndexLock.take(git_dir)
        try:
            git = UserGit(repository.top, signals)
            recovered = _recovered(git, git_dir, repository.top)
            journal.clear(git_dir)
        except OSError as error:
            lock.leave()
            raise journal.unwritable(git_dir, error) from error
        except BaseException:
            lock.leave()
            raise
        lock.release()
        return recovered


def _recovered(git: UserGit, git_dir: Path, top: Path) -> Recovered:
    record = journal.read_journal(git_dir)
    if record is None:
        return Recovered("undone")
    head = git.entries("HEAD", (change.path for change in record.changes))
    back = {change.path for change in record.changes if head.get(change.path) == change.old}
    forward = [change for change in record.changes if head.get(change.path) == change.new]
    left = {change.path for change in record.changes} - back - {change.path for change in forward}
    left |= set(journal.undo(top, git_dir, record, back))
    left |= _finish(git, git_dir, top, forward)
    notes = [f"{path} has changed since, and was left as it is" for path in sorted(left)]
    return Recovered("undone" if back or git.head() == record.parent else "finished", (*notes, *_kept_back(forward)))


def _finish(git: UserGit, git_dir: Path, top: Path, forward: Sequence[Change]) -> set[str]:
    """Index and work tree of paths that HEAD has already; those that were left because somebody changed them since."""
    staged = git.staged(change.path for change in forward)
    behind = [change for change in forward if staged.get(change.path) == change.old]
    left = {change.path for change in forward if staged.get(change.path) not in (change.old, change.new)}
    journal.scratch(git_dir).mkdir(exist_ok=True)
    for number, change in enumerate(forward):
        now = journal.on_disk(top / change.path, (change.old or change.new or Entry("", "")).blob)
        if not change.on_disk or now == (change.new.blob if change.new else None):
            continue
        if now != change.found:
            left.add(change.path)
        elif change.new is None:
            journal.remove(top, change.path)
        else:
            blob = journal.scratch(git_dir) / f"blob-{number}"
            _write(blob, git.must("cat-file", "blob", change.new.blob), change.new.mode)
            journal.move(blob, top / change.path, number)
    if behind:
        index = _copied_index(git_dir)
        _stage(git, index, behind)
        _look_at_files(git, index, behind)
        index.replace(git_dir / "index")
    return left


class _Attempt:
    """One commit on HEAD, from taking the lock to giving it back."""

    def __init__(self, git: UserGit, git_dir: Path, proposal: Proposal, after: Callable[[int], None]) -> None:
        self.git = git
        self.git_dir = git_dir
        self.scratch = journal.scratch(git_dir)
        self.proposal = proposal
        self.after = after

    def run(self, pre_commit: bool) -> Committed:
        """The ten steps."""
        self._checked()
        if journal.journal_file(self.git_dir).exists() and journal.holder(self.git_dir) == "nobody":
            raise journal.interrupted(self.git_dir)
        lock = IndexLock.take(self.git_dir)
        try:
            self._done(1)
            new, notes = self._until_head(pre_commit)
        except BaseException as error:
            self._undo(lock, error)
            if isinstance(error, OSError):
                raise journal.unwritable(self.git_dir, error) from error
            raise
        self.after(8)
        notes += self._finish(lock)
        self.after(10)
        return Committed(new, tuple(notes))

    def _done(self, step: int) -> None:
        self.after(step)
        self._checked()

    def _checked(self) -> None:
        self.git.signals.check()

    def _until_head(self, pre_commit: bool) -> tuple[str, list[str]]:
        """Steps 2 to 8: the id of the commit that HEAD then names, and the notes."""
        git, proposal = self.git, self.proposal
        preflight.nothing_under_way(self.git_dir)
        preflight.head_is(git, proposal.parent)
        preflight.identified(git)
        signed = preflight.signs(git)
        changes = preflight.clean(git, preflight.changes(git, proposal.parent, proposal.files, proposal.modes))
        self._done(2)
        self._write_files(changes)
        self._done(3)
        index = self._indexes(changes)
        self._done(4)
        try:
            notes = _hook(git, "pre-commit", index=index) if pre_commit else []
            message, more = _message(git, self.scratch, proposal.message, index)
        finally:
            # A signal that reached the hook is what failed, not the hook.
            self._checked()
        self._done(5)
        _proven(git, index, proposal, changes)
        self._done(6)
        new = _commit_object(git, proposal, message, signed)
        self._done(7)
        done = git.run("update-ref", "-m", _reflog(message), "HEAD", new, proposal.parent)
        # HEAD itself says whether it has moved: the command may have been killed after the fact.
        if done.code != 0 and (head := git.head()) != new:
            raise preflight.moved(proposal.parent, head) if head != proposal.parent else _refused(done)
        return new, [*_kept_back(changes), *notes, *more]

    def _write_files(self, changes: tuple[Change, ...]) -> None:
        """Step 3. All that needs room on the disk comes before the first file of the work tree is replaced."""
        top = self.git.folder
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        journal.back_up(top, self.git_dir, changes)
        _store(self.git, self.scratch, changes, self.proposal.files)
        record = Journal(self.proposal.parent, changes, preflight.folders_to_make(top, changes))
        journal.write_journal(self.git_dir, record)
        self._checked()
        journal.put_in_place(top, self.git_dir, changes)

    def _indexes(self, changes: tuple[Change, ...]) -> Path:
        """Step 4: the index to come, and the one of the commit, which is the same if nothing else is staged."""
        git = self.git
        # Asked of the real index: an unrelated staged change stays staged and is not in the commit.
        alone = git.run("diff-index", "--cached", "--quiet", self.proposal.parent).code == 0
        index = _copied_index(self.git_dir)
        _stage(git, index, changes)
        _look_at_files(git, index, changes)
        if alone:
            return index
        beside = self.scratch / "commit-index"
        _tree_with(git, beside, self.proposal.parent, changes)
        return beside

    def _finish(self, lock: IndexLock) -> list[str]:
        """Steps 9 and 10. The commit is made: from here on nothing is undone, only said."""
        try:
            (self.scratch / "index").replace(self.git_dir / "index")
            journal.clear(self.git_dir)
        except OSError as error:
            lock.leave()
            return [f"the commit is made, but the index can't be written ({error}); {journal.RECOVER}"]
        lock.release()
        self.after(9)
        stopped = f"{self.git.signals.name} came when the commit was made: post-commit was not run, or not to its end"
        try:
            notes = [] if self.git.signals.number else _hook(self.git, "post-commit", index=self.git_dir / "index")
        except RelspecError as error:
            notes = [finding.message for finding in error.findings]
        return [stopped] if self.git.signals.number else notes

    def _undo(self, lock: IndexLock, cause: BaseException) -> None:
        """All as it was. Raises RelspecError RS641 where that fails too, with everything left for --recover."""
        try:
            record = journal.read_journal(self.git_dir)
            if record is not None:
                journal.undo(self.git.folder, self.git_dir, record)
            journal.clear(self.git_dir)
        except OSError as error:
            lock.leave()
            raise RelspecError(
                Finding(
                    "RS641",
                    f"the commit was not made ({str(cause) or type(cause).__name__}), and the work tree can't be put back: {error}",
                    Where(str(journal.journal_file(self.git_dir))),
                    f"mend that, then {journal.RECOVER}",
                )
            ) from error
        lock.release()


def _kept_back(changes: Iterable[Change]) -> Iterator[str]:
    """What a person should know of files that lie in the work tree although the index leaves them out of it.

    Git leaves them alone when it checks a commit out, and so do we: they keep the bytes that they had.
    """
    for change in changes:
        if change.on_disk or change.found is None or change.found == (change.new.blob if change.new else None):
            continue
        path = shlex.quote(change.path)
        back = (
            f"git checkout HEAD -- {path}" if change.old and change.found == change.old.blob else f"git diff -- {path}"
        )
        mend = f"git update-index --no-skip-worktree {path} && {back}" if change.new else f"rm {path}"
        yield (
            f"{change.path} is marked skip-worktree: it is right in the commit, and the file here keeps its old bytes; "
            f"to bring it up to date: {mend}"
        )


# --- the steps


def _store(git: UserGit, folder: Path, changes: Sequence[Change], files: Mapping[str, bytes | None]) -> None:
    """Writes the new files as `new-0` and so on into `folder`, and their bytes as they are into the object store."""
    paths = []
    for number, change in enumerate(changes):
        data = files[change.path]
        if change.new is not None and data is not None:
            paths.append(folder / f"new-{number}")
            _write(paths[-1], data, change.new.mode)
    # No filters: the blob has the proven bytes, whatever an attribute says about line ends.
    lines = b"".join(_quoted(path) + b"\n" for path in paths)
    names = git.must("hash-object", "-w", "--no-filters", "--stdin-paths", data=lines).decode().split() if paths else []
    expected = [change.new.blob for change in changes if change.new is not None]
    if names != expected:
        raise AssertionError(f"Git gives other names to blobs than Git's rule: {names}, {expected}")


def _write(path: Path, data: bytes, mode: str) -> None:
    """A new file; the umask takes its share of the rights, as in a checkout."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o777 if mode == "100755" else 0o666)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _quoted(path: Path) -> bytes:
    """A path as hash-object --stdin-paths reads it: quote.c, unquote_c_style."""
    escapes = {b"\\": b"\\\\", b'"': b'\\"', b"\n": b"\\n"}
    return b'"' + re.sub(rb'[\\"\n]', lambda found: escapes[found[0]], os.fsencode(path)) + b'"'


def _copied_index(git_dir: Path) -> Path:
    """A copy of the index in the scratch folder.

    Its time is copied too: by it Git knows which files were changed in the very tick in which the index was written
    (read-cache.c, is_racy_timestamp).
    """
    index = journal.scratch(git_dir) / "index"
    if (git_dir / "index").exists():
        shutil.copy2(git_dir / "index", index)
    return index


def _tree_with(git: UserGit, index: Path, parent: str, changes: Sequence[Change]) -> None:
    """A new index of the parent's tree with the changes, as `git commit --only` makes one."""
    git.must("read-tree", parent, index=index)
    _stage(git, index, changes)


def _stage(git: UserGit, index: Path, changes: Sequence[Change]) -> None:
    """The changes in an index; a file becomes a folder only after it is gone, so removals come first."""
    gone = [b"0 %s\t%s\0" % (b"0" * 40, os.fsencode(change.path)) for change in changes if change.new is None]
    there = [
        f"{change.new.mode} {change.new.blob} 0\t".encode() + os.fsencode(change.path) + b"\0"
        for change in changes
        if change.new is not None
    ]
    git.must("update-index", "-z", "--index-info", data=b"".join(gone + there), index=index)
    sparse = joined(change.path for change in changes if change.new is not None and not change.on_disk)
    if sparse:
        git.must("update-index", "-z", "--skip-worktree", "--stdin", data=sparse, index=index)


def _look_at_files(git: UserGit, index: Path, changes: Sequence[Change]) -> None:
    """Notes size and time of the new files, so that the next `git status` needn't read them."""
    present = joined(change.path for change in changes if change.new is not None and change.on_disk)
    if present:
        # A sparse checkout may refuse; then `git status` reads them.
        git.run(
            *("--literal-pathspecs", "add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul"),
            data=present,
            index=index,
        )


def _message(git: UserGit, folder: Path, message: str, index: Path) -> tuple[str, list[str]]:
    """The message as prepare-commit-msg leaves it, and what there is to say about the hook.

    The hook gets the file and the word `message`: sequencer.c, run_prepare_commit_msg_hook. Nothing is stripped
    afterwards: that is its default without an editor.
    """
    file = folder / "COMMIT_EDITMSG"
    file.write_bytes((message if message.endswith("\n") else message + "\n").encode("utf-8", "surrogateescape"))
    notes = _hook(git, "prepare-commit-msg", str(file), "message", index=index)
    return file.read_bytes().decode("utf-8", "surrogateescape"), notes


def _hook(git: UserGit, name: str, *arguments: str, index: Path) -> list[str]:
    """Runs a hook where there is one: a note if this Git can't. Raises RelspecError RS612 where it fails."""
    if _version(git) < HOOK_VERSION:
        folder = os.fsdecode(git.must("rev-parse", "--git-path", "hooks").rstrip(b"\n"))
        there = os.access(git.folder / folder / name, os.X_OK)
        return [f"the hook {name} was skipped: this git has no `git hook run` (2.36 has)"] if there else []
    done = git.foreign("hook", "run", "--ignore-missing", name, "--", *arguments, index=index)
    if done.code == 0:
        return []
    said = f"it said: {done.last_words}; " if done.last_words else ""
    raise RelspecError(
        Finding(
            "RS612",
            f"the hook {name} failed (exit code {done.code})",
            Where(name),
            f"{said}nothing has changed; mend it or take it out of the way, then run the same command again",
        )
    )


def _version(git: UserGit) -> tuple[int, ...]:
    found = re.search(rb"(\d+)\.(\d+)", git.must("version"))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _proven(git: UserGit, index: Path, proposal: Proposal, changes: Iterable[Change]) -> None:
    """Raises RelspecError RS614 where the index to be committed doesn't hold the tree that was proven."""
    # The tree's id alone decides; looking for each of 40,000 blobs that HEAD has anyway takes twice the time.
    tree = git.must("write-tree", "--missing-ok", index=index).decode().strip()
    if tree == proposal.tree:
        return
    expected = {change.path: change.new for change in changes}
    other = sorted(path for path, entry in _differences(git, proposal.parent, tree) if expected.pop(path, ...) != entry)
    others = sorted({*other, *expected})
    named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    said = f"a hook changed what would be committed: {named}" if others else "the files don't give the tree proven"
    raise RelspecError(
        Finding(
            "RS614",
            said,
            Where(others[0] if others else "HEAD"),
            "nothing has changed; look at what prepare-commit-msg (and pre-commit) stage, then run the command again",
        )
    )


def _differences(git: UserGit, old: str, new: str) -> list[tuple[str, Entry | None]]:
    """The paths that differ between two trees, with the entry of the new one."""
    words = git.must("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff", old, new).split(b"\0")
    found = []
    for head, path in zip(words[:-1:2], words[1::2], strict=True):
        _, mode, _, blob, kind = head.decode().split(" ")
        found.append((os.fsdecode(path), None if kind == "D" else Entry(mode, blob)))
    return found


def _commit_object(git: UserGit, proposal: Proposal, message: str, signed: bool) -> str:
    """The commit, signed where commit.gpgSign says so (sequencer.c, try_commit), not yet named by anything.

    Raises RelspecError RS612 where the signing fails, RS640 otherwise.
    """
    with tempfile.NamedTemporaryFile(prefix="relspec-message-") as file:
        file.write(message.encode("utf-8", "surrogateescape"))
        file.flush()
        sign = ("-S",) if signed else ()
        arguments = ("commit-tree", *sign, "-p", proposal.parent, "-F", file.name, proposal.tree)
        done = git.foreign("-c", "i18n.commitEncoding=UTF-8", *arguments)
    if done.code == 0:
        return done.output.decode().strip()
    git.signals.check()
    if signed:
        hint = f"it said: {done.last_words}; nothing has changed; try: git commit-tree -S HEAD^{{tree}} -m test"
        raise RelspecError(Finding("RS612", "the commit could not be signed", Where("commit.gpgSign"), hint))
    raise failed(arguments, done)


def _reflog(message: str) -> str:
    """What `git reflog` shows, in the way of `revert: …` (sequencer.c, reflog_message)."""
    return "rollback: " + message.strip().split("\n", 1)[0].replace("\0", "")


def _refused(done: Done) -> RelspecError:
    hint = "see the hook reference-transaction and the rights on the refs; nothing has changed"
    return RelspecError(Finding("RS640", f"Git doesn't move the ref: {done.last_words}", Where("HEAD"), hint))


def _free(git: UserGit, branch: str) -> None:
    """Raises RelspecError RS642 where there is a branch of a name, or one that leaves no room for it.

    A name can't be a branch and a folder of branches, whatever stores them (git, refs.c: refs_verify_refname_available).
    """
    steps = branch.split("/")
    above = ("/".join(steps[:length]) for length in range(1, len(steps)))
    found = next((name for name in above if _there(git, name)), None)
    if found is None:
        # The branch itself, or one below it (git-for-each-ref, <pattern>), and where it is checked out.
        asked = git.must("for-each-ref", "--count=1", "--format=%(refname)%00%(worktreepath)", f"refs/heads/{branch}")
        ref, _, checked_out = asked.decode("utf-8", "surrogateescape").rstrip("\n").partition("\0")
        found = ref.removeprefix("refs/heads/")
        if found == branch:
            remedy = ": it is checked out" if checked_out else f", or remove it: git branch -D {branch}"
            message = f"there is a branch {branch} already"
            raise RelspecError(Finding("RS642", message, Where(branch), f"choose another name{remedy}"))
    if found:
        message = f"there is a branch {found}, and Git has no room for a branch {branch} beside it"
        raise RelspecError(Finding("RS642", message, Where(branch), "choose another name"))


def _there(git: UserGit, branch: str) -> bool:
    return git.run("show-ref", "--verify", "--quiet", f"refs/heads/{branch}").code == 0

"""Random histories on real repositories: whatever happened before, a rollback does what it says and nothing else.

The machine does what a company does (`histories`) and rolls back in between. What is right it never asks the code under
test: it reads the commits itself (`Past`), compiles them with a compiler of its own, and lets Git be the judge of Git.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import histories as h
from company import GIT_ENVIRONMENT, Files, Repository, Run, on_disk, repository, run
from relspec.compiler import Compiler
from relspec.discovery import Place
from relspec.lock import EDITION
from relspec.tree import MemoryTree
from test_prediction import as_git_does

START = 1_772_330_400  # 2026-03-01T02:00:00Z
STEP = 600
OLD_LOCK = re.compile(rb"^edition: \d+$", re.MULTILINE)
MARKER = b"# Compiled by relspec from "
CURRENT = f"edition: {EDITION}".encode()
KINDS = ("identical", "identical-but", "committed", "not-proven")
REFUSALS = {"RS200", "RS205", "RS411", "RS613", "RS616", "RS618"}
"""No such release, no such service, in quarantine, just gone back, nothing to go back to, something in the way."""
WITHOUT_OUTPUTS = "without-outputs"
"""The folder of the repository whose outputs nobody commits."""
REASON = "it is slow"
IN_THE_WAY = (4, 5, 6)
RECOVERABLE = {"identical", "identical-but", "committed"}

PHASES = [Phase.generate, *([Phase.shrink] if os.environ.get("HISTORIES_SHRINK") else [])]
NUMBERS = st.integers(0, 10_000)
RELEASES = st.lists(NUMBERS, min_size=1, max_size=2)
TIMES = st.lists(st.integers(-8 * STEP, 40 * STEP), min_size=1, max_size=3)
SKEW = st.sampled_from([0, 0, 0, 1, 30, 7200, -STEP, -5000])


def outputs(files: h.Files, identity: str) -> dict[str, bytes]:
    """The outputs of a release that a commit holds, by their path below rendered/<id>/."""
    folder = f"rendered/{identity}/"
    return {path[len(folder) :]: data for path, data in files.items() if path.startswith(folder) and MARKER in data}


def made_from(files: h.Files, identity: str) -> Mapping[str, bytes] | None:
    """What a compiler of our own makes of a release; None where that is stopped."""
    compiler = Compiler(MemoryTree(dict(files)), any_edition=True)
    place = Place(identity, h.file_of(identity), identity.rpartition("/")[0])
    compiled = compiler.release(place)
    return None if compiled.stopped else dict(compiled.files)


def edition(files: h.Files) -> bytes:
    """The line of the lock that says which compilers may write the outputs."""
    found = OLD_LOCK.search(files[h.LOCK])
    assert found is not None
    return found.group()


def outcome(done: Run) -> tuple[Run, dict[str, Any] | None]:
    """What a rollback says in JSON; None of one that was refused, whose findings are then read like text."""
    document = json.loads(done.out) if done.out.startswith("{") else None
    if document is None or document["schema"] == "relspec/rollback/v1":
        return done, document
    lines = [f"error {each['code']}: {each['message']} {each['hint']}" for each in document["diagnostics"]]
    return replace(done, err="\n".join([done.err, *lines])), None


def gone_back(states: list[Any]) -> bool:
    """Whether the newest state (they come newest first) was gone back to: undone, not done again."""
    done: list[Any] = []
    back = False
    for state in reversed(states):
        back = state in done
        while back and done[-1] != state:
            done.pop()
        if not back:
            done.append(state)
    return back


class Company(RuleBasedStateMachine):
    """A company's repository. Every rule leaves it on main with a clean work tree."""

    seen: ClassVar[Counter[str]] = Counter()
    """What came up, over all histories: a test that never rolls anything back proves nothing."""

    def __init__(self, origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.monkeypatch = monkeypatch
        self.folder = Path(tempfile.mkdtemp(prefix="histories-"))
        self.origin = origin
        shutil.copytree(origin, self.folder / "repository")
        self.made = Repository(self.folder / "repository")
        self.known: dict[str, h.Files] = {}
        self.clock = START
        self.gone: set[str] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # --- what the rules share

    @property
    def past(self) -> h.Past:
        return h.Past(self.made, self.known)

    def tick(self, skew: int = 0) -> None:
        """The next commit is made ten minutes later, by a clock that may be wrong."""
        self.clock += STEP
        for name in ("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"):
            self.monkeypatch.setenv(name, f"{self.clock + skew} +0000")

    def git(self, *arguments: str, check: bool = True) -> str:
        dates = {name: os.environ[name] for name in ("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE") if name in os.environ}
        return self.made.git(*arguments, check=check, env=dates)

    def edit(self, edit: h.Edit, style: int) -> None:
        """Edits the files of the work tree, outputs left aside."""
        h.edit_files(self.made.folder, edit, style)

    def commit(self, message: str, *, forgotten: bool = False) -> None:
        """Compiles, unless that is forgotten, and commits whatever there is."""
        if not forgotten:
            h.compile_into(self.made.folder)
        self.git("add", "-A")
        if self.git("status", "--porcelain"):
            self.git("commit", "-q", "--no-gpg-sign", "-m", message)

    def amend(self, *, forgotten: bool) -> None:
        """The outputs that belong to HEAD, in HEAD."""
        if not forgotten and h.compile_into(self.made.folder):
            self.git("add", "-A")
            self.git("commit", "-q", "--amend", "--no-gpg-sign", "--no-edit", "--allow-empty")

    # --- what people do

    @initialize(
        other=st.sampled_from([False, False, True]),
        kept=st.sampled_from(["always", "always", "always", "never", "no longer"]),
    )
    def begin(self, other: bool, kept: str = "always") -> None:
        """Some repositories are compiled by another edition, until somebody moves to this one; some keep no outputs."""
        if kept == "never":
            shutil.rmtree(self.made.folder)
            shutil.copytree(self.origin.parent / WITHOUT_OUTPUTS, self.made.folder)
        elif kept == "no longer":
            self.tick()
            (self.made.folder / ".gitignore").write_text(h.NO_OUTPUTS)
            self.git("rm", "-r", "-q", "--cached", "rendered")
            self.commit("outputs are not committed any more")
        if other:
            lock = self.made.folder / h.LOCK
            lock.write_bytes(OLD_LOCK.sub(b"edition: 99", lock.read_bytes()))
            self.tick()
            self.commit("another edition")

    @rule(edits=st.lists(h.EDITS, min_size=1, max_size=2), style=NUMBERS, forgotten=st.integers(0, 7), skew=SKEW)
    def changes(self, edits: list[h.Edit], style: int, forgotten: int, skew: int) -> None:
        self.tick(skew)
        self.gone |= set(h.releases_in(on_disk(self.made.folder)))
        for edit in edits:
            self.edit(edit, style)
        self.commit("a change", forgotten=forgotten == 0)

    @rule(
        theirs=st.lists(h.EDITS, min_size=1, max_size=3),
        ours=st.lists(h.EDITS, max_size=1),
        style=NUMBERS,
        squash=st.booleans(),
        forgotten=st.integers(0, 3),
        skew=SKEW,
    )
    def merges(
        self, theirs: list[h.Edit], ours: list[h.Edit], style: int, squash: bool, forgotten: int, skew: int
    ) -> None:
        self.git("checkout", "-q", "-b", "side")
        for number, edit in enumerate(theirs):
            self.tick(skew)
            self.edit(edit, style + number)
            self.commit(f"side {number}")
        self.git("checkout", "-q", "main")
        for edit in ours:
            self.tick()
            self.edit(edit, style)
            self.commit("meanwhile")
        self.tick()
        kind = "--squash" if squash else "--no-ff"
        self.git("merge", "-q", kind, "side", check=False)
        if self.git("ls-files", "-u"):
            self.seen["merge in conflict"] += 1
            self.git("reset", "-q", "--hard")
        elif squash:
            self.commit("squashed", forgotten=forgotten == 0)
        elif self.git("rev-parse", "HEAD^2", check=False) == self.git("rev-parse", "side"):
            self.amend(forgotten=forgotten == 0)
        self.git("reset", "-q", "--hard")
        self.git("clean", "-fdq")
        self.git("branch", "-q", "-D", "side")

    @rule(number=NUMBERS, mended=st.booleans())
    def reverts(self, number: int, mended: bool) -> None:
        """`git revert`, which does what was predicted; reverts are reverted as well."""
        chain = self.git("rev-list", "--first-parent", "--max-count=6", "HEAD").split()
        commit = chain[number % len(chain)]
        prediction = as_git_does(self.made, commit)
        self.seen[f"revert {prediction.kind}"] += 1
        if prediction.kind in ("conflicts", "nothing to undo") or not self.git(
            "rev-list", "--max-count=1", f"{commit}^", check=False
        ):
            return
        self.tick()
        merge = len(self.git("rev-list", "--parents", "-1", commit).split()) > 2
        self.git("revert", "--no-edit", *(("-m", "1") if merge else ()), commit)
        if mended:
            self.amend(forgotten=False)

    @rule(
        verb=st.sampled_from(["set", "promote", "deprecate", "archive", "quarantine", "lift", "alias"]),
        number=NUMBERS,
        other=NUMBERS,
        level=st.sampled_from(["debug", "warn", "a: b"]),
    )
    def uses_a_verb(self, verb: str, number: int, other: int, level: str) -> None:
        if verb == "promote":
            self.promotes(number, other)
        elif verb == "set":
            self.sets(number, level)
        else:
            self.says_of_a_version(verb, number)

    def says_of_a_version(self, verb: str, number: int) -> None:
        version = h.some(h.versions_in(on_disk(self.made.folder)), number)
        words = {
            "quarantine": ("quarantine", f"als@{version}", "--reason", REASON),
            "lift": ("quarantine", f"als@{version}", "--lift", "it was the cache"),
            "alias": ("alias", "als", "prod", str(version)),
        }.get(verb, (verb, f"als@{version}"))
        self.tick()
        self.finish(f"model {verb}", run(self.made.folder, "model", *words))

    def sets(self, number: int, level: str) -> None:
        releases = h.releases_in(on_disk(self.made.folder))
        self.tick()
        done = run(self.made.folder, "set", releases[number % len(releases)], f"api.env.LEVEL={level}")
        self.finish("set", done)

    def promotes(self, number: int, other: int) -> None:
        releases = h.releases_in(on_disk(self.made.folder))
        source, target = releases[number % len(releases)], releases[other % len(releases)]
        if source != target:
            self.tick()
            self.finish("promote", run(self.made.folder, "promote", source, target))

    def finish(self, verb: str, done: Run) -> None:
        """What a verb wrote becomes a commit; one that refused wrote nothing."""
        self.seen[f"{verb} {done.code}"] += 1
        if done.code == 0:
            self.commit(verb)
        else:
            assert self.git("status", "--porcelain") == ""

    # --- somebody rolls back

    @rule(numbers=RELEASES, disturbed=st.integers(0, 9), accept=st.booleans())
    def rolls_back(self, numbers: list[int], disturbed: int, accept: bool) -> None:
        self.rolled_back(numbers, "last", 0, disturbed, accept)

    @rule(
        numbers=RELEASES,
        mode=st.sampled_from(["commit", "commit", "version", "service", "branch", "dry", "quarantine", "quarantine"]),
        where=NUMBERS,
        disturbed=st.integers(0, 9),
        accept=st.booleans(),
    )
    def rolls_back_otherwise(self, numbers: list[int], mode: str, where: int, disturbed: int, accept: bool) -> None:
        self.rolled_back(numbers, mode, where, disturbed, accept)

    def rolled_back(self, numbers: list[int], mode: str, where: int, disturbed: int, accept: bool) -> None:
        past = self.past
        there = h.releases_in(past.moments[0].files)
        names = [*there, *there, *sorted(self.gone - {*there})]
        words = sorted({names[number % len(names)] for number in numbers})
        moment = past.moments[where % len(past.moments)]
        more = {
            "commit": ["--to", moment.commit],
            "version": ["--to", f"als@v{1 + where % 3}"],
            "service": ["--service", "api"],
            "branch": ["--branch", f"back-{where}-{self.clock}"],
            "dry": ["--dry-run"],
            "quarantine": ["--quarantine"],
        }.get(mode, [])
        more += ["--accept-unproven"] if accept else []
        self.tick()
        self.disturb(disturbed, words, past.moments[0].files)
        before = self.everything()
        done = run(self.made.folder, "rollback", *words, *more, "--format", "json", "--reason", REASON)
        after = self.everything()
        done, document = outcome(done)
        context = f"rollback {' '.join((*words, *more))}: {done}"
        if document is None or document["commit"] is None:
            assert after == before, context
            if document is None:
                self.refused(done, words, mode, past, disturbed, context)
            else:
                self.seen[f"rollback {mode}: {'refused' if done.code else 'nothing made'}, {document['proof']}"] += 1
                self.would_do(document, past, context)
                for each in document["releases"]:
                    if each["proof"]["kind"] == "not-proven":
                        self.seen[f"not proven: {' / '.join(each['proof']['reasons'])[:300]}"] += 1
            self.tidy()
            return
        self.seen[f"rollback {mode}: {document['proof']}"] += 1
        made = document["commit"]
        assert self.git("rev-parse", f"{made}^") == past.moments[0].commit, context
        if mode == "branch":
            assert after == {**before, "refs": after["refs"]}, context
            assert self.git("rev-parse", more[1]) == made
        else:
            assert after["HEAD"] == made, context
            self.left_alone(before, after, set(document["files"]), context)
        assert self.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""
        files = h.files_at(self.made, made)
        self.nothing_else(past.moments[0].files, files, document, context)
        for each in document["releases"]:
            self.proof_is_true(each, past, files, context)
            if mode in ("last", "branch", "quarantine"):
                self.is_the_last_change(each, past, context)
        worst = max((each["proof"]["kind"] for each in document["releases"]), key=KINDS.index)
        trailers = self.git("log", "-1", "--format=%(trailers:only,unfold)", made).splitlines()
        assert f"Relspec-Proof: {worst}" in trailers, trailers
        assert document["proof"] == worst
        for each in document["releases"]:
            assert f"Relspec-Restores: {each['release']}={each['restores']}" in trailers, trailers
        self.tidy()
        if mode != "branch" and worst in RECOVERABLE:
            self.afterwards(document, past, mode, context)

    def disturb(self, kind: int, words: list[str], files: h.Files) -> None:
        """What somebody was about to do, and has not committed."""
        folder = self.made.folder
        others = [name for name in h.releases_in(files) if name not in words]
        if kind == 1:
            (folder / "notes.txt").write_text("to do\n")
        elif kind == 2:
            (folder / "charts/modelkit/values.yaml").write_text("# half an edit\n")
        elif kind == 3:
            (folder / "staged.txt").write_text("staged\n")
            self.git("add", "staged.txt")
            (folder / "staged.txt").write_text("and changed since\n")
        elif kind == 4 and others:
            (folder / h.file_of(others[0])).write_text("half: an edit\n")
        elif kind == 5 and others:
            (folder / h.file_of(others[0])).write_text("half: an edit\n")
            self.git("add", "-A")
        elif kind == 6 and (folder / h.file_of(words[0])).exists():
            (folder / h.file_of(words[0])).write_text("in: the way\n")

    def everything(self) -> dict[str, Any]:
        """HEAD, branch, refs, index and work tree."""
        return {
            "HEAD": self.git("rev-parse", "HEAD"),
            "branch": self.git("symbolic-ref", "HEAD"),
            "refs": self.git("for-each-ref"),
            "index": self.git("ls-files", "-s").splitlines(),
            "files": on_disk(self.made.folder),
        }

    def left_alone(self, before: dict[str, Any], after: dict[str, Any], files: set[str], context: str) -> None:
        """Of index and work tree only the files of the commit are others."""
        for place in ("index", "files"):
            old = dict(self.by_path(before[place]))
            new = dict(self.by_path(after[place]))
            changed = {path for path in {*old, *new} if old.get(path) != new.get(path)}
            assert changed <= files, (place, changed - files, context)
        staged = set(self.git("diff", "--cached", "--name-only").splitlines())
        dirty = set(self.git("diff", "--name-only").splitlines())
        assert not (staged | dirty) & files, context

    @staticmethod
    def by_path(listing: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(listing, dict):
            yield from listing.items()
        else:
            yield from ((line.split("\t", 1)[1], line) for line in listing)

    def tidy(self) -> None:
        self.git("reset", "-q", "--hard")
        self.git("clean", "-fdq")

    def nothing_else(self, old: h.Files, new: h.Files, document: dict[str, Any], context: str) -> None:
        """Only what belongs to the releases is another; the registry keeps all that it had, and every alias."""
        own = tuple(
            f"{top}/{each['release']}/" for each in document["releases"] for top in ("environments", "rendered")
        )
        changed = {path for path in {*old, *new} if old.get(path) != new.get(path)}
        assert changed == set(document["files"]), context
        for path in changed - ({h.MODEL} if document["quarantined"] else set()):
            assert path.startswith(own) or (path.startswith("registry/") and path not in old), (path, context)
        self.quarantines(old, new, document, context)

    def quarantines(self, old: h.Files, new: h.Files, document: dict[str, Any], context: str) -> None:
        """model.yaml says what it said, and that the versions left are in quarantine; none of them comes back."""
        told = {each["version"] for each in document["quarantined"]}
        before, after = h.parsed(old[h.MODEL]), h.parsed(new[h.MODEL])
        assert h.in_quarantine(new) == {**dict.fromkeys(told, REASON), **h.in_quarantine(old)}, context
        rest = [{key: value for key, value in each.items() if key != "quarantine"} for each in (before, after)]
        assert rest[0] == rest[1], context
        assert (before.get("quarantine") or {}).keys() <= (after.get("quarantine") or {}).keys(), context
        names = [each["release"] for each in document["releases"]]
        assert told <= {version for name in names for version in h.versions_of(old, name)}, context
        running = {version for name in names for version in h.running(new, name)}
        assert not told & running, context
        left = {version for name in names for version in h.running(old, name)} - running
        if "--quarantine" in context.split() and document["proof"] != "not-proven":
            assert left <= told, (left, context)
        self.seen["quarantine of a version left"] += bool(told)

    def proof_is_true(self, each: dict[str, Any], past: h.Past, files: h.Files, context: str) -> None:
        name, then = each["release"], self.known.get(each["restores"]) or h.files_at(self.made, each["restores"])
        proof = each["proof"]
        self.git("merge-base", "--is-ancestor", each["restores"], past.moments[0].commit)
        wanted, got = h.services_of(then, each["then"]), h.services_of(files, name)
        earlier = h.services_of(past.moments[0].files, name) or {}
        assert wanted is not None
        assert got is not None
        restored = each["services"]
        if restored is None:
            same = got == wanted
        else:
            same = all(got.get(service) == wanted.get(service) for service in restored)
            others = {*got, *earlier} - {*restored} if "" not in {*got, *earlier} else set()
            assert all(got.get(service) == earlier.get(service) for service in others), context
        assert same or proof["kind"] == "not-proven", (got, wanted, context)
        before = outputs(then, each["then"]) or made_from(then, each["then"]) or {}
        compiled = made_from(files, name)
        kept = h.keeps_outputs(past.moments[0].files)
        now = outputs(files, name) if kept else compiled or {}
        self.seen["without outputs"] += not kept
        assert kept or not outputs(files, name), context
        differing = {path for path in {*before, *now} if before.get(path) != now.get(path)}
        told = {difference["output"] for difference in proof["differences"]}
        if edition(files) == CURRENT and compiled is None:
            # What no longer compiles is put back as it was committed, and only when somebody asked for it.
            assert (proof["kind"], differing if kept else set()) == ("not-proven", set()), (differing, context)
            self.seen["not proven: does not compile"] += 1
            return
        if edition(files) == CURRENT:
            assert compiled == now, context
        if proof["kind"] in ("identical", "committed"):
            assert not differing, (differing, context)
            other = edition(files) != CURRENT and kept and bool(outputs(then, each["then"]))
            assert (proof["kind"] == "committed") == other, context
        elif proof["kind"] == "identical-but":
            assert differing, context
            assert differing <= told, (differing, context)
            assert all(difference["owners"] for difference in proof["differences"]), context
            self.causes_are_true(each, past, then, context)
        else:
            assert proof["reasons"], context
            assert differing or not same, context
            self.seen[f"not proven: {' / '.join(proof['reasons'])[:150]}"] += 1

    def causes_are_true(self, each: dict[str, Any], past: h.Past, then: h.Files, context: str) -> None:
        """What is said to make the difference did change since."""
        for cause in each["proof"]["causes"]:
            self.seen[f"cause {cause['owner']}"] += 1
            if cause["owner"] not in ("rename", "stale", "services", "toolchain"):
                files = past.moments[0].files
                assert any(files.get(path) != then.get(path) for path in cause["paths"]), context

    def is_the_last_change(self, each: dict[str, Any], past: h.Past, context: str) -> None:
        """It goes to the newest earlier state that compiles; of another edition's states nobody here can tell."""
        foreign = edition(past.moments[0].files) != CURRENT
        for state in past.runs(each["release"])[1:]:
            if self.can_be_restored(state) or (foreign and state.state is not None):
                assert each["restores"] == state.moments[0].commit, (each["restores"], state.moments[0].commit, context)
                return
        raise AssertionError(context)

    def can_be_restored(self, state: h.Run) -> bool:
        return state.state is not None and made_from(state.moments[0].files, state.name) is not None

    def refused(self, done: Run, words: list[str], mode: str, past: h.Past, disturbed: int, context: str) -> None:
        """A refusal has a reason that is true."""
        code = next(iter(re.findall(r"RS\d\d\d", done.err)), "none")
        self.seen[f"rollback {mode}: {code}"] += 1
        assert code in REFUSALS, context
        if code == "RS411":
            held = h.in_quarantine(past.moments[0].files)
            states = [run for name in words for run in past.runs(name)]
            assert any(held.keys() & h.versions_of(run.moments[0].files, run.name) for run in states), context
        assert code != "RS618" or disturbed in IN_THE_WAY, context
        if mode not in ("last", "branch", "dry", "quarantine") or edition(past.moments[0].files) != CURRENT:
            return
        if code == "RS613":
            assert any(self.went_back(past.runs(name)) for name in words), context
        elif code == "RS616":
            nowhere = (not any(self.can_be_restored(run) for run in past.runs(name)[1:]) for name in words)
            assert any(nowhere) or any(self.was_renamed(past, name) for name in words), context

    def was_renamed(self, past: h.Past, identity: str) -> bool:
        """Whether a release that is gone is there by another name: it would run twice."""
        there = h.releases_in(past.moments[0].files)
        return identity not in there and any(name == identity for each in there for _, name in past.names(each))

    def went_back(self, runs: list[h.Run]) -> bool:
        """Whether all that the last change changed was so before."""
        then = next((index for index, state in enumerate(runs) if index and self.can_be_restored(state)), None)
        if then is None or runs[0].state is None:
            return False
        said = [h.services_of(each.moments[0].files, each.name) or {} for each in runs]
        changed = [name for name in {*said[0], *said[then]} if said[0].get(name) != said[then].get(name)]
        return all(any(each.get(name) == said[0].get(name) for each in said[then + 1 :]) for name in changed)

    def would_do(self, document: dict[str, Any], past: h.Past, context: str) -> None:
        """What was not done is the truth all the same: the tree that it names is the one that would be made."""
        assert document["head"] == past.moments[0].commit, context

    def afterwards(self, document: dict[str, Any], past: h.Past, mode: str, context: str) -> None:
        """A second rollback goes nowhere, nothing holds the commit up, and the history tells of it."""
        before = self.everything()
        names = [each["release"] for each in document["releases"]]
        base = past.moments[0]
        for each in document["releases"]:
            name = each["release"]
            if mode == "service" or each["services"] is not None or made_from(base.files, name) is None:
                continue
            if h.declared(base.files, name) == h.declared(self.past.moments[0].files, name):
                continue  # what changed lies below a variant in use: it was no other state
            if not gone_back([run.state for run in self.past.runs(name)]):
                continue  # `--to` went forward again: the next rollback undoes that
            again = run(self.made.folder, "rollback", each["release"])
            assert again.code == 1, (again, context)
            assert "RS613" in again.err, (again, context)
            assert self.everything() == before, context
        if edition(base.files) == CURRENT:
            checked = run(self.made.folder, "check", "--since", base.commit, "--format", "json")
            errors = [each for each in json.loads(checked.out)["diagnostics"] if each["severity"] == "error"]
            own = tuple(f"{top}/{name}/" for name in names for top in ("environments", "rendered"))
            mine = [each for each in errors if each["file"].startswith(own)]
            assert not mine, (mine, context)
            self.seen["check passes" if checked.code == 0 else "check finds others"] += 1
        for each in document["releases"]:
            runs = past.runs(each["release"])
            if mode in ("last", "quarantine") and runs[0].state is not None and not each["skipped"]:
                found = json.loads(run(self.made.folder, "history", each["release"], "--format", "json").out)
                rows = {row["commit"]: row for row in found["changes"] if row["kind"] != "environment"}
                row = rows[runs[0].moments[-1].commit]
                assert row["rolledBackBy"] is not None, (row, context)
                assert row["rolledBackBy"]["commit"] == document["commit"], (row, context)

    # --- what somebody asks

    @rule(what=st.sampled_from(["plan", "live", "drill", "history"]), number=NUMBERS, other=NUMBERS, times=TIMES)
    def asks(self, what: str, number: int, other: int, times: list[int]) -> None:
        if what == "plan":
            self.plans(number, other)
        elif what == "live":
            self.asks_what_was_live(number, times)
        elif what == "drill":
            self.drills(number)
        else:
            self.reads_the_history(number)

    def plans(self, number: int, other: int) -> None:
        """The outputs that a plan names are those that two compilers make differently."""
        moments = self.past.moments
        old, new = moments[number % len(moments)], moments[other % len(moments)]
        done = run(self.made.folder, "plan", f"{old.commit}..{new.commit}", "--format", "json")
        if done.code == 2:
            assert b"edition: 99" in (edition(new.files), edition(old.files)), done.err
            return
        plan = json.loads(done.out)
        losses = [(each["kind"], each["version"]) for each in (plan["drops"] or {"what": []})["what"]]
        records = {*h.versions_in(new.files)} - {*h.versions_in(old.files)}
        lifted = {*h.in_quarantine(new.files)} - {*h.in_quarantine(old.files)}
        assert sorted(losses) == sorted([("record", v) for v in records] + [("quarantine", v) for v in lifted])
        self.seen["plan with losses"] += bool(losses)
        said = {each["id"]: each for each in plan["releases"]}
        formers = {each["former"] for each in plan["releases"] if each["former"]}
        for identity in {*h.releases_in(old.files), *h.releases_in(new.files)} - formers:
            former = said[identity]["former"] or identity if identity in said else identity
            before = made_from(old.files, former) if h.file_of(former) in old.files else {}
            after = made_from(new.files, identity) if h.file_of(identity) in new.files else {}
            if before is None or after is None:
                continue
            old_paths = {f"rendered/{former}/{path}": data for path, data in before.items()}
            new_paths = {f"rendered/{identity}/{path}": data for path, data in after.items()}
            every = {*old_paths, *new_paths}
            differing = sorted(path for path in every if old_paths.get(path) != new_paths.get(path))
            told = sorted(each["path"] for each in said[identity]["outputs"]) if identity in said else []
            assert told == differing, (identity, done.out)
        self.seen["plan"] += 1

    def asks_what_was_live(self, number: int, times: list[int]) -> None:
        past = self.past
        names = sorted({*h.releases_in(past.moments[0].files), *self.gone})
        identity = names[number % len(names)]
        runs = past.runs(identity)
        for time in times:
            at = START + time
            done = run(self.made.folder, "history", identity, "--at", h.instant(at), "--format", "json")
            expected = next((each for each in runs if each.moments[-1].time <= at), None)
            if done.code:
                assert all(each.state is None for each in runs), done.err
                continue
            answer = json.loads(done.out)
            live = expected is not None and expected.state is not None
            assert answer["live"] == live, (identity, at, done.out, [(r.state, r.moments[-1]) for r in runs])
            if expected is not None and live:
                assert answer["change"]["commit"] == expected.moments[-1].commit, (identity, at, done.out)
            self.seen["live" if live else "not live"] += 1

    def drills(self, number: int) -> None:
        """A drill says of a release what a rollback of it would."""
        names = h.releases_in(self.past.moments[0].files)
        identity = names[number % len(names)]
        before = self.everything()
        drilled = run(self.made.folder, "drill", identity, "--format", "json")
        (said,) = json.loads(drilled.out)["releases"]
        done, document = outcome(run(self.made.folder, "rollback", identity, "--dry-run", "--format", "json"))
        assert self.everything() == before
        assert drilled.code == (said["restored_successfully"] is False), drilled
        if document is None:
            refusal = re.findall(r"RS\d\d\d", done.err)[0]
            self.seen[f"drill, rollback {refusal}"] += 1
            if refusal == "RS411":
                assert said["restored_successfully"] is False, (said, done)
                assert said["problem"].startswith("RS411"), (said, done)
            else:
                assert refusal == "RS613" or (refusal == "RS616" and said["proof"] is None), (said, done)
                self.brings_back_nothing_held(identity, said)
            return
        for each in document["releases"]:
            proof = each["proof"]
            assert said["to_commit"] == each["restores"], (said, done)
            assert said["proof"] == proof["kind"], (said, done)
            assert said["restored_successfully"] == (proof["kind"] != "not-proven"), (said, done)
            told = [difference["path"] for difference in said["differences"]]
            assert told == [difference["output"] for difference in proof["differences"]], (said, done)
            self.seen[f"drill {said['proof']}"] += 1

    def brings_back_nothing_held(self, identity: str, said: dict[str, Any]) -> None:
        """What a drill takes for a way back leads to no version in quarantine that does not run already."""
        then = next((each for each in self.past.moments if each.commit == said["to_commit"]), None)
        if then is None or not said["restored_successfully"]:
            return
        former = next((name for each, name in self.past.names(identity) if each.commit == then.commit), identity)
        now = self.past.moments[0].files
        came = h.running(then.files, former) - h.running(now, identity)
        assert not came & h.in_quarantine(now).keys(), (said, came)

    def reads_the_history(self, number: int) -> None:
        """One row for each change of what is declared, each with the next later commit that declares again what was before."""
        past = self.past
        identity = h.releases_in(past.moments[0].files)[number % len(h.releases_in(past.moments[0].files))]
        done = run(self.made.folder, "history", identity, "--format", "json")
        assert done.code == 0, done.err
        rows = [row for row in json.loads(done.out)["changes"] if row["kind"] != "environment"]
        runs = past.runs(identity)
        if runs and runs[-1].state is None:
            runs.pop()
        assert [row["commit"] for row in rows] == [each.moments[-1].commit for each in runs]
        for row, each in zip(rows, runs, strict=True):
            assert h.instant(each.moments[-1].time) == row["time"]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose only commit is compiled; beside it the same one, whose outputs nobody commits."""
    folder = tmp_path_factory.mktemp("origin")
    begun(folder / WITHOUT_OUTPUTS, {**h.start(), ".gitignore": h.NO_OUTPUTS})
    return begun(folder / "repository", h.start())


def begun(folder: Path, files: Files) -> Path:
    """A repository with the files and the first edits."""
    made = repository(folder, files)
    made.git("config", "user.name", "Ann")
    made.git("config", "user.email", "ann@acme.example")
    made.git("config", "core.hooksPath", os.devnull)
    for number, edit in enumerate((None, *h.FIRST)):
        if edit is not None:
            h.edit_files(made.folder, edit, number)
        assert h.compile_into(made.folder)
        made.git("add", "-A")
        at = START - STEP * (len(h.FIRST) - number)
        date = dict.fromkeys(("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"), f"{at} +0000")
        made.git("commit", "-q", "-m", "begin", *(("--amend",) if edit is None else ()), env=date)
    return made.folder


def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's Git reaches the verbs."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in GIT_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def histories(origin: Path, monkeypatch: pytest.MonkeyPatch, *, examples: int, steps: int, same: bool) -> Counter[str]:
    """Runs the machine; what came up."""
    plain_environment(monkeypatch)
    Company.seen = Counter()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Company(origin, monkeypatch),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=same,
            database=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Company.seen


def test_one_of_each(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of change once, each gone back from at once: what the random histories are made of, in a known order."""
    plain_environment(monkeypatch)
    company = Company(origin, monkeypatch)
    company.seen.clear()

    def after(
        *edits: h.Edit, releases: tuple[int, ...] = (1,), mode: str = "last", where: int = 0, style: int = 0
    ) -> None:
        company.changes(list(edits), style, 1, 0)
        company.rolled_back(list(releases), mode, where, 1, accept=False)

    try:
        company.begin(other=False)
        after(h.in_release(h.RECS, h.put("image", "ghcr.io/acme/recs:9")))
        company.changes([h.in_release(h.RECS, h.variable("A", "x"))], 1, 1, -5000)
        after(h.default("replicas", 3))
        after(h.alias_moved, style=4)
        after(h.in_base(h.variable("E", "x")), releases=(0, 1))
        after(h.in_release(h.RECS, h.candidate("v3", 10)), mode="service")
        after(h.file_from("a: 2\n"), mode="dry")
        after(h.template, h.in_release(h.STAGING, h.put("replicas", 2)), mode="branch", releases=(2,))
        after(h.renamed, releases=(2,), style=8)
        after(h.removed, releases=(4,))
        after(h.in_release(h.RECS, h.put("model", "als@v1")), mode="version", where=2)
        after(h.in_release(h.RECS, h.put("model", "als@v3")), mode="quarantine")
        company.rolled_back([1], "version", 2, 1, accept=False)
        company.says_of_a_version("lift", 2)
        company.rolled_back([1], "version", 2, 1, accept=False)
        after(h.broken, mode="commit", where=9)
        for squash in (False, True):
            company.merges(
                [h.in_release(h.RECS, h.put("labels", {"team": str(squash)}))], [h.beside("x")], 0, squash, 1, 0
            )
            company.rolled_back([1], "last", 0, 3, accept=False)
        for _ in range(3):
            company.reverts(0, mended=False)
        for number in range(3):
            company.plans(number, 0)
            company.drills(number)
            company.asks_what_was_live(number, [-9 * STEP, 3 * STEP - 4000, 3 * STEP, 5 * STEP + 1, 60 * STEP])
            company.reads_the_history(number)
    finally:
        company.teardown()
    expected = (
        *("rollback last: identical", "rollback last: identical-but", "rollback service: identical"),
        *("rollback branch: identical-but", "rollback version: identical", "rollback commit: identical"),
        *("quarantine of a version left", "rollback version: RS411", "model lift 0"),
        *("cause environment", "cause templates", "cause rename", "check passes", "live", "not live", "revert exact"),
    )
    assert {each for each in expected if not company.seen[each]} == set(), "\n".join(map(str, company.seen.items()))


@pytest.mark.parametrize("kept", ["never", "no longer"])
def test_without_outputs_the_sources_go_back_and_nothing_else(
    origin: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    plain_environment(monkeypatch)
    company = Company(origin, monkeypatch)
    company.seen.clear()
    try:
        company.begin(other=False, kept=kept)
        company.changes([h.in_release(h.STAGING, h.put("image", "ghcr.io/acme/recs:9"))], 0, 1, 0)
        company.rolled_back([2], "last", 0, 0, accept=False)
        company.changes([h.removed], 0, 1, 0)
        company.rolled_back([4], "last", 0, 0, accept=False)
        company.changes([h.in_release(h.STAGING, h.put("model", "als@v3"))], 0, 1, 0)
        company.rolled_back([2], "quarantine", 0, 0, accept=False)
        company.plans(0, 4)
        company.drills(2)
    finally:
        company.teardown()
    assert company.seen["without outputs"] == 3, company.seen


def test_what_does_not_compile_goes_back_as_committed(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only when somebody asks for it; and the proof says that there is none."""
    plain_environment(monkeypatch)
    company = Company(origin, monkeypatch)
    company.seen.clear()
    try:
        company.begin(other=False)
        company.changes([h.in_release(h.STAGING, h.candidate("v1", 47))], 0, 1, 0)
        company.changes([h.in_release(h.STAGING, h.put("model", "als@v3"))], 0, 1, 0)
        company.rolled_back([2], "commit", 1, 0, accept=False)
        company.rolled_back([2], "commit", 1, 0, accept=True)
    finally:
        company.teardown()
    assert company.seen["not proven: does not compile"] == 1, company.seen
    assert company.seen["rollback commit: refused, not-proven"] == 1, company.seen


def test_random_histories(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = histories(origin, monkeypatch, examples=4, steps=12, same=True)
    assert seen


@pytest.mark.slow
def test_random_histories_at_length(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EXPLORE=1 HISTORIES=200 makes it an evening's work, HISTORIES_SHRINK=1 makes what it finds short."""
    examples = int(os.environ.get("HISTORIES", "14"))
    seen = histories(origin, monkeypatch, examples=examples, steps=25, same=not os.environ.get("EXPLORE"))
    print("\n".join(f"{count:5} {what}" for what, count in seen.most_common()))
    assert any(what.startswith("rollback") and "identical" in what for what in seen)

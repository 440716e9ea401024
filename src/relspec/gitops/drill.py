"""A rollback drill without a cluster: could each release go back, and to what exactly?

For each release the last change is undone in a tree of its own that nobody commits, compiled, compared with what was
deployed then, and timed. The clock comes from the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import Finding, RelspecError
from relspec.discovery import Place
from relspec.gitops.declared import RELEASE
from relspec.gitops.destination import MOST_STATES, Wish, described, destinations
from relspec.gitops.history import difference_of, running_services, versions
from relspec.gitops.proof import Case, Proof, edition, prove
from relspec.gitops.quarantined import brought_back
from relspec.gitops.readiness import Readiness, readiness
from relspec.gitops.repository import Commit
from relspec.gitops.restoring import Goal, Restored, restore
from relspec.gitops.revision import Revision
from relspec.gitops.states import History, State
from relspec.gitops.surroundings import toolchain
from relspec.lock import EDITION
from relspec.registry.records import Registry

SCHEMA = "relspec/drill/v1"
READ_AT_ONCE = 200
"""Releases whose files are asked for together."""

OLDER = 32
"""Earlier states in which an image is looked for: more than any controller keeps ReplicaSets."""

Data = Mapping[str, Any]
Clock = Callable[[], float]
"""Seconds that only grow, from any beginning."""


class Drilled(Struct, frozen=True):
    """What came of one release.

    `undone` is the commit whose change went, `restored` the one whose state came back; None where there is nothing to go
    back to. `seconds` is what restoring, compiling and comparing took. `problem` says why it can't go back; with neither
    a problem nor a proof there is no earlier state, and `nothing` says so. `further` says why it went further back than the
    last change. `difference` is what went back, in words.
    """

    place: Place
    from_version: str
    undone: Commit | None = None
    to_version: str | None = None
    restored: Commit | None = None
    seconds: float | None = None
    proof: Proof | None = None
    explicit: tuple[str, ...] = ()
    problem: str = ""
    nothing: str = ""
    further: str = ""
    readiness: Readiness | None = None
    difference: str = ""

    @property
    def goal(self) -> str:
        """What came back, told apart from what ran: by more than the version where that is the same."""
        if self.to_version is None or self.to_version != self.from_version:
            return self.to_version or ""
        return f"{self.to_version} as before ({self.difference})"

    @property
    def successful(self) -> bool | None:
        """Whether what ran came back; None where there is nothing to go back to."""
        return None if self.nothing else not self.problem

    def as_json(self, date: str) -> Data:
        """The drill of one release as data; the first six fields are those that such reports have."""
        proof = self.proof
        return {
            "drill_date": date,
            "rollback_duration_seconds": None if self.seconds is None else round(self.seconds, 6),
            "from_version": self.from_version,
            "to_version": self.to_version,
            "health_check_passed": None,
            "restored_successfully": self.successful,
            "release": self.place.id,
            "environment": self.place.environment,
            "from_commit": self.undone.id if self.undone is not None else None,
            "to_commit": self.restored.id if self.restored is not None else None,
            "proof": proof.kind if proof is not None else None,
            "compared_with": proof.against if proof is not None else None,
            "differences": [
                {"path": each.path, "owners": list(each.owners)} for each in (proof.differences if proof else ())
            ],
            "explicit": list(self.explicit),
            "problem": self.problem or None,
            "note": self.nothing or self.further or None,
            "readiness": self.readiness.as_json() if self.readiness is not None else None,
        }


class Report(Struct, frozen=True):
    """A drill of several releases, by id. `date` is when it was held (ISO 8601), `seconds` all that it took.

    `toolchain` says that HEAD is compiled with another edition, and what follows.
    """

    date: str
    head: Commit
    drilled: tuple[Drilled, ...]
    seconds: float
    toolchain: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Drilled, ...]:
        """The releases that could not go back."""
        return tuple(each for each in self.drilled if each.successful is False)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many came back, failed, and had nothing to go back to."""
        return {
            "releases": len(self.drilled),
            "restored": sum(each.successful is True for each in self.drilled),
            "failed": len(self.failed),
            "nothing": sum(each.successful is None for each in self.drilled),
        }

    def as_json(self) -> Data:
        """The report as data, schema relspec/drill/v1."""
        return {
            "schema": SCHEMA,
            "drill_date": self.date,
            "head": self.head.id,
            "duration_seconds": round(self.seconds, 6),
            "toolchain": list(self.toolchain),
            "summary": dict(self.counts),
            "releases": [each.as_json(self.date) for each in self.drilled],
        }


def drill(history: History, places: Sequence[Place], clock: Clock) -> Iterator[Drilled]:
    """The drill of each release of HEAD, in their order. Raises nothing for what is wrong with one of them."""
    newest = history.chain.newest
    compiler = Compiler(newest, any_edition=True, memory=history.memory)
    tools = _Tools(history, clock, compiler, Registry(compiler.loader), edition(newest) != EDITION)
    for start in range(0, len(places), READ_AT_ONCE):
        some = places[start : start + READ_AT_ONCE]
        _read_ahead(history, some)
        for place in some:
            try:
                yield _drilled(tools, place)
            except RelspecError as error:
                yield Drilled(place, "unknown", problem=_words(error.findings[0]))


def of_another_edition(history: History) -> tuple[str, ...]:
    """That HEAD is compiled with another edition, and what a drill can then prove; nothing where it is not."""
    so = "outputs can't be made again, so what was committed comes back"
    return toolchain("HEAD", history.chain.newest, history.memory, so)


def _read_ahead(history: History, places: Sequence[Place]) -> None:
    """Asks Git at once for what most of the releases need: the newest change of each, and the files before it."""
    chain, store = history.chain, history.repository.store
    indexes = {chain.next_change(0, (place.file,)) for place in places}
    try:
        history.repository.read_commits(chain.logged)
    except RelspecError:
        return  # whoever needs one will say which is missing
    store.read_blobs(blob for index in sorted(indexes) for blob in chain.blobs_before(index))


class _Tools(Struct, frozen=True):
    """What every release of a drill is given. `compiler` and `registry` are those of HEAD. `foreign`: the outputs are of another edition, which nobody here can make."""

    history: History
    clock: Clock
    compiler: Compiler
    registry: Registry
    foreign: bool


def _drilled(tools: _Tools, place: Place) -> Drilled:
    states = islice(tools.history.states(place.id, place.file), MOST_STATES)
    now = next(states)
    before = _version(now)
    further = ""
    try:
        for then in states:
            if then.declared is None or then.declared.broken or then.key == now.key:
                continue
            held = _held(tools, place, now, then)
            if held is not None:
                if not further and _compiles(tools, then):
                    if not _went_back(tools, place):
                        return replace(_going(place, now, then), problem=_words(held))
                    further = f"{described(then.declared)}, left in {now.first.short}, is in quarantine"
                continue
            drilled, restored = _attempt(tools, place, now, then)
            if drilled.successful and restored is not None:
                drilled = replace(drilled, readiness=_readiness(tools, drilled, restored, then, now, states))
            elif not _compiles(tools, then):
                continue
            return replace(drilled, further=f"{further}: this goes further back" if further else "")
    except RelspecError as error:
        return Drilled(place, before, now.first, problem=_words(error.findings[0]))
    if further:
        return Drilled(place, before, nothing=f"{further}: there is no other state to go back to")
    return Drilled(place, before, nothing=f"new in {now.first.short}: there is no earlier state")


def _held(tools: _Tools, place: Place, now: State, then: State) -> Finding | None:
    """Why a rollback to a state would be refused: it would bring back a version in quarantine."""
    if then.declared is None:
        return None
    services = then.declared.changed(now.declared)
    return next(brought_back(tools.registry, place.id, now.declared, then.declared, services), None)


def _went_back(tools: _Tools, place: Place) -> bool:
    """Whether the last change went back itself, so that undoing it is the way forward to what was left.

    A rollback says so (RS613). Only asked where what was left is in quarantine: nobody means to go there, and a drill of it
    would fail for ever.
    """
    try:
        destinations(tools.history, (place.file,), Wish())
    except RelspecError as error:
        return error.findings[0].code == "RS613"
    return False


def _going(place: Place, now: State, then: State) -> Drilled:
    """The way from one state to another, before anybody tried it."""
    return Drilled(place, _version(now), now.first, _version(then), then.last, difference=difference_of(now, then))


def _attempt(tools: _Tools, place: Place, now: State, then: State) -> tuple[Drilled, Restored | None]:
    """Going back to a state."""
    drilled = _going(place, now, then)
    begin = tools.clock()
    try:
        restored, proof = _undone(tools, place, then)
    except RelspecError as error:
        return replace(drilled, seconds=tools.clock() - begin, problem=_words(error.findings[0])), None
    done = replace(
        drilled,
        seconds=tools.clock() - begin,
        proof=proof,
        explicit=tuple(each.words for each in restored.explicit),
        problem="; ".join(proof.reasons) if proof.kind == "not-proven" else "",
    )
    return done, restored


def _compiles(tools: _Tools, state: State) -> bool:
    """Whether a state compiled in its own time, as far as this compiler can tell: else nobody goes back to it."""
    if tools.foreign or state.declared is None:
        return True
    tree = tools.history.repository.tree_of(state.last.tree)
    made = Compiler(tree, any_edition=True, memory=tools.history.memory).release(state.declared.place)
    return not made.stopped


def _undone(tools: _Tools, place: Place, then: State) -> tuple[Restored, Proof]:
    """The files that restore a state, and what they give, compared with what was there."""
    history = tools.history
    repository = history.repository
    assert then.declared is not None  # noqa: S101 - a state that is not there is no way back
    distance = history.chain.distance(then.last.id)
    if distance is not None:
        repository.keep_tree(then.last, history.chain.at(distance))
    goal = Goal(place, then.declared, history.chain.newest, repository.tree_of(then.last.tree))
    restored = restore(goal, repository.store.blob, history.memory)
    head = repository.commit(history.head)
    case = Case(
        repository, head, then.last, then.declared.place, place, restored, restored.files, memory=history.memory
    )
    return restored, prove(case)


def _readiness(
    tools: _Tools, drilled: Drilled, restored: Restored, then: State, now: State, older: Iterator[State]
) -> Readiness | None:
    """How fast the live release would be back, as a rollback says it; None where that can't be told."""
    history, place = tools.history, drilled.place
    try:
        newest = _newest(tools, drilled, restored, then, now, older)
        if newest is not None:
            return readiness(newest)
        wanted = restored.compiled or _ran(history, then)
        if wanted is None:
            return None
        revisions = history.revisions(place.id, place.file, (wanted,))
    except RelspecError:
        return None
    return readiness(revisions, wanted=wanted) if revisions else None


def _newest(
    tools: _Tools, drilled: Drilled, restored: Restored, then: State, now: State, older: Iterator[State]
) -> tuple[Revision, Revision] | None:
    """The two newest revisions, where they say all: nothing else can have left a ReplicaSet between theirs, and both of
    theirs are young.

    That is so where two commits alone changed what the release is made from, and gave each of its services an image that
    it did not have before. Images are in every pod template; what else is in one takes compiling to know.
    """
    history, place = tools.history, drilled.place
    if drilled.proof is None or drilled.proof.kind != "identical" or restored.compiled is None:
        return None
    newest, before, *earlier = (_images(state) for state in (now, then, *islice(older, OLDER)))
    if not all((newest, before, *earlier)) or newest & before or any((newest | before) & each for each in earlier):
        return None
    live, asked = history.compiled(history.head, place.id, place.file)
    paths = asked.union(*(state.declared.asked for state in (now, then) if state.declared is not None))
    last = history.chain.next_change(0, paths)
    changes = [last, history.chain.next_change(last + 1, paths)]
    if live is None or changes != [history.chain.distance(each.first.id) for each in (now, then)]:
        return None
    ran = Revision(then.last.id, history.time(then.first.id), restored.compiled)
    return ran, Revision(now.first.id, history.time(now.first.id), live)


def _images(state: State) -> frozenset[tuple[str, str]]:
    """Each service with its image; nothing where one does not say it itself, or has a candidate with its own."""
    declared = state.declared.services if state.declared is not None else {}
    services = {name: json.loads(text) for name, text in declared.items() if name != RELEASE}
    named = {
        (name, each["image"]) for name, each in services.items() if each.get("image") and not each.get("candidate")
    }
    return frozenset(named) if len(named) == len(services) else frozenset()


def _ran(history: History, then: State) -> CompiledRelease | None:
    """What ran in a state."""
    assert then.declared is not None  # noqa: S101 - a state that is not there is no way back
    return history.compiled(then.last.id, then.declared.place.id, then.declared.place.file)[0]


def _version(state: State) -> str:
    declared = state.declared
    if declared is None:
        return "not there"
    return "broken" if declared.broken else versions(tuple(running_services(declared.services)))


def _words(finding: Finding) -> str:
    return f"{finding.code} {finding.message}" + (f"; {finding.hint}" if finding.hint else "")

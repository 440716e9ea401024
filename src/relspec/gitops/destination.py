"""Where a rollback goes: which releases are meant, which of their earlier states, and what is left behind."""

from __future__ import annotations

import contextlib
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from relspec.compiler import Compiler
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.discovery import RELEASE_FILE, Place, place_of, release_at
from relspec.gitops.declared import RELEASE, Declared, candidate_model, declare
from relspec.gitops.proof import edition
from relspec.gitops.quarantined import brought_back
from relspec.gitops.repository import Commit, Repository
from relspec.gitops.states import History, State, former_place, renamed
from relspec.loader import Loader
from relspec.lock import EDITION
from relspec.registry.records import Registry
from relspec.resolve import ENVIRONMENTS
from relspec.targets.helm.values_context import image_parts
from relspec.workspace import select

MOST_STATES = 50
"""How many states back anybody looks."""

NEAR = 1000
"""Commits of the first-parent chain among which it is always looked whether HEAD went back."""

SIGNS_OF_RETURN = ("Relspec-Restores:", "This reverts commit")
"""What a message says where a commit went back: a reason to look further."""

VERSION = re.compile(r"v?[0-9]+(\.[0-9]+){0,2}([-+][0-9A-Za-z.+-]+)?")
"""What can be a version of a model; whether it is one, the states say."""

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""How a time begins, which names no commit."""

KINDS_OF_REFS = {"tags": "a tag", "heads": "a branch", "remotes": "a remote branch"}


class Wish(Struct, frozen=True):
    """What was asked for. `to` is a revision or a version, None: the newest earlier state that compiles; `service` alone.

    `now` is the time in unix seconds, which only messages tell.
    """

    to: str | None = None
    service: str | None = None
    now: int = 0


class Destination(Struct, frozen=True):
    """Where one release goes.

    `place` is where it lies at HEAD, or will lie; `now` what it declares there (None: it was removed). `commit` has the
    state `then`, of `services` alone or (None) whole. `left` are the states that go, newest first; `skipped` those among
    them that could not be gone back to. `warnings` are sentences.
    """

    release: str
    place: Place
    now: Declared | None
    commit: Commit
    then: Declared
    services: frozenset[str] | None
    left: tuple[State, ...]
    skipped: tuple[State, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def undone(self) -> Commit | None:
        """The one change that goes; None where there are several, or none."""
        steps = [state for state in self.left if state not in self.skipped]
        return steps[0].first if len(steps) == 1 and not self.skipped else None

    @property
    def changed(self) -> tuple[str, ...]:
        """The services that go back, sorted; `*` for what the release says of itself."""
        names = self.then.changed(self.now)
        return names if self.services is None else tuple(name for name in names if name in self.services)

    @property
    def is_there(self) -> bool:
        """Whether the release is already what it would go back to."""
        if self.now is None or self.changed:
            return False
        names = self.services if self.services is not None else {*self.now.levers, *self.then.levers}
        return all(self.now.levers.get(name) == self.then.levers.get(name) for name in names)


def destinations(history: History, words: Sequence[str], wish: Wish, prefix: str = "") -> tuple[Destination, ...]:
    """Where the releases that `words` mean go back to, sorted by id. `prefix` is the folder where the words were typed.

    Raises RelspecError: RS200 for a release that never was; RS205 for a service that never was; RS606 for a revision and
    RS611 for one outside of HEAD's history; RS613 where a release has just gone back; RS615 for a word that means a
    revision and a version; RS616 where there is no such state; RS630 where the answer lies beyond a shallow boundary.
    """
    meant = {place.id: place for word in words for place in _releases(history, word, prefix)}
    pasts = [_Past(history, place, wish) for _, place in sorted(meant.items())]
    if wish.to is None:
        return _each(pasts, _Past.previous)
    version, commit = _target(history.repository, pasts, wish.to)
    if commit is not None:
        _refuse_strangers(history, commit)
        return _each(pasts, lambda past: past.at(commit))
    return _each(pasts, lambda past: past.running(version or ""))


def _each(pasts: Sequence[_Past], find: Callable[[_Past], Destination]) -> tuple[Destination, ...]:
    """A destination for each release. Raises RelspecError with what is said of all that have none."""
    found: list[Destination] = []
    findings: list[Finding] = []
    for past in pasts:
        try:
            found.append(find(past))
        except RelspecError as error:
            findings += error.findings
    if findings:
        raise RelspecError(*findings)
    return tuple(found)


# --- which releases


def _releases(history: History, word: str, prefix: str) -> Sequence[Place]:
    """The releases that a word means: an id, a path, a glob; also the id or the folder of one that was removed."""
    tree = history.tree(history.head)
    loader = Loader(tree, history.memory)
    path = posixpath.normpath(posixpath.join(prefix, word.rstrip("/")))
    file = path if posixpath.basename(path) == RELEASE_FILE else f"{path}/{RELEASE_FILE}"
    place = place_of(tree, loader, word) or release_at(tree, loader, file)
    if place is not None:
        return [place]
    found = Compiler(tree, any_edition=True, memory=history.memory).found
    try:
        return select(found, [word], prefix)
    except RelspecError:
        removed = former_place(history, word) or former_place(history, path)
        if removed is None:
            raise
        # Its folder has moved and its id has not: then it is not gone.
        return [next((here for here in found.releases if here.id == removed.id), removed)]


# --- which state


def _target(repository: Repository, pasts: Sequence[_Past], word: str) -> tuple[str | None, Commit | None]:
    """What `--to` names: a version (`v0.3`, `als@v0.3`) or a commit. Raises RelspecError: RS606, RS615."""
    model, at, version = word.partition("@")
    if at and model and VERSION.fullmatch(version):
        return word, None
    try:
        commit = repository.commit(repository.resolve(word))
    except RelspecError as error:
        if error.findings[0].code != "RS606":
            raise
        if DAY.match(word) and not any(past.versions(word) for past in pasts):
            hint = f"what ran then: relspec history {pasts[0].place.id} --at {word}; then name its commit"
            raise RelspecError(replace(error.findings[0], hint=hint)) from error
        if VERSION.fullmatch(word):
            return word, None
        raise
    ran = sorted({found for past in pasts for found in past.versions(word)}) if VERSION.fullmatch(word) else []
    if not ran:
        return None, commit
    named = {f"refs/{folder}/{word}": kind for folder, kind in KINDS_OF_REFS.items()}
    spelled = next((name for name in named if name in repository.refs), commit.id)
    raise RelspecError(
        Finding(
            "RS615",
            f"{word} is a version of {ran[0].partition('@')[0]} and {named.get(spelled, 'a commit')}",
            Where(word),
            f"write which one: --to {ran[0]} or --to {spelled}",
        )
    )


def _refuse_strangers(history: History, commit: Commit) -> None:
    if not history.repository.is_ancestor(commit.id, history.head):
        message = f"{commit.short} is not in the history of HEAD: it never ran here"
        hint = "merge it first, or name a commit of: git log --first-parent"
        raise RelspecError(Finding("RS611", message, Where(commit.short), hint))


class _Point(Struct, frozen=True):
    """A state with what is known of it as soon as the one after it is: where it began itself is looked up later."""

    release: str
    last: Commit
    declared: Declared | None


class _Past:
    """The states of one release, newest first, as far as anybody looks."""

    def __init__(self, history: History, place: Place, wish: Wish) -> None:
        self.history = history
        self.wish = wish
        self.place = place
        self.states: list[State] = []
        self.cut: RelspecError | None = None
        """RS630, once the states are known up to a shallow boundary."""
        self._iterator = history.states(place.id, place.file, NEAR)
        self._is_far = False
        self._points: dict[int, _Point] = {}
        if wish.service is not None:
            self._refuse_unknown(wish.service)

    @cached_property
    def now(self) -> Declared | None:
        """What the release declares at HEAD."""
        found = declare(self.history.tree(self.history.head), self.place.id, self.history.memory, self.place.file)
        return found if isinstance(found, Declared) else None

    # --- as far as anybody looks

    def state(self, index: int, *, far: bool = True) -> State | None:
        """A state by its number; None where there are not so many, or where it is MOST_STATES back.

        Without `far` also where it began more than NEAR commits ago. Raises RelspecError RS630 where that lies beyond a
        shallow boundary.
        """
        while len(self.states) <= index < MOST_STATES:
            try:
                self.states.append(next(self._iterator))
            except StopIteration:
                if self._is_far or not far:
                    return None
                self._is_far = True
                whole = self.history.states(self.place.id, self.place.file)
                self._iterator = islice(whole, len(self.states), None)
        return self.states[index] if index < len(self.states) else None

    def point(self, index: int, *, far: bool = True) -> _Point | None:
        """A state by its number; None where there is none. Raises RelspecError RS630 beyond a shallow boundary."""
        if index not in self._points:
            try:
                found = self._point(index, far=far)
            except RelspecError as error:
                self.cut = error
                raise
            if found is None:
                return None
            self._points[index] = found
        return self._points[index]

    def _point(self, index: int, *, far: bool) -> _Point | None:
        if index == 0:
            return _Point(self.place.id, self.history.repository.commit(self.history.head), self.now)
        newer = self.state(index - 1, far=far)
        parent = self.history.repository.parent(newer.first) if newer is not None else None
        if newer is None or parent is None:
            return None
        file = newer.declared.place.file if newer.declared is not None else self.place.file
        name = newer.born or newer.release
        found = declare(self.history.tree(parent.id), name, self.history.memory, file)
        return _Point(name, parent, found if isinstance(found, Declared) else None)

    def points(self, *, far: bool = True) -> Iterator[_Point]:
        """All states, as far as they were fetched."""
        with contextlib.suppress(RelspecError):
            for index in range(MOST_STATES):
                point = self.point(index, far=far)
                if point is None:
                    return
                yield point

    def _refuse_unknown(self, service: str) -> None:
        names: set[str] = set()
        for point in self.points():
            names |= {*point.declared.services, *point.declared.levers} if point.declared is not None else set()
            if service in names:
                return
        hint = f"its services: {', '.join(sorted(names - {RELEASE}))}"
        raise RelspecError(Finding("RS205", f"{self.place.id} has no service {service}", Where(self.place.file), hint))

    # --- the newest earlier one

    def previous(self) -> Destination:
        """The newest earlier state that compiles."""
        skipped: list[State] = []
        index = 1
        self._refuse_renamed()
        while (point := self.point(index)) is not None:
            if self._is_another(point):
                if point.declared is not None and self._usable(point):
                    returned = self._returned(index, point.declared)
                    self._refuse_second(index, point, returned)
                    found = self._destination(
                        point.last, point.declared, self._scope, self._left(index), tuple(skipped)
                    )
                    return replace(found, warnings=tuple(self._warnings(returned)))
                passed = self.state(index)
                skipped += [passed] if passed is not None else []
            elif skipped and self._came_back():
                raise self._second(index, skipped[0])
            index += 1
        raise self._first(skipped)

    def _refuse_renamed(self) -> None:
        """Raises RelspecError RS616 where the release is only called otherwise now: it would run twice."""
        gone = self.state(0) if self.now is None else None
        index = self.history.chain.distance(gone.first.id) if gone is not None else None
        if gone is None or index is None:
            return
        removed = self.history.removed(index)
        if not any(place.id == self.place.id for place in removed):
            return
        before, after = self.history.chain.before(index), self.history.tree(gone.first.id)
        memory, head = self.history.memory, self.history.tree(self.history.head)
        for path in self.history.chain.changed(index):
            if posixpath.basename(path) != RELEASE_FILE or head.kind(path) != "file":
                continue
            place = release_at(after, Loader(after, memory), path)
            current = declare(after, place.id, memory, path) if place is not None else None
            former = renamed(current, before, removed, memory) if current is not None else None
            if place is None or former is None or former.place.id != self.place.id:
                continue
            message = f"{self.place.id} was renamed to {place.id} in {gone.first.short}"
            hint = f"relspec rollback {place.id}; to bring it back beside that one: --to {gone.first.short}^"
            raise RelspecError(Finding("RS616", message, Where(path), hint, release=self.place.id))

    def _is_another(self, point: _Point) -> bool:
        """Whether something differs from now: in the one service that goes back, or at all."""
        return self._said(point.declared) != self._said(self.now)

    def _said(self, declared: Declared | None) -> object:
        """What is declared of the one service that goes back, or of all."""
        if self.wish.service is not None:
            return _says(declared, self.wish.service)
        return declared.key if declared is not None else None

    def _came_back(self) -> bool:
        """Whether what is there was reached by going back."""
        return self.now is not None and _went_back([self._said(point.declared) for point in self.points()])

    @property
    def _scope(self) -> frozenset[str] | None:
        return None if self.wish.service is None else frozenset({self.wish.service})

    def _left(self, index: int) -> tuple[State, ...]:
        """The states newer than one; of one service alone."""
        states = self.states[:index]
        return tuple(states if self.wish.service is None else _runs(states, self.wish.service))

    def _usable(self, point: _Point) -> bool:
        """Whether a state can be gone back to: it is there, and it compiles."""
        if point.declared is None:
            return False
        if self._another_edition:
            return True
        made, _ = self.history.compiled(point.last.id, point.declared.place.id, point.declared.place.file)
        return not point.declared.broken and made is not None and not made.stopped

    @cached_property
    def _another_edition(self) -> bool:
        """Whether this compiler is not the one that the outputs are made with: then it can't judge."""
        return edition(self.history.tree(self.history.head)) != EDITION

    def _first(self, skipped: Sequence[State]) -> RelspecError:
        """RS616."""
        release, service = self.place.id, self.wish.service
        earlier = next((state for state in skipped if state.declared is not None), None)
        if earlier is not None and service is None:
            message = f"no earlier state of {release} compiles; the newest is {earlier.last.short}"
            return RelspecError(Finding("RS616", message, Where(self.place.file), "name one: --to REV"))
        newest = self.state(0)
        first = newest.first.short if newest is not None else "HEAD"
        if service is not None:
            message = f"there is no earlier state of {service} in {release} that compiles"
            if not skipped and (begun := self._begun(service)) is not None:
                message = f"{service} of {release} has not changed since {begun.short} ({begun.day})"
            return RelspecError(Finding("RS616", message, Where(self.place.file), f"see: relspec history {release}"))
        tree = self.history.tree(self.history.head)
        outputs = f"{Compiler(tree, any_edition=True).output}/{release}"
        folder = posixpath.dirname(self.place.file)
        beside = folder == f"{ENVIRONMENTS}/{self.place.environment}"
        gone = [self.place.file if beside else folder, *([outputs] if tree.kind(outputs) == "folder" else [])]
        message = f"{release} is new in {first}: there is no earlier state to go back to"
        return RelspecError(
            Finding("RS616", message, Where(self.place.file), f"to remove it: git rm -r {shlex.join(gone)}")
        )

    def _begun(self, service: str) -> Commit | None:
        """The commit from which on a service is what it is, where all of its states are known."""
        known = list(self.points())
        same = [number for number, point in enumerate(known) if not self._is_another(point)]
        state = self.state(same[-1]) if same and self.cut is None else None
        return state.first if state is not None else None

    # --- not twice

    def _returned(self, index: int, then: Declared) -> dict[str, int]:
        """The services that would go back and that came to be what they are by going back: they were it before, too.

        By name the number of that older state. Only near ones are looked at, unless the last change says that it went
        back: whether it did is for the states to say, and only how far to look for its message.
        """
        if self.now is None:
            return {}
        names = [name for name in then.changed(self.now) if self._scope is None or name in self._scope]
        found: dict[str, int] = {}
        for number, point in enumerate(self.points(far=self._far)):
            if number > index and point.declared is not None:
                for name in names:
                    if _says(point.declared, name) == _says(self.now, name):
                        found.setdefault(name, number)
            if len(found) == len(names):
                break
        points = list(self.points(far=self._far)) if found else []
        return {
            name: number
            for name, number in found.items()
            if _went_back([_says(point.declared, name) for point in points])
        }

    @property
    def _far(self) -> bool:
        """Whether to look further than NEAR commits back: the last change says that it went back."""
        return any(mark in self.states[0].first.message for mark in SIGNS_OF_RETURN)

    def _returned_whole(self) -> bool:
        """Whether the release as a whole was gone back to: one of its services may have come and gone more often."""
        return self._scope is None and _went_back([self._said(each.declared) for each in self.points(far=self._far)])

    def _refuse_second(self, index: int, then: _Point, returned: dict[str, int]) -> None:
        """RS613: what is there was gone back to, and the state before it is the one that was left for it."""
        if self.now is None or then.declared is None:
            return
        names = [name for name in then.declared.changed(self.now) if name in (self._scope or {name})]
        if not (returned and all(name in returned for name in names)) and not self._returned_whole():
            return
        now, left = told_apart(self.now, then.declared)
        left = f"{left} ({then.last.short})"
        forward = f"forward to {left}: --to {then.last.short}{self._service_too}"
        held = self._in_quarantine(then.declared)
        if held is not None:
            forward = f"no way forward to {left}: {held.where.path[-1]} is in quarantine"
        further = self._below(max(returned.values(), default=index), then)
        raise self._already(self._left(index)[0].first, left, now, [*self._further(further), forward])

    def _second(self, index: int, left: State) -> RelspecError:
        """RS613 where what was left can't be gone back to: it does not compile, or there was no such release."""
        what = "a state that does not compile" if left.declared is not None else "its removal"
        ways = list(self._further(self._below(index, None)))
        back = self._left(index)[0].first
        return self._already(back, f"{what} ({left.last.short})", described(self.now), ways)

    def _already(self, back: Commit, left: str, now: str, ways: Sequence[str]) -> RelspecError:
        age = ago(self.wish.now - self.history.time(back.id))
        where = f"from {left} to {now} ({back.short})"
        message = f"{self.place.id} was already rolled back {where} {age} by {back.author} ({back.short})"
        hint = "; ".join(ways) or f"see: relspec history {self.place.id}"
        return RelspecError(Finding("RS613", message, Where(self.place.file), hint, release=self.place.id))

    @property
    def _service_too(self) -> str:
        return f" --service {self.wish.service}" if self.wish.service is not None else ""

    def _further(self, point: _Point | None) -> Iterator[str]:
        if point is not None:
            yield f"further back to {_name(point.declared, point.last)}: --to {point.last.short}{self._service_too}"

    def _below(self, index: int, left: _Point | None) -> _Point | None:
        """The newest usable state, from a number on, that is neither what is there nor what was left for it, nor refused.

        What lies above the oldest state that is the same as now has been gone back from: loops are left out.
        """
        known = list(self.points())
        same = [number for number in range(index, len(known)) if not self._is_another(known[number])]
        start = same[-1] + 1 if same else index
        gone = self._said(left.declared) if left is not None else None
        others = (each for each in known[start:] if self._said(each.declared) != gone)
        return next(
            (each for each in others if self._usable(each) and self._in_quarantine(each.declared) is None), None
        )

    def _in_quarantine(self, then: Declared | None) -> Finding | None:
        """RS411 where going to a state would bring back a version in quarantine."""
        if then is None:
            return None
        registry = Registry(Loader(self.history.tree(self.history.head), self.history.memory))
        names = [name for name in then.changed(self.now) if self._scope is None or name in self._scope]
        return next(brought_back(registry, self.place.id, self.now, then, names), None)

    def _warnings(self, returned: Mapping[str, int]) -> Iterator[str]:
        first = self.states[0].first.short
        for name in returned:
            yield f"{name} goes forward to what it was taken back from in {first}; to leave it as it is: --service NAME"
        if self.cut is not None and self.now is not None:
            yield (
                f"the history of {self.place.id} was not fetched far enough to know whether it has gone back before "
                f"({self.cut.findings[0].hint})"
            )

    # --- a named one

    def versions(self, word: str) -> set[str]:
        """The exact models (`als@v0.3`) of a version that the release ever ran."""
        models = (point.declared.models for point in self.points() if point.declared is not None)
        return {model for each in models for model in each.values() if _is_version(model, word)}

    def running(self, version: str) -> Destination:
        """The newest state in which services ran a version that they don't run now; these services alone go back."""
        now = self.now
        ran: dict[str, None] = {}
        for index, point in enumerate(self.points()):
            declared = point.declared
            if declared is None or declared.broken:
                continue
            ran |= dict.fromkeys(declared.models.values())
            names = frozenset(
                name
                for name, model in declared.models.items()
                if _is_version(model, version)
                and self.wish.service in (None, name)
                and not (now is not None and _is_version(now.models.get(name, ""), version))
            )
            if names and self._usable(point):
                whole = now is None or set(declared.changed(now)) <= names
                scope = None if whole and self.wish.service is None else names
                return self._destination(point.last, declared, scope, tuple(self.states[:index]))
        if now is not None and any(_is_version(model, version) for model in now.models.values()):
            return self._destination(self.history.repository.commit(self.history.head), now, self._scope, ())
        if self.cut is not None:
            raise self.cut
        message = f"{self.place.id} never ran {version}"
        hint = f"it ran {', '.join(ran)}" if ran else f"it runs no model; see: relspec history {self.place.id}"
        raise RelspecError(Finding("RS616", message, Where(self.place.file), hint, release=self.place.id))

    def at(self, commit: Commit) -> Destination:
        """The state that a commit has."""
        index = 0
        while (state := self.state(index)) is not None and not self._holds(commit, state.first):
            index += 1
        left = self.states[:index]
        around = self.states[index : index + 1] or left[-1:]
        names = dict.fromkeys((*(name for each in around for name in (each.release, each.born) if name), self.place.id))
        files = [each.declared.place.file for each in self.states[index:] if each.declared is not None]
        tree = self.history.tree(commit.id)
        found = [declare(tree, name, self.history.memory, next(iter(files), None)) for name in names]
        then = next((each for each in found if isinstance(each, Declared)), None)
        if then is None:
            message = f"there was no {next(iter(names))} in {commit.short}"
            raise RelspecError(Finding("RS616", message, Where(self.place.file), "name a later commit"))
        if then.broken and not self._another_edition:
            message = f"{then.place.id} does not compile in {commit.short}: {then.findings[0].message}"
            raise RelspecError(Finding("RS616", message, then.findings[0].where, "name another commit"))
        return self._destination(commit, then, self._scope, self._left(index))

    def _holds(self, commit: Commit, older: Commit) -> bool:
        """Whether a commit has another one in its history; on the first-parent chain the distances say it."""
        chain = self.history.chain
        distance, below = chain.distance(commit.id), chain.distance(older.id)
        if distance is not None and below is not None:
            return below >= distance
        return self.history.repository.is_ancestor(older.id, commit.id)

    def _destination(
        self,
        commit: Commit,
        then: Declared,
        services: frozenset[str] | None,
        left: tuple[State, ...],
        skipped: tuple[State, ...] = (),
    ) -> Destination:
        if self.now is None and services is not None:
            message = f"{self.place.id} was removed: one service of it can't come back alone"
            raise RelspecError(Finding("RS616", message, Where(self.place.file), "leave out --service"))
        place = self.now.place if self.now is not None else self.place
        return Destination(place.id, place, self.now, commit, then, services, left, skipped)


def _says(declared: Declared | None, name: str) -> object:
    if declared is None:
        return ("gone",)
    return declared.services.get(name), declared.levers.get(name)


def _went_back(states: Sequence[object]) -> bool:
    """Whether the newest of some states (newest first) was reached by going back; each is what it said.

    Going to what lies below in the pile of states takes off what lies above it; anything else is put on top. So v2, v3, v2
    went back, and when v3 is deployed once more that is a change like any other, and can be undone.
    """
    pile: list[object] = []
    back = False
    for said in reversed(states):
        if pile and pile[-1] == said:
            continue
        back = said in pile
        del pile[pile.index(said) + 1 if back else len(pile) :]
        pile += [] if back else [said]
    return back


def _runs(states: Sequence[State], service: str) -> Iterator[State]:
    """The states of one service: neighbours in which it declares the same are one."""
    run: State | None = None
    for state in states:
        if run is not None and _says(run.declared, service) == _says(state.declared, service):
            run = replace(run, first=state.first)
        else:
            if run is not None:
                yield run
            run = state
    if run is not None:
        yield run


def _is_version(model: str, word: str) -> bool:
    return model == word if "@" in word else model.partition("@")[2] == word


def _name(declared: Declared | None, commit: Commit) -> str:
    """How a person calls a state: `als v0.3 (1a2b3c4d5)`."""
    return f"{described(declared)} ({commit.short})"


def told_apart(one: Declared | None, other: Declared | None) -> tuple[str, str]:
    """What a person calls two states: by what differs, where the same model runs in both."""
    names = described(one), described(other)
    if names[0] != names[1] or one is None or other is None:
        return names
    images = ", ".join(dict.fromkeys(_images(one))), ", ".join(dict.fromkeys(_images(other)))
    return images if images[0] != images[1] and all(images) else names


def described(declared: Declared | None) -> str:
    """How a person calls what runs: by the models (`als v0.3`), else by the images (`recs 1.8.2`)."""
    names = dict.fromkeys(_models(declared) or _images(declared)) if declared is not None else {}
    return ", ".join(name.replace("@", " ") for name in names) or "the state"


def _models(declared: Declared) -> list[str]:
    candidates = {name: candidate_model(declared, name) for name in sorted(declared.models)}
    found = [(declared.models[name], candidates[name]) for name in candidates]
    return [f"{model} with candidate {other}" if other not in (None, model) else model for model, other in found]


def _images(declared: Declared) -> list[str]:
    images = (json.loads(service).get("image") for service in declared.services.values())
    found = [image_parts(image) for image in images if isinstance(image, str)]
    return [f"{repository.rpartition('/')[2]} {tag}".strip() for repository, tag, _ in found]


def ago(seconds: int) -> str:
    """`12 min ago`, `3 h ago`, `5 days ago`; `just now` below a minute, and where clocks disagree."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit[:-1] if unit == 'days' and number == 1 else unit} ago"
    return "just now"

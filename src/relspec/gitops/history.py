"""The history of a release: every change of what ran, and what was live at a time. Git alone answers.

A row is a state of the release (`states`), so it is also there where an alias, a base or the registry moved and nobody
touched the release's folder. A change of the environment, its templates, charts or the lock is a row of its own kind: it
may restart the release, but going back doesn't count it. Whether a change was rolled back is decided from states as well:
a later commit declares again what an earlier one did, whatever its message says. One that deploys again what was taken
back goes forward: that rolls nothing back (`destination` counts the same way).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from relspec.credentials import hidden_in_prose
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops.changes import image_step
from relspec.gitops.declared import RELEASE, Declared
from relspec.gitops.repository import Commit
from relspec.gitops.schedule import duration
from relspec.gitops.states import History, State
from relspec.gitops.surroundings import Surroundings, difference, surroundings, toolchain
from relspec.loader import Loader
from relspec.lock import EDITION
from relspec.registry.records import FOLDER, model_file
from relspec.spec.registry import Model
from relspec.spec.release import Release
from relspec.targets.helm.values_context import image_parts

SCHEMA = "relspec/history/v1"
LIVE_SCHEMA = "relspec/live/v1"
RowKind = Literal["new", "changed", "removed", "environment"]
Data = Mapping[str, Any]

REASON = "relspec-reason:"
"""The trailer that says why, in lower case."""


class Running(Struct, frozen=True):
    """A service as a state declares it. `version` is what a person calls it: `als v0.3`, else its image, `recs 1.8.2`."""

    service: str
    version: str
    model: str | None
    image: str | None
    strategy: str
    active: str | None
    candidate: str | None

    @property
    def words(self) -> str:
        """The service in a few words: `als v0.3 in recs 1.8.2, baseline active, candidate als v0.4`."""
        image = f" in {_short_image(self.image)}" if self.model and self.image else ""
        lever = f", {self.active} active" if self.active else ""
        candidate = f", candidate {self.candidate}" if self.candidate else ""
        return f"{self.version}{image}{lever}{candidate}"

    def as_json(self) -> Data:
        """The service as data."""
        names = ("service", "version", "model", "image", "strategy", "active", "candidate")
        return {name: getattr(self, name) for name in names}


class Undone(Struct, frozen=True):
    """The commit that took a change back, and the seconds from the one to the other."""

    commit: Commit
    time: int
    seconds: int

    @property
    def after(self) -> str:
        """The time that going back took, in words."""
        return lasting(self.seconds)


class Row(Struct, frozen=True):
    """A change of what ran.

    `release` is its id then. `time` is when it came (unix seconds, see `History.time`), `until` when the next one did:
    None for what is still declared. `services` run from then on; `changed` are those that differ (`*`: what the release
    says of itself). `what` says so in words. `through` are the things outside of the release's folder that made the
    change, where the folder was not touched. `environment` is what the same commit changed of the environment, or, in a
    row of that kind, all there is. `restores` is the newest earlier commit of an equal state, as a rollback names it, and
    `goes_back` whether that is a way back: what was taken back can also be deployed again. `undone` is the first later
    commit that went back behind this change. `broken` says why a state can't be understood. `or_earlier`: the change
    itself lies before what was fetched, so that nobody knows what it was.
    """

    kind: RowKind
    release: str
    commit: Commit
    time: int
    until: int | None = None
    services: tuple[Running, ...] = ()
    changed: tuple[str, ...] = ()
    what: str = ""
    through: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    broken: str = ""
    restores: Commit | None = None
    goes_back: bool = False
    undone: Undone | None = None
    or_earlier: bool = False

    @property
    def lived(self) -> int | None:
        """Seconds until the next change; None for what is still declared."""
        return None if self.until is None or self.kind == "environment" else self.until - self.time

    @property
    def lasted(self) -> str:
        """How long it lived, in words; empty while it does."""
        return "" if self.lived is None else lasting(self.lived)

    @property
    def when(self) -> str:
        """When it came, as text."""
        return instant(self.time)

    @property
    def reason(self) -> str:
        """Why: the trailer Relspec-Reason, else the subject of the commit."""
        return reason(self.commit)

    @property
    def strategies(self) -> str:
        """The strategies in words, each once; by service where they differ."""
        found = dict.fromkeys(running.strategy for running in self.services)
        if len(found) < 2:
            return "".join(found)
        return ", ".join(f"{running.service}: {running.strategy}" for running in self.services)

    @property
    def running(self) -> str:
        """The versions in words."""
        return versions(self.services)

    def as_json(self) -> Data:
        """The row as data."""
        undone = self.undone
        return {
            "kind": self.kind,
            "release": self.release,
            "commit": self.commit.id,
            "time": instant(self.time),
            "author": {"name": self.commit.author, "email": self.commit.email},
            "subject": self.commit.subject,
            "reason": self.reason,
            "merge": len(self.commit.parents) > 1,
            "what": self.what,
            "changed": list(self.changed),
            "services": [running.as_json() for running in self.services],
            "through": list(self.through),
            "environment": list(self.environment),
            "broken": self.broken or None,
            "restores": self.restores.id if self.restores is not None else None,
            "goesBack": self.goes_back,
            "rolledBackBy": None
            if undone is None
            else {"commit": undone.commit.id, "time": instant(undone.time), "seconds": undone.seconds},
            "orEarlier": self.or_earlier,
            "until": None if self.until is None else instant(self.until),
            "livedSeconds": self.lived,
        }


class Record(Struct, frozen=True):
    """The rows of a release, newest first, as far as they are known; `incomplete` says why there are no older ones.

    At most `limit` of them are shown. `toolchain` says that HEAD is compiled with another edition, and what follows.
    """

    release: str
    service: str | None
    head: Commit
    rows: tuple[Row, ...]
    incomplete: Finding | None = None
    limit: int | None = None
    toolchain: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[Row, ...]:
        """The newest rows."""
        return self.rows[: self.limit]

    def as_json(self) -> Data:
        """The record as data, schema relspec/history/v1."""
        return {
            "schema": SCHEMA,
            "release": self.release,
            "service": self.service,
            "head": self.head.id,
            "complete": self.incomplete is None,
            "toolchain": list(self.toolchain),
            "rollbacks": [each.as_json() for each in self.rollbacks],
            "total": len(self.rows),
            "changes": [row.as_json() for row in self.shown],
        }

    @property
    def rollbacks(self) -> tuple[Rollback, ...]:
        """What had to be taken back, or is held by a variant, newest first."""
        rows = [row for row in self.rows if row.kind != "environment"]
        shown = {id(row) for row in self.shown}
        return tuple(each for each in _rollbacks(rows) if id(each.row) in shown)


class Rollback(Struct, frozen=True):
    """A line of the table that people keep by hand: a change that was rolled back, or a variant that was switched on.

    From `row` it lasted `seconds` until `by` resolved it; both are None while it lasts.
    """

    row: Row
    by: Commit | None
    seconds: int | None
    reason: str

    @property
    def lasted(self) -> str:
        """How long it lasted, in words; empty while it does."""
        return "" if self.seconds is None else lasting(self.seconds)

    def as_json(self) -> Data:
        """The rollback as data."""
        return {
            "date": instant(self.row.time)[:10],
            "commit": self.row.commit.id,
            "seconds": self.seconds,
            "reason": self.reason,
            "resolved": self.by is not None,
            "resolvedBy": self.by.id if self.by is not None else None,
        }


class Answer(Struct, frozen=True):
    """What was live at a time: the state that a release was in, None where it was not there.

    `since` is the commit that began it and `time` when: None before the first one. `next` is the change that ended it,
    or, before the first one, the one that brought the release. With a `service` all that is said of it alone. `toolchain`
    says that the repository is, or was, compiled with another edition, and what follows.
    """

    release: str
    at: int
    row: Row | None
    next: Row | None
    service: str | None = None
    toolchain: tuple[str, ...] = ()

    @property
    def when(self) -> str:
        """The time that was asked for, as text."""
        return instant(self.at)

    def as_json(self) -> Data:
        """The answer as data."""
        return {
            "schema": LIVE_SCHEMA,
            "release": self.release,
            "service": self.service,
            "at": instant(self.at),
            "toolchain": list(self.toolchain),
            "live": self.row is not None and self.row.kind != "removed",
            "change": self.row.as_json() if self.row is not None else None,
            "next": self.next.as_json() if self.next is not None else None,
        }


def instant(seconds: int) -> str:
    """Unix seconds as text: 2026-03-04T14:05:00Z. What no calendar has stays a number, `@123456789012345`."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except (ValueError, OverflowError, OSError):
        return f"@{seconds}"


def reason(commit: Commit) -> str:
    """Why a commit was made: its trailer Relspec-Reason, else its subject; of a merged pull request its title.

    A hosting site's merge says `Merge pull request #12 from …` in its subject and the title below.
    """
    lines = commit.message.strip().splitlines()
    last = len(lines) - next((number for number, line in enumerate(reversed(lines)) if not line.strip()), len(lines))
    for number in range(last, len(lines)):
        if lines[number].lower().startswith(REASON):
            more = []
            for line in lines[number + 1 :]:
                if not line.startswith((" ", "\t")):
                    break
                more.append(line.strip())
            return hidden_in_prose(" ".join([lines[number][len(REASON) :].strip(), *more]).strip())
    if len(commit.parents) > 1 and commit.subject.startswith("Merge pull request "):
        return hidden_in_prose(next((line.strip() for line in lines[1:] if line.strip()), commit.subject))
    return commit.subject


def lasting(seconds: int) -> str:
    """Seconds as a person says them: `12 min`, `5 h 3 min`, `12 d 4 h`."""
    if seconds < 2 * 86_400:
        return duration(max(seconds, 0))
    days, hours = seconds // 86_400, seconds % 86_400 // 3600
    return f"{days} d {hours} h" if hours else f"{days} d"


def _rollbacks(rows: Sequence[Row]) -> Iterator[Rollback]:
    """Of rows newest first those that the table of rollbacks has."""
    for index, row in enumerate(rows):
        before = {each.service: each.active for each in rows[index + 1].services} if index + 1 < len(rows) else {}
        switched = [each for each in row.services if each.active and before.get(each.service) != each.active]
        if switched:
            off = next((later for later in reversed(rows[:index]) if not _still(later, switched)), None)
            seconds = off.time - row.time if off is not None else None
            yield Rollback(row, off.commit if off is not None else None, seconds, row.reason)
        elif row.undone is not None:
            yield Rollback(row, row.undone.commit, row.undone.seconds, reason(row.undone.commit))


def _still(row: Row, switched: Sequence[Running]) -> bool:
    active = {each.service: each.active for each in row.services}
    return any(active.get(each.service) == each.active for each in switched)


# --- the rows


def record(history: History, release: str, service: str | None = None, file: str | None = None) -> Record:
    """Every change of what ran of a release, or of one service of it, newest first.

    `file` is its release.yaml, where the id alone does not lead to it. Ends at the boundary of a shallow clone. Raises
    RelspecError: RS200 for a release that never was, RS205 for a service that it never had.
    """
    states: list[State] = []
    incomplete = None
    try:
        for state in history.states(release, file):
            states.append(state)  # noqa: PERF402 - what was found before the boundary counts
    except RelspecError as error:
        if error.findings[0].code != "RS630":
            raise
        incomplete = error.findings[0]
    if not any(state.declared for state in states):
        raise RelspecError(incomplete or unknown(release))
    points = _points(states, service)
    if service is not None and not points:
        raise RelspecError(_unknown_service(service, states))
    rows = [*_state_rows(history, points), *_environment_rows(history, states)]
    rows.sort(key=lambda row: history.chain.distance(row.commit.id) or 0)
    head = history.repository.commit(history.head)
    another = _toolchain(history, "HEAD", history.head)
    return Record(states[0].release, service, head, tuple(_merged(rows)), incomplete, toolchain=another)


def _toolchain(history: History, name: str, commit: str) -> tuple[str, ...]:
    """That a commit is compiled with another edition; nothing where it is not."""
    return toolchain(name, history.tree(commit), history.memory, f"states are what edition {EDITION} reads in them")


def live_at(
    history: History,
    release: str,
    at: int,
    file: str | None = None,
    service: str | None = None,
    *,
    whole: bool = False,
) -> Answer:
    """What was live at a time (unix seconds), of a release or of one service of it.

    `whole`: with all that the history says of the change that brought it, for which it is read to its beginning; else
    with what the state says by itself. Raises RelspecError as `record` does, RS630 where nobody fetched it.
    """
    if service is not None:
        return _labelled(history, _service_at(history, release, at, file, service))
    answer = _release_at(history, release, at, file)
    if whole:
        rows = {row.commit.id: row for row in record(history, release, None, file).rows}
        found = (rows.get(row.commit.id, row) if row is not None else None for row in (answer.row, answer.next))
        answer = replace(answer, row=next(found), next=next(found))
    return _labelled(history, answer)


def _labelled(history: History, answer: Answer) -> Answer:
    """The answer, with what is to know where HEAD, or what was live, is of another edition."""
    found = _toolchain(history, "HEAD", history.head)
    if not found and answer.row is not None:
        found = _toolchain(history, answer.row.commit.short, answer.row.commit.id)
    return replace(answer, toolchain=found)


def _release_at(history: History, release: str, at: int, file: str | None) -> Answer:
    """What a release was at a time, from its states alone: as few of them as that takes."""
    later: State | None = None
    states = history.states(release, file)
    for state in states:
        if history.time(state.first.id) <= at:
            if state.declared is None and next(states, None) is None:
                break  # it was not there yet
            return Answer(state.release, at, _alone(history, state, later), _came(history, later))
        later = state
    if later is None:
        raise RelspecError(unknown(release))
    return Answer(later.release, at, None, _came(history, later))


def _service_at(history: History, release: str, at: int, file: str | None, service: str) -> Answer:
    """What one service was at a time: its states can be older than those of its release."""
    found = record(history, release, service, file)
    rows = [row for row in found.rows if row.kind != "environment"]
    live = next((row for row in rows if row.time <= at), None)
    if live is None and found.incomplete is not None:
        raise RelspecError(found.incomplete)
    later = next((row for row in reversed(rows) if row.time > at), None)
    return Answer(live.release if live is not None else release, at, live, later, service)


def unknown(release: str) -> Finding:
    """RS200: a release that no commit of the history has."""
    hint = "list them with: relspec check --format json; a deleted release goes by its id, production/recs"
    return Finding("RS200", f"there is and was no release {release}", Where(release), hint)


def _unknown_service(service: str, states: Sequence[State]) -> Finding:
    names = sorted({name for state in states if state.declared for name in state.declared.services if name != RELEASE})
    hint = f"it has: {', '.join(names)}" if names else "none of its states can be understood"
    return Finding("RS205", f"there is and was no service {service}", Where(service), hint)


class _Point(Struct, frozen=True):
    """A state as far as somebody asks for it: `values` are canonical JSON by service, `running` what they mean."""

    state: State
    values: Mapping[str, str]
    running: tuple[Running, ...]

    @staticmethod
    def of(state: State, service: str | None = None) -> _Point:
        """The state, or one service of it."""
        values = state.declared.services if state.declared is not None else {}
        kept = {name: value for name, value in values.items() if service is None or name == service}
        return _Point(state, kept, tuple(running_services(kept)))

    @property
    def there(self) -> bool:
        return bool(self.values) or (self.state.declared is not None and self.state.declared.broken)

    @property
    def broken(self) -> bool:
        return self.state.declared is not None and self.state.declared.broken


def _points(states: Sequence[State], service: str | None) -> list[_Point]:
    """The states oldest first; with a service only those in which it differs from the one before, once it was there.

    Such a one lasts until the service differs again.
    """
    points: list[_Point] = []
    for state in reversed(states):
        point = _Point.of(state, service)
        if service is not None:
            if point.broken or (not points and not point.values):
                continue  # nothing says that the service changed
            if points and points[-1].values == point.values:
                points[-1] = replace(points[-1], state=replace(points[-1].state, last=state.last))
                continue
        elif not points and state.declared is None:
            continue
        points.append(point)
    return points


def _state_rows(history: History, points: Sequence[_Point]) -> Iterator[Row]:
    changed = [_changed(points[index - 1] if index else None, point) for index, point in enumerate(points)]
    undone = _undone(points, changed)
    backwards = set(_taken([_identity(point) if _is_understood(point) else None for point in points]).values())
    newest: dict[str, int] = {}
    for index, point in enumerate(points):
        before = points[index - 1] if index else None
        first = point.state.first
        identity = _identity(point)
        back = newest.get(identity) if _is_understood(point) else None
        newest[identity] = index
        time = history.time(first.id)
        or_earlier = first.id in history.repository.shallow
        until = history.time(points[index + 1].state.first.id) if index + 1 < len(points) else None
        other = undone[index]
        kind: RowKind = "removed" if not point.there else "new" if before is None or not before.there else "changed"
        yield Row(
            kind="changed" if or_earlier else kind,
            release=point.state.born or point.state.release,
            commit=first,
            time=time,
            until=until,
            services=point.running,
            changed=() if or_earlier else changed[index],
            what=_oldest_words(point) if or_earlier else _words(before, point),
            through=tuple(_through(history, before, point)),
            broken=_why_broken(point),
            restores=points[back].state.last if back is not None else None,
            goes_back=index in backwards,
            undone=None if other is None else _undoing(history, time, points[other].state.first),
            or_earlier=or_earlier,
        )


def _undoing(history: History, time: int, by: Commit) -> Undone:
    return Undone(by, history.time(by.id), history.time(by.id) - time)


def _alone(history: History, state: State, later: State | None) -> Row:
    """A row for a state by itself, without what others say of it."""
    point = _Point.of(state)
    return Row(
        kind="changed" if state.declared is not None else "removed",
        release=state.born or state.release,
        commit=state.first,
        time=history.time(state.first.id),
        until=history.time(later.first.id) if later is not None else None,
        services=point.running,
        broken=_why_broken(point),
        or_earlier=state.first.id in history.repository.shallow,
    )


def _came(history: History, state: State | None) -> Row | None:
    return _alone(history, state, None) if state is not None else None


def _identity(point: _Point) -> str:
    return point.state.key if point.broken else json.dumps(point.values, sort_keys=True)


def _why_broken(point: _Point) -> str:
    declared = point.state.declared
    if declared is None or not declared.findings:
        return ""
    finding = declared.findings[0]
    return f"{finding.code} {finding.where.file}: {finding.message}"


def _changed(before: _Point | None, after: _Point) -> tuple[str, ...]:
    """The services whose declaration differs, sorted."""
    old = before.values if before is not None else {}
    return tuple(sorted(name for name in {*old, *after.values} if old.get(name) != after.values.get(name)))


# --- what took what back


def _is_understood(point: _Point) -> bool:
    """Whether a state can be gone back to: it is there, and it can be read."""
    return point.there and not point.broken


def _taken(values: Sequence[Any]) -> dict[int, int]:
    """Of some states, oldest first, those that were gone back from, by number, each with the one that went back.

    Going to what lies below in the pile of states takes off what lies above it; anything else is put on top. So v2, v3, v2
    went back, and when v3 is deployed once more that is a change like any other, and can be taken back. None is what can't
    be gone back to.
    """
    found: dict[int, int] = {}
    pile: list[int] = []
    for index, value in enumerate(values):
        below = next(
            (place for place, number in enumerate(pile) if value is not None and values[number] == value), None
        )
        if below is None:
            pile.append(index)
            continue
        found.update(dict.fromkeys(pile[below + 1 :], index))
        del pile[below + 1 :]
    return found


def _undone(points: Sequence[_Point], changed: Sequence[tuple[str, ...]]) -> list[int | None]:
    """For each change the first later one in which all that it changed is again as it was before it, or earlier still.

    Going back by two states undoes both. A removal undoes nothing: it is one. What went back itself is not undone by going
    forward again.
    """
    taken = {names: _taken([_value(point, names) for point in points]) for names in dict.fromkeys(changed)}
    return [taken[names].get(index) for index, names in enumerate(changed)]


def _value(point: _Point, names: tuple[str, ...]) -> tuple[str | None, ...] | None:
    """What a state says of some services; None where it can't be gone back to."""
    if not _is_understood(point):
        return None
    return tuple(point.values.get(name) for name in names)


# --- words


STRATEGIES = {"blueGreen": "blue-green", "abTest": "A/B test", "shadow": "shadow"}


def versions(running: Sequence[Running]) -> str:
    """The versions in words: `als v0.3`, or `api: als v0.3; worker: recs 1.8.2` of several services."""
    if len(running) == 1:
        return running[0].words
    return "; ".join(f"{each.service}: {each.words}" for each in running)


def running_services(values: Mapping[str, str]) -> Iterator[Running]:
    """What a declaration (canonical JSON by service) runs, by service."""
    for name, value in sorted(values.items()):
        if name == RELEASE:
            continue
        service: dict[str, Any] = json.loads(value)
        candidate = service.get("candidate")
        yield Running(
            service=name,
            version=_version(service),
            model=_text(service.get("model")),
            image=_text(service.get("image")),
            strategy=_strategy(service.get("strategy")),
            active=_text(service.get("active")),
            candidate=_version(candidate) if isinstance(candidate, dict) else None,
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _version(service: Data) -> str:
    """`als v0.3` of a model, else the image."""
    model, image = _text(service.get("model")), _text(service.get("image"))
    if model is not None:
        return model.replace("@", " ", 1)
    if image is None:
        return "no version"
    return _short_image(image)


def _short_image(image: str) -> str:
    """The last part of an image's name, with its tag, else its digest: `recs 1.8.2`."""
    repository, tag, digest = image_parts(image)
    version = tag or (digest.removeprefix("sha256:")[:12] if digest else "")
    return f"{repository.rpartition('/')[2]} {version}".rstrip()


def _strategy(strategy: Any) -> str:
    """A strategy as DESIGN calls it, with the share of the candidate."""
    if not isinstance(strategy, dict) or not strategy:
        return "fixed"
    kind, settings = next(iter(strategy.items()))
    fields: Data = settings if isinstance(settings, dict) else {}
    if kind == "canary":
        return f"canary, held at {fields['weight']} %" if "weight" in fields else "canary, stepped"
    share = fields.get("weight", fields.get("percent"))
    name = STRATEGIES.get(kind) or str(kind)
    return f"{name} at {share} %" if share is not None else name


def _words(before: _Point | None, after: _Point) -> str:
    """What a change did, in one line: `api: als v0.3 -> v0.4; replicas`."""
    if after.broken:
        return "a state that can't be understood"
    if not after.there:
        return "removed"
    if before is None or not before.there:
        return "new: " + "; ".join(f"{running.service}: {running.words}" for running in after.running)
    if before.broken:
        return "understood again: " + "; ".join(f"{each.service}: {each.words}" for each in after.running)
    old = {running.service: running for running in before.running}
    new = {running.service: running for running in after.running}
    parts = []
    for name in _changed(before, after):
        if name == RELEASE:
            fields = _fields(before.values.get(name), after.values.get(name))
            parts.append(", ".join(f".{field}" for field in fields))
        elif name not in new:
            parts.append(f"{name}: removed")
        elif name not in old:
            parts.append(f"{name}: new, {new[name].words}")
        else:
            parts.append(f"{name}: {_step(old[name], new[name], before.values[name], after.values[name])}")
    return "; ".join(parts)


def _oldest_words(point: _Point) -> str:
    """What is known of the oldest state of a shallow clone: what it was, and not what brought it."""
    running = "; ".join(f"{each.service}: {each.words}" for each in point.running)
    return f"at the boundary of what was fetched: {running or 'a state that is not understood'}"


def difference_of(before: State, after: State) -> str:
    """What differs between two states of a release, in one line: `api: als v0.3 -> v0.4; replicas`."""
    return _words(_Point.of(before), _Point.of(after))


def _step(old: Running, new: Running, before: str, after: str) -> str:
    """What is different in a service: versions first, then the names of other fields."""
    if old.active != new.active:
        lever = f"{new.active} active" if new.active else f"{old.active} off"
        return f"{lever}: {old.version} -> {_shorter(old.version, new.version)}"
    said: list[str] = []
    fields = _fields(before, after) - {"$records"}
    if old.model != new.model:
        said.append(f"{old.version} -> {_shorter(old.version, new.version)}")
        fields -= {"model"}
    if old.image and new.image and old.image != new.image:
        said.append(image_step(old.image, new.image))
        fields -= {"image"}
    if old.candidate != new.candidate:
        said.append(f"candidate {old.candidate or 'none'} -> {new.candidate or 'none'}")
        fields -= {"candidate"}
    if old.strategy != new.strategy:
        said.append(f"{old.strategy} -> {new.strategy}")
        fields -= {"strategy"}
    return ", ".join([*said, *sorted(fields)]) or "the record of its model"


def _shorter(old: str, new: str) -> str:
    """The new version, without the name of the model where it is the same."""
    name, _, version = new.partition(" ")
    return version if version and old.startswith(f"{name} ") else new


def _fields(before: str | None, after: str | None) -> set[str]:
    old: Data = json.loads(before) if before else {}
    new: Data = json.loads(after) if after else {}
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


# --- what moved, where nobody touched the folder


def _through(history: History, before: _Point | None, after: _Point) -> Iterator[str]:
    """What a commit changed elsewhere that made the state another one, where it left the release's folder alone."""
    old = before.state.declared if before is not None else None
    new = after.state.declared
    index = history.chain.distance(after.state.first.id)
    if old is None or new is None or index is None:
        return
    asked = old.asked | new.asked
    folders = {place.file.rpartition("/")[0] for place in (old.place, new.place)}
    if any(
        history.chain.touched(index, path) for path in asked if path.startswith(tuple(f"{each}/" for each in folders))
    ):
        return
    changed = history.chain.changed(index)
    moved = [path for path in changed if path in asked or any(path.startswith(f"{each}/") for each in asked)]
    earlier, later = (
        Loader(history.chain.before(index), history.memory),
        Loader(history.chain.at(index), history.memory),
    )
    for path in sorted(moved):
        parts = path.split("/")
        if len(parts) == 3 and parts[0] == FOLDER:
            yield from _in_registry(path, parts[1], (old, new), (earlier, later))
        elif path.startswith("environments/") and parts[-1] == "environment.yaml":
            yield f"environment {'/'.join(parts[1:-1])}"
        else:
            yield f"{'base' if _is_base(path, later) or _is_base(path, earlier) else 'file'} {path}"


def _is_base(path: str, loader: Loader) -> bool:
    """Whether a file is a release that others extend."""
    try:
        return bool(loader.document(path, Release, "Release"))
    except RelspecError:
        return False


def _in_registry(
    path: str, name: str, states: tuple[Declared, Declared], loaders: tuple[Loader, Loader]
) -> Iterator[str]:
    """An alias that moved between two states, a record, or what else there is of a model."""
    if path != model_file(name):
        yield f"record {name} {path.rpartition('/')[2].removesuffix('.yaml')}"
        return
    old, new = (_aliases(loader, path) for loader in loaders)
    used = {each for declared in states for each in _versions(name, declared)}
    moved = sorted(
        alias
        for alias in {*old, *new}
        if old.get(alias) != new.get(alias) and used & {old.get(alias, ""), new.get(alias, "")}
    )
    yield from (f"alias {alias} of {name}" for alias in moved)
    if not moved:
        yield f"model {name}"


def _versions(name: str, declared: Declared) -> Iterator[str]:
    """The versions of a model that stand anywhere in a declaration."""
    for value in declared.services.values():
        for part in value.split(f'"{name}@')[1:]:
            yield part.partition('"')[0]


def _aliases(loader: Loader, path: str) -> Mapping[str, str]:
    try:
        aliases = loader.document(path, Model, "Model").get("aliases")
    except RelspecError:
        return {}
    return aliases if isinstance(aliases, dict) else {}


# --- the environment


def _environment_rows(history: History, states: Sequence[State]) -> Iterator[Row]:
    """Changes of what is around the release, in the commits in which it was there."""
    known: Surroundings | None = None
    for state in states:
        declared = state.declared
        begin, end = (history.chain.distance(commit.id) for commit in (state.last, state.first))
        if declared is None or declared.broken or begin is None or end is None:
            known = None
            continue
        helm = declared.services.get(RELEASE, "")
        if known is None or known.environment != declared.place.environment or known.own != helm:
            known = surroundings(history.chain.at(begin), declared.place.environment, helm, history.memory)
        index = history.chain.next_change(begin, known.asked)
        while index <= end:
            if history.chain.is_boundary(index) or not history.chain.commit(index).parents:
                break
            below = surroundings(history.chain.before(index), known.environment, helm, history.memory)
            words = difference(below, known, history.chain.changed(index))
            if words:
                commit = history.chain.commit(index)
                time = history.time(commit.id)
                yield Row("environment", state.release, commit, time, what="; ".join(words), environment=words)
            known = below
            index = history.chain.next_change(index + 1, known.asked)


def _merged(rows: Iterable[Row]) -> Iterator[Row]:
    """One row a commit: what it also changed of the environment is said with the state that it began."""
    waiting: Row | None = None
    for row in rows:
        if waiting is not None and waiting.commit.id == row.commit.id:
            state, other = (waiting, row) if waiting.kind != "environment" else (row, waiting)
            waiting = replace(state, environment=other.environment) if state.kind != "new" else state
            continue
        if waiting is not None:
            yield waiting
        waiting = row
    if waiting is not None:
        yield waiting

"""`relspec set`: a value of a release, changed in its file without touching the rest, and compiled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct
from msgspec.structs import replace

from relspec.cli.editing import Editing, not_written, one_release, refuse, say, show
from relspec.cli.session import Session, complete_releases
from relspec.diagnostics import Finding, Path, RelspecError, Where
from relspec.reporters.text import counted, printable

if TYPE_CHECKING:
    from relspec.compiler import Compiler
    from relspec.discovery import Place
    from relspec.layers import Layers
    from relspec.resolve import ResolvedRelease

HELP = """Change values of RELEASE in its release.yaml, and compile it.

Comments and layout stay as they are. A release that would not compile is not written: neither the file nor its outputs.

\b
PATH starts at the service: api.image, api.env.LOG_LEVEL, api.candidate.model;
a field of the release itself starts with a dot: .targets. A key that has dots
goes in brackets, and so does an index: api.files[/etc/app.yaml].from,
api.command[0]; the index after the last one adds an item. What has a short
form is written out: api.ports.http.publish=8000. A value that a base or the
environment sets is not changed there: release.yaml says otherwise, for this
release alone.

\b
VALUE is text, taken as it is typed, but for: a number, true, false; null,
which takes away what a base or the environment sets; a {map}, a [list] and
"quoted text", which are read as YAML. Where the field holds text, a number
becomes text ("1.10" stays "1.10"); so does one that would be written
differently as a number, where text is allowed. An empty text is PATH='""'.
"""

EXAMPLES = """\b
Examples:
  relspec set production/movie-recs api.model=als@v0.3
  relspec set production/movie-recs api.replicas=3 api.env.LOG_LEVEL=debug
  relspec set production/movie-recs 'api.strategy={canary: {weight: 25}}' --dry-run
  relspec set production/movie-recs --unset api.active
"""


@click.command("set", help=HELP, epilog=EXAMPLES)
@click.argument("release", shell_complete=complete_releases)
@click.argument("assignments", nargs=-1, metavar="[PATH=VALUE]...")
@click.option("--unset", "unset", multiple=True, metavar="PATH", help="Remove a key from release.yaml; repeatable.")
@click.option("--dry-run", is_flag=True, help="Show the lines that would change; write nothing.")
@click.pass_obj
def command(
    directory: str, release: str, assignments: tuple[str, ...], *, unset: tuple[str, ...], dry_run: bool
) -> int:
    """Change values of a release in its file, and compile it."""
    from relspec.compiler import Compiler

    if not assignments and not unset:
        raise click.UsageError("Say what to change: PATH=VALUE, or --unset PATH.")
    wanted = [_assignment(word) for word in assignments]
    removals = [_words(path) for path in unset]
    session = Session(directory)
    compiler = Compiler(session.tree())
    place = one_release(session, compiler, release)
    try:
        edited = _Edited.of(compiler, place)
        for words, raw in wanted:
            edited = edited.set(words, raw)
        for words in removals:
            edited = edited.unset(words)
    except RelspecError as error:
        return refuse(error.findings, compiler)
    return _compiled(Editing.of(session, compiler.tree, {place.file: edited.data}), place, edited, dry_run=dry_run)


def _compiled(editing: Editing, place: Place, edited: _Edited, *, dry_run: bool) -> int:
    """Compiles the edited release; shows, or writes, what that changes."""
    compiled = editing.compile([place])
    if compiled.stopped:
        return not_written(compiled)
    changes = editing.changes(compiled)
    specs = len(editing.differing)  # before they are written: then nothing differs any more
    notes = [*edited.notes, *_overridden(editing.compiler, place, edited)]
    if dry_run:
        show(editing, changes)
    else:
        editing.write(changes, compiled)
        say(changes)
    for note in notes:
        click.echo(f"note: {printable(note)}")
    if not dry_run:
        outputs = len(changes.written) - specs
        said = "" if specs else "release.yaml says so already; "
        click.echo(f"{said}{counted(outputs, 'output')} written, {len(compiled.files) - outputs} unchanged")
    return 0


# --- what was typed ------------------------------------------------------------------------------------------------------

Words = tuple[tuple[str, bool], ...]
"""The steps of a path as typed: the word, and whether it stood in brackets. A leading empty word is the release itself."""

ASSIGNMENT = re.compile(r"((?:\[[^\]]*\]|[^=\[])+)=(.*)", re.DOTALL)
PATH = re.compile(r"(?:[^.\[\]]+|\[[^\]]+\])(?:\.[^.\[\]]+|\.?\[[^\]]+\])*")
STEP = re.compile(r"\[([^\]]+)\]|([^.\[\]]+)")


def _assignment(word: str) -> tuple[Words, str]:
    """`PATH=VALUE` as its path and the text of the value."""
    match = ASSIGNMENT.fullmatch(word)
    if match is None:
        raise click.UsageError(f"{printable(word)} is no PATH=VALUE, for example api.replicas=3.")
    path, value = match[1], match[2]
    if not value:
        raise click.UsageError(
            f"{printable(path)} gets no value. To remove the key: --unset {printable(path)}; for empty text: {printable(path)}='\"\"'."
        )
    _refuse_controls(value)
    return _words(path), value


def _refuse_controls(text: str) -> None:
    from relspec.documents import FORBIDDEN_VALUE

    if FORBIDDEN_VALUE.search(text):
        raise click.UsageError(f"{printable(text)} holds a character that a spec may not hold.")


def _words(path: str) -> Words:
    _refuse_controls(path)
    own = path.startswith(".")
    if PATH.fullmatch(path[own:]) is None:
        raise click.UsageError(
            f"{printable(path)} is no path, for example api.image, .targets or api.files[/a.b].from."
        )
    steps = tuple((match[1] or match[2], match[1] is not None) for match in STEP.finditer(path[own:]))
    return (("", False), *steps) if own else steps


def _shown(words: Words) -> str:
    return "".join(f"[{word}]" if bracket else f".{word}" for word, bracket in words).removeprefix(".")


def _readings(raw: str) -> tuple[Any, ...]:
    """What a value may mean, the likeliest first: as YAML reads it, as the text that was typed."""
    from relspec import documents
    from relspec.emit import emit

    typed = raw.strip()
    try:
        document = documents.parse_carefully(f"value: {raw}".encode(), "VALUE")
    except RelspecError:
        return (raw,)
    value = document["value"]
    if len(document) > 1 or isinstance(value, dict | list):
        return (value,) if len(document) == 1 and typed[0] + typed[-1] in ("{}", "[]") else (raw,)
    if isinstance(value, str):
        return (value,) if len(typed) > 1 and typed[0] == typed[-1] and typed[0] in "'\"" else (raw,)
    if "#" in raw:
        return (raw,)
    if isinstance(value, int | float) and not isinstance(value, bool) and emit(value).strip() != typed:
        return (raw, value)
    return (value, raw)


# --- the edit --------------------------------------------------------------------------------------------------------------


class _Edited(Struct, frozen=True):
    """A release.yaml on its way: as it was, as it is by now, the paths that were set, and what there is to say about it.

    `lower` is what the release came to before, None where it could not be resolved.
    """

    place: Place
    compiler: Compiler
    lower: ResolvedRelease | None
    before: bytes
    data: bytes
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, compiler: Compiler, place: Place) -> _Edited:
        """Nothing edited yet. Raises RelspecError for a file that can't be read."""
        data = compiler.loader.text(place.file)
        try:
            lower = compiler.resolver.release(place.file, place.environment, place.id)
        except RelspecError:  # the edit may be what mends it
            lower = None
        return cls(place, compiler, lower, data, data)

    def set(self, words: Words, raw: str) -> _Edited:
        """With a value at a path. Raises RelspecError: RS205, RS122."""
        from relspec import documents
        from relspec.edits import put

        held = documents.parse(self.data, self.place.file)
        path = self._path(words, held)
        self._refuse_part_of_list(path, held)
        depth, whole = _written_out(path, held)
        attempts = [
            put(self.data, path[:depth], _put_into(whole, path[depth:], value), file=self.place.file)
            for value in _readings(raw)
        ]
        data = next((attempt for attempt in attempts if self._fits(attempt, path)), attempts[0])
        return replace(self, data=data, paths=(*self.paths, path), notes=(*self.notes, *self._said_below(path, held)))

    def unset(self, words: Words) -> _Edited:
        """Without the key at a path. Raises RelspecError: RS205, RS122."""
        from relspec import documents
        from relspec.edits import remove
        from relspec.layers import deepest

        held = documents.parse(self.data, self.place.file)
        path = self._path(words, held)
        name = _shown(words)
        lower = self._lower(path)
        if deepest(held, path) == len(path):
            note = (f"{name} is again what {lower} says",) if lower is not None else ()
            return replace(self, data=remove(self.data, path, file=self.place.file), notes=(*self.notes, *note))
        if lower is None:
            raise RelspecError(
                Finding("RS122", f"nothing sets {name}", Where(self.place.file, path), "correct the path")
            )
        hint = f"to take it away from this release: relspec set {self.place.id} {name}=null"
        raise RelspecError(
            Finding("RS122", f"{self.place.file} does not set {name}: {lower} does", Where(self.place.file, path), hint)
        )

    def _path(self, words: Words, held: dict[str, Any]) -> Path:
        """Where in release.yaml the typed path leads. Raises RelspecError RS205 for a service that is not there."""
        name = words[0][0]
        if not name:
            merged = self.lower.layers.merged if self.lower is not None else {}
            return _steps(words[1:], [held, merged])
        own = held.get("services")
        services = own if isinstance(own, dict) else {}
        known = dict.fromkeys([*services, *(self.lower.services if self.lower is not None else ())])
        if name not in known:
            hint = f"its services: {', '.join(known)}; to add one: .services.{name}={{…}}"
            raise RelspecError(
                Finding("RS205", f"{self.place.id} has no service {name}", Where(self.place.file, ("services",)), hint)
            )
        merged = (
            self.lower.services[name].layers.merged if self.lower is not None and name in self.lower.services else {}
        )
        return ("services", name, *_steps(words[1:], [services.get(name), merged]))

    def _refuse_part_of_list(self, path: Path, held: dict[str, Any]) -> None:
        """RS122 for an item of a list that release.yaml does not hold: a list is replaced whole."""
        from relspec.layers import deepest

        index = next((n for n, step in enumerate(path) if isinstance(step, int)), None)
        if index is None or deepest(held, path[:index]) == index:
            return
        name = field_name(path[:index])
        message = f"{name} comes from {self._lower(path[:index])}, and a list is replaced whole"
        raise RelspecError(Finding("RS122", message, Where(self.place.file, path), f"set all of it: {name}=[…]"))

    def _fits(self, data: bytes, path: Path) -> bool:
        """Whether the language has nothing against the value at `path`."""
        from relspec import documents
        from relspec.layers import merges
        from relspec.spec.release import Release
        from relspec.spec.validation import validate

        found = validate(Release, documents.parse(data, self.place.file), self.place.file, merges=merges)
        return not any(finding.where.path[: len(path)] == path for finding in found)

    def _lower(self, path: Path) -> str | None:
        """The place below release.yaml that sets the value at `path`; None where there is none."""
        if self.lower is None:
            return None
        layers, rest = _layers(self.lower, path)
        for layer in layers.writers(rest) if layers is not None else ():
            where = layer.where(rest)
            if where.file != self.place.file:
                return f"{where.file}:{self.compiler.positions()(where)[0]} ({layer.name})"
        return None

    def _said_below(self, path: Path, held: dict[str, Any]) -> list[str]:
        """A note where the value was set in a lower layer only."""
        from relspec.layers import deepest

        lower = self._lower(path) if deepest(held, path) < len(path) else None
        name = field_name(path)
        return (
            [f"{name} comes from {lower}; {self.place.file} now says otherwise, for this release alone"]
            if lower
            else []
        )


def field_name(path: Path) -> str:
    """A path of release.yaml as it is typed on the command line: `api.image`, `.targets`."""
    from relspec.edits import dotted

    service = len(path) > 1 and path[0] == "services"
    return dotted(path[1:]) if service else "." + dotted(path)


def _written_out(path: Path, held: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Where on a path a short form stands, as the number of steps, and its long form: `http: 8080` is `{port: 8080}`.

    All of the path, and nothing, where it leads through none.
    """
    from relspec.layers import deepest, long_form

    depth = deepest(held, path)
    services = held.get("services")
    if depth >= len(path) or path[0] != "services" or not isinstance(services, dict) or depth < 3:
        return len(path), {}
    service = services[path[1]]
    written = long_form(service) if isinstance(service, dict) else {}
    for step in path[2:depth]:
        written = _inner(written, step)
    short = isinstance(_at(held, path[:depth]), int) and isinstance(written, dict)
    return (depth, written) if short else (len(path), {})


def _at(held: Any, path: Path) -> Any:
    for step in path:
        held = held[step]
    return held


def _put_into(whole: dict[str, Any], path: Path, value: Any) -> Any:
    """The value itself, or what a short form stands for with the value at a path in it."""
    for step in reversed(path[1:]):
        value = {step: value}
    return {**whole, path[0]: value} if path else value


def _steps(words: Words, known: Sequence[Any]) -> Path:
    """Typed words as steps: an index where there is a list, the longest key with dots that is there."""
    path: list[str | int] = []
    while words:
        size = next((n for n in range(len(words), 1, -1) if _is_key(words[:n], known)), 1)
        step: str | int = ".".join(word for word, _ in words[:size])
        if str(step).isdecimal() and any(isinstance(node, list) for node in known):
            step = int(step)
        path.append(step)
        known = [_inner(node, step) for node in known]
        words = words[size:]
    return tuple(path)


def _is_key(words: Words, known: Sequence[Any]) -> bool:
    key = ".".join(word for word, _ in words)
    return not any(bracket for _, bracket in words) and any(isinstance(node, dict) and key in node for node in known)


def _inner(node: Any, step: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(step)
    return node[step] if isinstance(node, list) and isinstance(step, int) and step < len(node) else None


def _layers(release: ResolvedRelease, path: Path) -> tuple[Layers | None, Path]:
    """The layers that a path of release.yaml belongs to, and the path in them."""
    if path[:1] != ("services",):
        return release.layers, path
    service = release.services.get(str(path[1])) if len(path) > 1 else None
    return (service.layers, path[2:]) if service is not None else (None, path)


def _overridden(compiler: Compiler, place: Place, edited: _Edited) -> list[str]:
    """A note for each edit that something above release.yaml's plain fields outdoes: the active variant."""
    try:
        release = compiler.resolver.release(place.file, place.environment, place.id)
    except RelspecError:
        return []
    notes = []
    for path in edited.paths:
        layers, rest = _layers(release, path)
        top = layers.origin(rest) if layers is not None and rest else None
        where = top.where(rest) if top is not None else Where(place.file, path)
        if (where.file, where.path) != (place.file, path):
            line = compiler.positions()(where)[0]
            notes.append(
                f"{field_name(path)} has no effect while {field_name(where.path)} is in force ({where.file}:{line})"
            )
    return notes

"""From rendered text to typed data: the text is parsed as YAML, and each placeholder becomes the value of its hole.

Parsing is the dear part, and the text of a template is the same for all releases of one shape (their values are only
placeholders in it). So a text is parsed once into a `Plan`, and a plan is filled for each release.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.render import rendered_yaml
from relspec.render.problem import RenderError, counted
from relspec.render.session import MAX_OUTPUT, OPEN, inside_text, kind_name, too_much

HOLE = re.compile("\ue000([0-9]{1,7})\ue001")
RESERVED = re.compile("[\ue000\ue001]")

Parts = tuple[str | int, ...]
"""A text with holes: literal text and numbers of holes in turn. `(n,)` is a further copy of hole n."""

Slot = int
"""An index into the list that `filled` builds: first the holes, then the texts, then the containers, inner ones first."""


Pairs = tuple[tuple[tuple[Any, Slot | None], tuple[Any, Slot | None]], ...]
"""The entries of a map with holes in its keys: each half a literal or a slot."""

Step = tuple[Any, tuple[tuple[Any, Slot], ...], Pairs | None]
"""One container to build: a copy of a literal in which the entries of some keys are set from slots; or its pairs."""


class Plan(Struct, frozen=True):
    """A parsed text: how to build its documents from the values of its holes."""

    parsed: tuple[Any, ...]
    holes: int
    size: int
    texts: tuple[Parts, ...]
    steps: tuple[Step, ...]
    roots: tuple[tuple[Any, Slot | None], ...]

    def hole_of(self, slot: Slot) -> int:
        """The hole that a slot is filled from; the first one of a text."""
        parts = (slot,) if slot < self.holes else self.texts[slot - self.holes]
        return next(part for part in parts if isinstance(part, int))


@lru_cache(maxsize=512)
def plan_of(chunks: tuple[str, ...]) -> Plan:
    """The plan of a rendered text, given in the pieces that the render made.

    The pieces are constants of the compiled template and placeholders, whose hashes are known: looking up a plan does
    not even join them.

    Raises RenderError (RS503) and rendered_yaml.NotYamlError.
    """
    text = "".join(chunks)
    if len(text) > MAX_OUTPUT:
        raise too_much(f"more than {counted(MAX_OUTPUT)} characters")
    return plan_for(rendered_yaml.documents(text), len(text))


def plan_for(documents: Sequence[Any], size: int) -> Plan:
    """The plan of documents whose strings hold placeholders.

    Raises rendered_yaml.NotYamlError where a map can't be one of an output (keys that aren't text).
    """
    return _Planner(documents).plan(size)


class _Planner:
    """Flattens documents into steps."""

    def __init__(self, documents: Sequence[Any]) -> None:
        self.documents = documents
        self.holes = _highest_hole(documents) + 1
        self.used: set[int] = set()
        self.texts: dict[Slot, Parts] = {}
        self.steps: list[Step] = []
        self.text_list: list[Parts] = []

    def plan(self, size: int) -> Plan:
        self.containers_from = self.holes + _count_texts(self.documents)
        roots = tuple(self.node(document) for document in self.documents)
        return Plan(
            tuple(self.documents),
            self.holes,
            size,
            tuple(self.text_list),
            tuple(self.steps),
            roots,
        )

    def node(self, node: Any) -> tuple[Any, Slot | None]:
        """A literal, or the slot that a node is built in."""
        if isinstance(node, str):
            return self.scalar(node)
        if isinstance(node, dict):
            return None, self.map(node)
        if isinstance(node, list):
            parts = [self.node(element) for element in node]
            slots = tuple((index, slot) for index, (_, slot) in enumerate(parts) if slot is not None)
            return None, self.step(([literal for literal, _ in parts], slots, None))
        return node, None

    def scalar(self, text: str) -> tuple[Any, Slot | None]:
        if OPEN not in text:
            return text, None
        whole = HOLE.fullmatch(text)
        if whole is None:
            return None, self.text(_parts(text))
        number = int(whole[1])
        if number in self.used:
            return None, self.text((number,))
        self.used.add(number)
        return None, number

    def text(self, parts: Parts) -> Slot:
        self.text_list.append(parts)
        return self.holes + len(self.text_list) - 1

    def step(self, step: Step) -> Slot:
        self.steps.append(step)
        return self.containers_from + len(self.steps) - 1

    def map(self, node: dict[Any, Any]) -> Slot:
        pairs = tuple((self.key(key), self.node(value)) for key, value in node.items())
        if any(slot is not None for (_, slot), _ in pairs):
            return self.step((None, (), pairs))
        literal = {key: value for (key, _), (value, _) in pairs}
        return self.step((literal, tuple((key, slot) for (key, _), (_, slot) in pairs if slot is not None), None))

    def key(self, key: Any) -> tuple[Any, Slot | None]:
        return self.scalar(key) if isinstance(key, str) else (str(key), None)


def texts_in(node: Any) -> list[str]:
    """Every string of a document, keys included."""
    found, waiting = [], [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            found.append(current)
        elif isinstance(current, dict):
            waiting.extend(current.keys())
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
    return found


def _highest_hole(documents: Sequence[Any]) -> int:
    return max((int(hole) for text in texts_in(list(documents)) for hole in HOLE.findall(text)), default=-1)


def _count_texts(documents: Sequence[Any]) -> int:
    """How many texts with holes, and further copies of a hole, there are."""
    count = 0
    seen: set[str] = set()
    for text in texts_in(list(documents)):
        if OPEN in text:
            count += text in seen or HOLE.fullmatch(text) is None
            if HOLE.fullmatch(text):
                seen.add(text)
    return count


def _parts(text: str) -> Parts:
    pieces = HOLE.split(text)
    return tuple(int(piece) if index % 2 else piece for index, piece in enumerate(pieces))


# -- filling


def filled(plan: Plan, values: Sequence[Any], prune: bool) -> list[Any]:
    """The documents of a plan with these values in its holes: new containers throughout, nothing shared.

    With `prune`, an entry of a map or list whose whole hole is None is left out.

    Raises HoleError: RS510, RS511, RS512, and RenderError: RS503.
    """
    tally = Tally(plan.size)
    slots = _hole_values(values[: plan.holes], tally)
    slots.extend([_text(parts, values, tally) for parts in plan.texts])
    if tally.size > MAX_OUTPUT:
        raise _too_large()
    try:
        _build(plan.steps, slots, prune)
    except KeyHoleError as problem:
        raise problem if problem.slot is None else HoleError(plan.hole_of(problem.slot), problem) from problem
    return [literal if slot is None else slots[slot] for literal, slot in plan.roots]


class Tally:
    """How large an output gets: the characters of its texts, and one for each map, list and element."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size


def _too_large() -> RenderError:
    return too_much(f"more than {counted(MAX_OUTPUT)} characters, values included")


def _hole_values(values: Sequence[Any], tally: Tally) -> list[Any]:
    slots: list[Any] = []
    characters = 0
    try:
        for value in values:
            kind = type(value)
            if kind is str:
                characters += len(value)
                slots.append(value)
            elif kind in ATOMS:
                slots.append(value)
            else:
                slots.append(plain(value, tally))
    except RenderError as problem:
        raise HoleError(len(slots), problem) from problem
    tally.size += characters
    return slots


def _build(steps: Sequence[Step], slots: list[Any], prune: bool) -> None:
    """Append the container of each step to the slots; later steps hold earlier ones."""
    for literal, entries, pairs in steps:
        if pairs is not None:
            slots.append(_built_by_keys(pairs, slots, prune))
            continue
        container = literal.copy()
        nones = False
        for key, slot in entries:
            value = container[key] = slots[slot]
            if value is None:
                nones = True
        if nones and prune:
            _drop_nones(container, entries, slots)
        slots.append(container)


ATOMS = frozenset({int, bool, type(None)})


class HoleError(RenderError):
    """A problem with the value of a hole, whose number leads to its place."""

    def __init__(self, number: int, problem: RenderError) -> None:
        super().__init__(problem.code, problem.message, problem.hint)
        self.number = number


def plain(value: Any, tally: Tally) -> Any:
    """A copy of a value in maps, lists and scalars, counted in `tally`.

    A container is counted before it is walked through: lists that hold one list again and again grow without end. A
    map is copied whole, and then only what isn't a scalar is looked into: a third faster than to build it anew.

    Raises RenderError: RS510 (a kind of value that no output has), RS503.
    """
    kind = type(value)
    if kind is Facet or kind is dict:
        tally.size += 1 + len(value)
        if tally.size > MAX_OUTPUT:
            raise _too_large()
        copy = dict(value)
        characters = 0
        for key, item in value.items():
            if type(key) is not str:
                raise RenderError("RS510", f"the key {key!r} of a map is not text", "write the key in quotes")
            kind = type(item)
            if kind is str:
                characters += len(item)
            elif kind not in ATOMS:
                copy[key] = plain(item, tally)
        tally.size += characters
        return copy
    if kind is list or kind is tuple:
        tally.size += 1 + len(value)
        if tally.size > MAX_OUTPUT:
            raise _too_large()
        return [plain(item, tally) for item in value]
    return _plain_scalar(value, tally)


def _plain_scalar(value: Any, tally: Tally) -> Any:
    kind = type(value)
    if kind is str:
        tally.size += len(value)
        return value
    if kind in ATOMS or (kind is float and isfinite(value)):
        return value
    what = f"the number {value}" if kind is float else f"a value of the kind {kind.__name__}"
    raise RenderError("RS510", f"a hole can't hold {what}", "an output has text, numbers, booleans, maps and lists")


def _text(parts: Parts, values: Sequence[Any], tally: Tally) -> Any:
    if len(parts) == 1:
        number = int(parts[0])
        try:
            return plain(values[number], tally)
        except RenderError as problem:
            raise HoleError(number, problem) from problem
    pieces = []
    for part in parts:
        if type(part) is str:
            pieces.append(part)
            continue
        value = values[part]  # type: ignore[index]
        if type(value) is str:
            tally.size += len(value)
            pieces.append(value)
        elif type(value) is int:
            pieces.append(str(value))
        else:
            raise HoleError(part, inside_text(value))  # type: ignore[arg-type]
    return "".join(pieces)


def _drop_nones(container: Any, entries: tuple[tuple[Any, Slot], ...], slots: list[Any]) -> None:
    """Take out the entries whose whole hole is None; from the end, so that the indexes of a list hold."""
    for key, slot in reversed(entries):
        if slots[slot] is None:
            del container[key]


def _built_by_keys(pairs: Pairs, slots: list[Any], prune: bool) -> dict[Any, Any]:
    container: dict[Any, Any] = {}
    spelled: dict[str, Slot | None] = {}
    for (literal_key, key_slot), (literal, slot) in pairs:
        key = literal_key if key_slot is None else slots[key_slot]
        if type(key) is not str and type(key) is not int:
            raise KeyHoleError(key_slot, f"{kind_name(key)} can't be a key", "a key is text or a whole number")
        spelling = str(key)  # a whole number becomes text: JSON, and so Kubernetes and Compose, has no other keys
        if spelling in spelled:
            # Two literal keys can't be the same, the text would be no YAML: one of the two is from a hole.
            blamed = spelled[spelling] if key_slot is None else key_slot
            raise KeyHoleError(blamed, f'the key "{spelling}" is there twice', "make the keys differ")
        spelled[spelling] = key_slot
        value = literal if slot is None else slots[slot]
        if slot is None or value is not None or not prune:
            container[spelling] = value
    return container


class KeyHoleError(RenderError):
    """A problem with a key that holes made: `slot` is that of the hole, or of the text around it."""

    def __init__(self, slot: Slot | None, message: str, hint: str) -> None:
        super().__init__("RS512", message, hint)
        self.slot = slot


# -- back from a node of the output to its hole


class Found(Struct, frozen=True):
    """What gave a node of a filled document: a hole (or none: literal text), and the way there.

    `parsed` is the path of the node in the parsed text, as far as it goes; `rest` is the path below the hole.
    """

    hole: int | None
    parsed: Path
    rest: Path


def found_at(plan: Plan, document: int, path: Path, values: Sequence[Any], prune: bool) -> Found:
    """What gave the node at `path`; where the path doesn't exist, the closest node above."""
    node = plan.parsed[document]
    way: list[str | int] = []
    for depth, step in enumerate(path):
        hole = _first_hole(node)
        if hole is not None:
            return Found(hole, tuple(way), path[depth:])
        entry = _entry(node, step, values, prune)
        if entry is None:
            return Found(None, tuple(way), path[depth:])
        key, node = entry
        way.append(key)
    hole = _first_hole(node)
    if hole is None and way and isinstance(way[-1], str):
        hole = _first_hole(way[-1])
    return Found(hole, tuple(way), ())


def _first_hole(node: Any) -> int | None:
    match = HOLE.search(node) if isinstance(node, str) else None
    return None if match is None else int(match[1])


def _entry(node: Any, step: str | int, values: Sequence[Any], prune: bool) -> tuple[Any, Any] | None:
    """The key and the node in the parsed text for a key or index of the filled one."""
    if isinstance(node, dict):
        for key, value in node.items():
            if _filled_key(key, values) == step:
                return key, value
    if isinstance(node, list) and isinstance(step, int):
        kept = [index for index, element in enumerate(node) if not (prune and _is_none(element, values))]
        if step < len(kept):
            return kept[step], node[kept[step]]
    return None


def _filled_key(key: Any, values: Sequence[Any]) -> Any:
    if not isinstance(key, str) or OPEN not in key:
        return str(key)
    whole = HOLE.fullmatch(key)
    return str(values[int(whole[1])]) if whole else HOLE.sub(lambda hole: str(values[int(hole[1])]), key)


def _is_none(element: Any, values: Sequence[Any]) -> bool:
    whole = HOLE.fullmatch(element) if isinstance(element, str) else None
    return whole is not None and values[int(whole[1])] is None

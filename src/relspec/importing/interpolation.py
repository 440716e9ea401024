"""`${VAR:-default}` in the texts of a Compose file, as its specification describes it ("Interpolation")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

_START = re.compile(r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*))")
_OPERATOR = re.compile(r":?[-?+]")


class Reference(Struct, frozen=True):
    """A variable of the host. `operator` is one of "", `:-`, `-`, `:?`, `?`, `:+`, `+`; `argument` what follows it."""

    name: str
    operator: str = ""
    argument: str = ""

    @property
    def default(self) -> str | None:
        """What stands in for a variable that is not set; None where there is nothing, or it depends on others."""
        return literal(self.argument) if self.operator in (":-", "-") else None


def parts(text: str) -> Iterator[str | Reference]:
    """The text as literal pieces (`$$` is `$`) and references. What is neither stays as it is written."""
    position = 0
    while (match := _START.search(text, position)) is not None:
        if match.start() > position:
            yield text[position : match.start()]
        if match["escaped"]:
            yield "$"
            position = match.end()
        elif match["plain"]:
            yield Reference(match["plain"])
            position = match.end()
        else:
            end = _closing(text, match.end())
            operator = _OPERATOR.match(text, match.end(), end)
            if end < 0 or (operator is None and end != match.end()):
                yield text[match.start() : match.end()]
                position = match.end()
                continue
            found = operator.group() if operator else ""
            yield Reference(match["braced"], found, text[match.end() + len(found) : end])
            position = end + 1
    if position < len(text):
        yield text[position:]


def _closing(text: str, start: int) -> int:
    """Where the brace closes that was opened before `start`; -1 if nowhere."""
    depth = 1
    for index in range(start, len(text)):
        depth += (text[index] == "{") - (text[index] == "}")
        if depth == 0:
            return index
    return -1


def literal(text: str) -> str | None:
    """The text, if it holds no reference."""
    found = list(parts(text))
    return None if any(isinstance(part, Reference) for part in found) else "".join(map(str, found))


def single(text: str) -> Reference | None:
    """The reference, if the text is one and nothing else."""
    found = list(parts(text))
    return found[0] if len(found) == 1 and isinstance(found[0], Reference) else None


def without_references(text: str) -> str:
    """The literal pieces of a text."""
    return "".join(part for part in parts(text) if isinstance(part, str))


def filled(text: str, values: Mapping[str, str]) -> str | None:
    """The text with its references filled from `values` and their defaults; None where one has neither."""
    found: list[str] = []
    for part in parts(text):
        if isinstance(part, str):
            found.append(part)
            continue
        value = _value(part, values)
        if value is None:
            return None
        found.append(value)
    return "".join(found)


def _value(reference: Reference, values: Mapping[str, str]) -> str | None:
    given = values.get(reference.name)
    there = bool(given) if reference.operator.startswith(":") else given is not None
    if reference.operator.endswith("+"):
        return filled(reference.argument, values) if there else ""
    if there:
        return given
    return filled(reference.argument, values) if reference.operator.endswith("-") else None


def mentions(value: Any) -> bool:
    """Whether a reference stands anywhere in the value."""
    if isinstance(value, str):
        return literal(value) is None
    if isinstance(value, dict):
        return any(mentions(inner) for inner in value.values())
    return isinstance(value, list) and any(mentions(inner) for inner in value)


def host_values(text: str) -> dict[str, str]:
    """The variables of an .env file: NAME=value lines, one pair of quotes around a value taken away."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            continue
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        else:
            value = value.split(" #", 1)[0].rstrip()
        found[name.strip()] = value
    return found

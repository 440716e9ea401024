"""What a rollback has pinned or written out, and nobody has let follow again: `check` alone looks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from relspec import documents
from relspec.diagnostics import Finding, Path, Range, RelspecError, Where
from relspec.discovery import Place

REMARK = re.compile(r"(?<!\S)# was (?:in (?P<file>[^\s;,]+\.[^\s;,]+)|(?P<alias>[^\s;,@]+@[^\s;,]+))")
"""The remark that a rollback leaves: `# was als@prod`, `# was in bases/recs.yaml` (`gitops.explicit`)."""


def pinned_values(read: Callable[[str], bytes], places: Iterable[Place]) -> Iterator[Finding]:
    """RS436 at each remark of a rollback in a release.yaml. `read` gives the bytes of a file."""
    for place in places:
        try:
            data = read(place.file)
        except RelspecError:
            continue
        if b"# was " in data:
            yield from _in_release(data, place)


def _in_release(data: bytes, place: Place) -> Iterator[Finding]:
    try:
        document = documents.parse(data, place.file)
    except RelspecError:
        return  # said elsewhere
    locate = documents.locator(data)
    texts = [locate(path, "value") for path in _texts(document, ())]
    for number, line in enumerate(data.decode("utf-8-sig").splitlines(), 1):
        found = REMARK.search(line)
        if found is None or any(_inside(span, number, found.start() + 1) for span in texts):
            continue
        alias, file = found["alias"], found["file"]
        message = (
            f"a rollback has pinned this: it was {alias}"
            if alias
            else f"a rollback has written this out: it was in {file}"
        )
        again = f"write {alias} again" if alias else "take it out again"
        yield Finding(
            "RS436",
            message,
            Where(place.file, range=Range(number, found.start() + 1, number, found.end() + 1)),
            f"when it may follow the others: {again}; if it is to stay, take the remark away",
            release=place.id,
        )


def _texts(value: Any, path: Path) -> Iterator[Path]:
    """The paths of all texts: what looks like a remark in one of them is none."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, (*path, key))
    elif isinstance(value, str) and "# was " in value:
        yield path


def _inside(span: Range, line: int, column: int) -> bool:
    if span.line == span.end_line:
        return span.line == line and span.column <= column < span.end_column
    return span.line < line <= span.end_line

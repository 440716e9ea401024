"""Wrong specs: the examples of the catalogue, more of them below tests/golden/wrong, and how one becomes a repository.

`golden/wrong/repository/` is a repository with nothing wrong. A case changes it:

- `service`: lines of the service `api` of production/recs; `environment`: top-level fields of production's
  environment.yaml (null removes one); `files`: whole files (null removes one).
- `code` is what must be said of it, and `hint` a part of what must be proposed. `also` are further codes.
- The marks « and » enclose the exact range that must be pointed at; they are removed before anything is compiled.
- `instead` is a text that makes the case right when it stands between the marks; `valid` are changes that are right.

An example of the catalogue is such a case, in the words of `relspec.meanings`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from company import on_disk
from relspec import meanings
from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Range
from relspec.lock import text as lock_text

FOLDER = Path(__file__).resolve().parent / "golden" / "wrong"
RELEASE = meanings.RELEASE
ENVIRONMENT = meanings.ENVIRONMENT
KEYS = {"code", "hint", "also", "service", "environment", "files", "instead", "valid"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A case: its repository, and what must be said where."""

    name: str
    code: str
    hint: str
    files: Mapping[str, bytes]
    file: str
    range: Range
    also: tuple[str, ...]
    twin: Mapping[str, bytes] | None


def repository() -> dict[str, bytes]:
    """The repository with nothing wrong."""
    return {**on_disk(FOLDER / "repository"), "relspec.lock": lock_text()}


def read(path: Path) -> Wrong:
    """The case in a file."""
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(case) <= KEYS, f"{path.name}: {set(case) - KEYS}"
    twin = case["valid"] if "valid" in case else meanings.good({"bad": case, **case}) if "instead" in case else None
    return _wrong(path.stem, case["code"], case, twin)


def example(code: str) -> Wrong:
    """The example of a code that needs neither an earlier state nor a command."""
    case = meanings.raw(code)
    return _wrong(code, code, meanings.whole(case, case["bad"]), meanings.whole(case, meanings.good(case)))


def _wrong(name: str, code: str, case: Mapping[str, Any], twin: Mapping[str, Any] | None) -> Wrong:
    marked = changed(case)
    file, place = marks(marked)
    right = None if twin is None else without_marks(changed(twin))
    also = tuple(case.get("also", ()))
    return Wrong(name, code, case.get("hint", ""), without_marks(marked), file, place, also, right)


def without_marks(files: Mapping[str, str]) -> dict[str, bytes]:
    """The files as they are written to a disk."""
    return {name: meanings.unmarked(text).encode() for name, text in files.items()}


def changed(case: Mapping[str, Any]) -> dict[str, str]:
    """The repository with a case's changes, marks included."""
    files = {name: data.decode() for name, data in repository().items()}
    if "service" in case:
        files[RELEASE] += indent(case["service"], "    ")
    for field, text in case.get("environment", {}).items():
        lines = re.sub(rf"^{field}:.*\n(?: .*\n)*", "", files[ENVIRONMENT], flags=re.MULTILINE)
        files[ENVIRONMENT] = lines if text is None else f"{lines}{field}:\n{indent(text, '  ').rstrip()}\n"
    for name, text in case.get("files", {}).items():
        if text is None:
            del files[name]
        else:
            files[name] = text
    return files


def marks(files: Mapping[str, str]) -> tuple[str, Range]:
    """The file with the marks, and the range between them."""
    ((name, text),) = ((name, text) for name, text in files.items() if "«" in text)
    start, end = text.index("«"), text.index("»") - 1
    text = text.replace("«", "").replace("»", "")
    return name, Range(*position(text, start), *position(text, end))


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


EXAMPLES = {code: meanings.raw(code) for code in CATALOGUE if (meanings.CODES / f"{code}.yaml").is_file()}
"""The catalogue's files."""

PLAIN = tuple(
    code for code, case in EXAMPLES.items() if "before" not in case and "run" not in case.get("bad", {"run": []})
)
"""The codes whose example is one repository."""

CASES = (*(read(path) for path in sorted(FOLDER.glob("*.yaml"))), *map(example, PLAIN))

"""The wrong specs below tests/golden/wrong: one small file each, and how it becomes a repository.

`repository/` is a repository with nothing wrong. A case changes it:

- `service`: lines of the service `api` of production/recs; `environment`: top-level fields of production's
  environment.yaml (null removes one); `files`: whole files (null removes one).
- `code` is what must be said of it, and `hint` a part of what must be proposed. `also` are further codes.
- The marks « and » enclose the exact range that must be pointed at; they are removed before anything is compiled.
- `instead` is a text that makes the case right when it stands between the marks; `valid` are changes that are right.
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
from relspec.diagnostics import Range
from relspec.lock import text as lock_text

FOLDER = Path(__file__).resolve().parent / "golden" / "wrong"
RELEASE = "environments/production/recs/release.yaml"
ENVIRONMENT = "environments/production/environment.yaml"
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
    marked = changed(case)
    file, place = marks(marked)
    twin = None
    if "valid" in case:
        twin = {name: text.encode() for name, text in changed(case["valid"]).items()}
    elif "instead" in case:
        twin = {
            name: re.sub("«.*?»", lambda _: case["instead"], text, flags=re.DOTALL).encode()
            for name, text in marked.items()
        }
    plain = {name: text.replace("«", "").replace("»", "").encode() for name, text in marked.items()}
    return Wrong(path.stem, case["code"], case["hint"], plain, file, place, tuple(case.get("also", ())), twin)


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


CASES = tuple(read(path) for path in sorted(FOLDER.glob("*.yaml")))

"""What a code means, for people: why it matters, where the rule comes from, and the same thing done wrong and right.

One file a code in `codes/`, read by nothing but `relspec explain CODE`, the help texts of reports and the documentation:
a compile needs `catalogue` alone. A file has

- `why`: what goes wrong where this is let through; `source`: whose rule it is.
- `bad` and `good`: changes to a small repository with nothing wrong, in which «» enclose what is pointed at: `service`
  (lines of the service `api` of production/recs), `environment` (top-level fields of production's environment.yaml, null
  removes one), `files` (whole files, null removes one). `instead`, in place of `good`, is what belongs between the marks.
- `given`: changes that all of them build on and that nobody needs to see.
- `before`, where the change counts: what stood there before `bad` or `good`.
- `run` inside `bad` and `good`, where Git or the disk counts: command lines, the last of which says the code (or not).
- `says`: what relspec prints of `bad`. It is generated; `tests/test_catalogue.py` runs all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from msgspec import Struct

from relspec import documents
from relspec.catalogue import CATALOGUE, Rule

CODES = Path(__file__).parent / "codes"
RELEASE = "environments/production/recs/release.yaml"
ENVIRONMENT = "environments/production/environment.yaml"
WITHOUT_EXAMPLES = frozenset({"RS900"})
"""Nobody knows beforehand what makes relspec itself fail."""

Case = Mapping[str, Any]


class Snippet(Struct, frozen=True):
    """A piece of an example: a file (or the lines of it that count), or command lines where `file` is empty.

    `state` says when: "before", "after", or nothing where there is one state only.
    """

    file: str
    text: str
    state: str = ""


class Meaning(Struct, frozen=True):
    """All that is known of a code. `says` is the report about `bad`, as a terminal shows it."""

    rule: Rule
    why: str
    source: str
    bad: tuple[Snippet, ...]
    good: tuple[Snippet, ...]
    says: str


def meaning(code: str) -> Meaning:
    """What a code of the catalogue means."""
    case = raw(code)
    before = tuple(_snippets(case.get("before", {}), "before"))
    state = "after" if before else ""
    return Meaning(
        CATALOGUE[code],
        " ".join(case["why"].split()),
        " ".join(case["source"].split()),
        (*before, *_snippets(case.get("bad", {}), state)),
        (*before, *_snippets(good(case), state)),
        case.get("says", ""),
    )


def raw(code: str) -> dict[str, Any]:
    """The file of a code as it is written, marks included."""
    path = CODES / f"{code}.yaml"
    return documents.parse_carefully(path.read_bytes(), path.name)


def good(case: Case) -> Case:
    """The good example: as written, or the bad one with `instead` between the marks."""
    if "good" in case:
        found: Case = case["good"]
        return found
    replaced: Case = _with_instead(case.get("bad", {}), case.get("instead", ""))
    return replaced


def whole(case: Case, example: Case) -> Case:
    """An example of a file together with what is `given` in it."""
    given = case.get("given", {})
    found = {key: example.get(key, value) for key, value in given.items()} | dict(example)
    for key in ("environment", "files"):
        if key in given:
            found[key] = {**given[key], **example.get(key, {})}
    return found


def unmarked(text: str) -> str:
    """A text without the marks."""
    return text.replace("«", "").replace("»", "")


def _with_instead(value: Any, instead: str) -> Any:
    if isinstance(value, str):
        return re.sub("«.*?»", lambda _: instead, value, flags=re.DOTALL)
    if isinstance(value, dict):
        return {key: _with_instead(inner, instead) for key, inner in value.items()}
    return value


def _snippets(case: Case, state: str) -> Iterator[Snippet]:
    if "environment" in case:
        removed = [name for name, text in case["environment"].items() if text is None]
        kept = {name: text for name, text in case["environment"].items() if text is not None}
        text = "".join(f"{name}:\n{indent(_line(text), '  ')}" for name, text in kept.items())
        text += "".join(f"# without {name}\n" for name in removed)
        yield Snippet(ENVIRONMENT, f"# …\n{unmarked(text)}", state)
    if "service" in case:
        text = indent(_line(case["service"]), "    ")
        yield Snippet(RELEASE, f"# …\nservices:\n  api:\n{unmarked(text)}", state)
    for file, content in case.get("files", {}).items():
        yield Snippet(file, "(no such file)\n" if content is None else unmarked(_line(content)), state)
    if "run" in case:
        yield Snippet("", "".join(f"$ {command}\n" for command in case["run"]), state)


def _line(text: str) -> str:
    return text if text.endswith("\n") or not text else text + "\n"

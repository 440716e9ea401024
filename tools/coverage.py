"""docs/coverage.md: each field of a Compose service, a pod and a container, and how relspec says it.

    python tools/coverage.py             writes docs/coverage.md
    python tools/coverage.py --check     exit 1 where it is not what would be written, or the map is incomplete

The fields come from `schemas/outputs/`, what is said of them from `docs/coverage-map.yaml`. A field without an entry is
an error, so that a new release of a schema can't bring one unnoticed, and so is an entry without a field.
tests/test_coverage.py compiles the example of every entry.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from relspec.schema_checks import DEFAULT_KUBERNETES, compose_schema, object_schema

ROOT = Path(__file__).resolve().parent.parent
MAP = ROOT / "docs" / "coverage-map.yaml"
PAGE = ROOT / "docs" / "coverage.md"

VERDICTS = ("field", "setting", "override", "template", "refused")
REFUSAL = ("why", "instead")
DETAILS = ("value", "gives", "as", "also", "environment", "note", "judge", "title", "say", "text", "adds", *REFUSAL)
SHOWN = 170
"""Characters of an example; of a longer one only the path is shown."""


@dataclass(frozen=True, slots=True)
class Part:
    """A map of the schemas: its name in the coverage map, its heading, where it is counted, and its fields."""

    name: str
    title: str
    read: str
    uses: str
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of a field (`ports`) or of a way of writing it (`ports.variable`)."""

    part: str
    name: str
    verdict: str
    address: str
    details: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The field of the output that it is about."""
        return self.name.partition(".")[0]

    @property
    def is_way(self) -> bool:
        """Whether it is about one way of writing the field."""
        return "." in self.name


def parts() -> tuple[Part, ...]:
    """The maps whose fields are listed, with the fields that the schemas give them."""
    rollout = object_schema("argoproj.io/v1alpha1/Rollout", DEFAULT_KUBERNETES)["$defs"]
    service = compose_schema()["$defs"]["service"]["properties"]
    return (
        Part("service", "A Compose service", "compose", "uses", frozenset(service)),
        Part("pod", "A pod", "kubernetes", "uses", frozenset(rollout["core.v1.PodSpec"]["properties"])),
        Part(
            "container", "A container", "kubernetes", "container", frozenset(rollout["core.v1.Container"]["properties"])
        ),
    )


def load() -> dict[str, Any]:
    """The coverage map. Raises ruamel's DuplicateKeyError where a field has two entries."""
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(MAP.read_text("utf-8"))
    return data


def entries(data: Mapping[str, Any]) -> tuple[Entry, ...]:
    """Every entry of the map, fields before ways. One without a verdict has an empty one."""
    return tuple(
        _entry(part.name, name, said)
        for part in parts()
        for section in (part.name, f"{part.name} ways")
        for name, said in data.get(section, {}).items()
    )


def _entry(part: str, name: str, said: Mapping[str, Any]) -> Entry:
    verdict = next((word for word in VERDICTS if word in said), "")
    return Entry(part, name, verdict, str(said.get(verdict, "")), {k: v for k, v in said.items() if k != verdict})


def uses(data: Mapping[str, Any], part: Part) -> Counter[str]:
    """In how many systems each field, and each way of writing one, was found."""
    found: Counter[str] = Counter()
    for system in data["read"][part.read].values():
        found.update(set(system[part.uses].split()))
    return found


def problems(data: Mapping[str, Any]) -> list[str]:
    """What is wrong with the map, a sentence each."""
    every = entries(data)
    return [problem for part in parts() for problem in _incomplete(data, part, every)] + [
        f"{entry.part} {entry.name}: {problem}" for entry in every for problem in _malformed(entry)
    ]


def _incomplete(data: Mapping[str, Any], part: Part, every: Iterable[Entry]) -> Iterator[str]:
    own = [entry for entry in every if entry.part == part.name]
    fields = {entry.name for entry in own if not entry.is_way}
    ways = {entry.name for entry in own if entry.is_way}
    found = set(uses(data, part))
    for name in sorted(part.fields - fields):
        yield f"{part.name} {name}: the schema has it, the map says nothing of it"
    for name in sorted(fields - part.fields):
        yield f"{part.name} {name}: the map says something of it, the schema does not have it"
    for name in sorted(found - fields - ways):
        yield f"{part.name} {name}: something that was read uses it, the map says nothing of it"
    for name in sorted(ways - found):
        yield f"{part.name} {name}: nothing that was read is written this way"


def _malformed(entry: Entry) -> Iterator[str]:
    if not entry.verdict:
        yield f"it needs one of {', '.join(VERDICTS)}"
    for name in entry.details:
        if name not in DETAILS:
            yield f"an entry has no {name}"
    if entry.verdict == "refused" and not all(entry.details.get(name) for name in REFUSAL):
        yield "a refusal says why, and what to do instead"
    if entry.is_way and "title" not in entry.details:
        yield "a way of writing needs a title"
    if "value" not in entry.details and "text" not in entry.details:
        yield "it needs an example: value or text"


def page(data: Mapping[str, Any]) -> str:
    """docs/coverage.md."""
    every = entries(data)
    lines = [
        "<!-- Made by `python tools/coverage.py` from docs/coverage-map.yaml and schemas/outputs/. Edit the map. -->",
        "# What Compose and Kubernetes can say, and how relspec says it",
        "",
        *_introduction(data, every),
    ]
    for part in parts():
        own = [entry for entry in every if entry.part == part.name]
        lines += _section(part, own, uses(data, part), len(data["read"][part.read]))
    return "\n".join([*lines, *_sources(data)]) + "\n"


def _introduction(data: Mapping[str, Any], every: Iterable[Entry]) -> Iterator[str]:
    compose, kubernetes = data["read"]["compose"], data["read"]["kubernetes"]
    yield (
        f"We read how {len(compose)} public systems with models in them use Compose and {len(kubernetes)} use "
        "Kubernetes, and asked of each field: what does a team write when it moves in? Every line is compiled by a test."
    )
    yield ""
    yield "| a team writes | fields | of those in use | ways of writing in use |"
    yield "|---|---|---|---|"
    found = {part.name: uses(data, part) for part in parts()}
    for verdict, words in WORDS.items():
        own = [entry for entry in every if entry.verdict == verdict]
        fields = [entry for entry in own if not entry.is_way]
        used = [entry for entry in fields if found[entry.part][entry.name]]
        yield f"| {words} | {len(fields)} | {len(used)} | {len(own) - len(fields)} |"
    yield ""
    yield (
        "An override is a JSON merge patch on the output (`overrides.compose.service.shm_size: 1gb`): maps merge, lists "
        "are replaced. It is checked against the same schemas, goes back with a revert like everything else, and in "
        "`overrides.compose` a `${NAME}` is the host's. A refusal is an error with its code in front."
    )
    yield ""


WORDS: Mapping[str, str] = {
    "field": "a field of the service",
    "setting": "a field of environment.yaml",
    "override": "an override",
    "template": "its own copy of a template",
    "refused": "something else: it is refused",
}


def _section(part: Part, own: list[Entry], found: Counter[str], systems: int) -> list[str]:
    fields = [entry for entry in own if not entry.is_way]
    used = sorted((e for e in fields if found[e.name]), key=lambda entry: (-found[entry.name], entry.name))
    ways = sorted((e for e in own if e.is_way), key=lambda entry: (entry.key, -found[entry.name], entry.name))
    unused = sorted((e for e in fields if not found[e.name]), key=lambda entry: entry.name)
    lines = [f"## {part.title}", ""]
    lines += _table(
        ("field", f"in {systems}", "written as"), ([f"`{e.name}`", str(found[e.name]), _how(e)] for e in used)
    )
    lines += [f"### Ways of writing it: {part.title[2:]}", ""]
    lines += _table(
        ("field", "way", f"in {systems}", "written as"),
        ([f"`{e.key}`", e.details["title"], str(found[e.name]), _how(e)] for e in ways),
    )
    lines += [f"### In the schema, in nothing that was read: {part.title[2:]}", ""]
    return lines + _table(("field", "written as"), ([f"`{e.name}`", _how(e)] for e in unused))


def _table(head: Iterable[str], rows: Iterable[list[str]]) -> list[str]:
    cells = [list(head)]
    cells.append(["---"] * len(cells[0]))
    cells += [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in cells] + [""]


def _how(entry: Entry) -> str:
    """What a team writes, in one cell."""
    details = entry.details
    note = f"; {details['note']}" if "note" in details else ""
    match entry.verdict:
        case "refused":
            return f"{entry.address}: {details['why']}. Instead: {details['instead']}{note}"
        case "template":
            return f"own `{entry.address}`{note}"
        case "override":
            return f"override: `{_example(f'{entry.address}.{entry.key}', details['value'])}`{note}"
        case "setting":
            return f"environment.yaml: `{_example(entry.address, details['value'])}`{note}"
        case _:
            becomes = f" (as `{details['as']}`)" if "as" in details else ""
            return f"`{_example(entry.address, details['value'])}`{becomes}{note}"


def _example(path: str, value: Any) -> str:
    """A path with its value on one line, or alone where that would be long."""
    flow = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    text = f"{path}: {flow.removesuffix('...' + chr(10)).strip()}"
    return text if len(text) <= SHOWN and "\n" not in text else path


def _sources(data: Mapping[str, Any]) -> Iterator[str]:
    yield "## What was read"
    yield ""
    yield "Public repositories, each in one version; nothing of theirs is copied here."
    yield ""
    for title, name in (("Compose", "compose"), ("Kubernetes", "kubernetes")):
        yield f"{title}:"
        yield ""
        for system, read in sorted(data["read"][name].items(), key=lambda item: item[0].lower()):
            yield f"- {system}: {', '.join(f'`{file}`' for file in read['files'])}"
        yield ""
    yield "Systems of our own in the same manner, as a team brings them and as they look here: `tests/fixtures/public/`."


def main(arguments: list[str] | None = None) -> int:
    """Writes the page, or checks it; the exit code."""
    parser = argparse.ArgumentParser(description="docs/coverage.md from docs/coverage-map.yaml and the schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where something is out of date")
    check = parser.parse_args(arguments).check
    data = load()
    wrong = problems(data)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    text = page(data)
    if check and (not PAGE.exists() or PAGE.read_text("utf-8") != text):
        print("docs/coverage.md is out of date: run python tools/coverage.py", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The documentation tells the truth: its examples compile, its commands print what it shows, its tables are the code's.

    python tests/test_docs.py      rewrites what is generated, and the outputs of commands, in docs/*.md

What a page may mark, each with a comment on the line before the block:

- `<!-- compile: PLACE [FORM] [RSxxx …] -->`: the YAML block compiles, and exactly the codes named are said (none: nothing
  is). PLACE is a key of `PLACES`. FORM is `release` (the default), `service` (fields on top of a good service),
  `environment`, or `files` (each file after a line `# path`).
- `<!-- run -->`: the console block prints that, in a copy of the sample company.
- `<!-- holes -->`: each row of the table is a template, a value and what comes of them.
- `<!-- generated: NAME -->` to `<!-- end -->`: written by `GENERATED[NAME]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from company import (
    SERVICE,
    STRATEGIES,
    Files,
    compose,
    environment,
    kubernetes,
    objects,
    registry,
    release,
    tree,
)
from company import company as small_company
from relspec import compile_tree
from relspec.capabilities import TABLE, TARGETS
from relspec.catalogue import CATALOGUE
from relspec.cli import VERBS, relspec
from relspec.diagnostics import RelspecError, Severity
from relspec.emit import emit
from relspec.meanings import meaning
from relspec.render import TemplateSet
from relspec.render.filters import FILTERS, REFUSED_FILTERS, TESTS
from relspec.reporters.meanings import markdown as section
from relspec.spec import quantities, repository
from relspec.spec import registry as registry_spec
from relspec.spec.environment import EnvironmentSpec
from relspec.spec.release import Release
from relspec.spec.service import OTHER_KINDS, Patch
from relspec.targets.application_routing import VARIABLES
from relspec.targets.compose.capabilities import LEFT_OUT, REFUSED
from relspec.targets.helm.context import context_schema
from relspec.targets.split import side
from test_readme import ROOT, company, comparable, with_outputs

DOCS = ROOT / "docs"
NAMES = (
    *("README.md", "diagnostics.md", "incident.md", "language.md", "limits.md"),
    *("rollback.md", "strategies.md", "targets.md", "templates.md"),
)
PAGES = tuple(DOCS / name for name in NAMES)
ROOTS: Mapping[str, type[BaseModel]] = {
    "Release": Release,
    "Environment": EnvironmentSpec,
    "Model": registry_spec.Model,
    "ModelVersion": registry_spec.ModelVersion,
    "Repository": repository.Repository,
    "Lock": repository.Lock,
}

BLOCK = re.compile(r"<!-- compile: ([^>]+?) -->\n```yaml\n(.*?)```", re.DOTALL)
HOLES = re.compile(r"<!-- holes -->\n(.*?)\n\n", re.DOTALL)
SECTION = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
CODE = re.compile(r"\bRS[1-9][0-9]{2}\b")
INNER_NAME = re.compile(r" \(`[a-z_]+[.][A-Za-z_]+`\)")
FILE = re.compile(r"^# (\S+\.(?:yaml|j2|txt))\n", re.MULTILINE)

CHART: Files = {
    "charts/server/Chart.yaml": "apiVersion: v2\nname: server\nversion: 1.0.0\n",
    "charts/server/templates/all.yaml": "{{ toYaml .Values }}\n",
}
HELM = {"helm": {"chart": "../../charts/server", "values": "values.yaml.j2", "namespace": "ml-prod"}}
PLACES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "compose": lambda: compose("production"),
    "istio": lambda: kubernetes("istio"),
    "gateway": lambda: kubernetes("gateway"),
    "rollouts": lambda: kubernetes(None),
    "helm": lambda: environment("production", targets=HELM),
}
"""Environments called production that the examples compile in."""


# --- examples that compile


def tree_of(place: str, form: str, text: str) -> dict[str, Any]:
    """The files of a small repository with one example in it."""
    files: dict[str, Any] = {
        **small_company(where=PLACES[place]()),
        **registry("v0.3", "v0.4", versioning="semver", aliases={"prod": "v0.3"}),
        **registry("1.0.0", name="rules", versioning="semver"),
        **CHART,
        "bases/recs.yaml": {"apiVersion": "relspec/v1", "kind": "Release", "services": {"api": SERVICE}},
        "environments/production/recs/config.yaml": "debug: false\n",
        "environments/production/values.yaml.j2": "service: {{ service }}\n",
    }
    folder = "environments/production"
    if form == "release":
        name = yaml.safe_load(text)["name"]
        files[f"{folder}/{name}/config.yaml"] = "debug: false\n"
        files[f"{folder}/{name}/release.yaml"] = text
    elif form == "service":
        files[f"{folder}/recs/release.yaml"] = release(services={"api": {**SERVICE, **yaml.safe_load(text)}})
    elif form == "environment":
        files[f"{folder}/environment.yaml"] = text
    else:
        parts = FILE.split(text)[1:]
        files.update(zip(parts[::2], parts[1::2], strict=True))
    return files


def examples() -> Iterator[Any]:
    """Every marked example, with the page and line where it begins."""
    for page in PAGES:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield pytest.param(match[1].split(), match[2], id=f"{page.name}:{line}")


@pytest.mark.parametrize(("words", "text"), list(examples()))
def test_an_example_compiles_and_says_what_the_page_says(words: list[str], text: str) -> None:
    place, form = words[0], next((word for word in words[1:] if not CODE.fullmatch(word)), "release")
    compiled = compile_tree(tree(tree_of(place, form, text)))
    found = {d.code: f"{d.code} {d.file}: {d.message}" for d in compiled.diagnostics}
    assert sorted(found) == sorted(set(words[1:]) - {form}), "\n".join(found.values())
    errors = any(d.severity is Severity.ERROR for d in compiled.diagnostics)
    assert compiled.files or errors


def test_there_are_examples_of_every_strategy() -> None:
    shown = " ".join(match[2] for match in BLOCK.finditer((DOCS / "strategies.md").read_text()))
    assert all(word in shown for word in ("steps:", "blueGreen:", "weight:", "abTest:", "shadow:", "routing: app"))


# --- commands


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_what_its_commands_print(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    if "<!-- run -->" in text:
        assert comparable(with_outputs(text, company(tmp_path / "company"))) == comparable(text)


# --- templates


def rows(table: str) -> list[list[str]]:
    """The cells of a Markdown table, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code_of(cell: str) -> str:
    """The text of a cell that is one code span."""
    return cell.strip("` ") if cell.startswith("`") else cell


@pytest.mark.parametrize(
    "row", rows(HOLES.findall((DOCS / "templates.md").read_text() + "\n\n")[0]), ids=lambda r: r[0]
)
def test_a_hole_gives_what_the_page_says(row: list[str]) -> None:
    template, value, result = (code_of(cell) for cell in row[:3])
    templates = TemplateSet({"t": template.replace("⏎", "\n")}.get)
    try:
        rendered = templates.render("t", {"v": json.loads(value)})
        said = emit(rendered.documents[0]).strip().replace("\n", "⏎")
    except RelspecError as error:
        said = error.findings[0].code
    assert said == result


@pytest.mark.parametrize(("heading", "names"), [("Filters", FILTERS), ("Tests", TESTS)])
def test_the_page_lists_every_filter_and_test(heading: str, names: Mapping[str, Any]) -> None:
    text = (DOCS / "templates.md").read_text()
    section = SECTION.sub("", text.split(f"### {heading}\n")[1].split("\n##")[0])
    listed = [name for row in rows(section) for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(listed) == sorted(name for name in names if name[0].isalpha())


# --- what is generated


def markdown(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table. A `<` outside code would be taken for a tag."""
    table = [head, ["---"] * len(head), *([escaped(cell) for cell in line] for line in lines)]
    return "".join(re.sub(r"\|  (?=\|)", "| ", f"| {' | '.join(cells)} |") + "\n" for cells in table)


def escaped(cell: str) -> str:
    parts = cell.replace("|", "\\|").replace("\n", " ").split("`")
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


def codes() -> str:
    lines = [
        [f"[{rule.code}](#{rule.code.lower()})", rule.title, rule.severity.value, rule.kind.value]
        for rule in CATALOGUE.values()
    ]
    return markdown(["code", "what", "severity", "class"], lines)


HUNDREDS = {
    "1": "Syntax and structure",
    "2": "References and layers",
    "3": "Strategies and targets",
    "4": "Rollback safety and policy",
    "5": "Outputs and templates",
    "6": "Git and workspace",
    "7": "Live systems",
    "9": "Internal",
}


def diagnostics() -> str:
    """A section a code, under its hundred."""
    parts: list[str] = []
    for number, title in HUNDREDS.items():
        sections = [section(meaning(code)) for code in CATALOGUE if code[2] == number]
        if sections:
            parts += [f"## RS{number}xx: {title}\n", *sections]
    return "\n".join(parts)


def verbs() -> str:
    found = []
    for name in VERBS:
        command = relspec.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        examples = (command.epilog or "").replace("\b", "").split("relspec ")
        example = re.split(r" {2,}|\n|\)\"", examples[1])[0].strip()
        what = (command.help or "").split("\n\n")[0].replace("\n", " ")
        found.append([f"`{name}`", what, f"`relspec {example}`"])
    return markdown(["verb", "what", "example"], found)


def scalars() -> str:
    from relspec import documents

    return "".join(
        f"{re.sub(r' {2,}', ' ', line)}\n" for line in (documents.__doc__ or "").splitlines() if line[:1] == "|"
    )


def capabilities() -> str:
    head = ["", "compose", "rollouts, Istio", "rollouts, Gateway API", "helm, own chart"]
    return markdown(head, [[row.feature, *(str(row.of(target)) for target in TARGETS)] for row in TABLE])


def left_out() -> str:
    lines = [[f"`{field}`", what] for field, what in LEFT_OUT.items()]
    lines += [[f"`{field}`", f"RS324: {INNER_NAME.sub('', what)}"] for field, what in REFUSED.items()]
    return markdown(["field", "in compose"], lines)


def refused_overrides() -> str:
    from relspec.rules.targets import CONTENT, OBJECT
    from relspec.rules.targets import REFUSED as PATHS

    def named(paths: tuple[tuple[str | int, ...], ...]) -> str:
        return ", ".join(f"`{'.'.join(map(str, path))}`" for path in paths)

    lines = [[f"`{target}.{address}`", named(paths)] for (target, address), paths in PATHS.items()]
    lines.append(["every other object of `rollouts`", named(OBJECT)])
    lines.append(["`rollouts.ConfigMap`, too", named(CONTENT)])
    return markdown(["address", "may not set"], lines)


def other_kinds() -> str:
    return markdown(["kind", "instead"], [[kind, what] for kind, what in OTHER_KINDS.items()])


def sides() -> str:
    columns = [("mod100", 10), ("parity", 50), ("hex256", 10), ("hash", 10)]
    ids = ["7", "42", "105", "1210", "9b2e77f1-04c1-4b6e-8a52-7d0c3a9be213", "user-17", "user-8", None]
    lines = []
    for value in ids:
        cells = [side(bucket, weight, value, "movie-recs/api") for bucket, weight in columns]  # type: ignore[arg-type]
        shown = [f"**{cell}**" if cell == "candidate" else cell for cell in cells]
        lines.append([f"`{value}`" if value else "(none)", *shown])
    return markdown(["id", *(f"`{bucket}`, weight {weight}" for bucket, weight in columns)], lines)


def layout() -> str:
    extra = {"replicas": 2, "files": {"/etc/app.yaml": {"content": "a: 1\n"}}}
    found: dict[str, set[str]] = {}
    for strategy, fields in STRATEGIES.items():
        files = small_company({"api": {**SERVICE, **extra, **fields}}, kubernetes("istio"))
        for kind, name in objects(files):
            short = re.sub(r"-[0-9a-f]{10}$", "-<content>", name).replace("recs-api", "n")
            found.setdefault(f"{kind} `{short}`", set()).add(strategy)
    head = ["object", "fixed", "stepped", "blue-green", "held", "A/B", "shadow"]
    return markdown(
        head, [[name, *("yes" if each in having else "" for each in STRATEGIES)] for name, having in found.items()]
    )


def limits() -> str:
    from relspec.render import code, language, rendered_yaml, session

    lines = [
        ["source of a template", f"{code.MAX_SOURCE // 1024} KiB"],
        ["depth of statements and expressions", str(language.MAX_DEPTH)],
        ["parts of a template (nodes of its syntax tree)", f"{language.MAX_NODES:,}"],
        ["steps of one render (parts, counted each time they run)", f"{session.MAX_STEPS:,}"],
        [
            "characters of the output, values included; an element of a map or list counts as one",
            f"{session.MAX_OUTPUT // 2**20} MiB",
        ],
        ["characters made on the way", f"{session.MAX_WORK // 2**20} MiB"],
        ["elements of `range`", f"{session.MAX_RANGE:,}"],
        ["size of a number", "2^64"],
        ["depth of the YAML that comes out", str(rendered_yaml.MAX_DEPTH)],
    ]
    return markdown(["what", "at most"], lines)


def limits_of_a_repository() -> str:
    from relspec import documents, resolve, tree
    from relspec.spec import release, service, validation
    from relspec.targets.helm import chart, helm_yaml

    def longest(model: type[BaseModel], field: str) -> str:
        found = {node["maxProperties"] for node in validation.nodes_at(model, (field,)) if "maxProperties" in node}
        return str(*found)

    lines = [
        ["size of a file", f"{tree.MAX_FILE // 2**20} MiB", "RS106"],
        ["documents in a file", "1", "RS102"],
        ["anchors, aliases and merge keys", "0", "RS108"],
        ["lines of a file", f"{documents.MAX_LINES:,}", "RS111"],
        ["maps, lists, keys and values of a file", f"{documents.MAX_NODES:,}", "RS111"],
        ["maps and lists inside one another", str(documents.MAX_DEPTH), "RS111"],
        ["a whole number", f"64 bits, {documents.INTEGERS.stop - 1:,}", "RS111"],
        ["any other number", "what a double holds", "RS111"],
        ["characters of an argument or a variable", f"{service.TEXT_LENGTH:,}", "RS122"],
        ["services of a release", longest(release.Release, "services"), "RS122"],
        ["variants of a service", longest(service.ServicePatch, "variants"), "RS122"],
        ["bases over one another", str(resolve.MAX_BASES), "RS213"],
        ["files of a folder that `files` mounts", str(resolve.MAX_FILES), "RS243"],
        ["folders inside one another", str(tree.MAX_FOLDERS), "RS111"],
        ["subcharts inside one another", str(chart.MAX_SUBCHARTS), "RS530"],
        ["what a packaged subchart unpacks to", f"{chart.MAX_ARCHIVE // 2**20} MiB", "RS530"],
        ["nesting of a chart's YAML", str(helm_yaml.MAX_DEPTH), "RS530"],
        ["maps, lists, keys and values of a chart's YAML", f"{documents.MAX_NODES:,}", "RS530"],
        ["findings of one code about the syntax of a file", str(documents.MAX_PER_CODE), "the rest is left out"],
        ["findings about the fields of a file", str(validation.MAX_FINDINGS), "the rest is left out"],
    ]
    return markdown(["what", "at most", "beyond it"], lines)


def refused_filters() -> str:
    by_hint: dict[str, list[str]] = {}
    for name, hint in REFUSED_FILTERS.items():
        by_hint.setdefault(hint, []).append(f"`{name}`")
    return markdown(["not there", "because"], [[", ".join(names), hint] for hint, names in by_hint.items()])


SHAPES = {
    quantities.DNS_LABEL: "name",
    quantities.DURATION: "duration",
    quantities.MEMORY: "size",
    quantities.CPU: "cpu",
    quantities.IMAGE: "image",
    quantities.MODEL_REFERENCE: "model@version",
    quantities.SECRET_REFERENCE: "NAME/KEY",
    quantities.ABSOLUTE_PATH: "absolute path",
}
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "null",
}
CALLED = {"ServicePatch": "Service", "EnvironmentSpec": "Environment"}


def takes(schema: Mapping[str, Any]) -> str:
    """What a node of a JSON Schema takes, in words; models link to their own table."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        called = CALLED.get(name, name)
        return f"[{called}](#fields-of-{called.lower()})" if name != "Pause" else "`{}`"
    if "enum" in schema or "const" in schema:
        return " or ".join(
            f"`{json.dumps(each) if each is True else each}`" for each in schema.get("enum", [schema.get("const")])
        )
    ways = schema.get("anyOf") or schema.get("oneOf")
    if ways:
        return " or ".join(dict.fromkeys(takes(way) for way in ways if way.get("type") != "null"))
    if schema.get("type") == "array":
        return f"list of {takes(schema.get('items', {}))}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
        return f"map of {takes(inner)}" if isinstance(inner, dict) else "map"
    if schema.get("pattern") in SHAPES:
        return SHAPES[schema["pattern"]]
    word = TYPES.get(str(schema.get("type")), "anything")
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{word}, {low} to {high}" if low is not None and high is not None else word


def flow(value: Any) -> str:
    """An example on one line, as YAML."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
        .removesuffix("...\n")
        .strip()
    )


def field_row(name: str, schema: Mapping[str, Any], required: bool) -> list[str]:
    default = schema.get("default")
    if required:
        shown = "required"
    elif default not in (None, [], {}) and not isinstance(default, dict):
        shown = f"default `{flow(default)}`"
    else:
        shown = ""
    example = f"`{name}: {flow(schema['examples'][0])}`" if schema.get("examples") and "const" not in schema else ""
    return [f"`{name}`", takes(schema), schema.get("description", ""), "; ".join(filter(None, (shown, example)))]


def references(node: Any) -> Iterator[str]:
    """The names of the models that a JSON Schema refers to, in order."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def fields() -> str:
    """A table for each model that a document of a repository can hold, outer ones first."""
    found: dict[str, str] = {}
    for title, model in ROOTS.items():
        schema = model.model_json_schema(by_alias=True)
        definitions = schema.get("$defs", {})
        waiting = [(title, schema)]
        for called, part in waiting:
            if called in found or "properties" not in part or called == "Patch":
                continue
            found[called] = field_table(called, part)
            names = references(part["properties"])
            waiting += [(CALLED.get(name, name), definitions[name]) for name in names if name != "Pause"]
        if model is Release:
            about = "A variant or a candidate: what it changes on the service."
            fields = (
                "All fields of a service but `variants`, `active`, `candidate`, `strategy`, `routing` and `targets`."
            )
            found["Patch"] = f"### Fields of Patch\n\n{about} {fields}\n"
            assert not {"variants", "active", "candidate"} & set(Patch.model_fields)
    return "\n".join(found.values())


def field_table(called: str, schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", [])
    lines = [field_row(field, each, field in needed) for field, each in schema["properties"].items()]
    about = schema.get("description", "").split("\n")[0]
    return f"### Fields of {called}\n\n{about}\n\n" + markdown(["field", "takes", "what", "default, example"], lines)


def context() -> str:
    """A table for each thing in the context of a values template."""
    schema = context_schema()
    definitions = schema["$defs"]
    shared = definitions["WorkloadContext"]["properties"]
    found: dict[str, str] = {}
    waiting = [("At the top", schema)]
    for name, part in waiting:
        called = name.removesuffix("Context")
        if called in found:
            continue
        own = {key: each for key, each in part["properties"].items() if called != "Service" or key not in shared}
        lines = [
            [f"`{key}`", context_kind(each), each["description"].replace("None", "null")] for key, each in own.items()
        ]
        more = " And everything of a Workload." if called == "Service" else ""
        found[called] = f"**{called}**: {part['description']}{more}\n\n" + markdown(["key", "holds", "what"], lines)
        inner = [*references(own), *(["WorkloadContext"] if called == "Service" else [])]
        waiting += [(each, definitions[each]) for each in inner]
    return "\n".join(found.values())


def context_kind(schema: Mapping[str, Any]) -> str:
    text = takes(schema)
    text = re.sub(r"\[(\w+?)(?:Context)?\]\(#[^)]*\)", r"\1", text)
    nullable = any(way.get("type") == "null" for way in schema.get("anyOf", []))
    return f"{text}, or null" if nullable else text


GENERATED: Mapping[str, Callable[[], str]] = {
    "capabilities": capabilities,
    "codes": codes,
    "context": context,
    "diagnostics": diagnostics,
    "fields": fields,
    "layout": layout,
    "left-out": left_out,
    "limits": limits,
    "limits-of-a-repository": limits_of_a_repository,
    "other-kinds": other_kinds,
    "refused-filters": refused_filters,
    "refused-overrides": refused_overrides,
    "scalars": scalars,
    "sides": sides,
    "verbs": verbs,
}


def with_generated(text: str) -> str:
    """The page with its generated parts as they are now."""
    return SECTION.sub(lambda match: f"{match[1]}{GENERATED[match[2]]()}{match[4]}", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_tables_are_those_of_the_code(page: Path) -> None:
    text = page.read_text()
    assert with_generated(text) == text, "run: python tests/test_docs.py"


def test_every_generated_part_is_shown_once() -> None:
    shown = [match[2] for page in PAGES for match in SECTION.finditer(page.read_text())]
    assert sorted(shown) == sorted(GENERATED)


# --- the whole


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as Git hosts make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        if not target.exists() or (anchor and anchor not in slugs(target.read_text())):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_codes_exist(page: Path) -> None:
    assert set(CODE.findall(page.read_text())) <= set(CATALOGUE)


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    assert [
        page.name for page in sorted(DOCS.glob("*.md")) if page.name != "README.md" and f"({page.name})" not in index
    ] == []


def aliases(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    """The names of every field of a model and of the models inside it, as people write them."""
    if model in seen:
        return
    seen.add(model)
    for name, info in model.model_fields.items():
        yield info.alias or name
        for inner in models_in(info.annotation):
            yield from aliases(inner, seen)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)
    for extra in getattr(annotation, "__metadata__", ()):
        assert not isinstance(extra, type)


def test_every_field_is_explained_by_hand() -> None:
    """Beside the generated tables: in an example or a sentence."""
    text = "".join((DOCS / name).read_text() for name in ("language.md", "registry.md", "strategies.md", "targets.md"))
    said = SECTION.sub("", text)
    seen: set[type[BaseModel]] = set()
    names = sorted({name for model in ROOTS.values() for name in aliases(model, seen)})
    assert len(names) > 150
    assert [name for name in names if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", said)] == []


def test_every_variable_of_the_contract_is_explained() -> None:
    table = (DOCS / "strategies.md").read_text().split("## `routing: app`")[1].split("\n## ")[0]
    assert [code_of(row[0]) for row in rows(table)][: len(VARIABLES)] == list(VARIABLES)


def rewrite() -> None:
    """Writes what is generated, and what commands print, into the pages."""
    import tempfile

    for page in PAGES:
        text = with_generated(page.read_text())
        with tempfile.TemporaryDirectory() as scratch:
            page.write_text(with_outputs(text, company(Path(scratch) / "company")) if "<!-- run -->" in text else text)


if __name__ == "__main__":
    rewrite()

"""A Helm chart, read from a tree: metadata, default values, schema, subcharts. No template is rendered.

What is accepted follows Helm v3.19 (`pkg/chart/loader/load.go`, `pkg/chart/metadata.go`); `.helmignore` is not applied.
"""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import re
import tarfile
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Finding, Range, RelspecError, Severity, Where
from relspec.documents import why_not_json
from relspec.schema_cost import TOO_MUCH, TOO_MUCH_HINT, unfolds_to_too_much
from relspec.targets.helm.helm_yaml import HelmYamlError, as_number_of_json, read, text_of_float
from relspec.targets.helm.version_range import parse_version
from relspec.tree import NOT_OURS, DirectoryTree, MemoryTree, Tree, absent, not_ours

MAX_ARCHIVE = 16 * 1024 * 1024
"""Bytes that a packaged subchart may unpack to."""

MAX_SUBCHARTS = 8
"""Levels of subcharts below a chart."""

_ALIAS = re.compile(r"[a-zA-Z0-9_-]+")
_READ_VALUE = re.compile(r"\.Values(\.([A-Za-z_][A-Za-z0-9_]*))?")


class Import(Struct, frozen=True):
    """Values that a chart takes from a subchart's defaults (`import-values`): both are paths with dots."""

    child: str
    parent: str


class Dependency(Struct, frozen=True):
    """A subchart as its parent's Chart.yaml names it; `condition` is a list of paths with commas between them."""

    name: str
    version: str = ""
    alias: str = ""
    condition: str = ""
    tags: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()

    @property
    def label(self) -> str:
        """The key under which the subchart's values lie."""
        return self.alias or self.name


class Chart(Struct, frozen=True):
    """A chart and the subcharts found with it.

    `path` is where it lies in its tree, `values` are its defaults (never changed), `schema` the text of its
    values.schema.json. `declares` tells whether dependencies are declared at all, be it an empty list, which makes a
    difference to Helm. `reads` are the top-level values that its templates name, or None where a template takes
    `.Values` as a whole, so that it may read anything.
    """

    path: str
    name: str
    version: str
    values: Mapping[str, Any]
    schema: bytes | None = None
    dependencies: tuple[Dependency, ...] = ()
    declares: bool = False
    subcharts: tuple[Chart, ...] = ()
    reads: frozenset[str] | None = None


def load_chart(tree: Tree, path: str, *, origin: Where | None = None) -> Chart:
    """The chart in the folder `path` of `tree`.

    `origin` is the place in the spec that names the chart; errors point there, else at the chart. Raises RelspecError
    RS530 where there is no chart or Helm would refuse to load it, and what the tree raises for links and large files.
    """
    return _load(tree, path, origin, MAX_SUBCHARTS)


class Charts:
    """The charts of one tree, each read when it is first asked for."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._loaded: dict[str, Chart] = {}

    def load(self, path: str, origin: Where) -> Chart:
        """The chart in the folder `path`, which `origin` names. Raises RelspecError as `load_chart` does."""
        chart = self._loaded.get(path)
        if chart is None:
            chart = self._loaded[path] = load_chart(self._tree, path, origin=origin)
        return chart


@cache
def reference_chart() -> Chart:
    """The packaged chart that takes `objects: [...]` and prints each."""
    return load_chart(DirectoryTree(reference_chart_folder()), "")


def reference_chart_folder() -> FilePath:
    """Where the packaged chart lies on this machine, for whoever copies it into a repository."""
    return FilePath(str(files("relspec"))) / "templates" / "helm" / "reference"


def missing_dependencies(chart: Chart, where: Where) -> tuple[Finding, ...]:
    """A note (RS532) for each dependency that is declared but not below charts/: its values can't be checked.

    Deployers such as Argo CD fetch them (`helm dependency build`), so this is no error.
    """
    present = {subchart.name for subchart in chart.subcharts}
    notes = [
        Finding(
            "RS532",
            f"chart {chart.name} depends on {dependency.name}, which is not in its charts/ folder: "
            f"values for {dependency.label} are not checked",
            where,
            f"run: helm dependency update {chart.path or '.'}; then commit {posixpath.join(chart.path, 'charts')}",
            severity=Severity.NOTE,
        )
        for dependency in chart.dependencies
        if dependency.name not in present
    ]
    nested = [note for subchart in chart.subcharts for note in missing_dependencies(subchart, where)]
    return (*notes, *nested)


def _load(tree: Tree, path: str, origin: Where | None, levels: int) -> Chart:
    file = posixpath.join(path, "Chart.yaml")
    where = origin or Where(file)
    if tree.kind(file) != "file":
        why = absent(tree, file, where)
        if why.code == "RS241":
            raise RelspecError(why)
        raise _refused(
            where,
            f"there is no chart in {path or 'this folder'}: {file} is missing",
            "name the folder that holds Chart.yaml, or remove `chart` to use the packaged one",
        )
    if levels == 0:
        raise _refused(where, f"subcharts are nested more than {MAX_SUBCHARTS} deep at {path}", "flatten the chart")
    metadata = {**_map(tree, file, where), **_old_requirements(tree, path, where)}
    name, version = _text(metadata, "name"), _text(metadata, "version")
    _check_metadata(metadata, name, version, file, where)
    values = posixpath.join(path, "values.yaml")
    schema = posixpath.join(path, "values.schema.json")
    return Chart(
        path=path,
        name=name,
        version=version,
        values=as_number_of_json(_map(tree, values, where)) if _is_there(tree, values) else {},
        schema=_schema(tree, schema, where) if _is_there(tree, schema) else None,
        dependencies=_dependencies(metadata, file, where),
        declares=metadata.get("dependencies") is not None,
        subcharts=_subcharts(tree, posixpath.join(path, "charts"), where, levels),
        reads=_values_read(tree, posixpath.join(path, "templates")),
    )


def _is_there(tree: Tree, file: str) -> bool:
    """Whether an optional file of a chart is there. Raises RelspecError RS241 for a link: Helm would follow it."""
    kind = tree.kind(file)
    if kind in NOT_OURS:
        raise RelspecError(not_ours(file, kind, Where(file, range=Range(1, 1, 1, 1))))
    return kind == "file"


def _refused(where: Where, message: str, hint: str) -> RelspecError:
    return RelspecError(Finding("RS530", message, where, hint))


def _map(tree: Tree, file: str, where: Where) -> dict[str, Any]:
    try:
        data = read(tree.read(file))
    except HelmYamlError as error:
        place = f"{file}:{error.line}" if error.line else file
        raise _refused(
            where, f"Helm can't read {place}: {error}", f"run: helm lint {posixpath.dirname(file)}"
        ) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _refused(where, f"{file} is not a map", f"run: helm lint {posixpath.dirname(file)}")
    return data


def _text(data: Mapping[str, Any], key: str) -> str:
    """A field that Helm reads into a string: numbers and booleans become their text, what is no scalar nothing."""
    value = data.get(key)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return text_of_float(value)
    return str(value) if isinstance(value, str | int) else ""


def _check_metadata(metadata: Mapping[str, Any], name: str, version: str, file: str, where: Where) -> None:
    if not name or "/" in name:
        raise _refused(where, f"{file} has no valid name", "write name: and the chart's name")
    if parse_version(version) is None:
        raise _refused(where, f"{file} has no valid version", 'write version: and a semantic version, such as "0.1.0"')
    if _text(metadata, "type") not in ("", "application", "library"):
        raise _refused(where, f"the type in {file} is neither application nor library", "write type: application")


def _schema(tree: Tree, file: str, where: Where) -> bytes:
    data = tree.read(file).removeprefix(b"\xef\xbb\xbf")
    try:
        parsed = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(where, f"{file} is not JSON: {why_not_json(error)}", "correct the chart's schema") from error
    if unfolds_to_too_much(parsed):
        raise _refused(where, f"{file} {TOO_MUCH}", TOO_MUCH_HINT)
    return data


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON value")


def _old_requirements(tree: Tree, path: str, where: Where) -> dict[str, Any]:
    """The dependencies of charts written for Helm 2, which lie in a file of their own and win."""
    file = posixpath.join(path, "requirements.yaml")
    found = _map(tree, file, where) if _is_there(tree, file) else {}
    return {key: value for key, value in found.items() if key == "dependencies"}


def _dependencies(metadata: Mapping[str, Any], file: str, where: Where) -> tuple[Dependency, ...]:
    entries = metadata.get("dependencies") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _refused(where, f"dependencies in {file} is not a list of maps", "run: helm lint on the chart's folder")
    dependencies = tuple(_dependency(entry) for entry in entries)
    labels = [dependency.label for dependency in dependencies]
    for dependency in dependencies:
        if dependency.alias and _ALIAS.fullmatch(dependency.alias) is None:
            raise _refused(where, f"alias {dependency.alias!r} in {file} is not valid", "use letters, digits, _ and -")
        if labels.count(dependency.label) > 1:
            raise _refused(where, f"{file} has two dependencies called {dependency.label}", "give one an alias")
    return dependencies


def _dependency(entry: Mapping[str, Any]) -> Dependency:
    tags = entry.get("tags")
    imports = entry.get("import-values")
    return Dependency(
        name=_text(entry, "name"),
        version=_text(entry, "version"),
        alias=_text(entry, "alias"),
        condition=_text(entry, "condition"),
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        imports=tuple(_import(item) for item in imports if isinstance(item, str | dict))
        if isinstance(imports, list)
        else (),
    )


def _import(item: str | dict[str, Any]) -> Import:
    if isinstance(item, str):
        return Import(f"exports.{item}", ".")
    return Import(_text(item, "child"), _text(item, "parent"))


def _subcharts(tree: Tree, folder: str, where: Where, levels: int) -> tuple[Chart, ...]:
    """Charts below charts/: folders and .tgz archives, without names that begin with `_` or a dot."""
    found: list[Chart] = []
    for name, kind in tree.entries(folder):
        path = posixpath.join(folder, name)
        if name.startswith(("_", ".")) or name.endswith(".prov"):
            continue
        if kind == "folder":
            found.append(_load(tree, path, where, levels - 1))
        elif name.endswith(".tgz"):
            found.append(_load_archive(tree.read(path), path, where, levels - 1))
        elif kind == "file":
            raise _refused(where, f"Helm takes {path} for a chart, which it is not", "move it out of charts/")
        else:
            raise _refused(where, f"{path} is not a plain file or folder", "replace the link by what it points to")
    return tuple(found)


def _load_archive(data: bytes, path: str, where: Where, levels: int) -> Chart:
    try:
        contents = _unpack(data)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise _refused(where, f"{path} can't be unpacked: {error}", "run: helm dependency update") from error
    tops = {name.split("/", 1)[0] for name in contents}
    if len(tops) != 1:
        raise _refused(where, f"{path} does not hold exactly one folder", "run: helm dependency update")
    return _load(MemoryTree(contents), tops.pop(), where, levels)


def _unpack(data: bytes) -> dict[str, bytes]:
    """The regular files of a gzipped tar archive. Raises ValueError where it unpacks to too much."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
        plain = packed.read(MAX_ARCHIVE + 1)
    if len(plain) > MAX_ARCHIVE:
        raise ValueError("it unpacks to more than 16 MiB")
    contents: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
        for member in archive:
            name = posixpath.normpath(member.name)
            if name.startswith(("/", "../")):
                raise ValueError(f"{member.name} leads out of it")
            if member.isreg() and (file := archive.extractfile(member)) is not None:
                contents[name] = file.read()
    return contents


def _values_read(tree: Tree, folder: str) -> frozenset[str] | None:
    """The names after `.Values.` in every template, or None where `.Values` stands alone."""
    names: set[str] = set()
    for name, kind in tree.entries(folder):
        path = posixpath.join(folder, name)
        if kind == "folder":
            nested = _values_read(tree, path)
            if nested is None:
                return None
            names |= nested
        elif kind == "file":
            for match in _READ_VALUE.finditer(tree.read(path).decode("utf-8", "replace")):
                if match.group(2) is None:
                    return None
                names.add(match.group(2))
    return frozenset(names)

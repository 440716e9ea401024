"""What deploying compiled outputs would restart, compared with the outputs that are on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from relspec import documents
from relspec.compiler import Compiler
from relspec.diagnostics import RelspecError
from relspec.tree import Tree

SEPARATOR = b"\n---\n"


def restarted_releases(root: Path, tree: Tree) -> list[tuple[str, list[str]]]:
    """Releases whose workloads differ from those on disk, each with the names of these workloads."""
    compiled = Compiler(tree).compile()
    found = []
    for release in compiled.releases:
        names: list[str] = []
        for path, data in release.files.items():
            file = root / compiled.output / release.place.id / path
            before = dict(workloads(file.read_bytes())) if file.is_file() else {}
            after = dict(workloads(data))
            names += [name for name in before if name in after and before[name] != after[name]]
        if names:
            found.append((release.place.id, sorted(set(names))))
    return found


def workloads(data: bytes) -> Iterator[tuple[str, Any]]:
    """The parts of an output whose change restarts something: pod templates by Rollout, services by compose name."""
    for part in data.split(SEPARATOR):
        try:
            document = documents.parse(part + b"\n", "output")
        except RelspecError:
            continue
        objects = document["objects"] if isinstance(document.get("objects"), list) else [document]
        for entry in objects:
            if isinstance(entry, Mapping) and entry.get("kind") == "Rollout":
                yield str(entry["metadata"]["name"]), entry["spec"]["template"]
        if isinstance(document.get("services"), Mapping):
            yield from document["services"].items()

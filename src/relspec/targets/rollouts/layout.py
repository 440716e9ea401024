"""What a template must keep, whoever wrote it: an output without its Rollout would let a deployer delete production."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relspec.diagnostics import Finding, Range, Where
from relspec.facet import Facet
from relspec.render import Rendered

NEEDED = {
    "configMaps": "ConfigMap",
    "services": "Service",
    "analysisTemplates": "AnalysisTemplate",
    "rollouts": "Rollout",
    "virtualServices": "VirtualService",
    "httpRoutes": "HTTPRoute",
}
"""Lists of the context whose objects others refer to, and their kinds: none may be left out or renamed."""


def misfits(rendered: Rendered, context: Facet, template: str) -> Iterator[Finding]:
    """RS520 for a document that is no object, an object that is there twice, and one that is missing."""
    seen: set[tuple[str, str]] = set()
    for index, document in enumerate(rendered.documents):
        key = _key(document)
        if key is None:
            yield _at(
                rendered, index, "this document is no Kubernetes object", "write apiVersion, kind and metadata.name"
            )
        elif key in seen:
            yield _at(rendered, index, f"{key[0]} {key[1]} is there twice", "write each object once")
        else:
            seen.add(key)
    left_out = [
        (entries, f"{kind} {entry['name']}")
        for entries, kind in NEEDED.items()
        for entry in context[entries]
        if (kind, entry["name"]) not in seen
    ]
    if left_out:
        lists = ", ".join(dict.fromkeys(entries for entries, _ in left_out))
        message = f"the template leaves out {', '.join(name for _, name in left_out)}"
        hint = f"write an object for each entry of {lists}, under its name"
        yield Finding("RS520", message, Where(template, range=Range(1, 1, 1, 1)), hint)


def _key(document: Any) -> tuple[str, str] | None:
    """Kind and name of an object; None for anything else."""
    # What a render gives is plain: to ask for a Mapping would cost ten times as much.
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return None
    metadata = document["metadata"]
    kind, name, labels = document.get("kind"), metadata.get("name"), metadata.get("labels")
    fits = isinstance(kind, str) and isinstance(name, str) and (labels is None or isinstance(labels, dict))
    return (str(kind), str(name)) if fits else None


def _at(rendered: Rendered, index: int, message: str, hint: str) -> Finding:
    site = rendered.site_at(index, ())
    return Finding("RS520", message, Where(site.template, range=Range(site.line, 1, site.line, 1)), hint)

"""Writes the schemas that kubeconform judges our manifests by, so that it needs no network.

    kubeconform_schemas.py OUT KUBERNETES CRDS...

OUT is a folder that does not exist yet, KUBERNETES a version such as 1.34, CRDS YAML files, or folders of them, with
CustomResourceDefinitions. Kubernetes' own kinds come from the Python package kubernetes-validate. OUT gets one file
that needs no other for each kind, at the place where kubeconform finds it by
`{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`: `apps/deployment_v1.json`, `v1/service_v1.json` (the core
group has no name), `argoproj.io/rollout_v1alpha1.json`.

It shares no code with the schemas that relspec itself checks with: a judge must not repeat the mistakes of the judged.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

Schema = dict[str, Any]

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
POD_TEMPLATE = "io.k8s.api.core.v1.PodTemplateSpec"


def kubernetes_definitions(version: str) -> dict[str, Schema]:
    """The strict definitions of one Kubernetes version, by name, without `null`."""
    package = Path(kubernetes_validate.__file__).parent
    file = package / "kubernetes-json-schema" / f"v{version}.0-local-strict" / "_definitions.json"
    if not file.exists():
        raise SystemExit(f"kubernetes-validate has no schemas for Kubernetes {version}")
    definitions: dict[str, Schema] = without_null(json.loads(file.read_bytes())["$defs"])
    return definitions


def without_null(node: Any) -> Any:
    """`node` with `["string", "null"]` as `"string"`: the API server takes `null` for "not there", we never write it."""
    if isinstance(node, list):
        return [without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: without_null(value) for key, value in node.items()}
    if isinstance(changed.get("type"), list):
        types = [name for name in changed["type"] if name != "null"]
        changed["type"] = types[0] if len(types) == 1 else types
    return changed


def kubernetes_schemas(definitions: dict[str, Schema]) -> dict[str, Schema]:
    """The schemas of Kubernetes' own kinds, by file name. A kind is what has the metadata of an object."""
    found: dict[str, Schema] = {}
    for schema in definitions.values():
        if schema.get("properties", {}).get("metadata", {}).get("$ref") == reference(META)["$ref"]:
            for header in schema.get("x-kubernetes-group-version-kind", ()):
                found[file_name(header["group"], header["version"], header["kind"])] = schema
    return found


def file_name(group: str, version: str, kind: str) -> str:
    """Where kubeconform looks for a kind; it takes `v1` for the group of a kind that has none."""
    return f"{group or version}/{kind.lower()}_{version}.json"


def reference(definition: str) -> Schema:
    """A schema that stands for one of the definitions."""
    return {"$ref": f"#/$defs/{definition}"}


def crd_schemas(crds: list[Path]) -> dict[str, Schema]:
    """The closed schemas of every version of every CRD, by file name. They refer to Kubernetes' definitions."""
    found: dict[str, Schema] = {}
    for crd in documents(crds):
        group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
        for version in crd["spec"]["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            found[file_name(group, version["name"], kind)] = whole_object(schema, f"{group}/{version['name']}", kind)
    return found


def documents(crds: list[Path]) -> Iterator[Schema]:
    """The CustomResourceDefinitions in some files and folders."""
    for path in crds:
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        for file in files:
            for document in yaml.safe_load_all(file.read_bytes()):
                if document and document.get("kind") == "CustomResourceDefinition":
                    yield document


def whole_object(schema: Schema, api_version: str, kind: str) -> Schema:
    """The schema of an object as it is written to a file: with a header, without a status."""
    properties = {name: value for name, value in schema["properties"].items() if name != "status"}
    header = {"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": reference(META)}
    required = sorted({*schema.get("required", ()), *header} - {"status"})
    return {**schema, "properties": {**properties, **header}, "required": required}


def closed(schema: Schema) -> Schema:
    """`schema` refusing what it does not declare, as `kubectl apply` does; it stays open only where it says so.

    Branches of allOf, anyOf, oneOf and not are left alone: in a CRD they only narrow what is declared outside them. A
    pod template is Kubernetes' own, because CRDs copy an older one and leave parts of it open.
    """
    if is_pod_template(schema):
        return reference(POD_TEMPLATE)
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            result[keyword] = closed(schema[keyword])
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and not is_open:
        result["additionalProperties"] = False
    return result


def is_pod_template(schema: Schema) -> bool:
    """Whether these are the metadata and the spec of a pod."""
    properties = schema.get("properties", {})
    return properties.keys() == {"metadata", "spec"} and "containers" in properties["spec"].get("properties", {})


def self_contained(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """`schema` with the definitions that it needs: kubeconform reads and checks whole files, so small ones are fast."""
    needed: dict[str, Schema] = {}
    waiting = list(references(schema))
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = definitions[name]
            waiting.extend(references(definitions[name]))
    return {**schema, "$defs": needed}


def references(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to, itself."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix("#/$defs/")
        for value in node.values():
            yield from references(value)


def without_prose(node: Any) -> Any:
    """`node` without its descriptions (a property of that name is no text, and stays)."""
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key != "description" or not isinstance(value, str)}
    return {key: without_prose(value) for key, value in kept.items()}


def main(out: str, version: str, *crds: str) -> None:
    """Write all schemas below the folder `out`."""
    definitions = kubernetes_definitions(version)
    schemas = {**kubernetes_schemas(definitions), **crd_schemas([Path(path) for path in crds])}
    for name, schema in schemas.items():
        file = Path(out, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(without_prose(self_contained(schema, definitions)), sort_keys=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

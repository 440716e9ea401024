"""The strict schemas of the outputs: what they take, what they refuse and where, and how they are made."""

from __future__ import annotations

import copy
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relspec import schema_checks
from relspec.schema_checks import (
    DEFAULT_KUBERNETES,
    KUBERNETES_VERSIONS,
    SchemaProblem,
    UnusableSchemaError,
    check_against,
    check_compose,
    check_object,
    compose_schema,
    object_schema,
)

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = ROOT / "schemas" / "outputs"

OBJECTS: list[dict[str, Any]] = list(
    yaml.safe_load_all("""
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: movie-recs
  namespace: ml-prod
  labels: {app.kubernetes.io/name: movie-recs, relspec.dev/track: stable}
spec:
  replicas: 3
  revisionHistoryLimit: 8
  progressDeadlineSeconds: 600
  progressDeadlineAbort: true
  rollbackWindow: {revisions: 3}
  selector:
    matchLabels: {app.kubernetes.io/name: movie-recs}
  template:
    metadata:
      labels: {app.kubernetes.io/name: movie-recs, relspec.dev/track: stable}
      annotations: {Example.com/Note: "any text: at all"}
    spec:
      serviceAccountName: movie-recs
      terminationGracePeriodSeconds: 30
      nodeSelector: {accelerator: a100}
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: api
          image: ghcr.io/acme/recs:1.8.2
          ports: [{name: http, containerPort: 8080, protocol: TCP}]
          env:
            - {name: LOG_LEVEL, value: info}
            - {name: API_KEY, valueFrom: {secretKeyRef: {name: recs, key: api-key}}}
          resources:
            requests: {cpu: 500m, memory: 1Gi, nvidia.com/gpu: 1}
            limits: {memory: 1Gi, cpu: 2}
          startupProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 10, failureThreshold: 6}
          readinessProbe: {exec: {command: [cat, /tmp/ready]}}
          lifecycle: {preStop: {sleep: {seconds: 5}}}
          volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes:
        - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
        - {name: config, configMap: {name: movie-recs-0123456789}}
  strategy:
    canary:
      canaryService: movie-recs-canary
      stableService: movie-recs
      maxSurge: 25%
      maxUnavailable: 0
      steps:
        - setWeight: 10
        - pause: {duration: 5m}
        - pause: {}
        - analysis:
            templates: [{templateName: movie-recs-success-rate}]
            args: [{name: stable-hash, valueFrom: {podTemplateHashValue: Stable}}]
      trafficRouting:
        istio: {virtualService: {name: movie-recs, routes: [primary]}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: movie-recs-success-rate}
spec:
  args: [{name: stable-hash}]
  metrics:
    - name: success-rate
      interval: 1m
      count: 5
      failureLimit: 3
      initialDelay: 1m
      successCondition: result[0] >= 0.99
      provider: {prometheus: {address: "http://prometheus:9090", query: sum(rate(x))}}
---
apiVersion: v1
kind: Service
metadata:
  name: movie-recs
  annotations: {argocd.argoproj.io/sync-options: ServerSideApply=false}
spec:
  selector: {app.kubernetes.io/name: movie-recs}
  ports: [{name: http, port: 8080, targetPort: http, protocol: TCP}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: movie-recs-0123456789}
immutable: true
data: {config.yaml: "a: 1\\n"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: movie-recs}
automountServiceAccountToken: false
imagePullSecrets: [{name: ghcr}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: movie-recs}
spec:
  minReplicas: 2
  maxReplicas: 10
  scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: movie-recs}
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
    - {type: Pods, pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: 1k}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: movie-recs}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {app.kubernetes.io/name: movie-recs}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: movie-recs}
spec:
  hosts: [movie-recs, recs.acme.example]
  gateways: [mesh, istio-ingress/main]
  http:
    - name: candidate
      match: [{headers: {x-user-id: {regex: "^[0-9]*[0-9]{2}$"}}}]
      route: [{destination: {host: movie-recs-candidate, port: {number: 8080}}}]
    - name: primary
      route:
        - {destination: {host: movie-recs}, weight: 90}
        - {destination: {host: movie-recs-canary}, weight: 10}
      mirror: {host: movie-recs-candidate}
      mirrorPercentage: {value: 12.5}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: movie-recs}
spec:
  parentRefs: [{name: main, namespace: istio-ingress}]
  hostnames: [recs.acme.example]
  rules:
    - matches: [{path: {type: PathPrefix, value: /}}]
      backendRefs: [{name: movie-recs, port: 8080, weight: 90}, {name: movie-recs-canary, port: 8080, weight: 10}]
      filters:
        - type: RequestMirror
          requestMirror: {backendRef: {name: movie-recs-candidate, port: 8080}, percent: 20}
""")
)

COMPOSE: dict[str, Any] = yaml.safe_load("""
name: production-recs
services:
  api:
    image: ghcr.io/acme/recs:1.8.2
    build: {context: ., args: {A: b}}
    command: [serve, --port, "8080"]
    environment: {LOG_LEVEL: info, API_KEY: "${RECS_API_KEY:?set RECS_API_KEY in .env}"}
    ports: ["127.0.0.1:8000:8080"]
    depends_on: {redis: {condition: service_healthy}}
    healthcheck: {test: [CMD, curl, -f, "http://127.0.0.1:8080/"], interval: 10s, retries: 3}
    configs: [{source: api-3f9c, target: /etc/app/config.yaml}]
    volumes: ["data:/data"]
    networks: {default: {aliases: [recs]}}
    tmpfs: [/tmp]
    deploy:
      resources:
        limits: {cpus: "2", memory: 1G}
        reservations: {devices: [{capabilities: [gpu], count: 1, driver: nvidia}]}
    restart: unless-stopped
    stop_grace_period: 30s
  redis: {image: "redis:7", healthcheck: {test: "redis-cli ping"}}
configs: {api-3f9c: {content: "a: 1"}}
networks: {default: {external: true, name: shop}}
volumes: {data: {}}
""")


def named(obj: dict[str, Any]) -> str:
    return f"{obj['apiVersion']}/{obj['kind']}"


ROLLOUT = OBJECTS[0]
BY_KIND = {named(obj): obj for obj in OBJECTS}


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of `document` with another value at `path`."""
    result = copy.deepcopy(document)
    at(result, path[:-1])[path[-1]] = value
    return result


def schema_nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every map in a schema file, field maps included."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from schema_nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from schema_nodes(value)


# What fits


def test_there_is_an_example_of_every_kind() -> None:
    assert set(BY_KIND) == set(json.loads((OUTPUTS / "index.json").read_text())["kinds"])


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("obj", OBJECTS, ids=named)
def test_an_object_of_every_kind_fits_in_every_version(obj: dict[str, Any], version: str) -> None:
    assert check_object(obj, version) == ()


def test_a_compose_file_fits() -> None:
    assert check_compose(COMPOSE) == ()


def test_blue_green_and_a_string_for_a_port_fit() -> None:
    strategy = {"blueGreen": {"activeService": "a", "previewService": "b", "autoPromotionEnabled": False}}
    assert check_object(changed(ROLLOUT, ("spec", "strategy"), strategy), DEFAULT_KUBERNETES) == ()


@pytest.mark.parametrize("quantity", ["500m", "1Gi", "1.5Gi", "2", 2, 0.5, "1e3", "100k", "0", ".5"])
def test_quantities_that_kubernetes_reads_fit(quantity: str | float) -> None:
    path = ("spec", "template", "spec", "containers", 0, "resources", "requests", "memory")
    assert check_object(changed(ROLLOUT, path, quantity), DEFAULT_KUBERNETES) == ()


# What does not

CONTAINER = ("spec", "template", "spec", "containers", 0)
CANARY = ("spec", "strategy", "canary")


@pytest.mark.parametrize(
    ("path", "value", "part", "words"),
    [
        ((*CONTAINER, "imagee"), "x", "key", 'spec.template.spec.containers[0] has no field "imagee"'),
        (("spec", "template", "spec", "volumes", 0, "bogus"), {}, "key", 'has no field "bogus"'),
        (("spec", "template", "spec", "replicas"), 2, "key", 'spec.template.spec has no field "replicas"'),
        (("spec", "template", "metadata", "uid"), "x", "key", "spec.template.metadata has no field"),
        ((*CANARY, "autoPromotionEnabled"), False, "key", "spec.strategy.canary has no field"),
        (("status",), {}, "key", 'the Rollout has no field "status"'),
        ((*CONTAINER, "resources", "requests", "memory"), "4 gigs", "value", 'not "4 gigs"'),
        ((*CONTAINER, "resources", "limits", "cpu"), -1, "value", "a quantity such as 500m"),
        (("spec", "template", "spec", "volumes", 0, "emptyDir", "sizeLimit"), "big", "value", "a quantity"),
        (("spec", "replicas"), None, "value", "spec.replicas must be an integer, not null"),
        ((*CONTAINER, "env", 0, "value"), None, "value", "must be a string, not null"),
        ((*CANARY, "steps", 0, "setWeight"), "ten", "value", 'must be an integer, not "ten"'),
        ((*CANARY, "steps", 2, "pause"), None, "value", "must be a map, not null"),
        (("metadata", "name"), "Movie_Recs", "value", "lower-case"),
        (("metadata", "name"), "a" * 254, "value", "at most 253"),
        (("metadata", "name"), "a\n", "value", "lower-case"),
        (("metadata", "labels", "app"), "x" * 64, "value", "at most 63"),
        (("metadata", "labels", "a b"), "x", "key", "a label key"),
        (("spec", "selector", "matchLabels", "app"), "-x", "value", "letters, digits"),
        (("metadata", "annotations"), {"a": 1}, "value", "metadata.annotations.a must be a string, not 1"),
        ((*CONTAINER, "env", 0, "name"), "1A", "value", "no digit first"),
        ((*CONTAINER, "ports", 0, "name"), "a-name-of-17-char", "value", "1 to 15"),
        ((*CONTAINER, "ports", 0, "containerPort"), 65536, "value", "a port number"),
    ],
)
def test_what_a_rollout_may_not_be(path: tuple[str | int, ...], value: Any, part: str, words: str) -> None:
    document = changed(ROLLOUT, path, value)
    [problem] = check_object(document, DEFAULT_KUBERNETES)
    where = (*path, "a") if path[-1] == "annotations" else path
    assert (problem.path, problem.part) == (where, part)
    assert words in problem.message


def test_a_missing_field_is_said_of_the_map_that_lacks_it() -> None:
    document = copy.deepcopy(ROLLOUT)
    del at(document, CONTAINER)["name"]
    assert check_object(document, DEFAULT_KUBERNETES) == (
        SchemaProblem(CONTAINER, 'spec.template.spec.containers[0] needs the field "name"', part="key"),
    )


def test_an_unknown_field_names_the_one_that_was_meant() -> None:
    [problem] = check_object(changed(ROLLOUT, (*CONTAINER, "volumeMount"), []), DEFAULT_KUBERNETES)
    assert problem.hint == 'did you mean "volumeMounts"?'


def test_auto_promotion_under_canary_is_answered_with_the_step_that_means_it() -> None:
    [problem] = check_object(changed(ROLLOUT, (*CANARY, "autoPromotionEnabled"), False), DEFAULT_KUBERNETES)
    assert "`pause: {}`" in problem.hint
    assert "blueGreen" in problem.hint
    [elsewhere] = check_object(changed(ROLLOUT, ("spec", "autoPromotionEnabled"), False), DEFAULT_KUBERNETES)
    assert elsewhere.hint == "autoPromotionEnabled belongs to spec.strategy.blueGreen"


def test_all_problems_are_said_at_once_in_the_order_of_their_paths() -> None:
    document = changed(ROLLOUT, ("spec", "replicas"), "three")
    steps = at(document, (*CANARY, "steps"))
    steps[:] = [{"setWeight": "x"} for _ in range(12)]
    problems = check_object(document, DEFAULT_KUBERNETES)
    assert [problem.path for problem in problems] == [
        ("spec", "replicas"),
        *((*CANARY, "steps", index, "setWeight") for index in range(12)),
    ]


def test_versions_differ() -> None:
    document = changed(ROLLOUT, (*CONTAINER, "env", 0), {"name": "A", "valueFrom": {"fileKeyRef": {}}})
    assert "fileKeyRef" in check_object(document, "1.33")[0].message
    assert 'needs the field "key"' in check_object(document, "1.34")[0].message
    with pytest.raises(ValueError, match=r"1\.30"):
        check_object(ROLLOUT, "1.30")


@pytest.mark.parametrize(
    ("obj", "path", "words"),
    [
        ({"apiVersion": "apps/v1", "kind": "StatefulSet"}, ("kind",), "StatefulSet"),
        ({"apiVersion": "v1", "kind": "Srvice"}, ("kind",), "Srvice"),
        ({"apiVersion": "v2", "kind": "Service"}, ("apiVersion",), "v2"),
        ({"kind": "Service"}, (), "apiVersion"),
        ({"apiVersion": "v1"}, (), "kind"),
        ({"apiVersion": "v1", "kind": ["Service"]}, ("kind",), "a list"),
        ({}, (), "apiVersion"),
    ],
)
def test_an_unknown_kind_is_one_problem(obj: dict[str, Any], path: tuple[str, ...], words: str) -> None:
    [problem] = check_object(obj, DEFAULT_KUBERNETES)
    assert problem.path == path
    assert words in problem.message


def test_a_job_in_an_analysis_has_a_strict_pod_template_too() -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b", "imagee": "c"}]}
    metric = {"name": "job", "provider": {"job": {"spec": {"template": {"spec": pod}}}}}
    document = changed(BY_KIND["argoproj.io/v1alpha1/AnalysisTemplate"], ("spec", "metrics"), [metric])
    [problem] = check_object(document, DEFAULT_KUBERNETES)
    assert problem.path[-2:] == (0, "imagee")


def test_a_map_without_declared_fields_takes_none() -> None:
    path = (*CANARY, "antiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    affinity = changed(ROLLOUT, path[:-1], {path[-1]: {"weight": 1}})
    [problem] = check_object(affinity, DEFAULT_KUBERNETES)
    assert (problem.path, problem.hint) == (path, "write {} or remove it")
    assert check_object(changed(affinity, path, {}), DEFAULT_KUBERNETES) == ()


def test_fields_that_exclude_each_other_are_named() -> None:
    path = ("spec", "http", 0, "match", 0, "headers", "x-user-id", "exact")
    [problem] = check_object(changed(BY_KIND["networking.istio.io/v1/VirtualService"], path, "7"), DEFAULT_KUBERNETES)
    assert problem.path == path[:-1]
    assert "only one of the fields exact, regex" in problem.message


@pytest.mark.parametrize(
    ("path", "value", "where", "words"),
    [
        (("services", "api", "imge"), "x", None, 'services.api has no field "imge"'),
        (("services", "api", "command"), 5, None, "must be a list or a string, not 5"),
        (("services", "api", "ports"), [True], ("services", "api", "ports", 0), "not true"),
        (("services", "api", "ports"), [{"targt": 1}], ("services", "api", "ports", 0, "targt"), "no field"),
        (("services", "api", "environment", "LOG_LEVEL"), None, None, "not null"),
        (("services", "api", "environment", "LOG_LEVEL"), {}, None, "not a map"),
        (("services", "api", "depends_on", "redis", "condition"), "service_heathy", None, "one of"),
        (("services", "a b"), {}, None, "a key of services must match"),
        (("volumes", "data"), None, None, "must be a map, not null"),
        (("services", "api", "networks", "default", "alias"), [], None, "no field"),
    ],
)
def test_what_a_compose_file_may_not_be(
    path: tuple[str, ...], value: Any, where: tuple[str | int, ...] | None, words: str
) -> None:
    [problem] = check_compose(changed(COMPOSE, path, value))
    assert problem.path == (where or path)
    assert words in problem.message


def test_a_long_value_is_not_repeated() -> None:
    secret = "s3cr3t-" * 40
    problems = [
        *check_object(changed(ROLLOUT, (*CANARY, "steps", 0, "setWeight"), secret), DEFAULT_KUBERNETES),
        *check_object(changed(ROLLOUT, ("metadata", "labels", secret), secret), DEFAULT_KUBERNETES),
        *check_against({"not": {"type": "string"}}, secret),
        *check_against({"properties": {"a": {}}, "additionalProperties": False}, {secret: 1}),
    ]
    assert len(problems) == 5, problems
    assert all(secret[:80] not in problem.message + problem.hint for problem in problems)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"a": deep}
    for problems in (
        check_against({"additionalProperties": {"$ref": "#"}, "required": ["b"]}, deep),
        check_object(changed(ROLLOUT, ("spec", "template"), deep), DEFAULT_KUBERNETES),
    ):
        assert "can't be checked" in problems[0].message


# Two engines, one decision

NODES = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        70000,
        1.5,
        "",
        "ten",
        "4 gigs",
        "10",
        "Upper",
        "a_b",
        "x" * 70,
        "1Gi",
        [],
        {},
        ["a"],
        {"a": 1},
    ]
)


def paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document, below its root."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """`document` with up to three places replaced, removed, renamed or added to."""
    result = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(paths(result))
        if not places:
            break
        path = draw(st.sampled_from(places))
        parent, key = at(result, path[:-1]), path[-1]
        action = draw(st.sampled_from(["replace", "remove", "add", "rename"]))
        if action == "replace":
            parent[key] = copy.deepcopy(draw(NODES))
        elif action == "remove":
            del parent[key]
        elif action == "add" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["bogus", "name", "spec", "x-y", "a b", "status"]))] = copy.deepcopy(
                draw(NODES)
            )
        elif action == "rename" and isinstance(parent, dict):
            parent[f"{key}x"] = parent.pop(key)
    return result


BRISK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_a_second_validator_agrees_about_objects(kind: str) -> None:
    second = jsonschema.Draft202012Validator(object_schema(kind, DEFAULT_KUBERNETES))
    api_version, _, name = kind.rpartition("/")

    @BRISK
    @given(mutated(BY_KIND[kind]))
    def agree(document: dict[str, Any]) -> None:
        document |= {"apiVersion": api_version, "kind": name}
        problems = check_object(document, DEFAULT_KUBERNETES)
        assert (problems == ()) == second.is_valid(document), problems
        assert problems == tuple(sorted(set(problems), key=problems.index))
        for problem in problems:
            holder = problem.path if problem.part == "value" else problem.path[:-1]
            at(document, holder)

    agree()


def test_a_second_validator_agrees_about_compose_files() -> None:
    second = jsonschema.Draft202012Validator(compose_schema())

    @BRISK
    @given(mutated(COMPOSE))
    def agree(document: dict[str, Any]) -> None:
        assert (check_compose(document) == ()) == second.is_valid(document)

    agree()


@pytest.mark.parametrize("kind", ["v1/Service", "autoscaling/v2/HorizontalPodAutoscaler", "v1/ConfigMap"])
def test_what_fits_also_fits_the_source(kind: str) -> None:
    """Ours only narrow: nothing is accepted that the schemas they come from refuse."""
    folder = importlib.util.find_spec("kubernetes_validate")
    assert folder is not None
    assert folder.origin is not None
    name = f"kubernetes-json-schema/v{DEFAULT_KUBERNETES}.0-local-strict/_definitions.json"
    definitions = json.loads((Path(folder.origin).parent / name).read_text())["$defs"]
    api_version, _, simple = kind.rpartition("/")
    group, _, version = ("core/" + api_version if "/" not in api_version else api_version).partition("/")
    source = {"$ref": f"#/$defs/io.k8s.api.{group}.{version}.{simple}", "$defs": definitions}

    @BRISK
    @given(mutated(BY_KIND[kind]))
    def narrower(document: dict[str, Any]) -> None:
        document |= {"apiVersion": api_version, "kind": simple}
        assert check_object(document, DEFAULT_KUBERNETES) or check_against(source, document) == ()

    narrower()


# Schemas that users bring


def test_a_users_schema_of_every_draft_is_understood() -> None:
    for draft in ("draft-04/schema#", "draft-06/schema#", "draft-07/schema#"):
        schema = {"$schema": f"http://json-schema.org/{draft}", "definitions": {"n": {"type": "integer"}}}
        schema["properties"] = {"replicas": {"$ref": "#/definitions/n"}}
        [problem] = check_against(schema, {"replicas": "3"})
        assert problem == SchemaProblem(
            ("replicas",), 'replicas must be an integer, not "3"', "write the number without quotes"
        )
    exclusive = {"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 3, "exclusiveMaximum": True}
    assert check_against(exclusive, 3)[0].message == "the value must be less than 3, not 3"
    modern = {"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "string"}]}
    assert check_against(modern, [1])[0].path == (0,)


def test_a_users_description_is_not_taken_for_a_rule() -> None:
    schema = {"properties": {"tag": {"description": "The image tag.", "type": "string", "pattern": "^v"}}}
    assert check_against(schema, {"tag": "1"})[0].message == 'tag must match ^v, not "1"'


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "https://example.com/values.json"}, "outside it"),
        ({"$ref": "file:///etc/passwd"}, "outside it"),
        ({"$ref": "other.json"}, "outside it"),
        ({"$schema": "https://example.com/meta"}, "meta-schema"),
        ({"type": "strin"}, "/type"),
        ({"pattern": "(["}, "invalid"),
        ({"$ref": "#/$defs/none"}, "invalid"),
        ({"const": {1, 2}}, "not JSON"),
    ],
)
def test_an_unusable_schema_is_said_of_the_schema(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableSchemaError, match=words) as caught:
        check_against(schema, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["^(a+)+$", r"^(?=a)(a|aa)+\1$"])
def test_a_catastrophic_pattern_ends(pattern: str) -> None:
    assert check_against({"pattern": pattern}, "a" * 30_000 + "b") != ()


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert check_against({"$ref": "#"}, {}) == ()
    doubled = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(10)} | {"a10": {}}
    assert check_against({"$defs": doubled, "$ref": "#/$defs/a0"}, {}) == ()


def test_a_look_ahead_works() -> None:
    assert check_against({"pattern": "^(?!latest$)"}, "v1") == ()
    assert check_against({"pattern": "^(?!latest$)"}, "latest") != ()


# The files


def test_a_broken_schema_file_is_an_error_and_not_nothing_to_check() -> None:
    with pytest.raises(FileNotFoundError):
        schema_checks._read("gone.json")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, relspec.schema_checks; print(sorted({'jsonschema', 'jsonschema_rs'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", sorted(OUTPUTS.glob("*.json")), ids=lambda path: path.name)
def test_every_declared_object_is_closed_and_null_fits_nowhere(path: Path) -> None:
    for node in schema_nodes(json.loads(path.read_text())):
        if isinstance(node.get("properties"), dict) and (node.get("type") == "object" or "required" in node):
            closed = node.get("additionalProperties") is False or "$ref" in node
            assert closed, node["properties"].keys()
        assert "null" not in node.get("type", ())
        assert "nullable" not in node


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in OUTPUTS.iterdir()) < 300_000


# The script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("output_schemas", ROOT / "tools" / "output_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_provenance_names_every_source_with_hash_and_licence(script: ModuleType) -> None:
    sources = json.loads((OUTPUTS / "PROVENANCE.json").read_text())["sources"]
    assert [(s["name"], s["version"], [f["path"] for f in s["files"]]) for s in sources] == [
        (s.name, s.version, list(s.files)) for s in script.SOURCES
    ]
    for source in sources:
        assert source["licence"].startswith("Apache-2.0")
        assert all(len(file["sha256"]) == 64 for file in source["files"])
        assert (source["kind"] == "Go module") == source.get("sum", "").startswith("h1:")


def test_the_script_and_the_module_know_the_same_versions(script: ModuleType) -> None:
    assert script.KUBERNETES_VERSIONS == KUBERNETES_VERSIONS
    assert tuple(json.loads((OUTPUTS / "index.json").read_text())["kubernetes"]) == KUBERNETES_VERSIONS
    assert DEFAULT_KUBERNETES in KUBERNETES_VERSIONS


def test_closing_a_crd(script: ModuleType) -> None:
    source = {
        "description": "prose",
        "type": ["object", "null"],
        "x-kubernetes-validations": [{"rule": "true"}],
        "properties": {
            "description": {"type": "string", "title": "prose", "default": "x", "nullable": True},
            "surge": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
            "empty": {"type": "object"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "labels": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
            "either": {"oneOf": [{"type": "null"}, {"type": "string", "format": "byte"}]},
        },
        "required": ["surge"],
    }
    before = copy.deepcopy(source)
    assert script.closed(source, structural=True) == {
        "type": "object",
        "properties": {
            "description": {"type": "string"},
            "surge": {"type": ["integer", "string"]},
            "empty": {"type": "object", "additionalProperties": False},
            "free": {"type": "object"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "either": {"oneOf": [{"type": "string"}]},
        },
        "required": ["surge"],
        "additionalProperties": False,
    }
    assert source == before
    assert "additionalProperties" not in script.closed({"type": "object"})


def test_a_keyword_that_nobody_has_looked_at_stops_the_script(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="dependentRequired"):
        script.closed({"dependentRequired": {}})


def test_equal_definitions_are_written_once(script: ModuleType) -> None:
    old, new = {"type": "string"}, {"type": "integer"}
    assert script.shared({"1": {"A": old, "B": old}, "2": {"A": old, "B": new}, "3": {"A": old}}) == {
        "A": [{"schema": old, "versions": ["1", "2", "3"]}],
        "B": [{"schema": old, "versions": ["1"]}, {"schema": new, "versions": ["2"]}],
    }


def test_a_definition_spread_over_others_becomes_one(script: ModuleType) -> None:
    definitions = {"base": {"type": "object", "properties": {"a": {}}, "patternProperties": {"^x-": {}}}}
    service = {"allOf": [{"$ref": "#/$defs/base"}], "properties": {"b": {}}, "unevaluatedProperties": False}
    flat = script.flattened(service, definitions)
    assert flat["properties"] == {"a": {}, "b": {}}
    assert flat["additionalProperties"] is False
    assert not {"allOf", "unevaluatedProperties"} & flat.keys()


def test_text_does_not_depend_on_the_order_of_keys(script: ModuleType) -> None:
    content = {"b": {"d": "x" * 100, "c": ["y" * 100, "é"]}, "a": 1}
    turned = {"a": 1, "b": {"c": ["y" * 100, "é"], "d": "x" * 100}}
    assert script.as_text(content) == script.as_text(turned)
    assert json.loads(script.as_text(content)) == content


def test_check_finds_what_differs_is_missing_or_should_not_be_there(script: ModuleType, tmp_path: Path) -> None:
    for name, text in {"same.json": "1", "other.json": "2", "old.json": "3", "README.md": "by hand"}.items():
        (tmp_path / name).write_text(text)
    wanted = {"same.json": "1", "other.json": "changed", "new.json": "4"}
    assert script.differences(wanted, tmp_path) == ["new.json", "old.json", "other.json"]
    assert script.differences(wanted, tmp_path / "nowhere") == ["new.json", "other.json", "same.json"]


def test_other_bytes_under_the_same_version_are_noticed(script: ModuleType) -> None:
    def provenance(version: str, digest: str) -> dict[str, Any]:
        return {"sources": [{"name": "n", "version": version, "files": [{"path": "p", "sha256": digest}]}]}

    assert script.changed_pins(provenance("1", "a"), provenance("1", "b")) == ["n 1: p"]
    assert script.changed_pins(provenance("1", "a"), provenance("2", "b")) == []


@pytest.mark.slow
def test_the_python_sources_give_the_committed_files(script: ModuleType, tmp_path: Path) -> None:
    """The part of `--check` that needs no network, where the pinned packages are installed."""
    for source in (script.COMPOSE, script.KUBERNETES):
        if importlib.metadata.version(source.name) != source.version:
            pytest.skip(f"{source.name} {source.version} is not installed")
    compose = script.fetch(script.COMPOSE, tmp_path)
    definitions = script.fetch(script.KUBERNETES, tmp_path)
    again = {
        "compose.json": script.compose_schema(json.loads(*compose.files.values())),
        "kubernetes.json": script.shared(
            {
                version: script.kubernetes_definitions(json.loads(text)["$defs"])
                for version, text in zip(KUBERNETES_VERSIONS, definitions.files.values(), strict=True)
            }
        ),
    }
    for name, content in again.items():
        assert script.as_text(content) == (OUTPUTS / name).read_text("utf-8")

"""Each judge accepts what is right and refuses what is wrong: a judge that can't refuse proves nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import judges
from judges import compose_config, compose_hash, helm_lint, helm_template, kubeconform, nginx_test, rollouts_lint

pytestmark = pytest.mark.judge

COMPOSE = """\
name: shop
services:
  api:
    image: registry.example/api:v1
    ports: ["127.0.0.1:${PORT:?set it}:8080"]
    environment: {TOKEN: "${TOKEN?set it}", LITERAL: "$${NOT:?a variable}"}
    configs: [{source: api-1, target: /etc/api.conf}]
  worker:
    image: registry.example/worker:v1
    env_file: worker.env
configs:
  api-1: {content: "a: 1"}
"""

LABELS = {"app.kubernetes.io/name": "als"}
CONTAINER = {
    "name": "als",
    "image": "registry.example/als:v1",
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    "resources": {"limits": {"memory": "1Gi"}},
}
ROLLOUT: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "als", "labels": LABELS},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}},
        "rollbackWindow": {"revisions": 3},
        "strategy": {
            "canary": {
                "stableService": "als",
                "canaryService": "als-canary",
                "trafficRouting": {"istio": {"virtualService": {"name": "als", "routes": ["http"]}}},
                "steps": [{"setWeight": 10}, {"pause": {"duration": "5m"}}],
            }
        },
    },
}
VIRTUAL_SERVICE: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "als"},
    "spec": {
        "hosts": ["als"],
        "http": [
            {
                "name": "http",
                "route": [
                    {"destination": {"host": "als"}, "weight": 100},
                    {"destination": {"host": "als-canary"}, "weight": 0},
                ],
            }
        ],
    },
}
HTTP_ROUTE: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "als"},
    "spec": {
        "parentRefs": [{"name": "main"}],
        "rules": [{"backendRefs": [{"name": "als", "port": 80, "weight": 90}]}],
    },
}
ANALYSIS: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AnalysisTemplate",
    "metadata": {"name": "als-success-rate"},
    "spec": {
        "metrics": [
            {
                "name": "success-rate",
                "interval": "1m",
                "count": 5,
                "successCondition": "result[0] >= 0.99",
                "provider": {"prometheus": {"address": "http://prometheus:9090", "query": "up"}},
            }
        ]
    },
}


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": LABELS, "ports": ports},
    }


MANIFESTS = (ROLLOUT, service("als"), service("als-canary"), VIRTUAL_SERVICE, HTTP_ROUTE, ANALYSIS)

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: reference\ndescription: A test\nicon: https://chart.example/i.png\nversion: 0.1.0\n",
    "values.yaml": "image: ''\n",
    "templates/map.yaml": """\
{{ if .Values.image }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  image: {{ .Values.image | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
{{ end }}
""",
}

NGINX = """\
split_clients "$request_id" $side { 10% candidate; * stable; }
map $http_x_user $user { default $http_x_user; }
server {
    listen 127.0.0.1:18080;
    resolver 127.0.0.11 valid=1s ipv6=off;
    set $stable "als:8080";
    location / { proxy_pass http://$stable; mirror /shadow; }
    location = /shadow { internal; return 204; }
}
"""


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def manifests(folder: Path, *documents: dict[str, Any]) -> Path:
    file = folder / "manifests.yaml"
    file.write_text("---\n".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    return file


def with_value(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `document` with `value` at a dotted path."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    node: Any = copy
    for key in parents:
        node = node[key]
    node[last] = value
    return copy


# Docker Compose


@pytest.fixture
def compose_file(tmp_path: Path) -> Path:
    return written(tmp_path, {"compose.yaml": COMPOSE, "worker.env": "A=1\n"}) / "compose.yaml"


def test_compose_normalises_what_it_accepts(compose_file: Path) -> None:
    config = compose_config(compose_file)
    assert config["name"] == "shop"
    assert config["services"]["api"]["ports"][0]["target"] == 8080
    assert config["services"]["api"]["environment"]["TOKEN"] == judges.DUMMY
    assert config["configs"]["api-1"]["content"] == "a: 1"


def test_compose_takes_the_variables_it_is_given_and_no_others(
    compose_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "of the caller")
    config = compose_config(compose_file, {"PORT": "8123"})
    assert config["services"]["api"]["ports"][0]["published"] == "8123"
    assert config["services"]["api"]["environment"]["TOKEN"] == judges.DUMMY


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("image: registry.example/worker:v1", "imagine: worker", "imagine"),
        ("source: api-1", "source: api-2", "api-2"),
        (":8080", ":eighty", "eighty"),
        ("env_file: worker.env", "env_file: other.env", "other.env"),
    ],
)
def test_compose_refuses(compose_file: Path, old: str, new: str, words: str) -> None:
    assert old in COMPOSE
    compose_file.write_text(COMPOSE.replace(old, new), encoding="utf-8")
    with pytest.raises(AssertionError, match=words):
        compose_config(compose_file)


def test_a_service_hash_follows_the_service_alone(compose_file: Path) -> None:
    before = compose_hash(compose_file)
    compose_file.write_text(COMPOSE.replace("api:v1", "api:v2"), encoding="utf-8")
    after = compose_hash(compose_file)
    assert before.keys() == after.keys() == {"api", "worker"}
    assert before["api"] != after["api"]
    assert before["worker"] == after["worker"]


def test_a_service_hash_sees_files_beside_the_compose_file(compose_file: Path) -> None:
    before = compose_hash(compose_file)
    (compose_file.parent / "worker.env").write_text("A=2\n", encoding="utf-8")
    after = compose_hash(compose_file)
    assert before["worker"] != after["worker"]
    assert before["api"] == after["api"]


# Helm


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return written(tmp_path / "reference", CHART)


def test_helm_renders_the_values_it_is_given(chart: Path, tmp_path: Path) -> None:
    values = written(tmp_path, {"values-1.yaml": "image: als:v1\n"}) / "values-1.yaml"
    (document,) = helm_template(chart, values, name="recs", namespace="ml-prod")
    assert document["metadata"] == {"name": "recs", "namespace": "ml-prod"}
    assert document["data"] == {"image": "als:v1", "kubernetes": f"v{judges.KUBERNETES}"}
    document.clear()
    assert helm_template(chart, values, name="recs", namespace="ml-prod") != [{}]
    assert helm_template(chart, name="recs", namespace="ml-prod") == []
    helm_lint(chart, values)


def test_helm_refuses_a_template_that_does_not_render(chart: Path) -> None:
    written(chart, {"templates/map.yaml": 'a: {{ required "an image, please" .Values.image }}\n'})
    with pytest.raises(AssertionError, match="an image, please"):
        helm_template(chart, name="recs", namespace="ml-prod")


def test_helm_lint_is_strict(chart: Path) -> None:
    helm_lint(chart)
    written(chart, {"Chart.yaml": CHART["Chart.yaml"].replace("version: 0.1.0", "version: one")})
    with pytest.raises(AssertionError, match="version"):
        helm_lint(chart)
    written(chart, {"Chart.yaml": CHART["Chart.yaml"], "templates/map.yaml": "metadata: {name: UPPER_case}\nkind: A\n"})
    with pytest.raises(AssertionError, match="UPPER_case"):
        helm_lint(chart)


# kubeconform


def test_kubeconform_accepts(tmp_path: Path) -> None:
    kubeconform(manifests(tmp_path, *MANIFESTS))


@pytest.mark.parametrize(
    ("document", "path", "value", "words"),
    [
        (service("als"), "spec.selektor", {}, "selektor"),
        (service("als"), "spec.ports.0.port", "eighty", "eighty|port"),
        (service("als"), "metadata.labels", None, "labels"),
        (ROLLOUT, "spec.strategy.canary.autoPromotionEnabled", False, "autoPromotionEnabled"),
        (ROLLOUT, "spec.template.spec.containers.0.imagine", "x", "imagine"),
        (ROLLOUT, "spec.template.spec.volumes", [{"name": "v", "emptyDirectory": {}}], "emptyDirectory"),
        (ROLLOUT, "metadata.label", {}, "label"),
        (ROLLOUT, "status", {"phase": "Healthy"}, "status"),
        (ROLLOUT, "apiVersion", "argoproj.io/v1", "could not find schema"),
        (VIRTUAL_SERVICE, "spec.http.0.route.0.wait", 1, "wait"),
        (VIRTUAL_SERVICE, "metadata.nam", "als", "nam"),
        (HTTP_ROUTE, "spec.rules.0.backendRefs.0.weight", -1, "weight"),
        (HTTP_ROUTE, "spec.rules.0.backendRef", [], "backendRef"),
        (ANALYSIS, "spec.metrics.0.provider.prometheus.querry", "up", "querry"),
        (ANALYSIS, "kind", "AnalysisTemplat", "could not find schema"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_kubeconform_refuses(tmp_path: Path, document: dict[str, Any], path: str, value: Any, words: str) -> None:
    bad = manifests(tmp_path, service("als"), with_value(document, path, value))
    with pytest.raises(AssertionError, match=words):
        kubeconform(bad)


def test_kubeconform_needs_an_object(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no object"):
        kubeconform(manifests(tmp_path))


def test_kubeconform_names_the_file(tmp_path: Path) -> None:
    good = manifests(tmp_path, service("als"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: Service\napiVersion: v1\nspecs: {}\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=re.escape(str(bad))):
        kubeconform(good, bad)


def test_every_schema_compiles(tmp_path: Path) -> None:
    """kubeconform calls a schema that it can't compile one that it could not find."""
    headers = []
    for schema in sorted(judges.SCHEMAS.rglob("*.json")):
        kind, version = schema.stem.split("_")
        group = schema.parent.name
        headers.append({"apiVersion": version if group == version else f"{group}/{version}", "kind": kind})
    assert len(headers) > 100
    verdict = judges.ask_kubeconform(tuple(json.dumps(header) for header in headers))
    found = [resource["msg"] for resource in json.loads(verdict.out)["resources"]]
    assert [message for message in found if "missing propert" in message]
    assert not [message for message in found if "could not find schema" in message]


# Argo Rollouts


def test_rollouts_lint_accepts(tmp_path: Path) -> None:
    rollouts_lint(manifests(tmp_path, ROLLOUT, service("als"), service("als-canary"), VIRTUAL_SERVICE))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("spec.strategy.canary.steps", [{"setWeight": 150}], "setWeight"),
        ("spec.strategy.canary.canaryService", "als", "same"),
        ("spec.strategy", {}, "strategy"),
        ("spec.selector", {"matchLabels": {"a": "b"}}, "selector"),
        ("spec.strategy.canary.autoPromotionEnabled", False, "autoPromotionEnabled"),
    ],
)
def test_rollouts_lint_refuses(tmp_path: Path, path: str, value: Any, words: str) -> None:
    bad = with_value(ROLLOUT, path, value)
    with pytest.raises(AssertionError, match=words):
        rollouts_lint(manifests(tmp_path, bad, service("als"), service("als-canary"), VIRTUAL_SERVICE))


def test_rollouts_lint_needs_a_rollout(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no Rollout"):
        rollouts_lint(manifests(tmp_path, service("als")))


# nginx


def test_nginx_accepts() -> None:
    nginx_test(NGINX)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("10%", "0%", "0%"),
        ("http://$stable", "http://als:8080", "host not found"),
        ("resolver", "resolvers", "resolvers"),
        ("$http_x_user;", "$user_id;", "user_id"),
        ("return 204; }", "return 204;", "expecting"),
    ],
)
def test_nginx_refuses(old: str, new: str, words: str) -> None:
    assert old in NGINX
    with pytest.raises(AssertionError, match=words):
        nginx_test(NGINX.replace(old, new))


# All of them


@pytest.mark.parametrize(
    "judge",
    [
        lambda folder: compose_config(written(folder, {"c.yaml": "services: {missing: {image: a}}"}) / "c.yaml"),
        lambda folder: helm_lint(written(folder, CHART)),
        lambda folder: kubeconform(manifests(folder, service("missing"))),
        lambda folder: rollouts_lint(manifests(folder, with_value(ROLLOUT, "metadata.name", "missing"))),
        lambda _: nginx_test("# missing\n"),
    ],
    ids=["compose", "helm", "kubeconform", "rollouts", "nginx"],
)
def test_a_missing_tool_is_a_failure(
    judge: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "TOOLS", tmp_path / "nothing")
    with pytest.raises(AssertionError, match=r"missing .*tools/judges"):
        judge(tmp_path)

"""Every limit of the language, from both sides: the last value that is taken, and the first that is refused.

A limit that is a little too wide or too narrow changes no example of the catalogue; here each one has its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from relspec.spec.environment import (
    Allowance,
    AnalysisMetric,
    AnalysisMetrics,
    ComposeRouter,
    ComposeTarget,
    EnvironmentSpec,
    Exposure,
    GatewayRouter,
    HelmTarget,
    IstioRouter,
    Policies,
    Restorable,
    Rollback,
    RolloutsTarget,
    Router,
    TargetSettings,
)
from relspec.spec.model import SpecModel
from relspec.spec.quantities import seconds
from relspec.spec.registry import (
    Artifact,
    CodeLineage,
    ConfigLineage,
    DataLineage,
    Hardware,
    Interface,
    Model,
    ModelVersion,
    Quarantine,
    Runtime,
)
from relspec.spec.release import HelmSource, Release
from relspec.spec.repository import SOURCES, Lock, Repository
from relspec.spec.service import (
    Build,
    Companion,
    ComposeOverrides,
    EmptyVolume,
    FileContent,
    FileFrom,
    FromEnvironment,
    FromHost,
    FromModel,
    FromSecret,
    Gpu,
    Health,
    HostVolume,
    Metrics,
    NamedVolume,
    Overrides,
    Patch,
    Placement,
    Port,
    Replicas,
    Resources,
    RolloutsOverrides,
    ScalingMetric,
    Security,
    Service,
    ServicePatch,
    Shutdown,
    Toleration,
    Verification,
)
from relspec.spec.strategy import (
    AbTest,
    BlueGreen,
    BlueGreenAnalysis,
    Canary,
    Pause,
    Shadow,
    Step,
    StickyBy,
    Strategy,
)
from relspec.spec.validation import json_schema, validate

Map = dict[str, Any]
Row = tuple[type[BaseModel], str, Sequence[Any], Sequence[Any], str]

RELEASE: Map = {"apiVersion": "relspec/v1", "kind": "Release"}
ENVIRONMENT: Map = {"apiVersion": "relspec/v1", "kind": "Environment", "name": "dev"}
RECORD: Map = {"apiVersion": "relspec/v1", "kind": "ModelVersion", "model": "als", "version": "v1"}
MODEL: Map = {"apiVersion": "relspec/v1", "kind": "Model"}
REPOSITORY: Map = {"apiVersion": "relspec/v1", "kind": "Repository"}
DIGEST = "sha256:" + "0123456789abcdef" * 4
LOCK: Map = {
    "apiVersion": "relspec/v1", "kind": "Lock", "compiler": ">=0.3,<0.4", "edition": 7,
    "templates": DIGEST, "schemas": DIGEST, "kubernetes": "1.34", "argoRollouts": "1.9",
}  # fmt: skip

LEAST: Mapping[type[BaseModel], Map] = {
    GatewayRouter: {"parent": "main"},
    Exposure: {"host": "a.example"},
    AnalysisMetric: {"query": "up", "success": "true"},
    AnalysisMetrics: {"metrics": {"a": {"query": "up", "success": "true"}}},
    Allowance: {"code": "RS420", "release": "dev/recs", "reason": "agreed", "until": "2026-12-31"},
    EnvironmentSpec: ENVIRONMENT,
    Artifact: {"uri": "s3://a"},
    CodeLineage: {"commit": "207521e"},
    DataLineage: {"snapshot": "1"},
    ConfigLineage: {"hyperparameters": {}},
    ModelVersion: RECORD,
    Quarantine: {"reason": "errors", "since": "2026-03-04"},
    Model: MODEL,
    Release: RELEASE,
    Repository: REPOSITORY,
    Lock: LOCK,
    Port: {"port": 80},
    Metrics: {"port": 80},
    Health: {"tcp": 80},
    Gpu: {"count": 1},
    ScalingMetric: {"type": "pods", "name": "depth", "target": "1"},
    Replicas: {"min": 1, "max": 10000, "cpu": 70},
    FromModel: {"model": "name"},
    FromSecret: {"secret": "a/b"},
    FromEnvironment: {"environment": "name"},
    FromHost: {"variable": "A"},
    FileFrom: {"from": "a"},
    FileContent: {"content": ""},
    EmptyVolume: {"empty": "1Gi"},
    NamedVolume: {"name": "models"},
    HostVolume: {"host": "/a"},
    Companion: {"name": "unpack", "image": "acme/unpack:1"},
    Build: {"context": "."},
    Verification: {"path": "/version"},
    StickyBy: {"header": "x-user-id"},
    Step: {"pause": {}},
    Canary: {"weight": 1},
}
"""What must be written of a part of the language; nothing where a part is not named."""


def wrong(model: type[BaseModel], field: str, value: object) -> list[str]:
    """The codes of what is wrong with the least document of a model, with this value in one field."""
    return [finding.code for finding in validate(model, {**LEAST.get(model, {}), field: value}, "x.yaml")]


# --- numbers


NUMBERS: tuple[tuple[type[BaseModel], str, int, int | None], ...] = (
    (Restorable, "states", 1, 1000),
    (Restorable, "days", 1, 3650),
    (Policies, "minReplicas", 0, 1000),
    (AnalysisMetric, "failureLimit", 0, None),
    (AnalysisMetric, "inconclusiveLimit", 0, None),
    (Lock, "edition", 1, None),
    (Model, "keep", 0, 100),
    (Port, "port", 1, 65535),
    (Port, "publish", 1, 65535),
    (Metrics, "port", 1, 65535),
    (Health, "tcp", 1, 65535),
    (Health, "retries", 1, 1000),
    (Gpu, "count", 1, 64),
    (Resources, "cpu", 1, None),
    (Resources, "cpuLimit", 1, None),
    (Resources, "gpu", 1, 64),
    (Replicas, "min", 1, 10000),
    (Replicas, "max", 1, 10000),
    (Replicas, "cpu", 1, 1000),
    (Replicas, "memory", 1, 1000),
    (Security, "user", 0, 2**31),
    (ServicePatch, "replicas", 0, 10000),
    (Service, "replicas", 0, 10000),
    (Step, "setWeight", 0, 100),
    (Canary, "weight", 0, 100),
    (AbTest, "weight", 0, 100),
    (Shadow, "percent", 1, 100),
)


@pytest.mark.parametrize(
    ("model", "field", "least", "most"), NUMBERS, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_number_has_these_ends(model: type[BaseModel], field: str, least: int, most: int | None) -> None:
    base = {} if (model, field) == (Step, "setWeight") else LEAST.get(model, {})
    ends = (least, 2**40 if most is None else most)
    for value in ends:
        assert validate(model, {**base, field: value}, "x.yaml") == ()
    beyond = (least - 1,) if most is None else (least - 1, most + 1)
    for value in beyond:
        assert "RS126" in [finding.code for finding in validate(model, {**base, field: value}, "x.yaml")], value


ENDS_OF_SEVERAL: tuple[tuple[type[BaseModel], Map, str | None], ...] = (
    (Rollback, {"window": 1}, None),
    (Rollback, {"window": 0}, "RS126"),
    (Rollback, {"window": 50, "history": 53}, None),
    (Rollback, {"window": 51, "history": 60}, "RS126"),
    (Rollback, {"window": 1, "history": 100}, None),
    (Rollback, {"window": 1, "history": 101}, "RS126"),
    (Rollback, {"window": 1, "history": 4}, None),
    (Rollback, {"window": 1, "history": 3}, "RS444"),
    (Rollback, {"window": 5}, None),
    (Rollback, {"window": 6}, "RS444"),
    (Rollback, {"history": 0}, "RS126"),
    (Rollback, {"history": 1}, "RS444"),
    (AnalysisMetric, {"query": "up", "success": "a", "count": 1}, None),
    (AnalysisMetric, {"query": "up", "success": "a", "count": 0}, "RS126"),
    (AnalysisMetric, {"query": "up", "success": "a", "count": 2}, "RS305"),
    (AnalysisMetric, {"query": "up", "success": "a", "interval": "1m"}, "RS305"),
    (AnalysisMetric, {"query": "up", "success": "a", "interval": "1m", "count": 100000}, None),
    (AnalysisMetric, {"query": "up", "success": "a", "interval": "1m", "count": 100001}, "RS126"),
    (AnalysisMetric, {"query": "up"}, "RS305"),
    (AnalysisMetric, {"query": "up", "failure": "a"}, None),
    (Router, {}, None),
    (Router, {"istio": {}}, None),
    (Router, {"gateway": {"parent": "a"}}, None),
    (Router, {"istio": {}, "gateway": {"parent": "a"}}, "RS125"),
    (Router, {"nginx": {}}, "RS335"),
    (Health, {}, "RS125"),
    (Health, {"path": "/", "tcp": 80}, "RS125"),
    (Health, {"exec": ["true"], "grpc": 80}, "RS125"),
    (Health, {"path": "/", "port": "http"}, None),
    (Health, {"tcp": 80, "port": "http"}, "RS125"),
    (Health, {"exec": ["true"]}, None),
    (Replicas, {"min": 2, "max": 2, "cpu": 70}, None),
    (Replicas, {"min": 3, "max": 2, "cpu": 70}, "RS129"),
    (Replicas, {"min": 1, "max": 2}, "RS129"),
    (Replicas, {"min": 1, "max": 2, "memory": 70}, None),
    (Replicas, {"min": 1, "max": 2, "metrics": []}, "RS129"),
    (Replicas, {"min": 1, "max": 2, "metrics": [{"type": "pods", "name": "a", "target": 1}]}, None),
    (Verification, {}, "RS125"),
    (Verification, {"path": "/", "exec": ["true"]}, "RS125"),
    (Verification, {"exec": ["true"]}, None),
    (RolloutsOverrides, {"Rollout": {}}, None),
    (RolloutsOverrides, {"DaemonSet": {}}, "RS323"),
    (StickyBy, {}, "RS125"),
    (StickyBy, {"header": "a", "cookie": "b"}, "RS125"),
    (StickyBy, {"cookie": "b"}, None),
    (Step, {}, "RS125"),
    (Step, {"setWeight": 1, "pause": {}}, "RS125"),
    (Step, {"setWeight": 1, "analyze": ["a"]}, "RS125"),
    (Step, {"setWeight": 1, "pause": {}, "analyze": ["a"]}, "RS125"),
    (Step, {"analyze": ["a"]}, None),
    (Step, {"pause": "5m"}, None),
    (Canary, {}, "RS125"),
    (Canary, {"steps": [{"pause": {}}], "weight": 1}, "RS125"),
    (Canary, {"steps": [{"pause": {}}]}, None),
    (Canary, {"weight": 1, "stickyBy": {"header": "a"}}, None),
    (Canary, {"steps": [{"pause": {}}], "stickyBy": {"header": "a"}}, "RS125"),
    (Canary, {"weight": 1, "maxSurge": 1}, "RS125"),
    (Canary, {"weight": 1, "maxUnavailable": 1}, "RS125"),
    (Canary, {"steps": [{"pause": {}}], "maxSurge": 0}, None),
    (Canary, {"steps": [{"pause": {}}], "maxUnavailable": 0}, None),
    (Canary, {"steps": [{"pause": {}}], "maxSurge": 0, "maxUnavailable": "0%"}, "RS304"),
    (Canary, {"steps": [{"pause": {}}], "maxSurge": "0%", "maxUnavailable": 0}, "RS304"),
    (Canary, {"steps": [{"pause": {}}], "maxSurge": 0, "maxUnavailable": 1}, None),
    (Canary, {"steps": [{"pause": {}}], "maxSurge": 1, "maxUnavailable": 0}, None),
    (Canary, {"weight": 1, "autoPromotionEnabled": True}, "RS302"),
    (Strategy, {"autoPromotionEnabled": True}, "RS302"),
    (Strategy, {}, None),
    (Strategy, {"blueGreen": {}, "abTest": {}}, "RS301"),
    (Strategy, {"canary": {"weight": 1}, "shadow": {}}, "RS301"),
    (Strategy, {"canary": {"weight": 1}, "blueGreen": {}, "abTest": {}}, "RS301"),
)  # fmt: skip


@pytest.mark.parametrize(("model", "document", "code"), ENDS_OF_SEVERAL, ids=str)
def test_fields_that_know_each_other(model: type[BaseModel], document: Map, code: str | None) -> None:
    assert [finding.code for finding in validate(model, document, "x.yaml")] == ([] if code is None else [code])


# --- lengths


def texts(length: int) -> str:
    return "a" * length


def path(length: int) -> str:
    return "/" + "a" * (length - 1)


def names(length: int) -> list[str]:
    return ["a"] * length


LENGTHS: tuple[tuple[type[BaseModel], str, int, int | None, Any, str], ...] = (
    (HelmTarget, "cluster", 1, 253, texts, "RS122"),
    (RolloutsTarget, "cluster", 1, 253, texts, "RS122"),
    (AnalysisMetric, "query", 1, 65536, texts, "RS122"),
    (AnalysisMetric, "success", 1, 4096, texts, "RS122"),
    (AnalysisMetric, "failure", 1, 4096, texts, "RS122"),
    (AnalysisMetrics, "metrics", 1, None, lambda n: {f"a{i}": {"query": "up", "failure": "a"} for i in range(n)}, "RS122"),
    (Allowance, "release", 1, None, texts, "RS122"),
    (Allowance, "reason", 1, 500, texts, "RS122"),
    (Artifact, "uri", 1, 2048, texts, "RS122"),
    (Quarantine, "lifted", 1, 2048, texts, "RS122"),
    (Patch, "args", 0, 512, names, "RS122"),
    (Patch, "args", 0, 65536, lambda n: ["a" * n], "RS122"),
    (Patch, "env", 0, 65536, lambda n: {"A": "a" * n}, "RS122"),
    (Patch, "env", 1, 256, lambda n: {"A" * n: "a"}, "RS122"),
    (Patch, "annotations", 0, 65536, lambda n: {"a": "a" * n}, "RS122"),
    (Patch, "uses", 1, 512, lambda n: ["a" * n], "RS122"),
    (Patch, "image", 1, 512, texts, "RS127"),
    (Patch, "writable", 1, 4096, lambda n: [path(n) if n else ""], "RS122"),
    (Patch, "model", 3, 128, lambda n: "a" * max(1, (n - 1) // 2) + "@" + "a" * (n - 1 - max(1, (n - 1) // 2)), "RS122"),
    (ServicePatch, "targets", 1, None, lambda n: ["compose", "helm", "rollouts"][:n], "RS122"),
    (ServicePatch, "variants", 0, 32, lambda n: {f"v{i}": {} for i in range(n)}, "RS122"),
    (Release, "targets", 1, None, lambda n: ["compose", "helm", "rollouts"][:n], "RS122"),
    (Release, "services", 0, 256, lambda n: {f"s{i}": {} for i in range(n)}, "RS122"),
    (Release, "extends", 1, 4096, texts, "RS122"),
    (Release, "name", 1, 63, texts, "RS124"),
    (Health, "exec", 1, None, names, "RS122"),
    (Health, "path", 1, 2048, lambda n: path(n) if n else "", "RS122"),
    (Metrics, "path", 1, 2048, lambda n: path(n) if n else "", "RS122"),
    (Verification, "exec", 1, None, names, "RS122"),
    (Verification, "field", 1, None, texts, "RS122"),
    (Verification, "path", 1, 2048, lambda n: path(n) if n else "", "RS122"),
    (Exposure, "host", 1, 253, texts, "RS122"),
    (Exposure, "path", 1, 2048, lambda n: path(n) if n else "", "RS122"),
    (ComposeTarget, "project", 1, 63, texts, "RS122"),
    (ComposeTarget, "networks", 1, 63, lambda n: {"a" * n: None}, "RS122"),
    (ScalingMetric, "name", 1, 253, texts, "RS122"),
    (FromEnvironment, "environment", 1, None, texts, "RS122"),
    (FromSecret, "secret", 3, 507, lambda n: "a" * (n // 2) + "/" + "a" * (n - 1 - n // 2), "RS122"),
    (FileContent, "content", 0, 262144, texts, "RS122"),
    (HostVolume, "host", 1, 4096, texts, "RS122"),
    (NamedVolume, "name", 1, 63, texts, "RS122"),
    (Toleration, "key", 1, None, texts, "RS122"),
    (Step, "analyze", 1, None, names, "RS122"),
    (Canary, "steps", 1, 64, lambda n: [{"pause": {}}] * n, "RS122"),
    (BlueGreenAnalysis, "before", 1, None, names, "RS122"),
    (BlueGreenAnalysis, "after", 1, None, names, "RS122"),
    (StickyBy, "header", 1, 64, texts, "RS122"),
    (StickyBy, "cookie", 1, 64, texts, "RS122"),
)  # fmt: skip


@pytest.mark.parametrize(("model", "field", "least", "most", "make", "code"), LENGTHS)
def test_a_length_has_these_ends(
    model: type[BaseModel], field: str, least: int, most: int | None, make: Any, code: str
) -> None:
    alone = (model, field) in ((Step, "analyze"), (Canary, "steps"), (StickyBy, "cookie"))
    alone = alone or (model, field) in ((Health, "exec"), (Health, "path"), (Verification, "exec"))
    base = {} if alone else LEAST.get(model, {})

    def codes(length: int) -> list[str]:
        return [finding.code for finding in validate(model, {**base, field: make(length)}, "x.yaml")]

    assert codes(least) == []
    assert codes(least + 1 if most is None else most) == []
    if least > 0:
        assert codes(least - 1) == [code]
    if most is not None:
        assert codes(most + 1) == [code]


# --- shapes


SHAPES: tuple[Row, ...] = (
    (Allowance, "code", ["RS100", "RS999"], ["RS099", "RS1000", "rs420", "aRS420", "RS42"], "RS122"),
    (Allowance, "until", ["2026-12-31"], ["2026-12-3", "2026-12-31T00:00:00Z", "31.12.2026", "2026-12"], "RS122"),
    (Allowance, "reason", ["-"], [" ", "\t\n"], "RS122"),
    (Exposure, "host", ["a", "*.a", "{release}.a-b.c", "*." + "a" * 253], ["*", "-a", "a-", "A", "a/b", "a:80"], "RS122"),
    (Exposure, "path", ["/", "/a?b=$c"], ["a", "/a b", "/a\n"], "RS122"),
    (ComposeTarget, "bind", ["127.0.0.1", "::1", "fe80::A"], ["localhost", "", "::1%1"], "RS122"),
    (ComposeTarget, "project", ["a", "0_-"], ["_a", "-a", "A", "a.b"], "RS122"),
    (ComposeTarget, "networks", [{"a_.-b": None}], [{"a_": None}, {"_a": None}, {"A": None}, {"a b": None}], "RS122"),
    (ComposeRouter, "image", ["nginx:1"], ["nginx:", "Nginx", "nginx 1"], "RS127"),
    (HelmTarget, "prometheus", ["http://a", "https://a:9090/b"], ["a:9090", "ftp://a", "http://", "http://a b"], "RS122"),
    (RolloutsTarget, "prometheus", ["http://a", "https://a:9090/b"], ["a:9090", "ftp://a", "http://", "http://a b"], "RS122"),
    (IstioRouter, "gateway", ["a", "a/b-1"], ["", "/a", "a/", "a/b/c", "A", "a.b"], "RS122"),
    (GatewayRouter, "parent", ["a", "a/b-1"], ["", "/a", "a/", "a/b/c", "A", "a.b"], "RS122"),
    (EnvironmentSpec, "variables", [{"_A1": "x"}, {"a": 1}], [{"1A": "x"}, {"A-B": "x"}, {"A.B": "x"}, {"": "x"}], "RS122"),
    (EnvironmentSpec, "name", ["a", "a-1", "1"], ["", "A", "-a", "a-", "a_b", "a.b"], "RS124"),
    (Rollback, "warm", ["1s", "1h30m", "999999h"], ["", "10", "1s1m", "1d", "1000000s", "-1s", "1.5m"], "RS122"),
    (Lock, "compiler", [">=0.3,<0.4", "==1.2.3", "~=1.0, !=1.1"], ["", "v1", "1.0b1"], "RS122"),
    (Lock, "templates", [DIGEST], [DIGEST[:-1], DIGEST + "0", DIGEST.upper(), DIGEST[7:]], "RS122"),
    (Lock, "schemas", [DIGEST], [DIGEST[:-1], DIGEST + "0", DIGEST.upper(), DIGEST[7:]], "RS122"),
    (Lock, "kubernetes", ["1.34"], ["1", "1.34.1", "v1.34", "2.0", "1x34"], "RS122"),
    (Lock, "argoRollouts", ["1.9"], ["1", "1.9.1", "v1.9", "2.0", "1x9"], "RS122"),
    (Repository, "output", ["a", "a/b.c", "_/-"], ["", "/a", "a/", ".a", "a/../b", "a//b", "a b"], "RS122"),
    (Repository, "output", ["rendered", "environment"], [*SOURCES, "registry/out"], "RS122"),
    (Repository, "main", ["main", "release/1.0_a"], ["", "a b", "a~1", "a:b"], "RS122"),
    (ModelVersion, "version", ["v1", "1", "A.b_c-d", "a" * 64], ["", ".a", "-a", "a" * 65, "a b", "a@b"], "RS122"),
    (Artifact, "digest", [DIGEST], [DIGEST[:-1], DIGEST + "0", DIGEST.upper(), DIGEST[7:]], "RS122"),
    (CodeLineage, "commit", ["a" * 7, "0" * 64], ["a" * 6, "0" * 65, "HEAD", "g" * 7, "A" * 7], "RS122"),
    (Hardware, "accelerator", ["nvidia.com/gpu", "a/b"], ["gpu", "/gpu", "a/", "a/b/c", "A/b"], "RS122"),
    (Gpu, "resource", ["nvidia.com/gpu", "a/b"], ["gpu", "/gpu", "a/", "a/b/c", "A/b"], "RS122"),
    (Quarantine, "since", ["2026-03-04", "2026-03-04T10:00:00Z"], ["2026-03", "2026-03-04 10:00", "2026-03-04T10:00:00", "x2026-03-04"], "RS122"),
    (Model, "aliases", [{"a": "v1"}, {"a" * 63: "v1"}, {"prod-1": "v1"}], [{"A": "v1"}, {"1": "v1"}, {"a" * 64: "v1"}, {"a_b": "v1"}, {"a": "v 1"}], "RS122"),
    (Patch, "labels", [{"a": "b"}, {"a.b/C_d": "e.f"}, {"a": ""}, {"a" * 63: "b"}], [{"a b": "c"}, {"-a": "b"}, {"a" * 64: "b"}, {"A/b": "c"}, {"a": "-b"}, {"a": "b "}], "RS122"),
    (Patch, "env", [{"_A.b-1": "x"}], [{"1A": "x"}, {"A B": "x"}, {"": "x"}, {".A": "x"}], "RS122"),
    (Patch, "env", [{"A": {"variable": "_A1"}}], [{"A": {"variable": "1A"}}, {"A": {"variable": "A-B"}}, {"A": {"variable": ""}}], "RS122"),
    (Patch, "env", [{"A": {"secret": "a.b/C_d"}}], [{"A": {"secret": "hunter2"}}, {"A": {"secret": "A/b"}}, {"A": {"secret": "a/b/c"}}], "RS122"),
    (Patch, "image", ["a", "a/b:c", "a.b:5000/c/d:e@" + DIGEST, "a__b"], ["A", "a:", "a b", "a@" + DIGEST[:-1], "a/", "a:b:c"], "RS127"),
    (Patch, "model", ["a@b", "a.b-c@V_1.0"], ["a", "a@", "@a", "A@b", "a@b@c", "a@.b"], "RS122"),
    (Patch, "writable", [["/"], ["/a b"]], [["a"], [""], ["./a"], ["/a\x00"]], "RS122"),
    (Patch, "volumes", [{"/a": {"name": "a_b.c"}}], [{"/a": {"name": "_a"}}, {"/a": {"name": "a_"}}, {"/a": {"name": "A"}}], "RS122"),
    (Patch, "volumes", [{"/a": {"host": "../a b"}}], [{"/a": {"host": "/a:/b"}}, {"/a": {"host": "a\x00"}}], "RS122"),
    (Patch, "volumes", [{"/a": {"empty": True}}], [{"/a": {"empty": False}}, {"/a": {"empty": 1}}], "RS122"),
    (Health, "path", ["/", "/a?b=c"], ["a", "/a b", "/'", '/"', "/`", "/$a", "/\\"], "RS122"),
    (Metrics, "path", ["/", "/$a"], ["a", "/a b"], "RS122"),
    (Resources, "memory", ["1", "1.5Gi", "512Mi", "1k"], ["", "1 Gi", "1GB", "1m", "-1", ".5Gi", "1.Gi", "1K"], "RS128"),
    (Resources, "cpu", ["500m", "0.5", "2", "0.125"], ["", "half", "1.5m", "0.1234", "-1", "1k"], "RS128"),
    (ScalingMetric, "target", ["1", "1.5", "500m", "2k", "3M", "4G", 0, 7], ["", "1K", "-1", "1Gi", "a", "1.", -1], "RS122"),
    (Canary, "maxSurge", ["100%", "0%", "9%", "99%", 1, 1000], ["101%", "1000%", "%", "5", "-1%"], "RS122"),
    (StickyBy, "header", ["a", "X-User-1"], ["", "-a", "a-", "a_b", "a b"], "RS122"),
)  # fmt: skip
"""A model and a field of it; what is taken, what is refused, and with which code."""

ALONE = {(Canary, "maxSurge"): {"steps": [{"pause": {}}]}, (Health, "path"): {}, (StickyBy, "cookie"): {}}
"""What else is written where the least document has something that excludes the field."""


@pytest.mark.parametrize(("model", "field", "right", "refused", "code"), SHAPES)
def test_a_shape_takes_these_and_refuses_those(
    model: type[BaseModel], field: str, right: Sequence[Any], refused: Sequence[Any], code: str
) -> None:
    base = ALONE.get((model, field), LEAST.get(model, {}))
    for value in right:
        assert validate(model, {**base, field: value}, "x.yaml") == (), value
    for value in refused:
        assert code in {finding.code for finding in validate(model, {**base, field: value}, "x.yaml")}, value


def test_a_cookie_has_a_name_of_its_own_shape() -> None:
    for name in ("_uid", "a-b", "-"):
        assert validate(StickyBy, {"cookie": name}, "x.yaml") == ()
    for name in ("a b", "a;b", "a=b", "a.b"):
        assert [finding.code for finding in validate(StickyBy, {"cookie": name}, "x.yaml")] == ["RS122"]


def test_a_surge_is_at_most_a_thousand_pods() -> None:
    for name in ("maxSurge", "maxUnavailable"):
        for value in (-1, 1001):
            found = validate(Canary, {"steps": [{"pause": {}}], name: value}, "x.yaml")
            assert [finding.code for finding in found] == ["RS126"]


@pytest.mark.parametrize("text", ["10", "1d", "1m1h", "-1s"])
def test_seconds_of_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


# --- words


WORDS: tuple[tuple[type[BaseModel], str, Sequence[Any]], ...] = (
    (ComposeRouter, "when", ["split", "always"]),
    (ComposeTarget, "networks", [{"a": word} for word in ("external", "internal", "bridge")]),
    (HelmTarget, "per", ["release", "service"]),
    (HelmSource, "per", ["release", "service"]),
    (Policies, "templates", ["environment", "release"]),
    (EnvironmentSpec, "kind", ["Environment"]),
    (EnvironmentSpec, "apiVersion", ["relspec/v1"]),
    (Release, "kind", ["Release"]),
    (Release, "targets", [["compose"], ["helm"], ["rollouts"]]),
    (Repository, "kind", ["Repository"]),
    (Lock, "kind", ["Lock"]),
    (Model, "kind", ["Model"]),
    (Model, "versioning", ["semver", "sequential"]),
    (Model, "lifecycle", [{"v1": word} for word in ("candidate", "deprecated", "archived")]),
    (ModelVersion, "kind", ["ModelVersion"]),
    (Hardware, "arch", [["amd64"], ["arm64"]]),
    (Port, "protocol", ["http", "grpc", "tcp", "udp"]),
    (FromModel, "model", ["reference", "version", "name", "digest", "uri", "dataSnapshot", "codeCommit"]),
    (ScalingMetric, "type", ["pods", "external"]),
    (Toleration, "operator", ["Exists", "Equal"]),
    (Toleration, "effect", ["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    (Patch, "restart", ["no", "always", "on-failure", "unless-stopped"]),
    (Patch, "dependsOn", [{"a": word} for word in ("started", "healthy", "completed")]),
    (ServicePatch, "routing", ["router", "app"]),
    (ServicePatch, "targets", [["compose"], ["helm"], ["rollouts"]]),
    (Service, "restart", ["no", "always", "on-failure", "unless-stopped"]),
    (Service, "routing", ["router", "app"]),
    (Service, "dependsOn", [{"a": word} for word in ("started", "healthy", "completed", "auto")]),
    (StickyBy, "bucket", ["hash", "mod100", "parity", "hex256"]),
    (BlueGreen, "promote", ["auto", "manual"]),
    (Shadow, "writes", ["allowed"]),
)


@pytest.mark.parametrize(("model", "field", "words"), WORDS)
def test_these_words_are_taken_and_no_other(model: type[BaseModel], field: str, words: Sequence[Any]) -> None:
    for word in words:
        assert wrong(model, field, word) == [], word
    (other,) = {str(type(word)): _other(word) for word in words}.values()
    assert set(wrong(model, field, other)) <= {"RS122", "RS104"}
    assert wrong(model, field, other)


def _other(word: Any) -> Any:
    """A value of the same kind with a word that nobody knows."""
    if isinstance(word, list):
        return ["other"]
    return dict.fromkeys(word, "other") if isinstance(word, dict) else "other"


# --- what is not written


DEFAULTS: Mapping[type[BaseModel], Map] = {
    ComposeRouter: {"image": "nginx:1.28-alpine", "when": "split"},
    ComposeTarget: {"bind": "127.0.0.1", "router": {"image": "nginx:1.28-alpine", "when": "split"}},
    HelmTarget: {"per": "release", "namespace": "default"},
    RolloutsTarget: {"namespace": "default"},
    Exposure: {"path": "/"},
    Restorable: {"states": 20, "days": 90},
    Rollback: {"window": 3, "history": 8, "warm": "10m", "abort": "30s", "restorable": {"states": 20, "days": 90}},
    Policies: {
        "requireDigest": False, "requireLineage": False, "pinned": False, "minReplicas": 0, "templates": "environment",
        "allow": [],
    },
    Model: {"versioning": "semver", "keep": 3},
    Repository: {"output": "rendered", "main": "main", "schemas": []},
    Port: {"protocol": "http"},
    Metrics: {"path": "/metrics"},
    Health: {"startup": "60s", "period": "10s", "timeout": "3s", "retries": 3, "live": False},
    Shutdown: {"drain": "5s", "grace": "30s"},
    Gpu: {"resource": "nvidia.com/gpu"},
    NamedVolume: {"readOnly": False},
    HostVolume: {"readOnly": False},
    StickyBy: {"bucket": "hash"},
    BlueGreen: {"promote": "auto"},
    AbTest: {"weight": 50},
    Shadow: {"percent": 100},
    Service: {
        "shutdown": {"drain": "5s", "grace": "30s"}, "replicas": 1, "restart": "unless-stopped", "routing": "router",
        "strategy": {}, "ports": {}, "dependsOn": {},
    },
}  # fmt: skip
"""What stands where nothing is written; fields that are then absent are not named."""


def models(of: type[BaseModel]) -> list[type[BaseModel]]:
    return [each for model in of.__subclasses__() for each in (model, *models(model))]


@pytest.mark.parametrize("model", models(SpecModel), ids=lambda model: model.__name__)
def test_what_is_not_written_means_this(model: type[BaseModel]) -> None:
    least = LEAST.get(model, {})
    made = model.model_validate(least)
    defaults = DEFAULTS.get(model, {})
    expected = {**least, **defaults} if not set(least) & set(defaults) else {**defaults, **least}
    given = made.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
    assert {**made.model_dump(by_alias=True, exclude_none=True), **given} == {**expected, **given}
    for name in least:
        without = {key: value for key, value in least.items() if key != name}
        assert validate(model, without, "x.yaml"), f"{name} may be left out"


def test_every_model_is_one_of_those_above() -> None:
    named = {*LEAST, *DEFAULTS, Interface, Runtime, HelmSource, Overrides, ComposeOverrides, RolloutsOverrides, Patch}
    named |= {ServicePatch, Placement, Security, Toleration, Resources, Hardware, BlueGreenAnalysis, Strategy, Pause}
    assert set(models(SpecModel)) == named | {TargetSettings, IstioRouter, Router}


# --- the base of all models


def test_a_document_holds_what_it_said() -> None:
    made = Gpu.model_validate({"count": 1})
    with pytest.raises(ValidationError):
        made.count = 2  # type: ignore[misc]


@pytest.mark.parametrize("value", ["1", 1.0, True])
def test_no_scalar_becomes_another(value: object) -> None:
    assert wrong(Gpu, "count", value) == ["RS104"]
    assert wrong(Health, "live", 1 if value is True else value) == ["RS104"]


def test_an_unknown_field_is_refused() -> None:
    assert wrong(Gpu, "counts", 1) == ["RS120"]


def test_an_editor_refuses_the_targets_that_the_model_refuses() -> None:
    for value, fits in ((-1, False), (0, True), (1, True), ("500m", True), ("-1", False), (True, False), (0.5, False)):
        metric = {"type": "pods", "name": "depth", "target": value}
        assert (validate(ScalingMetric, metric, "x.yaml") == ()) is fits, value
        assert Draft202012Validator(json_schema(ScalingMetric)).is_valid(metric) is fits, value

"""The capability table against the compiler: what it says of each combination is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from company import (
    ANALYSES,
    CANDIDATE,
    SERVICE,
    STRATEGIES,
    Content,
    Map,
    company,
    compiled,
    compose,
    environment,
    kubernetes,
    registry,
    run,
    said,
    with_service,
    without_none,
    write,
)
from relspec.capabilities import TABLE, TARGETS, Capability, as_json
from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Severity

CHART: dict[str, Content] = {
    "charts/server/Chart.yaml": "apiVersion: v2\nname: server\nversion: 0.1.0\n",
    "charts/server/values.yaml": "image: ''\n",
}
HELM = {"chart": "../../charts/server", "values": {"image": "{{ service.image.ref }}"}}
GRPC = {"ports": {"grpc": {"port": 50051, "protocol": "grpc"}}, "health": {"tcp": 50051}}
MODEL = {"model": "als@v1", "candidate": {"model": "als@v2"}}


def held(**sticky: str) -> Map:
    """A held canary whose users are told apart by a header."""
    weight = 50 if sticky.get("bucket") == "parity" else 10
    return {**CANDIDATE, "strategy": {"canary": {"weight": weight, "stickyBy": {"header": "x-user-id", **sticky}}}}


SERVICES: dict[str, Map] = {
    "fixed": {},
    "canary, stepped": STRATEGIES["stepped"],
    "blue-green": STRATEGIES["blueGreen"],
    "canary, held: by request": {**CANDIDATE, "strategy": {"canary": {"weight": 10}}},
    "stickyBy mod100": held(bucket="mod100"),
    "stickyBy parity": held(bucket="parity"),
    "stickyBy hex256": held(bucket="hex256"),
    "stickyBy hash": held(bucket="hash"),
    "A/B test": STRATEGIES["abTest"],
    "shadow": STRATEGIES["shadow"],
    "routing: app": {**MODEL, "routing": "app", "strategy": {"canary": {"weight": 10}}},
    "grpc under a split": {**GRPC, **CANDIDATE, "strategy": {"canary": {"weight": 10}}},
    "calls inside the project": {**CANDIDATE, "strategy": {"canary": {"weight": 10}}},
    "dependsOn": {"dependsOn": ["redis"]},
    "restart": {"restart": "always"},
    "build": {"build": {"context": "."}},
    "ports.publish": {"ports": {"http": {"port": 8080, "publish": 8000}}},
    "metrics": {"metrics": {"port": 9100}},
    "env {variable}": {"env": {"SOURCE": {"variable": "SOURCE"}}},
    "volumes {host}, relative": {"volumes": {"/data": {"host": "../data"}}},
    "placement, serviceAccount": {"placement": {"nodeSelector": {"pool": "gpu"}}, "serviceAccount": "recs"},
    "replicas as a range": {"replicas": {"min": 2, "max": 4, "cpu": 70}},
    "health.grpc": {**GRPC, "health": {"grpc": 50051}},
    "expose.tls": {},
    "shutdown.drain": {"shutdown": {"drain": "10s"}},
}
"""A service that declares each row of the table."""

REDIS = {"image": "redis:7-alpine", "resources": {"memory": "64Mi"}}


def where(target: str) -> Map:
    """The environment of a column."""
    if target == "compose":
        return compose()
    if target == "helm":
        return environment("staging", targets={"helm": HELM}, analyses=ANALYSES, router={"istio": {}})
    return kubernetes(target, expose={"host": "{release}.acme.example", "tls": "acme-tls"})


def repository(row: Capability, target: str) -> dict[str, Content]:
    """A repository whose one release declares the row, for one target."""
    services = {"api": without_none({**SERVICE, **SERVICES[row.feature]})}
    if row.feature == "dependsOn":
        services["redis"] = REDIS
    if row.feature == "calls inside the project":
        services["web"] = {**REDIS, "dependsOn": ["api"]}
    return {**company(services, where(target)), **CHART, **registry("v1", "v2")}


def test_every_row_is_compiled() -> None:
    assert set(SERVICES) == {row.feature for row in TABLE}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.feature)
@pytest.mark.parametrize("target", [target for target in TARGETS if target != "helm"])
def test_what_the_table_says_is_what_happens(row: Capability, target: str) -> None:
    support = row.of(target)
    result = compiled(repository(row, target))
    found = {diagnostic.code: diagnostic for diagnostic in result.diagnostics}
    if support.level == "no":
        assert set(found) == {support.code}, said(result)
        assert found[support.code].severity is Severity.ERROR
        assert not result.files
    else:
        assert set(found) == ({support.code} if support.code else set()), said(result)
        assert all(diagnostic.severity is Severity.NOTE for diagnostic in found.values())
        assert result.files


@pytest.mark.parametrize("row", [row for row in TABLE if row.helm.level == "no"], ids=lambda row: row.feature)
def test_what_no_chart_can_express_is_refused_in_helm(row: Capability) -> None:
    assert {diagnostic.code for diagnostic in compiled(repository(row, "helm")).diagnostics} == {row.helm.code}


@pytest.mark.parametrize("name", ["stepped", "blueGreen", "held", "abTest", "shadow"])
def test_a_strategy_that_a_values_template_never_reads_is_an_error(name: str) -> None:
    files = {**with_service(without_analyses(STRATEGIES[name]), where("helm")), **CHART}
    assert "RS336" in {diagnostic.code for diagnostic in compiled(files).diagnostics}


@pytest.mark.parametrize("name", ["stepped", "blueGreen"])
def test_processes_in_compose_are_an_error_alone_and_a_note_beside_another_target(name: str) -> None:
    alone = compiled(with_service(STRATEGIES[name], compose()))
    assert [(d.code, d.severity) for d in alone.diagnostics] == [("RS332", Severity.ERROR)]
    both = kubernetes(targets={"compose": {}, "rollouts": {"prometheus": "http://prometheus:9090"}})
    beside = compiled(with_service(STRATEGIES[name], both))
    assert [(d.code, d.severity) for d in beside.diagnostics] == [("RS333", Severity.NOTE)]


def test_helm_and_rollouts_would_deploy_twice() -> None:
    both = kubernetes(targets={"helm": {}, "rollouts": {}})
    assert [d.code for d in compiled(with_service({}, both)).diagnostics] == ["RS320"]
    for target in ("helm", "rollouts"):
        assert not compiled(with_service({"targets": [target]}, both)).diagnostics


def test_the_packaged_chart_can_do_what_rollouts_can() -> None:
    for name, extra in STRATEGIES.items():
        place = kubernetes(targets={"helm": {}})
        wanted = without_analyses(extra)
        result = compiled(with_service(wanted, place))
        assert not result.diagnostics, (name, said(result))


def without_analyses(extra: Map) -> Map:
    """A strategy that asks no Prometheus: the Helm target knows none."""
    if "strategy" not in extra:
        return extra
    kind, declared = next(iter(extra["strategy"].items()))
    steps = [step for step in declared.get("steps", ()) if "analyze" not in step]
    kept = {key: value for key, value in declared.items() if key not in ("analyze", "steps")}
    return {**extra, "strategy": {kind: {**kept, **({"steps": steps} if steps else {})}}}


def test_the_table_names_codes_of_the_catalogue() -> None:
    for row in TABLE:
        for target in TARGETS:
            support = row.of(target)
            assert not support.code or support.code in CATALOGUE
            assert support.level != "no" or support.code


def test_the_verb_prints_the_table(tmp_path: Path) -> None:
    write(tmp_path, with_service({}))
    printed = run(tmp_path, "explain", "--capabilities").out
    for row in TABLE:
        line = next(line for line in printed.splitlines() if line.startswith(row.feature + "  "))
        for target in TARGETS:
            assert str(row.of(target)) in line
    assert [entry["feature"] for entry in as_json()["capabilities"]] == [row.feature for row in TABLE]

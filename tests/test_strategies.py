"""The layout of Kubernetes objects under the six strategies: what DESIGN promises of it, sentence by sentence."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from company import (
    CANDIDATE,
    SERVICE,
    STEPS,
    STRATEGIES,
    Map,
    company,
    compiled,
    kubernetes,
    objects,
    registry,
    said,
    with_service,
)
from relspec.compiler import Compiled

ROUTES = {"istio": "VirtualService", "gateway": "HTTPRoute"}
ROUTERS = ("istio", "gateway", None)
PAIRS = tuple(permutations(STRATEGIES, 2))
N = "recs-api"
CANARY = f"{N}-canary"
CANDIDATE_NAME = f"{N}-candidate"
SYNC = "argocd.argoproj.io/sync-options"
Objects = dict[tuple[str, str], Map]


def possible(strategy: str, router: str | None) -> bool:
    """Whether a router can do a strategy as it stands in `STRATEGIES`."""
    if router is None:
        return strategy in ("fixed", "stepped", "blueGreen")
    return router == "istio" or strategy != "abTest"


def service(strategy: str, router: str | None) -> Map:
    """What the service adds for a strategy; Gateway API keeps no user on one side."""
    if router == "gateway" and strategy == "held":
        return {**CANDIDATE, "strategy": {"canary": {"weight": 10}}}
    return dict(STRATEGIES[strategy])


COMBINATIONS = [(strategy, router) for strategy in STRATEGIES for router in ROUTERS if possible(strategy, router)]


def made(strategy: str, router: str | None = "istio", **extra: Any) -> Objects:
    """The objects of a service under a strategy."""
    return objects(with_service({**service(strategy, router), **extra}, kubernetes(router)))


def of_kind(found: Objects, kind: str) -> dict[str, Map]:
    """The objects of a kind, by name."""
    return {name: document for (other, name), document in found.items() if other == kind}


# --- the thirty ordered pairs


@pytest.mark.parametrize(("first", "second"), PAIRS, ids="-".join)
def test_a_change_of_strategy_only_brings_and_takes_candidate_objects(first: str, second: str) -> None:
    before, after = made(first), made(second)
    came_or_went = set(before) ^ set(after)
    assert all(name == CANDIDATE_NAME or kind == "AnalysisTemplate" for kind, name in came_or_went)
    for key in (("Rollout", N), ("Service", N), ("Service", CANARY), ("VirtualService", N), ("ServiceAccount", N)):
        assert before[key]["metadata"] == after[key]["metadata"]
    for key in (("Service", N), ("Service", CANARY)):
        assert before[key] == after[key]
    one, other = before["Rollout", N]["spec"], after["Rollout", N]["spec"]
    assert one["template"] == other["template"]
    assert one["selector"] == other["selector"]
    assert one["replicas"] == other["replicas"]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids="-".join)
def test_going_there_and_back_gives_the_same_bytes(first: str, second: str) -> None:
    """Through one edited document, as a person edits it, not through a second one made the same way."""
    files = with_service(service(first, "istio"))
    document = files["environments/production/recs/release.yaml"]
    assert isinstance(document, dict)
    start = dict(compiled(files).files)
    api = document["services"]["api"]
    kept = dict(api)
    api.clear()
    api.update({**SERVICE, **service(second, "istio")})
    assert dict(compiled(files).files) != start
    api.clear()
    api.update(kept)
    assert dict(compiled(files).files) == start


# --- objects and names


@pytest.mark.parametrize(("strategy", "router"), COMBINATIONS)
def test_rollout_service_and_route_exist_under_every_strategy(strategy: str, router: str | None) -> None:
    found = made(strategy, router)
    assert set(of_kind(found, "Rollout")) == {N} | (
        {CANDIDATE_NAME} if "candidate" in service(strategy, router) else set()
    )
    services = {N} | ({CANARY} if router or strategy == "blueGreen" else set())
    assert set(of_kind(found, "Service")) - {CANDIDATE_NAME} == services
    for kind in ("VirtualService", "HTTPRoute"):
        assert set(of_kind(found, kind)) == ({N} if router and ROUTES[router] == kind else set())
    assert "DestinationRule" not in {kind for kind, _ in found}


@pytest.mark.parametrize(("strategy", "router"), COMBINATIONS)
def test_selectors_never_overlap(strategy: str, router: str | None) -> None:
    found = made(strategy, router)
    for name, rollout in of_kind(found, "Rollout").items():
        labels = rollout["spec"]["template"]["metadata"]["labels"]
        selector = rollout["spec"]["selector"]["matchLabels"]
        assert selector.items() <= labels.items()
        assert selector["relspec.dev/track"] == ("candidate" if name == CANDIDATE_NAME else "stable")
        assert (selector["app.kubernetes.io/name"], selector["app.kubernetes.io/instance"]) == (N, "recs")
        for kubernetes_service in of_kind(found, "Service").values():
            mine = kubernetes_service["spec"]["selector"].items() <= labels.items()
            assert mine is ((kubernetes_service["metadata"]["name"] == CANDIDATE_NAME) is (name == CANDIDATE_NAME))


@pytest.mark.parametrize(
    ("release", "service_name", "name"),
    [("recs", "recs", "recs"), ("recs", "api", "recs-api"), ("a" * 25, "b" * 26, f"{'a' * 25}-{'b' * 26}")],
)
def test_names(release: str, service_name: str, name: str) -> None:
    files = company({service_name: {**SERVICE, **STRATEGIES["held"]}})
    document = files.pop("environments/production/recs/release.yaml")
    assert isinstance(document, dict)
    files[f"environments/production/{release}/release.yaml"] = {**document, "name": release}
    found = objects(files)
    assert set(of_kind(found, "Rollout")) == {name, f"{name}-candidate"}
    assert len(name) <= 52
    assert all(len(other) <= 63 for _, other in found)


def test_a_name_of_53_characters_is_refused() -> None:
    files = company({"b" * 48: SERVICE})
    assert [line.split()[0] for line in said(compiled(files))] == ["RS132"]
    assert not compiled(company({"b" * 47: SERVICE})).diagnostics


# --- Argo CD


@pytest.mark.parametrize(("strategy", "router"), COMBINATIONS)
def test_sync_options(strategy: str, router: str | None) -> None:
    for (kind, name), document in made(strategy, router).items():
        annotations = document["metadata"].get("annotations") or {}
        assert not any("sync-wave" in text for pair in annotations.items() for text in pair)
        if name == CANDIDATE_NAME:
            assert annotations[SYNC] == "PruneLast=true", kind
        elif kind == "Service":
            assert annotations[SYNC] == "ServerSideApply=false"
        else:
            assert SYNC not in annotations


def test_candidate_objects_carry_prune_last_from_their_first_commit() -> None:
    extra = {**CANDIDATE, "strategy": {"canary": {"weight": 0}}}
    extra["candidate"] = {**CANDIDATE["candidate"], "replicas": {"min": 2, "max": 3, "cpu": 70}}
    found = objects(with_service(extra))
    theirs = {kind: document for (kind, name), document in found.items() if name == CANDIDATE_NAME}
    assert set(theirs) == {"Rollout", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert all(document["metadata"]["annotations"][SYNC] == "PruneLast=true" for document in theirs.values())


# --- the Rollout


@pytest.mark.parametrize(("strategy", "router"), COMBINATIONS)
def test_the_rollout_says_everything_that_a_rollback_needs(strategy: str, router: str | None) -> None:
    where = kubernetes(router, rollback={"window": 4, "history": 9, "warm": "15m", "abort": "45s"})
    found = objects(with_service(service(strategy, router), where))
    for name, rollout in of_kind(found, "Rollout").items():
        spec = rollout["spec"]
        (declared,) = spec["strategy"].values()
        assert spec["revisionHistoryLimit"] == 9
        assert spec["progressDeadlineAbort"] is True
        assert spec["progressDeadlineSeconds"] == 600
        assert ("rollbackWindow" in spec) is ("blueGreen" not in spec["strategy"])
        assert spec.get("rollbackWindow", {"revisions": 4}) == {"revisions": 4}
        assert ("stableService" in declared) is ("trafficRouting" in declared)
        assert ("canaryService" in declared) is ("trafficRouting" in declared)
        warm = "trafficRouting" in declared or "blueGreen" in spec["strategy"]
        assert declared.get("scaleDownDelaySeconds") == (900 if warm else None)
        assert declared.get("scaleDownDelayRevisionLimit") == (1 if warm else None)
        assert declared.get("abortScaleDownDelaySeconds") == (45 if warm else None)
        for container in spec["template"]["spec"]["containers"]:
            assert "resources" in container
            assert all(port["protocol"] == "TCP" for port in container["ports"])
        assert name in (N, CANDIDATE_NAME)


def test_resources_are_written_out_even_when_empty() -> None:
    (rollout,) = of_kind(
        objects(with_service({"resources": None, "init": [{"name": "a", "image": "a:1"}]})), "Rollout"
    ).values()
    pod = rollout["spec"]["template"]["spec"]
    assert [container["resources"] for container in (*pod["initContainers"], *pod["containers"])] == [{}, {}]


def test_memory_is_request_and_limit_and_cpu_a_request() -> None:
    wanted = {"resources": {"cpu": "500m", "memory": "1Gi", "gpu": 1}}
    (rollout,) = of_kind(objects(with_service(wanted)), "Rollout").values()
    assert rollout["spec"]["template"]["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "1Gi", "nvidia.com/gpu": "1"},
    }


@pytest.mark.parametrize(
    ("startup", "deadline", "failures"), [("60s", 600, 6), ("5m", 600, 30), ("6m", 720, 36), ("65s", 600, 7)]
)
def test_slow_starts(startup: str, deadline: int, failures: int) -> None:
    (rollout,) = of_kind(objects(with_service({"health": {"path": "/", "startup": startup}})), "Rollout").values()
    container = rollout["spec"]["template"]["spec"]["containers"][0]
    assert rollout["spec"]["progressDeadlineSeconds"] == deadline
    assert container["startupProbe"]["failureThreshold"] == failures
    assert "livenessProbe" not in container


def test_liveness_only_where_it_is_asked_for() -> None:
    (rollout,) = of_kind(objects(with_service({"health": {"path": "/", "live": True}})), "Rollout").values()
    container = rollout["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"] == container["readinessProbe"]["httpGet"]


def test_a_volume_that_one_pod_holds_allows_no_surge() -> None:
    for volume, surge in (({"name": "data"}, 0), ({"name": "data", "readOnly": True}, "25%")):
        (rollout,) = of_kind(objects(with_service({"volumes": {"/data": volume}})), "Rollout").values()
        assert rollout["spec"]["strategy"]["canary"]["maxSurge"] == surge


def test_safe_pod_defaults() -> None:
    (rollout,) = of_kind(objects(with_service({})), "Rollout").values()
    pod = rollout["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


# --- replicas


@pytest.mark.parametrize(
    ("replicas", "written", "scaler", "budget"),
    [
        (0, 0, False, False),
        (1, 1, False, False),
        (2, 2, False, True),
        ({"min": 1, "max": 4, "cpu": 70}, None, True, False),
        ({"min": 2, "max": 4, "cpu": 70}, None, True, True),
    ],
)
def test_replicas(replicas: object, written: int | None, scaler: bool, budget: bool) -> None:
    found = objects(with_service({"replicas": replicas}))
    assert found["Rollout", N]["spec"].get("replicas") == written
    assert (("HorizontalPodAutoscaler", N) in found) is scaler
    assert (("PodDisruptionBudget", N) in found) is budget
    if budget:
        assert found["PodDisruptionBudget", N]["spec"]["maxUnavailable"] == 1
    if scaler:
        target = found["HorizontalPodAutoscaler", N]["spec"]["scaleTargetRef"]
        assert target == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": N}


def test_a_candidate_has_one_replica_unless_it_says_more() -> None:
    for candidate, replicas in ((CANDIDATE["candidate"], 1), ({**CANDIDATE["candidate"], "replicas": 4}, 4)):
        found = objects(with_service({"replicas": 3, **STRATEGIES["held"], "candidate": candidate}))
        assert found["Rollout", N]["spec"]["replicas"] == 3
        assert found["Rollout", CANDIDATE_NAME]["spec"]["replicas"] == replicas


# --- strategies


def test_fixed_under_istio_is_a_canary_without_steps() -> None:
    fixed = made("fixed")["Rollout", N]["spec"]["strategy"]["canary"]
    stepped = made("stepped")["Rollout", N]["spec"]["strategy"]["canary"]
    assert "steps" not in fixed
    assert {key: value for key, value in stepped.items() if key != "steps"} == fixed
    assert fixed["trafficRouting"] == {"istio": {"virtualService": {"name": N, "routes": ["primary"]}}}


def test_an_active_variant_is_the_fixed_rollout_of_that_variant() -> None:
    variants = {"variants": {"baseline": {"image": "ghcr.io/acme/rules:1.0.0"}}}
    fallback = objects(with_service({**STRATEGIES["held"], **variants, "active": "baseline"}))
    plain = objects(with_service({"image": "ghcr.io/acme/rules:1.0.0"}))
    assert fallback == plain


def test_steps() -> None:
    steps = made("stepped")["Rollout", N]["spec"]["strategy"]["canary"]["steps"]
    analysis = {
        "templates": [{"templateName": f"{N}-success-rate"}],
        "args": [{"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
    }
    assert steps == [
        {"setWeight": 10},
        {"pause": {"duration": "5m"}},
        {"analysis": analysis},
        {"setWeight": 50},
        {"pause": {}},
    ]
    assert len(steps) == len(STEPS)


@pytest.mark.parametrize(("promote", "automatic"), [("auto", True), ("manual", False)])
def test_blue_green(promote: str, automatic: bool) -> None:
    found = objects(
        with_service({"strategy": {"blueGreen": {"promote": promote, "analyze": {"after": ["success-rate"]}}}})
    )
    declared = found["Rollout", N]["spec"]["strategy"]["blueGreen"]
    assert (declared["activeService"], declared["previewService"]) == (N, CANARY)
    assert declared["autoPromotionEnabled"] is automatic
    assert declared["postPromotionAnalysis"]["templates"] == [{"templateName": f"{N}-success-rate"}]
    assert "prePromotionAnalysis" not in declared


def test_an_analysis_gets_the_arguments_that_relspec_knows() -> None:
    template = made("stepped")["AnalysisTemplate", f"{N}-success-rate"]["spec"]
    assert template["args"] == [{"name": "service", "value": N}, {"name": "canary-hash"}]
    assert template["metrics"][0]["provider"]["prometheus"]["address"] == "http://prometheus:9090"


# --- routes


def weights(route: Map) -> dict[str, int]:
    """Percent by host, of the route that everybody takes."""
    spec = route["spec"]
    if "http" in spec:
        (primary,) = (entry for entry in spec["http"] if entry["name"] == "primary")
        return {to["destination"]["host"]: to["weight"] for to in primary["route"]}
    (rule,) = spec["rules"]
    return {to["name"]: to["weight"] for to in rule["backendRefs"]}


def test_only_destinations_and_weights_of_a_route_differ() -> None:
    seen: list[Any] = []
    for strategy in STRATEGIES:
        route = made(strategy)["VirtualService", N]
        seen.append({**route["spec"], "http": None, "metadata": route["metadata"]})
        assert N in route["spec"]["hosts"]
        assert "mesh" in route["spec"]["gateways"]
    assert all(one == seen[0] for one in seen)


@pytest.mark.parametrize("weight", [0, 1, 50, 99, 100])
@pytest.mark.parametrize("router", ["istio", "gateway"])
def test_the_weight_in_git_is_the_weight_in_the_route(weight: int, router: str) -> None:
    extra = {**CANDIDATE, "strategy": {"canary": {"weight": weight}}}
    found = objects(with_service(extra, kubernetes(router)))
    assert weights(found[ROUTES[router], N]) == {N: 100 - weight, CANDIDATE_NAME: weight}


def test_a_shadow_gets_copies_and_answers_nobody() -> None:
    istio = made("shadow")["VirtualService", N]["spec"]["http"][0]
    assert weights(made("shadow")["VirtualService", N]) == {N: 100}
    assert istio["mirror"]["host"] == CANDIDATE_NAME
    assert istio["mirrorPercentage"] == {"value": 20}
    (rule,) = made("shadow", "gateway")["HTTPRoute", N]["spec"]["rules"]
    assert rule["filters"][0]["requestMirror"] == {"backendRef": {"name": CANDIDATE_NAME, "port": 8080}, "percent": 20}


def test_sticky_users_have_a_route_of_their_own_before_everybodys() -> None:
    routes = made("held")["VirtualService", N]["spec"]["http"]
    assert [route["name"] for route in routes] == ["candidate", "primary"]
    assert set(routes[0]["match"][0]["headers"]) == {"x-user-id"}
    assert weights(made("held")["VirtualService", N]) == {N: 100}


@pytest.mark.parametrize("strategy", ["stepped", "fixed"])
def test_the_controllers_own_route_starts_all_at_stable(strategy: str) -> None:
    assert weights(made(strategy)["VirtualService", N]) == {N: 100, CANARY: 0}


# --- workers and files


@pytest.mark.parametrize("strategy", ["fixed", "stepped"])
def test_a_worker_has_no_service_and_no_route(strategy: str) -> None:
    extra = {**STRATEGIES[strategy], "ports": None, "health": {"tcp": 9000}, "metrics": {"port": 9100}}
    kinds = {kind for kind, _ in objects(with_service(extra))}
    assert "Rollout" in kinds
    assert not kinds & {"Service", "VirtualService"}


def test_a_config_map_is_immutable_and_named_by_its_content() -> None:
    def of(content: str) -> Map:
        found = of_kind(objects(with_service({"files": {"/etc/app.yaml": {"content": content}}})), "ConfigMap")
        ((name, document),) = found.items()
        assert document["immutable"] is True
        assert document["metadata"]["annotations"] == {
            SYNC: "Prune=false",
            "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
        }
        prefix, _, digest = name.rpartition("-")
        assert (prefix, len(digest)) == (N, 10)
        return document

    assert of("a: 1") == of("a: 1")
    assert of("a: 1")["metadata"]["name"] != of("a: 2")["metadata"]["name"]


def test_a_service_account_of_its_own_unless_one_is_named() -> None:
    assert ("ServiceAccount", N) in made("fixed")
    named = made("fixed", serviceAccount="shared")
    assert not of_kind(named, "ServiceAccount")
    assert named["Rollout", N]["spec"]["template"]["spec"]["serviceAccountName"] == "shared"


# --- routing: app


@pytest.mark.parametrize(
    ("strategy", "name", "percentage"),
    [
        (None, "fixed", "0"),
        ({"canary": {"weight": 10}}, "canary", "10"),
        ({"abTest": {"weight": 50}}, "ab_test", "50"),
        ({"shadow": {"percent": 100}}, "shadow", "100"),
    ],
)
def test_the_application_is_told_by_its_environment(strategy: Map | None, name: str, percentage: str) -> None:
    extra: Map = {"model": "als@v1", "routing": "app"}
    if strategy is not None:
        extra |= {"candidate": {"model": "als@v2"}, "strategy": strategy}
    found = objects({**with_service(extra), **registry("v1", "v2")})
    assert set(of_kind(found, "Rollout")) == {N}
    container = found["Rollout", N]["spec"]["template"]["spec"]["containers"][0]
    told = {entry["name"]: entry["value"] for entry in container["env"]}
    assert told == {
        "ROLLOUT_STRATEGY": name,
        "MODEL_VERSION": "v1",
        "CANARY_VERSION": "v2" if strategy else "",
        "CANARY_PERCENTAGE": percentage,
        "ENVIRONMENT": "production",
    }


# --- templates of a team's own


def own_template(text: str) -> Compiled:
    files = {**company(where=kubernetes()), "templates/rollouts/rollouts.yaml.j2": text}
    return compiled(files)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "leaves out Service recs-api, Service recs-api-canary, Rollout recs-api, VirtualService recs-api"),
        ("a: b\n", "this document is no Kubernetes object"),
        ("metadata: x\n", "this document is no Kubernetes object"),
        (
            "{% for r in rollouts %}\n---\nkind: Rollout\nmetadata: {name: {{ r.name }}}\n{% endfor %}\n" * 2,
            "is there twice",
        ),
        ("{% for r in rollouts %}\n---\nkind: Rollout\nmetadata: {name: other}\n{% endfor %}\n", "Rollout recs-api"),
    ],
)
def test_a_template_may_not_lose_what_others_refer_to(text: str, message: str) -> None:
    result = own_template(text)
    assert result.stopped
    assert not result.files
    found = [d for d in result.diagnostics if message in d.message]
    assert found, said(result)
    assert {(d.code, d.file) for d in found} == {("RS520", "templates/rollouts/rollouts.yaml.j2")}


def test_the_route_of_blue_green_names_stable_alone() -> None:
    route = objects(with_service(STRATEGIES["blueGreen"], kubernetes()))["VirtualService", "recs-api"]
    assert [to["destination"]["host"] for to in route["spec"]["http"][0]["route"]] == ["recs-api"]


def test_a_template_includes_packaged_ones_only() -> None:
    files = {
        **company(where=kubernetes()),
        "templates/rollouts/rollouts.yaml.j2": "{% include 'rollouts/mine.j2' %}\n",
        "templates/rollouts/mine.j2": "a: b\n",
    }
    assert {d.code for d in compiled(files).diagnostics if d.severity == "error"} == {"RS502"}

"""What a change does in each target: which containers and pods it touches, how long it takes at least, and what it costs."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from company import (
    ANALYSES,
    SERVICE,
    STEPS,
    STRATEGIES,
    Content,
    Files,
    Map,
    company,
    compiled,
    compose,
    environment,
    kubernetes,
    registry,
    said,
    tree,
    with_service,
)
from judges import ask
from relspec.compiler import CompiledRelease, Compiler
from relspec.gitops.compose_schedule import compose_schedules, fates, project, service_hash
from relspec.gitops.impact import Effect, duration, impact, summary, surge
from relspec.restarts import workloads

NEXT: Map = {"image": "ghcr.io/acme/recs:1.8.3"}
PUBLISHED: Map = {"ports": {"http": {"port": 8080, "publish": 8000}}}
HELD = STRATEGIES["held"]
CANDIDATE = HELD["candidate"]


def made(files: Files) -> CompiledRelease:
    """The one release of a small repository; AssertionError with what keeps it from being compiled."""
    result = compiled(files)
    assert not result.stopped, said(result)
    (found,) = result.releases
    return found


def between(old: Files | None, new: Files | None) -> tuple[Effect, ...]:
    return impact(*(made(files) if files is not None else None for files in (old, new)))


def lines(old: Files | None, new: Files | None) -> tuple[str, ...]:
    return summary(between(old, new))


def weighted(weight: int, **extra: Any) -> Map:
    return {"candidate": {**CANDIDATE, **extra}, "strategy": {"canary": {"weight": weight}}}


# --- rollouts

ISTIO, NO_ROUTER, GATEWAY = kubernetes(), kubernetes(None), kubernetes("gateway")
FIVE = [*STEPS[:4], {"pause": "10m"}]
GPU: Map = {"resources": {"cpu": 1, "memory": "8Gi", "gpu": 1}}
SURGE = "; at most 1 extra pod meanwhile"

ROLLOUTS: list[tuple[str, Map, Map, Map, str]] = [
    ("fixed without a router", NO_ROUTER, {}, NEXT, f"new ReplicaSet, pods are replaced in turn{SURGE}"),
    ("fixed with Istio", ISTIO, {}, NEXT, f"new ReplicaSet, the traffic moves at once when it is ready{SURGE}"),
    (
        "fixed under Gateway API",
        GATEWAY,
        {"replicas": 9},
        {"replicas": 9, **NEXT},
        "new ReplicaSet, pods are replaced in turn; at most 3 extra pods meanwhile",
    ),
    (
        "stepped, a quarter of the pods at once",
        NO_ROUTER,
        {"strategy": {"canary": {"steps": FIVE}}, "replicas": 5, **GPU},
        {"strategy": {"canary": {"steps": FIVE}}, "replicas": 5, **GPU, **NEXT},
        "new ReplicaSet, 5 steps, at least 19 min; at most 2 extra pods and 2 GPUs meanwhile",
    ),
    (
        "stepped, with a router all old pods stay",
        ISTIO,
        {"strategy": {"canary": {"steps": FIVE}}, "replicas": 5, **GPU},
        {"strategy": {"canary": {"steps": FIVE}}, "replicas": 5, **GPU, **NEXT},
        "new ReplicaSet, 5 steps, at least 19 min; at most 5 extra pods and 5 GPUs meanwhile",
    ),
    (
        "stepped, autoscaled",
        ISTIO,
        {"strategy": {"canary": {"steps": [{"pause": "90s"}]}}, "replicas": {"min": 2, "max": 8, "cpu": 70}},
        {"strategy": {"canary": {"steps": [{"pause": "90s"}]}}, "replicas": {"min": 2, "max": 8, "cpu": 70}, **NEXT},
        "new ReplicaSet, 1 step, at least 90 s; at most 8 extra pods meanwhile",
    ),
    (
        "stepped, a person decides",
        ISTIO,
        STRATEGIES["stepped"],
        {**STRATEGIES["stepped"], **NEXT},
        f"new ReplicaSet, 5 steps, at least 9 min, waits for a person after step 4{SURGE}",
    ),
    (
        "stepped, two persons",
        NO_ROUTER,
        {},
        {"strategy": {"canary": {"steps": [{"pause": {}}, {"setWeight": 5}, {"pause": {}}], "maxSurge": 0}}, **NEXT},
        "new ReplicaSet, 3 steps, waits for a person after step 2",
    ),
    (
        "stepped, a person before anything",
        NO_ROUTER,
        {},
        {"strategy": {"canary": {"steps": [{"pause": {}}], "maxSurge": 2}}, **NEXT},
        "new ReplicaSet, 1 step, waits for a person at once; at most 2 extra pods meanwhile",
    ),
    (
        "stepped, one pod and one disk",
        NO_ROUTER,
        {"volumes": {"/data": {"name": "data"}}},
        {"volumes": {"/data": {"name": "data"}}, **NEXT},
        "new ReplicaSet, an old pod ends before a new one starts",
    ),
    (
        "blue-green by itself",
        ISTIO,
        {"strategy": {"blueGreen": {}}, "replicas": 3, **GPU},
        {"strategy": {"blueGreen": {}}, "replicas": 3, **GPU, **NEXT},
        "new ReplicaSet, a whole second fleet, then the switch; at most 3 extra pods and 3 GPUs meanwhile",
    ),
    (
        "blue-green by a person",
        NO_ROUTER,
        {**STRATEGIES["blueGreen"], "replicas": 3},
        {**STRATEGIES["blueGreen"], "replicas": 3, **NEXT},
        "new ReplicaSet, a whole second fleet, at least 4 min, waits for `kubectl argo rollouts promote recs-api`, "
        "up to three fleets till then; at most 6 extra pods meanwhile",
    ),
    ("held: a new stable", ISTIO, HELD, {**HELD, **NEXT}, f"new ReplicaSet, pods are replaced in turn{SURGE}"),
    ("held: the weight", ISTIO, weighted(10), weighted(50), "weight 10 % -> 50 %, no pod restarts"),
    ("held: the weight, Gateway API", GATEWAY, weighted(10), weighted(50), "weight 10 % -> 50 %, no pod restarts"),
    ("held: who gets it", ISTIO, HELD, weighted(10), "the route changes, no pod restarts"),
    (
        "held: a candidate comes",
        ISTIO,
        GPU,
        {**weighted(10, replicas=2), **GPU},
        "candidate recs-api-candidate comes: 2 pods and 2 GPUs; "
        "the route sends 10 % to the candidate, no pod restarts",
    ),
    (
        "held: a candidate goes",
        ISTIO,
        HELD,
        {},
        "candidate recs-api-candidate goes with its 1 pod; the route sends everything to stable, no pod restarts",
    ),
    (
        "held: another candidate",
        ISTIO,
        weighted(10),
        weighted(10, image="ghcr.io/acme/recs:2.0.0"),
        f"candidate recs-api-candidate: new ReplicaSet, pods are replaced in turn{SURGE}",
    ),
    (
        "held: more of the candidate",
        ISTIO,
        weighted(10),
        weighted(10, replicas=3),
        "candidate recs-api-candidate: replicas 1 -> 3, no pod restarts",
    ),
    (
        "A/B test: another weight",
        ISTIO,
        {"candidate": CANDIDATE, "strategy": {"abTest": {"weight": 20, "stickyBy": {"header": "x", "bucket": "mod100"}}}},
        {"candidate": CANDIDATE, "strategy": {"abTest": {"weight": 80, "stickyBy": {"header": "x", "bucket": "mod100"}}}},
        "weight 20 % -> 80 %, no pod restarts",
    ),
    (
        "shadow: more copies",
        ISTIO,
        STRATEGIES["shadow"],
        {**STRATEGIES["shadow"], "strategy": {"shadow": {"percent": 60, "writes": "allowed"}}},
        "shadow 20 % -> 60 %, no pod restarts",
    ),
    (
        "shadow becomes a canary",
        ISTIO,
        STRATEGIES["shadow"],
        weighted(5),
        "the route sends 5 % to the candidate, no pod restarts",
    ),
    ("routing: app, the weight is the pod's", ISTIO, {**weighted(10), "model": "m@1", "candidate": {"model": "m@2"}, "routing": "app"},
     {**weighted(50), "model": "m@1", "candidate": {"model": "m@2"}, "routing": "app"},
     f"new ReplicaSet, the traffic moves at once when it is ready{SURGE}"),
    ("more replicas", ISTIO, {"replicas": 3}, {"replicas": 5}, "replicas 3 -> 5, no pod restarts"),
    (
        "replicas become a range",
        ISTIO,
        {"replicas": 3},
        {"replicas": {"min": 2, "max": 10, "cpu": 70}},
        "replicas 3 -> 2..10: about 16 s with one pod until the autoscaler acts",
    ),
    (
        "another range",
        ISTIO,
        {"replicas": {"min": 2, "max": 10, "cpu": 70}},
        {"replicas": {"min": 2, "max": 12, "cpu": 70}},
        "replicas 2..10 -> 2..12, no pod restarts",
    ),
    (
        "another strategy and nothing else",
        NO_ROUTER,
        {},
        {"strategy": {"canary": {"steps": FIVE}}},
        "restarts nothing: another strategy from the next version on and AnalysisTemplate recs-api-success-rate",
    ),
    (
        "other steps",
        NO_ROUTER,
        {"strategy": {"canary": {"steps": FIVE}}},
        {"strategy": {"canary": {"steps": FIVE[:2]}}},
        "restarts nothing: other settings of the strategy and AnalysisTemplate recs-api-success-rate",
    ),
    (
        "an annotation of the Rollout",
        ISTIO,
        {},
        {"overrides": {"rollouts": {"Rollout": {"metadata": {"annotations": {"a": "b"}}}}}},
        "restarts nothing: metadata of Rollout recs-api",
    ),
    (
        "an annotation of the pod",
        NO_ROUTER,
        {},
        {"annotations": {"a": "b"}},
        f"new ReplicaSet, pods are replaced in turn{SURGE}",
    ),
    (
        "a Service",
        ISTIO,
        {},
        {"overrides": {"rollouts": {"Service": {"spec": {"sessionAffinity": "ClientIP"}}}}},
        "restarts nothing: Service recs-api and Service recs-api-canary",
    ),
    ("what only compose reads", ISTIO, {}, {"restart": "always"}, "restarts nothing"),
]  # fmt: skip


def with_models(files: dict[str, Content]) -> dict[str, Content]:
    """The files and a model `m` for those that name one."""
    return {**files, **registry("1", "2", name="m")}


@pytest.mark.parametrize(
    ("where", "before", "after", "expected"), [case[1:] for case in ROLLOUTS], ids=[c[0] for c in ROLLOUTS]
)
def test_what_a_change_does_in_kubernetes(where: Map, before: Map, after: Map, expected: str) -> None:
    old, new = (with_models(with_service(extra, where)) for extra in (before, after))
    assert lines(old, new) == (f"rollouts: {expected}",)


@pytest.mark.parametrize(
    ("where", "before", "after", "expected"), [case[1:] for case in ROLLOUTS], ids=[c[0] for c in ROLLOUTS]
)
def test_the_reference_chart_does_the_same(where: Map, before: Map, after: Map, expected: str) -> None:
    settings = where["targets"]["rollouts"]
    helm = {**where, "targets": {"helm": settings}}
    old, new = (with_models(with_service(extra, helm)) for extra in (before, after))
    assert lines(old, new) == (f"helm: {expected}",)


def test_the_numbers_of_a_rollout() -> None:
    extra = {**STRATEGIES["stepped"], "replicas": 4, **GPU}
    (effect,) = between(with_service(extra), with_service({**extra, **NEXT}))
    assert (effect.kind, effect.service, effect.restarts) == ("rollout", "api", True)
    assert (effect.least_seconds, effect.extra_pods, effect.extra_gpus) == (None, 4, 4)
    assert (effect.names, effect.total) == (("recs-api",), 1)
    timed = {**extra, "strategy": {"canary": {"steps": FIVE}}}
    (effect,) = between(with_service(timed), with_service({**timed, **NEXT}))
    assert effect.least_seconds == 5 * 60 + 4 * 60 + 10 * 60, "five measurements, a minute apart, the first at once"


def test_analyses_count_their_delay_and_run_side_by_side() -> None:
    slow = {"query": "vector(1)", "success": "result[0] >= 0", "initialDelay": "1h"}
    analyses = {**ANALYSES, "slow": {"metrics": {"one": slow, "two": {**slow, "initialDelay": "5m"}}}}
    extra = {"strategy": {"canary": {"steps": [{"analyze": ["success-rate", "slow"]}]}}}
    where = kubernetes(analyses=analyses)
    (effect,) = between(with_service(extra, where), with_service({**extra, **NEXT}, where))
    assert effect.least_seconds == 3600
    assert "at least 1 h;" in effect.words


def test_a_changed_analysis_restarts_nothing() -> None:
    faster = {"success-rate": {**ANALYSES["success-rate"], "count": 2}}
    old, new = (with_service(STRATEGIES["stepped"], kubernetes(analyses=analyses)) for analyses in (ANALYSES, faster))
    assert lines(old, new) == ("rollouts: restarts nothing: AnalysisTemplate recs-api-success-rate",)


def test_another_namespace_is_another_rollout() -> None:
    moved = kubernetes()
    moved["targets"]["rollouts"]["namespace"] = "ml-new"
    kinds = [effect.kind for effect in between(with_service({}), with_service({}, moved))]
    assert sorted(kinds) == ["create", "remove"]


def test_the_time_that_old_pods_stay_is_no_other_strategy() -> None:
    old, new = (with_service({}, kubernetes(rollback={"warm": warm})) for warm in ("10m", "15m"))
    assert lines(old, new) == ("rollouts: restarts nothing: other settings of the strategy",)


def test_an_environment_of_another_name_is_another_cluster_unless_it_says_which() -> None:
    """As readiness has it: nothing is known of what runs in the other one, so that all starts anew."""
    old, new = (with_service({}, kubernetes(name=name)) for name in ("production", "live"))
    assert lines(old, new) == (
        "rollouts: in live: Rollout recs-api comes: 1 pod; in production: Rollout recs-api goes with its 1 pod",
    )
    target = {"rollouts": {"namespace": "ml-prod", "prometheus": "http://prometheus:9090", "cluster": "eu"}}
    old, new = (with_service({}, kubernetes(name=name, targets=target)) for name in ("production", "live"))
    assert lines(old, new) == ("rollouts: restarts nothing: the outputs only read differently",)


def test_a_rollout_that_goes_back_skips_its_steps() -> None:
    """Which ReplicaSets are there only the history knows; two releases alone can't tell."""
    stepped = {"strategy": {"canary": {"steps": FIVE}}}
    old, new = made(with_service(stepped, ISTIO)), made(with_service({**stepped, **NEXT}, ISTIO))
    (effect,) = impact(old, new, {("rollouts", "recs-api"): "1a2b3c4d5e6f"})
    assert effect.words.startswith("back to the ReplicaSet of 1a2b3c4d5: steps skipped if it is still there; at most ")
    assert (effect.kind, effect.least_seconds, effect.restarts) == ("rollout", 0, True)
    assert impact(old, new, {("rollouts", "another"): "1a2b3c4d5e6f"}) == impact(old, new)


@pytest.mark.parametrize("promote", [{}, {"promote": "manual"}], ids=["by itself", "by a person"])
def test_blue_green_waits_for_nobody_where_it_is_entered_with_other_pods(promote: Map) -> None:
    """RS342 says so of the same change."""
    blue_green = {"strategy": {"blueGreen": promote}, "replicas": 2}
    (effect,) = between(with_service({"replicas": 2}, NO_ROUTER), with_service({**blue_green, **NEXT}, NO_ROUTER))
    words = "new ReplicaSet, takes all traffic at once, ready or not: Service recs-api carries no hash yet"
    assert effect.words == f"{words}; at most 2 extra pods meanwhile"
    assert (effect.least_seconds, effect.restarts) == (0, True)
    for old, where in (({}, ISTIO), (blue_green, NO_ROUTER)):
        (gated,) = between(with_service({"replicas": 2, **old}, where), with_service({**blue_green, **NEXT}, where))[:1]
        assert "at once, ready or not" not in gated.words


def test_services_of_one_release_are_told_apart() -> None:
    old = company({"api": SERVICE, "api-jobs": SERVICE})
    new = company({"api": SERVICE, "api-jobs": {**SERVICE, "replicas": 2}})
    (effect,) = between(old, new)
    assert (effect.service, effect.names) == ("api-jobs", ("recs-api-jobs",))
    both = company({"api": {**SERVICE, "replicas": 3}, "api-jobs": {**SERVICE, "replicas": 2}})
    assert lines(old, both) == (
        "rollouts: api: replicas 1 -> 3, no pod restarts; api-jobs: replicas 1 -> 2, no pod restarts",
    )


# --- compose

COMPOSE: list[tuple[str, Map, Map, str]] = [
    ("an image", {}, NEXT, "recreates api, 1 of 1 service"),
    ("what only Kubernetes reads", {}, {"serviceAccount": "recs"}, "restarts nothing"),
    (
        "a router comes",
        PUBLISHED,
        {**PUBLISHED, **HELD},
        "router for api comes: published port moves and api is recreated; candidate api-candidate comes",
    ),
    (
        "a router goes",
        {**PUBLISHED, **HELD},
        PUBLISHED,
        "router for api goes: published port moves back and api is recreated; candidate api-candidate goes",
    ),
    ("a weight", weighted(10), weighted(50), "weight 10 % -> 50 %: recreates api-router, not api"),
    (
        "copies",
        STRATEGIES["shadow"],
        {**STRATEGIES["shadow"], "strategy": {"shadow": {"percent": 40, "writes": "allowed"}}},
        "shadow 20 % -> 40 %: recreates api-router, not api",
    ),
    (
        "a candidate",
        weighted(10),
        weighted(10, image="ghcr.io/acme/recs:2.0.0"),
        "recreates api-candidate, 1 of 3 services",
    ),
    ("stable under a split", HELD, {**HELD, **NEXT}, "recreates api, 1 of 3 services"),
    (
        "a file",
        {"files": {"/a.yaml": {"content": "1"}}},
        {"files": {"/a.yaml": {"content": "2"}}},
        "recreates api, 1 of 1 service",
    ),
    ("a variable", {"env": {"A": "1"}}, {"env": {"A": "2"}}, "recreates api, 1 of 1 service"),
    ("more containers", {"replicas": 2}, {"replicas": 4}, "api 2 -> 4 containers, those that stay are not restarted"),
    (
        "a build",
        {"build": {"context": "."}},
        {"build": {"context": ".", "target": "serving"}},
        "restarts nothing: api is built anew by `docker compose up --build` only",
    ),
    (
        "a sidecar lives in its service's network",
        {"sidecars": [{"name": "proxy", "image": "ghcr.io/acme/proxy:1.0.0"}]},
        {"sidecars": [{"name": "proxy", "image": "ghcr.io/acme/proxy:1.0.0"}], **NEXT},
        "recreates api, api-proxy, 2 of 2 services",
    ),
    (
        "a sidecar alone",
        {"sidecars": [{"name": "proxy", "image": "ghcr.io/acme/proxy:1.0.0"}]},
        {"sidecars": [{"name": "proxy", "image": "ghcr.io/acme/proxy:1.1.0"}]},
        "recreates api-proxy, 1 of 2 services",
    ),
    ("stepped is as fixed", {}, {"annotations": {"a": "b"}}, "recreates api, 1 of 1 service"),
]


@pytest.mark.parametrize(("before", "after", "expected"), [case[1:] for case in COMPOSE], ids=[c[0] for c in COMPOSE])
def test_what_a_change_does_in_compose(before: Map, after: Map, expected: str) -> None:
    assert lines(with_service(before, compose()), with_service(after, compose())) == (f"compose: {expected}",)


def test_one_of_three_services() -> None:
    services = dict.fromkeys(("api", "web", "worker"), SERVICE)
    old, new = company(services, compose()), company({**services, "api": {**SERVICE, **NEXT}}, compose())
    assert lines(old, new) == ("compose: recreates api, 1 of 3 services",)
    fewer = company(dict.fromkeys(("api", "web"), SERVICE), compose())
    assert lines(old, fewer) == ("compose: removes worker",)
    assert lines(fewer, old) == ("compose: starts worker",)


def test_a_router_that_is_always_there_moves_no_port() -> None:
    where = compose(targets={"compose": {"router": {"when": "always"}}})
    (effects) = between(with_service(PUBLISHED, where), with_service({**PUBLISHED, **HELD}, where))
    assert [effect.words for effect in effects] == [
        "the route sends 10 % to the candidate: recreates api-router, not api",
        "candidate api-candidate comes",
    ]


def test_a_network_of_another_kind_recreates_who_is_in_it() -> None:
    old, new = (
        with_service({}, compose(targets={"compose": {"networks": {"shop": kind}}})) for kind in ("bridge", "internal")
    )
    assert lines(old, new) == ("compose: recreates api, 1 of 1 service",)


def test_another_project_leaves_the_old_one_running() -> None:
    old, new = (with_service({}, compose(targets={"compose": {"project": name}})) for name in ("one", "two"))
    (line,) = lines(old, new)
    assert (
        line
        == "compose: project one becomes two: all starts anew, and the old one runs on until `docker compose -p one down`"
    )


def verdicts(old: Files, new: Files) -> dict[str, str]:
    """How fast each service would go from `old` to `new`, by its compose file."""
    sides = [made(files) for files in (old, new)]
    services = {name: None for side in sides if side.release is not None for name in side.release.services}
    found = compose_schedules(tuple(services), *(project(side) for side in sides))
    return {name: schedule.last.verdict for name, schedule in found.items()}


SMALL: Map = {"resources": {"cpu": "500m", "memory": "1Gi"}}
INSIDE: Map = {"overrides": {"compose": {"service": {"network_mode": "service:api"}}}, "health": {"exec": ["true"]}}


@pytest.mark.parametrize("case", COMPOSE, ids=[case[0] for case in COMPOSE])
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_the_way_back_in_compose_is_by_the_rule_of_the_way_there(case: tuple[str, Map, Map, str], back: bool) -> None:
    sides = [with_service(fields, compose()) for fields in case[1:3]]
    old, new = reversed(sides) if back else sides
    starts = any(effect.restarts or effect.extra_pods for effect in between(old, new))
    assert verdicts(old, new) == {"api": "warm" if starts else "instant"}


def test_what_compose_does_not_hash_goes_back_at_once() -> None:
    one, three = (company({"api": {**SERVICE, **SMALL, "replicas": count}}, compose()) for count in (1, 3))
    assert lines(three, one) == ("compose: api 3 -> 1 container, those that stay are not restarted",)
    assert verdicts(three, one) == {"api": "instant"}
    assert verdicts(one, three) == {"api": "warm"}, "more of them have to start"
    redis = {**SERVICE, "image": "redis:7"}
    free, waits = (
        company({"api": {**SERVICE, **extra}, "redis": redis}, compose()) for extra in ({}, {"dependsOn": ["redis"]})
    )
    assert lines(waits, free) == ("compose: restarts nothing",)
    assert verdicts(waits, free) == {"api": "instant", "redis": "instant"}


def test_who_lives_in_a_container_goes_back_with_it() -> None:
    side = {"image": "ghcr.io/acme/side:1.0.0", **INSIDE}
    old, new = (company({"api": {**SERVICE, **extra}, "side": side}, compose()) for extra in ({}, NEXT))
    assert lines(old, new) == ("compose: recreates api, side, 2 of 2 services",)
    assert verdicts(new, old) == {"api": "warm", "side": "warm"}


def test_the_default_network_is_there_before_a_file_describes_it() -> None:
    plain: Map = {"name": "x", "services": {"api": {"image": "a:1"}}}
    described = {**plain, "networks": {"default": {"internal": True}}}
    assert fates(plain, described) == fates(described, plain) == {"api": "recreate"}
    assert fates(plain, {**plain, "networks": {"default": None}}) == {"api": "nothing"}


# --- helm

CHART: dict[str, Content] = {
    "charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n",
    "charts/app/templates/app.yaml": "kind: Deployment\n",
}
VALUES: Map = {
    "image": {"repository": "{{ service.image.repository }}", "tag": "{{ service.image.tag }}"},
    "replicas": "{{ service.replicas.min }}",
    "keep": {"a": 1},
}


def charted(extra: Map, *names: str, per: str = "release") -> dict[str, Content]:
    where = environment("production", targets={"helm": {"chart": "../../charts/app", "values": VALUES, "per": per}})
    return {**CHART, **company({name: {**SERVICE, **extra} for name in names or ("api",)}, where)}


def test_values_of_a_teams_own_chart() -> None:
    (effect,) = between(charted({}), charted(NEXT))
    assert effect.words == "values change at image.tag, 1 line; which objects restart is up to the chart"
    assert (effect.target, effect.kind, effect.restarts) == ("helm", "values", True)
    assert "image.tag and replicas, 2 lines" in between(charted({}), charted({**NEXT, "replicas": 2}))[0].words
    assert lines(charted({}), charted({"labels": {"a": "b"}})) == ("helm: restarts nothing",)


def test_values_of_each_service() -> None:
    effects = between(charted({}, "api", "web", per="service"), charted(NEXT, "api", "web", per="service"))
    assert [effect.service for effect in effects] == ["api", "web"]
    (went,) = between(charted({}, "api", "web", per="service"), charted({}, "api", per="service"))
    assert went.words == "helm/values-web.yaml goes; which objects restart is up to the chart"


# --- releases that come, go, or do not compile


def test_a_release_comes_and_goes() -> None:
    files = with_service({**STRATEGIES["stepped"], "replicas": 3})
    assert lines(None, files) == ("rollouts: Rollout recs-api comes: 3 pods",)
    assert lines(files, None) == ("rollouts: Rollout recs-api goes with its 3 pods",)
    assert lines(None, with_service(HELD, compose())) == ("compose: starts api, api-candidate and api-router",)
    assert lines(with_service({}, compose()), None) == ("compose: removes api",)
    assert impact(None, None) == ()


def test_a_service_that_is_new_in_a_release_takes_no_steps() -> None:
    old = company({"web": SERVICE})
    new = company({"web": SERVICE, "api": {**SERVICE, **STRATEGIES["stepped"]}})
    (effect,) = between(old, new)
    assert effect.words == "Rollout recs-api comes: 1 pod, without steps the first time"


def test_targets_come_and_go() -> None:
    both = {"rollouts": {"prometheus": "http://prometheus:9090"}, "compose": {}}
    old, new = (with_service({}, environment(targets=targets)) for targets in ({"rollouts": both["rollouts"]}, both))
    assert lines(old, new) == ("compose: starts api", "rollouts: restarts nothing")


def test_what_does_not_compile_is_unknown() -> None:
    broken = Compiler(tree(with_service({"nonsense": 1}))).compile().releases[0]
    good = made(with_service({}))
    assert broken.stopped
    for old, new, words in (
        (good, broken, "not known: the release does not compile"),
        (broken, good, "not known: the release does not compile before the change"),
    ):
        (effect,) = impact(old, new)
        assert (effect.kind, effect.words) == ("unknown", words)


def test_outputs_that_only_read_differently_restart_nothing() -> None:
    there = made(with_service({}))
    other = replace(there, files={path: b"# another header" + data for path, data in there.files.items()})
    assert summary(impact(there, other)) == ("rollouts: restarts nothing: the outputs only read differently",)


def test_what_compose_itself_does_not_look_at_restarts_nothing() -> None:
    there = made(with_service({}, compose()))
    documents = [{**(there.drafts[0].documents or [{}])[0], "x-note": "for people"}]
    other = replace(there, drafts=(replace(there.drafts[0], documents=documents),))
    assert summary(impact(there, other)) == ("compose: restarts nothing",)


def test_a_duration_of_a_template_s_own_counts_as_none() -> None:
    """A least that is too small stays true."""
    steps = {"strategy": {"canary": {"steps": [{"pause": "5m"}, {"pause": "7s"}]}}}
    old, new = made(with_service(steps)), made(with_service({**steps, **NEXT}))
    text = json.dumps(new.drafts[0].documents).replace('"5m"', '"1.5m"').replace('"7s"', '"30"')
    (effect,) = impact(old, replace(new, drafts=(replace(new.drafts[0], documents=json.loads(text)),)))
    assert effect.least_seconds == 30


# --- properties


@pytest.mark.parametrize(
    "where",
    [
        ISTIO,
        compose(
            targets={"compose": {}, "rollouts": {"prometheus": "http://p:9090"}},
            **{k: ISTIO[k] for k in ("analyses", "router", "expose")},
        ),
    ],
    ids=["rollouts", "both"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_restarts_nothing(strategy: str, where: Map) -> None:
    files = with_service(STRATEGIES[strategy], where)
    effects = between(files, files)
    assert {effect.kind for effect in effects} == {"nothing"}
    assert not any(effect.restarts for effect in effects)
    assert all(line.endswith(": restarts nothing") for line in summary(effects))


@pytest.mark.parametrize(("old", "new"), [*permutations(STRATEGIES, 2)])
@pytest.mark.parametrize("image", [{}, NEXT], ids=["same", "next"])
def test_every_changed_output_has_an_effect_and_every_restart_is_said(old: str, new: str, image: Map) -> None:
    where = compose(
        targets={"compose": {}, "rollouts": {"prometheus": "http://p:9090"}},
        **{key: ISTIO[key] for key in ("analyses", "router", "expose")},
    )
    before, after = made(with_service(STRATEGIES[old], where)), made(with_service({**STRATEGIES[new], **image}, where))
    effects = impact(before, after)
    for path in {*before.files, *after.files}:
        mine = [effect for effect in effects if effect.target == path.partition("/")[0]]
        changed = before.files.get(path) != after.files.get(path)
        assert mine
        assert not changed or any(effect.kind != "nothing" for effect in mine)
    assert restarted(effects) == restarted_by_bytes(before, after)


def restarted(effects: tuple[Effect, ...]) -> set[tuple[str, str]]:
    return {(effect.target, name) for effect in effects if effect.restarts for name in effect.names}


def restarted_by_bytes(before: CompiledRelease, after: CompiledRelease) -> set[tuple[str, str]]:
    """What `lock --upgrade` would say: workloads that are there on both sides and differ."""
    found = set()
    for path, data in after.files.items():
        if path.endswith(".yaml"):
            old, target = dict(workloads(before.files[path])), path.partition("/")[0]
            found |= {(target, name) for name, part in workloads(data) if name in old and old[name] != part}
    return found


@pytest.mark.parametrize(
    ("value", "replicas", "pods"),
    [("25%", 1, 1), ("25%", 4, 1), ("25%", 5, 2), ("0%", 5, 0), (3, 5, 3), ("100%", 3, 3)],
)
def test_a_surge_is_rounded_up(value: int | str, replicas: int, pods: int) -> None:
    assert surge(value, replicas) == pods


@pytest.mark.parametrize(
    ("total", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (1019, "16 min"), (3600, "1 h"), (7500, "2 h 5 min")],
)
def test_a_duration_never_says_more_than_it_is(total: int, words: str) -> None:
    assert duration(total) == words


# --- Compose itself

HASHED: Map = {
    "image": "a:1",
    "labels": {"a": "b"},
    "deploy": {"replicas": 1, "resources": {"limits": {"memory": "1g"}}},
    "depends_on": ["db"],
}
HASH_CHANGES: list[Map] = [
    {"image": "a:2"},
    {"labels": {"a": "c"}},
    {"deploy": {**HASHED["deploy"], "replicas": 3}},
    {"deploy": {"replicas": 1}},
    {"depends_on": []},
    {"build": {"context": "."}},
    {"stop_grace_period": "30s"},
    {"environment": {"A": "1"}},
    {"configs": [{"source": "c-1", "target": "/x"}]},
]


@pytest.mark.judge
@pytest.mark.parametrize("change", HASH_CHANGES, ids=str)
def test_what_recreates_a_container_is_what_compose_hashes(change: Map, tmp_path: Any) -> None:
    hashes = []
    for number, definition in enumerate((HASHED, {**HASHED, **change})):
        project = {
            "name": "x",
            "services": {"api": definition, "db": {"image": "d:1"}},
            "configs": {"c-1": {"content": "y"}},
        }
        file = tmp_path / f"{number}.yaml"
        file.write_text(json.dumps(project))
        answer = ask("docker-compose", "-f", str(file), "config", "--hash", "api", folder=tmp_path)
        assert answer.code == 0, answer.err
        hashes.append(answer.out)
    assert (hashes[0] != hashes[1]) == (service_hash(HASHED) != service_hash({**HASHED, **change}))

"""The `strategy` of a Rollout.

Sources of the rules: argo-rollouts pkg/apis/rollouts/validation (what the controller refuses), utils/replicaset/canary.go
(when steps are skipped), rollout/trafficrouting (which fields need a router), and trials on the real controller.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.resolve import ResolvedEnvironment, ResolvedService
from relspec.spec.environment import Analysis, AnalysisMetric
from relspec.spec.quantities import seconds
from relspec.spec.strategy import BlueGreen, Canary, Pause, Step
from relspec.targets.rollouts.storage import holds_a_disk

Map = dict[str, Any]

HASHES = {"stable-hash": "Stable", "canary-hash": "Latest"}
"""Arguments of an analysis that only the controller knows, and its names for them."""

NO_PODS = (0, "0%", "00%")
"""How a number of pods says none."""


def strategy(service: ResolvedService, name: str, environment: ResolvedEnvironment) -> Facet:
    """The strategy of the stable workload `name`.

    Held strategies are states of the route, so their Rollout is a plain one. With Istio every canary has the same
    traffic routing and Services, steps or not: an atomic switch, and a revert inside `warm` that starts no pod.
    """
    declared = service.strategy
    origin = (*service.path, "strategy")
    if service.spec.routing == "router":
        if declared.blue_green is not None:
            return _blue_green(declared.blue_green, name, environment, (*origin, "blueGreen"))
        if declared.canary is not None and declared.canary.steps is not None:
            return _canary(declared.canary, service, name, environment, (*origin, "canary"))
    return _canary(None, service, name, environment, (*origin, "canary"))


def candidate_strategy(service: ResolvedService) -> Facet:
    """The candidate's Rollout: plain, for the route alone decides what it gets."""
    return Facet({"canary": _surge(None, service)}, (*service.path, "strategy"))


def traffic_routing(service: ResolvedService, name: str, environment: ResolvedEnvironment) -> Map | None:
    """Who moves the traffic of a canary; None where pods do.

    Istio for fixed and stepped; under Gateway API only a stepped canary, by the controller's plugin. Held strategies
    have none: their weights belong to Git. Blue-green has none: Services switch, and the route names `n` alone. Nor has a service that holds a disk: with a router the controller ignores
    maxSurge and keeps all old pods beside the new ones (CalculateReplicaCountsForTrafficRoutedCanary).
    """
    router = environment.spec.router
    if router is None or service.route is None or service.split_by_router or holds_a_disk(service):
        return None
    if service.strategy.blue_green is not None:
        return None
    if router.istio is not None:
        return {"istio": {"virtualService": {"name": name, "routes": ["primary"]}}}
    stepped = service.strategy.canary is not None and service.strategy.canary.steps is not None
    if router.gateway is not None and stepped:
        settings = environment.kubernetes_target(service.targets)
        plugin = {"httpRoute": name, "namespace": settings.namespace if settings else "default"}
        return {"plugins": {"argoproj-labs/gatewayAPI": plugin}}
    return None


def _canary(
    canary: Canary | None, service: ResolvedService, name: str, environment: ResolvedEnvironment, origin: Path
) -> Facet:
    routing = traffic_routing(service, name, environment)
    found: Map = {}
    if routing is not None:
        found |= {"stableService": name, "canaryService": f"{name}-canary"}
    found |= _surge(canary, service)
    if routing is not None:
        rollback = environment.rollback
        found |= {
            "scaleDownDelaySeconds": seconds(rollback.warm),
            "scaleDownDelayRevisionLimit": 1,
            "abortScaleDownDelaySeconds": _abort_delay(environment),
            "trafficRouting": routing,
        }
    if canary is not None and canary.steps is not None:
        found["steps"] = [_step(step, name, environment) for step in canary.steps]
    renamed: dict[str, Path] = {
        "scaleDownDelaySeconds": ("environment", "rollback", "warm"),
        "abortScaleDownDelaySeconds": ("environment", "rollback", "abort"),
        "trafficRouting": ("environment", "router"),
    }
    return Facet({"canary": Facet(found, origin, renamed)}, origin)


def _surge(canary: Canary | None, service: ResolvedService) -> Map:
    """Pods above and below `replicas`, never both 0: the controller refuses that (InvalidMaxSurgeMaxUnavailable).

    A volume that one pod holds allows no second one beside it.
    """
    if holds_a_disk(service):
        return {"maxSurge": 0, "maxUnavailable": 1}
    surge = canary.max_surge if canary is not None and canary.max_surge is not None else "25%"
    unavailable = canary.max_unavailable if canary is not None else None
    if unavailable is None:
        unavailable = 1 if surge in NO_PODS else 0
    return {"maxSurge": surge, "maxUnavailable": unavailable}


def _abort_delay(environment: ResolvedEnvironment) -> int:
    """Seconds that a failed version's pods stay. The controller reads 0 as "for ever"."""
    return max(seconds(environment.rollback.abort), 1)


def _step(step: Step, name: str, environment: ResolvedEnvironment) -> Map:
    if step.set_weight is not None:
        return {"setWeight": step.set_weight}
    if step.pause is not None:
        return {"pause": {}} if isinstance(step.pause, Pause) else {"pause": {"duration": step.pause}}
    return {"analysis": _analysis_run(step.analyze or [], name, environment)}


def _blue_green(blue_green: BlueGreen, name: str, environment: ResolvedEnvironment, origin: Path) -> Facet:
    rollback = environment.rollback
    found: Map = {
        "activeService": name,
        "previewService": f"{name}-canary",
        "autoPromotionEnabled": blue_green.promote == "auto",
        "scaleDownDelaySeconds": seconds(rollback.warm),
        "scaleDownDelayRevisionLimit": 1,
        "abortScaleDownDelaySeconds": _abort_delay(environment),
    }
    analyze = blue_green.analyze
    if analyze is not None and analyze.before:
        found["prePromotionAnalysis"] = _analysis_run(analyze.before, name, environment)
    if analyze is not None and analyze.after:
        found["postPromotionAnalysis"] = _analysis_run(analyze.after, name, environment)
    renamed: dict[str, Path] = {
        "scaleDownDelaySeconds": ("environment", "rollback", "warm"),
        "abortScaleDownDelaySeconds": ("environment", "rollback", "abort"),
        "autoPromotionEnabled": (*origin, "promote"),
        "prePromotionAnalysis": (*origin, "analyze", "before"),
        "postPromotionAnalysis": (*origin, "analyze", "after"),
    }
    return Facet({"blueGreen": Facet(found, origin, renamed)}, origin)


def _analysis_run(names: list[str], name: str, environment: ResolvedEnvironment) -> Map:
    """Templates by name, with the hashes that their queries ask for."""
    analyses = environment.spec.analyses or {}
    wanted = [word for word in HASHES if any(_asks_for(analyses.get(analysis), word) for analysis in names)]
    run: Map = {"templates": [{"templateName": f"{name}-{analysis}"} for analysis in names]}
    if wanted:
        run["args"] = [{"name": word, "valueFrom": {"podTemplateHashValue": HASHES[word]}} for word in wanted]
    return run


def _asks_for(analysis: Analysis | None, argument: str) -> bool:
    return analysis is not None and any(argument in arguments(metric) for metric in metrics(analysis).values())


def metrics(analysis: Analysis) -> dict[str, AnalysisMetric]:
    """The queries of an analysis by name; a single one has no name yet ("")."""
    return {"": analysis} if isinstance(analysis, AnalysisMetric) else analysis.metrics


def arguments(metric: AnalysisMetric) -> tuple[str, ...]:
    """The arguments that a query names, in order: `{{args.service}}` is `service`."""
    return _arguments(metric.query)


@lru_cache(maxsize=1024)
def _arguments(query: str) -> tuple[str, ...]:
    words = (part.partition("}}")[0].strip() for part in query.split("{{")[1:] if "}}" in part)
    return tuple(dict.fromkeys(word.removeprefix("args.") for word in words if word.startswith("args.")))


def analysis_names(service: ResolvedService) -> list[str]:
    """The analyses that a service's strategy names, each once, in order."""
    declared = service.strategy
    found: list[str] = []
    if declared.canary is not None:
        for step in declared.canary.steps or ():
            found += step.analyze or ()
    if declared.blue_green is not None and declared.blue_green.analyze is not None:
        found += declared.blue_green.analyze.before or ()
        found += declared.blue_green.analyze.after or ()
    return list(dict.fromkeys(found))


def analysis_template(
    name: str, analysis_name: str, environment: ResolvedEnvironment, namespace: str, prometheus: str
) -> Facet:
    """The context of an AnalysisTemplate: its metrics, and the arguments that relspec fills."""
    origin: Path = ("environment", "analyses", analysis_name)
    analysis = (environment.spec.analyses or {})[analysis_name]
    if analysis is None:
        raise ValueError(f"analysis {analysis_name} was removed")
    queries = metrics(analysis)
    asked = list(dict.fromkeys(argument for metric in queries.values() for argument in arguments(metric)))
    values = {"service": name, "namespace": namespace}
    return Facet(
        {
            "name": f"{name}-{analysis_name}",
            "args": [{"name": a, "value": values[a]} if a in values else {"name": a} for a in asked] or None,
            "metrics": [
                _metric(
                    metric_name or analysis_name,
                    metric,
                    prometheus,
                    (*origin, "metrics", metric_name) if metric_name else origin,
                )
                for metric_name, metric in queries.items()
            ],
        },
        origin,
        {"name": origin, "args": origin},
    )


def _metric(name: str, metric: AnalysisMetric, prometheus: str, origin: Path) -> Facet:
    fields: Map = {
        "name": name,
        "initialDelay": metric.initial_delay,
        "interval": metric.interval,
        "count": metric.count,
        "successCondition": metric.success,
        "failureCondition": metric.failure,
        "failureLimit": metric.failure_limit,
        "inconclusiveLimit": metric.inconclusive_limit,
    }
    found = {key: value for key, value in fields.items() if value is not None}
    found["provider"] = {"prometheus": {"address": prometheus, "query": metric.query}}
    renamed = {
        "successCondition": (*origin, "success"),
        "failureCondition": (*origin, "failure"),
        "provider": (*origin, "query"),
    }
    return Facet(found, origin, renamed)

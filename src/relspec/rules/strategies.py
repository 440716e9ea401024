"""Which strategy can be had where. Sources: DESIGN's tables; argo-rollouts pkg/apis/rollouts/validation."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from relspec.diagnostics import Finding, Path
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.finding import at_environment, at_service
from relspec.spec.strategy import HELD, StickyBy
from relspec.targets.application_routing import VARIABLES
from relspec.targets.rollouts.routes import exposure
from relspec.targets.rollouts.strategies import analysis_names, arguments, metrics

ARGUMENTS = ("service", "namespace", "stable-hash", "canary-hash")


def runs_in_kubernetes(service: ResolvedService) -> bool:
    """Whether a target of Kubernetes runs this service."""
    return "rollouts" in service.targets or "helm" in service.targets


def has_own_chart(release: ResolvedRelease, service: ResolvedService) -> bool:
    """Whether a team's own chart makes the objects of a service, and so decides who splits its traffic."""
    if "rollouts" in service.targets or "helm" not in service.targets:
        return False
    settings = release.environment.targets.helm
    return bool((settings and settings.chart) or (release.helm and release.helm.chart))


def relspec_writes_objects(release: ResolvedRelease, service: ResolvedService) -> bool:
    """Whether the Kubernetes objects of a service are relspec's own: the rollouts target's, or the packaged chart's."""
    return runs_in_kubernetes(service) and not has_own_chart(release, service)


def candidates(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS303: a candidate and a held strategy need each other."""
    held = service.strategy.name in HELD
    if service.spec.candidate is not None and not held and service.spec.active is None:
        yield at_service(
            service,
            "RS303",
            ("candidate",),
            "a candidate needs a strategy that gives it traffic",
            _for_the_candidate(service),
            "key",
        )
    if held and service.spec.candidate is None:
        message = f"{service.strategy.name} needs a candidate"
        yield at_service(service, "RS303", ("strategy",), message, "add candidate: {model: <model>@<version>}", "key")


def _for_the_candidate(service: ResolvedService) -> str:
    """What to write for a candidate's traffic: `strategy` can't be added where it stands already."""
    there = {"stepped": "canary.steps", "blueGreen": "blueGreen"}.get(service.strategy.name)
    if there is None and "strategy" in service.layers.merged:
        there = "the empty strategy"
    if there is None:
        return "add strategy: {canary: {weight: 10}}, abTest or shadow"
    if service.where(("strategy",)).file != service.where(("candidate",)).file:
        removed = (
            "canary: {steps: null, weight: 10}" if there == "canary.steps" else "blueGreen: null, canary: {weight: 10}"
        )
        return f"add strategy: {{{removed}}} beside the candidate, or remove it"
    return f"write strategy: {{canary: {{weight: 10}}}} in place of {there}, or remove the candidate"


def sticky(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS310: an A/B test keeps users apart by something. RS311: parity halves."""
    declared = service.strategy
    if declared.ab_test is not None and declared.ab_test.sticky_by is None and service.spec.routing == "router":
        router = release.environment.spec.router
        hint = "add stickyBy: {header: x-user-id, bucket: mod100}"
        if router is not None and router.gateway is not None and relspec_writes_objects(release, service):
            hint = "add routing: app, for Gateway API can't keep users on one side"
        yield at_service(service, "RS310", ("strategy", "abTest"), "an A/B test needs stickyBy", hint, "key")
    path, sticky_by, weight = _sticky(service)
    if sticky_by is not None and sticky_by.bucket == "parity" and weight != 50:
        message = f"parity splits in halves; it can't give {weight} percent"
        yield at_service(service, "RS311", (*path, "weight"), message, "write weight: 50, or bucket: mod100")


def _sticky(service: ResolvedService) -> tuple[Path, StickyBy | None, int]:
    declared = service.strategy
    if declared.canary is not None and declared.canary.weight is not None:
        return ("strategy", "canary"), declared.canary.sticky_by, declared.canary.weight
    if declared.ab_test is not None:
        return ("strategy", "abTest"), declared.ab_test.sticky_by, declared.ab_test.weight
    return ("strategy",), None, 0


def routers(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS330: a split that nobody makes. RS331: a bucket that the router can't do. RS312: a Gateway without a host."""
    router = release.environment.spec.router
    if service.spec.routing == "app" or not relspec_writes_objects(release, service):
        return
    if router is not None and router.gateway is not None and service.route and exposure(release, service) is None:
        yield at_service(
            service,
            "RS312",
            (),
            f"{service.name} has a route, but the environment gives it no host at the Gateway",
            f"add expose: {{{release.id}/{service.name}: {{host: …}}}} to the environment, or remove the http port",
            "key",
        )
    path, sticky_by, _ = _sticky(service)
    # Without a candidate, or a strategy for it, there is nothing to split yet: RS303 says so.
    if service.split_by_router and service.strategy.name in HELD and router is None:
        yield at_service(
            service,
            "RS330",
            ("strategy",),
            f"nobody splits the traffic of {service.name} in {release.environment.path}",
            "add router: {istio: {}} or router: {gateway: …} to the environment, or routing: app",
            "key",
        )
    if router is None or sticky_by is None:
        return
    if router.istio is not None and sticky_by.bucket == "hash":
        message = "Istio can't split by the hash of a header"
        hint = "use bucket: mod100, parity or hex256, or routing: app"
        yield at_service(service, "RS331", (*path, "stickyBy", "bucket"), message, hint)
    if router.gateway is not None:
        message = "Gateway API can't keep users on one side"
        yield at_service(service, "RS331", (*path, "stickyBy"), message, "remove stickyBy, or use routing: app")


def processes_in_compose(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS332, RS333: compose shows a stepped canary or blue-green as fixed."""
    if service.strategy.name not in ("stepped", "blueGreen") or "compose" not in service.targets:
        return
    if runs_in_kubernetes(service):
        rollout = "stepped rollout" if service.strategy.name == "stepped" else "blue-green switch"
        message = f"compose runs {service.name} as fixed: compose has no {rollout}"
        yield at_service(
            service, "RS333", ("strategy",), message, "nothing to do: another target runs the strategy", "key"
        )
    else:
        message = f"compose can't run {service.strategy.name}, and no other target runs {service.name}"
        yield at_service(
            service,
            "RS332",
            ("strategy",),
            message,
            "use a held canary (candidate and weight), or remove strategy",
            "key",
        )


def shadow_writes(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS334: POST bodies are copied too."""
    shadow = service.strategy.shadow
    if shadow is not None and shadow.writes is None and service.spec.routing == "router":
        yield at_service(
            service,
            "RS334",
            ("strategy", "shadow"),
            "the candidate gets copies of POST requests and may write what they say",
            "give it a store of its own, then add writes: allowed",
            "key",
        )


def application_routing(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS337, RS338: what the application can be told by its environment variables, and no more. RS208: no version."""
    if service.spec.routing != "app":
        return
    if service.model is None:
        message = f"{service.name} has no model, so MODEL_VERSION would be empty"
        hint = "add model: <model>@<version>, or remove routing: app"
        yield at_service(service, "RS208", ("routing",), message, hint)
    candidate = service.spec.candidate
    if candidate is not None:
        for field in sorted(candidate.model_fields_set - {"model"}):
            name = type(candidate).model_fields[field].alias or field
            message = f"under routing: app a candidate may set only model, not {name}"
            yield at_service(service, "RS337", ("candidate", name), message, "remove it, or use routing: router", "key")
    path, sticky_by, weight = _sticky(service)
    if sticky_by is not None:
        message = "under routing: app the application decides by itself who is on which side"
        yield at_service(
            service, "RS337", (*path, "stickyBy"), message, "remove stickyBy, or use routing: router", "key"
        )
    if service.strategy.ab_test is not None and weight != 50:
        message = "under routing: app an A/B test has 50 percent"
        yield at_service(service, "RS337", (*path, "weight"), message, "write weight: 50, or use routing: router")
    if service.strategy.name in ("stepped", "blueGreen"):
        message = f"{service.strategy.name} moves traffic by a router, not by the application"
        yield at_service(service, "RS337", ("strategy",), message, "remove routing: app, or use a held strategy", "key")
    for name in VARIABLES:
        if name in (service.spec.env or {}):
            message = f"{name} is set by relspec under routing: app"
            yield at_service(service, "RS338", ("env", name), message, "remove it", "key")


def workers(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS341: without a port there is no traffic to split."""
    if service.spec.routing == "app":
        return
    name = service.strategy.name
    if not service.spec.ports and name not in ("fixed", "stepped"):
        message = f"{service.name} has no port, so there is no traffic for {name}"
        yield at_service(service, "RS341", ("strategy",), message, "use steps, remove strategy, or add ports", "key")
    elif service.route is None and name in HELD:
        message = f"{service.name} has no http or grpc port that a router could serve"
        yield at_service(service, "RS341", ("strategy",), message, "add an http port, or name one with route", "key")


def analyses(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS306: an analysis that the environment does not have. RS307: nobody to ask."""
    if not runs_in_kubernetes(service):
        return
    known = release.environment.spec.analyses or {}
    for path, names in _analysis_runs(service):
        for index, name in enumerate(names):
            if known.get(name) is None:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"its analyses: {', '.join(known) or 'none'}"
                message = f"{release.environment.path} has no analysis {name}"
                yield at_service(service, "RS306", (*path, index), message, hint)
    yield from _metrics_twice(release, service)
    settings = release.environment.kubernetes_target(service.targets)
    own_chart = has_own_chart(release, service)
    if analysis_names(service) and not own_chart and (settings is None or settings.prometheus is None):
        yield at_service(
            service,
            "RS307",
            _analysis_path(service, analysis_names(service)[0]),
            f"{release.environment.path} has no Prometheus to ask",
            f"add prometheus: http://… to targets.{'rollouts' if 'rollouts' in service.targets else 'helm'} of the environment",
        )


def _metrics_twice(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS305: analyses of one run that name a metric alike: the controller flattens them and refuses the run.

    Source: argo-rollouts utils/analysis/helpers.go, FlattenTemplates.
    """
    known = release.environment.spec.analyses or {}
    for path, names in _analysis_runs(service):
        seen: dict[str, str] = {}
        for index, name in enumerate(names):
            analysis = known.get(name)
            for metric in metrics(analysis) if analysis is not None else ():
                other = seen.setdefault(metric or name, name)
                if other != name:
                    message = f"{name} and {other} both have a metric {metric or name}"
                    hint = "rename one of the metrics, or analyze in two steps"
                    yield at_service(service, "RS305", (*path, index), message, hint)


def _analysis_runs(service: ResolvedService) -> Iterator[tuple[Path, list[str]]]:
    """The analyses that run together, with where they are named."""
    declared = service.strategy
    for index, step in enumerate((declared.canary.steps if declared.canary else None) or ()):
        yield ("strategy", "canary", "steps", index, "analyze"), step.analyze or []
    analyze = declared.blue_green.analyze if declared.blue_green else None
    for side in ("before", "after"):
        yield ("strategy", "blueGreen", "analyze", side), getattr(analyze, side, None) or []


def _analysis_path(service: ResolvedService, name: str) -> Path:
    declared = service.strategy
    if declared.canary is not None:
        for index, step in enumerate(declared.canary.steps or ()):
            if name in (step.analyze or ()):
                return ("strategy", "canary", "steps", index, "analyze", (step.analyze or []).index(name))
    analyze = declared.blue_green.analyze if declared.blue_green else None
    for side in ("before", "after"):
        names = getattr(analyze, side, None) or []
        if name in names:
            return ("strategy", "blueGreen", "analyze", side, names.index(name))
    return ("strategy",)


def analysis_arguments(release: ResolvedRelease) -> Iterator[Finding]:
    """RS308: an argument of a query that relspec does not fill."""
    for name, analysis in (release.environment.spec.analyses or {}).items():
        if analysis is None:
            continue
        for metric_name, metric in metrics(analysis).items():
            path: Path = (
                ("analyses", name, "metrics", metric_name, "query") if metric_name else ("analyses", name, "query")
            )
            for argument in arguments(metric):
                if argument not in ARGUMENTS:
                    message = f"the query asks for args.{argument}, which relspec does not fill"
                    hint = "known: " + ", ".join(f"args.{known}" for known in ARGUMENTS)
                    yield at_environment(release.environment, "RS308", path, message, hint)


def steps(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS309: a canary that goes down again on its way up."""
    canary = service.strategy.canary
    before = -1
    for index, step in enumerate((canary.steps if canary else None) or ()):
        if step.set_weight is None:
            continue
        if step.set_weight < before:
            path: Path = ("strategy", "canary", "steps", index, "setWeight")
            message = f"this step goes down from {before} to {step.set_weight}"
            yield at_service(service, "RS309", path, message, "put the steps in rising order")
        before = step.set_weight


def active_variant(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS350: an emergency fallback must not canary for a quarter of an hour."""
    if service.active is not None:
        message = (
            f"the variant {service.active} is in use: {service.name} is rendered as fixed, without steps or candidate"
        )
        yield at_service(service, "RS350", ("active",), message, "remove the line to go back")


def inner_calls(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS351: in compose only what passes the router is split."""
    callers = [other.name for other in release.services.values() if service.name in other.spec.depends_on]
    if "compose" in service.targets and service.split_by_router and callers:
        message = f"calls from {', '.join(callers)} inside the compose project reach stable only"
        yield at_service(
            service, "RS351", ("candidate",), message, f"call {service.name}-router to share the split", "key"
        )

"""Semantic checks: small functions that look at a resolved release and yield findings.

A rule says where by a path and never by a position. Four kinds of rules: about one service as a whole (its strategy, its
place among the others), about one workload of it (stable, the candidate, each variant), about one release, and about the
repository.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from relspec.diagnostics import Finding, Where
from relspec.discovery import Found
from relspec.resolve import ResolvedRelease, ResolvedService, Resolver
from relspec.rules import (
    allowances,
    compose,
    exposure,
    helm,
    models,
    pods,
    policies,
    repository,
    services,
    strategies,
    targets,
)

ServiceRule = Callable[[ResolvedRelease, ResolvedService], Iterator[Finding]]
ReleaseRule = Callable[[ResolvedRelease], Iterator[Finding]]

SERVICE_RULES: tuple[ServiceRule, ...] = (
    services.names,
    services.dropped_dependencies,
    strategies.candidates,
    strategies.sticky,
    strategies.routers,
    strategies.processes_in_compose,
    strategies.shadow_writes,
    strategies.application_routing,
    strategies.workers,
    strategies.analyses,
    strategies.steps,
    strategies.active_variant,
    strategies.inner_calls,
    targets.one_kubernetes_target,
    targets.left_out,
    targets.overrides_of_nothing,
    compose.published_replicas,
    pods.disks,
    models.interfaces,
)

WORKLOAD_RULES: tuple[ServiceRule, ...] = (
    services.ports,
    services.named_ports,
    services.companions,
    services.labels,
    services.verifications,
    services.shutdown,
    services.secrets,
    services.paths,
    targets.probe_tools,
    targets.compose_only,
    targets.overrides,
    targets.surge,
    compose.inline_files,
    compose.defaults,
    compose.accelerators,
    compose.overrides_of_one_container,
    compose.host_paths,
    compose.tmpfs_paths,
    compose.steering_variables,
    pods.cpu_limits,
    pods.probe_times,
    pods.root_user,
    pods.scaled_resources,
    pods.port_names,
    models.hardware,
    models.verifications,
)

INSISTED_OF_SERVICES: tuple[ServiceRule, ...] = (
    models.pinned,
    policies.router_digest,
    policies.replicas,
    policies.resources,
    policies.health,
)
"""What an environment wants of what it runs: nothing of a service that no target of it has."""

INSISTED_OF_WORKLOADS: tuple[ServiceRule, ...] = (models.lifecycle, models.lineage, policies.digests)

RELEASE_RULES: tuple[ReleaseRule, ...] = (
    services.published_ports,
    services.dependencies,
    services.secret_variables,
    services.secrets_of_release,
    strategies.analysis_arguments,
    exposure.placeholders,
    exposure.without_a_way_in,
    targets.no_output,
    targets.kubernetes_version,
    allowances.allowances,
    targets.release_overrides,
    helm.chart_and_values,
    helm.release_templates,
    helm.reference_overrides,
)


OF_ITSELF: tuple[ServiceRule, ...] = (
    services.names,
    services.ports,
    services.named_ports,
    services.companions,
    services.labels,
    services.shutdown,
    services.secrets,
    services.paths,
    strategies.candidates,
)
"""What can be said of a service whose model, image or variants are not known."""

OF_SOME_SERVICES: tuple[ReleaseRule, ...] = (
    services.published_ports,
    services.dependencies,
    services.secret_variables,
    services.secrets_of_release,
    exposure.placeholders,
    targets.kubernetes_version,
    allowances.allowances,
)
"""What can be said of a release whose services are not all known."""


RUNNING = (*SERVICE_RULES, *INSISTED_OF_SERVICES), (*WORKLOAD_RULES, *INSISTED_OF_WORKLOADS)

LEFT_OUT = SERVICE_RULES, WORKLOAD_RULES


def check_release(release: ResolvedRelease) -> Iterator[Finding]:
    """Everything that the rules have to say about one release."""
    for service in release.services.values():
        yield from _of_service(release, service)
    for release_rule in RELEASE_RULES:
        yield from release_rule(release)


def _of_service(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    of_service, of_workload = RUNNING if service.targets else LEFT_OUT
    for rule in of_service:
        yield from rule(release, service)
    yield from _of_workloads(release, service, of_workload)


def check_unresolved(release: ResolvedRelease) -> Iterator[Finding]:
    """What the rules have to say about a release that has errors: all that those errors leave no doubt of."""
    for service in release.services.values():
        if service.name in release.unsound:
            for rule in OF_ITSELF:
                yield from rule(release, service)
        else:
            yield from _of_service(release, service)
    for release_rule in OF_SOME_SERVICES:
        yield from release_rule(release)


def _of_workloads(
    release: ResolvedRelease, service: ResolvedService, rules: Sequence[ServiceRule]
) -> Iterator[Finding]:
    """What the rules say of each workload; of a candidate or variant only what was not said of the ones before."""
    if service.candidate is None and not service.variants:
        for rule in rules:
            yield from rule(release, service)
        return
    said: set[tuple[str, Where]] = set()
    for workload, _ in models.workloads(service):
        found = [finding for rule in rules for finding in rule(release, workload)]
        new = [finding for finding in found if (finding.code, finding.where) not in said]
        said.update((finding.code, finding.where) for finding in new)
        yield from new


def check_repository(
    resolver: Resolver, found: Found, releases: Sequence[ResolvedRelease], *, whole: bool
) -> Iterator[Finding]:
    """Everything that only shows across releases; `whole` says that all of them are given."""
    yield from repository.object_names(releases)
    yield from repository.addresses(releases)
    yield from repository.host_ports(releases)
    yield from repository.unknown_uses(found, releases)
    yield from services.secrets_of_environments(releases)
    if whole:
        yield from exposure.unknown_keys(found, releases)
        yield from repository.ignored_env_files(resolver, releases)

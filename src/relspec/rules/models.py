"""What the registry says about the versions that run: lifecycle, quarantine, hardware, interface, lineage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from relspec.diagnostics import Finding, Related, Where
from relspec.registry.interface import compare
from relspec.registry.records import ResolvedModel, model_file
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.finding import at_service
from relspec.spec.quantities import size

ARCH_LABEL = "kubernetes.io/arch"


def workloads(service: ResolvedService) -> Iterator[tuple[ResolvedService, str]]:
    """Every version that a service runs or can be switched to, with what it is."""
    yield service, "variant" if service.active else "stable"
    if service.candidate is not None:
        yield service.candidate, "candidate"
    for name, variant in service.variants.items():
        if name != service.active:
            yield variant, "variant"


def lifecycle(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS410 archived, RS411 quarantined, RS412 deprecated; of a variant not in use too, for it is an emergency lever."""
    model = service.model
    if model is None:
        return
    name = f"{model.name} {model.version}"
    if model.lifecycle == "archived":
        found = at_service(service, "RS410", ("model",), f"{name} is archived", "choose a version that is not")
        yield _by_alias(found, model)
    if model.lifecycle == "deprecated":
        found = at_service(service, "RS412", ("model",), f"{name} is deprecated", "plan the move to a newer version")
        yield _by_alias(found, model)
    if model.quarantine is not None:
        message = f"{name} is quarantined since {model.quarantine.since}: {model.quarantine.reason}"
        lift = f'relspec model quarantine {model.name} {model.version} --lift "REASON"'
        hint = f"choose another version, or lift it: {lift}"
        yield _by_alias(at_service(service, "RS411", ("model",), message, hint), model)


def _by_alias(finding: Finding, model: ResolvedModel) -> Finding:
    """The finding, with the place that made an alias mean this version."""
    if model.alias is None:
        return finding
    where = Where(model_file(model.name), ("aliases", model.alias))
    return replace(finding, related=(*finding.related, Related("the alias is defined here", where)))


def pinned(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS420: where versions are pinned, no alias decides what runs, and nothing under evaluation is stable."""
    if not release.environment.policies.pinned:
        return
    for workload, role in workloads(service):
        model = workload.model
        if model is None:
            continue
        if model.alias is not None:
            message = f"{release.environment.path} wants exact versions, and {model.alias} is an alias"
            hint = f"write {model.name}@{model.version}, which it means now"
            yield at_service(workload, "RS420", ("model",), message, hint)
        if model.lifecycle == "candidate" and role != "candidate":
            message = f"{model.name} {model.version} is still a candidate"
            hint = "run it as the service's candidate, or promote it in model.yaml"
            yield at_service(workload, "RS420", ("model",), message, hint)


def hardware(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS413: an accelerator, memory or architecture that the model needs and the service does not ask for."""
    model = service.model
    needs = model.record.hardware if model else None
    if model is None or needs is None:
        return
    name = f"{model.name} {model.version}"
    has = service.spec.accelerators
    if needs.accelerator is not None and (has is None or has.resource != needs.accelerator):
        message = f"{name} needs {needs.accelerator}, and {service.name} asks for {has.resource if has else 'none'}"
        hint = f"add resources: {{gpu: {{count: 1, resource: {needs.accelerator}}}}}, or choose a version without it"
        yield at_service(service, "RS413", ("model",), message, hint)
    memory = service.spec.resources.memory if service.spec.resources else None
    if needs.memory is not None and memory is not None and size(memory) < size(needs.memory):
        message = f"{name} needs {needs.memory} of memory, and {service.name} has {memory}"
        yield at_service(service, "RS413", ("resources", "memory"), message, f"write memory: {needs.memory} or more")
    yield from _architecture(service, model, name)


def _architecture(service: ResolvedService, model: ResolvedModel, name: str) -> Iterator[Finding]:
    arch = model.record.hardware.arch if model.record.hardware else None
    placement = service.spec.placement
    wanted = ((placement.node_selector if placement else None) or {}).get(ARCH_LABEL)
    if arch and wanted is not None and wanted not in arch:
        message = f"{name} runs on {', '.join(arch)}, and {service.name} is placed on {wanted}"
        path = ("placement", "nodeSelector", ARCH_LABEL)
        yield at_service(service, "RS413", path, message, f"place it on {arch[0]}")


def interfaces(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS414, RS415: two versions that answer the same callers must take and give the same."""
    if service.model is None or service.candidate is None or service.candidate.model is None:
        return
    old, new = service.model, service.candidate.model
    result = compare(_interface(old), _interface(new))
    if result.verdict == "compatible" or not result.declared:
        return
    what = "; ".join([change.message for change in result.changes if change.effect == result.verdict][:3])
    if result.verdict == "breaking":
        message = f"{new.name} {new.version} breaks the interface of {old.version}: {what}"
        hint = "callers can't use both: give the new version an endpoint of its own"
        yield at_service(service.candidate, "RS414", ("model",), message, hint)
    else:
        message = f"whether {new.name} {new.version} fits the interface of {old.version} is not known: {what}"
        yield at_service(service.candidate, "RS415", ("model",), message, "compare the two by hand")


def _interface(model: ResolvedModel) -> dict[str, Any] | None:
    interface = model.record.interface
    return None if interface is None else interface.model_dump(exclude_none=True)


def lineage(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS422: a version is code, data and configuration, and the environment that it runs in."""
    if not release.environment.policies.require_lineage:
        return
    model = service.model
    if model is None:
        return
    missing = [part for part in ("code", "data", "config", "runtime") if getattr(model.record, part) is None]
    if missing:
        message = f"{model.name} {model.version} does not say its {', '.join(missing)}"
        hint = f"register a version whose record has them; {model.file} itself is never edited"
        yield at_service(service, "RS422", ("model",), message, hint)


def verifications(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS208: without a model nothing says what the live server should answer."""
    for index, check in enumerate(service.spec.verify or ()):
        if check.path is not None and check.field is not None and check.equals is None and service.model is None:
            message = f"{service.name} has no model, so verify needs equals"
            yield at_service(service, "RS208", ("verify", index, "field"), message, "add equals: …")

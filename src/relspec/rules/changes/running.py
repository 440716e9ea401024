"""What runs a version of a model, or can be switched to it, in a tree."""

from __future__ import annotations

from msgspec import Struct

from relspec.rules.changes.reach import mentioning
from relspec.rules.changes.side import Side, workloads


class Running(Struct, frozen=True):
    """Something that runs a version, or can be switched to it: `label` is how people call it (`api candidate`)."""

    release: str
    service: str
    label: str

    def __str__(self) -> str:
        return f"{self.release} ({self.label})"


def running(side: Side, model: str, version: str) -> tuple[tuple[Running, ...], tuple[str, ...]]:
    """What runs a version, sorted by release; and the releases that name the model and do not resolve."""
    found: list[Running] = []
    unknown: list[str] = []
    for name in sorted(mentioning(side, f"{model}@")):
        release = side.release(name)
        if release is None:
            unknown.append(name)
            continue
        for service in release.services.values():
            for label, workload in workloads(service):
                used = workload.model
                if used is not None and (used.name, used.version) == (model, version):
                    found.append(Running(name, service.name, label))
    return tuple(found), tuple(unknown)


def aliases(side: Side, model: str, version: str) -> tuple[str, ...]:
    """The aliases of a model that mean a version, as model.yaml lists them."""
    said = side.model(model)
    return tuple(name for name, meant in (said.aliases or {}).items() if meant == version) if said is not None else ()

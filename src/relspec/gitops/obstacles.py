"""What stands in the way of going back whatever the time, and what one should know: models, interfaces, secrets.

Policy never blocks a restoration (DESIGN 6): an archived or deprecated version is said, not refused. A quarantined one is
refused by `check`, and callers that need the newer interface must go back too. Configuration needs no rule: it comes back
with the objects, under names made from its content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, field

from relspec.compiler import CompiledRelease
from relspec.gitops.schedule import Situation
from relspec.registry.interface import Comparison
from relspec.registry.records import ResolvedModel
from relspec.resolve import ResolvedRelease, ResolvedService, Secret
from relspec.rules.changes.interfaces import answered, together
from relspec.rules.changes.side import Side, workloads
from relspec.spec.registry import Model
from relspec.spec.service import FromSecret


class Context(Struct, frozen=True):
    """What lies outside a release's own history.

    `dependents`: for each service the ids of the releases whose `uses` names this one. `models`: today's model.yaml by
    model; where one is missing, the one that the newest revision saw counts. `application`: Argo CD's Application that
    deploys the release; default: the outermost environment's name, as `init` writes it. `along`: the ids of the other
    releases that go back in the same commit.
    """

    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    application: str = ""
    along: tuple[str, ...] = ()


def context(
    side: Side,
    old: CompiledRelease | None,
    new: CompiledRelease | None,
    callers: Callable[[str], tuple[str, ...]],
    along: tuple[str, ...] = (),
) -> Context:
    """Which releases call a release, and what today's registry says of the models that it has before and after.

    `side` is today's tree; `callers` gives the ids of the releases that call one.
    """
    if new is None or new.release is None:
        return Context()
    releases = [each.release for each in (old, new) if each is not None and each.release is not None]
    every = [workload for release in releases for each in release.services.values() for _, workload in workloads(each)]
    names = {workload.model.name for workload in every if workload.model is not None}
    models = {name: model for name in sorted(names) if (model := side.model(name)) is not None}
    versions = {(each.name, each.model.name, each.model.version) for each in every if each.model is not None}
    # Who calls only matters where another version may answer: finding out reads every spec.
    known = tuple(callers(new.place.id)) if len(versions) > len({one[0] for one in versions}) else ()
    return Context(dependents=dict.fromkeys(new.release.services, known), models=models, along=along)


class Return(Struct, frozen=True):
    """A service that goes back from `now` to `then`, each in its release."""

    now: ResolvedService
    then: ResolvedService
    release: ResolvedRelease
    later: Context

    @property
    def assumes(self) -> frozenset[str]:
        """What a start of its pods takes for granted beside the artifact."""
        return frozenset({"A9"} if _secrets(self.then) else ()) | frozenset({"A7"} if self.other_version else ())

    @property
    def other_version(self) -> bool:
        """Whether another model, or another version of it, answers the callers then."""
        now, then = self.now.model, self.then.model
        return now is not None and then is not None and (now.name, now.version) != (then.name, then.version)

    @property
    def dependents(self) -> tuple[str, ...]:
        """The other releases that call the service."""
        known = set(self.later.dependents.get(self.then.name, ()))
        return tuple(sorted(known - {self.release.id, *self.later.along}))

    @property
    def needed(self) -> tuple[str, ...]:
        """Those of them that must go back too: the ones for which its interface breaks."""
        found = self.comparison()
        return self.dependents if found is not None and found.verdict == "breaking" else ()

    def model_file(self, model: ResolvedModel) -> Model:
        """Today's model.yaml: the caller's, else the newest one that the service itself saw."""
        seen = {one.name: one.model for one in _models(self.now)}
        return self.later.models.get(model.name) or seen.get(model.name) or model.model

    def returning(self) -> Iterator[ResolvedModel]:
        """The model versions that do not run now and come back, the candidate's too."""
        running = {(one.name, one.version) for one in _models(self.now)}
        return (one for one in _models(self.then) if (one.name, one.version) not in running)

    def comparison(self) -> Comparison | None:
        """What the callers see of the interface's way back; None where it is the same version."""
        if not self.other_version or self.now.model is None or self.then.model is None:
            return None
        return answered(self.now.model, self.then.model)


def obstacle(way: Return) -> Situation | None:
    """What blocks going back at any time; None where nothing does."""
    return quarantined(way) or coordinated(way)


def quarantined(way: Return) -> Situation | None:
    """The version to go back to is quarantined today: `check` lets nothing move to it until that is lifted (RS411)."""
    for model in way.returning():
        entry = (way.model_file(model).quarantine or {}).get(model.version)
        if entry is not None and entry.lifted is None:
            why = (
                f"{model.name} {model.version} is quarantined since {entry.since}: {entry.reason}; "
                f'choose another version, or lift it: relspec model quarantine {model.name} {model.version} --lift "REASON"'
            )
            return Situation("blocked", why)
    return None


def coordinated(way: Return) -> Situation | None:
    """Going back across a breaking change of the interface takes along the releases that use this one."""
    found = way.comparison()
    if found is None or not way.needed:
        return None
    why = f"needs a coordinated change with {', '.join(way.needed)}: {_versions(way)} breaks the interface"
    action = together((way.release.id, *(name for name in way.later.along if name != way.release.id), *way.needed))
    return Situation("blocked", f"{why} ({_first(found, 'breaking')})", action=action)


def notes(way: Return) -> Iterator[str]:
    """What one should know beside the verdict."""
    name = way.then.name
    for model in way.returning():
        stage = (way.model_file(model).lifecycle or {}).get(model.version)
        if stage == "archived":
            yield f"{name}: {model.name} {model.version} is archived: its artifact may be gone (A6)"
        elif stage == "deprecated":
            yield f"{name}: {model.name} {model.version} is deprecated, which does not hold up a restoration"
    found = way.comparison()
    if found is not None and found.verdict == "breaking" and not way.later.dependents.get(name):
        breach = _first(found, "breaking")
        yield f"{name}: {_versions(way)} breaks the interface ({breach}), and no release says that it uses it (A7)"
    elif found is not None and found.verdict == "unknown" and found.declared:
        doubt = _first(found, "unknown")
        yield f"{name}: whether {_versions(way)} breaks the interface is not known ({doubt}) (A7)"
    yield from _secret_notes(way)
    if way.now.active != way.then.active:
        yield f"{name}: {_variant(way.now)} runs now, {_variant(way.then)} comes back"


def _secret_notes(way: Return) -> Iterator[str]:
    """Secrets live outside Git: a revert names the old one again, and does not bring it back."""
    before, after = _secrets(way.now), _secrets(way.then)
    for variable, key in after.items():
        if before.get(variable) != key:
            yield f"{way.then.name}: {variable} reads the secret {key} again, which must still be there (A9)"


def _secrets(service: ResolvedService) -> dict[str, str]:
    """The secrets that a service, what runs beside it, and its candidate read, by variable."""
    found = {name: f"{value.name}/{value.key}" for name, value in service.env.items() if isinstance(value, Secret)}
    for companion in (*(service.spec.init or ()), *(service.spec.sidecars or ())):
        for name, written in (companion.env or {}).items():
            if isinstance(written, FromSecret):
                found[f"{companion.name}'s {name}"] = written.secret
    if service.candidate is not None:
        found |= {f"the candidate's {name}": key for name, key in _secrets(service.candidate).items()}
    return found


def _models(service: ResolvedService) -> Iterator[ResolvedModel]:
    for workload in (service, service.candidate):
        if workload is not None and workload.model is not None:
            yield workload.model


def _versions(way: Return) -> str:
    now, then = way.now.model, way.then.model
    if now is None or then is None:
        return ""
    return (
        f"going back from {now.name} {now.version} to {'' if now.name == then.name else f'{then.name} '}{then.version}"
    )


def _first(found: Comparison, effect: str) -> str:
    return next(change.message for change in found.changes if change.effect == effect)


def _variant(service: ResolvedService) -> str:
    return "the service itself" if service.active is None else f"the variant {service.active}"

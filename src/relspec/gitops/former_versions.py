"""Which versions of a model the last states of a release ran: what archiving one, or leaving one, has to know."""

from __future__ import annotations

import shlex
from itertools import islice

from msgspec import Struct

from relspec.deployments import before, standings
from relspec.diagnostics import RelspecError
from relspec.discovery import Place
from relspec.gitops.declared import Declared
from relspec.gitops.states import History, State
from relspec.rules.changes import Running, Side, aliases, running

MOST_STATES = 20
"""How many states back a way out of a quarantined version is looked for."""


class StillRunning(Struct, frozen=True):
    """Where a version that must not come back still runs: what means it, what runs it, the lines to type that leave it.

    `unknown` are releases that may run it, and do not resolve.
    """

    aliases: tuple[str, ...]
    users: tuple[Running, ...]
    ways_out: tuple[str, ...]
    unknown: tuple[str, ...]


def still_running(side: Side, history: History | None, model: str, version: str, reason: str) -> StillRunning:
    """Where a version runs in a tree, and how each of these is taken off it. `history` is that of HEAD, where there is
    one."""
    users, unknown = running(side, model, version)
    lines = [_way_out(side, history, user, model, version, reason) for user in users if " variant " not in user.label]
    return StillRunning(aliases(side, model, version), users, tuple(dict.fromkeys(lines)), unknown)


def _way_out(side: Side, history: History | None, user: Running, model: str, version: str, reason: str) -> str:
    """The line to type that takes a service off a version: back to the newest state without it, if there is one."""
    place = side.places[user.release]
    release = side.release(user.release)
    several = release is not None and len(release.services) > 1
    try:
        known = (
            state_without(history, place, user.service, model, version, MOST_STATES) if history is not None else None
        )
    except RelspecError:
        known = None  # a shallow clone
    if known is not None:
        back, state = known
        words = ["relspec", "rollback", user.release]
        words += ["--service", user.service] if several else []
        words += ["--to", state.last.id[:12]] if back > 1 else []
        return shlex.join([*words, *(["--reason", reason] if reason else [])])
    if user.label == f"{user.service} candidate":
        return f"relspec set {user.release} --unset {user.service}.candidate --unset {user.service}.strategy"
    earlier = before(side.registry, model, version, standings(side.registry, model, ()))
    other = earlier[0].version if earlier else "VERSION"
    return f"relspec set {user.release} {user.service}.model={model}@{other}"


def within_window(history: History, place: Place, model: str, version: str, window: int) -> State | None:
    """The newest of a release's state now and its `window` states before that needs a version; None where none does.

    A state needs the versions that it runs, also as a candidate or a variant: a rollback restores it whole. Raises
    RelspecError RS630 where fewer states were fetched.
    """
    states = islice(history.states(place.id, place.file), window + 1)
    return next((state for state in states if _names(state.declared, "", model, version)), None)


def state_without(
    history: History, place: Place, service: str, model: str, version: str, limit: int
) -> tuple[int, State] | None:
    """The newest of a release's last `limit` earlier states in which a service has nothing to do with a version, and how
    many states back it is (1: the last change goes). None where there is none.

    Raises RelspecError RS630 where none is among those that were fetched.
    """
    for back, state in enumerate(islice(history.states(place.id, place.file), limit + 1)):
        declared = state.declared
        if (
            back
            and declared is not None
            and service in declared.services
            and not _names(declared, service, model, version)
        ):
            return back, state
    return None


def _names(declared: Declared | None, service: str, model: str, version: str) -> bool:
    """Whether a service (empty: any) of a state names a version: canonical JSON holds references as exact versions."""
    needle = f'"{model}@{version}"'
    services = declared.services if declared is not None else {}
    return any(needle in text for name, text in services.items() if service in ("", name))

"""Which versions of a model the last states of a release ran: what archiving one, or leaving one, has to know."""

from __future__ import annotations

from itertools import islice

from relspec.discovery import Place
from relspec.gitops.declared import Declared
from relspec.gitops.states import History, State


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

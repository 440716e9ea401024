"""`routing: app`: the application splits the traffic itself, told how by five environment variables.

There is one workload and no router; the variables are the same in every target.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from relspec.resolve import ResolvedEnvironment, ResolvedService

VARIABLES = ("ROLLOUT_STRATEGY", "MODEL_VERSION", "CANARY_VERSION", "CANARY_PERCENTAGE", "ENVIRONMENT")
"""Names that a service with `routing: app` may not set itself (RS338)."""

NO_CONTRACT: Mapping[str, str] = MappingProxyType({})

WORDS = MappingProxyType({"held": "canary", "abTest": "ab_test", "shadow": "shadow"})
"""What the application is told; to it, the strategies that a controller drives are `fixed`."""


def contract(service: ResolvedService, environment: ResolvedEnvironment) -> Mapping[str, str]:
    """The variables of a service that routes by itself, in fixed order; none where a router does.

    CANARY_VERSION is empty and CANARY_PERCENTAGE is 0 where there is one version only, MODEL_VERSION is empty where
    the service has no model. The percentage is the weight of a canary or A/B test, the copied percent of a shadow.
    """
    if service.spec.routing != "app":
        return NO_CONTRACT
    candidate = service.candidate
    split = candidate is not None and service.strategy.name in WORDS
    return {
        "ROLLOUT_STRATEGY": WORDS[service.strategy.name] if split else "fixed",
        "MODEL_VERSION": _version(service),
        "CANARY_VERSION": _version(candidate) if split else "",
        "CANARY_PERCENTAGE": str(candidate_percent(service)) if split else "0",
        "ENVIRONMENT": environment.name,
    }


def candidate_percent(service: ResolvedService) -> int:
    """The percent of the requests that reach the candidate, copies under shadow included; 0 without a split."""
    strategy = service.strategy
    if strategy.canary is not None:
        return strategy.canary.weight or 0
    if strategy.ab_test is not None:
        return strategy.ab_test.weight
    return strategy.shadow.percent if strategy.shadow is not None else 0


def _version(service: ResolvedService | None) -> str:
    return service.model.version if service is not None and service.model is not None else ""

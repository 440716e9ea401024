"""How a new version takes over: fixed (none written), canary, blue-green, A/B test, shadow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from relspec.spec.model import SpecModel
from relspec.spec.quantities import Duration, Name

Weight = Annotated[int, Field(ge=0, le=100)]
Surge = Annotated[int, Field(ge=0, le=1000)] | Annotated[str, Field(pattern=r"^(100|[0-9]{1,2})%$")]

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?$")]
CookieName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


AUTO = "autoPromotionEnabled"

OF_THE_CONTROLLER = {
    "trafficRouting": "the environment's router",
    "stableService": "the service's name",
    "canaryService": "the service's name",
    "activeService": "the service's name",
    "previewService": "the service's name",
    "autoPromotionSeconds": "promote",
    "scaleDownDelaySeconds": "rollback.warm of the environment",
    "scaleDownDelayRevisionLimit": "rollback.warm of the environment",
    "abortScaleDownDelaySeconds": "rollback.abort of the environment",
    "dynamicStableScale": "rollback.warm of the environment",
    "prePromotionAnalysis": "analyze.before",
    "postPromotionAnalysis": "analyze.after",
}
"""Fields of a Rollout's strategy that relspec writes or does without, each with what decides.

Source: argo-rollouts, CanaryStrategy and BlueGreenStrategy in pkg/apis/rollouts/v1alpha1/types.go.
"""


def _refuse_fields_of_the_controller(value: Any) -> None:
    """Raises RS302 for the first field of a strategy that stands in the Rollout, not in the spec."""
    for key in value if isinstance(value, dict) else ():
        if key in OF_THE_CONTROLLER:
            raise PydanticCustomError(
                "RS302",
                f"{key} is a field of the Rollout, which relspec writes",
                {"hint": f"remove it: {OF_THE_CONTROLLER[key]} decides", "key": key},
            )


class StickyBy(SpecModel):
    """What keeps a user on one side: a header or a cookie, and how its value is turned into a number from 0 to 99."""

    header: HeaderName | None = Field(None, description="Request header with the user's id.", examples=["x-user-id"])
    cookie: CookieName | None = Field(None, description="Cookie with the user's id.", examples=["uid"])
    bucket: Literal["hash", "mod100", "parity", "hex256"] = Field(
        "hash",
        description=(
            "How the id becomes a side: `mod100` is `user_id % 100 < weight`, `parity` takes odd ids (weight 50 only), "
            "`hex256` the last two hex digits (UUIDs), `hash` anything. No id, or one that can't be read, means stable."
        ),
    )

    @model_validator(mode="after")
    def _one_source(self) -> StickyBy:
        if (self.header is None) == (self.cookie is None):
            raise PydanticCustomError(
                "RS125",
                "stickyBy needs either header or cookie",
                {"hint": "write one of: header: x-user-id, cookie: uid"},
            )
        return self


class Pause(SpecModel):
    """A wait for a person: `pause: {}`."""


class Step(SpecModel):
    """One step of a stepped canary: exactly one of setWeight, pause and analyze."""

    set_weight: Weight | None = Field(
        None, description="Percent of the traffic that the new version gets.", examples=[10]
    )
    pause: Duration | Pause | None = Field(
        None, description="How long to wait; `{}` waits for a person.", examples=["5m", {}]
    )
    analyze: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="Analyses of the environment that must succeed here.", examples=[["success-rate"]]
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Step:
        if (self.set_weight is None) + (self.pause is None) + (self.analyze is None) != 2:
            raise PydanticCustomError(
                "RS125",
                "a step is exactly one of setWeight, pause and analyze",
                {"hint": "write one list item for each"},
            )
        return self


class Canary(SpecModel):
    """Either stepped (`steps`: the controller moves the traffic) or held (`weight`: the number in Git is the split)."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=64)] | None = Field(
        None,
        description="Steps that the Argo Rollouts controller takes from the old version to the new one.",
        examples=[[{"setWeight": 10}, {"pause": "5m"}, {"analyze": ["success-rate"]}]],
    )
    max_surge: Surge | None = Field(None, description="Pods above `replicas` during the change.", examples=["25%", 1])
    max_unavailable: Surge | None = Field(None, description="Pods below `replicas` during the change.", examples=[0])
    weight: Weight | None = Field(None, description="Percent of the traffic that the candidate gets.", examples=[10])
    sticky_by: StickyBy | None = Field(None, description="Keeps each user on one side; without it, per request.")

    @model_validator(mode="before")
    @classmethod
    def _controller_fields(cls, value: Any) -> Any:
        if isinstance(value, dict) and AUTO in value:
            hint = "write a step `- pause: {}` where a person should promote"
            if value[AUTO] is True or "weight" in value:  # a held canary moves by a commit alone, so by a person
                hint = f"remove {AUTO}"
            raise PydanticCustomError(
                "RS302",
                f"{AUTO} belongs to a blue-green strategy and has no effect on a canary",
                {"hint": hint, "key": AUTO},
            )
        _refuse_fields_of_the_controller(value)
        return value

    @model_validator(mode="after")
    def _stepped_or_held(self) -> Canary:
        if (self.steps is None) == (self.weight is None):
            raise PydanticCustomError(
                "RS125",
                "a canary is either stepped (steps) or held (weight)",
                {"hint": "write steps: [...], or weight: N beside a candidate"},
            )
        if self.steps is not None and self.sticky_by is not None:
            raise PydanticCustomError(
                "RS125",
                "stickyBy belongs to a held canary",
                {"hint": "use weight with a candidate, or remove stickyBy"},
            )
        if self.weight is not None and (self.max_surge is not None or self.max_unavailable is not None):
            raise PydanticCustomError(
                "RS125",
                "maxSurge and maxUnavailable belong to a stepped canary",
                {"hint": "remove them, or write steps"},
            )
        if self.max_surge in (0, "0%") and self.max_unavailable in (0, "0%"):
            raise PydanticCustomError(
                "RS304", "maxSurge and maxUnavailable can't both be 0", {"hint": "allow at least one of them"}
            )
        return self


class BlueGreenAnalysis(SpecModel):
    """Analyses around the switch."""

    before: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="Must succeed before the traffic moves.", examples=[["success-rate"]]
    )
    after: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="Watched after the traffic moved; a failure moves it back.", examples=[["latency"]]
    )


class BlueGreen(SpecModel):
    """Two fleets, one switch."""

    promote: Literal["auto", "manual"] = Field("auto", description="Who switches: the controller or a person.")
    analyze: BlueGreenAnalysis | None = Field(None, description="Analyses before and after the switch.")

    @model_validator(mode="before")
    @classmethod
    def _controller_fields(cls, value: Any) -> Any:
        _refuse_fields_of_the_controller(value)
        return value


class AbTest(SpecModel):
    """A split that each user stays on one side of."""

    weight: Weight = Field(50, description="Percent of the users that get the candidate.")
    sticky_by: StickyBy | None = Field(None, description="What keeps a user on one side.")


class Shadow(SpecModel):
    """Requests copied to the candidate, whose answers are dropped."""

    percent: Annotated[int, Field(ge=1, le=100)] = Field(100, description="Percent of the requests that are copied.")
    writes: Literal["allowed"] | None = Field(
        None, description="Says that copied POST bodies may reach what the candidate writes to."
    )


class Strategy(SpecModel):
    """At most one strategy; none is `fixed`: one version for everybody."""

    canary: Canary | None = Field(None, description="Part of the traffic first.", examples=[{"weight": 10}])
    blue_green: BlueGreen | None = Field(None, description="A second fleet, then a switch.")
    ab_test: AbTest | None = Field(None, description="Two versions side by side, by user.")
    shadow: Shadow | None = Field(None, description="Copies of requests, answers dropped.")

    @model_validator(mode="before")
    @classmethod
    def _known_controller_words(cls, value: Any) -> Any:
        if isinstance(value, dict) and AUTO in value:
            hint = "write blueGreen: {promote: manual}, or a canary step `- pause: {}`"
            if value[AUTO] is True:
                hint = f"remove {AUTO}"
            raise PydanticCustomError("RS302", f"{AUTO} is not a field of relspec", {"hint": hint, "key": AUTO})
        _refuse_fields_of_the_controller(value)
        return value

    @model_validator(mode="after")
    def _one(self) -> Strategy:
        if (self.canary is None) + (self.blue_green is None) + (self.ab_test is None) + (self.shadow is None) >= 3:
            return self
        parts = {"canary": self.canary, "blueGreen": self.blue_green, "abTest": self.ab_test, "shadow": self.shadow}
        given = [name for name, part in parts.items() if part is not None]
        raise PydanticCustomError(
            "RS301",
            "a service has one strategy, not {given}",
            {"given": " and ".join(given), "hint": "keep one of them"},
        )

    @property
    def name(self) -> Literal["fixed", "stepped", "blueGreen", "held", "abTest", "shadow"]:
        """Which of the six strategies this is."""
        if self.canary is not None:
            return "stepped" if self.canary.steps is not None else "held"
        if self.blue_green is not None:
            return "blueGreen"
        if self.ab_test is not None:
            return "abTest"
        return "shadow" if self.shadow is not None else "fixed"


StrategyName = Literal["fixed", "stepped", "blueGreen", "held", "abTest", "shadow"]
HELD: frozenset[str] = frozenset({"held", "abTest", "shadow"})
"""Strategies that are states in Git and need a candidate."""

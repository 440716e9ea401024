"""`environment.yaml`: where and how releases run. Kept by the platform team; environments nest and inherit.

What makes a rollback possible (window, warm time, router, analyses, policies) lives here only, so that reverting a
release never reverts the means of rolling back.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from relspec.credentials import hidden_in_prose
from relspec.spec.model import SpecModel
from relspec.spec.quantities import Duration, HttpPath, Image, Name, RelativePath, shaped
from relspec.spec.release import ApiVersion
from relspec.spec.service import ServicePatch

Code = Annotated[str, Field(pattern=r"^RS[1-9][0-9]{2}$")]
Host = Annotated[
    str,
    shaped(
        "RS122",
        r"^(\*\.)?[a-z0-9{}]([-a-z0-9.{}]{0,251}[a-z0-9{}])?$",
        "a host name",
        "use lower-case letters, digits, dots and dashes, without https:// and port",
        maximum=255,
    ),
]


ProjectName = Annotated[
    str,
    shaped(
        "RS122",
        r"^[a-z0-9][a-z0-9_-]{0,62}$",
        "a project's name",
        "use at most 63 lower-case letters, digits, - and _",
        maximum=63,
    ),
]


class ComposeRouter(SpecModel):
    """The nginx in front of a routed service."""

    image: Image = Field("nginx:1.28-alpine", description="The router's image.")
    when: Literal["split", "always"] = Field(
        "split", description="`split`: only where traffic is split; `always`: for every routed service."
    )


NetworkName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$")]


class ComposeTarget(SpecModel):
    """Docker Compose."""

    bind: Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+$")] = Field(
        "127.0.0.1", description="Address of the host that published ports listen on."
    )
    project: ProjectName | None = Field(None, description="Project name; default <env>-<release>.", examples=["shop"])
    networks: dict[NetworkName, Literal["external", "internal", "bridge"] | None] | None = Field(
        None,
        description="Networks that every service joins: one that is there already, one without a way out, or an ordinary one.",
        examples=[{"shop": "external"}],
    )
    router: ComposeRouter = Field(ComposeRouter.model_construct(), description="The router.")


class HelmTarget(SpecModel):
    """Helm values, for the user's own chart or the packaged one."""

    chart: RelativePath | None = Field(
        None,
        description="Folder of the chart; none: the packaged reference chart.",
        examples=["../../charts/model-server"],
    )
    values: RelativePath | dict[str, Any] | None = Field(
        None, description="A values template (*.j2), `scaffold`, or a map with holes.", examples=["values.yaml.j2"]
    )
    per: Literal["release", "service"] = Field("release", description="One values file a release, or one a service.")
    namespace: Name = Field("default", description="The namespace.")
    cluster: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None, description="The cluster; default: the environment's path.", examples=["eu-1"]
    )
    kubernetes: str | None = Field(None, description="Version whose schemas the output must fit.", examples=["1.34"])
    prometheus: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = Field(
        None, description="Address that analyses query (packaged chart).", examples=["http://prometheus:9090"]
    )


class RolloutsTarget(SpecModel):
    """Argo Rollouts and the objects around it."""

    namespace: Name = Field("default", description="The namespace.")
    cluster: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None, description="The cluster; default: the environment's path.", examples=["eu-1"]
    )
    kubernetes: str | None = Field(None, description="Version whose schemas the output must fit.", examples=["1.34"])
    prometheus: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = Field(
        None, description="Address that analyses query.", examples=["http://prometheus:9090"]
    )


class TargetSettings(SpecModel):
    """The targets of an environment; a target that is not named is not compiled."""

    compose: ComposeTarget | None = Field(None, description="Docker Compose.")
    helm: HelmTarget | None = Field(None, description="Helm values.")
    rollouts: RolloutsTarget | None = Field(None, description="Argo Rollouts.")


class IstioRouter(SpecModel):
    """Istio's VirtualService."""

    gateway: Annotated[str, Field(pattern=r"^([a-z0-9-]+/)?[a-z0-9-]+$")] | None = Field(
        None, description="The Gateway, as namespace/name.", examples=["istio-ingress/main"]
    )


class GatewayRouter(SpecModel):
    """Gateway API's HTTPRoute."""

    parent: Annotated[str, Field(pattern=r"^([a-z0-9-]+/)?[a-z0-9-]+$")] = Field(
        description="The Gateway, as namespace/name.", examples=["gateways/main"]
    )


class Router(SpecModel):
    """Who splits traffic in Kubernetes: Istio or a Gateway API implementation. Compose has nginx."""

    istio: IstioRouter | None = Field(None, description="Istio.")
    gateway: GatewayRouter | None = Field(None, description="Gateway API.")

    @model_validator(mode="before")
    @classmethod
    def _retired(cls, value: Any) -> Any:
        if isinstance(value, dict) and "nginx" in value:
            raise PydanticCustomError(
                "RS335",
                "ingress-nginx is retired since March 2026",
                {
                    "hint": "use router: {gateway: {parent: NAMESPACE/NAME}} or router: {istio: {gateway: …}}",
                    "key": "nginx",
                },
            )
        return value

    @model_validator(mode="after")
    def _one(self) -> Router:
        if self.istio is not None and self.gateway is not None:
            raise PydanticCustomError("RS125", "a router is either istio or gateway", {"hint": "keep one of them"})
        return self


class Exposure(SpecModel):
    """Where a service is reached from outside the cluster."""

    host: Host = Field(
        description="Host name; {release} and {service} are filled.", examples=["{release}.acme.example"]
    )
    tls: Name | None = Field(None, description="Secret with the certificate.", examples=["recs-tls"])
    path: HttpPath = Field("/", description="Path prefix.")


def is_exposure(value: Any) -> bool:
    """Whether `expose` is a single exposure (or a part of one), and not a map of them by release and service."""
    return isinstance(value, dict) and any(key in value for key in Exposure.model_fields)


Expose = Annotated[
    Annotated[Exposure, Tag("{one}")] | Annotated[dict[str, Exposure | None], Tag("{map}")],
    Discriminator(lambda value: "{one}" if is_exposure(value) else "{map}"),
]


class Restorable(SpecModel):
    """Which earlier states count as a restoration: both limits hold."""

    states: Annotated[int, Field(ge=1, le=1000)] = Field(20, description="The newest so many.")
    days: Annotated[int, Field(ge=1, le=3650)] = Field(90, description="Not older than so many days.")


class Rollback(SpecModel):
    """The means of going back."""

    objective: Duration | None = Field(None, description="Longest time that a rollback may take.", examples=["2m"])
    window: Annotated[int, Field(ge=1, le=50)] = Field(3, description="Revisions back for which steps are skipped.")
    history: Annotated[int, Field(ge=1, le=100)] = Field(
        8, description="Old ReplicaSets that are kept; window + 3 at least."
    )
    warm: Duration = Field("10m", description="How long the old pods stay after a switch.")
    abort: Duration = Field("30s", description="How long a failed version's pods stay.")
    restorable: Restorable = Field(
        Restorable.model_construct(), description="Which earlier states count as a restoration."
    )

    @model_validator(mode="after")
    def _history_holds_window(self) -> Rollback:
        if self.history < self.window + 3:
            raise PydanticCustomError(
                "RS444",
                "history {history} is too short for a window of {window}: the oldest creation is pruned first",
                {"history": self.history, "window": self.window, "hint": f"write history: {self.window + 3} or more"},
            )
        return self


class AnalysisMetric(SpecModel):
    """One query and when it counts as a success."""

    query: Annotated[str, Field(min_length=1, max_length=65536)] = Field(
        description="PromQL with {{args.service}}, {{args.namespace}}, {{args.stable-hash}}, {{args.canary-hash}}.",
        examples=['sum(rate(http_requests_total{service="{{args.service}}"}[2m]))'],
    )
    success: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        None, description="Condition of success.", examples=["result[0] >= 0.99"]
    )
    failure: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        None, description="Condition of failure.", examples=["result[0] < 0.9"]
    )
    interval: Duration | None = Field(None, description="Time between two measurements.", examples=["1m"])
    count: Annotated[int, Field(ge=1, le=100000)] | None = Field(
        None, description="How many measurements.", examples=[5]
    )
    failure_limit: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Failures that are put up with.", examples=[3]
    )
    inconclusive_limit: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Unclear results put up with.", examples=[2]
    )
    initial_delay: Duration | None = Field(None, description="Wait before the first measurement.", examples=["1m"])

    @model_validator(mode="after")
    def _rules(self) -> AnalysisMetric:
        if self.count is not None and self.count > 1 and self.interval is None:
            raise PydanticCustomError("RS305", "count needs an interval", {"hint": "add interval: 1m"})
        if self.interval is not None and self.count is None:
            raise PydanticCustomError(
                "RS305",
                "an interval without a count never ends, and the controller refuses such a step",
                {"hint": "add count: 5, or remove interval to measure once", "key": "interval"},
            )
        if self.success is None and self.failure is None:
            raise PydanticCustomError(
                "RS305", "a metric needs success or failure", {"hint": 'add success: "result[0] >= 0.99"'}
            )
        return self


class AnalysisMetrics(SpecModel):
    """Several queries that must all succeed."""

    metrics: Annotated[dict[Name, AnalysisMetric], Field(min_length=1)] = Field(
        description="The queries by name.", examples=[{"errors": {"query": "vector(0)", "success": "result[0] < 0.01"}}]
    )


Analysis = Annotated[
    Annotated[AnalysisMetric, Tag("{one}")] | Annotated[AnalysisMetrics, Tag("{several}")],
    Discriminator(lambda value: "{several}" if isinstance(value, dict) and "metrics" in value else "{one}"),
]


class Allowance(SpecModel):
    """A policy finding that is put up with, for a reason and a time."""

    code: Code = Field(description="The finding's code.", examples=["RS420"])
    release: Annotated[str, Field(min_length=1)] = Field(description="The release's id.", examples=["production/recs"])
    reason: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="Why.", examples=["agreed with the platform team"]
    )
    until: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] = Field(
        description="Last day (UTC).", examples=["2026-12-31"]
    )

    @field_validator("reason")
    @classmethod
    def _says_something(cls, reason: str) -> str:
        if not reason.strip():
            raise PydanticCustomError("RS122", "an allowance needs a reason\nsay why, and who agreed")
        return hidden_in_prose(reason)


class Policies(SpecModel):
    """What this environment insists on."""

    require_digest: bool = Field(False, description="Every image carries a digest (RS421).")
    require_lineage: bool = Field(False, description="Every model version has code, data and configuration (RS422).")
    pinned: bool = Field(False, description="Exact model versions only: no aliases, no candidates as stable (RS420).")
    min_replicas: Annotated[int, Field(ge=0, le=1000)] = Field(0, description="Fewest replicas of a service (RS423).")
    templates: Literal["environment", "release"] = Field(
        "environment", description="Whether a release may bring its own templates."
    )
    allow: list[Allowance] = Field([], description="Findings that are put up with.")


class EnvironmentSpec(SpecModel):
    """An environment: a folder with environment.yaml. Inherits the outer environment field by field."""

    api_version: ApiVersion = Field(description="The language's version.", examples=["relspec/v1"])
    kind: Literal["Environment"] = Field(description="What this document is.")
    name: Name = Field(description="The folder's name.", examples=["production"])
    targets: TargetSettings | None = Field(None, description="What is compiled, and for where.")
    router: Router | None = Field(None, description="Who splits traffic in Kubernetes.")
    expose: Expose | None = Field(
        None, description="Where services are reached from outside.", examples=[{"host": "{release}.acme.example"}]
    )
    rollback: Rollback | None = Field(None, description="The means of going back.")
    analyses: dict[Name, Analysis | None] | None = Field(
        None,
        description="Queries that a canary must pass.",
        examples=[{"success-rate": {"query": "vector(1)", "success": "result[0] >= 0.99"}}],
    )
    variables: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str | int | None] | None = Field(
        None, description="Facts that releases may ask for.", examples=[{"REGION": "eu-west-1"}]
    )
    defaults: ServicePatch | None = Field(None, description="Lowest layer of every service.")
    policies: Policies | None = Field(None, description="What this environment insists on.")

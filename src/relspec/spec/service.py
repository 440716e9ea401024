"""One service of a release: what runs, how it is reached, how a new version takes over.

Every field may be left out, and `null` removes what a lower layer set, so that the same model describes a release's
service, an environment's defaults, a base, a variant and a candidate. `Service` below is the result of all layers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag, model_validator
from pydantic_core import PydanticCustomError

from relspec.spec.model import SpecModel
from relspec.spec.quantities import (
    AbsolutePath,
    Cpu,
    Duration,
    EnvironmentVariable,
    HttpPath,
    Image,
    Memory,
    ModelReference,
    Name,
    ProbePath,
    RelativePath,
    SecretReference,
)
from relspec.spec.strategy import Strategy

PortNumber = Annotated[int, Field(ge=1, le=65535)]
TEXT_LENGTH = 65536
"""Characters of an argument or a variable."""

Text = Annotated[str, Field(max_length=TEXT_LENGTH)]
Arguments = Annotated[list[Text | int], Field(max_length=512)]
LabelKey = Annotated[
    str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]
TargetName = Literal["compose", "helm", "rollouts"]
Targets = Annotated[list[TargetName], Field(min_length=1)]
ModelField = Literal["reference", "version", "name", "digest", "uri", "dataSnapshot", "codeCommit"]


class Port(SpecModel):
    """A port that the service listens on."""

    port: PortNumber = Field(description="The container's port.", examples=[8080])
    publish: PortNumber | None = Field(None, description="Port of the host (compose only).", examples=[8000])
    protocol: Literal["http", "grpc", "tcp", "udp"] = Field("http", description="What is spoken there.")


class Metrics(SpecModel):
    """Where Prometheus scrapes; not one of `ports`: a worker with metrics stays a worker."""

    port: PortNumber = Field(description="The container's port.", examples=[9100])
    path: HttpPath = Field("/metrics", description="The path that is scraped.")


class Health(SpecModel):
    """When the service counts as ready: exactly one of path, exec, grpc and tcp."""

    path: ProbePath | None = Field(None, description="HTTP path that answers 2xx or 3xx.", examples=["/healthz"])
    port: Name | PortNumber | None = Field(
        None, description="Port of `path`, by name or number; default: the service's route.", examples=["http"]
    )
    exec: Annotated[list[Text], Field(min_length=1)] | None = Field(
        None, description="Command that exits 0.", examples=[["redis-cli", "ping"]]
    )
    grpc: PortNumber | None = Field(None, description="Port of the gRPC health service.", examples=[50051])
    tcp: PortNumber | None = Field(None, description="Port that accepts a connection.", examples=[9092])
    startup: Duration = Field("60s", description="Longest time from start to the first success.")
    period: Duration = Field("10s", description="Time between two probes.")
    timeout: Duration = Field("3s", description="Time until a probe counts as failed.")
    retries: Annotated[int, Field(ge=1, le=1000)] = Field(3, description="Failures in a row that mean not ready.")
    live: bool = Field(False, description="Whether Kubernetes also restarts a service that fails the probe.")

    @model_validator(mode="after")
    def _one_probe(self) -> Health:
        if (self.path, self.exec, self.grpc, self.tcp).count(None) != 3:
            raise PydanticCustomError(
                "RS125",
                "health is exactly one of path, exec, grpc and tcp",
                {"hint": "keep the one that the service answers"},
            )
        if self.port is not None and self.path is None:
            raise PydanticCustomError(
                "RS125", "port goes with path", {"hint": "remove port: grpc and tcp name their own"}
            )
        return self


class Shutdown(SpecModel):
    """How a container ends: without a drain a switch loses requests."""

    drain: Duration = Field("5s", description="Time between leaving the load balancer and the stop signal.")
    grace: Duration = Field("30s", description="Time until it is killed; includes the drain.")


class Gpu(SpecModel):
    """Accelerators, under the name by which the cluster knows them."""

    count: Annotated[int, Field(ge=1, le=64)] = Field(description="How many.", examples=[1])
    resource: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-z0-9.-]+$")] = Field(
        "nvidia.com/gpu", description="The extended resource.", examples=["nvidia.com/gpu", "amd.com/gpu"]
    )


class Resources(SpecModel):
    """What one replica needs. Memory is request and limit at once; cpu is a request, a limit only by `cpuLimit`."""

    cpu: Cpu | Annotated[int, Field(ge=1)] | None = Field(
        None, description="CPU that is reserved.", examples=["500m", 2]
    )
    memory: Memory | None = Field(None, description="Memory that is reserved, and the limit.", examples=["1Gi"])
    cpu_limit: Cpu | Annotated[int, Field(ge=1)] | None = Field(None, description="CPU limit.", examples=[2])
    gpu: Gpu | Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="Accelerators: a number, or {count, resource}.", examples=[1]
    )


MetricText = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?[mkMG]?$")]
MetricValue = Annotated[
    MetricText,
    BeforeValidator(
        lambda value: str(value) if isinstance(value, int) and not isinstance(value, bool) else value,
        json_schema_input_type=MetricText | Annotated[int, Field(ge=0)],
    ),
]
"""A Kubernetes quantity; an integer is taken as its text."""


class ScalingMetric(SpecModel):
    """A metric of the cluster that the number of replicas follows."""

    type: Literal["pods", "external"] = Field(description="Whether the metric belongs to the pods or lies outside.")
    name: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        description="The metric's name.", examples=["queue_depth"]
    )
    target: MetricValue = Field(description="Average value per replica.", examples=[100, "500m"])


class Replicas(SpecModel):
    """A range that the load moves within."""

    min: Annotated[int, Field(ge=1, le=10000)] = Field(description="Never fewer.", examples=[2])
    max: Annotated[int, Field(ge=1, le=10000)] = Field(description="Never more.", examples=[10])
    cpu: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Average CPU in percent of the request.", examples=[70]
    )
    memory: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Average memory in percent of the request.", examples=[80]
    )
    metrics: list[ScalingMetric] | None = Field(
        None,
        description="Other metrics to follow.",
        examples=[[{"type": "pods", "name": "queue_depth", "target": "10"}]],
    )

    @model_validator(mode="after")
    def _a_range(self) -> Replicas:
        if self.min > self.max:
            raise PydanticCustomError("RS129", "min is larger than max", {"hint": "swap them, or write replicas: N"})
        if self.cpu is None and self.memory is None and not self.metrics:
            raise PydanticCustomError(
                "RS129", "a range of replicas needs something to follow", {"hint": "add cpu: 70, memory: 80 or metrics"}
            )
        return self


class FromModel(SpecModel):
    """A field of the resolved ModelVersion."""

    model: ModelField = Field(description="Which field.", examples=["reference"])


class FromSecret(SpecModel):
    """A secret that lives outside Git."""

    secret: SecretReference = Field(description="NAME/KEY of the secret.", examples=["recs/api-key"])


class FromEnvironment(SpecModel):
    """A fact of the environment."""

    environment: Annotated[str, Field(min_length=1)] = Field(
        description="`name`, `path`, or a key of the environment's `variables`.", examples=["name"]
    )


class FromHost(SpecModel):
    """A variable of the host, from .env (compose only)."""

    variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = Field(
        description="The variable's name on the host.", examples=["DATA_SOURCE"]
    )
    default: Text | None = Field(None, description="Its value where the host sets none.", examples=["binance"])


def tag_of(value: Any, *keys: str) -> str | None:
    """The branch of a union that a map belongs to, by the first of `keys` that it has.

    A tag stands in pydantic's locations: in braces it can't be taken for a key of the document.
    """
    return next((f"{{{key}}}" for key in keys if key in value), None) if isinstance(value, dict) else None


def _kind_of_value(value: Any) -> str | None:
    if isinstance(value, str):
        return "text"
    if isinstance(value, int) and not isinstance(value, bool):
        return "integer"
    return tag_of(value, "model", "secret", "environment", "variable")


EnvironmentValue = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[int, Tag("integer")]
    | Annotated[FromModel, Tag("{model}")]
    | Annotated[FromSecret, Tag("{secret}")]
    | Annotated[FromEnvironment, Tag("{environment}")]
    | Annotated[FromHost, Tag("{variable}")],
    Discriminator(
        _kind_of_value,
        custom_error_type="RS104",
        custom_error_message="an environment variable is text, {model}, {secret}, {environment} or {variable}\n"
        "put a number with a dot, a boolean or a date in quotes",
    ),
]
Environment = dict[EnvironmentVariable, EnvironmentValue | None]


class FileFrom(SpecModel):
    """A file or a folder of the repository."""

    from_: RelativePath = Field(
        alias="from", description="Path relative to the file that says it.", examples=["config.yaml"]
    )


class FileContent(SpecModel):
    """A file written here."""

    content: Annotated[str, Field(max_length=262144)] = Field(
        description="The file's text.", examples=["debug: false\n"]
    )


def _kind_of_file(value: Any) -> str | None:
    return tag_of(value, "from", "content")


File = Annotated[
    Annotated[FileFrom, Tag("{from}")] | Annotated[FileContent, Tag("{content}")],
    Discriminator(
        _kind_of_file,
        custom_error_type="RS104",
        custom_error_message="a file is {from} or {content}\nwrite {from: PATH} or {content: TEXT}",
    ),
]


VolumeName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$")]
"""What both a Compose volume and a claim may be called; `_` is Compose's alone (RS124)."""


def _only_true(value: object) -> object:
    if value is not True:  # pydantic takes 1 for the literal True
        # Of text the other branch of the union says what is wrong with it as a size: one code, one answer.
        code: Literal["RS122", "RS128"] = "RS128" if isinstance(value, str) else "RS122"
        raise PydanticCustomError(code, "empty is a size or true", {"hint": "write empty: 1Gi, or empty: true"})
    return value


class EmptyVolume(SpecModel):
    """Space that ends with the container."""

    empty: Memory | Annotated[Literal[True], BeforeValidator(_only_true)] = Field(
        description="Its size; `true` for no limit.", examples=["1Gi"]
    )


class NamedVolume(SpecModel):
    """A volume (compose) or claim (Kubernetes) that outlives the container."""

    name: VolumeName = Field(description="The volume's or claim's name.", examples=["models"])
    read_only: bool = Field(False, description="Whether the service only reads it.")


class HostVolume(SpecModel):
    """A folder of the host."""

    host: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00:]+$")] = Field(
        description="Path on the host; relative ones start at this file.", examples=["../data"]
    )
    read_only: bool = Field(False, description="Whether the service only reads it.")


def _kind_of_volume(value: Any) -> str | None:
    return tag_of(value, "empty", "name", "host")


Volume = Annotated[
    Annotated[EmptyVolume, Tag("{empty}")]
    | Annotated[NamedVolume, Tag("{name}")]
    | Annotated[HostVolume, Tag("{host}")],
    Discriminator(
        _kind_of_volume,
        custom_error_type="RS104",
        custom_error_message="a volume is {empty}, {name} or {host}\nwrite {empty: 1Gi}, {name: NAME} or {host: PATH}",
    ),
]


class Companion(SpecModel):
    """A container beside the service's own: before it (`init`) or next to it (`sidecars`)."""

    name: Name = Field(description="Its name, unique in the service.", examples=["unpack"])
    image: Image = Field(description="Its image.", examples=["ghcr.io/acme/unpack:1.0.0"])
    command: Arguments | None = Field(None, description="Replaces the image's entry point.", examples=[["/bin/unpack"]])
    args: Arguments | None = Field(None, description="Arguments of the command.", examples=[["--port", 8080]])
    env: Environment | None = Field(
        None, description="Variables; default: the service's.", examples=[{"LOG_LEVEL": "info"}]
    )
    volumes: dict[AbsolutePath, Volume] | None = Field(
        None, description="Volumes; default: the service's.", examples=[{"/models": {"empty": "5Gi"}}]
    )
    resources: Resources | None = Field(None, description="What it needs.")


class Security(SpecModel):
    """Who the service runs as. Kubernetes has safe defaults; compose takes only what is written."""

    user: Annotated[int, Field(ge=0, le=2**31)] | None = Field(None, description="Numeric user id.", examples=[10001])
    root: bool | None = Field(None, description="Whether it may run as root.")
    read_only: bool | None = Field(None, description="Whether the root file system is read-only.")


class Toleration(SpecModel):
    """A taint that the service puts up with."""

    key: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The taint's key.", examples=["nvidia.com/gpu"]
    )
    operator: Literal["Exists", "Equal"] | None = Field(None, description="How the value is compared.")
    value: str | None = Field(None, description="The taint's value.", examples=["present"])
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect."
    )
    toleration_seconds: int | None = Field(None, description="How long, for NoExecute.", examples=[300])


class Placement(SpecModel):
    """Where pods may run."""

    node_selector: dict[LabelKey, LabelValue | None] | None = Field(
        None, description="Labels that a node must have.", examples=[{"accelerator": "a100"}]
    )
    tolerations: list[Toleration] | None = Field(
        None,
        description="Taints that are tolerated.",
        examples=[[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]],
    )
    runtime_class: Name | None = Field(None, description="The RuntimeClass.", examples=["nvidia"])


class Build(SpecModel):
    """How compose builds the image, beside `image`."""

    context: RelativePath = Field(description="Folder of the build, relative to this file.", examples=["."])
    dockerfile: RelativePath | None = Field(
        None, description="Path of the Dockerfile inside the context.", examples=["docker/Dockerfile"]
    )
    target: str | None = Field(None, description="Stage of the Dockerfile.", examples=["serving"])
    args: dict[str, str | int | None] | None = Field(
        None, description="Build arguments.", examples=[{"PYTHON": "3.12"}]
    )


class Verification(SpecModel):
    """What the live server must say it is: an HTTP answer, or for workers a command's output."""

    path: HttpPath | None = Field(None, description="HTTP path.", examples=["/version"])
    port: Name | PortNumber | None = Field(
        None, description="Port, by name or number; default: the route.", examples=["http"]
    )
    field: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Field of the JSON answer, with dots.", examples=["model_version"]
    )
    equals: str | int | bool | None = Field(
        None, description="What it must equal; default: what the ModelVersion `reports`.", examples=["v0.3"]
    )
    exec: Annotated[list[Text], Field(min_length=1)] | None = Field(
        None, description="Command in the container.", examples=[["cat", "/models/VERSION"]]
    )
    contains: str | None = Field(None, description="Text that its output must contain.", examples=["v0.3"])

    @model_validator(mode="after")
    def _one_way(self) -> Verification:
        if (self.path is None) == (self.exec is None):
            raise PydanticCustomError("RS125", "a verification is either path or exec", {"hint": "keep one of them"})
        return self


Condition = Literal["started", "healthy", "completed"]


OTHER_KINDS = {
    "StatefulSet": "keep it in a chart or manifest of its own; a service with a `name:` volume covers one pod with a disk",
    "DaemonSet": "keep it in a chart or manifest of its own: a canary of a DaemonSet does not exist",
    "Job": "use `init` for work before the service, or keep the Job in a manifest of its own",
    "CronJob": "keep it in a manifest of its own: it has no traffic to roll back",
    "Deployment": "write Rollout: a service is a Rollout under every strategy",
    "Ingress": "use `expose` and `router` in the environment",
    "Secret": "secrets live outside Git: name them with {secret: NAME/KEY}",
}
"""Kubernetes kinds that relspec does not write, and what to do instead."""


class RolloutsOverrides(SpecModel):
    """JSON merge patches on objects of the rollouts target, by address."""

    @model_validator(mode="before")
    @classmethod
    def _kinds_of_ours(cls, value: Any) -> Any:
        for kind in value if isinstance(value, dict) else ():
            if kind in OTHER_KINDS:
                raise PydanticCustomError(
                    "RS323", "relspec writes no {kind}", {"kind": kind, "hint": OTHER_KINDS[kind], "key": kind}
                )
        return value

    container: dict[str, Any] | None = Field(None, description="The service's container.", examples=[{"stdin": True}])
    pod: dict[str, Any] | None = Field(None, description="The pod's spec.", examples=[{"priorityClassName": "high"}])
    rollout: dict[str, Any] | None = Field(
        None,
        alias="Rollout",
        description="The Rollout.",
        examples=[{"metadata": {"annotations": {"acme.example/oncall": "recs"}}}],
    )
    service: dict[str, Any] | None = Field(
        None, alias="Service", description="The Services.", examples=[{"spec": {"sessionAffinity": "ClientIP"}}]
    )
    service_account: dict[str, Any] | None = Field(
        None,
        alias="ServiceAccount",
        description="The ServiceAccount.",
        examples=[{"metadata": {"annotations": {"acme.example/role": "recs"}}}],
    )
    horizontal_pod_autoscaler: dict[str, Any] | None = Field(
        None,
        alias="HorizontalPodAutoscaler",
        description="The HorizontalPodAutoscaler.",
        examples=[{"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}}}}],
    )
    pod_disruption_budget: dict[str, Any] | None = Field(
        None,
        alias="PodDisruptionBudget",
        description="The PodDisruptionBudget.",
        examples=[{"spec": {"maxUnavailable": 2}}],
    )
    config_map: dict[str, Any] | None = Field(
        None,
        alias="ConfigMap",
        description="The ConfigMap (metadata only).",
        examples=[{"metadata": {"annotations": {"acme.example/owner": "recs"}}}],
    )
    analysis_template: dict[str, Any] | None = Field(
        None,
        alias="AnalysisTemplate",
        description="The AnalysisTemplates.",
        examples=[{"metadata": {"annotations": {"acme.example/owner": "recs"}}}],
    )
    virtual_service: dict[str, Any] | None = Field(
        None,
        alias="VirtualService",
        description="The VirtualService.",
        examples=[{"metadata": {"annotations": {"acme.example/owner": "recs"}}}],
    )
    http_route: dict[str, Any] | None = Field(
        None,
        alias="HTTPRoute",
        description="The HTTPRoute.",
        examples=[{"metadata": {"annotations": {"acme.example/owner": "recs"}}}],
    )


class ComposeOverrides(SpecModel):
    """JSON merge patches on services of the compose target, by address."""

    service: dict[str, Any] | None = Field(None, description="The compose service.", examples=[{"shm_size": "1gb"}])
    router: dict[str, Any] | None = Field(
        None, description="The router's compose service.", examples=[{"mem_limit": "64m"}]
    )


class Overrides(SpecModel):
    """Patches on the output, checked like everything else; what would break a rollback is refused (RS360)."""

    rollouts: RolloutsOverrides | None = Field(None, description="Patches on Kubernetes objects.")
    compose: ComposeOverrides | None = Field(None, description="Patches on compose services.")
    helm: dict[str, Any] | None = Field(
        None, description="Patch on the Helm values.", examples=[{"podDisruptionBudget": {"enabled": True}}]
    )


class Patch(SpecModel):
    """A variant or a candidate: what it changes on the service."""

    model: ModelReference | None = Field(
        None, description="The model: <model>@<version> or <model>@<alias>.", examples=["als@v0.3"]
    )
    image: Image | None = Field(
        None,
        description="The container image; optional where the ModelVersion's runtime carries one.",
        examples=["ghcr.io/acme/recs:1.8.2"],
    )
    build: Build | None = Field(None, description="How compose builds the image.")
    command: Arguments | None = Field(
        None, description="Replaces the image's entry point.", examples=[["python", "-m", "app"]]
    )
    args: Arguments | None = Field(None, description="Arguments of the command.", examples=[["--port", 8080]])
    ports: dict[Name, Port | PortNumber | None] | None = Field(
        None,
        description="Ports by name; none means a worker: no Service, no router.",
        examples=[{"http": 8080}],
    )
    route: Name | None = Field(
        None,
        description="The port that a router serves; default `http`, else the only http or grpc port.",
        examples=["http"],
    )
    metrics: Metrics | None = Field(None, description="Where Prometheus scrapes.")
    health: Health | None = Field(None, description="When the service counts as ready; replaced whole.")
    shutdown: Shutdown | None = Field(None, description="How it ends.")
    resources: Resources | None = Field(None, description="What one replica needs.")
    replicas: Annotated[int, Field(ge=0, le=10000)] | Replicas | None = Field(
        None, description="A number, or a range that the load moves within; replaced whole.", examples=[3]
    )
    env: Environment | None = Field(None, description="Environment variables.", examples=[{"LOG_LEVEL": "info"}])
    files: dict[AbsolutePath, File | None] | None = Field(
        None,
        description="Files in the container, named by their content.",
        examples=[{"/etc/app.yaml": {"from": "app.yaml"}}],
    )
    volumes: dict[AbsolutePath, Volume | None] | None = Field(
        None, description="Volumes by mount path.", examples=[{"/data": {"empty": "1Gi"}}]
    )
    init: list[Companion] | None = Field(
        None,
        description="Containers that end before the service starts.",
        examples=[[{"name": "unpack", "image": "ghcr.io/acme/unpack:1.0.0"}]],
    )
    sidecars: list[Companion] | None = Field(
        None,
        description="Containers beside the service.",
        examples=[[{"name": "proxy", "image": "ghcr.io/acme/proxy:1.0.0"}]],
    )
    security: Security | None = Field(None, description="Who it runs as.")
    writable: list[AbsolutePath] | None = Field(
        None,
        description="Folders that stay writable on a read-only root.",
        examples=[["/tmp"]],  # noqa: S108
    )
    labels: dict[LabelKey, LabelValue | None] | None = Field(
        None, description="Labels of the pod and the compose service.", examples=[{"team": "recommendations"}]
    )
    annotations: dict[LabelKey, Text | None] | None = Field(
        None,
        description="Annotations of the pod; labels of the compose service.",
        examples=[{"acme.example/oncall": "recs"}],
    )
    service_account: Name | None = Field(
        None, description="ServiceAccount; default: one of its own.", examples=["recs"]
    )
    image_pull_secrets: list[Name] | None = Field(
        None, description="Secrets that pull the image.", examples=[["registry"]]
    )
    placement: Placement | None = Field(None, description="Where pods may run.")
    restart: Literal["no", "always", "on-failure", "unless-stopped"] | None = Field(
        None, description="When compose restarts it; default `unless-stopped`."
    )
    depends_on: list[Name] | dict[Name, Condition | None] | None = Field(
        None,
        description="Services of this release that come first (compose).",
        examples=[["redis"], {"redis": "healthy"}],
    )
    verify: list[Verification] | None = Field(
        None,
        description="What the live server says it is.",
        examples=[[{"path": "/version", "field": "model_version"}]],
    )
    uses: list[Annotated[str, Field(min_length=1, max_length=512)]] | None = Field(
        None, description="Releases that it calls.", examples=[["production/features"]]
    )
    overrides: Overrides | None = Field(None, description="Patches on the output.")


class ServicePatch(Patch):
    """A service as a layer writes it."""

    # Releases and environments are made of it: what is there once is not built for each of them.
    model_config = ConfigDict(defer_build=False)

    strategy: Strategy | None = Field(None, description="How a new version takes over; none is fixed. Replaced whole.")
    routing: Literal["router", "app"] | None = Field(
        None, description="Who splits the traffic: a router, or the application by environment variables."
    )
    targets: Targets | None = Field(None, description="Subset of the environment's targets.", examples=[["compose"]])
    variants: Annotated[dict[Name, Patch | None], Field(max_length=32)] | None = Field(
        None,
        description="Named alternatives, such as a simple fallback model.",
        examples=[{"baseline": {"model": "rules@1.0.0"}}],
    )
    active: Name | None = Field(
        None, description="The variant in use; removing the line goes back.", examples=["baseline"]
    )
    candidate: Patch | None = Field(None, description="The second version that gets part of the traffic.")


def _as_written(patch: Any) -> Any:
    return Patch.model_construct(**patch) if isinstance(patch, dict) else patch


WrittenPatch = Annotated[Patch | None, PlainValidator(_as_written)]
"""A patch that only says which fields it sets: what they come to is checked on the service that it is laid over."""


class Service(ServicePatch):
    """A service after all layers: what has a default has a value."""

    model_config = ConfigDict(defer_build=True)

    variants: dict[Name, WrittenPatch] | None = None
    candidate: WrittenPatch = None

    shutdown: Shutdown = Shutdown.model_construct()
    replicas: Annotated[int, Field(ge=0, le=10000)] | Replicas = 1
    restart: Literal["no", "always", "on-failure", "unless-stopped"] = "unless-stopped"
    routing: Literal["router", "app"] = "router"
    strategy: Strategy = Strategy.model_construct()
    ports: dict[Name, Port] = Field(default_factory=dict)  # type: ignore[assignment]  # long form only
    depends_on: dict[Name, Condition | Literal["auto"]] = Field(default_factory=dict)  # type: ignore[assignment]

    @property
    def accelerators(self) -> Gpu | None:
        """The accelerators that one replica needs."""
        gpu = self.resources.gpu if self.resources else None
        return Gpu(count=gpu) if isinstance(gpu, int) else gpu

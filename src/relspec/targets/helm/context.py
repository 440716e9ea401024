"""What a values template can read, in full: every key is always there, null or an empty list where nothing is declared.

Published as schemas/context.json. What Kubernetes has a shape for (`pod`, `container`) has exactly that shape, so that
a template can hand it to a chart whole; the rest are the words of release.yaml after all layers, references resolved.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

_CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@with_config(_CLOSED)
class ImageContext(TypedDict):
    """A container image in its parts."""

    repository: str
    """Registry and name: `ghcr.io/acme/recs`."""
    tag: str
    """The tag; `latest` where neither tag nor digest is written, empty where only a digest is."""
    digest: str
    """`sha256:` and 64 hex digits, or empty."""
    ref: str
    """The whole reference as it is pulled."""


@with_config(_CLOSED)
class ModelContext(TypedDict):
    """The exact model version that runs, from the registry."""

    name: str
    """The model's name."""
    version: str
    """Its version; an alias is resolved."""
    reference: str
    """What `{model: reference}` gives."""
    uri: str
    """Where the artifact lies."""
    digest: str | None
    """The artifact's digest."""
    dataSnapshot: str | None
    """The data that it was trained on."""
    codeCommit: str | None
    """The code that trained it."""


@with_config(_CLOSED)
class SecretContext(TypedDict):
    """A key of a Kubernetes Secret, which lives outside Git."""

    name: str
    """The Secret's name."""
    key: str
    """The key in it."""


@with_config(_CLOSED)
class EnvContext(TypedDict):
    """An environment variable: either `value` or `secret` is given."""

    name: str
    """The variable's name."""
    value: str | None
    """Its text."""
    secret: SecretContext | None
    """The secret that holds it."""


@with_config(_CLOSED)
class FileContext(TypedDict):
    """A file that the container must find."""

    path: str
    """Absolute path in the container."""
    content: str
    """Its text."""
    digest: str
    """The first 10 hex digits of the SHA-256 of its bytes: put it into the pod template, so that a change restarts."""


@with_config(_CLOSED)
class PortContext(TypedDict):
    """A port that the service listens on."""

    name: str
    """Its name."""
    port: int
    """Its number in the container."""
    protocol: Literal["http", "grpc", "tcp", "udp"]
    """What is spoken there."""


@with_config(_CLOSED)
class ResourcesContext(TypedDict):
    """Kubernetes resources; both maps are empty where nothing is declared."""

    requests: dict[str, str]
    """What is reserved."""
    limits: dict[str, str]
    """What is the most."""


@with_config(_CLOSED)
class ReplicasContext(TypedDict):
    """How many pods: a fixed number has `min` equal to `max` and nothing to follow."""

    min: int
    """Never fewer."""
    max: int
    """Never more."""
    cpu: int | None
    """Average CPU to keep, in percent of the request."""
    memory: int | None
    """Average memory to keep, in percent of the request."""


@with_config(_CLOSED)
class StickyContext(TypedDict):
    """What keeps a user on one side: either `header` or `cookie` is given."""

    header: str | None
    """Request header with the user's id."""
    cookie: str | None
    """Cookie with the user's id."""
    bucket: Literal["hash", "mod100", "parity", "hex256"]
    """How the id becomes a side."""


@with_config(_CLOSED)
class StepContext(TypedDict):
    """A step of a stepped canary: exactly one of the three is given."""

    setWeight: int | None
    """Percent of the traffic for the new version."""
    pause: int | None
    """Seconds to wait; 0 waits for a person."""
    analyze: list[str] | None
    """Analyses that must succeed."""


@with_config(_CLOSED)
class StrategyContext(TypedDict):
    """How traffic reaches a new version."""

    name: Literal["fixed", "stepped", "blueGreen", "held", "abTest", "shadow"]
    """Which of the six; `fixed` while a variant is active."""
    weight: int
    """Percent for the candidate (held, abTest, shadow); 0 for the others."""
    stickyBy: StickyContext | None
    """What keeps a user on one side."""
    steps: list[StepContext]
    """The steps of a stepped canary."""
    promote: Literal["auto", "manual"] | None
    """Who switches (blueGreen)."""
    routing: Literal["router", "app"]
    """Who splits the traffic."""


@with_config(_CLOSED)
class GatewayContext(TypedDict):
    """The Gateway that an exposed service is attached to."""

    name: str
    """Its name."""
    namespace: str | None
    """Its namespace; null: the release's own."""


@with_config(_CLOSED)
class ExposureContext(TypedDict):
    """Where the service is reached from outside."""

    host: str
    """The host name."""
    path: str
    """Path prefix."""
    tls: str | None
    """Secret with the certificate."""
    gateway: GatewayContext | None
    """The Gateway, where the environment's router is Gateway API."""


@with_config(_CLOSED)
class ProbeContext(TypedDict):
    """A Kubernetes probe: exactly one of the four handlers is given, the others are null.

    Ports are numbers, because charts name theirs otherwise.
    """

    httpGet: dict[str, Any] | None
    """`{path, port}`."""
    exec: dict[str, Any] | None
    """`{command}`."""
    grpc: dict[str, Any] | None
    """`{port}`."""
    tcpSocket: dict[str, Any] | None
    """`{port}`."""
    periodSeconds: int
    """Seconds between two probes."""
    timeoutSeconds: int
    """Seconds until a probe counts as failed."""
    failureThreshold: int
    """Failures in a row that count."""


@with_config(_CLOSED)
class ContainerContext(TypedDict):
    """The service's container in Kubernetes' words."""

    command: list[str]
    """Replaces the image's entry point; empty: the image's own."""
    args: list[str]
    """Arguments of the command."""
    env: list[dict[str, Any]]
    """`{name, value}` or `{name, valueFrom: {secretKeyRef: {name, key}}}`."""
    ports: list[dict[str, Any]]
    """`{name, containerPort, protocol}`, the metrics port included."""
    extraPorts: list[dict[str, Any]]
    """`ports` without the routed one."""
    resources: dict[str, dict[str, str]]
    """Requests and limits; without what is not declared."""
    startupProbe: ProbeContext | None
    """From `health`."""
    readinessProbe: ProbeContext | None
    """From `health`."""
    livenessProbe: ProbeContext | None
    """From `health`, only with `live: true`."""
    lifecycle: dict[str, Any]
    """The preStop sleep; empty without a drain."""
    securityContext: dict[str, Any]
    """The container's security, with the safe defaults."""
    volumeMounts: list[dict[str, Any]]
    """Of `volumes` and `writable`; not of `files`."""


@with_config(_CLOSED)
class PodContext(TypedDict):
    """The service's pod in Kubernetes' words."""

    labels: dict[str, str]
    """The team's own labels: a chart adds its selector."""
    annotations: dict[str, str]
    """The team's annotations, and what makes Prometheus scrape."""
    serviceAccount: str | None
    """The ServiceAccount that is there already; null: one of its own."""
    imagePullSecrets: list[dict[str, str]]
    """`{name}`."""
    securityContext: dict[str, Any]
    """The pod's security, with the safe defaults."""
    nodeSelector: dict[str, str]
    """Labels that a node must have."""
    tolerations: list[dict[str, Any]]
    """Taints that are put up with."""
    runtimeClassName: str | None
    """The RuntimeClass."""
    terminationGracePeriodSeconds: int
    """Seconds until a pod is killed."""
    volumes: list[dict[str, Any]]
    """Of `volumes` and `writable`; not of `files`."""
    initContainers: list[dict[str, Any]]
    """Whole containers, from `init`."""
    sidecars: list[dict[str, Any]]
    """Whole containers, from `sidecars`."""


@with_config(_CLOSED)
class WorkloadContext(TypedDict):
    """What runs: a service, or its candidate with the candidate's patch applied."""

    name: str
    """The service's name."""
    image: ImageContext
    """Its image."""
    model: ModelContext | None
    """Its model."""
    env: list[EnvContext]
    """Its variables, in the order of release.yaml."""
    files: list[FileContext]
    """Its files."""
    ports: list[PortContext]
    """Its ports; none: a worker."""
    route: PortContext | None
    """The port that a router serves."""
    resources: ResourcesContext
    """What one replica needs."""
    replicas: ReplicasContext
    """How many."""
    pod: PodContext
    """The pod."""
    container: ContainerContext
    """The container."""


@with_config(_CLOSED)
class ServiceContext(WorkloadContext):
    """A service after all layers."""

    strategy: StrategyContext
    """How a new version takes over."""
    candidate: WorkloadContext | None
    """The second version; null while a variant is active."""
    active: str | None
    """The variant in use."""
    expose: ExposureContext | None
    """Where it is reached from outside."""


@with_config(_CLOSED)
class ReleaseContext(TypedDict):
    """What all services of the release share."""

    name: str
    """The release's name."""
    environment: str
    """The environment's path: `production/eu-west`."""
    namespace: str
    """The namespace of the helm target."""
    labels: dict[str, str]
    """`app.kubernetes.io/instance` and `app.kubernetes.io/managed-by`: the same for every service and version."""


@with_config(_CLOSED)
class ValuesContext(TypedDict):
    """The names at the top of a values template."""

    release: ReleaseContext
    """The release."""
    services: dict[str, ServiceContext]
    """Its services that this target compiles, by name."""
    service: ServiceContext | None
    """With `per: service` the one at hand; with `per: release` the only one, null where there are several."""


def context_schema() -> dict[str, Any]:
    """The JSON Schema of `ValuesContext`: what `schemas/context.json` holds."""
    schema = TypeAdapter(ValuesContext).json_schema(mode="serialization")
    definitions = schema["$defs"]
    for name, field in definitions["WorkloadContext"]["properties"].items():
        definitions["ServiceContext"]["properties"][name] = field  # pydantic leaves inherited fields undescribed
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

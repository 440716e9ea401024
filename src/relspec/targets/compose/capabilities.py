"""What compose.yaml can't say, field by field of a service, and what happens instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "serviceAccount": "left out: there are no service accounts",
        "imagePullSecrets": "left out: the host's `docker login` pulls the image",
        "placement": "left out: there is one host",
        "metrics": "labels prometheus.io/scrape, port and path, for Prometheus' Docker discovery",
        "annotations": "labels",
        "health.live": "left out: nothing restarts an unhealthy container",
        "shutdown.drain": "left out: a container leaves the project's DNS only when it stops, so waiting drains nothing",
        "replicas": "a range stays at its lower end: nothing scales by load",
        "resources.cpu": "a limit, unless cpuLimit says another: nothing is reserved",
        "volumes.empty": "held in memory; a volume of the project, without the size, where an init container or a sidecar"
        " mounts it too",
        "init": "services that end first; `docker compose up` runs them again each time, so they must bear that",
        "sidecars": "a service in the network of its service; of several replicas, in that of the first",
        "strategy.canary.steps": "as fixed: no controller moves the traffic (RS332, RS333)",
        "strategy.blueGreen": "as fixed: no controller moves the traffic (RS332, RS333)",
    }
)
"""Fields that lose or change something on the way; what would change traffic or safety is refused by the rules."""

REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "resources.gpu": "only nvidia.com/gpu can be reserved by number",
        "files.content": "not with security.readOnly: Compose copies inline files into the container, which it can't then"
        ": keep the file in the repository and name it with `from`",
        "env.variable.default": "one line, with balanced braces",
        "ports.publish": "of another port than the route, not with several replicas: one port of the host holds one",
    }
)
"""What the rules refuse (RS324), and how they tell."""

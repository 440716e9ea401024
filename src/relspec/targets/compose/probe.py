"""`health` as a compose healthcheck that works in slim images.

The engine runs a probe inside the container, where Kubernetes asks from outside: so it can only use what the image has.
An HTTP probe takes the first of curl, wget and python3 that is there; none of them follows a proxy variable. A TCP probe
looks for the port in the kernel's own list of listening sockets, else it connects with python3 or nc.

Tried with busybox 1.35, whose wget crashes on a time limit (so wget has none: the engine ends a probe that takes too
long) and whose nc may lack `-z` (so nc comes last).
"""

from __future__ import annotations

import shlex
from functools import lru_cache

from relspec.diagnostics import Finding, RelspecError
from relspec.facet import Facet
from relspec.resolve import ResolvedService
from relspec.spec.quantities import seconds
from relspec.spec.service import Health
from relspec.targets.compose.interpolation import literal, literals

PYTHON_HTTP = (
    "import http.client, sys; "
    'c = http.client.HTTPConnection("127.0.0.1", {port}, timeout={timeout}); '
    'c.request("GET", sys.argv[1]); '
    "sys.exit(c.getresponse().status >= 400)"
)
PYTHON_TCP = 'import socket; socket.create_connection(("127.0.0.1", {port}), timeout={timeout})'


def healthcheck(service: ResolvedService) -> Facet | None:
    """The healthcheck of a service; None without `health`.

    Failures within `startup` don't count, as with a startupProbe.
    """
    health = service.spec.health
    if health is None:
        return None
    origin = (*service.path, "health")
    return Facet(
        {
            "test": _test(health, service),
            "interval": health.period,
            "timeout": health.timeout,
            "retries": health.retries,
            "start_period": health.startup,
        },
        origin,
        {
            "test": origin,
            "interval": (*origin, "period"),
            "start_period": (*origin, "startup"),
        },
    )


def _test(health: Health, service: ResolvedService) -> list[str]:
    timeout = max(seconds(health.timeout), 1)
    if health.exec is not None:
        return ["CMD", *literals(health.exec)]
    if health.grpc is not None:
        limits = [f"-connect-timeout={health.timeout}", f"-rpc-timeout={health.timeout}"]
        return ["CMD", "grpc_health_probe", f"-addr=127.0.0.1:{health.grpc}", *limits]
    if health.tcp is not None:
        return ["CMD-SHELL", tcp_probe(health.tcp, timeout)]
    return ["CMD-SHELL", http_probe(_port(health, service), health.path or "/", timeout)]


def _port(health: Health, service: ResolvedService) -> int:
    """The number of the port that is asked: the one named, else the route. Raises RelspecError (RS131)."""
    if isinstance(health.port, int):
        return health.port
    name = health.port or service.route
    port = service.spec.ports.get(name) if name else None
    if port is None:
        message = f"{service.name} has no port {name}" if name else f"{service.name} has no port to ask"
        raise RelspecError(Finding("RS131", message, service.where(("health",)), "name a port: health: {port: http}"))
    return port.port


@lru_cache(maxsize=1024)
def http_probe(port: int, path: str, timeout: int) -> str:
    """A shell line that succeeds where GET `path` answers 2xx or 3xx within `timeout` seconds."""
    url = shlex.quote(f"http://127.0.0.1:{port}{path}")
    python = shlex.quote(PYTHON_HTTP.format(port=port, timeout=timeout))
    return literal(
        f"if command -v curl >/dev/null; then curl -fsS -m {timeout} --noproxy '*' -o /dev/null {url}; "
        f"elif command -v wget >/dev/null; then wget -q -Y off -O /dev/null {url}; "
        f"elif command -v python3 >/dev/null; then python3 -c {python} {shlex.quote(path)}; "
        "else echo 'no curl, wget or python3 in this image: use health.exec' >&2; exit 1; fi"
    )


@lru_cache(maxsize=1024)
def tcp_probe(port: int, timeout: int) -> str:
    """A shell line that succeeds where something listens on a port of the container."""
    python = shlex.quote(PYTHON_TCP.format(port=port, timeout=timeout))
    return literal(
        f"if command -v grep >/dev/null; then grep -qsE ':{port:04X} 0+:0000 0A ' /proc/net/tcp /proc/net/tcp6; "
        f"elif command -v python3 >/dev/null; then python3 -c {python}; "
        f"else nc -z -w {timeout} 127.0.0.1 {port}; fi"
    )

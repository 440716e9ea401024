"""The router of a compose service: an nginx that splits or mirrors the traffic of a stable and a candidate container.

The conf is an http-level snippet, meant for /etc/nginx/conf.d/default.conf of nginx 1.22 or later. What it promises:

- A candidate that can't be reached is replaced by stable, for every method. What the candidate may have run is asked
  again of stable only for GET and HEAD (no answer, or 502, 503, 504), so that no write runs twice.
- `X-Relspec-Variant` names who answered, after a fallback too; it is missing where nginx itself had to answer.
- The request's URI, body, Host and upgrades pass through unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from relspec.targets.split import Sticky, check_weight, istio_regex

TEMPLATE = "compose/router.conf.j2"
DOCKER_DNS = "127.0.0.11"

Strategy = Literal["fixed", "canary", "ab", "shadow"]
Upstream = tuple[str, int]
"""Host (a compose service, or an IPv4 address) and port."""

RenderText = Callable[[str, Mapping[str, object]], str]
"""Fills the template of a name with a context."""

DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?")
LISTEN_HOST = re.compile(r"\*|[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
COOKIE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Route(Struct, frozen=True):
    """What one router does.

    `weight` is the candidate's percent under canary and ab, `shadow_percent` the percent of the requests that are
    mirrored under shadow. `release` and `service` are names, not ids: they are the key of the hash bucket.
    """

    release: str
    service: str
    listen_port: int
    upstream_stable: Upstream
    upstream_candidate: Upstream | None = None
    grpc: bool = False
    strategy: Strategy = "fixed"
    weight: int = 0
    sticky: Sticky | None = None
    shadow_percent: int = 100
    listen_host: str = "*"
    resolver: str = DOCKER_DNS


def render(route: Route, text: RenderText) -> str:
    """The conf of a router. Raises ValueError as `router_context` does."""
    return text(TEMPLATE, router_context(route))


def router_context(route: Route) -> dict[str, object]:
    """What the template reads: text, numbers and flags that can't break out of their place in the conf.

    Raises ValueError for a name, port, weight or address that has no place there, and for a strategy without candidate.
    """
    check(route)
    split = _split(route)
    shadow = route.strategy == "shadow"
    percent = route.shadow_percent if shadow and route.shadow_percent < 100 else 0
    jump = split != "none" or percent > 0
    sticky = route.sticky
    return {
        "listen": f"{route.listen_host}:{route.listen_port}" + (" http2" if route.grpc else ""),
        "resolver": route.resolver,
        "stable": _address(route.upstream_stable),
        "candidate": _address(route.upstream_candidate) if split != "none" or shadow else "",
        "grpc": route.grpc,
        "module": "grpc" if route.grpc else "proxy",
        "pass": "grpc_pass grpc://" if route.grpc else "proxy_pass http://",
        "uri": "" if route.grpc else "$request_uri",
        "split": split,
        "routed": split != "none",
        "jump": jump,
        "weight": route.weight,
        "key": f"{route.release}/{route.service}",
        "cookie": sticky.name if sticky and sticky.source == "cookie" and split in ("hash", "regex") else "",
        "value": _value(sticky) if sticky else "",
        "regex": _regex(sticky, route.weight) if sticky and split == "regex" else "",
        "mirror_percent": percent,
        "stable_locations": _stable_locations(mirrored=shadow, percent=percent, jump=jump),
    }


def check(route: Route) -> None:
    """Raise ValueError where a field of `route` is not what the conf can hold."""
    for name, label in (("release", route.release), ("service", route.service)):
        _require(DNS_LABEL, f"{name} name", label)
    _require(LISTEN_HOST, "listening address", route.listen_host)
    _require(ADDRESS, "resolver", route.resolver)
    for host, port in (route.upstream_stable, route.upstream_candidate or route.upstream_stable):
        _require(HOST, "upstream host", host)
        _require_port(port)
    _require_port(route.listen_port)
    if route.sticky is not None:
        _require(HEADER if route.sticky.source == "header" else COOKIE, route.sticky.source, route.sticky.name)
    if route.strategy != "fixed" and route.upstream_candidate is None:
        raise ValueError(f"strategy {route.strategy} needs a candidate")
    if route.strategy in ("canary", "ab"):
        check_weight(route.sticky.bucket if route.sticky else "hash", route.weight)
    if route.strategy == "shadow" and not 1 <= route.shadow_percent <= 100:
        raise ValueError(f"a shadow's percent is from 1 to 100, not {route.shadow_percent}")


def _require(pattern: re.Pattern[str], what: str, value: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(f"{value!r} can't be a {what} in the router's conf")


def _require_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise ValueError(f"a port is from 1 to 65535, not {port}")


def _split(route: Route) -> Literal["none", "all", "request", "hash", "regex"]:
    """How the candidate's requests are found. nginx refuses `0%`, and 100 % needs no split."""
    if route.strategy not in ("canary", "ab") or route.weight == 0:
        return "none"
    if route.sticky is None:
        return "all" if route.weight == 100 else "request"
    return "hash" if route.sticky.bucket == "hash" and route.weight < 100 else "regex"


def _value(sticky: Sticky) -> str:
    """The nginx variable with the user's id. Cookies go through a map of the conf: `$cookie_NAME` knows no `-` and
    ignores case."""
    if sticky.source == "cookie":
        return "$relspec_cookie"
    return "$http_" + sticky.name.lower().replace("-", "_")


def _regex(sticky: Sticky, weight: int) -> str:
    """Matches the whole id of those on the candidate's side; under hash, at weight 100, that is any id."""
    return ".+" if sticky.bucket == "hash" else istio_regex(sticky.bucket, weight) or ""


def _address(upstream: Upstream | None) -> str:
    return f"{upstream[0]}:{upstream[1]}" if upstream else ""


def _stable_locations(*, mirrored: bool, percent: int, jump: bool) -> list[dict[str, object]]:
    """Where stable answers: the whole server, or named locations that `location /` jumps to."""
    if not jump:
        return [{"path": "/", "mirrored": mirrored}]
    plain: dict[str, object] = {"path": "@stable", "mirrored": False}
    return [plain, {"path": "@mirrored", "mirrored": True}] if percent else [plain]

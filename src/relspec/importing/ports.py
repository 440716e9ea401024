"""`ports` and `expose`: every published port stays published, under the address that it had."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from relspec.importing.interpolation import filled
from relspec.importing.taken import Context, Map, Taken, label

EVERYWHERE = "0.0.0.0"  # noqa: S104 - where Compose publishes unless it is told otherwise
MAX_RANGE = 64
"""Ports of a range that are written out one by one; longer ranges stay Compose's."""

NOT_HTTP = frozenset(
    {22, 25, 53, 389, 443, 465, 587, 636, 1433, 1521, 1883, 2181, 2379, 2380, 3306, 5432, 5433, 5672, 6379, 6380, 7687,
     8443, 9042, 9092, 9093, 9094, 11211, 19092, 26257, 27017, 29092}
)  # fmt: skip
"""Well-known ports where something else than HTTP is spoken."""

GRPC = frozenset({4317, 8033, 50051})
"""Ports where gRPC is spoken by convention."""

_SHORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<host>[0-9-]*):)?(?P<port>[0-9]+(?:-[0-9]+)?)(?:/(?P<proto>\w+))?"
)


class Published(Struct, frozen=True):
    """One port; `host` None where the engine chooses one, `only_exposed` where the host has none."""

    port: int
    host: int | None
    ip: str = EVERYWHERE
    udp: bool = False
    name: str | None = None
    only_exposed: bool = False


def ports(definition: Mapping[str, Any], context: Context) -> Taken:
    """`ports` and `expose` of a service."""
    written = definition.get("ports") or []
    published = read(written, context.values)
    exposed = list(_exposed(definition.get("expose") or []))
    if published is None:
        note = "ports stay as they were written: relspec does not see them"
        return Taken(_named([*exposed]), {"ports": written}, (note,))
    fits = _fits(published, context.bind)
    known = published if fits else [Published(p.port, None, udp=p.udp, name=p.name) for p in published]
    fields = _named([*known, *exposed])
    if fits:
        return Taken(fields)
    note = f"ports stay as they were written, in overrides: not all of them are one port of {context.bind}"
    return Taken(fields, {"ports": written}, (note,))


def _fits(published: Sequence[Published], bind: str) -> bool:
    """Whether fields can say it: one address, one port of the host for each port."""
    keys = Counter((each.port, each.udp) for each in published)
    return all(each.host is not None and each.ip == bind for each in published) and max(keys.values(), default=1) == 1


def _named(every: Iterable[Published]) -> Map:
    """The ports by name: the first HTTP port is `http`."""
    found: dict[str, Map] = {}
    seen: set[tuple[int, bool]] = set()
    for each in every:
        if (each.port, each.udp) in seen:
            continue
        seen.add((each.port, each.udp))
        protocol = protocol_of(each)
        name = each.name or ("http" if protocol == "http" and "http" not in found else f"{protocol}-{each.port}")
        port: Map = {"port": each.port}
        if each.host is not None:
            port["publish"] = each.host
        if protocol != "http":
            port["protocol"] = protocol
        found[label(name, found)] = port
    return {"ports": found} if found else {}


def protocol_of(each: Published) -> str:
    """What is spoken on a port, by its number."""
    if each.udp:
        return "udp"
    if each.port in NOT_HTTP:
        return "tcp"
    return "grpc" if each.port in GRPC else "http"


def read(written: Any, values: Mapping[str, str]) -> list[Published] | None:
    """The ports of a service; None where they can't be told from the file."""
    found: list[Published] = []
    for entry in written if isinstance(written, list) else ():
        some = _long(entry, values) if isinstance(entry, dict) else _short(str(entry), values)
        if some is None:
            return None
        found += some
    return found


def _short(text: str, values: Mapping[str, str]) -> list[Published] | None:
    plain = filled(text, values)
    match = _SHORT.fullmatch(plain) if plain is not None else None
    if match is None:
        return None
    proto = (match["proto"] or "tcp").lower()
    return _every(match["port"], match["host"], (match["ip"] or EVERYWHERE).strip("[]"), proto, None)


def _long(entry: Mapping[str, Any], values: Mapping[str, str]) -> list[Published] | None:
    texts = {key: filled(str(value), values) for key, value in entry.items() if value is not None}
    target = texts.get("target")
    if target is None or None in texts.values() or texts.get("mode", "ingress") not in ("ingress", "host"):
        return None
    name = texts.get("name")
    ip = texts.get("host_ip") or EVERYWHERE
    return _every(target, texts.get("published"), ip, (texts.get("protocol") or "tcp").lower(), name)


def _every(port: str, host: str | None, ip: str, proto: str, name: str | None) -> list[Published] | None:
    """One entry, or each of a range."""
    inside, outside = _range(port), _range(host) if host else None
    if inside is None or proto not in ("tcp", "udp") or (host and outside is None):
        return None
    if outside is not None and len(outside) != len(inside):
        return None
    return [
        Published(number, outside[index] if outside is not None else None, ip, proto == "udp", name)
        for index, number in enumerate(inside)
    ]


def _range(text: str) -> range | None:
    first, _, last = text.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        return None
    found = range(int(first), int(last or first) + 1)
    return found if 0 < len(found) <= MAX_RANGE and found[0] >= 1 and found[-1] <= 65535 else None


def _exposed(written: Any) -> Iterator[Published]:
    for entry in written if isinstance(written, list) else ():
        port, _, proto = str(entry).partition("/")
        numbers = _range(port)
        for number in numbers if numbers is not None else ():
            yield Published(number, None, udp=proto.lower() == "udp", only_exposed=True)


def address(services: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """The address that most of the published ports listen on: the environment's `bind`."""
    found: Counter[str] = Counter()
    for definition in services.values():
        written = definition.get("ports") if isinstance(definition, dict) else None
        found.update(each.ip for each in read(written, values) or ())
    return max(found, key=lambda ip: (found[ip], ip == EVERYWHERE), default="127.0.0.1")

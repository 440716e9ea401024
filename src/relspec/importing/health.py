"""`healthcheck`: a simple curl or wget becomes a path and a port, everything else stays a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from relspec.importing.interpolation import literal, mentions
from relspec.importing.taken import Map, Taken, duration

DEFAULTS = {"period": "30s", "timeout": "30s"}
"""Compose's own, where they differ from ours."""

NAMES = {"interval": "period", "timeout": "timeout", "start_period": "startup"}

HARMLESS = re.compile(
    r"-[fsSLkq]+|--(?:fail|silent|show-error|location|quiet|spider|no-verbose|tries=\d+)|-nv|-qO-|-O-|-t\d+|-T\d+|-qO"
)
"""Options that don't change what is asked."""

WITH_VALUE = ("-o", "-O", "--output", "-qO", "-m", "--max-time", "-t", "-T", "--tries", "--timeout")
URL = re.compile(r"http://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d{1,5}))?(/[^\s\"'`$\\]*)?")


def health(value: Any, ports: Mapping[str, Any]) -> Taken:
    """The health of a service whose `ports` are ours."""
    if not isinstance(value, dict):
        return Taken()
    test = value.get("test")
    if value.get("disable") is True or test in ("NONE", ["NONE"]):
        return Taken({}, {"healthcheck": {"disable": True}})
    probe = None if test is None or mentions(value) else _probe(test, ports)
    times = {NAMES[key]: duration(value[key]) for key in NAMES if key in value}
    retries = value.get("retries", 3)
    known = {"test", "retries", *NAMES}
    if probe is None or None in times.values() or not isinstance(retries, int) or isinstance(retries, bool):
        note = "the health check stays Compose's own: relspec does not see it"
        return Taken({}, {"healthcheck": value}, (note,))
    rest = {key: item for key, item in value.items() if key not in known}
    fields = {**probe, **DEFAULTS, **times, "retries": retries}
    return Taken({"health": fields}, {"healthcheck": rest} if rest else {})


def _probe(test: Any, ports: Mapping[str, Any]) -> Map | None:
    """The probe; None where there is no way to say it."""
    if isinstance(test, str):
        return _shell(test, ports)
    words = [str(word) for word in test] if isinstance(test, list) else []
    if len(words) == 2 and words[0] == "CMD-SHELL":
        return _shell(words[1], ports)
    if len(words) < 2 or words[0] != "CMD":
        return None
    plain = [literal(word) or "" for word in words[1:]]
    return _http(plain, ports) or {"exec": plain}


def _shell(line: str, ports: Mapping[str, Any]) -> Map:
    text = literal(line) or ""
    command = re.sub(r"\s*(?:\|\||;)\s*(?:exit 1|false)\s*$", "", text.strip())
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    return _http(words, ports) or {"exec": ["/bin/sh", "-c", text]}


def _http(words: Sequence[str], ports: Mapping[str, Any]) -> Map | None:
    """`curl -f http://localhost:8080/health` as a path and a port; None where a command does more than that."""
    if not words or words[0].rpartition("/")[2] not in ("curl", "wget"):
        return None
    url = None
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word in WITH_VALUE:
            skip = True
        elif (match := URL.fullmatch(word)) is not None and url is None:
            url = match
        elif HARMLESS.fullmatch(word) is None:
            return None
    if url is None:
        return None
    number = int(url[1] or 80)
    name = next((name for name, port in ports.items() if port["port"] == number), None)
    return {"path": url[2] or "/", "port": name or number}

"""What each target can express: the table behind `relspec explain --capabilities`.

An entry is `yes`, `no` with the code that refuses it, or `note` with what happens instead. Tests compile every
combination that the table speaks of and compare what is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

TARGETS = ("compose", "istio", "gateway", "helm")
"""Columns: Docker Compose with nginx; Argo Rollouts with Istio and with Gateway API; a team's own Helm chart.

The packaged reference chart prints the objects of the rollouts target, so it has the columns of Istio and Gateway.
"""


class Support(Struct, frozen=True):
    """Whether a target can express a feature; `code` is what relspec says where it can't, `how` what it does."""

    level: Literal["yes", "note", "no"]
    how: str = ""
    code: str = ""

    def __str__(self) -> str:
        detail = ", ".join(part for part in (self.code, self.how) if part)
        return f"{self.level} ({detail})" if detail else self.level


class Capability(Struct, frozen=True):
    """One row: a thing that a release can declare, and what becomes of it in each target."""

    feature: str
    compose: Support
    istio: Support
    gateway: Support
    helm: Support

    def of(self, target: str) -> Support:
        """The entry of a column."""
        found: Support = getattr(self, target)
        return found


YES = Support("yes")
OWN = Support("note", "what its values template reads", "RS336")


def _no(code: str, how: str = "") -> Support:
    return Support("no", how, code)


def _note(how: str, code: str = "") -> Support:
    return Support("note", how, code)


AS_FIXED = _no("RS332", "as fixed with a note (RS333) where another target runs it")
NO_STICKY = _no("RS331")
OUTSIDE = _note("left to the chart")

TABLE: tuple[Capability, ...] = (
    Capability("fixed", YES, YES, YES, YES),
    Capability("canary, stepped", AS_FIXED, YES, _note("needs the controller's Gateway API plugin"), OWN),
    Capability("blue-green", AS_FIXED, YES, YES, OWN),
    Capability("canary, held: by request", YES, YES, YES, OWN),
    Capability("stickyBy mod100", YES, Support("yes", "header or cookie by a generated expression"), NO_STICKY, OWN),
    Capability("stickyBy parity", YES, Support("yes", "header or cookie by a generated expression"), NO_STICKY, OWN),
    Capability("stickyBy hex256", YES, Support("yes", "header or cookie by a generated expression"), NO_STICKY, OWN),
    Capability("stickyBy hash", YES, NO_STICKY, NO_STICKY, OWN),
    Capability("A/B test", YES, Support("yes", "not with bucket: hash"), NO_STICKY, OWN),
    Capability(
        "shadow", Support("yes", "mirror"), Support("yes", "mirrorPercentage"), Support("yes", "RequestMirror"), OWN
    ),
    Capability("routing: app", YES, YES, YES, OWN),
    Capability("grpc under a split", _note("the router reads a request whole before it passes it on"), YES, YES, OWN),
    Capability("calls inside the project", _note("reach stable only", "RS351"), YES, YES, OUTSIDE),
    Capability(
        "dependsOn",
        YES,
        _note("left out: pods wait by their probes"),
        _note("left out: pods wait by their probes"),
        OUTSIDE,
    ),
    Capability(
        "restart",
        YES,
        _note("left out: Kubernetes always restarts"),
        _note("left out: Kubernetes always restarts"),
        OUTSIDE,
    ),
    Capability("build", YES, _note("left out: images are pulled"), _note("left out: images are pulled"), OUTSIDE),
    Capability("ports.publish", YES, _note("left out: see expose"), _note("left out: see expose"), OUTSIDE),
    Capability("metrics", _note("labels, for Prometheus' Docker discovery"), YES, YES, OWN),
    Capability("env {variable}", YES, _no("RS324"), _no("RS324"), _no("RS324")),
    Capability("volumes {host}, relative", YES, _no("RS324"), _no("RS324"), _no("RS324")),
    Capability("placement, serviceAccount", _note("left out: one host"), YES, YES, OWN),
    Capability("replicas as a range", _note("the smallest number"), YES, YES, OWN),
    Capability("health.grpc", _note("needs grpc_health_probe in the image", "RS322"), YES, YES, OWN),
    Capability(
        "expose.tls",
        _note("left out: one host"),
        _note("the Gateway's own business"),
        _note("the Gateway's own business"),
        OWN,
    ),
    Capability("shutdown.drain", _note("left out: a container leaves DNS only when it stops"), YES, YES, OWN),
)


def table(rows: Sequence[Capability] = TABLE) -> str:
    """The table as text, one column a target."""
    header = ["", "compose", "rollouts, Istio", "rollouts, Gateway API", "helm, own chart"]
    cells = [header, *([row.feature, *(str(row.of(target)) for target in TARGETS)] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([*lines, "", "The packaged reference chart prints the objects of rollouts: it can what they can."])


def as_json(rows: Sequence[Capability] = TABLE) -> dict[str, Any]:
    """The table as data, schema relspec/capabilities/v1."""
    return {
        "schema": "relspec/capabilities/v1",
        "capabilities": [
            {
                "feature": row.feature,
                **{
                    t: {"level": s.level, "how": s.how or None, "code": s.code or None}
                    for t in TARGETS
                    for s in (row.of(t),)
                },
            }
            for row in rows
        ],
    }

"""`release.yaml`: what runs. Kept by the team that owns the service; the file that gets reverted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from relspec.spec.model import SpecModel
from relspec.spec.quantities import Name, RelativePath
from relspec.spec.service import Overrides, ServicePatch, Targets

ApiVersion = Literal["relspec/v1"]


class HelmSource(SpecModel):
    """The chart and its values, field by field over the environment's."""

    chart: RelativePath | None = Field(
        None, description="Folder of the chart, relative to this file.", examples=["../../../charts/model-server"]
    )
    values: RelativePath | dict[str, Any] | None = Field(
        None, description="A values template (*.j2), `scaffold`, or a map with holes.", examples=["values.yaml.j2"]
    )
    per: Literal["release", "service"] | None = Field(None, description="One values file a release, or one a service.")


class Release(SpecModel):
    """A release of one environment; a base is a Release without `name`, outside environments/."""

    api_version: ApiVersion = Field(description="The language's version.", examples=["relspec/v1"])
    kind: Literal["Release"] = Field(description="What this document is.")
    name: Name | None = Field(None, description="A DNS label; the folder's name.", examples=["movie-recs"])
    extends: RelativePath | None = Field(
        None, description="A base, relative to this file; at most 4 deep.", examples=["../../../bases/recs.yaml"]
    )
    targets: Targets | None = Field(None, description="Subset of the environment's targets.", examples=[["rollouts"]])
    services: Annotated[dict[Name, ServicePatch | None], Field(max_length=256)] | None = Field(
        None,
        description="The services by name.",
        examples=[{"api": {"image": "ghcr.io/acme/recs:1.8.2", "ports": {"http": 8080}}}],
    )
    helm: HelmSource | None = Field(None, description="The chart, where it differs from the environment's.")
    overrides: Overrides | None = Field(None, description="Patches on the output of every service.")

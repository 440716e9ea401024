"""The model registry: one folder a model, one immutable file a version."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from relspec.credentials import hidden_in_prose
from relspec.spec.model import SpecModel
from relspec.spec.quantities import Image, Memory, Name, is_day
from relspec.spec.release import ApiVersion

VersionText = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2048)]
# It is shown in many places: a password among the words is hidden in all of them at once.
Reason = Annotated[Text, AfterValidator(hidden_in_prose)]


_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T([01][0-9]|2[0-3])(:[0-5][0-9]){0,2}Z)?")


def _in_the_calendar(text: str) -> str:
    """A day, or a time of one in UTC, as ISO 8601 has them. Raises PydanticCustomError RS122 where there is no such day."""
    match = _TIME.fullmatch(text)
    if match is not None and is_day(match[1]):
        return text
    hint = "write a day or a time in UTC: 2026-03-04, 2026-03-04T14:05:00Z"
    raise PydanticCustomError("RS122", "{value} is in no calendar", {"hint": hint})


class Artifact(SpecModel):
    """The files that make up the model."""

    uri: Text = Field(description="Where they lie.", examples=["s3://models/als/v0.4"])
    digest: Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$")] | None = Field(
        None, description="Their content.", examples=["sha256:" + "0123456789abcdef" * 4]
    )
    reference: Text | None = Field(
        None, description="What {model: reference} gives; default: the uri without oci://.", examples=["acme/als:v0.4"]
    )


class CodeLineage(SpecModel):
    """The code that trained it."""

    repository: Text | None = Field(
        None, description="Where the code lies.", examples=["https://git.acme.example/ml/als"]
    )
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")] = Field(description="Its commit.", examples=["207521e0"])


class DataLineage(SpecModel):
    """The data it saw."""

    snapshot: Text = Field(description="The snapshot's id.", examples=["9c1de442"])


class ConfigLineage(SpecModel):
    """The configuration of the training."""

    hyperparameters: dict[str, Any] = Field(description="Free form.", examples=[{"rank": 64}])


class Runtime(SpecModel):
    """What it runs in: a version without it is the anti-pattern "environment mismatch"."""

    image: Image | None = Field(None, description="The serving image.", examples=["ghcr.io/acme/recs:1.8.2"])
    python: str | None = Field(None, description="The Python version, in quotes.", examples=["3.11.5"])


class Hardware(SpecModel):
    """What it needs to run."""

    accelerator: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-z0-9.-]+$")] | None = Field(
        None, description="An extended resource.", examples=["nvidia.com/gpu"]
    )
    memory: Memory | None = Field(None, description="Least memory.", examples=["8Gi"])
    arch: list[Literal["amd64", "arm64"]] | None = Field(
        None, description="Processor architectures.", examples=[["amd64", "arm64"]]
    )


class Interface(SpecModel):
    """What goes in and comes out, as JSON Schema."""

    input: dict[str, Any] | None = Field(
        None, description="JSON Schema of a request.", examples=[{"type": "object", "required": ["user_id"]}]
    )
    output: dict[str, Any] | None = Field(
        None, description="JSON Schema of an answer.", examples=[{"type": "object", "required": ["items"]}]
    )


class ModelVersion(SpecModel):
    """One version: code, data and configuration. Never edited, never deleted."""

    api_version: ApiVersion = Field(description="The language's version.", examples=["relspec/v1"])
    kind: Literal["ModelVersion"] = Field(description="What this document is.")
    model: Name = Field(description="The model; the folder's name.", examples=["als"])
    version: VersionText = Field(description="The version; the file's name.", examples=["v0.4"])
    artifact: Artifact | None = Field(None, description="The files that make up the model.")
    code: CodeLineage | None = Field(None, description="The code that trained it.")
    data: DataLineage | None = Field(None, description="The data it saw.")
    config: ConfigLineage | None = Field(None, description="The configuration of the training.")
    runtime: Runtime | None = Field(None, description="What it runs in.")
    hardware: Hardware | None = Field(None, description="What it needs.")
    interface: Interface | None = Field(None, description="What goes in and comes out.")
    metrics: dict[str, str | int | float] | None = Field(None, description="How good it is.", examples=[{"ndcg": 0.41}])
    reports: Text | None = Field(
        None, description="What the live server calls it, a glob; default: the version.", examples=["baseline-*"]
    )
    description: Text | None = Field(
        None, description="A sentence for people.", examples=["Trained on the spring catalogue."]
    )


class Quarantine(SpecModel):
    """A version that must not come back. Lifted, never removed."""

    reason: Reason = Field(description="Why.", examples=["error rate 12 %"])
    since: Annotated[
        str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]+Z)?$"), AfterValidator(_in_the_calendar)
    ] = Field(description="Since when (UTC).", examples=["2026-03-04"])
    lifted: Reason | None = Field(None, description="Why it may come back.", examples=["cause was the cache, fixed"])


class Model(SpecModel):
    """What changes over time about a model's versions."""

    api_version: ApiVersion = Field(description="The language's version.", examples=["relspec/v1"])
    kind: Literal["Model"] = Field(description="What this document is.")
    name: Name | None = Field(None, description="The folder's name; may be left out.", examples=["als"])
    versioning: Literal["semver", "sequential"] = Field("semver", description="How versions are numbered.")
    aliases: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")], VersionText] | None = Field(
        None, description="Names for versions.", examples=[{"prod": "v0.3"}]
    )
    lifecycle: dict[VersionText, Literal["candidate", "deprecated", "archived"]] | None = Field(
        None,
        description="Where a version stands; active is derived from what runs.",
        examples=[{"v0.4": "candidate", "v0.1": "archived"}],
    )
    quarantine: dict[VersionText, Quarantine] | None = Field(
        None,
        description="Versions that must not come back.",
        examples=[{"v0.2": {"reason": "error rate 12 %", "since": "2026-03-04"}}],
    )
    keep: Annotated[int, Field(ge=0, le=100)] = Field(3, description="Earlier versions that must stay deployable.")

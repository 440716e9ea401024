"""`relspec.yaml` and `relspec.lock`: settings of a whole repository."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from relspec.spec.model import SpecModel
from relspec.spec.quantities import RelativePath
from relspec.spec.release import ApiVersion

SOURCES = ("environments", "registry", "bases", "templates", "charts")
"""Folders that people write in; outputs among them would be removed or read as sources."""


def _no_folder_of_sources(output: str) -> str:
    if output.split("/", maxsplit=1)[0] in SOURCES:
        raise PydanticCustomError(
            "RS122",
            "the outputs can't lie in {folder}/, where sources are kept",
            {"folder": output.split("/", maxsplit=1)[0], "hint": "write a folder of its own: output: rendered"},
        )
    return output


class Repository(SpecModel):
    """Settings of the repository; the file may be missing."""

    api_version: ApiVersion = Field(description="The language's version.", examples=["relspec/v1"])
    kind: Literal["Repository"] = Field(description="What this document is.")
    output: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"),
        AfterValidator(_no_folder_of_sources),
    ] = Field("rendered", description="Folder of the outputs.")
    main: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$")] = Field(
        "main", description="The branch that is deployed."
    )
    schemas: list[RelativePath] = Field(
        [],
        description="JSON Schemas that outputs must also fit, or folders of them: Rollout.json, Service.json, …, compose.json, values.json.",
        examples=[["policies/schemas"]],
    )


class Lock(SpecModel):
    """What fixes the bytes of the outputs."""

    api_version: ApiVersion = Field(description="The language's version.", examples=["relspec/v1"])
    kind: Literal["Lock"] = Field(description="What this document is.")
    compiler: Annotated[str, Field(pattern=r"^[<>=!~0-9., ]+$")] = Field(
        description="Compilers of this edition.", examples=[">=0.3,<0.4"]
    )
    edition: Annotated[int, Field(ge=1)] = Field(
        description="Rises exactly when a golden output changes.", examples=[7]
    )
    templates: Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$")] = Field(
        description="The packaged templates.", examples=["sha256:" + "0123456789abcdef" * 4]
    )
    schemas: Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$")] = Field(
        description="The output schemas.", examples=["sha256:" + "0123456789abcdef" * 4]
    )
    kubernetes: Annotated[str, Field(pattern=r"^1\.[0-9]+$")] = Field(
        description="Default Kubernetes version.", examples=["1.34"]
    )
    argo_rollouts: Annotated[str, Field(pattern=r"^1\.[0-9]+$")] = Field(
        description="Argo Rollouts version.", examples=["1.9"]
    )

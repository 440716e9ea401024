"""The base of every model of the language: closed, strict, camelCase in YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class SpecModel(BaseModel):
    """A map of the language. An unknown key is an error; no scalar is converted into another kind of scalar."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        regex_engine="rust-regex",
        defer_build=True,
        use_attribute_docstrings=False,
        protected_namespaces=(),
    )

"""One mistake, one answer, and the answer in words: what a regular expression alone would say, or an unsure edit, is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wrong_specs
from company import run, write
from relspec.spec.environment import EnvironmentSpec
from relspec.spec.model import SpecModel
from relspec.spec.registry import Model, ModelVersion
from relspec.spec.release import Release
from relspec.spec.repository import Lock, Repository
from relspec.spec.validation import WORDS

MODELS = (Release, EnvironmentSpec, Model, ModelVersion, Repository, Lock)


def of_plain_texts(schema: Any) -> Iterator[str]:
    """The patterns that pydantic itself refuses a text by; one that is `shaped` brings words of its own."""
    if isinstance(schema, list | tuple):
        for inner in schema:
            yield from of_plain_texts(inner)
    elif isinstance(schema, dict):
        if schema.get("type") == "custom-error":
            return
        if schema.get("type") == "str" and schema.get("pattern"):
            yield schema["pattern"]
        for inner in schema.values():
            yield from of_plain_texts(inner)


@pytest.mark.parametrize("model", MODELS)
def test_every_pattern_has_words(model: type[SpecModel]) -> None:
    model.model_rebuild()
    assert set(of_plain_texts(model.__pydantic_core_schema__)) - set(WORDS) == set()


def test_no_words_are_left_over() -> None:
    for model in MODELS:
        model.model_rebuild()
    used = {pattern for model in MODELS for pattern in of_plain_texts(model.__pydantic_core_schema__)}
    assert set(WORDS) - used == set()


def diagnostics(folder: Path, files: dict[str, bytes]) -> list[dict[str, Any]]:
    """What `check` says of the repository of the wrong specs with these files."""
    write(folder, {**wrong_specs.repository(), **files})
    found: list[dict[str, Any]] = json.loads(run(folder, "check", "--format", "json").out)["diagnostics"]
    return found


def with_line(line: str) -> dict[str, bytes]:
    """The release with one more line in its service."""
    return {wrong_specs.RELEASE: wrong_specs.repository()[wrong_specs.RELEASE] + f"    {line}\n".encode()}


@pytest.mark.parametrize(
    "line",
    ["resources: {memory: 0.1}", "resources: {memory: 1.5}", "shutdown: {grace: 30.5}", "resources: {memory: 1024}"],
)
def test_a_number_without_its_unit_is_not_put_in_quotes(line: str, tmp_path: Path) -> None:
    (found,) = diagnostics(tmp_path, with_line(line))
    assert (found["code"], found["fix"]) == ("RS104", None)
    assert "quotes" not in found["hint"]


@pytest.mark.parametrize("used", [True, False])
def test_a_model_without_its_file_is_missed_once(used: bool, tmp_path: Path) -> None:
    write(tmp_path, wrong_specs.repository())
    (tmp_path / "registry/als/model.yaml").unlink()
    if used:
        write(tmp_path, with_line("model: als@v3"))
    (found,) = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    assert (found["code"], found["file"]) == ("RS201", "registry/als/model.yaml")
    assert "create registry/als/model.yaml" in found["hint"]
    assert found["releases"] == (["production/recs"] if used else [])


def test_a_missing_image_is_said_once_of_all_variants(tmp_path: Path) -> None:
    base = wrong_specs.repository()["bases/recs.yaml"].replace(b"    image: ghcr.io/acme/recs:1.8.2\n", b"")
    changed = with_line("image: null\n    variants: {v: {replicas: 2}, w: {replicas: 3}}")
    found = diagnostics(tmp_path, {"bases/recs.yaml": base, **changed})
    assert [d["code"] for d in found if d["file"] == wrong_specs.RELEASE] == ["RS202"]

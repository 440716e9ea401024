"""Any text of a spec comes out of every target as that text, read by the target's own parser.

Rollouts by PyYAML (1.1) and ruamel.yaml (1.2), Helm values by Helm itself (Go), Compose by Compose (Go).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import judges
from company import Map, compose, kubernetes, outputs, with_service
from relspec.targets.helm.chart import reference_chart_folder

NASTY = [
    "no",
    "1.10",
    "0o17",
    "1e22",
    "1_000",
    "12:30",
    "2024-01-01",
    "~",
    "{{ x }}",
    "${X}",
    "$$",
    "'",
    '"',
    "#",
    "a: b",
]
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ue000\ue001\u2028\u2029\ufeff")
)
TEXTS = st.lists(TEXT | st.sampled_from(NASTY) | TEXT.map(lambda text: f"{text}\n {text}\n"), min_size=20, max_size=40)


def rendered(texts: list[str], where: Map) -> bytes:
    env = {f"V{index}": text for index, text in enumerate(texts)}
    return next(data for path, data in outputs(with_service({"env": env}, where)).items() if path.endswith(".yaml"))


def of_rollout(documents: list[Map]) -> list[str]:
    rollout = next(document for document in documents if document["kind"] == "Rollout")
    return [entry["value"] for entry in rollout["spec"]["template"]["spec"]["containers"][0]["env"]]


@pytest.mark.judge
@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(TEXTS)
def test_any_text_comes_out_of_every_target(texts: list[str]) -> None:
    manifests = rendered(texts, kubernetes())
    assert of_rollout(list(yaml.safe_load_all(manifests))) == texts
    assert of_rollout(list(YAML(typ="safe", pure=True).load_all(manifests))) == texts
    with tempfile.TemporaryDirectory() as scratch:
        values = Path(scratch, "values.yaml")
        values.write_bytes(rendered(texts, kubernetes(targets={"helm": {}})))
        assert of_rollout(judges.helm_template(reference_chart_folder(), values, name="recs", namespace="ml")) == texts
        project = Path(scratch, "compose.yaml")
        project.write_bytes(rendered(texts, compose()))
        found = judges.compose_config(project)["services"]["api"]["environment"]
        # `config` prints what `config` reads again: `$` doubled.
        assert [found[f"V{index}"].replace("$$", "$") for index in range(len(texts))] == texts

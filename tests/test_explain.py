"""`relspec explain`: a value's origin and what it overrode, an output line's origin, a code, the capabilities."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from company import write
from relspec.cli import relspec

FILES = {
    "environments/production/environment.yaml": """\
apiVersion: relspec/v1
kind: Environment
name: production
targets: {rollouts: {namespace: ml}}
defaults:
  resources: {cpu: 500m, memory: 1Gi}
  env: {LOG_LEVEL: warning}
""",
    "bases/recs.yaml": """\
apiVersion: relspec/v1
kind: Release
services:
  api:
    image: ghcr.io/acme/recs:1.8.0
    env: {LOG_LEVEL: debug}
    ports: {http: 8080}
    health: {path: /healthz}
""",
    "environments/production/recs/release.yaml": """\
apiVersion: relspec/v1
kind: Release
name: recs
extends: ../../../bases/recs.yaml
services:
  api:
    image: ghcr.io/acme/recs:1.8.2
    env:
      LOG_LEVEL: info
    labels: {example.com/team: recs}
    model: als@prod
""",
    "registry/als/model.yaml": "apiVersion: relspec/v1\nkind: Model\nname: als\naliases: {prod: v0.3}\n",
    "registry/als/v0.3.yaml": "apiVersion: relspec/v1\nkind: ModelVersion\nmodel: als\nversion: v0.3\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    assert run(tmp_path, "compile").exit_code == 0
    return tmp_path


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(relspec, ["-C", str(root), *arguments], standalone_mode=False)


def test_a_value_names_the_layer_that_wrote_it_and_every_one_that_it_overrides(root: Path) -> None:
    assert run(root, "explain", "production/recs", "api.env.LOG_LEVEL").output == (
        "api.env.LOG_LEVEL = info\n"
        "  from  environments/production/recs/release.yaml:9:18  (release)\n"
        "  over  bases/recs.yaml:6:22  (base bases/recs.yaml): debug\n"
        "  over  environments/production/environment.yaml:7:20  (environment production defaults): warning\n"
    )


def test_a_value_of_a_base_or_of_the_defaults_leads_there(root: Path) -> None:
    assert "bases/recs.yaml:7:19  (base" in run(root, "explain", "production/recs", "api.ports.http.port").output
    assert "environment.yaml:6:34" in run(root, "explain", "production/recs", "api.resources.memory").output


def test_a_key_with_dots_is_found(root: Path) -> None:
    assert "release.yaml:10:32" in run(root, "explain", "production/recs", "api.labels.example.com/team").output


def test_an_alias_says_which_version_it_means(root: Path) -> None:
    assert (
        "prod is an alias: als v0.3, from registry/als/v0.3.yaml"
        in run(root, "explain", "production/recs", "api.model").output
    )


def test_a_default_of_the_language_says_so(root: Path) -> None:
    output = run(root, "explain", "production/recs", "api.restart").output
    assert output == "api.restart = unless-stopped\n  note  a default of the language\n"


def test_a_field_that_nobody_set_is_an_error_with_a_hint(root: Path) -> None:
    result = run(root, "explain", "production/recs", "api.env.LOG_LEVLE")
    assert "nothing sets api.env.LOG_LEVLE" in str(result.exception)


def test_json_has_the_same_facts(root: Path) -> None:
    document = json.loads(run(root, "explain", "production/recs", "api.image", "--format", "json").output)
    assert document["schema"] == "relspec/explain/v1"
    assert [(s["file"], s["line"], s["column"]) for s in document["sources"]] == [
        ("environments/production/recs/release.yaml", 7, 12),
        ("bases/recs.yaml", 5, 12),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("image: ghcr.io", "environments/production/recs/release.yaml:7:12"),
        ("value: info", "environments/production/recs/release.yaml:9:18"),
        ("containerPort: 8080", "bases/recs.yaml:7:19"),
        ("cpu: 500m", "environments/production/environment.yaml:6:20"),
        ("example.com/team: recs", "environments/production/recs/release.yaml:10:32"),
        ("progressDeadlineAbort", "relspec:templates/rollouts/rollouts.yaml.j2"),
    ],
)
def test_a_line_of_an_output_leads_to_the_line_of_the_spec(root: Path, text: str, place: str) -> None:
    output = "rendered/production/recs/rollouts/rollouts.yaml"
    lines = (root / output).read_text().splitlines()
    number = next(index for index, line in enumerate(lines, 1) if text in line)
    result = run(root, "explain", f"{output}:{number}")
    assert f"from  {place}" in result.output


def test_a_code_is_explained() -> None:
    assert run(Path(), "explain", "rs210").output.startswith("RS210: ")


def test_the_capabilities_need_no_repository(tmp_path: Path) -> None:
    assert "canary, stepped" in run(tmp_path, "explain", "--capabilities").output
    document = json.loads(run(tmp_path, "explain", "--capabilities", "--format", "json").output)
    assert document["schema"] == "relspec/capabilities/v1"

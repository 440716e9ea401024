"""`relspec model`, and completion: what is registered, what runs where, what there is to go back to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from relspec.cli import relspec
from relspec.diagnostics import RelspecError

MODEL = """\
apiVersion: relspec/v1
kind: Model
name: als
aliases: {prod: v0.3, next: v0.10}
lifecycle: {v0.1: archived, v0.10: candidate}
quarantine:
  v0.2: {reason: error rate 12 %, since: "2026-03-04"}
  v0.0: {reason: slow, since: "2026-01-04", lifted: fixed}
"""
RECORD = "apiVersion: relspec/v1\nkind: ModelVersion\nmodel: {model}\nversion: {version}\n"
ENVIRONMENT = "apiVersion: relspec/v1\nkind: Environment\nname: {name}\ntargets: {{{target}}}\n"
RELEASE = "apiVersion: relspec/v1\nkind: Release\nname: {name}\nservices:\n{services}\n"
SERVICE = "    image: acme/recs:1\n    ports: {http: 8080}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        "relspec.yaml": "apiVersion: relspec/v1\nkind: Repository\n",
        "registry/als/model.yaml": MODEL,
        "registry/rules/model.yaml": "apiVersion: relspec/v1\nkind: Model\nname: rules\nversioning: sequential\n",
        "registry/rules/v1.yaml": RECORD.format(model="rules", version="v1"),
        **{
            f"registry/als/{v}.yaml": RECORD.format(model="als", version=v)
            for v in ("v0.0", "v0.1", "v0.2", "v0.3", "v0.9", "v0.10")
        },
        "environments/dev/environment.yaml": ENVIRONMENT.format(name="dev", target="compose: {}"),
        "environments/dev/recs/release.yaml": RELEASE.format(
            name="recs",
            services=f"  api:\n    model: als@next\n{SERVICE}    variants: {{plain: {{model: rules@v1}}}}\n    active: plain",
        ),
        "environments/production/environment.yaml": ENVIRONMENT.format(name="production", target="compose: {}"),
        "environments/production/recs/release.yaml": RELEASE.format(
            name="recs",
            services=f"  api:\n    model: als@prod\n{SERVICE}    candidate: {{model: als@v0.9}}\n"
            "    strategy: {canary: {weight: 10}}",
        ),
        "environments/production/eu/environment.yaml": ENVIRONMENT.format(name="eu", target="compose: {}"),
        "environments/production/eu/recs/release.yaml": RELEASE.format(
            name="recs", services=f"  api:\n    model: als@v0.9\n{SERVICE}"
        ),
        "environments/production/broken/release.yaml": "kind: Release\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    result = CliRunner().invoke(relspec, ["-C", str(folder), "model", *words], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def data(folder: Path, what: str, *words: str) -> list[Mapping[str, Any]]:
    document = json.loads(run(folder, what, *words, "--format", "json").stdout)
    assert document["schema"] == "relspec/model/v1"
    found: list[Mapping[str, Any]] = document[what]
    return found


def test_versions_are_listed_newest_first_by_number(repository: Path) -> None:
    listed = data(repository, "list", "als")
    assert [each["version"] for each in listed] == ["v0.10", "v0.9", "v0.3", "v0.2", "v0.1", "v0.0"]
    assert [each["deployable"] for each in listed] == [True, True, True, False, False, True]
    assert {each["version"]: each["aliases"] for each in listed if each["aliases"]} == {
        "v0.10": ["next"],
        "v0.3": ["prod"],
    }
    assert {each["model"] for each in data(repository, "list")} == {"als", "rules"}


def test_the_table_is_plain_and_stable(repository: Path) -> None:
    assert run(repository, "list", "als").stdout == (
        "MODEL  VERSION  LIFECYCLE    ALIASES  ACTIVE\n"
        "als    v0.10    candidate    next\n"
        "als    v0.9     available             production/eu/recs/api, production/recs/api (candidate)\n"
        "als    v0.3     available    prod     production/recs/api\n"
        "als    v0.2     quarantined\n"
        "als    v0.1     archived\n"
        "als    v0.0     available\n"
    )


def test_active_is_what_the_environments_run(repository: Path) -> None:
    running = [(d["release"], d["version"], d["role"], d["alias"]) for d in data(repository, "current", "als")]
    assert running == [
        ("production/eu/recs", "v0.9", "stable", None),
        ("production/recs", "v0.3", "stable", "prod"),
        ("production/recs", "v0.9", "candidate", None),
    ]
    assert [(d["release"], d["role"]) for d in data(repository, "current", "rules")] == [("dev/recs", "variant")]
    assert data(repository, "current", "als", "--environment", "dev") == []
    assert run(repository, "current", "als", "--environment", "dev").return_value == 1
    inner = data(repository, "current", "als", "--environment", "production/eu")
    assert [d["release"] for d in inner] == ["production/eu/recs"]


def test_candidates_are_older_and_deployable(repository: Path) -> None:
    back = [(d["release"], d["version"], d["to"]["version"]) for d in data(repository, "candidates", "als")]
    assert back == [
        ("production/eu/recs", "v0.9", "v0.3"),
        ("production/eu/recs", "v0.9", "v0.0"),
        ("production/recs", "v0.3", "v0.0"),
    ]
    first = [(d["release"], d["to"]["version"]) for d in data(repository, "previous", "als")]
    assert first == [("production/eu/recs", "v0.3"), ("production/recs", "v0.0")]
    assert run(repository, "previous", "rules").return_value == 1


def test_show_takes_a_version_or_an_alias(repository: Path) -> None:
    assert [each["version"] for each in data(repository, "show", "als", "prod")] == ["v0.3"]
    assert data(repository, "show", "als")[0]["record"]["version"] == "v0.10"
    out = run(repository, "show", "als", "v0.2").stdout
    assert out.startswith("als v0.2: quarantined: error rate 12 %\nrecord: registry/als/v0.2.yaml\n")


def test_what_does_not_exist_is_said(repository: Path) -> None:
    with pytest.raises(RelspecError) as unknown:
        run(repository, "list", "alz")
    assert unknown.value.findings[0].code == "RS201"
    with pytest.raises(RelspecError) as version:
        run(repository, "show", "als", "v9")
    assert version.value.findings[0].code == "RS203"
    with pytest.raises(click.UsageError, match="There is no environment prod"):
        run(repository, "current", "als", "--environment", "prod")


def test_a_release_that_does_not_resolve_is_left_out_and_named(repository: Path) -> None:
    result = run(repository, "current", "als")
    assert "production/broken is left out" in result.stderr
    assert "RS121" in result.stderr
    assert "left out" not in result.stdout


# --- completion ------------------------------------------------------------------------------------------------------


def completed(folder: Path, words: str) -> list[str]:
    """What the program offers a shell, as `type,value` lines."""
    environment = {**os.environ, "_RELSPEC_COMPLETE": "bash_complete", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    program = Path(sys.executable).parent / "relspec"
    done = subprocess.run([program], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_verbs_options_and_releases_are_completed(repository: Path) -> None:
    assert completed(repository, "relspec comp") == ["plain,compile", "plain,completion"]
    assert completed(repository, "relspec compile --ch") == ["plain,--check"]
    assert completed(repository, "relspec compile production/r") == ["plain,production/recs"]
    assert completed(repository.parent, f"relspec -C {repository} check dev") == ["plain,dev/recs"]
    assert completed(repository, "relspec check environments/d") == ["file,environments/d"]
    assert completed(repository, "relspec model prev") == ["plain,previous"]
    assert completed(Path("/"), "relspec check x") == ["file,x"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(relspec, ["completion", shell], standalone_mode=False)
    assert f"_RELSPEC_COMPLETE={shell}_complete" in result.stdout.replace('"', "")
    program = shutil.which(shell)
    if program is not None:
        (tmp_path / "script").write_text(result.stdout)
        subprocess.run([program, "-n", tmp_path / "script"], check=True)

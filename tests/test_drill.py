"""`relspec drill`: whether each release could go back, tried in trees that nobody commits."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from company import (
    SERVICE,
    STRATEGIES,
    Repository,
    Run,
    company,
    compose,
    kubernetes,
    release,
    run,
    with_service,
    write,
)
from relspec import editor_schemas

RECS = "production/recs"
SPEC = "environments/production/recs/release.yaml"
PLACE = "environments/production/environment.yaml"


def at(clock: str) -> str:
    """A time of the day on which everything happens here."""
    return f"2026-03-04T{clock}:00Z"


def images(tag: str, **fields: Any) -> dict[str, Any]:
    """A company whose one service runs an image with a tag."""
    return with_service({"image": f"ghcr.io/acme/recs:{tag}", **fields}, kubernetes(None))


def deployed(made: Repository, files: Mapping[str, Any], message: str, clock: str) -> str:
    """The files and their outputs, in one commit."""
    write(made.folder, files)
    assert run(made.folder, "compile").code == 0
    return made.commit(message, at(clock))


def started(folder: Path, files: Mapping[str, Any]) -> Repository:
    folder.mkdir(parents=True, exist_ok=True)
    made = Repository(folder)
    made.git("init", "-q", "-b", "main")
    deployed(made, files, "first", "09:00")
    return made


def drill(made: Repository, *words: str) -> Run:
    return run(made.folder, "drill", *words)


def report(made: Repository, *words: str) -> dict[str, Any]:
    """The one release of a drill, after its schema was checked."""
    document = json.loads(drill(made, "--format", "json", *words).out)
    jsonschema.Draft7Validator(editor_schemas.schema("drill")).validate(document)
    (found,) = document["releases"]
    return dict(found)


def test_what_ran_before_comes_back_byte_by_byte(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    first = made.git("rev-parse", "HEAD")
    bad = deployed(made, images("1.9"), "1.9", "10:00")
    found = report(made)
    assert found["rollback_duration_seconds"] > 0
    wanted: dict[str, Any] = {
        "from_version": "recs 1.9",
        "to_version": "recs 1.8",
        "health_check_passed": None,
        "restored_successfully": True,
        "release": RECS,
        "environment": "production",
        "from_commit": bad,
        "to_commit": first,
        "proof": "identical",
        "compared_with": "committed",
        "differences": [],
    }
    assert {name: found[name] for name in wanted} == wanted
    assert found["readiness"]["verdict"] in ("instant", "warm")
    result = drill(made)
    assert (result.code, result.err) == (0, "")
    assert "restored  production/recs  recs 1.9 -> recs 1.8, identical" in result.out
    assert "1 release: 1 restored, 0 failed" in result.out


def test_what_differs_is_said_where_the_version_does_not(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    deployed(made, images("1.8", env={"LOG_LEVEL": "debug"}, replicas=2), "louder", "10:00")
    expected = "recs 1.8 -> recs 1.8 as before (api: env, replicas), identical"
    assert expected in drill(made).out
    assert "| recs 1.8 as before (api: env, replicas) |" in drill(made, "--format", "markdown").out
    assert (report(made)["from_version"], report(made)["to_version"]) == ("recs 1.8", "recs 1.8")


def test_the_time_of_a_drill_is_written_like_every_other(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    date = report(made)["drill_date"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", date)
    assert abs(datetime.fromisoformat(date).timestamp() - time.time()) < 600


def test_a_drill_leaves_nothing_behind(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    deployed(made, images("1.9"), "1.9", "10:00")
    before = made.git("count-objects", "-v"), made.git("rev-parse", "HEAD"), made.git("status", "--porcelain")
    assert drill(made).code == 0
    assert (made.git("count-objects", "-v"), made.git("rev-parse", "HEAD"), made.git("status", "--porcelain")) == before


def test_a_new_release_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    found = report(made)
    assert (found["restored_successfully"], found["to_commit"], found["rollback_duration_seconds"]) == (
        None,
        None,
        None,
    )
    assert "there is no earlier state" in found["note"]
    result = drill(made)
    assert result.code == 0
    assert "1 with nothing to go back to" in result.out


def test_a_release_that_cannot_go_back_fails_the_drill(tmp_path: Path) -> None:
    both = {"rollouts": {"namespace": "ml-prod"}, "compose": {}}
    files = company(None, kubernetes(None, targets=both), targets=["compose"])
    made = started(tmp_path, files)
    deployed(made, {SPEC: release("recs", targets=["rollouts"])}, "to Kubernetes", "10:00")
    deployed(made, {PLACE: kubernetes(None)}, "no compose any more", "11:00")
    found = report(made)
    assert (found["restored_successfully"], found["proof"]) == (False, "not-proven")
    assert "does not compile" in found["problem"]
    result = drill(made)
    assert result.code == 1
    assert "FAILED    production/recs" in result.out


def test_what_the_environment_changed_since_is_named(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    deployed(made, images("1.9"), "1.9", "10:00")
    place = kubernetes(None, rollback={"window": 5, "history": 10})
    deployed(made, {PLACE: place}, "a longer window", "11:00")
    found = report(made)
    assert (found["restored_successfully"], found["proof"]) == (True, "identical-but")
    assert found["differences"] == [{"path": "rollouts/rollouts.yaml", "owners": ["environment"]}]


def test_a_state_that_never_compiled_is_passed_over(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    first = made.git("rev-parse", "HEAD")
    write(made.folder, {SPEC: release("recs", {"api": {**SERVICE, "model": "nobody@v1"}})})
    made.commit("a model that is not there", at("10:00"))
    write(made.folder, {SPEC: release("recs", {"api": {**SERVICE, "route": "nowhere"}})})
    made.commit("understood, but it does not compile", at("10:30"))
    deployed(made, images("1.9"), "1.9", "11:00")
    found = report(made)
    assert (found["to_commit"], found["proof"]) == (first, "identical")


def test_going_forward_again_would_take_all_steps(tmp_path: Path) -> None:
    steps = STRATEGIES["stepped"]
    made = started(tmp_path, images("1.8", **steps))
    deployed(made, images("1.9", **steps), "1.9", "10:00")
    assert report(made)["readiness"]["verdict"] == "warm"
    deployed(made, images("1.8", **steps), "back", "11:00")
    found = report(made)
    assert (found["from_version"], found["to_version"]) == ("recs 1.8", "recs 1.9")
    assert found["readiness"]["verdict"] == "stepped"


def test_without_committed_outputs_the_sources_are_compiled(tmp_path: Path) -> None:
    files = company({"api": {**SERVICE, "image": "ghcr.io/acme/recs:1.8"}}, compose("production"))
    made = Repository(tmp_path)
    made.git("init", "-q", "-b", "main")
    for tag, clock in (("1.8", "09:00"), ("1.9", "10:00")):
        files[SPEC] = release("recs", {"api": {**SERVICE, "image": f"ghcr.io/acme/recs:{tag}"}})
        write(made.folder, files)
        made.commit(tag, at(clock))
    found = report(made)
    assert (found["proof"], found["compared_with"]) == ("identical", "compiled")


def test_a_shallow_clone_proves_nothing(tmp_path: Path) -> None:
    made = started(tmp_path / "origin", images("1.8"))
    deployed(made, images("1.9"), "1.9", "10:00")
    clone = Repository(tmp_path / "clone")
    made.git("clone", "-q", "--depth=1", f"file://{made.folder}", str(clone.folder))
    found = report(clone)
    assert found["restored_successfully"] is False
    assert "RS630" in found["problem"]
    assert drill(clone).code == 1


def test_only_the_releases_that_are_named(tmp_path: Path) -> None:
    other = {"environments/production/other/release.yaml": release("other")}
    made = started(tmp_path, images("1.8") | other)
    deployed(made, images("1.9"), "1.9", "10:00")
    assert report(made, RECS)["release"] == RECS
    assert report(made, "production/o*")["release"] == "production/other"
    assert "2 releases: 1 restored, 0 failed, 1 with nothing to go back to" in drill(made).out
    result = drill(made, "production/recz")
    assert result.code == 2
    assert "RS200" in result.err


@pytest.mark.parametrize("name", ["drill.json", "drill.md"])
def test_the_report_is_kept_in_a_file(tmp_path: Path, name: str) -> None:
    made = started(tmp_path / "repository", images("1.8"))
    deployed(made, images("1.9"), "1.9", "10:00")
    file = tmp_path / name
    assert "1 restored" in drill(made, "--report", str(file)).out
    text = file.read_text()
    if name.endswith(".json"):
        assert json.loads(text)["summary"] == {"releases": 1, "restored": 1, "failed": 0, "nothing": 0}
    else:
        assert "| production/recs | recs 1.9 | recs 1.8 | Yes | identical |" in text

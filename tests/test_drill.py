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
    registry,
    release,
    run,
    with_service,
    write,
)
from relspec import editor_schemas
from relspec.gitops.states import History
from relspec.lock import EDITION
from relspec.lock import text as lock_text

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


# --- quarantine


def models(version: str, **others: str) -> dict[str, Any]:
    """A company whose services run models."""
    service = {name: value for name, value in SERVICE.items() if name != "image"}
    services = {name: {**service, "model": f"als@{each}"} for name, each in {"api": version, **others}.items()}
    return company(services, kubernetes(None))


def served(folder: Path, *versions: str) -> Repository:
    """One version after the other."""
    made = started(folder, models(versions[0]) | registry("v1", "v2", "v3", "v4"))
    for number, version in enumerate(versions[1:]):
        deployed(made, models(version), version, f"1{number}:00")
    return made


def held(made: Repository, version: str) -> None:
    """The version in quarantine."""
    assert run(made.folder, "model", "quarantine", "als", version, "--reason", "bad").code == 0
    made.commit(f"quarantine of {version}", at("20:00"))


@pytest.mark.parametrize(
    ("tags", "environment", "walks"),
    [
        (["1", "2", "3"], False, False),
        (["1", "2", "3", "2"], False, True),  # what would come back is not the only one with its image
        (["1", "2", "1", "3"], False, True),
        (["1", "2", "3"], True, True),  # an edit that was taken back left a ReplicaSet all the same
    ],
)
def test_no_more_is_looked_at_than_says_how_it_would_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: list[str], environment: bool, walks: bool
) -> None:
    def files(tag: str) -> dict[str, Any]:
        strategy = {"canary": {"steps": [{"setWeight": 50}, {"pause": "1m"}]}}
        return with_service({"image": f"ghcr.io/acme/recs:{tag}", "strategy": strategy}, kubernetes("istio"))

    made = started(tmp_path, files("0"))
    for number, tag in enumerate(tags, 10):
        deployed(made, files(tag), tag, f"{number}:00")
    if environment:
        before = (made.folder / PLACE).read_text()
        deployed(made, {PLACE: before + "defaults: {env: {A: b}}\n"}, "defaults", "18:00")
        deployed(made, {PLACE: before}, "taken back", "18:10")
    asked: list[str] = []
    revisions = History.revisions

    def counted(history: History, *words: Any) -> Any:
        asked.append(words[0])
        return revisions(history, *words)

    monkeypatch.setattr(History, "revisions", counted)
    found = report(made)
    assert bool(asked) == walks
    said = run(made.folder, "rollback", RECS, "--to", f"{found['to_commit']}", "--dry-run", "--format", "json")
    (step,) = json.loads(said.out)["releases"]
    assert found["readiness"]["verdict"] == step["readiness"]["verdict"]


def test_a_drill_fails_where_a_rollback_would_bring_a_quarantined_version_back(tmp_path: Path) -> None:
    made = served(tmp_path, "v1", "v3", "v4")
    assert report(made)["restored_successfully"] is True
    held(made, "v3")
    refused = run(made.folder, "rollback", RECS, "--dry-run")
    assert (refused.code, "RS411" in refused.err) == (1, True)
    found = report(made)
    assert (found["restored_successfully"], found["to_version"], found["proof"]) == (False, "als v3", None)
    assert found["problem"].startswith("RS411 api of production/recs would run als v3 again, in quarantine since ")
    result = drill(made)
    assert result.code == 1
    assert "FAILED    production/recs  als v4 -> als v3\n          RS411 " in result.out


def test_a_version_in_quarantine_that_goes_on_running_holds_no_drill_up(tmp_path: Path) -> None:
    made = started(tmp_path, models("v1", worker="v3") | registry("v1", "v2", "v3"))
    deployed(made, models("v2", worker="v3"), "v2", "10:00")
    held(made, "v3")
    assert run(made.folder, "rollback", RECS, "--dry-run").code == 0
    assert (report(made)["restored_successfully"], drill(made).code) == (True, 0)


def test_a_quarantined_state_that_never_compiled_is_passed_over(tmp_path: Path) -> None:
    made = served(tmp_path, "v1")
    first = made.git("rev-parse", "HEAD")
    broken = models("v3")
    broken[SPEC]["services"]["api"]["route"] = "nowhere"
    write(made.folder, {SPEC: broken[SPEC]})
    made.commit("understood, but it does not compile", at("10:00"))
    deployed(made, models("v4"), "v4", "11:00")
    last = made.git("rev-parse", "HEAD")
    held(made, "v3")
    assert run(made.folder, "rollback", RECS, "--dry-run").code == 0
    found = report(made)
    assert (found["restored_successfully"], found["to_commit"], found["from_commit"]) == (True, first, last)


def test_after_a_rollback_with_quarantine_a_drill_goes_further_back(tmp_path: Path) -> None:
    made = served(tmp_path, "v1", "v2", "v3")
    second = made.git("rev-parse", "HEAD~1")
    first = made.git("rev-parse", "HEAD~2")
    back = run(made.folder, "rollback", RECS, "--quarantine", "--reason", "bad")
    assert back.code == 0, back
    again = run(made.folder, "rollback", RECS)
    assert (again.code, "RS613" in again.err) == (1, True)
    found = report(made)
    assert (found["from_version"], found["to_version"], found["to_commit"]) == ("als v2", "als v1", first)
    assert (found["restored_successfully"], found["proof"], found["problem"]) == (True, "identical", None)
    assert "als v3, left in " in found["note"]
    assert "is in quarantine: this goes further back" in found["note"]
    assert found["readiness"]["verdict"] == "warm"
    for words in ((), ("--format", "markdown")):
        result = drill(made, *words)
        assert (result.code, found["note"] in result.out) == (0, True), result
    further = run(made.folder, "rollback", RECS, "--to", "v1", "--dry-run", "--format", "json")
    assert json.loads(further.out)["releases"][0]["restores"] == first
    assert second not in (found["to_commit"], first)


def test_after_a_rollback_with_quarantine_to_the_first_state_there_is_nothing_more(tmp_path: Path) -> None:
    made = served(tmp_path, "v1", "v3")
    assert run(made.folder, "rollback", RECS, "--quarantine", "--reason", "bad").code == 0
    found = report(made)
    assert (found["restored_successfully"], found["to_commit"], found["problem"]) == (None, None, None)
    assert re.fullmatch(
        r"als v3, left in \w{9}, is in quarantine: there is no other state to go back to", found["note"]
    )
    result = drill(made)
    assert (result.code, "1 with nothing to go back to" in result.out) == (0, True)


def test_a_rollback_without_quarantine_is_drilled_forward_again(tmp_path: Path) -> None:
    made = served(tmp_path, "v1", "v3")
    assert run(made.folder, "rollback", RECS).code == 0
    assert (report(made)["to_version"], report(made)["note"]) == ("als v3", None)
    held(made, "v3")
    assert report(made)["to_version"] is None
    assert drill(made).code == 0


# --- another edition


def test_another_edition_is_labelled_toolchain(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    deployed(made, images("1.9"), "1.9", "10:00")
    assert "toolchain" not in drill(made).out
    lock = lock_text().decode().replace(f"edition: {EDITION}\n", f"edition: {EDITION + 1}\n")
    write(made.folder, {"relspec.lock": lock})
    made.commit("another edition", at("11:00"))
    label = f"HEAD is compiled with edition {EDITION + 1}, and this relspec is edition {EDITION}"
    assert f"toolchain: {label}" in drill(made).out
    assert f"Toolchain: {label}" in drill(made, "--format", "markdown").out
    document = json.loads(drill(made, "--format", "json").out)
    jsonschema.Draft7Validator(editor_schemas.schema("drill")).validate(document)
    assert [line.startswith(label) for line in document["toolchain"]] == [True]


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

"""`policies.allow`: what an environment puts up with, for a reason and until a day."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from company import (
    IMAGE,
    SERVICE,
    Content,
    Repository,
    environment,
    kubernetes,
    release,
    repository,
    run,
    with_service,
    write,
    written,
)
from relspec.lock import text as lock_text

ENTRY = {"code": "RS421", "release": "production/recs", "reason": "the registry moves", "until": "2026-12-31"}
FILE = "environments/production/environment.yaml"


def files(*allow: dict[str, Any], require: bool = True) -> dict[str, Content]:
    """One release whose image has no digest, where that is or is not asked for."""
    return dict(with_service({}, kubernetes(policies={"requireDigest": require, "allow": list(allow)})))


def image_only() -> dict[str, Any]:
    return {"api": {**SERVICE, "image": IMAGE}}


def checked(folder: Path, given: dict[str, Content], date: str = "2026-06-01T12:00:00Z") -> list[dict[str, Any]]:
    """What `check` says of the files, committed at a time."""
    repository(folder, given).commit(date=date)
    found: list[dict[str, Any]] = json.loads(run(folder, "check", "--format", "json").out)["diagnostics"]
    return found


def codes(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(d["code"], d["severity"]) for d in found]


@pytest.mark.parametrize(
    ("date", "severity"),
    [
        ("2026-12-30T10:00:00Z", "note"),
        ("2026-12-31T23:59:59Z", "note"),
        ("2026-12-31T20:00:00-03:00", "note"),
        ("2027-01-01T00:00:00Z", "error"),
        ("2026-12-31T23:00:00-03:00", "error"),
        ("2027-01-01T01:00:00+03:00", "note"),
    ],
)
def test_it_holds_to_the_end_of_its_day_in_utc(date: str, severity: str, tmp_path: Path) -> None:
    (found,) = checked(tmp_path, files(ENTRY), date)
    assert (found["code"], found["severity"]) == ("RS421", severity)
    assert run(tmp_path, "check").code == (1 if severity == "error" else 0)


def test_the_same_commit_gives_the_same_answer_whatever_the_clock_says(tmp_path: Path) -> None:
    assert codes(checked(tmp_path, files({**ENTRY, "until": "2020-01-01"}), "2020-01-01T00:00:00Z")) == [
        ("RS421", "note")
    ]


def test_one_that_has_ended_is_named_beside_what_comes_back(tmp_path: Path) -> None:
    (found,) = checked(tmp_path, files(ENTRY), "2027-01-01T00:00:00Z")
    (related,) = found["related"]
    assert (related["file"], related["message"]) == (FILE, "it was allowed until 2026-12-31")
    line = (tmp_path / FILE).read_text().splitlines()[related["line"] - 1]
    assert line.strip() == "until: '2026-12-31'"
    assert "it was allowed until 2026-12-31" in run(tmp_path, "check").err


def test_one_that_goes_on_counts_more_than_one_that_has_ended(tmp_path: Path) -> None:
    (found,) = checked(tmp_path, files({**ENTRY, "until": "2025-12-31"}, ENTRY))
    assert found["severity"] == "note"
    assert "allowed until 2026-12-31: the registry moves" in found["message"]


@pytest.mark.parametrize("code", ["RS231", "RS520", "RS309", "RS411", "RS999"])
def test_only_policy_can_be_allowed(code: str, tmp_path: Path) -> None:
    found = checked(tmp_path, files(ENTRY, {**ENTRY, "code": code}))
    (refused,) = [d for d in found if d["code"] == "RS122"]
    assert (refused["file"], refused["severity"]) == (FILE, "error")
    assert refused["hint"] == "only findings of class policy can be allowed"


@pytest.mark.parametrize("reason", [None, "", "   ", "\t\n"])
def test_a_reason_is_needed(reason: str | None, tmp_path: Path) -> None:
    entry = {key: value for key, value in {**ENTRY, "reason": reason}.items() if value is not None}
    found = checked(tmp_path, files(entry))
    assert {d["code"] for d in found} <= {"RS121", "RS122"}
    assert all((d["severity"], d["file"]) == ("error", FILE) for d in found)


def test_a_last_day_is_needed(tmp_path: Path) -> None:
    assert codes(checked(tmp_path, files({k: v for k, v in ENTRY.items() if k != "until"}))) == [("RS121", "error")]


def test_a_release_can_t_silence_what_is_said_of_it(tmp_path: Path) -> None:
    given = files()
    given["environments/production/recs/release.yaml"] = release(policies={"allow": [ENTRY]})
    assert ("RS120", "error") in codes(checked(tmp_path, given))


def inside(folder: str, name: str, file: str = "") -> dict[str, Content]:
    """An environment in the folder of a release, or around it, that its author writes: nothing is asked for any more."""
    given = files()
    text = given.pop("environments/production/recs/release.yaml")
    given[f"environments/production/{folder}/environment.yaml"] = environment(
        folder, policies={"requireDigest": False, "allow": [{**ENTRY, "release": name}]}
    )
    given[f"environments/production/{folder}/{file}release.yaml"] = text
    return given


def test_an_environment_beside_a_release_silences_nothing_about_it(tmp_path: Path) -> None:
    given = inside("recs", "production/recs/recs")
    given["environments/production/recs/environment.yaml"] = environment(
        "recs", policies={"allow": [{**ENTRY, "release": "production/recs/recs"}]}
    )
    found = checked(tmp_path, given)
    assert codes(found) == [("RS428", "warning"), ("RS421", "error")]
    assert found[0]["file"] == "environments/production/recs/environment.yaml"
    assert found[0]["message"] == "this allows nothing: whoever writes the release could write it, too"
    assert found[0]["hint"] == "move the entry to policies.allow of environments/production/environment.yaml"
    assert run(tmp_path, "check").code == 1


@pytest.mark.parametrize(
    ("folder", "name", "file", "severity"),
    [
        ("recs", "production/recs/recs", "", "warning"),
        ("recs", "production/recs/recs", "recs/", "note"),
        ("recs", "production/recs/x", "x/", "note"),
    ],
)
def test_an_environment_that_insists_on_less_is_pointed_out(
    folder: str, name: str, file: str, severity: str, tmp_path: Path
) -> None:
    given = inside(folder, name, file)
    if file == "x/":
        given[f"environments/production/{folder}/x/release.yaml"] = release("x", image_only())
    (found,) = [d for d in checked(tmp_path, given) if d["code"] == "RS429"]
    assert (found["severity"], found["file"]) == (severity, f"environments/production/{folder}/environment.yaml")
    assert "production/recs insists on less than what is around it: requireDigest" in found["message"]


@pytest.mark.parametrize(
    ("inner", "less"),
    [
        ({"minReplicas": 1}, ["minReplicas"]),
        ({"minReplicas": 2, "requireDigest": True}, []),
        ({"minReplicas": 5, "requireLineage": True}, []),
        ({"pinned": None, "requireLineage": False}, ["pinned", "requireLineage"]),
        ({"templates": "release"}, ["templates"]),
        (None, ["requireLineage, pinned, minReplicas"]),
        ({}, []),
    ],
)
def test_what_is_less(inner: dict[str, Any] | None, less: list[str], tmp_path: Path) -> None:
    outer = {"pinned": True, "requireLineage": True, "minReplicas": 2}
    given: dict[str, Content] = dict(with_service({"replicas": 5}, kubernetes(policies=outer)))
    given["environments/production/eu/environment.yaml"] = environment(
        "eu", targets={"rollouts": {"namespace": "eu"}}, policies=inner, expose={"host": "eu.acme.example"}
    )
    given["environments/production/eu/recs/release.yaml"] = given["environments/production/recs/release.yaml"]
    found = [d["message"] for d in checked(tmp_path, given) if d["code"] == "RS429"]
    assert sorted(message.rpartition("around it: ")[2] for message in found) == less


@pytest.mark.parametrize("file", ["", "recs/"])
def test_a_change_that_adds_an_environment_silences_nothing(file: str, tmp_path: Path) -> None:
    before = files()
    with_digest = {"api": {**SERVICE, "image": f"{IMAGE}@sha256:{'0' * 64}"}}
    before["environments/production/recs/release.yaml"] = release(services=with_digest)
    at = repository(tmp_path, before)
    at.commit(date="2026-06-01T12:00:00Z")
    (tmp_path / "environments/production/recs/release.yaml").unlink()
    write(tmp_path, inside("recs", "production/recs/recs", file))
    at.commit(date="2026-06-02T12:00:00Z")
    found = json.loads(run(tmp_path, "check", "--since", "HEAD~1", "--format", "json").out)["diagnostics"]
    assert ("RS421", "error") in codes(found)


def test_an_environment_of_one_release_may_hold_its_allowance(tmp_path: Path) -> None:
    given = files({**ENTRY, "release": "production/recs"})
    given["environments/production/release.yaml"] = given.pop("environments/production/recs/release.yaml")
    assert codes(checked(tmp_path, given)) == [("RS421", "note")]


def test_without_a_commit_the_note_says_that_no_day_is_known(tmp_path: Path) -> None:
    write(tmp_path, {**files({**ENTRY, "until": "2020-01-01"}), "relspec.lock": lock_text()})
    found = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    (note,) = [d for d in found if d["code"] == "RS421"]
    assert note["severity"] == "note"
    assert note["message"].endswith("; without a commit there is no day, so it has not ended")
    assert "no day" not in run(tmp_path, "compile").err


def test_an_environment_inside_inherits_it_and_may_drop_it(tmp_path: Path) -> None:
    entry = {**ENTRY, "release": "production/eu/recs"}
    given = files(ENTRY, entry)
    own: dict[str, Any] = {"targets": {"rollouts": {"namespace": "eu"}}, "expose": {"host": "eu.acme.example"}}
    given["environments/production/eu/environment.yaml"] = environment("eu", **own)
    given["environments/production/eu/recs/release.yaml"] = given["environments/production/recs/release.yaml"]
    assert codes(checked(tmp_path / "one", given)) == [("RS421", "note"), ("RS421", "note")]
    given["environments/production/eu/environment.yaml"] = environment("eu", **own, policies={"allow": []})
    found = checked(tmp_path / "two", given)
    assert ("RS421", "error") in codes(found)


@pytest.mark.parametrize(
    ("entry", "require", "message", "hint"),
    [
        (ENTRY, False, "nothing says RS421 of production/recs", "remove the entry"),
        ({**ENTRY, "code": "RS424"}, False, "nothing says RS424", "remove the entry"),
        ({**ENTRY, "release": "production/rec"}, True, "no release production/rec", "did you mean production/recs?"),
        ({**ENTRY, "release": "production/*"}, True, "no release production/*", "production/recs"),
    ],
)
def test_one_that_allows_nothing_is_said(
    entry: dict[str, Any], require: bool, message: str, hint: str, tmp_path: Path
) -> None:
    (found,) = [d for d in checked(tmp_path, files(entry, require=require)) if d["code"] == "RS428"]
    assert (found["severity"], found["class"], found["file"]) == ("warning", "policy", FILE)
    assert message in found["message"]
    assert hint in found["hint"]
    line = (tmp_path / FILE).read_text().splitlines()[found["line"] - 1]
    assert line.strip() == f"release: {entry['release']}"


def test_what_could_not_be_looked_at_is_not_called_unused(tmp_path: Path) -> None:
    given = files({**ENTRY, "release": "production/other"}, {**ENTRY, "code": "RS433"}, ENTRY)
    given["environments/production/other/release.yaml"] = "apiVersion: relspec/v1\nkind: Release\nname: other\n"
    assert "RS428" not in [code for code, _ in codes(checked(tmp_path, given))]
    assert "RS428" not in run(tmp_path, "check", "production/recs").err


def test_compile_does_not_ask_for_the_day(tmp_path: Path) -> None:
    repository(tmp_path, files({**ENTRY, "until": "2020-01-01"}))
    assert run(tmp_path, "compile").code == 0
    assert written(lock_text()) == (tmp_path / "relspec.lock").read_bytes()


def test_compile_goes_by_the_day_of_the_commit_as_check_does(tmp_path: Path) -> None:
    checked(tmp_path, files(ENTRY), "2026-12-31T00:00:00Z")
    assert "(allowed until 2026-12-31" in run(tmp_path, "compile").err
    repository_of = Repository(tmp_path)
    repository_of.git("add", "-A")
    repository_of.commit(date="2027-01-01T00:00:00Z")
    said = run(tmp_path, "compile").err
    assert "(allowed until" not in said
    assert "warning RS421" in said
    assert "it was allowed until 2026-12-31" in said
    before = run(tmp_path, "compile", "--at", "HEAD~1", "--out", str(tmp_path.with_name("out"))).err
    assert "(allowed until 2026-12-31" in before


def test_what_can_t_be_allowed_has_one_answer(tmp_path: Path) -> None:
    found = checked(tmp_path, files({**ENTRY, "code": "RS202"}, require=False))
    assert codes(found) == [("RS122", "error")]

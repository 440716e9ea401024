"""What a rollback says before anybody pushes it is what the plan said, and what `check --since` will say of its commit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from company import SERVICE, Content, Map, kubernetes, record, registry, release, repository, run, write
from relspec import editor_schemas
from relspec.lock import text as lock_text
from test_rollback import ENVIRONMENT, MODEL, RECS, Company, Files, lines

WEB = "environments/production/web/release.yaml"
DIGEST = "@sha256:" + "a" * 64

SIX = {"input": {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "number"}}}}
SEVEN = {
    "input": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
    }
}
"""v1 refuses what v2 also takes: only the way back breaks."""
NEEDS_B = {"input": {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}}
TAKES_B = {"input": {"type": "object", "properties": {"a": {}, "b": {}}}}
"""NEEDS_B after TAKES_B: only the way there breaks."""

HELD: Map = {
    "candidate": {"model": "als@v3"},
    "strategy": {"canary": {"weight": 10, "stickyBy": {"header": "x-user-id", "bucket": "mod100"}}},
}
BLUE_GREEN: Map = {"strategy": {"blueGreen": {"promote": "manual"}}}


def service(version: str, **fields: Any) -> Map:
    return {"api": {**SERVICE, "model": f"als@{version}", "env": {"MODEL": {"model": "reference"}}, **fields}}


def recs(version: str, **fields: Any) -> Map:
    return release("recs", service(version, **fields))


def web(version: str) -> Map:
    return release("web", service(version, uses=["production/recs"]))


def company(folder: Path, **files: Content) -> Company:
    """Two releases, of which one may call the other."""
    start: Files = {
        ".gitignore": "rendered/**/.env\n",
        "relspec.lock": lock_text(),
        ENVIRONMENT: kubernetes(),
        **registry("v1", "v2", "v3", aliases={"prod": "v2"}),
        RECS: recs("v1"),
        **files,
    }
    made = Company(repository(folder / "company", start))
    made.commit("the outputs")
    return made


def interfaces(one: Map, two: Map) -> Files:
    return {
        "registry/als/v1.yaml": record("v1", interface=one),
        "registry/als/v2.yaml": record("v2", interface=two),
        WEB: web("v3"),
    }


def codes(said: Map) -> list[str]:
    return sorted(each["code"] for each in said["diagnostics"] if each["severity"] != "note")


def checked(made: Company, base: str) -> list[str]:
    """The codes that `check --since` gives, but for notes."""
    found = json.loads(run(made.folder, "check", "--since", base, "--format", "json").out)["diagnostics"]
    return sorted(each["code"] for each in found if each["severity"] != "note")


def proposed(made: Company, *words: str) -> Map:
    """What a rollback would do, as JSON that its schema knows."""
    done = made.rollback(*words, "--dry-run", "--format", "json")
    assert done.code == 0, done.out + done.err
    said: Map = json.loads(done.out)
    jsonschema.validate(said, editor_schemas.schema("rollback"))
    return said


# --- who has to go back too


@pytest.mark.parametrize("fields", [{}, {"env": {}}], ids=["named in the outputs", "named nowhere"])
def test_a_breaking_way_back_is_blocked_as_the_plan_said(tmp_path: Path, fields: Map) -> None:
    made = company(tmp_path, **{**interfaces(SIX, SEVEN), RECS: recs("v1", **fields)})
    made.write({RECS: recs("v2", **fields), WEB: web("v2")}, "both")
    plan = json.loads(run(made.folder, "plan", "HEAD~1..HEAD", "--format", "json").out)["releases"][0]["readiness"]
    dry = proposed(made, "production/recs")
    readiness = dry["releases"][0]["readiness"]
    assert (readiness["verdict"], readiness["action"]) == (plan["verdict"], plan["action"])
    assert readiness["phases"][-1]["why"] == plan["phases"][-1]["why"]
    assert readiness["action"] == "relspec rollback production/recs production/web" == dry["next"][0]
    done = made.rollback("production/recs")
    assert done.code == 0
    said = lines(done)
    warning = next(line for line in said if line.startswith("warning: production/recs is blocked"))
    assert "needs a coordinated change with production/web" in warning
    assert "relspec rollback production/recs production/web" in warning
    assert said.index(warning) < said.index("next:")
    assert said[said.index("next:") + 1] == "  relspec rollback production/web"
    assert said[said.index("next:") + 2].startswith("  git push")
    assert made.rollback("production/web").code == 0


def test_all_of_them_in_one_commit_are_not_blocked(tmp_path: Path) -> None:
    made = company(tmp_path, **interfaces(SIX, SEVEN))
    made.write({RECS: recs("v2"), WEB: web("v2")}, "both")
    said = made.back("production/recs", "production/web")
    assert [each["readiness"]["verdict"] for each in said["releases"]] == ["warm", "warm"]
    assert not [note for note in said["notes"] if "blocked" in note]


def test_a_way_back_that_breaks_nothing_needs_nobody_and_the_finding_says_so_too(tmp_path: Path) -> None:
    made = company(tmp_path, **interfaces(TAKES_B, NEEDS_B))
    made.write({RECS: recs("v2")}, "b is required")
    checked_out = run(made.folder, "check", "--since", "HEAD~1").err
    assert "RS434" in checked_out
    assert "production/web needs the same change; the way back to v1 needs nobody else" in checked_out
    assert "relspec rollback" not in checked_out
    assert json.loads(run(made.folder, "plan", "HEAD~1..HEAD", "--format", "json").out)["releases"][0]["readiness"][
        "verdict"
    ] == ("warm")
    assert made.back("production/recs")["releases"][0]["readiness"]["verdict"] == "warm"


# --- findings about the change


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([recs("v1", **HELD), recs("v2")], ["RS340"]),
        ([recs("v1", **BLUE_GREEN), recs("v2", **HELD, image="ghcr.io/acme/recs:1.9.0")], ["RS342", "RS343"]),
        ([recs("v1", replicas={"min": 2, "max": 6, "cpu": 70}), recs("v1", replicas=4)], ["RS441"]),
    ],
)
def test_a_rollback_says_what_the_check_of_its_commit_will_say(
    tmp_path: Path, states: list[Map], expected: list[str]
) -> None:
    made = company(tmp_path)
    for number, state in enumerate(states):
        made.write({RECS: state}, f"state {number}")
    text = made.rollback("production/recs", "--dry-run").out
    said = made.back("production/recs")
    assert codes(said) == expected == checked(made, "HEAD~1")
    assert {each["severity"] for each in said["diagnostics"]} == {"warning"}
    for code in expected:
        assert f"warning {code}: " in text
    assert "(allowed: restores " in text


def test_an_ordinary_rollback_has_nothing_to_say(tmp_path: Path) -> None:
    made = company(tmp_path)
    made.write({RECS: recs("v2")}, "v2")
    assert made.back("production/recs")["diagnostics"] == []


# --- what is not restorable any more


@pytest.mark.parametrize(("days", "allowed"), [(90, True), (0, False)])
def test_what_the_check_will_refuse_is_not_called_allowed(tmp_path: Path, days: int, *, allowed: bool) -> None:
    made = company(tmp_path, **{RECS: recs("v1")})
    made.write({RECS: recs("v2", image=SERVICE["image"] + DIGEST)}, "with a digest")
    strict = kubernetes(
        policies={"requireDigest": True}, rollback={"restorable": {"states": 20 if allowed else 1, "days": 90}}
    )
    made.write({ENVIRONMENT: strict}, "a policy")
    text = made.rollback("production/recs", "--dry-run").out
    said = made.back("production/recs")
    (each,) = said["releases"]
    done = run(made.folder, "check", "--since", "HEAD~1")
    assert (done.code == 0) == allowed
    assert [one["code"] for one in each["allowed"]] == (["RS421"] if allowed else [])
    assert codes(said) == ([] if allowed else ["RS421"])
    assert ("(allowed: restores " in text) == allowed
    if not allowed:
        (found,) = said["diagnostics"]
        assert found["severity"] == "warning"
        assert "not restorable any more: rollback.restorable is 1 states and 90 days" in found["hint"]
        assert "check --since will refuse it; allow it in the environment first" in found["hint"]


# --- quarantine


def test_a_quarantine_says_where_the_version_runs_on_and_which_alias_means_it(tmp_path: Path) -> None:
    made = company(tmp_path, **{WEB: web("v1")})
    made.write({RECS: recs("v2"), WEB: web("v2")}, "v2")
    said = proposed(made, "production/recs", "--quarantine", "--reason", "slow")
    assert "the alias prod of als means v2, which is in quarantine now" in said["notes"]
    way = "relspec rollback production/web --reason slow"
    assert f"als v2 still runs in production/web (api); to leave it: {way}" in said["notes"]
    typed = run(made.folder, "model", "quarantine", "als", "v2", "--reason", "slow", "--dry-run").out
    assert way in typed
    assert "the alias prod means v2" in typed


def test_a_quarantine_of_what_runs_nowhere_else_names_no_release(tmp_path: Path) -> None:
    made = company(tmp_path)
    made.write({RECS: recs("v3")}, "v3")
    said = proposed(made, "production/recs", "--quarantine", "--reason", "slow")
    assert not [note for note in said["notes"] if "still runs" in note or "alias" in note]


def test_no_way_forward_to_what_is_in_quarantine(tmp_path: Path) -> None:
    made = company(tmp_path)
    made.write({RECS: recs("v2")}, "v2")
    made.write({RECS: recs("v3")}, "v3")
    made.back("production/recs", "--quarantine")
    said = made.rollback("production/recs")
    assert said.code == 1
    assert "further back to als v1" in said.err + said.out
    assert "no way forward to als v3" in said.err + said.out
    assert "v3 is in quarantine" in said.err + said.out
    assert "forward to als v3 (" not in (said.err + said.out).replace("no way forward to", "")


# --- what a plain revert would drop


def test_a_plain_revert_that_is_exact_and_drops_a_record_is_said_to(tmp_path: Path) -> None:
    made = company(tmp_path)
    made.write(
        {
            RECS: recs("v4"),
            "registry/als/v4.yaml": record("v4"),
            MODEL: {**registry(quarantine={"v2": {"reason": "bad", "since": "2026-03-04"}})[MODEL]},  # type: ignore[dict-item]
        },
        "registered, deployed, and v2 quarantined",
    )
    text = made.rollback("production/recs", "--dry-run").out
    drop = "would be: exact, but would drop the record of als v4, the quarantine of als v2; this does not"
    assert drop in text
    said = proposed(made, "production/recs")
    assert [each["words"] for each in said["releases"][0]["drops"]] == [
        "the record of als v4",
        "the quarantine of als v2",
    ]
    plan = run(made.folder, "plan", "HEAD~1..HEAD").out
    (undo,) = (line for line in plan.splitlines() if line.startswith("undo: "))
    assert undo.endswith("gives back exactly what ran before, but for what it drops")


# --- the message


def test_the_subject_says_of_several_releases_only_what_is_true_of_all(tmp_path: Path) -> None:
    made = company(tmp_path, **{WEB: web("v1")})
    made.write({RECS: recs("v2")}, "recs")
    made.write({WEB: web("v2")}, "web")
    restores = made.back("production/recs", "production/web")["restores"]
    subject = made.made.git("log", "-1", "--format=%s")
    wanted = " and ".join(f"{name} to {restores[name][:9]}" for name in sorted(restores))
    assert subject == f"Roll back {wanted}"


def test_a_subject_with_one_goal_names_it(tmp_path: Path) -> None:
    made = company(tmp_path, **{WEB: web("v1")})
    good = made.made.git("rev-parse", "HEAD")[:9]
    made.write({RECS: recs("v2"), WEB: web("v2")}, "both")
    made.back("production/recs", "production/web")
    assert made.made.git("log", "-1", "--format=%s") == f"Roll back production/recs and 1 more to {good} (als v1)"


# --- what is no plain file


def test_a_submodule_that_came_has_to_be_taken_out_first(tmp_path: Path) -> None:
    made = company(tmp_path)
    made.write({RECS: recs("v2")}, "v2")
    made.made.git(
        "update-index",
        "--add",
        "--cacheinfo",
        f"160000,{made.made.git('rev-parse', 'HEAD')},environments/production/recs/ext",
    )
    made.made.git("commit", "-q", "-m", "a submodule")
    done = made.rollback("production/recs")
    assert done.code != 0
    assert "is a symbolic link or a submodule, which a rollback does not remove" in done.out + done.err
    assert "git rm environments/production/recs/ext" in done.out + done.err
    made.made.git("rm", "-q", "--cached", "environments/production/recs/ext")
    made.made.git("commit", "-q", "-m", "without it")
    assert made.rollback("production/recs").code == 0


def test_a_clone_without_the_others_files_is_not_held_up(tmp_path: Path) -> None:
    made = company(tmp_path, **interfaces(SIX, SEVEN))
    made.write({RECS: recs("v2")}, "v2")
    blob = made.made.git("rev-parse", f"HEAD:{WEB}")
    (made.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    done = made.rollback("production/recs", "--dry-run")
    assert done.code == 0, done.err
    assert f"warning: what it does to others is not known: the content of {WEB} is not in this clone" in done.out


def test_a_dangerous_change_that_is_not_restorable_any_more_says_that_the_check_will_refuse_it(tmp_path: Path) -> None:
    made = company(tmp_path, **{ENVIRONMENT: kubernetes(rollback={"restorable": {"states": 1, "days": 90}})})
    made.write({RECS: recs("v1", **HELD)}, "held")
    made.write({RECS: recs("v2")}, "v2")
    (found,) = made.back("production/recs")["diagnostics"]
    assert found["code"] == "RS340"
    assert "not restorable any more" in found["hint"]
    assert found["hint"].endswith("check --since will refuse it")
    done = run(made.folder, "check", "--since", "HEAD~1")
    assert done.code == 1
    assert "not restorable any more" in done.err


def test_a_link_that_went_has_to_be_put_back_by_hand(tmp_path: Path) -> None:
    made = company(tmp_path)
    (made.folder / "environments/production/recs/note").symlink_to("release.yaml")
    made.made.commit("a link")
    good = made.made.git("rev-parse", "HEAD")[:9]
    (made.folder / "environments/production/recs/note").unlink()
    made.write({RECS: recs("v2")}, "v2")
    done = made.rollback("production/recs")
    assert done.code != 0
    line = f"git checkout {good} -- environments/production/recs/note"
    assert line in done.out + done.err
    made.made.git(*line.split()[1:])
    made.made.commit("the link again")
    assert made.rollback("production/recs").code == 0


# --- who else is concerned


def test_a_breaking_way_back_names_who_calls_the_release(tmp_path: Path) -> None:
    """Nobody else goes back and nothing else is looked at, but who calls it is found all the same."""
    made = company(tmp_path, **interfaces(SIX, SEVEN))
    made.write({RECS: recs("v2")}, "v2")
    (found,) = (each for each in proposed(made, "production/recs")["diagnostics"] if each["code"] == "RS434")
    assert found["message"].endswith("; production/web uses production/recs")
    assert not found["hint"], "who has to come along the readiness says, and what only warns is not refused"


def test_a_quarantine_names_what_can_not_be_asked_and_what_has_no_way_out(tmp_path: Path) -> None:
    made = company(tmp_path, **{WEB: release("web", {"app": {**SERVICE, "variants": {"old": {"model": "als@v2"}}}})})
    late = "environments/production/late/release.yaml"
    made.write({RECS: recs("v2")}, "v2")
    (made.folder / late).parent.mkdir()
    write(made.folder, {late: release("late", service("v9"))})
    made.made.commit("it can't be resolved")
    notes = proposed(made, "production/recs", "--quarantine", "--reason", "slow")["notes"]
    assert "production/late can't be resolved: whether it runs als v2 is not known" in notes
    assert "als v2 still runs in production/web (app variant old)" in notes


def test_all_that_still_runs_a_version_is_named_in_one_line(tmp_path: Path) -> None:
    two = release("web", {name: service("v2")["api"] for name in ("app", "job")})
    made = company(tmp_path, **{WEB: two})
    made.write({RECS: recs("v2")}, "v2")
    notes = proposed(made, "production/recs", "--quarantine")["notes"]
    (note,) = (note for note in notes if "still runs" in note)
    assert note.startswith("als v2 still runs in production/web (app), production/web (job); to leave it: relspec set ")
    assert note.count("; relspec set production/web ") == 1

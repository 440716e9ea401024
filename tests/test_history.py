"""`relspec history`: every change of what ran and what was live at a time, on real repositories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from company import (
    SERVICE,
    Repository,
    Run,
    base,
    company,
    environment,
    kubernetes,
    model,
    record,
    registry,
    release,
    with_service,
    write,
)
from company import run as run_verb
from relspec import editor_schemas
from relspec.gitops.history import Record, instant, lasting
from relspec.gitops.history import record as history_of
from relspec.gitops.repository import Repository as Git
from relspec.gitops.states import History, former_place
from relspec.lock import EDITION
from relspec.lock import text as lock_text

RECS = "production/recs"
SPEC = "environments/production/recs/release.yaml"
PLACE = "environments/production/environment.yaml"
BESIDE = "environments/production/release.yaml"
DAY = "2026-03-04T"


def at(clock: str) -> str:
    """A time of the day on which everything happens here."""
    return f"{DAY}{clock}:00Z"


def images(tag: str, **fields: Any) -> dict[str, Any]:
    """A company whose one service runs an image with a tag."""
    return with_service({"image": f"ghcr.io/acme/recs:{tag}", **fields}, kubernetes(None))


def started(folder: Path, files: Mapping[str, Any]) -> Repository:
    """A repository whose first commit was made at 09:00."""
    made = Repository(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made.git("init", "-q", "-b", "main")
    write(folder, files)
    made.commit("first", at("09:00"))
    return made


def changed(made: Repository, files: Mapping[str, Any], message: str, clock: str) -> str:
    """The files in a commit at a time."""
    write(made.folder, files)
    return made.commit(message, at(clock))


def rows(made: Repository, name: str = RECS, service: str | None = None) -> Record:
    """The history at HEAD."""
    git = Git(made.folder)
    found = git.head()
    assert found is not None
    return history_of(History(git, found), name, service)


def run(made: Repository, *words: str) -> Run:
    return run_verb(made.folder, "history", *words)


def rolled_back(folder: Path) -> tuple[Repository, dict[str, str]]:
    """1.8 at nine, 1.9 at ten, back at twelve past, then 2.0 at noon. The ids of the commits by what they bring."""
    made = started(folder, images("1.8"))
    ids = {"first": made.git("rev-parse", "HEAD")}
    ids["bad"] = changed(made, images("1.9"), "recs 1.9", "10:00")
    (made.folder / SPEC).write_text((made.folder / SPEC).read_text() + "# a comment changes nothing\n")
    made.commit("only a comment", at("10:05"))
    ids["back"] = changed(
        made, images("1.8"), "Revert\n\nIt failed.\n\nRelspec-Reason: 500s since\n the deploy\n", "10:12"
    )
    ids["new"] = changed(made, images("2.0"), "recs 2.0", "12:00")
    return made, ids


# --- rows


def test_every_change_is_a_row_newest_first(tmp_path: Path) -> None:
    made, ids = rolled_back(tmp_path)
    found = rows(made).rows
    assert [row.commit.id for row in found] == [ids["new"], ids["back"], ids["bad"], ids["first"]]
    assert [row.kind for row in found] == ["changed", "changed", "changed", "new"]
    assert [row.lived for row in found] == [None, 108 * 60, 12 * 60, 3600]
    assert found[2].what == "api: ghcr.io/acme/recs 1.8 -> 1.9"
    assert [row.running for row in found] == ["recs 2.0", "recs 1.8", "recs 1.9", "recs 1.8"]


def test_a_rollback_is_known_by_its_state_and_timed(tmp_path: Path) -> None:
    made, ids = rolled_back(tmp_path)
    new, back, bad, first = rows(made).rows
    assert bad.undone is not None
    assert (bad.undone.commit.id, bad.undone.seconds) == (ids["back"], 12 * 60)
    assert back.restores is not None
    assert back.restores.id == ids["first"]
    assert (new.undone, back.undone, first.undone) == (None, None, None)
    assert (back.reason, bad.reason) == ("500s since the deploy", "recs 1.9")


def test_a_revert_of_the_revert_is_a_change_like_any_other(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    for tag, clock in (("1.9", "10:00"), ("1.8", "11:00"), ("1.9", "12:00"), ("1.8", "13:00")):
        changed(made, images(tag), tag, clock)
    found = rows(made).rows
    assert [row.undone.commit.id if row.undone else None for row in found] == [
        None,
        found[0].commit.id,
        None,
        found[2].commit.id,
        None,
    ]
    assert [row.goes_back for row in found] == [True, False, True, False, False]
    text = run(made, RECS).out
    assert f"goes forward again to {found[3].commit.short}" in text
    assert [line.split()[-1] for line in text.splitlines() if "goes back to" in line] == [
        found[2].commit.short,
        found[4].commit.short,
    ]
    document = json.loads(run(made, RECS, "--format", "json").out)
    assert [row["goesBack"] for row in document["changes"]] == [True, False, True, False, False]
    assert [each["commit"] for each in document["rollbacks"]] == [found[1].commit.id, found[3].commit.id]


def test_a_row_names_the_commit_that_a_rollback_names(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    last = changed(made, {"notes.md": "nothing that runs\n"}, "notes", "09:30")
    changed(made, images("1.9"), "1.9", "10:00")
    done = run_verb(made.folder, "rollback", RECS, "--format", "json", "--accept-unproven")
    assert json.loads(done.out)["releases"][0]["restores"] == last, done
    newest = rows(made).rows[0]
    assert newest.restores is not None
    assert newest.restores.id == last
    assert f"goes back to {last[:9]}" in run(made, RECS).out


def test_a_row_of_one_service_names_the_last_commit_in_which_it_was_so(tmp_path: Path) -> None:
    def two(api: str, worker: str) -> dict[str, Any]:
        services = {
            name: {**SERVICE, "image": f"ghcr.io/acme/{name}:{tag}"} for name, tag in (("api", api), ("worker", worker))
        }
        return company(services, kubernetes(None))

    made = started(tmp_path, two("1", "1"))
    last = changed(made, two("1", "2"), "worker 2", "10:00")
    changed(made, two("2", "2"), "api 2", "11:00")
    changed(made, two("1", "2"), "api back", "12:00")
    newest = rows(made, service="api").rows[0]
    assert newest.restores is not None
    assert newest.restores.id == last


def test_going_back_two_states_takes_both_back(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    for tag, clock in (("1.9", "10:00"), ("2.0", "11:00"), ("1.8", "12:00")):
        changed(made, images(tag), tag, clock)
    last, second, first, _ = rows(made).rows
    assert [row.undone and row.undone.commit.id for row in (second, first)] == [last.commit.id] * 2


def test_a_service_that_went_back_alone_took_its_change_back(tmp_path: Path) -> None:
    def two(api: str, worker: str) -> dict[str, Any]:
        services = {
            name: {**SERVICE, "image": f"ghcr.io/acme/{name}:{tag}"} for name, tag in (("api", api), ("worker", worker))
        }
        return company(services, kubernetes(None))

    made = started(tmp_path, two("1", "1"))
    changed(made, two("2", "1"), "api 2", "10:00")
    changed(made, two("2", "2"), "worker 2", "11:00")
    back = changed(made, two("1", "2"), "api back", "12:00")
    found = rows(made).rows
    assert [row.undone and row.undone.commit.id for row in found] == [None, None, back, None]
    assert [row.what for row in rows(made, service="worker").rows] == [
        "worker: ghcr.io/acme/worker 1 -> 2",
        "new: worker: worker 1",
    ]
    result = run(made, RECS, "--service", "wroker")
    assert result.code == 2
    assert "RS205" in result.err


def test_a_merge_and_a_squash_are_one_row_each(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    made.git("checkout", "-q", "-b", "topic")
    changed(made, images("1.9"), "work", "10:00")
    changed(made, images("2.0"), "more work", "10:30")
    made.git("checkout", "-q", "main")
    made.commit("something else", at("10:45"))
    message = "Merge pull request #12 from acme/topic\n\nrecs 2.0"
    made.git("merge", "-q", "--no-ff", "-m", message, "topic", env={"GIT_COMMITTER_DATE": at("11:00")})
    made.git("checkout", "-q", "-b", "other")
    changed(made, images("2.1"), "work", "11:10")
    changed(made, images("2.2"), "more work", "11:20")
    made.git("checkout", "-q", "main")
    made.git("merge", "-q", "--squash", "other")
    made.commit("recs 2.2", at("12:00"))
    squash, merge, first = rows(made).rows
    assert (merge.what, merge.reason, instant(merge.time)) == (
        "api: ghcr.io/acme/recs 1.8 -> 2.0",
        "recs 2.0",
        at("11:00"),
    )
    assert squash.what == "api: ghcr.io/acme/recs 2.0 -> 2.2"
    assert first.kind == "new"


# --- what moved elsewhere


def with_model(alias: str) -> dict[str, Any]:
    service = {**SERVICE, "model": "als@prod"}
    del service["image"]
    return {**company({"api": service}, kubernetes(None)), **registry("v1", "v2", aliases={"prod": alias})}


def test_an_alias_that_moved_is_a_row_that_names_it(tmp_path: Path) -> None:
    made = started(tmp_path, with_model("v1"))
    moved = changed(made, {"registry/als/model.yaml": model(aliases={"prod": "v2"})}, "prod is v2", "10:00")
    changed(made, {"registry/als/v3.yaml": record("v3")}, "v3, which nobody runs", "10:30")
    newest, _ = rows(made).rows
    assert (newest.commit.id, newest.through) == (moved, ("alias prod of als",))
    assert newest.what == "api: als v1 -> v2"


def test_a_base_that_changed_is_a_row_that_names_it(tmp_path: Path) -> None:
    def with_base(level: str) -> dict[str, Any]:
        files = company({"api": {"replicas": 2}}, kubernetes(None), extends="../../../bases/recs.yaml")
        return {**files, "bases/recs.yaml": base({"api": {**SERVICE, "env": {"LOG_LEVEL": level}}})}

    made = started(tmp_path, with_base("info"))
    changed(made, with_base("debug"), "louder", "10:00")
    newest, _ = rows(made).rows
    assert (newest.through, newest.what) == (("base bases/recs.yaml",), "api: env")


def test_the_environment_is_a_row_of_its_own_kind(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    place = kubernetes(None, variables={"REGION": "eu-1"})
    changed(made, {"environments/production/environment.yaml": place}, "a region", "10:00")
    text = (made.folder / "environments/production/environment.yaml").read_text()
    changed(made, {"environments/production/environment.yaml": f"# a comment\n{text}"}, "a comment", "10:30")
    changed(made, {"environments/staging/environment.yaml": environment("staging")}, "another one", "10:40")
    changed(made, {"templates/rollouts/extra.yaml.j2": "a: 1\n"}, "a template", "11:00")
    changed(made, images("1.9") | {"environments/production/environment.yaml": kubernetes(None)}, "both", "12:00")
    both, template, region, first = rows(made).rows
    assert [row.kind for row in (both, template, region, first)] == ["changed", "environment", "environment", "new"]
    assert both.environment
    assert "REGION" in both.environment[0]
    assert template.environment == ("templates/rollouts/extra.yaml.j2",)
    assert "REGION" in region.what
    assert first.until == both.time  # the environment begins no state


# --- another edition


OTHER = EDITION + 1


def locked(edition: int) -> dict[str, str]:
    """The lock of an edition."""
    return {"relspec.lock": lock_text().decode().replace(f"edition: {EDITION}\n", f"edition: {edition}\n")}


def test_what_another_edition_declares_is_labelled_toolchain(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8") | locked(OTHER))
    changed(made, images("1.9") | locked(OTHER), "1.9", "10:00")
    label = f"toolchain: HEAD is compiled with edition {OTHER}, and this relspec is edition {EDITION}"
    for words in ((), ("--at", at("09:30")), ("--at", at("09:30"), "--service", "api")):
        result = run(made, RECS, *words)
        assert (result.code, label in result.out) == (0, True), result
        kind = "live" if words else "history"
        document = json.loads(run(made, RECS, *words, "--format", "json").out)
        jsonschema.Draft7Validator(editor_schemas.schema(kind)).validate(document)
        assert [line.startswith(f"HEAD is compiled with edition {OTHER}") for line in document["toolchain"]] == [True]
    assert f"Toolchain: HEAD is compiled with edition {OTHER}" in run(made, RECS, "--format", "markdown").out


def test_an_upgrade_of_the_lock_is_a_row_that_says_toolchain(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8") | locked(OTHER))
    changed(made, locked(EDITION), "lock --upgrade", "10:00")
    upgrade, first = rows(made).rows
    assert (upgrade.kind, upgrade.what) == ("environment", f"toolchain: edition {OTHER} -> {EDITION}")
    result = run(made, RECS)
    assert f"Ann  toolchain: edition {OTHER} -> {EDITION}\n" in result.out
    assert "HEAD is compiled" not in result.out
    assert json.loads(run(made, RECS, "--format", "json").out)["toolchain"] == []
    # What was live then was made by the other edition, and HEAD no longer says so.
    then = f"toolchain: {first.commit.short} is compiled with edition {OTHER}"
    assert then in run(made, RECS, "--at", at("09:30")).out


def test_a_first_lock_is_said_to_be_new(tmp_path: Path) -> None:
    files = images("1.8")
    del files["relspec.lock"]
    made = started(tmp_path, files)
    changed(made, locked(EDITION), "lock", "10:00")
    assert rows(made).rows[0].what == "toolchain: relspec.lock is new"


# --- names, removals, broken states


def test_a_rename_goes_on_under_the_old_name(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    changed(made, images("1.9"), "1.9", "10:00")
    made.git("mv", "environments/production/recs", "environments/production/movies")
    text = (made.folder / "environments/production/movies/release.yaml").read_text()
    changed(
        made, {"environments/production/movies/release.yaml": text.replace("name: recs", "name: movies")}, "mv", "11:00"
    )
    write(
        made.folder,
        {
            "environments/production/movies/release.yaml": text.replace("name: recs", "name: movies").replace(
                "1.9", "2.0"
            )
        },
    )
    made.commit("2.0", at("12:00"))
    found = rows(made, "production/movies").rows
    assert [(row.release, row.running) for row in found] == [
        ("production/movies", "recs 2.0"),
        ("production/recs", "recs 1.9"),
        ("production/recs", "recs 1.8"),
    ]
    assert "as production/recs" in run(made, "production/movies").out


def test_another_free_name_beside_the_environment_is_a_rename(tmp_path: Path) -> None:
    def beside(name: str, tag: str) -> dict[str, Any]:
        files = images(tag)
        return {PLACE: files[PLACE], BESIDE: {**files[SPEC], "name": name}}

    made = started(tmp_path, beside("recs", "1.8"))
    bad = changed(made, beside("recs", "1.9"), "1.9", "10:00")
    changed(made, beside("movies", "1.9"), "renamed", "11:00")
    found = rows(made, "production/movies").rows
    assert [(row.release, row.kind, row.running) for row in found] == [
        (RECS, "changed", "recs 1.9"),
        (RECS, "new", "recs 1.8"),
    ]
    assert found[0].commit.id == bad
    assert [row.kind for row in rows(made, RECS).rows] == ["removed", "changed", "new"]
    changed(made, beside("films", "2.0"), "another name and another image", "12:00")
    assert [row.kind for row in rows(made, "production/films").rows] == ["new"]


BETWEEN = "environments/production/team/recs/release.yaml"


def between(tag: str) -> dict[str, Any]:
    """The same release in a folder between its environment's and its own."""
    files = images(tag)
    return {PLACE: files[PLACE], BETWEEN: files[SPEC]}


@pytest.mark.parametrize("word", [RECS, BETWEEN, BETWEEN.removesuffix("/release.yaml")])
def test_a_release_in_a_folder_between_has_its_history_when_it_is_gone(tmp_path: Path, word: str) -> None:
    made = started(tmp_path, between("1.8"))
    changed(made, between("1.9"), "1.9", "10:00")
    made.git("rm", "-rq", "environments/production/team")
    made.commit("no more recs", at("11:00"))
    changed(made, {"environments/production/team/other/release.yaml": release("other")}, "another", "12:00")
    document = json.loads(run(made, word, "--format", "json").out)
    assert document["release"] == RECS
    assert [row["kind"] for row in document["changes"]] == ["removed", "changed", "new"]
    assert "recs 1.9" in run(made, word, "--at", at("10:30")).out


def test_where_a_release_lay_is_found_by_its_id_and_by_its_path(tmp_path: Path) -> None:
    made = started(tmp_path, between("1.8"))
    made.git("mv", "environments/production/team", "environments/production/group")
    made.commit("moved", at("10:00"))
    made.git("mv", "environments/production/group/recs", "environments/production/movies")
    made.commit("renamed", at("11:00"))
    history = History(Git(made.folder), made.git("rev-parse", "HEAD"))
    newest = former_place(history, RECS)
    assert newest is not None
    assert (newest.id, newest.file) == (RECS, "environments/production/group/recs/release.yaml")
    older = former_place(history, BETWEEN)
    assert older is not None
    assert (older.id, older.file) == (RECS, BETWEEN)
    assert [
        former_place(history, word) for word in ("staging/recs", "recs", "production/team", "production/movies")
    ] == [None] * 4


def test_a_release_that_is_gone_has_its_history(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    made.git("rm", "-rq", "environments/production/recs")
    gone = made.commit("no more recs", at("10:00"))
    removed, first = rows(made).rows
    assert (removed.kind, removed.commit.id, first.lived) == ("removed", gone, 3600)
    assert "removed" in run(made, SPEC).out
    assert "not there, removed with" in run(made, RECS, "--at", at("11:00")).out
    assert "recs 1.8" in run(made, RECS, "--at", at("09:30")).out
    back = changed(made, images("1.8"), "recs again", "12:00")
    newest, removed, first = rows(made).rows
    assert (newest.kind, first.undone) == ("new", None)
    assert removed.undone is not None
    assert removed.undone.commit.id == back


def test_a_state_that_nobody_can_read_is_said_to_be_broken(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    changed(made, {SPEC: release("recs", {"api": {"imgae": "x"}})}, "oops", "10:00")
    changed(made, images("1.8"), "mended", "10:10")
    mended, broken, _ = rows(made).rows
    assert "RS120" in broken.broken
    assert "imgae" in broken.broken
    assert broken.undone is not None
    assert broken.undone.commit.id == mended.commit.id
    assert "broken: RS120" in run(made, RECS).out


def test_a_release_that_never_was_is_an_error(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    for words in (("production/recz",), ("production/recz", "--at", at("10:00"))):
        result = run(made, *words)
        assert result.code == 2
        assert "RS200" in result.err


# --- at


def test_what_was_live_at_a_time_is_one_line(tmp_path: Path) -> None:
    made, ids = rolled_back(tmp_path)
    result = run(made, RECS, "--at", "2026-03-04T10:05Z")
    short = ids["bad"][:9]
    assert result.out == f"{at('10:05')}  {RECS}: recs 1.9 (commit {short}, since {at('10:00')}, by Ann: recs 1.9)\n"
    assert run(made, RECS, "--at", "2026-03-04T12:12+02:00").out.startswith(f"{at('10:12')}  {RECS}: recs 1.8")
    assert "not there yet; it came 2026-03-04T09:00:00Z" in run(made, RECS, "--at", "2020-01-01T00:00Z").out
    future = run(made, RECS, "--at", "9998-01-01T00:00Z")
    assert "recs 2.0" in future.out
    assert "has not come yet" in future.err


@pytest.mark.parametrize("clock", ["09:30", "10:05", "10:30", "12:30"])
def test_what_was_live_says_of_the_change_what_the_history_says(tmp_path: Path, clock: str) -> None:
    made, _ = rolled_back(tmp_path)
    live = json.loads(run(made, RECS, "--at", at(clock), "--format", "json").out)
    jsonschema.Draft7Validator(editor_schemas.schema("live")).validate(live)
    changes = {row["commit"]: row for row in json.loads(run(made, RECS, "--format", "json").out)["changes"]}
    assert live["change"]["what"]
    assert live["change"]["changed"] == ["api"]
    assert live["change"] == changes[live["change"]["commit"]]
    assert live["next"] is None or live["next"] == changes[live["next"]["commit"]]


@pytest.mark.parametrize("words", ["2026-03-04T10:05", "yesterday", "2026-03-04"])
def test_a_time_without_a_zone_is_refused(tmp_path: Path, words: str) -> None:
    made = started(tmp_path, images("1.8"))
    result = run(made, RECS, "--at", words)
    assert result.code == 2
    assert "2026-03-04T14:05Z" in result.err


SAME_TIME = ["2026-03-04T10:05z", "2026-03-04t10:05z", "2026-03-04 10:05 UTC", "2026-03-04 10:05 gmt"]


@pytest.mark.parametrize("words", [*SAME_TIME, "2026-03-04 10:05:00 Z", " 2026-03-04t12:05+02:00 "])
def test_a_time_as_people_write_it(tmp_path: Path, words: str) -> None:
    made = started(tmp_path, images("1.8"))
    assert run(made, RECS, "--at", words).out.startswith(f"{at('10:05')}  {RECS}: recs 1.8")


@pytest.mark.parametrize("words", ["UTC", "Z", "2026-03-04 10:05 CET", "2026-03-04 10:05+01:00 UTC", "10:05Z"])
def test_no_time_is_taken_for_one(tmp_path: Path, words: str) -> None:
    result = run(started(tmp_path, images("1.8")), RECS, "--at", words)
    assert result.code == 2
    assert "is no time: write 2026-03-04T14:05Z" in result.err


def test_what_one_service_was_at_a_time(tmp_path: Path) -> None:
    def two(api: str, worker: str) -> dict[str, Any]:
        services = {
            name: {**SERVICE, "image": f"acme/{name}:{tag}"} for name, tag in (("api", api), ("worker", worker))
        }
        return company(services, kubernetes(None))

    made = started(tmp_path, company({"api": {**SERVICE, "image": "acme/api:1"}}, kubernetes(None)))
    worker = changed(made, two("1", "1"), "a worker", "10:00")
    changed(made, two("2", "1"), "api 2", "11:00")
    changed(made, two("2", "2"), "worker 2", "12:00")
    answer = run(made, RECS, "--service", "worker", "--at", at("11:30"))
    assert answer.out.startswith(
        f"{at('11:30')}  {RECS}, service worker: worker 1 (commit {worker[:9]}, since {at('10:00')}"
    )
    assert (
        "not there yet; it came 2026-03-04T10:00:00Z" in run(made, RECS, "--service", "worker", "--at", at("09:30")).out
    )
    live = json.loads(run(made, RECS, "--service", "worker", "--at", at("11:30"), "--format", "json").out)
    jsonschema.Draft7Validator(editor_schemas.schema("live")).validate(live)
    assert (live["service"], live["change"]["commit"], live["next"]["time"]) == ("worker", worker, at("12:00"))
    assert "no service web" in run(made, RECS, "--service", "web", "--at", at("11:30")).err
    assert "leave out --limit" in run(made, RECS, "--limit", "3", "--at", at("11:30")).err


@pytest.mark.parametrize(
    ("words", "shown"),
    [("0001-01-01T00:00+14:00", "0001-01-01T00:00:00Z"), ("9999-12-31T23:59-14:00", "9999-12-31T23:59:59Z")],
)
def test_a_time_beyond_the_calendar_is_its_end(tmp_path: Path, words: str, shown: str) -> None:
    made = started(tmp_path, images("1.8"))
    assert run(made, RECS, "--at", words).out.startswith(f"{shown}  {RECS}: ")


def test_committer_times_that_go_backwards_are_no_earlier(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    changed(made, images("1.9"), "1.9", "12:00")
    changed(made, images("2.0"), "2.0, on a machine whose clock is late", "10:00")
    changed(made, images("2.1"), "2.1", "13:00")
    assert [instant(row.time) for row in rows(made).rows] == [at("13:00"), at("12:00"), at("12:00"), at("09:00")]
    assert "recs 1.8" in run(made, RECS, "--at", at("11:00")).out
    assert "recs 2.0" in run(made, RECS, "--at", at("12:30")).out


def test_a_shallow_clone_says_what_it_knows_and_warns(tmp_path: Path) -> None:
    made, _ = rolled_back(tmp_path / "origin")
    clone = Repository(tmp_path / "clone")
    made.git("clone", "-q", "--depth=2", f"file://{made.folder}", str(clone.folder))
    result = run(clone, RECS)
    assert result.code == 0
    assert "recs 2.0" in result.out
    assert f"{at('10:12')} or earlier" in result.out
    assert "RS630" in result.err
    assert "git fetch --deepen" in result.err
    assert json.loads(run(clone, RECS, "--format", "json").out)["complete"] is False
    assert "recs 1.8" in run(clone, RECS, "--at", at("11:00")).out
    early = run(clone, RECS, "--at", at("09:30"))
    assert early.code == 2
    assert "RS630" in early.err


def test_nobody_knows_whether_the_oldest_change_of_a_shallow_clone_was_new(tmp_path: Path) -> None:
    made, _ = rolled_back(tmp_path / "origin")
    clone = Repository(tmp_path / "clone")
    made.git("clone", "-q", "--depth=2", f"file://{made.folder}", str(clone.folder))
    assert "new" not in run(clone, RECS).out.replace("newest first", "")
    oldest = json.loads(run(clone, RECS, "--format", "json").out)["changes"][-1]
    assert oldest["orEarlier"] is True
    assert (oldest["kind"], oldest["changed"]) == ("changed", [])
    assert oldest["what"] == "at the boundary of what was fetched: api: recs 1.8"
    assert "| at the boundary of what was fetched: api: recs 1.8 |" in run(clone, RECS, "--format", "markdown").out


def test_a_file_that_was_not_fetched_is_no_broken_state(tmp_path: Path) -> None:
    made, _ = rolled_back(tmp_path / "origin")
    made.git("config", "uploadpack.allowFilter", "true")
    clone = Repository(tmp_path / "clone")
    made.git("clone", "-q", "--filter=blob:none", f"file://{made.folder}", str(clone.folder))
    result = run(clone, RECS)
    assert result.code == 2
    assert "RS631" in result.err


# --- reports


def test_json_fits_its_published_schema(tmp_path: Path) -> None:
    made, ids = rolled_back(tmp_path)
    document = json.loads(run(made, RECS, "--format", "json", "--limit", "3").out)
    jsonschema.Draft7Validator(editor_schemas.schema("history")).validate(document)
    assert (len(document["changes"]), document["total"]) == (3, 4)
    assert document["changes"][2]["rolledBackBy"] == {"commit": ids["back"], "time": at("10:12"), "seconds": 720}
    live = json.loads(run(made, RECS, "--at", at("10:05"), "--format", "json").out)
    jsonschema.Draft7Validator(editor_schemas.schema("live")).validate(live)
    assert (live["live"], live["change"]["commit"], live["next"]["commit"]) == (True, ids["bad"], ids["back"])


def test_markdown_is_the_table_that_people_keep_by_hand(tmp_path: Path) -> None:
    made, ids = rolled_back(tmp_path)
    lines = run(made, RECS, "--format", "markdown").out.splitlines()
    assert lines[2] == "| Date | Duration | Reason | Resolved | Notes |"
    assert lines[4].startswith("| 2026-03-04 | 12 min | 500s since the deploy | Yes | ")
    assert f"`{ids['back'][:9]}`" in lines[4]
    assert len([line for line in lines if line.startswith("| 2026-03-04T")]) == 4


def test_a_short_table_does_not_deny_what_it_leaves_out(tmp_path: Path) -> None:
    made, _ = rolled_back(tmp_path)
    few = run(made, RECS, "--format", "markdown", "--limit", "1").out
    assert "Nothing was rolled back in the changes shown." in few
    assert "Nothing" not in run(made, RECS, "--format", "markdown").out


def test_a_fallback_is_in_the_table_with_its_own_reason(tmp_path: Path) -> None:
    variants = {"variants": {"baseline": {"image": "ghcr.io/acme/baseline:1"}}}
    made = started(tmp_path, images("1.8", **variants))
    changed(made, images("1.8", **variants, active="baseline"), "Week 6 feature test", "10:00")
    lines = run(made, RECS, "--format", "markdown").out.splitlines()
    assert lines[4].startswith("| 2026-03-04 | so far | Week 6 feature test | No | ")
    changed(made, images("1.8", **variants), "over", "10:10")
    lines = run(made, RECS, "--format", "markdown").out.splitlines()
    assert lines[4].startswith("| 2026-03-04 | 10 min | Week 6 feature test | Yes | ")
    assert "baseline active" in lines[4]


def test_nothing_hostile_reaches_a_terminal_or_a_table(tmp_path: Path) -> None:
    made = started(tmp_path, images("1.8"))
    write(made.folder, images("1.9"))
    made.git("add", "-A")
    subject = "-x \x1b[31mred\x07 | <img src=x> [a](b) @ann \u202e"
    made.git(
        "commit", "-q", "-m", subject, env={"GIT_AUTHOR_NAME": "A\x1b]0;x\x07 | <b>", "GIT_COMMITTER_DATE": at("10:00")}
    )
    for form in ("text", "json", "markdown"):
        out = run(made, RECS, "--format", form).out
        assert not {"\x1b", "\x07", "\u202e"} & set(out), form
    assert not {"\x1b", "\x07", "\u202e"} & set(run(made, RECS, "--at", at("11:00")).out)
    table = run(made, RECS, "--format", "markdown").out.splitlines()
    row = next(line for line in table if line.startswith("| 2026-03-04T10"))
    assert row.replace("\\|", "").count("|") == 10
    assert "<img" not in row.replace("\\<", "")


def test_times_as_people_say_them() -> None:
    assert [lasting(seconds) for seconds in (0, 90, 720, 2 * 86_400, 12 * 86_400 + 4 * 3600)] == [
        "0 s",
        "90 s",
        "12 min",
        "2 d",
        "12 d 4 h",
    ]
    assert instant(10**15).startswith("@")

"""`relspec plan`: what a change does, on real Git repositories."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from company import (
    GIT_ENVIRONMENT,
    SERVICE,
    STRATEGIES,
    Files,
    Repository,
    Run,
    base,
    company,
    compose,
    environment,
    kubernetes,
    model,
    record,
    registry,
    release,
    repository,
    run,
    with_service,
    write,
)
from relspec.discovery import release_at
from relspec.gitops import states
from relspec.gitops.plan import FileDiff, _diff
from relspec.lock import EDITION
from relspec.lock import text as lock_text
from relspec.report_schemas import PlanDocument

Map = dict[str, Any]
ENV = "environments/production/environment.yaml"
RECS = "environments/production/recs/release.yaml"
API = {**SERVICE, "image": "ghcr.io/acme/recs:1.9.0"}
SCHEMA: TypeAdapter[Any] = TypeAdapter(PlanDocument)


def compiled(made: Repository, message: str) -> str:
    """The work tree with its outputs as a commit."""
    assert run(made.folder, "compile").code == 0
    return made.commit(message)


def two_releases(**fields: Any) -> Files:
    """Two releases of one environment."""
    return {**company(**fields), "environments/production/search/release.yaml": release("search")}


@pytest.fixture
def made(tmp_path: Path) -> Repository:
    """A company with outputs, and a branch `change` checked out on it."""
    found = repository(tmp_path / "company", two_releases())
    compiled(found, "outputs")
    found.git("checkout", "-q", "-b", "change")
    return found


def planned(folder: Path, *arguments: str, code: int = 0) -> Map:
    """The plan as JSON, which fits its schema."""
    done = run(folder, "plan", "--format", "json", *arguments)
    assert done.code == code, done.err
    found: Map = json.loads(done.out)
    SCHEMA.validate_python(found)
    return found


def said(folder: Path, *arguments: str) -> str:
    """The plan as text."""
    done = run(folder, "plan", *arguments)
    assert done.code == 0, done.err
    return done.out


def ids(plan: Map) -> list[str]:
    return [each["id"] for each in plan["releases"]]


def edited(made: Repository, path: str, old: str, new: str) -> None:
    file = made.folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# --- which change is meant


def test_by_default_it_is_from_the_merge_base_with_main_to_the_work_tree(made: Repository) -> None:
    start = made.git("rev-parse", "main")
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    made.git("checkout", "-q", "main")
    edited(made, "environments/production/search/release.yaml", "1.8.2", "2.0.0")
    made.commit("main goes on")
    made.git("checkout", "-q", "change")
    plan = planned(made.folder)
    assert (plan["base"], plan["head"], ids(plan)) == (start, None, ["production/recs"])


def test_an_untracked_release_counts(made: Repository) -> None:
    write(made.folder, {"environments/production/new/release.yaml": release("new")})
    (each,) = planned(made.folder)["releases"]
    assert (each["id"], each["change"]) == ("production/new", "added")
    assert each["readiness"]["action"] == "git rm -r environments/production/new"


def test_a_dirty_work_tree_counts_and_has_no_prediction(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    plan = planned(made.folder)
    assert ids(plan) == ["production/recs"]
    assert plan["undo"] is None


def test_a_clean_work_tree_is_its_commit(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    assert planned(made.folder)["undo"]["kind"] == "exact"


@pytest.mark.parametrize("change", ["main..HEAD", "main..change", "main...HEAD", "main..", "..HEAD", "HEAD~1..HEAD"])
def test_ranges(made: Repository, change: str) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    head = compiled(made, "new image")
    plan = planned(made.folder, change)
    assert (plan["base"], plan["head"]) == (made.git("rev-parse", "main"), head)
    assert ids(plan) == ["production/recs"]


def test_three_dots_start_at_the_merge_base_and_two_at_the_tip(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    made.commit("new image")
    made.git("checkout", "-q", "main")
    edited(made, "environments/production/search/release.yaml", "1.8.2", "2.0.0")
    made.commit("main goes on")
    assert ids(planned(made.folder, "main...change")) == ["production/recs"]
    assert ids(planned(made.folder, "main..change")) == ["production/recs", "production/search"]


@pytest.mark.parametrize("change", ["no such branch", "a b..HEAD", "main..no-such", "--", "HEAD..-x", "a..b..c", "\n"])
def test_words_that_name_no_commit_are_refused(made: Repository, change: str) -> None:
    done = run(made.folder, "plan", "--", change)
    assert done.code == 2
    assert "RS606" in done.err or "there is no commit" in done.err


def test_an_option_that_is_none_is_refused(made: Repository) -> None:
    assert run(made.folder, "plan", "--output=/tmp/x").code == 2


@pytest.mark.parametrize(
    "name", ["-x", "a'b", "ü/ñ", "a`b", "$(touch)", "$(touch${IFS}x)", "a;b", "x&y", "HEAD2", "a|b"]
)
def test_a_branch_named_strangely(made: Repository, name: str) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    made.git("update-ref", f"refs/heads/{name}", "HEAD")
    word = f"refs/heads/{name}" if name.startswith("-") else name
    assert ids(planned(made.folder, "--", f"main..{word}")) == ["production/recs"]


def test_a_detached_head(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    made.git("checkout", "-q", "--detach")
    assert ids(planned(made.folder)) == ["production/recs"]


def test_main_that_is_only_known_as_last_fetched(made: Repository) -> None:
    made.git("update-ref", "refs/remotes/origin/main", "main")
    made.git("branch", "-q", "-D", "main")
    edited(made, RECS, "1.8.2", "1.9.0")
    assert ids(planned(made.folder)) == ["production/recs"]


def test_without_a_main_branch_it_says_what_to_type(made: Repository) -> None:
    made.git("branch", "-q", "-D", "main")
    done = run(made.folder, "plan")
    assert done.code == 2
    assert "no branch main" in done.err


def test_a_bare_repository_and_one_inside_a_folder(made: Repository, tmp_path: Path) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    made.git("clone", "-q", "--bare", str(made.folder), str(tmp_path / "bare.git"))
    bare = planned(tmp_path / "bare.git", "main..change")
    assert bare == planned(made.folder, "main..change")
    # Without a word, HEAD takes the place of the work tree.
    assert ids(planned(tmp_path / "bare.git")) == ["production/recs"]


def test_a_folder_of_a_larger_repository(tmp_path: Path) -> None:
    inner = {f"deploy/here/{path}": content for path, content in two_releases().items()}
    made = repository(tmp_path / "company", {**inner, "README.md": "x\n"})
    write(made.folder, {f"deploy/here/{RECS}": release("recs", {"api": API}), "README.md": "y\n"})
    made.commit("new image")
    assert ids(planned(made.folder / "deploy/here", "HEAD~1..HEAD")) == ["production/recs"]
    assert ids(planned(made.folder / "deploy/here", "HEAD~1")) == ["production/recs"]


def test_nothing_is_written(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    edited(made, RECS, "1.9.0", "1.9.1")

    def everything() -> dict[str, str]:
        return {
            path.relative_to(made.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in made.folder.rglob("*")
            if path.is_file()
        }

    before = everything()
    for arguments in ((), ("main..HEAD",), ("main...HEAD", "--format", "markdown")):
        assert run(made.folder, "plan", *arguments).code == 0
    assert everything() == before


# --- what changes


def test_the_words_and_the_effects(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    text = said(made.folder, "main..HEAD")
    assert "api: image ghcr.io/acme/recs 1.8.2 -> 1.9.0" in text
    assert "rollouts: new ReplicaSet" in text
    assert "rendered/production/recs/rollouts/rollouts.yaml  +1 -1" in text
    assert "way back: warm if" in text
    assert "1 release changes in 1 environment; way back: 1 warm" in text
    assert "+          image" not in text
    assert "+          image: ghcr.io/acme/recs:1.9.0" in said(made.folder, "main..HEAD", "--diff")


def test_a_base_that_reaches_many_releases_costs_each_of_them_as_much(
    made: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 40
    names = [f"r{number}" for number in range(many)]
    extends = "../../../bases/web.yaml"
    files = {
        f"environments/production/{name}/release.yaml": release(name, {"api": {}}, extends=extends) for name in names
    }
    write(made.folder, {"bases/web.yaml": base({"api": SERVICE}), **files})
    compiled(made, "many at once")
    edited(made, "bases/web.yaml", "1.8.2", "1.9.0")
    asked: list[str] = []

    def counted(tree: Any, loader: Any, file: str) -> Any:
        asked.append(file)
        return release_at(tree, loader, file)

    monkeypatch.setattr(states, "release_at", counted)
    assert f"{many} releases change" in said(made.folder, "HEAD")
    assert many <= len(asked) < 4 * many  # what a commit took away is the same to all that it added


def test_no_line_is_a_command_of_a_ci_runner(made: Repository) -> None:
    edited(made, RECS, "    image:", "    args:\n      - |\n        ::error::pwned\n        x\n    image:")
    compiled(made, "::error::pwned")
    edited(made, RECS, "        x\n    image:", "        y\n    imge:")
    printed = [
        said(made.folder, "main..HEAD", "--diff"),
        run(made.folder, "history", "production/recs").out,
        run(made.folder, "check", "--fix", "--diff").out,
        run(made.folder, "set", "production/recs", "api.replicas=7", "--dry-run").out,
    ]
    assert [text.count("\\x3a:error::pwned") for text in printed[1:3]] == [1, 1]
    assert not [line for text in printed for line in text.splitlines() if line.lstrip().startswith("::")]


def test_a_comment_changes_nothing(made: Repository) -> None:
    edited(made, RECS, "name: recs", "name: recs # ours")
    compiled(made, "a comment")
    plan = planned(made.folder, "main..HEAD")
    assert plan["releases"] == []
    assert "no release changes" in said(made.folder, "main..HEAD")


def test_an_alias_that_moves_reaches_every_release_that_names_it(tmp_path: Path) -> None:
    aliased = {"api": {**SERVICE, "model": "als@prod"}}
    files = {
        **company(aliased),
        "environments/production/search/release.yaml": release("search", {"api": {**SERVICE, "model": "als@v1"}}),
        **registry("v1", "v2", aliases={"prod": "v1"}),
    }
    made = repository(tmp_path / "company", files)
    write(made.folder, {"registry/als/model.yaml": model(aliases={"prod": "v2"})})
    (each,) = planned(made.folder, "HEAD")["releases"]
    assert each["id"] == "production/recs"
    assert each["through"] == ["registry/als/model.yaml"]
    assert any("v1 -> v2" in change["words"] for change in each["changes"])


CHANGES: dict[str, tuple[Callable[[Repository], None], str]] = {
    "a base": (lambda made: edited(made, "bases/web.yaml", "1.8.2", "1.9.0"), "bases/web.yaml"),
    "an environment": (lambda made: edited(made, ENV, "prometheus:9090", "prometheus:9091"), ENV),
    "defaults": (lambda made: edited(made, ENV, "replicas: 2", "replicas: 3"), ENV),
    "the lock": (lambda made: edited(made, "relspec.lock", 'kubernetes: "1.34"', 'kubernetes: "1.33"'), "relspec.lock"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_lies_beside_the_releases_reaches_them(tmp_path: Path, name: str) -> None:
    change, path = CHANGES[name]
    stepped = {"strategy": STRATEGIES["stepped"]["strategy"]}
    extending = {
        "apiVersion": "relspec/v1",
        "kind": "Release",
        "extends": "../../../bases/web.yaml",
        "services": {"api": stepped},
    }
    files: Files = {
        **company(where=kubernetes(defaults={"replicas": 2})),
        "bases/web.yaml": base({"api": SERVICE}),
        RECS: {**extending, "name": "recs"},
        "environments/production/search/release.yaml": {**extending, "name": "search"},
    }
    made = repository(tmp_path / "company", files)
    compiled(made, "outputs")
    change(made)
    plan = planned(made.folder, "HEAD")
    if name == "the lock":
        assert plan["toolchain"] == ["kubernetes 1.34 -> 1.33"]
        return
    assert ids(plan) == ["production/recs", "production/search"]
    assert all(path in each["through"] for each in plan["releases"])


def test_a_template_and_a_chart_reach_the_releases_that_read_them(tmp_path: Path) -> None:
    helm = environment(
        targets={"helm": {"chart": "../../charts/server", "values": "values.yaml.j2", "namespace": "ml"}}
    )
    files: Files = {
        **company(where=helm),
        "environments/production/values.yaml.j2": "image: {{ service.image }}\n",
        "charts/server/Chart.yaml": "apiVersion: v2\nname: server\nversion: 1.0.0\n",
        "charts/server/templates/all.yaml": "{{ toYaml .Values }}\n",
        "environments/other/environment.yaml": kubernetes(name="other"),
        "environments/other/search/release.yaml": release("search"),
    }
    made = repository(tmp_path / "company", files)
    write(made.folder, {"environments/production/values.yaml.j2": "tag: {{ service.image }}\n"})
    (each,) = planned(made.folder, "HEAD")["releases"]
    assert (each["id"], each["through"]) == ("production/recs", ["environments/production/values.yaml.j2"])
    assert each["outputs"][0]["added"] == each["outputs"][0]["removed"] == 1


def test_renamed_added_and_removed(made: Repository) -> None:
    made.git("mv", "environments/production/recs", "environments/production/picks")
    edited(made, "environments/production/picks/release.yaml", "name: recs", "name: picks")
    made.git("rm", "-q", "-r", "environments/production/search")
    write(made.folder, {"environments/production/feed/release.yaml": release("feed", {"web": API})})
    compiled(made, "all at once")
    plan = planned(made.folder, "main..HEAD")
    kinds = {each["id"]: (each["change"], each["former"]) for each in plan["releases"]}
    assert kinds == {
        "production/feed": ("added", None),
        "production/picks": ("renamed", "production/recs"),
        "production/search": ("removed", None),
    } or kinds["production/picks"] == ("renamed", "production/search")
    assert all((each["readiness"] is None) == (each["change"] == "removed") for each in plan["releases"])
    text = said(made.folder, "main..HEAD")
    assert "starts from nothing" in text
    assert "(renamed from production/" in text


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_release_that_does_not_compile_is_shown(made: Repository, side: str) -> None:
    good = (made.folder / RECS).read_text()
    (made.folder / RECS).write_text(good.replace("ports:", "portz:"))
    made.commit("broken")
    if side == "before":
        (made.folder / RECS).write_text(good)
        made.commit("mended")
        plan = planned(made.folder, "HEAD~1..HEAD")
        assert plan["releases"][0]["readiness"]["verdict"] == "blocked"
    else:
        plan = planned(made.folder, "HEAD~1..HEAD")
        assert plan["releases"][0]["readiness"]["verdict"] == "unknown"
        assert plan["summary"]["errors"] > 0
    assert ids(plan) == ["production/recs"]
    assert "not compiled: production/recs" in said(made.folder, "HEAD~1..HEAD")


def test_outputs_that_change_alone_are_said(made: Repository) -> None:
    output = made.folder / "rendered/production/recs/rollouts/rollouts.yaml"
    output.write_text(output.read_text().replace("1.8.2", "6.6.6"))
    made.commit("by hand")
    plan = planned(made.folder, "main..HEAD")
    assert plan["releases"] == []
    assert any("outputs of production/recs change" in note for note in plan["notes"])


# --- going back


def changed_and_back(made: Repository, *, stale: bool = False) -> str:
    edited(made, RECS, "1.8.2", "1.9.0")
    change = compiled(made, "new image")
    if stale:
        edited(made, RECS, "name: recs", "name: recs # ours")
        write(made.folder, {"rendered/production/recs/rollouts/rollouts.yaml": "# by hand\n"})
        made.commit("outputs by hand")
    return change


def test_a_revert_says_exact(made: Repository) -> None:
    change = changed_and_back(made)
    made.git("revert", "--no-edit", change)
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"] == {"kind": "exact", "commits": [change], "conflicts": []}
    assert plan["releases"][0]["revert"]["kind"] == "exact"
    assert plan["releases"][0]["revert"]["restores"] == made.git("rev-parse", "main")
    assert "revert: exact:" in said(made.folder, "HEAD~1..HEAD")


def test_a_restoration_by_hand_is_a_revert_too(made: Repository) -> None:
    changed_and_back(made)
    edited(made, RECS, "1.9.0", "1.8.2")
    compiled(made, "back to what ran")
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"] == {"kind": "exact", "commits": [], "conflicts": []}


def test_a_revert_of_an_older_change_is_clean_but_stale(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    change = made.commit("new image, not compiled")
    compiled(made, "outputs of it")
    made.git("revert", "--no-edit", change)
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"]["kind"] == "clean-but-stale"
    assert "revert: clean but stale" in said(made.folder, "HEAD~1..HEAD")


def test_a_revert_of_a_change_whose_files_were_edited_since(made: Repository) -> None:
    edited(made, RECS, "8080", "8081")
    change = compiled(made, "another port")
    edited(made, RECS, "1.8.2", "1.9.0")
    newer = compiled(made, "new image")
    made.git("revert", "--no-commit", change, check=False)
    compiled(made, f'Revert "another port"\n\nThis reverts commit {change}.')
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"] == {"kind": "exact", "commits": [change], "conflicts": []}
    assert plan["releases"][0]["revert"] == {"kind": "exact", "restores": None, "services": []}
    edited(made, RECS, "1.9.0", "2.0.0")
    compiled(made, f"not only that\n\nThis reverts commit {newer}.")
    assert planned(made.folder, "HEAD~1..HEAD")["revert"] is None


def test_a_revert_of_a_base_since_when_a_release_came_is_clean_but_stale(tmp_path: Path) -> None:
    """The new release's outputs hold what goes back, and no commit ever had what the base holds then."""
    path = "bases/b.yaml"
    service = {**SERVICE, "labels": {"a": "1"}, "annotations": {"note": "first"}}
    files = {path: base({"api": service}), **company({"api": {}}, extends="../../../bases/b.yaml")}
    made = repository(tmp_path / "company", files)
    compiled(made, "outputs")
    edited(made, path, "a: '1'", "a: '2'")
    change = compiled(made, "another label")
    edited(made, path, "note: first", "note: second")
    write(
        made.folder,
        {"environments/production/recs2/release.yaml": release("recs2", {"api": {}}, extends=f"../../../{path}")},
    )
    compiled(made, "a note, and a release more")
    made.git("revert", "--no-edit", change)
    assert run(made.folder, "compile", "--check").code == 1
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"]["kind"] == "clean-but-stale"
    kinds = {each["id"]: each["revert"]["kind"] for each in plan["releases"]}
    assert kinds == {"production/recs": "exact", "production/recs2": "clean-but-stale"}


def test_a_revert_that_takes_a_record_away_says_that_nothing_compiles(tmp_path: Path) -> None:
    made = repository(tmp_path / "company", {**with_service({"model": "als@v1"}), **registry("v1")})
    compiled(made, "outputs")
    write(made.folder, {"registry/als/v2.yaml": record("v2")})
    change = made.commit("a record")
    write(
        made.folder,
        {"environments/production/late/release.yaml": release("late", {"api": {**SERVICE, "model": "als@v2"}})},
    )
    compiled(made, "a release of it")
    made.git("revert", "--no-edit", change)
    (late,) = planned(made.folder, "HEAD~1..HEAD")["releases"]
    assert (late["id"], late["change"], late["changes"]) == ("production/late", "changed", [])
    assert late["revert"]["restores"] is None
    text = said(made.folder, "HEAD~1..HEAD")
    assert "removed" not in text
    assert "revert: clean but stale: goes back, but does not compile then" in text
    assert "relspec compile" not in text


@pytest.mark.parametrize("broken", ["a: [", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"])
def test_a_release_that_can_t_be_read_is_not_called_removed(made: Repository, broken: str) -> None:
    good = (made.folder / RECS).read_text()
    (made.folder / RECS).write_text(broken)
    made.commit("broken")
    (made.folder / RECS).write_text(good)
    made.commit("mended")
    for change in ("HEAD~2..HEAD~1", "HEAD~1..HEAD"):
        (each,) = planned(made.folder, change)["releases"]
        assert (each["change"], each["changes"]) == ("changed", [])
        assert "does not compile" in said(made.folder, change)


def test_a_range_that_leads_back_has_nothing_to_merge(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    plan = planned(made.folder, "HEAD..HEAD~1")
    assert ids(plan) == ["production/recs"]
    assert plan["undo"] is None
    assert any("there is nothing to merge or to revert" in note for note in plan["notes"])
    assert planned(made.folder, "HEAD..HEAD")["undo"]["kind"] == "nothing-to-undo"


def test_a_change_back_does_not_count_the_steps_that_it_skips(tmp_path: Path) -> None:
    made = repository(tmp_path / "company", with_service({**STRATEGIES["stepped"], "image": "ghcr.io/acme/recs:1.8.2"}))
    first = made.git("rev-parse", "HEAD")
    for number, (old, new) in enumerate((("1.8.2", "1.9.0"), ("1.9.0", "1.8.2"))):
        edited(made, RECS, old, new)
        made.commit("another image", f"20{70 + number}-03-04T14:05:00Z")
    on, back = (planned(made.folder, change)["releases"][0] for change in ("HEAD~2..HEAD~1", "HEAD~1..HEAD"))
    assert on["effects"][0]["words"].startswith("new ReplicaSet, 5 steps, at least ")
    assert f"back to the ReplicaSet of {first[:9]}: steps skipped if it is still there" in back["effects"][0]["words"]
    assert back["effects"][0]["leastSeconds"] == 0
    assert any("this change skips every step" in note for note in back["readiness"]["notes"])


def test_the_revert_of_a_removal_and_of_an_addition(made: Repository) -> None:
    made.git("rm", "-q", "-r", "environments/production/search")
    removal = compiled(made, "search goes")
    made.git("revert", "--no-edit", removal)
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"]["kind"] == "exact"
    assert [each["revert"]["kind"] for each in plan["releases"]] == ["exact"]
    made.git("revert", "--no-edit", "HEAD")
    (gone,) = planned(made.folder, "HEAD~1..HEAD")["releases"]
    assert (gone["change"], gone["revert"]["kind"]) == ("removed", "exact")


def test_conflicts_left_in_a_spec(made: Repository) -> None:
    change = changed_and_back(made)
    edited(made, RECS, "1.9.0", "2.0.0")
    compiled(made, "newer")
    made.git("revert", "--no-edit", change, check=False)
    midway = planned(made.folder, "HEAD")
    assert midway["revert"]["kind"] == "conflicts"
    assert RECS in midway["revert"]["conflicts"]
    made.commit(f'Revert "new image"\n\nThis reverts commit {change}.')
    done = planned(made.folder, "HEAD~1..HEAD")
    assert done["revert"]["kind"] == "conflicts"
    assert done["releases"][0]["revert"]["kind"] == "conflicts"


def test_conflicts_left_in_outputs_alone(made: Repository) -> None:
    change = changed_and_back(made)
    output = "rendered/production/recs/rollouts/rollouts.yaml"
    made.git("revert", "--no-edit", change)
    text = (made.folder / output).read_text()
    write(made.folder, {output: f"<<<<<<< HEAD\n{text}=======\n>>>>>>> parent of {change[:7]} (new image)\n"})
    made.git("add", "-A")
    made.git("commit", "-q", "--amend", "--no-edit")
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"] == {"kind": "conflicts", "commits": [change], "conflicts": [output]}


def test_a_revert_that_conflicts_with_main(made: Repository) -> None:
    change = changed_and_back(made)
    made.git("checkout", "-q", "main")
    made.git("merge", "-q", "change")
    made.git("checkout", "-q", "-b", "back")
    made.git("revert", "--no-edit", change)
    made.git("checkout", "-q", "main")
    edited(made, RECS, "1.9.0", "2.0.0")
    compiled(made, "newer")
    made.git("checkout", "-q", "back")
    for arguments in (("main..HEAD",), ("main...HEAD",), ()):
        plan = planned(made.folder, *arguments)
        assert plan["revert"]["kind"] == "conflicts", arguments
        assert RECS in plan["revert"]["conflicts"]
        assert any("conflicts" in note for note in plan["notes"])


def test_a_restoration_by_hand_that_conflicts_with_main(made: Repository) -> None:
    """No commit of it says that it is a revert: its merge conflicts all the same, and that is no restoration."""
    changed_and_back(made)
    made.git("checkout", "-q", "main")
    made.git("merge", "-q", "change")
    made.git("checkout", "-q", "-b", "back")
    edited(made, RECS, "1.9.0", "1.8.2")
    compiled(made, "back to what ran")
    made.git("checkout", "-q", "main")
    edited(made, "environments/production/search/release.yaml", "1.8.2", "1.8.3")
    compiled(made, "of no concern")
    made.git("checkout", "-q", "back")
    assert planned(made.folder, "main...HEAD")["revert"]["kind"] == "exact"
    made.git("checkout", "-q", "main")
    edited(made, RECS, "1.9.0", "2.0.0")
    compiled(made, "newer")
    made.git("checkout", "-q", "back")
    for arguments in (("main...HEAD",), ()):
        plan = planned(made.folder, *arguments)
        output = "rendered/production/recs/rollouts/rollouts.yaml"
        assert plan["revert"] == {"kind": "conflicts", "commits": [], "conflicts": [RECS, output]}
        assert plan["releases"][0]["revert"]["kind"] == "conflicts"
        text = said(made.folder, *arguments)
        assert "exact" not in text
        assert text.count("revert: conflicts: ") == 2
        assert "revert: conflicts" in run(made.folder, "plan", "--format", "markdown", *arguments).out


def test_nothing_to_undo(made: Repository) -> None:
    change = changed_and_back(made)
    made.git("revert", "--no-edit", change)
    made.commit(f'Revert "new image"\n\nThis reverts commit {change}.')
    plan = planned(made.folder, "HEAD~1..HEAD")
    assert plan["revert"] == {"kind": "nothing-to-undo", "commits": [change], "conflicts": []}
    assert "nothing to undo" in said(made.folder, "HEAD~1..HEAD")


def test_an_empty_commit_is_no_revert(made: Repository) -> None:
    made.commit("empty")
    assert planned(made.folder, "main..HEAD")["revert"] is None


def test_a_change_that_also_goes_on_is_no_revert(made: Repository) -> None:
    change = changed_and_back(made)
    made.git("revert", "--no-edit", change)
    edited(made, "environments/production/search/release.yaml", "1.8.2", "3.0.0")
    compiled(made, "and search goes on")
    plan = planned(made.folder, "HEAD~2..HEAD")
    assert plan["revert"] is None
    assert {each["id"]: each["revert"] is not None for each in plan["releases"]} == {
        "production/recs": True,
        "production/search": False,
    }


def test_what_a_plain_revert_would_drop_of_the_registry_is_said_before_the_merge(tmp_path: Path) -> None:
    made = repository(tmp_path / "made", {**with_service({"model": "als@v1"}), **registry("v1", "v2")})
    base = compiled(made, "outputs")
    write(made.folder, {**with_service({"model": "als@v3"})})
    quarantine = {"v2": {"reason": "error rate 12 %", "since": "2026-03-04"}}
    write(made.folder, registry("v1", "v2", "v3", quarantine=quarantine))
    change = compiled(made, "v3, and never v2 again")
    plan = planned(made.folder, f"{base}..{change}")
    assert [each["words"] for each in plan["drops"]["what"]] == ["the record of als v3", "the quarantine of als v2"]
    assert [each["kind"] for each in plan["drops"]["what"]] == ["record", "quarantine"]
    keep = plan["drops"]["keep"]
    files = "registry/als/model.yaml registry/als/v3.yaml"
    assert keep.startswith(f"git checkout 'HEAD~1' -- {files} && git add registry && git commit --amend")
    text = said(made.folder, f"{base}..{change}")
    words = (
        "a plain git revert of it would drop the record of als v3, the quarantine of als v2; relspec rollback does not"
    )
    assert words in text
    assert f"type right after it: {keep}" in text
    page = run(made.folder, "plan", f"{base}..{change}", "--format", "markdown").out
    assert words in page
    assert f"```sh\n{keep}\n```" in page
    made.git("revert", "--no-edit", "HEAD")
    revert = planned(made.folder, f"{change}..HEAD")
    assert revert["drops"] is None, "what comes back is not dropped"
    subprocess.run(keep, shell=True, cwd=made.folder, env=GIT_ENVIRONMENT, check=True, capture_output=True)
    assert made.git("diff", "--name-only", change, "HEAD", "--", "registry") == ""
    assert "als@v1" in (made.folder / RECS).read_text()
    assert run(made.folder, "check", "--since", change).code == 0


def test_a_change_that_adds_nothing_to_the_registry_drops_nothing_of_it(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    assert planned(made.folder)["drops"] is None
    assert "would drop" not in said(made.folder)


def test_a_comment_stays_short_however_much_would_be_dropped(tmp_path: Path) -> None:
    made = repository(tmp_path / "made", {**with_service({"model": "als@v1"}), **registry("v1")})
    versions = [f"v{number}" for number in range(1, 300)]
    quarantine = {name: {"reason": "r" * 300, "since": "2026-03-04"} for name in versions[1:]}
    write(made.folder, registry(*versions, aliases={"prod": "v1"}, quarantine=quarantine))
    page = run(made.folder, "plan", "HEAD", "--format", "markdown").out
    assert len(page.encode()) < 65_536
    assert "and 591 more; relspec rollback does not" in page
    assert "type right after it: see `relspec plan`" in page


def test_an_undo_that_would_leave_outputs_out_of_date(tmp_path: Path) -> None:
    made = repository(tmp_path / "company", two_releases())
    write(made.folder, {"rendered/production/recs/rollouts/rollouts.yaml": "# by hand\n"})
    made.commit("stale")
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    assert planned(made.folder, "HEAD~1..HEAD")["undo"]["kind"] == "clean-but-stale"


# --- readiness


def test_who_calls_and_what_the_registry_says_today(tmp_path: Path) -> None:
    one = {"input": {"type": "object", "properties": {"user": {"type": "string"}}, "required": ["user"]}}
    two = {"input": {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}}
    files: Files = {
        **company({"api": {**SERVICE, "model": "als@v1"}}),
        "environments/production/search/release.yaml": release(
            "search", {"api": {**SERVICE, "uses": ["production/recs"]}}
        ),
        "registry/als/model.yaml": model(),
    }
    made = repository(
        tmp_path / "company",
        {
            **files,
            "registry/als/v1.yaml": record("v1", interface=one),
            "registry/als/v2.yaml": record("v2", interface=two),
        },
    )
    edited(made, RECS, "als@v1", "als@v2")
    made.commit("v2")
    found = planned(made.folder, "HEAD~1..HEAD")["releases"][0]["readiness"]
    assert found["verdict"] == "blocked"
    assert found["action"] == "relspec rollback production/recs production/search"

    write(
        made.folder,
        {"registry/als/model.yaml": model(quarantine={"v1": {"since": "2026-03-04", "reason": "bad data"}})},
    )
    made.commit("v1 is quarantined")
    plan = planned(made.folder, "HEAD~2..HEAD")
    assert "quarantined" in plan["releases"][0]["readiness"]["phases"][-1]["why"]


def test_what_to_type_while_the_sync_of_the_change_is_open(tmp_path: Path) -> None:
    """A candidate that goes is removed last: until then nothing else is synced, a revert neither."""
    found = repository(tmp_path / "company", with_service({**STRATEGIES["held"], "image": "ghcr.io/acme/recs:1.8.2"}))
    compiled(found, "outputs")
    write(found.folder, with_service({"image": "ghcr.io/acme/recs:1.8.2"}))
    compiled(found, "the candidate goes")
    (release,) = planned(found.folder, "HEAD~1..HEAD")["releases"]
    blocked = release["readiness"]["phases"][0]
    assert (blocked["verdict"], blocked["action"]) == ("blocked", "argocd app terminate-op production")
    lines = said(found.folder, "HEAD~1..HEAD").splitlines()
    at = next(number for number, line in enumerate(lines) if "blocked: sync open" in line)
    assert lines[at + 1] == "      to type: argocd app terminate-op production"
    markdown = run(found.folder, "plan", "--format", "markdown", "HEAD~1..HEAD").out
    assert "- to type: argocd app terminate-op production" in markdown


def test_gates(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    assert run(made.folder, "plan", "main..HEAD", "--fail-on", "blocked", "--fail-on", "stepped").code == 0
    edited(made, RECS, "health:", "strategy: {blueGreen: {promote: manual}}\n    health:")
    edited(made, ENV, "kind: Environment", "kind: Environment\nrollback: {objective: 1s}")
    compiled(made, "slow")
    done: Run = run(made.folder, "plan", "main..HEAD", "--fail-on", "objective", "--fail-on", "blocked")
    assert done.code == 1
    assert "--fail-on objective: production/recs" in done.err
    assert "objective 1s" in done.out or "objective 1 s" in done.out


def test_a_shallow_clone_says_so(made: Repository, tmp_path: Path) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    compiled(made, "new image")
    made.git("clone", "-q", "--depth", "2", f"file://{made.folder}", str(tmp_path / "shallow"))
    plan = planned(tmp_path / "shallow", "HEAD~1..HEAD")
    assert ids(plan) == ["production/recs"]
    assert any("shallow" in note for note in plan["releases"][0]["readiness"]["notes"])
    done = run(tmp_path / "shallow", "plan", "HEAD~2..HEAD")
    assert done.code == 2
    assert "fetch" in done.err or "fetched" in done.err


def test_a_rename_keeps_its_history(made: Repository) -> None:
    edited(made, RECS, "1.8.2", "1.9.0")
    edited(made, "environments/production/search/release.yaml", "1.8.2", "7.0.0")
    compiled(made, "new image")
    made.git("mv", "environments/production/recs", "environments/production/picks")
    edited(made, "environments/production/picks/release.yaml", "name: recs", "name: picks")
    compiled(made, "rename")
    (each,) = planned(made.folder, "HEAD~1..HEAD")["releases"]
    assert (each["id"], each["former"]) == ("production/picks", "production/recs")
    assert "nothing to go back to" not in each["readiness"]["phases"][-1]["why"]


# --- hostile names


HOSTILE = "a|b`c</details><script>alert(1)</script>@ann ![x](http://evil.example)\x1b[31m\u202e"


def test_nothing_reaches_a_terminal_raw(tmp_path: Path) -> None:
    made = repository(tmp_path / "company", with_service({"env": {"GREETING": "hello"}}, compose("production")))
    write(made.folder, with_service({"env": {"GREETING": HOSTILE, "X": "é"}}, compose("production")))
    write(made.folder, {"environments/production/recs/notes \x1b[2J|.txt": HOSTILE})
    made.commit(HOSTILE)
    for arguments in ((), ("--diff",), ("--format", "json"), ("--format", "markdown")):
        done = run(made.folder, "plan", "HEAD~1..HEAD", *arguments)
        assert done.code == 0
        for char in ("\x1b", "\u202e"):
            assert char not in done.out + done.err


# --- diffs


def lines(*numbers: int) -> bytes:
    return "".join(f"line {number}\n" for number in numbers).encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (lines(*range(100)), lines(*range(50), 500, *range(51, 100))),
        (lines(*range(100)), lines(*range(40), *range(45, 100))),
        (lines(*range(10)), lines(*range(10), 10)),
        (lines(*range(1, 10)), lines(*range(10))),
        (b"", lines(1, 2)),
        (lines(1, 2), b""),
        (lines(1, 1, 1), lines(1, 1, 1, 1, 1)),
        (lines(*range(100)), lines(0, 1, 2, 999, *range(3, 60), *range(61, 99))),
    ],
)
def test_a_diff_is_one_that_patch_applies(tmp_path: Path, before: bytes, after: bytes) -> None:
    found: FileDiff = _diff("file", before, after)
    (tmp_path / "file").write_bytes(before)
    done = subprocess.run(
        ["git", "apply", "--unidiff-zero", "-"],
        input=found.diff.encode(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if before and after:
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "file").read_bytes() == after
    assert found.added - found.removed == after.count(b"\n") - before.count(b"\n")


def test_another_edition_is_labelled_toolchain(tmp_path: Path) -> None:
    made = repository(tmp_path / "company", with_service({}, kubernetes(None)))
    compiled(made, "outputs")
    assert planned(made.folder, "HEAD")["toolchain"] == []
    lock = lock_text().decode().replace(f"edition: {EDITION}\n", f"edition: {EDITION + 1}\n")
    write(made.folder, {"relspec.lock": lock})
    made.commit("another edition")
    made.commit("nothing else")
    label = f"relspec.lock says edition {EDITION + 1}, and this relspec is edition {EDITION}: "
    (line,) = planned(made.folder, "HEAD~1..HEAD")["toolchain"]
    assert line.startswith(label)
    for form in ("text", "markdown"):
        assert f"toolchain: {label}" in run(made.folder, "plan", "HEAD~1..HEAD", "--format", form).out
    # The upgrade is said as before, beside that the base was made by another one.
    write(made.folder, {"relspec.lock": lock_text()})
    assert [line.split(" ")[0] for line in planned(made.folder, "HEAD")["toolchain"]] == ["relspec.lock", "edition"]

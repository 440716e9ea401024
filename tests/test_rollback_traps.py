"""Traps that somebody fell into, each on a real repository: what a merge, a guess or a stale clone would do to a rollback."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from company import GIT_ENVIRONMENT, SERVICE, Repository, base, registry, release, run, without_none
from relspec.compiler import Compiler
from relspec.discovery import Place
from relspec.gitops.journal import MARK
from relspec.lock import EDITION
from relspec.rules.pinned import pinned_values
from relspec.tree import DirectoryTree
from test_rollback import (
    BASE,
    ENVIRONMENT,
    MODEL,
    RECS,
    RELEASE,
    ROLLOUTS,
    SHOP,
    Company,
    Make,
    compiled,
    lines,
    make,
)

__all__ = ["make"]


def head(company: Company) -> str:
    return company.made.git("rev-parse", "HEAD")


def revert(company: Company, commit: str) -> subprocess.CompletedProcess[str]:
    """A plain `git revert`, as people type it."""
    return subprocess.run(
        ["git", "revert", "--no-edit", commit],
        cwd=company.folder,
        env=GIT_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def up_to_date(company: Company) -> bool:
    """Whether the outputs that are committed are those that the sources compile to."""
    return run(company.folder, "compile", "--check").code == 0


# --- what a plain revert gets wrong


def test_a_revert_that_is_clean_and_stale(make: Make) -> None:
    company = make()
    older = company.change(RECS, "als@v1", "als@v2", "als v2")
    company.change(ENVIRONMENT, "- /tmp", "- /tmp\n  - /var/run", "more writable")
    done = company.rollback("production/recs", "--dry-run")
    revert(company, older)
    stale = not up_to_date(company)
    company.made.git("reset", "-q", "--hard", "HEAD~1")
    said = next(line for line in lines(done) if line.startswith("a plain git revert"))
    assert said.endswith("clean but stale") == stale
    company.back("production/recs")
    assert up_to_date(company)


def test_the_outputs_are_never_merged(make: Make) -> None:
    company = make(files={".gitattributes": "rendered/** merge=ours\n"})
    company.made.git("config", "merge.ours.driver", "true")
    before = company.files()
    older = company.change(RECS, "als@v1", "als@v2", "als v2")
    company.change(RECS, "# the recommender", "# ours", "a comment")
    assert revert(company, older).returncode == 0
    company.made.git("reset", "-q", "--hard", "HEAD~1")
    company.back("production/recs")
    assert company.files() == before


def test_a_similar_new_release_is_not_taken_for_the_removed_one(make: Make) -> None:
    company = make()
    text = company.read(RECS)
    company.made.git("rm", "-rq", "environments/production/recs")
    twin = text.replace("name: recs ", "name: recs2 ").replace("info", "debug")
    company.write(
        {
            "environments/production/recs2/release.yaml": twin,
            "environments/production/recs2/app.yaml": "a: 1\n",
        },
        "recs is gone, and recs2 is new",
    )
    company.back("production/recs")
    assert company.read(RECS) == text
    assert company.read("environments/production/recs2/release.yaml") == twin


def test_a_change_to_a_release_that_a_revert_would_put_into_its_twin(make: Make) -> None:
    company = make()
    changed = company.change(RECS, "als@v1", "als@v2", "als v2")
    company.made.git("mv", "environments/production/recs", "environments/production/old")
    company.edit("environments/production/old/release.yaml", "name: recs ", "name: old ")
    company.commit("recs is called old")
    company.write(
        {RECS: RELEASE.replace("als@v1", "als@v3"), "environments/production/recs/app.yaml": "a: 1\n"}, "a new recs"
    )
    old = company.read("environments/production/old/release.yaml")
    done = company.rollback("production/recs", "--to", changed)
    assert done.code == 0
    assert company.read("environments/production/old/release.yaml") == old
    assert "als@v2" in company.read(RECS)


def test_an_alias_move_is_the_change_and_other_releases_keep_it(make: Make) -> None:
    alias = RELEASE.replace("als@v1", "als@prod")
    shop = alias.replace("name: recs", "name: shop").replace("    files: {/etc/app.yaml: {from: app.yaml}}\n", "")
    company = make(files={RECS: alias, SHOP: shop})
    company.change(MODEL, "prod: v1", "prod: v2", "prod is v2")
    company.back("production/recs")
    assert "als@v1  # was als@prod" in company.read(RECS)
    assert (company.read(SHOP), "prod: v2" in company.read(MODEL)) == (shop, True)
    assert b"als:v2" in company.blob("HEAD", f"rendered/production/shop/{ROLLOUTS}")


# --- twice


def test_a_second_rollback_does_not_put_the_bad_version_back(make: Make) -> None:
    company = make()
    oldest = head(company)
    company.change(RECS, "als@v1", "als@v2", "als v2")
    middle = head(company)
    newest = company.change(RECS, "als@v2", "als@v3", "als v3")
    company.back("production/recs")
    done = company.rollback("production/recs")
    back = head(company)[:9]
    assert done.code == 1
    assert re.search(
        rf"RS613: production/recs was already rolled back from als v3 \({newest[:9]}\) to als v2 \({back}\) "
        rf"(just now|1 min ago) by Ann \({back}\)",
        done.err,
    )
    assert f"further back to als v1 ({oldest[:9]}): --to {oldest[:9]}" in done.err
    assert f"forward to als v3 ({newest[:9]}): --to {newest[:9]}" in done.err
    assert company.back("production/recs", "--to", oldest[:9])["proof"] == "identical"
    assert company.back("production/recs", "--to", middle)["proof"] == "identical"


def test_a_plain_revert_counts_as_going_back(make: Make) -> None:
    company = make()
    bad = company.change(RECS, "als@v1", "als@v2", "als v2")
    assert revert(company, bad).returncode == 0
    assert "RS613" in company.rollback("production/recs").err


def test_after_one_service_went_back_the_release_does_not_bring_it_forward(make: Make) -> None:
    worker = "  worker:\n    model: als@v1\n    command: [work]\n"
    company = make(files={RECS: RELEASE + worker})
    company.edit(RECS, "als@v1", "als@v2")
    company.commit("both v2")
    company.back("production/recs", "--service", "api")
    assert "RS613" in company.rollback("production/recs").err


def test_a_new_change_after_going_back_can_go_back_too(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.back("production/recs")
    company.change(RECS, "als@v1", "als@v3", "als v3")
    assert company.back("production/recs")["to"]["production/recs"]["models"] == {"api": "als@v1"}


# --- what was fetched, what a word means


def clone(company: Company, depth: int) -> Company:
    """A shallow clone beside the repository."""
    folder = company.folder.with_name(f"clone-{depth}")
    url = company.folder.as_uri()
    subprocess.run(["git", "clone", "-q", "--depth", str(depth), url, str(folder)], env=GIT_ENVIRONMENT, check=True)
    return Company(Repository(folder))


def test_a_shallow_boundary_is_no_beginning(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.write({"README.md": "more\n"}, "a note")
    for depth in (1, 2):
        done = clone(company, depth).rollback("production/recs")
        assert (done.code, "RS630" in done.err, "git fetch --deepen=200" in done.err) == (2, True, True)
    deeper = clone(company, 3)
    done = deeper.rollback("production/recs")
    assert done.code == 0
    assert any("was not fetched far enough" in line for line in lines(done))
    assert deeper.read(RECS) == RELEASE


@pytest.mark.parametrize(("kind", "spelled"), [("tag", "refs/tags/v1"), ("branch", "refs/heads/v1")])
def test_a_word_that_is_a_version_and_a_revision(make: Make, kind: str, spelled: str) -> None:
    company = make()
    good = head(company)
    company.made.git(kind, "v1", good)
    company.change(RECS, "als@v1", "als@v2", "als v2")
    done = company.rollback("production/recs", "--to", "v1")
    assert done.code == 2
    assert f"RS615 v1: v1 is a version of als and a {kind}" in done.err
    assert f"--to als@v1 or --to {spelled}" in done.err
    for word in ("als@v1", spelled):
        done = company.rollback("production/recs", "--to", word, "--dry-run")
        assert (done.code, f"({good[:9]})" in lines(done)[0]) == (0, True)


def test_a_commit_of_another_branch_never_ran_here(make: Make) -> None:
    company = make()
    company.made.git("checkout", "-qb", "other")
    other = company.change(RECS, "als@v1", "als@v3", "als v3")
    company.made.git("checkout", "-q", "main")
    company.change(RECS, "als@v1", "als@v2", "als v2")
    done = company.rollback("production/recs", "--to", other)
    assert (done.code, "RS611" in done.err) == (1, True)


# --- hooks, files in the way


def hook(company: Company, name: str, text: str) -> None:
    path = company.folder / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_hook_that_stages_old_content_again(make: Make) -> None:
    company = make()
    bad = company.change(RECS, "als@v1", "als@v2", "als v2")
    hook(company, "prepare-commit-msg", f"git show {bad}:{RECS} > {RECS}; git add {RECS}")
    done = company.rollback("production/recs")
    assert (done.code, "RS614" in done.err, head(company)) == (1, True, bad)
    assert (company.made.git("status", "--porcelain"), "als@v2" in company.read(RECS)) == ("", True)


def test_a_linter_does_not_hold_up_an_incident_unless_asked(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    hook(company, "pre-commit", "exit 1")
    done = company.rollback("production/recs", "--pre-commit")
    assert (done.code, "RS612" in done.err) == (1, True)
    assert company.rollback("production/recs").code == 0


def test_an_ignored_file_in_the_way_is_not_overwritten(make: Make) -> None:
    company = make()
    company.made.git("rm", "-rq", "environments/production/recs")
    company.write({".gitignore": "app.yaml\n"}, "recs is gone")
    (company.folder / "environments/production/recs").mkdir()
    (company.folder / "environments/production/recs/app.yaml").write_text("mine\n")
    done = company.rollback("production/recs")
    assert (done.code, "RS618" in done.err) == (2, True)
    assert company.read("environments/production/recs/app.yaml") == "mine\n"
    assert not (company.folder / RECS).exists()


def test_a_dry_run_starts_nothing_that_the_repository_names(make: Make, tmp_path: Path) -> None:
    company = make(files={".gitattributes": "*.yaml diff=evil filter=evil merge=evil\n"})
    company.change(RECS, "als@v1", "als@v2", "als v2")
    mark = tmp_path / "ran"
    for setting in (
        *("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "diff.evil.command"),
        *("merge.evil.driver", "core.pager", "core.sshCommand", "gpg.program", "diff.external", "alias.read-tree"),
    ):
        company.made.git("config", setting, f"touch {mark}; cat")
    for name in ("pre-commit", "prepare-commit-msg", "post-commit", "reference-transaction", "post-index-change"):
        hook(company, name, f"touch {mark}")
    mark.unlink(missing_ok=True)
    assert company.rollback("production/recs", "--dry-run").code == 0
    assert not mark.exists()


# --- files from elsewhere


def outside(source: str) -> str:
    return RELEASE.replace("{from: app.yaml}", f"{{from: {source}}}")


def test_a_file_from_outside_the_folder_is_written_out(make: Make) -> None:
    company = make(files={RECS: outside("../../../bases/app.yaml"), "bases/app.yaml": "a: 1\n# as it was\n"})
    company.edit("bases/app.yaml", "a: 1", "a: 2")
    company.change(RECS, "als@v1", "als@v2", "als v2, and the file")
    done = company.rollback("production/recs", "--dry-run")
    assert "  api.files[/etc/app.yaml] is written out: bases/app.yaml has changed since" in lines(done)
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert "content:" in company.read(RECS)
    assert company.read("bases/app.yaml") == "a: 2\n# as it was\n"


def test_a_file_from_outside_that_is_the_change_itself(make: Make) -> None:
    company = make(files={RECS: outside("../../../bases/app.yaml"), "bases/app.yaml": "a: 1\n"})
    changed = company.change("bases/app.yaml", "a: 1", "a: 2", "the file")
    done = company.rollback("production/recs", "--dry-run")
    assert f'undoes {changed[:9]} "the file"' in lines(done)[0]
    assert company.back("production/recs")["proof"] == "identical"


def test_bytes_from_outside_that_are_no_text_are_refused_clearly(make: Make) -> None:
    company = make(files={RECS: outside("../../../bases/app.bin"), "bases/app.bin": b"\xff\x00\x01"})
    company.write({"bases/app.bin": b"\xff\x00\x02"}, "the file")
    done = company.rollback("production/recs")
    assert done.code == 1
    assert lines(done)[1].startswith("proof: not-proven: ")
    assert any("bases/app.bin is no text, and has changed since" in line for line in lines(done))
    assert lines(done)[-1] == "nothing was written: no file of the release would change"
    assert company.made.git("status", "--porcelain") == ""


def test_what_is_not_proven_is_committed_only_when_somebody_says_so(make: Make) -> None:
    company = make(files={SHOP: None})
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.change("registry/als/v1.yaml", "rank: 64", "rank: 128", "an edited record")
    done = company.rollback("production/recs", "--format", "json")
    said = json.loads(done.out)
    assert (done.code, said["proof"], said["commit"]) == (1, "not-proven", None)
    assert "api would not declare what it did" in said["releases"][0]["proof"]["reasons"][0]
    done = company.rollback("production/recs", "--accept-unproven")
    assert done.code == 0
    assert "Relspec-Proof: not-proven" in company.made.git("log", "-1", "--format=%B")
    assert "rank: 128" in company.read("registry/als/v1.yaml")


def test_a_state_that_was_gone_back_to_is_one_however_often_a_service_came_and_went(make: Make) -> None:
    """api: v2, v3, v2, and by `--to` v3 again; the release as a whole was there only once before."""
    worker = "  worker:\n    image: ghcr.io/acme/recs:1\n    ports: {http: 8080}\n    health: {path: /healthz}\n"
    company = make(files={RECS: f"{RELEASE}{worker}    resources: {{cpu: 500m, memory: 1Gi}}\n"})
    company.change(RECS, "als@v1", "als@v2", "v2")
    good = company.change(RECS, "als@v2", "als@v3", "v3")
    company.change(RECS, "recs:1", "recs:2", "another worker")
    bad = company.change(RECS, "als@v3", "als@v2", "v2 again")
    company.back("production/recs", "--to", good)
    done = company.rollback("production/recs")
    assert (done.code, "RS613: production/recs was already rolled back" in done.err) == (1, True), done
    assert f"forward to als v2 ({bad[:9]}): --to {bad[:9]}" in done.err
    assert "als@v3" in company.read(RECS)


# --- outputs that are committed no longer


def without_outputs(company: Company) -> None:
    """From now on the outputs are made where they are deployed."""
    (company.folder / ".gitignore").write_text("rendered/**/.env\nrendered/\n")
    company.made.git("rm", "-rq", "--cached", "rendered")
    company.made.commit("outputs are committed no longer")


def test_outputs_that_are_committed_no_longer_do_not_come_back_with_a_release(make: Make) -> None:
    company = make()
    company.made.git("rm", "-rq", "environments/production/recs")
    without_outputs(company)
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert all(path.startswith("environments/production/recs/") for path in said["files"]), said["files"]


def test_the_last_release_comes_back_with_its_outputs(make: Make) -> None:
    company = make()
    for name in ("recs", "shop"):
        company.made.git("rm", "-rq", f"environments/production/{name}")
    company.made.git("rm", "-rq", "rendered")
    company.made.commit("all is gone")
    said = company.back("production/recs")
    assert f"rendered/production/recs/{ROLLOUTS}" in said["files"]


def test_what_is_not_put_back_is_no_proof_that_it_is(make: Make) -> None:
    """Another edition made outputs that are committed no longer: then what is compiled counts, for nothing else is there."""
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.edit(*locked(99))
    without_outputs(company)
    done = company.rollback("production/recs", "--format", "json")
    said = json.loads(done.out)
    (each,) = said["releases"]
    assert (done.code, each["proof"]["kind"], each["proof"]["against"]) == (0, "identical", "committed")
    assert said["files"] == [RECS]


# --- another edition


def locked(edition: int) -> tuple[str, str, str]:
    return "relspec.lock", f"edition: {EDITION}", f"edition: {edition}"


def test_under_another_edition_sources_and_committed_bytes_come_back(make: Make) -> None:
    company = make()
    before = head(company)
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.edit(*locked(99))
    company.made.commit("another edition")
    done = company.rollback("production/recs", "--format", "json")
    said = json.loads(done.out)
    assert (done.code, said["proof"]) == (0, "committed")
    now, then = company.files(), company.files(before)
    assert [path for path in now if now[path] != then.get(path)] == ["relspec.lock"]


def test_across_an_upgrade_of_the_lock_the_toolchain_owns_the_difference(make: Make) -> None:
    company = make()
    company.edit(*locked(99))
    company.edit(f"rendered/production/recs/{ROLLOUTS}", "# Compiled", "# another edition\n# Compiled")
    company.made.commit("made with another edition")
    company.edit("relspec.lock", "edition: 99", f"edition: {EDITION}")
    upgraded = company.commit("lock --upgrade")
    company.change(RECS, "als@v1", "als@v2", "als v2")
    first = company.made.git("rev-parse", f"{upgraded}~1")
    done = company.rollback("production/recs", "--to", first, "--format", "json")
    said = json.loads(done.out)
    assert (done.code, said["proof"]) == (0, "identical-but")
    assert [(one["output"], one["owners"]) for one in said["differences"]] == [(ROLLOUTS, ["toolchain"])]
    assert said["releases"][0]["proof"]["causes"][0]["commits"] == [upgraded]
    assert company.read("relspec.lock").count(f"edition: {EDITION}") == 1
    assert up_to_date(company)


# --- histories


def test_a_merge_is_one_change(make: Make) -> None:
    company = make()
    before = company.made.git("rev-parse", "HEAD^{tree}")
    company.made.git("checkout", "-qb", "topic")
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.change(RECS, "LOG_LEVEL:   info", "LOG_LEVEL:   debug", "debug")
    company.made.git("checkout", "-q", "main")
    company.made.git("merge", "-q", "--no-ff", "-m", "merge topic", "topic")
    merged = head(company)
    done = company.rollback("production/recs", "--dry-run")
    assert f'undoes {merged[:9]} "merge topic"' in lines(done)[0]
    company.back("production/recs")
    assert company.made.git("rev-parse", "HEAD^{tree}") == before


def test_a_squash_is_one_change(make: Make) -> None:
    company = make()
    before = company.made.git("rev-parse", "HEAD^{tree}")
    company.made.git("checkout", "-qb", "topic")
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.change(RECS, "LOG_LEVEL:   info", "LOG_LEVEL:   debug", "debug")
    company.made.git("checkout", "-q", "main")
    company.made.git("merge", "-q", "--squash", "topic")
    squash = company.made.commit("topic, squashed")
    said = company.back("production/recs")
    assert said["releases"][0]["undoes"] == [squash]
    assert company.made.git("rev-parse", "HEAD^{tree}") == before


def test_a_revert_of_a_revert_goes_back_again(make: Make) -> None:
    company = make()
    bad = company.change(RECS, "als@v1", "als@v2", "als v2")
    revert(company, bad)
    revert(company, "HEAD")
    assert "als@v2" in company.read(RECS)
    # The bad version came forward again: undoing that is no second rollback, but one after it is.
    assert company.back("production/recs")["proof"] == "identical"
    assert "als@v1" in company.read(RECS)
    done = company.rollback("production/recs")
    assert (done.code, "RS613" in done.err) == (1, True)
    assert company.back("production/recs", "--to", "v2")["proof"] == "identical"


def test_committer_times_that_go_backwards(make: Make) -> None:
    company = make()
    good = head(company)
    company.edit(RECS, "als@v1", "als@v2")
    assert run(company.folder, "compile").code == 0
    company.made.git("add", "-A")
    early = {**GIT_ENVIRONMENT, "GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z"}
    subprocess.run(["git", "commit", "-qm", "als v2"], cwd=company.folder, env=early, check=True)
    said = company.back("production/recs")
    assert said["restores"] == {"production/recs": good}
    assert "2001" not in company.rollback("production/recs", "--to", good).out


def test_a_lever_under_an_active_variant_goes_back_with_the_rest(make: Make) -> None:
    variants = "    variants: {baseline: {env: {LOG_LEVEL: warn}}}\n"
    company = make(files={RECS: RELEASE + variants})
    before = company.made.git("rev-parse", "HEAD^{tree}")
    company.change(RECS, variants, variants + "    active: baseline\n", "the baseline")
    company.back("production/recs")
    assert company.made.git("rev-parse", "HEAD^{tree}") == before


# --- where it is prepared


def test_a_stale_branch_says_so(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    mine = clone(company, 100)
    company.write({"README.md": "more\n"}, "a note")
    mine.made.git("fetch", "-q")
    done = mine.rollback("production/recs", "--dry-run")
    assert any(
        line.startswith("warning: this is prepared on a stale branch: origin/main has 1 commit more")
        for line in lines(done)
    )
    assert "  git push" in lines(done)


def test_a_repository_in_a_folder_of_a_larger_one(make: Make, tmp_path: Path) -> None:
    company = make()
    inner = tmp_path / "outer/deploy"
    inner.parent.mkdir()
    shutil.copytree(company.folder, inner, ignore=shutil.ignore_patterns(".git"))
    outer = Repository(inner.parent)
    outer.git("init", "-q", "-b", "main")
    outer.commit("first")
    company = Company(Repository(inner))
    before = outer.git("rev-parse", "HEAD^{tree}")
    company.change(RECS, "als@v1", "als@v2", "als v2")
    assert company.rollback("production/recs").code == 0
    assert outer.git("rev-parse", "HEAD^{tree}") == before
    assert outer.git("status", "--porcelain") == ""


def test_a_base_in_two_layers_and_a_service_of_its_own_come_back(make: Make) -> None:
    deep = base({"api": {**without_none({**SERVICE, "image": None})}, "side": {"model": "als@v1", "command": ["x"]}})
    company = make(
        files={"bases/deep.yaml": deep, BASE: base({"api": {"labels": {"team": "recs"}}}, extends="deep.yaml")}
    )
    company.write(
        {"bases/deep.yaml": base({"api": {**without_none({**SERVICE, "image": None, "ports": {"http": 9090}})}})}
    )
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert "side:" in company.read(RECS)
    assert "side" not in company.read("bases/deep.yaml")


def test_the_proof_is_of_all_that_goes_back_together(make: Make) -> None:
    company = make()
    company.edit(SHOP, "als@v1", "als@v2")
    company.change(RECS, "als@v1", "als@v2", "both")
    company.change(ENVIRONMENT, "- /tmp", "- /tmp\n  - /var/run", "more writable")
    said = company.back("production/recs", "production/shop")
    assert {one["release"] for one in said["differences"]} == {"production/recs", "production/shop"}
    assert compiled(company.files(), "production/shop")


@pytest.mark.parametrize("word", ["-x", "--to=-x", "nobody\nknows"])
def test_hostile_words_are_wrong_use(make: Make, word: str) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    before = head(company)
    try:
        done = company.rollback("production/recs", *([word] if word.startswith("--") else ["--", word]))
        assert done.code == 2
    finally:
        assert head(company) == before


def test_a_new_release_between_is_left_alone(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    service = {**without_none({**SERVICE, "image": None}), "model": "als@v2"}
    company.write({"environments/production/late/release.yaml": release("late", {"api": service})}, "late is new")
    company.write({"registry/als/v9.yaml": registry("v9")["registry/als/v9.yaml"]}, "v9 is registered")
    company.back("production/recs")
    assert (company.folder / "registry/als/v9.yaml").exists()
    assert (company.folder / "environments/production/late/release.yaml").exists()


# --- a second time, past what can't be gone back to


def broken(company: Company) -> str:
    """A change that does not compile, as a commit."""
    company.edit(RECS, "als@v1", "als@v9")
    return company.commit("a version that never was", compiles=False)


def test_going_back_from_a_state_that_does_not_compile_is_not_done_twice(make: Make) -> None:
    company = make()
    oldest = head(company)[:9]
    company.change(RECS, "info", "debug", "louder")
    wrong = broken(company)
    revert(company, wrong)
    done = company.rollback("production/recs")
    assert done.code == 1
    assert "RS613" in done.err
    assert f"already rolled back from a state that does not compile ({wrong[:9]}) to als v1" in done.err
    assert f"further back to als v1 ({oldest}): --to {oldest}" in done.err


def test_going_back_from_it_is_not_done_twice_for_one_service_either(make: Make) -> None:
    company = make()
    company.change(RECS, "info", "debug", "louder")
    wrong = broken(company)
    revert(company, wrong)
    before = head(company)
    done = company.rollback("production/recs", "--service", "api")
    assert (done.code, head(company)) == (1, before)
    assert "RS613" in done.err
    assert re.search(r"further back to als v1 \([0-9a-f]{9}\): --to [0-9a-f]{9} --service api", done.err)


def test_a_state_that_does_not_compile_can_be_broken_and_mended_again(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.change(RECS, "als@v2", "als@v1", "als v1 again")
    wrong = broken(company)
    revert(company, wrong)
    revert(company, head(company))
    assert company.rollback("production/recs").code == 0
    assert "als@v1" in company.read(RECS)


def test_a_release_that_came_back_does_not_come_back_twice(make: Make) -> None:
    company = make()
    company.made.git("rm", "-rq", "environments/production/recs")
    removed = company.commit("recs is gone")
    first = company.back("production/recs")
    assert first["releases"][0]["readiness"]["verdict"] == "warm"
    assert first["releases"][0]["readiness"]["estimate"]["high"] > 0
    done = company.rollback("production/recs")
    assert done.code == 1
    assert f"RS613: production/recs was already rolled back from its removal ({removed[:9]}) to als v1" in done.err


def test_after_a_part_went_back_the_old_good_state_of_the_whole_is_offered(make: Make) -> None:
    two = RELEASE + "  worker:\n    image: ghcr.io/acme/worker:1.0.0\n    replicas: 1\n"
    company = make(files={RECS: two})
    good = head(company)
    company.edit(RECS, "worker:1.0.0", "worker:1.1.0")
    company.change(RECS, "als@v1", "als@v2", "both")
    company.back("production/recs", "--service", "api")
    done = company.rollback("production/recs")
    assert done.code == 1
    assert f"further back to als v1 ({good[:9]}): --to {good[:9]}" in done.err
    company.back("production/recs", "--to", good)
    assert "worker:1.0.0" in company.read(RECS)


def test_a_service_that_never_changed_says_since_when(make: Make) -> None:
    company = make(files={RECS: RELEASE + "  worker:\n    image: ghcr.io/acme/worker:1.0.0\n"})
    company.change(RECS, "als@v1", "als@v2", "als v2")
    done = company.rollback("production/recs", "--service", "worker")
    assert done.code == 1
    assert re.search(r"worker of production/recs has not changed since [0-9a-f]{9} \(\d{4}-\d\d-\d\d\)", done.err)


# --- files


def test_a_file_that_became_a_folder_becomes_a_file_again(make: Make) -> None:
    company = make()
    company.made.git("rm", "-q", "environments/production/recs/app.yaml")
    company.edit(RECS, "from: app.yaml", "from: app.yaml/app.yaml")
    company.write({"environments/production/recs/app.yaml/app.yaml": "a: 2\n"}, "a folder")
    company.back("production/recs")
    assert company.read("environments/production/recs/app.yaml") == "a: 1\n"


@pytest.mark.parametrize("content", ["a: 2\n", "a: 1\n"])
def test_the_mode_of_a_file_goes_back_too(make: Make, content: str) -> None:
    company = make()
    path = "environments/production/recs/app.yaml"
    (company.folder / path).chmod(0o755)
    company.edit(RECS, "als@v1", "als@v2")
    changed = company.write({path: content}, "als v2, and executable")
    said = company.back("production/recs")
    assert company.made.git("ls-tree", "HEAD", path).startswith("100644 ")
    assert (company.folder / path).stat().st_mode & 0o111 == 0
    assert company.made.git("rev-parse", "HEAD^{tree}") == company.made.git("rev-parse", f"{changed}^^{{tree}}")
    assert f"This reverts commit {changed}." in said["message"]


def test_a_branch_gets_the_mode_too(make: Make) -> None:
    company = make()
    path = "environments/production/recs/app.yaml"
    (company.folder / path).chmod(0o755)
    company.change(RECS, "als@v1", "als@v2", "als v2, and executable")
    assert company.rollback("production/recs", "--branch", "back").code == 0
    assert company.made.git("ls-tree", "back", path).startswith("100644 ")


def test_what_others_put_beside_it_is_named_and_the_message_does_not_hide_it(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    note = "environments/production/recs/README.md"
    company.write({note: "how to\n"}, "a note")
    company.change(RECS, "# the recommender", "# ours", "a comment")
    done = company.rollback("production/recs")
    assert done.code == 0
    by = company.made.git("rev-parse", "HEAD~2")[:9]
    assert f"  also takes back {by} by Ann: {note}" in lines(done)
    assert f"  also takes back {company.made.git('rev-parse', 'HEAD~1')[:9]} by Ann: {RECS}" in lines(done)
    assert "This reverts commit" not in company.made.git("log", "-1", "--format=%B")


def test_an_edited_record_is_no_empty_commit(make: Make) -> None:
    company = make()
    record = "registry/als/v1.yaml"
    changed = company.change(record, "snapshot-v1", "snapshot-x", "an edit of history")
    before = head(company)
    done = company.rollback("production/recs", "--accept-unproven")
    assert (done.code, head(company)) == (1, before)
    assert f"{record} was edited since (RS430)" in done.out
    assert lines(done)[-1].endswith(f"git revert {changed[:9]}")


def test_what_no_longer_compiles_comes_back_as_it_was_committed(make: Make) -> None:
    company = make()
    before = company.files()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.edit(ENVIRONMENT, "prometheus: http://prometheus:9090", "prometheus: 9090")
    company.commit("an environment that is wrong", compiles=False)
    done = company.rollback("production/recs")
    assert done.code == 1
    assert lines(done)[-1].endswith("to put back those that were committed then: --accept-unproven")
    done = company.rollback("production/recs", "--accept-unproven")
    assert done.code == 0, done.out + done.err
    assert any("the outputs are put back as they were committed in" in line for line in lines(done))
    after = company.files()
    assert {path: data for path, data in after.items() if path != ENVIRONMENT} == {
        path: data for path, data in before.items() if path != ENVIRONMENT
    }


def test_a_quarantine_of_nothing_says_so(make: Make) -> None:
    company = make()
    company.change(RECS, "info", "debug", "louder")
    done = company.rollback("production/recs", "--quarantine")
    assert "warning: no version is left: nothing to quarantine" in lines(done)


# --- names


def test_only_the_commit_that_renamed_is_blamed_for_the_name(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.made.git("mv", "environments/production/recs", "environments/production/old")
    company.edit("environments/production/old/release.yaml", "name: recs ", "name: old ")
    renamed = company.commit("recs is called old")
    company.change("environments/production/old/release.yaml", "als@v2", "als@v3", "als v3")
    oldest = company.made.git("rev-parse", "HEAD~3")
    said = company.back("production/old", "--to", oldest)
    (cause,) = (each for each in said["releases"][0]["proof"]["causes"] if each["owner"] == "rename")
    assert cause["commits"] == [renamed]


def test_the_former_name_of_a_release_leads_to_its_present_one(make: Make) -> None:
    company = make()
    company.made.git("mv", "environments/production/recs", "environments/production/old")
    company.edit("environments/production/old/release.yaml", "name: recs ", "name: old ")
    renamed = company.commit("recs is called old")[:9]
    done = company.rollback("production/recs")
    assert done.code == 1
    assert f"RS616: production/recs was renamed to production/old in {renamed}" in done.err
    assert "relspec rollback production/old" in done.err
    assert company.rollback("production/recs", "--to", f"{renamed}^").code == 0


# --- what is said


def test_a_refusal_as_json_has_all_releases(make: Make) -> None:
    company = make()
    done = company.rollback("production/*", "--format", "json")
    said = json.loads(done.out)
    assert (done.code, said["schema"]) == (1, "relspec/diagnostics/v1")
    assert [each["code"] for each in said["diagnostics"]] == ["RS616", "RS616"]


def test_the_next_commands_fit_the_folder_that_one_is_in(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    inside = Company(Repository(company.folder / "environments"))
    done = inside.rollback("production/recs", "--dry-run")
    assert any(line.strip().startswith("cd ../rendered/production/recs/compose && ") for line in lines(done))


def test_a_day_is_no_revision(make: Make) -> None:
    done = make().rollback("production/recs", "--to", "2026-04-01")
    assert done.code == 2
    assert "relspec history production/recs --at 2026-04-01" in done.err


def test_recovery_is_pointed_to_from_the_first_step_on_and_not_while_it_runs(make: Make) -> None:
    company = make()
    (company.folder / ".git" / "index.lock").write_bytes(MARK)
    assert "RS641" in run(company.folder, "compile", "--check").err
    done = company.rollback("--recover")
    assert (done.code, done.err) == (0, "")
    assert not (company.folder / ".git" / "index.lock").exists()


def test_no_room_for_a_temporary_file(make: Make) -> None:
    company = make()
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"ulimit -f 0; exec {shlex.quote(sys.executable)} -m relspec rollback production/recs 2>&1 | cat",
        ],
        cwd=company.folder,
        env=GIT_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RS640: can't write a temporary file" in done.stdout


# --- what is left to remind of


def test_a_revert_across_an_upgrade_of_the_lock_is_exact_where_the_bytes_are(make: Make) -> None:
    company = make()
    file, now, other = locked(EDITION + 1)
    company.edit(file, now, other)
    start = company.made.commit("another edition")
    company.edit(file, other, now)
    company.edit(RECS, "als@v1", "als@v2")
    changed = company.commit("the upgrade, and als v2")
    done = company.rollback("production/recs", "--dry-run", "--format", "json")
    (each,) = json.loads(done.out)["releases"]
    assert revert(company, changed).returncode == 0
    assert company.made.git("diff", start, "HEAD") == ""
    assert (each["revert"]["kind"], each["revert"]["restores"]) == ("exact", True)


def test_check_reminds_of_what_a_rollback_has_pinned(make: Make) -> None:
    company = make(files={RECS: RELEASE.replace("als@v1", "als@prod")})
    company.edit(BASE, "500m", "750m")
    company.change(MODEL, "prod: v1", "prod: v2", "prod is v2")
    company.back("production/recs")
    text = company.read(RECS)
    assert "als@v1  # was als@prod" in text
    assert "  # was in bases/recs.yaml" in text
    place = next(place for place in Compiler(DirectoryTree(company.folder)).found.releases if place.file == RECS)
    found = list(pinned_values(lambda file: (company.folder / file).read_bytes(), [place]))
    assert [finding.code for finding in found] == ["RS436"] * (text.count("# was "))
    assert found[0].where.range is not None


def test_what_only_looks_like_a_remark_is_none() -> None:
    data = b"services:\n  api:\n    env:\n      A: 'x # was als@prod'\n      B: |\n        # was als@prod\n"
    place = Place("production/recs", "production", RECS)
    assert list(pinned_values(lambda _: data, [place])) == []

"""`check --since`: what goes back is never held up by policy, and "this only goes back" is no way around the rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from company import (
    GIT_ENVIRONMENT,
    IMAGE,
    SERVICE,
    Map,
    Repository,
    company,
    kubernetes,
    registry,
    repository,
    run,
    written,
)

ENVIRONMENT = "environments/production/environment.yaml"
RELEASE = "environments/production/recs/release.yaml"
MODEL = "registry/als/model.yaml"
DIGEST = "@sha256:" + "a" * 64
GOOD = f"ghcr.io/acme/recs:2.0.0{DIGEST}"


@dataclass(frozen=True)
class Company:
    """A repository whose releases and environments are edited and committed."""

    git: Repository

    def edit(self, path: str, change: Callable[[Map], Any]) -> None:
        file = self.git.folder / path
        document = yaml.safe_load(file.read_text())
        change(document)
        file.write_bytes(written(document))

    def service(self, **fields: Any) -> None:
        self.edit(RELEASE, lambda document: document["services"]["api"].update(fields))

    def commit(self, message: str) -> str:
        assert run(self.git.folder, "compile").code == 0
        return self.git.commit(message)

    def check(self, base: str) -> tuple[int, dict[str, str]]:
        """The exit code, and the severity of each code that is said; outputs go with their specs, as far as they compile."""
        run(self.git.folder, "compile")
        result = run(self.git.folder, "check", "--since", base, "--format", "json")
        return result.code, {each["code"]: each["severity"] for each in json.loads(result.out)["diagnostics"]}

    def message(self, base: str, code: str) -> str:
        result = run(self.git.folder, "check", "--since", base, "--format", "json")
        return next(each["message"] for each in json.loads(result.out)["diagnostics"] if each["code"] == code)


@pytest.fixture
def made(tmp_path: Path) -> Company:
    """v1 without a digest, then v2 with one, then a policy that wants digests."""
    files = {**company({"api": {**SERVICE, "model": "als@v1"}}), **registry("v1", "v2", "v3")}
    found = Company(repository(tmp_path / "company", files))
    found.commit("outputs")
    return found


def upgraded(made: Company) -> str:
    """Goes to v2, then makes digests a must; the id of the last commit."""
    made.service(image=GOOD, model="als@v2")
    made.commit("v2")
    made.edit(ENVIRONMENT, lambda document: document.setdefault("policies", {}).update(requireDigest=True))
    return made.commit("policy")


def back(made: Company, **more: Any) -> None:
    made.service(image=IMAGE, model="als@v1", **more)


def test_a_policy_added_since_does_not_hold_up_a_revert(made: Company) -> None:
    base = upgraded(made)
    back(made)
    assert made.check(base) == (0, {"RS421": "note"})
    assert "(allowed: restores " in made.message(base, "RS421")


def test_the_same_holds_for_the_commit_as_for_the_work_tree(made: Company) -> None:
    base = upgraded(made)
    back(made)
    made.commit("back")
    assert made.check(base) == (0, {"RS421": "note"})


def test_without_a_base_the_policy_counts(made: Company) -> None:
    upgraded(made)
    back(made)
    assert run(made.git.folder, "check").code == 1


def test_a_deprecated_and_an_archived_version_come_back(made: Company) -> None:
    made.service(model="als@v2")
    made.commit("v2")
    made.edit(MODEL, lambda document: document.update(lifecycle={"v1": "archived"}))
    base = made.commit("archived")
    made.service(model="als@v1")
    code, said = made.check(base)
    assert code == 0
    assert said["RS410"] == "note"


def test_an_expired_allowance_does_not_hold_up_a_revert(made: Company) -> None:
    allowance = {"code": "RS421", "release": "production/recs", "reason": "moving", "until": "2020-01-01"}
    made.service(image=GOOD)
    made.commit("v2")
    policies = {"requireDigest": True, "allow": [allowance]}
    made.edit(ENVIRONMENT, lambda document: document.update(policies=policies))
    base = made.commit("policy with an allowance that is over")
    made.service(image=IMAGE)
    assert made.check(base) == (0, {"RS421": "note"})


def test_the_emergency_switch_to_a_variant_counts(made: Company) -> None:
    made.service(image=GOOD, variants={"baseline": {"image": IMAGE}})
    made.commit("a lever")
    made.edit(ENVIRONMENT, lambda document: document.setdefault("policies", {}).update(requireDigest=True))
    base = made.commit("policy")
    made.service(active="baseline")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (0, "note")


def test_a_switch_to_a_variant_that_the_change_brings_does_not_count(made: Company) -> None:
    base = upgraded(made)
    made.service(variants={"baseline": {"image": IMAGE}}, active="baseline")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def held(weight: int) -> Map:
    return {"canary": {"weight": weight, "stickyBy": {"header": "x-user-id", "bucket": "mod100"}}}


@pytest.mark.parametrize(("weight", "severity"), [(0, "note"), (5, "note"), (50, "error")])
def test_lowering_a_weight_counts_and_raising_it_does_not(made: Company, weight: int, severity: str) -> None:
    made.service(candidate={"image": "ghcr.io/acme/recs:3.0.0"}, strategy=held(0))
    made.commit("candidate")
    made.service(strategy=held(10))
    made.commit("ten")
    base = made.git.git("rev-parse", "HEAD")
    # The policy comes with the environment of the base: what the base has already is a warning on an unchanged service.
    made.edit(ENVIRONMENT, lambda document: document.setdefault("policies", {}).update(requireDigest=True))
    base = made.commit("policy")
    made.service(strategy=held(weight))
    _, said = made.check(base)
    assert said["RS421"] == severity


# --- attacks


def test_a_loosened_policy_in_the_same_change_does_not_count(made: Company) -> None:
    base = upgraded(made)
    made.edit(ENVIRONMENT, lambda document: document["policies"].update(requireDigest=False))
    made.service(image="ghcr.io/acme/recs:9.9.9", model="als@v3")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_an_allowance_in_the_same_change_does_not_count(made: Company) -> None:
    base = upgraded(made)
    allowance = {"code": "RS421", "release": "production/recs", "reason": "mine", "until": "2099-01-01"}
    made.edit(ENVIRONMENT, lambda document: document["policies"].update(allow=[allowance]))
    made.service(image="ghcr.io/acme/recs:9.9.9")
    assert made.check(base)[0] == 1


def test_an_allowance_of_the_base_counts(made: Company) -> None:
    upgraded(made)
    allowance = {"code": "RS421", "release": "production/recs", "reason": "moving", "until": "2099-01-01"}
    made.edit(ENVIRONMENT, lambda document: document["policies"].update(allow=[allowance]))
    base = made.commit("allowed")
    made.service(image="ghcr.io/acme/recs:9.9.9")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (0, "note")


def test_something_new_that_rides_on_a_restored_version_counts(made: Company) -> None:
    base = upgraded(made)
    back(made, env={"EXTRA": "1"})
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_overrides_that_ride_on_a_restored_version_count(made: Company) -> None:
    base = upgraded(made)
    made.edit(ENVIRONMENT, lambda document: document["policies"].update(minReplicas=2))
    back(made)
    made.edit(RELEASE, lambda document: document.update(overrides={"rollouts": {"Service": {"metadata": {}}}}))
    # The service itself goes back; the release's own part does not, so that what is said of the whole counts.
    code, said = made.check(base)
    assert said["RS421"] == "note"
    assert (code, said["RS423"]) == (1, "error")  # the policy that the change itself tightens


def test_privileged_defaults_that_ride_along_count(made: Company) -> None:
    base = upgraded(made)
    back(made)
    image = "ghcr.io/acme/other:1.0.0"
    sidecar = {"name": "spy", "image": image}
    made.edit(ENVIRONMENT, lambda document: document.update(defaults={"sidecars": [sidecar]}))
    result = run(made.git.folder, "check", "--since", base, "--format", "json")
    errors = [each["message"] for each in json.loads(result.out)["diagnostics"] if each["severity"] == "error"]
    assert result.code == 1
    assert any(image in message for message in errors)
    assert not any(IMAGE in message for message in errors)


def test_an_unchanged_service_is_no_restoration_and_no_error_either(made: Company) -> None:
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = made.commit("a policy that the release breaks")
    made.edit(RELEASE, lambda document: document.update(targets=["rollouts"]))
    code, said = made.check(base)
    assert (code, said["RS421"]) == (0, "warning")
    assert "(already so)" in made.message(base, "RS421")


def test_a_policy_that_the_change_itself_tightens_is_an_error(made: Company) -> None:
    base = made.git.git("rev-parse", "HEAD")
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    assert made.check(base)[0] == 1


def test_a_stale_branch_restores_nothing(made: Company) -> None:
    """On the branch the release still is what it was before main went on: merged, it is what main has."""
    start = made.git.git("rev-parse", "HEAD")
    base = upgraded(made)
    made.git.git("checkout", "-q", "-b", "stale", start)
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    made.commit("the policy here, too")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_a_branch_that_is_behind_and_goes_back_counts(made: Company) -> None:
    made.service(image=GOOD, model="als@v2")
    two = made.commit("v2")
    made.edit(ENVIRONMENT, lambda document: document.setdefault("policies", {}).update(requireDigest=True))
    made.commit("policy")
    made.edit(ENVIRONMENT, lambda document: document.update(variables={"A": "b"}))
    base = made.commit("main goes on")
    made.git.git("checkout", "-q", "-b", "revert", f"{base}~1")
    made.git.git("revert", "--no-edit", two)
    code, said = made.check(base)
    assert (code, said["RS421"]) == (0, "note")


def test_a_conflicting_merge_is_no_restoration(made: Company) -> None:
    upgraded(made)
    made.git.git("checkout", "-q", "-b", "side")
    back(made)
    made.commit("back")
    made.git.git("checkout", "-q", "main")
    made.service(image=f"ghcr.io/acme/recs:3.0.0{DIGEST}", model="als@v3")
    base = made.commit("v3")
    made.git.git("checkout", "-q", "side")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_a_state_beyond_restorable_does_not_count(made: Company) -> None:
    limits = {"restorable": {"states": 2, "days": 90}}
    made.edit(ENVIRONMENT, lambda document: document.update(rollback=limits))
    made.commit("two states")
    made.service(image=GOOD, model="als@v2")
    made.commit("v2")
    made.service(model="als@v3")
    made.commit("v3")
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = made.commit("policy")
    back(made)
    assert made.check(base)[0] == 1
    made.service(image=GOOD, model="als@v2")
    assert made.check(base)[0] == 0


def test_a_loosened_restorable_in_the_same_change_does_not_count(made: Company) -> None:
    made.edit(ENVIRONMENT, lambda document: document.update(rollback={"restorable": {"states": 1}}))
    made.commit("one state: none but the present one")
    base = upgraded(made)
    made.edit(ENVIRONMENT, lambda document: document.update(rollback={"restorable": {"states": 50}}))
    back(made)
    assert made.check(base)[0] == 1


def committed_on(made: Company, message: str, date: str) -> str:
    """A commit with a committer date of its own."""
    import subprocess

    assert run(made.git.folder, "compile").code == 0
    environment = {**GIT_ENVIRONMENT, "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
    subprocess.run(["git", "add", "-A"], cwd=made.git.folder, env=environment, check=True)
    subprocess.run(["git", "commit", "-qm", message], cwd=made.git.folder, env=environment, check=True)
    return made.git.git("rev-parse", "HEAD")


@pytest.mark.parametrize(("ended", "code"), [("2030-05-01T00:00Z", 0), ("2030-01-01T00:00Z", 1)])
def test_a_state_that_ended_too_long_ago_does_not_count(tmp_path: Path, ended: str, code: int) -> None:
    """Ninety days before the base; counted from when the state ended, however long it had run by then."""
    files = {**company({"api": {**SERVICE, "model": "als@v1"}}), **registry("v1", "v2")}
    made = Company(repository(tmp_path / "company", files))
    committed_on(made, "v1", "2029-01-01T00:00Z")
    made.service(image=GOOD, model="als@v2")
    committed_on(made, "v2", ended)
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = committed_on(made, "policy", "2030-06-01T00:00Z")
    back(made)
    assert made.check(base)[0] == code
    hint = "not restorable any more: rollback.restorable is 20 states and 90 days"
    assert (hint in run(made.git.folder, "check", "--since", base).err) == (code == 1)


def test_a_state_that_was_only_ever_on_the_branch_does_not_count(made: Company) -> None:
    base = upgraded(made)
    made.git.git("checkout", "-q", "-b", "feature")
    made.service(image="ghcr.io/acme/recs:6.6.6", model="als@v3")
    made.commit("something new, without a digest")
    made.service(image=GOOD, model="als@v2")
    made.commit("away from it")
    made.service(image="ghcr.io/acme/recs:6.6.6", model="als@v3")
    made.commit("and back to it")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_a_quarantined_version_does_not_come_back_by_a_revert(made: Company) -> None:
    made.service(model="als@v2")
    two = made.commit("v2")
    made.service(model="als@v3")
    made.commit("v3")
    quarantine = {"v2": {"reason": "leaks", "since": "2026-03-04"}}
    made.edit(MODEL, lambda document: document.update(quarantine=quarantine))
    base = made.commit("quarantine")
    made.service(model="als@v2")
    code, said = made.check(base)
    assert (code, said["RS411"]) == (1, "error")
    quarantine["v2"]["lifted"] = "it was the cache"
    made.edit(MODEL, lambda document: document.update(quarantine=quarantine))
    assert made.check(base)[0] == 0
    assert two


def test_quarantining_a_version_that_runs_is_a_warning(made: Company) -> None:
    base = made.git.git("rev-parse", "HEAD")
    quarantine = {"v1": {"reason": "leaks", "since": "2026-03-04"}}
    made.edit(MODEL, lambda document: document.update(quarantine=quarantine))
    code, said = made.check(base)
    assert (code, said["RS411"]) == (0, "warning")


def test_a_quarantine_that_a_change_removes_is_an_error(made: Company) -> None:
    quarantine = {"v3": {"reason": "leaks", "since": "2026-03-04"}}
    made.edit(MODEL, lambda document: document.update(quarantine=quarantine))
    base = made.commit("quarantine")
    made.edit(MODEL, lambda document: document.pop("quarantine"))
    code, said = made.check(base)
    assert (code, said["RS431"]) == (1, "error")


def test_a_revert_that_drops_a_record_says_so_and_is_not_held_up(made: Company) -> None:
    record = yaml.safe_load((made.git.folder / "registry/als/v3.yaml").read_text())
    (made.git.folder / "registry/als/v4.yaml").write_bytes(written({**record, "version": "v4"}))
    made.service(model="als@v4")
    both = made.commit("registers and deploys v4")
    made.git.git("revert", "--no-edit", both)
    code, said = made.check(both)
    assert (code, said["RS430"]) == (0, "warning")
    result = run(made.git.folder, "check", "--since", both)
    assert f"the record of version v4 of als was removed by the revert of {both[:9]}" in result.err
    assert f"to keep it: git checkout {both} -- registry/als/v4.yaml, and commit that" in result.err


def test_a_revert_that_drops_a_quarantine_says_so_and_how_to_keep_it(made: Company) -> None:
    quarantine = {"v3": {"reason": "leaks", "since": "2026-03-04"}}
    made.service(model="als@v2")
    made.edit(MODEL, lambda document: document.update(quarantine=quarantine, aliases={"prod": "v2"}))
    both = made.commit("v2 it is, and never v3")
    made.git.git("revert", "--no-edit", both)
    code, said = made.check(both)
    assert (code, said["RS431"]) == (1, "error")
    result = run(made.git.folder, "check", "--since", both)
    assert f"the quarantine of als v3 was removed by the revert of {both[:9]}" in result.err
    typed = "relspec model quarantine als v3 --reason leaks"
    assert f"to keep it: {typed}, and commit that" in result.err
    assert run(made.git.folder, *typed.split()[1:]).code == 0
    made.git.git("commit", "-q", "-a", "--amend", "--no-edit")
    assert "RS431" not in made.check(both)[1]


def test_dropping_a_record_is_an_error_where_nothing_goes_back(made: Company) -> None:
    base = made.git.git("rev-parse", "HEAD")
    (made.git.folder / "registry/als/v3.yaml").unlink()
    code, said = made.check(base)
    assert (code, said["RS430"]) == (1, "error")


def test_structure_is_an_error_on_the_way_back_too(made: Company) -> None:
    base = upgraded(made)
    back(made)
    made.edit(RELEASE, lambda document: document["services"]["api"].update(replcas=3))
    assert made.check(base)[0] == 1


def test_a_release_in_another_folder_between_is_found(tmp_path: Path) -> None:
    """environments/production/group/recs/ is production/recs: the id alone does not lead to it."""
    files = company({"api": {**SERVICE}}, kubernetes())
    grouped = {path.replace("/recs/", "/group/recs/"): content for path, content in files.items()}
    made = Company(repository(tmp_path / "company", grouped))
    made.commit("outputs")
    path = RELEASE.replace("/recs/", "/group/recs/")
    made.edit(path, lambda document: document["services"]["api"].update(image=GOOD))
    made.commit("v2")
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = made.commit("policy")
    made.edit(path, lambda document: document["services"]["api"].update(image=IMAGE))
    assert made.check(base) == (0, {"RS421": "note"})


def test_a_deleted_release_comes_back(made: Company) -> None:
    made.git.git("rm", "-rq", "environments/production/recs")
    deleted = made.commit("delete")
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = made.commit("policy")
    made.git.git("revert", "--no-edit", deleted)
    assert made.check(base) == (0, {"RS421": "note"})


def test_a_rename_that_is_reverted_comes_back(made: Company) -> None:
    made.git.git("mv", "environments/production/recs", "environments/production/recs2")
    renamed = RELEASE.replace("/recs/", "/recs2/")
    made.edit(renamed, lambda document: document.update(name="recs2"))
    made.edit(renamed, lambda document: document["services"]["api"].update(image=GOOD))
    moved = made.commit("rename")
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = made.commit("policy")
    made.git.git("revert", "--no-edit", moved)
    assert made.check(base) == (0, {"RS421": "note"})


def test_a_renamed_release_keeps_what_it_had(made: Company) -> None:
    made.edit(MODEL, lambda document: document.update(quarantine={"v1": {"reason": "leaks", "since": "2026-03-04"}}))
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = made.commit("policy and quarantine")
    made.git.git("mv", "environments/production/recs", "environments/production/recs2")
    made.edit(RELEASE.replace("/recs/", "/recs2/"), lambda document: document.update(name="recs2"))
    code, said = made.check(base)
    assert (code, said["RS421"], said["RS411"]) == (0, "warning", "warning")


@pytest.mark.parametrize("folder", ["environments/production/recs", "environments/production/eu"])
def test_a_new_environment_inside_another_loosens_nothing(made: Company, folder: str) -> None:
    base = upgraded(made)
    name = folder.rpartition("/")[2]
    inner = {"apiVersion": "relspec/v1", "kind": "Environment", "name": name, "policies": {"requireDigest": False}}
    (made.git.folder / folder).mkdir(exist_ok=True)
    (made.git.folder / folder / "environment.yaml").write_bytes(written(inner))
    if name == "eu":
        made.git.git("mv", "environments/production/recs", f"{folder}/recs")
    path = RELEASE if name == "recs" else f"{folder}/recs/release.yaml"
    made.edit(path, lambda document: document["services"]["api"].update(image="ghcr.io/acme/evil:1"))
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_an_environment_by_another_name_loosens_nothing(made: Company) -> None:
    base = upgraded(made)
    made.git.git("mv", "environments/production", "environments/prod2")
    loose = {"name": "prod2", "policies": {"requireDigest": False}}
    made.edit("environments/prod2/environment.yaml", lambda document: document.update(loose))
    path = RELEASE.replace("/production/", "/prod2/")
    made.edit(path, lambda document: document["services"]["api"].update(image="ghcr.io/acme/evil:1"))
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_another_violation_in_the_place_of_an_old_one_counts(made: Company) -> None:
    """The image comes from the environment's defaults: the same code at the same place, of another image."""
    made.edit(RELEASE, lambda document: document["services"]["api"].pop("image"))
    made.edit(ENVIRONMENT, lambda document: document.update(defaults={"image": IMAGE}))
    made.commit("image by default")
    made.edit(ENVIRONMENT, lambda document: document.update(policies={"requireDigest": True}))
    base = made.commit("policy")
    made.edit(ENVIRONMENT, lambda document: document["defaults"].update(image="ghcr.io/acme/evil:latest"))
    code, said = made.check(base)
    assert (code, said["RS421"]) == (1, "error")


def test_a_record_that_the_restored_state_knew_is_not_dropped_on_the_way(made: Company) -> None:
    base = upgraded(made)
    back(made)
    (made.git.folder / "registry/als/v3.yaml").unlink()
    code, said = made.check(base)
    assert (code, said["RS430"]) == (1, "error")


def test_what_is_wrong_with_a_new_allowance_is_said(made: Company) -> None:
    base = upgraded(made)
    allowance = {"code": "RS411", "release": "production/recs", "reason": "mine", "until": "2099-01-01"}
    made.edit(ENVIRONMENT, lambda document: document["policies"].update(allow=[allowance]))
    code, said = made.check(base)
    assert (code, said["RS122"]) == (1, "error")


def test_a_conflict_among_outputs_alone_is_still_a_restoration(made: Company) -> None:
    made.service(image=GOOD, model="als@v2")
    two = made.commit("v2")
    made.edit(ENVIRONMENT, lambda document: document.setdefault("policies", {}).update(requireDigest=True))
    made.commit("policy")
    made.git.git("checkout", "-q", "-b", "revert")
    made.git.git("revert", "--no-edit", two)
    made.git.git("checkout", "-q", "main")
    output = made.git.folder / "rendered/production/recs/rollouts/rollouts.yaml"
    output.write_text(output.read_text().replace(GOOD, "ghcr.io/acme/other:1"))
    base = made.git.commit("somebody edits an output")
    made.git.git("checkout", "-q", "revert")
    code, said = made.check(base)
    assert (code, said["RS421"]) == (0, "note")
    result = run(made.git.folder, "check", "--merge", "main")
    assert "no output is ever merged" in result.err


# --- the merge


def test_two_pull_requests_that_merge_cleanly_into_a_wrong_main_are_found(made: Company) -> None:
    """One changes a default of the environment, the other the release: each branch's outputs are up to date."""
    start = made.git.git("rev-parse", "HEAD")
    made.edit(ENVIRONMENT, lambda document: document.update(defaults={"labels": {"team": "ml"}}))
    made.commit("labels")
    made.git.git("checkout", "-q", "-b", "other", start)
    path = RELEASE.replace("/recs/", "/web/")
    file = made.git.folder / path
    file.parent.mkdir(parents=True)
    file.write_text((made.git.folder / RELEASE).read_text().replace("name: recs", "name: web"))
    made.commit("another release")
    assert run(made.git.folder, "compile", "--check").code == 0
    assert run(made.git.folder, "check").code == 0
    result = run(made.git.folder, "check", "--merge", "main", "--format", "json")
    assert result.code == 1
    stale = {each["file"] for each in json.loads(result.out)["diagnostics"] if each["code"] == "RS602"}
    made.git.git("merge", "-q", "--no-edit", "main")
    really = run(made.git.folder, "compile", "--check", "--format", "json")
    assert stale == {each["file"] for each in json.loads(really.out)["diagnostics"] if each["code"] == "RS601"}
    assert stale


def test_a_merge_that_conflicts_is_said(made: Company) -> None:
    start = made.git.git("rev-parse", "HEAD")
    made.service(model="als@v2")
    made.commit("v2")
    made.git.git("checkout", "-q", "-b", "other", start)
    made.service(model="als@v3")
    made.commit("v3")
    result = run(made.git.folder, "check", "--merge", "main", "--format", "json")
    assert result.code == 1
    assert RELEASE in {each["file"] for each in json.loads(result.out)["diagnostics"] if each["code"] == "RS602"}

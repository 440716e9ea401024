"""`relspec rollback` in real repositories: what goes back, what stays, and that the proof says what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from company import (
    GIT_ENVIRONMENT,
    SERVICE,
    Content,
    Map,
    Repository,
    Run,
    base,
    compose,
    kubernetes,
    registry,
    release,
    repository,
    run,
    tree,
    without_none,
    write,
)
from relspec import editor_schemas
from relspec.cli.rollback import command
from relspec.compiler import Compiler
from relspec.diagnostics import RelspecError, Where
from relspec.gitops.declared import Declared, declare
from relspec.gitops.quarantined import brought_back
from relspec.lock import text as lock_text
from relspec.tree import MemoryTree

RECS = "environments/production/recs/release.yaml"
SHOP = "environments/production/shop/release.yaml"
ENVIRONMENT = "environments/production/environment.yaml"
BASE = "bases/recs.yaml"
MODEL = "registry/als/model.yaml"
ROLLOUTS = "rollouts/rollouts.yaml"
Files = dict[str, Content]

RELEASE = """\
apiVersion: relspec/v1
kind: Release
name: recs   # the recommender
extends: ../../../bases/recs.yaml
services:
  api:
    model: als@v1
    env:
      MODEL: {model: reference}
      LOG_LEVEL:   info
    files: {/etc/app.yaml: {from: app.yaml}}
"""


def start() -> Files:
    """Two releases on one base, in an environment with a Rollout and a compose file."""
    return {
        ".gitignore": "rendered/**/.env\n*.log\n",
        "relspec.lock": lock_text(),
        ENVIRONMENT: kubernetes(
            targets={"compose": {}, "rollouts": {"prometheus": "http://prometheus:9090"}},
            defaults={"writable": ["/tmp"]},
        ),
        **registry("v1", "v2", "v3", aliases={"prod": "v1"}),
        BASE: base({"api": {**without_none({**SERVICE, "image": None}), "labels": {"team": "recs"}}}),
        RECS: RELEASE,
        "environments/production/recs/app.yaml": "a: 1\n",
        SHOP: RELEASE.replace("name: recs", "name: shop").replace("    files: {/etc/app.yaml: {from: app.yaml}}\n", ""),
    }


@dataclass(frozen=True)
class Company:
    """A repository whose outputs are committed with every change."""

    made: Repository

    @property
    def folder(self) -> Path:
        return self.made.folder

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def edit(self, path: str, old: str, new: str) -> None:
        """Replaces text that is there."""
        text = self.read(path)
        assert old in text, f"{path} has no {old}"
        (self.folder / path).write_text(text.replace(old, new))

    def commit(self, message: str, *, compiles: bool = True) -> str:
        """Compiles, and commits everything."""
        done = run(self.folder, "compile")
        assert (done.code == 0) == compiles, done.err
        return self.made.commit(message)

    def change(self, path: str, old: str, new: str, message: str = "a change") -> str:
        """An edit as a commit."""
        self.edit(path, old, new)
        return self.commit(message)

    def write(self, files: Mapping[str, Content], message: str = "a change") -> str:
        """Files as a commit."""
        write(self.folder, files)
        return self.commit(message)

    def rollback(self, *words: str) -> Run:
        """The verb, as a person calls it."""
        result = CliRunner().invoke(
            command, list(words), obj=str(self.folder), standalone_mode=False, env=GIT_ENVIRONMENT
        )
        if isinstance(result.exception, RelspecError):
            return Run(2, result.stdout, f"{result.exception} ({'; '.join(f.hint for f in result.exception.findings)})")
        if result.exception is not None:
            raise result.exception
        return Run(result.return_value or 0, result.stdout, result.stderr)

    def back(self, *words: str) -> Map:
        """A rollback that is made: what its JSON says."""
        done = self.rollback(*words, "--format", "json")
        assert done.code == 0, done.out + done.err
        said: Map = json.loads(done.out)
        jsonschema.validate(said, editor_schemas.schema("rollback"))
        assert said["commit"] == self.made.git("rev-parse", "HEAD")
        self.sound(said)
        return said

    def files(self, revision: str = "HEAD") -> dict[str, bytes]:
        """Every file of a commit, read without anything of ours."""
        names = self.made.git("ls-tree", "-r", "--name-only", revision).splitlines()
        return {name: self.blob(revision, name) for name in names}

    def blob(self, revision: str, path: str) -> bytes:
        import subprocess

        shown = subprocess.run(["git", "show", f"{revision}:{path}"], cwd=self.folder, capture_output=True, check=True)
        return shown.stdout

    def sound(self, said: Map) -> None:
        """What must hold after every rollback, found out by an independent compile of both commits."""
        before, after = self.files("HEAD~1"), self.files()
        assert self.made.git("status", "--porcelain") == ""
        assert self.made.git("fsck", "--strict") == ""
        assert not [path for path in before if path.startswith("registry/") and path not in after]
        for each in said["releases"]:
            self.proven(each, after)
        ids = set(said["restores"])
        for path in {path for path in {*before, *after} if before.get(path) != after.get(path)}:
            inside = any(path.startswith((f"environments/{name}/", f"rendered/{name}/")) for name in ids)
            assert inside or path.startswith("registry/"), path

    def proven(self, each: Map, after: Mapping[str, bytes]) -> None:
        """That the proof of one release says what is true."""
        then = self.files(each["restores"])
        now_id, then_id = each["release"], self.former(each)
        committed = outputs_of(then, then_id)
        if each["proof"]["against"] == "compiled":
            committed = {path[len(f"rendered/{then_id}/") :]: data for path, data in compiled(then, then_id).items()}
        made = {path[len(f"rendered/{now_id}/") :]: data for path, data in compiled(after, now_id).items()}
        differing = sorted(path for path in {*made, *committed} if made.get(path) != committed.get(path))
        assert [one["output"] for one in each["proof"]["differences"]] == differing
        assert each["proof"]["kind"] == ("identical-but" if differing else "identical")
        assert all(one["owners"] for one in each["proof"]["differences"])
        if outputs_of(after, now_id):
            assert outputs_of(after, now_id) == made
        if each["services"] is None:
            assert declared(after, now_id).key == declared(then, then_id).key
        for name in each["services"] or ():
            assert declared(after, now_id).services[name] == declared(then, then_id).services[name]

    @staticmethod
    def former(each: Map) -> str:
        """The id that a release had then."""
        found: str = each["then"]
        return found


def outputs_of(files: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """The outputs of a release among the files of a commit."""
    folder = f"rendered/{name}/"
    return {path[len(folder) :]: data for path, data in files.items() if path.startswith(folder)}


def compiled(files: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """The outputs that the files of a commit compile to."""
    compiler = Compiler(MemoryTree(dict(files)))
    place = next(place for place in compiler.found.releases if place.id == name)
    return dict(compiler.compile([place]).files)


def declared(files: Mapping[str, bytes], name: str) -> Declared:
    """What a release declares in the files of a commit."""
    found = declare(MemoryTree(dict(files)), name)
    assert isinstance(found, Declared)
    return found


Make = Callable[..., Company]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A company, with some files changed or (None) left out, and its outputs committed."""

    def made(**changes: Any) -> Company:
        files = {
            path: content for path, content in {**start(), **changes.get("files", {})}.items() if content is not None
        }
        company = Company(repository(tmp_path / "company", files))
        company.commit("the outputs")
        return company

    return made


def lines(done: Run) -> list[str]:
    return done.out.splitlines()


# --- one change


def test_the_last_change_goes_back_byte_by_byte(make: Make) -> None:
    company = make()
    before = company.made.git("rev-parse", "HEAD^{tree}")
    good = company.made.git("rev-parse", "HEAD")
    bad = company.change(RECS, "als@v1", "als@v2", "recs: als v2")
    said = company.back("production/recs", "--reason", "error rate 12 %")
    assert company.made.git("rev-parse", "HEAD^{tree}") == before
    assert said["proof"] == "identical"
    assert said["restores"] == {"production/recs": good}
    assert said["from"]["production/recs"]["models"] == {"api": "als@v2"}
    assert said["to"]["production/recs"]["models"] == {"api": "als@v1"}
    assert company.made.git("log", "-1", "--format=%B").splitlines() == [
        f"Roll back production/recs to {good[:9]} (als v1)",
        "",
        f"This reverts commit {bad}.",
        "",
        "Relspec-Rollback: production/recs",
        f"Relspec-Restores: production/recs={good}",
        "Relspec-Proof: identical",
        "Relspec-Reason: error rate 12 %",
    ]


def test_the_first_line_says_what_goes_and_whose_change_it_was_and_the_last_ones_what_to_type(make: Make) -> None:
    company = make()
    good = company.made.git("rev-parse", "HEAD")[:9]
    bad = company.change(RECS, "als@v1", "als@v2", "recs: als v2")[:9]
    dry = company.rollback("production/recs", "--dry-run")
    assert f"a plain git revert {bad} would be: exact" in lines(dry)
    done = company.rollback("production/recs")
    assert re.fullmatch(
        rf'production/recs goes back from als v2 to als v1 \({good}\): undoes {bad} "recs: als v2" by Ann, '
        r"\d{4}-\d\d-\d\d \d\d:\d\d UTC \((just now|1 min ago)\)",
        lines(done)[0],
    )
    assert lines(done)[1] == f"proof: identical: 2 outputs, byte for byte those committed in {good}"
    head = company.made.git("rev-parse", "HEAD")[:9]
    assert lines(done)[-5:-1] == [
        f"committed {head} on main: 3 files",
        "next:",
        "  git push -u origin main",
        "  cd rendered/production/recs/compose && docker compose up -d --wait --remove-orphans",
    ]
    assert lines(done)[-1].startswith("  expected: production/recs: ")


def test_only_this_release_goes_back_of_a_commit_that_touched_others(make: Make) -> None:
    company = make()
    company.edit(SHOP, "als@v1", "als@v2")
    company.change(RECS, "als@v1", "als@v2", "both")
    company.back("production/recs")
    assert "als@v1" in company.read(RECS)
    assert "als@v2" in company.read(SHOP)
    assert "This reverts" not in company.made.git("log", "-1", "--format=%B")


def test_a_comment_since_is_no_change_of_state_and_goes_with_it(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.change(RECS, "# the recommender", "# ours", "a comment")
    said = company.back("production/recs")
    assert company.read(RECS) == RELEASE
    assert said["to"]["production/recs"]["models"] == {"api": "als@v1"}


def test_a_file_of_the_folder_goes_back_and_one_that_came_since_goes(make: Make) -> None:
    company = make()
    write(
        company.folder,
        {"environments/production/recs/new/more.yaml": "x", "environments/production/recs/app.yaml": "a: 2\n"},
    )
    company.commit("files")
    company.back("production/recs")
    assert company.read("environments/production/recs/app.yaml") == "a: 1\n"
    assert not (company.folder / "environments/production/recs/new").exists()


def test_a_release_that_is_new_says_how_to_remove_it(make: Make) -> None:
    company = make()
    done = company.rollback("production/recs")
    assert done.code == 1
    assert "RS616" in done.err
    assert "git rm -r environments/production/recs rendered/production/recs" in done.err


def test_a_release_that_was_removed_comes_back(make: Make) -> None:
    company = make()
    before = company.made.git("rev-parse", "HEAD^{tree}")
    company.made.git("rm", "-rq", "environments/production/recs")
    gone = company.commit("recs is gone")
    done = company.rollback("production/recs", "--dry-run")
    assert lines(done)[0].startswith("production/recs comes back as als v1 (")
    assert f'undoes {gone[:9]} "recs is gone" by Ann' in lines(done)[0]
    company.back("environments/production/recs")
    assert company.made.git("rev-parse", "HEAD^{tree}") == before


def test_a_renamed_release_goes_back_under_its_present_name(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    company.made.git("mv", "environments/production/recs", "environments/production/picks")
    company.edit("environments/production/picks/release.yaml", "name: recs ", "name: picks ")
    company.commit("recs is called picks")
    said = company.back("production/picks")
    assert company.read("environments/production/picks/release.yaml") == RELEASE.replace("name: recs", "name: picks")
    assert said["proof"] == "identical-but"
    assert {owner for one in said["differences"] for owner in one["owners"]} == {"rename"}
    assert not (company.folder / "environments/production/recs").exists()


def free_names(tmp_path: Path) -> Company:
    """A release beside its environment.yaml, with a free name."""
    where = kubernetes(
        name="solo", targets={"compose": {}, "rollouts": {"prometheus": "http://prometheus:9090"}}, defaults={}
    )
    files = {
        ".gitignore": "rendered/**/.env\n",
        "relspec.lock": lock_text(),
        "environments/solo/environment.yaml": where,
        FREE: release("recs"),
    }
    company = Company(repository(tmp_path / "solo", files))
    for name, value in (("user.name", "Ann"), ("user.email", "ann@acme.example"), ("core.hooksPath", "/dev/null")):
        company.made.git("config", name, value)
    company.commit("outputs")
    return company


FREE = "environments/solo/release.yaml"


def test_a_free_name_stays_and_is_told_once(tmp_path: Path) -> None:
    company = free_names(tmp_path)
    company.change(FREE, "recs:1.8.2", "recs:1.9.0", "1.9")
    company.change(FREE, "name: recs", "name: films", "called films")
    renamed = company.change(FREE, "name: films", "name: songs", "called songs")
    done = company.rollback("solo/songs", "--dry-run")
    said = [line for line in done.out.splitlines() if "present name" in line or "takes back" in line]
    of = "compose/compose.yaml, rollouts/rollouts.yaml: because of the release's present name"
    assert len(said) == 1, done.out
    assert said[0].strip().startswith(f'{of}, {renamed[:9]} "called songs" by Ann')
    assert done.out.count("called songs") == 1
    document = json.loads(company.rollback("solo/songs", "--format", "json").out)
    (cause,) = document["releases"][0]["proof"]["causes"]
    assert (cause["owner"], cause["commits"]) == ("rename", [renamed])
    assert "name: songs" in company.read(FREE)
    message = company.made.git("log", "-1", "--format=%B")
    assert message.count("present name") == 1
    assert f"({renamed[:9]})" in message


BETWEEN = "environments/production/team/recs"


@pytest.mark.parametrize("word", ["production/recs", BETWEEN, f"{BETWEEN}/release.yaml"])
def test_a_release_of_an_inner_folder_that_was_removed_comes_back_by_its_id(make: Make, word: str) -> None:
    company = make()
    inner = {f"{BETWEEN}/release.yaml": release("recs"), "environments/production/team/README.md": "ours\n"}
    company.made.git("rm", "-rq", "environments/production/recs")
    company.write(inner, "recs belongs to a team")
    before = company.made.git("rev-parse", "HEAD^{tree}")
    company.made.git("rm", "-rq", BETWEEN)
    gone = company.commit("recs is gone")
    done = company.rollback(word)
    assert done.code == 0, done.err
    assert f'undoes {gone[:9]} "recs is gone" by Ann' in done.out.splitlines()[0]
    assert company.made.git("rev-parse", "HEAD^{tree}") == before


def test_a_release_that_only_moved_is_meant_by_the_id_and_by_its_former_folder(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    (company.folder / "environments/production/team").mkdir()
    company.made.git("mv", "environments/production/recs", BETWEEN)
    text = company.read(f"{BETWEEN}/release.yaml").replace("../../../bases", "../../../../bases")
    (company.folder / BETWEEN / "release.yaml").write_text(text)
    company.commit("recs belongs to a team")
    for word in ("production/recs", "environments/production/recs", BETWEEN):
        done = company.rollback(word, "--dry-run")
        assert done.out.startswith("production/recs goes back from als v2 to als v1"), (word, done)
    assert company.rollback("production/recs").code == 0
    assert not (company.folder / RECS).exists()
    assert "als@v1" in company.read(f"{BETWEEN}/release.yaml")


def test_several_releases_go_back_in_one_commit(make: Make) -> None:
    company = make()
    before = company.made.git("rev-parse", "HEAD^{tree}")
    company.edit(SHOP, "als@v1", "als@v2")
    both = company.change(RECS, "als@v1", "als@v2", "both")
    said = company.back("production/*")
    assert set(said["restores"]) == {"production/recs", "production/shop"}
    assert company.made.git("rev-parse", "HEAD^{tree}") == before
    message = company.made.git("log", "-1", "--format=%B")
    assert f"This reverts commit {both}." in message
    assert message.count("Relspec-Restores: ") == 2


def test_a_state_that_does_not_compile_is_skipped(make: Make) -> None:
    company = make()
    company.edit(RECS, "als@v1", "als@v9")
    broken = company.commit("broken", compiles=False)
    company.change(RECS, "als@v9", "als@v3", "als v3")
    done = company.rollback("production/recs", "--dry-run")
    assert f"  skips {broken[:9]}, which does not compile" in lines(done)
    said = company.back("production/recs")
    assert said["to"]["production/recs"]["models"] == {"api": "als@v1"}


# --- what others have changed since


def test_a_base_changed_by_others_becomes_explicit_values(make: Make) -> None:
    company = make()
    company.edit(BASE, "team: recs", "team: shop")
    company.edit(BASE, "cpu: 500m", "cpu: 900m")
    company.change(RECS, "als@v1", "als@v2", "als v2, and the base")
    done = company.rollback("production/recs", "--dry-run")
    assert f"  api.labels.team is explicit: {BASE} has changed since" in lines(done)
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert company.read(RECS).startswith(RELEASE)
    assert "team: shop" in company.read(BASE)
    assert f"- production/recs: api.labels.team is explicit: {BASE} has changed since" in company.made.git(
        "log", "-1", "--format=%B"
    )


def test_what_a_base_has_more_of_since_is_taken_away(make: Make) -> None:
    company = make()
    company.edit(
        BASE, "labels:\n      team: recs", "labels:\n      team: recs\n      tier: gold\n    annotations:\n      a: b"
    )
    company.change(RECS, "als@v1", "als@v2")
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert "tier: null" in company.read(RECS)


def test_a_base_that_is_gone_becomes_explicit(make: Make) -> None:
    company = make()
    own = without_none({**SERVICE, "image": None, "model": "als@v2"})
    company.made.git("rm", "-q", BASE)
    company.write({RECS: release("recs", {"api": own}), SHOP: release("shop", {"api": own})}, "no base")
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert "extends" not in company.read(RECS)
    assert not (company.folder / BASE).exists()
    assert "# the recommender" in company.read(RECS)


def test_an_alias_that_moved_is_pinned_and_never_moved_back(make: Make) -> None:
    company = make(files={RECS: RELEASE.replace("als@v1", "als@prod")})
    moved = company.change(MODEL, "prod: v1", "prod: v2", "prod is v2")
    done = company.rollback("production/recs", "--dry-run")
    assert f'undoes {moved[:9]} "prod is v2" by Ann' in lines(done)[0]
    assert "  api.model is pinned: als@prod is another version now" in lines(done)
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert "    model: als@v1  # was als@prod\n" in company.read(RECS)
    assert "prod: v2" in company.read(MODEL)


def test_an_alias_in_a_base_is_pinned_in_the_release(make: Make) -> None:
    service = {**without_none({**SERVICE, "image": None}), "model": "als@prod"}
    plain = "apiVersion: relspec/v1\nkind: Release\nname: recs\nextends: ../../../bases/recs.yaml\n"
    company = make(files={BASE: base({"api": service}), RECS: plain})
    company.change(MODEL, "prod: v1", "prod: v2", "prod is v2")
    company.back("production/recs")
    assert company.read(RECS).startswith(plain)
    assert "model: als@v1  # was als@prod" in company.read(RECS)
    assert "als@prod" in company.read(BASE)


def test_a_record_that_is_gone_comes_back_and_none_goes(make: Make) -> None:
    company = make(files={SHOP: None})
    company.write({"registry/als/v4.yaml": registry("v4")["registry/als/v4.yaml"]})
    company.change(RECS, "als@v1", "als@v4", "als v4")
    company.made.git("rm", "-q", "registry/als/v1.yaml")
    company.change(MODEL, "prod: v1", "prod: v2", "v1 is gone")
    said = company.back("production/recs")
    assert said["proof"] == "identical"
    assert said["releases"][0]["records"] == ["registry/als/v1.yaml"]
    assert (company.folder / "registry/als/v4.yaml").exists()


def test_an_environment_that_changed_since_is_named_first_and_stays(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    raised = company.change(ENVIRONMENT, "- /tmp", "- /tmp\n  - /var/run", "more writable")
    done = company.rollback("production/recs", "--dry-run")
    assert lines(done)[0].startswith(f'look first at {raised[:9]} "more writable" by Ann')
    words = f"it changed the environment and compose/compose.yaml, {ROLLOUTS} of production/recs; not undone by this; git revert {raised[:9]}"
    assert lines(done)[0].endswith(words)
    said = company.back("production/recs")
    assert said["proof"] == "identical-but"
    assert {owner for one in said["differences"] for owner in one["owners"]} == {"environment"}
    causes = said["releases"][0]["proof"]["causes"]
    assert causes == [{"owner": "environment", "paths": [ENVIRONMENT], "commits": [raised]}]
    assert "/var/run" in company.read(ENVIRONMENT)


def test_a_template_that_changed_since_owns_its_difference(make: Make) -> None:
    from relspec.packaged import packaged_template

    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    own = packaged_template("compose/compose.yaml.j2")
    assert own is not None
    company.write(
        {"templates/compose/compose.yaml.j2": own.replace("services:", "x-team: ours\nservices:", 1)}, "template"
    )
    said = company.back("production/recs")
    assert [(one["output"], one["owners"]) for one in said["differences"]] == [("compose/compose.yaml", ["templates"])]


def test_outputs_that_were_stale_then_are_said_to_be(make: Make) -> None:
    company = make()
    company.edit(f"rendered/production/recs/{ROLLOUTS}", "als:v1", "als:v7")
    stale = company.made.commit("edited by hand")
    company.change(RECS, "als@v1", "als@v2", "als v2")
    done = company.rollback("production/recs", "--dry-run")
    assert (
        f"warning: {stale[:9]} was stale: its outputs were not what its sources compile to; the sources count"
        in lines(done)
    )
    said = company.back("production/recs")
    assert [(one["output"], one["owners"]) for one in said["differences"]] == [(ROLLOUTS, ["stale"])]


def test_a_repository_without_outputs_goes_back_too(make: Make) -> None:
    company = make()
    company.made.git("rm", "-rq", "rendered")
    company.write({".gitignore": "/rendered\n"}, "outputs are made in CI")
    company.made.git("rm", "-rq", "--cached", "--ignore-unmatch", "rendered")
    company.edit(RECS, "als@v1", "als@v2")
    company.made.commit("als v2")
    said = company.back("production/recs")
    assert said["releases"][0]["proof"]["against"] == "compiled"
    assert said["files"] == [RECS]
    assert company.read(RECS) == RELEASE


# --- where to


def test_to_a_commit_restores_that_state_and_lists_what_goes(make: Make) -> None:
    company = make()
    first = company.made.git("rev-parse", "HEAD")
    changes = [company.change(RECS, f"als@v{n}", f"als@v{n + 1}", f"als v{n + 1}") for n in (1, 2)]
    done = company.rollback("production/recs", "--to", first, "--dry-run")
    assert lines(done)[0] == f"production/recs goes back from als v3 to als v1 ({first[:9]}): undoes 2 changes"
    assert [line.split('"')[0] for line in lines(done)[1:3]] == [f"  undoes {each[:9]} " for each in reversed(changes)]
    company.back("production/recs", "--to", first)
    assert company.read(RECS) == RELEASE


def test_to_a_version_restores_the_service_that_ran_it(make: Make) -> None:
    worker = "  worker:\n    model: als@v1\n    command: [work]\n"
    company = make(files={RECS: RELEASE + worker})
    company.change(RECS, "    model: als@v1\n    env", "    model: als@v2\n    env", "api: als v2")
    company.change(RECS, "command: [work]", "command: [toil]", "worker: another command")
    said = company.back("production/recs", "--to", "als@v1")
    assert said["releases"][0]["services"] == ["api"]
    assert company.read(RECS) == RELEASE + worker.replace("work]", "toil]")
    assert {owner for one in said["differences"] for owner in one["owners"]} == {"services"}
    assert company.rollback("production/recs", "--to", "v1").out.splitlines()[-1] == "nothing to do"


def test_to_a_version_that_never_ran(make: Make) -> None:
    company = make()
    done = company.rollback("production/recs", "--to", "v3")
    assert (done.code, "RS616" in done.err, "als@v1" in done.err) == (1, True, True)


def test_one_service_alone_leaves_every_byte_of_the_rest(make: Make) -> None:
    worker = "  worker:   # in the background\n    model: als@v1\n    command: [ work ]\n"
    company = make(files={RECS: RELEASE + worker})
    company.edit(RECS, "als@v1", "als@v2")
    company.edit(RECS, "[ work ]", "[ toil ]")
    company.change("environments/production/recs/app.yaml", "a: 1", "a: 2", "all of it")
    company.back("production/recs", "--service", "api")
    assert company.read(RECS) == RELEASE + worker.replace("als@v1", "als@v2").replace("[ work ]", "[ toil ]")
    assert company.read("environments/production/recs/app.yaml") == "a: 1\n"


def test_a_service_that_is_unknown_is_wrong_use(make: Make) -> None:
    done = make().rollback("production/recs", "--service", "apy")
    assert (done.code, "RS205" in done.err) == (2, True)


def test_one_service_of_a_removed_release_does_not_come_back_alone(make: Make) -> None:
    company = make()
    company.made.git("rm", "-rq", "environments/production/recs")
    company.commit("recs is gone")
    done = company.rollback("production/recs", "--service", "api")
    assert (done.code, "RS616" in done.err, "--service" in done.err) == (1, True, True)


def test_a_release_that_is_unknown_is_wrong_use(make: Make) -> None:
    done = make().rollback("production/rex")
    assert (done.code, "RS200" in done.err, "production/recs" in done.err) == (2, True, True)


# --- quarantine, policy


def test_quarantine_records_the_version_that_is_left(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    said = company.back("production/recs", "--quarantine", "--reason", "error rate 12 %")
    assert said["quarantined"] == [{"model": "als", "version": "v2", "reason": "error rate 12 %"}]
    text = company.read(MODEL)
    assert re.search(r'quarantine:\n  v2:\n    reason: "error rate 12 %"\n    since: "\d', text)
    assert "prod: v1" in text


def test_a_quarantined_version_does_not_come_back(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "als v2")
    quarantined = {"reason": "wrong data", "since": "2026-01-01"}
    document = registry("v1", "v2", "v3", aliases={"prod": "v2"}, quarantine={"v1": quarantined})[MODEL]
    company.write({MODEL: document}, "v1 is bad")
    for words in (("production/recs",), ("production/recs", "--to", "v1")):
        done = company.rollback(*words)
        assert (done.code, "RS411" in done.err, "wrong data" in done.err) == (1, True, True)
        assert 'lift it first: relspec model quarantine als v1 --lift "REASON", and commit that' in done.err
    lifted = run(company.folder, "model", "quarantine", "als", "v1", "--lift", "it was the cache")
    assert lifted.code == 0, lifted.err
    company.commit("what the hint says, as it is typed")
    assert company.rollback("production/recs").code == 0


@pytest.mark.parametrize("place", ["stable", "candidate", "variant"])
def test_a_quarantined_version_gets_no_more_of_a_service_than_it_has(make: Make, place: str) -> None:
    """What a rollback may bring back is what `check --since` then lets through: no more and no less."""
    company = make()
    other = {
        "stable": "model: als@v2",
        "candidate": "model: als@v1\n    candidate: {model: als@v2}\n    strategy: {canary: {weight: 10}}",
        "variant": "model: als@v1\n    variants: {old: {model: als@v2}}",
    }
    company.change(RECS, "model: als@v1", other[place], "v2 somewhere")
    company.change(RECS, other[place], other["candidate" if place == "stable" else "stable"], "v2 elsewhere")
    quarantined = {"v2": {"reason": "wrong data", "since": "2026-01-01"}}
    document = registry("v1", "v2", "v3", aliases={"prod": "v1"}, quarantine=quarantined)[MODEL]
    company.write({MODEL: document}, "v2 is bad")
    base = company.made.git("rev-parse", "HEAD")
    done = company.rollback("production/recs")
    if place == "stable":
        assert (done.code, "RS411: api of production/recs would run als v2 again" in done.err) == (1, True), done
    else:
        assert done.code == 0, done.err
        assert "error RS411" not in run(company.folder, "check", "--since", base).err


def test_a_variant_with_a_quarantined_version_does_not_come_back(make: Make) -> None:
    company = make()
    company.change(RECS, "model: als@v1", "model: als@v1\n    variants: {old: {model: als@v2}}", "a way out")
    company.change(RECS, "als@v1\n    variants: {old: {model: als@v2}}\n", "als@v3\n", "no way out")
    quarantined = {"v2": {"reason": "wrong data", "since": "2026-01-01"}}
    document = registry("v1", "v2", "v3", aliases={"prod": "v1"}, quarantine=quarantined)[MODEL]
    company.write({MODEL: document}, "v2 is bad")
    done = company.rollback("production/recs")
    assert (done.code, "RS411: api of production/recs would have a variant with als v2 again" in done.err) == (
        1,
        True,
    ), done


def test_a_policy_that_came_since_holds_nothing_up(make: Make) -> None:
    company = make()
    good = company.made.git("rev-parse", "HEAD")[:9]
    company.change(RECS, "model: als@v1", "model: als@v2\n    replicas: 3", "als v2")
    company.change(ENVIRONMENT, "defaults:", "policies: {minReplicas: 2}\ndefaults:", "two replicas")
    done = company.rollback("production/recs")
    assert done.code == 0
    assert any("RS423" in line and f"(allowed: restores {good} (" in line for line in lines(done))


# --- the commit


def test_a_dry_run_writes_nothing(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2")

    def everything() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(company.folder.rglob("*")) if path.is_file()}

    before = everything()
    done = company.rollback("production/recs", "--dry-run")
    assert (done.code, everything()) == (0, before)
    assert "would commit 3 files; nothing was written" in lines(done)


def test_a_branch_leaves_head_index_and_work_tree_alone(make: Make) -> None:
    company = make()
    before = company.made.git("rev-parse", "HEAD^{tree}")
    head = company.change(RECS, "als@v1", "als@v2")
    company.edit(RECS, "als@v2", "als@v3")
    company.made.git("add", "-A")
    done = company.rollback("production/recs", "--branch", "back/recs")
    assert (done.code, company.made.git("rev-parse", "HEAD")) == (0, head)
    assert company.made.git("rev-parse", "back/recs^{tree}") == before
    assert company.made.git("status", "--porcelain") == f"M  {RECS}"
    assert f"note: {RECS} has changes that are not committed; this works on commits" in lines(done)
    assert "  git push origin back/recs" in lines(done)


def test_an_edit_that_is_not_committed_is_not_overwritten(make: Make) -> None:
    company = make()
    head = company.change(RECS, "als@v1", "als@v2")
    company.edit(RECS, "als@v2", "als@v3")
    done = company.rollback("production/recs")
    assert (done.code, "RS618" in done.err, company.made.git("rev-parse", "HEAD")) == (2, True, head)
    assert "als@v3" in company.read(RECS)


def test_a_reason_can_be_no_trailer(make: Make) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2")
    company.back("production/recs", "--reason", "bad\n\nRelspec-Proof: identical\nSigned-off-by: Eve\x1b[31m")
    trailers = company.made.git("log", "-1", "--format=%(trailers:only)").splitlines()
    assert [line.split(":")[0] for line in trailers] == [
        *("Relspec-Rollback", "Relspec-Restores", "Relspec-Proof", "Relspec-Reason"),
    ]


def test_recover_without_anything_to_recover(make: Make) -> None:
    assert make().rollback("--recover").out == "nothing to recover\n"


# --- beside an environment


def test_a_release_beside_its_environment_takes_only_what_is_its_own(make: Make) -> None:
    place = "environments/edge"
    service = {**without_none({**SERVICE, "image": None}), "model": "als@v1"}
    first = {**service, "files": {"/etc/own": {"from": "own.yaml"}, "/etc/both": {"from": "both.yaml"}}}
    company = make(
        files={
            f"{place}/environment.yaml": compose("edge"),
            f"{place}/release.yaml": release("box", {"api": first}),
            f"{place}/own.yaml": "own: 1\n",
            f"{place}/both.yaml": "both: 1\n",
            f"{place}/note.txt": "1\n",
            f"{place}/cam/release.yaml": release(
                "cam", {"api": {**service, "files": {"/x": {"from": "../both.yaml"}}}}
            ),
        }
    )
    changed = {f"{place}/own.yaml": "own: 2\n", f"{place}/both.yaml": "both: 2\n", f"{place}/note.txt": "2\n"}
    company.write({**changed, f"{place}/release.yaml": release("box", {"api": {**first, "model": "als@v2"}})}, "all")
    done = company.rollback("edge/box", "--format", "json")
    assert done.code == 0
    assert json.loads(done.out)["proof"] == "identical"
    assert company.read(f"{place}/own.yaml") == "own: 1\n"
    assert company.read(f"{place}/both.yaml") == "both: 2\n"
    assert company.read(f"{place}/note.txt") == "2\n"
    assert "content:" in company.read(f"{place}/release.yaml")


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_people_wrote_never_reaches_the_terminal_raw(make: Make, form: str) -> None:
    company = make()
    company.change(RECS, "als@v1", "als@v2", "bad\x1b[31m \u202e news")
    done = company.rollback("production/recs", "--format", form)
    assert "\x1b" not in done.out
    assert form == "json" or "\u202e" not in done.out


OLD: Map = {"variants": {"old": {"model": "als@v2"}}}
NEW: Map = {"candidate": {"model": "als@v2"}, "strategy": {"canary": {"weight": 10}}}


@pytest.mark.parametrize(
    ("now", "then", "what"),
    [
        ("v1", "v2", "run"),
        ("v2", "v2", ""),
        ("v1", "v3", ""),
        (None, "v2", "run"),
        (None, None, ""),
        ("v2", None, ""),
        (("v1", NEW), "v2", "run"),
        ("v2", ("v1", NEW), ""),
        ("v1", ("v1", NEW), "run"),
        ("v1", ("v1", OLD), "have a variant with"),
        (("v1", NEW), ("v1", OLD), ""),
        (("v1", OLD), ("v1", OLD), ""),
        (("v1", OLD), ("v1", NEW), "run"),
        (("v1", OLD), ("v1", {**OLD, "active": "old"}), "run"),
        ("v1", ("v1", {**OLD, "active": "old"}), "run"),
        (("v1", {**OLD, "active": "old"}), ("v1", OLD), ""),
        ("v1", ("v1", {"variants": {"old": {"image": "a:1"}}}), ""),
    ],
)
def test_what_going_back_brings_back(now: Any, then: Any, what: str) -> None:
    """v2 is in quarantine, that of v3 was lifted; in the order stable, candidate, variant less is no news."""
    v2 = {"reason": "wrong data", "since": "2026-01-01"}
    lifted = {**v2, "lifted": "it was not"}
    models = registry("v1", "v2", "v3", quarantine={"v2": v2, "v3": lifted})

    def state(said: Any) -> Declared:
        version, fields = said if isinstance(said, tuple) else (said, {})
        service = {**SERVICE, **({"model": f"als@{version}"} if version else {}), **fields}
        files = {ENVIRONMENT: kubernetes(), **models, RECS: release("recs", {"api": service})}
        found = declare(tree(files), "production/recs")
        assert isinstance(found, Declared)
        return found

    known = Compiler(tree(models)).resolver.registry
    found = list(brought_back(known, "production/recs", state(now) if now else None, state(then), ["api"]))
    wanted = f"api of production/recs would {what} als v2 again, in quarantine since 2026-01-01: wrong data"
    assert [(each.code, each.message) for each in found] == ([("RS411", wanted)] if what else [])
    for each in found:
        assert each.where == Where(MODEL, ("quarantine", "v2"))
        assert each.release == "production/recs"
        assert each.hint.startswith("name another state: --to REV or --to VERSION; or lift it first: ")
    nobody = Compiler(tree({})).resolver.registry
    assert list(brought_back(nobody, "production/recs", None, state(then), ["api"])) == [], "a model that is gone"

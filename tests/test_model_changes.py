"""`relspec model register|alias|deprecate|archive|quarantine`: the registry changes, line by line, and the outputs follow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from company import SERVICE, Content, Run, compose, on_disk, record, release, repository, run, write
from relspec.cli import relspec
from relspec.lock import text as lock_text

FILE = "registry/als/model.yaml"
MODEL = """\
# als: kept by the ML team
apiVersion: relspec/v1
kind: Model
name: als
versioning: sequential
aliases:   {prod: v5,  latest: v6}   # prod moves on Mondays
lifecycle:
  v1: archived    # too old
  v6: candidate
keep: 1
"""
VERSIONS = ("v1", "v2", "v3", "v4", "v5", "v6")


def service(model: str) -> dict[str, object]:
    return {"api": {**SERVICE, "model": model}}


def files(**releases: str) -> dict[str, Content]:
    """Six versions of als, and releases in staging by the model that they run; a window of one version."""
    found: dict[str, Content] = {
        ".gitignore": "rendered/**/.env\n",
        "relspec.lock": lock_text(),
        "environments/staging/environment.yaml": compose(rollback={"window": 1}),
        FILE: MODEL,
        **{f"registry/als/{version}.yaml": record(version) for version in VERSIONS},
    }
    for name, model in (releases or {"recs": "als@prod", "pinned": "als@v5"}).items():
        found[f"environments/staging/{name}/release.yaml"] = release(name, service(model))
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, files())
    return tmp_path


def model(root: Path, *arguments: str) -> Run:
    return run(root, "model", *arguments)


def text(root: Path, path: str = FILE) -> str:
    return (root / path).read_bytes().decode()


def unchanged(root: Path, before: Mapping[str, bytes], *arguments: str) -> Run:
    """A verb that is refused: exit code 1 and not one byte else."""
    done = model(root, *arguments)
    assert done.code == 1
    assert done.err.endswith("nothing was written\n")
    assert on_disk(root) == before
    return done


# --- register

FIELDS = ("--uri", "s3://models/als/v7", "--commit", "207521e0", "--data", "9c1de442", "--image", "ghcr.io/acme/als:7")
RECORD = """\
apiVersion: relspec/v1
kind: ModelVersion
model: als
version: v7
artifact:
  uri: s3://models/als/v7
code:
  commit: "207521e0"
data:
  snapshot: "9c1de442"
runtime:
  image: ghcr.io/acme/als:7
"""


def test_a_version_is_added(root: Path) -> None:
    before = on_disk(root)
    done = model(root, "register", "als", "v7", *FIELDS)
    assert (done.code, done.err) == (0, "")
    assert done.out == "wrote registry/als/v7.yaml\nto try it: relspec set RELEASE SERVICE.model=als@v7\n"
    after = on_disk(root)
    assert after.pop("registry/als/v7.yaml").decode() == RECORD
    assert after == before
    assert run(root, "check").code == 0


def test_the_same_again_is_no_error_and_anything_else_is(root: Path) -> None:
    model(root, "register", "als", "v7", *FIELDS)
    (root / "registry/als/v7.yaml").write_text(RECORD.replace("runtime:\n  image:", "runtime:  # ours\n  image:"))
    before = on_disk(root)
    again = model(root, "register", "als", "v7", *FIELDS)
    assert (again.code, again.out) == (0, "als v7 is already registered\n")
    assert on_disk(root) == before
    other = unchanged(root, before, "register", "als", "v7", *FIELDS, "--python", "3.11")
    assert "error RS430: als v7 is registered already, and says something else" in other.err


def test_a_whole_record_from_a_file(root: Path) -> None:
    handed = 'artifact: {uri: "s3://x"}\nmetrics: {ndcg: 0.41}\ninterface:\n  input: {type: object, const: null}\n'
    (root / "made.yaml").write_text(handed)
    done = model(root, "register", "als", "v7", "--from", "made.yaml", "--uri", "s3://models/als/v7")
    assert done.code == 0, done.err
    assert text(root, "registry/als/v7.yaml") == (
        "apiVersion: relspec/v1\nkind: ModelVersion\nmodel: als\nversion: v7\n"
        "artifact:\n  uri: s3://models/als/v7\n"
        "interface:\n  input:\n    type: object\n    const: null\nmetrics:\n  ndcg: 0.41\n"
    )


def test_configuration_and_metrics(root: Path) -> None:
    done = model(root, "register", "als", "v7", "--config", "rank=64", "--config", "loss=a=b", "--metric", "ndcg=0.41")
    assert done.code == 0, done.err
    assert text(root, "registry/als/v7.yaml").endswith(
        "version: v7\nconfig:\n  hyperparameters:\n    rank: 64\n    loss: a=b\nmetrics:\n  ndcg: 0.41\n"
    )
    assert "is no NAME=VALUE" in model(root, "register", "als", "v8", "--metric", "ndcg").err


def test_a_record_from_stdin(root: Path) -> None:
    arguments = ["-C", str(root), "model", "register", "als", "v7", "--from", "-"]
    result = CliRunner().invoke(relspec, arguments, input='{"code": {"commit": "207521e0"}}', standalone_mode=False)
    assert result.return_value == 0, result.stderr
    assert text(root, "registry/als/v7.yaml").endswith('version: v7\ncode:\n  commit: "207521e0"\n')


def test_the_record_of_another_version(root: Path) -> None:
    (root / "made.yaml").write_text("artifact: {uri: x}\nversion: v8\n")
    done = unchanged(root, on_disk(root), "register", "als", "v7", "--from", "made.yaml")
    assert "made.yaml:2:10: error RS215: this is the record of version v8" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("als", "1.7"), "error RS216: 1.7 is not a sequential version"),
        (("als", "../v7"), "error RS122"),
        (("../als", "v7"), "error RS1"),
        (("als", "v7", "--commit", "main"), "error RS122"),
        (("als", "v7", "--image", "Not An Image"), "error RS127"),
        (("fresh", "latest"), "error RS216"),
        (("fresh", "1.0", "--versioning", "sequential"), "error RS216"),
    ],
)
def test_a_version_that_is_wrong(root: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in unchanged(root, on_disk(root), "register", *arguments).err


def test_a_file_that_is_wrong(root: Path) -> None:
    (root / "made.yaml").write_text("interface: {input: {type: objct}}\n")
    assert "error RS217" in unchanged(root, on_disk(root), "register", "als", "v7", "--from", "made.yaml").err
    (root / "made.yaml").write_text("artefact: {uri: x}\n")
    assert (
        "made.yaml:1:1: error RS120"
        in unchanged(root, on_disk(root), "register", "als", "v7", "--from", "made.yaml").err
    )
    (root / "made.yaml").write_text("artifact: [\n")
    assert "error RS100" in unchanged(root, on_disk(root), "register", "als", "v7", "--from", "made.yaml").err
    assert "can't read gone.yaml" in model(root, "register", "als", "v7", "--from", "gone.yaml").err


@pytest.mark.parametrize(("version", "scheme"), [("v0", "sequential"), ("1.0.0", "semver"), ("v0.1", "semver")])
def test_a_model_that_is_new(root: Path, version: str, scheme: str) -> None:
    done = model(root, "register", "churn", version, "--alias", "prod")
    assert done.code == 0, done.err
    shown = f'"{version}"' if version[0].isdigit() else version
    assert text(root, "registry/churn/model.yaml") == (
        f"apiVersion: relspec/v1\nkind: Model\nname: churn\nversioning: {scheme}\naliases:\n  prod: {shown}\n"
    )
    assert run(root, "check").code == 0


def test_a_version_with_its_alias_and_what_says_the_alias(root: Path) -> None:
    run(root, "compile")
    done = model(root, "register", "als", "v7", *FIELDS, "--alias", "prod")
    assert done.code == 0, done.err
    assert done.out.startswith("als@prod: v5 -> v7\n  staging/recs  api: als v5 -> v7")
    assert text(root) == MODEL.replace("prod: v5", "prod: v7")
    assert run(root, "compile", "--check").code == 0


# --- alias


def test_an_alias_moves_with_the_outputs_of_exactly_its_releases(root: Path) -> None:
    users = {"api": {**SERVICE, "model": "als@prod", "env": {"MODEL": {"model": "version"}}}}
    write(root, {"environments/staging/recs/release.yaml": release("recs", users)})
    run(root, "compile")
    stale = root / "rendered/staging/pinned/compose/compose.yaml"
    stale.write_bytes(stale.read_bytes() + b"# by hand\n")
    done = model(root, "alias", "als", "prod", "v4")
    assert (done.code, done.err) == (0, "")
    assert text(root) == MODEL.replace("prod: v5", "prod: v4")
    assert done.out.splitlines() == [
        "als@prod: v5 -> v4",
        done.out.splitlines()[1],
        f"wrote {FILE}",
        "wrote rendered/staging/recs/compose/compose.yaml",
        "1 release changed; how fast each could go back: relspec plan HEAD",
    ]
    assert done.out.splitlines()[1].startswith("  staging/recs  api: als v5 -> v4")
    assert stale.read_bytes().endswith(b"# by hand\n")


def test_a_new_alias_and_one_that_goes(root: Path) -> None:
    done = model(root, "alias", "als", "canary", "v2")
    assert done.out == f"als@canary: none -> v2\nno release changes\nwrote {FILE}\n"
    assert text(root) == MODEL.replace("latest: v6}", "latest: v6, canary: v2}")
    gone = model(root, "alias", "als", "canary", "--remove")
    assert gone.out == f"als@canary: v2 -> none\nno release changes\nwrote {FILE}\n"
    assert text(root) == MODEL


def test_an_alias_that_means_it_already(root: Path) -> None:
    before = on_disk(root)
    done = model(root, "alias", "als", "prod", "v5")
    assert (done.code, done.out) == (0, "als@prod means v5 already\n")
    assert on_disk(root) == before


def test_a_dry_run_of_an_alias(root: Path) -> None:
    before = on_disk(root)
    done = model(root, "alias", "als", "prod", "v4", "--dry-run")
    assert done.code == 0
    assert "-aliases:   {prod: v5,  latest: v6}   # prod moves on Mondays\n" in done.out
    assert "+aliases:   {prod: v4,  latest: v6}   # prod moves on Mondays\n" in done.out
    assert done.out.endswith("would write rendered/staging/recs/compose/compose.yaml\n")
    assert on_disk(root) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("als", "prod", "v9"), "error RS203: als has no version v9"),
        (("als", "prod", "latest"), "latest is an alias; name the version that it means: v6"),
        (("als", "prod", "v1"), "error RS410: als v1 is archived"),
        (("als", "v3", "v4"), "error RS215: v3 is a version; an alias needs another name"),
        (("als", "Prod", "v4"), "error RS122"),
        (("alz", "prod", "v4"), "error RS201: there is no model alz"),
        (("als", "gone", "--remove"), "error RS203: als has no alias gone"),
        (("als", "prod", "--remove"), "error RS203: als has no version or alias prod"),
    ],
)
def test_an_alias_that_is_refused(root: Path, arguments: tuple[str, ...], words: str) -> None:
    run(root, "compile")
    assert words in unchanged(root, on_disk(root), "alias", *arguments).err


def test_no_alias_moves_to_a_quarantined_version(root: Path) -> None:
    model(root, "quarantine", "als", "v4", "--reason", "slow")
    done = unchanged(root, on_disk(root), "alias", "als", "prod", "v4")
    assert "error RS411: als v4 is quarantined since " in done.err


def test_a_release_that_would_not_compile_holds_the_alias_up(root: Path) -> None:
    users = {"api": {**SERVICE, "model": "als@prod", "env": {"DIGEST": {"model": "digest"}}}}
    bare = {name: value for name, value in record("v4").items() if name != "artifact"}
    write(root, {"environments/staging/recs/release.yaml": release("recs", users), "registry/als/v4.yaml": bare})
    assert "error RS208" in unchanged(root, on_disk(root), "alias", "als", "prod", "v4").err


def test_an_alias_in_a_base_or_a_variant_counts(root: Path) -> None:
    base = {"apiVersion": "relspec/v1", "kind": "Release", "services": service("als@prod")}
    variants = {"api": {**SERVICE, "variants": {"plain": {"model": "als@prod"}}}}
    write(
        root,
        {
            "bases/recs.yaml": base,
            "environments/staging/based/release.yaml": release(
                "based", {"api": {}}, extends="../../../bases/recs.yaml"
            ),
            "environments/staging/varied/release.yaml": release("varied", variants),
        },
    )
    done = model(root, "alias", "als", "prod", "v4", "--dry-run")
    assert [line.split()[0] for line in done.out.splitlines()[1:4]] == [
        "staging/based",
        "staging/recs",
        "staging/varied",
    ]


def test_a_release_that_is_wrong_anyway_is_left_out_and_named(root: Path) -> None:
    write(
        root,
        {"environments/staging/wrong/release.yaml": release("wrong", {"api": {"model": "als@prod", "imagee": "x"}})},
    )
    done = model(root, "alias", "als", "prod", "v4")
    assert done.code == 0
    assert "note: staging/wrong can't be resolved and is left out" in done.err
    archived = model(root, "archive", "als", "v2")
    assert archived.err.count("staging/wrong can't be resolved") == 1


def test_nothing_is_half_written(root: Path) -> None:
    users = {"api": {**SERVICE, "model": "als@prod", "env": {"MODEL": {"model": "version"}}}}
    write(root, {"environments/staging/recs/release.yaml": release("recs", users)})
    (root / "rendered/staging/recs/compose/compose.yaml").mkdir(parents=True)
    done = unchanged(root, on_disk(root), "alias", "als", "prod", "v4")
    assert "error RS604" in done.err


# --- lifecycle


def test_deprecate_and_back(root: Path) -> None:
    done = model(root, "deprecate", "als", "v2")
    assert (done.code, done.out) == (0, f"wrote {FILE}\n")
    assert text(root) == MODEL.replace("  v6: candidate\n", "  v6: candidate\n  v2: deprecated\n")
    assert model(root, "deprecate", "als", "v2").out == "als v2 is deprecated already\n"
    assert model(root, "deprecate", "als", "v2", "--undo").code == 0
    assert text(root) == MODEL
    undone = unchanged(root, on_disk(root), "deprecate", "als", "v2", "--undo")
    assert "als v2 is not deprecated" in undone.err


@pytest.mark.parametrize(
    ("joined", "parted"),
    [
        (("deprecate", "als@v2"), ("deprecate", "als", "v2")),
        (("archive", "als@v2"), ("archive", "als", "v2")),
        (("quarantine", "als@v2", "--reason", "x@y"), ("quarantine", "als", "v2", "--reason", "x@y")),
        (("alias", "als@prod", "v4"), ("alias", "als", "prod", "v4")),
        (("alias", "als@latest", "--remove"), ("alias", "als", "latest", "--remove")),
        (("register", "als@v7", "--uri", "s3://a/b"), ("register", "als", "v7", "--uri", "s3://a/b")),
        (("show", "als@v2"), ("show", "als", "v2")),
    ],
)
def test_a_model_and_its_version_in_one_word(root: Path, joined: tuple[str, ...], parted: tuple[str, ...]) -> None:
    before = on_disk(root)
    done = model(root, *parted)
    after = on_disk(root)
    for path in after.keys() - before.keys():
        (root / path).unlink()
    write(root, before)
    assert model(root, *joined) == done
    assert done.code == 0
    assert on_disk(root) == after


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deprecate", "als"), "als VERSION or als@VERSION"),
        (("deprecate", "als@"), "als VERSION or als@VERSION"),
        (("deprecate", "als@v2", "v3"), "als@v2 names the version already: leave out v3"),
        (("alias", "als"), "als ALIAS or als@ALIAS"),
        (("alias", "als@prod"), "Name the version that the alias shall mean"),
        (("alias", "als@prod", "latest", "v4"), "als@prod names the alias already"),
    ],
)
def test_a_word_too_few_or_too_many(root: Path, words: tuple[str, ...], said: str) -> None:
    before = on_disk(root)
    done = model(root, *words)
    assert (done.code, said in done.err) == (2, True)
    assert on_disk(root) == before


def test_what_is_not_archived_is_not_shown_at_another_version(root: Path) -> None:
    done = unchanged(root, on_disk(root), "archive", "als", "v5")
    assert "   7 | lifecycle:\n" in done.err
    assert "v1: archived" not in done.err
    model(root, "deprecate", "als", "v5")
    assert "v5: deprecated" in model(root, "archive", "als", "v5").err


def test_who_runs_a_deprecated_version_is_said(root: Path) -> None:
    done = model(root, "deprecate", "als", "v5")
    assert "it runs in staging/pinned (api), staging/recs (api): move them to another version" in done.out


def test_a_version_that_nothing_needs_is_archived(root: Path) -> None:
    done = model(root, "archive", "als", "v2")
    assert (done.code, done.out) == (0, f"wrote {FILE}\n")
    assert "no Git history" in done.err
    assert text(root) == MODEL.replace("  v6: candidate\n", "  v6: candidate\n  v2: archived\n")
    assert run(root, "check").code == 0
    assert model(root, "archive", "als", "v2", "--undo").code == 0
    assert text(root) == MODEL


def test_a_version_that_runs_is_not_archived(root: Path) -> None:
    done = unchanged(root, on_disk(root), "archive", "als", "v5")
    assert "error RS435: als v5 runs in staging/pinned (api), staging/recs (api)" in done.err
    assert "help: until it is out of use: relspec model deprecate als v5" in done.err


def test_a_candidate_or_a_variant_runs_too(root: Path) -> None:
    users = {"api": {**SERVICE, "model": "als@v5", "variants": {"plain": {"model": "als@v2"}}}}
    write(root, {"environments/staging/pinned/release.yaml": release("pinned", users)})
    done = unchanged(root, on_disk(root), "archive", "als", "v2")
    assert "als v2 runs in staging/pinned (api variant plain)" in done.err


def test_a_version_inside_the_window_by_its_number(root: Path) -> None:
    done = unchanged(root, on_disk(root), "archive", "als", "v4")
    assert "error RS435: als v4 is inside the rollback window of staging" in done.err


def test_a_version_inside_the_window_by_what_really_ran(tmp_path: Path) -> None:
    made = repository(tmp_path, files(recs="als@v2"))
    write(tmp_path, files(recs="als@v5"))
    left = made.git("rev-parse", "HEAD")
    made.commit("to v5")
    done = unchanged(tmp_path, on_disk(tmp_path), "archive", "als", "v2")
    assert "als v2 is inside the rollback window of staging: staging/recs ran it at " in done.err
    assert left[:9] in done.err
    write(tmp_path, files(recs="als@v6"))
    made.commit("to v6")
    assert model(tmp_path, "archive", "als", "v2").code == 0


# --- quarantine


def test_quarantine_and_lift(root: Path) -> None:
    before = datetime.now(UTC).date()
    done = model(root, "quarantine", "als", "v2", "--reason", "error rate 12 %")
    days = {before.isoformat(), datetime.now(UTC).date().isoformat()}
    assert (done.code, done.out) == (0, f"wrote {FILE}\nnothing runs it\n")
    expected = {MODEL + f'quarantine:\n  v2:\n    reason: "error rate 12 %"\n    since: "{day}"\n' for day in days}
    held = text(root)
    assert held in expected
    again = model(root, "quarantine", "als", "v2", "--reason", "other")
    assert again.code == 0
    assert "als v2 is in quarantine already, since " in again.out
    assert text(root) == held
    lifted = model(root, "quarantine", "als", "v2", "--lift", "it was the cache: fixed")
    assert (lifted.code, lifted.out) == (0, f"wrote {FILE}\n")
    assert text(root) == held + '    lifted: "it was the cache: fixed"\n'
    assert (
        "als v2 is not in quarantine"
        in unchanged(root, on_disk(root), "quarantine", "als", "v2", "--lift", "again").err
    )
    assert model(root, "quarantine", "als", "v2", "--reason", "slow again").code == 0
    assert text(root) == held.replace("error rate 12 %", "slow again")


def test_what_runs_it_and_how_to_leave_it(tmp_path: Path) -> None:
    made = repository(tmp_path, files(recs="als@v4", web="als@v6"))
    write(tmp_path, files(recs="als@v5", web="als@v6"))
    made.commit("to v5")
    users = {"api": {**SERVICE, "model": "als@v5", "replicas": 2}}
    write(tmp_path, {"environments/staging/recs/release.yaml": release("recs", users)})
    made.commit("two replicas")
    done = model(tmp_path, "quarantine", "als", "v5", "--reason", "it's slow")
    assert done.code == 0, done.err
    first = made.git("rev-parse", "HEAD~2")
    assert done.out.splitlines()[1:] == [
        "note: the alias prod means v5",
        "it runs in staging/recs (api)",
        "to leave it:",
        f"  relspec rollback staging/recs --to {first[:12]} --reason 'it'\"'\"'s slow'",
    ]
    other = model(tmp_path, "quarantine", "als", "v6", "--reason", "slow")
    assert "  relspec set staging/web api.model=als@v4\n" in other.out


def test_the_last_change_alone_needs_no_revision(tmp_path: Path) -> None:
    made = repository(tmp_path, files(recs="als@v4"))
    write(tmp_path, files(recs="als@v5"))
    made.commit("to v5")
    done = model(tmp_path, "quarantine", "als", "v5", "--reason", "slow")
    assert done.out.endswith("to leave it:\n  relspec rollback staging/recs --reason slow\n")


def test_wrong_use(root: Path) -> None:
    assert "--reason TEXT, or --lift REASON" in model(root, "quarantine", "als", "v2").err
    assert "--reason TEXT" in model(root, "quarantine", "als", "v2", "--reason", "a", "--lift", "b").err
    assert "is empty" in model(root, "quarantine", "als", "v2", "--reason", " ").err
    assert "may not hold" in model(root, "quarantine", "als", "v2", "--reason", "\x1b[31m").err
    assert "may not hold" in model(root, "register", "als", "v7", "--uri", "\udcff").err
    assert "or --remove" in model(root, "alias", "als", "prod").err
    assert "or --remove" in model(root, "alias", "als", "prod", "v4", "--remove").err
    assert "counts sequential versions" in model(root, "register", "als", "v7", "--versioning", "semver").err


@pytest.mark.parametrize("verb", ["register", "alias", "deprecate", "archive", "quarantine"])
def test_help_shows_an_example(verb: str, root: Path) -> None:
    done = model(root, verb, "--help")
    assert done.code == 0
    assert f"relspec model {verb} " in done.out.split("Example")[1]


def test_a_model_that_is_broken_is_not_touched(root: Path) -> None:
    (root / FILE).write_text(MODEL + "keep: [\n")
    before = on_disk(root)
    for arguments in (("deprecate", "als", "v2"), ("alias", "als", "prod", "v4"), ("register", "als", "v7")):
        assert "error RS1" in unchanged(root, before, *arguments).err

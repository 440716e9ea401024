"""The same tree gives the same bytes: on any path, machine, locale and hash seed, from disk and from Git.

And what `compile` may do to the outputs on disk: write what differs, remove what it once wrote, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from company import Files, Repository, Run, on_disk, release, repository, run, with_service, write
from golden_cases import GOLDEN
from relspec.lock import text as lock_text

CASES = ("strategies-istio", "strategies-gateway", "strategies-compose", "variants", "routing-app", "helm-reference")
"""Golden cases whose environments have different names: together they are one repository."""

COMPANY = Path(__file__).resolve().parent.parent

ENVIRONMENTS = {
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 1": {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu"},
    "any hash seed": {"PYTHONHASHSEED": "random", "TZ": "America/St_Johns", "LC_ALL": "C"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "LANGUAGE": "tr"},
    "no UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"},
    "optimised": {"PYTHONOPTIMIZE": "2", "COLUMNS": "20", "FORCE_COLOR": "1"},
}


def many() -> dict[str, bytes]:
    """The golden cases as one repository."""
    files: dict[str, bytes] = {"relspec.lock": lock_text()}
    for case in CASES:
        for path, data in on_disk(GOLDEN / case / "tree").items():
            assert files.setdefault(path, data) == data, path
    return files


def expected() -> dict[str, bytes]:
    """Their outputs, below rendered/."""
    return {
        path.removeprefix("rendered/"): data
        for case in CASES
        for path, data in on_disk(GOLDEN / case / "expected").items()
    }


def program(folder: Path, *arguments: str, **variables: str) -> Run:
    """The program in a process and an environment of its own."""
    result = subprocess.run(
        [sys.executable, "-m", "relspec", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        check=False,
    )
    return Run(result.returncode, result.stdout.decode("utf-8", "replace"), result.stderr.decode("utf-8", "replace"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository, compiled and committed."""
    made = repository(tmp_path_factory.mktemp("source") / "repository", many())
    assert run(made.folder, "compile").code == 0
    made.commit("rendered")
    return made


@pytest.fixture
def copy(source: Repository, tmp_path: Path) -> Repository:
    """A copy of it at another path, to be changed."""
    shutil.copytree(source.folder, tmp_path / "another place")
    return Repository(tmp_path / "another place")


# --- the same bytes


FAST = ("hash seed 1", "no UTF-8")


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in ENVIRONMENTS]
)
def test_the_same_bytes_in_every_environment(name: str, tmp_path: Path) -> None:
    write(tmp_path / "häuser und höfe", many())
    done = program(tmp_path, "-C", "häuser und höfe", "compile", **ENVIRONMENTS[name])
    assert done.code == 0, done.err
    assert on_disk(tmp_path / "häuser und höfe" / "rendered") == expected()


def test_the_same_bytes_from_a_commit(copy: Repository, tmp_path: Path) -> None:
    done = program(copy.folder, "compile", "--at", "HEAD", "--out", str(tmp_path / "out"), PYTHONHASHSEED="3")
    assert done.code == 0, done.err
    assert on_disk(tmp_path / "out") == expected()
    assert copy.git("status", "--porcelain") == ""


def test_the_same_bytes_from_a_fresh_clone(source: Repository, tmp_path: Path) -> None:
    source.git("clone", "-q", str(source.folder), str(tmp_path / "clone"))
    assert run(tmp_path / "clone", "compile", "--check").code == 0
    assert run(tmp_path / "clone", "compile").out.endswith(
        f": 0 outputs written, {len(expected())} unchanged, 0 removed\n"
    )


def test_the_same_bytes_below_another_folder(source: Repository, tmp_path: Path) -> None:
    assert run(source.folder, "compile", "--out", str(tmp_path / "x" / "y")).code == 0
    assert on_disk(tmp_path / "x" / "y") == expected()
    assert on_disk(source.folder / "rendered") == expected()


def test_the_same_bytes_from_inside_the_repository(copy: Repository) -> None:
    shutil.rmtree(copy.folder / "rendered")
    assert run(copy.folder / "environments" / "production", "compile").code == 0
    assert on_disk(copy.folder / "rendered") == expected()


def test_one_release_alone_gives_its_part_of_the_bytes(copy: Repository) -> None:
    shutil.rmtree(copy.folder / "rendered")
    assert run(copy.folder, "compile", "production/held", "region/*").code == 0
    made = on_disk(copy.folder / "rendered")
    assert {"/".join(path.split("/")[:2]) for path in made} == {"production/held"} | {
        f"region/{name}" for name in ("fixed", "stepped", "blue-green", "held", "shadow")
    }
    assert made.items() <= expected().items()


@pytest.mark.parametrize(
    "garbage",
    [
        b"<<<<<<< HEAD\nimage: a\n=======\nimage: b\n>>>>>>> branch\n",
        b"\xff\xfe\x00garbage",
        b"",
        b"# Compiled by relspec from somewhere\nkind: Nonsense\n",
    ],
)
def test_whatever_lies_in_rendered_does_not_matter(garbage: bytes, copy: Repository) -> None:
    for path in (copy.folder / "rendered").rglob("*.yaml"):
        path.write_bytes(garbage)
    assert run(copy.folder, "compile", "--check").code == 1
    assert run(copy.folder, "compile").code == 0
    assert on_disk(copy.folder / "rendered") == expected()


def test_an_unmerged_index_does_not_matter(copy: Repository) -> None:
    """Two branches that change one release's weight: a conflict in the spec, and in what was compiled from it."""
    spec = copy.folder / "environments/production/held/release.yaml"
    for branch, weight in (("one", "26"), ("two", "27")):
        copy.git("checkout", "-q", "-b", branch, "main")
        spec.write_text(spec.read_text().replace("weight: 25", f"weight: {weight}"))
        assert run(copy.folder, "compile").code == 0
        copy.commit(branch)
    copy.git("merge", "one", check=False)
    assert "UU rendered/production/held/rollouts/rollouts.yaml" in copy.git("status", "--porcelain")
    copy.git("checkout", "-q", "--ours", "--", "environments")
    assert "<<<<<<<" in (copy.folder / "rendered/production/held/rollouts/rollouts.yaml").read_text()
    assert run(copy.folder, "compile").code == 0
    copy.git("add", "-A")
    copy.commit("merged")
    assert run(copy.folder, "compile", "--check").code == 0
    assert "weight: 27" in (copy.folder / "rendered/production/held/rollouts/rollouts.yaml").read_text()


# --- --check


def test_check_says_that_all_is_up_to_date_and_writes_nothing(source: Repository) -> None:
    before = {path: path.stat().st_mtime_ns for path in source.folder.rglob("*")}
    for arguments in (("compile", "--check"), ("compile", "--check", "--at", "HEAD"), ("compile",)):
        done = run(source.folder, *arguments)
        assert done.code == 0, done.out + done.err
    assert {path: path.stat().st_mtime_ns for path in source.folder.rglob("*")} == before


@pytest.mark.parametrize("index", range(3))
def test_check_names_each_output_that_was_edited(index: int, copy: Repository) -> None:
    path = sorted(expected())[index * 7]
    output = copy.folder / "rendered" / path
    output.write_bytes(output.read_bytes().replace(b"replicas: 3", b"replicas: 4") + b"\n")
    done = run(copy.folder, "compile", "--check")
    assert done.code == 1
    assert done.out == f"out of date: rendered/{path}\n"
    assert "relspec compile && git add -A rendered" in done.err


def test_check_names_an_output_that_is_missing(copy: Repository) -> None:
    (copy.folder / "rendered/production/held/rollouts/rollouts.yaml").unlink()
    done = run(copy.folder, "compile", "--check")
    assert (done.code, done.out) == (1, "out of date: rendered/production/held/rollouts/rollouts.yaml\n")


@pytest.mark.parametrize(
    ("path", "old", "new", "releases"),
    [
        ("environments/production/held/release.yaml", "weight: 25", "weight: 26", {"production/held"}),
        ("registry/als/model.yaml", "prod: v0.3", "prod: v0.4", {"production/fixed", "movies/recs"}),
        ("environments/region/environment.yaml", "memory: 512Mi", "memory: 513Mi", None),
    ],
)
def test_check_names_what_an_edit_of_a_spec_makes_stale(
    path: str, old: str, new: str, releases: set[str] | None, copy: Repository
) -> None:
    file = copy.folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    done = run(copy.folder, "compile", "--check")
    assert done.code == 1
    named = {"/".join(line.split("rendered/")[1].split("/")[:2]) for line in done.out.splitlines()}
    assert named == releases if releases else all(name.startswith("region/") for name in named)
    assert run(copy.folder, "compile").code == 0
    assert run(copy.folder, "compile", "--check").code == 0


def test_check_of_a_comment_is_content(copy: Repository) -> None:
    file = copy.folder / "environments/production/held/release.yaml"
    file.write_text("# why\n" + file.read_text() + "\n# later\n")
    assert run(copy.folder, "compile", "--check").code == 0


def test_check_of_a_commit_reads_the_commits_own_outputs(copy: Repository) -> None:
    output = copy.folder / "rendered/production/held/rollouts/rollouts.yaml"
    good = output.read_bytes()
    output.write_bytes(good + b"# by hand\n")
    copy.commit("stale")
    output.write_bytes(good)
    assert run(copy.folder, "compile", "--check").code == 0
    stale = run(copy.folder, "compile", "--check", "--at", "HEAD")
    assert (stale.code, stale.out) == (1, "out of date: rendered/production/held/rollouts/rollouts.yaml\n")
    assert run(copy.folder, "compile", "--check", "--at", "HEAD~1").code == 0


# --- what is removed, and what never is


def test_outputs_of_releases_that_are_gone_are_removed_and_nothing_else(copy: Repository) -> None:
    shutil.rmtree(copy.folder / "environments/production/held")
    shutil.rmtree(copy.folder / "environments/region")
    mine = {
        "rendered/production/held/rollouts/notes.md": b"kept by a person\n",
        "rendered/production/held/.env": b"SECRET=1\n",
        "rendered/README.md": b"what this is\n",
        "rendered/other/compose.yaml": b"services: {}  # Compiled by relspec from environments/x/release.yaml.\n",
        "rendered/late.yaml": b"a: 1\nb: 2\nc: 3\n# Compiled by relspec from environments/x/release.yaml.\n",
    }
    write(copy.folder, mine)
    checked = run(copy.folder, "compile", "--check")
    assert checked.code == 1
    assert "no longer compiled: rendered/production/held/rollouts/rollouts.yaml" in checked.out.splitlines()
    assert run(copy.folder, "compile").code == 0
    left = on_disk(copy.folder / "rendered")
    gone = ("production/held/", "region/")
    kept = {path.removeprefix("rendered/"): data for path, data in mine.items()}
    assert left == {**{path: data for path, data in expected().items() if not path.startswith(gone)}, **kept}
    assert not (copy.folder / "rendered/region").exists()
    assert run(copy.folder, "compile", "--check").code == 0


def test_a_target_that_is_gone_takes_its_outputs_along(copy: Repository) -> None:
    file = copy.folder / "environments/movies/environment.yaml"
    file.write_text(file.read_text().replace("compose: {}, ", ""))
    assert run(copy.folder, "compile").code == 0
    assert not (copy.folder / "rendered/movies/recs/compose").exists()
    assert (copy.folder / "rendered/movies/recs/rollouts/rollouts.yaml").exists()


def test_compiling_one_release_removes_nothing_of_another(copy: Repository) -> None:
    shutil.rmtree(copy.folder / "environments/production/held")
    assert run(copy.folder, "compile", "production/fixed").code == 0
    assert (copy.folder / "rendered/production/held/rollouts/rollouts.yaml").exists()


def test_an_error_removes_and_writes_nothing(copy: Repository) -> None:
    shutil.rmtree(copy.folder / "environments/production/held")
    (copy.folder / "environments/production/fixed/release.yaml").write_text("kind: Release\n")
    assert run(copy.folder, "compile").code == 1
    assert on_disk(copy.folder / "rendered") == expected()


# --- what is in the way


@pytest.mark.parametrize("link", ["rendered", "rendered/production", "rendered/production/held/rollouts"])
def test_an_output_folder_that_is_a_link_is_refused(link: str, copy: Repository, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.move(copy.folder / link, elsewhere)
    (copy.folder / link).symlink_to(elsewhere)
    before = on_disk(elsewhere)
    spec = copy.folder / "environments/production/held/release.yaml"
    spec.write_text(spec.read_text().replace("weight: 25", "weight: 26"))
    done = run(copy.folder, "compile")
    assert done.code == 2
    assert "RS604" in done.err
    assert on_disk(elsewhere) == before


def test_a_link_in_the_place_of_an_output_is_refused(copy: Repository, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched\n")
    output = copy.folder / "rendered/production/held/rollouts/rollouts.yaml"
    output.unlink()
    output.symlink_to(tmp_path / "victim")
    done = run(copy.folder, "compile")
    assert done.code == 2
    assert "RS604" in done.err
    assert (tmp_path / "victim").read_text() == "untouched\n"


def test_a_folder_in_the_place_of_an_output_is_refused(copy: Repository) -> None:
    output = copy.folder / "rendered/production/held/rollouts/rollouts.yaml"
    output.unlink()
    output.mkdir()
    done = run(copy.folder, "compile")
    assert done.code == 2
    assert "RS604" in done.err


def test_what_lies_behind_a_link_is_never_removed(copy: Repository, tmp_path: Path) -> None:
    old = {"held/rollouts.yaml": expected()["production/held/rollouts/rollouts.yaml"]}
    write(tmp_path / "elsewhere", old)
    (copy.folder / "rendered/linked").symlink_to(tmp_path / "elsewhere")
    (copy.folder / "rendered/link.yaml").symlink_to(tmp_path / "elsewhere/held/rollouts.yaml")
    done = run(copy.folder, "compile")
    assert done.code == 0
    assert "0 removed" in done.out
    assert on_disk(tmp_path / "elsewhere") == old


def test_no_temporary_file_is_left(copy: Repository) -> None:
    leftover = copy.folder / "rendered/production/held/rollouts/rollouts.yaml.9999999-0123abcd.relspec-tmp"
    leftover.write_text("half a file")
    output = leftover.with_name("rollouts.yaml")
    output.write_text("old\n")
    assert run(copy.folder, "compile").code == 0
    assert on_disk(copy.folder / "rendered") == expected()


# --- wrong use


def test_outside_a_repository(tmp_path: Path) -> None:
    for verb in ("check", "compile"):
        done = run(tmp_path, verb)
        assert done.code == 2
        assert "RS600" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "--at", "HEAD"),
        ("compile", "--check", "--stdout"),
        ("compile", "--check", "--out", "x"),
        ("compile", "no/such/release"),
        ("compile", "--at", "nothing", "--check"),
        ("compile", "--target", "nomad"),
    ],
)
def test_wrong_use_is_exit_code_2_and_writes_nothing(arguments: tuple[str, ...], source: Repository) -> None:
    assert run(source.folder, *arguments).code == 2
    assert source.git("status", "--porcelain") == ""


def test_stdout_gives_the_classic_values_file(tmp_path: Path) -> None:
    made = repository(tmp_path / "repository", values_repository("v1"))
    write(made.folder, values_repository("v2"))
    made.commit("v2")
    before = run(made.folder, "compile", "--at", "HEAD~1", "--target", "helm", "--stdout", "production/recs")
    assert before.code == 0
    assert before.out.endswith("modelkitRef: ghcr.io/acme/recs:v1\n")
    assert run(made.folder, "compile", "--target", "helm", "--stdout", "production/recs").out.endswith("recs:v2\n")
    assert not (made.folder / "rendered").exists()


def values_repository(version: str) -> Files:
    """A release whose chart takes one value."""
    helm = {"chart": "../../charts/server", "values": {"modelkitRef": "{{ service.image.ref }}"}}
    environment = {"apiVersion": "relspec/v1", "kind": "Environment", "name": "production", "targets": {"helm": helm}}
    return {
        **with_service({"image": f"ghcr.io/acme/recs:{version}"}, environment),
        "charts/server/Chart.yaml": "apiVersion: v2\nname: server\nversion: 0.1.0\n",
        "charts/server/values.yaml": "modelkitRef: ''\n",
    }


# --- the sample company


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hash seed 1", "Turkish"])
def test_the_sample_company_compiles_to_what_is_committed(name: str, tmp_path: Path) -> None:
    folders = ("environments", "registry", "bases", "charts", "templates", "rendered")
    for folder in folders:
        if (COMPANY / folder).is_dir():
            shutil.copytree(COMPANY / folder, tmp_path / folder)
    for file in ("relspec.yaml", ".gitignore"):
        if (COMPANY / file).is_file():
            shutil.copy(COMPANY / file, tmp_path / file)
    (tmp_path / "relspec.lock").write_bytes(lock_text())
    before = on_disk(tmp_path / "rendered")
    done = program(tmp_path, "compile", "--check", **ENVIRONMENTS[name])
    assert done.code == 0, done.out + done.err
    shutil.rmtree(tmp_path / "rendered")
    assert program(tmp_path, "compile", **ENVIRONMENTS[name]).code == 0
    assert on_disk(tmp_path / "rendered") == before


def test_a_repository_may_name_its_output_folder(tmp_path: Path) -> None:
    settings = "apiVersion: relspec/v1\nkind: Repository\noutput: deploy/out\n"
    write(tmp_path, {**with_service({}), "relspec.yaml": settings})
    assert run(tmp_path, "compile").code == 0
    assert list(on_disk(tmp_path / "deploy")) == ["out/production/recs/rollouts/rollouts.yaml"]
    assert not (tmp_path / "rendered").exists()
    write(tmp_path, {"environments/production/recs/release.yaml": release("recs", {"api": {"image": "a:1"}})})
    assert run(tmp_path, "compile", "--check").code == 1

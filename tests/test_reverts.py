"""`git revert` of the latest change of a release, in real repositories: the outputs are those of before, byte for byte."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from company import (
    SERVICE,
    STRATEGIES,
    Content,
    Map,
    Repository,
    base,
    company,
    kubernetes,
    on_disk,
    registry,
    release,
    repository,
    run,
    without_none,
    write,
    written,
)
from relspec.gitops.repository import Repository as Git
from relspec.gitops.review import Review
from relspec.tree import DirectoryTree

RECS = "environments/production/recs/release.yaml"
ENVIRONMENT = "environments/production/environment.yaml"
BESIDE = "environments/beside/other/release.yaml"
CONFIG = "environments/production/recs/app.yaml"
BASE = "bases/recs.yaml"
Files = dict[str, Content]
Edit = Callable[[Files], None]


def start() -> Files:
    """A release with all that can be edited: a model, a base, a file, an environment; and another one beside it."""
    api = {
        "model": "als@v1",
        "env": {"MODEL": {"model": "reference"}, "LOG_LEVEL": "info"},
        "files": {"/etc/app.yaml": {"from": "app.yaml"}},
    }
    targets = {"compose": {}, "rollouts": {"prometheus": "http://prometheus:9090"}}
    return {
        **company(
            {"api": api},
            kubernetes(targets=targets, defaults={"writable": ["/tmp"]}),
            extends="../../../bases/recs.yaml",
        ),
        **registry("v1", "v2", "v3", aliases={"prod": "v1"}),
        BASE: base({"api": without_none({**SERVICE, "image": None})}),
        CONFIG: "a: 1\nb: 2\n",
        "environments/beside/environment.yaml": kubernetes(name="beside"),
        BESIDE: release("other"),
    }


# --- edits


def fields_of(files: Files, path: str) -> Map:
    """The service `api` of a document, to be changed."""
    document = files[path]
    assert isinstance(document, dict)
    found: Map = document["services"]["api"]
    return found


def set_field(path: str, name: str, value: Any) -> Edit:
    return lambda files: fields_of(files, path).update({name: copy.deepcopy(value)})


def set_variable(path: str, name: str, value: Any) -> Edit:
    return lambda files: fields_of(files, path).setdefault("env", {}).update({name: value})


def set_strategy(path: str, fields: Map) -> Edit:
    def edit(files: Files) -> None:
        service = fields_of(files, path)
        service.pop("strategy", None)
        service.pop("candidate", None)
        service.update(copy.deepcopy(fields))

    return edit


def set_default(name: str, value: Any) -> Edit:
    def edit(files: Files) -> None:
        document = files[ENVIRONMENT]
        assert isinstance(document, dict)
        document["defaults"][name] = value

    return edit


def set_file(text: str) -> Edit:
    return lambda files: files.update({CONFIG: text})


def held(weight: int) -> Map:
    return {"candidate": {"model": "als@v3"}, "strategy": {"canary": {"weight": weight}}}


TEXTS = st.text("abc:{}$#'\" é", max_size=6)
REPLICAS = st.one_of(
    st.integers(0, 5),
    st.builds(lambda low, more: {"min": low, "max": low + more, "cpu": 70}, st.integers(1, 3), st.integers(0, 3)),
)


def edits_of(path: str) -> st.SearchStrategy[Edit]:
    """Edits of the release at a path."""
    return st.one_of(
        st.builds(lambda tag: set_field(path, "image", f"ghcr.io/acme/recs:{tag}"), st.integers(1, 4)),
        st.builds(lambda name, text: set_variable(path, name, text), st.sampled_from("ABC"), TEXTS),
        st.builds(lambda replicas: set_field(path, "replicas", replicas), REPLICAS),
        st.builds(
            lambda name: set_strategy(path, STRATEGIES[name]),
            st.sampled_from(["fixed", "stepped", "blueGreen", "shadow"]),
        ),
        st.builds(
            lambda labels: set_field(path, "labels", labels),
            st.dictionaries(st.sampled_from("xyz"), st.sampled_from("123")),
        ),
        st.just(set_field(path, "uses", ["beside/other"])),
        st.builds(lambda text: set_field(path, "files", {"/etc/inline": {"content": text}}), TEXTS),
    )


EDITS = st.one_of(
    edits_of(RECS),
    st.builds(lambda version: set_field(RECS, "model", f"als@{version}"), st.sampled_from(["v1", "v2", "v3", "prod"])),
    st.builds(lambda weight: set_strategy(RECS, held(weight)), st.integers(0, 100)),
    st.builds(lambda text: set_file(f"a: {text!r}\n"), TEXTS),
    st.builds(lambda cpu: set_field(BASE, "resources", {"cpu": f"{cpu}m", "memory": "1Gi"}), st.integers(100, 105)),
    st.builds(lambda name, text: set_variable(BASE, name, text), st.sampled_from("DE"), TEXTS),
    st.builds(lambda folder: set_default("writable", [f"/{folder}"]), st.sampled_from(["tmp", "run", "cache"])),
    st.builds(lambda replicas: set_default("replicas", replicas), st.integers(1, 4)),
)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose only commit is compiled."""
    made = repository(tmp_path_factory.mktemp("origin") / "repository")
    write(made.folder, start())
    compile_and_commit(made)
    return made.folder


@contextmanager
def history(origin: Path) -> Iterator[tuple[Repository, Files]]:
    """A copy of the repository, and its files, to be edited."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(origin, Path(folder) / "repository")
        yield Repository(Path(folder) / "repository"), start()


def compile_and_commit(made: Repository) -> str:
    """Compiles the work tree and commits it with its outputs."""
    done = run(made.folder, "compile")
    assert done.code == 0, done.err
    return made.commit()


def apply(made: Repository, files: Files, edit: Edit) -> bool:
    """Edits the files on disk; whether anything changed."""
    before = {path: written(content) for path, content in files.items()}
    edit(files)
    after = {path: written(content) for path, content in files.items()}
    write(made.folder, {path: data for path, data in after.items() if data != before[path]})
    return before != after


def check_a_revert(origin: Path, earlier: list[Edit], last: Edit, later: list[Edit]) -> None:
    """Some history, the latest change of the release, changes of another one, and then the revert."""
    with history(origin) as (made, files):
        for edit in earlier:
            apply(made, files, edit)
            compile_and_commit(made)
        before = made.rendered()
        assume(apply(made, files, last))
        bad = compile_and_commit(made)
        others = dict(files)
        for edit in later:
            apply(made, others, edit)
            compile_and_commit(made)
        beside = {path: data for path, data in made.rendered().items() if path.startswith("beside/")}
        made.git("revert", "--no-edit", bad)
        checked = run(made.folder, "compile", "--check")
        assert checked.code == 0, checked.out
        expected = {**{path: data for path, data in before.items() if not path.startswith("beside/")}, **beside}
        assert made.rendered() == expected
        assert run(made.folder, "compile").code == 0
        assert made.rendered() == expected
        assert made.git("status", "--porcelain") == ""


QUICK = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
LONG = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
FEW = st.lists(EDITS, max_size=2)
OTHERS = st.lists(edits_of(BESIDE), max_size=2)


@QUICK
@given(earlier=FEW, last=EDITS, later=OTHERS)
def test_a_revert_gives_back_the_bytes_of_before(
    origin: Path, earlier: list[Edit], last: Edit, later: list[Edit]
) -> None:
    check_a_revert(origin, earlier, last, later)


@pytest.mark.slow
@LONG
@given(earlier=st.lists(EDITS, max_size=4), last=EDITS, later=st.lists(edits_of(BESIDE), max_size=3))
def test_a_revert_gives_back_the_bytes_of_before_at_length(
    origin: Path, earlier: list[Edit], last: Edit, later: list[Edit]
) -> None:
    check_a_revert(origin, earlier, last, later)


ONE_OF_EACH: dict[str, Edit] = {
    "model version": set_field(RECS, "model", "als@v2"),
    "variable": set_variable(RECS, "LOG_LEVEL", "debug"),
    "replicas": set_field(RECS, "replicas", 4),
    "range of replicas": set_field(RECS, "replicas", {"min": 2, "max": 4, "cpu": 70}),
    "stepped": set_strategy(RECS, STRATEGIES["stepped"]),
    "blue-green": set_strategy(RECS, STRATEGIES["blueGreen"]),
    "candidate": set_strategy(RECS, held(10)),
    "file": set_file("a: 2\n"),
    "base": set_field(BASE, "resources", {"cpu": "600m", "memory": "2Gi"}),
    "default": set_default("writable", ["/run"]),
    "variant": lambda files: fields_of(files, RECS).update(variants={"safe": {"image": "safe:1"}}, active="safe"),
}


def test_a_revert_of_each_kind_of_change(origin: Path) -> None:
    """One repository, one change after the other, each reverted at once."""
    with history(origin) as (made, files):
        first = made.rendered()
        for name, edit in ONE_OF_EACH.items():
            changed = copy.deepcopy(files)
            assert apply(made, changed, edit), name
            bad = compile_and_commit(made)
            assert made.rendered() != first, name
            made.git("revert", "--no-edit", bad)
            assert run(made.folder, "compile", "--check").code == 0, name
            assert made.rendered() == first, name


def test_a_revert_of_the_revert_brings_the_change_back(origin: Path) -> None:
    with history(origin) as (made, files):
        apply(made, files, ONE_OF_EACH["model version"])
        bad = compile_and_commit(made)
        changed = made.rendered()
        made.git("revert", "--no-edit", bad)
        made.git("revert", "--no-edit", "HEAD")
        assert made.rendered() == changed
        assert run(made.folder, "compile", "--check", "--at", "HEAD~1").code == 0
        assert run(made.folder, "compile", "--check").code == 0


def test_a_revert_takes_a_new_release_and_its_outputs_away(origin: Path) -> None:
    with history(origin) as (made, _):
        first = made.rendered()
        write(made.folder, {"environments/production/new/release.yaml": release("new")})
        bad = compile_and_commit(made)
        assert made.rendered() != first
        made.git("revert", "--no-edit", bad)
        assert made.rendered() == first
        assert run(made.folder, "compile", "--check").code == 0


def test_a_revert_of_a_removal_brings_a_release_and_its_outputs_back(origin: Path) -> None:
    with history(origin) as (made, _):
        first = made.rendered()
        made.git("rm", "-r", "-q", "environments/production/recs")
        bad = compile_and_commit(made)
        assert not any(path.startswith("production/") for path in made.rendered())
        made.git("revert", "--no-edit", bad)
        assert made.rendered() == first
        assert run(made.folder, "compile", "--check").code == 0


def test_an_older_revert_can_be_clean_and_stale_and_check_says_so(origin: Path) -> None:
    """Since the change that is reverted, a release was added whose outputs hold what goes back."""
    with history(origin) as (made, files):
        apply(made, files, set_default("replicas", 3))
        bad = compile_and_commit(made)
        write(made.folder, {"environments/production/new/release.yaml": release("new")})
        compile_and_commit(made)
        made.git("revert", "--no-edit", bad)
        checked = run(made.folder, "compile", "--check")
        assert checked.code == 1
        assert "RS601" in checked.err
        assert checked.out.splitlines() == [
            f"out of date: rendered/production/new/{path}"
            for path in ("compose/compose.yaml", "rollouts/rollouts.yaml")
        ]
        compile_and_commit(made)
        assert run(made.folder, "compile", "--check", "--at", "HEAD").code == 0


def test_the_line_that_mends_a_stale_revert_works_whatever_the_policies_say(origin: Path) -> None:
    """`compile` warns of policy and quarantine and writes; `check` is the gate."""
    with history(origin) as (made, files):
        environment = files[ENVIRONMENT]
        assert isinstance(environment, dict)
        environment["policies"] = {"requireDigest": True, "minReplicas": 9}
        files["registry/als/model.yaml"] = {
            **dict(files["registry/als/model.yaml"]),  # type: ignore[arg-type]
            "lifecycle": {"v1": "archived"},
            "quarantine": {"v1": {"reason": "bad", "since": "2026-03-04"}},
        }
        write(made.folder, files)
        checked = run(made.folder, "check")
        assert checked.code == 1
        assert {"RS410", "RS411", "RS421", "RS423"} <= {word.rstrip(":") for word in checked.err.split()}
        done = run(made.folder, "compile")
        assert done.code == 0
        assert "warning RS411" in done.err
        assert run(made.folder, "compile", "--check").code == 0


def test_no_output_mentions_a_commit_a_time_or_a_place(origin: Path) -> None:
    with history(origin) as (made, _):
        head = made.git("rev-parse", "HEAD")
        text = b"".join(on_disk(made.folder / "rendered").values()).decode()
        assert head[:10] not in text
        assert str(made.folder) not in text
        assert "0.1." not in text


# --- what a clone does not have


def test_a_file_that_nobody_fetched_is_not_one_that_is_gone(tmp_path: Path) -> None:
    """A sparse checkout of a partial clone has neither the file nor its bytes: that is no difference of the work tree's."""
    made = repository(tmp_path / "whole", start())
    first = made.git("rev-parse", "HEAD")
    write(made.folder, {BASE: base({"api": {**without_none({**SERVICE, "image": None}), "replicas": 3}})})
    made.commit("three replicas")
    made.git("config", "uploadpack.allowFilter", "true")
    folder = tmp_path / "partial"
    made.git("clone", "-q", "--filter=blob:none", "--no-checkout", made.folder.as_uri(), str(folder))
    clone = Repository(folder)
    clone.git("sparse-checkout", "set", "--cone", "environments", "registry")
    clone.git("checkout", "-q", "main")
    clone.git("remote", "set-url", "origin", "file:///nowhere")
    assert not (folder / BASE).exists()
    assert Review(Git(folder), DirectoryTree(folder), first).dirty


def test_an_output_that_nobody_fetched_is_not_one_without_conflicts(tmp_path: Path) -> None:
    made = repository(tmp_path / "whole", start())
    assert run(made.folder, "compile").code == 0
    made.commit("outputs")
    write(made.folder, {RECS: (made.folder / RECS).read_bytes().replace(b"als@v1", b"als@v2")})
    assert run(made.folder, "compile").code == 0
    made.commit("als v2")
    assert run(made.folder, "plan", "HEAD~1..HEAD").code == 0
    output = "rendered/production/recs/rollouts/rollouts.yaml"
    blob = made.git("rev-parse", f"HEAD:{output}")
    (made.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    done = run(made.folder, "plan", "HEAD~1..HEAD")
    assert (done.code, f"RS631 {output}" in done.err) == (2, True), done

"""From documents to a release: layers that say a part of something, variants, bases, places, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import relspec.compiler
from company import (
    CANARY,
    Content,
    Map,
    base,
    codes,
    company,
    compiled,
    compose,
    environment,
    kubernetes,
    model,
    objects,
    outputs,
    project,
    record,
    registry,
    release,
    said,
    tree,
    with_service,
    written,
)
from relspec.compiler import Compiler
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.tree import DirectoryTree, MemoryTree

RELEASE = "environments/staging/recs/release.yaml"
ENVIRONMENT = "environments/staging/environment.yaml"
BASE = "bases/recs.yaml"


def layered(lower: Map, upper: Map, where: Map | None = None) -> dict[str, Content]:
    """A compose release whose base says `lower` of the service api, and itself `upper`."""
    files = company({"api": upper}, where or compose(), extends="../../../bases/recs.yaml")
    return {**files, BASE: base({"api": {"image": "a:1", **lower}})}


def problems(files: dict[str, Content]) -> list[str]:
    """Code, file and line of what is said, but for policies, notes and warnings."""
    return [
        f"{d.code} {d.file}:{d.range.line if d.range else '-'}"
        for d in compiled(files).diagnostics
        if d.severity == "error"
    ]


# --- a layer may say a part


@pytest.mark.parametrize(
    ("lower", "upper", "whole"),
    [
        ({"ports": {"http": 80}}, {"ports": {"http": {"publish": 8000}}}, {"ports": {"http": {"port": 80, "publish": 8000}}}),
        ({"ports": {"http": {"publish": 8000}}}, {"ports": {"http": 80}}, {"ports": {"http": {"publish": 8000, "port": 80}}}),
        ({"metrics": {"port": 9100}}, {"metrics": {"path": "/m"}}, {"metrics": {"port": 9100, "path": "/m"}}),
        ({"build": {"context": "."}}, {"build": {"args": {"A": "1"}}}, None),
        (
            {"resources": {"gpu": 2, "cpu": "1"}},
            {"resources": {"gpu": {"resource": "nvidia.com/gpu"}}},
            {"resources": {"gpu": {"count": 2, "resource": "nvidia.com/gpu"}, "cpu": "1"}},
        ),
        ({"shutdown": {"drain": "9s", "grace": "40s"}}, {"shutdown": {"drain": None}}, {"shutdown": {"grace": "40s"}}),
        ({"ports": {"http": {"port": 80, "protocol": "tcp"}}}, {"ports": {"http": {"protocol": None}}}, {"ports": {"http": {"port": 80}}}),
    ],
)  # fmt: skip
def test_layers_patch_field_by_field(lower: Map, upper: Map, whole: Map | None) -> None:
    found = outputs(layered(lower, upper))
    if whole is not None:
        assert found == outputs(layered({}, whole))


@pytest.mark.parametrize("place", ["candidate", "variant"])
def test_patches_say_a_part_and_take_lists_of_dependencies(place: str) -> None:
    patch: Map = {"ports": {"http": {"publish": 9000}}, "dependsOn": ["redis"]}
    service: Map = {"image": "a:1", "ports": {"http": {"port": 80, "publish": 8000}}}
    if place == "candidate":
        service |= {"candidate": patch, "strategy": {"canary": {"weight": 5}}}
    else:
        service |= {"variants": {"v": patch}, "active": "v"}
    made = project(company({"api": service, "redis": {"image": "r:1"}}, compose()))["services"]
    found = made["api-candidate"] if place == "candidate" else made["api"]
    assert "redis" in found["depends_on"]


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ({"ports": {"http": {"publish": 8000}}}, "RS121"),
        ({"metrics": {"path": "/m"}}, "RS121"),
        ({"candidate": {"metrics": {"path": "/m"}}, "strategy": {"canary": {"weight": 5}}}, "RS121"),
        ({"variants": {"v": {"metrics": {"path": "/m"}}}}, "RS121"),
        ({"resources": {"gpu": {"resource": "nvidia.com/gpu"}}}, "RS121"),
    ],
)
def test_what_no_layer_completes_is_said_once_at_its_line(service: Map, code: str) -> None:
    files = layered({"ports": {"grpc": 81}}, service)
    (found,) = problems(files)
    line = int(found.rpartition(":")[2])
    assert found.startswith(f"{code} {RELEASE}:")
    text = tree(files).read(RELEASE).decode().splitlines()[line - 1]
    assert any(word in text for word in ("http:", "metrics:", "gpu:"))


@pytest.mark.parametrize("field", ["health", "env", "strategy", "replicas", "init"])
def test_what_is_written_whole_is_complete_in_its_layer(field: str) -> None:
    wrong: Map = {
        "health": {"startup": "5s"},
        "env": {"A": {"secret": None}},
        "strategy": {"canary": {}},
        "replicas": {"min": 2},
        "init": [{"name": "x"}],
    }
    assert len({line.split()[0] for line in problems(layered({}, {field: wrong[field]}))}) == 1


# --- environments inherit field by field


def nested(outer: Map, inner: Map) -> dict[str, Content]:
    """A release in production/eu, which inherits from production."""
    first = kubernetes(**outer)
    files = company(None, first)
    del files["environments/production/recs/release.yaml"]
    files["environments/production/eu/environment.yaml"] = environment("eu", **inner)
    files["environments/production/eu/recs/release.yaml"] = release("recs")
    return files


def inherited(outer: Map, inner: Map) -> Any:
    """The inner environment, resolved."""
    compiler = Compiler(tree(nested(outer, inner)))
    return compiler.resolver.environment("production/eu")


def test_a_rollback_inherits_field_by_field() -> None:
    found = inherited({"rollback": {"window": 5, "history": 20}}, {"rollback": {"window": 10}})
    assert (found.rollback.window, found.rollback.history) == (10, 20)
    (line,) = problems(nested({"rollback": {"history": 8}}, {"rollback": {"window": 10}}))
    assert line.startswith("RS444 environments/production/eu/environment.yaml")


def test_an_exposure_inherits_field_by_field_and_its_other_form_replaces_it() -> None:
    outer = {"expose": {"host": "a.example", "tls": "one"}}
    merged = inherited(outer, {"expose": {"tls": "other"}}).spec.expose
    assert (merged.host, merged.tls) == ("a.example", "other")
    by_name = {"expose": {"production/eu/recs/api": {"host": "b.example"}}}
    assert list(inherited(outer, by_name).spec.expose) == ["production/eu/recs/api"]
    assert inherited(by_name, {"expose": {"host": "c.example"}}).spec.expose.host == "c.example"
    (line,) = problems(nested({"router": None}, {"expose": {"tls": "other"}}))
    assert line.startswith("RS121 environments/production/eu/environment.yaml")


def test_analyses_merge_by_name_and_field() -> None:
    outer = {"s": {"query": "vector(1)", "success": "result[0] > 0", "interval": "1m", "count": 5}}
    found = inherited({"analyses": outer}, {"analyses": {"s": {"count": 10}}}).spec.analyses["s"]
    assert (found.query, found.count) == ("vector(1)", 10)
    (line,) = problems(nested({"analyses": outer}, {"analyses": {"t": {"count": 10}}}))
    assert line.startswith("RS121 environments/production/eu/environment.yaml")


def test_null_takes_an_inherited_value_with_a_default() -> None:
    assert inherited({"policies": {"minReplicas": 2}}, {"policies": {"minReplicas": None}}).policies.min_replicas == 0


# --- variants and candidates


def test_a_null_variant_removes_the_one_below() -> None:
    lower = {"variants": {"v": {"env": {"A": "1"}}, "w": {"env": {"A": "2"}}}}
    assert problems(layered(lower, {"variants": {"v": None}, "active": "w"})) == []
    assert [line.split()[0] for line in problems(layered(lower, {"variants": {"v": None}, "active": "v"}))] == ["RS204"]
    assert [line.split()[0] for line in problems(layered({}, {"variants": {"v": None}}))] == ["RS211"]


@pytest.mark.parametrize("field", [{"strategy": CANARY}, {"targets": ["compose"]}, {"routing": "app"}])
def test_a_candidate_has_no_strategy_of_its_own(field: Map) -> None:
    service = {"candidate": {"image": "a:2", **field}, "strategy": {"canary": {"weight": 5}}}
    assert [line.split()[0] for line in problems(layered({}, service))] == ["RS120"]


def test_the_candidate_is_resolved_while_a_variant_is_active() -> None:
    service = {
        "active": "v",
        "variants": {"v": {"env": {"A": "1"}}},
        "candidate": {"model": "nothing@v1"},
        "strategy": {"canary": {"weight": 5}},
    }
    (line,) = problems(layered({}, service))
    assert line.startswith(f"RS201 {RELEASE}:")
    assert set(project(layered({}, {**service, "candidate": {"image": "a:2"}}))["services"]) == {"api"}


# --- bases and what outputs may not be read for


def test_a_base_that_is_a_folder(tmp_path: Path) -> None:
    files = company({"api": {"image": "a:1"}}, compose(), extends="../../../bases")
    assert [line.split()[0] for line in problems({**files, BASE: base({})})] == ["RS240"]
    (tmp_path / "bases").mkdir()
    for made in (DirectoryTree(tmp_path), MemoryTree({BASE: b""})):
        with pytest.raises(RelspecError, match="RS240 bases: bases is a folder"):
            made.read("bases")


def test_a_base_that_is_a_link_is_said_once_at_the_base(tmp_path: Path) -> None:
    for path, content in company({"api": {"image": "a:1"}}, compose(), extends="../../../bases/recs.yaml").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(written(content))
    (tmp_path / "bases").mkdir()
    (tmp_path / BASE).symlink_to("elsewhere.yaml")
    second = tmp_path / "environments/staging/more/release.yaml"
    second.parent.mkdir()
    second.write_bytes((tmp_path / RELEASE).read_bytes().replace(b"name: recs", b"name: more"))
    (found,) = Compiler(DirectoryTree(tmp_path)).compile().diagnostics
    assert (found.code, found.file, found.releases) == ("RS241", BASE, ("staging/more", "staging/recs"))


@pytest.mark.parametrize("field", ["extends", "files"])
def test_nothing_is_read_from_the_output_folder(field: str) -> None:
    path = "../../../rendered/staging/recs/old.yaml"
    service: Map = {"image": "a:1"}
    files = company(
        {"api": service if field == "extends" else {**service, "files": {"/etc/a": {"from": path}}}},
        compose(),
        **({"extends": path} if field == "extends" else {}),
    )
    files["rendered/staging/recs/old.yaml"] = base({})
    assert [line.split()[0] for line in problems(files)] == ["RS241"]


def test_settings_name_schemas_that_are_there_and_an_output_of_its_own() -> None:
    settings = {"apiVersion": "relspec/v1", "kind": "Repository"}
    files = with_service({})
    missing = {**files, "relspec.yaml": {**settings, "schemas": ["policies"]}}
    assert problems(missing) == ["RS240 relspec.yaml:4"]
    strict = '{"required": ["nothing"]}'
    for path in ("policies", "policies/Rollout.json"):
        made = {**files, "policies/Rollout.json": strict, "relspec.yaml": {**settings, "schemas": [path]}}
        assert codes(compiled(made)) == ["RS520"]
    for folder in ("environments", "registry/als", "bases", "templates/x", "charts"):
        assert problems({**files, "relspec.yaml": {**settings, "output": folder}}) == ["RS122 relspec.yaml:3"]


# --- places


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("environments/staging/recs/inner/release.yaml", release("inner"), "RS220"),
        ("environments/staging/recs/inner/environment.yaml", environment("inner"), "RS220"),
        ("environments/staging/web/release.yml", release("web"), "RS200"),
        ("environments/other/environment.yml", environment("other"), "RS214"),
        ("environments/environment.yaml", environment("environments"), "RS214"),
    ],
)
def test_a_document_that_nothing_would_read_is_said(path: str, content: Map, code: str) -> None:
    (line,) = problems({**company(None, compose()), path: content})
    assert line.startswith(f"{code} {path}")


def test_other_tools_files_of_the_same_name_are_left_alone() -> None:
    files = company(None, compose())
    files["environments/staging/recs/build/environment.yaml"] = "name: conda\ndependencies: [numpy]\n"
    files["environments/staging/recs/environment.yml"] = "name: conda\n"
    assert problems(files) == []


def test_the_folder_of_a_release_beside_the_environment_is_free() -> None:
    files = company(None, compose())
    files["environments/staging/release.yaml"] = release("shop")
    assert problems(files) == []
    files["environments/staging/shop/notes.txt"] = "x"
    assert [line.split()[0] for line in problems(files)] == ["RS220"]


def test_environments_without_releases_are_looked_at_by_check() -> None:
    files = {**company(None, compose()), "environments/empty/environment.yaml": environment("empty", router={"x": 1})}
    assert problems(files) == []
    assert [finding.code for finding in Compiler(tree(files)).unused_environments()] == ["RS120"]


# --- names that are written twice


def test_two_releases_that_write_one_object_under_names_of_their_own() -> None:
    analysis = {"query": "vector(1)", "success": "result[0] > 0"}
    steps = [{"setWeight": 10}, {"analyze": ["b-c"]}]
    where = kubernetes(analyses={"b-c": analysis, "c": analysis})
    service = {"image": "a:1", "ports": {"http": 80}, "health": {"path": "/"}, "resources": {"cpu": 1}}
    files = company({"api": {**service, "strategy": {"canary": {"steps": steps}}}}, where)
    other = {**service, "strategy": {"canary": {"steps": [{"setWeight": 10}, {"analyze": ["c"]}]}}}
    files["environments/production/recs-api/release.yaml"] = release("recs-api", {"b": other})
    (line,) = [line for line in said(compiled(files)) if line.startswith("RS221")]
    assert "AnalysisTemplate recs-api-b-c in namespace ml-prod of cluster production" in line
    assert "production/recs" in line


def test_two_services_of_one_release_that_write_one_object() -> None:
    analysis = {"query": "vector(1)", "success": "result[0] > 0"}
    service = {"image": "a:1", "ports": {"http": 80}, "health": {"path": "/"}, "resources": {"cpu": 1}}
    services = {
        name: {**service, "strategy": {"canary": {"steps": [{"setWeight": 10}, {"analyze": [analyses]}]}}}
        for name, analyses in (("api", "b-c"), ("api-b", "c"))
    }
    result = compiled(company(services, kubernetes(analyses={"b-c": analysis, "c": analysis})))
    assert any("AnalysisTemplate recs-api-b-c" in line for line in said(result))
    assert result.stopped


# --- a fault of relspec's own


def test_a_target_that_fails_is_a_finding_of_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    files = company(None, compose())
    files["environments/staging/web/release.yaml"] = release("web", {"web": {"image": "w:1"}})

    def failing(found: Any, *rest: Any) -> Any:
        if found.name == "web":
            raise KeyError("gone")
        return relspec.compiler.compose(found, *rest)

    monkeypatch.setattr(relspec.compiler, "TARGETS", {"compose": failing})
    result = Compiler(tree(files)).compile()
    (fault,) = [d for d in result.diagnostics if d.code == "RS900"]
    assert (fault.releases, fault.file) == (("staging/web",), "environments/staging/web/release.yaml")
    assert "KeyError: 'gone'" in fault.message
    assert result.stopped
    assert result.crashed
    assert [path for path in result.files if "recs" in path]


def test_a_target_that_gave_up_stops_whatever_its_findings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: Any) -> Any:
        raise RelspecError(Finding("RS424", "a mere warning", Where(RELEASE)))

    monkeypatch.setattr(relspec.compiler, "TARGETS", {"compose": refusing})
    result = Compiler(tree(company(None, compose()))).compile()
    assert result.stopped
    assert not result.crashed
    with pytest.raises(ValueError, match="needs a finding"):
        RelspecError()


# --- small things


def test_a_models_name_is_its_folders_where_it_says_none() -> None:
    unnamed = {key: value for key, value in model().items() if key != "name"}
    files = {**company({"api": {"model": "als@v1"}}, compose()), **registry("v1"), "registry/als/model.yaml": unnamed}
    assert problems(files) == []
    files["registry/als/model.yaml"] = model("other")
    assert [line.split()[0] for line in problems(files)] == ["RS214"]
    del files["registry/als/model.yaml"]
    files["registry/als/v1.yaml"] = record("v1")
    (diagnostic,) = [d for d in compiled(files).diagnostics if d.code == "RS201"]
    assert "model.yaml" in diagnostic.hint


def test_a_scaling_target_is_taken_as_its_text() -> None:
    metric = {"type": "pods", "name": "queue", "target": 10}
    found = objects(with_service({"replicas": {"min": 1, "max": 2, "metrics": [metric]}}))
    (scaler,) = [value for (kind, _), value in found.items() if kind == "HorizontalPodAutoscaler"]
    assert scaler["spec"]["metrics"][0]["pods"]["target"]["averageValue"] == "10"


# --- everything wrong, at once


RECS = "environments/production/recs/release.yaml"
MODEL = "registry/als/model.yaml"


def held(service: Map, lower: Map | None = None, **more: Content) -> dict[str, Content]:
    """A release of production whose base and itself say something of the service api, and a registry."""
    files: dict[str, Content] = {
        **company({"api": service}, kubernetes(), extends="../../../bases/recs.yaml"),
        **registry("v0.3", "v0.4", versioning="semver", aliases={"prod": "v0.3"}),
        BASE: base({"api": {**PLAIN, **(lower or {})}}),
    }
    return {**files, **more}


PLAIN: Map = {"image": "a:1", "resources": {"cpu": 1, "memory": "1Gi"}}


def wrong(files: dict[str, Content]) -> list[str]:
    """The codes of all errors, with their files."""
    return [f"{d.code} {d.file}" for d in compiled(files).diagnostics if d.severity == "error"]


@pytest.mark.parametrize(
    "service",
    [{"model": "als@model"}, {"variants": {"off": {"model": "als@model"}}}, {"candidate": {"model": "als@model"}}],
    ids=lambda service: next(iter(service)),
)
def test_the_file_of_a_model_is_no_version(service: Map) -> None:
    held_by = {"strategy": CANARY} if "candidate" in service else {}
    (found,) = [d for d in compiled(held({**service, **held_by})).diagnostics if d.severity == "error"]
    assert (found.code, found.file) == ("RS203", RECS)
    assert "no version can be called model" in found.hint


@pytest.mark.parametrize(
    "fields",
    [
        {"aliases": {"prod": "model"}},
        {"lifecycle": {"model": "archived"}},
        {"quarantine": {"model": {"since": "2026-03-01", "reason": "bad"}}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_nothing_in_a_model_can_mean_its_own_file(fields: Map) -> None:
    files = {**held({"model": "als@v0.3"}), MODEL: model(versioning="semver", **fields)}
    (found,) = [d for d in compiled(files).diagnostics if d.severity == "error"]
    assert (found.code, found.file) == ("RS203", MODEL)
    assert "no version can be called model" in found.hint
    assert "create" not in found.hint


def test_an_error_in_a_base_hides_no_reference_of_its_releases() -> None:
    lower = {"resources": {"memory": "4 gigs"}}
    assert wrong(held({"model": "als@v9"}, lower)) == [f"RS128 {BASE}", f"RS203 {RECS}"]
    assert sorted(wrong(held({"active": "nope", "dependsOn": ["zz"]}, lower))) == [
        f"RS128 {BASE}",
        f"RS204 {RECS}",
        f"RS205 {RECS}",
    ]
    given = {"files": {"/a": {"from": "nothing"}}, "env": {"A": {"environment": "NO"}}}
    assert sorted(wrong(held(given, lower))) == [
        f"RS128 {BASE}",
        f"RS207 {RECS}",
        f"RS240 {RECS}",
    ]


def test_an_error_in_an_environment_hides_no_reference_of_its_releases() -> None:
    files = held({"model": "als@v9", "dependsOn": ["zz"]})
    files["environments/production/environment.yaml"] = {**kubernetes(), "analyss": {}}
    assert wrong(files) == ["RS120 environments/production/environment.yaml", f"RS203 {RECS}", f"RS205 {RECS}"]


@pytest.mark.parametrize("where", ["release", "environment"])
def test_an_error_in_a_base_names_a_release_with_an_error_of_its_own(where: str) -> None:
    files = held({"replcas": 1} if where == "release" else {}, {"resources": {"memory": "4 gigs"}})
    if where == "environment":
        files["environments/production/environment.yaml"] = {**kubernetes(), "analyss": {}}
    files["environments/staging/environment.yaml"] = compose()
    files[RELEASE] = release("recs", {"api": {}}, extends="../../../bases/recs.yaml")
    (found,) = [d for d in compiled(files).diagnostics if d.code == "RS128"]
    assert found.releases == ("production/recs", "staging/recs")
    assert "RS120" in codes(compiled(files))


def test_references_of_one_service_are_all_looked_up() -> None:
    found = held({"model": "als@v9", "active": "nope", "dependsOn": ["zz"], "env": {"A": {"model": "version"}}})
    assert sorted(wrong(found)) == [f"RS203 {RECS}", f"RS204 {RECS}", f"RS205 {RECS}"]


def test_a_wrong_reference_hides_nothing_of_another_service_and_brings_no_noise() -> None:
    files = held({"model": "als@v9"})
    files[RECS] = release(
        "recs",
        {
            "api": {"model": "als@v9"},
            "b": {**PLAIN, "dependsOn": ["zz", "api"], "candidate": {"image": "a:2"}},
        },
        extends="../../../bases/recs.yaml",
    )
    assert sorted(wrong(files)) == [f"RS203 {RECS}", f"RS205 {RECS}", f"RS303 {RECS}"]


def test_what_only_an_error_leaves_open_is_not_complained_about() -> None:
    lost = {"image": None, "model": "als@v9", "env": {"A": {"model": "version"}}, "variants": {"off": {"replicas": 1}}}
    assert wrong(held(lost)) == [f"RS203 {RECS}"]
    assert wrong(held({"active": "nope", "candidate": {"image": "a:2"}})) == [f"RS204 {RECS}"]
    broken = {**held({"active": "off"}), BASE: "kind: ["}
    assert wrong(broken) == [f"RS100 {BASE}"]
    overridden = held({"model": "als@v0.3", "resources": {"memory": "4 gigs"}}, {"model": "als@v8"})
    assert wrong(overridden) == [f"RS128 {RECS}"]


@pytest.mark.parametrize("value", [5, [], [[]], {"a": 5}, {"a": [{}]}, "text", None, [{}], {"model": []}])
@pytest.mark.parametrize("field", ["variants", "candidate", "dependsOn", "env", "files", "active", "model"])
def test_a_service_of_any_shape_over_a_base_with_an_error_is_looked_at(field: str, value: object) -> None:
    assert "RS900" not in codes(compiled(held({field: value}, {"resources": {"memory": "4 gigs"}})))


def test_a_second_release_of_one_name_has_one_answer() -> None:
    files = held({})
    files["environments/production/release.yaml"] = release("recs", {"api": {}}, extends="../../bases/recs.yaml")
    assert wrong(files) == ["RS220 environments/production/recs/release.yaml"]


@pytest.mark.parametrize("lower", [False, True])
def test_a_candidate_without_a_strategy_has_one_answer(lower: bool) -> None:
    candidate = {"candidate": {"image": "a:2"}}
    files = held({} if lower else candidate, candidate if lower else {})
    files["environments/production/environment.yaml"] = kubernetes(None)
    assert [code.split()[0] for code in wrong(files)] == ["RS303"]


def test_the_limits_of_a_release_hold_for_all_its_layers_together() -> None:
    def files(lower: int, upper: int) -> dict[str, Content]:
        given = held({})
        given[BASE] = base({f"b{n}": PLAIN for n in range(lower)})
        given[RECS] = release(
            "recs", {f"s{n}": PLAIN for n in range(upper)}, extends="../../../bases/recs.yaml", targets=["rollouts"]
        )
        return given

    assert wrong(files(128, 128)) == []
    (found,) = compiled(files(128, 129)).diagnostics
    assert (found.code, found.file) == ("RS122", RECS)
    assert "257" in found.message


def test_the_limits_of_a_service_hold_for_all_its_layers_together() -> None:
    def files(lower: int, upper: int) -> dict[str, Content]:
        return held(
            {"variants": {f"s{n}": {"replicas": 1} for n in range(upper)}},
            {"variants": {f"b{n}": {"replicas": 1} for n in range(lower)}},
        )

    assert wrong(files(16, 16)) == []
    assert wrong(files(16, 17)) == [f"RS122 {RECS}"]


def test_a_value_of_another_kind_is_told_with_the_place_of_the_one_below() -> None:
    files = held({"env": {"A": {"secret": "a/b"}}}, {"env": {"A": "plain"}})
    (found,) = [d for d in compiled(files).diagnostics if d.code == "RS210"]
    (related,) = found.related
    assert (found.file, related.file) == (RECS, BASE)
    assert "a single value" in related.message


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("RS410", {"lifecycle": {"v0.3": "archived"}}),
        ("RS411", {"quarantine": {"v0.3": {"since": "2026-03-01", "reason": "bad"}}}),
        ("RS412", {"lifecycle": {"v0.3": "deprecated"}}),
    ],
)
def test_what_an_alias_leads_to_is_told_with_the_place_of_the_alias(code: str, fields: Map) -> None:
    files = {**held({"model": "als@prod"}), MODEL: model(versioning="semver", aliases={"prod": "v0.3"}, **fields)}
    (found,) = [d for d in compiled(files).diagnostics if d.code == code]
    assert [(place.file, place.message) for place in found.related] == [(MODEL, "the alias is defined here")]
    exact = {**files, RECS: release("recs", {"api": {"model": "als@v0.3"}}, extends="../../../bases/recs.yaml")}
    (found,) = [d for d in compiled(exact).diagnostics if d.code == code]
    assert found.related == ()


def test_an_image_that_all_releases_of_a_base_lack_is_missed_at_the_base() -> None:
    def files(*images: str | None) -> dict[str, Content]:
        given = held({}, {"image": None})
        given[BASE] = base({"api": {"resources": {"cpu": 1}}})
        for number, image in enumerate(images):
            service: Map = {"replicas": 2, **({"image": image} if image else {})}
            name = f"r{number}"
            given[f"environments/production/{name}/release.yaml"] = release(
                name, {"api": service}, extends="../../../bases/recs.yaml"
            )
        del given[RECS]
        return given

    def missed(*images: str | None) -> list[tuple[str, tuple[str, ...]]]:
        return [(d.file, d.releases) for d in compiled(files(*images)).diagnostics if d.code == "RS202"]

    assert missed(None, None) == [(BASE, ("production/r0", "production/r1"))]
    assert missed(None, "a:1") == [("environments/production/r0/release.yaml", ("production/r0",))]
    assert missed("a:1", "a:1") == []


def test_an_image_is_missed_at_the_base_where_nobody_else_could_have_given_it() -> None:
    """Only the releases that have the base's service count, and more than one of them."""
    bare: Map = {"resources": {"cpu": 1}}

    def missed(*services: Map | None, **others: Map) -> list[str]:
        files = {name: text for name, text in held({}, {"image": None}).items() if name != RECS}
        files[BASE] = base({"api": bare, "worker": {"image": "a:1", **bare}})
        for number, service in enumerate(services):
            path = f"environments/production/r{number}/release.yaml"
            files[path] = release(f"r{number}", {"api": service}, extends="../../../bases/recs.yaml")
        files |= {f"environments/production/{name}/release.yaml": other for name, other in others.items()}
        found = [d for d in compiled(files).diagnostics if d.code == "RS202"]
        assert all(d.related == () for d in found if d.file == BASE)
        return [d.file.removeprefix("environments/production/").removesuffix("/release.yaml") for d in found]

    image: Map = {"image": "a:1"}
    assert missed({}) == ["r0"], "one release is no reason to blame the base"
    assert missed({}, {}) == [BASE]
    assert missed({}, {}, image) == ["r0", "r1"]
    assert missed({}, {}, None) == [BASE], "the third leaves the service out"
    assert missed({}, {}, other=release("other", {"api": {**image, **bare}})) == [BASE], "of no base"


def test_the_place_of_an_alias_is_its_own_line() -> None:
    files = {**held({"model": "als@prod"}), MODEL: model(versioning="semver", aliases={"last": "v0.3", "prod": "v0.3"})}
    files[MODEL] = {**files[MODEL], "lifecycle": {"v0.3": "archived"}}  # type: ignore[dict-item]
    (found,) = [d for d in compiled(files).diagnostics if d.code == "RS410"]
    (place,) = found.related
    lines = written(files[MODEL]).decode().splitlines()
    assert lines[place.range.line - 1].strip() == "prod: v0.3"

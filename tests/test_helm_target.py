"""The Helm target: values for a team's own chart and for the packaged one, checked as Helm checks them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import company as c
import judges
from relspec.compiler import Compiled, Compiler
from relspec.diagnostics import Kind, RelspecError, Severity
from relspec.explain import line
from relspec.packaged import TEMPLATES, TemplateSources
from relspec.resolve import ResolvedRelease
from relspec.targets.helm.context import context_schema
from relspec.targets.helm.target import helm
from relspec.targets.helm.values_context import image_parts, values_context
from relspec.tree import DirectoryTree

CHARTS = Path(__file__).parent / "fixtures" / "charts"
CREATED, GROWN, MODELKIT = "created", "grown", "modelkit"
ENVIRONMENT = "environments/production/environment.yaml"
RELEASE = "environments/production/recs/release.yaml"
TEMPLATE = "environments/production/values.yaml.j2"
OUTPUT = "rendered/production/recs/helm/values.yaml"
REFERENCE_CHART = TEMPLATES / "helm" / "reference"

MODELKIT_TEMPLATE = """\
modelkitRef: {{ service.model.reference }}
replicas: {{ service.replicas.min }}
env: {{ service.container.env }}
probe: {{ service.container.readinessProbe.httpGet }}
"""


def chart(name: str) -> dict[str, c.Content]:
    """A chart of the fixtures, in the repository's charts/."""
    return {f"charts/{name}/{path}": data for path, data in c.on_disk(CHARTS / name).items()}


def environment_text(chart_name: str | None, values: str = "", more: str = "") -> str:
    """environment.yaml: `values` is YAML on the line of targets.helm (line 6)."""
    named = f"chart: ../../charts/{chart_name}, " if chart_name else ""
    return (
        "apiVersion: relspec/v1\nkind: Environment\nname: production\ntargets:\n"
        f"  helm:\n    {{{named}{f'values: {values}, ' if values else ''}namespace: ml}}\n{more}"
    )


def release_text(services: str, more: str = "") -> str:
    """release.yaml: `services` begins on line 5."""
    return f"apiVersion: relspec/v1\nkind: Release\nname: recs\nservices:\n{services}{more}"


API = """\
  api:
    model: als@v0.3
    ports: {http: 8080}
    health: {path: /healthz}
    resources: {cpu: 500m, memory: 1Gi}
"""


def repository(
    environment: str, services: str = API, more: str = "", *, charts: tuple[str, ...] = (), **files: c.Content
) -> dict[str, c.Content]:
    found: dict[str, c.Content] = {
        ".gitignore": "rendered/**/.env\n",
        ENVIRONMENT: environment,
        RELEASE: release_text(services, more),
        **c.registry("v0.3", "v0.4", versioning="semver"),
        "relspec.lock": c.lock_text(),
        **files,
    }
    for name in charts:
        found.update(chart(name))
    return found


def with_template(
    template: str = MODELKIT_TEMPLATE, services: str = API, more: str = "", *, policies: str = ""
) -> dict[str, c.Content]:
    """The modelkit chart with the environment's own template."""
    environment = environment_text(MODELKIT, "values.yaml.j2", policies)
    return {**repository(environment, services, more, charts=(MODELKIT,)), TEMPLATE: template}


def values_of(files: c.Files, path: str = OUTPUT) -> Any:
    (document,) = c.documents(c.outputs(files)[path])
    return document


def said(files: c.Files) -> list[str]:
    """Each error and warning as `code file:line:column`."""
    return [
        f"{d.code} {d.file}:{d.range.line if d.range else '-'}:{d.range.column if d.range else '-'}"
        for d in c.compiled(files).diagnostics
        if d.severity is not Severity.NOTE
    ]


def place(files: c.Files, file: str, text: str) -> str:
    """`file:line:column` of a text that stands once in a file."""
    content = c.written(files[file]).decode()
    assert content.count(text) == 1, f"{text!r} stands {content.count(text)} times in {file}"
    before = content[: content.index(text)]
    return f"{file}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def the(result: Compiled, code: str) -> Any:
    (found,) = (diagnostic for diagnostic in result.diagnostics if diagnostic.code == code)
    return found


# -- which values, for which chart


def test_no_chart_is_the_packaged_one() -> None:
    values = values_of(repository(environment_text(None)))
    assert list(values) == ["objects"]
    assert {made["kind"] for made in values["objects"]} == {"ServiceAccount", "Service", "Rollout"}


def test_the_packaged_chart_gets_exactly_the_objects_of_the_rollouts_target() -> None:
    router = "router: {istio: {gateway: istio-ingress/main}}\nexpose: {host: recs.acme.example}\n"
    services = API + "    candidate: {model: als@v0.4}\n    strategy: {canary: {weight: 10}}\n"
    by_helm = values_of(repository(environment_text(None, more=router), services))
    environment = environment_text(None, more=router).replace("helm:", "rollouts:")
    by_rollouts = c.outputs(repository(environment, services))[OUTPUT.replace("helm/values", "rollouts/rollouts")]
    assert by_helm["objects"] == c.documents(by_rollouts)


def test_the_packaged_chart_for_each_service() -> None:
    worker = "  worker: {image: 'ghcr.io/acme/w:1', resources: {memory: 1Gi}, health: {tcp: 1}}\n"
    whole = values_of(repository(environment_text(None), API + worker))["objects"]
    files = repository(environment_text(None), API + worker, more="helm: {per: service}\n")
    made = {Path(path).name: c.documents(data)[0]["objects"] for path, data in c.outputs(files).items()}
    assert sorted(made) == ["values-api.yaml", "values-worker.yaml"]
    assert all(each["metadata"]["name"].startswith("recs-api") for each in made["values-api.yaml"])
    assert sorted(map(str, made["values-api.yaml"] + made["values-worker.yaml"])) == sorted(map(str, whole))


def test_the_teams_own_template() -> None:
    assert values_of(with_template()) == {
        "modelkitRef": "ghcr.io/acme/als:v0.3",
        "replicas": 1,
        "env": [],
        "probe": {"path": "/healthz", "port": 8080},
    }


def test_an_inline_map_with_holes() -> None:
    values = '{modelkitRef: "{{ service.model.reference }}", replicas: 2, seed: "n-{{ service.replicas.min }}"}'
    files = repository(environment_text(MODELKIT, values), charts=(MODELKIT,))
    assert values_of(files) == {"modelkitRef": "ghcr.io/acme/als:v0.3", "replicas": 2, "seed": "n-1"}


def test_the_scaffold_for_each_service() -> None:
    environment = environment_text(GROWN, "scaffold, per: service")
    web = (
        "  web: {image: 'ghcr.io/acme/web:2.0.0', ports: {http: 3000}, resources: {memory: 1Gi}, health: {tcp: 3000}}\n"
    )
    made = c.outputs(repository(environment, API + web, charts=(GROWN,)))
    assert set(made) == {OUTPUT.replace(".yaml", f"-{name}.yaml") for name in ("api", "web")}
    api, web_values = (c.documents(data)[0] for data in made.values())
    assert api["image"] == {"repository": "ghcr.io/acme/als-serving", "tag": "v0.3"}
    assert api["model"]["reference"] == "ghcr.io/acme/als:v0.3"
    assert web_values["image"]["tag"] == "2.0.0"
    assert "model" not in web_values


def test_values_of_several_services_in_one_file() -> None:
    template = "{% for name, service in services | items %}\n{{ name }}: {{ service.image.ref }}\n{% endfor %}\n"
    web = "  web: {image: 'ghcr.io/acme/web:2.0.0', resources: {memory: 1Gi}, health: {tcp: 3000}}\n"
    bare = {"charts/bare/Chart.yaml": "apiVersion: v2\nname: bare\nversion: 0.1.0\n"}
    bare["charts/bare/values.yaml"] = 'api: ""\nweb: ""\n'
    files = {**repository(environment_text("bare", "values.yaml.j2"), API + web), TEMPLATE: template, **bare}
    assert values_of(files) == {"api": "ghcr.io/acme/als-serving:v0.3", "web": "ghcr.io/acme/web:2.0.0"}


def test_a_release_says_another_chart_field_by_field() -> None:
    files = repository(
        environment_text(CREATED, "scaffold"), more="helm: {chart: ../../../charts/grown}\n", charts=(CREATED, GROWN)
    )
    result = c.compiled(files)
    assert c.codes(result) == []
    assert values_of(files)["terminationGracePeriodSeconds"] == 30


def test_plain_values_of_a_release_are_always_allowed() -> None:
    files = repository(
        environment_text(MODELKIT, "values.yaml.j2"),
        more="helm: {values: {modelkitRef: 'ghcr.io/acme/als:v0.3', split: {image: null}, probe: null}}\n",
        charts=(MODELKIT,),
    )
    assert values_of(files) == {"modelkitRef": "ghcr.io/acme/als:v0.3", "split": {"image": None}, "probe": None}
    warning = the(c.compiled(files), "RS535")
    assert (warning.severity, warning.range.line) == (Severity.WARNING, 5)


def test_a_null_of_an_inline_map_is_a_value() -> None:
    values = '{modelkitRef: "{{ service.model.reference }}", split: {image: null}, probe: null}'
    files = repository(environment_text(MODELKIT, values), charts=(MODELKIT,))
    assert values_of(files) == {"modelkitRef": "ghcr.io/acme/als:v0.3", "split": {"image": None}, "probe": None}


def test_a_nested_environment_adds_to_the_values_of_the_outer_one() -> None:
    outer = environment_text(MODELKIT, '{modelkitRef: "{{ service.model.reference }}", replicas: 2}')
    inner = "environments/production/eu/environment.yaml"
    files = repository(outer, charts=(MODELKIT,))
    files[inner] = (
        "apiVersion: relspec/v1\nkind: Environment\nname: eu\n"
        "targets: {helm: {cluster: eu, values: {replicas: 9, probe: null}}}\n"
    )
    files["environments/production/eu/recs/release.yaml"] = files.pop(RELEASE)
    assert said(files) == [f"RS531 {place(files, inner, '9')}"]
    files[inner] = c.written(files[inner]).replace(b"9", b"3")
    values = values_of(files, "rendered/production/eu/recs/helm/values.yaml")
    assert values == {"modelkitRef": "ghcr.io/acme/als:v0.3", "replicas": 3, "probe": None}


def test_only_services_of_this_target_are_in_the_values() -> None:
    environment = environment_text(MODELKIT, "values.yaml.j2", "").replace("  helm:", "  compose: {}\n  helm:")
    redis = "  redis: {image: 'redis:7', resources: {memory: 1Gi}, targets: [compose]}\n"
    services = API.replace("    model:", "    targets: [helm]\n    model:") + redis
    files = {**repository(environment, services, charts=(MODELKIT,)), TEMPLATE: MODELKIT_TEMPLATE}
    assert values_of(files)["modelkitRef"] == "ghcr.io/acme/als:v0.3"


def test_nothing_is_pruned_because_null_removes_a_default() -> None:
    files = with_template(
        MODELKIT_TEMPLATE.replace("probe: {{ service.container.readinessProbe.httpGet }}", "probe: null")
    )
    assert b"probe: null" in c.outputs(files)[OUTPUT]


def test_the_scaffold_names_all_handlers_of_a_probe() -> None:
    values = values_of(repository(environment_text(GROWN, "scaffold"), charts=(GROWN,)))
    probe = values["readinessProbe"]
    assert probe["httpGet"] == {"path": "/healthz", "port": 8080}
    assert {name: probe[name] for name in ("exec", "grpc", "tcpSocket")} == dict.fromkeys(("exec", "grpc", "tcpSocket"))
    assert values["livenessProbe"] is None


# -- overrides


def test_overrides_of_the_release_then_of_the_service() -> None:
    services = API + "    overrides: {helm: {seed: 2, split: {weight: 7}}}\n"
    files = with_template(services=services, more="overrides: {helm: {seed: 1, split: {image: a}, env: null}}\n")
    values = values_of(files)
    assert values["seed"] == 2
    assert values["split"] == {"weight": 7, "image": "a"}
    assert "env" not in values


def test_an_override_that_the_chart_refuses_is_found_in_the_override() -> None:
    files = with_template(more="overrides:\n  helm:\n    seed: true\n")
    assert said(files) == [f"RS531 {RELEASE}:12:11"]


@pytest.mark.parametrize("patch", ["replicas: 3", "modelkitRef: {a: 1}"])
def test_an_override_leaves_alone_what_a_rollback_depends_on(patch: str) -> None:
    files = with_template(services=API + f"    overrides: {{helm: {{{patch}}}}}\n")
    assert f"RS360 {place(files, RELEASE, patch)}" in said(files)


def test_an_override_that_removes_what_the_chart_needs() -> None:
    files = with_template(more="overrides: {helm: {modelkitRef: null}}\n")
    assert said(files) == [f"RS360 {place(files, RELEASE, 'modelkitRef')}", f"RS531 {place(files, RELEASE, 'null')}"]


def test_an_override_may_add_beside_what_a_template_wrote() -> None:
    environment = environment_text(GROWN, "scaffold")
    files = repository(environment, more="overrides: {helm: {image: {pullPolicy: Always}}}\n", charts=(GROWN,))
    assert values_of(files)["image"] == {
        "repository": "ghcr.io/acme/als-serving",
        "tag": "v0.3",
        "pullPolicy": "Always",
    }


def test_an_override_of_all_objects_is_refused() -> None:
    files = repository(environment_text(None), more="overrides:\n  helm:\n    objects: []\n")
    assert said(files) == [f"RS360 {RELEASE}:12:5"]


def test_an_override_that_the_packaged_chart_refuses() -> None:
    files = repository(environment_text(None), more="overrides:\n  helm:\n    extra: 1\n")
    assert said(files) == [f"RS531 {RELEASE}:12:12"]


# -- what is wrong, and where


INLINE_HOLE = '{modelkitRef: "{{ service.model.reference }}", replicas: 7}'
WRONG: list[tuple[str, dict[str, c.Content], str, str, str]] = [
    ("missing chart", repository(environment_text("gone", "scaffold")), "RS530", ENVIRONMENT, "../../charts/gone"),
    ("values without a chart", repository(environment_text(None, "scaffold")), "RS530", ENVIRONMENT, "values"),
    ("chart without values", repository(environment_text(MODELKIT), charts=(MODELKIT,)), "RS533", ENVIRONMENT, "chart:"),
    (
        "values that are no template",
        repository(environment_text(MODELKIT, "values.yaml"), charts=(MODELKIT,)),
        "RS533", ENVIRONMENT, "values.yaml",
    ),
    (
        "missing template",
        repository(environment_text(MODELKIT, "gone.yaml.j2"), charts=(MODELKIT,)),
        "RS505", ENVIRONMENT, "gone.yaml.j2",
    ),
    (
        "template outside the repository",
        repository(environment_text(MODELKIT, "../../../gone.yaml.j2"), charts=(MODELKIT,)),
        "RS241", ENVIRONMENT, "../../../gone",
    ),
    (
        "unknown name in an inline map",
        repository(environment_text(MODELKIT, '{modelkitRef: "{{ service.gone }}"}'), charts=(MODELKIT,)),
        "RS501", ENVIRONMENT, '"{{',
    ),
    ("unknown name", with_template(MODELKIT_TEMPLATE + "seed: {{ service.gone }}\n"), "RS501", TEMPLATE, "gone"),
    ("a list", with_template("- {{ service.name }}\n"), "RS504", TEMPLATE, "-"),
    ("nothing", with_template("# {{ service.name }}\n"), "RS504", TEMPLATE, "#"),
    ("a value of the release", with_template(services=API + "    replicas: 9\n"), "RS531", RELEASE, "9"),
    (
        "a value inside a list",
        with_template(services=API + "    env:\n      NOTE: longer than twenty characters\n"),
        "RS531", RELEASE, "longer",
    ),
    (
        "a value of the template",
        with_template(MODELKIT_TEMPLATE.replace("{{ service.replicas.min }}", "0")),
        "RS531", TEMPLATE, "replicas: 0",
    ),
    ("an unknown value", with_template(MODELKIT_TEMPLATE + "extra: 1\n"), "RS531", TEMPLATE, "extra"),
    (
        "a value of an inline map",
        repository(environment_text(MODELKIT, INLINE_HOLE), charts=(MODELKIT,)),
        "RS531", ENVIRONMENT, "7}",
    ),
    (
        "a hole of an inline map",
        repository(environment_text(MODELKIT, '{modelkitRef: "{{ service.image.tag }}"}'), charts=(MODELKIT,)),
        "RS531", RELEASE, "als@v0.3",
    ),
    ("a large number", with_template(MODELKIT_TEMPLATE + "seed: 9007199254740993\n"), "RS520", TEMPLATE, "seed"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "code", "file", "text"), [pytest.param(*case[1:], id=case[0]) for case in WRONG])
def test_an_error_is_reported_where_it_was_written(files: c.Files, code: str, file: str, text: str) -> None:
    assert said(files) == [f"{code} {place(files, file, text)}"]
    result = c.compiled(files)
    assert all(diagnostic.hint for diagnostic in result.diagnostics)
    assert result.stopped


def test_a_default_of_the_environment_that_the_chart_refuses() -> None:
    files = with_template(policies="defaults:\n  replicas: 7\n")
    assert said(files) == [f"RS531 {ENVIRONMENT}:8:13"]


def test_a_schema_that_no_values_satisfy_is_the_charts_fault() -> None:
    files = {**with_template(), "charts/modelkit/values.schema.json": '{"type": "nothing"}'}
    assert said(files) == [f"RS530 {ENVIRONMENT}:6:13"]


def test_a_dependency_that_is_not_vendored_is_a_note() -> None:
    metadata = "apiVersion: v2\nname: modelkit\nversion: 0.1.0\ndependencies: [{name: redis, version: 1.x}]\n"
    result = c.compiled({**with_template(), "charts/modelkit/Chart.yaml": metadata})
    note = the(result, "RS532")
    assert (note.severity, note.file, note.range.line) == (Severity.NOTE, ENVIRONMENT, 6)
    assert not result.stopped


# -- templates of a release


def test_a_release_may_not_bring_a_template() -> None:
    files = with_template(more="helm: {values: own.yaml.j2}\n")
    files["environments/production/recs/own.yaml.j2"] = MODELKIT_TEMPLATE
    assert said(files) == [f"RS534 {RELEASE}:10:16"]
    found = the(c.compiled(files), "RS534")
    assert (found.kind, found.severity) == (Kind.POLICY, Severity.ERROR)
    assert "policies: {templates: release}" in found.hint


def test_a_release_may_bring_a_template_where_the_environment_says_so() -> None:
    files = with_template(more="helm: {values: own.yaml.j2}\n", policies="policies: {templates: release}\n")
    files["environments/production/recs/own.yaml.j2"] = MODELKIT_TEMPLATE
    assert said(files) == []
    assert values_of(files)["modelkitRef"] == "ghcr.io/acme/als:v0.3"


def test_holes_in_a_releases_own_map() -> None:
    own = "helm:\n  values:\n    modelkitRef: 'ghcr.io/acme/als:v0.3'\n    replicas: '{{ service.replicas.min }}'\n"
    assert said(with_template(more=own)) == [f"RS534 {RELEASE}:13:15"]
    assert said(with_template(more=own, policies="policies: {templates: release}\n")) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("{a: '{{ release.name }}'}", ["12:9"]),
        ("{'{{ release.name }}': a}", ["12:6"]),
        ("{a: [b, '{{ release.name }}']}", ["12:13"]),
        ("{a: [b, {'{% set c = 1 %}': d}]}", ["12:14"]),
        ("{a: [b, c]}", []),
    ],
)
def test_a_hole_of_a_release_is_found_wherever_it_is(values: str, expected: list[str]) -> None:
    files = with_template(more=f"helm:\n  values:\n    {values}\n")
    holes = [each for each in said(files) if each.startswith("RS534")]
    assert holes == [f"RS534 {RELEASE}:{place}" for place in expected]


def test_the_scaffold_may_be_named_by_a_release() -> None:
    files = repository(environment_text(MODELKIT, "values.yaml.j2"), charts=(MODELKIT, GROWN))
    files[RELEASE] = release_text(API, "helm: {chart: ../../../charts/grown, values: scaffold}\n")
    files[TEMPLATE] = MODELKIT_TEMPLATE
    assert said(files) == []


# -- no silent loss

HELD = "    candidate: {model: als@v0.4}\n    strategy: {canary: {weight: 10}}\n"
STEPPED = "    strategy: {canary: {steps: [{setWeight: 10}, {pause: {}}]}}\n"
ISTIO = "router: {istio: {}}\n"
SPLIT = "split: {weight: {{ service.strategy.weight }}, image: {{ service.candidate.image.ref }}}\n"


@pytest.mark.parametrize(
    ("template", "services", "expected"),
    [
        (MODELKIT_TEMPLATE, API + HELD, [f"RS336 {RELEASE}:11:5"]),
        (MODELKIT_TEMPLATE, API + STEPPED, [f"RS336 {RELEASE}:10:5"]),
        (MODELKIT_TEMPLATE + "split: {weight: {{ service.strategy.weight }}}\n", API + HELD, [f"RS336 {RELEASE}:10:5"]),
        (MODELKIT_TEMPLATE + SPLIT, API + HELD, []),
        (MODELKIT_TEMPLATE + "{% if service.strategy.name == 'stepped' %}\nseed: 1\n{% endif %}\n", API + STEPPED, []),
        (MODELKIT_TEMPLATE, API + HELD + "    routing: app\n", []),
        (MODELKIT_TEMPLATE.replace("env: {{ service.container.env }}\n", ""), API + HELD + "    routing: app\n", [f"RS336 {RELEASE}:11:5"]),
        (MODELKIT_TEMPLATE, API + HELD + "    variants: {simple: {model: als@v0.4}}\n    active: simple\n", []),
    ],
)  # fmt: skip
def test_a_template_that_never_reads_the_strategy(template: str, services: str, expected: list[str]) -> None:
    assert said(with_template(template, services, policies=ISTIO)) == expected


def test_the_contract_of_an_application_that_routes_is_in_the_values() -> None:
    values = values_of(with_template(services=API + HELD + "    routing: app\n"))
    assert {entry["name"]: entry["value"] for entry in values["env"]} == {
        "ROLLOUT_STRATEGY": "canary",
        "MODEL_VERSION": "v0.3",
        "CANARY_VERSION": "v0.4",
        "CANARY_PERCENTAGE": "10",
        "ENVIRONMENT": "production",
    }


def test_a_template_that_never_reads_a_service() -> None:
    worker = "  worker: {image: 'ghcr.io/acme/w:1', resources: {memory: 1Gi}, health: {tcp: 1}}\n"
    template = MODELKIT_TEMPLATE.replace("service.", "services.api.")
    assert said(with_template(template, API + worker)) == [f"RS535 {RELEASE}:10:3"]


def test_service_is_null_where_a_release_has_several() -> None:
    worker = "  worker: {image: 'ghcr.io/acme/w:1', resources: {memory: 1Gi}, health: {tcp: 1}}\n"
    result = c.compiled(with_template(services=API + worker))
    found = the(result, "RS502")
    assert (found.file, found.range.line) == (TEMPLATE, 1)
    assert (
        found.hint
        == "`service` is null where a release has several (api, worker): write per: service, or read services.NAME"
    )


def test_values_that_the_chart_never_reads() -> None:
    files = repository(environment_text(CREATED, "scaffold"), API + "    env: {LOG_LEVEL: info}\n", charts=(CREATED,))
    result = c.compiled(files)
    found = [(d.severity, d.file, d.range.line if d.range else 0, d.message) for d in result.diagnostics]
    assert found == [
        (Severity.NOTE, ENVIRONMENT, 6, "chart created never reads lifecycle, terminationGracePeriodSeconds: only defaults are lost"),
        (Severity.WARNING, RELEASE, 6, "chart created never reads model, so this is lost"),
        (Severity.WARNING, RELEASE, 8, "chart created never reads startupProbe, so this is lost"),
        (Severity.WARNING, RELEASE, 10, "chart created never reads env, so this is lost"),
    ]  # fmt: skip
    assert not result.stopped


def test_many_values_that_the_chart_never_reads_cost_little() -> None:
    lines = "{% for i in range(400) %}\nk{{ i }}: {a: [1, 2]}\n{% endfor %}\n"
    files = {**with_template(MODELKIT_TEMPLATE + lines), "charts/modelkit/values.schema.json": "{}"}
    start = time.process_time()
    found = [(d.code, d.message) for d in c.compiled(files).diagnostics if d.code == "RS536"]
    assert time.process_time() - start < 2
    assert len(found) == 21
    assert ("RS536", "chart modelkit never reads 380 values more, so they are lost") in found


@pytest.mark.parametrize(
    ("content", "code"), [(b"a: " + b"x" * 1_100_000, "RS106"), (b"a: 1\nb: \xff\n", "RS105"), (None, "RS505")]
)
def test_a_values_template_that_cannot_be_read_says_why(content: bytes | None, code: str) -> None:
    files = with_template()
    del files[TEMPLATE]
    if content is not None:
        files[TEMPLATE] = content
    found = the(c.compiled(files), code)
    assert found.file == (TEMPLATE if content is not None else ENVIRONMENT)


def test_a_schema_that_is_too_large_is_named_by_its_path() -> None:
    files = {**with_template(), "charts/modelkit/values.schema.json": b" " * 1_100_000}
    assert the(c.compiled(files), "RS106").file == "charts/modelkit/values.schema.json"


@pytest.mark.parametrize("name", [TEMPLATE, "templates/compose/compose.yaml.j2"])
def test_a_template_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).symlink_to("elsewhere")
    sources = TemplateSources(DirectoryTree(tmp_path))
    with pytest.raises(RelspecError) as caught:
        sources(f"//{name}" if name == TEMPLATE else "compose/compose.yaml.j2")
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("RS241", name)


def test_a_literal_of_the_template_that_the_chart_never_reads() -> None:
    files = {**with_template(MODELKIT_TEMPLATE + "extra: 1\n"), "charts/modelkit/values.schema.json": "{}"}
    assert said(files) == [f"RS536 {TEMPLATE}:5:1"]


@pytest.mark.parametrize(
    ("hole", "severity", "place"),
    [
        ("container.readinessProbe.httpGet.path", Severity.WARNING, f"{RELEASE}:8"),
        ("container.readinessProbe.periodSeconds", Severity.NOTE, f"{ENVIRONMENT}:6"),
        ("replicas.min", Severity.NOTE, f"{ENVIRONMENT}:6"),
    ],
)
def test_only_a_default_is_lost_where_nobody_wrote_the_value(hole: str, severity: Severity, place: str) -> None:
    template = MODELKIT_TEMPLATE + f"extra: {{{{ service.{hole} }}}}\n"
    found = the(c.compiled({**with_template(template), "charts/modelkit/values.schema.json": "{}"}), "RS536")
    assert (found.severity, f"{found.file}:{found.range.line}") == (severity, place)


def test_what_no_values_template_can_read() -> None:
    services = API + "    replicas: {min: 1, max: 3, metrics: [{type: pods, name: queue, target: '10'}]}\n"
    services += "    files: {/etc/blob: {from: blob}}\n"
    files = with_template(services=services)
    files["environments/production/recs/blob"] = b"\xff\x00"
    assert said(files) == [f"RS324 {place(files, RELEASE, text)}" for text in ("metrics", "blob}")]
    # The strategy that the template never reads is said at the same time.
    guarded = "    strategy: {blueGreen: {analyze: {before: [up]}}}\n"
    analysis = "  rollouts: {prometheus: 'http://p:9090'}\nanalyses: {up: {query: vector(1), success: 'true'}}\n"
    files = with_template(
        services=API.replace("  api:\n", "  api:\n    targets: [helm]\n") + guarded, policies=analysis
    )
    assert said(files) == [f"RS336 {place(files, RELEASE, 'strategy')}", f"RS324 {place(files, RELEASE, 'analyze')}"]
    packaged = repository(environment_text(None), services)
    packaged["environments/production/recs/blob"] = b"\xff\x00"
    assert said(packaged) == []


@pytest.mark.parametrize(
    ("content", "is_text"), [(b"a: \xc3\xa9\n", True), (b"", True), (b"a\x00", False), (b"\xff", False)]
)
def test_values_hold_text(content: bytes, is_text: bool) -> None:
    files = with_template(services=API + "    files: {/etc/blob: {from: blob}}\n")
    files["environments/production/recs/blob"] = content
    assert said(files) == ([] if is_text else [f"RS324 {place(files, RELEASE, 'blob}')}"])


@pytest.mark.parametrize("field", ["maxSurge", "maxUnavailable"])
def test_no_values_template_can_read_how_many_pods_may_come_and_go(field: str) -> None:
    surge = STEPPED.replace("canary: {", f"canary: {{{field}: 2, ")
    files = with_template(MODELKIT_TEMPLATE, API + surge)
    found = the(c.compiled(files), "RS325")
    assert f"{found.file}:{found.range.line}:{found.range.column}" == place(files, RELEASE, field)
    packaged = repository(environment_text(None), API + surge)
    assert "RS325" not in c.codes(c.compiled(packaged))


# -- the context

FULL = """\
  api:
    model: als@v0.3
    command: [serve, --port, 8080]
    ports: {http: 8080, admin: 8081}
    metrics: {port: 9100}
    health: {path: /healthz, startup: 2m, live: true}
    resources: {cpu: 500m, cpuLimit: 2, memory: 1Gi, gpu: 1}
    replicas: {min: 2, max: 4, cpu: 70}
    env: {LOG_LEVEL: info, REF: {model: reference}, KEY: {secret: recs/api-key}, WHERE: {environment: name}}
    files: {/etc/app.yaml: {content: "a: 1"}}
    volumes: {/data: {empty: 1Gi}, /models: {name: models, readOnly: true}}
    init: [{name: unpack, image: "ghcr.io/acme/unpack:1.0.0", command: [unpack]}]
    sidecars: [{name: proxy, image: "ghcr.io/acme/proxy:1.0.0", env: {A: b}, volumes: {/data: {empty: 1Gi}}}]
    security: {user: 10001}
    writable: [/tmp]
    labels: {team: recs}
    annotations: {acme.example/oncall: recs}
    serviceAccount: recs
    imagePullSecrets: [ghcr]
    placement: {nodeSelector: {disk: ssd}, tolerations: [{key: gpu, operator: Exists}], runtimeClass: nvidia}
    candidate: {model: als@v0.4}
    strategy: {canary: {weight: 10, stickyBy: {header: x-user-id, bucket: mod100}}}
"""
GATEWAY = "router: {gateway: {parent: gateways/main}}\nexpose: {host: '{release}.acme.example', tls: recs-tls}\n"


def resolved(files: c.Files) -> ResolvedRelease:
    compiler = Compiler(c.tree(files))
    (place,) = compiler.found.releases
    return compiler.resolver.release(place.file, place.environment, place.id)


def context_of(services: str = FULL, more: str = ISTIO) -> Any:
    release = resolved(repository(environment_text(None, more=more), services))
    return values_context(release, list(release.services.values()), "ml")


@pytest.mark.parametrize("services", [API, FULL, "  worker: {image: 'ghcr.io/acme/w'}\n", API + STEPPED])
@pytest.mark.parametrize("more", [ISTIO, GATEWAY])
def test_the_context_is_the_published_one(services: str, more: str) -> None:
    jsonschema.validate(context_of(services, more), context_schema())


def test_the_context_of_a_service() -> None:
    context = context_of()
    service = context["service"]
    assert service is context["services"]["api"]
    assert context["release"]["labels"] == {
        "app.kubernetes.io/instance": "recs",
        "app.kubernetes.io/managed-by": "Helm",
    }
    assert service["env"][2] == {"name": "KEY", "value": None, "secret": {"name": "recs", "key": "api-key"}}
    assert service["env"][1]["value"] == "ghcr.io/acme/als:v0.3"
    assert service["files"][0]["content"] == "a: 1"
    assert service["route"] == {"name": "http", "port": 8080, "protocol": "http"}
    assert service["replicas"] == {"min": 2, "max": 4, "cpu": 70, "memory": None}
    assert service["resources"]["limits"] == {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "1"}
    assert service["strategy"]["weight"] == 10
    assert service["strategy"]["stickyBy"] == {"header": "x-user-id", "cookie": None, "bucket": "mod100"}
    assert service["candidate"]["model"]["version"] == "v0.4"
    assert service["candidate"]["replicas"]["min"] == 1


def test_the_context_of_a_pod() -> None:
    service = context_of()["service"]
    pod, container = service["pod"], service["container"]
    assert container["command"] == ["serve", "--port", "8080"]
    assert [port["name"] for port in container["extraPorts"]] == ["admin", "metrics"]
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}
    assert container["startupProbe"]["failureThreshold"] == 12
    assert container["livenessProbe"] == container["readinessProbe"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/data", "/models"}
    assert not any("configMap" in volume for volume in pod["volumes"])
    assert pod["labels"] == {"team": "recs"}
    assert pod["annotations"]["prometheus.io/port"] == "9100"
    (init,) = pod["initContainers"]
    assert init["volumeMounts"] == container["volumeMounts"]
    assert init["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert None not in init.values()
    assert pod["sidecars"][0]["env"] == [{"name": "A", "value": "b"}]


def test_where_a_service_is_exposed() -> None:
    assert context_of(API, GATEWAY)["service"]["expose"] == {
        "host": "recs.acme.example",
        "path": "/",
        "tls": "recs-tls",
        "gateway": {"name": "main", "namespace": "gateways"},
    }
    assert context_of(API, ISTIO)["service"]["expose"] is None


def test_steps_are_in_seconds() -> None:
    steps = "    strategy: {canary: {steps: [{setWeight: 10}, {pause: 5m}, {pause: {}}]}}\n"
    assert [list(step.values()) for step in context_of(API + steps)["service"]["strategy"]["steps"]] == [
        [10, None, None],
        [None, 300, None],
        [None, 0, None],
    ]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("redis", ("redis", "latest", "")),
        ("redis:7", ("redis", "7", "")),
        ("localhost:5000/redis", ("localhost:5000/redis", "latest", "")),
        ("localhost:5000/redis:7@sha256:00", ("localhost:5000/redis", "7", "sha256:00")),
        ("ghcr.io/acme/recs@sha256:00", ("ghcr.io/acme/recs", "", "sha256:00")),
    ],
)
def test_the_parts_of_an_image(reference: str, parts: tuple[str, str, str]) -> None:
    assert image_parts(reference) == parts


ORIGINS = """\
tag: {{ service.image.tag }}
model: {{ service.model.version }}
requests: {{ service.resources.requests }}
env: {{ service.container.env }}
period: {{ service.container.readinessProbe.periodSeconds }}
weight: {{ service.strategy.weight }}
candidate: {{ service.candidate.model.version }}
grace: {{ service.pod.terminationGracePeriodSeconds }}
host: {{ service.route.port }}
namespace: {{ release.namespace }}
"""


def test_every_value_is_traced_to_its_line() -> None:
    services = API + "    env: {LOG_LEVEL: info}\n    shutdown: {grace: 40s}\n" + HELD
    files = with_template(ORIGINS, services, policies=ISTIO)
    files["charts/modelkit/values.schema.json"] = "{}"
    (release,) = c.compiled(files).releases
    text = c.outputs(files)[OUTPUT].decode().splitlines()

    def at(start: str) -> tuple[str, Any]:
        number = next(index for index, each in enumerate(text, 1) if each.strip().startswith(start))
        found = line(release, "helm/values.yaml", number)
        assert found is not None
        return found.source.file, found.source.path

    def of_service(*path: str | int) -> tuple[str, Any]:
        return RELEASE, ("services", "api", *path)

    assert at("model:") == of_service("model")
    assert at("tag:") == of_service("model")
    assert at("memory:") == of_service("resources", "memory")
    assert at("- name: LOG_LEVEL") == of_service("env", "LOG_LEVEL")
    assert at("weight:") == of_service("strategy", "canary", "weight")
    assert at("candidate:") == of_service("candidate", "model")
    assert at("grace:") == of_service("shutdown", "grace")
    assert at("host:") == of_service("ports", "http", "port")
    assert at("namespace:") == (ENVIRONMENT, ("targets", "helm", "namespace"))


def test_an_object_of_the_packaged_chart_is_traced_to_its_line() -> None:
    files = repository(environment_text(None), API + "    env: {LOG_LEVEL: info}\n")
    (release,) = c.compiled(files).releases
    text = c.outputs(files)[OUTPUT].decode().splitlines()
    number = next(index for index, each in enumerate(text, 1) if "LOG_LEVEL" in each)
    found = line(release, "helm/values.yaml", number)
    assert found is not None
    assert found.source.path == ("services", "api", "env", "LOG_LEVEL")


def test_an_object_that_kubernetes_refuses_is_found_in_the_packaged_charts_values_too() -> None:
    overrides = "    overrides: {rollouts: {container: {bogus: 1}}}\n"
    files = repository(environment_text(None), API + overrides)
    assert said(files) == [f"RS520 {place(files, RELEASE, 'bogus')}"]


def test_two_targets_share_nothing_that_a_template_could_change() -> None:
    release = resolved(with_template())
    compiler = Compiler(c.tree(with_template()))
    first = helm(release, compiler.templates, "rendered")[0].documents
    assert first is not None
    first[0]["env"].append("changed")
    assert helm(release, compiler.templates, "rendered")[0].documents != first


# -- the command line


def test_the_values_of_a_rollback_are_printed(tmp_path: Path) -> None:
    """`relspec compile --at REV --target helm --stdout ID > values-rollback.yaml`"""
    made = c.repository(tmp_path / "company", with_template())
    text = (made.folder / RELEASE).read_text()
    (made.folder / RELEASE).write_text(text.replace("als@v0.3", "als@v0.4"))
    made.commit("v0.4")
    arguments = ("compile", "--target", "helm", "--stdout", "production/recs")
    now = c.run(made.folder, *arguments)
    before = c.run(made.folder, *arguments, "--at", "HEAD~1")
    assert (now.code, before.code) == (0, 0)
    header, _, body = before.out.partition("\n")
    assert header.startswith("# Compiled by relspec from ")
    assert yaml.safe_load(body)["modelkitRef"] == "ghcr.io/acme/als:v0.3"
    assert yaml.safe_load(now.out)["modelkitRef"] == "ghcr.io/acme/als:v0.4"
    assert before.out.replace("v0.3", "v0.4") == now.out


def test_check_reports_what_compile_reports(tmp_path: Path) -> None:
    made = c.repository(tmp_path / "company", with_template(services=API + "    replicas: 9\n"))
    for verb in ("check", "compile"):
        result = c.run(made.folder, verb)
        assert result.code == 1
        assert "RS531" in result.err
    assert not made.rendered()


# -- Helm itself


def write_values(tmp_path: Path, files: c.Files) -> list[Path]:
    paths = []
    for path, data in c.outputs(files).items():
        target = tmp_path / Path(path).name
        target.write_bytes(data)
        paths.append(target)
    return paths


@pytest.mark.judge
@pytest.mark.parametrize("name", [CREATED, GROWN])
@pytest.mark.parametrize("services", [API, FULL.replace(HELD, "").split("    candidate:")[0]])
def test_helm_takes_the_scaffold(tmp_path: Path, name: str, services: str) -> None:
    (values,) = write_values(
        tmp_path, repository(environment_text(name, "scaffold", GATEWAY), services, charts=(name,))
    )
    judges.helm_lint(CHARTS / name, values)
    made = {each["kind"]: each for each in judges.helm_template(CHARTS / name, values, name="recs", namespace="ml")}
    container = made["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "ghcr.io/acme/als-serving:v0.3"
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}
    assert "livenessProbe" in container or "live" not in services
    assert made["HTTPRoute"]["spec"]["hostnames"] == ["recs.acme.example"]


@pytest.mark.judge
def test_helm_takes_the_teams_own_values(tmp_path: Path) -> None:
    (values,) = write_values(tmp_path, with_template(services=API + "    env: {FLAG: 'no', N: '010'}\n"))
    judges.helm_lint(CHARTS / MODELKIT, values)
    (made,) = judges.helm_template(CHARTS / MODELKIT, values, name="recs", namespace="ml")
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert [(each["name"], each["value"]) for each in container["env"]] == [
        ("MODELKIT_REF", "ghcr.io/acme/als:v0.3"),
        ("FLAG", "no"),
        ("N", "010"),
    ]
    assert container["readinessProbe"] == {"httpGet": {"path": "/healthz", "port": 8080}}


@pytest.mark.judge
def test_to_helm_null_removes_a_default(tmp_path: Path) -> None:
    template = MODELKIT_TEMPLATE.replace("probe: {{ service.container.readinessProbe.httpGet }}", "probe: null")
    (values,) = write_values(tmp_path, with_template(template))
    (made,) = judges.helm_template(CHARTS / MODELKIT, values, name="recs", namespace="ml")
    assert "readinessProbe" not in made["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.judge
def test_what_relspec_refuses_helm_refuses(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    for wrong in ("modelkitRef: no tag", "modelkitRef: a:b\nreplicas: 9", "modelkitRef: a:b\nextra: 1", "replicas: 1"):
        values.write_text(wrong)
        with pytest.raises(AssertionError, match="values don't meet the specifications"):
            judges.helm_template(CHARTS / MODELKIT, values, name="recs", namespace="ml")
        files = repository(environment_text(MODELKIT, f"{{{wrong.replace(chr(10), ', ')}}}"), charts=(MODELKIT,))
        assert "RS531" in c.codes(c.compiled(files))


@pytest.mark.judge
@pytest.mark.parametrize("strategy", ["", HELD, STEPPED])
def test_helm_prints_the_objects_of_the_rollouts_target(tmp_path: Path, strategy: str) -> None:
    (values,) = write_values(tmp_path, repository(environment_text(None, more=ISTIO), API + strategy))
    printed = judges.helm_template(REFERENCE_CHART, values, name="recs", namespace="ml")
    expected = c.documents(values.read_bytes())[0]["objects"]

    def key(made: Any) -> tuple[str, str]:
        return made["kind"], made["metadata"]["name"]

    assert sorted(printed, key=key) == sorted(expected, key=key)

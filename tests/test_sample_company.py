"""The sample company: the four systems compile, say what their teams said, and go back to what they were."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import judges
from relspec.catalogue import CATALOGUE
from relspec.compiler import Compiled, compile_tree
from relspec.diagnostics import Severity
from relspec.resolve import ResolvedRelease
from relspec.targets.split import istio_regex
from relspec.tree import DirectoryTree, MemoryTree, walk

ROOT = Path(__file__).parents[1]
FOLDERS = ("environments", "registry", "bases", "charts")
SINGLE_FILES = (".gitignore", "relspec.yaml", "relspec.lock")

ALL_STRATEGIES = {"fixed", "stepped", "blueGreen", "held", "abTest", "shadow"}
MODELKIT = "jozu.ml/arnabchat2001/modelkit-demo"
MODELKIT_RELEASE = "environments/production/modelkit-demo/release.yaml"
CRYPTO_RELEASE = "environments/dev/crypto-volatility/release.yaml"
MOVIE_RELEASE = "environments/production/movie-recs/release.yaml"
SOFAREAI_RELEASE = "environments/production/sofareai/release.yaml"
STOREFRONT = "environments/production/storefront/release.yaml"


@cache
def company() -> dict[str, bytes]:
    """Every file of the sample company, as it lies in the work tree."""
    tree = DirectoryTree(ROOT)
    paths = [path for folder in FOLDERS for path in walk(tree, folder)]
    return {path: tree.read(path) for path in (*paths, *SINGLE_FILES) if tree.kind(path) == "file"}


@cache
def as_it_is() -> Compiled:
    """The sample company, compiled from the work tree."""
    return compile_tree(DirectoryTree(ROOT))


def edited(file: str, *changes: tuple[str, str]) -> Compiled:
    """The sample company with some texts of one file replaced; each must be there exactly once."""
    text = company()[file].decode()
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        text = text.replace(old, new)
    return compile_tree(MemoryTree({**company(), file: text.encode()}))


def codes(compiled: Compiled, *severities: Severity) -> list[str]:
    return [f"{d.code} {d.file}: {d.message}" for d in compiled.diagnostics if d.severity in severities]


def release_of(compiled: Compiled, release_id: str) -> ResolvedRelease:
    found = next(each.release for each in compiled.releases if each.place.id == release_id)
    assert found is not None
    return found


def documents(compiled: Compiled, path: str) -> list[Any]:
    return list(yaml.safe_load_all(compiled.files[f"rendered/{path}"]))


def the(compiled: Compiled, path: str, kind: str, name: str) -> Any:
    """An object of a rollouts output, or of the values for the packaged chart."""
    found = documents(compiled, path)
    objects = found[0]["objects"] if path.endswith("helm/values.yaml") else found
    return next(each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name)


def env_of(rollout: Any) -> dict[str, str]:
    variables = rollout["spec"]["template"]["spec"]["containers"][0]["env"]
    return {variable["name"]: variable.get("value") for variable in variables}


def changed(before: Compiled, after: Compiled) -> set[str]:
    paths = before.files.keys() | after.files.keys()
    return {path for path in paths if before.files.get(path) != after.files.get(path)}


# -- the whole


def test_compiles_without_errors_and_warnings() -> None:
    assert codes(as_it_is(), Severity.ERROR, Severity.WARNING) == []
    assert len(as_it_is().releases) == 17


def test_every_strategy_and_every_target_occurs() -> None:
    strategies = {
        service.strategy.name
        for each in as_it_is().releases
        if each.release is not None
        for service in each.release.services.values()
    }
    targets = {draft.path.split("/")[0] for each in as_it_is().releases for draft in each.drafts}
    assert strategies == ALL_STRATEGIES
    assert targets == {"compose", "helm", "rollouts"}


def test_every_strategy_is_somewhere_done_by_the_target_that_can() -> None:
    """Held strategies by nginx, by Istio and by a Gateway; processes by the controller."""
    done = {
        (draft.path.split("/")[0], service.strategy.name, service.spec.routing)
        for each in as_it_is().releases
        if each.release is not None
        for draft in each.drafts
        for service in each.release.services.values()
    }
    assert {
        ("compose", "held", "router"),
        ("compose", "abTest", "router"),
        ("helm", "held", "router"),
        ("helm", "abTest", "router"),
        ("helm", "blueGreen", "router"),
        ("rollouts", "stepped", "router"),
        ("rollouts", "blueGreen", "router"),
        ("rollouts", "shadow", "router"),
        ("rollouts", "held", "app"),
        ("compose", "fixed", "app"),
        ("compose", "abTest", "app"),
        ("compose", "shadow", "app"),
    } <= done


def test_every_record_of_the_registry_can_be_read() -> None:
    """Records that nothing runs are parsed by nobody else. A version that no scheme reads would be RS216."""
    records = [path for path in company() if path.startswith("registry/") and not path.endswith("/model.yaml")]
    assert len(records) > 15
    services = "".join(
        f"  s{index}: {{model: {path.split('/')[1]}@{posixpath.basename(path)[:-5]}, image: 'ghcr.io/acme/x:1'}}\n"
        for index, path in enumerate(records)
    )
    release = f"apiVersion: relspec/v1\nkind: Release\nname: all\nservices:\n{services}"
    tree = MemoryTree({**company(), "environments/dev/all/release.yaml": release.encode()})
    # Lifecycle, quarantine and missing GPUs are other questions.
    found = [d for d in compile_tree(tree).diagnostics if d.code not in ("RS410", "RS411", "RS412", "RS413")]
    assert [f"{d.code} {d.file}: {d.message}" for d in found if d.severity is not Severity.NOTE] == []


def spec_files() -> list[str]:
    return [path for path in company() if path.endswith(".yaml") and b"apiVersion: relspec/v1" in company()[path]]


@pytest.mark.parametrize("path", spec_files())
def test_editors_find_the_schema(path: str) -> None:
    lines = company()[path].decode().splitlines()
    kind = re.search(r"^kind: (\w+)$", "\n".join(lines), re.MULTILINE)
    assert kind is not None
    schema = {"ModelVersion": "model-version"}.get(kind[1], kind[1].lower())
    prefix = "# yaml-language-server: $schema="
    assert lines[0].startswith(prefix)
    relative = lines[0].removeprefix(prefix)
    assert posixpath.normpath(posixpath.join(posixpath.dirname(path), relative)) == f"schemas/{schema}.json"


@pytest.mark.parametrize("name", ["docs/seeds.md", "docs/sample-company.md"])
def test_docs_name_only_what_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for code in re.findall(r"RS\d{3}", text):
        assert code in CATALOGUE, f"{name} names {code}"
    for path in re.findall(r"`((?:environments|registry|bases|charts|docs|tests)/[^`*…]*)`", text):
        assert (ROOT / path).exists(), f"{name} names {path}"


# -- modelkit-demo


def modelkit_values(compiled: Compiled) -> Any:
    return documents(compiled, "production/modelkit-demo/helm/values.yaml")[0]


def test_modelkit_values_are_those_of_the_teams_own_chart() -> None:
    values = modelkit_values(as_it_is())
    schema = json.loads(company()["charts/modelkit-demo/values.schema.json"])
    assert values["modelkitRef"] == f"{MODELKIT}:v1"
    assert set(values) <= set(schema["properties"])


def test_modelkit_values_that_the_chart_refuses_are_found() -> None:
    name = "charts/modelkit-demo/values.schema.json"
    compiled = edited(name, ('"replicaCount": {"type": "integer", "minimum": 0}', '"replicaCount": {"maximum": 1}'))
    assert [d.code for d in compiled.diagnostics if d.severity is Severity.ERROR] == ["RS531"]


def test_modelkit_goes_back_to_v0_in_both_targets() -> None:
    before, after = as_it_is(), edited(MODELKIT_RELEASE, ("modelkit-demo@v1", "modelkit-demo@v0"))
    assert modelkit_values(after) == {**modelkit_values(before), "modelkitRef": f"{MODELKIT}:v0"}
    assert changed(before, after) == {"rendered/production/modelkit-demo/helm/values.yaml"}

    regional = "environments/production/eu-west/modelkit-demo/release.yaml"
    path = "production/eu-west/modelkit-demo/rollouts/rollouts.yaml"
    after = edited(regional, ("modelkit-demo@v1", "modelkit-demo@v0"))
    assert env_of(the(before, path, "Rollout", "modelkit-demo")) == {"MODELKIT_REF": f"{MODELKIT}:v1"}
    assert env_of(the(after, path, "Rollout", "modelkit-demo")) == {"MODELKIT_REF": f"{MODELKIT}:v0"}
    old, new = (compiled.files[f"rendered/{path}"].decode().splitlines() for compiled in (before, after))
    assert [line.strip() for line in new if line not in old] == [f"value: {MODELKIT}:v0"]


def test_modelkit_is_verified_where_the_team_looks() -> None:
    for release_id in ("production/modelkit-demo", "production/eu-west/modelkit-demo"):
        service = release_of(as_it_is(), release_id).services["modelkit-demo"]
        assert [check.path for check in service.spec.verify or ()] == ["/health", "/version", "/model/info"]
        assert service.model is not None
        assert service.model.reports == "BAD"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.example", "-c", "commit.gpgSign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_one_revert_brings_back_the_bytes(tmp_path: Path) -> None:
    """v0 runs, v1 is deployed and committed; `git revert` and a compile give what there was."""
    for path, data in company().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    release = tmp_path / MODELKIT_RELEASE
    release.write_text(release.read_text().replace("modelkit-demo@v1", "modelkit-demo@v0"))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "v0")
    good = compile_tree(DirectoryTree(tmp_path))

    release.write_bytes(company()[MODELKIT_RELEASE])
    git(tmp_path, "commit", "-qam", "v1")
    assert compile_tree(DirectoryTree(tmp_path)).files == as_it_is().files != good.files

    git(tmp_path, "revert", "--no-edit", "HEAD")
    assert compile_tree(DirectoryTree(tmp_path)).files == good.files


# -- crypto-volatility


def crypto_services(compiled: Compiled) -> dict[str, Any]:
    return documents(compiled, "dev/crypto-volatility/compose/compose.yaml")[0]["services"]  # type: ignore[no-any-return]


FALL_BACK = {
    "api": ("    ports: {http: {port: 8000, publish: 8000}}\n    dependsOn: [mlflow]\n", "    active: baseline\n"),
    "prediction-consumer": ("    dependsOn: [kafka, mlflow]\n", "    active: baseline\n"),
}


@pytest.mark.parametrize("name", list(FALL_BACK))
def test_one_service_falls_back_alone(name: str) -> None:
    written, added = FALL_BACK[name]
    before = as_it_is()
    after = edited(CRYPTO_RELEASE, (written, written + added))
    old, new = crypto_services(before), crypto_services(after)

    assert "MODEL_VARIANT" not in old[name]["environment"]
    assert new[name] == {**old[name], "environment": {**old[name]["environment"], "MODEL_VARIANT": "baseline"}}
    assert {other: new[other] for other in new if other != name} == {
        other: old[other] for other in old if other != name
    }
    assert changed(before, after) == {"rendered/dev/crypto-volatility/compose/compose.yaml"}


def test_both_services_fall_back_and_version_says_so() -> None:
    changes = [(written, written + added) for written, added in FALL_BACK.values()]
    after = edited(CRYPTO_RELEASE, *changes)
    variants = {
        name: service.get("environment", {}).get("MODEL_VARIANT") for name, service in crypto_services(after).items()
    }
    assert {name for name, variant in variants.items() if variant == "baseline"} == set(FALL_BACK)
    api = release_of(after, "dev/crypto-volatility").services["api"]
    assert api.model is not None
    assert api.model.reports == "baseline-*"
    assert next((check.path, check.field) for check in api.spec.verify or ()) == ("/version", "model_version")
    assert [d.code for d in after.diagnostics] == ["RS350", "RS350"]


def test_the_whole_system_is_beside_the_api() -> None:
    services = crypto_services(as_it_is())
    published = {
        name: [port["published"] for port in service.get("ports", ())]
        for name, service in services.items()
        if service.get("ports")
    }
    assert set(services) == {"api", "prediction-consumer", "ingestor", "kafka", "mlflow", "prometheus", "grafana"}
    assert (published["api"], published["grafana"]) == (["8000"], ["3000"])
    assert "prediction-consumer" not in published
    assert services["ingestor"]["environment"]["DATA_SOURCE"] == "${DATA_SOURCE:-binance}"
    assert services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")


# -- sofareai


def test_sofareai_takes_the_teams_steps() -> None:
    path = "production/sofareai/rollouts/rollouts.yaml"
    spec = the(as_it_is(), path, "Rollout", "sofareai-serving")["spec"]
    analysis = {"analysis": {"templates": [{"templateName": "sofareai-serving-success-rate"}]}}
    assert spec["replicas"] == 5
    assert spec["strategy"]["canary"]["abortScaleDownDelaySeconds"] == 30
    assert spec["strategy"]["canary"]["steps"] == [
        {"setWeight": 10},
        {"pause": {"duration": "5m"}},
        analysis,
        {"setWeight": 50},
        {"pause": {"duration": "10m"}},
        analysis,
        {"setWeight": 100},
    ]


def test_sofareai_asks_the_teams_question() -> None:
    path = "production/sofareai/rollouts/rollouts.yaml"
    template = the(as_it_is(), path, "AnalysisTemplate", "sofareai-serving-success-rate")
    assert template["spec"]["metrics"] == [
        {
            "name": "success-rate",
            "interval": "1m",
            "count": 5,
            "successCondition": "result[0] >= 0.99",
            "failureLimit": 3,
            "provider": {
                "prometheus": {
                    "address": "http://prometheus:9090",
                    "query": 'sum(rate(http_requests_total{status!~"5.."}[5m]))\n/\n'
                    "sum(rate(http_requests_total[5m]))\n",
                }
            },
        }
    ]


def test_an_analysis_that_never_ends_is_refused_as_a_step() -> None:
    """As the team wrote it, without `count`: the controller would refuse the Rollout."""
    line = re.search(r"    count: 5 .*\n", company()["environments/production/environment.yaml"].decode())
    assert line is not None
    compiled = edited("environments/production/environment.yaml", (line[0], ""))
    found = {(d.code, d.file, d.range.line if d.range else 0) for d in compiled.diagnostics}
    text = company()["environments/production/environment.yaml"].decode()
    interval = text[: text.index("    interval: 1m")].count("\n") + 1
    assert found == {("RS305", "environments/production/environment.yaml", interval)}


@pytest.mark.parametrize("weight", [0, 10, 50, 90, 100])
def test_the_reverse_canary_is_a_held_one(weight: int) -> None:
    """The planned way back: the old version is the candidate, and Git's weight is the router's."""
    text = company()[SOFAREAI_RELEASE].decode()
    steps = text[text.index("      canary:\n") :]
    compiled = edited(
        SOFAREAI_RELEASE,
        (steps, f"      canary: {{weight: {weight}}}\n"),
        ("    replicas: 5\n", "    replicas: 5\n    candidate: {model: sofarem3@1.1.0, replicas: 5}\n"),
    )
    assert codes(compiled, Severity.ERROR, Severity.WARNING) == []
    path = "production/sofareai/rollouts/rollouts.yaml"
    route = the(compiled, path, "VirtualService", "sofareai-serving")["spec"]["http"][-1]["route"]
    assert {to["destination"]["host"]: to["weight"] for to in route} == {
        "sofareai-serving": 100 - weight,
        "sofareai-serving-candidate": weight,
    }
    image = the(compiled, path, "Rollout", "sofareai-serving-candidate")["spec"]["template"]["spec"]["containers"][0]
    assert image["image"].startswith("ghcr.io/acme/sofareai-serving:v1.1.0@")


def test_the_cpu_fallback_asks_for_no_gpu() -> None:
    path = "production/sofareai/rollouts/rollouts.yaml"

    def resources(compiled: Compiled) -> dict[str, str]:
        pod = the(compiled, path, "Rollout", "sofareai-serving")["spec"]["template"]["spec"]
        return pod["containers"][0]["resources"]["requests"]  # type: ignore[no-any-return]

    after = edited(SOFAREAI_RELEASE, ("    replicas: 5\n", "    replicas: 5\n    active: cpu\n"))
    assert codes(after, Severity.ERROR, Severity.WARNING) == []
    assert resources(as_it_is())["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in resources(after)
    canary = the(after, path, "Rollout", "sofareai-serving")["spec"]["strategy"]["canary"]
    assert "steps" not in canary


# -- movie-recs


def contract_of(compiled: Compiled) -> dict[str, str]:
    env = env_of(the(compiled, "production/movie-recs/rollouts/rollouts.yaml", "Rollout", "movie-recs-api"))
    names = ("ROLLOUT_STRATEGY", "MODEL_VERSION", "CANARY_VERSION", "CANARY_PERCENTAGE", "ENVIRONMENT")
    return {name: env[name] for name in names}


def test_movie_recs_hears_the_teams_five_variables() -> None:
    assert contract_of(as_it_is()) == {
        "ROLLOUT_STRATEGY": "canary",
        "MODEL_VERSION": "v0.3",
        "CANARY_VERSION": "v0.4",
        "CANARY_PERCENTAGE": "10",
        "ENVIRONMENT": "production",
    }


CANDIDATE = "    candidate: {model: als@v0.4}\n"
CANARY = "    strategy: {canary: {weight: 10}}\n"


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("", ("fixed", "", "0")),
        (CANDIDATE + "    strategy: {canary: {weight: 25}}\n", ("canary", "v0.4", "25")),
        (CANDIDATE + "    strategy: {abTest: {weight: 50}}\n", ("ab_test", "v0.4", "50")),
        (CANDIDATE + "    strategy: {shadow: {percent: 100}}\n", ("shadow", "v0.4", "100")),
    ],
)
def test_movie_recs_has_all_four_of_its_strategies(written: str, heard: tuple[str, str, str]) -> None:
    compiled = edited(MOVIE_RELEASE, (CANDIDATE + CANARY, written))
    assert codes(compiled, Severity.ERROR, Severity.WARNING) == []
    said = contract_of(compiled)
    assert (said["ROLLOUT_STRATEGY"], said["CANARY_VERSION"], said["CANARY_PERCENTAGE"]) == heard
    assert (said["MODEL_VERSION"], said["ENVIRONMENT"]) == ("v0.3", "production")


@pytest.mark.parametrize(
    ("release", "bucket", "weight"), [("movie-recs", "mod100", 10), ("movie-recs-ab", "parity", 50)]
)
def test_nginx_and_istio_split_the_same_users(release: str, bucket: Any, weight: int) -> None:
    regex = istio_regex(bucket, weight)
    route = the(as_it_is(), f"staging/{release}/helm/values.yaml", "VirtualService", f"{release}-api")["spec"]["http"]
    conf = as_it_is().files[f"rendered/staging/{release}/compose/router-api.conf"].decode()
    assert route[0]["match"] == [{"headers": {"x-user-id": {"regex": regex}}}]
    assert regex is not None
    assert regex in conf
    assert "$http_x_user_id" in conf


def test_als_keeps_its_provenance() -> None:
    model = release_of(as_it_is(), "production/movie-recs").services["api"].model
    assert model is not None
    assert (model.version, model.field("codeCommit"), model.field("dataSnapshot")) == ("v0.3", "207521e0", "9c1de442")


def test_movie_recs_scales_between_two_and_ten() -> None:
    path = "production/movie-recs/rollouts/rollouts.yaml"
    scaler = the(as_it_is(), path, "HorizontalPodAutoscaler", "movie-recs-api")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert "replicas" not in the(as_it_is(), path, "Rollout", "movie-recs-api")["spec"]


# -- the canonical text


def refused() -> Iterator[Any]:
    """What the rules of the registry say to a wrong move: file, what it replaces, what it writes, the code."""
    model = "model: sofarem3@1.2.0"
    yield pytest.param(SOFAREAI_RELEASE, model, "model: sofarem3@0.9.0", "RS410", id="archived")
    yield pytest.param(SOFAREAI_RELEASE, model, "model: sofarem3@1.3.0", "RS411", id="quarantined")
    yield pytest.param(SOFAREAI_RELEASE, model, "model: sofarem3@1.0.0", "RS412", id="deprecated")
    yield pytest.param(SOFAREAI_RELEASE, model, "model: sofarem3@prod", "RS420", id="alias where versions are pinned")
    yield pytest.param(SOFAREAI_RELEASE, model, "model: sofarem3@1.3.1", "RS420", id="candidate as stable")
    yield pytest.param(MODELKIT_RELEASE, "modelkit-demo@v1", "modelkit-demo@v2", "RS420", id="experimental")
    web = "    ports: {http: 3000}\n"
    yield pytest.param(STOREFRONT, web, f"{web}    model: sofarem3@1.2.0\n", "RS413", id="GPU model without a GPU")
    yield pytest.param(
        "bases/sofareai.yaml", "model: sofarem3-cpu@1.2.0", "model: sofarem3@1.1.0", "RS413", id="GPU variant on a CPU"
    )
    yield pytest.param(MOVIE_RELEASE, "als@v0.4", "als@v1.0", "RS414", id="candidate with another interface")
    yield pytest.param(
        "registry/als/v0.3.yaml", "data: {snapshot: 9c1de442}\n", "", "RS422", id="code without its data"
    )


@pytest.mark.parametrize(("file", "old", "new", "code"), [*refused()])
def test_the_registry_refuses(file: str, old: str, new: str, code: str) -> None:
    found = {d.code for d in edited(file, (old, new)).diagnostics if d.severity is not Severity.NOTE}
    assert found == {code}


def test_the_alias_of_staging_is_compiled_to_the_exact_version() -> None:
    path = "staging/modelkit-demo/compose/compose.yaml"
    [compose] = documents(as_it_is(), path)
    assert compose["services"]["modelkit-demo"]["environment"] == {"MODELKIT_REF": f"{MODELKIT}:v2"}
    assert b"latest" not in as_it_is().files[f"rendered/{path}"]


# -- real tools


@pytest.mark.judge
def test_helm_deploys_what_modelkit_ran_by_hand(tmp_path: Path) -> None:
    """`helm upgrade modelkit-demo … -f values.yaml` gives Deployment modelkit-demo its MODELKIT_REF."""
    chart, values = ROOT / "charts/modelkit-demo", tmp_path / "values.yaml"
    values.write_bytes(as_it_is().files["rendered/production/modelkit-demo/helm/values.yaml"])
    judges.helm_lint(chart, values)
    objects = judges.helm_template(chart, values, name="modelkit-demo", namespace="ml-prod")
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    assert deployment["metadata"]["name"] == "modelkit-demo"
    assert env_of(deployment) == {"MODELKIT_REF": f"{MODELKIT}:v1"}

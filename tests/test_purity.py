"""What restarts a workload, and what does not: pod templates and compose services change only with what they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from company import (
    SERVICE,
    STRATEGIES,
    Content,
    Map,
    company,
    compose,
    kubernetes,
    model,
    objects,
    outputs,
    project,
    record,
    registry,
    release,
    with_service,
    written,
)

N = "recs-api"
RELEASE = "environments/production/recs/release.yaml"
Files = dict[str, Content]
Edit = Callable[[Files], None]


def start() -> Files:
    """A stepped release with two services, one of them by a model."""
    api = {**SERVICE, **STRATEGIES["stepped"], "model": "als@v1", "env": {"MODEL": {"model": "reference"}}}
    files = company({"api": api, "web": SERVICE}, kubernetes())
    return {
        **files,
        **registry("v1", "v2"),
        "environments/other/environment.yaml": kubernetes(name="other"),
        "environments/other/others/release.yaml": release("others"),
    }


def templates(files: Files) -> dict[str, Map]:
    """The pod template of each Rollout."""
    return {name: found["spec"]["template"] for (kind, name), found in objects(files).items() if kind == "Rollout"}


def api(files: Files) -> Map:
    """The service of the release, to be changed."""
    document = files[RELEASE]
    assert isinstance(document, dict)
    found: Map = document["services"]["api"]
    return found


def environment(files: Files) -> Map:
    """The environment, to be changed."""
    document = files["environments/production/environment.yaml"]
    assert isinstance(document, dict)
    return document


def comments_and_layout(files: Files) -> None:
    text = written(files[RELEASE]).decode()
    files[RELEASE] = "# why\n\n" + text.replace("services:\n", "\nservices:   # all of them\n").replace(
        "8080", "8080   "
    )


def set_in_api(**fields: Any) -> Edit:
    return lambda files: api(files).update(fields)


def set_in_environment(**fields: Any) -> Edit:
    return lambda files: environment(files).update(fields)


def override(address: str, patch: Map) -> Edit:
    return lambda files: api(files).update(overrides={"rollouts": {address: patch}})


BESIDE: dict[str, Edit] = {
    "comments and layout": comments_and_layout,
    "uses": set_in_api(uses=["other/others"]),
    "verify": set_in_api(verify=[{"path": "/version", "field": "version"}]),
    "replicas": set_in_api(replicas=4),
    "a range of replicas": set_in_api(replicas={"min": 2, "max": 4, "cpu": 70}),
    "steps": set_in_api(strategy={"canary": {"steps": [{"setWeight": 50}]}}),
    "strategy": set_in_api(**STRATEGIES["blueGreen"]),
    "candidate": set_in_api(**STRATEGIES["held"]),
    "a variant that is not in use": set_in_api(variants={"baseline": {"image": "ghcr.io/acme/rules:1.0.0"}}),
    "restart": set_in_api(restart="always"),
    "rollback": set_in_environment(rollback={"window": 5, "history": 10, "warm": "20m", "abort": "10s"}),
    "analyses": set_in_environment(
        analyses={"success-rate": {"query": "vector(2)", "success": "result[0] == 2", "interval": "2m", "count": 2}}
    ),
    "router": set_in_environment(router={"istio": {}}),
    "expose": set_in_environment(expose={"host": "other.acme.example"}),
    "policies": set_in_environment(policies={"minReplicas": 1}),
    "variables": set_in_environment(variables={"NOBODY": "asks"}),
    "annotation of the Rollout": override("Rollout", {"metadata": {"annotations": {"acme.example/oncall": "recs"}}}),
    "annotation of the Service": override("Service", {"metadata": {"annotations": {"acme.example/oncall": "recs"}}}),
    "an alias": lambda files: files.update({"registry/als/model.yaml": model(aliases={"prod": "v2"})}),
    "lifecycle": lambda files: files.update({"registry/als/model.yaml": model(lifecycle={"v1": "deprecated"})}),
    "another version": lambda files: files.update({"registry/als/v3.yaml": record("v3")}),
    "metrics of the version": lambda files: files.update({"registry/als/v1.yaml": record("v1", metrics={"ndcg": 0.4})}),
}

INSIDE: dict[str, Edit] = {
    "labels": set_in_api(labels={"team": "recs"}),
    "annotations": set_in_api(annotations={"acme.example/oncall": "recs"}),
    "image": set_in_api(image="ghcr.io/acme/recs:1.8.3"),
    "env": set_in_api(env={"A": "b"}),
    "files": set_in_api(files={"/etc/app.yaml": {"content": "a: 1"}}),
    "resources": set_in_api(resources={"cpu": "600m"}),
    "health": set_in_api(health={"path": "/ready"}),
    "shutdown": set_in_api(shutdown={"drain": "6s"}),
    "command": set_in_api(command=["serve"]),
    "ports": set_in_api(ports={"http": 8081}),
    "security": set_in_api(security={"user": 1000}),
    "writable": set_in_api(writable=["/tmp"]),
    "volumes": set_in_api(volumes={"/cache": {"empty": True}}),
    "init": set_in_api(init=[{"name": "a", "image": "a:1"}]),
    "sidecars": set_in_api(sidecars=[{"name": "a", "image": "a:1"}]),
    "placement": set_in_api(placement={"nodeSelector": {"pool": "gpu"}}),
    "serviceAccount": set_in_api(serviceAccount="shared"),
    "imagePullSecrets": set_in_api(imagePullSecrets=["ghcr"]),
    "metrics": set_in_api(metrics={"port": 9100}),
    "model": set_in_api(model="als@v2"),
    "active": set_in_api(variants={"baseline": {"image": "ghcr.io/acme/rules:1.0.0"}}, active="baseline"),
    "override of the pod": override("pod", {"priorityClassName": "high"}),
    "defaults": set_in_environment(defaults={"writable": ["/var/tmp"]}),
}


@pytest.mark.parametrize("edit", BESIDE)
def test_an_edit_beside_the_workload_restarts_nothing(edit: str) -> None:
    before, after = start(), start()
    BESIDE[edit](after)
    assert written(before[RELEASE]) != written(after[RELEASE]) or before != after
    stay = templates(before)
    assert {name: template for name, template in templates(after).items() if name in stay} == stay


@pytest.mark.parametrize("edit", INSIDE)
def test_an_edit_of_the_workload_changes_its_template_and_no_other(edit: str) -> None:
    before, after = start(), start()
    INSIDE[edit](after)
    old, new = templates(before), templates(after)
    assert set(old) == set(new)
    changed = {name for name in old if old[name] != new[name]}
    assert changed == ({N, "recs-web"} if edit == "defaults" else {N})


# --- compose


def compose_start() -> Files:
    """Three compose services that know each other."""
    return company(
        {
            "api": {**SERVICE, **STRATEGIES["held"], "ports": {"http": {"port": 8080, "publish": 8000}}},
            "web": {**SERVICE, "dependsOn": ["api"], "files": {"/etc/web.yaml": {"content": "a: 1"}}},
            "redis": {"image": "redis:7-alpine", "volumes": {"/data": {"name": "redis"}}},
        },
        compose(),
    )


def compose_api(files: Files) -> Map:
    document = files["environments/staging/recs/release.yaml"]
    assert isinstance(document, dict)
    found: Map = document["services"]["api"]
    return found


COMPOSE_INSIDE: dict[str, Map] = {
    "image": {"image": "ghcr.io/acme/recs:1.8.3"},
    "env": {"env": {"A": "b"}},
    "labels": {"labels": {"team": "recs"}},
    "files": {"files": {"/etc/app.yaml": {"content": "a: 1"}}},
    "resources": {"resources": {"cpu": "600m", "memory": "2Gi"}},
    "restart": {"restart": "always"},
    "replicas": {"replicas": 3},
}
COMPOSE_BESIDE: dict[str, Map] = {
    "uses": {"uses": ["staging/recs"]},
    "verify": {"verify": [{"path": "/version", "field": "version", "equals": "1"}]},
    "service account": {"serviceAccount": "recs"},
    "placement": {"placement": {"nodeSelector": {"pool": "gpu"}}},
    "variant that is not in use": {"variants": {"baseline": {"image": "ghcr.io/acme/rules:1.0.0"}}},
    "overrides of another target": {"overrides": {"rollouts": {"pod": {"priorityClassName": "high"}}}},
}


@pytest.mark.parametrize("edit", COMPOSE_INSIDE)
def test_an_edit_of_one_compose_service_leaves_the_others_alone(edit: str) -> None:
    before, after = compose_start(), compose_start()
    compose_api(after).update(COMPOSE_INSIDE[edit])
    old, new = project(before)["services"], project(after)["services"]
    changed = {name for name in old if old[name] != new[name]}
    assert "api" in changed
    assert changed <= {"api", "api-candidate"}


@pytest.mark.parametrize("edit", COMPOSE_BESIDE)
def test_an_edit_beside_a_compose_service_changes_nothing(edit: str) -> None:
    before, after = compose_start(), compose_start()
    compose_api(after).update(COMPOSE_BESIDE[edit])
    assert project(before) == project(after)


@pytest.mark.parametrize(
    "fields", [{"rollback": {"window": 5}}, {"variables": {"A": "b"}}, {"policies": {"pinned": True}}]
)
def test_an_edit_of_the_environment_beside_a_project_changes_nothing(fields: Map) -> None:
    after = compose_start()
    after["environments/staging/environment.yaml"] = compose(**fields)
    assert project(after) == project(compose_start())


def test_a_weight_changes_the_router_alone() -> None:
    before, after = compose_start(), compose_start()
    compose_api(after)["strategy"] = {"canary": {"weight": 50, "stickyBy": {"header": "x-user-id", "bucket": "mod100"}}}
    old, new = project(before)["services"], project(after)["services"]
    assert {name for name in old if old[name] != new[name]} == {"api-router"}


# --- a model's version


def by_model(version: str) -> Files:
    """Two releases that use a model in all its words, and two that don't."""
    uses = {
        "image": None,
        "model": f"als@{version}",
        "env": {
            name.upper(): {"model": name}
            for name in ("reference", "version", "name", "digest", "uri", "dataSnapshot", "codeCommit")
        },
    }
    files = with_service(uses)
    return {
        **files,
        **registry("v1", "v2"),
        "environments/production/fixed/release.yaml": release("fixed", {"api": {**SERVICE, "model": "als@v1"}}),
        "environments/production/plain/release.yaml": release("plain"),
        "environments/staging/environment.yaml": compose(),
        "environments/staging/beside/release.yaml": release(
            "beside", {"api": SERVICE, "web": {"model": f"als@{version}"}}
        ),
    }


def test_a_version_touches_only_the_releases_that_use_it() -> None:
    before, after = outputs(by_model("v1")), outputs(by_model("v2"))
    assert set(before) == set(after)
    assert {path.split("/")[2] for path in before if before[path] != after[path]} == {"recs", "beside"}


def test_a_version_touches_only_lines_whose_value_comes_from_its_record() -> None:
    record_values = {text for version in ("v1", "v2") for text in values(record(version))}
    before, after = outputs(by_model("v1")), outputs(by_model("v2"))
    lines = 0
    for path, data in before.items():
        old, new = data.decode().splitlines(), after[path].decode().splitlines()
        assert len(old) == len(new)
        for one, other in zip(old, new, strict=True):
            if one != other:
                lines += 1
                for line in (one, other):
                    assert any(value in line for value in record_values), line
    assert lines == 1 + 5 + 1, "image and five fields of one release, the image of another"


def values(node: Any) -> set[str]:
    """Every text of a document."""
    if isinstance(node, dict):
        return {text for value in node.values() for text in values(value)}
    return {node.removeprefix("oci://")} if isinstance(node, str) else set()


def test_the_release_that_is_edited_is_the_only_one_whose_outputs_change_and_back_is_back() -> None:
    first = outputs(start())
    for edit, change in (BESIDE | INSIDE).items():
        files = start()
        change(files)
        after = outputs(files)
        touched = {path.split("/rollouts/")[0] for path in {*first, *after} if first.get(path) != after.get(path)}
        assert touched <= {"rendered/production/recs"}, edit
        assert outputs(start()) == first, edit

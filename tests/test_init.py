"""`relspec init`: the starter compiles and reverts, and an imported Compose file runs the same containers."""

from __future__ import annotations

import os
import posixpath
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judges import compose_config
from relspec.cli import relspec
from relspec.compiler import compile_tree
from relspec.diagnostics import RelspecError
from relspec.importing.compose_file import MAX_NODES, read
from relspec.importing.interpolation import filled, host_values, literal, parts, single
from relspec.importing.repository import imported, release_of
from relspec.importing.taken import duration, labels, memory
from relspec.starter import example
from relspec.tree import DirectoryTree, MemoryTree

GIT = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "PATH": os.environ["PATH"],
}


def run(*words: str, folder: Path) -> Result:
    result = CliRunner().invoke(relspec, ["-C", str(folder), *words], standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def code(*words: str, folder: Path) -> int:
    """The exit code of a verb that must not raise."""
    result = run(*words, folder=folder)
    return int(result.return_value or 0)


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=GIT, capture_output=True, text=True, check=True)
    return done.stdout


def rendered(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.glob("rendered/**/*")) if p.is_file()}


# --- the starter -----------------------------------------------------------------------------------------------------


def test_the_starter_has_nothing_to_complain_about() -> None:
    compiled = compile_tree(MemoryTree(example()))
    assert compiled.diagnostics == ()
    assert sorted(compiled.files) == [
        "rendered/dev/scoring/compose/compose.yaml",
        "rendered/production/scoring/rollouts/rollouts.yaml",
    ]


def test_each_spec_file_names_a_schema_that_is_there() -> None:
    files = example()
    specs = [p for p in files if p.endswith(".yaml") and not p.startswith("argocd/")]
    assert len(specs) == 9
    for path in specs:
        first = files[path].decode().split("\n", 1)[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        schema = posixpath.normpath(posixpath.join(posixpath.dirname(path), first.partition("=")[2]))
        assert schema in files, path
        kind = yaml.safe_load(files[path])["kind"]
        assert yaml.safe_load(files[schema])["properties"]["kind"]["const"] == kind


@pytest.mark.slow
def test_the_starter_goes_forward_and_back_in_git(tmp_path: Path) -> None:
    folder = tmp_path / "releases"
    assert code("init", str(folder), folder=tmp_path) == 0
    assert code("compile", folder=folder) == 0
    assert code("check", folder=folder) == 0
    assert code("schema", "--check", folder=folder) == 0
    assert run("lock", folder=folder).stdout.startswith("relspec.lock is up to date")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Start")
    assert code("compile", "--check", folder=folder) == 0
    before = rendered(folder)

    for environment in ("dev", "production"):
        release = folder / f"environments/{environment}/scoring/release.yaml"
        release.write_text(release.read_text().replace("churn@1.0.0", "churn@1.1.0"))
    assert code("compile", "--check", folder=folder) == 1
    assert code("compile", folder=folder) == 0
    assert code("compile", "--check", folder=folder) == 0
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "churn 1.1.0")
    after = rendered(folder)
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in before)

    git(folder, "revert", "--no-edit", "HEAD")
    assert code("compile", "--check", folder=folder) == 0
    assert code("compile", folder=folder) == 0
    assert rendered(folder) == before
    assert git(folder, "status", "--porcelain") == ""
    assert code("check", "--since", "HEAD~1", folder=folder) == 0


@pytest.mark.judge
def test_the_starter_runs_in_compose(tmp_path: Path) -> None:
    run("init", folder=tmp_path)
    run("compile", folder=tmp_path)
    config = compose_config(tmp_path / "rendered/dev/scoring/compose/compose.yaml")
    assert config["services"]["api"]["environment"]["MODEL_VERSION"] == "1.0.0"


def test_the_argo_cd_application_leaves_the_controllers_fields_alone() -> None:
    files = example()
    spec = yaml.safe_load(files["argocd/production.yaml"])["spec"]
    assert spec["ignoreDifferences"] == [
        {
            "group": "networking.istio.io",
            "kind": "VirtualService",
            "jqPathExpressions": [
                '.spec.http[] | select(any(.route[]; .destination.host | endswith("-canary"))) | .route[].weight'
            ],
        },
        {"kind": "Service", "jsonPointers": ["/spec/selector/rollouts-pod-template-hash"]},
    ]
    assert spec["syncPolicy"]["retry"] == {"limit": 0}
    assert "RespectIgnoreDifferences" not in str(spec)
    assert spec["source"]["path"] == "rendered/production"


def test_ci_checks_the_change_and_the_outputs() -> None:
    job = yaml.safe_load(example()[".github/workflows/relspec.yml"])["jobs"]["relspec"]
    checkout, *_ = job["steps"]
    assert checkout["with"]["fetch-depth"] == 0
    lines = [step["run"] for step in job["steps"] if "run" in step]
    assert 'relspec check --since "$BASE"' in lines
    assert "relspec compile --check" in lines
    assert "relspec drill" in lines


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "registry/churn").mkdir(parents=True)
    there = {"relspec.yaml": b"mine\n", "registry/churn/model.yaml": b"mine too\n"}
    for path, data in there.items():
        (tmp_path / path).write_bytes(data)
    with pytest.raises(RelspecError) as refused:
        run("init", folder=tmp_path)
    assert sorted(finding.where.file for finding in refused.value.findings) == sorted(there)
    assert {path: (tmp_path / path).read_bytes() for path in there} == there
    assert sorted(p.name for p in tmp_path.iterdir()) == ["registry", "relspec.yaml"]


def test_the_program_ends_with_2_where_it_would_overwrite(tmp_path: Path) -> None:
    (tmp_path / "relspec.lock").write_text("mine")
    command = [sys.executable, "-m", "relspec", "-C", str(tmp_path), "init"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "relspec.lock" in done.stderr


def test_a_readme_stays_and_gitignore_is_completed(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"# Mine\n")
    (tmp_path / ".gitignore").write_bytes(b"*.pyc")
    run("init", folder=tmp_path)
    assert (tmp_path / "README.md").read_bytes() == b"# Mine\n"
    assert (tmp_path / ".gitignore").read_bytes() == b"*.pyc\nrendered/**/.env\n"
    assert compile_tree(DirectoryTree(tmp_path)).diagnostics == ()


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / ".gitignore").symlink_to(outside)
    with pytest.raises(RelspecError):
        run("init", folder=folder)
    assert outside.read_text() == "precious"


# --- from Compose ----------------------------------------------------------------------------------------------------

PLATFORM = """
name: platform
x-defaults: &defaults
  restart: unless-stopped
  logging: {driver: json-file, options: {max-size: "10m"}}
services:
  model-server:
    <<: *defaults
    build: {context: ./server, dockerfile: Dockerfile, args: {PYTHON: "3.12"}}
    image: acme/model-server:${TAG:-1.4.0}
    ports: ["8000:8000", "8001:8001"]
    environment:
      - MLFLOW_TRACKING_URI=http://mlflow:5000
      - KAFKA_BROKERS=kafka:29092
      - DATABASE_URL=postgresql://app:secret@postgres:5432/app
      - LOG_LEVEL=${LOG_LEVEL:-info}
      - PRICE=5$$
      - GREETING=hello ${WHO:-you}
      - WORKERS=2
    volumes: ["./models:/models:ro", "cache:/root/.cache"]
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8000/health"]
      interval: 15s
      timeout: 5s
      retries: 5
      start_period: 40s
    depends_on:
      kafka: {condition: service_healthy}
      postgres: {condition: service_healthy}
      mlflow: {condition: service_started}
    deploy:
      resources:
        limits: {cpus: "2.0", memory: 4G}
        reservations:
          devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]
  worker:
    <<: *defaults
    image: acme/worker:2.0
    entrypoint: ["python", "-m"]
    command: worker --topic 'raw events' --group "a b"
    user: "10001"
    read_only: true
    tmpfs: /tmp
    stop_grace_period: 45s
    depends_on: [kafka]
    deploy: {replicas: 3}
  kafka:
    image: confluentinc/cp-kafka:7.6.0
    hostname: kafka
    container_name: broker
    ports: ["127.0.0.1:9092:9092"]
    environment:
      KAFKA_NODE_ID: 1
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: "true"
      KAFKA_ADVERTISED_LISTENERS: PLAINTEXT://kafka:29092,PLAINTEXT_HOST://localhost:9092
    healthcheck: {test: kafka-topics --bootstrap-server localhost:29092 --list, interval: 10s}
    ulimits: {nofile: {soft: 65536, hard: 65536}}
  mlflow:
    image: ghcr.io/mlflow/mlflow:v2.16.0
    command: >
      mlflow server --backend-store-uri postgresql://app:${POSTGRES_PASSWORD}@postgres/mlflow
      --host 0.0.0.0 --port 5000
    ports: ["${MLFLOW_PORT:-5000}:5000"]
    depends_on: [postgres]
  postgres:
    image: postgres:16-alpine
    environment:
      POSTGRES_USER: app
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it}
      PGDATA: /var/lib/postgresql/data/pgdata
    volumes: ["pgdata:/var/lib/postgresql/data", "./init.sql:/docker-entrypoint-initdb.d/init.sql:ro"]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U $${POSTGRES_USER}"], interval: 5s, timeout: 5s, retries: 5}
    shm_size: 256mb
  redis:
    image: redis:7-alpine
    command: ["redis-server", "--appendonly", "yes"]
    expose: ["6379"]
    volumes: [redis:/data]
  prometheus:
    image: prom/prometheus:v2.54.0
    command: ["--config.file=/etc/prometheus/prometheus.yml"]
    ports: ["9090:9090"]
    configs: [{source: prometheus, target: /etc/prometheus/prometheus.yml}]
    extra_hosts: ["host.docker.internal:host-gateway"]
  grafana:
    image: grafana/grafana:11.2.0
    ports: ["3000:3000"]
    environment: {GF_SECURITY_ADMIN_PASSWORD: admin, GF_USERS_ALLOW_SIGN_UP: "false"}
    labels: ["team=ml", "description=a text, with more than a label may hold"]
configs:
  prometheus: {file: ./prometheus.yml}
volumes: {cache: , pgdata: , redis: }
"""

EDGES = """
services:
  api_gateway:
    image: nginx:1.28
    ports:
      - target: 80
        published: "8080"
        protocol: tcp
        host_ip: 127.0.0.1
      - "127.0.0.1:7000-7002:7000-7002"
      - "127.0.0.1:5353:53/udp"
      - {name: admin, target: 9000, host_ip: 127.0.0.1, published: "9000"}
    networks: {front: {aliases: [gateway]}, shared: }
    depends_on: {backend: {condition: service_started, restart: true}}
    restart: on-failure:3
    sysctls: {net.core.somaxconn: 1024}
  backend:
    image: acme/backend@sha256:%s
    build: ../elsewhere
    command: ["sh", "-c", "exec app --port $$PORT"]
    entrypoint: []
    environment: {PORT: 8000, EMPTY: "", FLAG: true, RATE: 0.5, HOSTED: , DAY: "2024-01-31"}
    volumes:
      - {type: bind, source: ./conf, target: /conf, read_only: true}
      - {type: volume, source: data_dir, target: /data}
      - {type: tmpfs, target: /scratch, tmpfs: {size: 67108864}}
      - /anonymous
    networks: [front]
    mem_limit: 512m
    cpus: 0.5
    healthcheck: {test: "wget -q --spider http://127.0.0.1:8000/ready || exit 1"}
    labels: {traefik.enable: "true", "traefik.http.routers.api.rule": "Host(`api.example.com`)"}
  batch:
    image: acme/batch:1
    profiles: [batch]
    network_mode: host
    cap_add: [SYS_NICE]
    healthcheck: {disable: true}
networks: {front: , shared: {external: true}}
volumes: {data_dir: {name: precious}}
""" % ("a" * 64)

MULTIPLE = """
services:
  web:
    image: acme/web
    ports: ["80:8080", "443:8080", "9000"]
    env_file: [{path: web.env, required: false}]
    volumes: ["~/.aws:/root/.aws:ro", "../outside:/outside", "shared:/shared:z"]
    tmpfs: ["/run:size=64m", "/tmp"]
    secrets: [token]
    gpus: all
    scale: 1
secrets: {token: {file: ./token.txt}}
volumes: {shared: }
"""

NAMES = {"platform": PLATFORM, "edges": EDGES, "multiple": MULTIPLE}
HOST = {"POSTGRES_PASSWORD": "pw", "HOSTED": "here", "HOME": "/home/ann"}
SECRETS = {
    "PLATFORM_DATABASE_URL": "postgresql://app:secret@postgres:5432/app",
    "PLATFORM_POSTGRES_PASSWORD": "pw",
    "PLATFORM_GF_SECURITY_ADMIN_PASSWORD": "admin",
}


def written(tmp_path: Path, name: str) -> Path:
    """A Compose file with what it names, in a folder called after it."""
    folder = tmp_path / name
    for place in ("server", "models", "conf"):
        (folder / place).mkdir(parents=True)
    for file in ("prometheus.yml", "init.sql", "token.txt"):
        (folder / file).write_text("x: 1\n")
    file = folder / "compose.yaml"
    file.write_text(NAMES[name])
    return file


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_file_compiles(tmp_path: Path, name: str) -> None:
    file = written(tmp_path, name)
    result = run("init", "--from", str(file), folder=file.parent)
    assert result.return_value == 0
    compiled = compile_tree(DirectoryTree(file.parent))
    assert [d for d in compiled.diagnostics if d.severity.value != "note"] == []
    assert list(compiled.files) == [f"rendered/dev/{name}/compose/compose.yaml"]


@pytest.mark.judge
@pytest.mark.parametrize("name", NAMES)
def test_an_imported_file_runs_the_same_containers(tmp_path: Path, name: str) -> None:
    file = written(tmp_path, name)
    run("init", "--from", str(file), folder=file.parent)
    assert code("compile", folder=file.parent) == 0
    compiled = file.parent / f"rendered/dev/{name}/compose/compose.yaml"
    old = compose_config(file, HOST)
    new = compose_config(compiled, {**HOST, **SECRETS})
    assert new["name"] == old["name"]
    ours = labels(old["services"])
    assert sorted(new["services"]) == sorted(ours.values())
    volumes = labels(old.get("volumes") or {})
    for service, before in old["services"].items():
        after = new["services"][ours[service]]
        assert facts(after, {}) == facts(before, {**ours, **volumes}, f"{old['name']}-{service}"), service


SAME = ("hostname", "extra_hosts", "ulimits", "shm_size", "logging", "profiles", "sysctls", "cap_add", "network_mode")
SAME += ("labels", "gpus")


def facts(service: Mapping[str, Any], names: Mapping[str, str], image: str = "") -> dict[str, Any]:
    """What a container is made of, in an order that doesn't matter."""
    deploy = service.get("deploy") or {}
    limits = (deploy.get("resources") or {}).get("limits") or {}
    return {
        "image": service.get("image", image),
        "ports": sorted(
            (p["target"], p.get("published"), p.get("host_ip", "0.0.0.0"), p["protocol"])
            for p in service.get("ports") or ()
        ),
        "environment": {k: "" if v is None else v for k, v in (service.get("environment") or {}).items()},
        "entrypoint": service.get("entrypoint"),
        "command": service.get("command"),
        "mounts": sorted(
            (v["target"], v["type"], names.get(source(v), source(v)), bool(v.get("read_only")))
            for v in service.get("volumes") or ()
        ),
        "files": sorted(c["target"] for c in service.get("configs") or ()),
        "restart": service.get("restart", "no"),
        "depends_on": {
            names.get(k, k): (v["condition"], v.get("restart", False))
            for k, v in (service.get("depends_on") or {}).items()
        },
        "user": service.get("user"),
        "read_only": bool(service.get("read_only")),
        "limits": (
            float(limits.get("cpus", service.get("cpus", 0))),
            int(limits.get("memory", service.get("mem_limit", 0))),
        ),
        "replicas": deploy.get("replicas", 1),
        "devices": (deploy.get("resources") or {}).get("reservations", {}).get("devices"),
        **{key: service.get(key) for key in SAME},
    }


def source(mount: Mapping[str, Any]) -> str:
    """Where a mount comes from; a volume without a name is called after the path that it is mounted at."""
    return str(mount.get("source") or ("backend-anonymous" if mount["type"] == "volume" else ""))


def test_secrets_never_reach_a_file(tmp_path: Path) -> None:
    file = written(tmp_path, "platform")
    (file.parent / ".env").write_text("POSTGRES_PASSWORD=hunter2\nTAG=1.5.0\n")
    result = imported(file, file.parent)
    text = b"".join(result.files.values()).decode() + "\n".join(result.notes)
    assert "hunter2" not in text
    assert "app:secret@" not in text
    assert "acme/model-server:1.5.0" in text
    spec = yaml.safe_load(result.files["environments/dev/platform/release.yaml"])["services"]
    assert spec["postgres"]["env"]["POSTGRES_PASSWORD"] == {"secret": "platform/postgres-password"}
    assert spec["grafana"]["env"]["GF_SECURITY_ADMIN_PASSWORD"] == {"secret": "platform/gf-security-admin-password"}


def test_fields_are_used_where_there_are_some(tmp_path: Path) -> None:
    file = written(tmp_path, "platform")
    result = imported(file, file.parent)
    spec = yaml.safe_load(result.files["environments/dev/platform/release.yaml"])["services"]
    server = spec["model-server"]
    assert server["ports"] == {"http": {"port": 8000, "publish": 8000}, "http-8001": {"port": 8001, "publish": 8001}}
    assert server["health"] == {
        "path": "/health", "port": "http", "period": "15s", "timeout": "5s", "startup": "40s", "retries": 5,
    }  # fmt: skip
    assert server["env"]["LOG_LEVEL"] == {"variable": "LOG_LEVEL", "default": "info"}
    assert server["env"]["PRICE"] == "5$"
    assert server["resources"] == {"cpuLimit": "2.0", "memory": "4Gi", "gpu": 1}
    assert server["build"] == {"context": "../../../server", "dockerfile": "Dockerfile", "args": {"PYTHON": "3.12"}}
    assert server["volumes"]["/models"] == {"host": "../../../models", "readOnly": True}
    assert spec["worker"]["args"] == ["worker", "--topic", "raw events", "--group", "a b"]
    assert spec["worker"]["replicas"] == 3
    assert spec["prometheus"]["files"] == {"/etc/prometheus/prometheus.yml": {"from": "../../../prometheus.yml"}}
    assert spec["redis"]["ports"] == {"tcp-6379": {"port": 6379, "protocol": "tcp"}}
    assert spec["kafka"]["overrides"]["compose"]["service"]["networks"] == {"default": {"aliases": ["broker"]}}


def test_what_is_not_taken_over_is_said(tmp_path: Path) -> None:
    file = written(tmp_path, "edges")
    result = imported(file, file.parent)
    notes = "\n".join(result.notes)
    release = result.files["environments/dev/edges/release.yaml"].decode()
    for said in ("precious", "shared", "HOSTED", "build context", "api_gateway", "network"):
        assert said in notes
    assert all(f"#   - {note}" in release for note in result.notes)


def test_the_compose_file_may_lie_in_another_folder(tmp_path: Path) -> None:
    file = written(tmp_path, "platform")
    result = imported(file, tmp_path)
    spec = yaml.safe_load(result.files["environments/dev/platform/release.yaml"])["services"]
    assert spec["model-server"]["build"]["context"] == "../../../platform/server"
    outside = imported(file, tmp_path / "new")
    spec = yaml.safe_load(outside.files["environments/dev/platform/release.yaml"])["services"]["model-server"]
    assert "build" not in spec
    assert spec["overrides"]["compose"]["service"]["build"]["context"] == "../../../../../platform/server"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("services: {a: &a [*a]}", "RS111"),
        ("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)) + "services: {s: {image: x}}", "RS111"),
        ("a: &a {k: v}\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{','.join(['*' + chr(97 + i)] * 10)}]}}\n" for i in range(8)) + "services: {s: {image: x}}", "RS111"),
        ("services: {a: " + "[" * 100 + "]" * 100 + "}", "RS111"),
        ("services: [", "RS100"),
        ("services: {a: {image: x}, a: {image: y}}", "RS100"),
        ("services: {a: !!python/object:os.system {}}", "RS100"),
        ("- a", "RS103"),
        ("services: {}", "RS103"),
        ("version: '3'", "RS103"),
    ],
)  # fmt: skip
def test_a_hostile_or_broken_file_is_refused(text: str, wanted: str) -> None:
    with pytest.raises(RelspecError) as refused:
        read(text.encode(), "compose.yaml")
    assert [finding.code for finding in refused.value.findings] == [wanted]


def test_a_large_file_without_aliases_is_counted_too() -> None:
    with pytest.raises(RelspecError):
        read(b"services: {a: [" + b"1," * (MAX_NODES + 1) + b"]}", "compose.yaml")


TEXTS = ("", "a", "80:80", "a:b", "a:/b:ro", "./a:/b", "/a", "${A}", "${A:-b}", "${", "x=y", "1g", "10s", "NONE", "A_B")
TEXTS += ("a b 'c", "\x01", "café", "2024-01-31", "http://localhost:80/x")
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-1, 70000), st.just(0.5), st.sampled_from(TEXTS))
INNER_KEYS = ("test", "interval", "target", "source", "type", "published", "limits", "cpus", "memory", "resources")
INNER_KEYS += ("condition", "path", "context", "args", "devices", "count", "file", "external", "name", "a", "1")
SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(INNER_KEYS), inner, max_size=3)
    ),
    max_leaves=6,
)
SERVICE_KEYS = ("image", "build", "command", "entrypoint", "ports", "expose", "environment", "env_file", "volumes")
SERVICE_KEYS += ("tmpfs", "configs", "secrets", "healthcheck", "depends_on", "networks", "labels", "deploy", "restart")
SERVICE_KEYS += ("user", "read_only", "mem_limit", "cpus", "gpus", "scale", "stop_grace_period", "container_name")
SERVICE_KEYS += ("network_mode", "links", "profiles", "ulimits", "logging", "x-own")


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(SERVICE_KEYS), SHAPES, max_size=5), st.dictionaries(st.just("v"), SHAPES))
def test_whatever_a_file_says_is_taken_over_or_refused(definition: dict[str, Any], top: dict[str, Any]) -> None:
    """No file makes it fail in another way, and what is written is a document that can be read."""
    document = {"services": {"a_b": {"image": "acme/a:1", **definition}}, "volumes": top, "networks": top}
    try:
        result = release_of(document, "compose.yaml", "shop", ".", {})
    except RelspecError:
        return
    compiled = compile_tree(MemoryTree(dict(result.files)))
    codes = {d.code for d in compiled.diagnostics}
    assert not codes & OUR_OWN_FAULT, (codes, [d.message for d in compiled.diagnostics])


OUR_OWN_FAULT = {"RS100", "RS101", "RS102", "RS103", "RS110", "RS211", "RS231", "RS440", "RS900"}
"""What is never said of an imported file, whatever it says: a file that can't be read, a null that removes nothing."""


@pytest.mark.parametrize("extra", ["include: [other.yaml]", "services: {a: {extends: {service: b}}, b: {image: x}}"])
def test_what_only_compose_can_put_together_is_refused_with_the_way(extra: str) -> None:
    document = {"services": {"a": {"image": "x"}}, **yaml.safe_load(extra)}
    with pytest.raises(RelspecError) as refused:
        release_of(document, "compose.yaml", "shop", ".", {})
    assert "docker compose -f compose.yaml config" in refused.value.findings[0].hint


@pytest.mark.parametrize(
    ("text", "plain", "empty", "given"),
    [
        ("a", "a", "a", "a"),
        ("$$x", "$x", "$x", "$x"),
        ("${A}", None, None, "1"),
        ("${A:-b}", None, "b", "1"),
        ("${A:-${B:-c}}", None, "c", "1"),
        ("x$A-y", None, None, "x1-y"),
        ("${A:?msg}", None, None, "1"),
        ("${A+b}", None, "", "b"),
        ("$", "$", "$", "$"),
        ("5$ and $$", "5$ and $", "5$ and $", "5$ and $"),
        ("${A:-{x}}", None, "{x}", "1"),
    ],
)
def test_interpolation(text: str, plain: str | None, empty: str | None, given: str) -> None:
    assert literal(text) == plain
    assert filled(text, {}) == empty
    assert filled(text, {"A": "1"}) == given
    assert (single(text) is not None) == (len(list(parts(text))) == 1 and plain is None)


def test_a_date_stays_the_text_that_was_written() -> None:
    assert read(b"services: {a: {environment: {DAY: 2024-01-31}}}", "c")["services"]["a"]["environment"] == {
        "DAY": "2024-01-31"
    }


def test_env_files_durations_and_sizes() -> None:
    assert host_values("A=1\n# no\nexport B='x y'\nC=z # comment\n=\n") == {"A": "1", "B": "x y", "C": "z"}
    assert [duration(text) for text in ("90s", "1m30s", "500ms", "2m", "0s", "x")] == [
        "90s",
        "90s",
        "1s",
        "2m",
        "0s",
        None,
    ]
    assert [memory(value) for value in ("512m", "1gb", 1024, "1.5g", "100")] == ["512Mi", "1Gi", "1Ki", None, "100"]
    assert labels(["a_b", "a-b", "A"]) == {"a_b": "a-b-2", "a-b": "a-b", "A": "a"}

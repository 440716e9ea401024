"""The compose target: what each field becomes, checked in whole files, on the schema and with Compose itself."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from company import compiled, with_service
from company import compose as compose_environment
from judges import compose_config, compose_hash
from relspec.diagnostics import RelspecError
from relspec.emit import emit, emit_documents
from relspec.loader import Loader
from relspec.outputs import origin_of
from relspec.packaged import TemplateSources
from relspec.render import TemplateSet
from relspec.resolve import HostVariable, ResolvedRelease, Resolver, Secret
from relspec.schema_checks import check_compose
from relspec.targets.application_routing import contract
from relspec.targets.compose.files import unmountable
from relspec.targets.compose.interpolation import default_fits, literal, secret_variable, value
from relspec.targets.compose.probe import http_probe, tcp_probe
from relspec.targets.compose.storage import memory
from relspec.targets.compose.target import TEMPLATE, compose
from relspec.targets.draft import Draft
from relspec.targets.merge_patch import apply_merge_patch, overlaid, patched
from relspec.tree import MemoryTree

HTTP_8080 = http_probe(8080, "/healthz", 3)
TCP_8080 = tcp_probe(8080, 3)


def resolved(
    services: str,
    *,
    target: str = "{}",
    path: str = "staging",
    release_fields: str = "",
    files: dict[str, bytes] | None = None,
) -> tuple[ResolvedRelease, TemplateSet]:
    """The release `recs` of an environment, and the templates of its repository."""
    folders = path.split("/")
    tree = {
        f"environments/{'/'.join(folders[: depth + 1])}/environment.yaml": (
            f"apiVersion: relspec/v1\nkind: Environment\nname: {folder}\n"
            + (f"targets: {{compose: {target}}}\n" if depth == len(folders) - 1 else "")
        ).encode()
        for depth, folder in enumerate(folders)
    }
    file = f"environments/{path}/recs/release.yaml"
    head = f"apiVersion: relspec/v1\nkind: Release\nname: recs\n{dedent(release_fields)}services:\n"
    tree[file] = (head + indent(dedent(services), "  ")).encode()
    memory_tree = MemoryTree({**tree, **(files or {})})
    release = Resolver(Loader(memory_tree)).release(file, path, f"{path}/recs")
    return release, TemplateSet(TemplateSources(memory_tree))


def drafts(services: str, *, output: str = "rendered", **more: Any) -> tuple[Draft, ...]:
    """What the target makes of `services`; compose.yaml always fits the schema."""
    release, templates = resolved(services, **more)
    found = compose(release, templates, output)
    assert found[0].path == "compose/compose.yaml"
    assert found[0].documents is not None
    assert check_compose(found[0].documents[0]) == ()
    return found


def document(services: str, **more: Any) -> dict[str, Any]:
    """compose.yaml as data."""
    found = drafts(services, **more)[0].documents
    assert found is not None
    return dict(found[0])


def service(services: str, name: str = "api", **more: Any) -> dict[str, Any]:
    """One service of compose.yaml."""
    return dict(document(services, **more)["services"][name])


# --- whole files


def test_the_smallest_service() -> None:
    text = emit_documents(drafts("worker: {image: acme/worker:1}\n")[0].documents or [])
    assert text == dedent("""\
        name: staging-recs
        services:
          worker:
            image: acme/worker:1
            stop_grace_period: 30s
            restart: unless-stopped
        """)


def test_a_service_with_everything() -> None:
    text = emit_documents(
        drafts(
            """\
            redis:
              image: redis:7
              volumes: {/data: {name: redis}}
            api:
              image: ghcr.io/acme/recs:1.8.2
              build: {context: ., dockerfile: docker/Dockerfile, target: prod, args: {PRICE: $5, PORT: 80}}
              command: [python, -m, app]
              args: ["$HOME", 1]
              ports: {http: 8080, admin: 9000, stats: {port: 8125, publish: 8125, protocol: udp}}
              metrics: {port: 9100}
              health: {tcp: 8080, startup: 2m, period: 5s, timeout: 2s, retries: 4}
              shutdown: {grace: 45s}
              env:
                LEVEL: info
                COUNT: 3
                PRICE: $5
                API_KEY: {secret: recs/api-key}
                SOURCE: {variable: SOURCE, default: binance}
                TOKEN: {variable: TOKEN}
                PLACE: {environment: path}
              files: {/etc/app.yaml: {content: "price: $5\\n"}}
              volumes:
                /models: {name: models, readOnly: true}
                /cache: {empty: 64Mi}
                /src: {host: ../../../data, readOnly: true}
                /var/run/docker.sock: {host: /var/run/docker.sock}
              security: {user: 10001, root: false, readOnly: false}
              writable: [/tmp]
              labels: {team: recs}
              annotations: {acme.dev/note: "costs $5"}
              resources: {cpu: 500m, cpuLimit: 2, memory: 1Gi, gpu: 1}
              replicas: 2
              restart: always
              dependsOn: [redis]
            """
        )[0].documents
        or []
    )
    assert text == dedent("""\
        name: staging-recs
        services:
          redis:
            image: redis:7
            volumes:
              - type: volume
                source: redis
                target: /data
            stop_grace_period: 30s
            restart: unless-stopped
          api:
            image: ghcr.io/acme/recs:1.8.2
            build:
              context: ../../../../environments/staging/recs
              dockerfile: docker/Dockerfile
              target: prod
              args:
                PRICE: $$5
                PORT: "80"
            entrypoint:
              - python
              - "-m"
              - app
            command:
              - $$HOME
              - "1"
            user: "10001"
            environment:
              LEVEL: info
              COUNT: "3"
              PRICE: $$5
              API_KEY: ${RECS_API_KEY:?set RECS_API_KEY in .env}
              SOURCE: ${SOURCE:-binance}
              TOKEN: ${TOKEN:?set TOKEN in .env}
              PLACE: staging
            ports:
              - target: 8125
                published: "8125"
                host_ip: "127.0.0.1"
                protocol: udp
            expose:
              - "8080"
              - "9000"
            volumes:
              - type: volume
                source: models
                target: /models
                read_only: true
              - type: tmpfs
                target: /cache
                tmpfs:
                  size: 64m
              - type: bind
                source: ../../../../data
                target: /src
                read_only: true
              - type: bind
                source: /var/run/docker.sock
                target: /var/run/docker.sock
            tmpfs:
              - /tmp
            configs:
              - source: api-1b299843b4
                target: /etc/app.yaml
            read_only: false
            healthcheck:
              test:
                - CMD-SHELL
                - PROBE
              interval: 5s
              timeout: 2s
              retries: 4
              start_period: 2m
            depends_on:
              redis:
                condition: service_started
            deploy:
              replicas: 2
              resources:
                limits:
                  cpus: "2"
                  memory: "1g"
                reservations:
                  devices:
                    - driver: nvidia
                      count: 1
                      capabilities:
                        - gpu
            stop_grace_period: 45s
            restart: always
            labels:
              prometheus.io/scrape: "true"
              prometheus.io/port: "9100"
              prometheus.io/path: /metrics
              team: recs
              acme.dev/note: costs $$5
        volumes:
          redis: {}
          models: {}
        configs:
          api-1b299843b4:
            content: |
              price: $$5
        """).replace("PROBE", emit(tcp_probe(8080, 2)).rstrip("\n"))


SPLIT = """\
api:
  image: acme/recs:1
  ports: {http: {port: 8080, publish: 8000}, admin: {port: 9000, publish: 9000}}
  health: {path: /healthz}
  candidate: {image: "acme/recs:2", env: {V: "2"}}
  strategy: {canary: {weight: 10, stickyBy: {header: x-user-id, bucket: mod100}}}
"""


def test_a_split_puts_a_router_before_stable_and_candidate() -> None:
    found = drafts(SPLIT)
    text = emit_documents(found[0].documents or [])
    config = document(SPLIT)["services"]["api-router"]["configs"][0]["source"]
    assert config.startswith("api-router-")
    assert text == dedent("""\
        name: staging-recs
        services:
          api:
            image: acme/recs:1
            ports:
              - target: 9000
                published: "9000"
                host_ip: "127.0.0.1"
                protocol: tcp
            expose:
              - "8080"
            healthcheck: &health
              test:
                - CMD-SHELL
                - PROBE
              interval: 10s
              timeout: 3s
              retries: 3
              start_period: 60s
            stop_grace_period: 30s
            restart: unless-stopped
          api-candidate:
            image: acme/recs:2
            environment:
              V: "2"
            expose:
              - "8080"
              - "9000"
            healthcheck: &health
              test:
                - CMD-SHELL
                - PROBE
              interval: 10s
              timeout: 3s
              retries: 3
              start_period: 60s
            stop_grace_period: 30s
            restart: unless-stopped
          api-router:
            image: nginx:1.28-alpine
            ports:
              - target: 8080
                published: "8000"
                host_ip: "127.0.0.1"
                protocol: tcp
            configs:
              - source: CONFIG
                target: /etc/nginx/conf.d/default.conf
            healthcheck:
              test:
                - CMD-SHELL
                - ROUTER
              interval: 10s
              timeout: 3s
              retries: 3
              start_period: 10s
            depends_on:
              api:
                condition: service_healthy
            stop_grace_period: 30s
            restart: unless-stopped
        configs:
          CONFIG:
            file: ./router-api.conf
        """).replace(" &health", "").replace("PROBE", emit(HTTP_8080).rstrip("\n")).replace(
        "ROUTER", emit(TCP_8080).rstrip("\n")
    ).replace("CONFIG", config)
    assert [draft.path for draft in found] == ["compose/compose.yaml", "compose/router-api.conf"]
    conf = found[1].text or ""
    assert "listen *:8080;" in conf
    assert "api:8080" in conf
    assert "api-candidate:8080" in conf


# --- what is rewritten, left out, or told apart


def test_paths_are_seen_from_the_rendered_folder() -> None:
    services = """\
    api: {image: "a:1", build: {context: ../../../../src}, volumes: {/d: {host: data}}}
    """
    found = service(services, path="production/eu-west")
    assert found["build"] == {"context": "../../../../../src"}
    assert found["volumes"][0]["source"] == "../../../../../environments/production/eu-west/recs/data"
    deeper = service(services, path="production/eu-west", output="out/manifests")
    assert deeper["build"] == {"context": "../../../../../../src"}


def test_a_build_of_the_whole_repository() -> None:
    services = "api: {image: 'a:1', build: {context: ../../..}}\n"
    assert service(services)["build"] == {"context": "../../../.."}


def test_a_path_out_of_the_repository_is_refused() -> None:
    release, templates = resolved("api: {image: 'a:1', volumes: {/d: {host: ../../../../etc}}}\n")
    with pytest.raises(RelspecError) as caught:
        compose(release, templates)
    assert [finding.code for finding in caught.value.findings] == ["RS241"]


def test_the_project_is_named_by_place_or_by_the_environment() -> None:
    assert document("api: {image: 'a:1'}\n", path="production/eu-west")["name"] == "production-eu-west-recs"
    assert document("api: {image: 'a:1'}\n", target="{project: shop}")["name"] == "shop"


def test_services_of_other_targets_are_neither_written_nor_awaited() -> None:
    services = """\
    api: {image: "a:1", targets: [compose], dependsOn: [redis, db]}
    redis: {image: "r:1", targets: [rollouts]}
    db: {image: "d:1", health: {exec: [ready, $x]}}
    """
    release, templates = resolved(services)
    found = compose(release, templates)[0].documents or []
    assert list(found[0]["services"]) == ["api", "db"]
    assert found[0]["services"]["api"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert found[0]["services"]["db"]["healthcheck"]["test"] == ["CMD", "ready", "$$x"]


def test_nothing_without_a_service_or_a_target() -> None:
    release, templates = resolved("api: {image: 'a:1', targets: [rollouts]}\n")
    assert compose(release, templates) == ()


def test_dependencies_wait_as_they_say() -> None:
    services = """\
    api: {image: "a:1", dependsOn: {seed: completed, db: started, cache: healthy}}
    seed: {image: "s:1"}
    db: {image: "d:1", health: {tcp: 1}}
    cache: {image: "c:1", health: {grpc: 2}}
    """
    assert service(services)["depends_on"] == {
        "seed": {"condition": "service_completed_successfully"},
        "db": {"condition": "service_started"},
        "cache": {"condition": "service_healthy"},
    }


def test_networks_of_the_environment_are_joined_beside_the_project_s_own() -> None:
    found = document(SPLIT, target="{networks: {shop: external, back: internal}}")
    assert found["networks"] == {"shop": {"external": True}, "back": {"internal": True}}
    for name, each in found["services"].items():
        assert each["networks"] == {"default": {"aliases": [f"{name}.internal"]}, "shop": {}, "back": {}}


def test_on_shared_networks_the_router_asks_for_its_own_project() -> None:
    conf = drafts(SPLIT, target="{networks: {shop: external}}")[1].text or ""
    assert "api.internal:8080" in conf
    assert "api-candidate.internal:8080" in conf


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("1Gi", "1g"), ("1.5Gi", "1536m"), ("512Mi", "512m"), ("1G", "1000000000b"), ("1Ki", "1k"), ("100", "100b")],
)
def test_memory_in_the_units_of_compose(quantity: str, expected: str) -> None:
    assert memory(quantity) == expected


@pytest.mark.parametrize(
    ("resources", "cpus"), [("{cpu: 250m}", "0.25"), ("{cpu: 1, cpuLimit: 1500m}", "1.5"), ("{cpuLimit: 20}", "20")]
)
def test_cpu_is_a_limit(resources: str, cpus: str) -> None:
    found = service(f"api: {{image: 'a:1', resources: {resources}}}\n")
    assert found["deploy"] == {"resources": {"limits": {"cpus": cpus}}}


def test_an_accelerator_that_compose_cannot_count_is_left_to_the_rules() -> None:
    assert "deploy" not in service("api: {image: 'a:1', resources: {gpu: {count: 1, resource: amd.com/gpu}}}\n")


def test_a_range_of_replicas_stays_at_its_lower_end() -> None:
    assert service("api: {image: 'a:1', replicas: {min: 2, max: 9, cpu: 70}}\n")["deploy"] == {"replicas": 2}
    assert service("api: {image: 'a:1', replicas: 0}\n")["deploy"] == {"replicas": 0}


# --- files


def test_a_config_is_named_by_its_content() -> None:
    def named(content: str) -> str:
        found = service(f"api: {{image: 'a:1', files: {{/a: {{content: {content}}}}}}}\n")
        return str(found["configs"][0]["source"])

    assert named("one") == named("one")
    assert named("one") != named("two")


def test_files_of_a_folder_and_files_that_are_no_text() -> None:
    files = {
        "environments/staging/recs/conf/a.yaml": b"a: $1\n",
        "environments/staging/recs/conf/sub/model.bin": b"\xff\x00",
    }
    found = document("api: {image: 'a:1', files: {/etc/app: {from: conf}}}\n", files=files)
    mounts = found["services"]["api"]["configs"]
    assert [mount["target"] for mount in mounts] == ["/etc/app/a.yaml", "/etc/app/sub/model.bin"]
    assert [found["configs"][mount["source"]] for mount in mounts] == [
        {"content": "a: $$1\n"},
        {"file": "../../../../environments/staging/recs/conf/sub/model.bin"},
    ]


def test_a_read_only_root_gets_files_mounted_because_compose_cannot_copy_into_it() -> None:
    services = """\
    api:
      image: a:1
      security: {readOnly: true}
      files: {/a: {from: a.txt}, /b: {content: inline}}
    """
    found = document(services, files={"environments/staging/recs/a.txt": b"text"})
    assert list(found["configs"].values()) == [
        {"file": "../../../../environments/staging/recs/a.txt"},
        {"content": "inline"},
    ]
    release, _ = resolved(services, files={"environments/staging/recs/a.txt": b"text"})
    assert [file.path for file in unmountable(release.services["api"])] == ["/b"]


# --- companions

COMPANIONS = """\
api:
  image: a:1
  env: {A: "1"}
  ports: {http: 80}
  health: {path: /}
  volumes: {/models: {empty: 1Gi}, /scratch: {empty: true}}
  security: {user: 7}
  dependsOn: [db]
  init:
    - {name: fetch, image: "kit:VERSION", command: [kit, pull], volumes: {/models: {empty: 1Gi}}}
    - {name: check, image: "kit:1", args: [$x], env: {B: "2"}, volumes: {}}
  sidecars: [{name: proxy, image: "envoy:1", resources: {memory: 64Mi}, volumes: {/logs: {name: logs}}}]
db: {image: "d:1"}
"""


def test_init_containers_run_one_after_the_other_before_the_service() -> None:
    found = document(COMPANIONS)["services"]
    assert list(found) == ["api", "api-fetch", "api-check", "api-proxy", "db"]
    assert found["api"]["depends_on"] == {
        "api-check": {"condition": "service_completed_successfully"},
        "db": {"condition": "service_started"},
    }
    assert found["api-check"] == {
        "image": "kit:1",
        "command": ["$$x"],
        "user": "7",
        "environment": {"B": "2"},
        "depends_on": {"api-fetch": {"condition": "service_completed_successfully"}},
        "restart": "no",
    }
    assert found["api-fetch"]["depends_on"] == {"db": {"condition": "service_started"}}
    assert found["api-fetch"]["environment"] == {"A": "1"}


def test_a_sidecar_shares_the_network_of_its_service() -> None:
    found = document(COMPANIONS)
    assert found["services"]["api-proxy"] == {
        "image": "envoy:1",
        "user": "7",
        "environment": {"A": "1"},
        "network_mode": "service:api",
        "volumes": [{"type": "volume", "source": "logs", "target": "/logs"}],
        "deploy": {"resources": {"limits": {"memory": "64m"}}},
        "stop_grace_period": "30s",
        "restart": "unless-stopped",
    }
    on_shared = document(COMPANIONS, target="{networks: {shop: external}}")["services"]["api-proxy"]
    assert "networks" not in on_shared


def test_what_an_init_container_fills_is_a_volume_named_after_the_filling() -> None:
    def volumes(version: str) -> tuple[str, str, dict[str, Any]]:
        found = document(COMPANIONS.replace("VERSION", version))
        mounts = found["services"]["api"]["volumes"]
        assert found["services"]["api-fetch"]["volumes"] == [mounts[0]]
        assert mounts[1] == {"type": "tmpfs", "target": "/scratch"}
        return mounts[0]["type"], mounts[0]["source"], found["volumes"]

    kind, first, declared = volumes("1")
    assert kind == "volume"
    assert declared == {first: {}, "logs": {}}
    assert volumes("2")[1] != first
    assert volumes("1")[1] == first


def test_shared_folders_whose_paths_look_alike_are_two_volumes() -> None:
    shared = "{/a/b: {empty: true}, /a-b: {empty: true}}"
    fill = f"[{{name: fetch, image: 'kit:1', volumes: {shared}}}]"
    services = document(f"api:\n  image: a:1\n  volumes: {shared}\n  init: {fill}\n")["services"]
    sources = {mount["target"]: mount["source"] for mount in services["api"]["volumes"]}
    assert len(set(sources.values())) == len(sources) == 2
    assert services["api-fetch"]["volumes"] == services["api"]["volumes"]


def test_a_candidate_has_companions_of_its_own() -> None:
    services = COMPANIONS.replace("VERSION", "1").replace("db: {image", "  candidate: {image: 'a:2'}\n" + "db: {image")
    services = services.replace("  security:", "  strategy: {canary: {weight: 5}}\n  security:")
    found = document(services)["services"]
    assert list(found) == [
        *("api", "api-fetch", "api-check", "api-proxy"),
        *("api-candidate", "api-candidate-fetch", "api-candidate-check", "api-candidate-proxy", "api-router", "db"),
    ]
    assert found["api-candidate-proxy"]["network_mode"] == "service:api-candidate"
    assert "api-candidate-check" in found["api-candidate"]["depends_on"]


# --- routers


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ("{abTest: {weight: 50, stickyBy: {cookie: uid, bucket: parity}}}", "$relspec_cookie"),
        ("{shadow: {percent: 20}}", "20% @mirrored;"),
        ("{canary: {weight: 100}}", "candidate"),
        ("{canary: {weight: 30, stickyBy: {header: x-id}}}", 'split_clients "recs/api:$http_x_id"'),
    ],
)
def test_the_router_does_what_the_strategy_says(strategy: str, says: str) -> None:
    head, _, _ = SPLIT.rpartition("  strategy:")
    assert says in (drafts(f"{head}  strategy: {strategy}\n")[1].text or "")


def test_a_weight_changes_the_router_only() -> None:
    ten, fifty = (document(SPLIT.replace("weight: 10", f"weight: {weight}")) for weight in (10, 50))
    assert ten["services"]["api"] == fifty["services"]["api"]
    assert ten["services"]["api-candidate"] == fifty["services"]["api-candidate"]
    assert ten["services"]["api-router"]["configs"] != fifty["services"]["api-router"]["configs"]


def test_with_a_router_always_a_split_recreates_nothing_but_the_router() -> None:
    head, _, _ = SPLIT.partition("  candidate:")
    fixed, split = (document(services, target="{router: {when: always}}") for services in (head, SPLIT))
    assert list(fixed["services"]) == ["api", "api-router"]
    assert fixed["services"]["api"] == split["services"]["api"]
    different = {
        key for key, old in fixed["services"]["api-router"].items() if split["services"]["api-router"][key] != old
    }
    assert different == {"configs"}


def test_several_containers_behind_one_published_port_need_the_router() -> None:
    one = "api: {image: 'a:1', ports: {http: {port: 80, publish: 8000}}}\n"
    assert "api-router" not in document(one)["services"]
    assert "api-router" in document(one.replace("}}}", "}}, replicas: 2}"))["services"]
    assert "api-router" not in document("api: {image: 'a:1', ports: {http: 80}, replicas: 2}\n")["services"]


def test_the_environment_chooses_the_router_s_image_and_the_address() -> None:
    found = service(SPLIT, "api-router", target="{bind: 0.0.0.0, router: {image: 'nginx:1.29'}}")
    assert found["image"] == "nginx:1.29"
    assert found["ports"][0]["host_ip"] == "0.0.0.0"


def test_processes_run_as_fixed() -> None:
    services = """\
    api:
      image: a:1
      ports: {http: {port: 80, publish: 8000}}
      strategy: {canary: {steps: [{setWeight: 10}, {pause: {}}]}}
    """
    assert list(document(services)["services"]) == ["api"]


# --- routing by the application

APPLICATION = """\
api:
  image: a:1
  model: als@v0.3
  ports: {http: {port: 80, publish: 8000}}
  env: {LOG: info}
  routing: app
  candidate: {model: als@v0.4}
  strategy: STRATEGY
"""
REGISTRY = {
    "registry/als/model.yaml": b"apiVersion: relspec/v1\nkind: Model\nname: als\nversioning: semver\n",
    **{
        f"registry/als/{version}.yaml": f"apiVersion: relspec/v1\nkind: ModelVersion\nmodel: als\nversion: {version}\n".encode()
        for version in ("v0.3", "v0.4")
    },
}


@pytest.mark.parametrize(
    ("strategy", "word", "percent"),
    [
        ("{canary: {weight: 10}}", "canary", "10"),
        ("{abTest: {}}", "ab_test", "50"),
        ("{shadow: {percent: 25}}", "shadow", "25"),
    ],
)
def test_the_application_routes_by_the_environment_contract(strategy: str, word: str, percent: str) -> None:
    found = document(APPLICATION.replace("STRATEGY", strategy), files=REGISTRY)
    assert list(found["services"]) == ["api"]
    assert found["services"]["api"]["environment"] == {
        "LOG": "info",
        "ROLLOUT_STRATEGY": word,
        "MODEL_VERSION": "v0.3",
        "CANARY_VERSION": "v0.4",
        "CANARY_PERCENTAGE": percent,
        "ENVIRONMENT": "staging",
    }


def test_the_contract_of_one_version_is_fixed() -> None:
    release, _ = resolved("api: {image: 'a:1', routing: app}\nother: {image: 'o:1'}\n")
    assert contract(release.services["api"], release.environment) == {
        "ROLLOUT_STRATEGY": "fixed",
        "MODEL_VERSION": "",
        "CANARY_VERSION": "",
        "CANARY_PERCENTAGE": "0",
        "ENVIRONMENT": "staging",
    }
    assert contract(release.services["other"], release.environment) == {}


# --- overrides


def test_overrides_come_last_the_service_s_over_the_release_s() -> None:
    head, tail = SPLIT.split("  candidate:")
    own = "  overrides: {compose: {service: {shm_size: 2gb, labels: {a: null, b: '2'}}, router: {mem_limit: 64m}}}\n"
    found = drafts(
        f"{head}  labels: {{a: '1'}}\n{own}  candidate:{tail}",
        release_fields="overrides: {compose: {service: {shm_size: 1gb, init: true}, router: {cpus: 1}}}\n",
    )[0]
    services = (found.documents or [])[0]["services"]
    for name in ("api", "api-candidate"):
        assert services[name]["shm_size"] == "2gb"
        assert services[name]["init"] is True
        assert services[name]["labels"] == {"b": "2"}
    assert services["api-router"]["mem_limit"] == "64m"
    assert services["api-router"]["cpus"] == 1
    at = ("overrides", "compose", "service")
    assert origin_of(found, 0, ("services", "api", "shm_size")) == ("services", "api", *at, "shm_size")
    assert origin_of(found, 0, ("services", "api", "init")) == (*at, "init")
    assert origin_of(found, 0, ("services", "api", "labels", "b")) == ("services", "api", *at, "labels", "b")
    assert origin_of(found, 0, ("services", "api-router", "cpus")) == ("overrides", "compose", "router", "cpus")


def test_an_override_of_a_service_that_the_team_s_template_leaves_out() -> None:
    release, templates = resolved(
        "api: {image: 'a:1', overrides: {compose: {service: {init: true}}}}\n",
        files={"templates/compose/compose.yaml.j2": b"name: {{ project }}\nservices: {}\n"},
    )
    with pytest.raises(RelspecError) as caught:
        compose(release, templates)
    (finding,) = caught.value.findings
    assert finding.code == "RS361"
    assert finding.where.file == "environments/staging/recs/release.yaml"


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_as_rfc_7396_has_them(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps([target, patch])
    assert apply_merge_patch(target, patch) == result
    assert json.dumps([target, patch]) == before


def test_a_patch_says_what_it_wrote() -> None:
    target = {"spec": {"containers": [{"name": "a", "env": {"X": "1"}}, {"name": "b"}]}}
    patch = {"env": {"X": None, "Y": "2"}, "args": ["q"], "name": {"a": {"b": "c"}}}
    result, nodes = patched(target, patch, ("spec", "containers", 0))
    patched_container = {"name": {"a": {"b": "c"}}, "env": {"Y": "2"}, "args": ["q"]}
    assert result == {"spec": {"containers": [patched_container, {"name": "b"}]}}
    at = ("spec", "containers", 0)
    assert nodes == ((*at, "env", "X"), (*at, "env", "Y"), (*at, "args"), (*at, "name"))
    assert target["spec"]["containers"][0] == {"name": "a", "env": {"X": "1"}}
    with pytest.raises(LookupError):
        patched(target, {"a": 1}, ("spec", "nothing"))


def test_a_later_patch_leaves_nothing_of_an_earlier_one() -> None:
    earlier = {("a", "b"): ("first", "b"), ("a", "c", "d"): ("first", "d"), ("e",): ("first", "e")}
    later = {("a", "c"): ("second", "c"), ("e", "f"): ("second", "f")}
    assert overlaid(earlier, later) == {("a", "b"): ("first", "b"), ("e",): ("first", "e"), **later}


# --- the way back to the spec


@pytest.mark.parametrize(
    ("at", "origin"),
    [
        (("image",), ("image",)),
        (("entrypoint", 1), ("command", 1)),
        (("command",), ("args",)),
        (("environment", "LEVEL"), ("env", "LEVEL")),
        (("ports", 0, "published"), ("ports", "stats", "publish")),
        (("healthcheck", "interval"), ("health", "period")),
        (("deploy", "resources", "limits", "memory"), ("resources", "memory")),
        (("deploy", "resources", "limits", "cpus"), ("resources", "cpuLimit")),
        (("deploy", "replicas"), ("replicas",)),
        (("stop_grace_period",), ("shutdown", "grace")),
        (("user",), ("security", "user")),
        (("labels", "acme.dev/note"), ("annotations", "acme.dev/note")),
        (("volumes", 0, "source"), ("volumes", "/models")),
        (("build", "context"), ("build", "context")),
    ],
)
def test_each_node_knows_the_field_that_gave_it(at: tuple[str | int, ...], origin: tuple[str | int, ...]) -> None:
    draft = drafts(
        """\
        api:
          image: a:1
          build: {context: .}
          command: [python, app]
          args: [x]
          ports: {stats: {port: 8125, publish: 8125, protocol: udp}}
          health: {exec: [x]}
          env: {LEVEL: info}
          volumes: {/models: {name: models}}
          security: {user: 1}
          annotations: {acme.dev/note: text}
          resources: {cpuLimit: 2, memory: 1Gi}
          replicas: 2
        """
    )[0]
    assert origin_of(draft, 0, ("services", "api", *at)) == ("services", "api", *origin)


def test_the_way_back_leads_to_the_environment_and_the_candidate_too() -> None:
    draft = drafts(SPLIT)[0]
    settings_of_target = ("environment", "targets", "compose")
    assert origin_of(draft, 0, ("services", "api", "ports", 0, "host_ip")) == (*settings_of_target, "bind")
    assert origin_of(draft, 0, ("services", "api-router", "image")) == (*settings_of_target, "router", "image")
    patch = ("services", "api", "candidate")
    assert origin_of(draft, 0, ("services", "api-candidate", "environment", "V")) == (*patch, "env", "V")


# --- probes, run by a shell


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/ok?a=1&b=(2)": 200, "/moved": 302}.get(self.path, 503))
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def answering() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def _run(line: str, tools: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A probe run by a shell that finds these tools only, behind a proxy that is down."""
    for tool in tools:
        found = sys.executable if tool == "python3" else shutil.which(tool)
        if found is None:
            pytest.fail(f"{tool} is not installed: run tools/judges")
        (folder / tool).symlink_to(os.path.realpath(found))
    environment = {"PATH": str(folder), "http_proxy": "http://127.0.0.1:1"}
    command = ["/bin/sh", "-c", line.replace("$$", "$")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.judge
@pytest.mark.parametrize("tool", ["curl", "wget", "python3"])
def test_the_http_probe_works_with_each_tool(tool: str, answering: int, tmp_path: Path) -> None:
    assert _run(http_probe(answering, "/ok?a=1&b=(2)", 2), [tool], tmp_path).returncode == 0
    again = tmp_path / "again"
    again.mkdir()
    assert _run(http_probe(answering, "/down", 2), [tool], again).returncode != 0


@pytest.mark.judge
@pytest.mark.parametrize("tool", ["curl", "python3"])
def test_a_redirect_is_an_answer(tool: str, answering: int, tmp_path: Path) -> None:
    assert _run(http_probe(answering, "/moved", 2), [tool], tmp_path).returncode == 0


def test_an_image_without_a_tool_says_so(tmp_path: Path) -> None:
    result = _run(http_probe(80, "/", 2), [], tmp_path)
    assert result.returncode == 1
    assert "health.exec" in result.stderr


@pytest.mark.judge
@pytest.mark.parametrize("tool", ["grep", "python3", "nc"])
def test_the_tcp_probe_works_with_each_tool(tool: str, answering: int, tmp_path: Path) -> None:
    assert _run(tcp_probe(answering, 2), [tool], tmp_path).returncode == 0
    again = tmp_path / "again"
    again.mkdir()
    assert _run(tcp_probe(1, 2), [tool], again).returncode != 0


def test_a_grpc_probe_asks_the_health_service() -> None:
    assert service("api: {image: 'a:1', health: {grpc: 50051, timeout: 2s}}\n")["healthcheck"]["test"] == [
        *("CMD", "grpc_health_probe", "-addr=127.0.0.1:50051", "-connect-timeout=2s", "-rpc-timeout=2s")
    ]


# --- .env and interpolation


@pytest.mark.parametrize(
    ("secret", "variable"),
    [
        (Secret("recs", "api-key"), "RECS_API_KEY"),
        (Secret("a.b-c", "D.e"), "A_B_C_D_E"),
        (Secret("2fa", "key"), "_2FA_KEY"),
    ],
)
def test_a_secret_is_a_variable_of_the_host(secret: Secret, variable: str) -> None:
    assert secret_variable(secret) == variable
    assert value(secret) == f"${{{variable}:?set {variable} in .env}}"


@pytest.mark.parametrize(
    ("default", "fits"), [("", True), ("{}", True), ('{"a": {}}', True), ("}{", False), ("a}", False), ("a\nb", False)]
)
def test_defaults_that_compose_can_hold(default: str, fits: bool) -> None:
    assert default_fits(HostVariable("X", default)) is fits


def written(document: dict[str, Any], folder: Path) -> Path:
    """A document as the file that Compose reads."""
    file = folder / "compose.yaml"
    file.write_text(emit(document), encoding="utf-8")
    return file


TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ue000\ue001"), max_size=40),
        st.text("${}:-?+'\"\\\n\t #&*!|>%@`,[]=~ aA01_", max_size=40),
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.judge
@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_any_text_survives_compose(texts: list[str], tmp_path: Path) -> None:
    plain = {f"P{number}": literal(text) for number, text in enumerate(texts)}
    defaults = {f"D{n}": HostVariable("UNSET", text) for n, text in enumerate(texts)}
    kept = {name: variable for name, variable in defaults.items() if default_fits(variable)}
    hosts = {f"H{name}": HostVariable("GIVEN", variable.default) for name, variable in kept.items()}
    given_values = {name: value(variable) for name, variable in (kept | hosts).items()}
    document = {
        "name": "t",
        "services": {"a": {"image": "x", "environment": plain | given_values, "command": [literal(t) for t in texts]}},
        "configs": {"c": {"content": literal(texts[0])}},
    }
    found = compose_config(written(document, tmp_path), {"GIVEN": "from the host"})
    environment = {name: text.replace("$$", "$") for name, text in found["services"]["a"]["environment"].items()}
    assert environment == {
        **{f"P{number}": text for number, text in enumerate(texts)},
        **{name: variable.default for name, variable in kept.items()},
        **dict.fromkeys(hosts, "from the host"),
    }
    assert [text.replace("$$", "$") for text in found["services"]["a"]["command"]] == texts


@pytest.mark.judge
@pytest.mark.parametrize("target", ["{}", "{networks: {shop: external, back: internal}}", "{router: {when: always}}"])
@pytest.mark.parametrize("services", [SPLIT, COMPANIONS.replace("VERSION", "1")])
def test_compose_itself_accepts_the_project(services: str, target: str, tmp_path: Path) -> None:
    found = drafts(services, target=target)
    for draft in found[1:]:
        (tmp_path / Path(draft.path).name).write_text(draft.text or "", encoding="utf-8")
    made = (found[0].documents or [])[0]
    config = compose_config(written(made, tmp_path))
    assert config["name"] == made["name"]
    assert list(config["services"]) == sorted(made["services"])


def _recreated(before: str, after: str, folder: Path, target: str = "{}") -> set[str]:
    """The services that Compose recreates, or that come and go, between two states of a release."""
    hashes = []
    for number, services in enumerate((before, after)):
        place = folder / str(number)
        place.mkdir()
        found = drafts(services, target=target)
        for draft in found[1:]:
            (place / Path(draft.path).name).write_text(draft.text or "", encoding="utf-8")
        hashes.append(compose_hash(written((found[0].documents or [])[0], place)))
    old, new = hashes
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


@pytest.mark.judge
@pytest.mark.slow
def test_compose_recreates_what_changed_and_nothing_else(tmp_path: Path) -> None:
    fixed, _, _ = SPLIT.partition("  candidate:")
    cases = [
        (SPLIT, SPLIT.replace("weight: 10", "weight: 50"), "{}", {"api-router"}),
        (SPLIT, SPLIT.replace('V: "2"', 'V: "3"'), "{}", {"api-candidate"}),
        (SPLIT, SPLIT.replace("image: acme/recs:1", "image: acme/recs:3"), "{}", {"api"}),
        (fixed, SPLIT, "{}", {"api", "api-candidate", "api-router"}),
        (fixed, SPLIT, "{router: {when: always}}", {"api-candidate", "api-router"}),
        (
            "a: {image: 'a:1', files: {/f: {content: x}}}\n",
            "a: {image: 'a:1', files: {/f: {content: y}}}\n",
            "{}",
            {"a"},
        ),
        ("a: {image: 'a:1'}\n", "a: {image: 'a:1'}\nb: {image: 'b:1'}\n", "{}", {"b"}),
    ]
    for number, (before, after, target, changed) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert _recreated(before, after, folder, target) == changed


# --- what a template may write


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("{{ '\\ud800' }}", "RS510"),
        ("{{ {'\\ud800': 1} }}", "RS510"),
        ("{{ {'" + "k" * 1200 + "': 1} }}", "RS510"),
        ('"\\ud800"', "RS510"),
        ("|-\n  a\n  {{ '\\udfff' }}", "RS510"),
        ("{'<<': 1}", "RS504"),
    ],
    ids=["text", "key", "long key", "escape", "block", "merge key"],
)
def test_what_no_output_can_hold_is_said_at_the_line_of_the_template(written: str, code: str) -> None:
    packaged = (Path(__file__).parents[1] / "src/relspec/templates" / TEMPLATE).read_text("utf-8")
    result = compiled(
        {**with_service({}, compose_environment()), f"templates/{TEMPLATE}": f"{packaged}x-note: {written}\n"}
    )
    (found,) = result.diagnostics
    assert (found.code, found.file) == (code, f"templates/{TEMPLATE}")
    assert found.range is not None
    assert found.range.line - packaged.count("\n") in range(1, 2 + written.count("\n"))
    assert result.stopped
    assert not result.crashed

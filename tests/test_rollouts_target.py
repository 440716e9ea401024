"""What a Rollout's pods mount and where its routes lead: names that can't meet, numbers that the cluster accepts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from company import CANDIDATE, SERVICE, STRATEGIES, Map, company, compiled, kubernetes, objects, said, with_service
from relspec.targets.rollouts.names import distinct

TEMPLATES = "templates/rollouts/rollouts.yaml.j2"
N = "recs-api"
CANDIDATE_NAME = f"{N}-candidate"
GATEWAY = "istio-ingress/main"
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
FILE_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def rollout(extra: Map, name: str = N, router: str | None = "istio") -> Map:
    """The spec of a Rollout of a service."""
    found: Map = objects(with_service(extra, kubernetes(router)))["Rollout", name]["spec"]
    return found


def pod(extra: Map) -> Map:
    """The pod's spec of a service."""
    found: Map = rollout(extra)["template"]["spec"]
    return found


def volumes(found: Map) -> dict[str, Map]:
    """A pod's volumes by name: AssertionError where two share one."""
    named = {volume["name"]: volume for volume in found.get("volumes", ())}
    assert len(named) == len(found.get("volumes", ()))
    return named


def mounts(container: Map) -> dict[str, Map]:
    """A container's mounts by path: AssertionError where two share one."""
    by_path = {mount["mountPath"]: mount for mount in container.get("volumeMounts", ())}
    assert len(by_path) == len(container.get("volumeMounts", ()))
    return by_path


def behind(found: Map, container: Map) -> dict[str, Map]:
    """What is mounted at each path of a container."""
    known = volumes(found)
    return {path: known[mount["name"]] for path, mount in mounts(container).items()}


# --- volumes


@pytest.mark.parametrize(
    "extra",
    [
        {"volumes": {"/a/b": {"empty": True}, "/a-b": {"empty": "1Gi"}}},
        {"volumes": {f"/{'a' * 80}/1": {"empty": True}, f"/{'a' * 80}/2": {"empty": True}}},
        {"writable": ["/a/b", "/a-b"]},
        {"volumes": {"/data": {"empty": True}, "/e": {"name": "volume-data"}}},
        {"volumes": {"/e": {"name": "writable-tmp"}}, "writable": ["/tmp"]},
        {"volumes": {"/e": {"name": "files"}}, "files": {"/etc/a": {"content": "a"}}},
        {"volumes": {"/a": {"name": "a.b"}, "/b": {"name": "a-b"}}},
        {"volumes": {"/a": {"host": "/srv/a"}, "/A": {"host": "/srv/b"}}},
    ],
    ids=str,
)
def test_what_is_declared_apart_is_mounted_apart(extra: Map) -> None:
    found = pod(extra)
    mounted = behind(found, found["containers"][0])
    assert len(mounted) == 2
    assert len({volume["name"] for volume in mounted.values()}) == 2
    assert all(DNS_LABEL.fullmatch(name) for name in volumes(found))


def test_a_claim_next_to_an_empty_volume_of_its_name_stays_a_claim() -> None:
    found = pod({"volumes": {"/data": {"empty": True}, "/e": {"name": "volume-data"}}})
    mounted = behind(found, found["containers"][0])
    assert mounted["/data"]["emptyDir"] == {}
    assert mounted["/e"]["persistentVolumeClaim"] == {"claimName": "volume-data"}


def test_names_are_plain_where_nothing_is_in_the_way() -> None:
    extra = {
        "files": {"/etc/app/config.yaml": {"content": "a"}},
        "writable": ["/tmp"],
        "volumes": {"/var/cache": {"empty": True}, "/models": {"name": "models", "readOnly": True}},
    }
    assert list(volumes(pod(extra))) == ["files", "writable-tmp", "volume-var-cache", "models"]


@pytest.mark.parametrize(("first", "second", "whole"), [(True, True, True), (True, False, None), (False, True, None)])
def test_a_claim_is_read_only_if_every_mount_is(first: bool, second: bool, whole: bool | None) -> None:
    found = pod({"volumes": {"/d": {"name": "x", "readOnly": first}, "/e": {"name": "x", "readOnly": second}}})
    assert volumes(found)["x"]["persistentVolumeClaim"].get("readOnly") is whole
    by_path = mounts(found["containers"][0])
    assert [by_path[path].get("readOnly", False) for path in ("/d", "/e")] == [first, second]


def test_an_init_container_that_fills_a_claim_may_write_it() -> None:
    fill = {"name": "fill", "image": "fill:1", "volumes": {"/models": {"name": "models"}}}
    found = pod({"volumes": {"/models": {"name": "models", "readOnly": True}}, "init": [fill]})
    assert volumes(found)["models"]["persistentVolumeClaim"] == {"claimName": "models"}
    assert "readOnly" not in mounts(found["initContainers"][0])["/models"]
    assert mounts(found["containers"][0])["/models"]["readOnly"] is True


def test_companions_share_an_empty_volume_by_its_path_and_nothing_else() -> None:
    unpack = {"name": "unpack", "image": "unpack:1", "volumes": {"/models": {"empty": True}, "/in": {"host": "/srv"}}}
    found = pod({"volumes": {"/models": {"empty": True}, "/in": {"empty": True}}, "init": [unpack]})
    theirs, ours = behind(found, found["initContainers"][0]), behind(found, found["containers"][0])
    assert theirs["/models"] == ours["/models"]
    assert theirs["/in"]["hostPath"] == {"path": "/srv"}
    assert ours["/in"]["emptyDir"] == {}


# --- files


def test_files_whose_paths_look_alike_keep_their_content() -> None:
    alike = {"/a.b": "one", "/a/b": "two", "/a b": "three", "/é": "four", "/ü": "five", f"/{'x' * 300}": "six"}
    made = objects(with_service({"files": {path: {"content": text} for path, text in alike.items()}}))
    (data,) = (document["data"] for (kind, _), document in made.items() if kind == "ConfigMap")
    container = made["Rollout", N]["spec"]["template"]["spec"]["containers"][0]
    assert {path: data[mount["subPath"]] for path, mount in mounts(container).items()} == alike
    assert len(data) == len(alike)
    assert all(FILE_KEY.fullmatch(key) for key in data)


# --- any paths at all

SEGMENT = st.text("ab.-_é A", min_size=1, max_size=4).filter(lambda text: text.strip(".") != "")
PATH = st.one_of(
    st.lists(SEGMENT, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts)),
    SEGMENT.map(lambda text: f"/{'long' * 70}/{text}"),
)
CLAIM = st.sampled_from(["files", "volume-a", "volume-a-b", "writable-a", "a-b", "a.b", "long" * 15 + "abc"])
VOLUME = st.one_of(
    st.builds(lambda: {"empty": True}),
    st.builds(lambda name, only: {"name": name, "readOnly": only}, CLAIM, st.booleans()),
    st.builds(lambda host: {"host": host}, st.sampled_from(["/srv/a", "/srv/b"])),
)
KIND = st.one_of(st.just("file"), st.just("writable"), VOLUME)


def declared(entries: dict[str, Any], companion: dict[str, Any]) -> Map:
    """A service with something at each path."""
    return {
        "files": {path: {"content": path} for path, kind in entries.items() if kind == "file"},
        "writable": [path for path, kind in entries.items() if kind == "writable"],
        "volumes": {path: kind for path, kind in entries.items() if isinstance(kind, dict)},
        "sidecars": [{"name": "side", "image": "side:1", "volumes": companion}],
    }


def source(path: str, declared_as: Any) -> Any:
    """What makes two mounts of a pod the same volume."""
    if declared_as == "file":
        return "files"
    if declared_as == "writable":
        return "writable", path
    return ("claim", declared_as["name"]) if "name" in declared_as else (path, *declared_as.items())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(PATH, KIND, max_size=6), st.dictionaries(PATH, VOLUME, max_size=3))
def test_no_two_volumes_meet_whatever_their_paths(entries: dict[str, Any], companion: dict[str, Any]) -> None:
    found = pod(declared(entries, companion))
    known = volumes(found)
    assert all(DNS_LABEL.fullmatch(name) for name in known)
    service, side = found["containers"]
    name_of: dict[Any, str] = {}
    for container, wanted in ((service, entries), (side, companion)):
        by_path = mounts(container)
        assert set(by_path) == set(wanted)
        for path, declared_as in wanted.items():
            assert by_path[path]["name"] == name_of.setdefault(source(path, declared_as), by_path[path]["name"])
    assert len(set(name_of.values())) == len(name_of) == len(known)
    keys = [mount["subPath"] for mount in service.get("volumeMounts", ()) if "subPath" in mount]
    assert len(set(keys)) == len(keys)
    assert all(FILE_KEY.fullmatch(key) for key in keys)


@given(st.lists(st.tuples(st.text("a-0", min_size=1, max_size=30)), unique=True, max_size=8), st.integers(12, 20))
def test_distinct_names_don_t_depend_on_the_order(things: list[tuple[str, ...]], longest: int) -> None:
    def plain(thing: tuple[str, ...]) -> str:
        return thing[0].replace("-", "")

    names = distinct(things, plain, longest)
    assert len(set(names.values())) == len(things)
    assert all(len(name) <= longest for name in names.values())
    assert distinct(things[::-1], plain, longest) == names


def test_a_plain_name_that_looks_hashed_gives_way() -> None:
    def plain(thing: tuple[str, ...]) -> str:
        return thing[0].replace("/", "-")

    two = [("a/b",), ("a-b",)]
    names = distinct(two, plain, 63)
    taken_already = (names[two[0]],)
    assert len(set(distinct([*two, taken_already], plain, 63).values())) == 3


# --- surge


@pytest.mark.parametrize(
    ("fields", "surge", "unavailable"),
    [
        ({}, "25%", 0),
        ({"maxSurge": 0}, 0, 1),
        ({"maxSurge": "0%"}, "0%", 1),
        ({"maxSurge": 0, "maxUnavailable": "10%"}, 0, "10%"),
        ({"maxSurge": 2}, 2, 0),
        ({"maxUnavailable": 0}, "25%", 0),
        ({"maxUnavailable": 2}, "25%", 2),
    ],
)
@pytest.mark.parametrize("router", ["istio", None])
def test_surge_and_unavailable_are_never_both_0(fields: Map, surge: Any, unavailable: Any, router: str | None) -> None:
    canary = rollout({"strategy": {"canary": {"steps": [{"setWeight": 10}], **fields}}}, router=router)["strategy"]
    assert (canary["canary"]["maxSurge"], canary["canary"]["maxUnavailable"]) == (surge, unavailable)


@pytest.mark.parametrize("where", ["volumes", "init", "sidecars"])
def test_no_router_lets_a_second_pod_beside_the_one_that_holds_a_disk(where: str) -> None:
    disk = {"/data": {"name": "data"}}
    extra: Map = {"volumes": disk} if where == "volumes" else {where: [{"name": "a", "image": "a:1", "volumes": disk}]}
    found = objects(with_service(extra))
    assert found["Rollout", N]["spec"]["strategy"] == {"canary": {"maxSurge": 0, "maxUnavailable": 1}}
    (primary,) = found["VirtualService", N]["spec"]["http"]
    assert [to["destination"]["host"] for to in primary["route"]] == [N]


@pytest.mark.parametrize("strategy", ["stepped", "blueGreen"])
def test_no_delay_after_an_abort_is_not_for_ever(strategy: str) -> None:
    found = objects(with_service(STRATEGIES[strategy], kubernetes(rollback={"abort": "0s"})))
    (declared_strategy,) = found["Rollout", N]["spec"]["strategy"].values()
    assert declared_strategy["abortScaleDownDelaySeconds"] == 1


# --- the candidate's own port


def ports_of(found: Any) -> dict[str, int]:
    """The port of each destination of a route, by host."""
    if isinstance(found, list):
        return {host: port for entry in found for host, port in ports_of(entry).items()}
    if not isinstance(found, dict):
        return {}
    if isinstance(found.get("port"), dict | int):
        port = found["port"]
        return {found.get("host") or found["name"]: port["number"] if isinstance(port, dict) else port}
    return {host: port for entry in found.values() for host, port in ports_of(entry).items()}


WEIGHTED: Map = {**CANDIDATE, "strategy": {"canary": {"weight": 10}}}


@pytest.mark.parametrize(
    ("extra", "router"),
    [
        (WEIGHTED, "istio"),
        (WEIGHTED, "gateway"),
        (STRATEGIES["held"], "istio"),
        (STRATEGIES["abTest"], "istio"),
        (STRATEGIES["shadow"], "istio"),
        (STRATEGIES["shadow"], "gateway"),
    ],
)
def test_a_candidate_is_reached_at_its_own_port(extra: Map, router: str) -> None:
    candidate = {**CANDIDATE["candidate"], "ports": {"http": 9090}}
    found = objects(with_service({**extra, "candidate": candidate}, kubernetes(router)))
    spec = found["VirtualService" if router == "istio" else "HTTPRoute", N]["spec"]
    reached = ports_of(spec.get("http") or spec["rules"])
    assert reached == {N: 8080, CANDIDATE_NAME: 9090}
    for name, port in reached.items():
        assert port in [entry["port"] for entry in found["Service", name]["spec"]["ports"]]


@pytest.mark.parametrize("strategy", ["held", "abTest", "shadow"])
@pytest.mark.parametrize("router", ["istio", "gateway"])
def test_no_route_names_a_service_that_a_candidate_without_ports_lacks(strategy: str, router: str) -> None:
    declared_strategy = STRATEGIES[strategy] if router == "istio" or strategy == "shadow" else WEIGHTED
    candidate = {**CANDIDATE["candidate"], "ports": {"http": None}}
    extra = {**declared_strategy, "health": {"exec": ["true"]}, "candidate": candidate}
    for path, data in compiled(with_service(extra, kubernetes(router))).files.items():
        assert b"kind: Service\nmetadata:\n  name: recs-api-candidate" not in data, path
        routes = data.partition(b"kind: VirtualService" if router == "istio" else b"kind: HTTPRoute")[2]
        assert CANDIDATE_NAME.encode() not in routes, path


# --- paths


def taken(matches: list[Map], path: str) -> bool:
    """Whether a request that enters by the gateway is taken, as Istio reads `exact` and `prefix`."""
    for match in matches:
        uri = match.get("uri", {"prefix": "/"})
        exact, prefix = uri.get("exact"), uri.get("prefix")
        if GATEWAY in match["gateways"] and (path == exact or (prefix is not None and path.startswith(prefix))):
            return True
    return False


@pytest.mark.parametrize("path", ["/api", "/api/"])
@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_a_path_is_one_of_segments_on_every_route(path: str, strategy: str) -> None:
    where = kubernetes(expose={"host": "recs.acme.example", "path": path})
    routes = objects(with_service(STRATEGIES[strategy], where))["VirtualService", N]["spec"]["http"]
    for route in routes:
        assert all(taken(route["match"], inside) for inside in ("/api", "/api/", "/api/v1"))
        assert not any(taken(route["match"], outside) for outside in ("/apix", "/", "/ap", "/v1/api"))
        assert [match["gateways"] for match in route["match"]].count(["mesh"]) == 1


def test_a_sticky_candidate_takes_only_what_everybodys_route_takes() -> None:
    api = {**SERVICE, **STRATEGIES["held"]}
    expose = {
        "production/recs/api": {"host": "shop.acme.example", "path": "/api"},
        "production/recs/web": {"host": "shop.acme.example"},
    }
    found = objects(company({"api": api, "web": SERVICE}, kubernetes(expose=expose)))
    candidate, primary = found["VirtualService", N]["spec"]["http"]
    assert [{**match, "headers": None} for match in candidate["match"]] == [
        {**match, "headers": None} for match in primary["match"]
    ]
    assert all("x-user-id" in match["headers"] for match in candidate["match"])
    (everything,) = found["VirtualService", "recs-web"]["spec"]["http"]
    assert "match" not in everything


# --- the service account


def test_a_candidate_that_gives_up_a_shared_account_finds_its_own() -> None:
    candidate = {**CANDIDATE["candidate"], "serviceAccount": None}
    files = with_service({**STRATEGIES["held"], "serviceAccount": "shared", "candidate": candidate})
    assert not said(compiled(files))
    found = objects(files)
    account = found["Rollout", CANDIDATE_NAME]["spec"]["template"]["spec"]["serviceAccountName"]
    assert ("ServiceAccount", account) in found
    assert found["Rollout", N]["spec"]["template"]["spec"]["serviceAccountName"] == "shared"


# --- what a template may write


PACKAGED = (Path(__file__).parents[1] / "src/relspec" / TEMPLATES).read_text("utf-8")


@pytest.mark.parametrize("field", ["namespace", "name"])
def test_an_object_whose_address_is_no_text_is_no_crash(field: str) -> None:
    template = re.sub(rf"^  {field}: .*$", f"  {field}: [a]", PACKAGED, flags=re.MULTILINE)
    result = compiled({**with_service({}), TEMPLATES: template})
    assert result.stopped
    assert not result.crashed

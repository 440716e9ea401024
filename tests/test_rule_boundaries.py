"""What each rule says at its edge: the case that is just wrong, and beside it the one that is just right.

The catalogue has one example of each code; here are the other places where a rule speaks, and those where it must not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from company import (
    CANDIDATE,
    SERVICE,
    STRATEGIES,
    base,
    codes,
    company,
    compiled,
    compose,
    environment,
    kubernetes,
    record,
    registry,
    release,
    run,
    tree,
    with_service,
    write,
    written,
)
from relspec import packaged
from relspec.compiler import Compiler
from relspec.diagnostics import Finding, Severity, Where
from relspec.discovery import Place
from relspec.rules.attributes import merge_attribute
from relspec.rules.changes import Move, Side, edited_records, graded, mixed_commits, number_to_range, too_few_versions
from relspec.rules.changes.reach import changed_models, reached
from relspec.rules.pinned import pinned_values
from relspec.rules.repository import tracked_env_files
from relspec.spec.environment import (
    EnvironmentSpec,
)
from relspec.spec.release import Release
from relspec.spec.validation import MAX_FINDINGS, misspelled, validate
from relspec.targets.rollouts.names import MAX_NAME
from relspec.tree import MAX_FILE

Map = dict[str, Any]

RELEASE: Map = {"apiVersion": "relspec/v1", "kind": "Release"}
ENVIRONMENT: Map = {"apiVersion": "relspec/v1", "kind": "Environment", "name": "dev"}


# --- what a rule says of a service, and what it leaves alone


@dataclass(frozen=True, slots=True)
class Said:
    """What a service adds, what is said of it at which text, and what it adds where nothing is said."""

    code: str
    at: str
    wrong: Map
    right: Map
    where: Map = field(default_factory=compose)


TWO = {"http": 8080, "admin": {"port": 9000, "publish": 9000}}
READ_ONLY: Map = {"files": {"/etc/a.yaml": {"content": "a: 1\n"}}}


def patched(**patch: Any) -> Map:
    return {"overrides": {"compose": {"service": patch}}}


def container(**context: Any) -> Map:
    return {"overrides": {"rollouts": {"container": {"securityContext": context}}}}


def beside(**fields: Any) -> list[Map]:
    return [{"name": "first", "image": "a:1"}, {"name": "second", "image": "a:1", **fields}]


SAID: Mapping[str, Said] = {
    "inline file on a read-only root": Said(
        "RS324",
        "content: 'a: 1",
        {**READ_ONLY, "security": {"readOnly": True}},
        {**READ_ONLY, "security": {"readOnly": False}},
    ),
    "default of several lines": Said(
        "RS324",
        "'a",
        {"env": {"A": {"variable": "A", "default": "a\nb"}}},
        {"env": {"A": {"variable": "A", "default": "a b"}}},
    ),
    "default with half a brace": Said(
        "RS324",
        "a}b",
        {"env": {"A": {"variable": "A", "default": "a}b"}}},
        {"env": {"A": {"variable": "A", "default": "a{}b"}}},
    ),
    "accelerator without a driver": Said(
        "RS324",
        "count: 1",
        {"resources": {"cpu": 1, "memory": "1Gi", "gpu": {"count": 1, "resource": "habana.ai/gaudi"}}},
        {"resources": {"cpu": 1, "memory": "1Gi", "gpu": {"count": 1, "resource": "nvidia.com/gpu"}}},
    ),
    "port of two replicas": Said(
        "RS324", "9000", {"ports": TWO, "route": "http", "replicas": 2}, {"ports": TWO, "route": "http", "replicas": 1}
    ),
    "port of a range of replicas": Said(
        "RS324",
        "9000",
        {"ports": TWO, "route": "http", "replicas": {"min": 2, "max": 3, "cpu": 70}},
        {"ports": TWO, "route": "http", "replicas": {"min": 1, "max": 3, "cpu": 70}},
    ),
    "port that the router serves": Said(
        "RS324",
        "9000",
        {"ports": TWO, "route": "http", "replicas": 2},
        {"ports": {"http": {"port": 8080, "publish": 9000}}, "replicas": 2},
    ),
    **{
        f"{key} of two containers": Said(
            "RS360", key, {**patched(**{key: value}), "replicas": 2}, {**patched(**{key: value}), "replicas": 1}
        )
        for key, value in {
            "container_name": "api",
            "hostname": "api",
            "mac_address": "02:42:ac:11:00:02",
            "ports": ["8080:8080"],
        }.items()
    },
    "name of a range of containers": Said(
        "RS360",
        "hostname",
        {**patched(hostname="api"), "replicas": {"min": 1, "max": 2, "cpu": 70}},
        {**patched(hostname="api"), "replicas": 1},
    ),
    "name of a container and its candidate": Said(
        "RS360",
        "hostname",
        {**patched(hostname="api"), **STRATEGIES["held"]},
        {**patched(hostname="api"), "replicas": 1},
    ),
    "home of nobody": Said(
        "RS243", "~/a", {"volumes": {"/a": {"host": "~/a"}}}, {"volumes": {"/a": {"host": "/~/a"}}}
    ),
    "variable in a path": Said(
        "RS243", "/$HOME", {"volumes": {"/a": {"host": "/$HOME"}}}, {"volumes": {"/a": {"host": "/HOME"}}}
    ),
    "colon in a folder": Said("RS243", "/a:b", {"writable": ["/a:b"]}, {"writable": ["/a-b"]}),
    "variable of Docker": Said(
        "RS230", "docker/host", {"env": {"A": {"secret": "docker/host"}}}, {"env": {"A": {"secret": "dock/host"}}}
    ),
    "variable of Compose": Said(
        "RS230", "compose/file", {"env": {"A": {"secret": "compose/file"}}}, {"env": {"A": {"secret": "comp/file"}}}
    ),
    "metrics on a port that speaks grpc": Said(
        "RS130",
        "9100",
        {"ports": {"http": 8080, "rpc": {"port": 9100, "protocol": "grpc"}}, "metrics": {"port": 9100}},
        {"ports": {"http": 8080, "more": {"port": 9100}}, "metrics": {"port": 9100}},
    ),
    "path without a port": Said(
        "RS131",
        "/healthz",
        {"ports": {"raw": {"port": 9000, "protocol": "tcp"}}},
        {"ports": {"raw": {"port": 9000, "protocol": "tcp"}}, "health": {"path": "/healthz", "port": 9000}},
    ),
    "answer of nothing": Said(
        "RS208",
        "version",
        {"verify": [{"path": "/version", "field": "version"}]},
        {"verify": [{"path": "/version", "field": "version", "equals": "1"}]},
    ),
    "claim with an underscore": Said(
        "RS124",
        "a_b",
        {"volumes": {"/a": {"name": "a_b"}}},
        {"volumes": {"/a": {"name": "a-b"}}},
        kubernetes(),
    ),
    "claim of a sidecar with an underscore": Said(
        "RS124",
        "a_b",
        {"sidecars": beside(volumes={"/a": {"name": "a_b"}})},
        {"sidecars": beside(volumes={"/a": {"name": "a-b"}})},
        kubernetes(),
    ),
    "folder of a host that pods do not have": Said(
        "RS324",
        "../data",
        {"init": beside(volumes={"/a": {"host": "../data"}})},
        {"init": beside(volumes={"/a": {"host": "/data"}})},
        kubernetes(),
    ),
    "rights for a container": Said(
        "RS427",
        "- NET_ADMIN",
        container(capabilities={"add": ["NET_ADMIN"]}),
        container(capabilities={"add": []}),
        kubernetes(),
    ),
    "budget of one pod": Said(
        "RS361",
        "PodDisruptionBudget",
        {"overrides": {"rollouts": {"PodDisruptionBudget": {"spec": {"maxUnavailable": 1}}}}, "replicas": 1},
        {"overrides": {"rollouts": {"PodDisruptionBudget": {"spec": {"maxUnavailable": 1}}}}, "replicas": 2},
        kubernetes(),
    ),
}  # fmt: skip


def pointed_at(files: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The code of each warning and error, with the text from where it points to the end of that line."""
    found = []
    for each in compiled(files).diagnostics:
        if each.severity is not Severity.NOTE:
            line = written(files[each.file]).decode().splitlines()[each.range.line - 1] if each.range else ""
            found.append((each.code, line[each.range.column - 1 :] if each.range else ""))
    return found


@pytest.mark.parametrize("case", SAID.values(), ids=SAID)
def test_this_is_said_and_of_its_neighbour_nothing(case: Said) -> None:
    assert pointed_at(with_service(case.right, case.where)) == []
    found = pointed_at(with_service(case.wrong, case.where))
    assert [code for code, _ in found] == [case.code]
    assert found[0][1].startswith(case.at), found


def test_under_routing_app_nobody_is_kept_on_a_side() -> None:
    app = {"model": "als@v1", "image": None, "routing": "app", "candidate": {"model": "als@v2"}}
    sticky = {"canary": {"weight": 10, "stickyBy": {"header": "x-user-id"}}}
    files = with_service({**app, "strategy": sticky}) | registry("v1", "v2")
    assert [code for code, _ in pointed_at(files)] == ["RS337"]
    assert pointed_at(files)[0][1].startswith("stickyBy")
    files = with_service({**app, "strategy": {"canary": {"weight": 10}}}) | registry("v1", "v2")
    assert pointed_at(files) == []


def test_each_tracked_file_of_secrets_is_named() -> None:
    found = list(tracked_env_files(["rendered/a/.env", "rendered/b/.env"]))
    assert [(each.code, each.where.file) for each in found] == [
        ("RS440", "rendered/a/.env"),
        ("RS440", "rendered/b/.env"),
    ]
    assert "git rm --cached rendered/a/.env" in found[0].hint
    assert list(tracked_env_files([])) == []


def test_a_placeholder_is_looked_for_in_each_exposure() -> None:
    def exposed(host: str) -> dict[str, Any]:
        return with_service({}, kubernetes(expose={"production/recs/api": {"host": host}}))

    assert ("RS122", "'{env}.acme.example'") in pointed_at(exposed("{env}.acme.example"))
    for host in ("{release.acme.example", "service}.acme.example"):
        assert "RS122" in [code for code, _ in pointed_at(exposed(host))]
    assert "RS122" not in [code for code, _ in pointed_at(exposed("{release}.acme.example"))]


def test_a_model_that_nobody_runs_is_checked_too(tmp_path: Path) -> None:
    write(tmp_path, with_service({}) | registry("v1", name="idle", aliases={"prod": "v1"}))
    assert run(tmp_path, "check").code == 0
    write(tmp_path, registry("v1", name="idle", aliases={"prod": "v9"}))
    checked = run(tmp_path, "check", "--format", "json")
    assert [(each["code"], each["file"]) for each in json.loads(checked.out)["diagnostics"]] == [
        ("RS203", "registry/idle/model.yaml")
    ]


# --- how a wrong document is answered


@pytest.mark.parametrize(
    ("service", "code", "words", "hint"),
    [
        ({"gpu": 2}, "RS120", "api has no field", "write resources: {gpu: 2}"),
        ({"gpu": "two"}, "RS120", "api has no field", "write resources: {gpu: 1}"),
        ({"candidate": {"gpu": 2}}, "RS120", "candidate has no field", "known here: "),
        ({"strategy": {"canary": {"steps": [{"pause": {"duration": "5m"}}]}}}, "RS120", "pause has no", "write pause: 5m"),
        ({"strategy": {"canary": {"steps": [{"pause": {"x": 1}}]}}}, "RS120", "pause has no field", "remove it"),
        ({"candidate": {"strategy": {}}}, "RS120", "candidate has no field", "write strategy on the service itself"),
        ({"variants": {"a": {"routing": "app"}}}, "RS120", "a has no field", "write routing on the service itself"),
        ({"env": {"A": {}}}, "RS104", "an environment variable is text", "or {variable: …}"),
        ({"env": {"A": {"secrt": "a/b"}}}, "RS120", 'no field "secrt"', "did you mean secret?"),
        ({"volumes": {"/d": {"nmae": "x"}}}, "RS120", 'no field "nmae"', "did you mean name?"),
        ({"files": {"/a": {"form": "b"}}}, "RS120", 'no field "form"', "did you mean from?"),
        ({"files": {"/a": {"content": "x", "from": "b"}}}, "RS125", "either from or content", "keep one of the two"),
        ({"volumes": {"/d": {"empty": True, "name": "x"}}}, "RS125", "either empty or name", "keep one of the two"),
        ({"env": {"A": {"secret": "a/b", "default": "c"}}}, "RS120", '"default" beside secret', "with secret"),
        ({"model": 1.1}, "RS104", "not a number", "write <model>@<version>"),
        ({"init": [{"name": "a", "imge": "x:1"}]}, "RS120", 'no field "imge"', "did you mean image?"),
        ({"replicas": {"mn": 1, "max": 2, "cpu": 5}}, "RS120", 'no field "mn"', "did you mean min?"),
        ({"env": {"A": True}}, "RS104", "an environment variable is text", "in quotes"),
        ({"files": {"/a": {}}}, "RS104", "a file is {from} or {content}", "write {from: PATH} or {content: TEXT}"),
        ({"volumes": {"/a": {}}}, "RS104", "a volume is {empty}, {name} or {host}", "or {host: PATH}"),
        ({"image": True}, "RS104", "not true or false", "in quotes"),
        ({"image": 1}, "RS104", "not a whole number", "in quotes"),
        ({"image": 0.5}, "RS104", "not a number", "in quotes"),
        ({"image": []}, "RS104", "not a list", "write text"),
        ({"image": {}}, "RS104", "not a map", "write text"),
        ({"image": None, "init": None, "model": None}, "", "", ""),
        ({"writable": [None]}, "RS104", "not null", "remove the entry"),
        ({"writable": "/a"}, "RS104", "not text", "write a list"),
        ({"health": {"tcp": 80, "period": 10}}, "RS104", "not a whole number", "write 10s"),
        ({"resources": {"memory": 512}}, "RS104", "not a whole number", "write 512Mi"),
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_says_what_to_type(service: Map, code: str, words: str, hint: str) -> None:
    found = validate(Release, {**RELEASE, "services": {"api": service}}, "x.yaml")
    if not code:
        assert found == ()
        return
    assert [each.code for each in found] == [code]
    assert words in found[0].message
    assert found[0].hint.startswith(hint) or found[0].hint.endswith(hint), found[0].hint


@pytest.mark.parametrize(
    ("right", "wrong"), [("kind", "knd"), ("apiVersion", "apiVersoin"), ("services", "servces"), ("kind", "kid")]
)
def test_a_misspelled_key_is_not_missing_too(right: str, wrong: str) -> None:
    document = {**RELEASE, "services": {"api": {"image": "a:1"}}}
    slip = {wrong if key == right else key: value for key, value in document.items()}
    found = validate(Release, slip, "x.yaml")
    assert [(each.code, each.hint) for each in found] == [("RS120", f"did you mean {right}?")]


def test_a_key_that_means_something_else_hides_no_missing_one() -> None:
    found = validate(Release, {"apiVersion": "relspec/v1", "unlike": "Release", "services": {}}, "x.yaml")
    assert {(each.code, each.message) for each in found} >= {("RS121", "the document needs kind")}


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("imgae", ["image"], "image"),
        ("Image", ["image"], "image"),
        ("max-surge", ["maxSurge"], "maxSurge"),
        ("im", ["in"], None),
        ("int", ["inta"], "inta"),
        ("cpi", ["cpu"], "cpu"),
        ("repliqq", ["replica"], None),
        ("inta", ["intbc"], None),
        ("readonlx", ["readOnly"], "readOnly"),
        ("readonxx", ["readOnly"], "readOnly"),
        ("readoxxx", ["readOnly"], None),
        ("paths", ["path", "pathx"], None),
        ("PATH", ["path", "paths"], "path"),
        ("cpy", ["cpu", "cp"], None),
        ("image", ["image"], None),
    ],
)
def test_a_slip_of_the_fingers(word: str, known: list[str], meant: str | None) -> None:
    assert misspelled(word, known) == meant


def test_a_document_has_at_most_so_many_findings() -> None:
    def found(number: int) -> int:
        document = {**RELEASE, "services": {f"s{index}": {"imgae": "x"} for index in range(number)}}
        return len(validate(Release, document, "x.yaml"))

    assert [found(MAX_FINDINGS - 1), found(MAX_FINDINGS), found(MAX_FINDINGS + 1)] == [
        MAX_FINDINGS - 1,
        MAX_FINDINGS,
        MAX_FINDINGS,
    ]


def test_a_long_value_is_not_repeated_whole() -> None:
    for length, shown in ((60, "A" * 60), (61, "A" * 57 + "...")):
        (each,) = validate(Release, {**RELEASE, "name": "A" * length}, "x.yaml")
        assert f'"{shown}"' in each.message


def test_a_default_of_the_host_is_a_text_like_any_other() -> None:
    def said_of(name: str, default: str) -> list[tuple[str, str]]:
        return pointed_at(with_service({"env": {name: {"variable": "A", "default": default}}}, compose()))

    assert said_of("DB_PASSWORD", "hunter2-correct-horse") == [("RS231", "hunter2-correct-horse")]
    assert said_of("DB_HOST", "hunter2-correct-horse") == []


def test_one_compose_project_is_of_one_release() -> None:
    def files(**settings: Any) -> dict[str, Any]:
        return with_service({}, compose(targets={"compose": settings})) | {
            "environments/staging/web/release.yaml": release("web")
        }

    assert pointed_at(files()) == []
    assert pointed_at(files(project="shop")) == [("RS221", "web")]
    inner = {
        "environments/staging/eu/environment.yaml": compose("eu"),
        "environments/staging/eu/recs/release.yaml": release("recs"),
        "environments/staging/eu-recs/release.yaml": release("eu-recs"),
    }
    assert pointed_at(files() | inner) == [("RS221", "recs")], "both would be staging-eu-recs"


KEY = "hf_" + "a1b2c3d4e5" * 3
"""A key of a well-known service, which is one wherever it stands."""


@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"env": {"A": text}},
        lambda text: {"env": {"A": {"variable": "A", "default": text}}},
        lambda text: {"command": ["serve", text]},
        lambda text: {"args": ["serve", text]},
        lambda text: {"health": {"exec": ["probe", text]}},
        lambda text: {"verify": [{"exec": ["probe", text], "contains": "1"}]},
        lambda text: {"init": beside(env={"A": text})},
        lambda text: {"init": beside(command=["serve", text])},
        lambda text: {"init": beside(args=["serve", text])},
        lambda text: {"sidecars": beside(env={"A": text})},
        lambda text: {"sidecars": beside(command=["serve", text])},
        lambda text: {"sidecars": beside(args=["serve", text])},
        lambda text: {"files": {"/etc/a": {"content": text}}},
        lambda text: {"labels": {"a": text}},
        lambda text: {"annotations": {"a": text}},
        lambda text: {"build": {"context": ".", "args": {"A": text}}},
        lambda text: {"overrides": {"compose": {"service": {"labels": {"a": text}}}}},
        lambda text: {"overrides": {"rollouts": {"pod": {"nodeName": text}}}},
        lambda text: {"overrides": {"helm": {"a": [{"b": text}]}}},
    ],
)
def test_a_secret_is_found_wherever_it_is_written(place: Any) -> None:
    assert pointed_at(with_service(place("plain"), compose())) == []
    files = with_service(place(KEY), compose())
    assert pointed_at(files) == [("RS231", KEY)]
    assert KEY not in str(compiled(files).diagnostics)


STEPPED: Mapping[str, Any] = {
    "steps": lambda names: {"canary": {"steps": [{"setWeight": 10}, {"analyze": names}]}},
    "before": lambda names: {"blueGreen": {"analyze": {"before": names}}},
    "after": lambda names: {"blueGreen": {"analyze": {"after": names}}},
}


@pytest.mark.parametrize("side", STEPPED)
def test_analyses_of_each_side_are_looked_for(side: str) -> None:
    metric = {"query": "vector(1)", "success": "true"}
    known = {"up": metric, "fast": {"metrics": {"up": metric}}}

    def pointed(*names: str, prometheus: str | None = "http://prometheus:9090") -> list[tuple[str, str]]:
        settings = {"namespace": "ml"} | ({} if prometheus is None else {"prometheus": prometheus})
        where = kubernetes(targets={"rollouts": settings}, analyses=known)
        return pointed_at(with_service({"strategy": STEPPED[side](list(names))}, where))

    assert pointed("up") == pointed("fast") == []
    assert pointed("up", "down") == [("RS306", "down")]
    assert pointed("up", "fast") == [("RS305", "fast")], "both have a metric up"
    assert pointed("fast", prometheus=None) == [("RS307", "fast")]


@pytest.mark.parametrize(
    ("weights", "at"), [([10, 10, 50], None), ([10, 50, 49], "49"), ([0, 100], None), ([1, 0], "0")]
)
def test_steps_may_stay_and_not_fall(weights: list[int], at: str | None) -> None:
    steps = [step for weight in weights for step in ({"setWeight": weight}, {"pause": {}})]
    files = with_service({"strategy": {"canary": {"steps": steps}}})
    assert pointed_at(files) == ([] if at is None else [("RS309", at)])


@pytest.mark.parametrize(
    ("shutdown", "said"),
    [({"drain": "30s"}, True), ({"drain": "29s"}, False), ({"drain": "1m", "grace": "59s"}, True)],
)
def test_a_container_ends_after_its_drain(shutdown: Map, said: bool) -> None:
    assert [code for code, _ in pointed_at(with_service({"shutdown": shutdown}))] == (["RS426"] if said else [])


@pytest.mark.parametrize(("length", "said"), [(0, False), (1, True)])
def test_the_name_of_an_object_has_a_length(length: int, said: bool) -> None:
    service = "a" * (MAX_NAME - len("recs-") + length)
    for where, expected in ((kubernetes(), ["RS132"] if said else []), (compose(), [])):
        files = company({service: dict(SERVICE)}, where)
        assert [code for code, _ in pointed_at(files)] == expected


# --- what can't be read is nobody's fault here


def test_a_file_of_attributes_that_is_too_large_says_nothing() -> None:
    line = "rendered/** merge=ours\n"
    output = "rendered/dev/recs/compose/compose.yaml"
    for length, expected in ((MAX_FILE, "ours"), (MAX_FILE + 1, None)):
        files = {".gitattributes": line + "#" * (length - len(line))}
        assert merge_attribute(tree(files), output) == expected


@pytest.mark.parametrize(("pattern", "expected"), [("[r-s]*", "ours"), ("[s-r]*", None), ("[r", None), ("", None)])
def test_a_pattern_that_git_can_t_read_covers_nothing(pattern: str, expected: str | None) -> None:
    assert merge_attribute(tree({".gitattributes": f"{pattern} merge=ours\n"}), "rendered") == expected


def test_a_finding_of_another_code_keeps_its_severity() -> None:
    other = Finding("RS412", "deprecated", Where("a.yaml", ("model",)))
    quarantined = Finding("RS411", "quarantined", Where("a.yaml", ("model",)), release="dev/recs")
    moved = Move("dev/recs", "api", "als", "v4", Where("a.yaml", ("model",)))
    assert list(graded([other], [moved])) == [other]
    assert [each.severity for each in graded([quarantined], [moved])] == [Severity.ERROR]
    assert [each.severity for each in graded([quarantined], [])] == [Severity.WARNING]


@pytest.mark.parametrize("text", ["a: [", "a: 1 # was als@prod\nb: ["])
def test_a_release_that_is_no_yaml_has_no_remark_of_a_rollback(text: str) -> None:
    place = Place("dev/recs", "environments/dev/recs/release.yaml", "dev")
    assert list(pinned_values(lambda _: text.encode(), [place])) == []
    (found,) = pinned_values(lambda _: b"a: 1 # was als@prod\n", [place])
    assert found.code == "RS436"


# --- a service that nothing runs


def left_out(where: Map | None = None, **extra: Any) -> list[tuple[str, str]]:
    """What is said where a second service has no target of its environment."""
    idle = {**SERVICE, "targets": ["rollouts"], **extra}
    return pointed_at(company({"api": dict(SERVICE), "idle": idle}, compose() if where is None else where))


def test_what_nothing_runs_is_still_checked() -> None:
    assert left_out() == []
    twice = {"http": 8080, "more": 8080}
    assert [code for code, _ in left_out(ports=twice, route="http")] == ["RS130"], "a rule of each workload"
    assert [code for code, _ in left_out(**CANDIDATE)] == ["RS303"], "a rule of the whole service"


def test_an_environment_insists_on_nothing_of_what_it_does_not_run() -> None:
    strict = compose(policies={"requireDigest": True})
    assert [code for code, _ in left_out(strict)] == ["RS421"], "said of api alone"
    assert [code for code, _ in left_out(strict, targets=["compose"])] == ["RS421", "RS421"]
    strict = kubernetes(policies={"minReplicas": 2})
    assert [code for code, _ in left_out(strict, targets=["helm"])] == ["RS423"], "said of api alone"
    assert [code for code, _ in left_out(strict)] == ["RS423", "RS423"]


@pytest.mark.parametrize(
    ("replicas", "said"),
    [(1, True), (2, False), ({"min": 1, "max": 3, "cpu": 70}, True), ({"min": 2, "max": 3, "cpu": 70}, False)],
)
def test_the_fewest_replicas_that_an_environment_wants(replicas: Any, said: bool) -> None:
    def codes(where: Map, **extra: Any) -> list[str]:
        return [code for code, _ in pointed_at(with_service({"replicas": replicas, **extra}, where))]

    policies = {"minReplicas": 2}
    assert codes(kubernetes(policies=policies)) == (["RS423"] if said else [])
    assert codes(kubernetes(policies=policies), ports=None, health=None) == []
    assert codes(compose(policies=policies)) == []


CLAIM: Map = {"volumes": {"/data": {"name": "data"}}}
READ: Map = {"volumes": {"/data": {"name": "data", "readOnly": True}}}


@pytest.mark.parametrize(
    ("extra", "where", "expected"),
    [
        ({**CLAIM, "replicas": 1}, kubernetes(), []),
        ({**CLAIM, "replicas": 0}, kubernetes(), []),
        ({**CLAIM, "replicas": 2}, kubernetes(), [("RS339", "2")]),
        ({**CLAIM, "replicas": 2}, compose(), []),
        ({**READ, "replicas": 2}, kubernetes(), []),
        ({**CLAIM, **STRATEGIES["held"]}, kubernetes(), [("RS339", "canary:")]),
        ({**CLAIM, **STRATEGIES["held"]}, compose(), [("RS339", "canary:")]),
        ({**READ, **STRATEGIES["held"]}, kubernetes(), []),
        ({**STRATEGIES["held"], "candidate": CLAIM}, kubernetes(), [("RS339", "/data")]),
        ({**STRATEGIES["held"], "candidate": READ}, kubernetes(), []),
        ({"sidecars": beside(**CLAIM), "replicas": 2}, kubernetes(), [("RS339", "2")]),
        ({"init": beside(**CLAIM), "replicas": 2}, kubernetes(), [("RS339", "2")]),
        ({"sidecars": beside(**CLAIM), **STRATEGIES["held"]}, compose(), []),
    ],
)
def test_one_pod_holds_a_disk(extra: Map, where: Map, expected: list[tuple[str, str]]) -> None:
    found = [
        (code, text.partition(":")[0] if code == "RS339" else text)
        for code, text in pointed_at(with_service(extra, where))
    ]
    assert found == [(code, text.rstrip(":")) for code, text in expected]


SCALED: Map = {"replicas": {"min": 1, "max": 3, "cpu": 70}}


@pytest.mark.parametrize(
    ("resources", "sidecar", "said"),
    [
        ({"cpu": 1, "memory": "1Gi"}, {"cpu": 1}, False),
        ({"cpuLimit": 1, "memory": "1Gi"}, {"cpuLimit": 1}, False),
        ({"memory": "1Gi"}, {"cpu": 1}, True),
        ({"cpu": 1, "memory": "1Gi"}, {"memory": "1Gi"}, True),
        ({"cpu": 1, "memory": "1Gi"}, None, True),
    ],
)
def test_what_scales_reserves(resources: Map, sidecar: Map | None, said: bool) -> None:
    extra = {} if sidecar is None else {"resources": sidecar}
    sidecars = [{"name": "proxy", "image": "a:1", **extra}]
    files = with_service({**SCALED, "resources": resources, "sidecars": sidecars})
    assert [code for code, _ in pointed_at(files)] == (["RS129"] if said else [])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [({"cpu": 1, "cpuLimit": "1000m"}, False), ({"cpu": 1, "cpuLimit": "999m"}, True), ({"cpuLimit": "1m"}, False)],
)
def test_a_limit_may_be_what_is_reserved(wanted: Map, said: bool) -> None:
    resources = {"memory": "1Gi", **wanted}
    for extra in (
        {"resources": resources},
        {"sidecars": beside(resources=resources)},
        {"init": beside(resources=resources)},
    ):
        assert [code for code, _ in pointed_at(with_service(extra))] == (["RS128"] if said else [])


@pytest.mark.parametrize(
    ("security", "said"),
    [({"user": 0}, True), ({"user": 1}, False), ({"user": 0, "root": True}, False), ({"user": 0, "root": False}, True)],
)
def test_user_0_is_root(security: Map, said: bool) -> None:
    assert [code for code, _ in pointed_at(with_service({"security": security}))] == (["RS125"] if said else [])
    assert pointed_at(with_service({"security": security}, compose())) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("a" * 15, False), ("a" * 16, True), ("1-a", False), ("123", True), ("a--b", True), ("a-b-c", False)],
)
def test_a_port_of_a_pod_has_a_name_of_its_own_shape(name: str, said: bool) -> None:
    extra = {"ports": {"http": 8080, name: {"port": 9000}}}
    assert [code for code, _ in pointed_at(with_service(extra))] == (["RS124"] if said else [])
    assert pointed_at(with_service(extra, compose())) == []


@pytest.mark.parametrize(
    ("field", "value", "said"), [("period", "0s", True), ("timeout", "0m", True), ("period", "1s", False)]
)
def test_a_probe_takes_a_second_at_least(field: str, value: str, said: bool) -> None:
    files = with_service({"health": {"path": "/healthz", field: value}})
    assert [code for code, _ in pointed_at(files)] == (["RS126"] if said else [])


# --- changes


def warned(before: Map, after: Map, *, versions: int, keep: int = 3) -> list[Finding]:
    """What is said of a change of model.yaml, with the newest version running."""
    names = [f"v{number}" for number in range(1, versions + 1)]
    runs = with_service({"model": f"als@{names[-1]}", "image": None})
    sides = [Side(Compiler(tree(runs | registry(*names, keep=keep, **fields)))) for fields in (before, after)]
    return list(too_few_versions(*sides))


@pytest.mark.parametrize(
    ("versions", "keep", "archived", "words"),
    [
        (2, 1, ["v1"], "no versions of als before v2"),
        (2, 0, ["v1"], ""),
        (3, 1, ["v1"], ""),
        (3, 2, ["v1"], "1 version of als before v3"),
        (3, 9, ["v1"], "1 version of als before v3"),
        (4, 3, ["v2"], "2 versions of als before v4"),
        (4, 2, ["v2"], ""),
    ],
)
def test_so_many_versions_stay_deployable(versions: int, keep: int, archived: list[str], words: str) -> None:
    found = warned({}, {"lifecycle": dict.fromkeys(archived, "archived")}, versions=versions, keep=keep)
    assert [each.code for each in found] == (["RS432"] if words else [])
    assert all(each.message.startswith(words) for each in found)
    assert all(each.where.path == ("lifecycle", archived[0]) for each in found)


@pytest.mark.parametrize("field", ["lifecycle", "quarantine"])
def test_the_entry_that_took_a_version_is_named(field: str) -> None:
    entry = "archived" if field == "lifecycle" else {"reason": "errors", "since": "2026-03-04"}
    (found,) = warned({}, {field: {"v1": entry}}, versions=2)
    assert found.where.path == (field, "v1")


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({}, {"cluster": "production"}, True),
        ({"cluster": "production"}, {"cluster": "production"}, True),
        ({"cluster": "eu"}, {"cluster": "us"}, False),
        ({}, {"cluster": "eu"}, False),
        ({"namespace": "default"}, {}, True),
        ({"namespace": "a"}, {"namespace": "b"}, False),
    ],
)
def test_a_rollout_is_the_same_by_its_address(before: Map, after: Map, same: bool) -> None:
    def side(settings: Map, replicas: Any) -> Side:
        where = kubernetes(targets={"rollouts": settings})
        return Side(Compiler(tree(with_service({"replicas": replicas}, where))))

    change = side(before, 3), side(after, {"min": 3, "max": 5, "cpu": 70})
    found = [each.code for each in number_to_range(*change, "production/recs")]
    assert found == (["RS441"] if same else [])


# --- more of what is said of a release


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2096-02-29", False),
        ("2095-02-29", True),
        ("2099-12-31", False),
        ("2099-12-32", True),
        ("2099-12-00", True),
        ("2099-13-01", True),
        ("2099-00-01", True),
        ("0000-01-01", True),
        ("0001-01-01", False),
    ],
)
def test_an_allowance_ends_on_a_day_of_the_calendar(until: str, said: bool) -> None:
    entry = {"code": "RS424", "release": "production/recs", "reason": "agreed", "until": until}
    files = with_service({"resources": None}, kubernetes(policies={"allow": [entry]}))
    assert (("RS122", f"'{until}'") in pointed_at(files)) is said


def test_a_field_is_called_as_people_write_it() -> None:
    candidate = {"model": "als@v2", "serviceAccount": "recs"}
    app = {"model": "als@v1", "image": None, "routing": "app", "strategy": {"canary": {"weight": 10}}}
    files = with_service({**app, "candidate": candidate}) | registry("v1", "v2")
    (found,) = (each for each in compiled(files).diagnostics if each.severity is not Severity.NOTE)
    assert found.message == "under routing: app a candidate may set only model, not serviceAccount"
    assert pointed_at(files) == [("RS337", "serviceAccount: recs")]


def test_each_wrong_type_is_told_what_its_own_place_takes() -> None:
    document = {**RELEASE, "services": {"api": {"image": True, "writable": "/a", "security": {"root": "x"}}}}
    found = {each.where.path[-1]: each.message for each in validate(Release, document, "x.yaml")}
    assert found == {
        "image": "image must be text, not true or false",
        "writable": "writable must be a list, not text",
        "root": "root must be true or false, not text",
    }


def test_only_what_a_cluster_runs_claims_a_name_there() -> None:
    both = {"rollouts": {"cluster": "eu", "namespace": "ml"}, "compose": {}}
    files = with_service({}, environment(targets=both)) | {
        "environments/staging/environment.yaml": environment("staging", targets=both),
        "environments/staging/recs/release.yaml": release("recs"),
    }
    assert pointed_at(files) == [("RS221", "api:")]
    idle = {**SERVICE, "targets": ["compose"]}
    files["environments/staging/recs/release.yaml"] = release("recs", {"api": idle})
    assert pointed_at(files) == []
    other = {"rollouts": {"cluster": "us", "namespace": "ml"}}
    files["environments/staging/recs/release.yaml"] = release("recs")
    files["environments/staging/environment.yaml"] = environment("staging", targets=other)
    assert pointed_at(files) == []


@pytest.mark.parametrize(
    ("service", "does"),
    [
        ({"env": {"A": True}}, "quote"),
        ({"env": {"A": 0.5}}, "quote"),
        ({"env": {"A": {}}}, None),
        ({"env": {"A": []}}, None),
        ({"volumes": {"/a": {"empty": False}}}, None),
        ({"image": True}, "quote"),
        ({"image": []}, None),
        ({"replicas": "3"}, "write"),
        ({"replicas": "03"}, None),
        ({"replicas": "three"}, None),
        ({"security": {"root": "Yes"}}, "write"),
        ({"security": {"root": "perhaps"}}, None),
        ({"imgae": "a:1"}, "rename"),
        ({"pictures": "a:1"}, None),
        ({"restart": "Always"}, "write"),
        ({"writable": "3"}, None),
        ({"writable": "yes"}, None),
        ({"restart": "never"}, None),
    ],
)
def test_only_what_can_mean_one_thing_is_mended(service: Map, does: str | None) -> None:
    (found,) = validate(Release, {**RELEASE, "services": {"api": service}}, "x.yaml")
    assert (found.remedy.what if found.remedy else None) == does


@pytest.mark.parametrize("field", ["apiVersion", "kind", "name"])
def test_what_can_only_be_one_word_is_added(field: str) -> None:
    (found,) = validate(EnvironmentSpec, {key: value for key, value in ENVIRONMENT.items() if key != field}, "x.yaml")
    assert found.code == "RS121"
    assert found.hint == f"add {field}: {'…' if field == 'name' else ENVIRONMENT[field]}"
    assert (found.remedy is None) is (field == "name")


def test_where_there_is_nothing_to_choose_from_the_hint_says_none() -> None:
    steps = {"strategy": {"canary": {"steps": [{"setWeight": 10}, {"analyze": ["up"]}]}}}
    where = environment(targets={"rollouts": {"prometheus": "http://prometheus:9090"}})
    hints = {each.code: each.hint for each in compiled(with_service(steps, where)).diagnostics}
    assert hints["RS306"] == "its analyses: none"
    hints = {
        each.code: each.hint
        for each in compiled(with_service({"ports": None, "health": None, "route": "a"})).diagnostics
    }
    assert hints["RS131"] == "its ports: none"
    hints = {each.code: each.hint for each in compiled(with_service({"dependsOn": ["redis"]})).diagnostics}
    assert hints["RS205"] == "services here: none"


def test_a_version_without_a_record_is_gone() -> None:
    runs = with_service({"model": "als@v2", "image": None})
    before, after = (
        Side(Compiler(tree(runs | registry(*names, keep=keep)))) for names, keep in ((("v1", "v2"), 1), (("v2",), 2))
    )
    (found,) = too_few_versions(before, after)
    assert (found.code, found.where) == ("RS432", Where("registry/als/model.yaml"))


@pytest.mark.parametrize(
    ("field", "key", "where", "who"),
    [
        ("labels", "app.kubernetes.io/name", kubernetes(), "relspec"),
        ("labels", "relspec.dev/a", kubernetes(), "relspec"),
        ("labels", "com.docker.compose.project", compose(), "compose"),
        ("annotations", "com.docker.compose.project", compose(), "compose"),
        ("labels", "com.docker.compose.project", kubernetes(), None),
        ("labels", "app.kubernetes.io/name", compose(), None),
        ("annotations", "relspec.dev/a", kubernetes(), None),
    ],
)
def test_a_label_by_which_something_is_found(field: str, key: str, where: Map, who: str | None) -> None:
    found = list(compiled(with_service({field: {key: "a"}}, where)).diagnostics)
    assert [each.code for each in found] == ([] if who is None else ["RS223"])
    assert all(f"is set by {who}," in each.message for each in found)


@pytest.mark.parametrize(("folder", "expected"), [("", "ours"), ("rendered/", None)])
def test_a_macro_is_defined_at_the_top_alone(folder: str, expected: str | None) -> None:
    files = {f"{folder}.gitattributes": "[attr]keep merge=ours\n* keep\n"}
    assert merge_attribute(tree(files), "rendered/dev/recs/compose/compose.yaml") == expected


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ({"rank": 64}, {"rank": 65}, "config.hyperparameters.rank"),
        ({"rank": 64}, {"rank": {"a": 1}}, "config.hyperparameters.rank"),
        ({"rank": {"a": 1}}, {"rank": 64}, "config.hyperparameters.rank"),
        ({"rank": 64}, {"rank": 64, "more": 1}, "config.hyperparameters.more"),
        ({"rank": 64, "more": 1}, {"rank": 64}, "config.hyperparameters"),
        ({"rank": 1}, {"rank": True}, "config.hyperparameters.rank"),
        ({"rank": [1]}, {"rank": [2]}, "config.hyperparameters.rank"),
    ],
)
def test_the_field_of_a_record_that_was_edited(old: Map, new: Map, at: str) -> None:
    def side(parameters: Map) -> Side:
        one = record("v1", config={"hyperparameters": parameters})
        return Side(Compiler(tree(with_service({}) | registry("v1") | {"registry/als/v1.yaml": one})))

    (found,) = edited_records(side(old), side(new))
    assert found.message == f"the record of als v1 was edited: {at}"
    assert ".".join(str(step) for step in found.where.path) == at


def test_only_services_that_run_the_model_count() -> None:
    services = {name: {**SERVICE, "model": f"{name}@v{number}"} for name, number in (("als", 2), ("other", 9))}
    runs = company(services) | registry("v9", name="other")
    lifecycles: list[Map] = [{}, {"lifecycle": {"v3": "archived"}}]
    sides = [Side(Compiler(tree(runs | registry("v1", "v2", "v3", **fields)))) for fields in lifecycles]
    assert list(too_few_versions(*sides)) == []


@pytest.mark.parametrize(("where", "said"), [(kubernetes(), True), (compose(), False)])
def test_nothing_may_move_only_where_there_are_pods(where: Map, said: bool) -> None:
    canary = {"maxSurge": 0, "maxUnavailable": 0}
    patch = {"rollouts": {"Rollout": {"spec": {"strategy": {"canary": canary}}}}}
    for extra in ({}, {"strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}}):
        codes = [each.code for each in compiled(with_service({**extra, "overrides": patch}, where)).diagnostics]
        assert ("RS304" in codes) is said
    for name in canary:
        patch["rollouts"]["Rollout"]["spec"]["strategy"]["canary"] = {**canary, name: 1}
        assert "RS304" not in [each.code for each in compiled(with_service({"overrides": patch}, where)).diagnostics]


def test_a_release_that_stops_has_no_outputs_to_compare() -> None:
    good, bad = (Side(Compiler(tree(with_service(extra)))) for extra in ({}, {"route": "nowhere"}))
    assert good.compiled("production/recs") is not None
    assert bad.compiled("production/recs") is None
    assert good.compiled("production/other") is None


@pytest.mark.parametrize(
    ("path", "said"),
    [("bases/recs.yaml", True), ("bases/recs.yml", True), ("bases/recs.md", False), ("rendered/recs.yaml", False)],
)
def test_a_lock_goes_by_itself(path: str, said: bool) -> None:
    side = Side(Compiler(tree(with_service({}) | {path: "apiVersion: relspec/v1\nkind: Release\nservices: {}\n"})))
    found = [each.code for each in mixed_commits([("a" * 40, ["relspec.lock", path])], side, side)]
    assert found == (["RS621"] if said else [])


def test_models_are_found_among_all_that_changed() -> None:
    files = with_service({}) | registry("v1") | registry("v1", name="other")
    sides = [Side(Compiler(tree(files | registry("v1", keep=keep)))) for keep in (1, 2)]
    paths = [
        "relspec.lock",
        "registry/als/model.yaml",
        "registry/other/v1.yaml",
        "docs/a/model.yaml",
        "registry/model.yaml",
    ]
    assert changed_models(*sides, paths) == changed_models(*sides, None) == ["als"]
    assert changed_models(*sides, ["registry/als/v1.yaml", "registry/als"]) == []


@pytest.mark.parametrize(
    ("service", "hint"),
    [
        ({"args": ["a"] * 513}, "shorten it"),
        ({"args": ["a" * 65537]}, "shorten it"),
        ({"targets": []}, "give it a value, or remove the field"),
        ({"uses": [""]}, "give it a value, or remove the field"),
    ],
)
def test_a_length_is_answered_by_its_side(service: Map, hint: str) -> None:
    (found,) = validate(Release, {**RELEASE, "services": {"api": service}}, "x.yaml")
    assert (found.code, found.hint) == ("RS122", hint)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rendered/**/.env", False),
        ("/rendered/**/.env", False),
        ("**/.env", False),
        (".env", False),
        ("*.env", False),
        ("  .env  ", False),
        ("rendered/production/.env", False),
        (".env.local", True),
        ("env", True),
        ("", True),
    ],
)
def test_git_ignores_the_files_of_secrets(line: str, said: bool) -> None:
    files = with_service({}, compose()) | {".gitignore": f"*.pyc\n{line}\n"}
    assert [code for code, _ in pointed_at(files)] == (["RS440"] if said else [])
    assert pointed_at(with_service({}) | {".gitignore": f"{line}\n"}) == [], "no compose, no .env"


@pytest.mark.parametrize(
    ("other", "condition", "expected"),
    [
        (None, "healthy", ["RS205"]),
        ({"image": "a:1"}, "healthy", ["RS205"]),
        ({"image": "a:1"}, "started", []),
        ({"image": "a:1", "health": {"exec": ["true"]}}, "healthy", []),
        ({"image": "a:1", "targets": ["helm"]}, "healthy", []),
    ],
)
def test_what_is_waited_for_can_come(other: Map | None, condition: str, expected: list[str]) -> None:
    services = {"api": {**SERVICE, "dependsOn": {"other": condition}}} | ({} if other is None else {"other": other})
    assert [code for code, _ in pointed_at(company(services, compose()))] == expected


@pytest.mark.parametrize(
    ("path", "said"),
    [("/", True), ("//a", True), ("/a//b", True), ("/a/../b", True), ("/a/..", True), ("/a/", False), ("/a..b", False)],
)
def test_a_path_in_a_container_is_plain(path: str, said: bool) -> None:
    for extra in ({"writable": [path]}, {"volumes": {path: {"empty": "1Gi"}}}, {"files": {path: {"content": "a"}}}):
        found = [code for code, _ in pointed_at(with_service(extra, compose()))]
        assert ("RS243" in found) is said, extra


def test_what_is_no_base_reaches_no_release() -> None:
    files = with_service({"annotations": {"a": "\\"}}) | {"README.md": "a\n", "bases/a.yaml": base({})}
    side = Side(Compiler(tree(files)))
    assert reached(side, side, ["README.md"]) == []
    assert reached(side, side, ["bases/a.yaml"]) == ["production/recs"], "with a backslash it may extend anything"
    assert reached(side, side, None) == ["production/recs"]


# --- what is said of a release that has errors already

UNKNOWN: Map = {"model": "nothing@v1"}
"""What makes it impossible to resolve a service: RS201, and nothing more."""

FAST: Map = {"analyses": {"fast": {"query": "vector(1)", "success": "true"}}}

OF_ITSELF: Mapping[str, tuple[str, Map]] = {
    "name": ("RS132", {}),
    "ports": ("RS130", {"ports": {"http": 8080, "admin": 8080}}),
    "named ports": ("RS131", {"route": "nowhere"}),
    "companions": ("RS223", {"sidecars": [{"name": "proxy", "image": "a:1"}, {"name": "proxy", "image": "a:1"}]}),
    "labels": ("RS223", {"labels": {"app.kubernetes.io/name": "mine"}}),
    "shutdown": ("RS426", {"shutdown": {"grace": "5s", "drain": "10s"}}),
    "secrets": ("RS231", {"env": {"API_KEY": KEY}}),
    "paths": ("RS243", {"writable": ["/a", "/a/"]}),
    "candidates": ("RS303", CANDIDATE),
}


@pytest.mark.parametrize("case", OF_ITSELF)
def test_a_service_that_is_not_resolved_is_told_what_is_wrong_with_itself(case: str) -> None:
    code, wrong = OF_ITSELF[case]
    name = "a" * 60 if case == "name" else "api"
    assert codes(compiled(company({name: {**SERVICE, **wrong}}))) == [code]
    assert codes(compiled(company({name: {**SERVICE, **wrong, **UNKNOWN}}))) == sorted([code, "RS201"])


def test_what_depends_on_what_is_not_known_is_not_said() -> None:
    wanted = {"resources": None, "health": None}
    assert codes(compiled(with_service(wanted))) != []
    assert codes(compiled(with_service({**wanted, **UNKNOWN}))) == ["RS201"]


OF_THE_REST: Mapping[str, tuple[str, Map, Map, Map]] = {
    "published ports": ("RS130", {"ports": {"http": {"port": 80, "publish": 80}}}, compose(), {}),
    "dependencies": ("RS205", {"dependsOn": ["nobody"]}, compose(), {}),
    "variables of secrets": ("RS230", {"env": {"A": {"secret": "a-b/c"}, "B": {"secret": "a/b-c"}}}, compose(), {}),
    "secrets of the release": ("RS231", {}, kubernetes(), {"overrides": {"helm": {"a": KEY}}}),
    "placeholders": ("RS122", {}, kubernetes(expose={"host": "{relase}.acme.example"}), {}),
    "version of Kubernetes": (
        "RS122",
        {},
        kubernetes(targets={"rollouts": {"namespace": "ml", "kubernetes": "1.2"}}),
        {},
    ),
    "allowances": (
        "RS122",
        {},
        kubernetes(policies={"allow": [{"code": "RS101", "release": "production/recs", "until": "2099-12-31", "reason": "x"}]}),
        {},
    ),
    "a rule of services": ("RS125", {"verify": [{"exec": ["a"]}]}, kubernetes(), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", OF_THE_REST)
def test_a_service_that_is_not_resolved_hides_nothing_of_the_rest(case: str) -> None:
    code, wrong, where, fields = OF_THE_REST[case]
    pair = {"api": {**SERVICE, **wrong}, "web": {**SERVICE, **wrong}}
    said = codes(compiled(company(pair, where, **fields)))
    assert code in said
    broken = {**pair, "broken": {**SERVICE, **UNKNOWN}}
    assert codes(compiled(company(broken, where, **fields))) == sorted([*said, "RS201"])


def test_a_dependency_on_a_service_that_is_not_resolved_is_one_that_is_there() -> None:
    pair = {"api": {**SERVICE, "dependsOn": ["broken"]}, "broken": {**SERVICE, **UNKNOWN}}
    assert codes(compiled(company(pair, compose()))) == ["RS201"]
    pair["broken"] = {**SERVICE, "build": {"args": {"A": "b"}}}
    assert codes(compiled(company(pair, compose()))) == ["RS121"], "of which nothing could be made"


@pytest.mark.parametrize("more", [{}, UNKNOWN], ids=["known", "not resolved"])
@pytest.mark.parametrize("active", ["old", "none"])
def test_a_candidate_beside_an_active_variant_waits_for_no_strategy(active: str, more: Map) -> None:
    """Not even where there is no such variant: that is said, and is one mistake."""
    service = {**CANDIDATE, "variants": {"old": {"image": "ghcr.io/acme/recs:1.7.0"}}, **more}
    assert "RS303" in codes(compiled(with_service(service)))
    assert "RS303" not in codes(compiled(with_service({**service, "active": active})))


@pytest.mark.parametrize("namespace", ["{a: b}", "[a]", "5"])
def test_an_object_whose_namespace_is_no_text_is_left_to_its_schema(namespace: str) -> None:
    """It has no address that another object could have, too."""
    one = f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: own, namespace: {namespace}}}\n"
    template = (packaged.packaged_template("rollouts/rollouts.yaml.j2") or "").rstrip("\n") + "\n" + one
    files = {**company(), "templates/rollouts/rollouts.yaml.j2": template}
    files["environments/production/web/release.yaml"] = release("web")
    assert set(codes(compiled(files))) == {"RS520"}


def test_who_misses_a_service_is_told_the_others() -> None:
    pair = {"api": {**SERVICE, "dependsOn": ["wbe"]}, "web": SERVICE, "shop": SERVICE}
    (found,) = compiled(company(pair, compose())).diagnostics
    assert "web" in found.hint
    (found,) = compiled(company({"api": {**SERVICE, "dependsOn": ["wbe"]}}, compose())).diagnostics
    assert found.hint == "services here: none"


@pytest.mark.parametrize("target", ["rollouts", "helm"])
def test_what_a_template_writes_for_two_releases_is_said_where_it_names_it(target: str) -> None:
    """In the packaged chart's values an object is one element of a list."""
    name = "rollouts/rollouts.yaml.j2"
    one = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  namespace: ml\n  name: own\n"
    text = (packaged.packaged_template(name) or "").rstrip("\n") + "\n" + one
    files = with_service({}, environment(targets={target: {"namespace": "ml"}})) | {f"templates/{name}": text}
    files["environments/production/web/release.yaml"] = release("web")
    (found,) = (each for each in compiled(files).diagnostics if each.code == "RS221")
    assert found.file == f"templates/{name}"
    assert found.range is not None
    assert found.range.line == text.count("\n")
    assert found.message == "ConfigMap own in namespace ml of cluster production is also written by production/recs"


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"volumes": {"/a": ["hots"]}}, [("RS104", ("volumes", "/a"))]),
        ({"volumes": {"/a": {"nothing": 1}}}, [("RS104", ("volumes", "/a"))]),
        ({"volumes": {"/a": {"hots": "/b"}}}, [("RS120", ("volumes", "/a", "hots"))]),
        ({"image": [], "imgae": "x"}, [("RS104", ("image",)), ("RS120", ("imgae",))]),
    ],
    ids=str,
)
def test_each_mistake_has_its_own_answer(service: Map, said: list[tuple[str, tuple[str, ...]]]) -> None:
    found = validate(Release, {**RELEASE, "services": {"api": service}}, "x.yaml")
    assert [(each.code, each.where.path) for each in found] == [
        (code, ("services", "api", *path)) for code, path in said
    ]


@pytest.mark.parametrize(
    ("key", "hint", "certain"), [("IMAGE", "image", True), ("imgae", "image", True), ("minReplicas", "replicas", False)]
)
def test_only_a_slip_of_the_fingers_is_mended(key: str, hint: str, certain: bool) -> None:
    (found,) = validate(Release, {**RELEASE, "services": {"api": {key: "x"}}}, "x.yaml")
    assert (found.hint, found.remedy is not None) == (f"did you mean {hint}?", certain)


@pytest.mark.parametrize(
    ("value", "code", "message", "hint"),
    [
        (
            {"secret": "a/b", "variable": "X"},
            "RS125",
            "A is either secret or variable, not both",
            "keep one of the two: it does not go with secret",
        ),
        (
            {"secret": "a/b", "default": "X"},
            "RS120",
            'A has no field "default" beside secret',
            "remove it: it does not go with secret",
        ),
        (
            ["secret"],
            "RS104",
            "A: an environment variable is text, {model}, {secret}, {environment} or {variable}",
            "write {model: …} or {secret: …} or {environment: …} or {variable: …}",
        ),
    ],
)
def test_keys_of_two_forms_are_told_apart(value: Any, code: str, message: str, hint: str) -> None:
    (found,) = validate(Release, {**RELEASE, "services": {"api": {"env": {"A": value}}}}, "x.yaml")
    assert (found.code, found.message, found.hint) == (code, message, hint)

"""docs/coverage.md holds: it is complete, and every line of it is compiled.

Each entry of `docs/coverage-map.yaml` becomes the smallest release that says it, and the output must have what the
entry promises. `tests/fixtures/public/` holds whole systems in the manner of those that were read: `compose.yaml` as a
team brings it, beside the repository that it becomes.
"""

from __future__ import annotations

import copy
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml.constructor import DuplicateKeyError

from company import codes, compiled, documents, environment, on_disk, release, said, tree, write, written
from judges import compose_config, kubeconform, rollouts_lint
from relspec.compiler import Compiled, compile_tree
from relspec.importing.repository import imported
from relspec.lock import text as lock_text
from relspec.packaged import TEMPLATES

Map = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
PUBLIC = ROOT / "tests" / "fixtures" / "public"
SYSTEMS = sorted(path.parent for path in PUBLIC.glob("*/compose.yaml"))
IMAGE = "ghcr.io/acme/recs:1.8.2"
KINDS = {"service": "compose", "pod": "rollouts", "container": "rollouts"}


def _tool() -> ModuleType:
    """tools/coverage.py, which is no package."""
    spec = importlib.util.spec_from_file_location("coverage_tool", ROOT / "tools" / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where a dataclass looks for its own annotations
    spec.loader.exec_module(module)
    return module


tool = _tool()
ENTRIES = tool.entries(tool.load())


def of(*verdicts: str) -> Any:
    """The entries with one of some verdicts, as parameters."""
    chosen = [entry for entry in ENTRIES if entry.verdict in verdicts]
    return pytest.mark.parametrize("entry", chosen, ids=lambda entry: f"{entry.part}-{entry.name}")


# The page


def test_the_map_is_complete_and_the_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--check"]) == 0, capsys.readouterr().err


def test_enough_was_read() -> None:
    read = tool.load()["read"]
    assert len(read["compose"]) >= 25
    assert sum(len(system["files"]) for system in read["kubernetes"].values()) >= 10


def test_each_field_of_the_schemas_is_on_the_page_once() -> None:
    rows = [line for line in tool.page(tool.load()).splitlines() if line.startswith("| `")]
    for part in tool.parts():
        own = {entry.name for entry in ENTRIES if entry.part == part.name and not entry.is_way}
        assert own == part.fields
    ways = sum(entry.is_way for entry in ENTRIES)
    assert len(rows) == sum(len(part.fields) for part in tool.parts()) + ways


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data["service"].pop("shm_size"), "service shm_size: the schema has it"),
        (lambda data: data["pod"].update(colour={"field": "colour", "value": 1}), "the schema does not have it"),
        (lambda data: data["service ways"].pop("user.group"), "service user.group: something that was read uses it"),
        (lambda data: data["read"]["compose"].pop("n8n-io/self-hosted-ai-starter-kit"), "nothing that was read"),
        (lambda data: data["service"]["tty"].pop("override"), "service tty: it needs one of field"),
        (lambda data: data["service"]["tty"].pop("value"), "service tty: it needs an example"),
        (lambda data: data["service"]["tty"].update(remark="no"), "an entry has no remark"),
        (lambda data: data["pod"]["ephemeralContainers"].pop("instead"), "a refusal says why"),
        (lambda data: data["service ways"]["user.group"].pop("title"), "needs a title"),
    ],
)
def test_a_map_with_a_hole_is_refused(change: Any, problem: str) -> None:
    data = copy.deepcopy(tool.load())
    change(data)
    assert any(problem in found for found in tool.problems(data)), tool.problems(data)


def test_a_field_has_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = tmp_path / "map.yaml"
    twice.write_text("service:\n  tty: {}\n  tty: {}\n")
    monkeypatch.setattr(tool, "MAP", twice)
    with pytest.raises(DuplicateKeyError):
        tool.load()


def test_a_page_out_of_date_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "PAGE", tmp_path / "coverage.md")
    assert tool.main(["--check"]) == 1
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0


# Every line of it


def nested(path: str, value: Any) -> Map:
    """A value below a path with dots."""
    for step in reversed(path.split(".")):
        value = {step: value}
    return value  # type: ignore[no-any-return]


def merged(*layers: Any) -> Any:
    """Maps merged, the last one wins."""
    result: Any = {}
    for layer in layers:
        if not (isinstance(result, dict) and isinstance(layer, dict)):
            result = layer
            continue
        result = {
            **result,
            **{key: merged(result[key], item) if key in result else item for key, item in layer.items()},
        }
    return result


def files(entry: Any, *, folder: str = "dev") -> Map:
    """The smallest repository that says an entry: a service `api`, and for Compose a `redis` to refer to."""
    details = entry.details
    services: Map = {"api": {"image": IMAGE}}
    if KINDS[entry.part] == "compose":
        services["redis"] = {"image": "redis:7.4", "health": {"exec": ["redis-cli", "ping"]}}
    place: Map = {"targets": {"compose": {}} if KINDS[entry.part] == "compose" else {"rollouts": {}}}
    path = {"refused": details.get("say", ""), "field": entry.address}.get(entry.verdict)
    if entry.verdict == "override":
        path = f"overrides.{entry.address}.{entry.key}"
    if entry.verdict == "template":
        path = f"overrides.compose.service.{entry.key}"
    if entry.verdict == "setting":
        place = merged(place, nested(entry.address, details["value"]))
    found: Map = {"api": details.get("also", {})}
    if path and path.startswith(".services."):
        found = merged(found, nested(path.removeprefix(".services."), details["value"]))
    elif path:
        # Only the path leads through dots: `env.discovery.type` is written as a map by the entry itself.
        found = merged(found, {"api": nested(path, details["value"])})
    text: Map = {
        ".gitignore": "rendered/**/.env\n",
        "relspec.lock": lock_text(),
        f"environments/{folder}/environment.yaml": merged(environment(folder, **place), details.get("environment", {})),
        f"environments/{folder}/public/release.yaml": release("public", merged(services, found)),
    }
    if entry.verdict == "template":
        packaged = (TEMPLATES / entry.address.removeprefix("templates/")).read_text("utf-8")
        text[entry.address] = f"{packaged}{details['adds']}"
    if "text" in details:
        place = f"environments/{folder}/public/release.yaml"
        text[place] = written(text[place]).decode() + details["text"]
    return text


@cache
def result(part: str, name: str) -> Compiled:
    """What the compiler makes of an entry."""
    return compiled(files(next(entry for entry in ENTRIES if (entry.part, entry.name) == (part, name))))


def target(entry: Any) -> Map:
    """The map of the output that an entry is about."""
    made = result(entry.part, entry.name)
    assert not made.stopped, "\n".join(said(made))
    assert not [line for line in said(made) if line.startswith("RS5")], said(made)
    (data,) = (data for path, data in made.files.items() if path.endswith((".yaml",)))
    found = documents(data)
    if entry.part == "service":
        service: Map = found[0]["services"]["api"]
        return service
    (pod,) = (each["spec"]["template"]["spec"] for each in found if each["kind"] == "Rollout")
    return pod if entry.part == "pod" else next(each for each in pod["containers"] if each["name"] == "api")


@of("field", "setting", "template")
def test_what_a_field_says_comes_out(entry: Any) -> None:
    came = target(entry).get(entry.details.get("as", entry.key))
    assert came is not None
    wanted = entry.details.get("value" if entry.verdict == "template" else "gives")
    if wanted is not None:
        assert came == wanted


@of("override")
def test_what_an_override_says_comes_out(entry: Any) -> None:
    came = target(entry).get(entry.key)
    assert came == entry.details.get("gives", entry.details["value"])


@of("override")
def test_without_the_override_it_does_not_come_out(entry: Any) -> None:
    """Else a field of ours says it already, and the page is wrong."""
    bare = copy.deepcopy(files(entry))
    api = bare["environments/dev/public/release.yaml"]["services"]["api"]
    patch = api["overrides"][entry.address.split(".")[0]][entry.address.split(".")[1]]
    patch.pop(entry.key)
    plain = compiled(bare)
    assert not plain.stopped, said(plain)
    assert dict(plain.files) != dict(result(entry.part, entry.name).files)


@of("refused")
def test_what_is_refused_has_its_code(entry: Any) -> None:
    if "text" in entry.details:
        raw = files(entry)
        assert entry.address in codes(compiled(raw))
        return
    made = result(entry.part, entry.name)
    assert entry.address in codes(made), said(made)
    assert made.stopped
    assert all(diagnostic.hint for diagnostic in made.diagnostics if diagnostic.code == entry.address)


@pytest.mark.judge
def test_compose_accepts_every_example(tmp_path: Path) -> None:
    """All in one project: a service each, so that the tool starts once."""
    project: Map = {"services": {}}
    for number, entry in enumerate(ENTRIES):
        if entry.part != "service" or entry.verdict == "refused" or entry.details.get("judge") is False:
            continue
        (data,) = (data for path, data in result(entry.part, entry.name).files.items() if path.endswith("compose.yaml"))
        document = documents(data)[0]
        service = document["services"]["api"]
        service.get("depends_on", {}).pop("nothing", None)
        project["services"][f"api-{number}-{entry.name.replace('.', '-').replace('_', '-')}"] = service
        project["services"]["redis"] = document["services"]["redis"]
        for top in ("networks", "volumes", "configs", "secrets", "models"):
            project[top] = {**project.get(top, {}), **document.get(top, {})}
    place = tmp_path / "rendered" / "dev" / "public" / "compose" / "compose.yaml"
    write(tmp_path, {str(place.relative_to(tmp_path)): project})
    config = compose_config(place, {"COMPOSE_PROFILES": "*"})
    assert set(config["services"]) == set(project["services"])


@pytest.mark.slow
@pytest.mark.judge
def test_a_cluster_accepts_every_example(tmp_path: Path) -> None:
    """The controller's own rules too: what it finds invalid is applied, and then stands still."""
    places = []
    for entry in ENTRIES:
        if KINDS[entry.part] == "rollouts" and entry.verdict != "refused":
            (data,) = result(entry.part, entry.name).files.values()
            place = tmp_path / f"{entry.part}-{entry.name}.yaml"
            place.write_bytes(data)
            places.append(place)
    kubeconform(*places)
    for place in places:
        rollouts_lint(place)


# Whole systems


def moved(system: Path) -> Compiled:
    """What the compiler makes of a system's repository."""
    return compile_tree(tree({**on_disk(system / "tree"), "relspec.lock": lock_text()}))


def test_there_are_systems() -> None:
    assert len(SYSTEMS) >= 4


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.name)
def test_a_system_compiles_without_a_word(system: Path) -> None:
    made = moved(system)
    assert said(made) == []
    assert [path for path in made.files if path.endswith("/compose.yaml")]


def test_most_systems_run_in_a_cluster_too() -> None:
    assert sum(any(path.endswith("/rollouts.yaml") for path in moved(system).files) for system in SYSTEMS) >= 3


@pytest.mark.judge
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.name)
def test_a_cluster_takes_the_systems_manifests(system: Path, tmp_path: Path) -> None:
    for path, data in moved(system).files.items():
        if path.endswith("/rollouts.yaml"):
            place = tmp_path / "rollouts.yaml"
            place.write_bytes(data)
            kubeconform(place)
            rollouts_lint(place)


HOST = {
    "DB_PASSWORD": "d",
    "GATEWAY_KEY": "k",
    "GRAFANA_PASSWORD": "g",
    "HF_TOKEN": "h",
    "JUPYTER_TOKEN": "j",
    "STORE_PASSWORD": "s",
}
"""What lies in .env."""

KEPT = (
    "image", "environment", "user", "shm_size", "ulimits", "ipc", "runtime", "profiles", "extra_hosts", "hostname",
    "cap_add", "cap_drop", "security_opt", "platform", "sysctls", "working_dir", "tty", "stdin_open", "init",
    "stop_signal", "read_only", "logging", "tmpfs", "labels",
)  # fmt: skip
"""What must be the same, as Compose understands it."""


@dataclass(frozen=True, slots=True)
class Project:
    """A Compose file as Compose understands it, and the folder that its paths are told from."""

    config: Map
    root: Path

    def services(self) -> dict[str, Map]:
        """By our names, what a person would notice of each service if it were gone."""
        return {dashed(name): self.essence(service) for name, service in self.config["services"].items()}

    def essence(self, service: Map) -> Map:
        ports = service.get("ports", [])
        reserved = service.get("deploy", {}).get("resources", {})
        limits = reserved.get("limits", {})
        networks = {name: self.config["networks"][name] for name in service["networks"]}
        build = service.get("build", {})
        return {
            **{key: service[key] for key in KEPT if service.get(key) not in (None, False, [], {})},
            # White space between the words of a script means nothing.
            **{key: [" ".join(word.split()) for word in service.get(key) or ()] for key in ("command", "entrypoint")},
            "restart": service.get("restart", "no"),
            "ports": sorted((p.get("published", ""), p["target"], p.get("protocol", "tcp")) for p in ports),
            "loopback": sorted(p["target"] for p in ports if p.get("host_ip") == "127.0.0.1"),
            "mounts": sorted(self.mounts(service)),
            "after": {
                dashed(name): (d["condition"], d["required"]) for name, d in service.get("depends_on", {}).items()
            },
            "devices": reserved.get("reservations", {}).get("devices", []),
            "limits": (limits.get("cpus"), str(limits.get("memory", service.get("mem_limit")))),
            "replicas": service.get("deploy", {}).get("replicas", service.get("scale", 1)),
            "health": bool(service.get("healthcheck")),
            "build": {**build, "context": self.inside(build["context"])} if build else {},
            "reaches out": not all(network.get("internal") for network in networks.values()),
            "reached inside": any(network.get("internal") for network in networks.values()),
        }

    def mounts(self, service: Map) -> Iterator[tuple[str, str, bool]]:
        """Each mount: its path, what is behind it, and whether it is read-only.

        A file of the repository is bound in a team's file and a config, which is a copy, in ours.
        """
        for volume in service.get("volumes", ()):
            source = self.inside(volume["source"])
            if volume["type"] == "bind" and (self.root / source).is_file():
                yield volume["target"], "a file", True
            else:
                yield volume["target"], source, volume.get("read_only", False)
        yield from ((config["target"], "a file", True) for config in service.get("configs", ()))

    def inside(self, path: str) -> str:
        """A path of the repository as seen from its root; any other one as it is."""
        return str(Path(path).relative_to(self.root)) if path.startswith(f"{self.root}/") else path


def dashed(name: str) -> str:
    """A name of a team's file as a DNS label."""
    return name.replace("_", "-")


@pytest.mark.judge
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.name)
def test_a_team_gives_nothing_up(system: Path, tmp_path: Path) -> None:
    """Compose makes the same of the file that a team brings and of the one that its repository compiles to."""
    root = tmp_path / "tree"
    write(tmp_path, {"compose.yaml": (system / "compose.yaml").read_bytes()})
    write(root, {**on_disk(system / "tree"), **moved(system).files})
    (ours,) = root.glob("rendered/dev/**/compose.yaml")
    before = Project(compose_config(tmp_path / "compose.yaml", HOST), root).services()
    after = Project(compose_config(ours, HOST), root).services()
    assert set(after) == set(before)
    for name, service in before.items():
        assert after[name] == service, name


@pytest.mark.judge
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.name)
def test_init_takes_a_system_over(system: Path, tmp_path: Path) -> None:
    """`relspec init --from` alone: all but the networks, which it says that it joins, and the names of secrets."""
    write(tmp_path, on_disk(system))
    (tmp_path / "tree" / ".gitignore").unlink()
    shutil.rmtree(tmp_path / "tree" / "environments")
    write(tmp_path, imported(tmp_path / "compose.yaml", tmp_path).files)
    made = compile_tree(tree(on_disk(tmp_path)))
    assert not made.stopped, said(made)
    write(tmp_path, made.files)
    (ours,) = tmp_path.glob("rendered/dev/**/compose.yaml")
    root = tmp_path / "tree"
    before = Project(compose_config(tmp_path / "compose.yaml", HOST), root).services()
    after = Project(compose_config(ours, HOST), root).services()
    assert set(after) == set(before)
    for name, service in before.items():
        assert set(after[name].pop("environment", {})) == set(service.pop("environment", {}))
        for key in ("reaches out", "reached inside"):
            del after[name][key], service[key]
        assert after[name] == service, name

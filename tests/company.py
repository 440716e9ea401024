"""Small repositories for tests: a tree from a dict, a real Git repository, and what the compiler makes of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from relspec.cli import relspec
from relspec.compiler import Compiled, Compiler
from relspec.lock import text as lock_text
from relspec.tree import MemoryTree

Map = dict[str, Any]
Content = str | bytes | Mapping[str, Any]
Files = Mapping[str, Content]
Edit = Callable[[Map], Any]

IMAGE = "ghcr.io/acme/recs:1.8.2"
SERVICE: Map = {
    "image": IMAGE,
    "ports": {"http": 8080},
    "health": {"path": "/healthz"},
    "resources": {"cpu": "500m", "memory": "1Gi"},
}
"""A service with all that a good one has, so that nothing is said about it."""

CANARY: Map = {"canary": {"weight": 10, "stickyBy": {"header": "x-user-id", "bucket": "mod100"}}}
STEPS: list[Map] = [{"setWeight": 10}, {"pause": "5m"}, {"analyze": ["success-rate"]}, {"setWeight": 50}, {"pause": {}}]
CANDIDATE: Map = {"candidate": {"image": "ghcr.io/acme/recs:1.9.0"}}
STRATEGIES: Mapping[str, Map] = {
    "fixed": {},
    "stepped": {"strategy": {"canary": {"steps": STEPS}}},
    "blueGreen": {"strategy": {"blueGreen": {"promote": "manual", "analyze": {"before": ["success-rate"]}}}},
    "held": {**CANDIDATE, "strategy": CANARY},
    "abTest": {
        **CANDIDATE,
        "strategy": {"abTest": {"weight": 50, "stickyBy": {"cookie": "uid", "bucket": "parity"}}},
    },
    "shadow": {**CANDIDATE, "strategy": {"shadow": {"percent": 20, "writes": "allowed"}}},
}
"""What a service adds for each of the six strategies."""

ANALYSES: Map = {
    "success-rate": {
        "query": 'avg(up{service="{{args.service}}", hash="{{args.canary-hash}}"})',
        "success": "result[0] >= 0.99",
        "interval": "1m",
        "count": 5,
    }
}
ROUTERS: Mapping[str, Map] = {
    "istio": {"istio": {"gateway": "istio-ingress/main"}},
    "gateway": {"gateway": {"parent": "gateways/main"}},
}


class Plain(yaml.SafeDumper):
    """Writes what two places share twice: a spec has no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def written(content: Content) -> bytes:
    """The bytes of a file that is given as text, as bytes or as data."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    return yaml.dump(dict(content), Dumper=Plain, sort_keys=False, allow_unicode=True).encode()


def environment(name: str = "production", **fields: Any) -> Map:
    """An environment document."""
    return {"apiVersion": "relspec/v1", "kind": "Environment", "name": name, **deepcopy(fields)}


def kubernetes(router: str | None = "istio", name: str = "production", **fields: Any) -> Map:
    """An environment with the rollouts target, Prometheus, an analysis and a router (None: none)."""
    rollouts = {"namespace": "ml-prod", "prometheus": "http://prometheus:9090"}
    wanted: Map = {"targets": {"rollouts": rollouts}, "analyses": ANALYSES}
    if router is not None:
        wanted |= {"router": ROUTERS[router], "expose": {"host": "{release}.acme.example"}}
    return environment(name, **{**wanted, **fields})


def compose(name: str = "staging", **fields: Any) -> Map:
    """An environment with the compose target alone."""
    return environment(name, **{"targets": {"compose": {}}, **fields})


def release(name: str = "recs", services: Mapping[str, Any] | None = None, **fields: Any) -> Map:
    """A release document; by default with one good service, `api`."""
    return {
        "apiVersion": "relspec/v1",
        "kind": "Release",
        "name": name,
        **fields,
        "services": deepcopy(dict(services)) if services is not None else {"api": deepcopy(SERVICE)},
    }


def base(services: Mapping[str, Any], **fields: Any) -> Map:
    """A base: a release without a name."""
    return {"apiVersion": "relspec/v1", "kind": "Release", **fields, "services": deepcopy(dict(services))}


def model(name: str = "als", **fields: Any) -> Map:
    """A model document."""
    return {"apiVersion": "relspec/v1", "kind": "Model", "name": name, "versioning": "sequential", **fields}


def record(version: str, name: str = "als", **fields: Any) -> Map:
    """A ModelVersion record with its full lineage."""
    return {
        "apiVersion": "relspec/v1",
        "kind": "ModelVersion",
        "model": name,
        "version": version,
        "artifact": {"uri": f"oci://ghcr.io/acme/{name}:{version}", "digest": "sha256:" + version[-1] * 64},
        "code": {"commit": "a07521c0"},
        "data": {"snapshot": f"snapshot-{version}"},
        "config": {"hyperparameters": {"rank": 64}},
        "runtime": {"image": f"ghcr.io/acme/{name}-serving:{version}"},
        **fields,
    }


def registry(*versions: str, name: str = "als", **fields: Any) -> dict[str, Content]:
    """The files of a model with records of `versions`."""
    found: dict[str, Content] = {f"registry/{name}/model.yaml": model(name, **fields)}
    found.update({f"registry/{name}/{version}.yaml": record(version, name) for version in versions})
    return found


def company(services: Mapping[str, Any] | None = None, where: Map | None = None, **fields: Any) -> dict[str, Content]:
    """A repository with one environment (default: `kubernetes()`) and one release, `recs`."""
    place = kubernetes() if where is None else where
    folder = f"environments/{place['name']}"
    return {
        ".gitignore": "rendered/**/.env\n",
        "relspec.lock": lock_text(),
        f"{folder}/environment.yaml": place,
        f"{folder}/recs/release.yaml": release("recs", services, **fields),
    }


def with_service(extra: Mapping[str, Any], where: Map | None = None, **fields: Any) -> dict[str, Content]:
    """`company` with one service `api`: the good one and `extra` on top, of which None takes a field away."""
    return company({"api": without_none({**SERVICE, **extra})}, where, **fields)


def without_none(service: Mapping[str, Any]) -> Map:
    """The fields of a service that have a value."""
    return {name: value for name, value in service.items() if value is not None}


def tree(files: Files) -> MemoryTree:
    """The files as a tree that nobody has committed."""
    return MemoryTree({path: written(content) for path, content in files.items()})


def compiled(files: Files) -> Compiled:
    """What the compiler makes of the files."""
    return Compiler(tree(files)).compile()


def outputs(files: Files) -> dict[str, bytes]:
    """The outputs of files that nothing keeps from being compiled: AssertionError with what does."""
    result = compiled(files)
    assert not result.stopped, "\n".join(said(result))
    return dict(result.files)


def said(result: Compiled) -> list[str]:
    """Each diagnostic as `code file:line:column: message`."""
    return [
        f"{d.code} {d.file}:{d.range.line if d.range else '-'}:{d.range.column if d.range else '-'}: {d.message}"
        for d in result.diagnostics
    ]


def codes(result: Compiled) -> list[str]:
    """The codes of what is said, sorted."""
    return sorted(diagnostic.code for diagnostic in result.diagnostics)


def documents(data: bytes) -> list[Map]:
    """The documents of an output, as Kubernetes' and Compose's own parser family reads them."""
    return [document for document in yaml.load_all(data, Loader=yaml.CSafeLoader) if document is not None]


def objects(files: Files) -> dict[tuple[str, str], Map]:
    """The Kubernetes objects of all rollouts outputs, by kind and name."""
    return {
        (document["kind"], document["metadata"]["name"]): document
        for path, data in outputs(files).items()
        if path.endswith("/rollouts.yaml")
        for document in documents(data)
    }


def project(files: Files) -> Map:
    """The one compose.yaml among the outputs."""
    (data,) = (data for path, data in outputs(files).items() if path.endswith("/compose.yaml"))
    return documents(data)[0]


@dataclass(frozen=True, slots=True)
class Run:
    """What a verb did: its exit code and what it printed."""

    code: int
    out: str
    err: str


def run(folder: Path, *arguments: str) -> Run:
    """A verb, in this process, started in `folder`; what ends it (wrong use, a broken workspace) is exit code 2."""
    import click

    from relspec.diagnostics import RelspecError

    result = CliRunner().invoke(relspec, ["-C", str(folder), *arguments], standalone_mode=False)
    if isinstance(result.exception, RelspecError | click.ClickException):
        return Run(2, result.stdout, str(result.exception))
    if result.exception is not None:
        raise result.exception
    return Run(result.return_value or 0, result.stdout, result.stderr)


def write(folder: Path, files: Files) -> None:
    """Writes the files below `folder`."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(written(content))


def on_disk(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in walk(folder)}


def walk(folder: Path) -> Iterator[Path]:
    """Every plain file below a folder, sorted, without Git's own."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git" not in path.relative_to(folder).parts:
            yield path


GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@acme.example",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@acme.example",
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": os.devnull,
    "LC_ALL": "C",
}
"""Nothing of the caller's Git configuration reaches a test."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A real Git repository in a folder."""

    folder: Path

    def git(self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
        """What a Git command prints; AssertionError with its words where it fails."""
        own = {**GIT_ENVIRONMENT, **(env or {})}
        result = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=own, capture_output=True, text=True, check=False
        )
        assert not check or result.returncode == 0, f"git {' '.join(arguments)}: {result.stderr}{result.stdout}"
        return result.stdout.strip()

    def commit(self, message: str = "a change", date: str | None = None) -> str:
        """Everything in the work tree as a commit, at a time (2026-03-04T14:05:00Z; default: now); its id."""
        at = {} if date is None else {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", message, env=at)
        return self.git("rev-parse", "HEAD")

    def rendered(self) -> dict[str, bytes]:
        """The outputs in the work tree."""
        return on_disk(self.folder / "rendered")


def repository(folder: Path, files: Files = {}) -> Repository:  # noqa: B006 - never changed
    """A new repository with `files` committed."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Repository(folder)
    made.git("init", "-q", "-b", "main")
    write(folder, files)
    made.commit("first")
    return made

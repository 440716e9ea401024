"""The judges: real tools that say whether what we write is accepted by those who read it.

Each function hands an output to one tool and raises AssertionError with the tool's own words where it is refused. A
tool that is missing is an AssertionError too, which names `tools/judges`: a judge that is skipped judges nothing.

The tools come from `.tools` (another folder: RELSPEC_TOOLS) and see none of the caller's environment or configuration.
What a tool said is remembered per process, by the content it was shown, so that tests may ask again freely.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
Environment = tuple[tuple[str, str], ...]

TOOLS = Path(os.environ.get("RELSPEC_TOOLS") or Path(__file__).resolve().parent.parent / ".tools").resolve()
SCHEMAS = TOOLS / "kubeconform-schemas"
KUBERNETES = "1.34.0"
"""The version that the schemas are of, and that Helm tells a chart."""
SECONDS = 60
"""How long a tool may take."""

DUMMY = "1"
"""What a required variable is in `compose_config`: as good a port as it is a password or the name of an image."""

REQUIRED_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{([A-Za-z_][A-Za-z0-9_]*):?\?")
"""`${NAME:?message}` and `${NAME?message}`, unless the dollar sign is escaped by another one."""

NGINX_CONF = """\
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include conf.d/default.conf;
}
"""
"""What the official image wraps our conf in, without the paths that only root may write."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tool said."""

    code: int
    out: str
    err: str


def program(name: str) -> Path:
    """The path of a judge. AssertionError where it is missing."""
    path = TOOLS / "bin" / name
    assert path.exists(), f"{name} is missing from {path.parent}: run tools/judges"
    return path


def ask(name: str, *arguments: str, environment: Environment = (), folder: Path | None = None) -> Verdict:
    """Run a judge, in `folder` or an empty one, with nothing in its environment but `environment`.

    AssertionError where it is missing or takes too long.
    """
    path = program(name)
    with tempfile.TemporaryDirectory(prefix="relspec-judge-") as home:
        try:
            answer = subprocess.run(
                [path, *arguments],
                cwd=folder or home,
                env={"HOME": home, "PATH": "/usr/bin:/bin", "TMPDIR": home, **dict(environment)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{name} {' '.join(arguments)} took longer than {SECONDS} s") from error
    return Verdict(answer.returncode, answer.stdout, answer.stderr)


def accepted(tool: str, verdict: Verdict) -> str:
    """What the tool wrote to stdout; AssertionError with all its words where it refused."""
    assert verdict.code == 0, f"{tool} refuses (exit {verdict.code}):\n{verdict.err}{verdict.out}"
    return verdict.out


def digest(path: Path) -> str:
    """A hash of a file, or of the names and contents of all files below a folder (but not of `.git`)."""
    total = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file() and ".git" not in file.relative_to(path).parts:
            data = file.read_bytes()
            total.update(f"{file.relative_to(path)}\0{len(data)}\0".encode() + data)
    return total.hexdigest()


# Docker Compose


def compose_config(file: Path, env: Mapping[str, str] | None = None) -> Document:
    """The configuration that Compose understands a file as, normalised.

    Variables that the file requires and `env` does not set are DUMMY.
    """
    config: Document = json.loads(accepted("docker-compose", compose(file, env, "--format", "json")))
    return config


def compose_hash(file: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The hash of each service: the one that Compose compares to decide which containers it recreates."""
    lines = accepted("docker-compose", compose(file, env, "--hash", "*")).splitlines()
    hashes = {}
    for line in lines:
        service, value = line.split()
        hashes[service] = value
    return hashes


def compose(file: Path, env: Mapping[str, str] | None, *arguments: str) -> Verdict:
    """What `docker compose config` says of a file."""
    dummies = dict.fromkeys(REQUIRED_VARIABLE.findall(file.read_text(encoding="utf-8")), DUMMY)
    environment = tuple(sorted({**dummies, **(env or {})}.items()))
    # The whole folder, because a file names others beside it; the path, because the answer holds absolute ones.
    return ask_compose(file.resolve(), digest(file.resolve().parent), environment, arguments)


@functools.cache
def ask_compose(file: Path, content: str, environment: Environment, arguments: tuple[str, ...]) -> Verdict:
    return ask("docker-compose", "-f", str(file), "config", *arguments, environment=environment)


# Helm


def helm_template(chart: Path, *values: Path, name: str, namespace: str) -> list[Document]:
    """The objects that a chart renders to, in Helm's order."""
    return copy.deepcopy(rendered(accepted("helm", helm(("template", name), chart, values, "--namespace", namespace))))


@functools.cache
def rendered(text: str) -> list[Document]:
    """The objects in a text of YAML documents; empty documents are left out."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, Loader=loader) if document is not None]


def helm_lint(chart: Path, *values: Path) -> None:
    """`helm lint --strict`: warnings count."""
    accepted("helm", helm(("lint", "--strict"), chart, values))


def helm(words: tuple[str, ...], chart: Path, values: tuple[Path, ...], *options: str) -> Verdict:
    """What Helm says of a chart; `words` stand before it."""
    files = tuple(f"--values={file.resolve()}" for file in values)
    content = tuple(digest(path.resolve()) for path in (chart, *values))
    return ask_helm((*words, str(chart.resolve()), *options, *files), content)


@functools.cache
def ask_helm(arguments: tuple[str, ...], content: tuple[str, ...]) -> Verdict:
    return ask("helm", *arguments)


# Kubernetes manifests


def kubeconform(*files: Path) -> None:
    """Every object in the files against the closed schemas of Kubernetes, Argo Rollouts, Istio and the Gateway API.

    A kind without a schema is refused, and so are files without any object.
    """
    assert SCHEMAS.is_dir(), f"the schemas are missing from {SCHEMAS}: run tools/judges"
    verdict = ask_kubeconform(tuple(file.read_text(encoding="utf-8") for file in files))
    assert verdict.out, f"kubeconform says nothing (exit {verdict.code}):\n{verdict.err}"
    report = json.loads(verdict.out)
    problems = [
        f"{files[int(Path(found['filename']).stem)]}: {found['kind']} {found['name']}: {found['msg']}"
        for found in report["resources"]
    ]
    words = "\n".join([f"kubeconform refuses (exit {verdict.code}):", *problems, verdict.err])
    assert not problems, words
    assert verdict.code == 0, words
    assert report["summary"]["valid"] > 0, f"there is no object in {', '.join(map(str, files))}"


@functools.cache
def ask_kubeconform(texts: tuple[str, ...]) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="relspec-judge-") as temporary:
        for number, text in enumerate(texts):
            Path(temporary, f"{number}.yaml").write_text(text, encoding="utf-8")
        names = [f"{number}.yaml" for number in range(len(texts))]
        location = SCHEMAS / "{{.Group}}" / "{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
        options = ("-strict", "-summary", "-output", "json", "-schema-location", str(location))
        return ask("kubeconform", *options, *names, folder=Path(temporary))


def rollouts_lint(file: Path) -> None:
    """The rules of the Argo Rollouts controller that need no cluster.

    The file holds at least one Rollout, and with it the Services and routes that it names.
    """
    verdict = ask_rollouts(file.read_text(encoding="utf-8"))
    accepted("kubectl-argo-rollouts lint", verdict)
    documents = rendered(file.read_text(encoding="utf-8"))
    assert any(document.get("kind") == "Rollout" for document in documents), f"there is no Rollout in {file}"


@functools.cache
def ask_rollouts(text: str) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="relspec-judge-") as temporary:
        Path(temporary, "manifests.yaml").write_text(text, encoding="utf-8")
        return ask("kubectl-argo-rollouts", "lint", "-f", "manifests.yaml", folder=Path(temporary))


# nginx


@functools.cache
def ask_nginx(conf_text: str) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="relspec-judge-") as temporary:
        folder = Path(temporary)
        (folder / "nginx.conf").write_text(NGINX_CONF, encoding="utf-8")
        (folder / "conf.d").mkdir()
        (folder / "conf.d" / "default.conf").write_text(conf_text, encoding="utf-8")
        return ask("nginx", "-t", "-q", "-p", temporary, "-c", "nginx.conf", "-e", "stderr", folder=folder)


def nginx_test(conf_text: str) -> None:
    """`nginx -t` of a conf that goes where the official image has /etc/nginx/conf.d/default.conf."""
    accepted("nginx", ask_nginx(conf_text))

"""The files of a new repository of releases: small, complete, and deployable as they are.

Everything here is text that `relspec init` writes once; from then on it belongs to the team. What both an empty start
and an import from Compose need is `foundation`, the example is `example`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from relspec import editor_schemas, lock
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.schema_checks import DEFAULT_KUBERNETES

SCHEMA_FOLDER = ".relspec/schemas"
"""Where a repository keeps the editor schemas: in the repository, so that they work offline and fit its relspec."""

MERGED = (".gitattributes", ".gitignore")
"""Files that may be there already: lines that they lack are added."""

KEPT = ("README.md",)
"""Files that are left as they are where they are there already."""


def described(kind: str, path: str, text: str) -> bytes:
    """A spec file at `path` whose first line names its editor schema, relative to it."""
    schema = posixpath.relpath(f"{SCHEMA_FOLDER}/{kind}.json", posixpath.dirname(path) or ".")
    return f"# yaml-language-server: $schema={schema}\n{text}".encode()


def foundation(readme: str, argo: Iterable[str] = (), ignored: Iterable[str] = ()) -> dict[str, bytes]:
    """What every repository has beside its releases.

    `argo` are the environments that Argo CD deploys, `ignored` what Git must leave out beside what always is.
    """
    return {
        ".gitattributes": GITATTRIBUTES.encode(),
        ".github/workflows/relspec.yml": WORKFLOW.replace("RANGE", lock.compiler_range()).encode(),
        ".gitignore": (GITIGNORE + "".join(f"{line}\n" for line in ignored)).encode(),
        "README.md": readme.encode(),
        lock.LOCK: lock.text(),
        "relspec.yaml": described("repository", "relspec.yaml", SETTINGS),
        **{f"argocd/{environment}.yaml": APPLICATION.replace("ENV", environment).encode() for environment in argo},
        **{f"{SCHEMA_FOLDER}/{name}": data for name, data in editor_schemas.files().items()},
    }


def example() -> dict[str, bytes]:
    """A repository with one model in two versions, and one release in dev (Compose) and in production (Rollouts)."""
    specs = (
        ("release", "bases/scoring/base.yaml", BASE),
        ("environment", "environments/dev/environment.yaml", DEV),
        ("release", "environments/dev/scoring/release.yaml", DEV_RELEASE),
        ("environment", "environments/production/environment.yaml", PRODUCTION),
        ("release", "environments/production/scoring/release.yaml", PRODUCTION_RELEASE),
        ("model", "registry/churn/model.yaml", MODEL),
        ("model-version", "registry/churn/1.0.0.yaml", model_version("1.0.0", "64", "207521e0", "2026-01-31")),
        ("model-version", "registry/churn/1.1.0.yaml", model_version("1.1.0", "96", "9c1de442", "2026-02-28")),
    )
    files = {path: described(kind, path, text) for kind, path, text in specs}
    return {**foundation(README, ["production"]), **files, "bases/scoring/server.py": SERVER.encode()}


def model_version(version: str, trees: str, commit: str, snapshot: str) -> str:
    """A record of the example's model."""
    values = {"VERSION": version, "TREES": trees, "COMMIT": commit, "SNAPSHOT": snapshot}
    return re.sub("|".join(values), lambda word: values[word[0]], MODEL_VERSION)


class Placed(Struct, frozen=True):
    """What to write into a folder, by path; and what it holds already and keeps."""

    files: Mapping[str, bytes]
    kept: tuple[str, ...]


def placed(root: Path, files: Mapping[str, bytes]) -> Placed:
    """`files` as they fit into `root`. Raises RelspecError RS604 with every file that would be overwritten.

    A README stays as it is, .gitignore and .gitattributes keep their lines and get the missing ones.
    """
    present = [path for path in files if (root / path).exists() or (root / path).is_symlink()]
    refused = [path for path in present if path not in MERGED + KEPT or not _plain(root / path)]
    if refused:
        hint = "init never overwrites: run it in another folder, or move these away"
        raise RelspecError(*(Finding("RS604", f"{path} is there already", Where(path), hint) for path in refused))
    merged = {path: _with_lines((root / path).read_bytes(), files[path]) for path in present if path in MERGED}
    kept = tuple(path for path in present if path in KEPT)
    return Placed({path: merged.get(path, data) for path, data in files.items() if path not in kept}, kept)


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _with_lines(there: bytes, wanted: bytes) -> bytes:
    """The bytes that are there, and the lines of `wanted` that they lack."""
    known = {line.strip() for line in there.splitlines()}
    missing = [line for line in wanted.splitlines() if line.strip() not in known and not line.startswith(b"#")]
    if not missing:
        return there
    joint = b"" if there.endswith(b"\n") or not there else b"\n"
    return there + joint + b"\n".join(missing) + b"\n"


SETTINGS = """\
apiVersion: relspec/v1
kind: Repository
output: rendered
main: main
"""

GITIGNORE = """\
# Secrets and settings of a host: they lie beside a compiled compose.yaml.
rendered/**/.env
"""

GITATTRIBUTES = """\
# The same bytes on every machine, and no outputs in statistics and reviews.
* text=auto eol=lf
rendered/** text eol=lf linguist-generated
.relspec/schemas/** text eol=lf linguist-generated
"""

WORKFLOW = """\
# The merge result is checked, so that two pull requests can't leave outputs on main that fit neither of them.
# Make this job a required check, and require branches to be up to date (or use a merge queue).
name: relspec
on:
  pull_request:
  merge_group:
  push:
    branches: [main]
permissions:
  contents: read
jobs:
  relspec:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install 'relspecRANGE'
      - name: What this change does to the releases, and how fast it could be undone
        if: github.event_name == 'pull_request'
        env:
          BASE: origin/${{ github.base_ref }}
        run: relspec plan "$BASE..HEAD" --format markdown >> "$GITHUB_STEP_SUMMARY"
      - name: Nothing is wrong with it
        if: github.event_name == 'pull_request'
        env:
          BASE: origin/${{ github.base_ref }}
        run: relspec check --since "$BASE"
      - name: All releases
        if: github.event_name != 'pull_request'
        run: relspec check
      - name: The outputs are those of the specs
        run: relspec compile --check
      - name: Every release could go back
        run: relspec drill
"""

APPLICATION = """\
# Deploys rendered/ENV as it is on main. Set repoURL, then: kubectl apply -f argocd/ENV.yaml
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: ENV
  namespace: argocd
spec:
  project: default
  source:
    repoURL: https://git.example.com/acme/releases.git
    targetRevision: main
    path: rendered/ENV
    directory:
      recurse: true
      include: "**/rollouts.yaml"
  destination:
    server: https://kubernetes.default.svc
    namespace: ENV
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
    # A retry would go on with the bad revision while its revert is waiting.
    retry:
      limit: 0
  # What the Argo Rollouts controller writes while it works. Never add the sync option RespectIgnoreDifferences: with
  # it, a weight that Git says is not applied.
  ignoreDifferences:
    - group: networking.istio.io
      kind: VirtualService
      jqPathExpressions:
        - '.spec.http[] | select(any(.route[]; .destination.host | endswith("-canary"))) | .route[].weight'
    - kind: Service
      jsonPointers:
        - /spec/selector/rollouts-pod-template-hash
"""

BASE = """\
# What every environment has in common. A release extends it, and says what differs.
apiVersion: relspec/v1
kind: Release
services:
  api:
    image: python:3.12-slim
    command: [python, /srv/server.py]
    ports:
      http: {port: 8080, publish: 8080}
    health: {path: /healthz, startup: 30s, period: 5s}
    resources: {cpu: 100m, memory: 128Mi}
    security: {user: 10001}
    env:
      MODEL_REFERENCE: {model: reference}
      MODEL_VERSION: {model: version}
      ENVIRONMENT: {environment: name}
    files:
      /srv/server.py: {from: server.py}
    verify:
      - {path: /version, field: model_version}
"""

DEV = """\
apiVersion: relspec/v1
kind: Environment
name: dev
targets:
  compose: {bind: 127.0.0.1}
"""

DEV_RELEASE = """\
apiVersion: relspec/v1
kind: Release
name: scoring
extends: ../../../bases/scoring/base.yaml
services:
  api:
    model: churn@1.0.0
"""

PRODUCTION = """\
apiVersion: relspec/v1
kind: Environment
name: production
targets:
  rollouts: {namespace: production, kubernetes: "KUBERNETES"}
rollback: {objective: 2m, window: 3, history: 8}
policies: {requireLineage: true, pinned: true, minReplicas: 2}
""".replace("KUBERNETES", DEFAULT_KUBERNETES)

PRODUCTION_RELEASE = """\
apiVersion: relspec/v1
kind: Release
name: scoring
extends: ../../../bases/scoring/base.yaml
services:
  api:
    model: churn@1.0.0
    replicas: 4
    strategy:
      canary:
        steps:
          - setWeight: 25
          - pause: 5m
          - setWeight: 50
          - pause: 5m
"""

MODEL = """\
# What changes over time about the versions beside this file.
apiVersion: relspec/v1
kind: Model
name: churn
versioning: semver
aliases:
  latest: 1.1.0
"""

MODEL_VERSION = """\
# One version: code, data and configuration. Never edited, never deleted: a new version is a new file.
apiVersion: relspec/v1
kind: ModelVersion
model: churn
version: VERSION
artifact:
  uri: s3://models/churn/VERSION
code:
  repository: https://git.example.com/acme/churn
  commit: COMMIT
data:
  snapshot: customers-SNAPSHOT
config:
  hyperparameters: {trees: TREES, depth: 6}
runtime:
  python: "3.12"
interface:
  input:
    type: object
    required: [customer]
    properties:
      customer: {type: string}
  output:
    type: object
    required: [risk]
    properties:
      risk: {type: number}
"""

SERVER = '''\
"""Stands in for a model server until you have your own: says that it is well, and which version it is."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answers = {
            "/healthz": {"status": "ok"},
            "/version": {"model_version": os.environ["MODEL_VERSION"], "environment": os.environ["ENVIRONMENT"]},
        }
        answer = answers.get(self.path)
        body = json.dumps(answer or {"error": "not found"}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
'''

README = """\
# Releases

What runs where, in Git. `environments/<environment>/<release>/release.yaml` says what runs; relspec compiles it into
`rendered/`, which is what gets deployed. Going back is `git revert`.

## The first five minutes

```sh
relspec compile                          # writes rendered/
git init -b main                         # if this is no repository yet
git add -A && git commit -m "Start"
```

Run it here:

```sh
docker compose -f rendered/dev/scoring/compose/compose.yaml up -d --wait --remove-orphans
curl http://127.0.0.1:8080/version       # {"model_version": "1.0.0", "environment": "dev"}
```

Change the model: write `model: churn@1.1.0` in `environments/dev/scoring/release.yaml`, then

```sh
relspec check && relspec compile
git add -A && git commit -m "scoring: churn 1.1.0 in dev"
docker compose -f rendered/dev/scoring/compose/compose.yaml up -d --wait --remove-orphans
```

And go back. The outputs come back with the spec, byte for byte; `relspec rollback dev/scoring` does the same, proves it, and
also works when others have changed things since:

```sh
git revert --no-edit HEAD
relspec compile --check                  # up to date
docker compose -f rendered/dev/scoring/compose/compose.yaml up -d --wait --remove-orphans
```

## What is what

| path | what | who changes it |
|---|---|---|
| `environments/*/environment.yaml` | where and how releases run, and how they are rolled back | platform team |
| `environments/*/*/release.yaml` | what runs | the release's team |
| `bases/` | what environments have in common | the release's team |
| `registry/<model>/<version>.yaml` | one version of a model, never edited | whoever trains it |
| `registry/<model>/model.yaml` | aliases, lifecycle, quarantine | whoever trains it |
| `rendered/` | outputs: never edited; any conflict in it ends with `relspec compile && git add -A rendered` | relspec |
| `argocd/` | the Argo CD Application of an environment: set `repoURL` and apply it once | platform team |
| `.github/workflows/relspec.yml` | the checks of a pull request; in GitLab CI run the same commands with `GIT_DEPTH: 0` | everybody |
| `.relspec/schemas/` | schemas for editors with a YAML language server; refresh them with `relspec schema` | relspec |

`relspec explain production/scoring api.image` says where a value comes from, `relspec model list churn` where each
version runs.
"""

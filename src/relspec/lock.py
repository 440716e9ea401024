"""relspec.lock: which edition of the outputs a repository is compiled with.

The edition rises exactly when a golden output changes; compilers of one edition write the same bytes. Another edition is
refused (RS620), so that upgrading the tool never restarts anything by surprise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.emit import emit
from relspec.loader import Loader
from relspec.packaged import SCHEMAS, TEMPLATES
from relspec.schema_checks import DEFAULT_KUBERNETES, KUBERNETES_VERSIONS
from relspec.spec.repository import Lock

LOCK = "relspec.lock"
EDITION = 1
ARGO_ROLLOUTS = "1.9"


def compiler_range() -> str:
    """The compilers that may be expected to have this edition: `>=0.1,<0.2`."""
    major, minor = version("relspec").split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def current() -> Mapping[str, object]:
    """What `relspec lock` writes: no date, one line a fact."""
    return {
        "apiVersion": "relspec/v1",
        "kind": "Lock",
        "compiler": compiler_range(),
        "edition": EDITION,
        "templates": digest(TEMPLATES),
        "schemas": digest(SCHEMAS / "outputs"),
        "kubernetes": DEFAULT_KUBERNETES,
        "argoRollouts": ARGO_ROLLOUTS,
    }


def text() -> bytes:
    """The bytes of an up-to-date relspec.lock."""
    return ("# What fixes the bytes of the outputs. Written by: relspec lock\n" + emit(current())).encode()


@cache
def digest(folder: Path) -> str:
    """One sha256 over the names and contents of all files below a packaged folder, prose left out."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        if path.is_file() and path.suffix != ".md":
            name = path.relative_to(folder).as_posix().encode()
            data = path.read_bytes()
            total.update(len(name).to_bytes(8, "big") + name + len(data).to_bytes(8, "big") + data)
    return f"sha256:{total.hexdigest()}"


def read(loader: Loader) -> Lock | None:
    """The repository's lock; None where it has none. Raises RelspecError where it is not one."""
    if loader.tree.kind(LOCK) == "missing":
        return None
    return Lock.model_validate(loader.document(LOCK, Lock, "Lock"))


def check_edition(lock: Lock | None) -> tuple[Finding, ...]:
    """RS619 without a lock. Raises RelspecError RS620 for another edition."""
    if lock is None:
        return (
            Finding("RS619", f"there is no {LOCK}; outputs are of edition {EDITION}", Where(LOCK), "run: relspec lock"),
        )
    if lock.kubernetes not in KUBERNETES_VERSIONS:
        known = ", ".join(KUBERNETES_VERSIONS)
        message = f"relspec has no schemas of Kubernetes {lock.kubernetes}"
        raise RelspecError(Finding("RS122", message, Where(LOCK, ("kubernetes",)), f"write one of {known}"))
    if lock.edition != EDITION:
        raise RelspecError(
            Finding(
                "RS620",
                f"this repository is compiled with edition {lock.edition}; relspec {version('relspec')} is edition {EDITION}",
                Where(LOCK, ("edition",)),
                f"run the locked one: uvx 'relspec{lock.compiler}', or move to this one: relspec lock --upgrade",
            )
        )
    return ()

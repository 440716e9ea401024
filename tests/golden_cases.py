"""The golden cases below tests/golden: how they are read, compared and renewed (`tools/update-goldens`)."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from company import on_disk
from relspec.compiler import Compiled, compile_tree
from relspec.lock import EDITION
from relspec.lock import text as lock_text
from relspec.reporters.json import document
from relspec.tree import MemoryTree

GOLDEN = Path(__file__).resolve().parent / "golden"
RECORD = GOLDEN / "edition.json"
CASES = tuple(sorted(path.parent for path in GOLDEN.glob("*/tree")))


def read_tree(case: Path) -> MemoryTree:
    """A case's repository. Its lock is always today's, for a lock also names packaged files that change no output."""
    return MemoryTree({**on_disk(case / "tree"), "relspec.lock": lock_text()})


def diagnostics_of(compiled: Compiled) -> list[dict[str, Any]]:
    """Everything that is said, as the JSON report says it."""
    found: list[dict[str, Any]] = document(compiled.diagnostics, len(compiled.releases))["diagnostics"]
    return found


def digest() -> str:
    """One sha256 over the paths and bytes of all golden outputs."""
    total = hashlib.sha256()
    for case in CASES:
        for path, data in on_disk(case / "expected").items():
            name = f"{case.name}/{path}".encode()
            total.update(b"%d:%b%d:%b" % (len(name), name, len(data), data))
    return f"sha256:{total.hexdigest()}"


def released() -> bool:
    """Whether the changelog names a version that somebody may be running."""
    changelog = (GOLDEN.parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.search(r"^## \[?[0-9]", changelog, re.MULTILINE) is not None


def consistent(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the edition rose exactly if the outputs changed."""
    same = before["outputs"] == now["outputs"]
    return bool(now["edition"] == before["edition"] if same else now["edition"] > before["edition"])


def update() -> str:
    """Writes what every case compiles to now; what to read next. Raises SystemExit where the edition must rise."""
    results = {case: compile_tree(read_tree(case)) for case in CASES}
    broken = [
        f"{case.name}: {said}" for case, result in results.items() if result.stopped for said in result.diagnostics
    ]
    if broken:
        raise SystemExit("\n".join(broken))
    for case, compiled in results.items():
        shutil.rmtree(case / "expected", ignore_errors=True)
        for path, data in compiled.files.items():
            target = case / "expected" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        text = json.dumps(diagnostics_of(compiled), indent=2, ensure_ascii=False)
        (case / "expected.diagnostics.json").write_text(text + "\n", encoding="utf-8")
    now = {"edition": EDITION, "outputs": digest()}
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else now
    if released() and not consistent(before, now):
        raise SystemExit("EDITION in src/relspec/lock.py rises exactly when a golden output changes: correct it first")
    RECORD.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
    return "now read: git diff tests/golden"


if __name__ == "__main__":
    sys.stdout.write(update() + "\n")

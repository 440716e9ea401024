"""Take the SARIF 2.1.0 schema, by which tests judge our reports, from a pinned registry package.

    python tools/sarif_schema.py             writes tests/fixtures/sarif-2.1.0.json
    python tools/sarif_schema.py --check     exit 1 where the committed file is not what would be written,
                                             2 where the source can't be fetched

The package is fetched with npm; the file in it must have the digest that is pinned here. Prose, defaults and addresses are
left out: none of them decides validity. It is the standard's own schema, published as 2.1.0-rtm.5; the package is MIT licensed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
MEMBER = "package/lib/schemas/sarif-2.1.0-rtm.5.json"
SHA256 = "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8"
TARGET = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "sarif-2.1.0.json"
PROSE = frozenset(("default", "description", "id", "title"))
NAMED = frozenset(("definitions", "properties"))
"""Keywords whose keys are names, which no prose is."""


def fetched(scratch: Path) -> bytes:
    """The schema as the package has it. Raises ValueError where its digest is another."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(scratch), PACKAGE]
    archive = subprocess.run(command, cwd=scratch, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(scratch / archive) as package:
        member = package.extractfile(MEMBER)
        data = member.read() if member is not None else b""
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{MEMBER} of {PACKAGE} has the digest {digest}, not {SHA256}")
    return data


def plain(node: Any, *, names: bool = False) -> Any:
    """A schema without prose; `names` says that the keys of `node` are names."""
    if isinstance(node, dict):
        kept = node.items() if names else ((key, value) for key, value in node.items() if key not in PROSE)
        return {key: plain(value, names=not names and key in NAMED) for key, value in kept}
    return [plain(item) for item in node] if isinstance(node, list) else node


def written(data: bytes) -> str:
    """The file that is committed."""
    source = f"{MEMBER} of {PACKAGE}, sha256:{SHA256}; written by tools/sarif_schema.py"
    return json.dumps({"$comment": source, **plain(json.loads(data))}, indent=1) + "\n"


def main() -> int:
    """Writes or checks the file; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file differs")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        try:
            text = written(fetched(Path(scratch)))
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            print(f"can't fetch {PACKAGE}: {error}", file=sys.stderr)
            return 2
    if check:
        return 0 if TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

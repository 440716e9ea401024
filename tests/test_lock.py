"""relspec.lock: an edition is fixed, another one is refused, an upgrade says what it restarts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from company import write
from relspec import lock
from relspec.cli import relspec

FILES = {
    "environments/dev/environment.yaml": "apiVersion: relspec/v1\nkind: Environment\nname: dev\ntargets: {compose: {}}\n",
    "environments/dev/recs/release.yaml": (
        "apiVersion: relspec/v1\nkind: Release\nname: recs\nservices: {api: {image: acme/recs:1, ports: {http: 80}}}\n"
    ),
    ".gitignore": "rendered/**/.env\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(relspec, ["-C", str(root), *arguments], standalone_mode=False)


def another_edition(root: Path) -> None:
    text = (root / lock.LOCK).read_text()
    (root / lock.LOCK).write_text(text.replace(f"edition: {lock.EDITION}\n", f"edition: {lock.EDITION + 6}\n"))


def test_without_a_lock_compile_warns_and_writes(root: Path) -> None:
    result = run(root, "compile")
    assert result.return_value == 0
    assert "warning RS619" in result.output


def test_a_lock_is_one_line_a_fact_and_has_no_date(root: Path) -> None:
    assert run(root, "lock").return_value == 0
    facts = [line for line in (root / lock.LOCK).read_text().splitlines() if not line.startswith("#")]
    assert [fact.partition(":")[0] for fact in facts] == list(lock.current())
    assert "RS619" not in run(root, "compile").output
    assert "up to date" in run(root, "lock").output


@pytest.mark.parametrize("verb", [("compile",), ("compile", "--check"), ("check",), ("lock",)])
def test_another_edition_is_refused_with_both_ways_out(root: Path, verb: tuple[str, ...]) -> None:
    run(root, "lock")
    another_edition(root)
    error = run(root, *verb).exception
    assert error is not None
    finding = error.findings[0]  # type: ignore[attr-defined]
    assert finding.code == "RS620"
    assert "uvx 'relspec>=" in finding.hint
    assert "relspec lock --upgrade" in finding.hint
    assert not (root / "rendered").exists()


def test_an_upgrade_lists_what_it_restarts(root: Path) -> None:
    run(root, "lock")
    run(root, "compile")
    output = root / "rendered/dev/recs/compose/compose.yaml"
    output.write_text(output.read_text().replace("restart: unless-stopped", "restart: always"))
    another_edition(root)
    result = run(root, "lock", "--upgrade")
    assert result.return_value == 0
    assert "restarts dev/recs: api" in result.output
    run(root, "compile")
    another_edition(root)
    assert "restarts nothing" in run(root, "lock", "--upgrade").output


def test_the_digests_see_every_packaged_byte(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    before = lock.digest.__wrapped__(tmp_path)
    (tmp_path / "a" / "x").write_text("2")
    changed = lock.digest.__wrapped__(tmp_path)
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    assert len({before, changed, lock.digest.__wrapped__(tmp_path)}) == 3

"""docs/plan.md tells the truth: its commands are run in a copy of the sample company, and its words are the code's.

    python tests/test_plan_doc.py      rewrites the outputs in docs/plan.md

Commit ids depend on everything that is committed, so the page shows made-up ones.
"""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import pytest

from relspec.gitops.schedule import ASSUMPTIONS, VERDICTS
from relspec.reporters.plan import REVERT
from test_readme import ROOT, company, with_outputs

PAGE = ROOT / "docs" / "plan.md"
ID = re.compile(r"\b[0-9a-f]{9}\b(?=[ :,`)]|$)", re.MULTILINE)
DAY = re.compile(r"\(\d{4}-\d\d-\d\d\)")


def with_made_up_ids(text: str) -> str:
    """The page with its commits called by the order in which they come up, and one day for all of them."""
    numbers = count(1)
    known: dict[str, str] = {}

    def made_up(match: re.Match[str]) -> str:
        if match[0] not in known:
            known[match[0]] = f"{next(numbers):x}" + "c0ffee00"
        return known[match[0]]

    return DAY.sub("(2026-03-04)", ID.sub(made_up, text))


def rewritten(folder: Path) -> str:
    """The page as its commands make it."""
    return with_made_up_ids(with_outputs(PAGE.read_text(), company(folder)))


@pytest.mark.slow
def test_the_page_shows_what_its_commands_print(tmp_path: Path) -> None:
    assert rewritten(tmp_path / "company") == PAGE.read_text()


def test_the_page_has_every_word_of_the_code() -> None:
    text = PAGE.read_text()
    for verdict in VERDICTS:
        assert f"| `{verdict}` |" in text
    for name, words in ASSUMPTIONS.items():
        assert f"| {name} | {words} |" in text
    for kind in REVERT:
        assert f"| `{kind}` |" in text


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        PAGE.write_text(rewritten(Path(temporary) / "company"))

"""The catalogue tells the truth: every bad example gives its code, every good one is clean, and what is shown is said.

    python tests/test_catalogue.py [CODE…]      renews `says` in src/relspec/codes/*.yaml

Where a bad example is pointed at is checked with all other wrong specs, in test_wrong_specs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from company import GIT_ENVIRONMENT, Run, repository, run, with_service, write
from relspec import meanings
from relspec.catalogue import CATALOGUE
from relspec.cli import VERBS
from relspec.diagnostics import Kind, Severity
from relspec.meanings import CODES, WITHOUT_EXAMPLES, meaning
from relspec.reporters.meanings import as_json, link, text
from wrong_specs import EXAMPLES, PLAIN, changed, without_marks

KEYS = {"why", "source", "given", "before", "bad", "good", "instead", "says"}
CHANGES = tuple(code for code, case in EXAMPLES.items() if "before" in case)
STORIES = tuple(code for code, case in EXAMPLES.items() if "run" in case.get("bad", {}))
COMMIT = re.compile(r"\b[0-9a-f]{9}\b")
IDS = ("3f9c2ab1e", "b81d04c77", "5e6a90f2d", "c27f1b38a", "9d40e6a15", "71ac83fe2", "0b5d9e64c", "e8134f7ab")
"""What the commits of a story are called, in the order in which they are printed."""

VERB = re.compile(r"\brelspec (?:-C \S+ )?([a-z]+)")


def waits_for(code: str) -> set[str]:
    """The verbs of a story that the program does not have (yet)."""
    case = EXAMPLES[code]
    commands = [*case["bad"]["run"], *case["good"]["run"]]
    return {verb for command in commands for verb in VERB.findall(command)} - set(VERBS)


READY = tuple(code for code in STORIES if not waits_for(code))


# --- running an example


def checked(folder: Path, files: Mapping[str, bytes]) -> Run:
    """`check` of a repository on disk."""
    write(folder, files)
    return run(folder, "check")


def changed_from(folder: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Run:
    """`check --since` of a change in a real Git repository."""
    repository(folder, before)
    for path in before.keys() - after.keys():
        (folder / path).unlink()
    write(folder, after)
    return run(folder, "check", "--since", "HEAD")


def told(folder: Path, case: Mapping[str, Any]) -> Run:
    """A story's last command, after all the others have gone well, in a real Git repository with a history of one."""
    company = folder / "company"
    write(company, without_marks(changed(case)))
    environment = {
        **GIT_ENVIRONMENT,
        "PATH": f"{os.environ.get('XBIN', '')}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GIT_AUTHOR_DATE": "2026-03-04T09:00:00Z",
        "GIT_COMMITTER_DATE": "2026-03-04T09:00:00Z",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "UTC",
    }  # fmt: skip
    *first, last = case["run"]
    begin = "exec 3>&1 >/dev/null; set -e; git init -q -b main; git add -A; git commit -qm First"
    script = "\n".join((begin, *first, "set +e; exec >&3; echo '--- told' >&2", last))
    done = subprocess.run(
        ["bash", "-c", script], cwd=company, env=environment, capture_output=True, text=True, check=False
    )
    before, found, said = done.stderr.partition("--- told\n")
    assert found, before
    return Run(done.returncode, lasting(done.stdout, folder), lasting(said, folder))


def lasting(printed: str, folder: Path) -> str:
    """What was printed, without what differs from run to run or with a new template: folder, ages, commit ids."""
    ids = dict(zip(dict.fromkeys(COMMIT.findall(printed)), IDS, strict=False))
    named = COMMIT.sub(lambda match: ids[match[0]], printed)
    return re.sub(r"\b\d+ \w+ ago\b", "12 min ago", named.replace(str(folder), "/srv"))


def bad(code: str, folder: Path) -> Run:
    """What relspec makes of a code's bad example."""
    return made_of(code, EXAMPLES[code]["bad"], folder)


def good(code: str, folder: Path) -> Run:
    """What relspec makes of a code's good example."""
    return made_of(code, meanings.good(EXAMPLES[code]), folder)


def made_of(code: str, example: Mapping[str, Any], folder: Path) -> Run:
    case = EXAMPLES[code]
    if code in STORIES:
        return told(folder, meanings.whole(case, example))
    after = without_marks(changed(meanings.whole(case, example)))
    if code in CHANGES:
        return changed_from(folder, without_marks(changed(meanings.whole(case, case["before"]))), after)
    return checked(folder, after)


def said(code: str, done: Run) -> str:
    """What is shown of a run: a check's diagnostics without notes on other things, or all that a story's end prints."""
    if code in STORIES:
        return done.err + done.out
    paragraphs = re.split(r"^(?=\S)", done.err, flags=re.MULTILINE)
    return "".join(paragraph for paragraph in paragraphs if f" {code}: " in paragraph.split("\n", 1)[0])


# --- the examples


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences stay on one line: what is shown has no width."""
    monkeypatch.delenv("COLUMNS", raising=False)


RUNS = (*PLAIN, *CHANGES, *READY)
PARAMETERS = [pytest.param(code, marks=pytest.mark.slow) if code in STORIES else code for code in RUNS]


@pytest.mark.parametrize("code", PARAMETERS)
def test_the_bad_example_says_what_the_catalogue_shows(code: str, tmp_path: Path) -> None:
    done = bad(code, tmp_path)
    rule = CATALOGUE[code]
    loud = done.code != 0
    assert loud is (rule.severity is Severity.ERROR)
    assert f"{rule.severity.value} {code}: " in done.err + done.out
    assert set(re.findall(r"\b(?:error|warning) (RS\d{3})", done.err)) <= {code}
    assert said(code, done) == EXAMPLES[code]["says"], "run: python tests/test_catalogue.py"


@pytest.mark.parametrize("code", PARAMETERS)
def test_the_good_example_is_clean(code: str, tmp_path: Path) -> None:
    done = good(code, tmp_path)
    assert done.code == 0, done.err
    assert not re.search(rf"\b(?:error|warning) RS|{code}", done.err), done.err


# --- the files


def test_every_code_has_a_file_and_every_file_a_code() -> None:
    assert sorted(path.name for path in CODES.iterdir()) == sorted(f"{code}.yaml" for code in CATALOGUE)


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_file_says_why_and_shows_how(code: str) -> None:
    case = EXAMPLES[code]
    assert set(case) <= KEYS
    assert case["why"]
    assert case["source"]
    assert not case["source"].endswith(".")
    if code not in WITHOUT_EXAMPLES:
        assert case["bad"]
        assert meanings.good(case) != case["bad"]


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_reason_is_two_or_three_short_sentences(code: str) -> None:
    why = meaning(code).why
    assert 60 <= len(why) <= 420, len(why)
    assert why.endswith(".")
    assert why[0].isupper() or why.startswith(("`", "relspec", "null"))


def test_no_reason_is_given_twice() -> None:
    reasons = [meaning(code).why for code in EXAMPLES]
    assert len(set(reasons)) == len(reasons)


# --- what is printed


@pytest.mark.parametrize("code", EXAMPLES)
def test_explain_prints_all_of_it(code: str, tmp_path: Path) -> None:
    done = run(tmp_path, "explain", code.lower())
    found = meaning(code)
    assert done.out == text(found)
    flat = " ".join(done.out.split())
    assert all(part in flat for part in (found.rule.title, found.why, found.source, link(code)))
    assert all(line.strip() in done.out for part in (*found.bad, *found.good) for line in part.text.splitlines())
    assert "«" not in done.out
    assert all(
        len(line) <= 102 for line in text(found).splitlines() if line.startswith("  ") and not line.startswith("   ")
    )


def test_explain_as_json(tmp_path: Path) -> None:
    document = json.loads(run(tmp_path, "explain", "RS210", "--format", "json").out)
    assert document == json.loads(json.dumps(as_json(meaning("RS210"))))
    assert (document["schema"], document["code"], document["class"]) == ("relspec/code/v1", "RS210", "structure")
    assert document["more"] == "docs/diagnostics.md#rs210"


def test_an_unknown_code_leads_to_its_neighbours(tmp_path: Path) -> None:
    done = run(tmp_path, "explain", "RS219")
    assert done.code == 2
    assert "There is no code RS219" in done.err
    assert "RS210" in done.err


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_class_says_what_waives_it(code: str) -> None:
    shown = " ".join(text(meaning(code)).split())
    kind = CATALOGUE[code].kind
    assert ("policies.allow" in shown.split("Wrong:")[0]) is (kind is Kind.POLICY)
    assert ("a restoration is never blocked by this" in shown) is (kind in {Kind.POLICY, Kind.SAFETY})


@pytest.mark.parametrize("verb", ["compile", "check"])
def test_only_who_asks_reads_the_files(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meanings, "CODES", tmp_path / "nowhere")
    write(tmp_path, with_service({"replcas": 3}))
    assert "RS120" in run(tmp_path, verb).err
    with pytest.raises(FileNotFoundError):
        run(tmp_path, "explain", "RS120")


# --- renewing


def renew(codes: Sequence[str]) -> None:
    """Writes what the bad examples print now into their files."""
    import tempfile

    os.environ.pop("COLUMNS", None)
    for code in codes:
        with tempfile.TemporaryDirectory() as scratch:
            shown = said(code, bad(code, Path(scratch)))
        assert code in shown, f"{code}: {shown}"
        path = CODES / f"{code}.yaml"
        kept = path.read_text(encoding="utf-8").partition("\nsays: ")[0].rstrip("\n")
        block = "".join(f"  {line}".rstrip() + "\n" for line in shown.splitlines())
        path.write_text(f"{kept}\nsays: |\n{block}", encoding="utf-8")


if __name__ == "__main__":
    renew(sys.argv[1:] or RUNS)

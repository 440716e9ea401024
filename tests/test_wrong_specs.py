"""Everything wrong gets one clear answer: its code, the exact range, and what to type next.

The cases are the catalogue's examples and files in tests/golden/wrong (`wrong_specs` says how they read); what no text
file can hold is below.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import wrong_specs
from company import on_disk, run, write
from relspec.catalogue import CATALOGUE
from relspec.compiler import Compiler
from relspec.diagnostics import Kind, Severity
from relspec.tree import MAX_FILE, MemoryTree
from wrong_specs import CASES, RELEASE, Wrong

SECRET = "hunter2-correct-horse"
"""The secret in every case that writes one out."""

SOURCE = Path(wrong_specs.__file__).resolve().parent.parent / "src" / "relspec"

ONLY_CHECK = {"RS217", "RS428", "RS429", "RS436", "RS603"}
"""Codes that only `check` gives, for nothing that is compiled depends on them."""


def said(files: Mapping[str, bytes]) -> list[tuple[str, str, str]]:
    """Code, file and message of everything but notes."""
    result = Compiler(MemoryTree(dict(files))).compile()
    return [(d.code, d.file, d.message) for d in result.diagnostics if d.severity is not Severity.NOTE]


def test_nothing_is_wrong_with_the_repository() -> None:
    assert said(wrong_specs.repository()) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exactly_this_is_said(case: Wrong, tmp_path: Path) -> None:
    write(tmp_path, case.files)
    checked = run(tmp_path, "check", "--format", "json")
    found = json.loads(checked.out)["diagnostics"]
    (diagnostic,) = [d for d in found if (d["code"], d["file"]) == (case.code, case.file)] or [found]
    place = case.range
    assert [diagnostic[key] for key in ("line", "column", "endLine", "endColumn")] == [
        place.line,
        place.column,
        place.end_line,
        place.end_column,
    ]
    assert diagnostic["hint"], "what to type next"
    assert diagnostic["message"] == diagnostic["message"].strip() != ""
    assert case.hint in diagnostic["hint"]
    assert sorted(d["code"] for d in found if d is not diagnostic) == sorted(case.also)
    rule = CATALOGUE[case.code]
    assert (diagnostic["severity"], diagnostic["class"]) == (rule.severity, rule.kind)
    assert checked.code == (1 if rule.severity is Severity.ERROR else 0)
    if FIRST[case.code] == case.name:
        compiled_as_promised(tmp_path, case)


FIRST = {case.code: case.name for case in reversed(CASES)}
"""One case of each code, for what `compile` does depends on nothing else."""


def compiled_as_promised(folder: Path, case: Wrong) -> None:
    """`compile` writes nothing for an error of class structure; for any other finding it warns and writes."""
    rule = CATALOGUE[case.code]
    compiled = run(folder, "compile")
    stops = rule.kind is Kind.STRUCTURE and rule.severity is Severity.ERROR
    if stops and case.code not in ONLY_CHECK:
        assert compiled.code == 1
        assert not (folder / "rendered").exists()
    else:
        assert compiled.code == 0
        assert on_disk(folder / "rendered")
        assert f"error {case.code}" not in compiled.err
        assert (case.code in compiled.err) is (case.code not in ONLY_CHECK)
    assert SECRET not in compiled.err + compiled.out


@pytest.mark.parametrize("case", [case for case in CASES if case.twin], ids=lambda case: case.name)
def test_the_near_miss_is_right(case: Wrong) -> None:
    assert case.twin is not None
    assert said(case.twin) == []


def test_names_say_what_is_wrong() -> None:
    assert len(CASES) >= 250
    for case in CASES:
        name = case.name.replace("-", "").replace("101", "").replace("64", "")
        assert name == case.code or name.isalpha()


def test_no_case_is_there_twice() -> None:
    assert len({tuple(sorted(case.files.items())) for case in CASES}) == len(CASES)


# --- what no text file can hold


def refused(tmp_path: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The one diagnostic of a repository with these files; `compile` writes nothing."""
    write(tmp_path, {**wrong_specs.repository(), **files})
    checked = run(tmp_path, "check", "--format", "json")
    assert checked.code == 1
    assert run(tmp_path, "compile").code == 1
    assert not (tmp_path / "rendered").exists()
    (diagnostic,) = json.loads(checked.out)["diagnostics"]
    assert diagnostic["hint"]
    found: dict[str, Any] = diagnostic
    return found


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    data = wrong_specs.repository()[RELEASE] + b"  # caf\xe9\n"
    found = refused(tmp_path, {RELEASE: data})
    assert (found["code"], found["file"], found["line"], found["column"]) == ("RS105", RELEASE, data.count(b"\n"), 8)


def test_a_byte_order_mark_is_accepted() -> None:
    files = wrong_specs.repository()
    assert said({**files, RELEASE: b"\xef\xbb\xbf" + files[RELEASE]}) == []


def test_a_file_beyond_one_mebibyte(tmp_path: Path) -> None:
    data = wrong_specs.repository()[RELEASE]
    assert said({**wrong_specs.repository(), RELEASE: data + b"#" * (MAX_FILE - len(data))}) == []
    found = refused(tmp_path, {RELEASE: data + b"#" * (MAX_FILE - len(data) + 1)})
    assert (found["code"], found["file"]) == ("RS106", RELEASE)


@pytest.mark.parametrize(
    ("name", "code"),
    [(RELEASE, "RS241"), ("bases/recs.yaml", "RS241"), ("bases", "RS241"), (f"{RELEASE[:-12]}app.yaml", "RS241")],
)
def test_a_link_out_of_the_repository_is_not_followed(name: str, code: str, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    files = wrong_specs.repository()
    files[RELEASE] += b"    files: {/etc/app.yaml: {from: app.yaml}}\n"
    files[f"{RELEASE[:-12]}app.yaml"] = b"outside: true\n"
    write(outside, files)
    write(inside, files)
    shutil.move(inside / name, tmp_path / "was-there")
    (inside / name).symlink_to(outside / name)
    found = json.loads(run(inside, "check", "--format", "json").out)["diagnostics"]
    assert code in {d["code"] for d in found}
    assert run(inside, "compile").code == 1
    assert not (inside / "rendered").exists()


def test_three_mistakes_in_three_files_are_reported_at_once(tmp_path: Path) -> None:
    files = wrong_specs.repository()
    files["environments/dev/environment.yaml"] += b"targetz: {}\n"
    files[RELEASE] += b"    replicas: many\n"
    files["registry/als/v3.yaml"] += b"hardware: {memory: 4 gigs}\n"
    write(tmp_path, files)
    found = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    assert [(d["code"], d["file"]) for d in found] == [
        ("RS120", "environments/dev/environment.yaml"),
        ("RS104", RELEASE),
        ("RS128", "registry/als/v3.yaml"),
    ]


def test_all_mistakes_of_one_file_are_reported_at_once() -> None:
    files = wrong_specs.repository()
    files[RELEASE] += b"    replicas: -1\n    restart: sometimes\n    model: alz@v1\n    nonsense: 1\n"
    assert sorted(code for code, *_ in said(files)) == ["RS120", "RS122", "RS126", "RS201"]


@pytest.mark.parametrize(
    ("line", "code"),
    [(b"    replcas: 3\n", "RS120"), (b"    dependsOn: [redis]\n", "RS205"), (b"    model: als@v9\n", "RS203")],
)
def test_an_error_in_a_base_is_reported_once_with_the_releases_it_reaches(
    line: bytes, code: str, tmp_path: Path
) -> None:
    files = wrong_specs.repository()
    files["bases/recs.yaml"] += line
    write(tmp_path, files)
    (found,) = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    assert (found["code"], found["file"], found["line"]) == (code, "bases/recs.yaml", 9)
    assert found["releases"] == ["dev/recs", "production/recs"]


def test_an_edited_record_is_found_by_since(tmp_path: Path) -> None:
    from company import repository

    made = repository(tmp_path, wrong_specs.repository())
    record = tmp_path / "registry/als/v3.yaml"
    record.write_text(record.read_text().replace("clicks-3", "clicks-4"))
    plain, since = run(tmp_path, "check"), run(tmp_path, "check", "--since", "HEAD", "--format", "json")
    assert plain.code == 0
    assert since.code == 1
    (found,) = json.loads(since.out)["diagnostics"]
    assert (found["code"], found["file"]) == ("RS430", "registry/als/v3.yaml")
    made.git("checkout", "-q", "registry")
    assert run(tmp_path, "check", "--since", "HEAD").code == 0


def test_no_lock_is_a_warning_and_another_edition_stops_everything(tmp_path: Path) -> None:
    files = wrong_specs.repository()
    lock = files.pop("relspec.lock")
    assert said(files) == [("RS619", "relspec.lock", said(files)[0][2])]
    write(tmp_path, {**files, "relspec.lock": lock.replace(b"edition: ", b"edition: 9")})
    for verb in ("check", "compile"):
        stopped = run(tmp_path, verb)
        assert stopped.code == 2
        assert "RS620" in stopped.err
    assert not (tmp_path / "rendered").exists()


# --- secrets


@pytest.mark.parametrize("case", [case for case in CASES if case.code == "RS231"], ids=lambda case: case.name)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_report_repeats_a_secret(case: Wrong, form: str, tmp_path: Path) -> None:
    write(tmp_path, case.files)
    assert SECRET in b"".join(case.files.values()).decode()
    checked = run(tmp_path, "check", "--format", form)
    assert "RS231" in checked.out + checked.err
    assert SECRET not in checked.out + checked.err


# --- the catalogue


def test_every_code_in_the_source_is_in_the_catalogue_and_the_reverse() -> None:
    used: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if path.name != "catalogue.py":
            used |= codes_in(ast.parse(path.read_text(encoding="utf-8")))
    assert used - set(CATALOGUE) == set()
    assert set(CATALOGUE) - used == set()


def codes_in(tree: ast.AST) -> set[str]:
    """Every code that is a literal of its own, or that begins a printed line."""
    literals = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = [text.removeprefix("error ")[:6].rstrip(":") for text in literals if isinstance(text, str)]
    return {text for text in texts if re.fullmatch(r"RS[0-9]{3}", text)}

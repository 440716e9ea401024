"""Every format says the same: byte for byte on a repository with many mistakes, and read back by real parsers on hostile text.

python tests/test_reporters.py      rewrites tests/golden/reports/expected, and the outputs in docs/reports.md
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from company import SERVICE, company, on_disk, release, repository, run, write
from company import compose as compose_environment
from relspec.catalogue import CATALOGUE
from relspec.cli.reports import FORMATS
from relspec.diagnostics import Diagnostic, Fix, Kind, Position, Range, Severity
from relspec.lock import text as lock_text
from relspec.meanings import CODES, WITHOUT_EXAMPLES
from relspec.reporters import formats, sarif
from relspec.reporters.excerpt import printable
from relspec.reporters.results import Results, fingerprints
from test_readme import company as sample_company
from test_readme import with_outputs

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden" / "reports"
PAGE = HERE.parent / "docs" / "reports.md"
SECRET = "5up3r-s3cr3t-l0gin"
SARIF = jsonschema.Draft4Validator(json.loads((HERE / "fixtures" / "sarif-2.1.0.json").read_text(encoding="utf-8")))
DIAGNOSTICS = jsonschema_rs.Draft7Validator(
    json.loads((HERE.parent / "schemas" / "diagnostics.json").read_text("utf-8"))
)
NAMES = {
    "text": "check.txt",
    "json": "check.json",
    "sarif": "check.sarif",
    "junit": "check.xml",
    "github": "check.github",
    "gitlab": "check.gitlab.json",
    "markdown": "check.md",
}


# --- the same mistakes in every format


def reports(folder: Path) -> dict[str, bytes]:
    """What `--report` writes of the repository with many mistakes, each format in its file; relspec's version is 0."""
    root = folder / "repository"
    write(root, {**on_disk(GOLDEN / "repository"), "relspec.lock": lock_text()})
    wanted = [f"--report={form}:{folder / name}" for form, name in NAMES.items()]
    assert run(root, "check", *wanted).code == 1
    written = {name: (folder / name).read_bytes() for name in NAMES.values()}
    written["check.sarif"] = re.sub(rb'"version": "[^"]*",(?=\s*"rules")', b'"version": "0",', written["check.sarif"])
    return written


def test_every_format_is_the_golden_one(tmp_path: Path) -> None:
    found = reports(tmp_path)
    for name, data in found.items():
        assert data.decode() == (GOLDEN / "expected" / name).read_text("utf-8"), name
    assert sorted(NAMES) == sorted(FORMATS) == sorted(formats.REPORTS)
    assert not [name for name, data in found.items() if SECRET.encode() in data]


def test_the_golden_reports_are_valid() -> None:
    expected = GOLDEN / "expected"
    SARIF.validate(json.loads((expected / "check.sarif").read_text("utf-8")))
    DIAGNOSTICS.validate(json.loads((expected / "check.json").read_text("utf-8")))
    assert ET.fromstring((expected / "check.xml").read_bytes()).tag == "testsuites"


# --- three mistakes in three files, and one of them in a base


@dataclass(frozen=True, slots=True)
class Said:
    """What a report says once: where, which code, and which releases it names with it (as text)."""

    file: str
    line: int
    code: str
    about: str


def from_text(report: str) -> list[Said]:
    paragraphs = re.split(r"\n+(?=\S)", report)
    heads = [re.match(r"(.+?):(\d+):\d+: \w+ (RS\d+): ", paragraph) for paragraph in paragraphs]
    return [Said(m[1], int(m[2]), m[3], p) for m, p in zip(heads, paragraphs, strict=True) if m]


def from_json(report: str) -> list[Said]:
    found = json.loads(report)["diagnostics"]
    return [Said(each["file"], each["line"], each["code"], str(each["releases"])) for each in found]


def from_sarif(report: str) -> list[Said]:
    found = []
    for result in json.loads(report)["runs"][0]["results"]:
        (place,) = (location["physicalLocation"] for location in result["locations"])
        about = result["message"]["text"] + str(result["properties"]["releases"])
        found.append(Said(place["artifactLocation"]["uri"], place["region"]["startLine"], result["ruleId"], about))
    return found


def from_junit(report: str) -> list[Said]:
    return [said for failure in ET.fromstring(report).iter("failure") for said in from_text(failure.text or "")]


def from_github(report: str) -> list[Said]:
    commands = [command(line) for line in report.splitlines()]
    return [
        Said(each.properties["file"], int(each.properties["line"]), each.properties["title"][:5], each.data)
        for each in commands
        if each is not None
    ]


def from_gitlab(report: str) -> list[Said]:
    return [
        Said(each["location"]["path"], each["location"]["lines"]["begin"], each["check_name"], each["description"])
        for each in json.loads(report)
    ]


def from_markdown(report: str) -> list[Said]:
    found = []
    for line in report.splitlines():
        match = re.match(r"\| \S+ \| `(.+?):(\d+)` \| (RS\d+): (.*) \|$", line)
        if match:
            found.append(Said(match[1], int(match[2]), match[3], match[4]))
    return found


READERS: Mapping[str, Callable[[str], list[Said]]] = {
    "text": from_text,
    "json": from_json,
    "sarif": from_sarif,
    "junit": from_junit,
    "github": from_github,
    "gitlab": from_gitlab,
    "markdown": from_markdown,
}

BASE = "apiVersion: relspec/v1\nkind: Release\nservices:\n  api:\n    image: acme/recs:1\n    replicas: many\n"


@pytest.fixture(scope="module")
def three_mistakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A field that the environment doesn't know, one in a release that doesn't exist, and a base of two releases."""
    root = tmp_path_factory.mktemp("three")
    write(
        root,
        {
            **company(where=compose_environment()),
            "environments/staging/environment.yaml": compose_environment(owner="me"),
            "environments/staging/recs/release.yaml": release("recs", {"api": {**SERVICE, "replcas": 2}}),
            "environments/staging/a/release.yaml": release("a", {}, extends="../../../bases/recs.yaml"),
            "environments/staging/b/release.yaml": release("b", {}, extends="../../../bases/recs.yaml"),
            "bases/recs.yaml": BASE,
        },
    )
    return root


@pytest.mark.parametrize("form", FORMATS)
def test_three_mistakes_in_three_files_are_said_at_once(form: str, three_mistakes: Path) -> None:
    ran = run(three_mistakes, "check", "--format", form)
    assert ran.code == 1
    found = READERS[form](ran.err if form == "text" else ran.out)
    places = sorted((said.file, said.line, said.code) for said in found)
    assert places == [
        ("bases/recs.yaml", 6, "RS104"),
        ("environments/staging/environment.yaml", 6, "RS120"),
        ("environments/staging/recs/release.yaml", 14, "RS120"),
    ]
    (base,) = (said.about for said in found if said.file == "bases/recs.yaml")
    assert "staging/a" in base
    assert "staging/b" in base
    assert (ran.out == "3 errors in 3 releases\n") is (form == "text")
    assert (ran.err == "") is (form != "text")


@pytest.mark.parametrize("form", FORMATS)
def test_compile_says_the_same_and_writes_nothing(form: str, three_mistakes: Path) -> None:
    ran = run(three_mistakes, "compile", "--format", form)
    assert ran.code == 1
    assert len(READERS[form](ran.err if form == "text" else ran.out)) == 3
    assert not (three_mistakes / "rendered").exists()


# --- a file beside the terminal's text


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    write(root, company(where=compose_environment()))
    return root


@pytest.mark.parametrize("verb", [("check",), ("compile",), ("compile", "--check"), ("compile", "--out", "out")])
def test_a_report_is_written_where_nothing_is_wrong(clean: Path, verb: tuple[str, ...]) -> None:
    run(clean, "compile")
    run(clean, *verb)
    said = run(clean, *verb)
    ran = run(clean, *verb, "--report", "build/new/a.sarif", "--report", "junit:build/b", "--report", "gitlab:c.json")
    assert (ran.code, ran.out, ran.err) == (0, said.out, said.err)
    log = json.loads((clean / "build/new/a.sarif").read_text("utf-8"))
    SARIF.validate(log)
    assert log["runs"][0]["results"] == []
    assert [test.get("name") for test in ET.fromstring((clean / "build/b").read_text()).iter("testcase")] == [
        "staging/recs"
    ]
    assert json.loads((clean / "c.json").read_text()) == []
    assert not [path for path in on_disk(clean) if "tmp" in path]


def test_an_output_that_is_out_of_date_is_in_the_report(clean: Path) -> None:
    assert run(clean, "compile", "--check", "--report", "r.json", "--report", "r.sarif").code == 1
    found = json.loads((clean / "r.json").read_text())["diagnostics"]
    assert {(each["code"], each["file"]) for each in found} == {("RS601", "rendered/staging/recs/compose/compose.yaml")}
    SARIF.validate(json.loads((clean / "r.sarif").read_text()))


def test_a_report_replaces_an_older_one_and_only_that(clean: Path) -> None:
    (clean / "r.json").write_text("old")
    before = on_disk(clean)
    run(clean, "check", "--report", "r.json")
    after = on_disk(clean)
    assert after.pop("r.json").startswith(b"{")
    assert after == {path: data for path, data in before.items() if path != "r.json"}


@pytest.mark.parametrize("name", ["report", "report.csv", "csv:report", "csv:r.json", "sarif:", ".json/x"])
def test_a_report_says_its_format(clean: Path, name: str) -> None:
    ran = run(clean, "check", "--report", name)
    assert ran.code == 2
    assert "end it in one of .sarif, .json, .xml, .md" in ran.err


@pytest.mark.parametrize(
    "name", ["rendered/r.json", "rendered/staging/../r.json", "a/../rendered/x/r.json", ".git/r.json", "json:bases"]
)
def test_a_report_is_refused_where_none_belongs(clean: Path, name: str) -> None:
    (clean / "bases").mkdir()
    before = on_disk(clean)
    ran = run(clean, "compile", "--report", name)
    assert ran.code == 2
    assert "RS604" in ran.err
    assert on_disk(clean) == before


@pytest.mark.parametrize(
    ("link", "name"), [("r.json", "r.json"), ("build", "build/r.json"), ("build/deep", "build/deep/x/r.json")]
)
def test_a_report_goes_through_no_link(clean: Path, link: str, name: str) -> None:
    outside = clean.parent / "outside"
    outside.mkdir()
    (outside / "r.json").write_text("precious")
    (clean / link).parent.mkdir(exist_ok=True)
    (clean / link).symlink_to(outside / "r.json" if link == name else outside)
    ran = run(clean, "check", "--report", name)
    assert ran.code == 2
    assert "symbolic link" in ran.err
    assert on_disk(outside) == {"r.json": b"precious"}


@pytest.mark.parametrize(
    "name",
    [
        "json:environments/staging/environment.yaml",
        "json:relspec.lock",
        "json:bases/recs.yaml",
        "tracked.json",
        "registry/r.json",
    ],
)
def test_a_report_takes_the_place_of_no_source(clean: Path, name: str) -> None:
    base = "apiVersion: relspec/v1\nkind: Release\nservices: {}\n"
    repository(clean, {"tracked.json": "{}", "bases/recs.yaml": base})
    (clean / "registry").mkdir()
    before = on_disk(clean)
    ran = run(clean, "check", "--report", name)
    assert (ran.code, "is a source of this repository" in ran.err) == (2, True)
    assert on_disk(clean) == before


def test_a_report_outside_the_repository_is_no_link_and_leads_to_no_outputs(clean: Path) -> None:
    away = clean.parent / "away"
    away.mkdir()
    assert run(clean, "check", "--report", str(away / "r.json")).code == 0
    assert json.loads((away / "r.json").read_text())["diagnostics"] == []
    (away / "link.json").symlink_to(clean / "relspec.lock")
    (clean / "rendered").mkdir()
    (away / "folder").symlink_to(clean / "rendered")
    for name in ("link.json", "folder/r.json", "nowhere/r.json"):
        assert "RS604" in run(clean, "check", "--report", str(away / name)).err
    assert (clean / "relspec.lock").read_bytes() == lock_text()
    assert on_disk(clean / "rendered") == {}


def test_paths_are_those_of_the_git_repository_around(clean: Path) -> None:
    (clean.parent / ".git").mkdir()
    (clean / "environments/staging/recs/release.yaml").write_text("name: recs\n")
    for form in ("sarif", "github", "gitlab"):
        found = READERS[form](run(clean, "check", "--format", form).out)
        assert {said.file for said in found} == {"repository/environments/staging/recs/release.yaml"}


# --- the terminal


@pytest.mark.slow
@pytest.mark.parametrize(
    ("set_to", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_and_width_are_those_of_a_terminal(
    three_mistakes: Path, set_to: Mapping[str, str], terminal: bool, coloured: bool
) -> None:
    leader, follower = os.openpty()
    words = [sys.executable, "-m", "relspec", "-C", str(three_mistakes), "check"]
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "60", **set_to}
    done = subprocess.run(
        words, env=environment, stdout=subprocess.PIPE, stderr=follower if terminal else subprocess.PIPE, check=False
    )
    os.close(follower)
    said = drained(leader) if terminal else done.stderr.decode()
    os.close(leader)
    assert done.stdout == b"3 errors in 3 releases\n"
    assert ("\x1b[1;31merror RS104\x1b[0m" in said) is coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert (max(map(len, plain.split("known here")[0].splitlines())) <= 60) is terminal


def drained(descriptor: int) -> str:
    """What was written to a terminal."""
    parts = []
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while part := os.read(descriptor, 65536):
            parts.append(part)
    return b"".join(parts).decode().replace("\r\n", "\n")


# --- GitHub's commands, read as its runner reads them


@dataclass(frozen=True, slots=True)
class Command:
    """A workflow command."""

    name: str
    properties: Mapping[str, str]
    data: str


def command(line: str) -> Command | None:
    """A line of a log as a command: `::name key=value,key=value::data` after spaces, or `##[name …]data` anywhere."""
    stripped = line.lstrip()
    match = re.match(r"::(\S*?)(?: (.*?))?::(.*)", stripped, re.DOTALL)
    if match:
        pairs = (pair.split("=", 1) for pair in (match[2] or "").split(",") if pair)
        properties = {key: undone(value, {"%3A": ":", "%2C": ","}) for key, value in pairs}
        return Command(match[1], properties, undone(match[3], {}))
    old = re.search(r"##\[(\S*)", line)
    return Command(old[1], {}, line) if old else None


def undone(text: str, more: Mapping[str, str]) -> str:
    """Escaped text as it was, the percent sign last."""
    for escape, char in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(escape, char)
    return text


def test_github_gets_ten_of_each_level_and_the_log_has_the_rest() -> None:
    found = tuple(
        diagnostic(severity=severity, range=Range(line, 1, line, 2))
        for line in range(1, 14)
        for severity in (Severity.NOTE, Severity.ERROR, Severity.WARNING)
    )
    lines = formats.REPORTS["github"](results(found)).splitlines()
    commands = [command(line) for line in lines]
    assert [each.name for each in commands if each] == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10
    assert lines[30] == "9 findings more, beyond the 10 of a level that GitHub annotates:"
    assert lines[31] == "a.yaml:11:1: error RS120: it is wrong"
    assert len(lines) == 40


# --- names of findings


def diagnostic(**fields: Any) -> Diagnostic:
    values: dict[str, Any] = {
        "code": "RS120",
        "severity": Severity.ERROR,
        "kind": Kind.STRUCTURE,
        "file": "a.yaml",
        "range": Range(2, 3, 2, 7),
        "message": "it is wrong",
        **fields,
    }
    return Diagnostic(**values)


def results(found: tuple[Diagnostic, ...], source: str = "first\n  imag: x\n") -> Results:
    return Results("check", found, ("p/a", "p/b"), lambda _: source)


def test_a_finding_keeps_its_name_when_its_line_moves() -> None:
    (before,) = fingerprints(results((diagnostic(),), "a: 1\n  imag: x\n"))
    (moved,) = fingerprints(results((diagnostic(range=Range(4, 5, 4, 9)),), "# new\n\na: 1\n    imag: x\n"))
    (other,) = fingerprints(results((diagnostic(),), "a: 1\n  imag: y\n"))
    assert before == moved != other


def test_equal_findings_have_names_of_their_own() -> None:
    same = (diagnostic(), diagnostic(), diagnostic(range=None), diagnostic(range=None), diagnostic(file="b.yaml"))
    assert len(set(fingerprints(results(same)))) == 5


def test_the_name_of_a_finding_gives_no_secret_away() -> None:
    def named(secret: str) -> tuple[str, ...]:
        found = (diagnostic(code="RS231", range=Range(1, 8, 1, 9)), diagnostic(range=Range(1, 1, 1, 6)))
        return fingerprints(results(found, f"token: {secret}\n"))

    assert named("hunter2") == named("hunter3")


# --- SARIF


def test_every_code_is_a_rule_with_help() -> None:
    codes = [path.stem for path in sorted(CODES.glob("RS*.yaml")) if path.stem in CATALOGUE]
    assert len(codes) > 100
    found = tuple(diagnostic(code=code, severity=CATALOGUE[code].severity) for code in codes)
    log = sarif.document(results(found))
    SARIF.validate(log)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({each.code for each in found})
    assert all(len(rule["help"]["text"]) > 40 for rule in rules)
    assert [rule["id"] for rule in rules if "```" not in rule["help"]["markdown"]] in ([], sorted(WITHOUT_EXAMPLES))


def test_sarif_carries_the_fix() -> None:
    fix = Fix("rename it", "a.yaml", Range(2, 3, 2, 7), "image")
    log = sarif.document(results((diagnostic(fix=fix),)))
    SARIF.validate(log)
    ((change,),) = (each["artifactChanges"] for each in log["runs"][0]["results"][0]["fixes"])
    (edit,) = change["replacements"]
    assert edit["insertedContent"] == {"text": "image"}
    assert edit["deletedRegion"] == {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 7}


# --- hostile text

NASTY = st.sampled_from(
    [
        *("\x1b[31m", "\x1b]8;;http://evil\x07", "\r\n", "\n", "\r", "\x00", "\x85", "\u2028", "\u2029", "\x9b31m"),
        *("::set-output name=x::y", "\n::add-mask::x", "##[add-mask]x", "::", "%0A::error::x", "%25", "%", ",", ":"),
        *(
            "]]>",
            "<!--",
            "<script>alert(1)</script>",
            "</failure>",
            "&amp;",
            "&#0;",
            '"',
            "'",
            "<details>",
            "</summary>",
        ),
        *("|", "`", "```", "\n```\n", "[x](http://evil)", "![x](http://evil)", "@acme/admins", "#1", "\\", "\\|", "~"),
        *(
            "\u202e",
            "\u2066",
            "\u200b",
            "\ufeff",
            "\ufffe",
            "\uffff",
            "\ue000",
            "\udcff",
            "\ud800",
            "\ud83d",
            "\U000e0001",
        ),
        *("日本", "e\u0301", "🎉", " ", "\t", "a", "{0}", "{", "../", "//", "a b"),
    ]
)
TEXT = st.lists(st.one_of(NASTY, st.text(max_size=4)), min_size=1, max_size=6).map("".join)
RANGE = st.builds(
    lambda line, column, more, wide: Range(line, column, line + more, column + wide),
    *(st.integers(1, 6), st.integers(1, 20), st.integers(0, 6), st.integers(0, 20)),
)
FOUND = st.builds(
    Diagnostic,
    code=st.sampled_from(["RS120", "RS101", "RS231", "RS309", "RS350"]),
    severity=st.sampled_from(Severity),
    kind=st.sampled_from(Kind),
    file=TEXT.filter(bool),
    range=st.none() | RANGE,
    message=TEXT,
    hint=st.just("") | TEXT,
    related=st.lists(st.builds(Position, TEXT, TEXT, RANGE), max_size=2).map(tuple),
    releases=st.lists(TEXT, max_size=3, unique=True).map(tuple),
    fix=st.none() | st.builds(Fix, TEXT, TEXT, RANGE, TEXT),
)
RESULTS = st.builds(
    lambda found, releases, source: Results("check", tuple(found), tuple(releases), lambda _: source),
    st.lists(FOUND, max_size=4),
    st.lists(TEXT, max_size=2, unique=True),
    st.none() | TEXT,
)


def visible(text: str) -> str:
    """Text as JSON has it: half surrogates are written out."""
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def read_text(report: str, given: Results) -> None:
    for said in given.diagnostics:
        assert f"{said.severity.value} {said.code}: {printable(said.message)}\n" in report
    assert not [line for line in report.splitlines() if command(line) is not None]


def read_json(report: str, given: Results) -> None:
    document = json.loads(report)
    DIAGNOSTICS.validate(document)
    found = [(each["file"], each["message"], each["releases"]) for each in document["diagnostics"]]
    assert found == [
        (visible(d.file), visible(d.message), [visible(each) for each in d.releases]) for d in given.diagnostics
    ]


def read_sarif(report: str, given: Results) -> None:
    log = json.loads(report)
    SARIF.validate(log)
    found = log["runs"][0]["results"]
    for result, said in zip(found, given.diagnostics, strict=True):
        address = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?!//)[A-Za-z0-9._~/%-]*", address)
        assert unquote(address, "utf-8", "surrogateescape").removeprefix("/.") in (
            said.file.removeprefix("/."),
            visible(said.file).removeprefix("/."),
        )
        assert printable(said.message).replace("](", "] (") in result["message"]["text"]
        assert "](" not in result["message"]["text"]
    assert len({json.dumps(result["partialFingerprints"]) for result in found}) == len(found)


def read_junit(report: str, given: Results) -> None:
    tests = list(ET.fromstring(report).iter("testcase"))
    assert len({(test.get("classname"), test.get("name")) for test in tests}) <= len(tests)
    text = "".join(test.findtext("failure", "") + test.findtext("system-out", "") for test in tests)
    for said in given.diagnostics:
        assert text.count(f"{said.severity.value} {said.code}: {printable(said.message)}") >= 1
    assert {printable(release) for release in given.releases} <= {test.get("name") for test in tests}


def read_github(report: str, given: Results) -> None:
    commands = [command(line) for line in re.split(r"\r\n|\r|\n", report)[:-1]]
    ordered = [said for severity in Severity for said in given.diagnostics if said.severity is severity]
    for found, said in zip(commands, ordered, strict=True):
        assert found is not None
        assert found.name == {"note": "notice"}.get(said.severity.value, said.severity.value)
        assert set(found.properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}
        assert found.properties["file"] == printable(said.file)
        assert found.properties["title"] == f"{said.code} {CATALOGUE[said.code].title}"
        assert found.data.split("\n")[0] == printable(said.message)


def read_gitlab(report: str, given: Results) -> None:
    found = json.loads(report)
    for entry, said in zip(found, given.diagnostics, strict=True):
        assert entry["location"]["path"] == visible(said.file)
        assert entry["description"].startswith(printable(said.message))
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
    assert len({entry["fingerprint"] for entry in found}) == len(found)


def read_markdown(report: str, given: Results) -> None:
    lines = report.splitlines()
    assert lines[0].startswith("**relspec check**: ")
    if not given.diagnostics:
        assert len(lines) == 1
        return
    rows = lines[4 : 4 + len(given.diagnostics)]
    assert lines[4 + len(given.diagnostics)] == ""
    for row in rows:
        outside = re.sub(r"(?<!\\)(`+).*?(?<!`)\1(?!`)", "", row)
        assert (
            len(re.findall(r"(?<!\\)\|", row)) == 5
        )  # cmark-gfm: a bar after a backslash ends no cell, even after two
        assert not re.search(r"(?<!\\)(?:\\\\)*<(?!br>)", outside)
        assert not re.search(r"@(?=\w)", outside)
        assert not re.search(r"(?<!\\)(?:\\\\)*\]\(", outside)
    tail = lines[4 + len(given.diagnostics) :]
    assert tail[:3] == ["", "<details><summary>As a terminal shows it</summary>", ""]
    fence = tail[3]
    assert fence.strip("`") == ""
    assert [index for index, line in enumerate(tail) if line.startswith(fence)] == [3, len(tail) - 3]
    assert tail[-1] == "</details>"


HOSTILE: Mapping[str, Callable[[str, Results], None]] = {
    "text": read_text,
    "json": read_json,
    "sarif": read_sarif,
    "junit": read_junit,
    "github": read_github,
    "gitlab": read_gitlab,
    "markdown": read_markdown,
}


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_text_is_read_back_as_it_was(form: str) -> None:
    @settings(max_examples=40, deadline=None, phases=set(Phase) - {Phase.shrink})  # shrinking takes minutes
    @given(RESULTS)
    def read_back(given: Results) -> None:
        report = formats.REPORTS[form](given)
        report.encode("utf-8")
        assert all(char.isprintable() or char in "\n\u200b\u2139" for char in report)
        HOSTILE[form](report, given)

    read_back()


def test_a_hostile_file_name_reaches_stdout_in_every_format(clean: Path) -> None:
    folder = b"environments/staging/\xff\x1b[31m%0A,a:b|<x>"
    (clean / "x").mkdir()
    target = clean.joinpath(*folder.decode("utf-8", "surrogateescape").split("/"))
    target.mkdir()
    (target / "release.yaml").write_text("apiVersion: relspec/v1\nkind: Release\nname: x\nservices: {}\n")
    for form in FORMATS:
        ran = run(clean, "check", "--format", form)
        assert ran.code == 1
        assert all(char.isprintable() or char == "\n" for char in ran.out + ran.err)
        codes = {said.code for said in READERS[form](ran.err if form == "text" else ran.out)}
        assert "RS214" in codes, f"{form}: {ran}"


# --- what ends a verb


ENDED = (
    *((form, ("check",)) for form in FORMATS if form != "text"),
    *((form, ("compile",)) for form in FORMATS if form != "text"),
    *(("json", verb) for verb in (("explain", "staging/recs", "api.image"), ("rollback", "x"), ("model", "list"))),
    *(("json", verb) for verb in (("promote", "staging", "production"), ("model", "show", "als"))),
    *((form, verb) for form in ("json", "markdown") for verb in (("plan",), ("drill",), ("history", "staging/recs"))),
)


@pytest.mark.parametrize(("form", "verb"), ENDED, ids=[f"{verb[0]} {form}" for form, verb in ENDED])
def test_what_ends_a_verb_is_a_document_too(form: str, verb: tuple[str, ...], tmp_path: Path) -> None:
    ran = run(tmp_path, *verb, "--format", form)
    assert ran.code == 2
    assert "RS600" in ran.err
    if form in ("json", "sarif"):
        {"json": DIAGNOSTICS, "sarif": SARIF}[form].validate(json.loads(ran.out))
    if form == "json":
        assert [each["code"] for each in json.loads(ran.out)["diagnostics"]] == ["RS600"]
    elif form == "sarif":
        (only,) = json.loads(ran.out)["runs"]
        assert [result["ruleId"] for result in only["results"]] == ["RS600"]
        assert only["invocations"] == [{"executionSuccessful": False}]
    elif form == "junit":
        assert [each.get("type") for each in ET.fromstring(ran.out).iter("failure")] == ["RS600"]
    elif form == "gitlab":
        assert [(each["check_name"], each["location"]["path"]) for each in json.loads(ran.out)] == [("RS600", ".")]
    elif form == "github":
        (said,) = filter(None, map(command, ran.out.splitlines()))
        assert "file" not in said.properties
        assert said.properties["title"].startswith("RS600")
    else:
        assert ran.out.startswith(f"**relspec {verb[0]}**: 1 error")
        assert "RS600: " in ran.out


@pytest.mark.parametrize("verb", [("check",), ("compile",), ("compile", "--check")])
def test_a_program_reads_one_document_where_a_report_cannot_be_written(clean: Path, verb: tuple[str, ...]) -> None:
    (clean / "file").write_text("in the way")
    ran = run(clean, *verb, "--format", "json", "--report", "file/check.json")
    assert ran.code == 2
    assert [each["code"] for each in json.loads(ran.out)["diagnostics"]] == ["RS604"]


# --- the page


@pytest.mark.slow
def test_the_page_shows_what_its_commands_print(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_outputs(text, sample_company(tmp_path / "company")) == text
    assert sorted(set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))) == sorted(FORMATS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write(GOLDEN / "expected", reports(Path(scratch)))
        sample = sample_company(Path(scratch) / "company")
        PAGE.write_text(with_outputs(PAGE.read_text(encoding="utf-8"), sample), encoding="utf-8")

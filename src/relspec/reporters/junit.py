"""Diagnostics as JUnit XML, which every CI system shows: a test for each release, and one for each file that is wrong
for none or for several of them.

A test has at most one failure, for most readers show only the first; it holds all errors, as a terminal shows them. An
error that reaches several releases is the failure of its file's test; those releases are skipped, not passed. Warnings and
notes are a test's output. XML 1.0 can't hold control characters at all: they are made visible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Diagnostic, Severity
from relspec.reporters import text
from relspec.reporters.excerpt import printable
from relspec.reporters.results import Results

Shown = Callable[[Sequence[Diagnostic]], str]


def report(results: Results) -> str:
    """The document, with a final newline."""
    secrets = [diagnostic for diagnostic in results.diagnostics if CATALOGUE[diagnostic.code].secret]

    def shown(found: Sequence[Diagnostic]) -> str:
        """The findings as a terminal shows them; a line that any finding of the run calls a secret is in none."""
        return "\n" + text.report(found, results.source, among=(*found, *secrets))

    tests = [*_of_files(results, shown), *_of_releases(results, shown)]
    counts = {
        "tests": str(len(tests)),
        "failures": str(sum(test.find("failure") is not None for test in tests)),
        "errors": "0",
        "skipped": str(sum(test.find("skipped") is not None for test in tests)),
    }
    suites = ET.Element("testsuites", {"name": "relspec", **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": f"relspec {results.verb}", **counts})
    suite.extend(tests)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _of_files(results: Results, shown: Shown) -> list[ET.Element]:
    by_file: dict[str, list[Diagnostic]] = {}
    for diagnostic in results.diagnostics:
        if len(diagnostic.releases) != 1:
            by_file.setdefault(diagnostic.file, []).append(diagnostic)
    return [_test("files", file or "repository", found, shown) for file, found in by_file.items()]


def _of_releases(results: Results, shown: Shown) -> list[ET.Element]:
    by_release: dict[str, list[Diagnostic]] = {release: [] for release in results.releases}
    reached: dict[str, str] = {}
    for diagnostic in results.diagnostics:
        if len(diagnostic.releases) == 1:
            by_release.setdefault(diagnostic.releases[0], []).append(diagnostic)
        elif diagnostic.severity is Severity.ERROR:
            for release in diagnostic.releases:
                reached.setdefault(release, f"{diagnostic.code} in {diagnostic.file} reaches it")
    tests = []
    for release, found in sorted(by_release.items()):
        test = _test("releases", release, found, shown)
        if release in reached and test.find("failure") is None:
            test.insert(0, ET.Element("skipped", {"message": printable(reached[release])}))
        tests.append(test)
    return tests


def _test(group: str, name: str, found: Sequence[Diagnostic], shown: Shown) -> ET.Element:
    test = ET.Element("testcase", {"classname": f"relspec.{group}", "name": printable(name)})
    errors = [diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR]
    others = [diagnostic for diagnostic in found if diagnostic.severity is not Severity.ERROR]
    if errors:
        more = f" (and {text.counted(len(errors) - 1, 'more error')})" if len(errors) > 1 else ""
        message = f"{text.place(errors[0].file, errors[0].range)}: {printable(errors[0].message)}{more}"
        failure = ET.SubElement(test, "failure", {"type": errors[0].code, "message": message})
        failure.text = shown(errors)
    if others:
        ET.SubElement(test, "system-out").text = shown(others)
    return test

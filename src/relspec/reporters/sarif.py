"""Diagnostics as SARIF 2.1.0 (OASIS, errata 01), which code-scanning pages and editors read.

Positions are SARIF's own: from 1, the end exclusive, in Unicode code points. What people wrote is shown as plain text: no
part of it becomes a link or steers a page.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from relspec import meanings
from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Diagnostic, Fix, Position, Range
from relspec.reporters import markdown as md
from relspec.reporters.excerpt import printable
from relspec.reporters.json import dumped
from relspec.reporters.results import Results, fingerprints, reached
from relspec.reporters.text import some

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "SRCROOT"
FINGERPRINT = "relspecFinding/v1"
PLAIN_IN_URI = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def report(results: Results) -> str:
    """The log, with a final newline."""
    return dumped(document(results))


def document(results: Results) -> dict[str, Any]:
    """The same as data."""
    codes = sorted({diagnostic.code for diagnostic in results.diagnostics})
    index = {code: number for number, code in enumerate(codes)}
    names = fingerprints(results)
    driver = {"name": "relspec", "version": results.version, "rules": [_rule(code) for code in codes]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {key: value for key, value in driver.items() if value != ""}},
                "automationDetails": {"id": f"relspec/{results.verb}/"},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the Git repository."}}},
                "invocations": [{"executionSuccessful": not results.ended and "RS900" not in index}],
                "results": [
                    _result(diagnostic, index[diagnostic.code], name, results)
                    for diagnostic, name in zip(results.diagnostics, names, strict=True)
                ],
            }
        ],
    }


_meaning = cache(meanings.meaning)


def _rule(code: str) -> dict[str, Any]:
    rule, meaning = CATALOGUE[code], _meaning(code)
    examples = [
        (f"{title}{f', {snippet.file}' if snippet.file else ''}", snippet)
        for title, snippets in (("Wrong", meaning.bad), ("Right", meaning.good))
        for snippet in snippets
    ]
    text = "\n\n".join([meaning.why, *(f"{title}:\n{snippet.text}" for title, snippet in examples)])
    blocks = [
        f"{md.cell(title)}:\n\n{md.block(snippet.text, 'yaml' if snippet.file else '')}" for title, snippet in examples
    ]
    markdown = "\n".join([f"{meaning.why}\n", *blocks, f"Source: {meaning.source}\n"])
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": meaning.why},
        "help": {"text": f"{text}\n\nSource: {meaning.source}", "markdown": markdown},
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {"tags": [rule.kind.value], "precision": "very-high"},
    }


def _result(diagnostic: Diagnostic, index: int, fingerprint: str, results: Results) -> dict[str, Any]:
    text = _plain(diagnostic.message)
    if diagnostic.hint:
        text += f"\nhelp: {_plain(diagnostic.hint)}"
    if releases := reached(diagnostic):
        text += f"\nreaches: {_plain(some(releases))}"
    found: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": diagnostic.severity.value,
        "message": {"text": text},
        "locations": [_location(diagnostic.file, diagnostic.range, results)] if diagnostic.file else [],
        "relatedLocations": [
            {
                "id": number,
                **_location(related.file, related.range, results),
                "message": {"text": _plain(related.message)},
            }
            for number, related in enumerate(_placed(diagnostic), 1)
        ],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {"class": diagnostic.kind.value, "releases": [printable(each) for each in diagnostic.releases]},
    }
    if diagnostic.fix is not None:
        found["fixes"] = [_fix(diagnostic.fix, results)]
    return {key: value for key, value in found.items() if value != []}


def _placed(diagnostic: Diagnostic) -> tuple[Position, ...]:
    return tuple(position for position in diagnostic.related if position.file)


def _location(file: str, span: Range | None, results: Results) -> dict[str, Any]:
    """A place. Code scanning shows none without a line, so that a whole file is its first."""
    region = {"startLine": 1} if span is None else _region(span)
    return {"physicalLocation": {"artifactLocation": _artifact(file, results), "region": region}}


def _artifact(file: str, results: Results) -> dict[str, str]:
    return {"uri": uri(results.path(file)), "uriBaseId": ROOT}


def _region(span: Range) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fix(fix: Fix, results: Results) -> dict[str, Any]:
    edit = {"deletedRegion": _region(fix.range), "insertedContent": {"text": fix.text}}
    change = {"artifactLocation": _artifact(fix.file, results), "replacements": [edit]}
    return {"description": {"text": _plain(fix.title)}, "artifactChanges": [change]}


def _plain(text: str) -> str:
    """Text in which nothing is a link: SARIF reads `[words](target)` in a message as one."""
    return printable(text).replace("](", "] (")


def uri(path: str) -> str:
    """A path as a relative URI reference (RFC 3986): every byte that isn't plain in a path is percent-encoded."""
    data = path.encode("utf-8", "surrogateescape" if _from_bytes(path) else "backslashreplace")
    encoded = "".join(chr(byte) if byte in PLAIN_IN_URI else f"%{byte:02X}" for byte in data)
    return f"/.{encoded}" if encoded.startswith("//") else encoded


def _from_bytes(path: str) -> bool:
    """Whether half surrogates in a path stand for bytes of a file name that is no UTF-8."""
    return all("\udc80" <= char <= "\udcff" for char in path if "\ud800" <= char <= "\udfff")

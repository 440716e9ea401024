"""The formats of reports by name, and which one the name of a file asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath

from relspec.reporters import github, gitlab, json, junit, markdown_report, sarif, text
from relspec.reporters.results import Results

REPORTS: Mapping[str, Callable[[Results], str]] = {
    "text": lambda results: text.report(results.diagnostics, results.source),
    "json": lambda results: json.report(results.diagnostics, len(results.releases)),
    "sarif": sarif.report,
    "junit": junit.report,
    "github": github.report,
    "gitlab": gitlab.report,
    "markdown": markdown_report.report,
}
"""What each format makes of the results of a run."""

ENDINGS: Mapping[str, str] = {".sarif": "sarif", ".json": "json", ".xml": "junit", ".md": "markdown", ".txt": "text"}


WORD = re.compile("[A-Za-z0-9_-]+")
"""What is taken for a format before a colon, known or not."""


def named(word: str) -> tuple[str, str]:
    """The format and the path that `FORMAT:FILE` or `FILE` mean; the ending tells the format of the latter.

    Raises ValueError where neither says one, and for a format that there is not.
    """
    form, colon, path = word.partition(":")
    if colon and form in REPORTS and path:
        return form, path
    ending = PurePath(word).suffix.lower()
    is_prefixed = bool(colon) and form not in REPORTS and WORD.fullmatch(form) is not None
    if is_prefixed or ending not in ENDINGS:
        problem = f"asks for the format {form!r}, which there is not" if is_prefixed else "doesn't say a format"
        endings, formats = ", ".join(ENDINGS), ", ".join(REPORTS)
        raise ValueError(f"{word!r} {problem}: end it in one of {endings}, or write FORMAT:FILE ({formats})")
    return ENDINGS[ending], word

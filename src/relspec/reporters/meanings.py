"""What a code means, as text for a terminal, as JSON, and as a section of docs/diagnostics.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from textwrap import fill, indent
from typing import Any

from relspec.catalogue import Rule
from relspec.diagnostics import Kind, Severity
from relspec.meanings import Meaning, Snippet

PAGE = "docs/diagnostics.md"
SCHEMA = "relspec/code/v1"
WIDTH = 100
SEVERITIES = {
    Severity.ERROR: "`check` fails",
    Severity.WARNING: "`check` passes",
    Severity.NOTE: "nothing has to be done",
}
KINDS = {
    Kind.STRUCTURE: "`compile` writes nothing, and nothing waives it",
    Kind.SAFETY: "`compile` warns and writes; a restoration is never blocked by this",
    Kind.POLICY: (
        "`compile` warns and writes; `policies.allow` in the environment can allow it, with a reason and a last day; a "
        "restoration is never blocked by this"
    ),
    Kind.QUARANTINE: "`compile` warns and writes; no allowance waives it",
}
LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".lock": "yaml", ".j2": "jinja", ".json": "json"}


def text(meaning: Meaning) -> str:
    """For a terminal."""
    rule = meaning.rule
    parts = [
        f"{rule.code}: {rule.title}\n",
        f"  severity: {_severity(rule)}\n{_wrapped(f'class: {_kind(rule)}')}",
        _wrapped(meaning.why),
    ]
    for title, snippets, said in (("Wrong", meaning.bad, meaning.says), ("Right", meaning.good, "")):
        if snippets:
            shown = [_plain(snippet) for snippet in snippets]
            parts += [f"  {title}:\n", *(indent(each, "    ") for each in (*shown, said) if each)]
    parts.append(f"{_wrapped(f'Source: {meaning.source}')}  More: {link(rule.code)}\n")
    return "\n".join(parts)


def as_json(meaning: Meaning) -> dict[str, Any]:
    """For other programs: `relspec/code/v1`."""
    rule = meaning.rule
    return {
        "schema": SCHEMA,
        "code": rule.code,
        "title": rule.title,
        "severity": rule.severity.value,
        "class": rule.kind.value,
        "why": meaning.why,
        "source": meaning.source,
        "bad": _listed(meaning.bad),
        "says": meaning.says,
        "good": _listed(meaning.good),
        "more": link(rule.code),
    }


def markdown(meaning: Meaning) -> str:
    """A section of the page of all codes."""
    rule = meaning.rule
    about = f"**{rule.title}** ({rule.severity.value}, {rule.kind.value})"
    parts = [f"### {rule.code}", about, _escaped(meaning.why)]
    if meaning.bad:
        parts += ["Wrong:", *map(_block, meaning.bad), f"```text\n{meaning.says}```"]
        parts += ["Right:", *map(_block, meaning.good)]
    parts.append(f"Source: {_escaped(meaning.source)}.")
    return "\n\n".join(parts) + "\n"


def link(code: str) -> str:
    """Where the page speaks of a code."""
    return f"{PAGE}#{code.lower()}"


def _severity(rule: Rule) -> str:
    if _stops_a_verb(rule):
        return f"{rule.severity.value} (the command stops)"
    return f"{rule.severity.value} ({_unquoted(SEVERITIES[rule.severity])})"


def _kind(rule: Rule) -> str:
    if _stops_a_verb(rule):
        return f"{rule.kind.value} (nothing waives it)"
    if rule.kind is Kind.STRUCTURE and rule.severity is not Severity.ERROR:
        return rule.kind.value
    return f"{rule.kind.value} ({_unquoted(KINDS[rule.kind])})"


def _stops_a_verb(rule: Rule) -> bool:
    """Whether it is about Git or the workspace, where other verbs than `compile` and `check` say it, too."""
    return rule.code.startswith("RS6") and rule.kind is Kind.STRUCTURE and rule.severity is Severity.ERROR


def _unquoted(sentence: str) -> str:
    return sentence.replace("`compile`", "relspec compile").replace("`check`", "relspec check").replace("`", "")


def _wrapped(paragraph: str) -> str:
    shown = fill(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return shown + "\n"


def _name(snippet: Snippet) -> str:
    return f"{snippet.file}, {snippet.state}" if snippet.state else snippet.file


def _plain(snippet: Snippet) -> str:
    return f"# {_name(snippet)}\n{snippet.text}" if snippet.file else snippet.text


def _block(snippet: Snippet) -> str:
    language = LANGUAGES.get(PurePosixPath(snippet.file).suffix, "text") if snippet.file else "console"
    title = f"`{_name(snippet)}`\n\n" if snippet.file else ""
    return f"{title}```{language}\n{snippet.text}```"


def _escaped(sentence: str) -> str:
    """A `<` outside of code would be taken for a tag."""
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(sentence.split("`")))


def _listed(snippets: Iterable[Snippet]) -> list[dict[str, str]]:
    return [{"file": each.file, "state": each.state, "text": each.text} for each in snippets]

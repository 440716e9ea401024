"""Texts that are secrets, by what they are called or by how they look, and source lines with those hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
"""Names of variables that hold a secret: TOKENIZER and MAX_TOKENS do not."""

WORDS_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CLIENT_SECRET|(ACCESS|AUTH|BEARER|REFRESH)_TOKEN)$",
    re.IGNORECASE,
)
"""The same for names in another spelling; those that end in `secret` alone mostly name an object of Kubernetes."""

SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|[a-z][a-z0-9+.-]{1,30}://[^/\s:@]+:(?![${<*])[^/\s:@]+@"
)
"""Texts that are a secret wherever they stand: keys of well-known services, and passwords in addresses."""

SIGNS = ("://", "PRIVATE KEY-----", "AKIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "hf_", "sk-", "xox", "eyJ")
"""One of these is in each such text: looked for first, for most texts have none."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OPTION = re.compile(r"--?([A-Za-z][\w-]*)=(.+)", re.DOTALL)
_ENTRY = re.compile(
    r"""(?<![\w.-])(?:--?)?(?P<quote>["']?)(?P<key>[A-Za-z_][\w.-]*)(?P=quote)"""
    r"""(?P<sign>\s*:(?=\s|$|["'{\[])\s*|=)"""
)
_WORD_AFTER = re.compile(
    r"""(?<![\w-])--?(?P<key>[A-Za-z][\w-]*)["']?(?:,\s*|\s+)(?P<value>"[^"]*"?|'[^']*'?|[^\s,\]]+)"""
)
_ALONE = re.compile(r"""\s*-\s+["']?--?(?P<key>[A-Za-z][\w-]*)["']?\s*""")
_NAME = re.compile(r"""\bname["']?:\s*["']?(?P<key>[\w.-]+)""")
_REFERENCE = r"""(?:secret:\s*["']?[a-z0-9][-a-z0-9.]*/[-._a-zA-Z0-9]+|(?:environment|variable):\s*["']?[\w.-]+)["']?"""
_HARMLESS = re.compile(
    rf"""\{{\s*{_REFERENCE}\s*\}}.*|["']?/.*|["']?\$.*|["']?\{{\{{.*|(?:true|false|null|~|[0-9]{{1,3}})\b\s*(?:[,}}\]#].*)?"""
)
"""What stands behind a secret's name and is none: a reference, a path, a variable, a switch, a small number."""

_REFERENCE_ENTRY = re.compile(rf"{_REFERENCE}\s*(?:[,}}#].*)?")
_IMAGE_LOGIN = re.compile(r"(?<![\w/@])[^\s/:@'\"{]{1,64}:[^\s/@'\"]{1,256}@(?=[\w.-]+(?::\d+)?/)")
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")


def names_secret(name: str) -> bool:
    """Whether what goes by a name is a secret: `API_KEY`, `db_password`, `api-key`, `apiKey`, `x-api-key`."""
    if SECRET_NAME.search(name) is not None:
        return True
    return WORDS_NAME.search(re.sub(r"[-./]", "_", _CAMEL.sub("_", name))) is not None


def holds_secret(name: str, text: str) -> bool:
    """Whether a text is a secret by what it is called (a path to one is none) or by how it looks."""
    return (names_secret(name) and text != "" and not text.startswith("/")) or looks_secret(text)


def looks_secret(text: str) -> bool:
    """Whether a text is a secret wherever it stands."""
    return any(sign in text for sign in SIGNS) and SECRET_TEXT.search(text) is not None


def option_with_secret(text: str) -> bool:
    """Whether a word of a command is an option that brings a secret along: `--password=…`; variables are none."""
    match = _OPTION.fullmatch(text)
    return match is not None and names_secret(match[1]) and match[2][0] not in "/${<"


def has_login(image: str) -> bool:
    """Whether a reference to an image begins with a user and a password: `user:password@host/name`."""
    return _IMAGE_LOGIN.search(image) is not None


def masked(lines: Sequence[str]) -> list[str]:
    """Lines of a source with every value hidden that may be a secret, whatever else is wrong in them.

    It goes by the text alone, so that it works where nothing could be parsed. Each hidden character becomes one `*`:
    columns stay. What lies deeper than the key of a secret is hidden with it.
    """
    return list(_masked(lines))


def _masked(lines: Sequence[str]) -> Iterator[str]:
    below: int | None = None
    in_key = named = option = False
    for line in lines:
        starts = _KEY_BEGINS.search(line) is not None
        if in_key or starts:
            in_key = (in_key or starts) and _KEY_ENDS.search(line) is None
            yield _stars(line, line.find("-----BEGIN") if starts else len(line) - len(line.lstrip()), len(line))
            continue
        indent = len(line) - len(line.lstrip())
        if below is not None and line.strip() and indent <= below:
            below = None
        if below is not None:
            reference = _REFERENCE_ENTRY.fullmatch(line.strip()) is not None
            yield line if reference else _stars(line, indent, len(line))
            continue
        found = list(_spans(line, named))
        if option and line.lstrip().startswith("- "):
            found.append((indent + 2, len(line)))
        below = _block(line)
        named = (name := _NAME.search(line)) is not None and names_secret(name["key"])
        option = (alone := _ALONE.fullmatch(line)) is not None and names_secret(alone["key"])
        shown = line
        for start, end in found:
            shown = _stars(shown, start, end)
        yield shown


def _stars(line: str, start: int, end: int) -> str:
    return line[:start] + "*" * (end - start) + line[end:]


def _block(line: str) -> int | None:
    """The column of a secret's key that begins a line: what lies deeper belongs to it. None where there is none."""
    for entry in _ENTRY.finditer(line):
        before = line[: entry.start()]
        if entry["sign"] != "=" and not before.strip(" \t-+") and names_secret(entry["key"]):
            return entry.start() if not _HARMLESS.fullmatch(line[entry.end() :]) else None
    return None


def _spans(line: str, named: bool) -> Iterator[tuple[int, int]]:
    """Where a line holds what may be a secret; `named` says that the line above is the name of one."""
    pair = (name := _NAME.search(line)) is not None and names_secret(name["key"])
    for entry in _ENTRY.finditer(line):
        if names_secret(entry["key"]) or (entry["key"] == "value" and (named or pair)):
            rest = line[entry.end() :]
            reference = entry["key"] == "secret" and _REFERENCE_ENTRY.match(line[entry.start("key") :])
            if rest and not reference and _HARMLESS.fullmatch(rest) is None:
                yield entry.end(), _end(line, entry.end(), entry["sign"] == "=")
    for word in _WORD_AFTER.finditer(line):
        if names_secret(word["key"]):
            yield word.span("value")
    if looks_secret(line):
        yield from (match.span() for match in SECRET_TEXT.finditer(line))
    yield from (match.span() for match in _IMAGE_LOGIN.finditer(line))


def _end(line: str, start: int, assigned: bool) -> int:
    """The column where a value ends; in a map on one line that is where the next entry begins."""
    if line[start] in "\"'":
        closing = line.find(line[start], start + 1)
        return closing + 1 if closing >= 0 else len(line)
    inside = any(sign in line[:start] for sign in "{[")
    if line[start] in "{[":
        closing = line.find("}" if line[start] == "{" else "]", start)
        return closing + 1 if closing >= 0 else len(line)
    ends = re.compile(r"[\s'\"]" if assigned else r",\s|[}\]]" if inside else r"\s#")
    match = ends.search(line, start)
    return match.start() if match else len(line)

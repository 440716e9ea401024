"""Texts that are secrets, by what they are called or by how they look, and source lines with those hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from relspec.diagnostics import Path

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
    r"|\b[Bb](?:earer|asic) (?=[A-Za-z._~+/-]*[0-9])[A-Za-z0-9._~+/-]{16,}=*"
)
"""Texts that are a secret wherever they stand: keys of well-known services, and passwords in addresses."""

NOT_SHOWN = "(a literal secret, not shown)"

KEEP_OUTSIDE = "write {secret: NAME/KEY} and keep the secret outside Git; if it was committed, replace it"
"""What to do about a secret that is written out."""

SIGN = re.compile("://|PRIVATE KEY-----|AKIA|gh[pousr]_|hf_|sk-|xox|eyJ|earer |asic ")
"""One of these is in each such text: looked for first, for most texts have none."""

CONFIGURATIONS = (".env", ".ini", ".conf", ".cfg", ".cnf", ".properties", ".yaml", ".yml", ".toml", ".json")
"""Files whose values need no quotes, as those of a program do."""

SHORTEST = 6
"""Characters of a secret in a configuration: what is shorter is mostly a setting."""

LONGEST = 2000
"""Characters of a line of a configuration; longer ones are data."""

_OF_A_LANGUAGE = re.compile(r"(^|_)(BOS|EOS|PAD|UNK|SEP|CLS|MASK|STOP|NEXT|PAGE)_TOKEN$", re.IGNORECASE)
"""Tokens that a model reads, or that a page of answers ends with: no secret is called so."""

_NAMES_AN_OBJECT = frozenset({"secret", "credential", "credentials", "token"})
"""What values of a chart call the object that holds a secret as often as the secret itself."""

_ELSEWHERE = re.compile(
    r"[/$<{~`%*]|(?:vault|op|arn|ref\+\w+|secretref|gcp-?sm|awssm|azurekeyvault|env|file|secret):"
    r"|(?:true|false|null|none|[0-9]{1,3})?$",
    re.IGNORECASE,
)
"""How a text begins that only tells where the secret is, or that there is none."""

_KINDS = frozenset(
    {"string", "str", "text", "required", "optional", "enabled", "disabled", "default", "auto", "literal", "basic"}
)
"""Words that stand behind a secret's name in a configuration and say something about it."""

_COMMAND = re.compile(r"(command|args?|arguments|cmd|entrypoint|exec|script|flags|options)$", re.IGNORECASE)
"""What is called so is a command, or words of one."""

_LOGIN_FLAGS = frozenset({"-u", "--user", "--proxy-user", "-U"})
"""Options of curl and its like that a user and a password follow."""

_LOGIN = re.compile(r"[^\s:/@$<{]+:(?![0-9]*$)(?![a-z_-]*$)(?![$<{/*])[^\s:]{6,}$")
"""`user:password`, other than the numbers or the plain names of a user and a group."""

_LOGIN_OF_A_LINE = re.compile(
    r"""(?<![\w-])(?:-u|-U|--user|--proxy-user)["']?(?:,\s*|\s+|=)["']?(?P<value>[^\s:/@$<{'",]+:(?![$<{/*])[^\s'",\]]+)"""
)

_FLAG = re.compile(r"--?([A-Za-z][\w-]*)")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=[\"']?(.+)", re.DOTALL)
_SHELL_WORD = re.compile(r"""[A-Za-z_]\w*=(?:"[^"]*"|'[^']*')|"[^"]*"|'[^']*'|[^\s;&|()"']+""")
_SETTING = re.compile(
    r"""\s*(?:-\s+|export\s+)?["']?(?P<key>[A-Za-z_][\w.-]*)["']?\s*[:=]\s*"""
    r"""(?P<value>"[^"]*"|'[^']*'|[^\s"'(){}\[\]<>$,;#]+)\s*[,;]?\s*(?:#.*)?$"""
)
_ASSIGNED_INSIDE = re.compile(r"(?<![\w-])(?:--?)?(?P<key>[A-Za-z][\w-]*)=(?P<value>(?![/$<{…])[^\s,;'\"]{4,})")
_IN_PROSE = re.compile(
    r"\b(?:password|passwd|passphrase|secret|token|(?:api|access|private|secret)[-_ ]?key|credentials?)\b['\"`]?"
    r"(?:\s*[:=]\s*|\s+(?:(?:is|was)\s+)?)['\"`]?(?P<value>(?=[^\s'\"`]*[0-9!#%^&+=_$@?])[^\s'\"`]{4,})",
    re.IGNORECASE,
)

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


@lru_cache(maxsize=8192)
def names_secret(name: str) -> bool:
    """Whether what goes by a name is a secret: `API_KEY`, `db_password`, `api-key`, `apiKey`, `x-api-key`."""
    if SECRET_NAME.search(name) is not None:
        return _OF_A_LANGUAGE.search(name) is None
    return WORDS_NAME.search(re.sub(r"[-./]", "_", _CAMEL.sub("_", name))) is not None


def holds_secret(name: str, text: str) -> bool:
    """Whether a text is a secret by what it is called (a path to one is none) or by how it looks."""
    return (names_secret(name) and text != "" and not text.startswith("/")) or looks_secret(text)


def number_is_secret(name: str, number: float) -> bool:
    """Whether a number is a secret by what it is called: one of up to three digits before its dot is a setting."""
    return names_secret(name) and (abs(number) >= 1000 if isinstance(number, float) else _is_literal(str(number)))


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number, other than the booleans that Python counts among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def secret_at(path: Path, value: float, document: Any) -> str | None:
    """What a number that stands where text is wanted is called, if that is a secret's name; None if it is none.

    In `document` it is a word of a command, or lies below the name: `PASSWORD: 98765432.10`, `PASSWORD: {default: …}`.
    """
    fields = path[2:] if path[:1] == ("services",) else path  # a service may be called token
    if len(fields) > 1 and isinstance(fields[-1], int):
        words: Any = document
        for step in path[:-1]:
            words = words[step]
        return str(fields[-2]) if fields[-1] in secret_words(words) else None
    name = next((step for step in reversed(fields) if isinstance(step, str) and names_secret(step)), None)
    return name if name is not None and _is_literal(str(value)) else None


def looks_secret(text: str) -> bool:
    """Whether a text is a secret wherever it stands."""
    return SIGN.search(text) is not None and SECRET_TEXT.search(text) is not None


def option_with_secret(text: str) -> bool:
    """Whether a word of a command is an option that brings a secret along: `--password=…`; variables are none."""
    match = _OPTION.fullmatch(text)
    return match is not None and names_secret(match[1]) and match[2][0] not in "/${<"


def tells_secret(name: str, text: str) -> bool:
    """Whether a text of an output or a configuration is a secret by its name or its look.

    Stricter than `holds_secret`: there, what is called `secret` mostly names an object of Kubernetes, and what is
    itself a secret's name (`api-key`, `DB_PASSWORD`) is where to find it.
    """
    return looks_secret(text) or (
        names_secret(name) and name.lower() not in _NAMES_AN_OBJECT and _is_literal(text) and not names_secret(text)
    )


def _is_literal(text: str) -> bool:
    return _ELSEWHERE.match(text) is None and text.lower() not in _KINDS


def secret_words(words: Sequence[object]) -> Iterator[int]:
    """The indexes of a command's words that hold a secret: `--api-key=…`, `--api-key …`, `API_KEY=…`, or shell text.

    A variable, a path or a small number is none, nor is the name of a secret.
    """
    option = login = False
    for index, given in enumerate(words):
        word = str(given) if is_number(given) else given
        if not isinstance(word, str):
            option = login = False
            continue
        follows = option and not word.startswith("-") and _is_literal(word) and not names_secret(word)
        follows = follows or (login and _LOGIN.match(word) is not None)
        if follows or looks_secret(word) or option_with_secret(word) or _assigns(word) or secret_in_shell(word):
            yield index
        flag = _FLAG.fullmatch(word)
        option = flag is not None and names_secret(flag[1])
        login = word in _LOGIN_FLAGS


def _assigns(word: str) -> bool:
    match = _ASSIGNMENT.fullmatch(word)
    return match is not None and names_secret(match[1]) and _is_literal(match[2])


def secret_in_shell(text: str) -> bool:
    """Whether a line of shell writes a secret out: `API_KEY=… run`, `run --api-key …`."""
    if not any(sign in text for sign in " \t\n") or not ("=" in text or "-" in text):
        return False
    words = [word[1:-1] if word[0] in "\"'" else word for word in _SHELL_WORD.findall(text)]
    return any(True for _ in secret_words([word for word in words if len(word) < len(text)]))


@lru_cache(maxsize=4096)
def secret_in_text(name: str, text: str) -> bool:
    """Whether a file's content holds a secret; in a configuration values need no quotes.

    That is by the file's name, or one without an ending, such as /etc/credentials, if it is no script.
    """
    if looks_secret(text):
        return True
    file = name.rpartition("/")[2]
    script = "." in file or text.startswith("#!")
    unquoted = name.lower().endswith(CONFIGURATIONS) or file.startswith(".env") or not script
    return any(_sets_secret(line, unquoted) for line in text.splitlines() if len(line) <= LONGEST)


def _sets_secret(line: str, unquoted: bool) -> bool:
    match = _SETTING.match(line)
    if match is None or not names_secret(match["key"]) or match["key"].lower() in _NAMES_AN_OBJECT:
        return False
    quoted = match["value"][0] in "\"'"
    text = match["value"][1:-1] if quoted else match["value"]
    return (quoted or unquoted) and len(text) >= SHORTEST and _is_literal(text) and not names_secret(text)


def literal_secrets(data: Any, at: Path = (), name: str = "") -> Iterator[tuple[Path, str]]:
    """Where an output (maps, lists and scalars) writes a secret out: the path, and what it is called.

    A `value` is called by the `name` beside it, an element of a list by the list, which may be a command.
    """
    if isinstance(data, str) or is_number(data):
        text = "" if isinstance(data, float) and not number_is_secret(name, data) else str(data)
        in_shell = _COMMAND.search(name) is not None and secret_in_shell(text)
        if in_shell or (secret_in_text(name, text) if "\n" in text else tells_secret(name, text)):
            yield at, name
    elif isinstance(data, Mapping):
        beside = data.get("name")
        for key, value in data.items():
            if isinstance(value, str | int | float | dict | list) and value:
                called = beside if key == "value" and isinstance(beside, str) else str(key)
                yield from literal_secrets(value, (*at, key), called)
    elif isinstance(data, list):
        words = set(secret_words(data)) if _COMMAND.search(name) else ()
        for index, value in enumerate(data):
            if index in words or (isinstance(value, str) and (_assigns(value) or option_with_secret(value))):
                yield (*at, index), name
            else:
                yield from literal_secrets(value, (*at, index), name)


def without_secrets(value: Any, name: str = "") -> Any:
    """A value of a spec (JSON data) with what may be a secret in it replaced by `NOT_SHOWN`; `name` is what it is called.

    `secret` is the key of a reference, whose value names a secret and is none.
    """
    if isinstance(value, str):
        named = holds_secret("" if name == "secret" else name, value)
        inside = secret_in_shell(value) or secret_in_text(name, value) or hidden_in_prose(value) != value
        return NOT_SHOWN if named or inside else value
    if is_number(value):
        return NOT_SHOWN if number_is_secret(name, value) else value
    if isinstance(value, Mapping):
        beside = value.get("name")
        called = {"default": name, "value": beside if isinstance(beside, str) else "value"}
        return {key: without_secrets(inner, called.get(key, str(key))) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        secrets = set(secret_words(value))
        return [NOT_SHOWN if index in secrets else without_secrets(inner, name) for index, inner in enumerate(value)]
    return value


def hidden(text: str) -> str:
    """A sentence with what may be a secret hidden: in one, as opposed to a source, `name: …` is mostly prose."""
    if "=" in text:
        text = _ASSIGNED_INSIDE.sub(_hidden, text)
    return _IMAGE_LOGIN.sub(_hidden, SECRET_TEXT.sub(_hidden, text) if looks_secret(text) else text)


def hidden_in_prose(text: str) -> str:
    """The same of what a person wrote down as a reason: there, what follows a word such as `password` is hidden too."""
    return hidden(_IN_PROSE.sub(_hidden, text))


def _hidden(match: re.Match[str]) -> str:
    named = match.groupdict()
    if "key" in named and not names_secret(named["key"]):
        return match[0]
    if "value" not in named:
        return "*" * len(match[0])
    return _stars(match[0], match.start("value") - match.start(), match.end("value") - match.start())


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
    yield from (login.span("value") for login in _LOGIN_OF_A_LINE.finditer(line))
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

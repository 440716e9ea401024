"""Git attributes that merge outputs by another rule than text: a revert would keep the bad output, silently.

Tried with real git: `merge=ours` and any other driver of a team's own end with exit code 0 and the old image in
rendered/ although the spec went back; `merge=union` keeps both sides' lines. A driver of the configuration that is called
`text` or `binary` takes the place of Git's own, so that `merge=text` and `merge=binary` are no safer. `-merge` and the
macro `binary` always end in a conflict that everybody sees, and `merge` is the rule that holds anyway.

Source of how a file is read: gitattributes(5), attr.c, ll-merge.c and wildmatch.c of git 2.39. What holds for all
repositories of a person (core.attributesFile) is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from msgspec import Struct

from relspec.diagnostics import Finding, Range, RelspecError, Where
from relspec.tree import Tree

FILE = ".gitattributes"
INFO = ".git/info/attributes"
"""Where a clone keeps attributes of its own; they are stronger than all in the tree."""
ATTRIBUTE = "merge"
INSTEAD = {"text": "merge", "binary": "-merge"}
"""What says the same as Git's own drivers, and can't mean another one."""

Value = str | bool | None
"""What a line makes of an attribute: its value, set, unset, or as if no line had named it."""

States = tuple[tuple[str, Value], ...]
Macros = Mapping[str, States]
BINARY: States = (("diff", False), (ATTRIBUTE, False), ("text", False))

MACRO = "[attr]"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^ \t\r]+')
ANY_FOLDERS = re.compile(r"\*{2,}")
BRACKET = re.compile(r"\[([!^]?)(\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*)\]")
IN_BRACKET = re.compile(r"\[:([a-z]+):\]|\\(.)|.")
CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
NOTHING = re.compile(r"(?!)")
BLANKS = " \t\r"
OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "compose": ("compose.yaml", "router-api.conf"),
    "helm": ("values.yaml",),
    "rollouts": ("rollouts.yaml",),
}
"""The folders of a release's outputs, with what can lie there: for a repository that has not compiled yet."""


class Rule(Struct, frozen=True):
    """A line of a .gitattributes file. `folder` is where the file lies, "" for the top."""

    folder: str
    pattern: str
    states: States
    where: Where


def merged_otherwise(
    tree: Tree, output: str, releases: Iterable[str], *, info: bytes = b"", prefix: str = ""
) -> Iterator[Finding]:
    """RS603 at each line of a .gitattributes file that gives outputs a `merge` with a value.

    `output` is the folder of the outputs, `releases` the ids of those that have, or will have, some. `info` is what
    .git/info/attributes holds, whose patterns start at Git's top folder; `prefix` is where the tree lies below that.
    """
    read = _Reader(tree, info, prefix)
    said: set[Where] = set()
    for release in sorted(releases):
        for target in OUTPUTS:
            folder = f"{output}/{release}/{target}"
            for path in _outputs(tree, folder, target) if read.has_rules(folder) else ():
                rule, value = read.merge(path)
                if rule is not None and isinstance(value, str) and rule.where not in said:
                    said.add(rule.where)
                    yield _finding(rule, value, path, output)


def merge_attribute(tree: Tree, path: str) -> Value:
    """What the tree's .gitattributes files make of `merge` for one file: a driver's name, set, unset, or None."""
    return _Reader(tree).merge(path)[1]


class _Reader:
    """The .gitattributes files of a tree, each read once, and the attributes of the clone."""

    def __init__(self, tree: Tree, info: bytes = b"", prefix: str = "") -> None:
        self._tree = tree
        self._prefix = prefix
        own, _ = _parsed(info, "", INFO, {"binary": BINARY})
        macros, top = _read(tree, "", own)
        self._macros, self._info = _parsed(info, "", INFO, macros)
        self._own = {"": top}
        self._chains: dict[str, tuple[Rule, ...]] = {}

    def rules(self, folder: str) -> tuple[Rule, ...]:
        """The rules that count in a folder, the strongest last: those of inner folders."""
        if folder not in self._chains:
            if folder not in self._own:
                self._own[folder] = _read(self._tree, folder, self._macros)[1]
            above = self.rules(folder.rpartition("/")[0]) if folder else ()
            self._chains[folder] = (*above, *self._own[folder])
        return self._chains[folder]

    def has_rules(self, folder: str) -> bool:
        """Whether any rule can count in a folder."""
        return bool(self._info or self.rules(folder))

    def merge(self, path: str) -> tuple[Rule | None, Value]:
        """The rule that decides how a file is merged, and what it says; as attr.c goes.

        Lines from the last to the first, words of a line likewise, and the first word about an attribute wins; a macro
        counts where it is set and no later line has spoken about it.
        """
        known: dict[str, Value] = {}
        inside = ((rule, path) for rule in reversed(self.rules(path.rpartition("/")[0])))
        for rule, seen in (*((rule, self._prefix + path) for rule in reversed(self._info)), *inside):
            if _matches(rule, seen):
                _fill(known, rule.states, self._macros)
                if ATTRIBUTE in known:
                    return rule, known[ATTRIBUTE]
        return None, None


def _finding(rule: Rule, value: Value, path: str, output: str) -> Finding:
    message = f"merge={value} covers {path}: a revert can keep the bad output, and Git says nothing"
    if value in INSTEAD:
        message = f"merge={value} covers {path}: where a driver is called so, a revert keeps the bad output in silence"
        hint = f"write {INSTEAD[str(value)]} in its place, which no driver can redefine"
    elif rule.folder or rule.where.file == INFO:
        hint = "take merge out of this line"
    else:
        hint = f"add as the last line: /{output}/** !merge"
    return Finding("RS603", message, rule.where, hint)


def _outputs(tree: Tree, folder: str, target: str) -> list[str]:
    """The outputs of one target of a release: those that are there, and those that could be."""
    there = {name for name, kind in tree.entries(folder) if kind == "file" and name != FILE}
    return [f"{folder}/{name}" for name in sorted({*there, *OUTPUTS[target]})]


def _read(tree: Tree, folder: str, known: Macros) -> tuple[Macros, tuple[Rule, ...]]:
    """The macros that count at a folder, and the rules of its file that have to do with `merge`.

    Macros are defined at the top alone; `binary` is Git's own.
    """
    path = f"{folder}/{FILE}" if folder else FILE
    try:
        data = tree.read(path) if tree.kind(path) == "file" else b""
    except RelspecError:
        data = b""
    return _parsed(data, folder, path, known)


def _parsed(data: bytes, folder: str, path: str, known: Macros) -> tuple[Macros, tuple[Rule, ...]]:
    """The same of a file's bytes."""
    macros = dict(known)
    rules: list[Rule] = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").split("\n"), start=1):
        first, *words = TOKEN.findall(line.strip(BLANKS)) or [""]
        states = tuple(_state(word) for word in words)
        if first.startswith(MACRO) and not folder:
            macros[first.removeprefix(MACRO)] = states
        elif first and not first.startswith(("#", "!", MACRO)):
            start = len(line) - len(line.lstrip(BLANKS)) + 1
            span = Range(number, start, number, len(line.rstrip(BLANKS)) + 1)
            rules.append(Rule(folder, _unquoted(first), states, Where(path, range=span)))
    concerned = {ATTRIBUTE, *macros}
    return macros, tuple(rule for rule in rules if any(name in concerned for name, _ in rule.states))


def _state(word: str) -> tuple[str, Value]:
    if word.startswith("-"):
        return word[1:], False
    if word.startswith("!"):
        return word[1:], None
    name, equals, value = word.partition("=")
    return name, value if equals else True


def _unquoted(word: str) -> str:
    """A pattern without the quotes of C that let it hold spaces."""
    if len(word) < 2 or not word.startswith('"') or not word.endswith('"'):
        return word
    return re.sub(r"\\(.)", r"\1", word[1:-1])


def _fill(known: dict[str, Value], states: States, macros: Macros) -> None:
    for name, value in reversed(states):
        if name not in known:
            known[name] = value
            if value is True:
                _fill(known, macros.get(name, ()), macros)


def _matches(rule: Rule, path: str) -> bool:
    """Whether a rule's pattern covers a file: a pattern without a slash is about names, on every level below."""
    below = path.removeprefix(f"{rule.folder}/") if rule.folder else path
    if "/" not in rule.pattern:
        return _covers([rule.pattern], [below.rpartition("/")[2]])
    return _covers(rule.pattern.removeprefix("/").split("/"), below.split("/"))


def _covers(pattern: list[str], names: list[str]) -> bool:
    """Whether a pattern covers a path, both by their names: `**` stands for any number of folders, at the end for all
    that is inside. Takes one pass whatever the pattern is, for anybody can write one into a pull request."""
    reached = {0}
    for part in pattern[:-1]:
        if ANY_FOLDERS.fullmatch(part):
            reached = set(range(min(reached, default=len(names)), len(names)))
        else:
            reached = {at + 1 for at in reached if at < len(names) and _name(part).fullmatch(names[at])}
    if ANY_FOLDERS.fullmatch(pattern[-1]):
        return any(at < len(names) for at in reached)
    return len(names) - 1 in reached and _name(pattern[-1]).fullmatch(names[-1]) is not None


@lru_cache(maxsize=1024)
def _name(text: str) -> re.Pattern[str]:
    """A pattern for one name as a regular expression; an empty one, and one that can't be read, cover none.

    All that stands between two stars is found as early as it can be, and never looked for again: `*a*a*b` stays fast.
    """
    chunks: list[str] = [""]
    index = 0
    while index < len(text):
        char = text[index]
        bracket = BRACKET.match(text, index) if char == "[" else None
        if char == "*":
            chunks.append("")
        elif char == "?":
            chunks[-1] += "."
        elif bracket is not None:
            chunks[-1] += f"[{'^' if bracket[1] else ''}{IN_BRACKET.sub(_in_bracket, bracket[2])}]"
            index = bracket.end() - 1
        elif char == "[":
            return NOTHING
        else:
            index += char == "\\"
            chunks[-1] += re.escape(text[index : index + 1])
        index += 1
    between = "".join(f"(?>.*?{chunk})" for chunk in chunks[1:-1] if chunk)
    last = f".*{chunks[-1]}" if len(chunks) > 1 else ""
    try:
        return re.compile(f"(?s:{chunks[0]}{between}{last})") if text else NOTHING
    except re.error:
        return NOTHING


def _in_bracket(part: re.Match[str]) -> str:
    """A character or class between brackets, for a regular expression; a `-` stays what makes a range."""
    if part[1]:
        return CLASSES.get(part[1], "")
    return "-" if part[0] == "-" else re.escape(part[2] or part[0])

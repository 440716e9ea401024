"""Text from people and from Git inside of markdown, where it is read on a pull request: nothing in it is taken for more.

What would begin a link, an image, a mention, HTML, a formula, a row or a cell is escaped; control characters are made
visible; what is endless is shortened.
"""

from __future__ import annotations

import html
import re

from relspec.reporters.text import printable

LIMIT = 65_536
"""Characters that a comment on a pull request may have."""

LONGEST = 600
"""Characters of a sentence that are shown."""
LONGEST_NAME = 200
"""Characters of a name or path that are shown."""

MARKUP = re.compile(r"([\\`*_{}\[\]<|~$]|^[#+=>-]|^\d+(?=[.)]))")
AUTOLINK = re.compile(r"@(?=\w)|(?<=\w):(?=//)|(?<=\bmailto):|(?<=\bxmpp):|(?i:(?<=\bwww))\.|#(?=\d)|\bGH(?=-\d)")
"""What GitHub makes a mention, a link or a reference of without any markup (GFM, autolinks extension)."""
APART = "\u200b"
"""A space of no width: with it, none of these is one."""


def cell(text: str) -> str:
    """Text on one line of a table or a list, as it is: no markup, no second cell, no link, no mention of somebody."""
    plain = _apart(_line(text, LONGEST)).replace("&", "\0")
    return MARKUP.sub(_escaped, plain).replace("\0", "&amp;")


def _escaped(match: re.Match[str]) -> str:
    found = match[1]
    return f"{found}\\" if found.isdigit() else f"\\{found}"


def summary(name: str, rest: str = "") -> str:
    """What a folded section is called: HTML, where backticks are no markup."""
    plain = _apart(_line(rest, LONGEST_NAME).replace("&", "\0"))
    shown = html.escape(plain).replace("\0", "&amp;")
    return f"<code>{html.escape(_line(name, LONGEST_NAME))}</code> {shown}".rstrip()


def code(text: str) -> str:
    """Text on one line as code, whatever backticks it holds."""
    plain = _line(text, LONGEST_NAME)
    fence = "`" * (_longest_run(plain) + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{space}{plain}{space}{fence}" if plain else ""


def code_cell(text: str) -> str:
    """The same in a table, where a bar ends the cell even in code."""
    return code(text).replace("|", "\\|")


def block(text: str, language: str = "") -> str:
    """Lines as a block of code, whatever fences they hold."""
    lines = "\n".join(map(printable, text.removesuffix("\n").split("\n")))
    fence = "`" * max(3, _longest_run(lines) + 1)
    return f"{fence}{language}\n{lines}\n{fence}\n"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table; the cells are markdown already."""
    return "".join(map(row, (header, tuple("---" for _ in header), *rows)))


def row(cells: tuple[str, ...]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |\n"


def folded(title: str, body: str) -> str:
    """A section that opens with a click; the title is HTML already, the body markdown."""
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n\n"


def _line(text: str, most: int) -> str:
    """Text on one line of at most so many characters, with what would steer something made visible."""
    plain = " ".join(printable(part) for part in text[: 4 * most].split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _apart(text: str) -> str:
    return AUTOLINK.sub(lambda match: f"{match[0]}{APART}", text)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)

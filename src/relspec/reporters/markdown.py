"""Text from people and from Git inside of markdown, where it is read on a pull request: nothing in it is taken for more.

What would begin a link, an image, a mention, HTML, a row or a cell is escaped; control characters are made visible.
"""

from __future__ import annotations

import html
import re

from relspec.reporters.text import printable

MENTION = re.compile(r"@(?=\w)")
LIMIT = 65_536
"""Characters that a comment on a pull request may have."""


def cell(text: str) -> str:
    """Text on one line of a table or a list, as it is: no markup, no second cell, no mention of somebody."""
    plain = printable(" ".join(text.split()))
    escaped = re.sub(r"([\\`*_{}\[\]<|~]|^[#>+-])", r"\\\1", plain.replace("&", "&amp;"))
    return MENTION.sub("@\u200b", escaped)


def summary(name: str, rest: str = "") -> str:
    """What a folded section is called: HTML, where backticks are no markup."""
    plain = html.escape(printable(" ".join(rest.split())))
    return f"<code>{html.escape(printable(name))}</code> {MENTION.sub('@&#8203;', plain)}".rstrip()


def code(text: str) -> str:
    """Text on one line as code, whatever backticks it holds."""
    plain = printable(" ".join(text.split())).replace("|", "\\|")
    fence = "`" * (_longest_run(plain) + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{space}{plain}{space}{fence}" if plain else ""


def block(text: str, language: str = "") -> str:
    """Lines as a block of code, whatever fences they hold."""
    lines = "\n".join(printable(line) for line in text.splitlines())
    fence = "`" * max(3, _longest_run(lines) + 1)
    return f"{fence}{language}\n{lines}\n{fence}\n"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table; the cells are markdown already."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)

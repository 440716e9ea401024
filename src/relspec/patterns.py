"""Regular expressions that never go back, on every Python that relspec supports.

Python before 3.11.5 mismatches possessive repeats of groups (`(?:…)*+`; CPython issue 106052: state is not restored when a
branch inside fails). An atomic group around the greedy repeat means the same and is right everywhere.
"""

from __future__ import annotations

import re
from typing import AnyStr

GROUP_REPEAT = re.compile(rb"\)(?:[*+?])\+")


def compiled(pattern: AnyStr) -> re.Pattern[AnyStr]:
    """`pattern` compiled, with each possessive repeat of a group written as an atomic group."""
    if isinstance(pattern, str):
        return re.compile(atomic(pattern.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))
    return re.compile(atomic(pattern))


def atomic(pattern: bytes) -> bytes:
    """`(?:X)*+` as `(?>(?:X)*)`, inside others too."""
    opened: list[int] = []
    out: list[bytes] = []
    index = 0
    in_class = False
    while index < len(pattern):
        char = pattern[index : index + 1]
        if char == b"\\":
            out.append(pattern[index : index + 2])
            index += 2
            continue
        if in_class:
            in_class = char != b"]"
        elif char == b"[":
            in_class = True
            if pattern[index + 1 : index + 3] == b"^]" or pattern[index + 1 : index + 2] == b"]":
                raise ValueError("write ] in a class with a backslash")
        elif char == b"(":
            opened.append(len(out))
        elif char == b")":
            start = opened.pop()
            if GROUP_REPEAT.match(pattern, index):
                out.insert(start, b"(?>")
                out.append(pattern[index : index + 2] + b")")
                index += 3
                continue
        out.append(char)
        index += 1
    return b"".join(out)

"""Version ranges of chart dependencies, as Helm reads them (Masterminds/semver v3.4, `constraints.go`)."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_PART = r"[0-9xX*|]+"
_SUFFIX = r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
_RANGE_VERSION = rf"v?({_PART})(\.{_PART})?(\.{_PART})?{_SUFFIX}"
_OPERATORS = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^"
_LONGEST_FIRST = r">=|=>|<=|=<|~>|!=|=|>|<|~|\^|"
_ONE = re.compile(rf"\s*({_OPERATORS})\s*({_RANGE_VERSION})\s*")
_FIND = re.compile(rf"({_LONGEST_FIRST})\s*({_RANGE_VERSION})")
_ALL = re.compile(rf"(\s*({_OPERATORS})\s*({_RANGE_VERSION})\s*)((?:\s+|,\s*)({_OPERATORS})\s*({_RANGE_VERSION})\s*)*")
_HYPHEN = re.compile(rf"\s*({_RANGE_VERSION})\s+-\s+({_RANGE_VERSION})\s*")
_VERSION = re.compile(rf"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?{_SUFFIX}")
MAX_LENGTH = 200
"""Characters of a range that are looked at; longer ones match nothing (the patterns above backtrack)."""


class Version(Struct, frozen=True):
    """A version; `pre` is its pre-release part."""

    major: int
    minor: int
    patch: int
    pre: str = ""

    @property
    def order(self) -> tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]:
        """Sorts as semver does: a pre-release before its release, numbers before words."""
        parts = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre.split(".") if self.pre
        )
        return (self.major, self.minor, self.patch, 0 if self.pre else 1, parts)


def parse_version(text: str) -> Version | None:
    """A version with one to three numbers and an optional `v`; None where it is none."""
    match = _VERSION.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        return None
    major, minor, patch = (int((match.group(index) or "0").lstrip(".")) for index in (1, 2, 3))
    return Version(major, minor, patch, match.group(5) or "")


@lru_cache(maxsize=1024)
def accepts(version_range: str, version: str) -> bool:
    """Whether `version` lies in `version_range`; False where either can't be read, an empty range included."""
    parsed = parse_version(version)
    if parsed is None or len(version_range) > MAX_LENGTH:
        return False
    groups = _HYPHEN.sub(lambda match: f">= {match.group(1)}, <= {match.group(11)} ", version_range).split("||")
    if not all(_ALL.fullmatch(group) for group in groups):
        return False
    return any(_accepts_all(group, parsed) for group in groups)


class _Constraint(Struct, frozen=True):
    """One comparison; `wild` says from which number on anything goes: "", "patch", "minor" or "major"."""

    operator: str
    version: Version
    wild: str


def _accepts_all(group: str, version: Version) -> bool:
    constraints = [_constraint(match.group(0)) for match in _FIND.finditer(group)]
    if version.pre and not any(constraint.version.pre for constraint in constraints):
        return False
    return all(_accepts_one(constraint, version) for constraint in constraints)


def _constraint(text: str) -> _Constraint:
    match = _ONE.fullmatch(text)
    if match is None:
        return _Constraint("none", Version(0, 0, 0), "")
    operator = {"": "=", "=>": ">=", "=<": "<=", "~>": "~"}.get(match.group(1), match.group(1))
    numbers = [(match.group(index) or "x").lstrip(".") for index in (3, 4, 5)]
    pre = match.group(7) or ""
    wild = next((name for name, part in zip(("major", "minor", "patch"), numbers, strict=True) if part in "xX*"), "")
    known = numbers[: {"major": 0, "minor": 1, "patch": 2, "": 3}[wild]]
    if not all(part.isdigit() for part in known):
        return _Constraint("none", Version(0, 0, 0), "")
    major, minor, patch = ([int(part) for part in known] + [0, 0, 0])[:3]
    return _Constraint(operator, Version(major, minor, patch, pre), wild)


def _accepts_one(constraint: _Constraint, version: Version) -> bool:
    operator, wanted, wild = constraint.operator, constraint.version, constraint.wild
    if operator == "none":
        return False
    if operator == "=":
        return _tilde(constraint, version) if wild else version.order == wanted.order
    if operator == "!=":
        return not _same_as_far_as_written(constraint, version)
    if operator == "<":
        return version.order < wanted.order
    if operator == ">=":
        return version.order >= wanted.order
    if operator == ">":
        return _above(constraint, version)
    if operator == "<=":
        return _not_above(constraint, version)
    return _tilde(constraint, version) if operator == "~" else _caret(constraint, version)


def _same_as_far_as_written(constraint: _Constraint, version: Version) -> bool:
    wanted, wild = constraint.version, constraint.wild
    if wild == "minor":
        return version.major == wanted.major
    if wild == "patch":
        return (version.major, version.minor, version.pre) == (wanted.major, wanted.minor, wanted.pre)
    return version.order == wanted.order


def _above(constraint: _Constraint, version: Version) -> bool:
    wanted, wild = constraint.version, constraint.wild
    if wild == "minor":
        return version.major > wanted.major
    if wild == "patch":
        return (version.major, version.minor) > (wanted.major, wanted.minor)
    return version.order > wanted.order


def _not_above(constraint: _Constraint, version: Version) -> bool:
    wanted, wild = constraint.version, constraint.wild
    if not wild:
        return version.order <= wanted.order
    if wild == "minor":
        return version.major <= wanted.major
    return (version.major, version.minor) <= (wanted.major, wanted.minor)


def _tilde(constraint: _Constraint, version: Version) -> bool:
    wanted, wild = constraint.version, constraint.wild
    if version.order < wanted.order:
        return False
    if (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0) and wild not in ("minor", "patch"):
        return True
    return version.major == wanted.major and (wild == "minor" or version.minor == wanted.minor)


def _caret(constraint: _Constraint, version: Version) -> bool:
    wanted, wild = constraint.version, constraint.wild
    if version.order < wanted.order:
        return False
    if wanted.major > 0 or wild == "minor":
        return version.major == wanted.major
    if version.major > 0:
        return False
    if wanted.minor > 0 or wild == "patch":
        return version.minor == wanted.minor
    return version.minor == 0 and version.patch == wanted.patch

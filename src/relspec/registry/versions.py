"""Version texts of models: how they are read, ordered and compared.

Two ways of counting (DESIGN, "The model registry"): `semver`, an optional v and two or three numbers, and `sequential`,
`v?N` from 0. There is no pre-release or build suffix: a version that is under evaluation is `candidate` in model.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from typing import Literal

Scheme = Literal["semver", "sequential"]
Size = Literal["major", "minor", "patch", "step", "none"]
Direction = Literal["upgrade", "downgrade", "same"]

MAX_LENGTH = 64
"""Characters that a version may have: it is a file name, and part of labels."""

_NUMBER = r"(0|[1-9][0-9]*)"
_SHAPES = {
    "semver": re.compile(rf"v?{_NUMBER}\.{_NUMBER}(?:\.{_NUMBER})?"),
    "sequential": re.compile(rf"v?{_NUMBER}"),
}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SIZES: tuple[Size, ...] = ("major", "minor", "patch")


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version as it was written, with its numbers: three under semver, one under sequential.

    Ordered by the numbers, so v0.10 comes after v0.9. `1.2` and `1.2.0` have the same numbers but are different
    versions (two records); their texts decide, so that an order is always total. Versions of different schemes have no
    order: comparing them is a TypeError.
    """

    scheme: Scheme
    numbers: tuple[int, ...]
    text: str

    def __str__(self) -> str:
        return self.text

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version) or other.scheme != self.scheme:
            return NotImplemented
        return (self.numbers, self.text) < (other.numbers, other.text)


def valid_version_text(text: str) -> bool:
    """Whether `text` is safe as the name of a record's file.

    That is: 1 to 64 ASCII letters, digits, `.`, `_` and `-`, of which the first is a letter or digit; and not `model`,
    whose file is model.yaml (in any case: some file systems don't tell them apart).
    """
    return len(text) <= MAX_LENGTH and _FILE_NAME.fullmatch(text) is not None and text.lower() != "model"


def parse_version(text: str, scheme: Scheme) -> Version | None:
    """`text` as a version of `scheme`; None where it is not one (leading zeros, suffixes, more than 64 characters)."""
    match = _SHAPES[scheme].fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        return None
    return Version(scheme, tuple(int(number or 0) for number in match.groups()), text)


def change(old: Version, new: Version) -> Size:
    """How far apart two versions are: the first number that differs, `step` under sequential, `none` if no number does.

    The size is the same in both directions; `direction` says which way. Raises TypeError for different schemes.
    """
    if old.scheme != new.scheme:
        raise TypeError(f"{old} is a {old.scheme} version and {new} a {new.scheme} one: they can't be compared")
    if old.numbers == new.numbers:
        return "none"
    if old.scheme == "sequential":
        return "step"
    pairs = zip(_SIZES, old.numbers, new.numbers, strict=True)
    return next(size for size, before, after in pairs if before != after)


def direction(old: Version, new: Version) -> Direction:
    """Which way `new` lies from `old`. `same` means the same version: between `1.2` and `1.2.0` the order decides."""
    if old == new:
        return "same"
    return "upgrade" if old < new else "downgrade"


def latest(versions: Iterable[Version]) -> Version | None:
    """The newest of `versions`, all of one scheme; None where there is none."""
    return max(versions, default=None)


def rollback_candidates(versions: Iterable[Version], current: Version) -> tuple[Version, ...]:
    """The versions before `current`, newest first, each once. `current` need not be among `versions`.

    It only orders: leave out what may not be deployed (archived, quarantined) before.
    """
    return tuple(sorted({version for version in versions if version < current}, reverse=True))


def previous(versions: Iterable[Version], current: Version) -> Version | None:
    """The newest version before `current`; None where there is none."""
    return latest(version for version in versions if version < current)

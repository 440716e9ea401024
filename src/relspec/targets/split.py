"""Which side of a split a user is on: one rule for every target.

`side` is the reference. What nginx and Istio are told (regular expressions, `split_clients`) is derived from the same
numbers here, so that a user who meets two targets is on the same side in both.

The rule (DESIGN 3, "Strategies"), for a weight from 0 to 100:

| bucket | reads | the candidate's, when it reads |
|---|---|---|
| hash | any text but the empty one | MurmurHash2 of `<release>/<service>:<value>` is in the first `weight` percent |
| mod100 | ASCII digits only | the number modulo 100 is below `weight` (one digit counts as `0d`) |
| parity | ASCII digits only | the number is odd (weight 50; 0 and 100 as everywhere) |
| hex256 | text that ends in two hex digits, of either case | those two, times 100, are below `weight` times 256 |

No value, or one that the bucket can't read, is stable's at every weight, 100 included: without an id nobody can be kept
on one side. A higher weight only moves users to the candidate.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Bucket = Literal["hash", "mod100", "parity", "hex256"]
Side = Literal["stable", "candidate"]

HEX_DIGITS = "0123456789abcdefABCDEF"


class Sticky(Struct, frozen=True):
    """Where a user's id is found, and how it becomes a side."""

    source: Literal["header", "cookie"]
    name: str
    bucket: Bucket


def side(bucket: Bucket, weight: int, value: str | None, key: str) -> Side:
    """The side of one user.

    `weight` is the candidate's percent, 0 to 100; `value` is the header's or cookie's value, None where there is none;
    `key` is `<release>/<service>` and only matters to `hash`. Raises ValueError for a weight that the bucket lacks.
    """
    check_weight(bucket, weight)
    if not value or weight == 0 or not readable(bucket, value):
        return "stable"
    if weight == 100:
        return "candidate"
    return "candidate" if _is_candidates(bucket, weight, value, key) else "stable"


def check_weight(bucket: Bucket, weight: int) -> None:
    """Raise ValueError unless `bucket` can give `weight` percent of the users to the candidate."""
    if not 0 <= weight <= 100:
        raise ValueError(f"a weight is a percentage from 0 to 100, not {weight}")
    if bucket == "parity" and weight not in (0, 50, 100):
        raise ValueError(f"bucket parity splits in halves: its weight is 50, not {weight}")


def readable(bucket: Bucket, value: str) -> bool:
    """Whether `bucket` can place `value` at all."""
    match bucket:
        case "hash":
            return value != ""
        case "mod100" | "parity":
            return value.isascii() and value.isdigit()
        case "hex256":
            return len(value) >= 2 and all(digit in HEX_DIGITS for digit in value[-2:])


def _is_candidates(bucket: Bucket, weight: int, value: str, key: str) -> bool:
    """The rule of the table above, for a readable value and a weight from 1 to 99."""
    match bucket:
        case "hash":
            return murmur2(f"{key}:{value}".encode()) < weight * 100 * 0xFFFFFFFF // 10000
        case "mod100":
            return int(value[-2:]) < weight
        case "parity":
            return int(value[-1]) % 2 == 1
        case "hex256":
            return int(value[-2:], 16) * 100 < weight * 256


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, seed 0: the hash of nginx's split_clients (ngx_murmur_hash2 in src/core/ngx_murmurhash.c).

    nginx compares it with `percent * 0xffffffff / 10000`, the percent in hundredths
    (src/http/modules/ngx_http_split_clients_module.c).
    """
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    hashed = len(data)
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * factor & mask
        word = (word ^ word >> 24) * factor & mask
        hashed = hashed * factor & mask ^ word
    if whole < len(data):
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * factor & mask
    hashed = (hashed ^ hashed >> 13) * factor & mask
    return hashed ^ hashed >> 15


def istio_regex(bucket: Bucket, weight: int) -> str | None:
    """A regular expression (RE2 syntax, to match the whole value) for exactly the values on the candidate's side.

    None for weight 0: nobody is. At weight 100 it matches whatever the bucket can read. nginx gets the same expression.
    Raises ValueError for `hash`, which no regular expression can compute, and for a weight that the bucket lacks.
    """
    return _value_regex(bucket, weight, anything=".*")


def istio_cookie_regex(name: str, bucket: Bucket, weight: int) -> str | None:
    """The same for a whole `cookie` header: matches where the *first* cookie called `name` is on the candidate's side.

    The first, because that is the one `cookie_value` and nginx read. RE2 has no lookahead, so "no earlier cookie of
    that name" is spelled out letter by letter. Raises ValueError as `istio_regex` does.
    """
    value = _value_regex(bucket, weight, anything="[^;]*")
    if value is None:
        return None
    return f"(?: *{_without_prefix(name + '=', also=' ')};)* *{name}=(?:{value})(?:;.*)?"


def cookie_value(header: str, name: str) -> str | None:
    """The value of the first cookie called `name` (case-sensitive) in a `cookie` header, as it stands there."""
    for pair in header.split(";"):
        found, equals, value = pair.lstrip(" ").partition("=")
        if equals and found == name:
            return value
    return None


def _value_regex(bucket: Bucket, weight: int, *, anything: str) -> str | None:
    """The candidate's values; `anything` matches what may stand before the digits that hex256 reads."""
    check_weight(bucket, weight)
    if bucket == "hash":
        raise ValueError("bucket hash can't be written as a regular expression; use mod100, parity or hex256")
    if weight == 0:
        return None
    if bucket == "hex256":
        return f"{anything}(?:{_below(-(-weight * 256 // 100), 16)})"
    if weight == 100:
        return "[0-9]+"
    if bucket == "parity":
        return "[0-9]*[13579]"
    return f"[0-9]*(?:{_below(weight, 10)})|{_digits_below(min(weight, 10))}"


def _below(limit: int, base: int) -> str:
    """Two digits whose value is below `limit`, which is from 1 to base * base."""
    first, second = divmod(limit, base)
    parts = []
    if first:
        parts.append(_digits_below(first) + _digits_below(base))
    if second:
        parts.append(_digits_below(first + 1, start=first) + _digits_below(second))
    return "|".join(parts)


def _digits_below(end: int, *, start: int = 0) -> str:
    """One digit from `start` to `end` - 1, a hex digit in both cases."""
    ranges = []
    if start < 10:
        ranges.append((f"{start}", f"{min(end, 10) - 1}"))
    if end > 10:
        low, high = f"{max(start, 10):x}", f"{end - 1:x}"
        ranges += [(low, high), (low.upper(), high.upper())]
    inside = "".join(low if low == high else f"{low}-{high}" for low, high in ranges)
    return inside if len(inside) == 1 else f"[{inside}]"


def _without_prefix(prefix: str, *, also: str = "") -> str:
    """Text without `;` that does not start with `prefix`, nor with a character of `also`."""
    head, rest = prefix[0], prefix[1:]
    literal = r"\-" if head == "-" else head
    other = f"[^;{also}{literal}][^;]*"
    return f"(?:{other}|{head}{_without_prefix(rest)})?" if rest else f"(?:{other})?"

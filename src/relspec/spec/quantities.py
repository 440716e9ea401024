"""Scalars with a shape: names, durations, sizes, image references.

Each is a string that keeps the author's spelling; the functions here turn one into a number where a target needs it.
Shapes follow Kubernetes (`resource.Quantity`, DNS-1123 labels) and the distribution reference grammar for images.
"""

from __future__ import annotations

import re
from calendar import monthrange
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, GetPydanticSchema
from pydantic_core import core_schema

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DURATION = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"
# A fraction has a unit: there is no half of a byte.
MEMORY = r"^([0-9]{1,15}|[0-9]{1,15}(\.[0-9]{1,6})?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P))$"
CPU = r"^([0-9]{1,6}m|[0-9]{1,6}(\.[0-9]{1,3})?)$"
IMAGE = (
    r"^([a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?(:[0-9]{1,5})?/)?"
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[a-f0-9]{64})?$"
)
MODEL_REFERENCE = r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?@[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
SECRET_REFERENCE = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[-._a-zA-Z0-9]{1,253}$"  # noqa: S105
ABSOLUTE_PATH = r"^/[^\x00]*$"


def shaped(code: str, pattern: str, what: str, hint: str, *, maximum: int = 1024) -> Any:
    """A string type refused with `code` where it does not fit `pattern`; `what` and `hint` make the sentence.

    pydantic's own engine decides: a Python function for each such text would take half the time of a validation. The
    sentence names the value, which `validation` fills in (`{value}`).
    """
    fits = core_schema.str_schema(pattern=pattern, min_length=1, max_length=maximum, regex_engine="rust-regex")
    checked = core_schema.custom_error_schema(
        fits,
        custom_error_type=code,
        custom_error_message="{value} is not {what}",
        custom_error_context={"what": what, "hint": hint},
    )

    def schema(_source: Any, _handler: Any) -> core_schema.CoreSchema:
        return core_schema.chain_schema(
            [core_schema.str_schema(strict=True), checked],
            metadata={"pydantic_js_updates": {"pattern": pattern, "maxLength": maximum, "minLength": 1}},
        )

    return GetPydanticSchema(schema)


Name = Annotated[
    str,
    shaped("RS124", DNS_LABEL, "a DNS label", "use at most 63 lower-case letters, digits and dashes", maximum=63),
]
EnvironmentVariable = Annotated[
    str,
    shaped("RS122", r"^[A-Za-z_][A-Za-z0-9_.-]*$", "a variable's name", "use letters, digits and _", maximum=256),
]
Duration = Annotated[
    str,
    shaped("RS122", DURATION, "a duration", "write a number with its unit: 30s, 5m, 1h30m", maximum=24),
]
Memory = Annotated[str, shaped("RS128", MEMORY, "a size", "write a number with its unit: 512Mi, 4Gi", maximum=32)]
Cpu = Annotated[str, shaped("RS128", CPU, "an amount of CPU", 'write millicores or cores: 500m, "2"', maximum=16)]
Image = Annotated[
    str,
    shaped(
        "RS127",
        IMAGE,
        "an image reference",
        "write registry/name:tag, with @sha256: and 64 hex digits for a fixed content",
        maximum=512,
    ),
]
ModelReference = Annotated[
    str,
    shaped("RS122", MODEL_REFERENCE, "a model reference", "write <model>@<version> or <model>@<alias>"),
]
SecretReference = Annotated[
    str,
    shaped("RS122", SECRET_REFERENCE, "a secret reference", "write <secret name>/<key>, never the secret itself"),
]
AbsolutePath = Annotated[str, shaped("RS122", ABSOLUTE_PATH, "an absolute path", "begin it with /", maximum=4096)]
HttpPath = Annotated[
    str, shaped("RS122", r"^/[^\s]*$", "a path of HTTP", "begin it with /, without spaces", maximum=2048)
]
ProbePath = Annotated[
    str,
    shaped(
        "RS122",
        r"""^/[^\s"'`$\\]*$""",
        "a path that every probe can ask for",
        "begin it with /, without spaces, quotes, $ and \\",
        maximum=2048,
    ),
]
RelativePath = Annotated[str, Field(min_length=1, max_length=4096)]

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip


@lru_cache(maxsize=4096)
def seconds(duration: str) -> int:
    """A `Duration` in seconds: `seconds("1h30m") == 5400`."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"not a duration: {duration!r}")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


@lru_cache(maxsize=4096)
def size(memory: str | int) -> int:
    """A `Memory` in bytes, rounded up: `size("1Ki") == 1024`."""
    text = str(memory)
    number = text.rstrip("KMGTPki")
    whole, _, fraction = number.partition(".")
    unit = _UNITS[text[len(number) :]]
    scale = 10 ** len(fraction)
    return int(-(-int(whole + fraction) * unit // scale))


@lru_cache(maxsize=4096)
def millicores(cpu: str | int) -> int:
    """A `Cpu` in thousandths of a core: `millicores("0.5") == 500`."""
    text = str(cpu)
    if text.endswith("m"):
        return int(text[:-1])
    whole, _, fraction = text.partition(".")
    return int(whole) * 1000 + int((fraction + "000")[:3])


def is_day(text: str) -> bool:
    """Whether YYYY-MM-DD is in the calendar."""
    year, month, day = (int(part) for part in text.split("-"))
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]

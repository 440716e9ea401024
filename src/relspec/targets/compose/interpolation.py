"""Text in compose.yaml: what stays as it is written, and what the host's .env fills in.

Compose interpolates `$` in every value (never in keys), whatever the quotes; `$$` is the way to write one.
"""

from __future__ import annotations

import re

from relspec.resolve import EnvironmentValue, HostVariable, Secret

NOT_IN_A_NAME = re.compile(r"[^A-Z0-9_]")


def literal(text: str) -> str:
    """Text that Compose must not interpolate."""
    return text.replace("$", "$$") if "$" in text else text


def literals(texts: list[str] | list[str | int]) -> list[str]:
    """Words of a command that Compose must not interpolate."""
    return [literal(str(text)) for text in texts]


def value(given: EnvironmentValue) -> str:
    """An environment variable's value as compose.yaml has it."""
    if isinstance(given, str):
        return literal(given)
    if isinstance(given, Secret):
        return _required(secret_variable(given))
    if given.default is None:
        return _required(given.name)
    return f"${{{given.name}:-{literal(given.default)}}}"


def secret_variable(secret: Secret) -> str:
    """The variable of .env that holds a secret: `recs/api-key` is RECS_API_KEY.

    Two secrets can give one name (RS230). A name can't begin with a digit: `2fa/key` is _2FA_KEY.
    """
    name = NOT_IN_A_NAME.sub("_", f"{secret.name}_{secret.key}".upper())
    return f"_{name}" if name[0].isdigit() else name


def default_fits(variable: HostVariable) -> bool:
    """Whether `${NAME:-default}` can hold the default: on one line, and its braces balanced.

    Compose takes the first closing brace without an opening one for the end, and there is no way to escape it.
    """
    depth = 0
    for char in variable.default or "":
        depth += (char == "{") - (char == "}")
        if depth < 0 or char == "\n":
            return False
    return depth == 0


def _required(name: str) -> str:
    return f"${{{name}:?set {name} in .env}}"

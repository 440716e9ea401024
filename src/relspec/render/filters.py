"""The filters and tests that a template may use: Jinja's names, on values of a spec, with a bound on what they make.

Each filter takes the session that pays for it, the value, and the arguments. They take exactly the kinds of values that
a spec holds: template text (a macro, a set block with holes) can't be filtered, because its holes have no values yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jinja2.runtime import Undefined
from markupsafe import Markup

from relspec.render.problem import RenderError
from relspec.render.session import MAPS, Session, Text, check_order, comparable, fail_on, inside_text, kind_name, shown

Filter = Callable[..., Any]

NOT_GIVEN = object()

WHOLE_NUMBER = re.compile(r"[-+]?[0-9]{1,20}")
NUMBER = re.compile(r"[-+]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,2})?")


def apply(session: Session, name: str, value: Any, *arguments: Any, **named: Any) -> Any:
    """`value | name(arguments)`."""
    if name not in FOR_ABSENT and isinstance(value, Undefined):
        fail_on(value)
    for part in (value, *arguments, *named.values()):
        if type(part) is Text:
            raise RenderError(
                "RS502", f"template text with holes can't go through {name}", f"filter the value first: {name} inside"
            )
    try:
        return FILTERS[name](session, plain_text(value), *arguments, **named)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise
        raise RenderError(
            "RS510",
            f"{name} does not take these arguments",
            USAGE.get(name, "check how many it takes, and their names"),
        ) from error


def holds(session: Session, name: str, value: Any, *arguments: Any) -> bool:
    """`value is name(arguments)`."""
    if name not in FOR_ABSENT and isinstance(value, Undefined):
        fail_on(value)
    try:
        return bool(TESTS[name](session, value, *arguments))
    except TypeError as error:
        raise RenderError("RS510", f"{kind_name(value)} can't be tested for {name}", "test it another way") from error


def plain_text(value: Any) -> Any:
    return str.__str__(value) if type(value) is Markup else value


# -- what a filter takes


def text(value: Any, name: str) -> str:
    if type(value) is str:
        return value
    raise RenderError("RS510", f"{name} takes text, not {kind_name(value)}", f"write value | string | {name}")


def sequence(session: Session, value: Any, name: str) -> list[Any]:
    """The elements of a list, the keys of a map, the numbers of a range."""
    if type(value) in (list, tuple, range):
        session.charge(1 + len(value), 0)
        return list(value)
    if type(value) in MAPS:
        return list(session.each(value))
    raise RenderError("RS510", f"{name} takes a list or a map, not {kind_name(value)}", "give it a list")


def attribute_of(session: Session, element: Any, path: Any, name: str) -> Any:
    """`element.a.b` for the path `"a.b"`."""
    if type(path) is int:
        return session.get(element, path)
    for key in text(path, name).split("."):
        element = session.get(element, key)
    return element


def ordering(session: Session, attribute: Any, case_sensitive: bool, name: str) -> Callable[[Any], Any]:
    def key(element: Any) -> Any:
        chosen = comparable(element if attribute is None else attribute_of(session, element, attribute, name))
        return chosen.lower() if isinstance(chosen, str) and not case_sensitive else chosen

    return key


# -- filters


def default(_: Session, value: Any, fallback: Any = "", boolean: bool = False) -> Any:
    absent = isinstance(value, Undefined) or (boolean and not value)
    return fallback if absent else value


def length(_: Session, value: Any) -> int:
    if type(value) in (str, list, tuple, range) or type(value) in MAPS:
        return len(value)
    raise RenderError("RS510", f"{kind_name(value)} has no length", "measure text, a list or a map")


def first(session: Session, value: Any) -> Any:
    elements = text(value, "first") if type(value) is str else sequence(session, value, "first")
    return elements[0] if elements else session.undefined("first of an empty list")


def last(session: Session, value: Any) -> Any:
    elements = text(value, "last") if type(value) is str else sequence(session, value, "last")
    return elements[-1] if elements else session.undefined("last of an empty list")


def join(session: Session, value: Any, separator: str = "", attribute: Any = None) -> str:
    elements = sequence(session, value, "join")
    if attribute is not None:
        elements = [attribute_of(session, element, attribute, "join") for element in elements]
    for element in elements:
        if type(element) not in (str, int):
            raise inside_text(element)
    size = sum(len(element) for element in elements if type(element) is str)
    session.charge(1, size + len(elements) * len(text(separator, "join")))
    return session.made(separator.join(map(str, elements)))


def lower(session: Session, value: Any) -> str:
    return session.made(text(value, "lower").lower())


def upper(session: Session, value: Any) -> str:
    return session.made(text(value, "upper").upper())


def capitalize(session: Session, value: Any) -> str:
    return session.made(text(value, "capitalize").capitalize())


def trim(session: Session, value: Any, characters: str | None = None) -> str:
    return session.made(text(value, "trim").strip(None if characters is None else text(characters, "trim")))


def replace(session: Session, value: Any, old: str, new: str) -> str:
    whole, old, new = text(value, "replace"), text(old, "replace"), text(new, "replace")
    session.charge(1, len(whole) + max(0, len(new) - len(old)) * whole.count(old))
    return session.made(whole.replace(old, new))


def string(session: Session, value: Any) -> str:
    if type(value) not in (str, int):
        raise inside_text(value)
    return session.made(str(value))


def integer(_: Session, value: Any, fallback: Any = NOT_GIVEN) -> Any:
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value)
    if type(value) is str and WHOLE_NUMBER.fullmatch(value):
        return int(value)
    if fallback is not NOT_GIVEN:
        return fallback
    raise RenderError("RS510", f"{shown(value)} is not a whole number", "give a fallback: int(0)")


def floating(_: Session, value: Any, fallback: Any = NOT_GIVEN) -> Any:
    if type(value) in (int, float) or (type(value) is str and NUMBER.fullmatch(value)):
        return float(value)
    if fallback is not NOT_GIVEN:
        return fallback
    raise RenderError("RS510", f"{shown(value)} is not a number", "give a fallback: float(0)")


def absolute(_: Session, value: Any) -> Any:
    if type(value) not in (int, float):
        raise RenderError("RS510", f"abs takes a number, not {kind_name(value)}", "calculate with numbers")
    return abs(value)


def as_list(session: Session, value: Any) -> list[Any]:
    return sequence(session, value, "list")


def items(session: Session, value: Any) -> list[list[Any]]:
    """The pairs of a map in its own order, which is that of first appearance."""
    if type(value) not in MAPS:
        raise RenderError("RS510", f"items takes a map, not {kind_name(value)}", "loop over a list without items")
    return [[key, value[key]] for key in session.each(value)]


def dictsort(session: Session, value: Any) -> list[list[Any]]:
    return sorted(items(session, value), key=lambda pair: str(pair[0]))


def sort(
    session: Session, value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    key = ordering(session, attribute, case_sensitive, "sort")
    elements = sequence(session, value, "sort")
    check_order(map(key, elements))
    return sorted(elements, key=key, reverse=bool(reverse))


def unique(session: Session, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:
    key = ordering(session, attribute, case_sensitive, "unique")
    found: dict[Any, Any] = {}
    for element in sequence(session, value, "unique"):
        found.setdefault(key(element), element)
    return list(found.values())


def reverse(session: Session, value: Any) -> Any:
    if type(value) is str:
        return session.made(value[::-1])
    return sequence(session, value, "reverse")[::-1]


def smallest(session: Session, value: Any) -> Any:
    elements = sequence(session, value, "min")
    check_order(elements)
    return min(elements) if elements else session.undefined("min of an empty list")


def largest(session: Session, value: Any) -> Any:
    elements = sequence(session, value, "max")
    check_order(elements)
    return max(elements) if elements else session.undefined("max of an empty list")


def total(session: Session, value: Any, attribute: Any = None) -> Any:
    result: Any = 0
    for element in sequence(session, value, "sum"):
        number = element if attribute is None else attribute_of(session, element, attribute, "sum")
        result = session.calculate("+", result, number)
    return result


def mapped(
    session: Session, value: Any, name: str | None = None, attribute: Any = None, default: Any = NOT_GIVEN
) -> list[Any]:
    """`map("upper")`, or `map(attribute="name")` with an optional `default`."""
    elements = sequence(session, value, "map")
    if attribute is None:
        chosen = text(name, "map")
        if chosen not in FILTERS:
            raise RenderError("RS502", f'there is no filter "{chosen}"', "map(attribute='name') or map('upper')")
        return [apply(session, chosen, element) for element in elements]
    found = [attribute_of(session, element, attribute, "map") for element in elements]
    if default is not NOT_GIVEN:
        found = [default if isinstance(one, Undefined) else one for one in found]
    for one in found:
        if isinstance(one, Undefined):
            fail_on(one)
    return found


def _chosen(
    session: Session, value: Any, attribute: Any, arguments: tuple[Any, ...], name: str, wanted: bool
) -> list[Any]:
    test, *rest = arguments or ("true_like",)
    if text(test, name) not in TESTS:
        raise RenderError("RS502", f'there is no test "{test}"', f"for example {name}('port', 'defined')")
    kept = []
    for element in sequence(session, value, name):
        subject = element if attribute is None else attribute_of(session, element, attribute, name)
        if holds(session, test, subject, *rest) is wanted:
            kept.append(element)
    return kept


def select(session: Session, value: Any, *arguments: Any) -> list[Any]:
    return _chosen(session, value, None, arguments, "select", True)


def reject(session: Session, value: Any, *arguments: Any) -> list[Any]:
    return _chosen(session, value, None, arguments, "reject", False)


def selectattr(session: Session, value: Any, attribute: Any, *arguments: Any) -> list[Any]:
    return _chosen(session, value, attribute, arguments, "selectattr", True)


def rejectattr(session: Session, value: Any, attribute: Any, *arguments: Any) -> list[Any]:
    return _chosen(session, value, attribute, arguments, "rejectattr", False)


FILTERS: dict[str, Filter] = {
    "abs": absolute,
    "capitalize": capitalize,
    "count": length,
    "d": default,
    "default": default,
    "dictsort": dictsort,
    "first": first,
    "float": floating,
    "int": integer,
    "items": items,
    "join": join,
    "last": last,
    "length": length,
    "list": as_list,
    "lower": lower,
    "map": mapped,
    "max": largest,
    "min": smallest,
    "reject": reject,
    "rejectattr": rejectattr,
    "replace": replace,
    "reverse": reverse,
    "select": select,
    "selectattr": selectattr,
    "sort": sort,
    "string": string,
    "sum": total,
    "trim": trim,
    "unique": unique,
    "upper": upper,
}
"""The filters of the language; `apply` calls them."""

USAGE = {
    "replace": "replace('old', 'new')",
    "map": "map(attribute='name') or map('upper')",
    "selectattr": "selectattr('name', 'equalto', 'x')",
    "join": "join(',')",
    "default": "default('fallback')",
}

REFUSED_FILTERS = dict.fromkeys(
    ("safe", "e", "escape", "forceescape", "urlencode", "tojson", "toyaml", "to_json", "to_yaml", "quote"),
    "a hole holds its value as it is: values never pass through text, so there is nothing to escape",
) | dict.fromkeys(
    ("format", "center", "indent", "wordwrap", "pprint", "xmlattr", "striptags", "urlize"),
    "join text with ~, or write several holes into one text: http://{{ host }}:{{ port }}",
)
"""Filters that people look for, and what to do without them."""


def _is_number(_: Session, value: Any) -> bool:
    return type(value) in (int, float)


TESTS: dict[str, Filter] = {
    "boolean": lambda _, value: type(value) is bool,
    "defined": lambda _, value: not isinstance(value, Undefined),
    "divisibleby": lambda session, value, by: session.calculate("%", value, by) == 0,
    "eq": lambda session, left, right: session.equal(left, right),
    "equalto": lambda session, left, right: session.equal(left, right),
    "even": lambda session, value: session.calculate("%", value, 2) == 0,
    "false": lambda _, value: value is False,
    "float": lambda _, value: type(value) is float,
    "ge": lambda session, left, right: session.ordered("gteq", left, right),
    "gt": lambda session, left, right: session.ordered("gt", left, right),
    "in": lambda session, item, container: session.contains(item, container),
    "integer": lambda _, value: type(value) is int,
    "iterable": lambda _, value: type(value) in (list, tuple, range) or type(value) in MAPS,
    "le": lambda session, left, right: session.ordered("lteq", left, right),
    "lower": lambda _, value: isinstance(value, str) and value.islower(),
    "lt": lambda session, left, right: session.ordered("lt", left, right),
    "mapping": lambda _, value: type(value) in MAPS,
    "ne": lambda session, left, right: not session.equal(left, right),
    "none": lambda _, value: value is None,
    "number": _is_number,
    "odd": lambda session, value: session.calculate("%", value, 2) == 1,
    "sequence": lambda _, value: type(value) in (list, tuple, range),
    "string": lambda _, value: isinstance(value, str),
    "true": lambda _, value: value is True,
    "true_like": lambda _, value: bool(value),
    "undefined": lambda _, value: isinstance(value, Undefined),
    "upper": lambda _, value: isinstance(value, str) and value.isupper(),
}
"""The tests of the language; `holds` calls them. `true_like` is what `select` without a test asks."""

for _name, _same in (("==", "eq"), ("!=", "ne"), ("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge")):
    TESTS[_name] = TESTS[_same]

FOR_ABSENT = frozenset({"default", "d", "defined", "undefined"})
"""What may be asked of a name that isn't there."""

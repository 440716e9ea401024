"""One render under way: the values that its holes got, what it read, and how much it may still do.

The code compiled from a template calls the methods here instead of Python's own attribute access, calls and operators
(see `code.py`). That makes this module the sandbox: an object of a kind that is not named here can't be reached into.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, NoReturn

from jinja2.environment import TemplateModule
from jinja2.runtime import BlockReference, LoopContext, Macro, StrictUndefined, Undefined
from jinja2.utils import missing
from markupsafe import Markup

from relspec.facet import Facet
from relspec.render.problem import RenderError, counted, did_you_mean

OPEN, CLOSE = "\ue000", "\ue001"
"""What stands around a hole's number; a spec can't hold these characters (RS112)."""

PLACEHOLDERS = ("", *(f"{OPEN}{number}{CLOSE}" for number in range(2048)))
"""By the count of holes so far. Made once: their hashes are then known, which makes looking up a rendered text cheap."""

MAX_STEPS = 1_000_000
"""Nodes of templates that one render may run through: 100,000 turns of a loop with ten."""

MAX_OUTPUT = 1024 * 1024
"""Characters that a render may give, values included (1 MiB)."""

MAX_WORK = 8 * MAX_OUTPUT
"""Characters that a render may write or make on the way, what it throws away included."""

MAX_RANGE = 1000
MAX_NUMBER = 2**64

LOOP_ATTRIBUTES = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"}
)

HOLDABLE = frozenset({str, int, float, bool, type(None), dict, list, tuple, Facet})
MAPS = (dict, Facet)

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ue000\ue001]")
"""What no line of text may hold, half a surrogate pair included: it is no character."""


Access = tuple[Any, Any]
"""A container and a key or index of it."""

Place = tuple[str, int]
"""A template's name and a line of it, as compiled templates write it."""

Mark = tuple[Any, Any, Place]

EXPRESSION = object()
"""Stands for the container where a hole is more than the read of a key."""


class Text(str):
    """Text of a template (from a macro or a block): part of the template, whose holes are holes already."""

    __slots__ = ()


class Raw(str):
    """Text that relspec's own code made and checked, the only kind that may bring line breaks into a text template."""

    __slots__ = ()


class Absent(StrictUndefined):
    """A name or key that isn't there; anything but a test or a default of it ends the render with its message."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f'"{self._undefined_name}" is not known here'


def placeholder(count: int) -> str:
    """What stands for the `count`th hole in the rendered text; holes are numbered from 0."""
    return PLACEHOLDERS[count] if count < len(PLACEHOLDERS) else f"{OPEN}{count - 1}{CLOSE}"


def as_text(chunks: Iterable[str]) -> Text:
    """The output of a macro or block as one piece of template text; its session has charged for what is in it."""
    return Text("".join(chunks))


def bounded(text: str) -> str:
    """The text, unless it is longer than a whole output may be."""
    if len(text) > MAX_OUTPUT:
        raise too_much(f"a text of more than {counted(MAX_OUTPUT)} characters")
    return text


def too_much(what: str) -> RenderError:
    return RenderError("RS503", f"the template makes {what}", "make the template do less, or loop over less")


def bounded_range(*arguments: Any) -> range:
    """`range` with at most 1000 elements."""
    if not 1 <= len(arguments) <= 3 or any(type(argument) is not int for argument in arguments):
        raise RenderError("RS510", "range takes one to three whole numbers", "for example range(3)")
    if arguments[2:] == (0,):
        raise RenderError("RS510", "the step of a range can't be 0", "write another one, or none")
    numbers = range(*arguments)
    # len() of a range beyond 2**63 is an OverflowError, and a bool asks for no length.
    if numbers and (abs(numbers[-1] - numbers[0]) // abs(numbers.step)) + 1 > MAX_RANGE:
        raise RenderError(
            "RS503", f"a range of more than {MAX_RANGE} elements", "loop over the spec's own lists and maps"
        )
    return numbers


def kind_name(value: Any) -> str:
    """What a value is called in a message."""
    names = {str: "text", int: "a whole number", float: "a number", bool: "a boolean", type(None): "null"}
    names |= {dict: "a map", Facet: "a map", list: "a list", tuple: "a list", Text: "template text", Macro: "a macro"}
    return names.get(type(value), f"a {type(value).__name__}")


def fail_on(absent: Any) -> NoReturn:
    """Say what is missing."""
    str(absent)
    raise AssertionError("an undefined value could be printed")


def filled_in(text: str) -> None:
    """Refuse template text with holes, which has placeholders where a reader sees values."""
    if type(text) is Text and OPEN in text:
        hint = "compare the value itself: {% set z = service.name %} instead of {% set z %}…{% endset %}"
        raise RenderError("RS502", "template text with holes can't be compared or searched", hint)


def holdable(value: Any) -> str:
    """The text of a Markup; every other kind that no hole can hold is refused."""
    if type(value) is Markup:
        return str.__str__(value)
    if isinstance(value, Undefined):
        fail_on(value)
    raise RenderError("RS510", f"a hole can't hold {kind_name(value)}", unholdable_hint(value))


def element_of(log: list[Access], container: Any, key: Any) -> Any:
    """`container[key]` where the container is no map: an element of a list, or something of Jinja's own."""
    if type(container) in (list, tuple) and type(key) is int:
        if -len(container) <= key < len(container):
            log.append((container, key))
            return container[key]
        return Absent(hint=f"a list of {len(container)} has no element {shown(key)}")
    if type(container) is LoopContext and key in LOOP_ATTRIBUTES:
        return getattr(container, key)
    if type(container) is TemplateModule and isinstance(key, str) and not key.startswith("_"):
        return vars(container).get(key, Absent(hint=f'the imported template has no macro "{shown(key)}"'))
    if isinstance(container, Undefined):
        fail_on(container)
    raise RenderError(
        "RS502",
        f'"{shown(key)}" of {kind_name(container)}: a template reaches only the keys of maps and the elements of lists',
        "read a key that the context has, or use a filter",
    )


def no_key(container: Mapping[str, Any], key: Any) -> Absent:
    """What a map gives for a key that it doesn't have."""
    origin = ".".join(map(str, getattr(container, "origin", ())))
    subject = f'the map "{origin}"' if origin else "this map"
    known, name = list(container), shown(key)
    listed = ", ".join(map(str, known[:12])) + (", …" if len(known) > 12 else "")
    hint = f'{subject} has no "{name}"{did_you_mean(name, known)} (it has: {listed or "nothing"})'
    return Absent(hint=hint, name=name)


Charge = Callable[[int, int], None]


def meter(allowance: int) -> Charge:
    """A function that takes the cost of a body off the budget of one render; it stands at the head of each body.

    Its arguments are nodes of the template and characters of text. Raises RenderError (RS503) when nothing is left.
    """
    steps, work = MAX_STEPS * allowance, MAX_WORK * allowance

    def charge(cost: int, characters: int) -> None:
        nonlocal steps, work
        steps -= cost
        work -= characters
        if steps < 0:
            raise too_much(f"more than {counted(MAX_STEPS)} steps")
        if work < 0:
            raise too_much(f"more than {counted(MAX_WORK)} characters on its way")

    return charge


def reader(log: list[Access]) -> Callable[[Any, Any], Any]:
    """A function for `container.key` and `container[key]`: keys of maps and indexes of lists, each one written down."""

    def get(container: Any, key: Any) -> Any:
        kind = type(container)
        if kind is Facet or kind is dict:
            log.append((container, key))
            try:
                return container[key]
            except KeyError:
                return no_key(container, key)
        return element_of(log, container, key)

    return get


def keeper(
    values: list[Any], marks: list[Mark], log: list[Access], charge: Charge
) -> tuple[Callable[[int, Place, Any], str], Callable[[Place, Any, Any], str]]:
    """Two functions that keep the value of a hole and give its placeholder: of any hole, of `{{ container.key }}`."""

    def hole(start: int, place: Place, value: Any) -> str:
        if type(value) not in HOLDABLE:
            if type(value) is Text:
                charge(1, len(value))
                return value
            value = holdable(value)
        marks.append((EXPRESSION, (start, len(log)), place))
        values.append(value)
        return placeholder(len(values))

    def take(place: Place, container: Any, key: Any) -> str:
        kind = type(container)
        if kind is not Facet and kind is not dict:
            return hole(len(log), place, element_of(log, container, key))
        try:
            value = container[key]
        except KeyError:
            value = no_key(container, key)
        if type(value) not in HOLDABLE:
            value = holdable(value)
        marks.append((container, key, place))
        values.append(value)
        try:
            return PLACEHOLDERS[len(values)]
        except IndexError:
            return placeholder(len(values))

    return hole, take


class Session:
    """The record of one render of a template that gives YAML.

    `values[n]` is what hole `n` holds and `marks[n]` where it got that: the container, the key and the template's line
    for a hole that reads a key, else `EXPRESSION` and the part of `log` that its expression wrote. `log` is the list of
    all other accesses to containers.

    What runs for every hole is a function that closes over these lists: that costs half of what a method would.
    """

    __slots__ = ("charge", "get", "hole", "log", "marks", "names", "take", "values")

    def __init__(self, names: Mapping[str, Any], allowance: int = 1) -> None:
        self.names = names
        self.values: list[Any] = []
        self.marks: list[Mark] = []
        self.log: list[Access] = []
        self.charge = meter(allowance)
        self.get = reader(self.log)
        self.hole, self.take = keeper(self.values, self.marks, self.log, self.charge)

    def made(self, text: str) -> str:
        """A text that the template computed, after it is paid for."""
        self.charge(1, len(text))
        return bounded(text)

    def captured(self, text: Text) -> str:
        """What a set block sets: text like any other, unless it has holes, which makes it template text."""
        return text if OPEN in text else str.__str__(text)

    def cut(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """`value[start:stop:step]`, of text and lists."""
        if isinstance(value, Undefined):
            fail_on(value)
        if type(value) not in (str, list, tuple):
            raise RenderError("RS510", f"{kind_name(value)} can't be cut", "cut text or a list")
        part = value[start:stop:step]
        self.charge(1, len(part))
        return part

    def undefined(self, hint: str | None = None, obj: Any = missing, name: str | None = None) -> Absent:
        """A name that the template knows nothing of."""
        if hint is None and obj is missing:
            hint = f'"{name}" is not known here{did_you_mean(name, self.names)}'
        return Absent(hint=hint, name=name)

    # -- loops, calls and operators

    def each(self, iterable: Any) -> Iterator[Any] | range:
        """What a `for` goes over: the elements of a list or the keys of a map, each one written down as read."""
        kind = type(iterable)
        if kind is list or kind is tuple:
            return self._elements(enumerate(iterable), iterable)
        if kind is Facet or kind is dict:
            return self._elements(zip(iterable, iterable, strict=True), iterable)
        if kind is range:
            return iterable  # type: ignore[no-any-return]
        if isinstance(iterable, Undefined):
            fail_on(iterable)
        raise RenderError(
            "RS510",
            f"a loop can't go over {kind_name(iterable)}",
            "loop over a list or a map; for an optional one: {% for item in items or [] %}",
        )

    def _elements(self, pairs: Any, container: Any) -> Iterator[Any]:
        log = self.log
        for key, element in pairs:
            log.append((container, key))
            yield element

    def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """A call of a macro, of `range` or of `super()`; there is nothing else to call."""
        kind = type(function)
        if kind is Macro and not named and len(arguments) == function._argument_count:
            # The language has no callers and no varargs, so nothing is left of what Macro.__call__ sees to.
            return function._func(*arguments)
        if kind is Macro or kind is BlockReference or function is bounded_range:
            try:
                return function(*arguments, **named)
            except TypeError as error:
                if "macro" not in str(error):
                    raise
                raise RenderError("RS510", str(error), "give the macro the arguments that it declares") from error
        if isinstance(function, Undefined):
            fail_on(function)
        raise RenderError(
            "RS502", f"{kind_name(function)} can't be called", "call a macro of a template, or use a filter"
        )

    def cycle(self, loop: Any, *items: Any) -> Any:
        """`loop.cycle(…)`."""
        if type(loop) is not LoopContext or not items:
            raise RenderError("RS502", "cycle belongs to the loop variable", "write loop.cycle('odd', 'even')")
        return loop.cycle(*items)

    def joined(self, place: Place, parts: tuple[Any, ...]) -> str:
        """`a ~ b`: text and whole numbers; beside template text, the others become holes of their own."""
        for part in parts:
            if type(part) not in (str, int, Text, Markup):
                if isinstance(part, Undefined):
                    fail_on(part)
                raise inside_text(part)
        if not any(type(part) is Text for part in parts):
            return self.made("".join(map(str, parts)))
        here = len(self.log)
        return Text(self.made("".join(part if type(part) is Text else self.hole(here, place, part) for part in parts)))

    def contains(self, item: Any, container: Any) -> bool:
        """`item in container`, paid for by the size of what is searched."""
        if isinstance(container, Undefined):
            fail_on(container)
        if type(container) not in (str, Text, list, tuple, dict, Facet, range):
            raise RenderError("RS510", f"nothing can be in {kind_name(container)}", "search text, a list or a map")
        if isinstance(container, str) and not isinstance(item, str):
            raise RenderError("RS510", f"{kind_name(item)} can't be in text", "search for text")
        self.weigh(item)
        if isinstance(container, str):
            filled_in(container)
            self.charge(1, len(container))
        elif type(container) not in MAPS:
            self.weigh(container)
        return item in container

    def equal(self, left: Any, right: Any) -> bool:
        """`left == right`, paid for by the size of what is compared."""
        self.weigh(left)
        self.weigh(right)
        return bool(left == right)

    def ordered(self, sign: str, left: Any, right: Any) -> bool:
        """`left < right` and the like, of two numbers or two texts."""
        self.weigh(left)
        check_order((left, right))
        return bool(ORDERINGS[sign](left, right))

    def weigh(self, value: Any) -> None:
        """Pay for a walk over a whole value; lists that hold one list again and again are larger than they look."""
        waiting = [value]
        while waiting:
            current = waiting.pop()
            if isinstance(current, str):
                filled_in(current)
                self.charge(1 + len(current) // 1024, 0)
            elif isinstance(current, dict):
                self.charge(1 + len(current), 0)
                waiting.extend(current.values())
            elif isinstance(current, list | tuple):
                self.charge(1 + len(current), 0)
                waiting.extend(current)

    def calculate(self, sign: str, left: Any, right: Any) -> Any:
        """`+ - * / // % **` of numbers, and `+` of two texts or two lists."""
        for operand in (left, right):
            if isinstance(operand, Undefined):
                fail_on(operand)
        if {type(left), type(right)} <= {int, float}:
            return self._arithmetic(sign, left, right)
        if sign == "+" and type(left) is str and type(right) is str:
            return self.made(left + right)
        if sign == "+" and type(left) in (list, tuple) and type(right) in (list, tuple):
            self.charge(1 + len(left) + len(right), 0)
            return [*left, *right]
        hint = "join text with ~" if str in (type(left), type(right)) else "calculate with numbers"
        raise RenderError("RS510", f"{kind_name(left)} {sign} {kind_name(right)} has no meaning here", hint)

    def _arithmetic(self, sign: str, left: float, right: float) -> float:
        if sign == "**" and (abs(left) > MAX_NUMBER or abs(right) > 64):
            raise too_much(f"a number beyond {MAX_NUMBER}")
        try:
            result = OPERATORS[sign](left, right)
        except ArithmeticError as error:
            raise RenderError("RS510", f"{left} {sign} {right} has no result", "check the numbers") from error
        if isinstance(result, complex) or not isfinite(result) or abs(result) > MAX_NUMBER:
            raise too_much(f"a number beyond {MAX_NUMBER}")
        return result  # type: ignore[no-any-return]

    def negative(self, sign: str, value: Any) -> Any:
        """`-value` and `+value`."""
        if isinstance(value, Undefined):
            fail_on(value)
        if type(value) not in (int, float):
            raise RenderError("RS510", f"{sign}{kind_name(value)} has no meaning", "calculate with numbers")
        return -value if sign == "-" else value


OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


ORDERINGS = {"lt": operator.lt, "lteq": operator.le, "gt": operator.gt, "gteq": operator.ge}


def comparable(value: Any) -> Any:
    """The value, if it is a number or a text: nothing else has an order."""
    if type(value) in (str, int, float):
        return value
    if isinstance(value, Undefined):
        fail_on(value)
    raise RenderError("RS510", f"{kind_name(value)} has no order", "compare numbers, or texts")


def check_order(values: Iterable[Any]) -> None:
    """Raises RenderError RS510 unless the values are all numbers or all texts."""
    kinds: dict[type, Any] = {}
    for value in values:
        kinds.setdefault(str if isinstance(value, str) else float, comparable(value))
    if len(kinds) > 1:
        number, text = kind_name(kinds[float]), kind_name(kinds[str])
        raise RenderError("RS510", f"{number} and {text} have no order", "compare numbers, or texts")


def shown(key: Any) -> str:
    """A key in a message, cut to a readable length."""
    return str(key)[:60] if type(key) in (str, int) else kind_name(key)


def unholdable_hint(value: Any) -> str:
    """What to write instead of a value that no hole can hold."""
    if type(value) is Macro:
        return f"call the macro: {{{{ {value.name}() }}}}"
    if type(value) is range:
        return "write {{ range(…) | list }}"
    return "a hole holds text, a number, a boolean, null, a list or a map"


def inside_text(value: Any) -> RenderError:
    """RS511: only text and whole numbers have one spelling that everybody agrees on."""
    hints = {
        bool: "write {{ 'true' if … else 'false' }}, or make the hole the whole value",
        float: "keep such a number as text in the spec",
        type(None): "give a default: {{ name | default('…', true) }}, or put the line into {% if … %}",
    }
    hint = hints.get(type(value), "make the hole the whole value")
    return RenderError("RS511", f"{kind_name(value)} inside a text", hint)


class TextSession(Session):
    """The record of a render that gives plain text: its holes are text or whole numbers, on one line each."""

    __slots__ = ()

    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self.hole, self.take = self._on_one_line, self._taken

    def _on_one_line(self, start: int, place: Place, value: Any) -> str:
        kind = type(value)
        if kind is Raw or kind is Text:
            self.charge(1, len(value))
            return value  # type: ignore[no-any-return]
        if kind is not str and kind is not int:
            if kind in HOLDABLE:
                raise inside_text(value)
            value = holdable(value)
        text = str(value)
        if CONTROL.search(text):
            raise RenderError(
                "RS112", f"a control character in {text[:40]!r}", "keep line breaks out of values that a text takes"
            )
        self.charge(1, len(text))
        return text

    def _taken(self, place: Place, container: Any, key: Any) -> str:
        return self._on_one_line(0, place, self.get(container, key))

    def captured(self, text: Text) -> str:
        return text

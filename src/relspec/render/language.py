"""What a template may say: a check of its syntax tree against a closed list, before any of it runs.

What isn't listed is refused with RS502, at its line. Two things are added to the tree: each body that can be repeated
begins with its cost, and each loop goes through `Session.each`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf
from typing import Any

from jinja2 import nodes
from msgspec import Struct, field

from relspec.render.filters import FILTERS, REFUSED_FILTERS, TESTS
from relspec.render.problem import RenderError, Site, counted, did_you_mean
from relspec.render.session import CLOSE, MAX_NUMBER, OPEN

MAX_DEPTH = 60
"""How deep statements and expressions may be nested."""

MAX_NODES = 10_000
"""How many nodes the syntax tree of a template may have."""

EACH, CHARGE, CAPTURED = " each", " charge", " captured"
"""Calls that only this module can write: no template can spell a filter's name with a space."""

TRACE_OPEN, TRACE_CLOSE = "\U000f0000", "\U000f0001"
"""What stands around the line number that a traced render puts before each line of template text."""

STATEMENTS = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Extends, nodes.Block, nodes.Include, nodes.Import,
    nodes.FromImport, nodes.For, nodes.If, nodes.Macro, nodes.Assign, nodes.AssignBlock, nodes.With,
)  # fmt: skip

EXPRESSIONS = (
    nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.CondExpr, nodes.Filter, nodes.Test,
    nodes.Call, nodes.Keyword, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.And, nodes.Or, nodes.Not,
    nodes.Neg, nodes.Pos,
)  # fmt: skip

ALLOWED = frozenset(STATEMENTS + EXPRESSIONS)

REFUSED_NODES: dict[type[nodes.Node], tuple[str, str]] = {
    nodes.FilterBlock: ("{% filter %}", "filter the values inside: {{ name | upper }}"),
    nodes.CallBlock: ("{% call %}", "give the macro what it needs as arguments"),
    # Jinja puts `autoescape`, and nothing else that is written, into a scope.
    nodes.Scope: ("{% autoescape %}", "remove it; holes need no escaping: values never pass through text"),
    nodes.NSRef: ("an assignment to an attribute", "a name set in a loop ends with the turn; use filters instead"),
}

REFUSED_NAMES = {
    "self": "write the block's content into a macro and call that",
    "caller": "give the macro what it needs as arguments",
    "varargs": "name the macro's parameters",
    "kwargs": "name the macro's parameters",
    "namespace": "use filters (map, selectattr, sum) or compute the value in the spec",
    "cycler": "use loop.cycle('odd', 'even')",
    "joiner": "use the filter join",
    "lipsum": "write the text",
    "dict": "write the map: {'key': value}",
}

METHODS = frozenset(name for kind in (str, dict, list, int, float) for name in dir(kind))

REPEATED = (nodes.For, nodes.Macro, nodes.Block)

Body = nodes.Template | nodes.For | nodes.Macro | nodes.Block


def checked(tree: nodes.Template, template: str, trace: bool) -> nodes.Template:
    """The tree, changed in place: checked, with its costs written in; traced if `trace`.

    Raises RenderError: RS502 (forbidden), RS503 (too deep, too many nodes).
    """
    imported = {node.target for node in tree.find_all(nodes.Import)}
    check = _Check(template, imported)
    check.visit(tree, 0)
    _charge_bodies(tree)
    if trace:
        _mark_lines(tree, template)
    return tree


class _Check(Struct, dict=True):
    """One walk over a tree."""

    template: str
    imported: set[str]
    seen: int = field(default=0)
    line: int = field(default=1)

    def refuse(self, node: nodes.Node, what: str, hint: str, code: str = "RS502") -> RenderError:
        # Jinja gives some statements no line of their own: then it is that of what they hold, or of what stands before.
        inside = next((child.lineno for child in node.iter_child_nodes()), None)
        return RenderError(code, what, hint, Site(self.template, node.lineno or inside or self.line))

    def visit(self, node: nodes.Node, depth: int) -> None:
        self.seen += 1
        self.line = node.lineno or self.line
        if depth > MAX_DEPTH:
            raise self.refuse(node, f"the template is nested deeper than {MAX_DEPTH} levels", "use macros", "RS503")
        if self.seen > MAX_NODES:
            size = f"the template has more than {counted(MAX_NODES)} parts"
            raise self.refuse(node, size, "split it into smaller templates", "RS503")
        if type(node) not in ALLOWED:
            name, hint = REFUSED_NODES.get(type(node), (f"{type(node).__name__} in a template", "write it another way"))
            raise self.refuse(node, f"{name} is not allowed", hint)
        rule = RULES.get(type(node))
        if rule is not None:
            rule(self, node)
        for child in node.iter_child_nodes():
            if isinstance(node, nodes.Output) and isinstance(child, nodes.Call):
                self.whole_call(child, depth)
            else:
                self.visit(child, depth + 1)

    def whole_call(self, node: nodes.Call, depth: int) -> None:
        """A call that is all of a hole: here a macro may stand."""
        self.check_call(node)
        for child in node.iter_child_nodes():
            self.visit(child, depth + 1)

    # -- one rule for each kind of node that has one

    def name(self, node: nodes.Name) -> None:
        if node.name in REFUSED_NAMES:
            raise self.refuse(node, f'"{node.name}" is not allowed in a template', REFUSED_NAMES[node.name])
        if node.name.startswith("__"):
            raise self.refuse(node, f'"{node.name}" is not allowed in a template', "use the names of the context")

    def const(self, node: nodes.Const) -> None:
        whole = isinstance(node.value, int) and abs(node.value) > MAX_NUMBER
        if whole or (isinstance(node.value, float) and isinf(node.value)):
            hint = "write a smaller one, or text in quotes"
            raise self.refuse(node, "this number is larger than an output can hold", hint, "RS503")
        if isinstance(node.value, str) and (OPEN in node.value or CLOSE in node.value):
            raise self.refuse(node, "the characters U+E000 and U+E001 are reserved", "leave them out", "RS112")

    def attribute(self, node: nodes.Getattr) -> None:
        if node.attr.startswith("_"):
            raise self.refuse(node, f'the attribute "{node.attr}" can\'t be reached', "read keys of the context")

    def item(self, node: nodes.Getitem) -> None:
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) and node.arg.value.startswith("__"):
            raise self.refuse(node, f'the attribute "{node.arg.value}" can\'t be reached', "read keys of the context")

    def filter(self, node: nodes.Filter) -> None:
        if node.name in REFUSED_FILTERS:
            raise self.refuse(node, f'the filter "{node.name}" is not allowed', REFUSED_FILTERS[node.name])
        if node.name not in FILTERS:
            near = did_you_mean(node.name, FILTERS)
            raise self.refuse(node, f'there is no filter "{node.name}"{near}', f"filters: {', '.join(FILTERS)}")
        self.plain_arguments(node)

    def test(self, node: nodes.Test) -> None:
        if node.name not in TESTS:
            near = did_you_mean(node.name, TESTS)
            tests = ", ".join(name for name in TESTS if name.isalpha())
            raise self.refuse(node, f'there is no test "{node.name}"{near}', f"tests: {tests}")
        self.plain_arguments(node)

    def macro(self, node: nodes.Macro) -> None:
        names = [parameter.name for parameter in node.args]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            message = f'the macro {node.name} has two parameters "{twice}"'
            raise self.refuse(node, message, "rename one of the two", "RS500")

    def call(self, node: nodes.Call) -> None:
        self.check_call(node)
        if not _gives_value(node):
            hint = "write {{ macro(…) }} alone; to choose, use {% if %}; to reuse text, {% set name %}…{% endset %}"
            raise self.refuse(node, "a macro call must be a whole hole", hint)

    def check_call(self, node: nodes.Call) -> None:
        self.plain_arguments(node)
        callee = node.node
        if isinstance(callee, nodes.Name):
            self.name(callee)
            if callee.name == "loop":
                raise self.refuse(node, "recursive loops are not allowed", "write a macro that calls itself")
            return
        if isinstance(callee, nodes.Getattr):
            owner = callee.node.name if isinstance(callee.node, nodes.Name) else "…"
            if owner in self.imported or (owner, callee.attr) == ("loop", "cycle"):
                return
            if callee.attr in METHODS and not callee.attr.startswith("_"):
                hint = f"use a filter: {owner} | {callee.attr}" if callee.attr in FILTERS else "use filters"
                raise self.refuse(node, f'the method "{callee.attr}" can\'t be called', hint)
        raise self.refuse(node, "only macros can be called", "use filters, or a macro of this template")

    def plain_arguments(self, node: nodes.Call | nodes.Filter | nodes.Test) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise self.refuse(node, "* and ** arguments are not allowed", "write the arguments out")

    def loop(self, node: nodes.For) -> None:
        if node.recursive:
            raise self.refuse(node, "recursive loops are not allowed", "write a macro that calls itself")

    def set_block(self, node: nodes.AssignBlock) -> None:
        if node.filter is not None:
            raise self.refuse(node, "a filter on a set block is not allowed", "filter the values inside")

    def other_template(self, node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport) -> None:
        name = node.template
        if not isinstance(name, nodes.Const) or not isinstance(name.value, str):
            raise self.refuse(node, "the name of another template must be written out", 'for example "rollouts/pod.j2"')
        if getattr(node, "ignore_missing", False) or (not getattr(node, "with_context", True) and _is_include(node)):
            raise self.refuse(node, "include takes no options", 'write {% include "name" %}')
        if isinstance(node, nodes.Import | nodes.FromImport):
            # The holes in an imported macro belong to this render, which only the context knows.
            node.with_context = True


def _is_include(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Include)


def _gives_value(node: nodes.Call) -> bool:
    """Whether a call gives a value (`range`, `loop.cycle`) and not template text."""
    callee = node.node
    return (isinstance(callee, nodes.Name) and callee.name == "range") or (
        isinstance(callee, nodes.Getattr)
        and isinstance(callee.node, nodes.Name)
        and (callee.node.name, callee.attr) == ("loop", "cycle")
    )


RULES: dict[type[nodes.Node], Any] = {
    nodes.Name: _Check.name,
    nodes.Const: _Check.const,
    nodes.Getattr: _Check.attribute,
    nodes.Getitem: _Check.item,
    nodes.Filter: _Check.filter,
    nodes.Test: _Check.test,
    nodes.Call: _Check.call,
    nodes.Macro: _Check.macro,
    nodes.For: _Check.loop,
    nodes.AssignBlock: _Check.set_block,
    nodes.Extends: _Check.other_template,
    nodes.Include: _Check.other_template,
    nodes.Import: _Check.other_template,
    nodes.FromImport: _Check.other_template,
}


# -- what is added to the tree


def _charge_bodies(tree: nodes.Template) -> None:
    """Give each body that can run more than once its cost, and each loop and set block its way through the session."""
    bodies: list[Body] = [tree, *tree.find_all(nodes.For), *tree.find_all(nodes.Macro), *tree.find_all(nodes.Block)]
    for node in bodies:
        steps, work = _cost(node)
        charge = _own(CHARGE, nodes.Const(steps), [nodes.Const(work)], node.lineno)
        node.body.insert(0, nodes.ExprStmt(charge, lineno=node.lineno))
    for loop in tree.find_all(nodes.For):
        loop.iter = _own(EACH, loop.iter, [], loop.lineno)
    for block in tree.find_all(nodes.AssignBlock):
        block.filter = _own(CAPTURED, None, [], block.lineno)


def _own(name: str, value: nodes.Node | None, arguments: list[nodes.Expr], line: int) -> nodes.Filter:
    return nodes.Filter(value, name, arguments, [], None, None, lineno=line)


def _cost(body: nodes.Node) -> tuple[int, int]:
    """The nodes and the characters of text in a body, without the bodies in it that have costs of their own."""
    steps = work = 0
    for node in _own_nodes(body):
        steps += 1
        if isinstance(node, nodes.TemplateData):
            work += len(node.data)
    return steps, work


def _own_nodes(body: nodes.Node) -> Iterator[nodes.Node]:
    for child in body.iter_child_nodes():
        yield child
        if not isinstance(child, REPEATED):
            yield from _own_nodes(child)


def _mark_lines(tree: nodes.Template, template: str) -> None:
    """Put the template's name and line before each line of its text."""
    for text in tree.find_all(nodes.TemplateData):
        lines = text.data.split("\n")
        text.data = "\n".join(
            f"{TRACE_OPEN}{template}:{text.lineno + number}{TRACE_CLOSE}{line}" for number, line in enumerate(lines)
        )

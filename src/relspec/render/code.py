"""From the source of a template to code: Jinja's compiler, with every access, call and hole led through the session.

Nothing is computed while compiling: constant expressions too are evaluated in the render, where they are paid for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from jinja2 import BaseLoader, Environment, Template, TemplateNotFound, TemplateSyntaxError, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from relspec.render.filters import FILTERS, TESTS, apply, holds
from relspec.render.language import CAPTURED, CHARGE, EACH, checked
from relspec.render.problem import RenderError, Site, counted
from relspec.render.session import Absent, Session, as_text, bounded_range

MAX_SOURCE = 64 * 1024
"""Bytes that the source of a template may have (64 KiB)."""

SESSION = "\ue000"
"""The name of the session in a context; no template can write it."""

RESERVED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ue000\ue001\U000f0000\U000f0001]")

OWN_CALLS = {EACH: "each", CHARGE: "charge", CAPTURED: "captured"}

Sources = Callable[[str], str | None]


class SessionContext(Context):
    """A context that carries the session of its render."""

    def __init__(self, environment: Environment, parent: dict[str, Any], *rest: Any, **named: Any) -> None:
        super().__init__(environment, parent, *rest, **named)
        self.session: Session = parent[SESSION]


class SessionCode(CodeGenerator):
    """Writes calls of the session wherever Jinja would write Python's own attribute access, call or output."""

    _in_take = False

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("session = context.session")
        for name in ("hole", "take", "get", "each", "charge", "captured", "cut", "call"):
            self.writeline(f"{name} = session.{name}")
        self.writeline("log = session.log")
        self.writeline("undefined = cond_expr_undefined = session.undefined")

    def pull_dependencies(self, nodes: Iterable[nodes.Node]) -> None:
        """Nothing: filters and tests are called by name."""

    def _site(self, node: nodes.Node) -> str:
        return repr((self.name, node.lineno))

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if _reads_a_key(node):
            self.write(f"take({self._site(node)}, ")
            self._in_take = True
        else:
            self.write(f"hole(len(log), {self._site(node)}, ")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")")

    def _arguments(self, arguments: Iterable[nodes.Node | str | None], frame: Frame) -> None:
        for argument in arguments:
            if isinstance(argument, nodes.Node):
                self.visit(argument, frame)
            else:
                self.write(str(argument))
            self.write(", ")

    def _call(self, function: str, arguments: Iterable[nodes.Node | str | None], frame: Frame) -> None:
        self.write(f"{function}(")
        self._arguments(arguments, frame)
        self.write(")")

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:
        self._get((node.node, repr(node.attr)), frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if isinstance(node.arg, nodes.Slice):
            self._call("cut", (node.node, node.arg.start, node.arg.stop, node.arg.step), frame)
        else:
            self._get((node.node, node.arg), frame)

    def _get(self, arguments: tuple[nodes.Node | str, ...], frame: Frame) -> None:
        """A call of `get`; only its arguments for the outermost access of a hole, which `take` makes itself."""
        if self._in_take:
            self._in_take = False
            self._arguments(arguments, frame)
        else:
            self._call("get", arguments, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write(f"session.joined({self._site(node)}, ")
        self._call("", node.nodes, frame)
        self.write(")")

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        """A tuple that is a value becomes a list: nested tuples as keys would be hashed again and again."""
        if node.ctx == "load":
            self.visit(nodes.List(node.items), frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        left = node.expr
        self.write("(")
        for number, operand in enumerate(node.ops):
            self.write(" and " if number else "")
            self._compare(left, operand, frame)
            left = operand.expr
        self.write(")")

    def _compare(self, left: nodes.Expr, operand: nodes.Operand, frame: Frame) -> None:
        if operand.op in ("lt", "lteq", "gt", "gteq"):
            self._call("session.ordered", (repr(operand.op), left, operand.expr), frame)
        elif operand.op in ("in", "notin"):
            self.write("not " if operand.op == "notin" else "")
            self._call("session.contains", (left, operand.expr), frame)
        elif _is_plain(left, operand.expr) or _is_plain(operand.expr, left):
            # The constant bounds what there is to compare.
            self.visit(left, frame)
            self.visit(operand, frame)
        else:
            self.write("not " if operand.op == "ne" else "")
            self._call("session.equal", (left, operand.expr), frame)

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        if isinstance(node.node, nodes.Getattr) and node.node.attr == "cycle":
            self._call("session.cycle", (node.node.node, *node.args), frame)
            return
        self.write("call(")
        self.visit(node.node, frame)
        self.signature(node, frame)
        self.write(")")

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:
        own = OWN_CALLS.get(node.name)
        if own is not None:
            value = node.node if node.node is not None else f"concat({frame.buffer})"
            self._call(own, (value, *node.args), frame)
        else:
            self._filter_or_test("apply", node, frame)

    def visit_Test(self, node: nodes.Test, frame: Frame) -> None:
        self._filter_or_test("holds", node, frame)

    def _filter_or_test(self, function: str, node: nodes.Filter | nodes.Test, frame: Frame) -> None:
        self.write(f"environment.{function}(session, {node.name!r}, ")
        if node.node is not None:
            self.visit(node.node, frame)
        self.signature(node, frame)
        self.write(")")


def _reads_a_key(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Getattr) or (
        isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Slice)
    )


class StandaloneStatements(Extension):
    """A statement or comment alone on its line leaves no line behind; everywhere else text stays as it is written."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        tokens = list(stream)
        return (token for token in _without_empty_lines(tokens) if token.type != "data" or token.value)


def _without_empty_lines(tokens: list[Token]) -> Iterator[Token]:
    if tokens and tokens[0].type == "block_begin":
        tokens = [Token(1, "data", ""), *tokens]
    position, starts_line = 0, True
    while position < len(tokens):
        token = tokens[position]
        position += 1
        end = _statements_end(tokens, position)
        # Two texts in a row: a comment stood between them.
        beside = position < len(tokens) and tokens[position].type in ("data", "block_begin")
        if token.type == "data" and beside and _stand_alone(token.value, starts_line, tokens, end):
            yield Token(token.lineno, "data", token.value[: token.value.rfind("\n") + 1])
            yield from tokens[position:end]
            _drop_line_end(tokens, end)
            position, starts_line = end, True
        else:
            yield token
            starts_line = False


def _statements_end(tokens: list[Token], position: int) -> int:
    """The index after the statements that begin at `position`, blanks on the same line between them included."""
    while position < len(tokens) and tokens[position].type == "block_begin":
        while position < len(tokens) and tokens[position].type != "block_end":
            position += 1
        position += 1
        blank = (
            position + 1 < len(tokens) and tokens[position].type == "data" and not tokens[position].value.strip(" \t")
        )
        if blank and tokens[position + 1].type == "block_begin":
            position += 1
    return position


def _stand_alone(before: str, starts_line: bool, tokens: list[Token], end: int) -> bool:
    """Whether nothing but blanks stands before and after on the line."""
    if before.rpartition("\n")[2].strip(" \t") or not ("\n" in before or starts_line):
        return False
    if end >= len(tokens):
        return True
    after = tokens[end]
    return after.type == "data" and "\n" in after.value and not after.value.partition("\n")[0].strip(" \t")


def _drop_line_end(tokens: list[Token], end: int) -> None:
    """Take the rest of the line, its end included, off the text after the statements."""
    if end < len(tokens):
        tokens[end] = Token(tokens[end].lineno + 1, "data", tokens[end].value.partition("\n")[2])


@pass_context
def _in_the_render(_context: Context, _value: Any) -> Any:
    """A finalizer that needs the context: that keeps the compiler from evaluating constant holes itself."""
    raise AssertionError("SessionCode writes the holes")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment that every template is compiled and run in."""

    code_generator_class = SessionCode
    context_class = SessionContext
    concat = staticmethod(as_text)
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})
    apply = staticmethod(apply)
    holds = staticmethod(holds)

    def __init__(self, loader: BaseLoader | None = None) -> None:
        super().__init__(
            loader=loader,
            optimized=False,
            autoescape=False,
            auto_reload=False,
            undefined=Absent,
            finalize=_in_the_render,
            keep_trailing_newline=True,
            extensions=[StandaloneStatements],
        )
        self.globals = {"range": bounded_range}
        # Only the names are needed: SessionCode writes calls of `apply` and `holds`.
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)

    def join_path(self, template: str, parent: str) -> str:
        """The name of a template that another one includes; only packaged templates may be."""
        outside = template.startswith("/") or "\\" in template or ".." in template.split("/")
        if outside or not (isinstance(self.loader, TemplateLoader) and self.loader.reachable(template)):
            hint = "include, import and extend packaged templates only"
            raise RenderError("RS502", f"{template} can't be reached from a template", hint)
        return template

    def getattr(self, obj: Any, attribute: str) -> Any:
        raise RenderError("RS502", f'"{attribute}" can\'t be reached', "read the keys of the context")

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self.getattr(obj, str(argument))

    def call(self, *arguments: Any, **named: Any) -> Any:
        raise RenderError("RS502", "this can't be called", "call macros only")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return context.session.calculate(operator, left, right)  # type: ignore[attr-defined]

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        return context.session.negative(operator, arg)  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _compiler() -> Sandbox:
    return Sandbox()


@lru_cache(maxsize=512)
def compiled(name: str, source: str, trace: bool = False) -> CodeType | RenderError:
    """The code of a template, or why it has none; with `trace`, its text names its own lines.

    A problem is returned, not raised, so that a broken template too is compiled only once.
    """
    try:
        return _compile(name, source, trace)
    except RenderError as problem:
        return problem
    except TemplateSyntaxError as error:
        return RenderError("RS500", as_written(str(error.message)), "correct the template", Site(name, error.lineno))
    except (RecursionError, MemoryError, SyntaxError) as error:
        return RenderError("RS503", "the template is nested too deeply", "use macros", Site(name, _line_reached(error)))
    except ValueError as error:
        digits = ENDLESS_NUMBER.search(source)
        if digits is None:
            return RenderError("RS500", f"the template can't be read: {error}", "correct the template", Site(name, 1))
        site = Site(name, source.count("\n", 0, digits.start()) + 1)
        return RenderError("RS503", "this number has too many digits", "write a smaller one, or text in quotes", site)


def _line_reached(error: BaseException) -> int:
    """The line of a template that Jinja or Python was at when it gave up: of the innermost step that knows one."""
    line, traceback = 1, error.__traceback__
    while traceback is not None:
        known = traceback.tb_frame.f_locals
        owner, written = known.get("self"), known.get("source")
        node = owner if isinstance(owner, nodes.Node) else known.get("node")
        if isinstance(node, nodes.Node):
            line = node.lineno or line
        elif isinstance(owner, Parser):
            line = owner.stream.current.lineno
        elif isinstance(error, SyntaxError) and error.lineno and isinstance(written, str):
            line = _line_of_code(written, error.lineno) or line
        traceback = traceback.tb_next
    return line


def _line_of_code(code: str, line: int) -> int:
    """The line of the template that a line of the code made from it came from; 0 where the code doesn't say."""
    written = DEBUG_INFO.search(code)
    pairs = (pair.split("=") for pair in written[1].split("&")) if written is not None else ()
    return max((int(own) for own, made in pairs if int(made) <= line), default=0)


DEBUG_INFO = re.compile(r"^debug_info = '([0-9=&]+)'", re.MULTILINE)
"""How Jinja writes which line of its code each line of a template became."""

ENDLESS_NUMBER = re.compile(r"[0-9][0-9_]{1000}")
"""What Python would not turn into a number (sys.set_int_max_str_digits)."""

TOKENS = {"end of print statement": "}}", "end of statement block": "%}", "begin of print statement": "{{"}


def as_written(message: str) -> str:
    """A message of Jinja's with the signs that people write in place of the names of its tokens."""
    for token, sign in TOKENS.items():
        message = message.replace(token, sign)
    return message.rstrip(".")


def _compile(name: str, source: str, trace: bool) -> CodeType:
    if len(source) > MAX_SOURCE or len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE:
        message = f"the template is larger than {counted(MAX_SOURCE)} bytes"
        raise RenderError("RS503", message, "split it into several templates", Site(name, 1))
    reserved = RESERVED.search(source.replace("\r\n", "\n"))
    if reserved is not None:
        line = source.count("\n", 0, reserved.start()) + 1
        message = f"the template holds the character U+{ord(reserved[0]):04X}"
        raise RenderError("RS112", message, "leave control and reserved characters out", Site(name, line))
    environment = _compiler()
    tree = checked(environment.parse(source, name), name, trace)
    return environment.compile(tree, name, name)


class TemplateLoader(BaseLoader):
    """Gives Jinja the templates of one set: only those that `sources` knows, under relative names."""

    def __init__(self, sources: Sources, reachable: Callable[[str], bool], trace: bool = False) -> None:
        self.sources = sources
        self.reachable = reachable
        self.trace = trace

    def tracing(self) -> TemplateLoader:
        """The same templates, compiled so that their text names its own lines."""
        return TemplateLoader(self.sources, self.reachable, trace=True)

    def load(self, environment: Environment, name: str, globals: Any = None) -> Template:  # noqa: A002
        source = self.sources(name)
        if source is None:
            raise TemplateNotFound(name)
        return load(environment, name, source, self.trace)


def load(environment: Environment, name: str, source: str, trace: bool) -> Template:
    """A template, ready to run.

    Raises RenderError: RS112, RS500, RS502, RS503.
    """
    code = compiled(name, source, trace)
    if isinstance(code, RenderError):
        raise RenderError(code.code, code.message, code.hint, code.site)
    return environment.template_class.from_code(environment, code, {})


def _is_plain(constant: nodes.Expr, other: nodes.Expr) -> bool:
    """Whether a comparison with a constant needs no look at the other side: it can't be template text with holes."""
    if not isinstance(constant, nodes.Const):
        return False
    return not isinstance(constant.value, str) or isinstance(other, nodes.Const | nodes.Getattr)

"""Templates with typed holes: what the rest of relspec calls.

A template is Jinja that yields YAML, but no value ever passes through its text: each `{{ … }}` leaves a placeholder
there, the text is parsed back, and then each placeholder becomes the value that its hole was given, with its type.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import TracebackType
from typing import Any

from jinja2 import Template, TemplateError, TemplateNotFound, UndefinedError

from relspec.diagnostics import Finding, Path, Range, RelspecError, Where
from relspec.render.code import SESSION, Sandbox, Sources, TemplateLoader, as_written, load
from relspec.render.parse_back import HoleError, Plan, filled, plan_for, plan_of, texts_in
from relspec.render.problem import RenderError, Site
from relspec.render.rendered import Rendered
from relspec.render.rendered_yaml import NotYamlError, Spot, spots
from relspec.render.session import CLOSE, OPEN, Session, TextSession, as_text, bounded_range, too_much
from relspec.render.trace import Sites, offset_of_line, sites_in

STARTS = ("{{", "{%", "{#")
"""What tells a template from a plain string in a map with holes."""

TRACE_ALLOWANCE = 40
"""A traced render writes marks too; it only repeats one that kept to its budget."""


def every_name(_: str) -> bool:
    return True


class TemplateSet:
    """The templates that one compile can use.

    `sources` gives the source of a template by name (`rollouts/rollouts.yaml.j2`), or None: the search order is its
    business. `reachable` says which names a template may include, import or extend: the packaged ones.
    """

    def __init__(self, sources: Sources, reachable: Callable[[str], bool] = every_name) -> None:
        self._sources = sources
        self._loader = TemplateLoader(sources, reachable)
        self._environment = Sandbox(self._loader)
        self._inline = lru_cache(maxsize=256)(self._load_inline)

    def render(self, name: str, context: Mapping[str, Any], *, prune: bool = True) -> Rendered:
        """The documents of a YAML template, its holes filled with values of the context; empty documents left out.

        With `prune`, an entry whose whole hole is None is left out (Helm values keep it: there null deletes).

        Raises RelspecError, with the template's file and line: RS112, RS500 to RS505, RS510 to RS512.
        """
        session = Session(context)
        try:
            chunks = tuple(_run(self._environment.get_template(name), context, session))
            plan = self._plan(name, context, chunks)
            documents = filled(plan, session.values, prune)
        except Exception as error:
            raise self._reported(error, session, name) from error
        kept = tuple(index for index, document in enumerate(documents) if document is not None)
        return Rendered(
            documents if len(kept) == len(documents) else [documents[index] for index in kept],
            plan,
            session,
            prune,
            kept,
            self._literal_sites(name, context, chunks),
        )

    def render_text(self, name: str, context: Mapping[str, Any]) -> str:
        """The text of a template whose holes are text or whole numbers on one line each (or `Raw` text of our own).

        Raises RelspecError: RS112 (a control character in a value), RS500 to RS505, RS511.
        """
        session = TextSession(context)
        try:
            return str.__str__(as_text(_run(self._environment.get_template(name), context, session)))
        except Exception as error:
            raise self._reported(error, session, name) from error

    def render_inline(self, value: Any, context: Mapping[str, Any], name: str, at: Path = ()) -> Rendered:
        """A structure whose strings are templates, filled: the one document of the result. Nothing is pruned.

        `name` is the file that the structure is written in and `at` its path there; findings point to the string.
        Lines that `hole_at` gives count inside the string.

        Raises RelspecError as `render` does.
        """
        session = Session(context)
        leaves: list[tuple[int, Path]] = []

        def leaf(text: str, path: Path) -> str:
            leaves.append((len(session.values), path))
            if any(start in text for start in STARTS):
                return as_text(_run(self._inline(name, text), context, session))
            if OPEN in text or CLOSE in text:
                raise RenderError("RS112", "the characters U+E000 and U+E001 are reserved", "leave them out")
            return text

        try:
            parsed = _with_placeholders(value, leaf, ())
            plan = plan_for([parsed], sum(map(len, texts_in(parsed))))
            documents = filled(plan, session.values, prune=False)
        except Exception as error:
            raise _reported_inline(error, leaves, name, at) from error
        return Rendered(documents, plan, session, False, (0,), lambda _document, _path: Site(name, 1))

    # -- inside

    def _load_inline(self, name: str, text: str) -> Template:
        return load(self._environment, name, text, trace=False)

    def _plan(self, name: str, context: Mapping[str, Any], chunks: tuple[str, ...]) -> Plan:
        try:
            return plan_of(chunks)
        except NotYamlError as error:
            site = self._sites(name, context, chunks).at(offset_of_line("".join(chunks), error.line))
            raise RenderError("RS504", error.message, error.hint, site or Site(name, 1)) from error

    def _literal_sites(
        self, name: str, context: Mapping[str, Any], chunks: tuple[str, ...]
    ) -> Callable[[int, Path], Site]:
        """A function for the line of the template that the node at a path of the parsed text is written in."""

        @cache  # a rule may ask for each of many thousands of nodes
        def known() -> tuple[list[Spot], Sites]:
            return spots("".join(chunks)), self._sites(name, context, chunks)

        def literal_site(document: int, path: Path) -> Site:
            try:
                nodes, sites = known()
            except NotYamlError as error:  # the other parser took it
                return Site(name, error.line)
            return sites.at(nodes[document].at(path).offset) or Site(name, 1)

        return literal_site

    def _sites(self, name: str, context: Mapping[str, Any], chunks: tuple[str, ...]) -> Sites:
        """The lines of templates that a rendered text came from, by rendering it once more with marks."""
        tracing = Sandbox(self._loader.tracing())
        marked = _run(tracing.get_template(name), context, Session(context, TRACE_ALLOWANCE))
        return sites_in(marked, "".join(chunks))

    def _reported(self, error: Exception, session: Session, name: str) -> RelspecError:
        """The error as a finding at its line of a template; what a read of the repository said stays as it is."""
        if isinstance(error, RelspecError):
            return error
        problem = _problem(error)
        if isinstance(problem, HoleError):
            site = Site(*session.marks[problem.number][2])
        else:
            site = problem.site or _site_in(error.__traceback__) or Site(name, 1)
        where = Where(site.template, range=self._range(site, problem.message))
        return RelspecError(Finding(problem.code, problem.message, where, problem.hint))

    def _range(self, site: Site, message: str) -> Range:
        """The word that a message names, where the line has it once; else the whole line, without its indent."""
        lines = (self._sources(site.template) or "").split("\n")
        text = lines[site.line - 1].rstrip() if 0 < site.line <= len(lines) else ""
        for named in reversed(NAMED.findall(message.partition("; did you mean")[0])):
            found = list(re.finditer(rf"(?<!\w){re.escape(named)}(?!\w)", text))
            if len(found) == 1:
                return Range(site.line, found[0].start() + 1, site.line, found[0].end() + 1)
        return Range(site.line, len(text) - len(text.lstrip()) + 1, site.line, len(text) + 1)


def _run(template: Template, context: Mapping[str, Any], session: Session) -> list[str]:
    """The pieces of a template's text: its constants and, for its holes, what the session gives."""
    environment = template.environment
    parent = {"range": bounded_range, **context, SESSION: session}
    return list(
        template.root_render_func(environment.context_class(environment, parent, template.name, template.blocks))
    )


def _with_placeholders(value: Any, leaf: Callable[[str, Path], str], path: Path) -> Any:
    """The structure with each string, keys included, rendered."""
    if isinstance(value, str):
        return leaf(value, path)
    if isinstance(value, Mapping):
        return {
            leaf(key, (*path, key)) if isinstance(key, str) else key: _with_placeholders(item, leaf, (*path, key))
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_with_placeholders(item, leaf, (*path, index)) for index, item in enumerate(value)]
    return value


def _problem(error: Exception) -> RenderError:
    """Whatever a render can end with, as a problem."""
    if isinstance(error, RenderError):
        return error
    if isinstance(error, UndefinedError):
        return RenderError("RS501", str(error), "correct the name, or ask first: {% if name is defined %}")
    if isinstance(error, TemplateNotFound):
        return RenderError("RS505", f"there is no template {error.name}", "correct its name, or create the file")
    if isinstance(error, RecursionError | MemoryError):
        return too_much("too many calls inside each other")
    if isinstance(error, TemplateError):
        return RenderError("RS500", as_written(str(error.message)), "correct the template")
    for words, message, hint in EXPLANATIONS:
        if words in str(error):
            return RenderError("RS510", message, hint)
    return RenderError("RS510", f"this can't be computed: {error}", "check the kinds of the values")


NAMED = re.compile(r'"([^"]+)"')
"""What a message names in quotes."""

EXPLANATIONS = (
    ("unhashable type", "a map or a list can't be a key", "use text as the key"),
    ("unpack", "there are not as many values as names on the left", "write a name for each value"),
    ("slice indices", "text and lists are cut at whole numbers", "for example name[:20]"),
    ("slice step", "the step of a cut can't be 0", "write another one, or none"),
)
"""A part of what Python says, and what it means to whoever wrote the template."""


def _site_in(traceback: TracebackType | None) -> Site | None:
    """The innermost line of a template on the way to an exception."""
    site = None
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            site = Site(template.name, template.get_corresponding_lineno(traceback.tb_lineno))
        traceback = traceback.tb_next
    return site


def _reported_inline(error: Exception, leaves: list[tuple[int, Path]], name: str, at: Path) -> RelspecError:
    """The error as a finding at the string that it is in."""
    if isinstance(error, RelspecError):
        return error
    problem = _problem(error)
    path: Path = leaves[-1][1] if leaves else ()
    if isinstance(problem, HoleError):
        path = leaves[bisect_right(leaves, problem.number, key=lambda leaf: leaf[0]) - 1][1]
    return RelspecError(Finding(problem.code, problem.message, Where(name, (*at, *path)), problem.hint))

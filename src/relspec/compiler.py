"""The compiler: a pure function of a tree.

    tree -> documents -> spec models -> resolved releases -> rules -> targets -> parsed output -> checked -> bytes

No clock, host, commit, network, hash order or locale reaches an output. Nothing is written here.
"""

from __future__ import annotations

import json
import posixpath
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Diagnostic, Finding, Kind, Range, RelspecError, Severity, Where
from relspec.discovery import Found, Place, discover, not_said
from relspec.emit import emit_documents, unwritable
from relspec.loader import Loader, Memory
from relspec.lock import check_edition
from relspec.lock import read as read_lock
from relspec.outputs import where
from relspec.packaged import TemplateSources, is_packaged
from relspec.positions import Lines, locate
from relspec.render import TemplateSet
from relspec.resolve import ResolvedRelease, Resolver, UnresolvedError
from relspec.rules import check_release, check_repository, check_unresolved
from relspec.rules.allowances import Today, allowed
from relspec.rules.helm import check_values
from relspec.rules.repository import at_the_base, written_objects
from relspec.rules.services import secrets_of_output
from relspec.schema_checks import DEFAULT_KUBERNETES, SchemaProblem, check_against, check_compose, check_object
from relspec.spec.environment import Policies
from relspec.spec.repository import Lock, Repository
from relspec.targets.compose.target import compose
from relspec.targets.draft import Draft, Target
from relspec.targets.helm.chart import Charts
from relspec.targets.helm.target import OBJECTS, helm
from relspec.targets.rollouts.target import rollouts
from relspec.tree import NOT_OURS, Tree, absent, normalise, not_ours

SETTINGS = "relspec.yaml"
INTERNAL = "RS900"
WRITTEN_OUT = "RS231"

TARGETS: Mapping[str, Target] = {"compose": compose, "helm": helm, "rollouts": rollouts}


class CompiledRelease(Struct, frozen=True):
    """A release and its outputs. `files` are bytes by path below rendered/<id>/; empty where it is `stopped`.

    A release is stopped by what its findings say, or by a target that gave up: its outputs are unknown, not gone.
    `unresolved` is what could be made out of one that has no `release`.
    """

    place: Place
    release: ResolvedRelease | None
    drafts: tuple[Draft, ...]
    files: Mapping[str, bytes]
    findings: tuple[Finding, ...]
    stopped: bool = False
    unresolved: ResolvedRelease | None = None


class Compiled(Struct, frozen=True):
    """The result of compiling a tree: every output by its path in the repository, and everything there is to say."""

    files: Mapping[str, bytes]
    diagnostics: tuple[Diagnostic, ...]
    releases: tuple[CompiledRelease, ...]
    output: str

    @property
    def stopped(self) -> bool:
        """Whether something is wrong that keeps the outputs from being written.

        Only structure does: policy, safety and quarantine are `check`'s to refuse, so that the line that mends a stale
        revert always works. A release whose outputs are unknown stops it too: they would be removed as if it were gone.
        """
        return any(release.stopped for release in self.releases) or any(
            d.severity is Severity.ERROR and d.kind is Kind.STRUCTURE for d in self.diagnostics
        )

    @property
    def crashed(self) -> bool:
        """Whether relspec itself failed on a release (RS900): exit code 3."""
        return any(diagnostic.code == INTERNAL for diagnostic in self.diagnostics)


class Compiler:
    """Compiles releases of one tree; what several releases share is read and resolved once.

    A tree that is locked to another edition is refused (RS620), unless `any_edition`: history is compiled by the
    compiler at hand. Compilers of several commits may share a `memory` of documents. `policies` may make those of an
    environment stricter, given its path.
    """

    def __init__(
        self,
        tree: Tree,
        *,
        any_edition: bool = False,
        memory: Memory | None = None,
        policies: Callable[[str, Policies], Policies] | None = None,
    ) -> None:
        self.tree = tree
        self.any_edition = any_edition
        self.loader = Loader(tree, memory)
        self.resolver = Resolver(self.loader, self.output, policies)
        self.sources = TemplateSources(tree)
        self.templates = TemplateSet(self.sources, is_packaged)
        self.charts = Charts(tree)

    @cached_property
    def settings(self) -> Repository:
        """relspec.yaml, or its defaults.

        Raises RelspecError: RS240 for a schema that is not there, RS241 for one that is a link, and what a document may.
        """
        if self.tree.kind(SETTINGS) == "missing":
            return Repository(apiVersion="relspec/v1", kind="Repository")
        settings = Repository.model_validate(self.loader.document(SETTINGS, Repository, "Repository"))
        problems = [
            problem
            for index, schema in enumerate(settings.schemas)
            if (problem := self._no_schema(schema, Where(SETTINGS, ("schemas", index))))
        ]
        if problems:
            raise RelspecError(*problems)
        return settings

    def _no_schema(self, schema: str, place: Where) -> Finding | None:
        """Why there is no file or folder at a path that `schemas` names at `place`; None where there is one."""
        path = normalise(schema, origin=place)
        if self.tree.kind(path) in ("file", "folder"):
            return None
        why = absent(self.tree, path, place)
        if why.code == "RS241":
            return why
        hint = "create it, or take it out of `schemas`"
        return Finding("RS240", f"there is no file or folder {schema}", place, hint)

    @cached_property
    def output(self) -> str:
        """The folder of the outputs."""
        try:
            return self.settings.output
        except RelspecError:
            return "rendered"

    @cached_property
    def found(self) -> Found:
        """The environments and releases of the tree."""
        return discover(self.tree, self.loader)

    def compile(
        self,
        places: Iterable[Place] | None = None,
        targets: Sequence[str] | None = None,
        today: Today = None,
        judge: Callable[[Finding], Finding] = lambda finding: finding,
    ) -> Compiled:
        """Compiles `places` (default: every release) for `targets` (default: each release's own).

        `today` (YYYY-MM-DD) ends allowances; None: none has ended. `judge` may weigh what is said of a release otherwise.
        """
        whole = places is None
        releases = [self.release(place, targets) for place in (self.found.releases if places is None else places)]
        findings = [
            judge(allowed(finding, known, today) if known is not None else finding)
            for release in releases
            for known in (release.release or release.unresolved,)
            for finding in release.findings
        ]
        if any(finding.code == "RS202" for finding in findings):
            findings = at_the_base(findings, [known for r in releases if (known := r.release or r.unresolved)])
        try:
            if not self.any_edition:
                findings += check_edition(self.lock)
            self.settings  # noqa: B018 - what is wrong with it belongs to the report
        except RelspecError as error:
            if any(finding.code == "RS620" for finding in error.findings):
                raise
            findings += error.findings
        findings += not_said(self.found.findings, findings)
        first = {release.place.id: release for release in reversed(releases)}  # RS220 says that there is a second
        resolved = [release.release for release in first.values() if release.release is not None][::-1]
        findings += check_repository(self.resolver, self.found, resolved, whole=whole)
        objects = written_objects([(r.release, r.drafts) for r in first.values() if r.release is not None][::-1])
        findings += (self._in_template(finding, first[finding.release].place) for finding in objects)
        files = {f"{self.output}/{r.place.id}/{path}": data for r in releases for path, data in r.files.items()}
        return Compiled(files, locate(findings, self._read), tuple(releases), self.output)

    def release(self, place: Place, targets: Sequence[str] | None = None) -> CompiledRelease:
        """One release, from its documents to the bytes of its outputs. A fault of relspec's own is its finding RS900."""
        try:
            return self._release(place, targets)
        except Exception as error:
            return CompiledRelease(place, None, (), {}, (internal_error(error, place),), stopped=True)

    def _release(self, place: Place, targets: Sequence[str] | None) -> CompiledRelease:
        try:
            release = self.resolver.release(place.file, place.environment, place.id)
        except RelspecError as error:
            return given_up(place, error)
        findings = [finding.of(place.id) for finding in check_release(release)]
        if any(stops(finding) for finding in findings):
            return CompiledRelease(place, release, (), {}, tuple(findings), stopped=True)
        stopped = False
        drafts: list[Draft] = []
        for name, target in TARGETS.items():
            if targets is None or name in targets:
                try:
                    drafts += target(release, self.templates, self.output)
                except RelspecError as error:
                    stopped = True
                    findings += (self._in_template(finding, place).of(place.id) for finding in error.findings)
        for draft in drafts:
            try:
                said = [self._in_template(finding, place).of(place.id) for finding in self._check(draft, release)]
                # Two outputs, or a rule and an output, may show one and the same secret.
                known = {finding.where for finding in findings if finding.code == WRITTEN_OUT}
                findings += [item for item in said if item.code != WRITTEN_OUT or item.where not in known]
            except RelspecError as error:
                stopped = True
                findings += (finding.of(place.id) for finding in error.findings)
        stopped = stopped or any(stops(finding) for finding in findings)
        files: dict[str, bytes] = {}
        try:
            files = {} if stopped else {draft.path: written(draft, release) for draft in drafts}
        except (ValueError, TypeError):
            stopped = True
            said = [finding for draft in drafts for finding in _unwritable(draft, release)]
            if not said:
                raise
            findings += (self._in_template(finding, place).of(place.id) for finding in said)
        return CompiledRelease(place, release, tuple(drafts), files, tuple(findings), stopped)

    def unused_environments(self) -> Iterator[Finding]:
        """What is wrong with environments that no release brings in: `check` alone looks at them."""
        for path in self.found.environments:
            inner = any(other.startswith(f"{path}/") for other in self.found.environments)
            if not inner and not any(place.environment == path for place in self.found.releases):
                try:
                    self.resolver.environment(path)
                except RelspecError as error:
                    yield from error.findings

    def positions(self) -> Callable[[Where], tuple[int, int]]:
        """A function from a place to its line and column (1, 1 where it has none)."""
        lines = Lines(self._read)

        def line_and_column(place: Where) -> tuple[int, int]:
            span = lines.range(place)
            return (span.line, span.column) if span is not None else (1, 1)

        return line_and_column

    @cached_property
    def lock(self) -> Lock | None:
        """relspec.lock; None where there is none. Raises RelspecError RS620 for another edition, unless any will do."""
        found = read_lock(self.loader)
        if not self.any_edition:
            check_edition(found)
        return found

    def _check(self, draft: Draft, release: ResolvedRelease) -> Iterator[Finding]:
        """What the output's schema refuses, said where the spec or the template wrote it."""
        for index, document in enumerate(draft.documents or ()):
            problems = (*self._problems(draft, document, release), *self._own_schema_problems(draft, document))
            for problem in problems:
                place = where(draft, release, index, problem.path, problem.part)
                yield Finding(
                    "RS520", f"{draft.path}: {problem.message}", place, problem.hint or "correct the value here"
                )
        yield from secrets_of_output(release, draft, self._is_packaged(draft.template))
        if draft.path.startswith("helm/"):
            yield from check_values(release, draft, self.charts)

    def _problems(self, draft: Draft, document: Any, release: ResolvedRelease) -> tuple[SchemaProblem, ...]:
        if draft.path.startswith("compose/"):
            return check_compose(document)
        targets = release.environment.targets
        default = self.lock.kubernetes if self.lock else DEFAULT_KUBERNETES
        if draft.path.startswith("rollouts/"):
            return check_object(document, (targets.rollouts and targets.rollouts.kubernetes) or default)
        if draft.elements_of == OBJECTS:
            kubernetes = (targets.helm and targets.helm.kubernetes) or default
            return tuple(
                replace(problem, path=(OBJECTS, index, *problem.path))
                for index, made in enumerate(document[OBJECTS])
                for problem in check_object(made, kubernetes)
            )
        return ()

    def _own_schema_problems(self, draft: Draft, document: Any) -> tuple[SchemaProblem, ...]:
        """What the repository's own schemas (`schemas` in relspec.yaml) refuse.

        Raises RelspecError: RS522 for one that can't be used, RS241 for a link in the place of one.
        """
        name = "compose" if draft.path.startswith("compose/") else document.get("kind", "values")
        problems: tuple[SchemaProblem, ...] = ()
        for schema in self.settings.schemas:
            path = normalise(schema, origin=Where(SETTINGS, ("schemas",)))
            if self.tree.kind(path) == "folder":
                path = f"{path}/{name}.json" if path else f"{name}.json"
            if posixpath.basename(path) != f"{name}.json":
                continue
            kind = self.tree.kind(path)
            if kind in NOT_OURS:
                raise RelspecError(not_ours(path, kind, Where(path)))
            if kind == "file":
                try:
                    problems += check_against(json.loads(self.loader.text(path)), document)
                except (ValueError, RecursionError) as error:
                    hint = "correct the schema, or take it out of `schemas` in relspec.yaml"
                    message, place = f"this schema can't be used: {error}", Where(path)
                    if isinstance(error, json.JSONDecodeError):
                        message = f"this schema can't be used: {error.msg}"
                        place = Where(path, range=Range(error.lineno, error.colno, error.lineno, error.colno + 1))
                    raise RelspecError(Finding("RS522", message, place, hint)) from error
        return problems

    @cached_property
    def _is_packaged(self) -> Callable[[str], bool]:
        """Whether relspec itself brings a template, asked by its name."""
        return cache(lambda name: self.sources.file_of(name).startswith("relspec:"))

    def _in_template(self, finding: Finding, place: Place) -> Finding:
        """A finding in a template, with the path under which a person finds the file, and the text of its whole line.

        A packaged template is no file of the repository: what comes of it lies at the release.
        """
        span, name = finding.where.range, finding.where.file
        if span is None or name.endswith((".yaml", ".lock")):
            return finding
        if self._is_packaged(name):
            return replace(finding, where=Where(place.file, (), "key"))
        if span == Range(span.line, 1, span.line, 1) and span.line > 1:
            lines = (self.sources(name) or "").split("\n")
            text = lines[span.line - 1].rstrip() if span.line <= len(lines) else ""
            span = Range(span.line, len(text) - len(text.lstrip()) + 1, span.line, len(text) + 1)
        return replace(finding, where=replace(finding.where, file=self.sources.file_of(name), range=span))

    def _read(self, file: str) -> bytes:
        return self.loader.text(file)


def stops(finding: Finding) -> bool:
    """Whether a finding keeps its release from being compiled: an error of class structure."""
    rule = CATALOGUE[finding.code]
    return (finding.severity or rule.severity) is Severity.ERROR and rule.kind is Kind.STRUCTURE


def given_up(place: Place, error: RelspecError) -> CompiledRelease:
    """A release that could not be resolved, with what the rules say of the rest of it, and of no place twice."""
    findings = [finding.of(place.id) for finding in error.findings]
    unresolved = error.release if isinstance(error, UnresolvedError) else None
    if unresolved is not None:
        said = {(finding.code, finding.where) for finding in findings}
        more = check_unresolved(unresolved)
        findings += (finding.of(place.id) for finding in more if (finding.code, finding.where) not in said)
    return CompiledRelease(place, None, (), {}, tuple(findings), stopped=True, unresolved=unresolved)


def internal_error(error: Exception, place: Place) -> Finding:
    """RS900: what went wrong inside relspec while it compiled a release, and in which of its lines."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "relspec" in frame.filename]
    line = f" ({posixpath.basename(frames[-1].filename)}, line {frames[-1].lineno})" if frames else ""
    return Finding(
        INTERNAL,
        f"internal error: {type(error).__name__}: {error}{line}",
        Where(place.file, (), "key"),
        "report this line and the release's file; the other releases are not concerned",
        release=place.id,
    )


def _unwritable(draft: Draft, release: ResolvedRelease) -> Iterator[Finding]:
    """RS510: what a template or an override put into an output that no YAML can hold."""
    for index, document in enumerate(draft.documents or ()):
        for path, part, reason in unwritable(document):
            place = where(draft, release, index, path, part)
            yield Finding("RS510", f"{draft.path}: {reason}", place, "write another value here")


def written(draft: Draft, release: ResolvedRelease) -> bytes:
    """The bytes of an output: our header, then the canonical text."""
    body = emit_documents(draft.documents) if draft.documents is not None else draft.text or ""
    return (header(release.file) + body).encode()


def header(file: str) -> str:
    """The line by which an output is known to be ours."""
    return f"# Compiled by relspec from {file}. Edit that file, then run: relspec compile\n"


def compile_tree(
    tree: Tree, *, releases: Iterable[Place] | None = None, targets: Sequence[str] | None = None
) -> Compiled:
    """Compiles a tree. Pure: reads `tree`, writes nothing, and raises nothing for what is wrong in it.

    `releases` narrows it to some places (default: all that `discover` finds), `targets` to some of compose, helm and
    rollouts. Everything wrong is in the result's `diagnostics`.
    """
    return Compiler(tree).compile(releases, targets)

"""`relspec model`: the versions of a model, where they run, and which there is to go back to; and changes of all that."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from relspec.cli.model_alias import move_alias
from relspec.cli.model_register import register
from relspec.cli.model_standing import archive, deprecate, quarantine
from relspec.cli.registry import parted
from relspec.cli.session import Session, format_option
from relspec.reporters.text import printable

if TYPE_CHECKING:
    from relspec.deployments import Deployment, Standing
    from relspec.registry.records import Registry

SCHEMA = "relspec/model/v1"

EXAMPLES = """\b
Examples:
  relspec model list                                 every model, and what is active
  relspec model list als                             the versions of one
  relspec model current als --environment production
  relspec model candidates als                       what there is to go back to, newest first
  relspec model previous als                         the first of them
  relspec model show als v0.3
  relspec model register als v0.5 --uri s3://models/als/v0.5 --commit 207521e0 --data 9c1de442
  relspec model alias als prod v0.4                  and every release that says als@prod
  relspec model quarantine als v0.4 --reason "error rate 12 %"
"""


def environment_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--environment ENV`."""
    return click.option("--environment", metavar="ENV", help="Only what runs in this environment, or inside it.")(
        function
    )


class Models:
    """The registry of a repository, and what its releases run of it."""

    def __init__(self, directory: str, environment: str | None) -> None:
        from relspec.compiler import Compiler
        from relspec.deployments import deployments, within
        from relspec.diagnostics import RelspecError
        from relspec.positions import locate
        from relspec.reporters.text import report

        session = Session(directory)
        compiler = Compiler(session.tree())
        if environment is not None and environment not in compiler.found.environments:
            known = ", ".join(compiler.found.environments) or "none"
            raise click.UsageError(f"There is no environment {environment}. Known: {known}.")
        releases = []
        for place in compiler.found.releases:
            try:
                releases.append(compiler.resolver.release(place.file, place.environment, place.id))
            except RelspecError as error:
                findings = tuple(finding.of(place.id) for finding in error.findings)
                click.echo(report(locate(findings, compiler.loader.text), lambda _: None), err=True, nl=False)
                click.echo(f"{place.id} is left out", err=True)
        every = deployments(releases)
        self.registry: Registry = compiler.resolver.registry
        self.deployments = every if environment is None else within(environment, every)

    def standings(self, model: str) -> tuple[Standing, ...]:
        """The versions of a model, newest first."""
        from relspec.deployments import standings

        return standings(self.registry, model, self.deployments)

    def active(self, model: str) -> tuple[Deployment, ...]:
        """What runs a version of a model."""
        self.standings(model)
        return tuple(each for each in self.deployments if each.model == model)

    def before(self, model: str, version: str) -> tuple[Standing, ...]:
        """What there is to go back to."""
        from relspec.deployments import before

        return before(self.registry, model, version, self.standings(model))


@click.group("model", epilog=EXAMPLES)
def command() -> None:
    """Versions of a model: what is registered, what runs, what there is to go back to."""


for change in (register, move_alias, deprecate, archive, quarantine):
    command.add_command(change)


@command.command("list", epilog="Example: relspec model list als")
@click.argument("model", required=False)
@environment_option
@format_option
@click.pass_obj
def list_versions(directory: str, model: str | None, environment: str | None, form: str) -> int:
    """List the versions of MODEL, newest first; without MODEL, of every model."""
    models = Models(directory, environment)
    names = models.registry.models() if model is None else (model,)
    rows = [(name, standing) for name in names for standing in models.standings(name)]
    if form == "json":
        return _json("list", [{"model": name, **_standing(standing)} for name, standing in rows])
    header = ("MODEL", "VERSION", "LIFECYCLE", "ALIASES", "ACTIVE")
    return _table(
        header,
        [
            (name, each.version, _state(each), ", ".join(each.aliases), ", ".join(_place(d) for d in each.active))
            for name, each in rows
        ],
    )


@command.command("current", epilog="Example: relspec model current als --environment production")
@click.argument("model")
@environment_option
@format_option
@click.pass_obj
def current(directory: str, model: str, environment: str | None, form: str) -> int:
    """Say which versions of MODEL run where; exit 1 if none does."""
    active = Models(directory, environment).active(model)
    if form == "json":
        _json("current", [_deployment(each) for each in active])
    else:
        header = ("ENVIRONMENT", "RELEASE", "SERVICE", "VERSION", "ROLE", "ALIAS")
        _table(
            header,
            [(d.environment, d.release, d.service, d.version, d.role, d.alias or "") for d in active],
        )
    return 0 if active else 1


@command.command("candidates", epilog="Example: relspec model candidates als --environment production")
@click.argument("model")
@environment_option
@format_option
@click.pass_obj
def candidates(directory: str, model: str, environment: str | None, form: str) -> int:
    """List the versions of MODEL that each service could go back to, newest first.

    Archived and quarantined versions are left out.
    """
    return _back(directory, model, environment, form, "candidates", limit=None)


@command.command("previous", epilog="Example: relspec model previous als --environment production")
@click.argument("model")
@environment_option
@format_option
@click.pass_obj
def previous(directory: str, model: str, environment: str | None, form: str) -> int:
    """Say which version of MODEL each service would go back to; exit 1 if there is none."""
    return _back(directory, model, environment, form, "previous", limit=1)


def _back(directory: str, model: str, environment: str | None, form: str, what: str, *, limit: int | None) -> int:
    models = Models(directory, environment)
    found = [
        (deployment, standing)
        for deployment in models.active(model)
        if deployment.role != "candidate"
        for standing in models.before(model, deployment.version)[:limit]
    ]
    if form == "json":
        _json(what, [{**_deployment(d), "to": _standing(s)} for d, s in found])
    else:
        header = ("ENVIRONMENT", "RELEASE", "SERVICE", "FROM", "TO", "LIFECYCLE", "ALIASES")
        rows = [
            (d.environment, d.release, d.service, d.version, s.version, _state(s), ", ".join(s.aliases))
            for d, s in found
        ]
        _table(header, rows)
    return 0 if found else 1


@command.command("show", epilog="Example: relspec model show als v0.3")
@click.argument("model")
@click.argument("version", required=False)
@environment_option
@format_option
@click.pass_obj
def show(directory: str, model: str, version: str | None, environment: str | None, form: str) -> int:
    """Show a version of MODEL with its record, by its name or an alias; without VERSION (or MODEL@VERSION) the newest."""
    from relspec.diagnostics import Where
    from relspec.emit import emit

    if "@" in model:
        model, version = parted(model, version, "version")
    models = Models(directory, environment)
    standings = models.standings(model)
    if not standings:
        raise click.UsageError(f"{model} has no versions.")
    resolved = models.registry.resolve(f"{model}@{version or standings[0].version}", Where("registry"))
    standing = next(each for each in standings if each.version == resolved.version)
    record = resolved.record.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
    if form == "json":
        return _json("show", [{"model": model, **_standing(standing), "record": record}])
    reason = f": {printable(standing.quarantine)}" if standing.quarantine is not None else ""
    click.echo(f"{model} {standing.version}: {_state(standing)}{reason}")
    if standing.aliases:
        click.echo(f"aliases: {', '.join(standing.aliases)}")
    for each in standing.active:
        click.echo(f"runs in: {printable(_place(each))}")
    click.echo(f"record: {resolved.file}\n\n{emit(record)}", nl=False)
    return 0


def _place(deployment: Deployment) -> str:
    role = "" if deployment.role == "stable" else f" ({deployment.role})"
    return f"{deployment.release}/{deployment.service}{role}"


def _state(standing: Standing) -> str:
    return "quarantined" if standing.quarantine is not None else standing.lifecycle


def _deployment(each: Deployment) -> dict[str, Any]:
    return {
        "environment": each.environment,
        "release": each.release,
        "service": each.service,
        "model": each.model,
        "version": each.version,
        "role": each.role,
        "alias": each.alias,
    }


def _standing(each: Standing) -> dict[str, Any]:
    return {
        "version": each.version,
        "lifecycle": each.lifecycle,
        "quarantine": each.quarantine,
        "deployable": each.deployable,
        "aliases": list(each.aliases),
        "active": [_deployment(deployment) for deployment in each.active],
    }


def _json(what: str, entries: Sequence[dict[str, Any]]) -> int:
    click.echo(json.dumps({"schema": SCHEMA, what: list(entries)}, indent=2, ensure_ascii=False))
    return 0


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns as wide as their widest cell; nothing but the header where there is no row."""
    lines = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0

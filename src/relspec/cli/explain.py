"""`relspec explain`: where a value, an output's line or a code comes from."""

from __future__ import annotations

import json
import re

import click

from relspec.cli.session import Session, format_option, report
from relspec.reporters.text import printable

EXAMPLES = """\b
Examples:
  relspec explain production/movie-recs api.image           a value, and what it overrode
  relspec explain rendered/production/movie-recs/rollouts/rollouts.yaml:41
  relspec explain RS210                                     why it matters, wrong and right
  relspec explain --capabilities
"""


@click.command("explain", epilog=EXAMPLES)
@click.argument("subject", required=False, metavar="RELEASE | FILE:LINE | CODE")
@click.argument("field", required=False)
@click.option("--capabilities", is_flag=True, help="What each target can express.")
@format_option
@click.pass_obj
def command(directory: str, subject: str | None, field: str | None, *, capabilities: bool, form: str) -> int:
    """Say where a value, a line of an output or a code comes from."""
    if capabilities:
        from relspec.capabilities import as_json, table

        click.echo(json.dumps(as_json(), indent=2) if form == "json" else table())
        return 0
    if subject is None:
        raise click.UsageError("Name a release and a field, an output's line, or a code.")
    if re.fullmatch(r"[Rr][Ss][0-9]+", subject):
        return _code(subject.upper(), form)
    output, _, number = subject.rpartition(":")
    if output and number.isdigit():
        return _line(directory, output, int(number), form)
    if field is None:
        _known(directory, subject)
        raise click.UsageError(f"Name a field of {subject}, for example api.image.")
    return _field(directory, subject, field, form)


def _code(code: str, form: str) -> int:
    from relspec.catalogue import CATALOGUE
    from relspec.meanings import meaning
    from relspec.reporters import meanings

    if code not in CATALOGUE:
        raise click.UsageError(f"There is no code {code}. {_nearest(code, tuple(CATALOGUE))}")
    found = meaning(code)
    if form == "json":
        click.echo(json.dumps(meanings.as_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo(meanings.text(found), nl=False)
    return 0


def _nearest(code: str, known: tuple[str, ...]) -> str:
    """The codes of the same ten or the same hundred, for a number has no spelling to go by."""
    same = next((near for size in (5, 4, 3) if (near := [each for each in known if each[:size] == code[:size]])), known)
    return f"Did you mean {same[0]}?" if len(same) == 1 else f"The nearest are {', '.join(same[:12])}."


def _known(directory: str, subject: str) -> None:
    """Raises RelspecError RS200 where there is no such release."""
    from relspec.compiler import Compiler
    from relspec.workspace import select

    session = Session(directory)
    select(Compiler(session.tree()).found, session.words([subject]), session.prefix)


def _field(directory: str, subject: str, name: str, form: str) -> int:
    from relspec import explain
    from relspec.compiler import Compiler
    from relspec.positions import locate
    from relspec.workspace import select

    session = Session(directory)
    compiler = Compiler(session.tree())
    places = select(compiler.found, session.words([subject]), session.prefix)
    compiled = compiler.release(places[0])
    if compiled.release is None:
        report(locate(compiled.findings, compiler.loader.text), 1, form, compiler.tree)
        return 1
    found = explain.field(compiled.release, name)
    lines = compiler.positions()
    sources = [(source, lines(source.where)) for source in found.sources]
    if form == "json":
        entries = [
            {"layer": s.layer, "file": s.where.file, "line": r[0], "column": r[1], "value": s.value} for s, r in sources
        ]
        document = {
            "schema": "relspec/explain/v1",
            "field": name,
            "value": found.value,
            "sources": entries,
            "notes": found.notes,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    click.echo(f"{name} = {_shown(found.value)}")
    for index, (source, (line, column)) in enumerate(sources):
        word = "over" if index else "from"
        value = f": {_shown(source.value)}" if index else ""
        click.echo(f"  {word}  {printable(source.where.file)}:{line}:{column}  ({source.layer}){value}")
    for note in found.notes:
        click.echo(f"  note  {note}")
    return 0


def _line(directory: str, output: str, number: int, form: str) -> int:
    from relspec import explain
    from relspec.compiler import Compiler

    session = Session(directory)
    compiler = Compiler(session.tree())
    path = (session.start / output).resolve()
    if session.root in path.parents:
        output = path.relative_to(session.root).as_posix()
    prefix = compiler.settings.output + "/"
    place = next((p for p in compiler.found.releases if output.startswith(f"{prefix}{p.id}/")), None)
    if place is None:
        raise click.UsageError(f"{output} is not an output of a release here.")
    compiled = compiler.release(place)
    found = explain.line(compiled, output[len(prefix) + len(place.id) + 1 :], number)
    if found is None:
        raise click.UsageError(f"No entry begins on line {number} of {output}.")
    line, column = compiler.positions()(found.source)
    file = found.source.file if found.origin else compiler.sources.file_of(found.source.file)
    node = ".".join(map(str, found.path))
    field = ".".join(map(str, found.origin)) if found.origin else None
    if form == "json":
        document = {
            "schema": "relspec/explain/v1", "output": output, "line": number, "document": found.document, "path": list(found.path),
            "source": {"file": file, "line": line, "column": column, "field": field},
        }  # fmt: skip
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    click.echo(f"{printable(output)}:{number} is {printable(node)} of document {found.document + 1}")
    click.echo(
        f"  from  {printable(file)}:{line}:{column}" + (f"  ({printable(field)})" if field else "  (the template)")
    )
    return 0


def _shown(value: object) -> str:
    return printable(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

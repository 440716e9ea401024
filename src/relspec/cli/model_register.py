"""`relspec model register`: the record of a new version."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relspec.cli.editing import Editing, not_written
from relspec.cli.model_alias import aliased
from relspec.cli.registry import Work, done, dry_run_option, parted, refused, words
from relspec.cli.session import report
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.reporters.text import printable

if TYPE_CHECKING:
    from relspec.registry.versions import Scheme


@click.command(
    "register",
    epilog="""\b
Examples:
  relspec model register als v0.5 --uri s3://models/als/v0.5 --commit 207521e0 --data 9c1de442
  relspec model register als v0.5 --from record.yaml --alias latest
  train | relspec model register als v0.5 --from -
  relspec model register churn 1.0.0 --uri oci://ghcr.io/acme/churn:1.0.0 --image ghcr.io/acme/churn-serving:1.0.0
""",
)
@click.argument("model", callback=words)
@click.argument("version", required=False, callback=words)
@click.option("--from", "source", metavar="FILE", help="The record as YAML or JSON; - for stdin. Options go over it.")
@click.option("--uri", callback=words, metavar="URI", help="artifact.uri: where the model's files lie.")
@click.option("--digest", callback=words, metavar="sha256:…", help="artifact.digest: their content.")
@click.option("--reference", callback=words, metavar="TEXT", help="artifact.reference: what {model: reference} gives.")
@click.option("--repository", callback=words, metavar="URL", help="code.repository: where the training code lies.")
@click.option("--commit", callback=words, metavar="SHA", help="code.commit: its commit.")
@click.option("--data", "snapshot", callback=words, metavar="ID", help="data.snapshot: the data that it saw.")
@click.option("--image", callback=words, metavar="IMAGE", help="runtime.image: what serves it.")
@click.option("--python", callback=words, metavar="VERSION", help="runtime.python: the Python version.")
@click.option(
    "--config",
    "hyperparameters",
    multiple=True,
    callback=words,
    metavar="NAME=VALUE",
    help="A hyperparameter; repeatable.",
)
@click.option(
    "--metric", "metrics", multiple=True, callback=words, metavar="NAME=VALUE", help="How good it is; repeatable."
)
@click.option("--reports", callback=words, metavar="GLOB", help="What the live server calls it; default: the version.")
@click.option("--description", callback=words, metavar="TEXT", help="A sentence for people.")
@click.option("--alias", "alias", callback=words, metavar="NAME", help="Let this alias mean the version, too.")
@click.option("--versioning", type=click.Choice(["semver", "sequential"]), help="For a new model: how versions count.")
@dry_run_option
@click.pass_obj
def register(
    directory: str,
    /,
    model: str,
    version: str | None,
    *,
    source: str | None,
    alias: str | None,
    versioning: Scheme | None,
    dry_run: bool,
    **fields: str | tuple[str, ...] | None,
) -> int:
    """Add the record of a version to the registry. A record is never edited: one that is there stays as it is.

    The model is made where it is new.
    """
    from relspec import documents
    from relspec.positions import locate
    from relspec.registry import changes
    from relspec.registry.records import model_file, record_file
    from relspec.tree import MemoryTree

    model, version = parted(model, version, "version")
    work = Work(directory)
    name, text = _handed_over(work, source)
    try:
        given = documents.parse_carefully(text, name) if source is not None else {}
        record = changes.new_record(model, version, _with_fields(given, fields), name)
    except RelspecError as error:
        report(locate(error.findings, lambda _: text), 0, "text", MemoryTree({name: text}))
        return not_written()
    try:
        document, is_new = _model_document(work, model, version, versioning)
        file = record_file(model, version)
        there = work.compiler.tree.kind(file) == "file"
        if there and not changes.same_record(work.compiler.loader.text(file), record, file):
            message = f"{model} {version} is registered already, and says something else"
            hint = "a record is never edited: register what is new under the next version"
            raise RelspecError(Finding("RS430", message, Where(file), hint))
        files = {} if there else {file: changes.record_bytes(record)}
        if is_new or alias is not None:
            named = changes.with_alias(document, model, alias, version) if alias is not None else document
            files[model_file(model)] = named
        editing = work.editing(files)
        _check_interface(editing, model, version)
        if there:
            click.echo(f"{model} {version} is already registered")
        code = aliased(work, editing, model, alias, dry_run=dry_run) if alias else done(editing, dry_run=dry_run)
    except RelspecError as error:
        return refused(work, error)
    if code == 0 and not there and not dry_run:
        click.echo(f"to try it: relspec set RELEASE SERVICE.model={model}@{version}")
    return code


def _handed_over(work: Work, source: str | None) -> tuple[str, bytes]:
    """What a record that is handed over is called, and its bytes: none where there are options alone."""
    if source is None:
        return "the record", b""
    try:
        if source == "-":
            return "stdin", sys.stdin.buffer.read()
        return source, Path(work.session.start, source).read_bytes()
    except OSError as error:
        raise click.UsageError(f"can't read {printable(source)}: {error.strerror}") from error


PLACES: Mapping[str, tuple[str, ...]] = {
    "uri": ("artifact", "uri"),
    "digest": ("artifact", "digest"),
    "reference": ("artifact", "reference"),
    "repository": ("code", "repository"),
    "commit": ("code", "commit"),
    "snapshot": ("data", "snapshot"),
    "image": ("runtime", "image"),
    "python": ("runtime", "python"),
    "hyperparameters": ("config", "hyperparameters"),
    "metrics": ("metrics",),
    "reports": ("reports",),
    "description": ("description",),
}
"""Where an option's value goes in a record."""


def _with_fields(given: Mapping[str, Any], fields: Mapping[str, str | tuple[str, ...] | None]) -> dict[str, Any]:
    """A record with the values of options over it. Raises UsageError for what is no NAME=VALUE."""
    record = dict(given)
    for option, value in fields.items():
        if not value:
            continue
        *outer, last = PLACES[option]
        owner = record if not outer else _map(record.get(outer[0]))
        if isinstance(value, tuple):
            owner[last] = _map(owner.get(last)) | dict(_pair(word) for word in value)
        else:
            owner[last] = value
        if outer:
            record[outer[0]] = owner
    return record


def _map(value: Any) -> dict[str, Any]:
    """A copy of a map; an empty one for what is none."""
    return dict(value) if isinstance(value, dict) else {}


def _pair(word: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value as a number or boolean where it is written like one."""
    from relspec import documents

    name, separator, text = word.partition("=")
    if not (name and separator and text):
        raise click.UsageError(f"{printable(word)} is no NAME=VALUE, for example rank=64.")
    try:
        value = documents.parse_carefully(f"value: {text}".encode(), "VALUE")["value"]
    except RelspecError:
        return name, text
    return name, value if isinstance(value, int | float) else text


def _model_document(work: Work, model: str, version: str, versioning: Scheme | None) -> tuple[bytes, bool]:
    """model.yaml, made where the model is new. Raises RelspecError RS216 for a version that does not fit."""
    from relspec.registry import changes
    from relspec.registry.records import model_file

    file = model_file(model)
    if work.compiler.tree.kind(file) == "file":
        scheme = work.registry.model(model).versioning
        if versioning not in (None, scheme):
            raise click.UsageError(f"{model} counts {scheme} versions, as {file} says.")
        changes.check_scheme(model, version, scheme)
        return work.compiler.loader.text(file), False
    scheme = versioning or changes.scheme_of(version) or "semver"
    changes.check_scheme(model, version, scheme)
    return changes.new_model(model, scheme), True


def _check_interface(editing: Editing, model: str, version: str) -> None:
    """Raises RelspecError RS217 for an interface that is no JSON Schema: nobody could mend it later."""
    from relspec.rules.records import check_record

    problems = tuple(check_record(editing.compiler.resolver.registry, model, version))
    if problems:
        raise RelspecError(*problems)

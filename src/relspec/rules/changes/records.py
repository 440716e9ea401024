"""The registry is add-only: a record is never edited or removed, and a quarantine is lifted, never dropped.

What these findings say of a change is also what a plain `git revert` would lose (`lost_by_restoring`).
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from relspec import documents
from relspec.diagnostics import Finding, Part, Path, RelspecError, Where
from relspec.registry.records import FOLDER, model_file, record_file
from relspec.rules.changes.reach import MODEL_FILE, changed_models
from relspec.rules.changes.side import Side
from relspec.spec.registry import Model
from relspec.tree import NOT_OURS

MOST_FIELDS = 3
"""Edited fields that a message names."""

MOST_REVERTS = 3
"""Commits taken back that a message names."""

MOST_FILES = 5
"""Files that a line to type names; more are found by Git."""


class Loss(Struct, frozen=True):
    """What a plain revert takes out of the registry: a record, or a quarantine that is in force.

    `files` are to be put back to keep it; where model.yaml says more that goes back, `command` adds the entry again.
    """

    kind: Literal["record", "quarantine"]
    model: str
    version: str
    files: tuple[str, ...] = ()
    command: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What is lost, without how to keep it: its kind, the model and the version."""
        return self.kind, self.model, self.version

    @property
    def words(self) -> str:
        """What it is: `the record of als v3`."""
        return f"the {self.kind} of {self.model} {self.version}"

    def as_json(self) -> Mapping[str, Any]:
        """The loss as JSON data."""
        return {"kind": self.kind, "model": self.model, "version": self.version, "words": self.words}


TakenBack = Mapping[tuple[str, str, str], Sequence[str]]
"""The commits whose revert took something out of the registry, by what that is (`Loss.key`)."""

NONE: TakenBack = MappingProxyType({})


def edited_records(
    base: Side,
    head: Side,
    changed: Collection[str] | None = None,
    *,
    revision: str = "",
    reverts: TakenBack = NONE,
) -> Iterator[Finding]:
    """RS430: a ModelVersion record says what was true of what ran. `reverts` are those that removed one."""
    for model, version in _records(base, changed):
        path = record_file(model, version)
        name = f"{model} {version}"
        if head.tree.kind(path) in NOT_OURS:
            continue  # RS241 says so
        if head.tree.kind(path) != "file":
            by = reverts.get(("record", model, version), ())
            message = f"the record of version {version} of {model} was removed{_by_the_revert(by)}"
            hint = f"{_put_back(path, revision)}; archive the version in {model_file(model)} instead"
            if by:
                hint = f"to keep it: {_putting_back([_lost_record(head, model, version)], revision)}, and commit that"
            yield Finding("RS430", message, Where(path), hint)
        elif head.text(path) != base.text(path):
            fields = list(_differences(base.text(path), head.text(path), path))
            named = ", ".join(".".join(map(str, field)) for field, _ in islice(fields, MOST_FIELDS) if field)
            message = f"the record of {name} was edited" + (f": {named}" if named else "")
            more = len(fields) - MOST_FIELDS
            message += f" and {more} more" if more > 0 else ""
            where, part = fields[0] if fields else ((), "key")
            hint = f"{_put_back(path, revision)}; then register a new version"
            yield Finding("RS430", message, Where(path, where, part), hint)


def removed_quarantines(
    base: Side,
    head: Side,
    changed: Collection[str] | None = None,
    *,
    revision: str = "",
    reverts: TakenBack = NONE,
) -> Iterator[Finding]:
    """RS431: an entry that is gone lets its version come back, and nobody said why.

    What a revert lifts nobody has lifted either; what somebody lifts beside it is (`reverts`).
    """
    for model, before, after in _models(base, head, changed):
        path = model_file(model)
        kept = (after.quarantine or {}) if after is not None else {}
        lost = {loss.version: loss for loss in _lost_quarantines(model, before, after) if loss.key in reverts}
        for version in before.quarantine or {}:
            if version not in kept or version in lost:
                by = reverts.get(("quarantine", model, version), ())
                what = "removed" if version not in kept else "lifted"
                message = f"the quarantine of {model} {version} was {what}{_by_the_revert(by)}"
                lift = f'relspec model quarantine {model} {version} --lift "REASON"'
                hint = f"{_put_back(path, revision)}; then, to let {version} come back: {lift}"
                if version in lost:
                    hint = f"to keep it: {_putting_back([lost[version]], revision)}, and commit that"
                at: Path = ("quarantine", version) if version in kept else ("quarantine",) if kept else ()
                yield Finding("RS431", message, Where(path, at, "key"), hint)


# --- what a revert takes away


def lost_by_restoring(base: Side, head: Side, changed: Collection[str] | None = None) -> tuple[Loss, ...]:
    """What a revert from `base` to `head` takes out of the registry, by model and version."""
    records = (
        _lost_record(head, *pair) for pair in _records(base, changed) if head.tree.kind(record_file(*pair)) != "file"
    )
    quarantines = (loss for found in _models(base, head, changed) for loss in _lost_quarantines(*found))
    return (*records, *quarantines)


def keeping(losses: Sequence[Loss], revision: str) -> str:
    """The line to type right after a revert that keeps what it took; `revision` is the state that still has it.

    The commit may end up empty: where all that the change did was to register.
    """
    return f"{_putting_back(losses, revision)} && git add {FOLDER} && git commit --amend --no-edit --allow-empty"


def _putting_back(losses: Sequence[Loss], revision: str) -> str:
    """The same without the commit, which may not be made yet."""
    files = sorted({file for loss in losses for file in loss.files})
    steps = []
    if len(files) > MOST_FILES:
        gone = f"git diff -z --name-only --diff-filter=D {shlex.quote(revision)} HEAD -- {FOLDER}"
        steps.append(f"{gone} | xargs -0 git checkout {shlex.quote(revision)} --")
    elif files:
        steps.append(_put_back(" ".join(files), revision, quoted=shlex.join(files)))
    steps += [loss.command for loss in losses if loss.command]
    return " && ".join(steps)


def _lost_record(head: Side, model: str, version: str) -> Loss:
    """A record needs its model.yaml."""
    file = model_file(model)
    beside = () if head.tree.kind(file) == "file" else (file,)
    return Loss("record", model, version, (record_file(model, version), *beside))


def _lost_quarantines(model: str, before: Model, after: Model | None) -> Iterator[Loss]:
    """The quarantines in force that are gone, or lifted: by a revert, not by anybody who gave a reason."""
    kept = (after.quarantine or {}) if after is not None else {}
    nothing_else = after is None or before.model_dump(exclude={"quarantine"}) == after.model_dump(
        exclude={"quarantine"}
    )
    for version, entry in (before.quarantine or {}).items():
        now = kept.get(version)
        if entry.lifted is None and (now is None or now.lifted is not None):
            reason = shlex.quote(" ".join(entry.reason.split()))
            command = f"relspec model quarantine {model} {version} --reason {reason}"
            files = (model_file(model),) if nothing_else else ()
            yield Loss("quarantine", model, version, files, "" if files else command)


def _models(base: Side, head: Side, changed: Collection[str] | None) -> Iterator[tuple[str, Model, Model | None]]:
    """The models whose model.yaml differs, as both sides have them; None where it is gone, and none that can't be read."""
    for model in changed_models(base, head, changed):
        before, after = base.model(model), head.model(model)
        if before is not None and (after is not None or head.tree.kind(model_file(model)) != "file"):
            yield model, before, after


def _by_the_revert(reverts: Sequence[str]) -> str:
    return f" by the revert of {', '.join(reverts[:MOST_REVERTS])}" if reverts else ""


def _put_back(path: str, revision: str, quoted: str = "") -> str:
    """How to get a file of the base again; for somebody who has no name for the base, in words."""
    return f"git checkout {shlex.quote(revision)} -- {quoted or shlex.quote(path)}" if revision else f"put back {path}"


def _records(side: Side, changed: Collection[str] | None) -> list[tuple[str, str]]:
    """The records of the base that may differ, by model and version, sorted."""
    if changed is None:
        return [(model, version) for model in side.registry.models() for version in side.registry.versions(model)]
    parts = [path.split("/") for path in changed]
    names = [part for part in parts if len(part) == 3 and part[0] == FOLDER and part[2] != MODEL_FILE]
    found = [(model, file.removesuffix(".yaml")) for _, model, file in names if file.endswith(".yaml")]
    return sorted(pair for pair in found if side.tree.kind(record_file(*pair)) == "file")


def _differences(old: bytes, new: bytes, path: str) -> Iterator[tuple[Path, Part]]:
    """The nodes of `new` that differ; of what is gone, the key of the map that held it. None for comments alone."""
    try:
        yield from _unlike(documents.parse(old, path), documents.parse(new, path), ())
    except RelspecError:
        return


def _unlike(old: Any, new: Any, at: Path) -> Iterator[tuple[Path, Part]]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if type(old) is not type(new) or old != new:
            yield at, "value"
        return
    for key in new:
        if key not in old:
            yield (*at, key), "key"
        else:
            yield from _unlike(old[key], new[key], (*at, key))
    if any(key not in new for key in old):
        yield at, "key"

"""Whether an output, or a chart's values, fits its strict schema, and what to say where it does not.

`schemas/outputs/` holds the schemas; `tools/output_schemas.py` made them and says how. One engine, jsonschema-rs,
decides *and* explains: its errors are typed, so a message can't disagree with the decision, and no pattern can take
for ever in either. A validator is built when its kind is first met (milliseconds) and then takes microseconds.

What is checked here is the shape of one object. Whether weights add up, secrets exist or two strategies exclude each
other is for `relspec.rules`.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from relspec.credentials import literal_secrets, looks_secret, names_secret
from relspec.diagnostics import Part, Path
from relspec.documents import why_not_json
from relspec.schema_cost import TOO_LONG, TOO_LONG_TO_SAY, TOO_MUCH, TOO_MUCH_HINT, Work, unfolds_to_too_much

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, ValidationErrorKind, Validator

KUBERNETES_VERSIONS: tuple[str, ...] = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
"""The Kubernetes versions that there are schemas for, oldest first."""

DEFAULT_KUBERNETES = "1.34"
"""The version to check against where neither environment nor lock names one."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The JSON Schema edition of the schemas in `schemas/outputs/`."""

BACKTRACK_LIMIT = 10_000
"""Steps back that a pattern of a team's schema may take where it looks around, which no linear engine knows."""

SHOWN = 60
"""Characters of a value that a message repeats, at most."""

MAX_ERRORS = 1000
"""Errors of the engine that are explained."""

LISTED = 12
"""Fields or options that a message lists, at most."""


class SchemaProblem(Struct, frozen=True):
    """One way in which a value does not fit.

    `path` leads from the root of the value: to the key that is unknown, to the map that lacks a field, else to the
    wrong value. `part` says which half of that entry is meant.
    """

    path: Path
    message: str
    hint: str = ""
    part: Part = "value"


class UnusableSchemaError(ValueError):
    """A schema that a team or chart brings can't be used at all; `str()` says why, in one sentence."""


def check_object(obj: Mapping[str, Any], kubernetes: str) -> tuple[SchemaProblem, ...]:
    """What keeps a Kubernetes object from being one that `kubernetes` (such as "1.34") takes, sorted by path.

    The kind decides which schema holds; one that relspec does not write is a problem too. Raises ValueError for a
    version that is not in `KUBERNETES_VERSIONS`.
    """
    if kubernetes not in KUBERNETES_VERSIONS:
        raise ValueError(f"no schemas for Kubernetes {kubernetes!r}; there are {', '.join(KUBERNETES_VERSIONS)}")
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    name = f"{api_version}/{kind}"
    if name not in _kinds():
        return (_unknown_kind(api_version, kind),)
    return _object_checker(name, kubernetes).problems(obj)


def check_compose(document: Mapping[str, Any]) -> tuple[SchemaProblem, ...]:
    """What keeps a document from being a Compose file, sorted by path."""
    return _compose_checker().problems(document)


def check_against(schema: Mapping[str, Any], value: object) -> tuple[SchemaProblem, ...]:
    """What keeps `value` from fitting a schema that a chart or a team brings (draft 4 to 2020-12), sorted by path.

    Nothing is fetched: a reference out of `schema` is an error, and so is an invalid schema. Both raise
    `UnusableSchemaError`, because the place to mend is the schema and not the value. A schema without `$schema` is
    2020-12, as for Helm.
    """
    try:
        text = json.dumps(schema, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableSchemaError(f"the schema is not JSON: {why_not_json(error)}") from error
    return _user_checker(text).problems(value)


def object_schema(kind: str, kubernetes: str) -> dict[str, Any]:
    """The whole schema of a kind (`v1/Service`, `argoproj.io/v1alpha1/Rollout`) for one Kubernetes version.

    Raises KeyError for a kind that relspec does not write.
    """
    place, definitions = _kinds()[kind], _definitions(kubernetes)
    root = _read(place["file"]) if "file" in place else definitions[place["definition"]]
    return {"$schema": DIALECT, **root, "$defs": definitions}


def compose_schema() -> dict[str, Any]:
    """The whole schema of a Compose file."""
    schema: dict[str, Any] = _read("compose.json")
    return schema


# Schemas


@functools.cache
def _read(name: str) -> Any:
    """A file of `schemas/outputs/`. One that is missing or broken is a broken installation, and raises."""
    return json.loads(resources.files("relspec").joinpath("schemas", "outputs", name).read_text("utf-8"))


@functools.cache
def _kinds() -> dict[str, dict[str, str]]:
    """`apiVersion/kind` to where its schema lies: a file, or a definition of Kubernetes' own."""
    kinds: dict[str, dict[str, str]] = _read("index.json")["kinds"]
    return kinds


@functools.cache
def _definitions(kubernetes: str) -> dict[str, Any]:
    """The definitions of one Kubernetes version."""
    return {
        name: form["schema"]
        for name, forms in _read("kubernetes.json").items()
        for form in forms
        if kubernetes in form["versions"]
    }


@functools.cache
def _object_checker(kind: str, kubernetes: str) -> _Checker:
    """The checker of one kind, by `apiVersion/kind`, for one Kubernetes version."""
    schema = object_schema(kind, kubernetes)
    return _Checker(schema, _linear(schema), f"the {kind.rpartition('/')[2]}")


@functools.cache
def _compose_checker() -> _Checker:
    """The checker of Compose files."""
    schema = compose_schema()
    return _Checker(schema, _linear(schema), "the Compose file")


@functools.lru_cache(maxsize=64)
def _user_checker(text: str) -> _Checker:
    """The checker of a schema given as JSON: a fleet checks thousands of releases against the same chart."""
    schema = json.loads(text)
    if unfolds_to_too_much(schema):
        raise UnusableSchemaError(f"the schema {TOO_MUCH}; {TOO_MUCH_HINT}")
    try:
        return _Checker(schema, _linear(schema), "the value", Work(schema))
    except ValueError:
        # Perhaps only a look-ahead, which the linear engine does not know: the bounded one decides.
        return _Checker(schema, _bounded(schema), "the value", Work(schema))


def _linear(schema: dict[str, Any]) -> Validator:
    """A validator whose patterns take linear time. Raises ValueError where the schema is wrong or needs more."""
    from jsonschema_rs import RegexOptions, validator_for  # noqa: PLC0415  (slow, and `--version` needs none of it)

    return validator_for(schema, mask="it", retriever=_refuse, pattern_options=RegexOptions())


def _bounded(schema: dict[str, Any]) -> Validator:
    """A validator whose patterns may look around, within `BACKTRACK_LIMIT` steps. Raises UnusableSchemaError."""
    from jsonschema_rs import FancyRegexOptions, validator_for  # noqa: PLC0415

    options = FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)
    try:
        return validator_for(schema, mask="it", retriever=_refuse, pattern_options=options)
    except ValueError as error:
        raise UnusableSchemaError(_unusable(error)) from error


def _refuse(uri: str) -> Any:
    """In place of a download: a check must not depend on what a server answers today."""
    raise ValueError(f"{uri} is outside the schema")


def _unusable(error: ValueError) -> str:
    """Why a schema can't be used, in one sentence, from what the engine says (its first line)."""
    reason = str(error).partition("\n")[0]
    outside = re.match("Resource '(.*?)' is not present", reason)
    if outside:
        return f"the schema refers to {_cut(outside[1])}, which is outside it; copy what is meant into `$defs`"
    path = "".join(f"/{step}" for step in getattr(error, "instance_path", ()))
    return f"the schema is invalid at #{path}: {_cut(reason, 2 * SHOWN)}"


# Problems


class _Checker(Struct, frozen=True):
    """A schema with its compiled validator, and what messages call the whole value.

    `work` bounds what a user's schema takes. In `ours`, whose work is known, there is none, and a `description` completes
    "must be …"; in a user's schema it is prose.
    """

    schema: Any
    validator: Validator
    name: str
    work: Work | None = None
    secrets: frozenset[Path] = frozenset()
    """Where the value at hand writes secrets out: messages don't repeat them."""

    @property
    def ours(self) -> bool:
        """Whether relspec brings the schema."""
        return self.work is None

    def problems(self, value: object) -> tuple[SchemaProblem, ...]:
        """Every problem once, sorted by path; nothing else than the decision is computed for a value that fits.

        Raises UnusableSchemaError where a user's schema would take too long to say.
        """
        value = dict(value) if isinstance(value, Mapping) else value
        if self.work is not None and self.work.takes_too_long(value):
            raise UnusableSchemaError(f"the schema {TOO_LONG}; {TOO_MUCH_HINT}")
        try:
            if self.validator.is_valid(value):
                return ()
            if self.work is not None and self.work.says_too_much(value):
                raise UnusableSchemaError(f"the schema {TOO_LONG_TO_SAY}")
            errors = list(islice(self.validator.iter_errors(value), MAX_ERRORS))
        except UnusableSchemaError:
            raise
        except ValueError as error:
            # What is no JSON (a key that is a number) or has more levels than the engine follows can't be said to fit.
            return (SchemaProblem((), f"{self.name} can't be checked: {_cut(str(error), 2 * SHOWN)}"),)
        knowing = replace(self, secrets=frozenset(path for path, _ in literal_secrets(value)))
        found = {problem for error in errors for problem in _explained(error, knowing)}
        if not found:
            raise AssertionError(f"{self.name} was refused without a reason")
        return tuple(sorted(found, key=_document_order))

    def place(self, path: Path) -> str:
        """A path as a person writes it: `spec.containers[0].image`."""
        return "".join(_step(step) for step in path).removeprefix(".") or self.name

    def shown(self, error: ValidationError) -> str:
        """The wrong value in a message, unless it may be a secret."""
        path = tuple(error.instance_path)
        named = any(isinstance(step, str) and names_secret(step) for step in path)
        if path in self.secrets or (isinstance(error.instance, str) and (named or looks_secret(error.instance))):
            return "what it is"
        return _shown(error.instance)

    def around(self, error: ValidationError) -> dict[str, Any]:
        """The schema that holds the keyword which failed, or an empty one where it can't be followed."""
        node = self.schema
        for step in error.schema_path[:-1]:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return {}
        return node if isinstance(node, dict) else {}


def _document_order(problem: SchemaProblem) -> tuple[list[tuple[bool, int, str]], str]:
    """Paths with list indexes as numbers, then messages."""
    steps = [(isinstance(step, str), 0 if isinstance(step, str) else step, str(step)) for step in problem.path]
    return steps, problem.message


def _step(step: str | int) -> str:
    """One step of a path; quoted where it would be taken for several."""
    if isinstance(step, int):
        return f"[{step}]"
    return f".{_cut(step)}" if re.fullmatch("[A-Za-z0-9_-]+", step) else f"[{_shown(step)}]"


def _explained(error: ValidationError, checker: _Checker) -> Iterator[SchemaProblem]:
    """One error of the engine as problems: an unknown field gives one each, a union those of the form meant."""
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415

    path = tuple(error.instance_path)
    place = checker.place(path)
    match error.kind:
        case Kind.AdditionalProperties(unexpected=names) | Kind.UnevaluatedProperties(unexpected=names):
            for name in names[:MAX_ERRORS]:
                yield _unknown_field(error, name, checker)
        case Kind.FalseSchema() if error.schema_path[-1:] == ["additionalProperties"]:
            # How the engine refuses the keys of a map that declares none at all; it doesn't say which.
            yield SchemaProblem(path, f"{place} takes no fields", "write {} or remove it")
        case Kind.FalseSchema():
            yield SchemaProblem(path, f"{place} is not allowed here", "remove it", "key")
        case Kind.Required(property=name):
            yield SchemaProblem(path, f'{place} needs the field "{_cut(name)}"', part="key")
        case Kind.PropertyNames(error=inner):
            key = str(inner.instance)
            yield SchemaProblem((*path, key), f"a key of {place} {_complaint(inner, checker)}", part="key")
        case Kind.AnyOf(context=forms) | Kind.OneOfNotValid(context=forms):
            yield from _no_form_fits(error, forms, checker)
        case Kind.OneOfMultipleValid():
            yield SchemaProblem(path, f"{place} {_too_many_forms(error, checker)}")
        case _:
            yield SchemaProblem(path, f"{place} {_complaint(error, checker)}", _value_hint(error))


def _unknown_field(error: ValidationError, name: str, checker: _Checker) -> SchemaProblem:
    """The problem of a key that a map does not take: no such field or, in a map of free names, no such name."""
    path = tuple(error.instance_path)
    around = checker.around(error)
    fields, patterns = sorted(around.get("properties", ())), list(around.get("patternProperties", ()))
    place, key = checker.place(path), _shown(name)
    if patterns and not fields:
        return SchemaProblem((*path, name), f"a key of {place} must match {_cut(patterns[0])}, not {key}", part="key")
    return SchemaProblem((*path, name), f"{place} has no field {key}", _meant(path, name, fields), "key")


def _unknown_kind(api_version: object, kind: object) -> SchemaProblem:
    """The problem of an object of a kind that there is no schema for."""
    for field, value in (("apiVersion", api_version), ("kind", kind)):
        if value is None:
            return SchemaProblem((), f'the object needs the field "{field}"', part="key")
        if not isinstance(value, str):
            return SchemaProblem((field,), f"{field} must be a string, not {_shown(value)}")
    versions = [name.rpartition("/")[0] for name in _kinds() if name.rpartition("/")[2] == kind]
    if versions:
        hint = f"write apiVersion: {' or '.join(versions)}"
        return SchemaProblem(("apiVersion",), f"a {kind} of apiVersion {_shown(api_version)} is not supported", hint)
    kinds = sorted(name.rpartition("/")[2] for name in _kinds())
    hint = _suggestion(str(kind), kinds) or f"relspec writes {', '.join(kinds)}"
    return SchemaProblem(("kind",), f"objects of kind {_shown(kind)} are not supported", hint)


def _meant(path: Path, name: str, known: Sequence[str]) -> str:
    """What to write instead of an unknown field."""
    if name == "autoPromotionEnabled":
        # Found in the wild: the API server drops it, or refuses it, and the gate that it meant is gone (DESIGN 4).
        if path[-2:] == ("strategy", "canary"):
            return "a canary waits for a person at the step `pause: {}`; autoPromotionEnabled belongs to blueGreen"
        return "autoPromotionEnabled belongs to spec.strategy.blueGreen"
    if path == () and name == "status":
        return "a controller writes status; remove it"
    return _suggestion(name, known) or _listing(known)


def _suggestion(word: str, known: Iterable[str]) -> str:
    """A question, where one of the known words is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def _listing(known: Sequence[str]) -> str:
    """The fields that there are, where they are few."""
    return f"the fields are: {', '.join(known)}" if 0 < len(known) <= LISTED else "remove it"


def _no_form_fits(
    error: ValidationError, forms: Sequence[Sequence[ValidationError]], checker: _Checker
) -> Iterator[SchemaProblem]:
    """The problems of a value that may have several forms and has none.

    The form that was meant is taken to be the one of the value's type that has the fewest errors, and then its
    problems are what a person wants to read, not those of the forms that nobody tried.
    """
    path = tuple(error.instance_path)
    place = checker.place(path)
    typed = [form for form in forms if not _wrong_type(form, path)]
    if not typed:
        types = sorted({name for form in forms for name in _types(form, path)})
        yield SchemaProblem(path, f"{place} must be {_one_of_types(types)}, not {checker.shown(error)}")
        return
    missing = [_only_missing(form) for form in typed]
    if len(missing) > 1 and all(missing):
        yield SchemaProblem(path, f"{place} needs one of the fields {', '.join(map(str, missing))}", part="key")
        return
    for inner in min(typed, key=len):
        yield from _explained(inner, checker)


def _wrong_type(form: Sequence[ValidationError], path: Path) -> bool:
    """Whether a form of a union is for values of another type."""
    return bool(_types(form, path))


def _types(form: Sequence[ValidationError], path: Path) -> frozenset[str]:
    """The types that a form asks for where the value at `path` has none of them; empty where the type fits."""
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415

    for error in form:
        if tuple(error.instance_path) != path:
            continue
        match error.kind:
            case Kind.Type(types=types):
                return frozenset(types)
            case Kind.AnyOf(context=forms) | Kind.OneOfNotValid(context=forms):
                inner = [_types(nested, path) for nested in forms]
                if all(inner):
                    return frozenset().union(*inner)
    return frozenset()


def _only_missing(form: Sequence[ValidationError]) -> str:
    """The one field whose absence is all that a form has against the value, or nothing."""
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415

    match [error.kind for error in form]:
        case [Kind.Required(property=name)]:
            return str(name)
    return ""


def _too_many_forms(error: ValidationError, checker: _Checker) -> str:
    """What is wrong with a value that fits several forms and may have one: mostly fields that exclude each other."""
    forms = checker.around(error).get("oneOf", ())
    choices = {name for form in forms if form.keys() == {"required"} for name in form["required"]}
    there = sorted(choices & set(error.instance)) if isinstance(error.instance, dict) else []
    if len(there) > 1:
        return f"takes only one of the fields {', '.join(there)}"
    return "fits more than one of the forms that exclude each other"


TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "a map",
    "string": "a string",
}


def _one_of_types(types: Iterable[str]) -> str:
    """Types, as people call them."""
    return " or ".join(TYPES.get(name, name) for name in types)


def _rule(error: ValidationError, checker: _Checker) -> str:
    """What a value must do or be, to go after "must"."""
    description = checker.around(error).get("description") if checker.ours else None
    if description and not _is_type(error.kind):
        return f"be {description}"
    return _rule_of_kind(error)


def _complaint(error: ValidationError, checker: _Checker) -> str:
    """What is wrong with a value: the rule that it breaks or, for rare ones, the engine's words, which don't show it."""
    rule = _rule(error, checker)
    if rule:
        return f"must {rule}, not {checker.shown(error)}"
    return f"does not fit its schema: {_cut(error.message, 2 * SHOWN)}"


def _is_type(kind: ValidationErrorKind) -> bool:
    """Whether a value has another type than the schema asks for: then the type says more than any description."""
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415

    return isinstance(kind, Kind.Type)


RULES = {
    "exclusiveMaximum": "be less than {}",
    "exclusiveMinimum": "be more than {}",
    "format": "be a valid {}",
    "maximum": "be at most {}",
    "maxItems": "have at most {} entries",
    "maxLength": "have at most {} characters",
    "maxProperties": "have at most {} entries",
    "minimum": "be at least {}",
    "minItems": "have at least {} entries",
    "minLength": "have at least {} characters",
    "minProperties": "have at least {} entries",
    "multipleOf": "be a multiple of {}",
    "pattern": "match {}",
    "uniqueItems": "list no entry twice",
}
"""What a keyword asks for, to go after "must"; `{}` is the keyword's value."""


def _rule_of_kind(error: ValidationError) -> str:
    """What a keyword asks for; nothing for those that are rare."""
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415

    match error.kind:
        case Kind.Type(types=types):
            return f"be {_one_of_types(types)}"
        case Kind.Constant(expected_value=value):
            return f"be {_shown(value)}"
        case Kind.Enum(options=options):
            more = ", …" if len(options) > LISTED else ""
            return f"be one of {', '.join(_shown(option) for option in options[:LISTED])}{more}"
        case kind if kind.name in RULES:
            rule = RULES[kind.name].format(_cut(str(kind.value)))
            return re.sub(r"\b1 (character|entr)(s|ies)$", _singular, rule)
        case _:
            return ""


def _singular(plural: re.Match[str]) -> str:
    """One character, one entry."""
    return "1 character" if plural[1] == "character" else "1 entry"


def _value_hint(error: ValidationError) -> str:
    """What to type instead of a wrong value, where that is plain."""
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415

    value = error.instance
    match error.kind:
        case Kind.Type(types=types) if value is None:
            empty = ", or write {}" if "object" in types else ""
            return f"null is no value here: leave the field out{empty}"
        case Kind.Type(types=types) if "integer" in types and isinstance(value, str) and value.isdigit():
            return "write the number without quotes"
        case Kind.Type(types=["string"]) if isinstance(value, (int, float)):
            return "write it in quotes"
        case Kind.Enum(options=options) if isinstance(value, str):
            return _suggestion(value, [option for option in options if isinstance(option, str)])
    return ""


def _shown(value: object) -> str:
    """A value in a message: a scalar as YAML has it, cut short; of a map or list only that it is one."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str, longest: int = SHOWN) -> str:
    """`text`, without its end where it is long."""
    return text if len(text) <= longest else text[: longest - 1] + "…"

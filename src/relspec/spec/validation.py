"""A document checked against its model: every problem at once, in our own words.

pydantic says what is wrong and where; here its error types become codes and sentences, and its locations become paths
into the document (a location also names the branches of unions, which are no part of a document).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from pydantic import BaseModel, ValidationError

from relspec.credentials import KEEP_OUTSIDE, has_login, is_number, looks_secret, names_secret, secret_at
from relspec.diagnostics import Finding, Part, Path, Remedy, Where
from relspec.spec.quantities import DNS_LABEL, DURATION, MEMORY, MODEL_REFERENCE, SECRET_REFERENCE

TYPE_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "float_type": "a number",
    "none_required": "null",
}
"""pydantic's error types that mean "another kind of value was expected", in words."""


MAX_FINDINGS = 200
"""Findings about one document: more are no help to anybody."""

MAX_WORD = 64
"""Letters of a key for which a similar one is looked for."""

OF_THE_WHOLE = frozenset({"RS125", "RS129", "RS301", "RS304", "RS305", "RS444"})
"""Codes of models that compare their fields with each other: only all layers together can break them."""


def validate(
    model: type[BaseModel], data: Any, file: str, *, merges: Callable[[Path], bool] = lambda _: False
) -> tuple[Finding, ...]:
    """What is wrong with `data`, the content of `file`; nothing where it fits `model`.

    One finding a place: where a union was tried branch by branch, the branch that came furthest speaks. `merges` says
    what other layers may complete: there, what is missing or null is not yet wrong.
    """
    try:
        model.model_validate(data)
    except ValidationError as error:
        return findings_of(error, model, data, partial(Where, file), merges)
    return ()


def findings_of(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    locate: Callable[[Path, Part], Where],
    merges: Callable[[Path], bool] = lambda _: False,
) -> tuple[Finding, ...]:
    """pydantic's `error` about `data` as findings; `locate` says where a path of `data` was written."""
    problems = [
        (document_path(item["loc"], data, missing=item["type"] == "missing"), item)
        for item in error.errors(include_url=False)
    ]
    found: dict[tuple[Path, str], Finding] = {}
    further = {path[:depth] for path, _ in problems for depth in range(len(path))}
    further |= {path for path, item in problems if item["type"] not in TYPE_WORDS}
    unknown: dict[Path, list[tuple[Path, Any]]] = {}
    for path, item in problems:
        if item["type"] == "extra_forbidden":
            unknown.setdefault(path[:-1], []).append((path, item))
    for path, item in problems:
        if len(found) == MAX_FINDINGS:
            break
        if item["type"] == "missing" and _is_misspelled(path, unknown.get(path[:-1], ()), model):
            continue  # one mistake, one answer: the key's right name
        if item["type"] in TYPE_WORDS and path in further:  # another branch of a union says more
            continue
        if _others_may_complete(path, item, merges):
            continue
        finding = _secret(path, item, model, data, problems, locate) or _finding(path, item, model, problems, locate)
        found.setdefault((finding.where.path, finding.code), finding)
    for finding in _behind(problems, model, data, locate, merges):
        found.setdefault((finding.where.path, finding.code), finding)
    return tuple(found.values())[:MAX_FINDINGS]


def _behind(
    problems: Sequence[tuple[Path, Any]],
    model: type[BaseModel],
    data: Any,
    locate: Callable[[Path, Part], Where],
    merges: Callable[[Path], bool],
) -> Iterator[Finding]:
    """What the keys of another tool hide, for pydantic looks no further into a map that has one: all but those keys."""
    strange = [(path, item["ctx"]["key"]) for path, item in problems if "key" in (item.get("ctx") or {})]
    strange = [(path, key) for path, key in strange if key not in keys_at(model, path)]
    if not strange:
        return
    left = data
    for path, key in strange:
        left = _without(left, (*path, key))
    try:
        model.model_validate(left)
    except ValidationError as error:
        emptied = {path for path, _ in strange if not _at(left, path)}
        for finding in findings_of(error, model, left, locate, merges):
            if finding.where.path not in emptied:
                yield finding


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _without(data: Any, path: Path) -> Any:
    """A copy of `data` without the key at `path`."""
    first, *rest = path
    if isinstance(data, list):
        return [_without(each, tuple(rest)) if index == first else each for index, each in enumerate(data)]
    if not rest:
        return {key: value for key, value in data.items() if key != first}
    return {key: _without(value, tuple(rest)) if key == first else value for key, value in data.items()}


def document_path(location: Sequence[str | int], data: Any, *, missing: bool) -> Path:
    """`location` without the names of union branches: only the steps that lead somewhere in `data`.

    `missing` says that the last step is a field that should be there.
    """
    path: list[str | int] = []
    node = data
    for index, step in enumerate(location):
        if isinstance(node, Mapping):
            if step == "[key]":
                break
            if step in node:
                path.append(step)
                node = node[step]
            elif missing and index == len(location) - 1:
                path.append(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            path.append(step)
            node = node[step]
    return tuple(path)


def _others_may_complete(path: Path, item: Any, merges: Callable[[Path], bool]) -> bool:
    """Whether a problem of one layer may be none of all layers together."""
    if item["type"] == "missing":
        return merges(path)
    if item["type"] in OF_THE_WHOLE and isinstance(item["input"], Mapping):
        return merges((*path, ""))
    return item["input"] is None and item["type"] != "extra_forbidden" and merges(path)


def _secret(
    path: Path,
    item: Any,
    model: type[BaseModel],
    data: Any,
    problems: Sequence[tuple[Path, Any]],
    locate: Callable[[Path, Part], Where],
) -> Finding | None:
    """RS231 for a number without quotes where a secret's text would stand: in quotes it would be written out, too."""
    value = item["input"]
    text_wanted = item["type"] == "RS104" or (
        item["type"] in TYPE_WORDS and any(p == path and other["type"] == "string_type" for p, other in problems)
    )
    if not text_wanted or not is_number(value) or _form(model, path):
        return None
    name = secret_at(path, value, data)
    return (
        None
        if name is None
        else Finding("RS231", f"{name} holds a literal secret", locate(path, "value"), KEEP_OUTSIDE)
    )


def _finding(
    path: Path,
    item: Any,
    model: type[BaseModel],
    problems: Sequence[tuple[Path, Any]],
    locate: Callable[[Path, Part], Where],
) -> Finding:
    kind: str = item["type"]
    context: Mapping[str, Any] = item.get("ctx") or {}
    message, _, hint = item["msg"].partition("\n")
    message = message.replace("{value}", _shown(path, str(item["input"])))
    hint = context.get("hint", hint)
    if kind == "extra_forbidden":
        return _unknown_key(path, item, model, locate)
    if kind == "missing":
        return _missing(path, model, locate)
    if kind in TYPE_WORDS:
        wanted = sorted(
            {TYPE_WORDS[other["type"]] for place, other in problems if place == path and other["type"] in TYPE_WORDS}
        )
        return wrong_type(path, item["input"], wanted, locate, _units(model, path), _form(model, path, item["input"]))
    if kind.startswith("RS"):
        if "key" in context:
            return Finding(kind, message, locate((*path, context["key"]), "key"), hint)
        if kind == "RS104" and isinstance(item["input"], Mapping | list):
            return _no_branch(path, item, message, hint, model, locate)
        in_key = item["loc"] and item["loc"][-1] == "[key]"
        remedy = Remedy("quote") if kind == "RS104" and isinstance(item["input"], bool | float) else None
        return Finding(
            kind,
            f"{name_of(path)}: {message}" if path and not in_key else message,
            locate(path, "key" if in_key else "value"),
            hint,
            remedy=remedy,
        )
    return _value_not_allowed(path, item, context, locate)


def _no_branch(
    path: Path, item: Any, message: str, hint: str, model: type[BaseModel], locate: Callable[[Path, Part], Where]
) -> Finding:
    """A map or a list that belongs to no branch of a union: mostly the key that would tell is misspelled."""
    known = keys_at(model, path)
    for key in list(item["input"])[:MAX_FINDINGS] if isinstance(item["input"], Mapping) else ():
        meant = misspelled(str(key), known)
        if meant is not None and key not in known:
            return _unknown_key((*path, key), {**item, "loc": (*path, key)}, model, locate)
    forms = [f"{{{key}: …}}" for node in nodes_at(model, path) for key in node.get("required", ())]
    if not hint.startswith("write {"):  # it is about scalars
        hint = f"write {' or '.join(forms)}"
    return Finding("RS104", f"{name_of(path)}: {message}", locate(path, "value"), hint)


def _missing(path: Path, model: type[BaseModel], locate: Callable[[Path, Part], Where]) -> Finding:
    """RS121; what can only have one value says which."""
    key = str(path[-1])
    only = {node["const"] for node in nodes_at(model, path) if "const" in node}
    value = only.pop() if len(only) == 1 else None
    remedy = Remedy("add", key, value) if value is not None else None
    hint = f"add {key}: {'…' if value is None else value}"
    return Finding("RS121", f"{name_of(path[:-1])} needs {key}", locate(path[:-1], "key"), hint, remedy=remedy)


def _is_misspelled(missing: Path, unknown: Sequence[tuple[Path, Any]], model: type[BaseModel]) -> bool:
    """Whether one of the unknown keys beside a missing one is said to mean it."""
    known = keys_at(model, missing[:-1]) if unknown else []
    return any(
        _closest(str(path[-1]), known) == missing[-1] and _elsewhere(path, item["input"]) is None
        for path, item in unknown[:MAX_FINDINGS]
    )


def _closest(key: str, known: Sequence[str]) -> str | None:
    """The known key that an unknown one is likely to mean; None for one that is known elsewhere in the same union."""
    if key in known:
        return None
    similar = difflib.get_close_matches(key, known, n=1, cutoff=0.6) if len(key) <= MAX_WORD else []
    return misspelled(key, known) or next(iter(similar), None)


def _unknown_key(path: Path, item: Any, model: type[BaseModel], locate: Callable[[Path, Part], Where]) -> Finding:
    key = str(path[-1])
    known = keys_at(model, path[:-1])
    close = _closest(key, known)
    remedy = None
    beside = ""
    branch = str(item["loc"][-2]) if len(item["loc"]) > 1 else ""
    if branch.startswith("{") and any(key in node.get("required", ()) for node in nodes_at(model, path[:-1])):
        other = branch.strip("{}")
        message = f"{name_of(path[:-1])} is either {other} or {key}, not both"
        return Finding("RS125", message, locate(path, "key"), f"keep one of the two: it does not go with {other}")
    if (elsewhere := _elsewhere(path, item["input"])) is not None:
        hint = elsewhere
    elif key in known:
        beside = f" beside {branch.strip('{}')}" if branch.startswith("{") else ""
        hint = f"remove it: it does not go with {branch.strip('{}')}" if beside else "remove it"
    elif close is not None:
        hint = f"did you mean {close}?"
        remedy = Remedy("rename", close) if misspelled(key, known) is not None else None
    elif known:
        hint = "known here: " + ", ".join(known)
    else:
        hint = "remove it"
    message = f"{name_of(path[:-1])} has no field {_quoted(key)}{beside}"
    return Finding("RS120", message, locate(path, "key"), hint, remedy=remedy)


def misspelled(word: str, known: Sequence[str]) -> str | None:
    """The one of `known` that `word` is a slip of the fingers for; None where there is none, or more than one.

    Another case or other separators, or one letter too many, too few, wrong or swapped with its neighbour; two of
    those in a long word. A word that only resembles another (minReplicas, replicas) is none.
    """
    plain = _letters(word)
    slips = 2 if len(plain) >= 8 else 1 if len(plain) >= 3 else 0
    near = [other for other in known if other != word and _slips(plain, _letters(other)) <= slips]
    same = [other for other in near if _letters(other) == plain]
    return (same or near)[0] if len(same or near) == 1 else None


def _letters(word: str) -> str:
    return re.sub(r"[-_ .]", "", word[:64]).lower()


def _slips(one: str, other: str) -> int:
    """How many letters to add, drop, replace or swap with the next (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, sign in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != sign))
            if i > 1 and j > 1 and letter == other[j - 2] and sign == one[i - 2]:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def _elsewhere(path: Path, value: Any) -> str | None:
    """What to do with a field that belongs somewhere else, of those that people write."""
    parent, key = (path[-2] if len(path) > 1 else ""), path[-1]
    above = path[-3] if len(path) > 2 else ""
    if key == "gpu" and "services" in (above, parent):
        count = value if type(value) is int and value > 0 else 1  # a boolean is an int, too
        return f"write resources: {{gpu: {count}}}"
    if (parent, key) == ("pause", "duration"):
        return f"write pause: {value}"
    if (parent, key) == ("blueGreen", "autoPromotionEnabled") and isinstance(value, bool):
        return f"write promote: {'auto' if value else 'manual'}"
    if key in ("strategy", "routing", "targets") and (parent == "candidate" or above == "variants"):
        return f"write {key} on the service itself: it holds for all of its versions"
    return None


UNITS = {DURATION: "s", MEMORY: "Mi"}
"""The unit that a bare number of a quantity most likely means."""

WITH_UNIT = {
    "s": "write whole numbers with their units: 30s, 5m, 1h30m",
    "Mi": "write the number with its unit: 512Mi, 0.5Gi",
}
"""How a quantity is written by a number that does not say its unit even when it is put in quotes."""


def _units(model: type[BaseModel], path: Path) -> str:
    """The unit that the field at `path` takes; empty where it is no quantity."""
    return next((UNITS[node["pattern"]] for node in nodes_at(model, path) if node.get("pattern") in UNITS), "")


FORMS = {
    MODEL_REFERENCE: "write <model>@<version> or <model>@<alias>",
    SECRET_REFERENCE: "write <secret name>/<key>, never the secret itself",
}
"""Text that no number in quotes is, and how to write it."""


def _form(model: type[BaseModel], path: Path, value: Any = None) -> str:
    """How the text at `path` is written; empty where any text will do, or where `value` does in quotes."""
    if isinstance(value, float) and any(node.get("pattern") == DNS_LABEL for node in nodes_at(model, path)):
        return "write a name of lower-case letters, digits and dashes"
    return next((FORMS[node["pattern"]] for node in nodes_at(model, path) if node.get("pattern") in FORMS), "")


def wrong_type(
    path: Path,
    value: Any,
    wanted: Sequence[str],
    locate: Callable[[Path, Part], Where],
    unit: str = "",
    form: str = "",
) -> Finding:
    """RS104: a value of another kind than `wanted`, with the way to write it.

    `unit` is that of a quantity, `form` how to write text that no number can be.
    """
    hint = f"write {' or '.join(wanted)}"
    remedy = _as_wanted(value, wanted)
    if unit and isinstance(value, int) and not isinstance(value, bool):
        hint = f"write {value}{unit}"
    elif unit and isinstance(value, float):
        hint = WITH_UNIT[unit]
    elif form:
        hint = form
    elif "text" in wanted and isinstance(value, bool | int | float):
        hint = "write {source} in quotes"
        remedy = Remedy("quote")
    if value is None:
        hint = "remove the entry, or give it a value"
    kind = "a fraction" if isinstance(value, float) and "a whole number" in wanted else kind_of(value)
    message = f"{name_of(path)} must be {' or '.join(wanted)}, not {kind}"
    return Finding("RS104", message, locate(path, "value"), hint, remedy=remedy)


BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""Text that can only mean true or false where one of them is wanted."""


def _as_wanted(value: Any, wanted: Sequence[str]) -> Remedy | None:
    """Text that says a number or a boolean, where nothing else is wanted."""
    if not isinstance(value, str):
        return None
    if "a whole number" in wanted and re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value):
        return Remedy("write", value=int(value))
    if "true or false" in wanted and value.lower() in BOOLEANS:
        return Remedy("write", value=BOOLEANS[value.lower()])
    return None


_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DOTTED = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
WORDS = {
    rf"^{_DAY}$": "write a day: 2026-12-31",
    rf"^{_DAY}(T[0-9:]+Z)?$": "write a day or a time in UTC: 2026-03-04, 2026-03-04T14:05:00Z",
    r"^https?://[^\s]+$": "write an address that begins with http:// or https://: http://prometheus:9090",
    rf"^([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_DOTTED}$": (
        "use at most 63 letters, digits, dashes, dots and _, after a domain and a slash if it has one: acme.example/team"
    ),
    r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$": (
        "use letters, digits, dashes, dots and _, first and last a letter or a digit: blue-2"
    ),
    r"^RS[1-9][0-9]{2}$": "write the code of a finding: RS420",
    r"^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$": "use at most 63 lower-case letters, digits, dashes, dots and _: cache-1",
    r"^[0-9a-fA-F.:]+$": "write an IP address: 127.0.0.1",
    r"^([a-z0-9-]+/)?[a-z0-9-]+$": "write a name, after its namespace and a slash if that is another: istio-system/public",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "use letters, digits and _, the first no digit: REGION",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "use at most 64 letters, digits, dashes, dots and _: v0.4",
    r"^[a-z][a-z0-9-]{0,62}$": "use at most 63 lower-case letters, digits and dashes, the first a letter: prod",
    r"^sha256:[a-f0-9]{64}$": "write sha256: and 64 hexadecimal digits",
    r"^[0-9a-f]{7,64}$": "write the 7 to 64 hexadecimal digits of a commit: 207521e0",
    r"^[a-z0-9.-]+/[a-z0-9.-]+$": "write the name of an extended resource: nvidia.com/gpu",
    r"^[0-9]+(\.[0-9]+)?[mkMG]?$": 'write a number, in quotes with its unit: "10", 500m',
    r"^[^\x00:]+$": "write a path of the host without a colon: /srv/models",
    r"^(100|[0-9]{1,2})%$": "write a number, or a percentage: 1, 25%",
    r"^[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?$": "use at most 64 letters, digits and dashes: x-user-group",
    r"^[A-Za-z0-9_-]{1,64}$": "use at most 64 letters, digits, dashes and _: user_group",
    r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$": "write a folder of the repository: rendered",
    r"^[A-Za-z0-9._/-]+$": "write the name of a branch: main",
    r"^[<>=!~0-9., ]+$": "write versions of relspec: >=0.1,<0.2",
    r"^1\.[0-9]+$": 'write the first two numbers of a version, in quotes: "1.31"',
}
"""How a text is written that has one of the patterns of the models."""


def _value_not_allowed(
    path: Path, item: Any, context: Mapping[str, Any], locate: Callable[[Path, Part], Where]
) -> Finding:
    """RS122 and its like: the right kind of value, but not one of those allowed."""
    kind = item["type"]
    in_key = bool(item["loc"]) and item["loc"][-1] == "[key]"
    name = _quoted(str(item["input"])) if in_key else name_of(path)
    part: Part = "key" if in_key else "value"
    if kind == "literal_error":
        allowed = context["expected"].replace("'", "")
        same = [word for word in re.findall(r"[\w-]+", allowed) if word.lower() == str(item["input"]).lower()]
        remedy = Remedy("write", value=same[0]) if len(same) == 1 and not in_key else None
        message, hint = f"{name} is not one of {allowed}", f"write one of {allowed}"
        return Finding("RS122", message, locate(path, part), hint, remedy=remedy)
    bounds = {
        "greater_than_equal": ("at least", "ge"),
        "less_than_equal": ("at most", "le"),
    }
    if kind in bounds:
        word, key = bounds[kind]
        return Finding(
            "RS126",
            f"{name} must be {word} {context[key]}",
            locate(path, part),
            f"write a number {word} {context[key]}",
        )
    lengths = {
        "string_too_long": "max_length",
        "string_too_short": "min_length",
        "too_long": "max_length",
        "too_short": "min_length",
    }
    if kind in lengths:
        word = "longer" if kind.endswith("long") else "shorter"
        limit = context[lengths[kind]]
        hint = "shorten it" if word == "longer" else "give it a value, or remove the field"
        return Finding("RS122", f"{name} must not be {word} than {limit}", locate(path, part), hint)
    if kind == "string_pattern_mismatch":
        hint = WORDS.get(context["pattern"]) or f"it must match {context['pattern']}"
        return Finding("RS122", f"{name} has a form that is not allowed here", locate(path, part), hint)
    return Finding("RS122", f"{name}: {item['msg']}", locate(path, part), "see the field's description: relspec schema")


def name_of(path: Path) -> str:
    """How a sentence calls the node at `path`: its last two steps at most."""
    if not path:
        return "the document"
    name = ".".join(str(step) for step in path[-2:]) if isinstance(path[-1], int) else str(path[-1])
    return name if name.strip() else f'"{name}"'


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a map"


def _shown(path: Path, text: str) -> str:
    """A refused value in quotes; `the value` where it may be a secret: what stands for a reference to one often is."""
    fields = path[2:] if path[:1] == ("services",) else path  # a service may be called token
    secret = any(isinstance(step, str) and names_secret(step) for step in fields)
    return "the value" if secret or looks_secret(text) or has_login(text) else _quoted(text)


def _quoted(text: str) -> str:
    return f'"{text if len(text) <= 60 else text[:57] + "..."}"'


@cache
def json_schema(model: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON Schema of a model, with its YAML names."""
    return model.model_json_schema(by_alias=True)


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that the language knows at `path`, from the model's own JSON Schema."""
    keys = {key: None for node in nodes_at(model, path) for key in node.get("properties", {})}
    return list(keys)


def nodes_at(model: type[BaseModel], path: Path) -> list[Mapping[str, Any]]:
    """The parts of the model's JSON Schema that describe the node at `path`, one for each branch of a union."""
    schema = json_schema(model)
    nodes: list[Mapping[str, Any]] = [schema]
    for step in path:
        nodes = [child for node in _resolved(nodes, schema) for child in _children(node, step)]
    return _resolved(nodes, schema)


def _resolved(nodes: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for node in nodes:
        if "$ref" in node:
            found += _resolved([schema["$defs"][node["$ref"].rpartition("/")[2]]], schema)
        elif "anyOf" in node or "oneOf" in node:
            found += _resolved(node.get("anyOf", node.get("oneOf", [])), schema)
        else:
            found.append(node)
    return found


def _children(node: Mapping[str, Any], step: str | int) -> list[Mapping[str, Any]]:
    if isinstance(step, int):
        return [node["items"]] if "items" in node else []
    if step in node.get("properties", {}):
        return [node["properties"][step]]
    patterns = list(node.get("patternProperties", {}).values())
    extra = node.get("additionalProperties")
    return patterns + ([extra] if isinstance(extra, dict) else [])

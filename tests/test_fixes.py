"""`relspec check --fix`: only what can't be wrong, and nothing around it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import wrong_specs
from company import company, compose, on_disk, run, write, written
from relspec.cli import fixing
from relspec.compiler import Compiler
from relspec.diagnostics import Diagnostic, Fix, Range
from relspec.edits import Edit, splice
from relspec.fixes import difference, made_at_once, with_fixes
from relspec.spec.validation import misspelled
from relspec.tree import MemoryTree, Tree
from wrong_specs import ENVIRONMENT, RELEASE

PATH = "environments/staging/recs/release.yaml"
HEAD = "# kept by the team\napiVersion: relspec/v1\nkind: Release\nname: recs   # the folder's\n"
API = "services:\n  api:\n    image: ghcr.io/acme/recs:1.8.2  # pinned\n"
DIGEST = "ghcr.io/acme/recs:1@sha256:" + "AB" * 32
STEPPED = "    strategy:\n      canary:\n        steps:\n          - setWeight: 10   # a few\n"


def release(extra: str, head: str = HEAD) -> str:
    return f"{head}{API}{extra}"


FIXED: Mapping[str, tuple[str, str]] = {
    "a misspelled key": (release("    replcas: 2   # two\n"), release("    replicas: 2   # two\n")),
    "another case": (release("    serviceaccount: x\n"), release("    serviceAccount: x\n")),
    "a misspelled key in quotes": (release('    "replcas": 2\n'), release('    "replicas": 2\n')),
    "two of them": (
        release("    replcas: 2\n    serviceAcount: x\n"),
        release("    replicas: 2\n    serviceAccount: x\n"),
    ),
    "one below the other": (
        release("    resorces:\n      memroy: 1Gi # enough\n"),
        release("    resources:\n      memory: 1Gi # enough\n"),
    ),
    "a boolean as text": (
        release("    env: {A: true, B: no}  # flags\n"),
        release('    env: {A: "true", B: no}  # flags\n'),
    ),
    "a float as text": (release("    env:\n      RATIO: 1.10\n"), release('    env:\n      RATIO: "1.10"\n')),
    "a number as a label": (release("    labels: {team: 7}\n"), release('    labels: {team: "7"}\n')),
    "text as a number": (release('    replicas: "2"   # two\n'), release("    replicas: 2   # two\n")),
    "yes as a boolean": (release("    security: {root: no}\n"), release("    security: {root: false}\n")),
    "a word in another case": (release("    restart: Always\n"), release("    restart: always\n")),
    "blank lines of tabs": (
        release("\t\n    env: {A: b}\n  \t \n    replicas: 2\n"),
        release("\n    env: {A: b}\n\n    replicas: 2\n"),
    ),
    "a duplicate line": (release("    replicas: 2\n    replicas: 2\n"), release("    replicas: 2\n")),
    "a comment above the second of two lines": (
        release("    replicas: 2\n    # for the load\n    replicas: 2\n"),
        release("    # for the load\n    replicas: 2\n"),
    ),
    "the same comment above both": (
        release("    # load\n    replicas: 2\n    # load\n    replicas: 2\n    args: [a]\n"),
        release("    # load\n    replicas: 2\n    args: [a]\n"),
    ),
    "tabs": (
        release("    ports:\n\t\t\thttp: 8080\n").replace("    ports", "\t\tports"),
        release("    ports:\n      http: 8080\n"),
    ),
    "tabs, but not in a text": (
        release(
            "    files:\n      /a:\n        content: |\n          all:\n          \tcc x\n    ports:\n\t\t\thttp: 1\n"
        ),
        release(
            "    files:\n      /a:\n        content: |\n          all:\n          \tcc x\n    ports:\n      http: 1\n"
        ),
    ),
    "tabs above a text with tabs": (
        release(
            "    ports:\n\t\t\thttp: 1\n    files:\n      /a:\n        content: |\n          all:\n          \tcc x\n"
        ),
        release(
            "    ports:\n      http: 1\n    files:\n      /a:\n        content: |\n          all:\n          \tcc x\n"
        ),
    ),
    "what tells a union's branch": (
        release("    env: {A: {secrt: a/b}}\n"),
        release("    env: {A: {secret: a/b}}\n"),
    ),
    "a key that is needed": (
        release("    init: [{name: a, imge: 'x:1'}]\n"),
        release("    init: [{name: a, image: 'x:1'}]\n"),
    ),
    "a boolean as a key": (release("    env: {true: a}\n"), release('    env: {"true": a}\n')),
    "another folder's name": (
        release("", HEAD.replace("name: recs ", "name: copied ")),
        release("", HEAD.replace("name: recs ", "name: recs ")),
    ),
    "no apiVersion": (
        release("", HEAD.replace("apiVersion: relspec/v1\n", "")),
        release("", HEAD),
    ),
    "no kind": (release("", HEAD.replace("kind: Release\n", "")), release("", HEAD)),
    "a digest in upper case": (
        release("").replace("ghcr.io/acme/recs:1.8.2", DIGEST),
        release("").replace("ghcr.io/acme/recs:1.8.2", DIGEST.replace("AB", "ab")),
    ),
}
"""A mistake and what it becomes, in a release of compose."""

GATED: Mapping[str, tuple[str, str]] = {
    "the gate is the last step": (
        STEPPED + "        autoPromotionEnabled: false\n",
        STEPPED + "          - pause: {}\n",
    ),
    "before everything is moved": (
        STEPPED + "          - setWeight: 100\n        autoPromotionEnabled: false\n",
        STEPPED + "          - pause: {}\n          - setWeight: 100\n",
    ),
    "it is there already": (
        STEPPED + "          - pause: {}   # Ann\n        autoPromotionEnabled: false\n",
        STEPPED + "          - pause: {}   # Ann\n",
    ),
    "in flow style": (
        "    strategy: {canary: {autoPromotionEnabled: false, steps: [{setWeight: 5}]}}  # slow\n",
        "    strategy: {canary: {steps: [{setWeight: 5}, {pause: {}}]}}  # slow\n",
    ),
    "true means nothing": (STEPPED + "        autoPromotionEnabled: true\n", STEPPED),
    "the comment beside it": (
        STEPPED + "        autoPromotionEnabled: false   # ask Ann\n",
        STEPPED + "          - pause: {}  # ask Ann\n",
    ),
    "the comments above it": (
        STEPPED + "        # the gate:\n        # ask Ann\n        autoPromotionEnabled: false  # soon\n",
        STEPPED + "          # the gate:\n          # ask Ann\n          - pause: {}  # soon\n",
    ),
    "its comment, and the gate is there already": (
        STEPPED + "          - pause: {}\n        # gate\n        autoPromotionEnabled: false\n    replicas: 2\n",
        STEPPED + "          # gate\n          - pause: {}\n    replicas: 2\n",
    ),
    "its comment, above steps in flow style": (
        "    strategy:\n      canary:\n        autoPromotionEnabled: false # gate\n        steps: [{setWeight: 5}]\n",
        "    strategy:\n      canary:\n        steps: [{setWeight: 5}, {pause: {}}]  # gate\n",
    ),
    "the comment beside it in flow style": (
        "    strategy: {canary: {\n      autoPromotionEnabled: false,  # gate\n      steps: [\n        {setWeight: 5},\n"
        "      ]}}\n",
        "    strategy: {canary: {\n      steps: [\n        {setWeight: 5}, {pause: {}},  # gate\n      ]}}\n",
    ),
    "a comment that is about more": (
        STEPPED + "        # how\n        autoPromotionEnabled: false\n        maxSurge: 1\n",
        STEPPED + "          - pause: {}\n        # how\n        maxSurge: 1\n",
    ),
    "another mistake beside it": (
        STEPPED + "        autoPromotionEnabled: false\n        maxSurg: 1\n",
        STEPPED + "          - pause: {}\n        maxSurge: 1\n",
    ),
    "another mistake in a step": (
        STEPPED + "          - setWeigth: 20\n        autoPromotionEnabled: false\n",
        STEPPED + "          - setWeight: 20\n          - pause: {}\n",
    ),
}

UNTOUCHED_GATES: Mapping[str, str] = {
    "both have a comment": STEPPED + "          - pause: {}  # Ann\n        autoPromotionEnabled: false  # Bob\n",
    "both have a comment, in flow style": (
        "    strategy: {canary: {\n      autoPromotionEnabled: false,  # Bob\n      steps: [\n"
        "        {setWeight: 5}, {pause: {}},  # Ann\n      ]}}\n"
    ),
    "a comment that would be lost in flow style": (
        "    strategy: {canary: {\n      autoPromotionEnabled: true,  # by itself\n      steps: [{setWeight: 5}]}}\n"
    ),
    "a comment after its comma that would be lost": (
        "    strategy: {canary: {\n      autoPromotionEnabled: true  # by itself\n      , steps: [{setWeight: 5}]}}\n"
    ),
    "a comment that would be lost": STEPPED + "        autoPromotionEnabled: true  # by itself\n",
    "comments above it that would be lost": STEPPED + "        # by itself\n        autoPromotionEnabled: true\n",
}

NOT_CERTAIN: Mapping[str, str] = {
    "two slips of one key": release("    resources: {cpuLimi: 1, cpuLmit: 1}\n"),
    "it only resembles a key": release("    minReplicas: 2\n"),
    "the right key is there": release("    replicas: 2\n    replcas: 3\n"),
    "the value does not fit the right key": release("    port: 8080\n"),
    "a number without a unit": release("    resources: {memory: 512}\n"),
    "duplicates that differ": release("    replicas: 2\n    replicas: 3\n"),
    "duplicates with two comments": release("    # a\n    replicas: 2\n    # b\n    replicas: 2\n"),
    "duplicate blocks": release("    env:\n      A: a\n    env:\n      A: b\n"),
    "a tab that may be any number of spaces": release("    health:\n      path: /\n \tports: {http: 80}\n"),
    "a secret": release("    env: {DB_PASSWORD: hunter2-correct-horse}\n"),
    "another kind": release("", HEAD.replace("kind: Release", "kind: Deployment")),
    "a gate without steps": release("    strategy: {canary: {autoPromotionEnabled: false}}\n"),
    "a number as the name of a variable": release("    env: {8080: http}\n"),
    "null": release("    replicas: null\n    env: {A: null}\n"),
}


def files(text: str) -> dict[str, bytes]:
    """A repository with one release, of which the text is given."""
    return {path: written(content) for path, content in {**company({}, compose()), PATH: text}.items()}


def mended(given: Mapping[str, bytes]) -> dict[str, bytes]:
    """What --fix makes of the files."""

    def check(tree: Tree) -> tuple[tuple[Diagnostic, ...], frozenset[str]]:
        compiler = Compiler(tree)
        return compiler.compile().diagnostics, compiler.loader.read_documents

    found = fixing.fixed_files(MemoryTree(dict(given)), check)
    return {**given, **found.files}


@pytest.mark.parametrize(("wrong", "right"), FIXED.values(), ids=FIXED)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_what_is_certain_is_mended_and_the_rest_stays(wrong: str, right: str, end: str) -> None:
    result = mended(files(wrong.replace("\n", end)))
    assert result[PATH].decode() == right.replace("\n", end)


@pytest.mark.parametrize(("wrong", "right"), GATED.values(), ids=GATED)
def test_a_gate_that_argo_would_drop_becomes_a_pause(wrong: str, right: str) -> None:
    given = wrong_specs.repository()
    result = mended({**given, RELEASE: given[RELEASE] + wrong.encode()})
    assert result[RELEASE].decode() == given[RELEASE].decode() + right


@pytest.mark.parametrize("wrong", UNTOUCHED_GATES.values(), ids=UNTOUCHED_GATES)
def test_no_comment_is_lost_with_a_gate(wrong: str) -> None:
    given = wrong_specs.repository()
    broken = {**given, RELEASE: given[RELEASE] + wrong.encode()}
    assert mended(broken) == broken


def test_a_fix_says_that_the_gate_is_there_already(tmp_path: Path) -> None:
    given = wrong_specs.repository()
    wrong = STEPPED + "          - pause: {}\n        autoPromotionEnabled: false\n"
    write(tmp_path, {**given, RELEASE: given[RELEASE] + wrong.encode()})
    (entry,) = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    assert entry["fix"]["title"] == "remove autoPromotionEnabled: the steps wait for a person already"
    assert entry["fix"]["text"] == ""


def test_a_field_of_the_controller_hides_no_other_mistake(tmp_path: Path) -> None:
    given = wrong_specs.repository()
    wrong = STEPPED + "        weight: 101\n        stickyBy: {heder: x}\n        autoPromotionEnabled: false\n"
    write(tmp_path, {**given, RELEASE: given[RELEASE] + wrong.encode()})
    entries = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    assert [entry["code"] for entry in entries] == ["RS126", "RS120", "RS302"]


@pytest.mark.parametrize(
    "text", ["    strategy: {canary: {autoPromotionEnabled: false}}\n", "    strategy: {autoPromotionEnabled: true}\n"]
)
def test_a_field_of_the_controller_alone_is_one_mistake(text: str, tmp_path: Path) -> None:
    given = wrong_specs.repository()
    write(tmp_path, {**given, RELEASE: given[RELEASE] + text.encode()})
    entries = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    assert [entry["code"] for entry in entries] == ["RS302"]


@pytest.mark.parametrize("wrong", NOT_CERTAIN.values(), ids=NOT_CERTAIN)
def test_what_is_not_certain_stays(wrong: str) -> None:
    given = files(wrong)
    assert mended(given) == given
    assert Compiler(MemoryTree(given)).compile().stopped


@pytest.mark.parametrize("case", wrong_specs.CASES, ids=lambda case: case.name)
def test_no_fix_makes_anything_worse(case: wrong_specs.Wrong) -> None:
    """Every fix of every wrong spec: its finding goes, and no other file changes."""
    compiler = Compiler(MemoryTree(dict(case.files)))
    before = [d for d in with_fixes(compiler.compile().diagnostics, compiler.loader.text) if d.fix is not None]
    for diagnostic in before:
        assert diagnostic.fix is not None
        after = {**case.files, diagnostic.file: made_at_once(case.files[diagnostic.file], [diagnostic.fix])[0]}
        left = Compiler(MemoryTree(after)).compile().diagnostics
        assert diagnostic.message not in [d.message for d in left if d.file == diagnostic.file]


def test_the_fix_in_the_report_is_the_edit(tmp_path: Path) -> None:
    write(tmp_path, files(FIXED["a misspelled key"][0]))
    (entry,) = json.loads(run(tmp_path, "check", "--format", "json").out)["diagnostics"]
    fix = entry["fix"]
    assert (fix["title"], fix["file"], fix["text"]) == ("rename it to replicas", PATH, "replicas")
    span = Range(fix["line"], fix["column"], fix["endLine"], fix["endColumn"])
    assert (span, fix["line"], fix["column"]) == (Range(8, 5, 8, 12), entry["line"], entry["column"])
    edited = splice((tmp_path / PATH).read_bytes(), [Edit(span, fix["text"])])
    assert edited.decode() == FIXED["a misspelled key"][1]


def test_of_fixes_that_touch_each_other_the_first_is_made_and_told() -> None:
    data = b"a: 1\n"
    one, other = (Fix("t", "x.yaml", Range(1, 4, 1, 5), text) for text in "23")
    assert made_at_once(data, [other, one]) == (b"a: 2\n", (one,))


def test_fix_writes_and_says_what_is_left(tmp_path: Path) -> None:
    text = release("    replcas: 2\n    resources: {memory: 4 gigs}\n")
    write(tmp_path, files(text))
    result = run(tmp_path, "check", "--fix")
    assert result.code == 1
    assert result.out == f"fixed {PATH}:8: rename it to replicas\n1 error in 1 release\n"
    assert "RS128" in result.err
    assert (tmp_path / PATH).read_text() == text.replace("replcas", "replicas")
    write(tmp_path, files(FIXED["a misspelled key"][0]))
    assert run(tmp_path, "check", "--fix").code == 0


def test_diff_shows_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, files(FIXED["a misspelled key"][0]))
    before = on_disk(tmp_path)
    for options in (["--fix", "--diff"], ["--diff"]):
        result = run(tmp_path, "check", *options)
        assert (result.code, on_disk(tmp_path)) == (1, before)
        assert f"--- a/{PATH}\n+++ b/{PATH}\n" in result.out
        assert "-    replcas: 2   # two\n+    replicas: 2   # two\n" in result.out
    assert run(tmp_path, "check", "--diff", "--format", "json").code == 2


def test_a_clean_repository_is_not_written(tmp_path: Path) -> None:
    write(tmp_path, wrong_specs.repository())
    before = {path: (tmp_path / path).stat() for path in on_disk(tmp_path)}
    assert run(tmp_path, "check", "--fix").code == 0
    after = {path: (tmp_path / path).stat() for path in on_disk(tmp_path)}
    assert {path: (s.st_ino, s.st_mtime_ns) for path, s in after.items()} == {
        path: (s.st_ino, s.st_mtime_ns) for path, s in before.items()
    }


def test_only_specs_are_written_and_no_link_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, {"release.yaml": FIXED["a misspelled key"][0]})
    root = tmp_path / "repository"
    write(root, files(FIXED["a misspelled key"][0]))
    (root / PATH).unlink()
    (root / PATH).symlink_to(elsewhere / "release.yaml")
    assert run(root, "check", "--fix").code == 1
    assert (elsewhere / "release.yaml").read_text() == FIXED["a misspelled key"][0]
    assert (root / PATH).is_symlink()


def test_a_base_is_mended_once_for_all_releases(tmp_path: Path) -> None:
    given = wrong_specs.repository()
    base = next(path for path in given if path.startswith("bases/"))
    broken = given[base].replace(b"services:", b"servces:")
    write(tmp_path, {**given, base: broken})
    assert run(tmp_path, "check", "--fix").code == 0
    assert (tmp_path / base).read_bytes() == given[base]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("replcas", "replicas"),
        ("replicsa", "replicas"),
        ("Replicas", "replicas"),
        ("service-account", "serviceAccount"),
        ("serviceAcountt", "serviceAccount"),
        ("minReplicas", None),
        ("replicas", None),
        ("args2", "args"),
        ("ab", None),
        ("x" * 10_000, None),
    ],
)
def test_a_slip_of_the_fingers(word: str, meant: str | None) -> None:
    assert misspelled(word, ["replicas", "serviceAccount", "args", "abc"]) == meant


@pytest.mark.parametrize(
    ("old", "new", "span", "text"),
    [
        ("a: b\n", "a: bc\n", Range(1, 4, 1, 5), "bc"),
        ("a: 1.1 # x\n", 'a: "1.1" # x\n', Range(1, 4, 1, 7), '"1.1"'),
        ("a: 1\nb: 2\n", "a: 1\n", Range(2, 1, 3, 1), ""),
        ("é: x\n", "é: y\n", Range(1, 4, 1, 5), "y"),
        ("a\n", "a\nb\n", Range(2, 1, 2, 1), "b\n"),
    ],
)
def test_the_one_edit_between_two_texts(old: str, new: str, span: Range, text: str) -> None:
    edit = difference(old.encode(), new.encode())
    assert (edit.range, edit.text) == (span, text)


# --- any spec, any of these mistakes -----------------------------------------------------------------------------------

SPECS = [RELEASE, ENVIRONMENT, "bases/recs.yaml", "registry/als/v1.yaml", "registry/als/model.yaml"]
WHOLE = wrong_specs.repository() | {
    RELEASE: b"""# the release
apiVersion: relspec/v1
kind: Release
name: recs
extends: ../../../bases/recs.yaml   # shared
services:
  api:
    replicas: 2
    env:
      LOG_LEVEL: info   # not debug
      RATIO: "1.10"
      DEBUG: "true"
    health: {path: /healthz, startup: 90s}
    labels: {team: "7"}
    resources: {cpu: 500m, memory: 1Gi}
    security:
      readOnly: true
    restart: always
"""
}


def typo(text: str, at: int, letter: str) -> str:
    """One letter of a key after another is doubled, dropped or replaced."""
    keys = list(re.finditer(r"(?<![\w.])[a-z][a-zA-Z]{4,}(?=:)", text))
    if not keys:
        return text
    key = keys[at % len(keys)]
    place = key.start() + 1 + at % (len(key[0]) - 1)
    return text[:place] + letter + text[place + (at % 2) :]


def unquoted(text: str, at: int, _letter: str) -> str:
    """A number or a boolean in quotes loses them."""
    quoted = list(re.finditer(r'"([0-9.]+|true|false)"', text))
    if not quoted:
        return text
    place = quoted[at % len(quoted)]
    return text[: place.start()] + place[1] + text[place.end() :]


def quoted(text: str, at: int, _letter: str) -> str:
    """A number or a boolean gets quotes."""
    plain = list(re.finditer(r"(?<=: )([0-9]+|true|false)(?=[,}\s])", text))
    if not plain:
        return text
    place = plain[at % len(plain)]
    return text[: place.start()] + f'"{place[1]}"' + text[place.end() :]


def twice(text: str, at: int, _letter: str) -> str:
    """A line is written twice."""
    lines = text.splitlines(keepends=True)
    simple = [i for i, line in enumerate(lines) if re.fullmatch(r" *[\w]+: [\w./]+( *#.*)?\n", line)]
    if not simple:
        return text
    line = simple[at % len(simple)]
    return "".join([*lines[: line + 1], *lines[line:]])


def headless(text: str, at: int, _letter: str) -> str:
    """apiVersion or kind is missing."""
    return re.sub(r"apiVersion: .*\n" if at % 2 else r"kind: .*\n", "", text, count=1)


INJECTIONS: list[Callable[[str, int, str], str]] = [typo, unquoted, quoted, twice, headless]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    spec=st.sampled_from(SPECS),
    injection=st.sampled_from(INJECTIONS),
    at=st.integers(0, 200),
    letter=st.sampled_from("eqxZ"),
)
@example(spec=RELEASE, injection=unquoted, at=0, letter="e")
@example(spec=RELEASE, injection=unquoted, at=1, letter="e")
@example(spec=RELEASE, injection=twice, at=1, letter="e")
def test_whatever_is_mended_compiles_to_what_was_meant(
    spec: str, injection: Callable[[str, int, str], str], at: int, letter: str
) -> None:
    meant = Compiler(MemoryTree(WHOLE)).compile()
    assert not meant.stopped
    broken = {**WHOLE, spec: injection(WHOLE[spec].decode(), at, letter).encode()}
    result = mended(broken)
    assert {path for path in result if result[path] != broken[path]} <= {spec}
    compiled = Compiler(MemoryTree(result)).compile()
    if not compiled.stopped:
        assert dict(compiled.files) == dict(meant.files)
    else:
        assert result == broken or injection is typo

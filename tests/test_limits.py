"""Input that is too much of something: one code, at a place, with a hint, within seconds and a bounded memory.

What is beyond a limit is far beyond it here: with the limit taken out, each of these takes minutes, gigabytes, the whole
stack, or ends as an error of relspec's own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from company import company, compose, written
from relspec.compiler import Compiler
from relspec.diagnostics import Diagnostic
from relspec.documents import MAX_DEPTH, MAX_PER_CODE
from relspec.resolve import MAX_FILES
from relspec.spec.validation import MAX_FINDINGS
from relspec.tree import MAX_FILE, MAX_FOLDERS, MemoryTree

SECONDS = 120
"""Of processor time for all of these: far above what they take, far below what any one of them would."""

MEMORY = 2 * 2**30
"""Bytes of address space."""

FILE = "environments/staging/recs/release.yaml"
HEAD = "apiVersion: relspec/v1\nkind: Release\nname: recs\n"
API = f"{HEAD}services:\n  api:\n    image: a:1\n"
SETTINGS = "apiVersion: relspec/v1\nkind: Repository\nschemas: [own]\n"

EMPTY = "'',"

Files = Mapping[str, str]


def lines(text: str, count: int) -> str:
    """`text` so many times, each with its number for {}."""
    return "".join(text.replace("{}", str(number)) for number in range(count))


def release(text: str) -> Files:
    return {FILE: text}


def laughs(levels: int) -> str:
    more = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, levels))
    return HEAD + "a0: &a0 [ha, ha]\n" + "".join(more)


def dependencies(count: int) -> str:
    services = (f"  s{n}: {{image: a:1, dependsOn: [{', '.join(f's{m}' for m in range(n))}]}}\n" for n in range(count))
    return f"{HEAD}services:\n{''.join(services)}"


BEYOND: Mapping[str, tuple[str, Callable[[], Files]]] = {
    "the size of a file": ("RS106", lambda: release(API + "#" * MAX_FILE)),
    "documents in a file": ("RS102", lambda: release("---\na: b\n" * 2_000)),
    "a billion laughs": ("RS108", lambda: release(laughs(40))),
    "lists in lists": ("RS111", lambda: release(f"{API}    args: {'[' * 100_000}{']' * 100_000}\n")),
    "maps in maps": ("RS111", lambda: release(HEAD + "".join(" " * n + "a:\n" for n in range(1_000)))),
    "the length of a text": ("RS122", lambda: release(f'{API}    args: ["{"x" * 900_000}"]\n')),
    "values of a document": ("RS111", lambda: release(f"{API}    args: [{'a,' * 400_000}]\n")),
    "nulls of a document": ("RS111", lambda: release(f"{API}    args: [{'~,' * 400_000}]\n")),
    "empty texts of a document": ("RS111", lambda: release(f"{API}    args: [{EMPTY * 300_000}]\n")),
    "empty keys of a document": ("RS111", lambda: release("?\n" * 500_000)),
    "blank lines": ("RS111", lambda: release(API + "\n" * 900_000)),
    "directives": ("RS107", lambda: release("%a\n" * 90_000)),
    "signs of a tag": ("RS107", lambda: release(f"a: {'!' * 1_000_000}\n")),
    "control characters": ("RS112", lambda: release(f"{API}    # {chr(1) * 1_000_000}\n")),
    "reserved characters": ("RS112", lambda: release(f"{API}    # {chr(0xE000) * 300_000}\n")),
    "digits of a whole number": ("RS111", lambda: release(f"{API}    replicas: {'9' * 900_000}\n")),
    "a number of many digits": ("RS111", lambda: release(f"{API}    replicas: {'9' * 400}\n")),
    "the exponent of a number": ("RS111", lambda: release(f"{API}    replicas: 1.0e+999999999\n")),
    "a number as a word": ("RS104", lambda: release(f"{API}    replicas: 1e999\n")),
    "an amount of memory": ("RS128", lambda: release(f"{API}    resources: {{memory: 9999999999999999Gi}}\n")),
    "digits of an amount": ("RS128", lambda: release(f"{API}    resources: {{memory: {'9' * 9000}Gi}}\n")),
    "a port": ("RS126", lambda: release(f"{API}    ports: {{http: 99999999}}\n")),
    "services": ("RS122", lambda: release(HEAD + "services:\n" + lines("  s{}: {image: a:1}\n", 5_000))),
    "variants": ("RS122", lambda: release(API + "    variants:\n" + lines("      v{}: {image: b:1}\n", 3_000))),
    "a path": ("RS122", lambda: release(f"{HEAD}extends: {'a/' * 100_000}b.yaml\n")),
    "bases over one another": (
        "RS213",
        lambda: {
            FILE: f"{HEAD}extends: ../../../bases/b0.yaml\n",
            **{
                f"bases/b{n}.yaml": f"apiVersion: relspec/v1\nkind: Release\nextends: b{n + 1}.yaml\n"
                for n in range(2_000)
            },
            "bases/b2000.yaml": "apiVersion: relspec/v1\nkind: Release\nservices: {api: {image: 'a:1'}}\n",
        },
    ),
    "folders in folders": ("RS111", lambda: {f"environments/{'d/' * 1_900}release.yaml": API}),
    "folders in a folder of files": (
        "RS111",
        lambda: {
            FILE: f"{API}    files: {{/data: {{from: ../../../data}}}}\n",
            f"data/{'d/' * 1_900}x": "x",
        },
    ),
    "files of a folder": (
        "RS243",
        lambda: {
            FILE: f"{API}    files: {{/data: {{from: ../../../data}}}}\n",
            **{f"data/f{n}": "x" for n in range(20_000)},
        },
    ),
    "unknown keys": ("RS120", lambda: release(API + lines("    k{}: 1\n", 15_000))),
    "unknown keys that are long": ("RS120", lambda: release(API + lines(f"    {'replicas' * 12}{{}}: 1\n", 5_000))),
    "values of the wrong kind": ("RS104", lambda: release(API + "    labels:\n" + lines("      k{}: 1\n", 15_000))),
    "the depth of an own schema": (
        "RS522",
        lambda: {
            FILE: API,
            "relspec.yaml": SETTINGS,
            "own/compose.json": '{"not":' * 50_000 + "{}" + "}" * 50_000,
        },
    ),
}
"""What is too much, the code, and a repository that has too much of it."""

ENOUGH: Mapping[str, Callable[[], Files]] = {
    "services that all wait for each other": lambda: release(dependencies(200)),
    "a pattern that would go back for ever": lambda: {
        FILE: API.replace("  api:", f"  {'a' * 50}:"),
        "relspec.yaml": SETTINGS,
        "own/compose.json": json.dumps(
            {
                "properties": {
                    "services": {"patternProperties": {"^(a+)+b$": {"type": "null"}, "^((a|aa)+)+c$": {"type": "null"}}}
                }
            }
        ),
    },
    "attributes whose patterns would go back for ever": lambda: {
        FILE: API,
        ".gitattributes": "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b merge=union\n" * 10_000,
    },
    "ignored files whose patterns would go back for ever": lambda: {
        FILE: API,
        ".gitignore": "rendered/**/.env\n" + "**/*a*a*a*a*a*a*a*a*a*a*a*a*b\n" * 10_000,
    },
    "a schema that means itself": lambda: {
        FILE: API,
        "relspec.yaml": SETTINGS,
        "own/compose.json": '{"$ref": "#"}',
    },
}
"""What is a lot, and fine."""


def diagnostics(files: Files) -> tuple[Diagnostic, ...]:
    """What `check` says of a repository with these files."""
    from relspec.fixes import with_fixes
    from relspec.rules.attributes import merged_otherwise

    given = {**company({}, compose()), **files}
    if FILE not in files:
        del given[FILE]
    compiler = Compiler(MemoryTree({path: written(content) for path, content in given.items()}))
    compiled = compiler.compile()
    list(merged_otherwise(compiler.tree, compiler.output, [place.id for place in compiler.found.releases]))
    return with_fixes(compiled.diagnostics, compiler.loader.text)


@pytest.fixture(scope="module")
def answers() -> Mapping[str, list[dict[str, object]]]:
    """What is said of each entry of both tables, found out by a process that may take only so much."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

    process = subprocess.run(
        [sys.executable, __file__],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    found = dict(json.loads(line) for line in process.stdout.splitlines())
    assert process.returncode == 0, f"after {list(found)[-1:]}: {process.stderr[-2000:]}"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", BEYOND)
def test_too_much_of_something_has_one_clear_answer(name: str, answers: Mapping[str, list[dict[str, object]]]) -> None:
    found = answers[name]
    assert {entry["code"] for entry in found} == {BEYOND[name][0]}
    assert len(found) <= MAX_FINDINGS
    for entry in found:
        assert entry["hint"]
        assert entry["place"], "a line"
        assert len(str(entry["message"])) < 500


@pytest.mark.slow
@pytest.mark.parametrize("name", ENOUGH)
def test_a_lot_is_not_too_much(name: str, answers: Mapping[str, list[dict[str, object]]]) -> None:
    assert answers[name] == []


def test_what_is_just_within_a_limit_is_fine() -> None:
    deep = "/".join(["environments", "staging", *["d"] * (MAX_FOLDERS - 3), "recs", "release.yaml"])
    assert not diagnostics({deep: API})
    assert [d.code for d in diagnostics({deep.replace("/recs/", "/d/d/recs/"): API})] == ["RS111"]
    folder = f"{API}    files: {{/data: {{from: ../../../data}}}}\n"
    assert not diagnostics({FILE: folder, **{f"data/f{n}": "x" for n in range(MAX_FILES)}})
    assert not diagnostics({FILE: API + "#" * (MAX_FILE - len(API))})


def test_one_file_says_so_much_and_no_more() -> None:
    found = diagnostics(release(API + "    replicas: 2\n" * 100))
    assert [d.code for d in found] == ["RS101"] * MAX_PER_CODE
    found = diagnostics(release(API + lines("    k{}: 1\n", 2 * MAX_FINDINGS)))
    assert [d.code for d in found] == ["RS120"] * MAX_FINDINGS
    assert MAX_DEPTH < 100


def answer() -> None:
    """Prints a line for each entry: its name, and what is said."""
    for name, make in {**{name: make for name, (_, make) in BEYOND.items()}, **ENOUGH}.items():
        said = [
            {"code": d.code, "place": d.range is not None, "message": d.message, "hint": d.hint}
            for d in diagnostics(make())
            if d.severity != "note"
        ]
        sys.stdout.write(json.dumps([name, said]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    answer()

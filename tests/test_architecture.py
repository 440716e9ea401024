"""Which way imports go, and what the core may not do: both are promises of ARCHITECTURE.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import relspec
from company import with_service, write

PACKAGE = Path(relspec.__file__).resolve().parent
MODULES = {
    ".".join(("relspec", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
EDGE = ("relspec.cli", "relspec.__main__")
"""What talks to a person."""

GIT = (*EDGE, "relspec.gitops", *(f"relspec.reporters.{verb}" for verb in ("plan", "history", "drill", "rollback")))
"""What may start processes and read Git, or prints what those found."""

LAYERS = (
    ("relspec.diagnostics",),
    (
        "relspec.tree",
        "relspec.catalogue",
        "relspec.facet",
        "relspec.emit",
        "relspec.patterns",
        "relspec.outline",
        "relspec.credentials",
        "relspec.schema_cost",
    ),
    ("relspec.documents", "relspec.edits", "relspec.fixes", "relspec.spec", "relspec.layers", "relspec.loader"),
    ("relspec.registry",),
    ("relspec.resolve",),
    ("relspec.render", "relspec.targets"),
    ("relspec.rules", "relspec.outputs", "relspec.schema_checks"),
    ("relspec.compiler",),
    ("relspec.gitops",),
    ("relspec.cli",),
)
"""From what knows least to what knows most: a package never imports one that stands after it."""


def inside(name: str, *packages: str) -> bool:
    """Whether a module is one of the packages, or lies in one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


@cache
def parsed(name: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def imports(name: str) -> tuple[tuple[str, int], ...]:
    """Every module that a module imports, wherever in it, and the line. Imports for type checkers don't count."""
    for_types = {
        id(inner)
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: list[tuple[str, int]] = []
    for node in ast.walk(parsed(name)):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found += ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: an import says the whole name"
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            found += ((full if full in MODULES else node.module or "", node.lineno) for full in whole)
    return tuple(found)


def layer(name: str) -> int | None:
    """The number of a module's layer; None where it has none."""
    return next((number for number, packages in enumerate(LAYERS) if inside(name, *packages)), None)


def core() -> list[str]:
    """The modules that take and return values: all but the command line, Git, and the front door."""
    return [name for name in MODULES if name != "relspec" and not inside(name, *GIT)]


def test_the_layers_name_modules_that_exist() -> None:
    assert [name for packages in LAYERS for name in packages if name not in MODULES] == []


def test_imports_go_one_way() -> None:
    wrong = [
        f"{name}:{line} imports {other}"
        for name in MODULES
        for other, line in imports(name)
        if (mine := layer(name)) is not None and (theirs := layer(other)) is not None and theirs > mine
    ]
    assert wrong == []


def test_nothing_below_the_command_line_imports_it() -> None:
    below = [name for name in MODULES if not inside(name, *EDGE)]
    assert [name for name in below for other, _ in imports(name) if inside(other, "relspec.cli")] == []


FORBIDDEN = (
    *("subprocess", "git", "socket", "urllib", "http", "multiprocessing"),
    *("time", "datetime", "random", "locale", "platform", "getpass"),
)
"""Other programs, the network, the clock, chance, the machine: none of them may reach an output."""


def test_the_core_starts_no_process_and_asks_neither_git_nor_the_clock() -> None:
    found = [
        f"{name}:{line} imports {other}"
        for name in core()
        for other, line in imports(name)
        if other.split(".")[0] in FORBIDDEN or inside(other, "relspec.gitops")
    ]
    assert found == []


ENDS_OR_PRINTS = {"print", "exit", "quit", "sys.exit", "os._exit", "os.system", "breakpoint"}
ASKS_THE_MACHINE = {"os.environ", "os.getenv", "sys.stdout", "sys.stderr", "sys.argv", "os.getcwd", "Path.cwd", "hash"}


def test_the_core_prints_nothing_ends_nothing_and_asks_the_machine_nothing() -> None:
    found = [
        f"{name}:{node.lineno} {ast.unparse(node)}"
        for name in core()
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in ENDS_OR_PRINTS | ASKS_THE_MACHINE
    ]
    assert found == []


def test_no_module_holds_state_that_changes() -> None:
    found = [name for name in MODULES for node in ast.walk(parsed(name)) if isinstance(node, ast.Global)]
    assert found == []


def test_modules_are_nouns_of_the_field() -> None:
    empty_words = {"utils", "util", "helpers", "helper", "common", "manager", "core", "misc"}
    assert [name for name in MODULES if empty_words & set(name.split("."))] == []


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a run of the program loads."""
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['relspec', *{arguments!r}]\n"
        "try: runpy.run_module('relspec', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "print('\\n'.join(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_version_loads_nothing_of_the_compiler() -> None:
    loaded = loaded_by("--version")
    assert "relspec.cli" in loaded
    assert not loaded & {"pydantic", "jinja2", "ruamel.yaml", "yaml_rs", "jsonschema", "jsonschema_rs", "git"}
    assert not loaded & {"relspec.compiler", "relspec.resolve", "relspec.spec.service"}


def test_a_compile_loads_neither_git_nor_the_careful_parser(tmp_path: Path) -> None:
    write(tmp_path, with_service({}))
    loaded = loaded_by("-C", str(tmp_path), "compile")
    assert "relspec.compiler" in loaded
    assert not loaded & {"git", "ruamel.yaml", "jsonschema"}

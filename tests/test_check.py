"""`relspec check`: exit codes, JSON, the registry as a whole, and the change since a commit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from company import Map, record, registry, tree, write
from relspec.cli import relspec
from relspec.diagnostics import Where
from relspec.loader import Loader
from relspec.registry.records import Registry
from relspec.rules.records import check_registry

RECORD = "apiVersion: relspec/v1\nkind: ModelVersion\nmodel: als\nversion: {version}\n"
FILES = {
    "environments/dev/environment.yaml": "apiVersion: relspec/v1\nkind: Environment\nname: dev\ntargets: {compose: {}}\n",
    "environments/dev/recs/release.yaml": (
        "apiVersion: relspec/v1\nkind: Release\nname: recs\nservices: {api: {image: acme/recs:1, model: als@v1.0}}\n"
    ),
    "registry/als/model.yaml": "apiVersion: relspec/v1\nkind: Model\nname: als\n",
    "registry/als/v1.0.yaml": RECORD.format(version="v1.0"),
    "registry/als/v1.1.yaml": RECORD.format(version="v1.1"),
    ".gitignore": "rendered/**/.env\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    run(tmp_path, "lock")
    return tmp_path


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(relspec, ["-C", str(root), *arguments], standalone_mode=False)


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def codes(result: Result) -> list[str]:
    return [entry["code"] for entry in json.loads(result.stdout)["diagnostics"]]


def test_a_clean_repository_is_said_to_be_clean(root: Path) -> None:
    result = run(root, "check")
    assert (result.return_value, result.output) == (0, "no problems in 1 release\n")


def test_a_version_that_nobody_runs_is_checked_too(root: Path) -> None:
    (root / "registry/als/v1.1.yaml").write_text(RECORD.format(version="v9"))
    assert codes(run(root, "check", "--format", "json")) == ["RS215"]
    assert codes(run(root, "check", "dev/recs", "--format", "json")) == []


def test_an_interface_that_is_no_schema_is_found_at_its_place(root: Path) -> None:
    record = RECORD.format(version="v1.1") + "interface:\n  input: {type: object, required: name}\n"
    (root / "registry/als/v1.1.yaml").write_text(record)
    result = run(root, "check", "--format", "json")
    entry = json.loads(result.stdout)["diagnostics"][0]
    assert (entry["code"], entry["line"], entry["column"], result.return_value) == ("RS217", 6, 35, 1)


@pytest.mark.parametrize("line", ["rendered/**/.env", ".env", "rendered/", "/rendered", "rendered/**", "/rendered/*"])
def test_whatever_keeps_env_files_out_of_git_will_do(root: Path, line: str) -> None:
    (root / ".gitignore").write_text(f"*.pyc\n{line}\n")
    assert codes(run(root, "check", "--format", "json")) == []


@pytest.mark.parametrize("line", ["", "#rendered/", "!rendered/", "render/", "other/rendered/x/"])
def test_env_files_that_git_would_take_are_pointed_out(root: Path, line: str) -> None:
    (root / ".gitignore").write_text(f"*.pyc\n{line}\n")
    assert codes(run(root, "check", "--format", "json")) == ["RS440"]


def test_a_record_is_add_only(root: Path) -> None:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    (root / "registry/als/v1.2.yaml").write_text(RECORD.format(version="v1.2"))
    assert codes(run(root, "check", "--since", "HEAD", "--format", "json")) == []
    (root / "registry/als/v1.1.yaml").write_text(RECORD.format(version="v1.1") + "description: better\n")
    (root / "registry/als/v1.0.yaml").write_text(RECORD.format(version="v1.0") + "# only a comment\n")
    result = run(root, "check", "--since", "HEAD", "--format", "json")
    assert (codes(result), result.return_value) == (["RS430", "RS430"], 1)
    (root / "registry/als/v1.1.yaml").unlink()
    assert "was removed" in run(root, "check", "--since", "HEAD").output


def test_a_record_that_became_a_link_has_one_answer(root: Path) -> None:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    file = root / "registry/als/v1.1.yaml"
    file.rename(root / "elsewhere.yaml")
    file.symlink_to("../../elsewhere.yaml")
    assert codes(run(root, "check", "--since", "HEAD", "--format", "json")) == ["RS241"]


def test_a_commit_that_does_not_exist_is_wrong_use(root: Path) -> None:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    result = run(root, "check", "--since", "nowhere")
    assert result.exception is not None
    assert result.exception.findings[0].code == "RS606"  # type: ignore[attr-defined]


def test_an_unknown_release_is_wrong_use_with_a_suggestion(root: Path) -> None:
    error = run(root, "check", "dev/rec").exception
    assert error is not None
    assert error.findings[0].hint == "did you mean dev/recs?"  # type: ignore[attr-defined]


def test_releases_are_meant_by_glob_folder_and_file(root: Path) -> None:
    for word in ("dev/*", "environments/dev", "environments/dev/recs/", "environments/dev/recs/release.yaml"):
        assert run(root, "check", word).output == "no problems in 1 release\n"


def test_the_program_says_wrong_use_by_exit_code_2(root: Path) -> None:
    def code(*arguments: str) -> int:
        command = [sys.executable, "-m", "relspec", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode

    assert code("check") == 0
    assert code("check", "nowhere") == 2
    assert code("chek") == 2
    assert code("compile", "--at", "HEAD") == 2
    assert code("-C", "/", "check") == 2


def allow(root: Path, until: str, code: str = "RS421") -> None:
    (root / "environments/dev/environment.yaml").write_text(
        FILES["environments/dev/environment.yaml"] + "policies:\n  requireDigest: true\n  allow:\n"
        f'    - {{code: {code}, release: dev/recs, reason: the registry moves, until: "{until}"}}\n'
    )


def test_an_allowance_ends_by_the_commit_and_never_by_the_clock(root: Path) -> None:
    git(root, "init", "-q", "-b", "main")
    allow(root, "2020-01-01")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one", "--date", "2020-01-01T00:00:00Z")
    assert codes(run(root, "check", "--format", "json")) == ["RS421"]
    assert run(root, "check").return_value == 1
    allow(root, "2099-12-31")
    result = run(root, "check", "--format", "json")
    entry = json.loads(result.stdout)["diagnostics"][0]
    assert (entry["code"], entry["severity"], result.return_value) == ("RS421", "note", 0)
    assert "allowed until 2099-12-31: the registry moves" in entry["message"]


@pytest.mark.parametrize(("code", "until"), [("RS231", "2099-12-31"), ("RS199", "2099-12-31"), ("RS421", "2099-02-30")])
def test_what_can_t_be_allowed_is_said(root: Path, code: str, until: str) -> None:
    allow(root, until, code)
    assert "RS122" in codes(run(root, "check", "--format", "json"))


@pytest.mark.parametrize(
    ("schema", "path", "why"),
    [
        ({"type": "strng"}, ("type",), '"strng" is no type of JSON Schema'),
        ({"properties": {"a": {"type": 5}}}, ("properties", "a", "type"), "5 is no type of JSON Schema"),
        ({"properties": {"a": {"minimum": "b"}}}, ("properties", "a", "minimum"), 'minimum can\'t be "b"'),
        ({"required": ["a", 1]}, ("required", 1), "required can't be 1"),
        ({"maxLength": "a" * 57}, ("maxLength",), f"maxLength can't be \"{'a' * 57}\""),
        ({"maxLength": "a" * 58}, ("maxLength",), f"maxLength can't be \"{'a' * 58}\""),
        ({"maxLength": "a" * 59}, ("maxLength",), f"maxLength can't be \"{'a' * 59}"),
    ],
)  # fmt: skip
def test_what_a_metaschema_refuses_is_said_in_words(schema: Map, path: tuple[str | int, ...], why: str) -> None:
    files = {**registry("v1"), "registry/als/v1.yaml": record("v1", interface={"output": schema})}
    (found,) = check_registry(Registry(Loader(tree(files))))
    assert found.message == f"interface.output is no JSON Schema: {why}"
    assert found.where == Where("registry/als/v1.yaml", ("interface", "output", *path))

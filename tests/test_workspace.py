"""Writing outputs: only below their own folders, never through a link, nothing left behind by a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from company import base, company, compose, on_disk, write
from relspec.cli import relspec
from relspec.diagnostics import Finding, RelspecError
from relspec.workspace import MARKER, TEMPORARY, Changes, apply, compare

OUTPUT = "rendered/staging/recs/compose/compose.yaml"
LEFT = ".9999999-0123abcd" + TEMPORARY
"""What a process leaves that is killed. No system has a process of this id."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    write(folder, company(where=compose()))
    assert run(folder, "compile").return_value == 0
    return folder


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(relspec, ["-C", str(root), *arguments], standalone_mode=False)


def test_out_writes_elsewhere_and_removes_nothing_else(root: Path) -> None:
    foreign = root / "build/other/compose.yaml"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes((root / OUTPUT).read_bytes())
    assert run(root, "compile", "--out", "build").return_value == 0
    assert (root / "build/staging/recs/compose/compose.yaml").read_bytes() == (root / OUTPUT).read_bytes()
    assert foreign.exists()
    stale = root / "build/staging/recs/rollouts/rollouts.yaml"
    stale.parent.mkdir()
    stale.write_bytes((root / OUTPUT).read_bytes())
    run(root, "compile", "--out", "build")
    assert not stale.exists()


@pytest.mark.parametrize("folder", [".", ".."])
def test_out_is_never_the_repository_nor_around_it(root: Path, folder: str) -> None:
    before = on_disk(root)
    result = run(root, "compile", "--out", folder)
    assert "name a folder for the outputs alone" in str(result.exception)
    assert on_disk(root) == before


@pytest.mark.parametrize("link", ["rendered", "rendered/staging", "rendered/staging/recs/compose"])
def test_nothing_is_read_or_removed_behind_a_link(root: Path, link: str) -> None:
    (root / link).rename(root.parent / "elsewhere")
    (root / link).symlink_to(root.parent / "elsewhere")
    stale = next(root.parent.joinpath("elsewhere").rglob("compose.yaml")).with_name("stale.yaml")
    stale.write_bytes((root / OUTPUT).read_bytes())
    for arguments in (["compile"], ["compile", "--check"]):
        error = run(root, *arguments).exception
        assert error is not None
        assert error.findings[0].code == "RS604"  # type: ignore[attr-defined]
    assert stale.exists()


@pytest.fixture
def soon() -> Iterator[None]:
    """Ends a test that waits, as one would that opens a pipe."""

    def late(*_: object) -> None:
        raise TimeoutError("this waits for ever")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    # A socket's address may have no more than 107 bytes: its folder is opened, and its path starts there.
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


SPECIAL = pytest.mark.parametrize(("make", "name"), [(make_pipe, "a named pipe"), (make_socket, "a socket")])


@pytest.mark.usefixtures("soon")
@SPECIAL
@pytest.mark.parametrize("arguments", [(), ("--check",), ("--out", "build")], ids=" ".join)
def test_what_is_no_file_where_an_output_belongs_is_neither_read_nor_replaced(
    root: Path, arguments: tuple[str, ...], make: Callable[[Path], None], name: str
) -> None:
    assert run(root, "compile", "--out", "build").return_value == 0
    path = root / ("build/" + OUTPUT.removeprefix("rendered/") if "--out" in arguments else OUTPUT)
    path.unlink()
    make(path)
    error = run(root, "compile", *arguments).exception
    assert isinstance(error, RelspecError)
    assert [finding.code for finding in error.findings] == ["RS604"]
    assert f"is {name}, not a plain file" in error.findings[0].message
    assert not path.is_file()


@pytest.mark.usefixtures("soon")
@SPECIAL
@pytest.mark.parametrize(
    "file",
    [
        *("environments/staging/recs/release.yaml", "environments/staging/environment.yaml", "relspec.lock"),
        *("templates/compose/compose.yaml.j2", "bases/recs.yaml", "environments/staging/recs/files/b"),
    ],
)
def test_what_is_no_file_where_one_is_read_is_named_once(
    tmp_path: Path, file: str, make: Callable[[Path], None], name: str
) -> None:
    service = {"image": "a:1", "files": {"/etc/a": {"from": "files"}}}
    files = company({"api": service}, compose(), extends="../../../bases/recs.yaml")
    write(tmp_path, {**files, "bases/recs.yaml": base({}), "environments/staging/recs/files/a": "a"})
    path = tmp_path / file
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    result = run(tmp_path, "check", "--format", "json")
    said = [(entry["code"], entry["message"]) for entry in json.loads(result.stdout)["diagnostics"]]
    assert [each for each in said if each[0] == "RS241"] == [("RS241", f"{file} is {name}")]
    assert "submodule" not in result.output
    assert run(tmp_path, "compile").return_value == 1


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", [".gitattributes", ".gitignore"])
def test_a_rollback_starts_no_git_that_would_wait_for_a_pipe(root: Path, name: str) -> None:
    (root / name).unlink(missing_ok=True)
    make_pipe(root / name)
    error = run(root, "rollback", "staging/recs").exception
    assert isinstance(error, RelspecError)
    assert (error.findings[0].code, error.findings[0].where.file) == ("RS640", str(root / name))


@pytest.mark.parametrize(
    ("folder", "code", "words"),
    [
        ("relspec.lock", "RS604", "relspec.lock is a file, not a folder"),
        ("relspec.lock/x", "RS604", "relspec.lock is a file, not a folder"),
        ("itself", "RS604", "itself is a symbolic link, not a folder"),
        ("/dev/null", "RS604", "/dev/null is a device, not a folder"),
        ("n" * 300, "RS605", "can't be made: File name too long"),
    ],
)
def test_out_says_why_a_folder_is_none(root: Path, folder: str, code: str, words: str) -> None:
    (root / "itself").symlink_to("itself")
    error = run(root, "compile", "--out", folder).exception
    assert isinstance(error, RelspecError)
    assert (error.findings[0].code, error.findings[0].message[-len(words) :]) == (code, words)
    assert error.findings[0].hint


def test_what_a_kill_left_behind_is_named_and_removed(root: Path) -> None:
    left = root / (OUTPUT + LEFT)
    left.write_text("half a fi")
    assert f"no longer compiled: {OUTPUT}{LEFT}" in run(root, "compile", "--check").output
    run(root, "compile")
    assert not left.exists()
    assert run(root, "compile", "--check").return_value == 0


def test_what_another_process_is_writing_is_left_alone_until_that_is_gone(root: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    writing = root / f"{OUTPUT}.{other.pid}-0123abcd{TEMPORARY}"
    try:
        writing.write_bytes((root / OUTPUT).read_bytes())
        assert run(root, "compile", "--check").return_value == 0
        run(root, "compile")
        assert writing.exists()
    finally:
        other.communicate()
    run(root, "compile")
    assert not writing.exists()


def test_what_an_earlier_process_of_the_same_id_left_is_removed(root: Path) -> None:
    left = root / f"{OUTPUT}.{os.getpid()}-0123abcd{TEMPORARY}"
    left.write_text("half a fi")
    run(root, "compile")
    assert not left.exists()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "NOTES",
            "NOTES.1",
            "NOTES.0-0123abcd",
            "NOTES.99999999-0123abcd",
            "NOTES.9999999-0123abc",
            "9999999-0123abcd",
        ),
        "NOTES.9999999-0123ABCD",
    ],
)
def test_a_file_of_somebody_s_that_only_ends_like_ours_is_kept(root: Path, name: str) -> None:
    own = root / Path(OUTPUT).with_name(name + TEMPORARY)
    own.write_text("mine\n")
    assert run(root, "compile", "--check").return_value == 0
    run(root, "compile")
    assert own.read_text() == "mine\n"


@pytest.mark.parametrize("arguments", [(), ("--out", "build")], ids=" ".join)
def test_a_plain_file_in_the_place_of_an_output_is_replaced_and_others_are_kept(
    root: Path, arguments: tuple[str, ...]
) -> None:
    """The answer to a conflict in the outputs is one compile, whatever the merge left of the header."""
    run(root, "compile", *arguments)
    path = root / ("build/" + OUTPUT.removeprefix("rendered/") if arguments else OUTPUT)
    wanted = path.read_bytes()
    beside = path.with_name("own.yaml")
    conflict = b"<<<<<<< HEAD\n" + wanted + b"=======\nservices: {}\n>>>>>>> other\n"
    for data in (b"services: {}\n", conflict, b"", b"\0"):
        beside.write_bytes(b"services: {}\n")
        path.write_bytes(data)
        assert run(root, "compile", *arguments).return_value == 0
        assert (path.read_bytes(), beside.read_bytes()) == (wanted, b"services: {}\n")


def test_json_says_which_outputs_are_out_of_date(root: Path) -> None:
    (root / OUTPUT).write_text("garbage")
    result = run(root, "compile", "--check", "--format", "json")
    entries = json.loads(result.stdout)["diagnostics"]
    assert [(entry["code"], entry["file"]) for entry in entries] == [("RS601", OUTPUT)]
    assert result.return_value == 1
    assert json.loads(run(root, "compile", "--format", "json").stdout)["diagnostics"] == []


def test_a_release_is_meant_by_an_absolute_path_too(root: Path) -> None:
    file = root / "environments/staging/recs/release.yaml"
    assert "1 output of 1 release up to date" in run(root, "compile", "--check", str(file)).output


def test_a_lock_of_a_kubernetes_without_schemas_is_refused(root: Path) -> None:
    run(root, "lock")
    lock = root / "relspec.lock"
    lock.write_text(lock.read_text().replace('kubernetes: "1.34"', 'kubernetes: "1.25"'))
    result = run(root, "check", "--format", "json")
    entries = json.loads(result.stdout)["diagnostics"]
    assert [(entry["code"], entry["file"], entry["line"]) for entry in entries] == [("RS122", "relspec.lock", 8)]
    assert result.return_value == 1


# --- apply: few descriptors, nothing outside, and the truth where it fails


HEADER = MARKER + b"somewhere\n"
FEW_DESCRIPTORS = """
import resource, sys
from pathlib import Path
from relspec.workspace import apply, compare

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
root = Path(sys.argv[1])
files = {f"rendered/r{i:03}/{kind}/{kind}.yaml": b"%d" % i for i in range(200) for kind in ("compose", "helm")}
apply(root, files, compare(root, files, ["rendered"]))
assert not compare(root, files, ["rendered"])
"""


def refused(root: Path, files: dict[str, bytes], changes: Changes) -> Finding:
    """What `apply` says instead of doing it."""
    with pytest.raises(RelspecError) as raised:
        apply(root, files, changes)
    (finding,) = raised.value.findings
    return finding


def test_many_folders_are_written_with_few_descriptors(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FEW_DESCRIPTORS, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.rglob("*.yaml"))) == 400


@pytest.mark.parametrize("link", ["rendered", "rendered/p", "rendered/p/helm"])
@pytest.mark.parametrize("name", ["old.yaml", "old.yaml" + LEFT])
def test_a_folder_that_becomes_a_link_after_compare_leads_nowhere(tmp_path: Path, link: str, name: str) -> None:
    root, victim = tmp_path / "repository", tmp_path / "victim"
    write(root, {f"rendered/p/helm/{name}": HEADER, "rendered/a/new.yaml": HEADER})
    changes = compare(root, {"rendered/a/new.yaml": HEADER}, ["rendered"])
    assert changes == Changes((), (f"rendered/p/helm/{name}",))
    (root / link).rename(victim)
    (root / link).symlink_to(victim)
    before = on_disk(victim)
    finding = refused(root, {}, changes)
    assert (finding.code, finding.message) == ("RS604", f"{link} is a symbolic link; outputs belong below it")
    assert on_disk(victim) == before != {}


def test_a_folder_that_becomes_a_link_after_compare_is_not_written_through(tmp_path: Path) -> None:
    root, victim = tmp_path / "repository", tmp_path / "victim"
    write(root, {"rendered/p/a.yaml": b"old"})
    files = {"rendered/p/a.yaml": b"new", "rendered/o/a.yaml": b"new"}
    changes = compare(root, files, ["rendered"])
    (root / "rendered/p").rename(victim)
    (root / "rendered/p").symlink_to(victim)
    assert refused(root, files, changes).code == "RS604"
    assert on_disk(victim) == {"a.yaml": b"old"}
    assert on_disk(root / "rendered/o") == {}


def test_empty_folders_behind_a_link_stay(tmp_path: Path) -> None:
    root, victim = tmp_path / "repository", tmp_path / "victim"
    (victim / "p/helm").mkdir(parents=True)
    root.mkdir()
    (root / "rendered").symlink_to(victim)
    assert refused(root, {}, Changes((), ("rendered/p/helm/old.yaml",))).code == "RS604"
    assert (victim / "p/helm").is_dir()


def test_a_file_that_was_replaced_after_compare_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, {"rendered/p/old.yaml": HEADER})
    changes = compare(tmp_path, {}, ["rendered"])
    for replaced in ("text", "link", "pipe"):
        (tmp_path / "rendered/p/old.yaml").unlink()
        if replaced == "text":
            (tmp_path / "rendered/p/old.yaml").write_text("somebody's own\n")
        elif replaced == "link":
            (tmp_path / "rendered/p/old.yaml").symlink_to("somewhere")
        else:
            os.mkfifo(tmp_path / "rendered/p/old.yaml")
        assert refused(tmp_path, {}, changes).code == "RS604", replaced
        assert os.path.lexists(tmp_path / "rendered/p/old.yaml"), replaced


def test_a_file_or_folder_that_went_after_compare_is_removed_already(tmp_path: Path) -> None:
    write(tmp_path, {"rendered/p/old.yaml": HEADER, "rendered/q/inner/old.yaml": HEADER})
    changes = compare(tmp_path, {}, ["rendered"])
    assert len(changes.removed) == 2
    (tmp_path / "rendered/p/old.yaml").unlink()
    shutil.rmtree(tmp_path / "rendered/q/inner")
    apply(tmp_path, {}, changes)
    assert on_disk(tmp_path) == {}
    assert not (tmp_path / "rendered/p").exists()


def test_what_cant_be_written_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    write(tmp_path, {"rendered/a.yaml": b"old"})
    long = "rendered/" + "b" * 250 + ".yaml"
    files = {"rendered/a.yaml": b"new", long: b"new"}
    finding = refused(tmp_path, files, Changes(tuple(files), ()))
    assert (finding.code, finding.where.file) == ("RS605", long)
    assert finding.message == f"can't write {long}: File name too long"
    assert on_disk(tmp_path) == {"rendered/a.yaml": b"old"}


def test_what_was_written_before_a_rename_failed_is_said(tmp_path: Path) -> None:
    # A name that is written twice has one temporary file, which its second rename doesn't find.
    files = {"rendered/a.yaml": b"new", "rendered/b.yaml": b"new", "rendered/c.yaml": b"new"}
    finding = refused(tmp_path, files, Changes(("rendered/a.yaml", "rendered/b.yaml", "rendered/b.yaml"), ()))
    assert finding.message == "can't write rendered/b.yaml: No such file or directory; 2 of 3 files were written"
    assert finding.hint is not None
    assert finding.hint.endswith("run: relspec compile")
    assert on_disk(tmp_path) == {"rendered/a.yaml": b"new", "rendered/b.yaml": b"new"}


AT_ONCE = """
import sys
from pathlib import Path
from relspec.workspace import MARKER, apply, compare

root = Path(sys.argv[1])
files = {f"rendered/r{number}/a.yaml": MARKER + b"%d" % number for number in range(5)}
apply(root, files, compare(root, files, ["rendered"]))
"""


@pytest.mark.parametrize("call", [1, 3, 5])
@pytest.mark.parametrize("what", ["open", "rename"])
def test_two_that_write_the_same_at_once_both_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, call: int
) -> None:
    """The other one begins and ends while this one has files written, and none or some of them renamed."""
    files = {f"rendered/r{number}/a.yaml": MARKER + b"%d" % number for number in range(5)}
    write(tmp_path, {"rendered/old/b.yaml": HEADER})
    changes = compare(tmp_path, files, ["rendered"])
    calls = []
    plain = getattr(os, what)

    def interrupted(path: str, *arguments: object, **named: object) -> object:
        calls.append(path)
        if TEMPORARY in str(path) and sum(TEMPORARY in str(each) for each in calls) == call:
            subprocess.run([sys.executable, "-c", AT_ONCE, str(tmp_path)], check=True)
        return plain(path, *arguments, **named)

    monkeypatch.setattr(os, what, interrupted)
    apply(tmp_path, files, changes)
    monkeypatch.undo()
    assert sum(TEMPORARY in str(each) for each in calls) == 5
    assert on_disk(tmp_path) == files


def test_what_was_removed_meanwhile_is_no_matter_of_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "rename", gone)
    finding = refused(tmp_path, {"rendered/a.yaml": b"new"}, Changes(("rendered/a.yaml",), ()))
    assert finding.hint == "something else removed files here meanwhile; run: relspec compile"
    assert on_disk(tmp_path) == {}


# --- stdout that takes nothing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("arguments", ["check --format json", "compile --stdout", "check --help", "--version"])
def test_a_full_disk_below_stdout_is_said_in_one_sentence(root: Path, arguments: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "relspec", "-C", str(root), *arguments.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "Error: standard output can't be written: No space left on device\n"
    assert done.returncode == 2


SHELL = "exec {python} -m relspec -C {root} {arguments}"


def in_shell(root: Path, arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """relspec as a shell starts it, which can close its streams."""
    command = SHELL.format(python=sys.executable, root=root, arguments=arguments)
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2</dev/null"])
def test_a_closed_stream_ends_no_work(root: Path, closed: str) -> None:
    wanted = on_disk(root / "rendered")
    shutil.rmtree(root / "rendered")
    assert in_shell(root, f"compile {closed}").returncode == 0
    assert on_disk(root / "rendered") == wanted
    (root / "environments/staging/recs/release.yaml").write_text("a: 1\n")
    assert in_shell(root, f"check {closed}").returncode == 1


def test_a_stdout_that_is_not_for_writing_is_said_in_one_sentence(root: Path) -> None:
    done = in_shell(root, "check --format json 1</dev/null")
    assert done.stderr == b"Error: standard output can't be written: Bad file descriptor\n"
    assert done.returncode == 2


@pytest.mark.parametrize("arguments", ["check", "check --format json", "check --format markdown", "compile --stdout"])
def test_no_encoding_of_a_stream_ends_a_run(root: Path, arguments: str) -> None:
    path = root / "environments/staging/recs/release.yaml"
    wrong = "\n    replicas: \u2603" if "check" in arguments else "\n    env: {A: \u2603}"
    path.write_text(path.read_text("utf-8").replace("  api:", f"  api:{wrong}"), "utf-8")
    done = in_shell(root, arguments, PYTHONIOENCODING="latin-1")
    assert done.returncode == (1 if "check" in arguments else 0)
    assert b"RS900" not in done.stdout + done.stderr
    if arguments == "check":
        assert rb"replicas: \u2603" in done.stderr
    elif "json" not in arguments:
        assert "\u2603" in done.stdout.decode("utf-8")


# --- a folder in the place of a document


@pytest.mark.parametrize(
    ("file", "code"), [("recs/release.yaml", "RS200"), ("environment.yaml", "RS214")], ids=["release", "environment"]
)
def test_a_folder_called_like_a_document_is_said_and_keeps_its_outputs(root: Path, file: str, code: str) -> None:
    path = root / "environments/staging" / file
    path.unlink()
    path.mkdir()
    before = on_disk(root / "rendered")
    entries = json.loads(run(root, "check", "--format", "json").stdout)["diagnostics"]
    (entry,) = [entry for entry in entries if "is a folder, not a file" in entry["message"]]
    assert (entry["code"], entry["file"]) == (code, f"environments/staging/{file}")
    assert run(root, "compile").return_value == 1
    assert on_disk(root / "rendered") == before != {}

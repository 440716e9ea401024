"""The README tells the truth: its commands are run, its output is what they print, its files are the repository's.

python tests/test_readme.py      rewrites the outputs in README.md
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPANY = ("environments", "registry", "bases", "charts", "rendered", "relspec.lock", ".gitignore")
FILE = re.compile(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", re.DOTALL)
RUN = re.compile(r"<!-- run -->\n```console\n(.*?)```", re.DOTALL)


def company(folder: Path) -> Path:
    """A Git repository with the sample company in it."""
    folder.mkdir()
    for name in (*COMPANY, "relspec.yaml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        elif source.exists():
            shutil.copy(source, folder / name)
    for command in ("git init -q -b main .", "git add -A", "git commit -qm 'The sample company'"):
        subprocess.run(["bash", "-c", command], cwd=folder, env=environment(), check=True)
    return folder


def environment() -> dict[str, str]:
    """What the commands of the README see: relspec on the path, a Git identity, nothing of the user's own."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@acme.example",
        "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@acme.example",
        "LC_ALL": "C.UTF-8",
    }  # fmt: skip


def with_files(text: str) -> str:
    """The README with each quoted file as it is now, without its editor comment."""

    def quoted(match: re.Match[str]) -> str:
        lines = (ROOT / match[1]).read_text().splitlines(keepends=True)
        body = "".join(line for line in lines if not line.startswith("# yaml-language-server"))
        return f"<!-- file: {match[1]} -->\n```yaml\n{body}```"

    return FILE.sub(quoted, text)


def with_outputs(text: str, folder: Path) -> str:
    """The README with what its commands print now, one after the other in one repository."""

    def run(match: re.Match[str]) -> str:
        commands = [line[2:] for line in match[1].splitlines() if line.startswith("$ ")]
        printed = "".join(f"$ {command}\n{output(command, folder)}" for command in commands)
        return f"<!-- run -->\n```console\n{printed}```"

    return RUN.sub(run, text)


def output(command: str, folder: Path) -> str:
    """What one command prints, both streams in one."""
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_readme_shows_what_its_commands_print(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    assert with_outputs(with_files(text), company(tmp_path / "company")) == text


def test_the_readme_links_to_files_that_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


if __name__ == "__main__":
    import tempfile

    readme = ROOT / "README.md"
    with tempfile.TemporaryDirectory() as scratch:
        readme.write_text(with_outputs(with_files(readme.read_text()), company(Path(scratch) / "company")))

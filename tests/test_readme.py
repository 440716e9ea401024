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
START = 1_772_629_200
"""When the stories in the documentation begin: 2026-03-04T13:00Z."""

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
        output(command, folder)
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
        nonlocal minute
        printed = ""
        for command in (line[2:] for line in match[1].splitlines() if line.startswith("$ ")):
            minute += 5
            printed += f"$ {command}\n{output(command, folder, minute)}"
        return f"<!-- run -->\n```console\n{printed}```"

    minute = 0
    return RUN.sub(run, text)


def output(command: str, folder: Path, minute: int = 0) -> str:
    """What one command prints, both streams in one; commits that it makes are of that minute after START."""
    date = f"@{START + 60 * minute} +0000"
    env = {**environment(), "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def comparable(text: str) -> str:
    """A page without what differs from run to run: ids of commits (numbered as they appear), how long ago, how long."""
    numbers: dict[str, str] = {}
    text = re.sub(
        r"\b[0-9a-f]{9}(?:[0-9a-f]{31})?\b", lambda m: numbers.setdefault(m[0][:9], f"<{len(numbers)}>"), text
    )
    text = re.sub(r"\((?:just now|\d[^()]* ago)\)", "(ago)", text)
    text = re.sub(r"\bdrill of \S+ at\b", "drill of <time> at", text)
    text = re.sub(r"\bsince \d{4}-\d\d-\d\d\b(?!T)", "since <day>", text)
    return re.sub(r"\b\d+\.\d+ m?s\b", "<time>", text)


def test_the_readme_shows_what_its_commands_print(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    assert comparable(with_outputs(with_files(text), company(tmp_path / "company"))) == comparable(text)


def test_the_readme_links_to_files_that_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


if __name__ == "__main__":
    import tempfile

    readme = ROOT / "README.md"
    with tempfile.TemporaryDirectory() as scratch:
        readme.write_text(with_outputs(with_files(readme.read_text()), company(Path(scratch) / "company")))

"""What relspec ships beside its code: templates, the reference chart, schemas."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from relspec.diagnostics import RelspecError
from relspec.tree import Tree

ROOT = Path(__file__).parent
TEMPLATES = ROOT / "templates"
SCHEMAS = ROOT / "schemas"


@cache
def packaged_template(name: str) -> str | None:
    """The source of a packaged template, `rollouts/rollouts.yaml.j2`; None where there is none."""
    path = TEMPLATES / name
    if ".." in name.split("/") or not path.is_file():
        return None
    return path.read_text(encoding="utf-8")


def is_packaged(name: str) -> bool:
    """Whether relspec ships a template of this name: the only ones that a template may include or import."""
    return packaged_template(name) is not None


class TemplateSources:
    """Sources of templates by name: the repository's own under `templates/` first, then the packaged ones.

    A name that starts with `//` is a path in the repository (a team's values template). A file that equals the packaged
    one is no override.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[str, str | None] = {}

    def __call__(self, name: str) -> str | None:
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> str | None:
        path = name[2:] if name.startswith("//") else f"templates/{name}"
        if self._tree.kind(path) == "file":
            try:
                return self._tree.read(path).decode("utf-8")
            except (RelspecError, UnicodeDecodeError):
                return None
        return None if name.startswith("//") else packaged_template(name)

    def file_of(self, name: str) -> str:
        """How a message calls a template: its path in the repository, or in relspec itself."""
        path = name[2:] if name.startswith("//") else f"templates/{name}"
        return path if self._tree.kind(path) == "file" else f"relspec:templates/{name}"

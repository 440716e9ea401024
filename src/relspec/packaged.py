"""What relspec ships beside its code: templates, the reference chart, schemas."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from relspec.diagnostics import Finding, Range, RelspecError, Where
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
        """The source, or None. Raises RelspecError: RS240 (not to be opened), RS241 (a link), RS106, RS242, RS105."""
        path = name[2:] if name.startswith("//") else f"templates/{name}"
        try:
            return self._tree.read(path).decode("utf-8")
        except RelspecError as error:
            # Only what is not there may be had elsewhere: anything else would be passed over without a word.
            if error.findings[0].code != "RS240" or self._tree.kind(path) != "missing":
                raise
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            message = f"{path} is not UTF-8: line {line} has the byte 0x{error.object[error.start]:02x}"
            where = Where(path, range=Range(line, 1, line, 1))
            raise RelspecError(Finding("RS105", message, where, "save it as UTF-8")) from error
        return None if name.startswith("//") else packaged_template(name)

    def file_of(self, name: str) -> str:
        """How a message calls a template: its path in the repository, or in relspec itself.

        A path in the repository stays as it is: not every message about an output is about a template.
        """
        if name.startswith("//"):
            return name[2:]
        own = f"templates/{name}"
        if self._tree.kind(own) != "missing":
            return own
        is_path = not is_packaged(name) and self._tree.kind(name) != "missing"
        return name if is_path else f"relspec:{own}"

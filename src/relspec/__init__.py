"""relspec: release specs, compiled to Docker Compose, Helm values and Argo Rollouts.

    from relspec import DirectoryTree, compile_tree

    compiled = compile_tree(DirectoryTree("."))
    compiled.files         # {"rendered/production/recs/rollouts/rollouts.yaml": b"…"}
    compiled.diagnostics   # everything there is to say, with positions

The names below are the API; everything else may change.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relspec.compiler import Compiled, compile_tree
    from relspec.diagnostics import Diagnostic, RelspecError, Severity
    from relspec.gitops.repository import Repository
    from relspec.tree import DirectoryTree, MemoryTree, Tree

__all__ = [
    "Compiled",
    "Diagnostic",
    "DirectoryTree",
    "MemoryTree",
    "RelspecError",
    "Repository",
    "Severity",
    "Tree",
    "compile_tree",
]

_HOMES = {
    "Compiled": "relspec.compiler",
    "Diagnostic": "relspec.diagnostics",
    "DirectoryTree": "relspec.tree",
    "MemoryTree": "relspec.tree",
    "RelspecError": "relspec.diagnostics",
    "Repository": "relspec.gitops.repository",
    "Severity": "relspec.diagnostics",
    "Tree": "relspec.tree",
    "compile_tree": "relspec.compiler",
}


def __getattr__(name: str) -> Any:
    """Loads a name of the API when it is first asked for, so that importing relspec costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'relspec' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)

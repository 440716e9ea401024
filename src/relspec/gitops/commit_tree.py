"""The files of a commit as a `Tree`: tree objects are read when they are asked for, and once for all commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops.objects import Objects
from relspec.tree import EntryKind, absent, checked, not_ours

KINDS: dict[bytes, EntryKind] = {
    b"40000": "folder",
    b"100644": "file",
    b"100664": "file",
    b"100755": "file",
    b"120000": "link",
    b"160000": "other",
}
MOST_BLOBS = 256 * 1024 * 1024
"""Bytes of files that are kept to be read again; when they are more, all are forgotten and read anew."""


class Entry(Struct, frozen=True):
    """One name in a folder: what it is, its object and its mode (octal text)."""

    kind: EntryKind
    id: str
    mode: str


Folder = dict[str, Entry]


class ObjectStore:
    """Folders and files by the id of their object, read once: neighbouring commits share nearly all of them."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._folders: dict[str, Folder] = {}
        self._blobs: dict[str, bytes] = {}
        self._size = 0

    def folder(self, name: str, path: str = "") -> Folder:
        """A tree object. Raises RelspecError RS631 where this clone does not have it."""
        known = self._folders.get(name)
        if known is None:
            known = self._folders[name] = self._parsed(self.objects.read(name), path)
        return known

    def read_any(self, names: Iterable[str]) -> None:
        """Reads files and folders by their ids, all at once, as far as this clone has them."""
        unread = [name for name in dict.fromkeys(names) if name not in self._blobs and name not in self._folders]
        for name, answer in zip(unread, self.objects.read_all(unread), strict=True):
            if answer is not None and answer[0] == "blob":
                self._keep(name, answer[1])
            elif answer is not None and answer[0] == "tree":
                self._folders[name] = self._parsed(answer, "")

    def known(self, name: str) -> Folder | None:
        """A folder that was read."""
        return self._folders.get(name)

    def blob(self, name: str, path: str) -> bytes:
        """The bytes of a file. Raises RelspecError RS631 where this clone does not have it."""
        known = self._blobs.get(name)
        if known is None:
            answer = self.objects.read(name)
            if answer is None:
                raise missing(path)
            known = self._keep(name, answer[1])
        return known

    def has_read(self, name: str) -> bool:
        """Whether `blob`, or `folder`, answers without asking Git."""
        return name in self._blobs or name in self._folders

    def read_blobs(self, names: Iterable[str]) -> None:
        """Reads files by their ids, all at once; one that this clone does not have is left to `blob` to report."""
        unread = [name for name in dict.fromkeys(names) if name not in self._blobs]
        for name, answer in zip(unread, self.objects.read_all(unread), strict=True):
            if answer is not None:
                self._keep(name, answer[1])

    def load(self, tops: Iterable[str], wanted: Callable[[str], bool]) -> None:
        """All folders below some tree objects, and the files whose name is `wanted`: a level at a time, pipelined."""
        level = [top for top in tops if top]
        files: dict[str, None] = {}
        seen: set[str] = set()
        while level:
            unread = [name for name in dict.fromkeys(level) if name not in self._folders]
            for name, answer in zip(unread, self.objects.read_all(unread), strict=True):
                self._folders[name] = self._parsed(answer, "")
            seen.update(level)
            inner: list[str] = []
            for name in dict.fromkeys(level):
                for leaf, entry in self._folders[name].items():
                    if entry.kind == "folder":
                        inner.append(entry.id)
                    elif entry.kind == "file" and wanted(leaf) and entry.id not in self._blobs:
                        files[entry.id] = None
            level = [name for name in inner if name not in seen]
        self.read_blobs(files)

    def _keep(self, name: str, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > MOST_BLOBS:
            self._blobs.clear()
            self._size = len(data)
        self._blobs[name] = data
        return data

    def _parsed(self, answer: tuple[str, bytes] | None, path: str) -> Folder:
        """`<mode> <name>\\0<binary id>`, again and again (gitformat-tree)."""
        if answer is None or answer[0] != "tree":
            raise missing(path or "a folder")
        data = answer[1]
        length = self.objects.id_length
        found: Folder = {}
        start = 0
        while start < len(data):
            end = data.index(b"\0", start)
            mode, _, name = data[start:end].partition(b" ")
            start = end + 1 + length
            entry = Entry(KINDS.get(mode, "other"), data[end + 1 : start].hex(), mode.decode())
            found[name.decode("utf-8", "surrogateescape")] = entry
        # Git has a folder's name end in a slash for this; most folders are in the order of the names as they are.
        names = sorted(found)
        return found if names == list(found) else {name: found[name] for name in names}


def missing(path: str) -> RelspecError:
    """RS631: an object that a partial or damaged clone does not have."""
    hint = "fetch everything: git fetch --refetch --no-filter (and git fetch --unshallow in a shallow clone)"
    return RelspecError(Finding("RS631", f"the content of {path} is not in this clone", Where(path), hint))


class CommitTree:
    """The files of one commit, below a folder of it. Blobs come from the object store: no filter, hook or checkout runs."""

    def __init__(self, store: ObjectStore, top: str) -> None:
        self._store = store
        self.id = top
        """The tree object; empty where the commit has nothing there."""
        self._known: dict[str, Folder | None] = {"": store.folder(top) if top else {}}

    def __repr__(self) -> str:
        return f"CommitTree({self.id!r})"

    def _folder(self, path: str) -> Folder | None:
        """The entries of a folder; None where there is none."""
        if path in self._known:
            return self._known[path]
        parent, _, name = path.rpartition("/")
        outer = self._folder(parent)
        entry = outer.get(name) if outer is not None else None
        found = self._store.folder(entry.id, path) if entry is not None and entry.kind == "folder" else None
        self._known[path] = found
        return found

    def folder(self, path: str) -> Folder | None:
        """The entries of a folder by name; None where there is none."""
        return self._folder(path)

    def entry(self, path: str) -> Entry | None:
        """What lies at a path, with its object."""
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        return folder.get(name) if folder is not None else None

    def kind(self, path: str) -> EntryKind:
        if not path:
            return "folder"
        entry = self.entry(path)
        return "missing" if entry is None else entry.kind

    def read(self, path: str) -> bytes:
        entry = self.entry(path)
        if entry is None:
            raise RelspecError(absent(self, path, Where(path)))
        if entry.kind == "folder":
            raise RelspecError(
                Finding(
                    "RS240", f"{path} is a folder, not a file", Where(path), "name a file in it, or correct the path"
                )
            )
        if entry.kind != "file":
            raise RelspecError(not_ours(path, entry.kind, Where(path)))
        return checked(path, self._store.blob(entry.id, path))

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        return [(name, entry.kind) for name, entry in (self._folder(folder) or {}).items()]

    def files(self, folder: str = "") -> Iterator[tuple[str, Entry]]:
        """Everything below a folder that is no folder itself, with its object, in the order of the names."""
        for name, entry in (self._folder(folder) or {}).items():
            path = f"{folder}/{name}" if folder else name
            if entry.kind == "folder":
                yield from self.files(path)
            else:
                yield path, entry

    def load(self, *folders: str, files: Callable[[str], bool] = lambda _: False) -> None:
        """Reads whole folders at once, with the files whose name is wanted: what discovery and a full compile need."""
        entries = [self.entry(folder) for folder in folders if folder]
        tops = [entry.id for entry in entries if entry is not None and entry.kind == "folder"]
        self._store.load([self.id, *tops] if "" in folders else tops, files)

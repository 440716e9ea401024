"""Random histories of a small company, and what they mean: told from the bytes that Git has, without the code under test.

`Past` reads every commit of a first-parent chain and says what each release declared there, when, and under which name.
It knows the language only as far as `edits` uses it, and is written to be read, not to be fast.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from company import (
    GIT_ENVIRONMENT,
    SERVICE,
    Content,
    Map,
    Plain,
    Repository,
    base,
    environment,
    kubernetes,
    on_disk,
    record,
    registry,
    release,
    without_none,
    write,
    written,
)
from relspec.compiler import Compiler
from relspec.lock import text as lock_text
from relspec.tree import DirectoryTree
from relspec.workspace import apply, compare

Files = Mapping[str, bytes]

RECS, OTHER, STAGING = "production/recs", "production/other", "staging/recs"
BASE = "bases/recs.yaml"
MODEL = "registry/als/model.yaml"
TEMPLATE = "environments/staging/values.yaml.j2"
LOCK = "relspec.lock"
CHART = Path(__file__).parent / "fixtures" / "charts" / "modelkit"
VALUES = "modelkitRef: {{ service.model.reference }}\nreplicas: {{ service.replicas.min }}\n"


NO_OUTPUTS = "rendered/\n"
"""The .gitignore of a repository whose outputs nobody commits."""


def keeps_outputs(files: Files) -> bool:
    """Whether the outputs are committed."""
    return files[".gitignore"] != NO_OUTPUTS.encode()


def file_of(identity: str) -> str:
    """Where the release with an id lies."""
    return f"environments/{identity}/release.yaml"


def start() -> dict[str, Content]:
    """Three releases in two environments, with all that can be edited: a model, a base, a file, a template."""
    api = {
        "model": "als@prod",
        "env": {"MODEL": {"model": "reference"}, "LEVEL": "info"},
        "files": {"/etc/app.yaml": {"from": "app.yaml"}},
    }
    production = kubernetes(
        targets={"compose": {}, "rollouts": {"namespace": "ml", "prometheus": "http://prometheus:9090"}},
        defaults={"writable": ["/tmp"]},
    )
    helm = {"chart": "../../charts/modelkit", "values": "values.yaml.j2", "namespace": "ml"}
    staging = environment("staging", targets={"compose": {}, "helm": helm}, defaults={"replicas": 1})
    extends = "../../../bases/recs.yaml"
    return {
        ".gitignore": "rendered/**/.env\n",
        LOCK: lock_text(),
        "environments/production/environment.yaml": production,
        "environments/staging/environment.yaml": staging,
        TEMPLATE: VALUES,
        **{f"charts/modelkit/{path}": data for path, data in on_disk(CHART).items()},
        **registry("v1", "v2", aliases={"prod": "v1"}),
        BASE: base({"api": without_none({**SERVICE, "image": None})}),
        file_of(RECS): release("recs", {"api": api, "worker": SERVICE}, extends=extends),
        "environments/production/recs/app.yaml": "a: 1\n",
        file_of(OTHER): release("other", {"api": {"model": "als@v1"}}, extends=extends),
        file_of(STAGING): release("recs", {"api": {"model": "als@v1"}}, extends=extends),
    }


def compile_into(folder: Path) -> bool:
    """Writes the outputs of the work tree, whatever edition it is locked to; whether that was possible."""
    compiled = Compiler(DirectoryTree(folder), any_edition=True).compile()
    if not compiled.stopped:
        apply(folder, compiled.files, compare(folder, compiled.files, [compiled.output]))
    return not compiled.stopped


# --- what a commit holds


def files_at(made: Repository, commit: str) -> dict[str, bytes]:
    """Every file of a commit by its path."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit],
        cwd=made.folder,
        env=GIT_ENVIRONMENT,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar.getmembers() if member.isfile()]
        return {name: data.read() for name, data in members if data is not None}


@cache
def parsed(data: bytes) -> Any:
    """A YAML document, for reading alone; None for what is none."""
    try:
        return yaml.load(data, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None


def releases_in(files: Files) -> list[str]:
    """The ids of the releases of a commit."""
    lying = (path for path in files if path.startswith("environments/") and path.endswith("/release.yaml"))
    return sorted(path.removeprefix("environments/").removesuffix("/release.yaml") for path in lying)


# --- what a release declares


def declared(files: Files, identity: str) -> str | None:
    """A text that is the same for two commits exactly when a release declares the same in both; None where it is absent."""
    services = services_of(files, identity)
    return None if services is None else repr(sorted(services.items()))


def services_of(files: Files, identity: str) -> dict[str, str] | None:
    """The same by service; `*` for what the release says of itself."""
    path = file_of(identity)
    if path not in files:
        return None
    own = parsed(files[path])
    if "colour" in own:  # nobody understands it: then its bytes count, and those of all that was looked at
        return {"": repr((files[path], files[f"environments/{posixpath.dirname(identity)}/environment.yaml"]))}
    layers = [own]
    if own.get("extends"):
        layers.insert(0, parsed(files[posixpath.normpath(posixpath.join(posixpath.dirname(path), own["extends"]))]))
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for layer in layers for name in layer["services"]):
        service: Map | None = None
        for layer in layers:
            if name in layer["services"]:
                said = layer["services"][name]
                service = None if said is None else over(service or {}, said)
        if service is not None:
            found[name] = canonical(exact(files, posixpath.dirname(path), with_variant(service)))
    whole = {key: own[key] for key in ("targets", "helm", "overrides") if key in own}
    return {**found, "*": canonical(whole)} if whole else found


def canonical(value: Any) -> str:
    """A text that does not depend on the order of keys."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{canonical(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(each) for each in value) + "]"
    return repr(value)


WHOLE = ("replicas", "strategy", "health")
ATOMS = ("env", "files")


def over(lower: Map, upper: Map, path: tuple[str, ...] = ()) -> Map:
    """A layer over another: maps merge, null removes, some fields are replaced whole."""
    result = dict(lower)
    for key, value in upper.items():
        if value is None and result.get(key) is not None:
            del result[key]
        elif (
            isinstance(value, dict)
            and isinstance(result.get(key), dict)
            and not (not path and key in WHOLE)
            and not (len(path) == 1 and path[0] in ATOMS)
        ):
            result[key] = over(result[key], value, (*path, key))
        else:
            result[key] = value
    return result


def with_variant(service: Map) -> Map:
    """The service with its active variant, which has neither strategy nor candidate."""
    if service.get("active") is None:
        return service
    merged = over(service, service["variants"][service["active"]])
    return {key: value for key, value in merged.items() if key not in ("strategy", "candidate")}


def exact(files: Files, folder: str, service: Map) -> Map:
    """The service with versions for aliases, records for versions, contents for files, and one form for a port."""
    found = deepcopy(service)
    patches = [found, found.get("candidate"), *(found.get("variants") or {}).values()]
    for patch in patches:
        if not isinstance(patch, dict):
            continue
        if isinstance(patch.get("model"), str):
            patch["model"] = version_of(files, patch["model"])
        for target, file in (patch.get("files") or {}).items():
            if isinstance(file, dict) and "from" in file:
                lying = posixpath.normpath(posixpath.join(folder, file["from"]))
                patch["files"][target] = hashlib.sha256(files.get(lying, b"gone")).hexdigest()
            elif isinstance(file, dict) and "content" in file:
                patch["files"][target] = hashlib.sha256(file["content"].encode()).hexdigest()
        if isinstance(patch.get("ports"), dict):
            patch["ports"] = {
                name: {"port": port} if isinstance(port, int) else port for name, port in patch["ports"].items()
            }
    return found


def version_of(files: Files, reference: str) -> str:
    """The version that a reference means, with its record."""
    model, _, version = reference.partition("@")
    version = (parsed(files[f"registry/{model}/model.yaml"]).get("aliases") or {}).get(version, version)
    return f"{model}@{version} {hashlib.sha256(files.get(f'registry/{model}/{version}.yaml', b'gone')).hexdigest()}"


# --- the past


@dataclass(frozen=True)
class Moment:
    """A commit of the first-parent chain. `time` is the running maximum of committer times, `files` what it holds."""

    commit: str
    time: int
    files: Files


@dataclass(frozen=True)
class Run:
    """Commits, newest first, in which a release declared one and the same. `name` is its id in the newest of them."""

    name: str
    state: str | None
    moments: tuple[Moment, ...]


class Past:
    """The first-parent chain of a repository, newest first. Commits are read once."""

    def __init__(self, made: Repository, known: dict[str, Files]) -> None:
        lines = made.git("log", "--first-parent", "--reverse", "--format=%H %ct").splitlines()
        latest = 0
        moments: list[Moment] = []
        for line in lines:
            commit, seconds = line.split()
            latest = max(latest, int(seconds))
            if commit not in known:
                known[commit] = files_at(made, commit)
            moments.append(Moment(commit, latest, known[commit]))
        self.moments = tuple(reversed(moments))

    def names(self, identity: str) -> Iterator[tuple[Moment, str]]:
        """Each commit with the id that a release had in it: renames are followed."""
        for index, moment in enumerate(self.moments):
            yield moment, identity
            before = self.moments[index + 1].files if index + 1 < len(self.moments) else {}
            if file_of(identity) in moment.files and file_of(identity) not in before:
                state = declared(moment.files, identity)
                gone = [name for name in releases_in(before) if file_of(name) not in moment.files]
                same = [name for name in gone if declared(before, name) == state]
                place = posixpath.dirname(identity)
                identity = min(same, key=lambda name: (posixpath.dirname(name) != place, name), default=identity)

    def runs(self, identity: str) -> list[Run]:
        """The states of a release, newest first."""
        found: list[Run] = []
        for moment, name in self.names(identity):
            state = declared(moment.files, name)
            if found and found[-1].state == state:
                found[-1] = Run(found[-1].name, state, (*found[-1].moments, moment))
            else:
                found.append(Run(name, state, (moment,)))
        return found

    def at(self, identity: str, time: int) -> Run | None:
        """The state in which a release was at a time; None where the repository begins later."""
        for run in self.runs(identity):
            if run.moments[-1].time <= time:
                return run
        return None


def instant(seconds: int) -> str:
    """Unix seconds as relspec takes and writes them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- edits

Edit = Callable[[dict[str, bytes], int], None]
"""Changes files; the number says in which layout YAML is written, and picks among several."""


def layout(document: Map, style: int) -> bytes:
    """A document as one of several people would write it."""
    text = yaml.dump(
        document,
        Dumper=Plain,
        sort_keys=style % 2 == 1,
        indent=2 + 2 * (style % 3 == 1),
        default_flow_style=None if style % 5 == 2 else False,
        allow_unicode=True,
    )
    text = f"# layout {style % 7}\n{text}" if style % 3 else text
    return text.replace("\n", "\r\n").encode() if style % 7 == 6 else text.encode()


def change(files: dict[str, bytes], path: str, style: int, edit: Callable[[Map], Any]) -> None:
    """Edits a document where it is there and can be read."""
    document = deepcopy(parsed(files[path])) if path in files else None
    if isinstance(document, dict):
        edit(document)
        files[path] = layout(document, style)


def service_edit(edit: Callable[[Map], Any], *names: str) -> Edit:
    """An edit of a service of some release."""

    def apply_to(files: dict[str, bytes], style: int) -> None:
        identity = some(releases_in(files), style)

        def one(document: Map) -> None:
            services = document.get("services") or {}
            wanted = [name for name in services if (not names or name in names) and services[name] is not None]
            if wanted:
                edit(services[some(wanted, style)])

        if identity is not None:
            change(files, file_of(identity), style, one)

    return apply_to


def some(among: list[str], number: int) -> str | None:
    """One of several, by number."""
    return among[number % len(among)] if among else None


def put(name: str, value: Any) -> Callable[[Map], Any]:
    """Sets a field, or takes it away (None)."""

    def edit(fields: Map) -> None:
        fields.pop(name, None)
        if value is not None:
            fields[name] = deepcopy(value)

    return edit


def variable(name: str, value: str | None) -> Callable[[Map], Any]:
    def edit(fields: Map) -> None:
        fields["env"] = dict(fields.get("env") or {})
        put(name, value)(fields["env"])

    return edit


def candidate(version: str, weight: int) -> Callable[[Map], Any]:
    def edit(fields: Map) -> None:
        if "model" in fields:
            fields.update(candidate={"model": f"als@{version}"}, strategy={"canary": {"weight": weight}})

    return edit


def without_candidate(fields: Map) -> None:
    fields.pop("candidate", None)
    fields.pop("strategy", None)


def variant(active: str | None, version: str | None = None) -> Callable[[Map], Any]:
    """A variant in use or not; with a version also one of another model, for a service that has one."""

    def edit(fields: Map) -> None:
        fields["variants"] = {"safe": {"env": {"SAFE": "yes"}}}
        if version is not None and "model" in fields:
            fields["variants"]["old"] = {"model": f"als@{version}"}
        put("active", active if active in fields["variants"] else None)(fields)

    return edit


def file_from(content: str) -> Edit:
    """app.yaml of a release that has one."""

    def edit(files: dict[str, bytes], style: int) -> None:
        path = some([path for path in sorted(files) if path.endswith("/app.yaml")], style)
        if path is not None:
            files[path] = content.encode()

    return edit


def beside(content: str) -> Edit:
    """A file beside a release, that nothing names."""

    def edit(files: dict[str, bytes], style: int) -> None:
        identity = some(releases_in(files), style)
        if identity is not None:
            files[f"environments/{identity}/NOTES.md"] = content.encode()

    return edit


def document_edit(path: str, edit: Callable[[Map], Any]) -> Edit:
    return lambda files, style: change(files, path, style, edit)


def in_base(edit: Callable[[Map], Any]) -> Edit:
    return document_edit(BASE, lambda document: edit(document["services"]["api"]))


def in_environment(edit: Callable[[Map], Any]) -> Edit:
    def apply_to(files: dict[str, bytes], style: int) -> None:
        change(files, f"environments/{('production', 'staging')[style % 2]}/environment.yaml", style, edit)

    return apply_to


def default(name: str, value: Any) -> Edit:
    return in_environment(lambda document: document.setdefault("defaults", {}).update({name: value}))


def worker(there: bool) -> Edit:
    """A second service, in production."""

    def edit(document: Map) -> None:
        document["services"].pop("worker", None)
        if there:
            document["services"]["worker"] = deepcopy(SERVICE)

    return document_edit(file_of(RECS), edit)


def written_anew(files: dict[str, bytes], style: int) -> None:
    """Comments and the order of keys: nothing that runs."""
    identity = some(releases_in(files), style)
    if identity is not None:
        change(files, file_of(identity), style, lambda _: None)


def registered(files: dict[str, bytes], _: int) -> None:
    """The next version of the model."""
    number = 1 + sum(1 for path in files if path.startswith("registry/als/v"))
    if number < 8:
        files[f"registry/als/v{number}.yaml"] = written(record(f"v{number}"))


def alias_moved(files: dict[str, bytes], style: int) -> None:
    """`prod` to another version."""
    known = sorted(path for path in files if path.startswith("registry/als/v"))
    version = Path(known[(style // 2) % len(known)]).stem
    change(files, MODEL, style, lambda document: document.update(aliases={"prod": version}))


def registry_says(edit: Callable[[Map, str], Any]) -> Edit:
    """An edit of model.yaml about one of the versions that have a record."""

    def apply_to(files: dict[str, bytes], style: int) -> None:
        version = some(versions_in(files), style // 2)
        if version is not None:
            change(files, MODEL, style, lambda document: edit(document, version))

    return apply_to


def versions_in(files: Mapping[str, bytes]) -> list[str]:
    """The versions of the model that have a record."""
    return sorted(Path(path).stem for path in files if path.startswith("registry/als/v"))


def standing(state: str | None) -> Edit:
    """A version is deprecated, archived, or neither."""

    def edit(document: Map, version: str) -> None:
        document["lifecycle"] = dict(document.get("lifecycle") or {})
        put(version, state)(document["lifecycle"])

    return registry_says(edit)


def quarantined(document: Map, version: str) -> None:
    """A version goes into quarantine."""
    entry = {"reason": "error rate 12 %", "since": "2026-03-01"}
    document["quarantine"] = {**(document.get("quarantine") or {}), version: entry}


def lifted(document: Map, version: str) -> None:
    """Every quarantine ends, and it is said why."""
    held = document.get("quarantine") or {}
    if held:
        document["quarantine"] = {name: {**entry, "lifted": f"mended in {version}"} for name, entry in held.items()}


def in_quarantine(files: Mapping[str, bytes]) -> dict[str, str]:
    """The versions whose quarantine is in force, each with its reason."""
    held = (parsed(files[MODEL]) or {}).get("quarantine") or {}
    return {version: entry["reason"] for version, entry in held.items() if entry.get("lifted") is None}


OTHERS = re.compile(r"'variants':\{.*?\}\}(?=[,}])")
VERSION = re.compile(r"'als@(v\d+) ")


def versions_of(files: Files, identity: str) -> set[str]:
    """The versions that a release runs, or can be switched to."""
    services = services_of(files, identity) or {}
    return {version for service in services.values() for version in VERSION.findall(service)}


def running(files: Files, identity: str) -> set[str]:
    """The versions that a release runs: what its services say without their variants."""
    services = services_of(files, identity) or {}
    return {version for service in services.values() for version in VERSION.findall(OTHERS.sub("", service))}


def renamed(files: dict[str, bytes], style: int) -> None:
    """The folder of a release, and with it the release."""
    identity = some(releases_in(files), style)
    if identity is None:
        return
    to = f"{posixpath.dirname(identity)}/{('recs', 'other', 'films', 'songs')[style // 3 % 4]}"
    if file_of(to) in files:
        return
    folder = f"environments/{identity}/"
    for path in [path for path in files if path.startswith(folder)]:
        files[f"environments/{to}/{path[len(folder) :]}"] = files.pop(path)
    if b"\nname:" in files[file_of(to)]:
        change(files, file_of(to), style, lambda document: document.update(name=posixpath.basename(to)))


def removed(files: dict[str, bytes], style: int) -> None:
    """A release, with its files; the last two stay."""
    identity = some(releases_in(files), style)
    if identity is not None and len(releases_in(files)) > 2:
        for path in [path for path in files if path.startswith(f"environments/{identity}/")]:
            del files[path]


def added(files: dict[str, bytes], style: int) -> None:
    """A new release, like the others but for its name."""
    to = f"{('production', 'staging')[style % 2]}/{('recs', 'other', 'films', 'songs')[style // 2 % 4]}"
    if file_of(to) not in files:
        name = posixpath.basename(to)
        document = release(name, {"api": {"model": "als@prod"}}, extends="../../../bases/recs.yaml")
        files[file_of(to)] = layout(document, style)


def broken(files: dict[str, bytes], style: int) -> None:
    """A release that says what nobody understands."""
    identity = some(releases_in(files), style)
    if identity is not None:
        change(files, file_of(identity), style, lambda document: document.update(colour="red"))


def lock_upgraded(files: dict[str, bytes], _: int) -> None:
    files[LOCK] = lock_text()


def template(files: dict[str, bytes], style: int) -> None:
    files[TEMPLATE] = (VALUES + f"seed: {style % 4}\n").encode()


def edit_files(folder: Path, edit: Edit, style: int) -> None:
    """Edits the files below a folder, outputs left aside."""
    before = {path: data for path, data in on_disk(folder).items() if not path.startswith("rendered/")}
    after = dict(before)
    edit(after, style)
    for path in before.keys() - after.keys():
        (folder / path).unlink()
    write(folder, {path: data for path, data in after.items() if before.get(path) != data})


def in_release(identity: str, edit: Callable[[Map], Any]) -> Edit:
    """An edit of the service `api` of one release."""
    return document_edit(file_of(identity), lambda document: edit(document["services"]["api"]))


FIRST: tuple[Edit, ...] = (
    registered,
    in_release(OTHER, put("model", "als@v2")),
    in_release(STAGING, put("model", "als@v2")),
    in_release(RECS, variable("LEVEL", "warn")),
    in_base(variable("D", "one")),
    document_edit(MODEL, lambda document: document.update(aliases={"prod": "v2"})),
    in_release(STAGING, put("image", "ghcr.io/acme/recs:1")),
)
"""What was done before anybody looks: each release has states to go back to."""

WORDS = st.sampled_from(["one", "two", "3", "no", "a: b", "é", "$x", "{{ y }}", ""])
VERSIONS = st.sampled_from(["v1", "v2", "v3", "prod"])
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.builds(lambda name, word: service_edit(variable(name, word)), st.sampled_from("ABDE"), st.none() | WORDS),
    st.builds(lambda version: service_edit(put("model", f"als@{version}"), "api"), VERSIONS),
    st.builds(lambda version: service_edit(put("model", f"als@{version}"), "api"), VERSIONS),
    st.builds(lambda tag: service_edit(put("image", f"ghcr.io/acme/recs:{tag}")), st.integers(1, 4)),
    st.builds(lambda count: service_edit(put("replicas", count)), st.none() | st.integers(1, 5)),
    st.builds(lambda version, weight: service_edit(candidate(version, weight)), VERSIONS, st.integers(0, 100)),
    st.just(service_edit(without_candidate)),
    st.builds(
        lambda active, version: service_edit(variant(active, version)),
        st.sampled_from([None, "safe", "old"]),
        st.none() | st.sampled_from(["v1", "v2", "v3"]),
    ),
    st.builds(lambda label: service_edit(put("labels", {"team": label})), st.sampled_from("xyz")),
    st.builds(lambda word: file_from(f"a: {word!r}\n"), WORDS),
    st.builds(beside, WORDS),
    st.builds(worker, st.booleans()),
    st.just(written_anew),
    st.builds(lambda name, word: in_base(variable(name, word)), st.sampled_from("DE"), st.none() | WORDS),
    st.builds(
        lambda cpu: in_base(put("resources", {"cpu": f"{cpu}m", "memory": "1Gi"})), st.sampled_from([100, 200, 300])
    ),
    st.builds(lambda count: default("replicas", count), st.integers(1, 4)),
    st.builds(lambda folder: default("writable", [f"/{folder}"]), st.sampled_from(["tmp", "run"])),
    st.builds(
        lambda count: in_environment(put("policies", {"minReplicas": count, "requireDigest": count % 2 == 0})),
        st.integers(1, 6),
    ),
    st.just(template),
    st.just(registered),
    st.just(alias_moved),
    st.just(alias_moved),
    st.builds(standing, st.sampled_from([None, "deprecated", "archived"])),
    st.just(registry_says(quarantined)),
    st.just(registry_says(lifted)),
    st.just(lock_upgraded),
    st.just(renamed),
    st.just(removed),
    st.just(added),
    st.just(broken),
)

"""Each mistake that we promise to answer, in one table: `check` and `compile` on a real folder that compiled before.

One code, one place, one hint; exit 1 and no stack trace; and `compile` leaves the outputs alone, unless what is wrong is
a matter of policy, safety or quarantine.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import wrong_specs
from company import company, compose, on_disk, release, repository, run, with_service, write
from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Kind, Range, Severity
from relspec.tree import MAX_FILE
from wrong_specs import RELEASE

HEAD = "apiVersion: relspec/v1\nkind: Release\nname: recs\n"
BASE = "extends: ../../../bases/recs.yaml\n"
KUBERNETES = "templates/rollouts/rollouts.yaml.j2"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is changed (as in `wrong_specs`, « and » around what must be pointed at), what is said and a part of the hint."""

    code: str
    hint: str
    service: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    also: tuple[str, ...] = ()

    def written(self) -> tuple[dict[str, bytes], str, Range]:
        """Every file, and the place that is meant."""
        case: dict[str, object] = {"environment": self.environment, "files": self.files}
        marked = wrong_specs.changed({**case, "service": self.service} if self.service else case)
        file, place = wrong_specs.marks(marked)
        return {name: text.replace("«", "").replace("»", "").encode() for name, text in marked.items()}, file, place


def of_release(text: str) -> Mapping[str, str | None]:
    return {RELEASE: HEAD + text}


MISTAKES: Mapping[str, Mistake] = {
    "unknown key": Mistake("RS120", "did you mean replicas?", "«replcas»: 3\n"),
    "wrong type": Mistake("RS104", "write a map", "ports: «8080»\n"),
    "version: 1.10": Mistake(
        "RS104",
        'write "1.10" in quotes',
        "model: als@1.10\n",
        files={"registry/als/1.10.yaml": "apiVersion: relspec/v1\nkind: ModelVersion\nmodel: als\nversion: «1.10»\n"},
    ),
    "duplicate key": Mistake("RS101", "keep one of the two", "replicas: 2\n«replicas»: 3\n"),
    "tab in an indent": Mistake("RS109", "indent with spaces", "env:\n«\t»A: b\n"),
    "empty file": Mistake("RS103", "start with `apiVersion: relspec/v1`", files={RELEASE: "«»"}),
    "several documents": Mistake(
        "RS102", "keep one document a file", files=of_release(f"{BASE}«---»\n{HEAD.replace('recs', 'other')}")
    ),
    "alias bomb": Mistake(
        "RS108",
        "extends",
        "env:\n  A: «*a»\n",
    ),
    "a billion laughs": Mistake(
        "RS108",
        "extends",
        "labels: {a: «&a» [x, x]}\n",
    ),
    "a directive": Mistake("RS107", "remove the line", files={RELEASE: "«%FOO bar»\n---\n" + HEAD + BASE}),
    "unknown tag": Mistake("RS107", "plain", 'args: [«!!python/object/apply:os.system» "true"]\n'),
    "extends leaves the repository": Mistake(
        "RS241", "inside the repository", files=of_release("extends: «../../../../bases/recs.yaml»\n")
    ),
    "extends is absolute": Mistake("RS241", "inside the repository", files=of_release("extends: «/etc/passwd»\n")),
    "files leave the repository": Mistake(
        "RS241", "inside the repository", "files: {/etc/passwd: {from: «../../../../../etc/passwd»}}\n"
    ),
    "extends cycle": Mistake(
        "RS213",
        "remove one extends",
        files={
            "bases/recs.yaml": "apiVersion: relspec/v1\nkind: Release\nextends: other.yaml\n",
            "bases/other.yaml": "apiVersion: relspec/v1\nkind: Release\nextends: «recs.yaml»\n",
        },
    ),
    "unknown model": Mistake("RS201", "did you mean als?", "model: «alz@v3»\n"),
    "unknown version": Mistake("RS203", "did you mean", "model: «als@v7»\n"),
    "unknown alias": Mistake("RS203", "did you mean prod?", "model: «als@prd»\n"),
    "unknown variant": Mistake(
        "RS204", "known here: baseline", "variants: {baseline: {image: a:1}}\nactive: «basline»\n"
    ),
    "archived version": Mistake("RS410", "choose", "model: «als@v1»\n"),
    "quarantined version": Mistake("RS411", "choose another", "model: «als@v4»\n"),
    "no image": Mistake("RS202", "add image", files=of_release("services:\n  «api»: {resources: {cpu: 1}}\n")),
    "bad image reference": Mistake("RS127", "registry/name:tag", 'image: «"ghcr.io/acme/recs: 1.8.2"»\n'),
    "memory: 4 gigs": Mistake("RS128", "512Mi, 4Gi", "resources: {memory: «4 gigs»}\n"),
    "an uppercase name": Mistake("RS124", "lower-case", files=of_release("services: {«Api»: {image: 'a:1'}}\n")),
    "an over-long name": Mistake("RS124", "at most 63", f"serviceAccount: «{'a' * 64}»\n"),
    "a name too long for an output": Mistake(
        "RS132", "shorten", files=of_release(f"services: {{«{'a' * 60}»: {{image: 'a:1', resources: {{cpu: 1}}}}}}\n")
    ),
    "two strategies": Mistake(
        "RS301", "keep one of them", "strategy: «{canary: {steps: [{setWeight: 10}]}, blueGreen: {}}»\n"
    ),
    "weight 101": Mistake("RS126", "at most 100", "candidate: {image: a:2}\nstrategy: {canary: {weight: «101»}}\n"),
    "steps that go down": Mistake(
        "RS309", "rising order", "strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}, {setWeight: «10»}]}}\n"
    ),
    "candidate without a strategy": Mistake("RS303", "add strategy", "«candidate»: {image: a:2}\n"),
    "strategy without a candidate": Mistake("RS303", "add candidate", "«strategy»: {canary: {weight: 10}}\n"),
    "analysis that is not defined": Mistake(
        "RS306",
        "its analyses: success-rate",
        "strategy: {canary: {steps: [{setWeight: 10}, {analyze: [«latency»]}]}}\n",
    ),
    "analysis without Prometheus": Mistake(
        "RS307",
        "prometheus",
        "strategy: {blueGreen: {analyze: {before: [«success-rate»]}}}\n",
        environment={"targets": "rollouts: {namespace: ml}\n"},
    ),
    "steps in an environment with only compose": Mistake(
        "RS332",
        "held canary",
        files={
            "environments/dev/recs/release.yaml": (
                f"{HEAD}{BASE}services: {{api: {{«strategy»: {{canary: {{steps: [{{setWeight: 10}}]}}}}}}}}\n"
            )
        },
    ),
    "port clash": Mistake("RS130", "own number", "ports: {admin: «8080»}\n"),
    "dependency cycle": Mistake(
        "RS206",
        "remove one",
        files={
            "environments/dev/recs/release.yaml": (
                f"{HEAD}services:\n  api: {{image: 'a:1', dependsOn: {{web: started}}}}\n"
                "  web: {image: 'w:1', dependsOn: {«api»: started}}\n"
            )
        },
    ),
    "duplicate release": Mistake(
        "RS220",
        "rename one of the two",
        files={
            RELEASE: HEAD.replace("recs", "«recs»") + BASE,
            "environments/production/release.yaml": HEAD + "services: {other: {image: 'a:1', resources: {cpu: 1}}}\n",
        },
    ),
    "literal secret": Mistake("RS231", "{secret: NAME/KEY}", "env: {DB_PASSWORD: «hunter2-correct-horse»}\n"),
    "literal secret in another spelling": Mistake("RS231", "{secret: NAME/KEY}", "labels: {x-api-key: «hunter2»}\n"),
    "literal secret behind another name": Mistake(
        "RS231",
        "{secret: NAME/KEY}",
        "env: {API_KEY: {environment: VALUE}}\n",
        environment={"variables": "VALUE: «hunter2»\n"},
    ),
    "literal secret in an option": Mistake("RS231", "{secret: NAME/KEY}", "args: ['--port=1', «--api-key=hunter2»]\n"),
    "override with a map for a default of ours": Mistake(
        "RS520", "", "overrides: {rollouts: {container: {imagePullPolicy: «{a: 1}»}}}\n"
    ),
    "override that removes what is needed": Mistake(
        "RS520",
        "",
        "overrides: {rollouts: {container: {readinessProbe: {httpGet: {«port»: null}}}}}\n",
    ),
    "override with a map for a number of the service": Mistake(
        "RS520", "", "overrides: {rollouts: {pod: {terminationGracePeriodSeconds: «{a: 1}»}}}\n"
    ),
    "override that makes an output invalid": Mistake(
        "RS520", "", "overrides: {rollouts: {pod: {terminationGracePeriodSeconds: «soon»}}}\n"
    ),
    "autoPromotionEnabled under canary": Mistake(
        "RS302", "pause: {}", "strategy: {canary: {steps: [{setWeight: 10}], «autoPromotionEnabled»: false}}\n"
    ),
    "template syntax error": Mistake(
        "RS500", "", files={KUBERNETES: "---\nkind: Rollout\n«{% for rollout in rollouts %}»\n"}
    ),
    "undefined name in a template": Mistake(
        "RS501", "", files={KUBERNETES: "---\nkind: Rollout\nmetadata: {name: {{ «rollout».name }}}\n"}
    ),
    "template that tries to reach Python internals": Mistake(
        "RS502", "", files={KUBERNETES: "---\nkind: Rollout\nmetadata: {name: {{ release.«__class__» }}}\n"}
    ),
    "missing chart": Mistake(
        "RS530", "", environment={"targets": "helm: {chart: «../../charts/none», values: {image: a}}\n"}
    ),
    "values against the chart's schema": Mistake(
        "RS531",
        "",
        "replicas: «9»\n",
        environment={
            "targets": "helm:\n  chart: ../../charts/server\n"
            '  values: {replicas: "{{ service.replicas.min }}", image: "{{ service.image.ref }}"}\n'
        },
        files={
            "charts/server/Chart.yaml": "apiVersion: v2\nname: server\nversion: 0.1.0\n",
            "charts/server/values.yaml": "image: ''\nreplicas: 1\n",
            "charts/server/values.schema.json": '{"properties": {"replicas": {"type": "integer", "maximum": 5}}}',
            "charts/server/templates/x.yaml": "{{ .Values.image }}{{ .Values.replicas }}",
        },
    ),
}
"""In the order in which they are promised; bytes, links and commits are below."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with nothing wrong, and its outputs."""
    folder = tmp_path_factory.mktemp("sound")
    write(folder, wrong_specs.repository())
    assert run(folder, "compile").code == 0
    return folder


def answered(sound: Path, root: Path, files: Mapping[str, bytes], code: str, file: str, place: Range | None) -> str:
    """Asserts what `check` and `compile` do about the one mistake in `files`, and gives the hint."""
    shutil.copytree(sound / "rendered", root / "rendered")
    before = on_disk(root / "rendered")
    write(root, files)
    checked = run(root, "check", "--format", "json")
    entries = [d for d in json.loads(checked.out)["diagnostics"] if d["severity"] != "note"]
    (entry,) = [d for d in entries if d["code"] == code] or [entries]
    assert [d["code"] for d in entries if d is not entry] == []
    assert entry["file"] == file
    line, column = (place.line, place.column) if place is not None else (1, 1)
    assert (entry["line"], entry["column"]) == (line, column)
    if place is not None:
        assert (entry["endLine"], entry["endColumn"]) == (place.end_line, place.end_column)
    rule = CATALOGUE[code]
    assert checked.code == (1 if rule.severity is Severity.ERROR else 0)
    compiled = run(root, "compile")
    assert "Traceback" not in checked.err + compiled.err + compiled.out
    assert f"{file}:{line}:{column}: " in compiled.err
    if rule.kind is Kind.STRUCTURE and rule.severity is Severity.ERROR:
        assert compiled.code == 1
        assert on_disk(root / "rendered") == before
    else:
        assert compiled.code == 0
    return str(entry["hint"])


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_one_clear_answer(mistake: Mistake, sound: Path, tmp_path: Path) -> None:
    files, file, place = mistake.written()
    hint = answered(sound, tmp_path, files, mistake.code, file, place)
    assert hint
    assert mistake.hint in hint


def test_no_mistake_has_the_answer_of_another() -> None:
    """One code each, but where it is the same mistake in two places."""
    same = {"RS104", "RS107", "RS108", "RS124", "RS203", "RS231", "RS241", "RS303", "RS520"}
    found = [mistake.code for mistake in MISTAKES.values()]
    assert {code for code in found if found.count(code) > 1} == same


HUNTER = "hunter2-S3cr3t"


@pytest.mark.parametrize("form", ["text", "json", "junit", "sarif", "markdown"])
@pytest.mark.parametrize(
    ("service", "code"),
    [
        (f"env: {{API_KEY: {HUNTER}, B: 1.10}}\n", "RS104"),
        (f"env: {{API_KEY: {{secret: '{HUNTER}'}}}}\n", "RS122"),
        (f"init: [{{name: a, image: 'user:{HUNTER}@ghcr.io/a/b:1'}}]\n", "RS127"),
    ],
)
def test_no_answer_repeats_a_secret(service: str, code: str, form: str, sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "r")
    release = tmp_path / "r" / RELEASE
    release.write_text(wrong_specs.changed({"service": service})[RELEASE])
    checked = run(tmp_path / "r", "check", "--format", form)
    assert checked.code == 1
    assert code in checked.out + checked.err
    assert HUNTER not in checked.out + checked.err + run(tmp_path / "r", "check", "--fix", "--diff").out


def test_bytes_that_are_not_utf_8(sound: Path, tmp_path: Path) -> None:
    files = wrong_specs.repository()
    files[RELEASE] += b"    # caf\xe9\n"
    line = files[RELEASE].count(b"\n")
    hint = answered(sound, tmp_path, files, "RS105", RELEASE, Range(line, 10, line, 11))
    assert "UTF-8" in hint


def test_more_than_one_mebibyte(sound: Path, tmp_path: Path) -> None:
    files = wrong_specs.repository()
    files[RELEASE] += b"#" * MAX_FILE
    assert "split it" in answered(sound, tmp_path, files, "RS106", RELEASE, None)


def test_a_byte_order_mark_is_no_mistake(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "r")
    (tmp_path / "r" / RELEASE).write_bytes(b"\xef\xbb\xbf" + (sound / RELEASE).read_bytes())
    assert run(tmp_path / "r", "check").code == 0
    assert run(tmp_path / "r", "compile", "--check").code == 0


@pytest.mark.parametrize("name", [RELEASE, "bases/recs.yaml"])
def test_a_link_that_leaves_the_repository(name: str, sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    (root / name).rename(tmp_path / "elsewhere.yaml")
    (root / name).symlink_to(tmp_path / "elsewhere.yaml")
    before = on_disk(root / "rendered")
    checked = run(root, "check", "--format", "json")
    entries = json.loads(checked.out)["diagnostics"]
    assert ({"RS241"}, checked.code) == ({d["code"] for d in entries}, 1)
    assert all(d["hint"] for d in entries)
    assert (run(root, "compile").code, on_disk(root / "rendered")) == (1, before)


CHART = {
    "charts/server/Chart.yaml": "apiVersion: v2\nname: server\nversion: 0.1.0\n",
    "charts/server/values.yaml": "image: ''\n",
    "charts/server/templates/x.yaml": "{{ .Values.image }}",
    "environments/production/values.yaml.j2": "image: {{ service.image.ref }}\n",
}
HELM = {"targets": "helm: {chart: ../../charts/server, values: values.yaml.j2}\n"}


@pytest.mark.parametrize(
    ("link", "at", "changes", "used"),
    [
        ("environments/production/values.yaml.j2", "", {"environment": HELM, "files": CHART}, True),
        ("environments/production/environment.yaml", "", {}, True),
        ("environments/production/recs/a.txt", RELEASE, {"service": "files: {/a: {from: a.txt}}\n"}, True),
        ("registry", "", {}, False),
        ("registry/als", "", {}, False),
        ("registry/als/v6.yaml", "", {}, False),
        ("registry/als/v3.yaml", "", {}, False),
        ("registry/als", RELEASE, {"service": "model: als@v3\n"}, True),
        ("registry/als/model.yaml", RELEASE, {"service": "model: als@v3\n"}, True),
        ("registry/als/v3.yaml", "registry/als/model.yaml", {"service": "model: als@v3\n"}, True),
    ],
)
def test_a_link_is_said_once_and_never_overlooked(
    link: str, at: str, changes: dict[str, object], used: bool, sound: Path, tmp_path: Path
) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(root, wrong_specs.changed({**changes}))
    if not (root / link).exists():
        (root / link).write_text("x")
    (root / link).rename(tmp_path / "elsewhere")
    (root / link).symlink_to(tmp_path / "elsewhere")
    before = on_disk(root / "rendered")
    checked = run(root, "check", "--format", "json")
    entries = [d for d in json.loads(checked.out)["diagnostics"] if d["severity"] != "note"]
    assert [(d["code"], d["file"]) for d in entries] == [("RS241", at or link)]
    assert entries[0]["message"] == f"{link} is a symbolic link"
    assert checked.code == 1
    assert (run(root, "compile").code, on_disk(root / "rendered")) == (1 if used else 0, before)


def test_every_cycle_is_said_once(sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    waits = {"a": "b", "b": "a", "c": "d", "d": "c", "e": "a"}
    services = "".join(f"  {name}: {{image: 'a:1', dependsOn: [{other}]}}\n" for name, other in waits.items())
    write(root, {"environments/dev/recs/release.yaml": f"{HEAD}services:\n{services}"})
    entries = json.loads(run(root, "check", "--format", "json").out)["diagnostics"]
    assert [(d["code"], d["line"]) for d in entries if d["severity"] == "error"] == [("RS206", 6), ("RS206", 8)]


def test_an_analysis_is_missed_wherever_it_is_named(sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(root, wrong_specs.changed({"service": "strategy: {canary: {steps: [{analyze: [x]}, {analyze: [x]}]}}\n"}))
    entries = json.loads(run(root, "check", "--format", "json").out)["diagnostics"]
    assert [(d["code"], d["column"]) for d in entries] == [("RS306", 44), ("RS306", 60)]


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (
            "candidate: {image: a:2}\nstrategy: {canary: {weight: 10.5}}\n",
            "weight must be a whole number, not a fraction",
        ),
        ("args: [!!str 5]\n", "`!!str` is a YAML tag"),
        ("args: [!e!x 5]\n", "this is a YAML tag"),
        ("labels: {1: a}\n", "this key is a whole number, not text"),
        ("labels: {1.5: a}\n", "this key is a number, not text"),
    ],
)
def test_the_sentence(service: str, message: str, sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(root, wrong_specs.changed({"service": service}))
    (entry,) = json.loads(run(root, "check", "--format", "json").out)["diagnostics"]
    assert entry["message"] == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c\n", "the rendered text is not YAML: a second `: ` on one line"),
        ("a:\n\tb: 1\n", "the rendered text is not YAML: a tab where only spaces may stand"),
        ("a: !!python/object:x 1\n", "a YAML tag is not allowed in a template"),
    ],
)
def test_the_sentence_about_a_template(text: str, message: str, sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(root, {KUBERNETES: text})
    (entry,) = json.loads(run(root, "check", "--format", "json").out)["diagnostics"]
    assert (entry["code"], entry["message"]) == ("RS504", message)


@pytest.mark.parametrize(
    "text",
    [
        "a: {{ «nope».x }}\n",
        "a: {{ release.«nam» }}\n",
        "a: {{ ''.«__class__».mro }}\n",
        "a: {{ release.name | «upppr» }}\n",
        "a: {{ «lipsum»(n=10) }}\n",
        "«a: {{ nope }} nope»\n",  # twice on the line: which of the two is not said
        "a: 1\n«{{ release.name }}»\n",
    ],
)
def test_the_word_that_is_wrong_in_a_template_is_pointed_at(text: str, sound: Path, tmp_path: Path) -> None:
    first = text.index("«")
    wanted = (text.count("\n", 0, first) + 1, first - text.rfind("\n", 0, first), text.index("»") - first - 1)
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(root, {KUBERNETES: text.replace("«", "").replace("»", "")})
    (entry,) = json.loads(run(root, "check", "--format", "json").out)["diagnostics"]
    assert entry["file"] == KUBERNETES
    assert (entry["line"], entry["column"], entry["endColumn"] - entry["column"]) == wanted


def test_a_field_of_a_template_is_pointed_at(sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    packaged = (Path(wrong_specs.__file__).parents[1] / KUBERNETES).read_text()
    line = packaged[: packaged.index("spec:")].count("\n") + 2
    write(root, {KUBERNETES: packaged.replace("spec:", "spec:\n  foo: 1", 1)})
    (entry,) = json.loads(run(root, "check", "--format", "json").out)["diagnostics"]
    assert entry["code"] == "RS520"
    assert [entry[key] for key in ("file", "line", "column", "endLine", "endColumn")] == [KUBERNETES, line, 3, line, 9]


def two_of(first: str, second: str, other: str = "dev") -> dict[str, str]:
    """Two releases of compose, of one environment or two, each with its ports."""
    text = "apiVersion: relspec/v1\nkind: Release\nname: {}\nservices: {{api: {{image: 'a:1', ports: {}}}}}\n"
    return {
        "environments/dev/recs/release.yaml": text.format("recs", first),
        f"environments/{other}/shop/release.yaml": text.format("shop", second),
    }


def test_two_releases_on_one_port_of_the_host(sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(root, two_of("{http: {port: 80, publish: 8000}}", "{web: {port: 81, publish: 8000, protocol: tcp}}"))
    checked = run(root, "check", "--format", "json")
    (entry,) = [d for d in json.loads(checked.out)["diagnostics"] if d["severity"] != "note"]
    assert (entry["code"], entry["severity"], checked.code) == ("RS130", "warning", 0)
    assert (entry["file"], entry["line"]) == ("environments/dev/shop/release.yaml", 4)
    assert entry["message"] == "dev/recs/api publishes port 8000 in dev, too"
    (related,) = entry["related"]
    assert related["file"] == "environments/dev/recs/release.yaml"


@pytest.mark.parametrize(
    ("second", "other"),
    [
        ("{http: {port: 80, publish: 8001}}", "dev"),
        ("{http: {port: 80, publish: 8000, protocol: udp}}", "dev"),
        ("{http: 8000}", "dev"),
        ("{http: {port: 80, publish: 8000}}", "dev/other"),
    ],
)
def test_two_releases_that_share_no_port(second: str, other: str, sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(root, two_of("{http: {port: 80, publish: 8000}}", second, other))
    if other != "dev":
        inner = "apiVersion: relspec/v1\nkind: Environment\nname: other\n"
        write(root, {f"environments/{other}/environment.yaml": inner})
    assert "RS130" not in run(root, "check").err


@pytest.mark.parametrize("strategy", ["canary: {weight: 10}", "abTest: {stickyBy: {header: x}}", "shadow: {}"])
def test_a_split_without_a_candidate_is_no_split_without_a_router(strategy: str, sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(sound, root)
    write(
        root,
        wrong_specs.changed(
            {"service": f"strategy: {{{strategy}}}\n", "environment": {"router": None, "expose": None}}
        ),
    )
    entries = json.loads(run(root, "check", "--format", "json").out)["diagnostics"]
    assert "RS330" not in [d["code"] for d in entries]
    assert "RS303" in [d["code"] for d in entries]


def test_a_record_that_was_edited(tmp_path: Path) -> None:
    made = repository(tmp_path, wrong_specs.repository())
    record = tmp_path / "registry/als/v3.yaml"
    record.write_text(record.read_text().replace("clicks-3", "clicks-4"))
    checked = run(tmp_path, "check", "--since", "HEAD", "--format", "json")
    (entry,) = json.loads(checked.out)["diagnostics"]
    assert (entry["code"], entry["file"], checked.code) == ("RS430", "registry/als/v3.yaml", 1)
    assert entry["hint"]
    assert run(tmp_path, "compile").code == 0, "a matter of safety"
    made.git("checkout", "-q", "registry")


# --- `compile` alone: exit 2, no position, and the outputs as they were


OUTPUT = "rendered/staging/recs/compose/compose.yaml"
PROGRAM = [sys.executable, "-m", "relspec"]


def program(root: Path, *arguments: str, limit: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """The real program, with a limit set in its process."""
    return subprocess.run(
        [*PROGRAM, "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        timeout=60,
    )


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """A repository whose outputs are about to change."""
    root = tmp_path / "repository"
    write(root, company(where=compose()))
    assert run(root, "compile").code == 0
    write(root, with_service({"env": {"A": "b"}}, compose()))
    return root


def said_briefly(result: subprocess.CompletedProcess[str]) -> str:
    """Asserts that one line of text says what is wrong, and gives it."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "RS605" in result.stderr
    return result.stderr


DROP_FROM_BOUNDING_SET = 24
OVERRIDES = (1, 2)
"""PR_CAPBSET_DROP, CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (linux/prctl.h, linux/capability.h)."""


def bound_by_permissions() -> None:
    """Takes from root what makes permissions mean nothing to it."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in OVERRIDES:
            libc.prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)


@pytest.mark.slow
def test_a_read_only_output_folder(deployed: Path) -> None:
    before = on_disk(deployed)
    folders = [path for path in (deployed / "rendered").rglob("*") if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert "Permission denied" in said_briefly(program(deployed, "compile", limit=bound_by_permissions))
        assert on_disk(deployed) == before
    finally:
        for folder in folders:
            folder.chmod(0o755)


def small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


@pytest.mark.slow
def test_a_full_disk_leaves_the_outputs_as_they_were(deployed: Path) -> None:
    before = on_disk(deployed)
    said_briefly(program(deployed, "compile", limit=small_files))
    assert on_disk(deployed) == before
    assert run(deployed, "compile").code == 0


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_really_full_disk_leaves_the_outputs_as_they_were(deployed: Path) -> None:
    outputs = deployed / "rendered"
    kept = on_disk(outputs)
    shutil.rmtree(outputs)
    outputs.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(outputs)], check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        write(outputs, kept)
        (outputs / "ballast").write_bytes(b"x" * 4096 * 3)
        free = os.statvfs(outputs).f_bavail * 4096
        (outputs / "more").write_bytes(b"x" * free)
        before = on_disk(outputs)
        assert "space" in said_briefly(program(deployed, "compile"))
        assert on_disk(outputs) == before
        (outputs / "more").unlink()
        assert program(deployed, "compile").returncode == 0
    finally:
        subprocess.run(["umount", str(outputs)], check=True)


@pytest.mark.slow
def test_a_kill_in_mid_write_leaves_each_file_whole(tmp_path: Path) -> None:
    """Old or new, never half; and the next run finishes the work."""
    many = [f"r{number:03}" for number in range(120)]

    def files(image: str) -> dict[str, object]:
        made: dict[str, object] = dict(company(where=compose()))
        for name in many:
            made[f"environments/staging/{name}/release.yaml"] = release(name, {"api": {"image": image}})
        return made

    write(tmp_path, files("a:1"))  # type: ignore[arg-type]
    assert run(tmp_path, "compile").code == 0
    old = on_disk(tmp_path / "rendered")
    write(tmp_path, files("a:2"))  # type: ignore[arg-type]
    assert run(tmp_path, "compile", "--out", "../new").code == 0
    new = on_disk(tmp_path.parent / "new")
    killed = mixed = 0
    for attempt in range(8):
        if mixed > 1:
            break
        write(tmp_path / "rendered", old)
        process = subprocess.Popen(
            [*PROGRAM, "-C", str(tmp_path), "compile"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        watched = (
            tmp_path / "rendered/staging/r000/compose" if attempt % 2 else tmp_path / "rendered/staging/r060/compose"
        )
        while process.poll() is None and len(list(watched.iterdir())) < 2:
            pass
        time.sleep(attempt * 0.001)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        found = on_disk(tmp_path / "rendered")
        whole = {path: data for path, data in found.items() if not path.endswith(".relspec-tmp")}
        assert set(whole) == set(old)
        assert all(data in (old[path], new[path]) for path, data in whole.items())
        mixed += found not in (old, new)
    assert killed
    assert mixed, "no kill came in mid-write"
    assert run(tmp_path, "compile").code == 0
    assert on_disk(tmp_path / "rendered") == new

"""`relspec set`: one value changes in release.yaml, the rest of the file does not, and the outputs follow."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from company import Run, on_disk, write
from relspec.cli.set import command
from relspec.diagnostics import RelspecError
from relspec.lock import text as lock_text

SPEC = "environments/production/recs/release.yaml"
RELEASE = """\
# kept by the recs team
apiVersion: relspec/v1
kind: Release
name: recs
extends: ../../../bases/recs.yaml
services:
  api:
    image:    ghcr.io/acme/recs:1.8.2   # pinned
    env: {MODE: fast,  N: "1.9"}
    files:
      /etc/app.config.yaml: {content: "a: 1\\n"}
    variants:
      plain: {image: ghcr.io/acme/plain:1.0.0}
"""
FILES = {
    "relspec.lock": lock_text(),
    "environments/production/environment.yaml": """\
apiVersion: relspec/v1
kind: Environment
name: production
targets: {rollouts: {namespace: ml}, compose: {}}
defaults:
  resources: {cpu: 500m, memory: 1Gi}
""",
    "bases/recs.yaml": """\
apiVersion: relspec/v1
kind: Release
targets: [compose]
services:
  api:
    image: ghcr.io/acme/recs:1.8.0
    env: {LOG_LEVEL: debug}
    command: [serve, --port, "8080"]
    ports: {http: 8080}
    health: {path: /healthz}
""",
    SPEC: RELEASE,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


def relspec_set(root: Path, *arguments: str, release: str = "production/recs") -> Run:
    """The verb, in this process; what ends it is exit code 2."""
    result = CliRunner().invoke(command, [release, *arguments], obj=str(root), standalone_mode=False)
    if isinstance(result.exception, RelspecError | click.ClickException):
        return Run(2, result.stdout, str(result.exception))
    if result.exception is not None:
        raise result.exception
    return Run(result.return_value or 0, result.stdout, result.stderr)


def spec(root: Path) -> str:
    return (root / SPEC).read_text(encoding="utf-8")


def compose(root: Path) -> str:
    return (root / "rendered/production/recs/compose/compose.yaml").read_text(encoding="utf-8")


def test_a_value_changes_and_the_outputs_follow(root: Path) -> None:
    run = relspec_set(root, "api.image=ghcr.io/acme/recs:1.9.0")
    assert run.code == 0, run.err
    assert spec(root) == RELEASE.replace("recs:1.8.2", "recs:1.9.0")
    assert "image: ghcr.io/acme/recs:1.9.0" in compose(root)
    assert (
        run.out.splitlines()
        == [
            f"wrote {SPEC}",
            "wrote rendered/production/recs/compose/compose.yaml",
            "1 output written, 0 unchanged",
        ]
        or "wrote rendered/production/recs/compose/" in run.out
    )


@pytest.mark.parametrize(
    ("assignment", "old", "new"),
    [
        ("api.env.N=1.10", '"1.9"', '"1.10"'),
        ("api.env.N=007", '"1.9"', '"007"'),
        ("api.env.N=5", '"1.9"', "5"),
        ("api.env.MODE=true", "fast", '"true"'),
        ("api.env.MODE=", None, None),
        ('api.env.MODE=""', "fast", '""'),
        ("api.env.MODE=a # b", "fast", '"a # b"'),
        ("api.env.MODE=a: b", "fast", '"a: b"'),
        ("api.env.MODE=a=b", "fast", "a=b"),
        ("api.env.MODE=[a", "fast", '"[a"'),
        ("api.env.MODE={secret: recs/mode}", "fast", "{secret: recs/mode}"),
        ("api.env.MODE='{\"a\": 1}'", "fast", '"{\\"a\\": 1}"'),
        ("api.files[/etc/app.config.yaml].content=x", '"a: 1\\n"', '"x"'),
        ("api.files./etc/app.config.yaml.content=x", '"a: 1\\n"', '"x"'),
        ("api.variants.plain.image=ghcr.io/acme/plain:1.1.0", "plain:1.0.0", "plain:1.1.0"),
        (".name=recs", "", ""),
    ],
)
def test_what_is_typed_and_what_is_written(root: Path, assignment: str, old: str | None, new: str | None) -> None:
    run = relspec_set(root, assignment)
    if old is None or new is None:
        assert run.code == 2
        assert "--unset api.env.MODE" in run.err
        return
    assert run.code == 0, run.err
    assert spec(root) == RELEASE.replace(old, new, 1)


def test_an_item_is_added_to_a_list_of_the_release(root: Path) -> None:
    own = RELEASE.replace("    env: {MODE", "    command:\n    - run   # first\n    - --port\n    env: {MODE")
    write(root, {SPEC: own})
    run = relspec_set(root, "api.command[2]=8080", "api.command[3]=more")
    assert run.code == 0, run.err
    assert spec(root) == own.replace("    - --port\n", "    - --port\n    - 8080\n    - more\n")
    assert "more" in compose(root)
    refused = relspec_set(root, "api.command[9]=x")
    assert (refused.code, "has 4 items, so no [9]" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("service", "assignment", "wanted"),
    [
        ("ports: {http: 8080, grpc: 9090}   # c", "api.ports.http.publish=81", "ports: {http: {port: 8080, publish: 81}, grpc: 9090}   # c"),
        ("ports:\n      http: 8080   # c\n      grpc: 9090", "api.ports.http.publish=81", "ports:\n      http:   # c\n        port: 8080\n        publish: 81\n      grpc: 9090"),
        ("ports: {http: 8080}", "api.ports.http.port=8081", "ports: {http: {port: 8081}}"),
        ("ports: {http: {port: 8080}}", "api.ports.http.publish=81", "ports: {http: {port: 8080, publish: 81}}"),
        ("resources: {cpu: 1, gpu: 1}", "api.resources.gpu.count=2", "resources: {cpu: 1, gpu: {count: 2}}"),
    ],
)  # fmt: skip
def test_a_short_form_is_written_out_where_more_is_said(root: Path, service: str, assignment: str, wanted: str) -> None:
    own = RELEASE.replace("    files:", f"    {service}\n    files:")
    write(root, {SPEC: own})
    run = relspec_set(root, assignment)
    assert run.code == 0, run.err
    assert spec(root) == own.replace(service, wanted)


def test_a_key_that_goes_leaves_the_lines_apart(root: Path) -> None:
    own = RELEASE.replace('env: {MODE: fast,  N: "1.9"}', 'env: {MODE: fast, "B": y,\n          N: "1.9"}   # multi')
    write(root, {SPEC: own})
    run = relspec_set(root, "--unset", "api.env.B")
    assert run.code == 0, run.err
    assert spec(root) == own.replace(', "B": y', "")


def test_several_values_at_once(root: Path) -> None:
    run = relspec_set(
        root,
        "api.replicas=2",
        "api.env.A=1",
        "api.candidate.image=x:2",
        "--unset",
        "api.candidate",
        "--unset",
        "api.env.N",
    )
    assert run.code == 0, run.err
    assert spec(root) == RELEASE.replace('N: "1.9"', "A: 1") + "    replicas: 2\n"


def test_a_value_of_a_lower_layer_is_overridden_in_the_release(root: Path) -> None:
    run = relspec_set(root, "api.env.LOG_LEVEL=info", "api.resources.cpu=1")
    assert run.code == 0, run.err
    assert "note: api.env.LOG_LEVEL comes from bases/recs.yaml:7 " in run.out
    assert "note: api.resources.cpu comes from environments/production/environment.yaml:6 (" in run.out
    assert f"{SPEC} now says otherwise, for this release alone" in run.out
    assert (root / "bases/recs.yaml").read_text() == FILES["bases/recs.yaml"]
    assert spec(root) == RELEASE.replace('"1.9"}', '"1.9", LOG_LEVEL: info}') + "    resources:\n      cpu: 1\n"
    assert "LOG_LEVEL: info" in compose(root)


def test_a_field_of_the_release_itself(root: Path) -> None:
    run = relspec_set(root, ".targets=[rollouts]")
    assert run.code == 0, run.err
    assert spec(root) == RELEASE + "targets:\n  - rollouts\n"
    assert (root / "rendered/production/recs/rollouts/rollouts.yaml").exists()
    assert not (root / "rendered/production/recs/compose").exists()


def test_unset_removes_the_key(root: Path) -> None:
    run = relspec_set(root, "--unset", "api.image")
    assert run.code == 0, run.err
    assert spec(root) == RELEASE.replace("    image:    ghcr.io/acme/recs:1.8.2   # pinned\n", "")
    assert "note: api.image is again what bases/recs.yaml:6 " in run.out
    assert "image: ghcr.io/acme/recs:1.8.0" in compose(root)


def test_unset_of_what_a_lower_layer_says(root: Path) -> None:
    run = relspec_set(root, "--unset", "api.health")
    assert run.code == 1
    assert "does not set api.health: bases/recs.yaml:10 " in run.err
    assert "relspec set production/recs api.health=null" in run.err
    assert relspec_set(root, "api.health=null").code == 0
    assert spec(root) == RELEASE + "    health: null\n"


def test_a_dry_run_shows_the_lines_and_writes_nothing(root: Path) -> None:
    before = on_disk(root)
    run = relspec_set(root, "api.image=ghcr.io/acme/recs:1.9.0", "--dry-run")
    assert run.code == 0
    assert on_disk(root) == before
    lines = run.out.splitlines()
    assert "-    image:    ghcr.io/acme/recs:1.8.2   # pinned" in lines
    assert "+    image:    ghcr.io/acme/recs:1.9.0   # pinned" in lines
    assert "would write rendered/production/recs/compose/compose.yaml" in lines


@pytest.mark.parametrize(
    ("assignment", "code", "words"),
    [
        ("api.image=Not An Image", 1, "RS127"),
        ("api.imagee=x:1", 1, "RS120"),
        ("api.replicas=many", 1, "RS104"),
        ("api.env.MODE={secrt: a/b}", 1, "RS1"),
        ("apii.image=x:1", 1, "RS205"),
        ("api.image.tag=1", 1, "RS122"),
        ("api.command[0]=run", 1, "a list is replaced whole"),
        ("api.model=als@v9", 1, "RS201"),
        ("api", 2, "PATH=VALUE"),
        ("=x", 2, "PATH=VALUE"),
        ("api..image=x", 2, "is no path"),
        ("api.image]=x", 2, "is no path"),
        (".=x", 2, "is no path"),
        ("api.env.MODE=\x1b[31m", 2, "may not hold"),
        ("api.env.\x1b=x", 2, "may not hold"),
        ("api.env.\udcff=x", 2, "may not hold"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(root: Path, assignment: str, code: int, words: str) -> None:
    before = on_disk(root)
    run = relspec_set(root, assignment)
    assert run.code == code
    assert words in run.err
    assert on_disk(root) == before
    assert code == 2 or "nothing was written" in run.err


def test_there_is_something_to_do_and_one_release_to_do_it_to(root: Path) -> None:
    assert "Say what to change" in relspec_set(root).err
    assert "RS200" in relspec_set(root, "api.replicas=2", release="production/recz").err
    write(root, {"environments/production/web/release.yaml": RELEASE.replace("name: recs", "name: web")})
    assert "means 2 releases" in relspec_set(root, "api.replicas=2", release="production/*").err


def test_a_value_that_is_there_already(root: Path) -> None:
    relspec_set(root, "api.env.MODE=fast")
    run = relspec_set(root, "api.env.MODE=fast")
    assert run.code == 0
    assert run.out == "release.yaml says so already; 0 outputs written, 1 unchanged\n"
    assert spec(root) == RELEASE


def test_what_the_active_variant_outdoes_is_said(root: Path) -> None:
    run = relspec_set(root, "api.active=plain", "api.image=ghcr.io/acme/recs:2.0.0")
    assert run.code == 0, run.err
    assert f"note: api.image has no effect while api.variants.plain.image is in force ({SPEC}:13)" in run.out


def test_an_edit_may_mend_a_release_that_is_wrong(root: Path) -> None:
    write(root, {SPEC: RELEASE.replace("recs:1.8.2", "Recs 1")})
    assert relspec_set(root, "api.env.MODE=slow").code == 1
    assert relspec_set(root, "api.image=ghcr.io/acme/recs:1.8.2").code == 0
    assert spec(root) == RELEASE


def test_a_file_that_is_not_yaml_is_not_touched(root: Path) -> None:
    write(root, {SPEC: RELEASE + "  x: [\n"})
    run = relspec_set(root, "api.env.MODE=slow")
    assert run.code == 1
    assert "RS100" in run.err
    assert spec(root) == RELEASE + "  x: [\n"


def test_line_ends_and_a_path_to_the_file(root: Path) -> None:
    (root / SPEC).write_bytes(RELEASE.replace("\n", "\r\n").encode())
    run = relspec_set(root, "api.replicas=2", release=SPEC)
    assert run.code == 0, run.err
    assert (root / SPEC).read_bytes() == (RELEASE + "    replicas: 2\n").replace("\n", "\r\n").encode()


def test_policy_does_not_hold_it_up(root: Path) -> None:
    write(
        root,
        {
            "environments/production/environment.yaml": FILES["environments/production/environment.yaml"]
            + "policies: {requireDigest: true}\n"
        },
    )
    run = relspec_set(root, "api.image=ghcr.io/acme/recs:2.0.0")
    assert run.code == 0
    assert "warning RS421" in run.err
    assert "recs:2.0.0" in compose(root)


def test_what_is_in_the_way_of_an_output_leaves_the_spec_alone(root: Path) -> None:
    (root / "rendered/production/recs/compose/compose.yaml").mkdir(parents=True)
    run = relspec_set(root, "api.replicas=2")
    assert run.code == 2
    assert "RS604" in run.err
    assert spec(root) == RELEASE
    assert not list(root.rglob("*.relspec-tmp"))

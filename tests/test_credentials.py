"""Literal secrets: found wherever a spec, a template or a chart's values write one, and repeated by nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from company import (
    SERVICE,
    Files,
    company,
    compiled,
    compose,
    kubernetes,
    record,
    registry,
    repository,
    run,
    with_service,
    without_none,
    write,
)
from company import environment as environment_of
from relspec import packaged
from relspec.credentials import (
    NOT_SHOWN,
    hidden,
    hidden_in_prose,
    literal_secrets,
    masked,
    names_secret,
    secret_in_shell,
    secret_in_text,
    secret_words,
    tells_secret,
    without_secrets,
)
from relspec.diagnostics import Remedy
from relspec.schema_checks import check_against
from relspec.targets.helm.chart import Chart
from relspec.targets.helm.values import validate

HUNTER = "hunter2-S3cr3t"
RELEASE = "environments/production/recs/release.yaml"
STAGING = "environments/staging/recs/release.yaml"
ENVIRONMENT = "environments/production/environment.yaml"
VALUES = "environments/production/values.yaml.j2"
DSN = f"postgres://recs:{HUNTER}@db/recs"


# --- what is one


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["serve", "--api-key", HUNTER, "--port", "1"], [2]),
        (["serve", f"--api-key={HUNTER}"], [1]),
        ([f"API_KEY={HUNTER}", "serve"], [0]),
        (["sh", "-c", f"API_KEY={HUNTER} serve"], [2]),
        (["sh", "-c", f"cd /app && export DB_PASSWORD='{HUNTER}'; serve"], [2]),
        (["sh", "-c", f"exec serve --api-key {HUNTER}"], [2]),
        (["bash", "-c", f"sh -c 'API_KEY={HUNTER} serve'"], [2]),
        (["curl", "-H", "Authorization: Bearer abcdef0123456789abcdef"], [2]),
        (["serve", "--dsn", DSN], [2]),
        (["serve", 8080, "--token", HUNTER], [3]),
        (["serve", "--token", 84729384729384], [2]),
        (["curl", "-u", f"admin:{HUNTER}", "http://x"], [2]),
    ],
)
def test_a_command_that_holds_a_secret(words: list[object], found: list[int]) -> None:
    assert list(secret_words(words)) == found


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--api-key", "$(API_KEY)"],
        ["serve", "--api-key", "${API_KEY}"],
        ["serve", "--api-key", "/run/secrets/api-key"],
        ["serve", "--api-key", "API_KEY"],
        ["serve", "--api-key", "--port", "1"],
        ["serve", "--api-key-file", "key.txt"],
        ["serve", "--max-tokens", "4096", "--tokenizer", "als", "--eos-token", "</s>"],
        ["sh", "-c", 'API_KEY="$(cat /run/secrets/key)" serve --api-key "$API_KEY"'],
        ["sh", "-c", "test -n $TOKEN || exit 1; unset TOKEN; TOKEN= serve"],
        ["sh", "-c", "while true; do sleep 1; done"],
        ["--token"],
        [8080, 1],
        ["serve", "--token", 100],
        [
            "docker",
            "run",
            "-u",
            "1000:1000",
            "--user",
            "www-data:www-data",
            "-u",
            "$USER:$PASSWORD",
            "-u",
            "me:${PASS}",
        ],
    ],
)
def test_a_command_that_only_reads_one(words: list[object]) -> None:
    assert list(secret_words(words)) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app.env", f"# keys\nLOG=info\nexport API_KEY={HUNTER}\n"),
        ("app.yaml", f"db:\n  password: {HUNTER}\n"),
        ("app.ini", f"[db]\npassword = {HUNTER} # ours\n"),
        ("app.json", f'{{\n  "apiKey": "{HUNTER}",\n  "b": 1\n}}\n'),
        ("serve.py", f'api_key = "{HUNTER}"\n'),
        ("notes", f"dsn {DSN}\n"),
        ("/etc/credentials", f"password: {HUNTER}"),
    ],
)
def test_a_file_that_holds_a_secret(name: str, text: str) -> None:
    assert secret_in_text(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokenizer_config.json", '{\n  "bos_token": "<s>",\n  "eos_token": "endoftext",\n  "pad_token": "[PAD]"\n}\n'),
        ("app.yaml", "password: ${DB_PASSWORD}\ntoken_file: /run/token\nsecret: recs-secrets\napiKey: api-key\n"),
        ("app.env", "API_KEY=\nTOKEN=/run/secrets/token\nMAX_TOKENS=4096\nPASSWORD=$OTHER\n"),
        ("app.ini", "password = vault:secret/data/db#password\napi_key = none\n"),
        ("serve.py", "api_key = settings.api_key\ntoken = request.token\ndef f(password: str): ...\n"),
        ("nginx.conf", "proxy_set_header Authorization $http_authorization;\nauth_basic off;\n"),
        ("README.md", "API_KEY: ask the platform team\n"),
        ("schema.json", '{"properties": {"password": {"type": "string"}}}\n'),
    ],
)
def test_a_file_that_holds_none(name: str, text: str) -> None:
    assert not secret_in_text(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("secret", "recs-secrets"),
        ("credentials", "recs-cloud"),
        ("token", "recs-token"),
        ("password", "db-password"),
        ("apiKey", "API_KEY"),
        ("password", ""),
        ("password", "{{ .Values.password }}"),
        ("password", "op://vault/db/password"),
        ("apiKey", "optional"),
        ("eosToken", "</s>"),
        ("existingSecret", "recs"),
        ("secretName", "recs-tls"),
    ],
)
def test_a_value_that_names_where_a_secret_is(name: str, text: str) -> None:
    assert not tells_secret(name, text)
    assert list(literal_secrets({name: text})) == []


def test_an_output_is_looked_at_as_a_whole() -> None:
    document = {
        "env": [{"name": "API_KEY", "value": HUNTER}, {"name": "LOG", "value": "info"}],
        "pods": [{"args": ["--token", HUNTER], "command": f"serve --api-key {HUNTER}"}],
        "environment": ["LOG=info", f"DB_PASSWORD={HUNTER}"],
        "data": {"app.env": f"API_KEY={HUNTER}\n"},
        "secretKeyRef": {"name": "recs", "key": "api-key"},
        "automountServiceAccountToken": False,
    }
    assert dict(literal_secrets(document)) == {
        ("env", 0, "value"): "API_KEY",
        ("pods", 0, "args", 1): "args",
        ("pods", 0, "command"): "command",
        ("environment", 1): "environment",
        ("data", "app.env"): "app.env",
    }


def test_tokens_of_a_language_are_no_secrets() -> None:
    assert not any(map(names_secret, ("EOS_TOKEN", "bos_token", "pad_token", "next_token")))
    assert names_secret("HF_TOKEN")


def test_shell_in_shell_ends() -> None:
    assert not secret_in_shell('A="b \'c "d\' e" ' * 500)
    assert not secret_in_shell('x="y z"')


# --- where it is said


def chart_of_its_own(values: object) -> dict[str, object]:
    """The settings of a Helm target with a team's chart."""
    return {"helm": {"namespace": "ml", "chart": "../../charts/own", "values": values}}


CHART = {
    "charts/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
    "charts/own/templates/a.yaml": "a: {{ toJson .Values }}\n",
}


def own_chart(values: object, files: Files = {}, **release: object) -> Files:  # noqa: B006 - never changed
    where = environment_of(targets=chart_of_its_own(values), policies={"templates": "release"})
    return {**company(where=where, **release), **CHART, **files}


TEMPLATE = f"""\
image: {{{{ service.image.ref }}}}
config:
  level: info
  apiKey: {HUNTER}
"""


def packaged_with(line: str, name: str = "rollouts/rollouts.yaml.j2") -> str:
    """The packaged template and one object more."""
    source = packaged.packaged_template(name)
    assert source is not None
    added = f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: own, namespace: ml-prod}}\ndata:\n  {line}\n"
    return source.rstrip("\n") + "\n" + added


PLACES: Mapping[str, tuple[Callable[[], Files], str, str]] = {
    "an option of two words": (lambda: with_service({"args": ["--api-key", HUNTER]}), RELEASE, "args"),
    "a line of shell": (lambda: with_service({"command": ["sh", "-c", f"API_KEY={HUNTER} run"]}), RELEASE, "command"),
    "shell in a companion": (
        lambda: with_service({"init": [{"name": "a", "image": "a:1", "args": ["sh", "-c", f"API_KEY={HUNTER} x"]}]}),
        RELEASE,
        "args",
    ),
    "a health check": (
        lambda: with_service({"health": {"exec": ["check", "--token", HUNTER]}}),
        RELEASE,
        "exec",
    ),
    "an inline file": (
        lambda: with_service({"files": {"/etc/app.env": {"content": f"LOG=info\nAPI_KEY={HUNTER}\n"}}}),
        RELEASE,
        "/etc/app.env",
    ),
    "a file beside the release": (
        lambda: {
            **with_service({"files": {"/etc/app.yaml": {"from": "app.yaml"}}}),
            "environments/production/recs/app.yaml": f"db:\n  password: {HUNTER}\n",
        },
        RELEASE,
        "environments/production/recs/app.yaml",
    ),
    "an inline file without an ending": (
        lambda: with_service({"files": {"/etc/credentials": {"content": f"password: {HUNTER}"}}}),
        RELEASE,
        "/etc/credentials",
    ),
    "a login on a line of curl": (
        lambda: with_service({"command": ["curl", "-u", f"admin:{HUNTER}", "http://localhost"]}),
        RELEASE,
        "command",
    ),
    "a login in a health check": (
        lambda: with_service({"health": {"exec": ["sh", "-c", f"curl --user admin:{HUNTER} http://localhost"]}}),
        RELEASE,
        "exec",
    ),
    "an address in the environment": (
        lambda: with_service(
            {},
            kubernetes(targets={"rollouts": {"namespace": "prod", "prometheus": f"http://u:{HUNTER}@prom:9090"}}),
        ),
        ENVIRONMENT,
        "prometheus",
    ),
    "an override of the command": (
        lambda: with_service({"overrides": {"rollouts": {"container": {"args": ["--api-key", HUNTER]}}}}),
        RELEASE,
        "args",
    ),
    "an override of a compose service": (
        lambda: with_service({"overrides": {"compose": {"service": {"environment": {"API_KEY": HUNTER}}}}}, compose()),
        STAGING,
        "API_KEY",
    ),
    "an override of values": (
        lambda: own_chart("scaffold", overrides={"helm": {"auth": {"password": HUNTER}}}),
        RELEASE,
        "password",
    ),
    "defaults of the environment": (
        lambda: with_service({}, kubernetes(defaults={"env": {"API_KEY": HUNTER}})),
        ENVIRONMENT,
        "API_KEY",
    ),
    "the default of a variable of the host": (
        lambda: with_service({"env": {"API_KEY": {"variable": "K", "default": HUNTER}}}, compose()),
        STAGING,
        "API_KEY",
    ),
    "a variable of the environment": (
        lambda: with_service({"env": {"API_KEY": {"environment": "K"}}}, kubernetes(variables={"K": HUNTER})),
        ENVIRONMENT,
        "K holds a literal secret, which API_KEY",
    ),
    "values in the environment": (
        lambda: own_chart({"image": "{{ service.image.ref }}", "auth": {"apiKey": HUNTER}}),
        ENVIRONMENT,
        "apiKey",
    ),
    "values in the release": (
        lambda: own_chart(
            "scaffold", helm={"values": {"image": "{{ service.image.ref }}", "extraArgs": ["--token", HUNTER]}}
        ),
        RELEASE,
        "extraArgs",
    ),
    "a values template": (lambda: own_chart("values.yaml.j2", {VALUES: TEMPLATE}), VALUES, "apiKey"),
    "a constant in a hole": (
        lambda: own_chart("values.yaml.j2", {VALUES: TEMPLATE.replace(HUNTER, f"{{{{ '{HUNTER}' }}}}")}),
        VALUES,
        "apiKey",
    ),
    "a template of the team's own": (
        lambda: {**company(), "templates/rollouts/rollouts.yaml.j2": packaged_with(f"DB_PASSWORD: {HUNTER}")},
        "templates/rollouts/rollouts.yaml.j2",
        "DB_PASSWORD",
    ),
    "a variable that only the values call a secret": (
        lambda: own_chart(
            {"image": "{{ service.image.ref }}", "auth": {"password": "{{ service.env[0].value }}"}},
            services={"api": {**SERVICE, "env": {"DB": HUNTER}}},
        ),
        RELEASE,
        "DB holds a literal secret, which helm/values.yaml calls password",
    ),
    "a label": (lambda: with_service({"labels": {"x-api-key": HUNTER}}), RELEASE, "x-api-key"),
    "an annotation": (lambda: with_service({"annotations": {"dsn": DSN}}), RELEASE, "dsn"),
}
"""A repository with one secret, the file that writes it, and what the message calls it."""


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_found_where_it_is_written(place: str) -> None:
    made, file, name = PLACES[place]
    files = made()
    found = [diagnostic for diagnostic in compiled(files).diagnostics if diagnostic.code == "RS231"]
    (diagnostic,) = found
    assert (diagnostic.file, diagnostic.message.startswith(name)) == (file, True), diagnostic
    assert diagnostic.range is not None
    assert HUNTER not in diagnostic.message


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "github", "gitlab", "markdown"])
def test_no_report_repeats_it(place: str, form: str, tmp_path: Path) -> None:
    made = repository(tmp_path / "r", PLACES[place][0]())
    checked = run(made.folder, "check", "--format", form)
    assert "RS231" in checked.out + checked.err
    assert HUNTER not in checked.out + checked.err


@pytest.mark.parametrize("place", PLACES)
def test_what_only_reads_a_secret_is_no_mistake(place: str) -> None:
    """The same repositories with a variable in the place of the secret."""
    files = {path: _replaced(content) for path, content in PLACES[place][0]().items()}
    assert [diagnostic for diagnostic in compiled(files).diagnostics if diagnostic.code == "RS231"] == []


def _replaced(content: object) -> str:
    import yaml

    text = (
        content if isinstance(content, str) else content.decode() if isinstance(content, bytes) else yaml.dump(content)
    )
    return text.replace(f"'{HUNTER}'", "service.name").replace(HUNTER, "/run/secrets/key")


OWN = "apiVersion: relspec/v1\nkind: Repository\nschemas: [own]\n"
STRICT = '{"properties": {"services": {"additionalProperties": {"properties": {"environment": {"additionalProperties": '
STRICT += '{"pattern": "^x$"}}, "command": {"items": {"pattern": "^x$"}}}}}}}'


@pytest.mark.parametrize(
    "service", [{"env": {"API_KEY": HUNTER}}, {"env": {"DSN": DSN}}, {"args": ["--api-key", HUNTER, f"TOKEN={HUNTER}"]}]
)
def test_what_a_schema_refuses_is_said_without_the_secret(service: dict[str, object], tmp_path: Path) -> None:
    files = {**with_service(service, compose()), "relspec.yaml": OWN, "own/compose.json": STRICT}
    made = repository(tmp_path / "r", files)
    checked = run(made.folder, "check", "--format", "json")
    assert HUNTER not in checked.out + checked.err
    document = {"services": {"api": {"environment": {"API_KEY": HUNTER, "DSN": DSN}, "command": ["--api-key", HUNTER]}}}
    problems = check_against(json.loads(STRICT), document)
    assert len(problems) == 4
    assert HUNTER not in str(problems)


def test_what_a_chart_refuses_is_said_without_the_secret() -> None:
    chart = Chart("own", "own", "1.0.0", {}, b'{"properties": {"args": {"items": {"pattern": "^x$"}}}}')
    problems = validate(chart, {"args": ["--api-key", HUNTER]})
    assert len(problems) == 2
    assert HUNTER not in str(problems)


def test_packaged_templates_are_not_searched_again() -> None:
    """The happy path: what fields gave was looked at in the fields."""
    assert compiled(with_service({"env": {"API_KEY": {"secret": "recs/api-key"}}})).diagnostics == ()


NUMBER = 84729384729384

NUMBERS: Mapping[str, Callable[[int], Files]] = {
    "a release": lambda number: with_service({"env": {"API_TOKEN": number}}),
    "a sidecar": lambda number: with_service(
        {"sidecars": [{"name": "log", "image": "log:1", "env": {"API_TOKEN": number}}]}
    ),
    "defaults": lambda number: with_service({}, kubernetes(defaults={"env": {"DB_PASSWORD": number}})),
    "a variable of the environment": lambda number: with_service({}, kubernetes(variables={"DB_PASSWORD": number})),
    "a variable that a secret reads": lambda number: with_service(
        {"env": {"DB_PASSWORD": {"environment": "K"}}}, kubernetes(variables={"K": number})
    ),
    "a command": lambda number: with_service({"args": ["--password", number]}),
    "an override": lambda number: with_service(
        {"overrides": {"rollouts": {"pod": {"overhead": {"password": number}}}}}
    ),
}
"""A repository with a number that is called a secret."""


@pytest.mark.parametrize("place", NUMBERS)
def test_a_number_may_be_a_secret_as_a_text_may(place: str, tmp_path: Path) -> None:
    found = [d for d in compiled(NUMBERS[place](NUMBER)).diagnostics if d.code == "RS231"]
    assert len(found) == 1
    assert not [d for d in compiled(NUMBERS[place](100)).diagnostics if d.code == "RS231"], "a setting"
    made = repository(tmp_path / "r", NUMBERS[place](NUMBER))
    done = run(made.folder, "check")
    assert str(NUMBER) not in done.out + done.err


DIGITS = "98765432"

WITHOUT_QUOTES: Mapping[str, Callable[[str], Files]] = {
    "a variable": lambda number: _written("env: {PASSWORD: NUMBER}", number),
    "a variable of a sidecar": lambda number: _written(
        "sidecars: [{name: log, image: 'log:1', env: {PASSWORD: NUMBER}}]", number
    ),
    "a default": lambda number: _written("env: {PASSWORD: {variable: HOST, default: NUMBER}}", number),
    "a word of a command": lambda number: _written("args: [--password, NUMBER]", number),
    "a word of a check": lambda number: _written("health: {exec: [ask, --password, NUMBER]}", number),
    "an annotation": lambda number: _written("annotations: {password: NUMBER}", number),
    "a label": lambda number: _written("labels: {password: NUMBER}", number),
    "an argument of a build": lambda number: _written("build: {context: ., args: {DB_PASSWORD: NUMBER}}", number),
    "an override": lambda number: _written("overrides: {rollouts: {pod: {overhead: {password: NUMBER}}}}", number),
    "a reference": lambda number: _written("env: {A: {secret: NUMBER}}", number),
    "a variable of the environment": lambda number: _of_environment("variables: {PASSWORD: NUMBER}", number),
    "the defaults": lambda number: _of_environment("defaults: {env: {PASSWORD: NUMBER}}", number),
}
"""A repository with a number that YAML, its limits or a text refuse, where a secret stands."""


def _written(line: str, number: str) -> Files:
    files = with_service({"health": None})
    text = yaml.safe_dump(files[RELEASE], sort_keys=False)
    return {**files, RELEASE: text.replace("  api:\n", f"  api:\n    {line.replace('NUMBER', number)}\n")}


def _of_environment(line: str, number: str) -> Files:
    text = yaml.safe_dump(kubernetes(), sort_keys=False) + line.replace("NUMBER", number) + "\n"
    return {**company(), ENVIRONMENT: text}


@pytest.mark.parametrize("place", WITHOUT_QUOTES)
@pytest.mark.parametrize("number", [f"{DIGITS}.10", "9876543298765432987654", f"{DIGITS}"])
def test_a_number_without_quotes_is_in_no_answer(place: str, number: str, tmp_path: Path) -> None:
    made = repository(tmp_path / "r", WITHOUT_QUOTES[place](number))
    forms = [("check", "--format", form) for form in ("text", "json", "sarif", "junit", "markdown")]
    for words in [*forms, ("compile",), ("check", "--fix", "--diff")]:
        done = run(made.folder, *words)
        assert DIGITS[:6] not in done.out + done.err, words
        assert "in quotes" not in done.out + done.err, words


@pytest.mark.parametrize("place", [place for place in WITHOUT_QUOTES if place != "a reference"])
def test_a_number_with_a_dot_is_a_literal_secret(place: str) -> None:
    found = compiled(WITHOUT_QUOTES[place](f"{DIGITS}.10")).diagnostics
    assert [(d.code, d.remedy) for d in found if d.severity == "error"] == [("RS231", None)]


def test_a_price_by_the_token_is_no_secret() -> None:
    """A small number with a dot, where a number is allowed; and one without a secret's name is put in quotes."""
    fee = {"overrides": {"rollouts": {"pod": {"overhead": {"cost_per_token": 0.00025}}}}}
    assert not [d for d in compiled(with_service(fee)).diagnostics if d.code == "RS231"]
    (found,) = [d for d in compiled(_written("env: {RATIO: NUMBER}", "0.5")).diagnostics if d.severity == "error"]
    assert (found.code, found.remedy) == ("RS104", Remedy("quote"))


@pytest.mark.parametrize("field", ["uri", "reference"])
def test_a_secret_in_a_record_reaches_no_output(field: str, tmp_path: Path) -> None:
    version = record("v1")
    version["artifact"] = {"uri": "s3://models/als/v1", field: f"https://recs:{HUNTER}@models/als/v1"}
    service = {"model": "als@v1", "env": {"A": {"model": field}}}
    files = {**with_service(service), **registry("v1"), "registry/als/v1.yaml": version}
    made = repository(tmp_path / "r", files)
    for form in ("text", "json", "sarif", "junit", "markdown"):
        done = run(made.folder, "check", "--format", form)
        assert done.code == 1
        assert HUNTER not in done.out + done.err
    (found,) = json.loads(run(made.folder, "check", "--format", "json").out)["diagnostics"]
    assert (found["code"], found["file"]) == ("RS231", RELEASE)
    assert run(made.folder, "compile").code == 1
    assert not (made.folder / "rendered").exists()
    # Who does not repeat it is not held up: a record can't be edited.
    write(made.folder, with_service({"model": "als@v1"}))
    assert run(made.folder, "compile").code == 0
    assert not [path for path in (made.folder / "rendered").rglob("*.yaml") if HUNTER in path.read_text()]


def test_a_secret_of_an_environment_is_said_once_with_all_its_releases() -> None:
    files = dict(PLACES["an address in the environment"][0]())
    files[RELEASE.replace("recs", "more")] = company()[RELEASE] | {"name": "more"}  # type: ignore[operator]
    (found,) = [d for d in compiled(files).diagnostics if d.code == "RS231"]
    assert found.releases == ("production/more", "production/recs")


# --- what people write down


@pytest.mark.parametrize(
    "text",
    [
        f"leaked: password is {HUNTER}, see the incident",
        f"API_KEY={HUNTER} was in the image",
        f"password: {HUNTER}",
        f"the token '{HUNTER}' leaked",
        f"connected to {DSN}",
    ],
)
def test_a_reason_hides_a_password(text: str) -> None:
    assert HUNTER not in hidden_in_prose(text)
    assert len(hidden_in_prose(text)) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "error rate 12 %",
        "the token expired; password reset failed in 10% of cases",
        "secrets were rotated on 2026-03-04",
        "INC-4711: API_KEY of the old cluster",
        "write {secret: NAME/KEY} and keep the secret outside Git",
        "MAX_TOKENS=4096 was too low",
    ],
)
def test_a_reason_without_one_stays_as_it_is(text: str) -> None:
    assert hidden_in_prose(text) == text
    assert hidden(text) == text


def test_a_quarantine_with_a_password_in_its_reason_is_said_without_it(tmp_path: Path) -> None:
    from company import registry

    reason = f"leaked, the password is {HUNTER}"
    files = {
        **company({"api": without_none({**SERVICE, "model": "als@3"})}),
        **registry("2", "3", quarantine={"3": {"reason": reason, "since": "2026-03-04"}}),
    }
    made = repository(tmp_path / "r", files)
    for verb in (
        ["check"],
        ["check", "--format", "json"],
        ["model", "list", "als"],
        ["model", "show", "als", "3"],
        ["plan"],
    ):
        done = run(made.folder, *verb)
        assert HUNTER not in done.out + done.err, verb
    assert "RS411" in run(made.folder, "check").err + run(made.folder, "check").out


def test_a_change_of_a_secret_is_shown_without_it(tmp_path: Path) -> None:
    quiet = {"args": ["--api-key", "$(API_KEY)"], "command": ["sh", "-c", "run"], "labels": {"team": "recs"}}
    loud = {
        "args": ["--api-key", HUNTER],
        "command": ["sh", "-c", f"API_KEY={HUNTER} run"],
        "annotations": {"dsn": DSN},
        "env": {"API_KEY": {"variable": "K", "default": HUNTER}},
        "files": {"/etc/app.env": {"content": f"API_KEY={HUNTER}\n"}},
    }
    made = repository(tmp_path / "r", with_service(quiet, compose()))
    assert run(made.folder, "compile").code == 0
    made.commit("outputs")
    write(made.folder, with_service(loud, compose()))
    made.commit(f"a secret slips in, its password is {HUNTER}")
    verbs = [
        ["plan", "HEAD~1..HEAD"],
        ["plan", "HEAD~1..HEAD", "--diff"],
        ["plan", "HEAD~1..HEAD", "--format", "json"],
        ["history", "staging/recs"],
        ["history", "staging/recs", "--format", "json"],
        ["drill"],
        ["rollback", "staging/recs", "--dry-run"],
        *(
            ["explain", "staging/recs", f"api.{name}"]
            for name in ("args", "args.1", "command", "env", "env.API_KEY", "files")
        ),
        ["explain", "staging/recs", "api.env", "--format", "json"],
    ]
    said = {" ".join(verb): run(made.folder, *verb) for verb in verbs}
    assert [verb for verb, done in said.items() if HUNTER in done.out + done.err] == []
    assert "args" in said["plan HEAD~1..HEAD"].out
    assert "(a literal secret, not shown)" in said["explain staging/recs api.args.1"].out
    assert "its password is ****" in said["history staging/recs"].out


ONCE: Mapping[str, Callable[[], Files]] = {
    "variables": lambda: with_service({}, kubernetes(variables={"DB": DSN})),
    "defaults": lambda: with_service({}, kubernetes(defaults={"env": {"DB": DSN}})),
    "values": lambda: own_chart({"image": "{{ service.image.ref }}", "some": {"db": DSN}}),
    "targets": lambda: with_service(
        {}, kubernetes(targets={"rollouts": {"namespace": "prod", "prometheus": f"http://u:{HUNTER}@prom:9090"}})
    ),
}
"""An address with a login in a part of an environment; each part is one rule's."""


@pytest.mark.parametrize("part", ONCE)
def test_an_address_in_an_environment_is_said_once(part: str) -> None:
    (found,) = [d for d in compiled(ONCE[part]()).diagnostics if d.code == "RS231"]
    assert part in found.path


def test_the_reason_of_an_allowance_is_no_place_for_a_secret_to_be_found_in() -> None:
    """Reports hide what looks like one in a reason (`hidden_in_prose`)."""
    allowance = {"code": "RS421", "release": "production/recs", "until": "2099-12-31", "reason": f"see {DSN}"}
    result = compiled(with_service({}, kubernetes(policies={"allow": [allowance]})))
    assert [d for d in result.diagnostics if d.code == "RS231"] == []


def test_a_variable_that_is_called_a_secret_is_one_whoever_reads_it() -> None:
    files = with_service(
        {"env": {"DB_PASSWORD": {"environment": "API_KEY"}}}, kubernetes(variables={"API_KEY": HUNTER})
    )
    (found,) = [d for d in compiled(files).diagnostics if d.code == "RS231"]
    assert found.message == "API_KEY holds a literal secret"


@pytest.mark.parametrize("option", ["-u", "-U", "--user", "--proxy-user"])
def test_a_login_behind_an_option_is_one_of_a_command_and_of_a_line(option: str) -> None:
    login = f"admin:{HUNTER}"
    assert list(secret_words(["curl", option, login])) == [2]
    assert list(secret_words(["curl", f"x{option}", login])) == []
    for form, after in (("curl {} ", " x"), ('["curl", "{}", "', '"]'), ("[curl,'{}','", "']"), ("curl {}=", " x")):
        before = form.format(option)
        assert masked([before + login + after]) == [before + "*" * len(login) + after]
    for line in (f"x{option} {login}", f"curl {option} admin:$PASSWORD_1", f"curl {option} admin:/run/secret1"):
        assert masked([line]) == [line]


@pytest.mark.parametrize(
    ("word", "secret"),
    [
        ("admin:hunte2", True),
        ("admin:hunt2", False),
        ("admin:hunter2 x", False),
        ("1000:1000000", False),
        ("www-data:www-data_x", False),
        ("admin:$HUNTER2", False),
        ("admin:<hunter2>", False),
        ("admin:{hunter2}", False),
        ("admin:/hunter2", False),
        ("admin:*hunter2", False),
        ("$ADMIN:hunter2", False),
        ("<admin>:hunter2", False),
        ("{admin}:hunter2", False),
        ("a/b:hunter2", False),
        ("a@b:hunter2", False),
    ],
)
def test_what_stands_behind_such_an_option_is_a_login_or_a_user(word: str, secret: bool) -> None:
    assert list(secret_words(["run", "--user", word])) == ([2] if secret else [])


def test_an_option_counts_for_the_word_behind_it_alone() -> None:
    login = f"admin:{HUNTER}"
    assert list(secret_words(["--user", "x", login])) == []
    assert list(secret_words(["--user", None, login])) == []
    assert list(secret_words(["--api-key", None, HUNTER])) == []
    assert list(secret_words(["--password", NUMBER, 12345])) == [1]
    assert list(secret_words(["--password", True])) == []


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("/etc/credentials", f"password: {HUNTER}", True),
        ("/etc/credentials", f"#!/bin/sh\npassword={HUNTER}", False),
        ("/etc.d/credentials", f"password: {HUNTER}", True),
        ("/app/main.py", f"password = {HUNTER}", False),
        ("/app/main.py", f"password = '{HUNTER}'", True),
        ("/app/app.YAML", f"password: {HUNTER}", True),
        ("/app/.env.local", f"PASSWORD={HUNTER}", True),
    ],
)
def test_a_file_without_an_ending_is_a_configuration_unless_it_is_a_script(
    name: str, content: str, found: bool
) -> None:
    assert secret_in_text(name, content) is found


def test_a_number_is_a_secret_by_its_name_alone() -> None:
    said = compiled(with_service({"env": {"PORT": 808080}}, kubernetes(variables={"PORT": 808080}))).diagnostics
    assert [d for d in said if d.code == "RS231"] == []
    data = {"port": 123456, "apiKey": 123, "password": True, "items": [{"name": "API_KEY", "value": 12345}]}
    assert list(literal_secrets(data)) == [(("items", 0, "value"), "API_KEY")]
    assert list(literal_secrets({"apiKey": 123456})) == [(("apiKey",), "apiKey")]
    hid = without_secrets({"API_KEY": 123456, "API_TOKEN": 123, "PORT": 123456, "password": True})
    assert hid == {"API_KEY": NOT_SHOWN, "API_TOKEN": 123, "PORT": 123456, "password": True}


@pytest.mark.parametrize(
    ("files", "count"),
    [
        (lambda: with_service({"build": {"context": ".", "args": {"API_TOKEN": NUMBER}}}, compose()), 1),
        (lambda: with_service({"build": {"context": ".", "args": {"API_TOKEN": 100}}}, compose()), 0),
        (lambda: with_service({"build": {"context": ".", "args": {"PORT": NUMBER}}}, compose()), 0),
        (lambda: own_chart("scaffold", overrides={"helm": {"password": {"existing": "name"}}}), 0),
        (lambda: own_chart("scaffold", overrides={"helm": {"password": []}}), 0),
    ],
)
def test_a_number_or_a_map_under_the_name_of_a_secret(files: Callable[[], Files], count: int) -> None:
    assert len([d for d in compiled(files()).diagnostics if d.code == "RS231"]) == count

"""A repository with 300 commits, made in under a minute, to try every Git verb on by hand.

    .venv/bin/python tools/history.py FOLDER
    relspec -C FOLDER history production/movie-recs

Three environments (Compose, Helm, Argo Rollouts), seven releases, two models; specs and outputs in one commit each time.
Between ordinary work there are two merged branches, a squash, a revert of a revert, an alias that moves, a rename, a
deletion, edits of environments and a base, a quarantine, and at the end an incident: production/movie-recs is slow.
Ids and times are the same in every run of one version of relspec.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from relspec.compiler import Compiler
from relspec.loader import Memory
from relspec.lock import text as lock_text
from relspec.tree import DirectoryTree
from relspec.workspace import apply, compare

COMMITS = 300
BEGIN = 1_767_600_000
"""2026-01-05T08:00:00Z: when the first commit was made."""
STAGING = "environments/staging/environment.yaml"
PEOPLE = ("Ann Chen", "Björn Öst", "Chidi Okafor")

HEADER = "apiVersion: relspec/v1\nkind: "
API = """\
    ports: {http: 8080}
    health: {path: /healthz}
    resources: {cpu: 500m, memory: 1Gi}
"""
ROLLOUTS = (
    HEADER
    + """\
Environment
name: production
targets:
  rollouts: {namespace: ml-prod, cluster: us-1, prometheus: http://prometheus:9090}
router:
  istio: {gateway: istio-ingress/main}
expose: {host: "{release}.acme.example"}
rollback: {objective: 2m, window: 3, history: 8, warm: 10m}
analyses:
  success-rate:
    query: sum(rate(ok[5m])) / sum(rate(all[5m]))
    success: "result[0] >= 0.99"
    interval: 1m
    count: 5
variables: {REGION: us-1}
defaults:
  replicas: 2                 # one may go
"""
)
FILES = {
    ".gitignore": "rendered/**/.env\n",
    "relspec.lock": lock_text().decode(),
    "environments/dev/environment.yaml": HEADER + "Environment\nname: dev\ntargets:\n  compose: {bind: 127.0.0.1}\n",
    STAGING: HEADER
    + "Environment\nname: staging\ntargets:\n  helm: {namespace: ml-staging}\ndefaults:\n  replicas: 1\n",
    "environments/production/environment.yaml": ROLLOUTS,
    "bases/service.yaml": HEADER + "Release\nservices:\n  api:\n" + API + "    env: {LOG_FORMAT: json}\n",
    "registry/als/model.yaml": HEADER + "Model\nname: als\nversioning: semver\naliases:\n  prod: v0.1   # what runs\n",
    "registry/ranker/model.yaml": HEADER + "Model\nname: ranker\nversioning: sequential\n",
}


def release(name: str, service: str, *, base: bool = True, more: str = "") -> str:
    """A release.yaml as somebody writes it."""
    extends = "extends: ../../../bases/service.yaml\n" if base else ""
    return f"{HEADER}Release\nname: {name}\n{extends}services:\n  api:\n{service}{more}"


MOVIES = """\
    model: als@prod           # moves with the alias
    image: ghcr.io/acme/movie-recs:1.0.0
    env:
      LOG_LEVEL: info
      MODEL_VERSION: {model: version}
"""
STEPS = """\
    strategy:
      canary:
        steps:
          - setWeight: 10
          - pause: 5m
          - analyze: [success-rate]
          - setWeight: 50
          - pause: 10m
"""
SEARCH = "    model: ranker@v1\n    image: ghcr.io/acme/search:2.0.0\n    env: {TIMEOUT: 2s}\n"
WORKER = "  worker:\n    image: ghcr.io/acme/movie-worker:1.0.0\n    resources: {cpu: 200m, memory: 512Mi}\n"
RELEASES = {
    "dev/movie-recs": release("movie-recs", MOVIES.replace("@prod           # moves with the alias", "@v0.1")),
    "staging/movie-recs": release("movie-recs", MOVIES.replace("@prod           # moves with the alias", "@v0.1")),
    "production/movie-recs": release("movie-recs", MOVIES, more=STEPS + WORKER),
    "dev/search": release("search", SEARCH),
    "staging/search": release("search", SEARCH),
    "production/search": release("search", SEARCH),
    "production/checkout": release("checkout", "    image: ghcr.io/acme/checkout:3.0.0\n" + API, base=False),
}


def record(model: str, version: str, number: int) -> str:
    """A ModelVersion record with its lineage."""
    return (
        f"{HEADER}ModelVersion\nmodel: {model}\nversion: {version}\n"
        f"artifact:\n  uri: oci://ghcr.io/acme/{model}:{version}\n  digest: sha256:{number:064x}\n"
        f"code: {{commit: {number + 0xA07521C:08x}}}\ndata: {{snapshot: snapshot-{number}}}\n"
        f"config:\n  hyperparameters: {{rank: {32 + number}}}\nruntime:\n  image: ghcr.io/acme/{model}-serving:{version}\n"
    )


class Story:
    """The repository in the making. A commit comes every eight hours, each by another person."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory: Memory = {}
        self.number = 0
        self.tags = {"movie-recs": 0, "search": 0, "checkout": 0}
        self.versions = {"als": 1, "ranker": 1}
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", PEOPLE[0])
        self.git("config", "user.email", "ann@acme.example")

    # --- Git

    def git(self, *arguments: str, check: bool = True) -> str:
        """What a Git command prints, run by whose turn it is at the time of the next commit."""
        name = PEOPLE[self.number % len(PEOPLE)]
        date = f"{BEGIN + self.number * 8 * 3600 + self.number % 7 * 600} +0000"
        env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"], "LC_ALL": "C"}
        for role in ("AUTHOR", "COMMITTER"):
            mail = f"{name.split()[0].lower()}@acme.example"
            env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": mail, f"GIT_{role}_DATE": date}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise SystemExit(f"git {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done.stdout.strip()

    def compile(self) -> None:
        """The outputs of the work tree."""
        compiled = Compiler(DirectoryTree(self.folder), memory=self.memory).compile()
        if compiled.stopped:
            raise SystemExit("\n".join(f"{d.code} {d.file}: {d.message}" for d in compiled.diagnostics))
        apply(self.folder, compiled.files, compare(self.folder, compiled.files, [compiled.output]))

    def commit(self, message: str) -> str:
        """Everything, compiled, as a commit; its id."""
        self.compile()
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        self.number += 1
        return self.git("rev-parse", "HEAD")

    def revert(self, commit: str) -> str:
        """`git revert`, outputs and all."""
        self.git("revert", "--no-edit", commit)
        self.number += 1
        return self.git("rev-parse", "HEAD")

    # --- files

    def write(self, path: str, text: str) -> None:
        """A file with its folder."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")

    def edit(self, path: str, pattern: str, value: str) -> None:
        """Replaces the first match of a pattern in a file, which has to be there."""
        text = (self.folder / path).read_text(encoding="utf-8")
        changed, found = re.subn(pattern, value, text, count=1)
        if not found:
            raise SystemExit(f"{path} has no {pattern}")
        self.write(path, changed)

    def edit_release(self, release: str, pattern: str, value: str) -> None:
        """The same in a release.yaml."""
        self.edit(f"environments/{release}/release.yaml", pattern, value)

    # --- ordinary work

    def new_image(self, environment: str, name: str) -> str:
        """The next image of a release."""
        self.tags[name] += 1
        tag = f"{1 + self.tags[name] // 20}.{self.tags[name] // 5 % 4}.{self.tags[name]}"
        self.edit_release(f"{environment}/{name}", r"(image: ghcr.io/acme/\S+):\S+", rf"\1:{tag}")
        return self.commit(f"{environment}/{name}: image {tag}")

    def new_version(self, model: str) -> str:
        """The next version of a model, registered; its name."""
        self.versions[model] += 1
        number = self.versions[model]
        version = f"v0.{number}" if model == "als" else f"v{number}"
        self.write(f"registry/{model}/{version}.yaml", record(model, version, number))
        self.commit(f"Register {model} {version}")
        return version

    def use(self, release: str, version: str) -> str:
        """A model version in a release."""
        self.edit_release(release, r"model: (\w+)@\S+", rf"model: \g<1>@{version}")
        return self.commit(f"{release}: model {version}")

    def aliased(self, version: str) -> str:
        """`als@prod` moved."""
        self.edit("registry/als/model.yaml", r"prod: \S+", f"prod: {version}")
        return self.commit(f"als@prod is {version}")

    def ordinary(self) -> Iterator[Callable[[], object]]:
        """What people do on ordinary days, over and over."""
        day = 0
        while True:
            day += 1
            level, replicas, timeout = ("debug", "warn", "info")[day % 3], 2 + day % 3, 3 + day % 9
            yield lambda: self.new_image("staging", "movie-recs")
            yield lambda: self.new_image("production", "movie-recs")
            yield partial(self.new_image, "staging", "movie-recs")
            yield partial(self.new_image, "production", "movie-recs")
            yield partial(self.new_image, "dev", "search")
            yield partial(self.tune, "dev/search", r"TIMEOUT: \S+}", f"TIMEOUT: {timeout}s}}")
            yield partial(self.tune, "staging/movie-recs", r"LOG_LEVEL: \w+", f"LOG_LEVEL: {level}")
            yield partial(self.new_image, "production", "checkout")
            yield partial(self.tune, STAGING, r"replicas: \d+", f"replicas: {replicas}")
            yield partial(self.new_image, "staging", "search")
            yield partial(self.new_image, "production", "search")
            yield partial(self.tune, "production/checkout", r"^(# .*\n)?", f"# Looked at on day {day}.\n")

    def tune(self, where: str, pattern: str, value: str) -> str:
        """A small edit of a release or another file."""
        path = where if where.endswith(".yaml") else f"environments/{where}/release.yaml"
        self.edit(path, pattern, value)
        words = value.strip().strip("}{#").strip()
        return self.commit(f"{path.removeprefix('environments/').removesuffix('/release.yaml')}: {words}")


def tell(folder: Path) -> Story:
    """The whole story."""
    story = Story(folder)
    for path, text in FILES.items():
        story.write(path, text)
    for model, version in (("als", "v0.1"), ("ranker", "v1")):
        story.write(f"registry/{model}/{version}.yaml", record(model, version, 1))
    for name, text in RELEASES.items():
        story.write(f"environments/{name}/release.yaml", text)
    story.commit("The company")
    days = story.ordinary()
    events = dict(EVENTS)
    while story.number < COMMITS - len(INCIDENT):
        due = [at for at in events if at <= story.number]
        if due:
            events.pop(due[0])(story)
        else:
            next(days)()
    for event in INCIDENT:
        event(story)
    return story


# --- what happens once


def model_comes(story: Story) -> None:
    """A version goes from dev to production, one environment after the other."""
    version = story.new_version("als")
    for environment in ("dev", "staging"):
        story.use(f"{environment}/movie-recs", version)
    story.aliased(version)


def last_model_comes(story: Story) -> None:
    """The same under another name of the release."""
    version = story.new_version("als")
    for release in ("dev/movies", "staging/movie-recs"):
        story.use(release, version)
    story.aliased(version)


def ranker_comes(story: Story) -> None:
    """The same for search, which names its version."""
    version = story.new_version("ranker")
    for environment in ("dev", "staging", "production"):
        story.use(f"{environment}/search", version)


def branch_is_merged(story: Story) -> None:
    """A branch of three commits, while main goes on."""
    story.git("checkout", "-q", "-b", "feature")
    story.tune("production/checkout", r"cpu: \S+,", "cpu: 750m,")
    story.tune("production/checkout", r"memory: \S+}", "memory: 2Gi}")
    story.git("checkout", "-q", "main")
    story.new_image("dev", "search")
    story.git(
        "merge", "-q", "--no-ff", "-m", "Merge pull request #41 from acme/feature\n\ncheckout: more room", "feature"
    )
    story.git("branch", "-q", "-d", "feature")
    story.number += 1


def second_branch_is_merged(story: Story) -> None:
    """A branch that changes what production runs: the steps of the canary."""
    story.git("checkout", "-q", "-b", "careful")
    story.tune("production/movie-recs", r"setWeight: 10", "setWeight: 5")
    story.tune("production/movie-recs", r"pause: 5m", "pause: 10m")
    story.git("checkout", "-q", "main")
    story.new_image("staging", "search")
    story.git("merge", "-q", "--no-ff", "-m", "Merge branch 'careful'", "careful")
    story.git("branch", "-q", "-d", "careful")
    story.number += 1


def branch_is_squashed(story: Story) -> None:
    """Two commits that arrive as one."""
    start = story.number
    story.git("checkout", "-q", "-b", "spike")
    story.tune("production/search", r"TIMEOUT: \S+}", "TIMEOUT: 3s, RETRIES: '1'}")
    story.tune("production/search", r"RETRIES: '1'", "RETRIES: '2'")
    story.git("checkout", "-q", "main")
    story.git("merge", "-q", "--squash", "spike")
    story.git("branch", "-q", "-D", "spike")
    story.number = start
    story.commit("production/search: retries (#57)")


def revert_is_reverted(story: Story) -> None:
    """A revert that was a mistake."""
    bad = story.new_image("production", "search")
    story.revert(story.revert(bad))


def base_changes(story: Story) -> None:
    """One edit, six releases."""
    story.tune("bases/service.yaml", r"LOG_FORMAT: \w+", "LOG_FORMAT: logfmt")


def environment_changes(story: Story) -> None:
    """Production gets a region."""
    story.tune("environments/production/environment.yaml", r"REGION: \S+}", "REGION: us-2}")


def release_is_renamed(story: Story) -> None:
    """dev/search becomes dev/find, and is called search again soon: ordinary work goes on under that name."""
    for old, new in (("search", "find"), ("find", "search")):
        (story.folder / f"environments/dev/{old}").rename(story.folder / f"environments/dev/{new}")
        story.edit_release(f"dev/{new}", f"name: {old}", f"name: {new}")
        story.commit(f"dev/{old} is called {new}")


def release_comes_and_goes(story: Story) -> None:
    """An experiment that nobody wanted."""
    story.write("environments/dev/experiment/release.yaml", release("experiment", SEARCH))
    story.commit("dev/experiment")
    (story.folder / "environments/dev/experiment/release.yaml").unlink()
    story.commit("dev/experiment is over")


def movies_get_a_shorter_name(story: Story) -> None:
    """For good."""
    (story.folder / "environments/dev/movie-recs").rename(story.folder / "environments/dev/movies")
    story.edit_release("dev/movies", "name: movie-recs", "name: movies")
    story.commit("dev/movie-recs is called movies")


def bad_version(story: Story) -> None:
    """als v0.3 was trained on half the data: rolled back by hand, and in quarantine."""
    story.new_version("als")
    bad = story.aliased("v0.3")
    story.revert(bad)
    model = story.folder / "registry/als/model.yaml"
    entry = "quarantine:\n  v0.3: {reason: trained on half the data, since: 2026-02-20}\n"
    story.write("registry/als/model.yaml", model.read_text(encoding="utf-8") + entry)
    story.commit("als v0.3 in quarantine")


EVENTS: dict[int, Callable[[Story], None]] = {
    20: model_comes,
    45: branch_is_merged,
    60: ranker_comes,
    80: environment_changes,
    95: bad_version,
    120: revert_is_reverted,
    140: branch_is_squashed,
    160: base_changes,
    175: second_branch_is_merged,
    190: release_is_renamed,
    205: model_comes,
    225: release_comes_and_goes,
    235: movies_get_a_shorter_name,
    245: ranker_comes,
    260: last_model_comes,
}


def pinned(story: Story) -> None:
    """Production takes its version by name from now on: nothing that runs changes."""
    story.edit_release("production/movie-recs", r"model: als@prod +# moves.*", "model: als@v0.5")
    story.commit("production/movie-recs: pinned")


INCIDENT: tuple[Callable[[Story], object], ...] = (
    lambda story: story.new_version("als"),
    pinned,
    lambda story: story.new_image("dev", "search"),
    lambda story: story.use("production/movie-recs", "v0.6"),
    lambda story: story.tune("environments/production/environment.yaml", r"warm: 10m", "warm: 15m"),
    lambda story: story.new_image("production", "checkout"),
)
"""The last commits: als v0.6 is slow, and two more changes came after it."""


def main() -> None:
    """Makes the repository in the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    began = time.perf_counter()
    story = tell(parser.parse_args().folder)
    print(f"{story.git('rev-list', '--count', 'HEAD')} commits in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()

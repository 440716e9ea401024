"""Microseconds a release, stage by stage: one service, a stepped canary, all three targets, warm and in process.

    make bench

Each figure is the median of many rounds; the budget is 500 µs for one service in all three targets and 300 µs for each
further one. Machines are noisy: compare figures of one run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from relspec import documents
from relspec.compiler import Compiler, written
from relspec.resolve import Resolver
from relspec.rules import check_release
from relspec.schema_checks import DEFAULT_KUBERNETES, check_compose, check_object
from relspec.spec.release import Release
from relspec.spec.validation import validate
from relspec.targets.compose.target import compose
from relspec.targets.helm.target import helm
from relspec.targets.rollouts.target import rollouts
from relspec.tree import DirectoryTree

COMPANY = Path(__file__).parent / "company"
BUDGET = 500
FURTHER = 300


def median(function: Callable[[], object], rounds: int) -> float:
    """The median time of one call, in microseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def fresh(resolver: Resolver, file: str) -> None:
    """Forgets a release's own document, as if it had just been edited; what releases share stays."""
    resolver.loader._documents.pop(file, None)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    rounds = parser.parse_args().rounds
    tree = DirectoryTree(COMPANY)
    compiler = Compiler(tree)
    places = {place.id: place for place in compiler.found.releases}
    one, helm_one = places["production/one"], places["charts/one"]
    resolver = compiler.resolver
    release = resolver.release(one.file, one.environment, one.id)
    chart_release = resolver.release(helm_one.file, helm_one.environment, helm_one.id)
    data = tree.read(one.file)
    parsed = documents.parse(data, one.file)
    drafts = compose(release, compiler.templates, "rendered") + rollouts(release, compiler.templates, "rendered")
    chart_drafts = helm(chart_release, compiler.templates, "rendered")
    objects = next(draft.documents for draft in drafts if draft.path.startswith("rollouts/")) or []
    file = next(draft.documents for draft in drafts if draft.path.startswith("compose/")) or []

    def resolve() -> None:
        fresh(resolver, one.file)
        resolver.release(one.file, one.environment, one.id)

    stages: dict[str, Callable[[], object]] = {
        "scan": lambda: documents.needs_careful(data),
        "parse (scan included)": lambda: documents.parse(data, one.file),
        "validate": lambda: validate(Release, parsed, one.file),
        "resolve (parse, validate included)": resolve,
        "rules": lambda: list(check_release(release)),
        "compose: context, render, fill": lambda: compose(release, compiler.templates, "rendered"),
        "rollouts: context, render, fill": lambda: rollouts(release, compiler.templates, "rendered"),
        "helm: context, render, fill": lambda: helm(chart_release, compiler.templates, "rendered"),
        "schemas": lambda: [check_object(o, DEFAULT_KUBERNETES) for o in objects] + [check_compose(f) for f in file],
        "emit, three targets": lambda: [written(draft, release) for draft in (*drafts, *chart_drafts)],
    }

    def whole(place_ids: tuple[str, ...]) -> Callable[[], object]:
        def run() -> None:
            for name in place_ids:
                fresh(resolver, places[name].file)
                compiler.release(places[name])

        return run

    for _ in range(50):
        whole(("production/one", "charts/one", "production/three"))()
    print(f"{'stage':40}{'µs':>8}")
    for name, function in stages.items():
        print(f"{name:40}{median(function, rounds):8.0f}")
    first = median(whole(("production/one",)), rounds) + median(whole(("charts/one",)), rounds)
    third = median(whole(("production/three",)), rounds)
    two = median(whole(("production/one",)), rounds)
    print(f"{'one service, three targets':40}{first:8.0f}   budget {BUDGET}")
    print(f"{'each further service, two targets':40}{(third - two) / 2:8.0f}   budget {FURTHER}")
    size = sum(len(written(draft, release)) for draft in drafts)
    print(
        f"{len(objects)} Kubernetes objects and a compose file, {size / 1000:.1f} KB; a spec of {len(data) / 1000:.1f} KB"
    )


if __name__ == "__main__":
    main()

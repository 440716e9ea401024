"""How fast a change could be undone: the measured table first, then one test a rule, then what always holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from company import (
    ANALYSES,
    CANDIDATE,
    SERVICE,
    STRATEGIES,
    Content,
    Map,
    Repository,
    company,
    compiled,
    compose,
    environment,
    kubernetes,
    record,
    registry,
    run,
    said,
    with_service,
    without_none,
    write,
)
from relspec.gitops import states
from relspec.gitops.readiness import ASSUMPTIONS, VERDICTS, Context, Phase, Readiness, Revision, readiness
from relspec.gitops.replica_sets import Push, enough, find, replay, way
from relspec.spec.registry import Model

Files = Mapping[str, Content]
HOUR = 3600
SHORT: Map = {
    "canary": {"steps": [{"setWeight": 20}, {"pause": "2s"}, {"setWeight": 60}, {"pause": "2s"}]},
}
"""The four short steps of the measured table."""

LONG: Map = {
    "canary": {"steps": [{"setWeight": 20}, {"pause": "5m"}, {"analyze": ["success-rate"]}, {"setWeight": 60}]},
}
WAITS: Map = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}
AUTO: Map = {"blueGreen": {"promote": "auto"}}
MANUAL: Map = {"blueGreen": {"promote": "manual"}}
PLAIN = kubernetes(None)
PAIRS = tuple(permutations(STRATEGIES, 2))
GPU: Map = {"cpu": "500m", "memory": "1Gi", "gpu": 1}


def version(number: int | str, where: Map | None = None, **extra: Any) -> Files:
    """A repository whose service `api` runs the image with that tag."""
    return with_service({"image": f"ghcr.io/acme/recs:{number}", **extra}, where)


def history(*states: Files, times: Sequence[int] | None = None) -> list[Revision]:
    """The states as revisions, an hour apart unless told."""
    found = []
    for index, files in enumerate(states):
        result = compiled(files)
        (release,) = result.releases
        assert release.release is not None, said(result)
        found.append(Revision(f"c{index}", times[index] if times else 1000 + index * HOUR, release))
    return found


def undo(*states: Files, target: int = -2, later: Context = Context(), times: Sequence[int] | None = None) -> Readiness:  # noqa: B008
    """The readiness of going from the last state to the one before it."""
    return readiness(history(*states, times=times), target, later=later)


def verdicts(found: Readiness) -> list[str]:
    """The verdicts of the phases, in order."""
    return [phase.verdict for phase in found.phases]


def during(found: Readiness, event: str) -> Phase:
    """The phase that an event ends."""
    return next(phase for phase in found.phases if phase.until is not None and event in phase.until)


# ------------------------------------------------------------------------------- the measured table of the controller


def test_a_canary_takes_all_its_steps() -> None:
    """`canary v1 -> v2 (four short steps): all steps, 10.2-11.1 s`, with two pods that each start in 1 s."""
    health = {"path": "/healthz", "startup": "1s", "period": "1s"}
    states = [version(tag, strategy=SHORT, replicas=2, health=health) for tag in (1, 2, 1)]
    found = undo(*states)
    assert found.verdict == "stepped"
    assert found.estimate.low <= 10.2
    assert found.estimate.high is not None
    assert found.estimate.high >= 11.1


def test_a_revert_inside_the_window_skips_the_steps() -> None:
    """`revert, rollbackWindow.revisions: 3: steps skipped, old ReplicaSet, 1.2-1.3 s`."""
    health = {"path": "/healthz", "startup": "1s", "period": "1s"}
    found = undo(*(version(tag, strategy=SHORT, health=health) for tag in (1, 2)))
    assert found.verdict == "warm"
    assert "the old ReplicaSet is still there" in found.why
    assert "the steps are skipped (0 of at most 2 ReplicaSets lie between)" in found.why
    assert found.estimate.high is not None
    assert found.estimate.low <= 2 <= found.estimate.high <= 5
    assert {"A1", "A2", "A3", "A5", "A6", "A8"} <= set(found.phases[-1].assumes)


def test_a_revert_of_that_revert_takes_all_steps_window_or_not() -> None:
    for window in (3, 20):
        where = kubernetes(rollback={"window": window, "history": 30})
        found = undo(*(version(tag, where, strategy=LONG) for tag in (1, 2, 1)))
        assert found.verdict == "stepped"
        assert "not older" in found.why
        assert found.action == "kubectl argo rollouts promote --full recs-api -n ml-prod"


def test_a_revert_in_mid_canary_is_instant_whatever_the_window() -> None:
    for where in (kubernetes(), PLAIN):
        found = during(undo(version(1, where, strategy=LONG), version(2, where, strategy=LONG)), "promotion")
        assert found.verdict == "instant"
        assert "window is irrelevant" in found.why
        assert found.estimate.high is not None
        assert found.estimate.high <= 3
        assert found.seconds is not None
        assert found.seconds >= 300 + 4 * 60


@pytest.mark.parametrize("strategy", [AUTO, MANUAL])
def test_blue_green_is_instant_inside_the_delay(strategy: Map) -> None:
    found = undo(*(version(tag, strategy=strategy) for tag in (1, 2)))
    inside = during(found, "10 min after promotion")
    assert inside.verdict == "instant"
    assert "without a gate or a promotion" in inside.why
    assert "A4" in inside.assumes


def test_manual_blue_green_sticks_after_the_delay() -> None:
    found = undo(*(version(tag, strategy=MANUAL) for tag in (1, 2)))
    assert found.verdict == "stepped"
    assert found.estimate.high is None
    assert "keeps all traffic until `kubectl argo rollouts promote recs-api -n ml-prod`" in found.why
    assert "no window" in found.why
    assert found.action == "kubectl argo rollouts promote --full recs-api -n ml-prod"


def test_a_metadata_edit_restarts_nothing() -> None:
    annotated = {"rollouts": {"Rollout": {"metadata": {"annotations": {"acme.example/oncall": "ann"}}}}}
    found = undo(version(1, strategy=LONG), version(1, strategy=LONG, overrides=annotated))
    assert verdicts(found) == ["instant"]
    assert found.estimate.high == 2


def test_nothing_changed_takes_no_time() -> None:
    found = undo(version(1), version(1))
    assert (found.verdict, found.estimate.high, found.assumes) == ("instant", 0, ())
    assert found.words() == "instant: nothing restarts"


def test_there_and_back_gives_the_same_replica_set() -> None:
    """`v1 -> v2 -> v1: same pod-template hash, same ReplicaSet`: going back to it is not a cold start."""
    found = undo(*(version(tag, strategy=LONG) for tag in (1, 2, 1, 2, 1)), target=-3)
    assert found.verdict == "instant"
    sets = replay([Push("v1", 1, 8), Push("v2", 5, 8), Push("v1", 9, 8)])
    assert [(one.template, one.created) for one in sets] == [("v1", 1), ("v2", 5)]


def test_another_config_is_another_replica_set() -> None:
    """`hashed ConfigMap, revert: 1.24 s`."""
    states = [version(1, strategy=LONG, files={"/etc/app": {"content": text}}) for text in "ab"]
    assert undo(*states).verdict == "warm"


# ------------------------------------------------------------------------------------------- counting ReplicaSets


def pushes(*templates: str, history: int = 8) -> list[Push]:
    """Pushes a second apart."""
    return [Push(template, second, history) for second, template in enumerate(templates)]


def test_window_3_from_v6() -> None:
    sets = replay(pushes("v1", "v2", "v3", "v4", "v5", "v6"))
    assert way(sets, "v3", "v6", 3).skips
    assert way(sets, "v3", "v6", 3).between == 2
    assert way(sets, "v2", "v6", 3).kind == "outside"
    assert way(sets, "v2", "v6", 4).skips


def test_window_3_over_three_aborted_versions() -> None:
    sets = replay(pushes("v1", "v2", "a1", "a2", "a3", "v3"))
    assert way(sets, "v2", "v3", 3).kind == "outside"
    assert way(replay(pushes("v1", "v2", "a1", "a2", "v3")), "v2", "v3", 3).skips


def test_created_in_the_same_second_is_not_older() -> None:
    sets = replay([Push("v1", 7, 8), Push("v2", 7, 8)])
    assert way(sets, "v1", "v2", 3).kind == "younger"
    assert way(replay([Push("v1", 6, 8), Push("v2", 7, 8)]), "v1", "v2", 3).skips


def test_those_of_the_same_second_as_an_end_do_not_lie_between() -> None:
    sets = replay([Push("v1", 1, 8), Push("x", 1, 8), Push("y", 5, 8), Push("v2", 5, 8)])
    assert way(sets, "v1", "v2", 1) == way(sets, "v1", "v2", 9)
    assert way(sets, "v1", "v2", 1).between == 0


def test_the_oldest_creation_is_pruned_first() -> None:
    sets = replay(pushes("v1", "v2", "v3", "v4", "v5", history=3))
    assert [one.template for one in sets] == ["v2", "v3", "v4", "v5"]
    assert way(sets, "v1", "v5", 9).kind == "gone"
    # v1 is used again and again, and is the oldest creation all the same.
    assert find(replay(pushes("v1", "v2", "v3", "v1", "v4", "v5", history=3)), "v1") is None


def test_a_pruned_version_comes_back_as_the_youngest() -> None:
    sets = replay(pushes("v1", "v2", "v3", "v4", "v5", "v1", history=3))
    assert sets[-1].template == "v1"
    assert way(sets, "v5", "v1", 2).skips


def test_no_window_skips_nothing() -> None:
    assert way(replay(pushes("v1", "v2")), "v1", "v2", 0).kind == "outside"


def test_times_that_go_backwards_count_as_the_latest_before() -> None:
    sets = replay([Push("v1", 9, 8), Push("v2", 3, 8)])
    assert [one.created for one in sets] == [9, 9]


@pytest.mark.parametrize(("target", "verdict"), [(2, "warm"), (1, "stepped")])
def test_the_window_in_a_release(target: int, verdict: str) -> None:
    found = undo(*(version(tag, strategy=LONG) for tag in range(1, 7)), target=target)
    assert found.verdict == verdict
    if verdict == "stepped":
        assert "3 ReplicaSets were created between, and the window is 3" in found.why


def test_equal_commit_times_take_all_steps() -> None:
    found = undo(*(version(tag, strategy=LONG) for tag in (1, 2)), times=[50, 50])
    assert found.verdict == "stepped"


def test_a_pruned_target_and_the_trap_of_going_forward_again() -> None:
    where = kubernetes(rollback={"window": 1, "history": 4})
    found = undo(*(version(tag, where, strategy=LONG) for tag in range(1, 8)), target=0)
    assert found.verdict == "stepped"
    assert "pruned" in found.why
    assert any("going forward again would skip every step" in note for note in found.notes)
    assert "A1" not in found.phases[-1].assumes


def test_a_change_that_itself_skips_its_steps_says_so() -> None:
    assert any("this change skips every step" in n for n in undo(*(version(t, strategy=LONG) for t in (1, 2, 1))).notes)
    assert not undo(*(version(t, strategy=LONG) for t in (1, 2, 3))).notes


def test_a_change_that_skips_its_steps_names_whose_replica_set_it_goes_back_to() -> None:
    going_back = undo(*(version(tag, strategy=LONG) for tag in (1, 2, 1)))
    assert dict(going_back.skipping) == {("rollouts", "recs-api"): "c0"}
    onwards = undo(*(version(tag, strategy=LONG) for tag in (1, 2, 3)))
    assert dict(onwards.skipping) == {}
    outside = [version(tag, kubernetes(rollback={"window": 1}), strategy=LONG) for tag in (1, 2, 3, 1)]
    assert dict(undo(*outside).skipping) == {}


def test_another_strategys_replica_set_counts() -> None:
    found = undo(version(1), version(2, strategy=AUTO), version(3, strategy=LONG), target=0)
    assert found.verdict == "warm"
    back = undo(version(1, strategy=LONG), version(2, strategy=AUTO))
    assert back.verdict == "warm"
    assert "the steps are skipped" in back.why


def test_a_moved_namespace_is_a_rollout_without_history() -> None:
    elsewhere = kubernetes(targets={"rollouts": {"namespace": "other", "prometheus": "http://prometheus:9090"}})
    found = undo(version(1, strategy=LONG), version(1, elsewhere, strategy=LONG))
    assert found.verdict == "warm"
    assert "cold start" in found.why


def test_a_revision_that_did_not_compile_made_no_replica_set() -> None:
    broken = version(9, strategy={"canary": {"steps": [{"analyze": ["nobody"]}]}})
    revisions = history(*(version(tag, strategy=LONG) for tag in (1, 2, 3, 4)))
    bad = compiled(broken).releases[0]
    assert bad.stopped
    with_bad = [*revisions[:-1], *(Revision(f"b{n}", 5000 + n, bad) for n in range(5)), revisions[-1]]
    assert readiness(with_bad, 0).why == readiness(revisions, 0).why


# ------------------------------------------------------------------------------------------------- what stays warm


def test_fixed_behind_istio_is_instant_inside_warm() -> None:
    found = undo(version(1), version(2))
    assert verdicts(found) == ["instant", "instant", "warm"]
    assert [phase.until for phase in found.phases] == ["promotion", "10 min after promotion", None]
    assert found.phases[1].seconds == found.phases[0].seconds + 600  # type: ignore[operator]


def test_fixed_without_a_router_is_warm_at_once() -> None:
    found = undo(version(1, PLAIN), version(2, PLAIN))
    assert verdicts(found) == ["warm"]
    assert found.words() == "warm if the old ReplicaSet is still there: about 63 s (api: pods start up to 60 s)"


def test_warm_is_the_environments() -> None:
    for warm, phases in (("30m", 3), ("0s", 2)):
        where = kubernetes(rollback={"warm": warm})
        found = undo(version(1, where, strategy=LONG), version(2, where, strategy=LONG))
        assert len(found.phases) == phases
    where = kubernetes(rollback={"warm": "30m"})
    assert during(undo(version(1, where), version(2, where)), "30 min after promotion").verdict == "instant"


def test_warm_holds_only_for_the_version_pushed_immediately_before() -> None:
    states = [version(tag, strategy=AUTO) for tag in (1, 2, 3)]
    assert any("after promotion" in (phase.until or "") for phase in undo(*states).phases)
    older = undo(*states, target=0)
    assert all("after promotion" not in (phase.until or "") for phase in older.phases)
    assert verdicts(older)[-1] == "warm"


def test_held_strategies_have_no_old_pods() -> None:
    held = STRATEGIES["held"]
    found = undo(version(1, **held), version(2, **held))
    assert verdicts(found) == ["warm"]


def test_moving_a_weight_is_instant() -> None:
    heavier = {"canary": {"weight": 30, "stickyBy": {"header": "x-user-id", "bucket": "mod100"}}}
    found = undo(version(1, **STRATEGIES["held"]), version(1, **CANDIDATE, strategy=heavier))
    assert (found.verdict, found.estimate.high) == ("instant", 2)


def test_a_candidate_that_was_removed_starts_cold_and_in_two_commits() -> None:
    found = undo(version(1, **STRATEGIES["held"]), version(1))
    assert found.verdict == "stepped"
    assert "weight 0, and gets 10" in found.why
    assert "cold start" in found.why
    assert found.action == "relspec set production/recs api.strategy.canary.weight=0"
    ab = undo(version(1, **STRATEGIES["abTest"]), version(1))
    assert ab.action == "relspec set production/recs api.strategy.abTest.weight=0"


def test_a_second_commit_waits_for_a_person() -> None:
    where = kubernetes(rollback={"objective": "2m"})
    found = undo(version(1, where, **STRATEGIES["held"]), version(1, where))
    assert found.estimate.high is None
    assert found.meets_objective is False
    assert "a person pushes the second commit, whenever that is" in found.words()


def test_a_shadow_gets_no_traffic_so_that_one_commit_is_enough() -> None:
    found = undo(version(1, **STRATEGIES["shadow"]), version(1))
    assert found.verdict == "warm"
    assert "its history went with it" in found.why


def test_adding_a_candidate_is_undone_at_once() -> None:
    found = undo(version(1), version(1, **STRATEGIES["held"]))
    assert found.verdict == "instant"
    assert any("a further change waits" in note for note in found.notes)


def test_the_sync_that_removes_a_candidate_is_open() -> None:
    found = undo(version(1, **STRATEGIES["shadow"]), version(2, strategy=LONG))
    first = found.phases[0]
    assert first.verdict == "blocked"
    assert "sync open" in first.why
    assert first.action == "argocd app terminate-op production"
    assert first.seconds is not None
    assert first.seconds > 500
    waits = undo(version(1, **STRATEGIES["shadow"]), version(2, strategy=WAITS))
    assert "for ever while nobody promotes" in waits.phases[0].why
    assert waits.phases[0].seconds is None
    named = undo(version(1, **STRATEGIES["shadow"]), version(1), later=Context(application="apps-eu"))
    assert named.phases[0].action == "argocd app terminate-op apps-eu"


# ------------------------------------------------------------------------------------------ blue-green and its gates


def test_automatic_blue_green_needs_only_pods() -> None:
    found = undo(*(version(tag, strategy=AUTO) for tag in (1, 2)))
    assert verdicts(found) == ["instant", "instant", "warm"]


def test_an_analysis_before_the_switch_runs_again() -> None:
    strategy = {"blueGreen": {"promote": "auto", "analyze": {"before": ["success-rate"], "after": ["success-rate"]}}}
    found = undo(*(version(tag, strategy=strategy) for tag in (1, 2)))
    assert found.verdict == "stepped"
    assert "analysis before the switch runs again" in found.why
    assert found.estimate.high is not None
    assert found.estimate.low >= 240
    assert any("moves the traffic forward" in note for note in found.notes)


def test_blue_green_never_has_a_window() -> None:
    where = kubernetes(rollback={"window": 20, "history": 30})
    assert undo(*(version(tag, where, strategy=MANUAL) for tag in (1, 2))).verdict == "stepped"


def test_blue_green_entered_from_a_service_without_a_hash_skips_its_gate() -> None:
    found = undo(version(1, PLAIN, strategy=MANUAL), version(2, PLAIN))
    assert found.verdict == "warm"
    assert any("skips its gate" in note for note in found.notes)
    routed = undo(version(1, strategy=MANUAL), version(2))
    assert routed.verdict == "stepped"


# ------------------------------------------------------------------------------------- from one strategy to another


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_strategy_alone_is_undone_at_once(before: str, after: str) -> None:
    """No pod template changes, so that nothing restarts, unless a candidate must come back."""
    found = undo(version(1, **STRATEGIES[before]), version(1, **STRATEGIES[after]))
    returns = "candidate" in STRATEGIES[before] and "candidate" not in STRATEGIES[after]
    assert found.verdict == ("instant" if not returns else "warm" if before == "shadow" else "stepped")
    assert (found.phases[0].verdict == "blocked") is returns


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_strategy_and_an_image(before: str, after: str) -> None:
    found = undo(version(1, **STRATEGIES[before]), version(2, **STRATEGIES[after]))
    keeps_old_pods = after in ("fixed", "stepped", "blueGreen")
    inside = [phase for phase in found.phases if "after promotion" in (phase.until or "")]
    returns = "candidate" in STRATEGIES[before] and "candidate" not in STRATEGIES[after]
    assert bool(inside) is (keeps_old_pods and not (returns and before != "shadow"))
    gated = before == "blueGreen" and after in ("fixed", "stepped")
    two_commits = returns and before != "shadow"
    assert found.verdict == ("stepped" if gated or two_commits else "warm")


# --------------------------------------------------------------------------------------------------------- durations


def test_a_pause_for_a_person_has_no_upper_bound() -> None:
    found = undo(*(version(tag, strategy=WAITS) for tag in (1, 2, 1)))
    assert found.verdict == "stepped"
    assert found.estimate.high is None
    assert found.words() == (
        "stepped: at least 3 s (api: a person promotes, whenever that is); "
        "the way out: kubectl argo rollouts promote --full recs-api -n ml-prod"
    )


def test_nobody_knows_when_a_person_promotes() -> None:
    for strategy in (WAITS, MANUAL):
        found = undo(*(version(tag, strategy=strategy) for tag in (1, 2)))
        assert [(phase.until, phase.seconds) for phase in found.phases] == [
            ("promotion", None),
            ("10 min after promotion", None),
            (None, None),
        ]
    known = undo(version(1, strategy=LONG), version(2, strategy=LONG))
    assert [phase.seconds is None for phase in known.phases] == [False, False, True]


def test_pauses_and_analyses_add_up() -> None:
    where = kubernetes(
        analyses={
            **ANALYSES,
            "latency": {
                "metrics": {
                    "p95": {**ANALYSES["success-rate"], "initialDelay": "30s", "count": 2},
                    "once": {"query": "vector(1)", "success": "result[0] > 0"},
                }
            },
        }
    )
    steps = [{"setWeight": 50}, {"pause": "1h30m"}, {"analyze": ["success-rate", "latency"]}, {"analyze": ["latency"]}]
    states = [version(tag, where, strategy={"canary": {"steps": steps}}) for tag in (1, 2, 1)]
    parts = {part.what: part for part in undo(*states).estimate.parts}
    assert parts["api: pauses"].low == parts["api: pauses"].high == 5400
    assert parts["api: analyses"].low == 240 + 90


def test_startup_is_the_upper_bound() -> None:
    slow = {"path": "/healthz", "startup": "5m"}
    assert undo(version(1, health=slow), version(2)).estimate.high == 303
    assert undo(version(1), version(2, health=slow)).estimate.high == 63


def test_without_a_health_check_a_minute_is_taken_and_said() -> None:
    found = undo(version(1, health=None), version(2, health=None))
    assert found.estimate.high == 63
    assert any("no health check" in note for note in found.notes)


def test_without_a_router_pods_start_in_batches() -> None:
    assert undo(version(1, PLAIN, replicas=8), version(2, PLAIN, replicas=8)).estimate.high == 4 * 60 + 3
    assert undo(version(1, replicas=8), version(2, replicas=8)).estimate.high == 63


def test_a_range_counts_with_its_most_pods() -> None:
    wide = {"min": 2, "max": 12, "cpu": 70}
    found = undo(*(version(tag, PLAIN, replicas=wide) for tag in (1, 2)))
    assert found.estimate.high == 4 * 60 + 3


def test_a_disk_that_one_pod_holds_ends_the_old_pod_first() -> None:
    found = undo(*(version(tag, PLAIN, volumes={"/data": {"name": "disk"}}) for tag in (1, 2)))
    assert "api: old pods end" in [part.what for part in found.estimate.parts]
    assert found.estimate.high == 93


def test_more_replicas_must_start() -> None:
    found = undo(version(1, replicas=5), version(1, replicas=2))
    assert found.verdict == "warm"
    assert "scales from 2 to 5 pods" in found.why
    assert undo(version(1, replicas=2), version(1, replicas=5)).verdict == "instant"
    fewest = [{"min": least, "max": 9, "cpu": 70} for least in (4, 2)]
    assert undo(*(version(1, replicas=some) for some in fewest)).verdict == "warm"


def test_a_number_that_becomes_a_range_leaves_one_pod() -> None:
    wide = {"min": 3, "max": 9, "cpu": 70}
    found = undo(version(1, replicas=wide), version(1, replicas=4))
    assert found.verdict == "warm"
    assert "1 pod is left until the autoscaler acts" in found.why
    assert any("RS441" in note for note in found.notes)
    both = undo(version(1, replicas=wide), version(2, replicas=4))
    assert "api: the autoscaler acts" in [part.what for part in both.estimate.parts]
    assert undo(version(1, replicas=4), version(1, replicas=wide)).verdict != "blocked"
    assert not undo(version(1, replicas=wide), version(1, replicas=1)).notes


@pytest.mark.parametrize(("objective", "meets"), [(None, None), ("2m", True), ("1m", False)])
def test_the_objective(objective: str | None, meets: bool | None) -> None:
    where = kubernetes(None, rollback={"objective": objective} if objective else {})
    assert undo(version(1, where), version(2, where)).meets_objective is meets


def test_no_upper_bound_never_meets_an_objective() -> None:
    where = kubernetes(rollback={"objective": "100h"})
    assert undo(*(version(tag, where, strategy=WAITS) for tag in (1, 2, 1))).meets_objective is False


# ------------------------------------------------------------------------------------------------ an active variant

VARIANT: Map = {"variants": {"baseline": {"image": "ghcr.io/acme/baseline:1"}}, "strategy": LONG}


def test_coming_back_from_a_variant_is_warm() -> None:
    found = undo(version(1, **VARIANT), version(2, **VARIANT), version(2, **VARIANT, active="baseline"))
    assert verdicts(found) == ["instant", "instant", "warm"]
    assert "api: the variant baseline runs now, the service itself comes back" in found.notes


def test_coming_back_from_a_variant_that_ran_before_is_a_full_canary() -> None:
    baseline = version(1, **VARIANT, active="baseline")
    found = undo(version(1, **VARIANT), baseline, version(2, **VARIANT), version(2, **VARIANT, active="baseline"))
    assert found.verdict == "stepped"


# ------------------------------------------------------------------------------------------------------------ compose


def test_compose_recreates_only_what_changes() -> None:
    other = {**SERVICE, "image": "redis:7"}
    states = [company({"api": {**SERVICE, "image": f"a:{tag}"}, "redis": other}, compose()) for tag in (1, 2)]
    found = undo(*states)
    assert found.verdict == "warm"
    assert "compose recreates api (1 of 2 containers)" in found.why
    assert {service.service: service.verdict for service in found.services} == {"api": "warm", "redis": "instant"}
    assert found.words() == "warm if the image is cached: about 94 s (api starts up to 62 s)"


def test_compose_waits_for_what_comes_first() -> None:
    first = [{**SERVICE, "image": f"redis:{tag}"} for tag in (1, 2)]
    states = [
        company({"redis": redis, "api": {**SERVICE, "image": f"a:{tag}", "dependsOn": ["redis"]}}, compose())
        for tag, redis in enumerate(first)
    ]
    assert undo(*states).estimate.high == 2 + 2 * (30 + 62)


def test_a_router_that_comes_or_goes_moves_the_published_port() -> None:
    published = {"ports": {"http": {"port": 8080, "publish": 8000}}}
    split = version(1, compose(), **STRATEGIES["held"], **published)
    plain = version(1, compose(), **published)
    comes, goes = undo(split, plain), undo(plain, split)
    assert "the router comes, so that the published port moves and api is recreated" in comes.why
    assert "the router goes, so that the published port moves and api is recreated" in goes.why


def test_a_weight_in_compose_recreates_the_router_alone() -> None:
    heavier = {"canary": {"weight": 30, "stickyBy": {"header": "x-user-id", "bucket": "mod100"}}}
    found = undo(version(1, compose(), **STRATEGIES["held"]), version(1, compose(), **CANDIDATE, strategy=heavier))
    assert "recreates api-router (1 of 3 containers)" in found.why


def test_a_renamed_compose_project_starts_as_a_whole() -> None:
    named = compose(targets={"compose": {"project": "elsewhere"}})
    found = undo(version(1, compose()), version(1, named))
    assert found.verdict == "warm"
    assert any("end elsewhere with" in note for note in found.notes)


# --------------------------------------------------------------------------------------------------------------- helm


def test_the_reference_chart_is_as_rollouts() -> None:
    where = environment("production", targets={"helm": {"namespace": "ml-prod"}})
    found = undo(version(1, where), version(2, where))
    assert found.verdict == "warm"
    assert [service.target for service in found.services] == ["helm"]


def test_users_own_charts_are_unknown() -> None:
    chart = {
        "charts/own/Chart.yaml": {"apiVersion": "v2", "name": "own", "version": "1.0.0"},
        "charts/own/values.yaml": {"image": ""},
    }
    helm = {"chart": "../../charts/own", "values": {"image": "{{ service.image.ref }}"}, "namespace": "ml-prod"}
    where = environment("production", targets={"helm": helm}, rollback={"objective": "1h"})
    found = undo({**version(1, where), **chart}, {**version(2, where), **chart})
    assert found.verdict == "unknown"
    assert found.meets_objective is False
    assert undo({**version(1, where), **chart}, {**version(1, where), **chart}).verdict == "instant"


# ------------------------------------------------------------------------------------------------- what stands in the way


def model_states(now: Map, then: Map, where: Map | None = None, **model: Any) -> list[Files]:
    """Two states of a release that moves als from v1 to v2; `then` and `now` are added to the records."""
    records = {**registry("v1", "v2", **model)}
    records["registry/als/v1.yaml"] = record("v1", **then)
    records["registry/als/v2.yaml"] = record("v2", **now)
    service = {key: value for key, value in SERVICE.items() if key != "image"}
    return [{**company({"api": {**service, "model": f"als@{tag}"}}, where), **records} for tag in ("v1", "v2")]


TAKES_ID = {"interface": {"input": {"type": "object", "properties": {"id": {}}, "required": ["id"]}}}
TAKES_ANY = {"interface": {"input": {"type": "object", "properties": {"id": {}}}}}


def test_a_breaking_way_back_needs_those_who_use_it() -> None:
    states = model_states(TAKES_ANY, TAKES_ID)
    found = undo(*states, later=Context(dependents={"api": ("production/web", "production/app", "production/recs")}))
    assert found.verdict == "blocked"
    assert found.why.startswith("needs a coordinated change with production/app, production/web")
    assert found.action == "relspec rollback production/recs production/app production/web"
    assert found.estimate.high == 63
    alone = undo(*states)
    assert alone.verdict == "warm"
    assert any("breaks the interface" in note for note in alone.notes)
    assert "A7" in alone.assumes


def test_a_compatible_way_back_needs_nobody() -> None:
    found = undo(*model_states(TAKES_ID, TAKES_ANY), later=Context(dependents={"api": ("production/web",)}))
    assert found.verdict == "warm"
    assert not any("interface" in note for note in found.notes)


def test_an_unknown_interface_is_said() -> None:
    found = undo(*model_states(TAKES_ID, {}), later=Context(dependents={"api": ("production/web",)}))
    assert found.verdict == "warm"
    assert any("is not known" in note for note in found.notes)


def test_a_quarantined_version_blocks() -> None:
    entry = {"v1": {"reason": "error rate 12 %", "since": "2026-03-04"}}
    found = undo(*model_states({}, {}, quarantine=entry))
    assert found.verdict == "blocked"
    assert "als v1 is quarantined since 2026-03-04: error rate 12 %" in found.why
    assert 'relspec model quarantine als v1 --lift "REASON"' in found.why
    lifted = {"v1": {**entry["v1"], "lifted": "fixed"}}
    assert undo(*model_states({}, {}, quarantine=lifted)).verdict == "warm"
    assert undo(*model_states({}, {}, quarantine={"v2": entry["v1"]})).verdict == "warm"


def test_todays_registry_decides() -> None:
    today = Model.model_validate(
        {
            "apiVersion": "relspec/v1",
            "kind": "Model",
            "quarantine": {"v1": {"reason": "bad", "since": "2026-03-04"}},
        }
    )
    found = undo(*model_states({}, {}), later=Context(models={"als": today}))
    assert found.verdict == "blocked"


def test_an_archived_version_is_said_and_blocks_nothing() -> None:
    found = undo(*model_states({}, {}, lifecycle={"v1": "archived"}))
    assert found.verdict == "warm"
    assert "api: als v1 is archived: its artifact may be gone (A6)" in found.notes


def test_a_state_that_does_not_compile_blocks() -> None:
    bad = compiled(version(1, strategy={"canary": {"steps": [{"analyze": ["nobody"]}]}})).releases[0]
    good = history(version(1), version(2))
    found = readiness([Revision("a", 1, bad), good[1]])
    assert found.verdict == "blocked"
    assert "would not compile" in found.why
    assert "nobody" in found.why
    assert readiness([good[0], Revision("b", 9999, bad)]).verdict == "unknown"


def test_a_new_release_has_nothing_to_go_back_to() -> None:
    found = undo(version(1))
    assert found.verdict == "instant"
    assert "undoing it removes it" in found.why
    assert found.action == "git rm -r environments/production/recs"
    files = dict(version(1))
    beside = {**files, "environments/production/release.yaml": files.pop("environments/production/recs/release.yaml")}
    assert undo({k: v for k, v in beside.items() if "/recs/" not in k}).action == (
        "git rm environments/production/release.yaml"
    )
    with pytest.raises(ValueError, match="revision"):
        readiness([])
    with pytest.raises(IndexError):
        undo(version(1), version(2), target=-3)


def test_another_secret_is_said() -> None:
    states = [version(1, env={"API_KEY": {"secret": f"recs/{key}"}}) for key in ("old", "new")]
    found = undo(*states)
    assert "A9" in found.assumes
    assert "api: API_KEY reads the secret recs/old again, which must still be there (A9)" in found.notes
    same = undo(*(version(tag, env={"API_KEY": {"secret": "recs/old"}}) for tag in (1, 2)))
    assert "A9" in same.assumes
    unpack = [
        {"name": "unpack", "image": "u:1", "env": {"TOKEN": {"secret": f"recs/{key}"}}, "command": ["unpack"]}
        for key in ("old", "new")
    ]
    beside = undo(*(version(1, init=[one]) for one in unpack))
    assert "api: unpack's TOKEN reads the secret recs/old again, which must still be there (A9)" in beside.notes
    assert "recs-api: what its init containers take is not counted" in beside.notes
    assert not same.notes


def test_an_accelerator_that_nothing_holds_now_is_said() -> None:
    gpu = version(1, resources=GPU)
    assert any("nvidia.com/gpu" in note for note in undo(gpu, version(2)).notes)
    assert not undo(gpu, version(2, resources=GPU)).notes


# ----------------------------------------------------------------------------------------------- several services


def two(api: int, web: int, **web_extra: Any) -> Files:
    """A release of a stepped `api` and a fixed `web`."""
    return company(
        {
            "api": {**SERVICE, "image": f"a:{api}", "strategy": LONG},
            "web": without_none({**SERVICE, "image": f"w:{web}", **web_extra}),
        }
    )


def test_the_worst_service_at_each_time_decides() -> None:
    """Promoted at 2 s, web's old pods are gone at the earliest while those of api's long canary are still there."""
    found = undo(two(1, 1), two(2, 2))
    assert [(phase.until, phase.seconds, phase.verdict) for phase in found.phases] == [
        ("web: promotion", 2, "instant"),
        ("api: promotion", 544, "instant"),
        ("web: 10 min after promotion", 602, "instant"),
        ("api: 10 min after promotion", 1144, "warm"),
        (None, None, "warm"),
    ]
    assert found.phases[0].why != found.phases[1].why


def test_a_service_whose_warmth_ends_early_is_seen() -> None:
    slow = {"canary": {"steps": [{"setWeight": 10}, {"pause": "1h"}]}}
    states = [
        company({"api": {**SERVICE, "image": f"a:{n}", "strategy": slow}, "web": {**SERVICE, "image": f"w:{n}"}})
        for n in (1, 2)
    ]
    found = undo(*states)
    assert verdicts(found) == ["instant", "instant", "warm", "warm"]
    assert during(found, "api: 10 min after promotion").why.startswith(
        "if the old ReplicaSet is still there, there are no"
    )
    by_service = {service.service: service.phases for service in found.services}
    assert by_service["web"][1].seconds == 602
    assert by_service["api"][0].seconds == 3603


def test_a_service_that_was_removed_starts_cold() -> None:
    found = undo(two(1, 1), company({"api": {**SERVICE, "image": "a:1", "strategy": LONG}}))
    assert found.verdict == "warm"
    assert "cold start" in found.why


# ------------------------------------------------------------------------------------------------------------- output


def test_as_json_is_data_in_fixed_order() -> None:
    found = undo(two(1, 1), two(2, 2)).as_json()
    assert list(found) == [
        "verdict",
        "phases",
        "estimate",
        "assumes",
        "action",
        "objective",
        "meetsObjective",
        "notes",
        "services",
    ]
    assert json.loads(json.dumps(found)) == found
    assert list(found["services"][0])[:3] == ["service", "target", "verdict"]
    assert set(found["assumes"]) <= set(ASSUMPTIONS)


def test_the_assumptions_are_a_closed_list() -> None:
    assert list(ASSUMPTIONS) == [f"A{number}" for number in range(1, 10)]


# ------------------------------------------------------------------------------------------------ what always holds


@cache
def known(tag: int, strategy: str, window: int) -> Any:
    """A compiled release; every strategy of the list, with and without steps."""
    declared = {"stepped": LONG, "fixed": None, "auto": AUTO, "manual": MANUAL}[strategy]
    where = kubernetes(rollback={"window": window, "history": 20})
    return compiled(version(tag, where, strategy=declared)).releases[0]


moves = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["stepped", "fixed", "auto", "manual"])), min_size=2, max_size=9
)


def rank(found: Readiness) -> list[int]:
    """How bad each phase is."""
    return [VERDICTS.index(phase.verdict) for phase in found.phases]


@settings(max_examples=40, deadline=None)
@given(moves, st.data())
def test_a_smaller_window_is_never_better(states: list[tuple[int, str]], data: st.DataObject) -> None:
    target = data.draw(st.integers(0, len(states) - 2))
    found = [
        readiness(
            [Revision(str(n), n * 100, known(tag, strategy, window)) for n, (tag, strategy) in enumerate(states)],
            target,
        )
        for window in (1, 3, 17)
    ]
    finals = [VERDICTS.index(one.verdict) for one in found]
    assert finals == sorted(finals, reverse=True)
    for one in found:
        assert all(phase.until is not None for phase in one.phases[:-1])
        assert "manual" in {strategy for _, strategy in states} or all(
            phase.seconds is not None for phase in one.phases[:-1]
        )
        assert one.phases[-1].until is None
        assert one.estimate.high is None or one.estimate.low <= one.estimate.high


templates = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3)), min_size=1, max_size=20)


@given(templates, st.integers(4, 8))
def test_the_replica_sets_that_are_kept(states: list[tuple[str, int]], limit: int) -> None:
    time, made = 0, []
    for template, seconds_later in states:
        time += seconds_later
        made.append(Push(template, time, limit))
    sets = replay(made)
    assert len({one.template for one in sets}) == len(sets) <= limit + 1
    assert find(sets, made[-1].template) is not None
    assert [one.created for one in sets] == sorted(one.created for one in sets)
    assert replay([*made, made[-1]]) == sets
    for one in sets:
        smaller, larger = (way(sets, one.template, made[-1].template, window) for window in (1, 9))
        assert larger.skips or not smaller.skips


@settings(max_examples=15, deadline=None)
@given(st.permutations(["api", "web", "job"]))
def test_the_order_of_services_decides_nothing(order: list[str]) -> None:
    def state(tag: int) -> Files:
        services = {
            "api": {**SERVICE, "image": f"a:{tag}", "strategy": LONG},
            "web": {**SERVICE, "image": f"w:{tag}"},
            "job": {**SERVICE, "image": "j:1"},
        }
        return company({name: services[name] for name in order})

    found = undo(state(1), state(2))
    assert (found.verdict, found.estimate.high, [p.seconds for p in found.phases]) == (
        "warm",
        63,
        [2, 544, 602, 1144, None],
    )


# ---------------------------------------------------------------------------------------- how much of it was looked at


def test_a_template_that_ran_twice_is_as_old_as_it_is_known_to_be() -> None:
    """With as many templates as are kept and the window lets through, what the window lets through has its right age."""
    order = [*(f"v{number}" for number in range(1, 21)), "v13", "v21"]
    every = replay(pushes(*order))
    assert way(every, "v13", "v21", 3).kind == "outside"
    for count in range(2, len(order)):
        some = pushes(*order)[-count:]
        if enough(some, 3):
            assert way(replay(some), "v13", "v21", 3).kind == "outside"
    assert not enough(pushes(*order)[-12:], 3), "v14 is the oldest of them, and v13 seems to be younger"
    assert enough(pushes(*order)[-15:], 3)


def test_where_older_ones_may_be_nothing_is_surely_skipped() -> None:
    sets = replay(pushes("v1", "v2"))
    assert way(sets, "v1", "v2", 3).skips
    assert way(sets, "v1", "v2", 3, counted=False).kind == "unknown"
    assert way(sets, "v0", "v2", 3, counted=False).kind == "gone"


def test_what_was_not_looked_at_makes_the_way_back_stepped_until_the_rollout_goes() -> None:
    known = history(*(version(tag, strategy=SHORT) for tag in (1, 2)))
    first = Revision(known[0].commit, known[0].time, known[0].compiled, "not looked at")
    found = readiness([first, known[1]])
    assert found.verdict == "stepped"
    assert "how many ReplicaSets lie between is not known" in found.why
    away = history(
        version(1), version(2, kubernetes(targets={"rollouts": {"namespace": "other"}})), version(3), version(4)
    )
    unseen = Revision(away[0].commit, away[0].time, away[0].compiled, "not looked at")
    assert readiness([unseen, *away[1:]]).verdict == readiness(away).verdict
    broken = Revision("", 0, replace(known[0].compiled, stopped=True, files={}, drafts=()), "not looked at")
    assert readiness([broken, *known]).why == found.why


# ------------------------------------------------------------------------------- what a repository says in three verbs

RECS = "production/recs"
PLACE = "environments/production/environment.yaml"
SPEC = "environments/production/recs/release.yaml"


def committed(made: Repository, files: Files) -> None:
    """The files as a commit, a minute after the one before."""
    count = int(made.git("rev-list", "--count", "--all"))
    write(made.folder, files)
    made.commit("a change", f"2026-03-04T{9 + count // 60:02}:{count % 60:02}:00Z")


def stepped(tag: int, warm: int = 10, **rollback: int) -> Files:
    """A version with steps, in an environment whose `warm` changes no pod template."""
    where = kubernetes(None, rollback={"warm": f"{warm}m", **rollback})
    return version(tag, where, **STRATEGIES["stepped"])


def released(folder: Path, *tags: int, **rollback: int) -> Repository:
    """One version after the other."""
    made = Repository(folder)
    made.git("init", "-q", "-b", "main")
    for tag in tags:
        committed(made, stepped(tag, **rollback))
    return made


def edited(made: Repository, tag: int, times: int) -> None:
    """Edits of the environment that restart nothing."""
    for number in range(times):
        committed(made, stepped(tag, 11 + number))


def way_back(made: Repository, verb: str, *words: str) -> tuple[str, str]:
    """The verdict of a verb after everything, and why."""
    done = run(made.folder, verb, *words, "--format", "json")
    assert done.code == 0, done.out + done.err
    (found,) = json.loads(done.out)["releases"]
    return found["readiness"]["verdict"], found["readiness"]["phases"][-1]["why"]


def back_to(made: Repository, revision: str) -> tuple[str, str]:
    return way_back(made, "rollback", RECS, "--to", revision, "--dry-run", "--accept-unproven")


def in_every_verb(made: Repository) -> tuple[str, str]:
    """How the newest commit is undone, of which all verbs say the same."""
    plan = way_back(made, "plan", "HEAD~1..HEAD")
    assert way_back(made, "drill", RECS) == plan
    assert way_back(made, "rollback", RECS, "--dry-run") == plan
    return plan


def test_a_version_that_ran_before_is_as_old_as_it_is_in_every_verb(tmp_path: Path) -> None:
    verdict, why = in_every_verb(released(tmp_path, 1, 2, 3, 4, 1, 5))
    assert verdict == "stepped"
    assert "3 ReplicaSets were created between" in why


def test_edits_that_restart_nothing_hide_no_replica_set(tmp_path: Path) -> None:
    made = released(tmp_path, 1, 2, 3, 4, 5)
    first = made.git("rev-list", "--max-count=1", "--skip=4", "HEAD")
    before = back_to(made, first)
    assert before[0] == "stepped"
    edited(made, 5, 12)
    assert back_to(made, first) == before
    committed(made, stepped(4, 22))
    verdict, why = way_back(made, "plan", "HEAD~1..HEAD")
    assert verdict == "stepped"
    assert "its ReplicaSet is not older" in why
    assert run(made.folder, "plan", "HEAD~1..HEAD", "--fail-on", "stepped").code == 1
    assert way_back(made, "drill", RECS) == back_to(made, "HEAD~1") == (verdict, why)


def test_edits_that_restart_nothing_make_no_way_back_longer(tmp_path: Path) -> None:
    made = released(tmp_path, 1, 2)
    edited(made, 2, 12)
    committed(made, stepped(3, 22))
    verdict, why = in_every_verb(made)
    assert verdict == "warm"
    assert "(0 of at most 2 ReplicaSets lie between)" in why


def test_a_window_larger_than_what_is_kept_by_default(tmp_path: Path) -> None:
    made = released(tmp_path, *range(1, 13), window=9, history=14)
    verdict, why = back_to(made, "HEAD~11")
    assert verdict == "stepped"
    assert "10 ReplicaSets were created between, and the window is 9" in why
    verdict, why = back_to(made, "HEAD~9")
    assert verdict == "warm"
    assert "(8 of at most 8 ReplicaSets lie between)" in why


def test_a_release_that_was_removed_has_no_replica_set_from_before(tmp_path: Path) -> None:
    made = released(tmp_path, 1, 2)
    (made.folder / SPEC).unlink()
    made.commit("removed", "2026-03-04T10:00:00Z")
    write(made.folder, stepped(3))
    made.commit("again", "2026-03-04T11:00:00Z")
    gone = ("stepped", "all 5 steps again: its ReplicaSet was pruned or never was")
    assert way_back(made, "rollback", RECS, "--dry-run") == gone
    assert way_back(made, "drill", RECS) == gone


def test_an_old_file_that_is_missing_holds_no_rollback_up(tmp_path: Path) -> None:
    made = released(tmp_path, 1, 2, 3)
    blob = made.git("rev-parse", f"HEAD~2:{SPEC}")
    (made.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert way_back(made, "rollback", RECS, "--dry-run")[0] == "warm"


def test_where_nobody_looks_on_it_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = released(tmp_path, 1, 2)
    edited(made, 2, 6)
    committed(made, stepped(3, 16))
    assert in_every_verb(made)[0] == "warm"
    monkeypatch.setattr(states, "MOST_COMMITS", 4)
    verdict, why = in_every_verb(made)
    assert verdict == "stepped"
    assert "is not known" in why


def test_what_the_environment_says_since_makes_another_pod_template(tmp_path: Path) -> None:
    made = released(tmp_path, 1, 2)
    with (made.folder / PLACE).open("a") as place:
        place.write("defaults: {env: {REGION: eu}}\n")
    made.commit("defaults", "2026-03-04T15:00:00Z")
    gone = ("stepped", "all 5 steps again: its ReplicaSet was pruned or never was")
    assert back_to(made, "HEAD~2") == gone
    assert way_back(made, "drill", RECS) == gone

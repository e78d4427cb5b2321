"""The gate of a pace, on blocks made up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pacing import HERE, drawn, pace
from tunescale_core.gates.pace import FEWEST, LEVEL, change, confirmed, judge
from tunescale_core.pace.pace import YARDSTICK, Pace
from tunescale_core.study.margins import Margin, parse_margin

MARGIN = parse_margin("+3%", "lower")
LOGS = st.lists(st.floats(-1, 1), min_size=FEWEST, max_size=12)
SEEDS = st.integers(0, 10_000)


def scaled(one: Pace, factor: float, subject: float = 1.0) -> Pace:
    """Return a pace of a machine so many times slower, and of a subject that is besides."""
    blocks = [
        block.model_copy(
            update={
                "seconds": block.seconds * factor * subject,
                "reference_seconds": block.reference_seconds * factor,
            }
        )
        for block in one.blocks
    ]
    return one.model_copy(update={"blocks": tuple(blocks)})


@given(LOGS)
def test_a_run_against_itself_holds(logs: list[float]) -> None:
    """The same blocks on both sides are no change at all."""
    verdict = judge(pace(logs), pace(logs), MARGIN)
    assert verdict.outcome == "holds"
    assert verdict.interval is not None
    assert verdict.interval.low == verdict.interval.value == verdict.interval.high == 0
    assert verdict.old == verdict.new == pytest.approx(math.exp(np.mean(logs)))
    assert verdict.n == len(logs)


@given(SEEDS, st.floats(1e-3, 1e3))
def test_a_slower_machine_changes_nothing(seed: int, factor: float) -> None:
    """All seconds of a run times a factor leave its verdict as it is: only ratios are compared."""
    rng = np.random.default_rng(seed)
    old, now = drawn(rng, 0.05), drawn(rng, 0.05, 0.63)
    here, there = judge(now, old, MARGIN), judge(scaled(now, factor), old, MARGIN)
    assert here.outcome == there.outcome
    assert here.p == pytest.approx(there.p, rel=1e-6)


@given(SEEDS)
def test_the_order_of_blocks_changes_nothing(seed: int) -> None:
    """Blocks are paired by their question, in whatever order they were run."""
    rng = np.random.default_rng(seed)
    old, now = drawn(rng, 0.05), drawn(rng, 0.05)
    mixed = now.model_copy(update={"blocks": tuple(now.blocks[place] for place in rng.permutation(len(now.blocks)))})
    assert change(mixed, old).mean == pytest.approx(change(now, old).mean)
    assert change(mixed, old).error == pytest.approx(change(now, old).error)


@given(SEEDS, st.floats(0, 0.3), st.floats(0, 0.3))
def test_a_wider_margin_alarms_less(seed: int, first: float, second: float) -> None:
    """What breaks a margin breaks every narrower one, and p falls with the margin."""
    rng = np.random.default_rng(seed)
    old, now = drawn(rng, 0.02), drawn(rng, 0.02, 0.7)
    narrow, wide = (judge(now, old, Margin(amount, relative=True)) for amount in sorted((first, second)))
    assert (wide.outcome == "regression") <= (narrow.outcome == "regression")
    assert (narrow.p or 0) <= (wide.p or 0)


@given(SEEDS, st.floats(0.001, 0.5))
def test_slower_is_worse(seed: int, share: float) -> None:
    """A subject that takes longer by a share shows that share more, and is more of a regression."""
    rng = np.random.default_rng(seed)
    old, now = drawn(rng, 0.02), drawn(rng, 0.02)
    before, after = judge(now, old, MARGIN), judge(scaled(now, 1.0, 1 + share), old, MARGIN)
    assert before.interval is not None
    assert after.interval is not None
    assert 1 + after.interval.value == pytest.approx((1 + before.interval.value) * (1 + share))
    assert (after.p or 0) <= (before.p or 0)


def test_false_alarms_keep_to_the_level() -> None:
    """One slower by exactly the margin raises an alarm as often as the level says; an unchanged one hardly ever."""
    rng = np.random.default_rng(1)
    alarms = {0.0: 0, math.log(1.03): 0}
    for level in alarms:
        for _ in range(2000):
            alarms[level] += judge(drawn(rng, 0.02, 0.6 + level), drawn(rng, 0.02), MARGIN).failed
    assert alarms[0.0] <= 0.005 * 2000
    assert alarms[math.log(1.03)] == pytest.approx(LEVEL * 2000, rel=0.3)


def test_a_tenth_is_caught() -> None:
    """Ten blocks that vary by two hundredths catch a tenth nearly always, alarm and confirmation together."""
    rng = np.random.default_rng(2)
    caught = 0
    for _ in range(500):
        old, level = drawn(rng, 0.02), 0.6 + math.log(1.10)
        caught += confirmed(*(judge(drawn(rng, 0.02, level), old, MARGIN) for _ in range(2))).failed
    assert caught >= 0.99 * 500


@given(SEEDS, st.floats(-3, 3))
def test_one_wild_block_decides_nothing(seed: int, wild: float) -> None:
    """One block in ten that met a burst neither hides that a subject is a tenth slower nor makes it out to be."""
    rng = np.random.default_rng(seed)
    old = drawn(rng, 0.005)
    for level, outcome in ((0.6 + math.log(1.10), "regression"), (0.6, "holds")):
        now = drawn(rng, 0.005, level)
        struck = now.blocks[0].model_copy(update={"seconds": now.blocks[0].seconds * math.exp(wild)})
        assert judge(now.model_copy(update={"blocks": (struck, *now.blocks[1:])}), old, MARGIN).outcome == outcome


def test_outcomes() -> None:
    """Beyond the margin, faster beyond it, within it, and too noisy to tell: each has its name, the last its number."""
    noise = np.array([0.01, -0.01, 0.005, -0.005])
    old = pace(np.zeros(4))
    found = {level: judge(pace(noise + level), old, MARGIN) for level in (0.2, -0.2, 0.0)}
    assert [one.outcome for one in found.values()] == ["regression", "better", "holds"]
    assert [one.enough for one in found.values()] == [None] * 3
    unsure = judge(pace(20 * noise), old, MARGIN)
    assert unsure.outcome == "undecided"
    assert unsure.enough is not None
    assert unsure.enough > 4
    assert not unsure.failed
    assert found[0.2].failed
    assert (found[0.2].unit, found[0.2].better, found[0.2].margin) == ("×", "lower", MARGIN)


def test_enough_blocks_decide() -> None:
    """So many blocks as an undecided verdict asks for decide most of the time."""
    rng = np.random.default_rng(3)
    level = 0.6 + math.log(1.08)
    asked = [judge(drawn(rng, 0.06, level), drawn(rng, 0.06), MARGIN) for _ in range(200)]
    n = int(np.median([one.enough for one in asked if one.enough]))
    decided = [judge(drawn(rng, 0.06, level, n), drawn(rng, 0.06, n=n), MARGIN).failed for _ in range(200)]
    assert np.mean([one.failed for one in asked]) < 0.6
    assert np.mean(decided) > 0.6


def test_both_ways_means_faster_too() -> None:
    """With ± a pace that is faster beyond the margin is a regression: something is not done any more."""
    noise = np.array([0.01, -0.01, 0.005, -0.005])
    both = parse_margin("±3%", "lower")
    assert judge(pace(noise - 0.2), pace(np.zeros(4)), both).outcome == "regression"
    assert judge(pace(noise + 0.2), pace(np.zeros(4)), both).outcome == "regression"
    assert judge(pace(noise / 10), pace(np.zeros(4)), both).outcome == "holds"


def test_a_margin_may_be_a_ratio() -> None:
    """A margin without % is in the pace's own unit: half the reference's time more."""
    old, noise = pace(np.full(4, math.log(2.0))), np.array([1e-3, -1e-3, 1e-3, -1e-3])
    half = parse_margin("+0.5", "lower")
    assert judge(pace(noise + math.log(2.4)), old, half).outcome == "holds"
    assert judge(pace(noise + math.log(2.6)), old, half).outcome == "regression"


@pytest.mark.parametrize(
    ("fields", "told", "failed"),
    [
        ({"reference": "other"}, "held against r in the baseline, other now", True),
        ({"tokens": 8}, "answers of 4 tokens in the baseline, 8 now", True),
        ({"provenance": HERE.model_copy(update={"device": "NVIDIA H100"})}, "device cpu", False),
        ({"blocks": pace([0.0] * 5).blocks[:3]}, "3 questions in common", True),
    ],
)
def test_what_cannot_be_compared_is_refused(fields: dict[str, object], told: str, failed: bool) -> None:  # noqa: FBT001
    """Another reference, length or question is refused and fails, another kind of device is refused and does not."""
    old = pace(np.zeros(5))
    verdict = judge(pace(np.ones(5), **fields), old, MARGIN)
    assert (verdict.outcome, verdict.failed) == ("refused", failed)
    assert told in verdict.note


def test_another_processor_matters_to_the_yardstick_alone() -> None:
    """Two models' ratio is compared across processors; a model's to the yardstick is not, and the verdict says why."""
    there = HERE.model_copy(update={"cpu": "another"})
    old, now = pace(np.zeros(5)), pace(np.ones(5), provenance=there)
    assert judge(now, old, MARGIN).outcome == "regression"
    refused = judge(*(one.model_copy(update={"reference": YARDSTICK}) for one in (now, old)), MARGIN)
    assert (refused.outcome, refused.failed) == ("refused", False)
    assert refused.note.startswith("another machine: cpu ")
    assert refused.note.endswith("in the baseline, another now")


def test_questions_asked_twice_are_paired_twice() -> None:
    """Where there are fewer questions than blocks a question's first block is held against its first, and so on."""
    twice = [
        block.model_copy(update={"question": f"arc/{place % 2}"}) for place, block in enumerate(pace(range(4)).blocks)
    ]
    one = pace([0.0], blocks=twice)
    assert (change(one, one).n, change(one, one).mean) == (4, 0.0)


def test_new_and_missing_paces() -> None:
    """One the baseline lacks is new; one that could not be measured fails, and says why."""
    assert judge(pace([0.0]), None, MARGIN).outcome == "new"
    missing = judge(None, pace([0.0]), MARGIN, "its process ended with -9")
    assert (missing.outcome, missing.failed, missing.note) == ("refused", True, "its process ended with -9")
    with pytest.raises(ValueError, match="neither"):
        judge(None, None, MARGIN)


def test_an_alarm_fails_only_where_it_is_confirmed() -> None:
    """Fresh blocks that alarm too confirm it; those that do not, or that there are none of, take it back."""
    noise = np.array([0.01, -0.01, 0.005, -0.005])
    old = pace(np.zeros(4))
    alarm, calm = judge(pace(noise + 0.2), old, MARGIN), judge(pace(noise), old, MARGIN)
    both = confirmed(alarm, alarm)
    assert both.failed
    assert both.note == "confirmed by 4 fresh blocks"
    once = confirmed(alarm, calm)
    assert (once.outcome, once.failed) == ("holds", False)
    assert once.note == "an alarm of 4 blocks, not confirmed by 4 fresh ones"
    unknown = confirmed(alarm, judge(None, old, MARGIN, "it died"))
    assert (unknown.outcome, unknown.failed) == ("undecided", False)
    assert unknown.note == "an alarm that could not be confirmed: it died"

"""Latency gates: seconds are compared on the same machine alone, and a refusal says what differs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from tests.gating import CELL, HERE, elsewhere, side, spans, timed
from tunescale_core.gates.latency import judged_latencies, latency, latency_of_rounds
from tunescale_core.gates.rounds import Timing
from tunescale_core.gates.slowdown import Slowdown
from tunescale_core.gates.verdict import Verdict
from tunescale_core.pace.pace import YARDSTICK, Block, Pace
from tunescale_core.provenance import Provenance
from tunescale_core.results.result import Result
from tunescale_core.sensors.readings import Readings
from tunescale_core.study.margins import Gate

OLD = np.random.default_rng(0).gamma(4.0, 0.1, 40)
NOISE = np.exp(np.random.default_rng(1).normal(0, 0.05, 40))
CARD = elsewhere(device="NVIDIA H100", driver="580.1", cuda="12.8")


def gate(margin: str | None = None) -> Gate:
    return Gate.model_validate({"latency": margin} if margin else {})


def settled(found: Slowdown | Verdict) -> Verdict:
    return judged_latencies([found])[0] if isinstance(found, Slowdown) else found


def slower(times: float, margin: str | None = None) -> Verdict:
    return settled(latency(CELL, timed(OLD), timed(OLD * NOISE * times), gate(margin)))


def yardstick(*seconds: float) -> Pace:
    blocks = tuple(Block(question="arc/1", seconds=1.0, reference_seconds=one) for one in seconds)
    return Pace(subject="m-base", reference=YARDSTICK, tokens=32, blocks=blocks, provenance=HERE)


@pytest.mark.parametrize(
    ("times", "margin", "outcome"),
    [
        (1.0, None, "holds"),
        (1.6, None, "holds"),
        (2.3, None, "regression"),
        (1.2, "+10%", "regression"),
        (0.9, None, "holds"),
        (0.4, None, "better"),
        (0.7, "±25%", "regression"),
        (0.78, "±25%", "holds"),
        (1.4, "±25%", "regression"),
        (1.0, "±25%", "holds"),
    ],
)
def test_what_is_slower_by_more_than_the_margin(times: float, margin: str | None, outcome: str) -> None:
    """Beyond the margin, as much again unless declared, slower is a regression; what is faster by less only holds."""
    found = slower(times, margin)
    assert (found.outcome, found.metric, found.unit, found.n) == (outcome, "latency", "s", 40)
    assert found.interval is not None
    assert found.interval.low < times - 1 < found.interval.high
    assert found.new == pytest.approx(times * (found.old or 0), rel=0.05)


def test_it_is_the_t_test_of_the_means_ratio() -> None:
    """P and interval are scipy's one-sample t-test of each call's part in the ratio, against the margin's logarithm."""
    found, new = slower(2.3), 2.3 * OLD * NOISE
    parts = math.log(new.mean() / OLD.mean()) + new / new.mean() - OLD / OLD.mean()
    theirs = ttest_1samp(parts, math.log(2.0), alternative="greater")
    ends = ttest_1samp(parts, 0).confidence_interval(0.95)
    assert found.p == pytest.approx(float(theirs.pvalue))
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((math.expm1(ends.low), math.expm1(ends.high)))


def test_what_takes_long_now_and_then_is_seen() -> None:
    """A mean that a tenth of the calls carries past the margin holds no more than one that all carry there."""
    rare = np.where(np.arange(200) % 10 == 0, 30.0, 1.0)
    noise = np.exp(np.random.default_rng(2).normal(0, 0.05, 200))
    found = settled(latency(CELL, timed(noise), timed(noise[::-1] * rare), gate()))
    assert found.outcome == "regression"
    assert found.interval is not None
    assert found.interval.value == pytest.approx(float((noise[::-1] * rare).mean() / noise.mean()) - 1)


def test_calls_of_no_time_are_refused() -> None:
    """Where a clock saw nothing there is no ratio."""
    found = settled(latency(CELL, timed([0.0] * 4), timed([1.0] * 4), gate()))
    assert (found.outcome, found.note) == ("refused", "its calls took no time that the clock shows")


def test_few_noisy_calls_are_undecided() -> None:
    """Four calls that are slower on the mean but not all alike decide nothing, and the number that would is told."""
    found = settled(latency(CELL, timed([1.0] * 4), timed([1.0, 1.2, 2.5, 1.4]), gate()))
    assert (found.outcome, found.failed) == ("undecided", False)
    assert found.enough is not None
    assert found.enough > 4


def test_one_call_proves_nothing() -> None:
    """A single call has no error to be judged by; two that agree have one chance in four."""
    one = settled(latency(CELL, timed([1.0]), timed([9.0]), gate()))
    assert (one.outcome, one.p, one.interval, one.enough) == ("undecided", 1.0, None, None)
    assert settled(latency(CELL, timed([1.0] * 2), timed([9.0] * 2), gate())).p == 0.25


def test_questions_of_one_call_count_once() -> None:
    """Where four questions were asked at once, their call is one measurement."""
    served = {"serving_settings": {"mode": "static", "batch": 4}}
    found = settled(latency(CELL, timed([1.0] * 8, **served), timed([3.0] * 8, **served), gate()))
    assert (found.n, found.p) == (2, 0.25)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (HERE, elsewhere(cpu="Another"), "processor differs: Some Processor 9000 in the baseline, Another now"),
        (HERE, elsewhere(device="cpu (arm64)"), "device differs: cpu (x86_64) in the baseline, cpu (arm64) now"),
        (HERE, elsewhere(cpu_count=2), "cores differ: 8 in the baseline, 2 now"),
        (HERE, elsewhere(threads=1), "threads differ: 4 in the baseline, 1 now"),
        (CARD, CARD.model_copy(update={"driver": "590.2"}), "driver differs: 580.1 in the baseline, 590.2 now"),
        (CARD, CARD.model_copy(update={"cuda": None}), "CUDA differs: 12.8 in the baseline, unknown now"),
        (None, HERE, "the baseline does not say where it was measured"),
    ],
)
def test_another_machine_is_refused(old: Provenance | None, new: Provenance, told: str) -> None:
    """What differs of the machine is told, with both values; the refusal fails nothing."""
    found = settled(latency(CELL, timed([1.0] * 4, provenance=old), timed([9.0] * 4, provenance=new), gate()))
    assert (found.outcome, found.required, found.failed) == ("refused", False, False)
    assert found.note == told
    assert (found.old, found.new) == (1.0, 9.0)


@pytest.mark.parametrize(
    ("provenance", "others", "told"),
    [
        (HERE, 1.27, "other processes kept 1.3 cores busy during this run"),
        (CARD, 2, "this run shared its card with 2 others"),
    ],
)
def test_a_busy_machine_is_refused(provenance: Provenance, others: float, told: str) -> None:
    """Who else was there is told; a quarter of a core is let pass, and a machine that does not say is believed."""

    def ran(other: float | None) -> Result:
        return timed([1.0] * 4, provenance=provenance, readings=Readings(others=other))

    assert settled(latency(CELL, ran(0), ran(others), gate())).note == told
    assert settled(latency(CELL, ran(others), ran(0), gate())).note == told.replace("this run", "the baseline's run")
    for quiet in (0.2, None):
        assert settled(latency(CELL, ran(None), ran(quiet), gate())).outcome == "holds"


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (1.6, "this machine was 1.6 times slower than the baseline's by the yardstick"),
        (0.5, "this machine was 2.0 times faster than the baseline's by the yardstick"),
        (1.05, ""),
    ],
)
def test_another_speed_is_refused(now: float, told: str) -> None:
    """A machine that the yardstick finds more than a tenth faster or slower is another machine."""
    sticks = (yardstick(1.0, 1.0, 7.0), yardstick(now, now, 0.1))
    found = settled(latency(CELL, timed([1.0] * 4), timed([1.0] * 4), gate(), sticks))
    assert found.note == told
    assert found.outcome == ("refused" if told else "holds")


def test_what_was_not_timed_alike_is_refused() -> None:
    """Other timed questions, or none, leave nothing to pair; nor does a server's machine."""
    some, others, none = timed([1.0, 1.0, None]), timed([1.0, None, 1.0]), timed([None] * 3)
    for new in (others, none):
        assert settled(latency(CELL, some, new, gate())).note == "other examples were timed"
    served = timed([1.0] * 3, serving_settings={"mode": "endpoint"})
    assert settled(latency(CELL, served, served, gate())).note.startswith("a server answered")


def timing(mean: float = 1.0, deviation: float = 0.1, rounds: int = 20, **machine: str) -> Timing:
    known = {"processor": "Some Processor 9000", "cores": "8", "system": "Linux"}
    return Timing(mean, deviation, rounds, {**known, **machine})


@pytest.mark.parametrize(("times", "outcome"), [(1.0, "holds"), (1.1, "holds"), (2.5, "regression"), (0.4, "better")])
def test_rounds_of_pytest_benchmark(times: float, outcome: str) -> None:
    """Against a file's mean, deviation and rounds the logarithms of two means are compared, unpaired."""
    found = settled(latency_of_rounds(CELL, timing(), timed(times * NOISE), gate()))
    assert (found.outcome, found.old, found.test) == (outcome, 1.0, "Welch on logarithms")
    assert found.interval is not None
    assert found.interval.low < times - 1 < found.interval.high


def test_rounds_of_a_server_are_refused() -> None:
    """What a server took is held against no file either: nobody knows its machine."""
    served = timed([1.0] * 3, serving_settings={"mode": "endpoint", "batch": 2})
    assert settled(latency_of_rounds(CELL, timing(), served, gate())).note.startswith("a server answered")


def test_calls_on_one_passage_are_one() -> None:
    """Forty calls on four passages, alike within each, prove no more than four calls."""
    ratios = np.repeat([2.9, 3.0, 3.1, 3.2], 10)
    lines = spans([True] * 40, groups=4)

    def told(seconds: Sequence[float]) -> Result:
        timed = [one.model_copy(update={"seconds": taken}) for one, taken in zip(lines, seconds, strict=True)]
        return side(timed, "squad_v2")

    found = latency(CELL, told(np.ones(40).tolist()), told(ratios.tolist()), gate())
    few = latency(CELL, timed([1.0] * 4), timed([2.9, 3.0, 3.1, 3.2]), gate())
    assert isinstance(found, Slowdown)
    assert isinstance(few, Slowdown)
    assert (found.n, found.units, few.n) == (40, 4, 4)
    assert (found.error, found.freedom, found.p()) == pytest.approx((few.error, few.freedom, few.p()))


def test_welch_is_scipys_where_logarithms_are_nearly_straight() -> None:
    """With small deviations the delta method gives Welch's own degrees of freedom and error."""
    from scipy.stats import ttest_ind_from_stats

    new = 1.0 + np.random.default_rng(0).normal(0, 0.001, 30)
    found = latency_of_rounds(CELL, timing(1.0, 0.002, 12), timed(new), gate("+0%"))
    assert isinstance(found, Slowdown)
    theirs = ttest_ind_from_stats(new.mean(), new.std(ddof=1), 30, 1.0, 0.002, 12, equal_var=False)
    assert found.log_ratio / found.error == pytest.approx(float(theirs.statistic), rel=1e-3)


@pytest.mark.parametrize(
    ("old", "now", "told"),
    [
        (timing(processor="Other"), HERE, "processor differs: Other in the baseline, Some Processor 9000 now"),
        (timing(cores="4"), HERE, "cores differ: 4 in the baseline, 8 now"),
        (timing(system="Darwin"), HERE, "system differs: Darwin in the baseline, Linux now"),
        (timing(), CARD, "the file does not name its card, and this run was on NVIDIA H100"),
        (Timing(1, 0.1, 9, {"system": "Linux"}), HERE, "the file does not name its processor"),
    ],
)
def test_a_file_of_another_machine_is_refused(old: Timing, now: Provenance, told: str) -> None:
    """What a file says of its machine must agree, and it must say enough."""
    found = settled(latency_of_rounds(CELL, old, timed([1.0] * 4, provenance=now), gate()))
    assert (found.outcome, found.failed) == ("refused", False)
    assert found.note.startswith(told)


def test_a_macs_own_name() -> None:
    """The two names of one system are one."""
    now = elsewhere(platform="macOS-15.1-arm64-arm-64bit")
    found = settled(latency_of_rounds(CELL, timing(system="Darwin"), timed([1.0] * 4, provenance=now), gate()))
    assert found.outcome == "holds"


@settings(max_examples=8)
@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=12))
@example([(6.0, 0.25), (0.5, 8.0)])
@example([(1e-9, 1e9), (1e9, 1e-9)])
def test_swapped_sides_do_not_both_regress(pairs: list[tuple[float, float]]) -> None:
    """Of two sides at most one is slower, neither than itself, and p does not fall as the margin grows."""
    old, new = (timed(list(one)) for one in zip(*pairs, strict=True))
    there, back = (settled(latency(CELL, *way, gate())) for way in ((old, new), (new, old)))
    assert {there.outcome, back.outcome} != {"regression"}
    assert settled(latency(CELL, old, old, gate())).outcome == "holds"
    ps = [settled(latency(CELL, old, new, gate(f"+{margin}%"))).p or 0 for margin in (0, 10, 50, 200)]
    assert ps == sorted(ps)


def test_holm_over_a_runs_latencies() -> None:
    """Every p is corrected for how many cases were timed."""
    one = latency(CELL, timed(OLD), timed(OLD * NOISE * 1.3), gate())
    assert isinstance(one, Slowdown)
    found = judged_latencies([one] * 10)
    assert all(each.p_adjusted == pytest.approx(min(1, 10 * (each.p or 0))) for each in found)

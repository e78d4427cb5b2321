"""What the gate of a pace says of an unchanged program."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pacing import drawn, pace
from tunescale_core.errors import PaceError
from tunescale_core.gates import selftest
from tunescale_core.gates.pace import judge
from tunescale_core.gates.selftest import assess, comparisons, embedded, fails, record, score_interval, slowed
from tunescale_core.pace.measure import Measured
from tunescale_core.pace.pace import YARDSTICK
from tunescale_core.progress import Progress
from tunescale_core.stats.interval import wilson
from tunescale_core.study.margins import DEFAULTS, Margin


def runs(spread: float, number: int = 8, between: float = 0.0) -> list[selftest.Run]:
    """Return runs of one unchanged pair, whose blocks vary and whose levels do."""
    rng = np.random.default_rng(4)
    return [{"s": drawn(rng, spread, 0.6 + rng.normal(0, between))} for _ in range(number)]


def test_a_quiet_machine_does_well() -> None:
    """Blocks that vary by a hundredth raise no false alarm and miss no tenth, and their spread is told."""
    (found,) = assess(runs(0.01))
    assert found.caught[0.0].value == 0.0
    assert found.caught[0.10].value == found.caught[0.20].value == 1.0
    assert found.spread == pytest.approx(0.01, rel=0.3)
    assert found.needed < 0.03


def test_a_machine_that_changes_between_runs_needs_a_margin() -> None:
    """Runs that differ among themselves raise alarms, and the margin needed tells at which they would not."""
    jumping = runs(0.01, between=0.1)
    (found,) = assess(jumping)
    assert found.caught[0.0].value > 0
    assert found.needed > 0.03
    (wide,) = assess(jumping, Margin(found.needed + 1e-9, relative=True))
    assert wide.caught[0.0].value == 0.0


@given(st.integers(0, 1000))
def test_more_is_caught_of_what_is_slower(seed: int) -> None:
    """The share that is caught grows with the slow-down."""
    rng = np.random.default_rng(seed)
    (found,) = assess([{"s": drawn(rng, 0.05)} for _ in range(3)])
    shares = [one.value for one in found.caught.values()]
    assert shares == sorted(shares)


def test_a_slow_down_is_the_share_it_is_called() -> None:
    """A pace slowed by a tenth is a tenth slower than it was."""
    one = pace([0.1, 0.2, 0.3, 0.4])
    verdict = judge(slowed(one, 0.1), one, DEFAULTS["pace"])
    assert verdict.interval is not None
    assert verdict.interval.value == pytest.approx(0.1)


def test_an_alarm_alone_fails_nothing() -> None:
    """A run that alarms fails only where the third run alarms too."""
    old, slow = pace([0.0, 0.01, 0.0, 0.01]), pace([0.3, 0.31, 0.32, 0.3])
    assert fails(old, slow, slow, DEFAULTS["pace"])
    assert not fails(old, slow, old, DEFAULTS["pace"])
    assert not fails(old, old, slow, DEFAULTS["pace"])


@given(st.integers(3, 30), st.integers(1, 200))
def test_a_comparison_is_of_three_runs(number: int, most: int) -> None:
    """Baseline, run and confirmation are never the same run, and no more are looked at than asked for."""
    found = comparisons(number, most)
    assert len(found) <= most
    assert all(len(set(one)) == 3 and max(one) < number for one in found)


@given(st.integers(1, 200), st.data())
def test_the_interval_of_a_share_is_wilsons(n: int, data: st.DataObject) -> None:
    """Of whole numbers the interval is the score interval that proportions have elsewhere."""
    right = data.draw(st.integers(0, n))
    ours, theirs = score_interval(right / n, n), wilson(right, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_two_runs_are_no_self_test() -> None:
    """Fewer runs than a comparison needs are refused."""
    with pytest.raises(ValueError, match="need 3 runs, there are 2"):
        assess(runs(0.01, 2))


def test_what_is_measured_is_what_a_gate_measures() -> None:
    """The embedded pairs are the same model twice, two sizes, and the reference beside the yardstick."""
    study, pairs = embedded(10)
    assert study.study.eval_examples == 4
    assert [(pair.subject, pair.reference) for pair in pairs] == [
        ("mini-small-base", YARDSTICK),
        ("mini-small-again", "mini-small-base"),
        ("mini-large-base", "mini-small-base"),
    ]


def test_recording_takes_three_runs_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the time, there are runs for a comparison; a fault ends it in one line that names the pair."""
    measured = [Measured((pace([0.0] * 4),)), Measured((), {"s": "its process ended with -9"})]
    monkeypatch.setattr(selftest, "run_blocks", lambda *_: measured[0])
    assert len(record(0, 4, Progress())) == 3
    monkeypatch.setattr(selftest, "run_blocks", lambda *_: measured[1])
    with pytest.raises(PaceError, match="s: its process ended with -9"):
        record(0, 4, Progress())

"""Break-even: training seconds over seconds saved, and no number where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import COST, line
from tests.making import record as made
from tunescale_core.advice.break_even import BreakEven, break_even
from tunescale_core.advice.constraints import Bar, Constraints
from tunescale_core.advice.draws import Draws
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS

TUNED = Candidate("m", "full", "arc")
LARGER = Candidate("large", "base")
ASKED = Constraints(Bar("arc", TASKS["arc"].primary, None))
Times = Sequence[float | None]


def paid(mine: Times, theirs: Times, **fields: object) -> BreakEven | None:
    """Return the break-even of a tuned model with these latencies against a larger one with those."""
    lines = [[line(place=place, seconds=one) for place, one in enumerate(times)] for times in (mine, theirs)]
    records = [made("full", "arc", lines=lines[0], **fields), made(model="large", lines=lines[1])]  # type: ignore[arg-type]
    return break_even(Draws(Results(tuple(map(from_record, records))), ASKED), TUNED, LARGER)


def test_requests_are_cost_over_seconds_saved() -> None:
    """Training of 12.34 seconds that saves a second a request is paid back after 12.34 requests."""
    found = paid([0.5] * 4, [1.5] * 4)
    assert found is not None
    assert (found.saved, found.requests) == pytest.approx((1.0, COST.seconds))
    assert found.text == "Against large-base, m-full-on-arc pays back its training after 12 [12, 12] requests"


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0.1, 1), st.floats(0.1, 5)), min_size=2, max_size=8))
def test_what_is_saved_pays_exactly_the_training(pairs: list[tuple[float, float]]) -> None:
    """Requests times seconds saved is the training's cost, and the interval lies around the requests."""
    found = paid([mine for mine, _ in pairs], [mine + more for mine, more in pairs])
    assert found is not None
    assert found.requests is not None
    assert found.requests * found.saved == pytest.approx(COST.seconds)
    assert found.interval is not None
    assert 0 < found.interval.low <= found.interval.high
    assert found.interval.low <= found.requests * (1 + 1e-6)
    assert found.requests <= found.interval.high * (1 + 1e-6)


@pytest.mark.parametrize("theirs", [0.2, 0.5])
def test_what_is_not_faster_never_pays_back(theirs: float) -> None:
    """Where a tuned model is slower than the larger one, or as fast, there is no number of requests."""
    found = paid([0.5] * 4, [theirs] * 4)
    assert found is not None
    assert (found.requests, found.interval) == (None, None)
    assert found.text == "m-full-on-arc is not faster than large-base: its training is never paid back in time"


def test_unknown_cost_is_said() -> None:
    """Where training's cost is not known, what a request saves is said and no number of requests."""
    found = paid([0.5] * 4, [2.0] * 4, cost=None)
    assert found is not None
    assert found.requests is None
    assert found.text == "m-full-on-arc saves 1.5 s a request on large-base; its training cost is unknown"


def test_no_upper_end_where_it_may_save_nothing() -> None:
    """Where the tuned model may as well be slower, break-even has no upper end, and the sentence says never."""
    found = paid([0.5, 0.5, 1.4], [1.0, 1.0, 0.5])
    assert found is not None
    assert found.requests is not None
    assert found.interval is not None
    assert found.interval.high == math.inf
    assert found.open
    assert found.text.endswith(f"[{found.interval.low:,.0f}, never] requests")


def test_what_may_be_as_fast_is_not_said_never_to_pay() -> None:
    """A tuned model that was slower by chance may be faster: whether its training is paid back is not known."""
    found = paid([1.0, 1.0, 0.5], [0.5, 0.5, 1.4])
    assert found is not None
    assert (found.requests, found.interval, found.open) == (None, None, True)
    assert found.text == "m-full-on-arc may be as fast as large-base: whether its training is paid back is not known"


def test_one_call_has_no_interval() -> None:
    """Of a single call on either side nothing says how much others would take."""
    found = paid([0.5], [1.5])
    assert found is not None
    assert (found.requests, found.interval) == (pytest.approx(COST.seconds), None)


def test_a_missing_latency_has_no_break_even() -> None:
    """Where one side was not timed, there is nothing to say."""
    assert paid([None], [1.0]) is None
    assert paid([1.0], [None]) is None


def test_the_papers_training_cost_is_unknown() -> None:
    """The paper prints latencies and no training times: seconds saved are known, requests are not."""
    draws = Draws(reference("paper"), ASKED)
    found = break_even(draws, Candidate("Qwen3-0.6B", "full", "arc"), Candidate("Qwen3-1.7B", "base"))
    assert found is not None
    assert found.saved == pytest.approx(3.4025 - 0.0803)
    assert (found.requests, found.interval) == (None, None)


def test_requests_served_together_share_what_is_saved() -> None:
    """Of eight requests a call, each has an eighth of the seconds that the call takes less."""
    lines = [[line(place=place, seconds=seconds) for place in range(4)] for seconds in (0.5, 1.5)]
    records = [made("full", "arc", lines=lines[0]), made(model="large", lines=lines[1])]
    found = break_even(Draws(Results(tuple(map(from_record, records))), ASKED, together=8), TUNED, LARGER)
    assert found is not None
    assert (found.saved, found.requests) == pytest.approx((1 / 8, 8 * COST.seconds))

"""The machine's drift, seen in cells that should have taken as long a token, and what it does to a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line, took
from tests.making import record as made
from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.comparison import Comparison, Comparisons
from tunescale_core.results.drift import drift_of
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.results.served import served_by
from tunescale_core.sensors.readings import Readings

FULL, BASE, LARGER = Candidate("m", "full", "arc"), Candidate("m", "base"), Candidate("big", "base")
SECONDS = ((0.1, 0.25, 2.0), (0.02, 0.3, 0.04))
SLOW = st.floats(0.5, 2.0)


def calls(tokens: Sequence[int], slow: float = 1.0, pace: float = 0.01) -> list[Line]:
    """Return a line for each number of tokens, at a pace, on a machine that is so many times slower than usual."""
    return [
        line(
            place=place, tokens=one, seconds=slow * pace * (one + place), first_token_seconds=slow * pace * (1 + place)
        )
        for place, one in enumerate(tokens)
    ]


def results(*records: Record) -> Results:
    return Results(tuple(map(from_record, records)))


def base(lines: Sequence[Line], **fields: object) -> Record:
    return made(lines=lines, **fields)


def full(lines: Sequence[Line], **fields: object) -> Record:
    return made("full", "arc", lines=lines, seed=0, **fields)


def lora(lines: Sequence[Line], **fields: object) -> Record:
    return made("lora-r4", "arc", lines=lines, seed=0, **fields)


@given(
    st.lists(st.tuples(SLOW, st.lists(st.integers(2, 90), min_size=6, max_size=6)), min_size=3, max_size=3),
)
def test_only_the_machine_is_seen(cells: list[tuple[float, list[int]]]) -> None:
    """However long the answers are, what is found is how much slower the machine was at each cell, and nothing else."""
    records = [make(calls(tokens, slow)) for make, (slow, tokens) in zip((base, full, lora), cells, strict=True)]
    found = drift_of(results(*records).cells)
    expected = float(np.std([math.log(slow) for slow, _ in cells], ddof=1))
    assert found is not None
    assert found.df == 2
    assert found.sd == pytest.approx(expected, abs=1e-6)


def test_answers_of_one_token() -> None:
    """Where no answer has a second token, the first ones tell."""
    found = drift_of(results(base(calls([1] * 5)), full(calls([1] * 5, 2.0))).cells)
    assert found is not None
    assert found.sd == pytest.approx(math.log(2) / math.sqrt(2))


def served(record: Record, way: str, **settings: object) -> Record:
    return record.model_copy(update={"serving": way, "serving_settings": settings})


NOT_COMPARABLE = {
    "another model": base(calls([5] * 6, 3.0), model="big"),
    "another task": base(calls([5] * 6, 3.0), task="squad_v2").model_copy(update={"kind": "arc"}),
    "other questions": full(calls([5] * 7, 3.0)),
    "timed beside others' load": full(calls([5] * 6, 3.0), readings=Readings(others=1.0)),
    "not timed": full([line(place=place, seconds=None, first_token_seconds=None) for place in range(6)]),
    "no time to the first token": full([line(place=place, first_token_seconds=None) for place in range(6)]),
    "another revision": full(calls([5] * 6, 3.0), base="m at another revision"),
    "another protocol": full(calls([5] * 6, 3.0), protocol={"dtype": "bfloat16"}),
    "several requests at once": served(full(calls([5] * 6, 3.0)), "b", mode="endpoint", batch=4),
    "a server's adapter": served(lora(calls([5] * 6, 3.0), adapter="lora"), "a", mode="endpoint", batch=1),
    "several questions a call": served(full(calls([5] * 6, 3.0)), "b", mode="eager", batch=4),
    "an adapter beside the weights": served(full(calls([5] * 6, 3.0)), "a", mode="adapter", batch=1),
}


@pytest.mark.parametrize("what", NOT_COMPARABLE)
def test_what_cannot_be_held_against_each_other(what: str) -> None:
    """A cell whose pace may be its own says nothing of the machine."""
    assert drift_of(results(base(calls([5] * 6)), NOT_COMPARABLE[what]).cells) is None
    assert drift_of(results(base(calls([5] * 6)), full(calls([5] * 6, 3.0))).cells) is not None


def test_a_call_without_an_answer_voids_no_other() -> None:
    """Where a call never had a first token, the other questions show the drift; a cell without any is left out."""
    empty = line(place=5, tokens=0, seconds=0.01, first_token_seconds=None)
    silent = [one.model_copy(update={"first_token_seconds": None}) for one in calls([5] * 6)]
    found = drift_of(results(base([*calls([5] * 5), empty]), full(calls([5] * 6, 3.0)), lora(silent)).cells)
    assert found is not None
    assert found.sd == pytest.approx(math.log(3) / math.sqrt(2))


def test_a_variants_tasks_are_one_run() -> None:
    """Two variants that differ by as much on three tasks are one difference, not three."""

    def cells(run: Callable[..., Record], slows: Sequence[float]) -> list[Record]:
        return [
            run(calls([5] * 6, slow)).model_copy(update={"task": f"arc-{place}"}) for place, slow in enumerate(slows)
        ]

    lasting = drift_of(results(*cells(base, (1, 1, 1)), *cells(full, (2, 2, 2))).cells)
    passing = drift_of(results(*cells(base, (1, 2, 1)), *cells(full, (2, 1, 2))).cells)
    assert lasting is not None
    assert passing is not None
    assert (lasting.df, passing.df) == (pytest.approx(1), 3)


def test_longer_answers_of_another_way_are_no_drift() -> None:
    """Served so that answers come out longer than eager's, their seconds stand beside their own tokens."""
    records = [full(calls([20] * 8)), base(calls([20] * 8))]
    ways = [served(one, "w", mode="static", batch=1) for one in (full(calls([60] * 8)), base(calls([20] * 8)))]
    whole = Results(tuple(map(from_record, records)), served=tuple(map(from_record, ways)))
    found = drift_of(served_by(whole, "w").results.cells)
    assert found is not None
    assert found.sd == pytest.approx(0, abs=1e-6)


def latency(new: Candidate, old: Candidate, *records: Record) -> Comparison:
    found = Comparisons(results(*records)).latency(new, old, "arc")
    assert found is not None
    assert found.interval is not None
    assert found.p is not None
    return found


def test_a_machine_that_was_slower_meanwhile_proves_nothing() -> None:
    """Answers of the same length that took a fifth longer throughout: the machine did it, and the interval holds zero.

    A steady machine's interval would not, and no more questions would ever show a difference.
    """
    tokens = [20 + place for place in range(20)]
    found = latency(FULL, BASE, full(calls(tokens, 1.2)), base(calls(tokens)), lora(calls(tokens, 0.9)))
    assert found.difference > 0
    assert found.interval is not None
    assert found.interval.low < 0 < found.interval.high
    assert found.p is not None
    assert found.p > 0.2
    assert found.enough is None
    assert found.drift is not None
    assert found.drift.sd == pytest.approx(0.145, abs=0.01)


def test_shorter_answers_are_faster_on_a_drifting_machine_too() -> None:
    """A tenth of the tokens takes less time however the machine drifts, within what it was seen to."""
    short, long = [5] * 20, [60] * 20
    found = latency(FULL, BASE, full(calls(short, 1.1)), base(calls(long)), lora(calls(short, 0.9)))
    assert found.interval is not None
    assert found.interval.high < 0
    assert found.p is not None
    assert found.p < 0.05


def test_nothing_shows_the_drift_of_single_cells() -> None:
    """One cell of each model shows no drift; the interval is that of the questions alone, and says so."""
    found = latency(LARGER, BASE, base(calls([20] * 20, 1.2), model="big"), base(calls([20] * 20)))
    assert found.drift is None
    assert found.interval is not None
    assert found.interval.low > 0


def test_calls_that_vary_are_no_drift() -> None:
    """Where each call is a little slower or faster by itself, that explains nearly all that cells differ by."""
    rng = np.random.default_rng(0)
    records = [
        make(
            [one.model_copy(update={"seconds": one.seconds * float(rng.lognormal(0, 0.2))}) for one in calls([9] * 40)]
        )
        for make in (base, full, lora)
    ]
    found = drift_of(results(*records).cells)
    assert found is not None
    assert found.sd < 0.2 / math.sqrt(40)


@pytest.mark.parametrize("short", [6, 60])
def test_the_noise_of_long_answers_is_not_taken_off_short_ones(short: int) -> None:
    """Beside an untuned model's long answers, the drift of tuned models' is seen however short theirs are."""
    rng = np.random.default_rng(0)

    def noisy(tokens: Sequence[int], slow: float) -> list[Line]:
        return [
            line(
                place=place, tokens=one, first_token_seconds=0.01 * slow, seconds=0.01 * slow * (1 + (one - 1) * noise)
            )
            for place, (one, noise) in enumerate(zip(tokens, rng.lognormal(0, 0.1, 20), strict=True))
        ]

    long = [60 + 5 * place for place in range(20)]
    found = drift_of(
        results(base(noisy(long, 1.0)), full(noisy([short] * 20, 1.1)), lora(noisy([short] * 20, 0.9))).cells
    )
    assert found is not None
    assert found.sd == pytest.approx(0.1, abs=0.04)


def test_seeds_that_differ_are_no_surer_on_a_machine_that_drifts() -> None:
    """Two seeds that write lengths three times apart leave as much open where the machine is seen to drift a little."""

    def seeded(slow: float) -> float:
        made_by = [
            made("full", "arc", lines=calls([tokens] * 20, pace), seed=seed)
            for seed, (tokens, pace) in enumerate(((20, 1.0), (60, slow)))
        ]
        found = Comparisons(results(*made_by, base(calls([20] * 20), model="big"))).latency(FULL, LARGER, "arc")
        assert found is not None
        assert found.interval is not None
        return found.interval.high - found.interval.low

    assert seeded(1.01) > 0.8 * seeded(1.0)


@pytest.mark.parametrize("batch", [1, 4])
def test_results_by_another_way_have_that_ways_drift(batch: int) -> None:
    """Served otherwise, the drift is that of those calls; where questions share calls, it is not known."""
    tokens = [20] * 8
    records = [full(calls(tokens)), base(calls(tokens))]
    ways = [served(one, "w", mode="static", batch=batch) for one in (full(calls(tokens, 2.0)), base(calls(tokens)))]
    whole = Results(tuple(map(from_record, records)), served=tuple(map(from_record, ways)))
    found = drift_of(served_by(whole, "w").results.cells)
    if batch > 1:
        assert found is None
    else:
        assert found is not None
        assert found.sd == pytest.approx(math.log(2) / math.sqrt(2))


def test_made_up_lines_show_no_drift() -> None:
    """Lines made by `took` are of a machine that does not drift, whatever they take."""
    long, short = ([line(place=place, **took(one)) for place, one in enumerate(took_so)] for took_so in SECONDS)
    found = drift_of(results(base(long), full(short)).cells)
    assert found is not None
    assert found.sd < 1e-3

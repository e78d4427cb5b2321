"""What is to be run where the evidence is not enough: more examples, or a machine that keeps its pace."""

from __future__ import annotations

from collections.abc import Sequence

from tests.making import line
from tests.making import record as made
from tunescale_core.advice.choice import Advice, Chooser
from tunescale_core.advice.constraints import Constraints, objective_of
from tunescale_core.records.record import Record
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results


def timed(method: str, *seconds: float) -> Record:
    """Return a record whose calls took so long, for as many tokens each."""
    calls = [line(place=place, seconds=one, first_token_seconds=one / 4) for place, one in enumerate(seconds)]
    return made(method, None if method == "base" else "arc", lines=calls)


def advised(records: Sequence[Record], max_latency: float) -> Advice:
    results = Results(tuple(map(from_record, records)), "here")
    return Chooser(results, Constraints(objective_of(results, "arc:accuracy", ()), max_latency=max_latency)).advice()


def test_a_limit_that_drift_alone_leaves_open_asks_for_no_more_examples() -> None:
    """Where every call keeps to the limit but the machine drifts by more than is left of it, that is what is said."""
    advice = advised([timed("base", *[1.0] * 9), timed("full", *[0.8] * 9), timed("lora-r4", *[1.2] * 9)], 1.3)
    assert advice.decision == "not enough evidence"
    assert "only since the machine drifts: more examples will not settle it" in advice.next_step


def test_a_limit_that_few_calls_leave_open_asks_for_more() -> None:
    """Where calls lie on both sides of the limit, more of them tell."""
    advice = advised([timed("base", *[0.1 + 0.1 * place for place in range(9)])], 0.55)
    assert advice.decision == "not enough evidence"
    assert "measure it with more examples than 9" in advice.next_step

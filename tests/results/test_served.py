"""Ways of serving held against eager, and results as one way's times and memory make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.gating import HERE, elsewhere
from tests.making import COST, line
from tests.making import record as made
from tunescale_core.errors import ResultsError
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import Result, from_record
from tunescale_core.results.results import Results
from tunescale_core.results.served import Alike, Served, alike, same_seed, served_by
from tunescale_core.tasks import Answer

BASE = Candidate("m", "base")


def asked(texts: Sequence[str], seconds: float, timed: int | None = None, **fields: object) -> Record:
    """Return a record of ARC with these answers; without a number all are timed."""
    lines = [
        line(Answer(("A",), text), place=place, seconds=seconds if timed is None or place < timed else None)
        for place, text in enumerate(texts)
    ]
    return made(lines=lines, **fields)  # type: ignore[arg-type]


def both(way: Record, *more: Record) -> Results:
    """Return results of an eager cell that answers AABB in a second, and others beside it."""
    eager = asked("AABB", 1.0, timed=3, peak_memory_bytes=100)
    return gathered([from_record(one) for one in (eager, way, *more)], "here")


def test_alike_counts_the_timed_answers() -> None:
    """Of the answers that were timed, those are counted that are eager's word for word."""
    results = both(asked("ABBA", 0.5, timed=3, serving="static"))
    assert alike(results.served[0], results.cells[0]) == Alike(2, 3)
    assert alike(results.served[0], None) == Alike(0, 0)
    assert str(Alike(1, 2) + Alike(1, 1)) == "2/3"


THOUGHTS = ["<think>\nhm\n</think>\n\nyes", "hm\n</think>\n\nyes", "<think>\n\n</think>\n\nyes", "<think>hm</think>yes"]
TAKEN_OUT = ["<think>hm\n</think>yes", "<think>hm</think>yes", "yes", "<think>well</think>yes"]


@pytest.mark.parametrize(("mode", "equal"), [("endpoint", 3), ("static", 0)])
def test_a_servers_thoughts_are_parted_from_its_answers(mode: str, equal: int) -> None:
    """What a server's parser makes of the markers, and the blanks around them, is no other answer; elsewhere it is."""

    def said(texts: Sequence[str], **fields: object) -> Result:
        lines = [line(text=text, place=place, seconds=1.0) for place, text in enumerate(texts)]
        return from_record(made(lines=lines, **fields))  # type: ignore[arg-type]

    way = said(TAKEN_OUT, serving="way", serving_settings={"mode": mode, "batch": 1})
    assert alike(way, said(THOUGHTS)) == Alike(equal, 4)


def test_seeds_stand_beside_their_own() -> None:
    """A cell's sibling is the eager cell of its seed."""
    cells = [from_record(asked("AB", 1.0, seed=seed)) for seed in (0, 1)]
    assert same_seed(cells, from_record(asked("AB", 0.5, seed=1, serving="static"))) is cells[1]
    assert same_seed(cells, from_record(asked("AB", 0.5, seed=2, serving="static"))) is None


def test_a_way_has_its_own_times_and_eagers_quality() -> None:
    """Latency, clocks and memory are the way's; quality and answers are eager's, over all questions."""
    results = both(asked("BBB", 0.25, serving="static", peak_memory_bytes=300))
    served = served_by(results, "static")
    found, same = served.results, served.same
    assert (found.quality(BASE, "arc"), found.latency(BASE, "arc")) == (results.quality(BASE, "arc"), 0.25)
    assert same == {BASE: Alike(1, 3)}
    (cell,) = found.at(BASE, "arc")
    assert cell.rows is not None
    assert np.array_equal(cell.rows.seconds, [0.25, 0.25, 0.25, np.nan], equal_nan=True)
    assert cell.texts == results.cells[0].texts
    assert cell.record is not None
    assert cell.record.peak_memory_bytes == 300


@pytest.mark.parametrize("way", ["vllm", "any"])
def test_a_servers_machine_makes_no_candidate_doubtful(way: str) -> None:
    """Where a server answered for some variants, neither they nor the others are flagged for its machine."""
    far = {"serving": "vllm", "serving_settings": {"mode": "endpoint", "batch": 1}}
    eager = asked("AB", 1.0, method="full", trained_on="arc", provenance=HERE)
    remote = asked("AB", 0.5, provenance=elsewhere(device="endpoint"), **far)
    results = gathered([from_record(one) for one in (asked("AB", 1.0, provenance=HERE), eager, remote)], "here")
    assert served_by(results, way).results.flags == {}


def test_what_was_written_goes_with_the_seconds() -> None:
    """A way's tokens, reasoning and ending stand beside its seconds; where it did not ask, eager's stay."""
    lines = [line(place=place, tokens=9, reasoning_tokens=3, finish="length", seconds=0.5) for place in range(2)]
    served = served_by(both(made(lines=lines, serving="static")), "static")
    (cell,) = served.results.at(BASE, "arc")
    assert cell.rows is not None
    assert [list(one) for one in (cell.rows.tokens, cell.rows.reasoning_tokens, cell.rows.stopped)] == [
        [9, 9, 4, 4],
        [3, 3, 0, 0],
        [False, False, True, True],
    ]


def test_a_way_that_thinks_otherwise_has_its_own_quality() -> None:
    """Told not to think, a model gives other answers: what it ships by is theirs, not eager's."""
    served = served_by(both(asked("BBB", 0.25, serving="off", serving_settings={"thinking": "off"})), "off")
    assert served.results.latency(BASE, "arc") == 0.25
    assert served.results.quality(BASE, "arc") == 0.0
    assert served.same == {}
    assert served_by(both(asked("BBB", 0.25, serving="on", serving_settings={"thinking": None})), "on").same
    alike_asked = asked("BBB", 0.25, serving="on", serving_settings={"thinking": "on"}, protocol={"thinking": "on"})
    assert served_by(both(alike_asked), "on").same


def test_a_way_in_few_bits_has_its_own_quality() -> None:
    """Weights that are rounded give other answers: quality is theirs, over all that were asked so."""
    served = served_by(both(asked("BBBB", 0.25, serving="4bit", serving_settings={"quantize": "4bit"})), "4bit")
    assert served.results.quality(BASE, "arc") == 0.0
    assert served.same == {}


def test_a_batch_that_thinks_otherwise_has_one_time_a_call() -> None:
    """Questions of one call share its seconds there too: the first stands for all."""
    way = asked("BBBB", 0.25, serving="off-2", serving_settings={"thinking": "off", "batch": 2})
    (found,) = served_by(both(way), "off-2").results.at(BASE, "arc")
    assert found.rows is not None
    assert found.rows.timed.tolist() == [True, False, True, False]


def test_every_way_is_a_candidate() -> None:
    """Where ways are chosen between, each candidate stands once for each way it was measured by, with its figures."""
    rounded = asked("BBBB", 0.1, serving="4bit", serving_settings={"quantize": "4bit"})
    results = both(asked("AABB", 0.25, serving="static"), rounded)
    served = served_by(results, "any")
    found = {one.id: one for one in served.results.candidates}
    assert set(found) == {"m-base", "m-base-via-4bit", "m-base-via-static"}
    eager, bits, static = (found[f"m-base{way}"] for way in ("", "-via-4bit", "-via-static"))
    assert [served.results.latency(one, "arc") for one in (bits, static)] == [0.1, 0.25]
    assert served.results.quality(static, "arc") == served.results.quality(eager, "arc") != 0.0
    assert served.results.quality(bits, "arc") == 0.0
    assert list(served.same) == [static]


def test_eager_is_what_results_are() -> None:
    """Asked for eager, results are themselves."""
    results = both(asked("AABB", 0.25, serving="static"))
    assert served_by(results, "eager") == Served(results, {})


def test_what_was_not_measured_that_way_has_no_figures() -> None:
    """A candidate that was not served so, or failed so, keeps its place and has neither quality nor latency."""
    other = asked("AAAA", 0.1, model="other")
    failed = asked("AAAA", 0.1, model="third")
    broken = made(model="third", serving="static", error="out of memory")
    served = served_by(both(asked("AABB", 0.25, serving="static"), other, failed, broken), "static")
    found, same = served.results, served.same
    assert [one.model for one in found.candidates] == ["m", "other", "third"]
    for model in ("other", "third"):
        place = (Candidate(model, "base"), "arc")
        assert (found.quality(*place), found.latency(*place)) == (None, None)
    assert same[BASE] == Alike(4, 4)


def test_an_unknown_way_names_those_there_are() -> None:
    """A way that nothing was measured by ends in one line with the ways that there are."""
    with pytest.raises(ResultsError, match="nothing in here was served by 'batch-8'; there is eager, static"):
        served_by(both(asked("AABB", 0.25, serving="static")), "batch-8")


@pytest.mark.parametrize(
    ("settings", "calls"), [({"mode": "eager", "batch": 2}, 2), ({"mode": "endpoint", "batch": 2}, 4)]
)
def test_a_call_of_several_questions_has_one_time(settings: dict[str, object], calls: int) -> None:
    """Questions that were asked in one call share its seconds, which count once; requests at once have their own."""
    way = asked("AABB", 0.25, serving="batch-2", serving_settings=settings)
    served = served_by(both(way), "batch-2")
    assert served.together == 2
    (cell,) = served.results.at(BASE, "arc")
    assert cell.rows is not None
    assert int(cell.rows.timed.sum()) == calls
    assert served.results.latency(BASE, "arc") == 0.25


def test_other_weights_have_no_times() -> None:
    """A way that served other weights than those that were asked eagerly says nothing of their latency."""
    trained = {"method": "full", "trained_on": "arc", "seed": 0}
    other = COST.model_copy(update={"losses": ((1, 2.0),)})
    records = (asked("AABB", 1.0, **trained), asked("AABB", 0.2, serving="static", cost=other, **trained))
    found = served_by(gathered(map(from_record, records), "here"), "static").results
    assert found.latency(Candidate("m", "full", "arc"), "arc") is None

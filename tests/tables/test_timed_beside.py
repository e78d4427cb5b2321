"""What Table 1 says of times that were taken while others used the machine."""

from collections.abc import Sequence

import pytest

from tests.making import line
from tests.making import record as made_record
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.sensors.readings import BUSY, Readings
from tunescale_core.tables.study_table import table1
from tunescale_core.tables.timed_beside import timed_beside


def results(loads: Sequence[float | None]) -> Results:
    records = [
        made_record(model=f"m{place}", lines=[line()], readings=None if load is None else Readings(others=load))
        for place, load in enumerate(loads)
    ]
    return Results(tuple(map(from_record, records)))


def test_the_worst_is_named() -> None:
    """Cells that were timed beside others' load are counted, and the worst is named, below Table 1."""
    found = results([0.1, 0.9, BUSY, None])
    (told,) = timed_beside(found.cells)
    assert told.startswith("2 of 4 cells were timed while others used the machine")
    assert "0.9 cores" in told
    assert told.endswith("beside m1-base for arc")
    assert told in table1(found).notes


@pytest.mark.parametrize("loads", [[], [None], [0.0], [BUSY - 0.01, None]])
def test_an_idle_machine_is_not_mentioned(loads: Sequence[float | None]) -> None:
    """Where nobody else was, or the machine does not say, there is no line."""
    assert list(timed_beside(results(loads).cells)) == []

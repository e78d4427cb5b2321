"""Learning rates tried, and the one chosen."""

import csv
import io
from math import inf

from tests.making import line
from tests.making import record as made
from tunescale_core.records.record import Trial
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.tables.formats import as_csv
from tunescale_core.tables.search_table import search_table


def trial(rate: float, score: float | None, loss: float = 1.0) -> Trial:
    return Trial(learning_rate=rate, score=score, metric="accuracy", loss=loss, steps=50, seconds=3.0)


def chosen(*trials: Trial) -> list[str]:
    record = made("full", "arc", lines=[line()], trials=trials)
    read = csv.DictReader(io.StringIO(as_csv(search_table(gathered([from_record(record)])))))
    return [row["learning rate"] for row in read if row["chosen"] == "yes"]


def test_the_best_on_dev_is_chosen() -> None:
    """The rate with the best figure is marked, whatever its loss."""
    assert chosen(trial(1e-4, 0.5, 0.1), trial(1e-3, 0.7), trial(1e-2, 0.6)) == ["0.001"]


def test_a_loss_that_is_no_number_is_missing() -> None:
    """A trial whose training diverged has a dash for its loss, and not "inf"."""
    found = search_table(gathered([from_record(made("full", "arc", lines=[line()], trials=(trial(1, 0.1, inf),)))]))
    assert "inf" not in as_csv(found)
    assert found.blocks[0].rows[0].entries[4].text == "–"


def test_of_equals_the_lower_loss() -> None:
    """Of equal figures the lowest loss wins; one that is not finite, or has no figure, never does."""
    assert chosen(trial(1e-4, 0.5, 0.9), trial(1e-3, 0.5, 0.2), trial(1e-2, 0.5, float("nan"))) == ["0.001"]
    assert chosen(trial(1e-4, None, 0.1), trial(1e-3, 0.0, 0.2)) == ["0.001"]


def test_methods_without_a_search_have_no_rows() -> None:
    """A study whose rates are declared has no such table."""
    assert search_table(gathered([from_record(made("full", "arc", lines=[line()]))])).blocks == ()


def test_methods_at_a_rate_of_their_own_are_named_beside_those_with_trials() -> None:
    """Where some methods had trials and others none, the table says which had none: their budgets were not equal."""
    searched = made("full", "arc", lines=[line()], trials=(trial(1e-4, 0.5), trial(1e-3, 0.7)))
    fixed = made("lora-r4", "arc", rank=4, lines=[line()])
    untuned = made("base", lines=[line()])
    assert search_table(gathered(map(from_record, (searched, fixed, untuned)))).notes[1:] == (
        "without trials, at the one rate that the study gives: m-lora-r4",
    )
    assert len(search_table(gathered(map(from_record, (searched, untuned)))).notes) == 1

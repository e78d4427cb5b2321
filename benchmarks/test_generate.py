"""One case a cell of the study: build or load the checkpoint, time `generate()`, score, hold the thresholds."""

from collections.abc import Callable

from tunescale_core.records.record import Record


def test_generate(measure: Callable[[], Record], thresholds: Callable[[Record], None]) -> None:
    """A variant answers a task's questions at the quality the study expects."""
    thresholds(measure())

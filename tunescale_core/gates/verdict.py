"""What a gate says of one figure of one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tunescale_core.stats.interval import Interval
from tunescale_core.study.margins import Margin
from tunescale_core.tasks.task import Direction

Outcome = Literal["holds", "better", "undecided", "regression", "refused", "new"]
"""holds: within the margin. better: beyond chance better than the baseline. undecided: worse than the margin allows, or
close to it, but the examples cannot tell that from chance. regression: worse than the margin allows. refused: not
comparable. new: not in the baseline."""
LEVEL = 0.01
"""How often a run in which nothing changed may fail by chance: of all its tests of a kind together, one-sided.

A gate runs at every change; at the 5 % of a single study one in twenty would be an alarm about nothing."""
CASE = "case"
"""The verdict on a case as a whole: whether it ran, and whether it was asked the same."""


@dataclass(frozen=True)
class Verdict:
    """One figure of one case, the run's against the baseline's."""

    cell: str
    """The case's id; of a pace, the pace class's."""
    metric: str
    """A metric of the task, `tokens`, `parameters`, `latency`, `pace`, or `case`."""
    outcome: Outcome
    old: float | None = None
    """The baseline's."""
    new: float | None = None
    """This run's."""
    better: Direction = "higher"
    unit: str = ""
    """As the metric has it; `s` for a latency, `×` for a pace, a ratio to the reference's time."""
    digits: int = 4
    interval: Interval | None = None
    """Of new minus old; for a latency or a pace, of new over old minus 1. None for what is compared exactly."""
    margin: Margin | None = None
    test: str = ""
    """What decided: `exact`, or the name of the test."""
    p: float | None = None
    """One-sided: how often chance alone would show as much beyond the margin."""
    p_adjusted: float | None = None
    """Corrected by Holm for how many figures of the run were tested so: answers together, latencies together."""
    n: int | None = None
    """Examples, or blocks, that both sides share."""
    enough: int | None = None
    """How many of them would have decided; for undecided ones."""
    note: str = ""
    """What differs, what is missing, what error was met."""
    required: bool = True
    """Whether a refusal fails: what was asked must be the same, the machine may be another."""
    strict: bool = False
    """Whether an undecided one fails."""

    @property
    def failed(self) -> bool:
        """Tell whether it fails the run."""
        if self.outcome == "undecided":
            return self.strict
        return self.outcome == "regression" or (self.outcome == "refused" and self.required)

    @property
    def compared(self) -> bool:
        """Tell whether a figure of the run was held against one of the baseline."""
        return self.outcome not in {"refused", "new"} and self.old is not None and self.new is not None

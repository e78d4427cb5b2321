"""One figure of one case on both sides: the baseline's and the run's."""

from __future__ import annotations

from dataclasses import dataclass

from tunescale_core.study.margins import Margin
from tunescale_core.tasks.task import Direction


@dataclass(frozen=True)
class Sides:
    """What a gate judges, however it does."""

    cell: str
    metric: str
    old: float
    new: float
    better: Direction
    unit: str
    digits: int
    margin: Margin
    note: str = ""

    @property
    def gain(self) -> float:
        """How much better the new side is, in the figure's unit; below zero where it is worse."""
        return (self.new - self.old) * (1 if self.better == "higher" else -1)

    @property
    def allowed(self) -> float:
        """The margin in the figure's unit."""
        return self.margin.allowed(self.old)

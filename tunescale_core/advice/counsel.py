"""All that is said of what to ship: the advice, the paper's rule, what tuning pays back, and other ways of serving."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tunescale_core.advice.break_even import BreakEven, break_even
from tunescale_core.advice.choice import Advice, Chooser
from tunescale_core.advice.constraints import Constraints
from tunescale_core.advice.floor import Floor, floor_of, idle_bars
from tunescale_core.advice.standing import SURE
from tunescale_core.errors import ResultsError
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.results import Results
from tunescale_core.study.serving import ANY, EAGER


@dataclass(frozen=True)
class Otherwise:
    """What the same constraints come to by another way of serving."""

    way: str
    advice: Advice | None
    """None where nothing was measured so on every task served."""
    floor: Floor | None = None
    """What answering without looking scores; None where the source has no examples."""


@dataclass(frozen=True)
class Counsel:
    """What to ship under constraints, and what to hold beside that."""

    constraints: Constraints
    advice: Advice
    rule: Candidate | None
    """What the paper's rule ships."""
    paid: tuple[BreakEven, ...]
    """Every tuned candidate that may keep to the constraints against every larger one."""
    others: tuple[Otherwise, ...]
    """By the other ways of serving that were measured."""
    floor: Floor | None = None
    """What answering without looking scores; None where the source has no examples."""
    idle_bars: tuple[str, ...] = ()
    """A sentence for each bar that answering without looking reaches."""

    @property
    def ships(self) -> bool:
        """Tell whether what is chosen can be shipped unexamined.

        It surely keeps to the constraints, nothing makes it doubtful, and it is better than not looking.
        """
        doubted = self.advice.warnings or (self.floor and self.floor.told(self.advice.chosen))
        return self.advice.decision in {"choose", "tie"} and not doubted


def counsel(results: Results, constraints: Constraints) -> Counsel:
    """Say what to ship, and what the other ways of serving would have.

    Raises:
        ResultsError: No candidate was measured on every task served; or nothing was served in the way asked for.
    """
    chooser = Chooser(results, constraints)
    advice = chooser.advice()
    may = {one.candidate for one in advice.standings if one.feasible > 1 - SURE}
    # Where ways are chosen too, a batch shares its time: only eager candidates are paid back against each other.
    alike = [one for one in chooser.candidates if one.way == EAGER]
    tuned = [one for one in alike if one.trained_on in constraints.tasks and one in may]
    pairs = [(one, other) for one in tuned for other in alike if other.model in chooser.results.larger]
    paid = tuple(found for pair in pairs if (found := break_even(chooser.draws, *pair)) is not None)
    ways = dict.fromkeys([EAGER, *sorted(cell.serving for cell in results.served)])
    left = [way for way in ways if constraints.serving not in {way, ANY}]
    others = tuple(_otherwise(results, constraints, way) for way in left)
    floor = floor_of(chooser.draws, advice)
    idle = idle_bars(chooser.results, constraints)
    return Counsel(constraints, advice, chooser.by_rule(), paid, others, floor, idle)


def _otherwise(results: Results, constraints: Constraints, way: str) -> Otherwise:
    try:
        chooser = Chooser(results, replace(constraints, serving=way))
    except ResultsError:
        return Otherwise(way, None)
    advice = chooser.advice()
    return Otherwise(way, advice, floor_of(chooser.draws, advice))

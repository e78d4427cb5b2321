"""After how many requests tuning pays for itself against scaling."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tunescale_core.advice.draws import Draws
from tunescale_core.results.candidate import Candidate
from tunescale_core.stats.interval import Interval, percentile_interval


@dataclass(frozen=True)
class BreakEven:
    """A tuned candidate against a larger untuned one, on one device, as many requests at a time as are served so."""

    tuned: Candidate
    larger: Candidate
    saved: float
    """Seconds of the device that a request takes less; negative where it takes more."""
    requests: float | None
    """Training seconds over seconds saved; None where nothing is saved, or the cost of training is not known."""
    interval: Interval | None = None
    """Of the requests, without an upper end where what is saved may be nothing; None where it is not known."""
    open: bool = False
    """Whether more may be saved than nothing, and less: nobody knows then whether it is ever paid back."""

    @property
    def text(self) -> str:
        """The break-even in words."""
        if self.saved <= 0 and self.open:
            return f"{self.tuned.id} may be as fast as {self.larger.id}: whether its training is paid back is not known"
        if self.saved <= 0:
            return f"{self.tuned.id} is not faster than {self.larger.id}: its training is never paid back in time"
        if self.requests is None:
            return (
                f"{self.tuned.id} saves {self.saved:.3g} s a request on {self.larger.id}; its training cost is unknown"
            )
        span = ""
        if self.interval is not None:
            latest = f"{self.interval.high:,.0f}" if math.isfinite(self.interval.high) else "never"
            span = f" [{self.interval.low:,.0f}, {latest}]"
        pays = f"{self.tuned.id} pays back its training after {self.requests:,.0f}{span} requests"
        return f"Against {self.larger.id}, {pays}"


def break_even(draws: Draws, tuned: Candidate, larger: Candidate) -> BreakEven | None:
    """Return when a tuned candidate's training is paid back; None where a latency is missing.

    Requests = training seconds · requests at once / (mean latency of the larger - mean latency of the tuned), both on
    the objective's task; the interval resamples the timed examples, and holds the machine's drift between the two.
    """
    task = draws.constraints.objective.task
    mine, theirs = (draws.results.latency(one, task) for one in (tuned, larger))
    if mine is None or theirs is None:
        return None
    saved, cost = (theirs - mine) / draws.together, draws.cost(tuned)
    sides = [draws.resampler.latency(one, task) for one in (tuned, larger)]
    gained = None
    if sides[0] is not None and sides[1] is not None:
        gained = percentile_interval(saved, (sides[1] - sides[0]) / draws.together)
    unsure = gained is not None and gained.low <= 0 < gained.high
    if cost is None or saved <= 0:
        return BreakEven(tuned, larger, saved, None, open=unsure)
    if gained is None or gained.high <= 0:
        return BreakEven(tuned, larger, saved, cost / saved)
    latest = cost / gained.low if gained.low > 0 else math.inf
    return BreakEven(tuned, larger, saved, cost / saved, Interval(cost / saved, cost / gained.high, latest), unsure)

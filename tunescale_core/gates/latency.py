"""How long a call takes in seconds, held against a baseline's of the same machine: refused on any other.

Seconds are of a machine at a time. Calls of one run share what the machine was doing meanwhile, so no number of calls
tells a slower program from a busier machine: the margin is wide, and a run is compared only where nothing else is known
to have differed. What holds across machines is a pace, which is measured against a reference in the same minute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from tunescale_core.arrays import Figures
from tunescale_core.gates.differences import difference, machine, machine_of, served_elsewhere
from tunescale_core.gates.rounds import Timing
from tunescale_core.gates.slowdown import Slowdown
from tunescale_core.gates.verdict import Outcome, Verdict
from tunescale_core.pace.pace import Pace
from tunescale_core.provenance import Provenance
from tunescale_core.results.result import Result
from tunescale_core.results.served import calls_of
from tunescale_core.stats.corrected import adjusted
from tunescale_core.stats.resampling import members_of
from tunescale_core.study.margins import Gate, Margin, direction

LATENCY = "latency"
STEADY = 1.1
"""How many times faster or slower the machine may be by the yardstick."""
PAIRED = "paired ratio of means"
WELCH = "Welch on logarithms"
SYSTEMS = {"macOS": "Darwin"}
"""What `platform.platform()` calls a system that `platform.system()` calls otherwise."""


def latency(
    cell: str, old: Result, new: Result, gate: Gate, yardsticks: tuple[Pace, Pace] | None = None
) -> Slowdown | Verdict:
    """Return the slowdown of a case for testing; a refusal, which fails nothing, where times cannot be compared.

    Args:
        cell: The case's id.
        old: The baseline's result, with times.
        new: The run's, of the same examples.
        gate: The study's margins.
        yardsticks: The baseline's pace against the yardstick and this run's, which tell the machine's own speed.
    """
    margin = _margin(cell, old.task, gate)
    refusal = incomparable(old, new, yardsticks)
    if refusal:
        return _refused(cell, old.latency, new.latency, margin, refusal)
    return _paired(cell, _calls(old), _calls(new), _groups(new), margin)


def latency_of_rounds(cell: str, old: Timing, new: Result, gate: Gate) -> Slowdown | Verdict:
    """Return the slowdown since a file of pytest-benchmark, which has no single calls to pair; or a refusal.

    Args:
        cell: The case's id.
        old: Its rounds.
        new: The run's result.
        gate: The study's margins.
    """
    margin = _margin(cell, new.task, gate)
    after = _calls(new)
    refusal = (
        served_elsewhere(new)
        or other_machine(old, new.record.provenance if new.record else None)
        or _busy(new, "this run")
    )
    if refusal or not len(after):
        return _refused(cell, old.mean, new.latency, margin, refusal or "no call of this run was timed")
    return _welch(cell, old, after, margin)


def incomparable(old: Result, new: Result, yardsticks: tuple[Pace, Pace] | None) -> str | None:
    """Return why the times of two results cannot be compared; None where they can."""
    provenances = [side.record.provenance if side.record else None for side in (old, new)]
    return (
        served_elsewhere(old, new)
        or machine(provenances[0], provenances[1])
        or _busy(old, "the baseline's run")
        or _busy(new, "this run")
        or (other_speed(*yardsticks) if yardsticks else None)
        or ("other examples were timed" if _timed(old) != _timed(new) or not _timed(old) else None)
        or ("its calls took no time that the clock shows" if not (old.latency and new.latency) else None)
    )


def other_speed(old: Pace, new: Pace) -> str | None:
    """Return how many times slower or faster the machine is by the yardstick; None where it is about the same."""
    before, after = (median(block.reference_seconds for block in pace.blocks) for pace in (old, new))
    times, word = (after / before, "slower") if after > before else (before / after, "faster")
    return f"this machine was {times:.1f} times {word} than the baseline's by the yardstick" if times > STEADY else None


def other_machine(old: Timing, new: Provenance | None) -> str | None:
    """Return what differs between the machine of a file and this one; None where all that the file says agrees."""
    if new is None:
        return "this run does not say where it was measured"
    if "processor" not in old.machine:
        return "the file does not name its processor: those before pytest-benchmark 3.1 do not"
    now = machine_of(new)
    if not new.device.startswith("cpu") and "device" not in old.machine:
        return f"the file does not name its card, and this run was on {new.device}"
    system = new.platform.partition("-")[0]
    known = {**now, "system": SYSTEMS.get(system, system)}
    return difference(old.machine, {name: known[name] for name in known if name in old.machine})


def judged_latencies(slowdowns: Sequence[Slowdown], *, strict: bool = False) -> tuple[Verdict, ...]:
    """Return the verdicts on all of a run's slowdowns, their p corrected by Holm for the number of them."""
    ps = [one.gated_p for one in slowdowns]
    worse = adjusted(ps, "holm")
    better = adjusted([one.p(-1.0) for one in slowdowns], "holm")
    return tuple(
        replace(
            _bare(one.cell, one.outcome(lost, gained), one.old, one.new, one.margin),
            interval=one.interval,
            test=one.test,
            p=p,
            p_adjusted=lost,
            n=one.n,
            enough=one.enough(len(ps)) if one.outcome(lost, gained) == "undecided" else None,
            strict=strict,
        )
        for one, p, lost, gained in zip(slowdowns, ps, worse, better, strict=True)
    )


def _refused(cell: str, old: float | None, new: float | None, margin: Margin, note: str) -> Verdict:
    return replace(_bare(cell, "refused", old, new, margin), note=note, required=False)


def _bare(cell: str, outcome: Outcome, old: float | None, new: float | None, margin: Margin) -> Verdict:
    return Verdict(cell, LATENCY, outcome, old, new, direction(LATENCY), "s", 4, margin=margin)


def _margin(cell: str, task: str, gate: Gate) -> Margin:
    return gate.margin(cell, task, LATENCY, direction(LATENCY))


def _busy(side: Result, where: str) -> str | None:
    """Return who else was there, None where nobody was."""
    load = side.beside
    if side.record is None or load is None:
        return None
    if side.record.provenance and not side.record.provenance.device.startswith("cpu"):
        return f"{where} shared its card with {load:g} others"
    return f"other processes kept {load:.1f} cores busy during {where}"


def _timed(side: Result) -> tuple[int, ...]:
    """Return the places of the examples that were timed."""
    return tuple(side.rows.timed.nonzero()[0].tolist()) if side.rows else ()


def _calls(side: Result) -> Figures:
    """Return the seconds of each call, shape `(m,)`: questions that were asked at once share a call and its seconds."""
    import numpy as np

    if side.rows is None:
        return np.empty(0)
    return side.rows.seconds[side.rows.timed][:: calls_of(side)]


def _groups(side: Result) -> list[str]:
    """Return of each call what it shares with others; a call of several questions stands for itself."""
    assert side.rows is not None  # noqa: S101  what has no rows is refused before
    if calls_of(side) > 1:
        return [""] * len(_calls(side))
    return [group for group, timed in zip(side.rows.group, side.rows.timed, strict=True) if timed]


def _paired(cell: str, old: Figures, new: Figures, groups: Sequence[str], margin: Margin) -> Slowdown:
    """Return the logarithm of the means' ratio with its error, by the delta method: that calls differ cancels.

    A call's part in it is what its share of one mean is beyond its share of the other. Calls of one group are not
    independent, so the error is that of the groups' sums (Liang and Zeger, 1986).
    """
    import numpy as np

    before, after, n = float(old.mean()), float(new.mean()), len(new)
    sums = np.bincount(members_of(groups), new / after - old / before)
    units = len(sums)
    error = math.sqrt(float((sums**2).sum()) * units / (units - 1)) / n if units > 1 else 0.0
    return Slowdown(cell, before, after, margin, math.log(after / before), error, units - 1, n, units, PAIRED)


def _welch(cell: str, old: Timing, new: Figures, margin: Margin) -> Slowdown:
    """Return the difference of the logarithms of two means, by the delta method: a mean's log has the error s / (m√n).

    Degrees of freedom are Welch's and Satterthwaite's.
    """
    mean, n = float(new.mean()), len(new)
    deviation = float(new.std(ddof=1)) if n > 1 else 0.0
    parts = [(deviation / mean) ** 2 / n, (old.deviation / old.mean) ** 2 / old.rounds]
    spread = sum(part**2 / (number - 1) for part, number in zip(parts, (n, old.rounds), strict=True) if number > 1)
    freedom = sum(parts) ** 2 / spread if spread > 0 else min(n, old.rounds) - 1
    known = freedom if min(n, old.rounds) > 1 else 0.0
    return Slowdown(cell, old.mean, mean, margin, math.log(mean / old.mean), math.sqrt(sum(parts)), known, n, n, WELCH)

"""What to run where the evidence is not enough, a sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from tunescale_core.advice.draws import Draws
from tunescale_core.advice.standing import SURE, Standing, checked
from tunescale_core.results.candidate import Candidate
from tunescale_core.stats.interval import ALPHA, SMALLEST
from tunescale_core.stats.power import enough

FEWEST = 2
"""Timed calls below which nothing says how far others would be from them."""


def to_settle(draws: Draws, likeliest: Standing) -> str:
    """Return what settles whether the likeliest of those in question keeps to the constraints."""
    told = (
        f"{likeliest.candidate.id} keeps to the constraints in {likeliest.feasible:.0%} of the resamples, which "
        "decides nothing"
    )
    if _settled_but_for_drift(draws, likeliest.candidate):
        return (
            f"{told}, and only since the machine drifts: more examples will not settle it, a quieter machine or "
            "several seeds may"
        )
    return (
        f"{told}: measure it with more examples than {draws.examples} (eval_examples, timed_examples), four times as "
        "many halve the interval"
    )


def _settled_but_for_drift(draws: Draws, candidate: Candidate) -> bool:
    """Tell whether a candidate surely keeps to the constraints, or surely not, if the machine does not drift."""
    import numpy as np

    checks = checked(draws, candidate, draws.latency(candidate, steady=True))
    share = float(np.all([held for _, held in checks], axis=0).mean())
    return not ALPHA < share < SURE


def nearest(draws: Draws, standings: Sequence[Standing], fewest: Standing) -> str:
    """Return which candidate is nearest to the constraints, or of what nothing is known.

    Args:
        draws: Of the candidates.
        standings: All of them, none feasible.
        fewest: The one that breaks the fewest constraints.
    """
    unknown = {text for one in standings for text in one.broken if "not known" in text}
    if not unknown or not all(any("not known" in text for text in one.broken) for one in standings):
        return f"nearest is {fewest.candidate.id}, which breaks: {', '.join(fewest.broken)}"
    stat = draws.constraints.stat
    least = SMALLEST.get(int(stat[1:])) if stat in {"p95", "p99"} else FEWEST if draws.resampled else None
    least = least if any(text.startswith(f"{stat} latency") for text in unknown) else None
    wanted = f"; a {stat} needs {least} timed examples (timed_examples), on as many passages if on any" if least else ""
    names = ", ".join(sorted(text.removesuffix(" (not known)") for text in unknown))
    published = "; a published table has mean latencies alone" if wanted else ""
    return f"nothing is known of: {names}{wanted if draws.resampled else published}"


def to_tell_apart(draws: Draws, first: Standing, rivals: Sequence[Standing]) -> str:
    """Return how many examples would tell the first from candidates that may be as good, and what to take meanwhile."""
    objective, n = draws.constraints.objective, draws.examples
    needs = []
    for rival in rivals:
        gains = draws.quality(first.candidate, objective) - draws.quality(rival.candidate, objective)
        sides = (first.candidate, rival.candidate)
        # What several seeds differ by no number of examples mends.
        single = all(draws.results.seeds(one, objective.task) == 1 for one in sides)
        needed = enough(first.quality - rival.quality, gains, n) if n and single else None
        doubt = "" if rival.feasible >= SURE else f", and keeps to the constraints in {rival.feasible:.0%} alone"
        needs.append(rival.candidate.id + (f" (n = {needed:,} would tell{doubt})" if needed else doubt))
    kept = " of those that surely keep to the constraints" if any(one.feasible < SURE for one in rivals) else ""
    told = f"{first.candidate.id} cannot be told from {', '.join(needs)} at n = {n}"
    return f"{told}; take the fastest{kept}, or ask more{'' if draws.single else ', or train on more seeds'}"

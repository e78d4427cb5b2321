"""What a finding is, and how its verdict follows from the evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tunescale_core.results.comparison import Comparison
from tunescale_core.stats.corrected import adjusted
from tunescale_core.stats.drift import Drift
from tunescale_core.stats.interval import ALPHA, Interval
from tunescale_core.stats.power import for_one_of
from tunescale_core.tasks.task import Direction

Verdict = Literal["supported", "refuted", "not enough evidence"]
Basis = Literal["interval", "test", "point values", "parts", "nothing"]
Show = Literal["improvement", "change", "difference"]


@dataclass(frozen=True)
class Finding:
    """A claim about the results, what was computed for it, and what the evidence says of it."""

    key: str
    """`Q1.full-on-openmath.arc.quality`; a question's own summary is `Q1`."""
    claim: str
    """What would be true if the finding is supported."""
    formula: str = ""
    inputs: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    """Of the formula."""
    unit: str = ""
    merit: float = 0.0
    """What is for the claim where positive, against it where negative: the difference in the claimed direction."""
    interval: Interval | None = None
    """Of the merit, in the figure's own unit."""
    p: float | None = None
    p_adjusted: float | None = None
    n: int | None = None
    """Examples, or ranks, that it rests on."""
    enough: int | None = None
    """How many of them would settle it, if what is seen is what there is."""
    drift: Drift | None = None
    """Of the machine, which interval and p of a latency hold; None where nothing shows it."""
    lone: bool = False
    """Whether a side is one training: interval and p do not hold what another would give."""
    verdict: Verdict = "not enough evidence"
    basis: Basis = "nothing"
    aligned: bool = False
    """Whether it is about a candidate asked the task it was tuned on."""
    note: str = ""
    doubt: str = ""
    """What else may be all that is seen; its verdict is then left open, whatever interval and p are."""
    printed: str | None = None
    """What the publication prints for it."""
    agrees: bool | None = None
    """Whether the value comes out as printed; None where nothing is printed."""

    @property
    def question(self) -> str:
        """`Q1`, or `C1` for a conclusion."""
        return self.key.split(".", 1)[0]

    @property
    def is_summary(self) -> bool:
        """Tell whether it answers its question as a whole."""
        return "." not in self.key


def compared(named: Finding, found: Comparison, better: Direction, show: Show) -> Finding:
    """Fill in the finding that `new` is better than `old`.

    Args:
        named: Its key, claim, unit and notes.
        found: The comparison.
        better: Which way the figure is better.
        show: Whether the value is how much better it got or how it changed, in percent of `old`, or the difference.
    """
    sign = 1 if better == "higher" else -1
    gain = sign * found.difference
    ends = sorted((sign * found.interval.low, sign * found.interval.high)) if found.interval else None
    share = None if found.relative is None else 100 * found.relative
    improved = None if share is None else sign * share
    told = "not comparable: other questions were asked, or timed" if found.unlike else ""
    shown = {"improvement": improved, "change": share, "difference": found.difference}
    difference = "old - new" if show == "improvement" and sign < 0 else "new - old"
    return replace(
        named,
        formula=difference if show == "difference" else f"({difference}) / |old|",
        inputs={"new": found.new, "old": found.old},
        value=shown[show],
        unit="%" if show != "difference" else "points" if named.unit == "%" else named.unit,
        merit=math.nan if found.unlike else gain,
        note="; ".join(filter(None, (named.note, told))),
        interval=Interval(gain, *ends) if ends else None,
        p=found.p,
        n=found.n,
        enough=found.enough,
        drift=found.drift,
        lone=found.lone,
    )


def settled(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give every finding its verdict, p values corrected for their number (Benjamini and Hochberg).

    With an interval: supported where it lies above zero and the corrected p is below 5 %, refuted where it lies below
    zero and p is, and otherwise not enough evidence. Without one the point values decide, and the basis says so. Where
    something else may be all that is seen, it stays open, and the note says what.
    """
    found = list(findings)
    tests = {_test_of(one): one.p for one in found if one.p is not None}
    corrected = dict(zip(tests, adjusted(list(tests.values())), strict=True))
    found = [one if one.p is None else replace(one, p_adjusted=corrected[_test_of(one)]) for one in found]
    return tuple(one if one.basis == "parts" else _judged(one) for one in found)


def _test_of(one: Finding) -> tuple[object, ...]:
    """Return what tells a test from others: the same two figures compared, turned round or not, are one test."""
    return (tuple(sorted(one.inputs.values())), one.n, one.p) if one.inputs else (one.key,)


def _judged(one: Finding) -> Finding:
    undefined = one.value is None and one.interval is None and one.merit == 0
    if undefined or math.isnan(one.merit):
        return replace(one, verdict="not enough evidence", basis="nothing")
    low, high = (one.interval.low, one.interval.high) if one.interval else (one.merit, one.merit)
    sure = one.p_adjusted is None or one.p_adjusted < ALPHA
    basis: Basis = "interval" if one.interval else "test" if one.p is not None else "point values"
    verdict: Verdict = "not enough evidence"
    if sure and low > 0:
        verdict = "supported"
    elif sure and high < 0:
        verdict = "refuted"
    if one.doubt and verdict != "not enough evidence":
        return replace(one, basis=basis, enough=None, note="; ".join(filter(None, (one.note, one.doubt))))
    more = one.enough
    if more is not None and one.n is not None and verdict == "not enough evidence":
        # So many were not enough, for one of many tests; and fewer than that no test of signs can tell from chance.
        many = (one.p_adjusted or 1.0) / one.p if one.p else 1.0
        fewest = math.floor(2 + math.log2(max(1.0, many) / ALPHA))
        more = max(for_one_of(more, many), one.n + 1, fewest)
    return replace(one, verdict=verdict, basis=basis, enough=more)


def summary(key: str, claim: str, parts: Sequence[Finding], note: str = "") -> Finding:
    """Return a question's answer as a whole: supported where all parts are, refuted where one is refuted.

    Beside parts with an interval, those without one settle nothing: extremes and single measurements are no evidence.
    """
    tested = any(part.basis in {"interval", "test"} for part in parts)
    verdicts: list[Verdict] = [
        "not enough evidence" if tested and part.basis == "point values" else part.verdict for part in parts
    ]
    verdict: Verdict = "not enough evidence"
    if "refuted" in verdicts:
        verdict = "refuted"
    elif verdicts and set(verdicts) == {"supported"}:
        verdict = "supported"
    counts = {name: float(verdicts.count(name)) for name in ("supported", "refuted", "not enough evidence")}
    decided = list(zip(parts, verdicts, strict=True))
    against = ", ".join(part.key for part, verdict in decided if verdict == "refuted")
    open_ = ", ".join(part.key for part, verdict in decided if verdict == "not enough evidence")
    texts = (note, f"against it: {against}" if against else "", f"open: {open_}" if open_ else "")
    told = "; ".join(text for text in texts if text)
    return Finding(
        key,
        claim,
        f"all {len(parts)} parts supported",
        counts,
        counts["supported"],
        f"of {len(parts)}",
        verdict=verdict,
        basis="parts" if parts else "nothing",
        note=told,
    )

"""Verdicts as a reader meets them: a line each, a Markdown summary for a pull request, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape

from tabulate import tabulate

from tunescale_core.gates.verdict import CASE, Verdict

MARKS: dict[str, str] = {
    "regression": "❌",
    "refused": "🚫",
    "undecided": "❔",
    "better": "⬆️",
    "new": "🆕",
    "holds": "✅",
}
FIRST = ("regression", "refused", "undecided", "better", "new")
"""What a summary tells one by one, in this order; what holds is only counted."""
RATIOS = ("s", "×")
"""Units of what changes by a factor."""
HEADS = ("case", "metric", "baseline", "now", "change [95 %]", "margin", "verdict")


def line(verdict: Verdict) -> str:
    """Return a verdict in one line: metric, baseline, now, interval, margin, verdict, and what it rests on."""
    told = f"{verdict.cell} {verdict.metric}"
    if verdict.metric != CASE and verdict.old is not None:
        told += f": {_figure(verdict, verdict.old)} → {_figure(verdict, verdict.new)}"
        told += f", {_change(verdict)}, margin {_margin(verdict)}"
    rests = _rests_on(verdict)
    return f"{told}: {verdict.outcome}" + (f" ({rests})" if rests else "")


def row(verdict: Verdict) -> tuple[str, ...]:
    """Return the cells of a verdict's row under `HEADS`."""
    old, new = ("–", "–") if verdict.metric == CASE else (_figure(verdict, one) for one in (verdict.old, verdict.new))
    rests = _rests_on(verdict)
    return (
        verdict.cell,
        verdict.metric,
        old,
        new,
        _change(verdict),
        _margin(verdict),
        verdict.outcome + (f": {rests}" if rests else ""),
    )


def counts(verdicts: Iterable[Verdict]) -> str:
    """Return how many verdicts there are of each outcome, as `2 regression, 31 holds`."""
    found: Counter[str] = Counter(one.outcome for one in verdicts)
    return ", ".join(f"{found[name]} {name}" for name in (*FIRST, "holds") if found[name]) or "nothing compared"


def counted(cases: int) -> str:
    """Return a number of cases in words: `1 case`, `33 cases`."""
    return f"{cases} case" + "s" * (cases != 1)


def told(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts that a summary tells one by one, failures first."""
    wanted = [one for one in verdicts if one.outcome != "holds"]
    return sorted(wanted, key=lambda one: (not one.failed, FIRST.index(one.outcome)))


def markdown(name: str, outcome: str, verdicts: Sequence[Verdict], notes: Sequence[str] = ()) -> str:
    """Return a summary that a CI job can post.

    Args:
        name: Of the baseline.
        outcome: Of the run as a whole.
        verdicts: All of the run; none where there was nothing to compare.
        notes: Sentences about the run, a line each.
    """
    parts = [f"## {MARKS.get(outcome, '⚠️')} TuneScale against baseline `{name}`: {outcome}", counts(verdicts) + "."]
    shown = told(verdicts)
    if shown:
        parts.append(_table(shown))
    if kept := [one for one in verdicts if one.outcome == "holds"]:
        body = _table(kept)
        parts.append(f"<details><summary>{len(kept)} that hold</summary>\n\n{body}\n\n</details>")
    return "\n\n".join([*parts, *notes]) + "\n"


def as_objects(verdicts: Iterable[Verdict]) -> list[dict[str, object]]:
    """Return verdicts for JSON."""
    return [asdict(one) | {"failed": one.failed, "line": line(one)} for one in verdicts]


def properties(verdict: Verdict) -> list[tuple[str, object]]:
    """Return what a JUnit report holds of a verdict; what is unknown is left out."""
    interval = verdict.interval
    found = {
        "baseline": verdict.old,
        "now": verdict.new,
        "interval_low": interval.low if interval else None,
        "interval_high": interval.high if interval else None,
        "margin": _margin(verdict) if verdict.margin else None,
        "p": verdict.p,
        "p_adjusted": verdict.p_adjusted,
        "n": verdict.n,
        "n_needed": verdict.enough,
    }
    named = [("case", verdict.cell), ("metric", verdict.metric), ("verdict", verdict.outcome)]
    return [*named, *((name, value) for name, value in found.items() if value is not None)]


def _table(verdicts: Iterable[Verdict]) -> str:
    rows = [[MARKS[one.outcome], *map(_escaped, row(one))] for one in verdicts]
    return tabulate(rows, ["", *HEADS], tablefmt="github", disable_numparse=True)


def _escaped(text: str) -> str:
    """Return a text that means nothing in a Markdown table: an error may quote what a model wrote."""
    return escape(text, quote=False).replace("|", "&#124;").replace("`", "&#96;")


def _figure(verdict: Verdict, value: float | None) -> str:
    if value is None:
        return "–"
    unit = {"s": " s", "%": "%", "×": "×"}.get(verdict.unit, "")
    return f"{value:.{verdict.digits}f}{unit}"


def _change(verdict: Verdict) -> str:
    """Return new minus old, or for times what new is over old, with the interval."""
    if verdict.old is None or verdict.new is None:
        return "–"
    as_ratio = verdict.unit in RATIOS
    if as_ratio and not verdict.old:
        return "–"
    value = verdict.new / verdict.old - 1 if as_ratio else verdict.new - verdict.old
    if as_ratio and verdict.interval:
        value = verdict.interval.value  # what was tested: a trimmed mean, or one of logarithms
    ends = (verdict.interval.low, verdict.interval.high) if verdict.interval else ()
    told, *bounds = [f"{100 * one:+.1f}%" if as_ratio else f"{one:+.{verdict.digits}f}" for one in (value, *ends)]
    return told + (f" [{', '.join(bounds)}]" if bounds else "")


def _margin(verdict: Verdict) -> str:
    return verdict.margin.shown(verdict.better) if verdict.margin else "–"


def _rests_on(verdict: Verdict) -> str:
    found = [" ".join(verdict.note.split())] if verdict.note.strip() else []
    if verdict.test and verdict.test != "exact":
        found.append(verdict.test)
    if verdict.p_adjusted is not None and verdict.outcome in {"regression", "undecided"}:
        found.append(f"p = {verdict.p_adjusted:.2g} by Holm")
    elif verdict.p is not None and verdict.outcome in {"regression", "undecided"}:
        found.append(f"p = {verdict.p:.2g}")
    if verdict.n is not None:
        found.append(f"n = {verdict.n}")
    if verdict.outcome == "undecided" and verdict.enough is not None:
        found.append(f"{verdict.enough:,} would tell")
    return ", ".join(found)

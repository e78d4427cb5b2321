"""Findings as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from tabulate import tabulate

from tunescale_core.findings.finding import Finding
from tunescale_core.stats.interval import CONFIDENCE, Interval
from tunescale_core.tables.table import MISSING
from tunescale_core.tables.wrapped import wrapped

TIMES = ("latency", "spread")
"""What keys of findings about seconds end in."""


def as_objects(findings: Iterable[Finding], reference: Iterable[Finding] = ()) -> list[dict[str, Any]]:
    """Return findings as JSON objects; with a reference, each carries the reference's value and verdict."""
    others = {one.key: one for one in reference}
    return [_object(one) | _beside(one, others) for one in findings]


def as_text(findings: Sequence[Finding], reference: Sequence[Finding] = ()) -> str:
    """Return findings for a terminal: a question, its answer, and a table of what the answer rests on."""
    others = {one.key: one for one in reference}
    blocks = [_block(list(group), others) for _, group in groupby(findings, key=lambda one: one.question)]
    level = f"{CONFIDENCE:.0%}"
    legend = (
        f"Intervals are {level}, of the gain (more is better); p is corrected (Benjamini and Hochberg).\n"
        "An asterisk marks a candidate asked the task it was tuned on."
    )
    return "\n\n".join([*blocks, "\n".join(filter(None, (legend, drift_told(findings), seeds_told(findings))))])


def as_summary(findings: Iterable[Finding]) -> str:
    """Return each question's answer as a line of a table, those that nothing answers left out; empty where none is."""
    answered = [one for one in findings if one.is_summary and one.basis == "parts" and one.question.startswith("Q")]
    lines = [[one.question, one.claim, one.verdict, f"{one.value:g} {one.unit}"] for one in answered]
    heads = ["", "claim", "verdict", "parts supported"]
    return tabulate(lines, heads, "simple", disable_numparse=True) if lines else ""


def drift_told(findings: Sequence[Finding]) -> str:
    """Say how far the machine drifted, where latencies have intervals; empty where none has."""
    times = [one for one in findings if one.interval is not None and one.key.rpartition(".")[2] in TIMES]
    if not times:
        return ""
    drift = next((one.drift for one in times if one.drift is not None), None)
    if drift is None:
        return "How far the machine drifted between cells is not known, and not in the intervals of latencies."
    return f"Intervals of latencies hold the machine's drift: {drift}."


def seeds_told(findings: Sequence[Finding]) -> str:
    """Say that variants were trained once, where findings have intervals; empty where none has, or all were twice."""
    if not any(one.lone for one in findings):
        return ""
    return "Variants were trained once (one seed): how far another training would differ is in no interval."


def _object(one: Finding) -> dict[str, Any]:
    drift = {"drift": one.drift.figures if one.drift else None}
    return {"question": one.question, "summary": one.is_summary} | asdict(one) | drift


def _beside(one: Finding, others: dict[str, Finding]) -> dict[str, Any]:
    if not others:
        return {}
    other = others.get(one.key)
    return {"reference": None if other is None else {"value": other.value, "verdict": other.verdict}}


def _block(group: Sequence[Finding], others: dict[str, Finding]) -> str:
    whole, parts = group[0], group[1:]
    telling = [part for part in parts if part.merit] or parts
    bare = " (no interval)" if telling and all(part.interval is None for part in telling) else ""
    title = f"{whole.question}. {whole.claim}: {whole.verdict.upper()}{bare}"
    if whole.key in others:
        title += f"; reference: {others[whole.key].verdict}"
    notes = [note for note in (whole.note, _printed(whole)) if note]
    above = [wrapped(note, "    ", "    ") for note in notes]
    heads = ["finding", "value", "gain, interval", "p", "n", "verdict", "enough n"]
    heads += ["reference"] if others else []
    heads += ["printed"] if any(part.printed for part in parts) else []
    lines = [_line(part, others, printed="printed" in heads) for part in parts]
    table = tabulate(lines, heads, "simple", disable_numparse=True, colalign=("left", *["right"] * 4)) if lines else ""
    noted = [part for part in parts if part.note and not part.key.startswith("Q6")]
    said = {note: [part for part in noted if part.note == note] for note in dict.fromkeys(p.note for p in noted)}
    lone = {note: f"{group[0].key.split('.', 1)[1]}: " if len(group) == 1 else "" for note, group in said.items()}
    told = [wrapped(f"- {lone[note]}{note}", "    ", "      ") for note in said]
    return "\n".join([title, *above, *([table] if table else []), *told])


def _line(one: Finding, others: dict[str, Finding], *, printed: bool) -> list[str]:
    line = [
        one.key.removeprefix(f"{one.question}.") + ("*" if one.aligned else ""),
        _number(one.value, one.unit),
        _interval(one.interval),
        _p(one.p_adjusted),
        MISSING if one.n is None else str(one.n),
        one.verdict + (" (no interval)" if one.basis == "point values" else ""),
        f"{one.enough:,}" if one.enough is not None and one.verdict == "not enough evidence" else "",
    ]
    if others:
        other = others.get(one.key)
        line.append(_number(other.value, other.unit) if other else MISSING)
    if printed:
        line.append(_printed(one))
    return line


def _p(value: float | None) -> str:
    if value is None:
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _printed(one: Finding) -> str:
    if one.printed is None:
        return ""
    return f"{one.printed}: {'agrees' if one.agrees else 'DISAGREES'}"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return MISSING
    digits = 0 if abs(value) >= 1000 else 1 if unit == "%" else 3
    return f"{value:+,.{digits}f}" + ("%" if unit == "%" else f" {unit}" if unit not in {"fraction", ""} else "")


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return MISSING
    return f"{interval.value:+.4g} [{interval.low:+.4g}, {interval.high:+.4g}]"

"""Whether a case ran, and whether it was asked what the baseline's was: without that no figure is compared."""

from __future__ import annotations

from tunescale_core.gates.differences import difference
from tunescale_core.gates.verdict import CASE, Outcome, Verdict
from tunescale_core.results.result import Result

HASHES = ("examples", "prompts", "protocol")
"""What two records must share, in the order in which a difference is told."""
COUNTED = ("rows", "steps")
"""What a training came to; older records do not say."""
ANEW = "save the baseline anew"
SHOWN = 8
"""Hex digits of a hash that are told."""


def case(cell: str, old: Result | None, new: Result | None) -> Verdict:
    """Return the verdict on a case as a whole.

    A baseline's case that failed proves nothing of a run: one that runs now is better, and one that still fails is
    refused, since there never was anything to hold it against.

    Args:
        cell: Its id.
        old: The baseline's; None where it has none.
        new: The run's; None where it should be there and is not.
    """
    if new is None:
        return Verdict(cell, CASE, "regression", note="missing from this run")
    if old is None:
        return Verdict(cell, CASE, "regression" if _error(new) else "new", note=_error(new) or "not in the baseline")
    now, before = _error(new), _error(old)
    if now:
        return _said(
            cell, "refused" if before else "regression", now + (f"; so did the baseline: {ANEW}" * bool(before))
        )
    if before:
        return _said(cell, "better", f"failed in the baseline: {before}; {ANEW}")
    refusal = asked_otherwise(old, new)
    return (
        _said(cell, "refused", f"{refusal}; {ANEW}") if refusal else _said(cell, "holds", trained_otherwise(old, new))
    )


def case_of_rounds(cell: str, new: Result | None) -> Verdict:
    """Return the verdict on a case of which the baseline has times alone: whether it ran."""
    if new is None or _error(new):
        return Verdict(cell, CASE, "regression", note=_error(new) if new else "missing from this run")
    return Verdict(cell, CASE, "holds", note="the baseline has times alone")


def asked_otherwise(old: Result, new: Result) -> str | None:
    """Return what differs of what two cases were asked; None where they were asked the same.

    `prompts differ: 1a2b3c4d in the baseline, 9f8e7d6c now`. Records without hashes cannot be shown to be the same.
    """
    hashes = [side.record.hashes if side.record else {} for side in (old, new)]
    if old.kind != new.kind:
        return f"the kind of task differs: {old.kind} in the baseline, {new.kind} now"
    for found, where in zip(hashes, ("the baseline", "this run"), strict=True):
        absent = [name for name in HASHES if name not in found]
        if absent:
            return f"{where} has no hash of its {', '.join(absent)}"
    whole, shown = ([{name: found[name][:end] for name in HASHES} for found in hashes] for end in (None, SHOWN))
    if whole[0] != whole[1]:
        numbers = [len(side.rows.example) if side.rows else 0 for side in (old, new)]
        if whole[0]["examples"] != whole[1]["examples"] and numbers[0] != numbers[1]:
            return f"other questions were asked: {numbers[0]:,} in the baseline, {numbers[1]:,} now"
        return difference(*shown) or "hashes differ beyond what can be shown of them"
    return _rows_apart(old, new)


def trained_otherwise(old: Result, new: Result) -> str:
    """Return what differs of what two cases' variants were trained by, which may be why they differ; "" where nothing.

    `trained otherwise: epochs 8.0 in the baseline, 4.0 now`. A record that does not say is given the benefit.
    """
    before, after = map(_training, (old, new))
    if not before or not after:
        return ""
    untold = {name for name in COUNTED if name not in before or name not in after}
    apart = [name for name in {**before, **after} if name not in untold and before.get(name) != after.get(name)]
    named = ", ".join(f"{name} {before.get(name)} in the baseline, {after.get(name)} now" for name in apart)
    return f"trained otherwise: {named}" if named else ""


def _training(side: Result) -> dict[str, object]:
    """Return the recipe of a case's variant, and how many rows and steps that came to; {} where it is not told."""
    record = side.record
    if record is None or not record.recipe:
        return {}
    counted = {name: getattr(record.cost, name, None) for name in COUNTED}
    return record.recipe | {name: value for name, value in counted.items() if value is not None}


def _rows_apart(old: Result, new: Result) -> str | None:
    """Return why the rows cannot be paired; equal hashes promise that they can."""
    rows = [side.rows for side in (old, new)]
    for found, where in zip(rows, ("the baseline", "this run"), strict=True):
        if found is None:
            return f"{where} has no rows"
    if rows[0] and rows[1] and rows[0].example != rows[1].example:
        return "rows differ in their examples though hashes agree: a file is not its record's"
    return None


def _error(side: Result) -> str:
    return (side.record.error or "") if side.record else ""


def _said(cell: str, outcome: Outcome, note: str) -> Verdict:
    return Verdict(cell, CASE, outcome, note=note)

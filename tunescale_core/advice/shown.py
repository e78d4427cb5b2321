"""Advice as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from tunescale_core.advice.choice import Advice
from tunescale_core.advice.constraints import GIB, Constraints
from tunescale_core.advice.counsel import Counsel, Otherwise
from tunescale_core.advice.floor import Floor
from tunescale_core.advice.standing import SURE, Standing
from tunescale_core.results.candidate import Candidate
from tunescale_core.study.serving import ANY, EAGER
from tunescale_core.tables.flags import MARK
from tunescale_core.tables.table import MISSING
from tunescale_core.tables.wrapped import wrapped

FLAGGED = "{0} comes out best, and is flagged."
NO_BETTER = "{0} comes out best of what was measured."
"""Where one is chosen and something makes it doubtful, or it is no better than not looking."""
ONCE = "variants were trained once, on one seed: how far another training would differ is in no figure"
PROCESS = (
    "GiB on a CPU is the peak of the whole process, with its libraries and what cells before left: what is measured "
    "later in a run has more"
)
HEADS = {
    "choose": "Ship {0}.",
    "tie": "Not enough evidence for one: {0} cannot be told apart.",
    "not enough evidence": "Not enough evidence: {0} may or may not keep to the constraints.",
    "nothing is feasible": "Nothing that was measured keeps to the constraints.",
}


def as_text(counsel: Counsel) -> str:
    """Return advice for a terminal: the choice, what it rests on, the paper's rule, and what tuning pays back."""
    advice, constraints, rule = counsel.advice, counsel.constraints, counsel.rule
    below = counsel.floor.told(advice.chosen) if counsel.floor else None
    head = [_decided(advice, constraints.serving, counsel.floor), *advice.warnings]
    head += [*filter(None, (below,)), *counsel.idle_bars, *filter(None, (advice.next_step,))]
    metric = constraints.objective.metric
    heads = ["candidate", f"{metric.name} {metric.arrow}", "bound", f"{constraints.stat} s", "GiB", "training s"]
    heads += ["feasible", "on front", "best", "breaks"]
    lines = [_line(one, metric.digits, flagged=one.candidate in advice.flags) for one in advice.standings]
    table = tabulate(lines, heads, "simple", disable_numparse=True, colalign=("left", *["right"] * 8, "left"))
    basis = (
        "bound: what the quality does not fall short of with 95 % confidence; feasible, on front and best are shares "
        f"of the resamples of examples{'' if advice.lone else ', seeds'} and latency"
        if advice.resampled
        else "the source has no examples: these are point values, and nothing is known of how sure they are"
    )
    followed = _rule_standing(advice, rule) if rule else "ships: nothing: neither side was measured"
    out = ", ".join(one.id for one in advice.left_out)
    notes = [
        f"({constraints.text})",
        f"({basis})",
        *([f"({ONCE})"] if advice.lone and advice.resampled else []),
        *([f"Left out, since not measured on every task served: {out}."] if out else []),
    ]
    if advice.same:
        counts = ", ".join(f"{one.id} {same}" for one, same in advice.same.items())
        notes.append(f"(quality is eager's; timed answers that are eager's word for word: {counts})")
    notes += [f"({told})" for told in (*advice.beside, *advice.cut)]
    notes += [f"({PROCESS})"] if advice.shared else []
    notes += [f"{MARK} {one.id}: {'; '.join(flags)}." for one, flags in advice.flags.items()]
    notes += [f"The paper's rule (start small and tune, then scale) {followed}."]
    return "\n".join(
        [*(wrapped(text) for text in head), "", table, *(wrapped(n) for n in notes)]
        + [one.text + "." for one in counsel.paid]
        + [wrapped(_told_otherwise(one, constraints)) for one in counsel.others]
    )


def as_object(counsel: Counsel) -> dict[str, Any]:
    """Return advice as a JSON object."""
    advice, constraints, rule = counsel.advice, counsel.constraints, counsel.rule
    objective = constraints.objective
    return {
        "decision": advice.decision,
        "chosen": [one.id for one in advice.chosen],
        "next_step": advice.next_step,
        "constraints": _object_constraints(constraints),
        "warnings": list(advice.warnings),
        "idle_bars": list(counsel.idle_bars),
        "ships": counsel.ships,
        "beside": list(advice.beside),
        "cut": list(advice.cut),
        "memory_is_the_process": advice.shared,
        "trained_once": advice.lone,
        "flags": {one.id: list(flags) for one, flags in advice.flags.items()},
        "serving": constraints.serving,
        "equal_to_eager": _same(advice),
        "left_out": [one.id for one in advice.left_out],
        "resampled": advice.resampled,
        "trivial": _object_floor(counsel.floor),
        "maximise": {"task": objective.task, "metric": objective.metric.name},
        "standings": [asdict(one) | {"candidate": one.candidate.id} for one in advice.standings],
        "paper_rule": rule.id if rule else None,
        "break_even": [asdict(one) | {"tuned": one.tuned.id, "larger": one.larger.id} for one in counsel.paid],
        "otherwise": {one.way: _object_otherwise(one) for one in counsel.others},
    }


def _object_constraints(asked: Constraints) -> dict[str, Any]:
    return {
        "minimum": {f"{bar.task}:{bar.metric.name}": bar.value for bar in asked.bars},
        "max_latency": asked.max_latency,
        "latency_stat": asked.stat,
        "max_memory": asked.max_memory,
        "max_cost": asked.max_cost,
    }


def _decided(advice: Advice, way: str, floor: Floor | None) -> str:
    names, head = ", ".join(one.id for one in advice.chosen), HEADS[advice.decision]
    if advice.decision == "choose" and floor and floor.told(advice.chosen):
        head = NO_BETTER
    if advice.decision == "choose" and advice.warnings:
        head = FLAGGED
    return head.format(names + ("" if way in {EAGER, ANY} else f" (served by {way})"))


def _told_otherwise(other: Otherwise, constraints: Constraints) -> str:
    """Return what another way of serving comes to, and what is to be known before it is shipped so."""
    advice = other.advice
    if advice is None:
        return f"Served by {other.way}: nothing was measured on every task served."
    decided = _decided(advice, EAGER, other.floor)
    told = [f"Served by {other.way} (--serving {other.way}): {decided}", *advice.warnings]
    told += filter(None, (other.floor.told(advice.chosen) if other.floor else None,))
    told += _told_figures(advice, constraints)
    told += [f"{sentence}." for sentence in advice.beside]
    if same := [f"{advice.same[one]} of {one.id}'s" for one in advice.chosen if one in advice.same]:
        told.append(f"{', '.join(same)} timed answers are eager's.")
    if advice.left_out:
        told.append(f"Left out, since not measured so: {', '.join(one.id for one in advice.left_out)}.")
    return " ".join(told)


def _told_figures(advice: Advice, constraints: Constraints) -> list[str]:
    """Return what the first of those chosen takes, and where answers are not eager's, what its own are worth."""
    first = next((one for one in advice.standings if one.candidate in advice.chosen[:1]), None)
    if first is None:
        return []
    named = "" if len(advice.chosen) == 1 else f"{first.candidate.id}'s"
    told = [] if first.latency is None else [f"{named or 'Its'} {constraints.stat} latency is {first.latency:.4f} s."]
    if advice.own:
        objective = constraints.objective
        value = f"{first.quality:,.{objective.metric.digits}f}"
        whose = f"{named or 'its'} {objective.metric.name}"
        told.append(f"Answers so are not eager's: {whose} for {objective.task} is {value}.")
    return told


def _object_floor(floor: Floor | None) -> dict[str, Any] | None:
    if floor is None:
        return None
    return {"value": floor.value, "rule": floor.rule, "not_surely_better": [one.id for one in floor.below]}


def _object_otherwise(other: Otherwise) -> dict[str, Any] | None:
    advice = other.advice
    if advice is None:
        return None
    return {
        "decision": advice.decision,
        "chosen": [one.id for one in advice.chosen],
        "warnings": list(advice.warnings),
        "beside": list(advice.beside),
        "latency": {one.candidate.id: one.latency for one in advice.standings},
        "trivial": _object_floor(other.floor),
        "equal_to_eager": _same(advice),
        "left_out": [one.id for one in advice.left_out],
    }


def _same(advice: Advice) -> dict[str, Any]:
    return {one.id: asdict(same) for one, same in advice.same.items()}


def _rule_standing(advice: Advice, rule: Candidate) -> str:
    standing = next(one for one in advice.standings if one.candidate == rule)
    shares = f"feasible {standing.feasible:.0%}, best {standing.best:.0%}"
    if standing.broken or standing.feasible < 1 - SURE:
        return f"would ship {rule.id}, which does not keep to the constraints ({shares})"
    return f"ships: {rule.id} ({shares})"


def _line(one: Standing, digits: int, *, flagged: bool) -> list[str]:
    return [
        f"{one.candidate.id} {MARK}" if flagged else one.candidate.id,
        f"{one.quality:,.{digits}f}",
        f"{one.bound:,.{digits}f}",
        MISSING if one.latency is None else f"{one.latency:.4f}",
        MISSING if one.memory is None else f"{one.memory / GIB:.2f}",
        MISSING if one.cost is None else f"{one.cost:.1f}",
        f"{one.feasible:.0%}",
        f"{one.front:.0%}",
        f"{one.best:.0%}",
        "; ".join(one.broken),
    ]

"""The seven conclusions of "When to Tune, When to Scale" (sec. 5) as claims about results.

What a conclusion advises beyond its facts (a default, a way of working) is not tested; its note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tunescale_core.findings.evidence import Evidence, Pair
from tunescale_core.findings.finding import Finding, compared
from tunescale_core.findings.questions import FIGURES, chosen_from, lora_and_full
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.ranks import ranks_of_one
from tunescale_core.results.result import on_cpu
from tunescale_core.stats.interval import Interval, wider_interval


def full_beats_lora(evidence: Evidence) -> Iterator[Finding]:
    """C1: full tuning beats LoRA on accuracy and on speed, on every task both were tuned on."""
    for task, lora, full in lora_and_full(evidence):
        for figure in FIGURES:
            one = Pair(full, lora, task, figure, best_of=chosen_from(evidence, lora.model, task))
            yield from evidence.better("C1", one)


def larger_is_best_but_slower(evidence: Evidence) -> Iterator[Finding]:
    """C2: the larger base has the best quality of all and is slower than every small one tuned on the task."""
    for small, large in evidence.pairs():
        base = Candidate(large, "base")
        for task in evidence.results.tasks:
            rivals = [one for one in evidence.results.candidates if one.model == small]
            rival = _better_of(evidence, rivals, task)
            if rival is not None:
                one = Pair(base, rival, task, "quality", named=len(evidence.tuned) > 1, best_of=len(rivals))
                yield from evidence.better("C2", one, note="against the best small one")
        for task in evidence.aligned(small):
            full = evidence.full(small, task)
            if full is not None:
                yield from evidence.better(
                    "C2", Pair(full, base, task, "latency", named=len(evidence.results.larger) > 1)
                )


def rank_is_weak(evidence: Evidence) -> Iterator[Finding]:
    """C3: the best and the worst rank differ by less than full tuning and the untuned model do."""
    for model in evidence.tuned:
        for task in evidence.aligned(model):
            full, base = evidence.full(model, task), Candidate(model, "base")
            ranks = ranks_of_one(evidence.results, model, task)
            values = [evidence.results.quality(one, task) for one in ranks]
            known = [value for value in values if value is not None]
            ends = [evidence.results.quality(one, task) for one in (full, base) if one is not None]
            if len(known) < 2 or len(ends) < 2 or ends[0] is None or ends[1] is None:
                continue
            spread, reach = max(known) - min(known), abs(ends[0] - ends[1])
            yield Finding(
                f"C3.{_prefix(evidence, model)}lora.{task}.quality",
                f"LoRA's ranks differ less from each other for {task} than full tuning does from no tuning",
                "|full - base| - (best rank - worst rank)",
                {"ranks": float(len(known)), "between ranks": spread, "full against base": reach},
                reach - spread,
                "points" if evidence.results.metric(task).unit == "%" else evidence.results.metric(task).unit,
                merit=reach - spread,
                interval=_rank_interval(evidence, task, reach - spread, ranks, (full, base)),
                aligned=True,
                note="what rank to take by default is advice, and is not tested",
            )


def _rank_interval(
    evidence: Evidence, task: str, value: float, ranks: Sequence[Candidate], ends: Sequence[Candidate | None]
) -> Interval | None:
    """Return the interval of what full tuning moves beyond the range of the ranks; None without examples.

    The range of several ranks is wider than they differ, by chance alone, and wider again in resamples: the percentile
    interval lies too low for that, the basic one takes it off twice where seeds differ.
    """
    import numpy as np

    asked = [*ranks, *(one for one in ends if one is not None)]
    drawn = [found for one in asked if (found := evidence.comparisons.resampler.quality(one, task)) is not None]
    if len(drawn) < len(ranks) + len(ends):
        return None
    *of_ranks, full, base = drawn
    return wider_interval(value, np.abs(full - base) - np.ptp(np.stack(of_ranks), axis=0))


def tuned_small_reaches_larger(evidence: Evidence) -> Iterator[Finding]:
    """C4: start small and tune: the best small one tuned on the task reaches the larger base's quality."""
    for small, large in evidence.pairs():
        for task in evidence.aligned(small):
            full = evidence.full(small, task)
            tuned = [*([full] if full is not None else []), *evidence.loras(small, task)]
            best = _better_of(evidence, tuned, task)
            rivals = evidence.fulls(small, task) + len(evidence.loras(small, task))
            if best is not None:
                base, several = Candidate(large, "base"), len(evidence.results.larger) > 1
                one = Pair(best, base, task, "quality", named=several, best_of=rivals)
                yield from evidence.better("C4", one)


def lora_is_safer_and_smaller(evidence: Evidence) -> Iterator[Finding]:
    """C5: LoRA takes less memory to train than full tuning, and forgets less of the tasks it was not tuned on."""
    for model in evidence.tuned:
        yield from _memory(evidence, model)
        losses = {kind: _shifts(evidence, model, kind, worst=True) for kind in ("full", "lora")}
        if all(losses.values()):
            worst = {kind: -min(0.0, *values) for kind, values in losses.items()}
            yield _shift_finding(f"C5.{_prefix(evidence, model)}lora.others.forgetting", worst, "forgets less at worst")


def full_amplifies(evidence: Evidence) -> Iterator[Finding]:
    """C6: full tuning moves the tasks it was not tuned on further than LoRA does, up and down."""
    for model in evidence.tuned:
        shifts = {kind: _shifts(evidence, model, kind) for kind in ("full", "lora")}
        if not all(shifts.values()):
            continue
        ups = {kind: max(0.0, *values) for kind, values in shifts.items()}
        downs = {kind: -min(0.0, *values) for kind, values in shifts.items()}
        for name, sizes in (("upside", ups), ("downside", downs)):
            found = _shift_finding(f"C6.{_prefix(evidence, model)}full.others.{name}", sizes, f"has the larger {name}")
            yield replace(found, claim=f"full tuning has the larger {name} on other tasks", merit=-found.merit)


def tuned_small_is_cheaper(evidence: Evidence) -> Iterator[Finding]:
    """C7: the small model tuned on the task is faster than the larger base, and its latency varies less."""
    for small, large in evidence.pairs():
        for task in evidence.aligned(small):
            full, base = evidence.full(small, task), Candidate(large, "base")
            if full is None:
                continue
            several = len(evidence.results.larger) > 1
            yield from evidence.better("C7", Pair(full, base, task, "latency", named=several))
            over = f"-over-{large}-base" if several else ""
            found = evidence.comparisons.spread(full, base, task)
            if found is not None:
                named = Finding(
                    f"C7.{evidence.results.label(full)}{over}.{task}.spread",
                    f"{full.id} varies less in latency for {task} than {large} untuned",
                    unit="s",
                    aligned=True,
                    note="standard deviation of a call's seconds",
                    doubt=evidence.doubt([base if found.difference < 0 else full], task),
                )
                yield compared(named, found, "lower", "difference")


GB = 1e9
CONCLUSIONS: Mapping[str, tuple[str, Callable[[Evidence], Iterator[Finding]]]] = {
    "C1": ("Full fine-tuning beats LoRA on both accuracy and speed", full_beats_lora),
    "C2": ("A larger base model is best on accuracy but slower than the tuned small one", larger_is_best_but_slower),
    "C3": ("LoRA rank has weak effects", rank_is_weak),
    "C4": ("Start small and tune: scaling is then not needed", tuned_small_reaches_larger),
    "C5": ("LoRA takes less memory and forgets less", lora_is_safer_and_smaller),
    "C6": ("Full tuning amplifies both upside and downside on other tasks", full_amplifies),
    "C7": ("Tuned small models are cheaper to serve, and steadier", tuned_small_is_cheaper),
}


def _prefix(evidence: Evidence, model: str) -> str:
    return f"{model}-" if len(evidence.tuned) > 1 else ""


def _better_of(evidence: Evidence, candidates: list[Candidate], task: str) -> Candidate | None:
    known = [(value, one) for one in candidates if (value := evidence.results.quality(one, task)) is not None]
    if not known:
        return None
    sign = evidence.results.metric(task).sign
    return max(known, key=lambda pair: sign * pair[0])[1]


def _shifts(evidence: Evidence, model: str, kind: str, *, worst: bool = False) -> list[float]:
    """Return improvements over the base in percent on tasks not tuned on; with `worst`, only losses count."""
    results = evidence.results
    tuned = [one for one in results.candidates if one.model == model and one.tuned and one.is_full == (kind == "full")]
    pairs = [(one, task) for one in tuned for task in results.tasks if task != one.trained_on]
    shifts = [shift for one, task in pairs if (shift := results.improvement(one, task)) is not None]
    return [min(shift, 0.0) for shift in shifts] if worst else shifts


def _shift_finding(key: str, sizes: Mapping[str, float], what: str) -> Finding:
    return Finding(
        key,
        f"LoRA {what} on tasks not tuned on than full tuning",
        "full - lora, of the largest relative change among tasks not tuned on",
        dict(sizes),
        sizes["full"] - sizes["lora"],
        "points",
        merit=sizes["lora"] - sizes["full"] if "larger" in what else sizes["full"] - sizes["lora"],
        note="extremes of several comparisons: no interval",
    )


def _memory(evidence: Evidence, model: str) -> Iterator[Finding]:
    for task in evidence.trainings(model):
        full = evidence.full(model, task) if task in evidence.results.tasks else None
        peaks = {one: _peak(evidence, one) for one in (full, *evidence.loras(model, task)) if one is not None}
        shared = any(_on_cpu(evidence, one) for one in peaks)
        highest = max((peak for one, peak in peaks.items() if one != full and peak is not None), default=None)
        whole = peaks.get(full) if full is not None else None
        if highest is not None and whole is not None:
            yield Finding(
                f"C5.{_prefix(evidence, model)}lora.{task}.memory",
                f"LoRA at any rank trains on {task} in less memory than full tuning",
                "full - largest LoRA, peak memory of training",
                {"full": whole / GB, "largest LoRA": highest / GB},
                None if shared else (whole - highest) / GB,
                "GB",
                merit=0.0 if shared else (whole - highest) / GB,
                note="on a CPU the peak is the whole process's, libraries and all: not compared" if shared else "",
            )


def _on_cpu(evidence: Evidence, candidate: Candidate) -> bool:
    return any(on_cpu(cell) for cell in evidence.results.cells if cell.candidate == candidate)


def _peak(evidence: Evidence, candidate: Candidate) -> int | None:
    costs = [cell.record.cost for cell in evidence.results.cells if cell.candidate == candidate and cell.record]
    return max((cost.peak_memory_bytes for cost in costs if cost and cost.peak_memory_bytes is not None), default=None)

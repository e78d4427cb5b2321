"""Q1 to Q7 of "When to Tune, When to Scale" (sec. 1 and 4), each computed from results.

Each function yields the parts of one question; `answers` settles them and adds the question's answer as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tunescale_core.findings.evidence import Evidence, Figure, Pair
from tunescale_core.findings.finding import Finding
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.ranks import TIE_RULES, Correlation, rank_correlation, ranks_of_one
from tunescale_core.stats.interval import ALPHA
from tunescale_core.stats.power import POWER

FIGURES: tuple[Figure, Figure] = ("quality", "latency")


def worth_tuning(evidence: Evidence) -> Iterator[Finding]:
    """Q1: full tuning against the same model untuned, on its own task and on every other."""
    for model in evidence.tuned:
        for trained in evidence.trainings(model):
            full = evidence.full(model, trained)
            if full is None:
                continue
            for task in evidence.results.tasks:
                best_of = evidence.fulls(model, trained) if task == trained else 1
                for figure in FIGURES:
                    yield from evidence.better("Q1", Pair(full, full.base, task, figure, best_of=best_of))


def larger_base(evidence: Evidence) -> Iterator[Finding]:
    """Q2: the larger model untuned against the small one, untuned and fully tuned on the task."""
    for small, large in evidence.pairs():
        base = Candidate(large, "base")
        for task in evidence.results.tasks:
            for figure in FIGURES:
                yield from evidence.better(
                    "Q2", Pair(base, Candidate(small, "base"), task, figure, named=len(evidence.tuned) > 1)
                )
        for task in evidence.aligned(small):
            full = evidence.full(small, task)
            if full is not None:
                for figure in FIGURES:
                    pair = Pair(base, full, task, figure, named=True, best_of=evidence.fulls(small, task))
                    yield from evidence.better("Q2", pair)


def lora_with_memory_to_spare(evidence: Evidence) -> Iterator[Finding]:
    """Q3: is the best LoRA better than full tuning, on the task that both were tuned on?"""
    for task, lora, full in lora_and_full(evidence):
        for figure in FIGURES:
            pair = Pair(lora, full, task, figure, best_of=chosen_from(evidence, lora.model, task))
            yield from evidence.better("Q3", pair, note=_best_note(evidence, lora, task))


def rank_matters(evidence: Evidence) -> Iterator[Finding]:
    """Q4: does score or latency go with rank, over the LoRA rows tuned on the task itself?"""
    for model in evidence.tuned:
        for task in evidence.aligned(model):
            for figure in ("score", "latency"):
                found = rank_correlation(evidence.results, model, task, figure)
                ranks = ranks_of_one(evidence.results, model, task)
                if found.n:
                    name = f"{model}-" if len(evidence.tuned) > 1 else ""
                    one = _rank_finding(f"Q4.{name}lora.{task}.{figure}", task, figure, found)
                    yield replace(one, doubt=evidence.doubt(ranks, task)) if figure == "latency" else one


def partial_or_full(evidence: Evidence) -> Iterator[Finding]:
    """Q5: by how much does full tuning differ from the best LoRA, on the task that both were tuned on?"""
    for task, lora, full in lora_and_full(evidence):
        for figure in FIGURES:
            pair = Pair(full, lora, task, figure, best_of=chosen_from(evidence, lora.model, task))
            yield from evidence.better("Q5", pair, "difference", _best_note(evidence, lora, task))


def transfer(evidence: Evidence) -> Iterator[Finding]:
    """Q6: the whole matrix trained on × asked, for every tuned candidate against its base."""
    for candidate in evidence.results.candidates:
        if not candidate.tuned:
            continue
        for task in evidence.results.tasks:
            for found in evidence.better("Q6", Pair(candidate, candidate.base, task, "quality")):
                yield _named_shift(found)


def lora_forced(evidence: Evidence) -> Iterator[Finding]:
    """Q7: is LoRA, at every rank, better than the untuned model on the task it was tuned on?"""
    for model in evidence.tuned:
        for task in evidence.aligned(model):
            for lora in evidence.loras(model, task):
                for figure in FIGURES:
                    yield from evidence.better("Q7", Pair(lora, lora.base, task, figure))


QUESTIONS: Mapping[str, tuple[str, Callable[[Evidence], Iterator[Finding]]]] = {
    "Q1": ("Fine-tuning is worth it: better and faster on the task tuned on", worth_tuning),
    "Q2": ("The larger base model has the better quality, be the small one untuned or tuned", larger_base),
    "Q3": (
        "With memory to spare, LoRA is still the one to use: better and faster than full tuning",
        lora_with_memory_to_spare,
    ),
    "Q4": ("LoRA's rank matters for score or latency", rank_matters),
    "Q5": ("Full tuning is better and faster than the best LoRA", partial_or_full),
    "Q6": ("Tuning on one task helps the others too", transfer),
    "Q7": ("LoRA is worth it where memory forces it: better and faster than the untuned model", lora_forced),
}


def lora_and_full(evidence: Evidence) -> Iterator[tuple[str, Candidate, Candidate]]:
    """Yield the tasks that a model was tuned on both ways: task, best LoRA, full tuning."""
    for model in evidence.tuned:
        for task in evidence.aligned(model):
            lora, full = evidence.lora(model, task), evidence.full(model, task)
            if lora is not None and full is not None:
                yield task, lora, full


def chosen_from(evidence: Evidence, model: str, task: str) -> int:
    """Return among how many pairs the best LoRA and the best full tuning are one."""
    return len(evidence.loras(model, task)) * evidence.fulls(model, task)


def _best_note(evidence: Evidence, lora: Candidate, task: str) -> str:
    """Say which rule chose the LoRA, and which others it chose it from."""
    quality = evidence.results.quality(lora, task)
    ties = [one for one in evidence.loras(lora.model, task) if evidence.results.quality(one, task) == quality]
    tied = f"; ties with {', '.join(one.method for one in ties if one != lora)}" if len(ties) > 1 else ""
    return f"{lora.method} is the best LoRA by {TIE_RULES[evidence.ties]}{tied}"


def _rank_finding(key: str, task: str, figure: str, found: Correlation) -> Finding:
    raw = found.pearson
    others = {"log2 rank": found.pearson_log2, "Spearman": found.spearman}
    told = [f"{name} {pair[0]:+.3f} (p = {pair[1]:.2f})" for name, pair in others.items() if pair]
    constant = "" if raw else "undefined: fewer than three ranks, or the figure is the same at all of them"
    return Finding(
        key,
        f"the {figure} of LoRA for {task} goes with its rank",
        "Pearson's r of rank and " + figure,
        {"ranks": float(found.n)} | {name: pair[0] for name, pair in others.items() if pair},
        raw[0] if raw else None,
        "r",
        merit=abs(raw[0]) if raw else 0.0,
        p=raw[1] if raw else None,
        n=found.n,
        enough=_enough_ranks(raw[0]) if raw else None,
        aligned=True,
        note="; ".join(filter(None, [constant, *told])),
    )


def _enough_ranks(r: float) -> int | None:
    """Return the n at which r would be seen, by Fisher's z."""
    from scipy.special import ndtri

    if not 0 < abs(r) < 1:
        return None
    return math.ceil((float(ndtri(1 - ALPHA / 2) + ndtri(POWER)) / math.atanh(abs(r))) ** 2 + 3)


def _named_shift(found: Finding) -> Finding:
    kind = "the task itself" if found.aligned else "transfer" if found.merit > 0 else "forgetting"
    return replace(found, note="no change" if found.merit == 0 else kind)

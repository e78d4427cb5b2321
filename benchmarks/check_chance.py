"""How often chance alone is called a finding: studies made up in which nothing differs, judged as real ones are.

    python benchmarks/check_chance.py [--studies N] [--json FILE]

Each study has an untuned model and a larger one, full tuning and five LoRA ranks, all as good as each other, whose
answers to the same questions agree as often as real models' do. Counted is how often a comparison has p below 5 % and
an interval without zero, before p is corrected for the number of comparisons: once in twenty is declared. Exits with 1
where a kind of comparison is called more often than that by more than chance: a binomial tail of 1 in 1000, of as many
tries as there are studies, since comparisons in one study share their sides.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import binom
from tabulate import tabulate

from tunescale_core.findings.answers import answers
from tunescale_core.findings.finding import Finding
from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS, Answer

LEVEL = 0.05
SURE = 1e-3
N = 200
ALIKE = 0.6
"""Share of the questions that all models find as hard."""
RIGHT = 0.65
SECONDS = 0.5
SCENES = {
    "one seed": {"task": "arc"},
    "three seeds, 5 points apart": {"task": "arc", "seeds": 3, "apart": 0.05},
    "two seeds, 5 points apart": {"task": "arc", "seeds": 2, "apart": 0.05},
    "passages of five": {"task": "squad_v2", "passage": 5},
    "errors on six questions": {"task": "openmath", "n": 6},
    "a machine that drifts": {"task": "arc", "drift": 0.15},
    "a machine that drifts a little": {"task": "arc", "drift": 0.003},
    "a machine that drifts, three seeds": {"task": "arc", "drift": 0.15, "seeds": 3},
    "few variants, a drift that lasts": {"task": "arc", "drift": 0.15, "ranks": 1, "tasks": 3, "lasting": 0.4},
    "variants as slow on all tasks": {"task": "arc", "drift": 0.15, "ranks": 2, "tasks": 3, "lasting": 1.0},
}
CHOSEN = {"Q3", "Q5", "C1", "C2", "C4"}
"""Questions about the best of several."""
BETWEEN = {"Q2", "C2", "C7"}
"""Questions about the larger model: that a model has one pace shows nothing of another's."""
Called = Counter[tuple[str, str]]


def main() -> int:
    """Simulate, print, and say whether chance keeps to what is declared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    called, of = counted(asked.studies)
    rows, failed = [], False
    for place in sorted(of):
        share = called[place] / of[place]
        much = bool(binom.sf(round(share * asked.studies) - 1, asked.studies, LEVEL) < SURE)
        failed |= much
        rows.append([*place, of[place], called[place], f"{share:.1%}", "TOO OFTEN" if much else ""])
    print(tabulate(rows, ["studies with", "comparison", "made", "called", "share", ""], "github"))  # noqa: T201
    if asked.json:
        told = [dict(zip(("scene", "comparison", "made", "called"), row[:4], strict=True)) for row in rows]
        asked.json.write_text(json.dumps({"level": LEVEL, "studies": asked.studies, "found": told}, indent=1))
    return int(failed)


def counted(studies: int) -> tuple[Called, Called]:
    """Return how often each kind of comparison was called a finding, and how often it was made."""
    called: Called = Counter()
    of: Called = Counter()
    for name, scene in SCENES.items():
        rng = np.random.default_rng(len(name))
        for _ in range(studies):
            for found in answers(made_up(rng, **scene)):  # type: ignore[arg-type]
                if found.is_summary or found.interval is None:
                    continue
                place = (name, _kind(found))
                of[place] += 1
                called[place] += found.interval.excludes_zero and (found.p is None or found.p < LEVEL)
    return called, of


def _kind(found: Finding) -> str:
    figure = found.key.rpartition(".")[2]
    if found.question == "C3":
        return "between ranks"
    if figure == "latency" and found.question in BETWEEN:
        return "latency, between models"
    return f"{figure}, of the best" if found.question in CHOSEN and figure == "quality" else figure


def made_up(  # noqa: PLR0913, PLR0917  what a study is like
    rng: np.random.Generator,
    task: str,
    n: int = N,
    seeds: int = 1,
    apart: float = 0.0,
    passage: int = 1,
    drift: float = 0.0,
    lasting: float = 0.0,
    ranks: int = 5,
    tasks: int = 1,
) -> Results:
    """Return a study in which every model is as good and as fast as every other.

    With `drift`, the standard deviation of a time's logarithm, the machine is slower at some cells than at others; of
    its variance the share `lasting` is the same at all tasks of a variant.
    """
    tuned = [("full", None), *((f"lora-r{rank}", rank) for rank in (2, 4, 8, 16, 32)[:ranks])]
    cells = [("small", method, rank, seed) for method, rank in tuned for seed in range(seeds)]
    cells += [("small", "base", None, None), ("large", "base", None, None)]
    throughout = {cell: rng.normal(0, drift * lasting**0.5) if lasting else 0.0 for cell in cells}
    found = []
    for asked in [task, *(f"{task}-{place}" for place in range(1, tasks))]:
        hard, slow = (np.repeat(rng.random(-(-n // passage)), passage)[:n] for _ in range(2))
        for cell in cells:
            worth = RIGHT + (rng.normal(0, apart) if cell[-1] is not None else 0.0)
            own, pace = (np.repeat(rng.random(-(-n // passage)), passage)[:n] for _ in range(2))
            right = np.where(rng.random(n) < ALIKE, hard, own) < worth
            slower = throughout[cell] + (rng.normal(0, drift * (1 - lasting) ** 0.5) if drift else 0.0)
            seconds = SECONDS * (1 + slow + 0.2 * pace) * np.exp(slower)
            lines = tuple(_lines(rng, task, right, seconds, passage))
            found.append(from_record(_record(*cell, task, asked, lines)))
    return Results(tuple(found), "made up")


def _lines(rng: np.random.Generator, task: str, right: np.ndarray, seconds: np.ndarray, passage: int) -> Iterator[Line]:
    for place, (good, took) in enumerate(zip(right, seconds, strict=True)):
        said = {
            "arc": ("ABCD"[place % 4], "ABCD"[(place + (not good)) % 4]),
            "squad_v2": ("mill", "mill" if good else "dam"),
            "openmath": ("5", str(5 + int(rng.integers(1, 40)) * (not good))),
        }[task]
        answer = Answer((said[0],), said[1])
        fields = {"example": str(place), "group": str(place // passage) if passage > 1 else "", "gold": answer.gold}
        fields |= {"text": said[1], "answer": said[1], "tokens": 4, "finish": "stop", "reasoning_tokens": 0}
        fields |= {"seconds": float(took), "first_token_seconds": float(took) / 4, "scores": TASKS[task].score(answer)}
        yield Line.model_validate(fields)


def _record(  # noqa: PLR0913, PLR0917  a cell's place
    model: str, method: str, rank: int | None, seed: int | None, kind: str, task: str, lines: tuple[Line, ...]
) -> Record:
    cell = f"{model}-{method}-{seed}-for-{task}"
    named = {"study": "made-up", "cell": cell, "model": model, "method": method, "rank": rank}
    asked = {"trained_on": None if seed is None else kind, "task": task, "kind": kind, "seed": seed, "key": None}
    metrics = TASKS[kind].measure([Answer(one.gold, one.answer) for one in lines])
    return Record.model_validate({**named, **asked, "metrics": metrics, "lines": lines})


if __name__ == "__main__":
    sys.exit(main())

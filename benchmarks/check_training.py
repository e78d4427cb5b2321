"""Literal against planned training, side by side: tokens a second, and how far their loss curves are apart.

    python benchmarks/check_training.py [--model SOURCE] [--steps N] [--rounds N] [--tasks TASK,…] [--json FILE]

Takes the paper's recipe (batch 1 × 8 with activation checkpointing) on rows of the embedded world: on the embedded
small model, or on `--model` (on a GPU: Qwen/Qwen3-0.6B). Rounds alternate, so a drift strikes both ways.
Each device's own precision is timed, fp32 on a CPU and bfloat16 autocast on a GPU; the curves are then compared in the
other one too. Exits with 1 where the bar is missed: 1.5 times on a CPU, 3 times on a GPU, and in fp32 curves within
1e-4; in bfloat16 their distance is reported and not judged.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tunescale_core.data.examples import load_examples
from tunescale_core.models.base import resolve
from tunescale_core.models.device import device
from tunescale_core.progress import Progress
from tunescale_core.provenance import provenance
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import ATTENTION, Method
from tunescale_core.study.model import Model
from tunescale_core.training import recipe, running
from tunescale_core.training import tune as tuning
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.plan import Plan

BAR = {"cuda": 3.0}
CPU_BAR = 1.5
CURVES = 1e-4
PRECISION = "ACCELERATE_MIXED_PRECISION"
TASKS = ["arc", "openmath", "squad_v2"]


def main() -> int:
    """Measure and print; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="embedded:mini-small", help="a hub id, a folder, or embedded:NAME")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", type=lambda names: names.split(","), default=TASKS, help="whose rows are learnt")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    base = resolve(Model(source=asked.model), Path()).folder
    bar = BAR.get(device(), CPU_BAR)
    own, other = ("bfloat16", "fp32") if device() == "cuda" else ("fp32", "bfloat16")
    found = [told(own, measured(base, method, task, asked)) for method in ("full", "lora") for task in asked.tasks]
    asked.rounds = 1  # for curves, which are the same every time
    with precision(other):
        others = [told(other, measured(base, method, asked.tasks[-1], asked)) for method in ("full", "lora")]
    speed = statistics.geometric_mean(float(row["times"]) for row in found)
    apart = max(float(row["curves"]) for row in (found if own == "fp32" else others))
    print(f"planned is {speed:.2f} times as fast (bar {bar}); curves in fp32 within {apart:.1e} (bar {CURVES})")  # noqa: T201
    if asked.json:
        asked.json.write_text(
            json.dumps({own: found, other: others, "provenance": provenance(device()).model_dump()}, indent=1)
        )
    return int(speed < bar or apart > CURVES)


def told(precision: str, row: dict[str, Any]) -> dict[str, Any]:
    """Print a comparison as soon as it is made: on a lent machine the rest may not come."""
    print(  # noqa: T201
        f"{precision:8} {row['method']:5} {row['task']:9} literal {row['literal']:9.0f} tokens/s   "
        f"planned {row['planned']:9.0f}   {row['times']:.2f} times   curves within {row['curves']:.1e}   "
        f"({row['plan']}, planned in {row['planning_seconds']:.1f} s)",
        flush=True,
    )
    return row


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Train inside in fp32, or under bfloat16 autocast, whatever the device: Accelerate reads the variable."""
    with (
        mock.patch.object(recipe, "autocast", return_value=name == "bfloat16" and device() == "cuda"),
        mock.patch.dict(os.environ, {PRECISION: "bf16" if name == "bfloat16" else "no"}),
    ):
        yield


def measured(base: Path, method: str, task: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Train both ways in turn and compare."""
    settings = Method() if method == "full" else Method(ranks=(32,), target_modules=ATTENTION)
    study = load("mini", {"study": {"train_examples": 8 * asked.steps}})
    rows = load_examples(study, task, "train").rows
    rank = None if method == "full" else 32
    lesson = Lesson(Variant("m", method, task, 0, rank, settings, f"m-{method}-on-{task}"), base, rows)
    speeds: dict[str, list[float]] = {"literal": [], "planned": []}
    curves: dict[str, list[float]] = {}
    plans: dict[str, str] = {}
    planning = 0.0
    for turn in range(asked.rounds):
        for way in ("literal", "planned") if turn % 2 == 0 else ("planned", "literal"):
            seconds, tokens, curve, plan, took = trained(lesson, way)
            speeds[way].append(tokens / seconds)
            curves[way] = curve
            plans[way] = plan
            planning = max(planning, took)
    middle = {way: statistics.median(values) for way, values in speeds.items()}
    apart = max(abs(a - b) for a, b in zip(curves["literal"], curves["planned"], strict=True))
    return {
        "method": method, "task": task, **middle, "times": middle["planned"] / middle["literal"],
        "curves": apart, "tokens": tokens, "plan": plans["planned"], "planning_seconds": planning,
        "first": curves["literal"][0], "last": curves["literal"][-1],
    }  # fmt: skip


def trained(lesson: Lesson, way: str) -> tuple[float, int, list[float], str, float]:
    """Train once: seconds from the planning on, tokens, the loss of every step, the plan, seconds of planning."""
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        plan = next(iter(tuning.choices(lesson, way)))
        planning = time.perf_counter() - began
        trainer, rows = tuning.trainer_for(lesson, plan, Path(scratch))
        trainer.args.logging_steps = 1
        trainer.state.logging_steps = 1
        cost = running.run(trainer, rows, lesson, running.Attempt(plan), Progress())
    losses, short = [loss for _, loss in cost.losses], Plan.model_validate(cost.plan).short
    return cost.seconds + planning, cost.tokens, losses, short, planning


if __name__ == "__main__":
    sys.exit(main())

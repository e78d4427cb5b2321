"""Measures what makes answers and weights differ where nothing should: threads, batch shapes, precision.

    python benchmarks/check_determinism.py [--model FOLDER] [--questions 600] [--json FILE]

Asks the embedded small model (or `--model`) the same questions again, on other numbers of threads and in batches, in
fp32 and bfloat16, and trains it again; prints which share of the answers, and whether the weights' bits, are the same,
and by how much the logarithm of a next token's probability differs. Only what is promised to be the same, the same call
again, makes it exit with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.completion import Prompt
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.models.base import resolve
from tunescale_core.models.device import device
from tunescale_core.models.opened import open_model
from tunescale_core.progress import Progress
from tunescale_core.provenance import provenance
from tunescale_core.store.identity import weights_digest
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.tune import tune

TASKS = ("arc", "openmath", "squad_v2")
THREADS = (1, 2)
BATCH = 8


@dataclass(frozen=True)
class Row:
    """Two ways to do the same, and how far they agree."""

    what: str
    precision: str
    same: float
    """Share of the answers, or 1 and 0 for weights."""
    promised: bool = False
    nats: float | None = None
    """Of answers: the largest difference between the next token's log-probabilities after a prompt."""


def answers(model: Path, precision: str, threads: int, prompts: Sequence[Prompt], batch: int) -> list[str]:
    """Ask a model, so many at once on so many threads."""
    torch.set_num_threads(threads)
    protocol = Protocol(max_new_tokens=200, dtype=precision)
    decoder = EagerDecoder(open_model(model, protocol), protocol)
    found = dict(decoder.batched(prompts, batch))
    return [found[place].text for place in range(len(prompts))]


def next_tokens(model: Path, precision: str, threads: int, prompts: Sequence[Prompt], batch: int) -> torch.Tensor:
    """Return log-probabilities of the token after each prompt, asked so many at once, shape `(prompts, tokens)`."""
    torch.set_num_threads(threads)
    protocol = Protocol(dtype=precision)
    opened = open_model(model, protocol)
    decoder, found = EagerDecoder(opened, protocol), []
    for start in range(0, len(prompts), batch):
        inputs = decoder.prepare(prompts[start : start + batch]).inputs
        places = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            found.append(opened.model(**inputs, position_ids=places, logits_to_keep=1).logits[:, -1].float())
    return torch.cat(found).log_softmax(-1).cpu()


def weights(model: Path, threads: int, training: str) -> str:
    """Train a LoRA for a few steps and return its merged weights' hash."""
    torch.set_num_threads(threads)
    settings = Method(ranks=(8,), learning_rate=1e-3, target_modules="all-linear")
    rows = load_examples(load("mini", {"study": {"train_examples": 48}}), "squad_v2", "train").rows
    lesson = Lesson(Variant("m", "lora", "squad_v2", 0, 8, settings, "m-lora-r8-on-squad_v2"), model, rows)
    with tempfile.TemporaryDirectory() as folder:
        tune(lesson, Path(folder), Progress(), training)  # type: ignore[arg-type]
        return weights_digest(Path(folder) / "model")


def compared(model: Path, number: int) -> Iterator[Row]:
    """Compare everything with one thread, one question a call."""
    study = load("mini", {"study": {"eval_examples": number // len(TASKS)}})
    prompts = [one.messages for task in TASKS for one in load_examples(study, task, "eval").rows]
    for precision in ("float32", "bfloat16"):
        first = answers(model, precision, 1, prompts, 1)
        predicted = next_tokens(model, precision, 1, prompts, 1)
        for what, threads, batch, promised in (
            ("the same again", 1, 1, True),
            (f"{THREADS[-1]} threads", THREADS[-1], 1, False),
            (f"batches of {BATCH}", 1, BATCH, False),
        ):
            again = answers(model, precision, threads, prompts, batch)
            same = sum(a == b for a, b in zip(first, again, strict=True)) / len(first)
            nats = float((next_tokens(model, precision, threads, prompts, batch) - predicted).abs().max())
            yield Row(f"answers: {what}", precision, same, promised, nats)
    own = "bfloat16 autocast" if device() == "cuda" else "float32"
    first_weights = weights(model, 1, "planned")
    yield Row("weights: the same again", own, float(weights(model, 1, "planned") == first_weights), promised=True)
    yield Row(f"weights: {THREADS[-1]} threads", own, float(weights(model, THREADS[-1], "planned") == first_weights))
    yield Row("weights: literal training", own, float(weights(model, 1, "literal") == first_weights))


def main() -> int:
    """Compare and print; 1 where what is promised to be the same is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of a model; the embedded small one unless given")
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = []
    for row in compared(asked.model or resolve(Model(source="embedded:mini-small"), Path()).folder, asked.questions):
        nats = "" if row.nats is None else f", {row.nats:.1e} nats apart"
        print(f"{row.what:28} {row.precision:18} {row.same:7.1%} the same{nats}", flush=True)  # noqa: T201
        rows.append(row)
    if asked.json:
        content = {"rows": [vars(row) for row in rows], "provenance": provenance(device()).model_dump()}
        asked.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(any(row.promised and (row.same < 1 or (row.nats or 0) > 0) for row in rows))


if __name__ == "__main__":
    sys.exit(main())

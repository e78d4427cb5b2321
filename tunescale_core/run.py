"""One cell, the stages in reading order: checkpoint, generate, score, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tunescale_core.checkpoints import (
    SCHEMA_VERSION,
    Checkpoint,
    Manifest,
    Store,
    TrainingCost,
    identity_of,
    key_of,
    weights_digest,
)
from tunescale_core.data import Examples, load_examples
from tunescale_core.decoding import Call, Completion, Decoder
from tunescale_core.grid import Cell, Variant, task_kind
from tunescale_core.models import Base, device, open_model, resolve
from tunescale_core.progress import Bar, Progress
from tunescale_core.provenance import provenance
from tunescale_core.records import Line, Record, Stages
from tunescale_core.sensors import Sensors
from tunescale_core.study import Study
from tunescale_core.tasks import TASKS, Answer, Example
from tunescale_core.training import tune

Rounds = Callable[[Callable[[Call], None], Iterator[Call], int], None]
"""Runs a function once on each of so many prepared calls, timing as it likes (pytest-benchmark's rounds)."""


def _counted(calls: Sequence[Call], bar: Bar) -> Iterator[Call]:
    for call in calls:
        yield call
        bar.update()


def untimed(function: Callable[[Call], None], calls: Iterator[Call], _: int) -> None:
    """Run the calls one after another, with no clock but the record's own."""
    for call in calls:
        function(call)


@dataclass(frozen=True)
class Subject:
    """An opened variant: what cells are measured on."""

    decoder: Decoder
    key: str
    """Of the checkpoint; of the base's revision for an untuned model."""
    cost: TrainingCost | None
    built: bool


class Bench:
    """A study at work: its store, its data, and the one variant that is open."""

    def __init__(self, study: Study, store: Path, progress: Progress) -> None:
        self.study = study
        self.store = Store(store)
        self.progress = progress
        self.trained: list[str] = []
        self.reused: list[str] = []
        self._open: tuple[Variant, Subject] | None = None
        self._failed: dict[Variant, Exception] = {}
        self._bases: dict[str, Base] = {}
        self._examples: dict[str, Examples] = {}

    @cached_property
    def records(self) -> Path:
        """The folder of this study's records."""
        return self.store.root / "records" / self.study.name

    def subject(self, variant: Variant) -> Subject:
        """Open a variant, building its checkpoint first where the store lacks it; the last one stays open.

        One that failed fails again at once: hours of training are not repeated for each task it would be asked.
        """
        if variant in self._failed:
            raise self._failed[variant]
        if self._open is None or self._open[0] != variant:
            self._open = None  # free the other before this one takes its place
            try:
                self._open = (variant, self._opened(variant))
            except Exception as error:
                self._failed[variant] = error
                raise
        return self._open[1]

    def check(self, cell: Cell) -> None:
        """Load what the cell will ask, so that bad data is met before a long training and not after it.

        Raises:
            DataError: The evaluation data cannot be used.
        """
        self._evaluation(cell.task)

    def measure(self, cell: Cell, subject: Subject, rounds: Rounds = untimed) -> Record:
        """Measure one cell: generate, score, and return its record."""
        began = time.perf_counter()
        examples = self._evaluation(cell.task)
        single = examples.rows[: self.study.protocol.timed_examples]
        calls = [subject.decoder.prepare(example.messages) for example in single]
        prepared = time.perf_counter()
        with Sensors(subject.decoder.opened.device) as sensors:
            for call in calls[: self.study.protocol.warmup_calls]:
                subject.decoder.run(Call(call.inputs))
            with self.progress.bar(f"timing {cell.id}", len(calls)) as bar:
                rounds(subject.decoder.run, _counted(calls, bar), len(calls))
            timed = time.perf_counter()
            rest = self._batched(cell, subject, examples.rows[len(single) :])
        generated = time.perf_counter()
        lines = self._scored(cell, examples.rows, [*map(subject.decoder.completion, calls), *rest])
        metrics = self._metrics(cell, lines)
        ended = time.perf_counter()
        return self._record(
            cell,
            key=key_of({"subject": subject.key, "data": examples.fingerprint, "protocol": self._protocol()}),
            metrics=metrics,
            lines=lines,
            left_out=examples.left_out,
            stages=Stages(
                prepare=prepared - began,
                generate=timed - prepared,
                batch=generated - timed,
                score=ended - generated,
                total=ended - began,
            ),
            peak_memory_bytes=sensors.readings.memory_bytes,
            cost=subject.cost,
            protocol=self._protocol(),
            provenance=provenance(subject.decoder.opened.device),
        )

    def failed(self, cell: Cell, error: BaseException) -> Record:
        """Return the record of a cell that could not be measured."""
        return self._record(cell, key=None, error=f"{type(error).__name__}: {error}")

    def _opened(self, variant: Variant) -> Subject:
        base = self._base(variant.model)
        if variant.settings is None:
            opened = open_model(base.folder, self.study.protocol)
            return Subject(Decoder(opened, self.study.protocol.max_new_tokens), base.revision, None, built=False)
        checkpoint = self._checkpoint(variant, base)
        (self.trained if checkpoint.built else self.reused).append(variant.id)
        opened = open_model(checkpoint.model, self.study.protocol)
        manifest = checkpoint.manifest
        decoder = Decoder(opened, self.study.protocol.max_new_tokens)
        return Subject(decoder, manifest.key, manifest.cost, checkpoint.built)

    def _checkpoint(self, variant: Variant, base: Base) -> Checkpoint:
        if variant.settings is None or variant.task is None or variant.seed is None:
            raise ValueError(f"{variant.id} is untuned and has no checkpoint of its own")
        examples = load_examples(self.study, variant.task, "train", variant.seed)
        method = variant.settings.model_dump(mode="json", exclude={"ranks"}) | {"rank": variant.rank}
        identity = identity_of(base.revision, method, examples.fingerprint, variant.seed, device())
        key = key_of(identity)

        def build(folder: Path) -> Manifest:
            cost = tune(variant, base.folder, examples.rows, folder, self.progress)
            return Manifest(
                schema_version=SCHEMA_VERSION,
                key=key,
                variant=variant.id,
                identity=identity,
                cost=cost,
                provenance=provenance(device()),
                weights_sha256=weights_digest(folder / "model"),
            )

        return self.store.obtain(key, build)

    def _base(self, model: str) -> Base:
        if model not in self._bases:
            self._bases[model] = resolve(self.study.models[model], self.study.folder)
        return self._bases[model]

    def _evaluation(self, task: str) -> Examples:
        if task not in self._examples:
            self._examples[task] = load_examples(self.study, task, "eval")
        return self._examples[task]

    def _batched(self, cell: Cell, subject: Subject, examples: Sequence[Example]) -> list[Completion]:
        found: dict[int, Completion] = {}
        with self.progress.bar(f"asking {cell.id}", len(examples)) as bar:
            prompts = [example.messages for example in examples]
            for place, completion in subject.decoder.batched(prompts, self.study.protocol.batch):
                found[place] = completion
                bar.update()
        return [found[place] for place in range(len(examples))]

    def _scored(self, cell: Cell, examples: Sequence[Example], completions: Sequence[Completion]) -> tuple[Line, ...]:
        task = TASKS[task_kind(self.study, cell.task)]
        lines = []
        for example, completion in zip(examples, completions, strict=True):
            said = task.parse(completion.text)
            lines.append(
                Line(
                    example=example.id,
                    group=example.group,
                    prompt=example.messages[-1]["content"],
                    gold=example.gold,
                    text=completion.text,
                    answer=said,
                    tokens=completion.tokens,
                    finish=completion.finish,
                    reasoning_tokens=completion.reasoning_tokens,
                    seconds=completion.seconds,
                    first_token_seconds=completion.first_token_seconds,
                    scores=task.score(Answer(example.gold, said)),
                )
            )
        return tuple(lines)

    def _metrics(self, cell: Cell, lines: Sequence[Line]) -> dict[str, float | None]:
        task = TASKS[task_kind(self.study, cell.task)]
        return task.measure([Answer(line.gold, line.answer) for line in lines])

    def _protocol(self) -> dict[str, object]:
        return self.study.protocol.model_dump(mode="json")

    def _record(self, cell: Cell, **measured: object) -> Record:
        return Record.model_validate(
            {
                "study": self.study.name,
                "cell": cell.id,
                "model": cell.variant.model,
                "method": cell.variant.method,
                "rank": cell.variant.rank,
                "trained_on": cell.variant.task,
                "task": cell.task,
                "kind": task_kind(self.study, cell.task),
                "seed": cell.variant.seed,
                **measured,
            }
        )

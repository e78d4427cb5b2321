"""One cell, the stages in reading order: checkpoint, generate, score, record."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from tunescale_core.data.examples import Examples, Loader
from tunescale_core.decoding.completion import REMOTE, Completion
from tunescale_core.errors import DamageWarning, RecordError, ResourceError, StoreError, first_line
from tunescale_core.exhausted import exhausted, out_of_memory
from tunescale_core.measuring.asking import Asker, Rounds, untimed
from tunescale_core.measuring.interrupted import Notes, same_circumstances
from tunescale_core.measuring.subjects import Built, Subject, Subjects
from tunescale_core.models.device import device, dtype_of
from tunescale_core.progress import Progress
from tunescale_core.provenance import ANSWER_PACKAGES, FEW_BITS_PACKAGES, Provenance, provenance, versions
from tunescale_core.records.files import read, write
from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record, Stages
from tunescale_core.store.checkpoints import Store
from tunescale_core.store.identity import key_of
from tunescale_core.study.grid import Cell
from tunescale_core.study.serving import EAGER
from tunescale_core.study.study import Study
from tunescale_core.tasks import TASKS, Answer, Example
from tunescale_core.tasks.judging import judge


class Bench:
    """A study at work: its store, its data, and its variants.

    Raises:
        StoreError: A folder of the store is a link out of it.
    """

    def __init__(self, study: Study, store: Path, progress: Progress) -> None:
        self.study = study
        self.store = Store(store)
        self.records = self.store.within(store / "records" / study.name)
        """The folder of this study's records."""
        self.progress = progress
        self._data = Loader(study)
        self.subjects = Subjects(study, self.store, progress, self._data)
        self.notes = Notes(self.store, study.study.name)
        self.taken: list[str] = []
        """Cells taken over from an interrupted run."""

    def check_writable(self) -> None:
        """Look whether records can be written, before anything is measured for them.

        Raises:
            StoreError: They cannot.
        """
        try:
            self.records.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.records):
                pass
        except OSError as error:
            if exhausted(error, self.study.name, self.store.root):
                return  # a disk that is full now may have room when the first cell is done, which says so if not
            raise StoreError(
                f"records cannot be written to {self.records} ({error.strerror}): give another --store"
            ) from error

    def check(self, cell: Cell) -> None:
        """Load what the cell will ask, so that bad data is met before a long training and not after it.

        Raises:
            DataError: The evaluation data cannot be used.
        """
        self._data.evaluation(cell.task)

    def measure(self, cell: Cell, subject: Subject, rounds: Rounds = untimed) -> Record:
        """Measure one cell: generate, score, and return its record.

        Raises:
            ResourceError: Memory ran out in a timed call: a smaller batch than the one that is declared would be
                another measurement; or in a single call.
        """
        began = time.perf_counter()
        examples = self._data.evaluation(cell.task)
        try:
            asker = Asker(self.study.protocol, self.progress, rounds, whole=self._asks_all(cell))
            asked = asker.ask(cell, subject, examples.rows)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            self.subjects.close()
            raise self._too_large(cell, subject, error) from None
        generated = time.perf_counter()
        lines = self._scored(cell, asked.examples, asked.completions)
        metrics = TASKS[self.study.kind(cell.task)].measure([Answer(line.gold, line.answer) for line in lines])
        ended = time.perf_counter()
        return self._record(
            cell,
            base=subject.built.base,
            data=subject.built.data | {"eval": examples.origin},
            recipe=subject.built.recipe,
            trials=subject.built.trials,
            hashes=self._hashes(cell, asked.examples),
            key=self._key(cell, subject.built, subject.decoder.device, examples, asked.batched_by),
            metrics=metrics,
            lines=lines,
            left_out=examples.left_out,
            training_left_out=subject.built.checkpoint.manifest.left_out if subject.built.checkpoint else {},
            stages=Stages(**asked.stages, score=ended - generated, total=ended - began),
            throughput=asked.throughput,
            batch_agreement=asked.agreement,
            batched_by=asked.batched_by,
            peak_memory_bytes=asked.readings.memory_bytes,
            readings=asked.readings,
            energy_per_answer=asked.energy_per_answer,
            cost=subject.built.cost,
            protocol=self._protocol(),
            provenance=provenance(subject.decoder.device),
        )

    def keep(self, record: Record) -> None:
        """Write a cell's record, and note it for the next run in case this one is interrupted.

        Raises:
            StoreError: The store cannot be written.
        """
        try:
            write(record, self.records)
        except OSError as error:
            if exhausted(error, record.cell, self.store.root):
                raise
            raise StoreError(
                f"record {record.cell} cannot be written to {self.records} ({error.strerror}): give another --store"
            ) from error
        if record.error is None:
            self.notes.add(record)

    def take(self, cell: Cell) -> Record | None:
        """Return the record of a cell that an interrupted run had measured, if it is what would be measured now.

        What an endpoint answers is asked again: its weights can be others by now.
        """
        key = self.notes.found.get(cell.id)
        if key is None or self.study.served(cell.serving).mode == "endpoint":
            return None
        try:
            record = read(self.records / f"{cell.id}.json")
        except RecordError as error:
            warnings.warn(f"{error} (an interrupted run's, measured anew)", DamageWarning, stacklevel=2)
            return None
        examples = self._data.evaluation(cell.task)
        wanted = self._key(cell, self.subjects.built(cell.variant), device(), examples, record.batched_by)
        if not record.key == key == wanted or not same_circumstances(record.provenance, self._circumstances()):
            return None
        if record.kind != self.study.kind(cell.task) or not _same_questions(record, examples):
            return None
        self.taken.append(cell.id)
        self.notes.add(record)
        return record

    def _circumstances(self) -> Provenance:
        """Describe what a cell would be measured under."""
        now, threads = provenance(device()), self.study.protocol.threads
        return now.model_copy(update={"threads": threads}) if threads else now

    def _asks_all(self, cell: Cell) -> bool:
        """Tell whether a cell asks the untimed questions too: eager's, and those whose answers are their own."""
        own = self.study.served(cell.serving).mode == EAGER and self.study.answers_otherwise(cell.serving)
        return own or cell.serving == EAGER

    def _too_large(self, cell: Cell, subject: Subject, error: BaseException) -> ResourceError:
        said = first_line(error)
        asked = f"{subject.batch} question{'s' * (subject.batch > 1)} a call"
        smaller = "declare a smaller batch for it, " if subject.batch > 1 else ""
        return ResourceError(
            f"{cell.id} ran out of memory on {subject.decoder.device} at {asked} ({said}); {smaller}lower "
            "max_prompt_tokens or max_new_tokens, or use a larger device"
        )

    def failed(self, cell: Cell, error: BaseException) -> Record:
        """Return the record of a cell that could not be measured."""
        return self._record(cell, key=None, error=f"{type(error).__name__}: {error}")

    def _scored(self, cell: Cell, examples: Sequence[Example], completions: Sequence[Completion]) -> tuple[Line, ...]:
        task = TASKS[self.study.kind(cell.task)]
        lines = []
        for example, completion in zip(examples, completions, strict=True):
            answer, scores = judge(task, example, completion.text)
            lines.append(
                Line(
                    example=example.id,
                    group=example.group,
                    prompt=example.messages[-1]["content"],
                    gold=example.gold,
                    text=completion.text,
                    answer=answer.said,
                    tokens=completion.tokens,
                    finish=completion.finish,
                    reasoning_tokens=completion.reasoning_tokens,
                    seconds=completion.seconds,
                    first_token_seconds=completion.first_token_seconds,
                    device_seconds=completion.device_seconds,
                    prompt_tokens=completion.prompt_tokens,
                    prompt_cut=completion.prompt_cut,
                    scores=scores,
                )
            )
        return tuple(lines)

    def _key(self, cell: Cell, built: Built, where: str, examples: Examples, batched_by: int | None = None) -> str:
        local = where != REMOTE
        other = {} if batched_by is None else {"batched_by": batched_by}
        packages = (*ANSWER_PACKAGES, *(FEW_BITS_PACKAGES if self._serving(cell).get("quantize") else ()))
        return key_of(
            other
            | {
                "subject": built.key,
                "device": where,
                "dtype": str(dtype_of(self.study.protocol)) if local else None,
                "data": examples.fingerprint,
                "protocol": self._protocol(),
                "serving": self._serving(cell),
                "versions": versions(packages) | TASKS.packages(self.study.kind(cell.task)),
            }
        )

    def _hashes(self, cell: Cell, examples: Sequence[Example]) -> dict[str, str]:
        return {
            "examples": key_of({"examples": [[one.id, list(one.gold)] for one in examples]}),
            "prompts": key_of({"prompts": [list(one.messages) for one in examples]}),
            "protocol": key_of({"protocol": self._protocol(), "serving": self._serving(cell)}),
        }

    def _protocol(self) -> dict[str, object]:
        return self.study.protocol.model_dump(mode="json")

    def _serving(self, cell: Cell) -> dict[str, object]:
        if cell.serving == EAGER:
            return {}
        return dict(self.study.serving[cell.serving].settings())

    def _record(self, cell: Cell, **measured: object) -> Record:
        variant = cell.variant
        return Record.model_validate(
            {
                "study": self.study.name,
                "cell": cell.id,
                "model": variant.model,
                "method": variant.method,
                "rank": variant.rank,
                "adapter": variant.settings.adapter if variant.settings else None,
                "trained_on": variant.task,
                "task": cell.task,
                "kind": self.study.kind(cell.task),
                "seed": variant.seed,
                "serving": cell.serving,
                "serving_settings": self._serving(cell),
                "trust_remote_code": self.study.models[variant.model].trust_remote_code,
                **measured,
            }
        )


def _same_questions(record: Record, examples: Examples) -> bool:
    """Tell whether a record's lines are of these examples, by their ids, groups and accepted answers."""
    known = {one.id: (one.group, one.gold) for one in examples.rows}
    return all(known.get(line.example) == (line.group, line.gold) for line in record.lines)

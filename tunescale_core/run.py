"""One cell, the stages in reading order: checkpoint, generate, score, record."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunescale_core.checkpoints import Store, key_of
from tunescale_core.data import Examples, Loader
from tunescale_core.decoding.completion import REMOTE, Call, Completion
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import DamageWarning, DataError, RecordError, ResourceError, StoreError
from tunescale_core.exhausted import exhausted, out_of_memory
from tunescale_core.grid import Cell, task_kind
from tunescale_core.interrupted import Notes, same_circumstances
from tunescale_core.lines import Line
from tunescale_core.models import device, dtype_of
from tunescale_core.progress import Bar, Progress
from tunescale_core.provenance import ANSWER_PACKAGES, Provenance, provenance, versions
from tunescale_core.records import Record, Stages, read, write
from tunescale_core.sensors.device import Sensors
from tunescale_core.sensors.readings import Readings
from tunescale_core.serving import EAGER
from tunescale_core.study import Study
from tunescale_core.subjects import Built, Subject, Subjects
from tunescale_core.tasks import TASKS, Answer, Example

Rounds = Callable[[Callable[[Call], None], Iterator[Call], int], None]
"""Runs a function once on each of so many prepared calls, timing as it likes (pytest-benchmark's rounds)."""
REPEATED = 8
"""Timed questions, at most, that the batched pass is asked again, to tell how far it says the same."""


def _counted(calls: Sequence[Call], bar: Bar) -> Iterator[Call]:
    for call in calls:
        yield call
        bar.update()


def untimed(function: Callable[[Call], None], calls: Iterator[Call], _: int) -> None:
    """Run the calls one after another, with no clock but the record's own."""
    for call in calls:
        function(call)


@dataclass(frozen=True)
class Asked:
    """What a cell's model said, and when."""

    examples: tuple[Example, ...]
    completions: tuple[Completion, ...]
    stages: dict[str, float]
    """Seconds by stage."""
    throughput: float | None
    agreement: float | None
    batched_by: int | None
    """Questions of a batch, where memory ran out at the protocol's."""
    readings: Readings
    """Of the device during the timed calls."""

    @property
    def energy_per_answer(self) -> float | None:
        """Joules an answer of the timed calls took; None where the device has no counter."""
        timed = sum(one.seconds is not None for one in self.completions)
        return self.readings.energy_j / timed if self.readings.energy_j is not None and timed else None


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
            asked = self._asked(cell, subject, examples.rows, rounds)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            self.subjects.close()
            raise self._too_large(cell, subject, error) from None
        generated = time.perf_counter()
        lines = self._scored(cell, asked.examples, asked.completions)
        metrics = TASKS[task_kind(self.study, cell.task)].measure([Answer(line.gold, line.answer) for line in lines])
        ended = time.perf_counter()
        return self._record(
            cell,
            base=subject.built.base,
            data=subject.built.data | {"eval": examples.origin},
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
        if key is None or self._mode(cell) == "endpoint":
            return None
        try:
            record = read(self.records / f"{cell.id}.json")
        except RecordError as error:
            warnings.warn(f"{error} (an interrupted run's, measured anew)", DamageWarning, stacklevel=2)
            return None
        wanted = self._key(
            cell, self.subjects.built(cell.variant), device(), self._data.evaluation(cell.task), record.batched_by
        )
        if not record.key == key == wanted or not same_circumstances(record.provenance, self._circumstances()):
            return None
        self.taken.append(cell.id)
        self.notes.add(record)
        return record

    def _circumstances(self) -> Provenance:
        """Describe what a cell would be measured under."""
        now, threads = provenance(device()), self.study.protocol.threads
        return now.model_copy(update={"threads": threads}) if threads else now

    def _mode(self, cell: Cell) -> str:
        return EAGER if cell.serving == EAGER else self.study.serving[cell.serving].mode

    def _too_large(self, cell: Cell, subject: Subject, error: BaseException) -> ResourceError:
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        asked = f"{subject.batch} question{'s' * (subject.batch > 1)} a call"
        smaller = "declare a smaller batch for it, " if subject.batch > 1 else ""
        return ResourceError(
            f"{cell.id} ran out of memory on {subject.decoder.device} at {asked} ({said}); {smaller}lower "
            "max_prompt_tokens or max_new_tokens, or use a larger device"
        )

    def failed(self, cell: Cell, error: BaseException) -> Record:
        """Return the record of a cell that could not be measured."""
        return self._record(cell, key=None, error=f"{type(error).__name__}: {error}")

    def _asked(self, cell: Cell, subject: Subject, rows: Sequence[Example], rounds: Rounds) -> Asked:
        """Time calls of the first examples, and put the others through in batches where the model is served eagerly.

        Served otherwise only the timed ones are asked, for their answers are to be held against eager's; what fills
        no call is left out, since a compiled call has one shape.
        """
        began = time.perf_counter()
        single = rows[: self.study.protocol.timed_examples]
        if len(single) < subject.batch:
            raise DataError(f"{cell.id} asks {subject.batch} questions at once but times {len(single)}: time more")
        whole = len(single) - len(single) % subject.batch
        calls = [
            subject.decoder.prepare([example.messages for example in single[start : start + subject.batch]])
            for start in range(0, whole, subject.batch)
        ]
        prepared = time.perf_counter()
        self._warm_up(cell, subject, rows[whole:], calls)
        warm = time.perf_counter()
        with self.progress.bar(f"timing {cell.id}", len(calls)) as bar, Sensors(subject.decoder.device) as sensors:
            rounds(subject.decoder.run, _counted(calls, bar), len(calls))
        timed = time.perf_counter()
        said = [one for call in calls for one in subject.decoder.completions(call)]
        rest, agreement = self._batched(cell, subject, rows, said)
        ended = time.perf_counter()
        seconds = sum(call.seconds for call in calls)
        return Asked(
            examples=tuple(rows[: len(said) + len(rest)]),
            completions=(*said, *rest),
            stages={
                "prepare": prepared - began,
                "warm_up": warm - prepared,
                "generate": timed - warm,
                "batch": ended - timed,
            },
            throughput=sum(one.tokens for one in said) / seconds if seconds > 0 else None,
            agreement=agreement,
            batched_by=subject.decoder.batched_by if isinstance(subject.decoder, EagerDecoder) else None,
            # What this machine does while another one answers says nothing of the model.
            readings=sensors.readings if subject.decoder.device != REMOTE else Readings(),
        )

    def _warm_up(self, cell: Cell, subject: Subject, others: Sequence[Example], calls: Sequence[Call]) -> None:
        """Make untimed calls; served otherwise than eagerly at least one, for it may compile.

        Of questions that are not timed, where there are any: a server may remember what it was asked.
        """
        number = self.study.protocol.warmup_calls if cell.serving == EAGER else max(1, self.study.protocol.warmup_calls)
        batches = [others[start : start + subject.batch] for start in range(0, number * subject.batch, subject.batch)]
        whole = [batch for batch in batches if len(batch) == subject.batch]
        fresh = [subject.decoder.prepare([example.messages for example in batch]) for batch in whole]
        for call in (*fresh, *(call.again() for call in calls))[:number]:
            subject.decoder.run(call)

    def _batched(
        self, cell: Cell, subject: Subject, rows: Sequence[Example], said: Sequence[Completion]
    ) -> tuple[list[Completion], float | None]:
        """Ask what was not timed, in batches, and some that was timed once more: (answers, share of equal ones)."""
        rest = rows[len(said) :]
        if cell.serving != EAGER or not rest or not isinstance(subject.decoder, EagerDecoder):
            return [], None
        again = min(REPEATED, len(said))
        prompts = [example.messages for example in (*rest, *rows[:again])]
        found: dict[int, Completion] = {}
        with self.progress.bar(f"asking {cell.id}", len(prompts)) as bar:
            for place, completion in subject.decoder.batched(prompts, self.study.protocol.batch):
                found[place] = completion
                bar.update()
        same = [found[len(rest) + place].text == said[place].text for place in range(again)]
        return [found[place] for place in range(len(rest))], sum(same) / len(same) if same else None

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
                    device_seconds=completion.device_seconds,
                    prompt_tokens=completion.prompt_tokens,
                    prompt_cut=completion.prompt_cut,
                    scores=task.score(Answer(example.gold, said)),
                )
            )
        return tuple(lines)

    def _key(self, cell: Cell, built: Built, where: str, examples: Examples, batched_by: int | None = None) -> str:
        local = where != REMOTE
        other = {} if batched_by is None else {"batched_by": batched_by}
        return key_of(
            other
            | {
                "subject": built.key,
                "device": where,
                "dtype": str(dtype_of(self.study.protocol)) if local else None,
                "data": examples.fingerprint,
                "protocol": self._protocol(),
                "serving": self._serving(cell),
                "versions": versions(ANSWER_PACKAGES),
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
                "kind": task_kind(self.study, cell.task),
                "seed": variant.seed,
                "serving": cell.serving,
                "serving_settings": self._serving(cell),
                "trust_remote_code": self.study.models[variant.model].trust_remote_code,
                **measured,
            }
        )

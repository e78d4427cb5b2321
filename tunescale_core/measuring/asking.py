"""What one cell's model is asked, and how long it takes: timed calls first, then the other questions in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tunescale_core.decoding.completion import REMOTE, Call, Completion
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import DataError
from tunescale_core.measuring.subjects import Subject
from tunescale_core.progress import Bar, Progress
from tunescale_core.sensors.device import Sensors
from tunescale_core.sensors.readings import Readings
from tunescale_core.study.grid import Cell
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import EAGER
from tunescale_core.tasks import Example

Rounds = Callable[[Callable[[Call], None], Iterator[Call], int], None]
"""Runs a function once on each of so many prepared calls, timing as it likes (pytest-benchmark's rounds)."""
REPEATED = 8
"""Timed questions, at most, that the batched pass is asked again, to tell how far it says the same."""


def _counted(calls: Sequence[Call], bar: Bar, *, rolling: bool) -> Iterator[Call]:
    """Count questions as they are answered: between calls, where that takes no time of theirs, or within."""
    for call in calls:
        if rolling:
            call.answered = bar.update
        yield call
        if not rolling:
            bar.update(len(call.prompts))


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


@dataclass(frozen=True)
class Asker:
    """Asks cells' questions under a protocol, and times them."""

    protocol: Protocol
    progress: Progress
    rounds: Rounds = untimed
    whole: bool = True
    """Whether what is not timed is asked too."""

    def ask(self, cell: Cell, subject: Subject, rows: Sequence[Example]) -> Asked:
        """Time calls of the first examples, and put the others through in batches where all are to be asked.

        Elsewhere only the timed ones are, for their answers are to be held against eager's. What fills no call of
        questions that are asked together is left out, since a compiled call has one shape.

        Raises:
            DataError: A call asks more questions than are timed.
        """
        began = time.perf_counter()
        single = rows[: self.protocol.timed_examples]
        if len(single) < subject.batch:
            raise DataError(f"{cell.id} asks {subject.batch} questions at once but times {len(single)}: time more")
        rolling = subject.decoder.rolling
        calls = _calls(subject, single, len(single) if rolling else subject.batch)
        asked = sum(len(call.prompts) for call in calls)
        prepared = time.perf_counter()
        self._warm_up(cell, subject, rows[asked:], single)
        warm = time.perf_counter()
        with self.progress.bar(f"timing {cell.id}", asked) as bar, Sensors(subject.decoder.device) as sensors:
            self.rounds(subject.decoder.run, _counted(calls, bar, rolling=rolling), len(calls))
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

    def _warm_up(self, cell: Cell, subject: Subject, others: Sequence[Example], timed: Sequence[Example]) -> None:
        """Make untimed calls; served otherwise than eagerly at least one, for it may compile.

        Of questions that are not timed, where there are any: a server may remember what it was asked.
        """
        number = self.protocol.warmup_calls if cell.serving == EAGER else max(1, self.protocol.warmup_calls)
        most = number * subject.batch
        calls = (*_calls(subject, others[:most], subject.batch), *_calls(subject, timed[:most], subject.batch))
        for call in calls[:number]:
            subject.decoder.run(call)

    def _batched(
        self, cell: Cell, subject: Subject, rows: Sequence[Example], said: Sequence[Completion]
    ) -> tuple[list[Completion], float | None]:
        """Ask what was not timed, in batches, and some that was timed once more: (answers, share of equal ones)."""
        rest = rows[len(said) :]
        if not self.whole or not rest or not isinstance(subject.decoder, EagerDecoder):
            return [], None
        again = min(REPEATED, len(said))
        prompts = [example.messages for example in (*rest, *rows[:again])]
        found: dict[int, Completion] = {}
        with self.progress.bar(f"asking {cell.id}", len(prompts)) as bar:
            for place, completion in subject.decoder.batched(prompts, self.protocol.batch):
                found[place] = completion
                bar.update()
        same = [found[len(rest) + place].text == said[place].text for place in range(again)]
        return [found[place] for place in range(len(rest))], sum(same) / len(same) if same else None


def _calls(subject: Subject, examples: Sequence[Example], size: int) -> list[Call]:
    """Prepare calls of so many questions each; what fills none is left out."""
    whole = range(0, len(examples) - len(examples) % size, size)
    return [subject.decoder.prepare([one.messages for one in examples[start : start + size]]) for start in whole]

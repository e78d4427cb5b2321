"""Results made up for gates: both sides asked the same, on the same machine, unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from tests.making import line
from tests.making import record as made
from tunescale_core.provenance import Provenance
from tunescale_core.records.lines import Line
from tunescale_core.results.result import Result, from_record
from tunescale_core.sensors.readings import Readings
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.tasks import Answer

CELL = "m-base-for-arc"
HASHES = {"examples": "e" * 64, "prompts": "a" * 64, "protocol": "c" * 64}
HERE = Provenance(
    versions={"torch": "2.9.0", "transformers": "5.0.0", "tokenizers": "0.22.0", "peft": "0.18.0"},
    python="3.12.1",
    platform="Linux-6.1-x86_64",
    cpu_count=8,
    memory_bytes=1,
    device="cpu (x86_64)",
    git_commit=None,
    git_dirty=None,
    created="2026-01-01T00:00:00Z",
    cpu="Some Processor 9000",
    threads=4,
)
GOLDS = "ABCD"


def elsewhere(**fields: object) -> Provenance:
    return HERE.model_copy(update=fields)


def with_torch(version: str) -> Provenance:
    return elsewhere(versions={**HERE.versions, "torch": version})


def side(lines: Sequence[Line] = (), task: str = "arc", **fields: object) -> Result:
    """Return one side's result."""
    defaults = {"hashes": HASHES, "provenance": HERE, "readings": Readings(others=0.0), "cell": f"m-base-for-{task}"}
    return from_record(made(task=task, lines=lines, **{**defaults, **fields}))


def tuned(lines: Sequence[Line], trained: int = 1000, every: int = 9000, **fields: object) -> Result:
    """Return a tuned variant's result."""
    cost = TrainingCost(
        seconds=1,
        tokens=1,
        steps=1,
        peak_memory_bytes=1,
        trainable_parameters=trained,
        parameters=every,
        losses=(),
    )
    return side(lines, method="full", trained_on="arc", cost=cost, **fields)


def letters(right: Sequence[bool], **fields: object) -> list[Line]:
    """Return a line for each of as many questions, the right letter said or the next one."""
    return [
        line(Answer((gold,), gold if good else "BCDA"["ABCD".index(gold)]), place=place, **fields)
        for place, good in enumerate(right)
        for gold in GOLDS[place % 4]
    ]


def spans(right: Sequence[bool], groups: int = 0, **fields: object) -> list[Line]:
    """Return a line for each of as many questions on passages: as many passages as given, or one a question."""
    return [
        line(
            Answer(("mill",), "mill" if good else "dam"),
            "squad_v2",
            place,
            **{"group": f"passage {place * groups // len(right)}" if groups else "", **fields},
        )
        for place, good in enumerate(right)
    ]


def sums(said: Sequence[str]) -> list[Line]:
    """Return a line for each answer to a sum whose right answer is 5."""
    return [line(Answer(("5",), one), "openmath", place) for place, one in enumerate(said)]


def timed(seconds: Sequence[float | None], **fields: object) -> Result:
    """Return a result of right answers that took so long."""
    return side(
        [
            one.model_copy(update={"seconds": value})
            for one, value in zip(letters([True] * len(seconds)), seconds, strict=True)
        ],
        **fields,
    )

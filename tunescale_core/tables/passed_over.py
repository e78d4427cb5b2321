"""What stands in no figure of a table: rows that were left out or cut, prompts that were, batches that were halved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

from tunescale_core.records.record import Record

Seed = int | None


def passed_over(records: Iterable[Record]) -> Iterator[str]:
    """Yield a line for each task and kind of thing passed over; numbers that seeds differ in are told a seed each."""
    known = list(records)
    for task in dict.fromkeys(record.task for record in known):
        yield from _of_evaluation(task, [record for record in known if record.task == task])
    for record in known:
        if record.batched_by is not None:
            yield f"{record.cell}: memory ran out in the batched pass, which went on by {record.batched_by} questions"
    for task in dict.fromkeys(record.trained_on for record in known if record.trained_on is not None):
        yield from _of_training(task, [record for record in known if record.trained_on == task])


def _of_evaluation(task: str, records: list[Record]) -> Iterator[str]:
    reasons = {reason: number for record in records for reason, number in record.left_out.items()}
    if reasons:
        told = ", ".join(f"{number} ({reason})" for reason, number in reasons.items())
        yield f"{task}: rows of the evaluation data left out: {told}"
    cut = max((record.summary.prompts_cut for record in records if record.summary), default=0)
    if cut:
        yield f"{task}: up to {cut} prompts a cell were longer than the window and lost their middle"


def _of_training(task: str, records: list[Record]) -> Iterator[str]:
    reasons = dict.fromkeys(chain.from_iterable(record.training_left_out for record in records))
    counts = {why: _most(records, partial(_left_out, why)) for why in reasons}
    if counts:
        told = ", ".join(f"{_each(by_seed)} ({why})" for why, by_seed in counts.items())
        yield f"{task}: training rows left out: {told}"
    cut = _most(records, lambda one: max(0, one.cost.rows_cut - one.cost.rows_masked) if one.cost else 0)
    if any(cut.values()):
        yield f"{task}: training rows longer than max_length, which lost their end: {_each(cut)}"
    masked = _most(records, lambda one: one.cost.rows_masked if one.cost else 0)
    if any(masked.values()):
        yield f"{task}: training rows left out, for their prompts alone fill max_length: {_each(masked)}"


def _left_out(why: str, record: Record) -> int:
    return record.training_left_out.get(why, 0)


def _most(records: list[Record], count: Callable[[Record], int]) -> dict[Seed, int]:
    """Return of each seed the largest count: its methods take the same rows, but may cut them otherwise."""
    found: dict[Seed, int] = {}
    for one in records:
        found[one.seed] = max(found.get(one.seed, 0), count(one))
    return found


def _each(by_seed: Mapping[Seed, int]) -> str:
    if len(set(by_seed.values())) == 1:
        return str(next(iter(by_seed.values())))
    return f"{', '.join(map(str, by_seed.values()))} of seeds {', '.join(map(str, by_seed))}"

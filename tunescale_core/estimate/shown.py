"""Estimates as a table, beside what a run measured where there is one."""

from __future__ import annotations

from collections.abc import Sequence

from tunescale_core.estimate.costs import Estimate
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.latency import anatomy
from tunescale_core.results.results import Results
from tunescale_core.results.served import served_by
from tunescale_core.study.serving import VIA
from tunescale_core.tables.table import MISSING, Block, Column, Entry, Row, Table, number, words

GB = 1e9


def estimate_table(
    found: Sequence[Estimate], measured: Results | None = None, against: str = "", unknown: Sequence[str] = ()
) -> Table:
    """Return a row a variant.

    Args:
        found: The estimates.
        measured: A run's results, whose training peak, time a token and trained weights then stand beside.
        against: What names the device.
        unknown: Why there is no row of some models.
    """
    columns = [
        Column("variant", words=True),
        Column("weights, M"),
        Column("trained, M"),
        Column("training GB"),
        Column("training fits"),
        Column("rows at once", words=True),
        Column("ms a token, at least"),
        Column("cache kB a token"),
        Column("serving GB"),
        Column("serving fits"),
        Column("store GB"),
    ]
    if measured:
        columns += [Column(head, "measured") for head in ("trained, M", "training GB", "ms a token")]
    rows = [Row(one.variant, (*_entries(one), *(_measured(one, measured) if measured else ()))) for one in found]
    total = sum(one.store_bytes for one in found) / GB
    notes = [f"held against {against}"] if against else []
    notes += [
        f"store in all: {total:.3g} GB",
        "training GB: weights, gradients, Adam's moments, and what rows of max_length keep",
    ]
    notes += [
        f"not estimated: {reason}" for reason in dict.fromkeys([*unknown, *(o.unknown for o in found if o.unknown)])
    ]
    if measured:
        notes.append("measured training GB is the process's peak, on a CPU with the libraries' own in it")
    return Table("estimate", "Before spending", tuple(columns), (Block("", tuple(rows)),), tuple(notes))


def _entries(one: Estimate) -> tuple[Entry, ...]:
    return (
        words(one.variant),
        _millions(one.parameters),
        _millions(one.trainable or None),
        _gigabytes(one.training_bytes),
        Entry(MISSING) if one.fits is None else _fits(one.fits),
        words(one.plan or MISSING),
        number(1000 * one.seconds_per_token, 4),
        number(one.cache_per_token / 1000, 3),
        _gigabytes(one.serving_bytes),
        _fits(one.serves),
        _gigabytes(one.store_bytes or None),
    )


def _fits(yes: bool) -> Entry:  # noqa: FBT001  of what is shown
    return words("yes" if yes else "NO")


def _measured(one: Estimate, results: Results) -> tuple[Entry, ...]:
    """Find a variant's records by its id, as they were served; its seeds share an estimate."""
    name, _, way = one.variant.partition(VIA)
    found = _by_way(results, way)
    candidates = [each for each in found.candidates if name in {each.id, *_seeded(found, each)}]
    if not candidates:
        return (Entry(MISSING), Entry(MISSING), Entry(MISSING))
    costs = [c.record.cost for task in found.tasks for c in found.at(candidates[0], task) if c.record and not way]
    known = [cost for cost in costs if cost is not None]
    paces = [told.pace for task in found.tasks if (told := anatomy(found, candidates[0], task))]
    steady = [pace for pace in paces if pace is not None]
    return (
        _millions(known[0].trainable_parameters if known else None),
        _gigabytes(max((cost.peak_memory_bytes for cost in known if cost.peak_memory_bytes is not None), default=None)),
        number(1000 * sum(steady) / len(steady) if steady else None, 4),
    )


def _by_way(results: Results, way: str) -> Results:
    """Return results as a way of serving makes them; without any where nothing was measured so."""
    if not way:
        return results
    served = any(cell.serving == way for cell in results.served)
    return served_by(results, way).results if served else Results(())


def _seeded(results: Results, candidate: Candidate) -> set[str]:
    seeds = {cell.seed for task in results.tasks for cell in results.at(candidate, task)}
    return {f"{candidate.id}-s{seed}" for seed in seeds}


def _millions(value: int | None) -> Entry:
    return number(None if value is None else value / 1e6, 3)


def _gigabytes(value: float | None) -> Entry:
    return number(None if value is None else value / GB, 3)

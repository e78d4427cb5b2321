"""Where each candidate's latency comes from, against the small model untuned."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.latency import Anatomy, anatomy, same_calls, split
from tunescale_core.results.resampler import resampler_of
from tunescale_core.results.results import Results
from tunescale_core.tables.drifting import drift_noted
from tunescale_core.tables.table import MISSING, Block, Column, Entry, Row, Table, number, share, words

PARTS = ("ratio", "length", "pace", "first")


def latency_table(results: Results) -> Table:
    """Return a row a candidate and task: the ratio of latencies split into factors, reasoning, and truncation.

    The factors of output length, time a token and time to first token multiply to the ratio; what they are against is
    the first tuned model untuned, or the first model where none was tuned.
    """
    columns = [Column("candidate", words=True), Column("ms a token"), Column("s to first token")]
    columns += [Column("latency ×", "against base"), *(Column(f"{name} ×", "against base") for name in PARTS[1:])]
    columns += [Column("reasons"), Column("tokens of it"), Column("truncated")]
    blocks = [Block(f"asked {task}", rows) for task in results.tasks if (rows := tuple(_rows(results, task)))]
    parts = "length × pace × first = latency: how many tokens, how long each, how long until the first"
    notes = (parts, *drift_noted(resampler_of(results).drift))
    return Table("latency", "Where latency comes from", tuple(columns), tuple(blocks), notes)


def reference_of(results: Results) -> Candidate | None:
    """Return what latencies are held against: the first tuned model untuned, or the first untuned one."""
    bases = [one for one in results.candidates if not one.tuned]
    return next((one for one in bases if one.model in results.tuned[:1]), bases[0] if bases else None)


def _rows(results: Results, task: str) -> Iterator[Row]:
    base = reference_of(results)
    against = anatomy(results, base, task) if base else None
    for one in results.candidates:
        found = anatomy(results, one, task)
        if found is not None:
            comparable = base is not None and same_calls(results, one, base, task)
            entries = (words(one.id), *_entries(found, against if comparable else None))
            yield Row(f"{results.label(one)} {task}", entries, one.model, one.method)


def _entries(found: Anatomy, against: Anatomy | None) -> list[Entry]:
    pace = None if found.pace is None else 1000 * found.pace
    entries = [number(pace, 2), number(found.first, 4)]
    if against is None:
        entries += [Entry(MISSING)] * len(PARTS)
    else:
        parts = split(found, against)
        factors = (parts.ratio, *(math.exp(part) for part in (parts.length, parts.pace, parts.first)))
        entries += [number(factor, 2) for factor in factors]
    return [*entries, share(found.reasoned), number(found.reasoning_tokens, 1), share(found.truncated)]

"""How the same weights do served one way and another: time, tokens a second, and whether they say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from statistics import fmean

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results, mean_if_known
from tunescale_core.results.served import Alike, against, alike, calls_of, same_seed
from tunescale_core.stats.interval import Interval
from tunescale_core.study.serving import EAGER
from tunescale_core.tables.table import MISSING, Column, Entry, Row, Table, block, number, words
from tunescale_core.tables.timed_beside import timed_beside


def serving_table(results: Results) -> Table:
    """Return a row a candidate and way of serving, a block a task; eager first.

    A batch's questions all wait for its end, so each takes the whole call, and time a token is not told apart. `equal`
    counts the answers that are eager's word for word; quality is over the timed questions that all rows share, and what
    stands against eager is over those that it and eager share.
    """
    columns = [
        Column("candidate", words=True),
        Column("served", words=True),
        Column("s", better="lower"),
        Column("s to first token", better="lower"),
        Column("ms a token", better="lower"),
        Column("tokens a s", better="higher"),
        Column("J an answer", better="lower"),
        Column("equal to eager", words=True),
        Column("quality"),
        Column("against eager", words=True),
    ]
    blocks = []
    for task in dict.fromkeys(cell.task for cell in results.served):
        rows = [row for one in _candidates(results, task) for row in _rows(results, one, task)]
        blocks.append(block(f"asked {task}", columns, rows))
    notes = (
        "s: wall clock of one call, the mean over timed questions; quality: the metric by which one answer is judged",
        "J: of the whole card, by its own counter; – where there is none",
        "against eager: the difference in quality, with its 95 % interval over questions",
        "equal to eager: timed answers that are the same word for word; – where eager was not run",
        *timed_beside(results.served),
    )
    return Table("serving", "Ways of serving", tuple(columns), tuple(blocks), notes)


def _candidates(results: Results, task: str) -> list[Candidate]:
    return list(dict.fromkeys(cell.candidate for cell in results.served if cell.task == task))


def _rows(results: Results, one: Candidate, task: str) -> Iterator[Row]:
    eager = results.at(one, task)
    served = [cell for cell in results.served if cell.candidate == one and cell.task == task]
    timed = [_timed(cell) for cell in (*eager, *served) if cell.rows is not None]
    shared = set.intersection(*timed) if timed else set()
    for name in dict.fromkeys([*(cell.serving for cell in eager), *(cell.serving for cell in served)]):
        cells = eager if name == EAGER else [cell for cell in served if cell.serving == name]
        pairs = [(cell, same_seed(eager, cell)) for cell in cells]
        difference = None if name == EAGER else against(pairs)
        entries = (words(one.id), words(name), *_times(cells), *_answers(pairs, shared), _told(difference))
        yield Row(f"{results.label(one)} {task} {name}", entries, one.model, one.method)


def _timed(cell: Result) -> set[str]:
    """Return which examples were timed."""
    rows = cell.rows
    return {one for one, timed in zip(rows.example, rows.timed, strict=True) if timed} if rows else set()


def _times(cells: Sequence[Result]) -> list[Entry]:
    first = mean_if_known(
        [cell.record.summary.first_token if cell.record and cell.record.summary else None for cell in cells]
    )
    pace = mean_if_known([_pace(cell) for cell in cells])
    return [
        number(mean_if_known([cell.latency for cell in cells]), 4),
        number(first, 4),
        number(None if pace is None else 1000 * pace, 2),
        number(mean_if_known([cell.record.throughput if cell.record else None for cell in cells]), 1),
        number(mean_if_known([cell.record.energy_per_answer if cell.record else None for cell in cells]), 2),
    ]


def _pace(cell: Result) -> float | None:
    """Return seconds a token after the first, over the timed questions."""
    if cell.rows is None or not cell.rows.timed.any() or calls_of(cell) != 1:
        return None
    rows = cell.rows
    written = rows.timed & (rows.first_token_seconds >= 0)  # a call that wrote nothing has no first token
    steps = (rows.tokens - 1)[written].sum()
    return float((rows.seconds - rows.first_token_seconds)[written].sum() / steps) if steps > 0 else None


def _answers(pairs: Sequence[tuple[Result, Result | None]], shared: set[str]) -> list[Entry]:
    """Return how many timed answers are eager's, and the quality over the shared questions, over all seeds."""
    same = sum((alike(cell, eager) for cell, eager in pairs), Alike())
    worth: list[float] = []
    for cell, _ in pairs:
        if cell.rows is not None:
            figures = zip(cell.rows.example, cell.rows.figures[cell.judged], strict=True)
            worth += [float(value) for example, value in figures if example in shared and not isnan(value)]
    return [words(str(same) if same.of else MISSING), number(fmean(worth) if worth else None, 4)]


def _told(difference: Interval | None) -> Entry:
    if difference is None:
        return words(MISSING)
    return words(f"{difference.value:+.3g} [{difference.low:+.3g}, {difference.high:+.3g}]")

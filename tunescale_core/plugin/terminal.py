"""What the plugin prints at the end: the study's tables, what was left out, where the records are, what follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunescale_core.harmless import harmless
from tunescale_core.plugin.answers import answered
from tunescale_core.plugin.findings import asks
from tunescale_core.plugin.session import SESSION, Session, cell_of
from tunescale_core.study.serving import EAGER

if TYPE_CHECKING:
    from tunescale_core.measuring.cell import Bench
    from tunescale_core.records.record import Record
    from tunescale_core.results.results import Results
    from tunescale_core.study.study import Study
    from tunescale_core.study.task_data import Purpose


UNASKED = "no test found here measures the study's cells; this one would: def test_it(measure): measure()  (docs/ci.md)"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note whether any test asks for the study's cells, before some are deselected."""
    config.stash[SESSION].unasked = not any(cell_of(item) or asks(item) for item in items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the study's tables and where its records are."""
    session = config.stash[SESSION]
    if config.getoption("--study") and session.unasked and not terminalreporter.stats.get("error"):
        terminalreporter.write_line(UNASKED)
    if not session.records or session.bench is None:
        return
    from tunescale_core.results.recorded import gathered
    from tunescale_core.results.result import from_record
    from tunescale_core.tables.every import run_tables
    from tunescale_core.tables.flags import told_once
    from tunescale_core.tables.formats import plain, terminal

    bold = (lambda text: f"\033[1m{text}\033[0m") if terminalreporter.hasmarkup else plain
    bench = session.bench

    def shown(path: Path) -> str:
        start = config.invocation_params.dir
        return str(path.relative_to(start) if path.is_relative_to(start) else path)

    results = gathered(map(from_record, session.records), shown(bench.records))
    whole = [record for record in session.records if record.serving == EAGER] or session.records
    examples = _range(record.examples for record in whole)
    timed = _range(record.summary.timed if record.summary else 0 for record in whole)
    terminalreporter.section(f"study {bench.study.name}")
    for table in told_once(run_tables(results)):
        terminalreporter.write_line(terminal(table, bold))
        terminalreporter.write_line("")
    terminalreporter.write_line(
        f"n = {examples} questions a cell, {timed} of them timed; s is mean seconds of generate()"
    )
    terminalreporter.write_line(_training_line(bench, shown(bench.store.root)))
    for line in (*_short_lines(bench.study, session.records), *session.untold):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"records: {shown(bench.records)}")
    for title, text in _following(session, results):
        terminalreporter.section(f"{title} for study {bench.study.name}")
        for line in text.splitlines():
            terminalreporter.write_line(harmless(line))


def _range(numbers: Iterable[int]) -> str:
    """Return what there is in every cell, or from the fewest to the most; a cell that failed tells none."""
    known = [number for number in numbers if number] or [0]
    return str(max(known)) if min(known) == max(known) else f"{min(known)} to {max(known)}"


def _following(session: Session, results: Results) -> list[tuple[str, str]]:
    """Return what follows from the results; a fault in that must not cost what others print and write after it."""
    try:
        return list(answered(session, results))
    except Exception as error:  # noqa: BLE001
        return [("findings and advice", f"none: {type(error).__name__}: {error} (tunescale --tb findings shows where)")]


def _training_line(bench: Bench, store: str) -> str:
    made = bench.subjects
    trained, reused = (f"{len(one)} checkpoint{'s' * (len(one) != 1)}" for one in (made.trained, made.reused))
    if not made.trained:
        return f"trained nothing, took {reused} from the store {store}"
    return f"trained {trained}, took {reused} from the store {store}"


def _short_lines(study: Study, records: list[Record]) -> Iterator[str]:
    """Say where data had fewer usable rows than the study asks for, a line a task and purpose."""
    asked = {one.task: one.examples for one in records if one.serving == EAGER and one.summary}
    learnt = {one.trained_on: one.cost.rows for one in records if one.trained_on and one.cost and one.cost.rows}
    had: dict[Purpose, dict[str, int]] = {"eval": asked, "train": learnt}
    for purpose, found in had.items():
        for task, rows in found.items():
            if rows < (wanted := study.examples(task, purpose)):
                yield f"{task}: {purpose}_examples is {wanted}, and its data have {rows} usable rows"

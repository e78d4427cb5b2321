"""The study's cells as pytest-benchmark cases: parametrization and the fixtures they use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tunescale_core.errors import ResourceError, StoreError, StudyError, ThresholdError, TuneScaleError
from tunescale_core.plugin.session import ALONE, MARKS, SESSION, Uncaptured, is_shared_out, one_line

if TYPE_CHECKING:
    from tunescale_core.decoding.completion import Call
    from tunescale_core.measuring.cell import Bench
    from tunescale_core.measuring.subjects import Subject
    from tunescale_core.records.record import Record
    from tunescale_core.study.grid import Cell


OURS = frozenset({"measure", "thresholds", "tunescale_subject"})
"""Fixtures that only a test of the study's cells asks for."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a case of each cell, those of one variant together; another suite's own `cell` is left alone."""
    if "cell" in metafunc.fixturenames and not OURS.isdisjoint(metafunc.fixturenames) and not _has_own_cell(metafunc):
        from tunescale_core.study.grid import cells

        grid = cells(metafunc.config.stash[SESSION].load())
        metafunc.parametrize("cell", [pytest.param(cell, id=cell.id, marks=MARKS) for cell in grid])


def _has_own_cell(metafunc: pytest.Metafunc) -> bool:
    """Tell whether another suite gives a test its `cell`: by a fixture, or by parametrizing it."""
    given = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize") if mark.args]
    named = {name.strip() for one in given for name in (one.split(",") if isinstance(one, str) else one)}
    fixtures = metafunc.definition._fixtureinfo.name2fixturedefs  # noqa: SLF001  nothing public names a test's fixtures
    return "cell" in named or "cell" in fixtures


def bench_of(config: pytest.Config, selected: Collection[str] = ()) -> Bench:
    """Return the study at work, opened once.

    Args:
        config: Of the run.
        selected: Ids of the cells that it is to measure.

    Raises:
        StoreError: The store cannot be written, or a folder of it is a link out of it.
    """
    from tunescale_core.measuring.cell import Bench
    from tunescale_core.progress import Progress

    session = config.stash[SESSION]
    if session.bench is None:
        opened = Bench(session.load(), session.store, Progress(Uncaptured(config)))
        opened.check_writable()
        opened.notes.begin(forget=selected if config.getoption("--no-resume") else ())
        session.bench = opened
    return session.bench


@pytest.fixture(scope="session")
def tunescale_bench(request: pytest.FixtureRequest) -> Bench:
    """The study at work: its store, its data, and the one variant that is open."""
    if is_shared_out(request.config):
        raise one_line(StudyError(ALONE))
    try:
        return bench_of(request.config)
    except StoreError as error:
        raise one_line(error) from None


@pytest.fixture
def tunescale_subject(tunescale_bench: Bench, cell: Cell, request: pytest.FixtureRequest) -> Subject:
    """The cell's variant, its checkpoint built or loaded, opened once for all its cells."""
    with _recording_failure(request.config, tunescale_bench, cell):
        tunescale_bench.check(cell)
        return tunescale_bench.subjects.subject(cell)


@pytest.fixture
def measure(tunescale_bench: Bench, cell: Cell, benchmark: Any, request: pytest.FixtureRequest) -> Callable[[], Record]:
    """A function that measures the cell, a round of the benchmark a sample, and keeps its record.

    What an interrupted run had measured is taken over, its times with it, and no model is opened.
    """
    bench = tunescale_bench
    benchmark.group = f"for {cell.task}"  # copied when the first time is taken
    benchmark.skipped = True  # until there is something to time: a case that fails before is none that forgot to
    with _recording_failure(request.config, bench, cell):
        bench.check(cell)
        taken = bench.take(cell)
    subject: Any = None if taken else request.getfixturevalue("tunescale_subject")
    benchmark.skipped = False

    def measured() -> Record:
        if taken is not None:
            _replay(benchmark, taken)
            benchmark.extra_info["taken_over"] = True
            return _told(taken)
        with _recording_failure(request.config, bench, cell):
            if subject.decoder.rolling:
                record = bench.measure(cell, subject)
                _replay(benchmark, record)
            else:
                record = bench.measure(cell, subject, partial(_rounds, benchmark))
        with _one_line(cell, bench):
            bench.keep(record)
        return _told(record)

    def _told(record: Record) -> Record:
        request.config.stash[SESSION].add(record)
        benchmark.extra_info.update(_extra(record))
        return record

    return measured


@pytest.fixture
def thresholds(tunescale_bench: Bench, cell: Cell) -> Callable[[Record], None]:
    """A function that asserts the study's quality thresholds for the cell."""
    from tunescale_core.gates.thresholds import hold
    from tunescale_core.study.grid import expected_of

    def held(record: Record) -> None:
        try:
            hold(record, expected_of(tunescale_bench.study, cell))
        except ThresholdError as error:
            raise one_line(error) from None

    return held


def _rounds(benchmark: Any, function: Callable[[Call], None], calls: Iterator[Call], number: int) -> None:
    """Give pytest-benchmark one round a call; where it is switched off, just make the calls."""
    from tunescale_core.measuring.asking import untimed

    if benchmark.disabled:
        benchmark.pedantic(lambda: untimed(function, calls, number))
        return
    last: list[Call] = []

    def upcoming() -> tuple[tuple[Call], dict[str, object]]:
        """Return the next call; after the last, for --benchmark-cprofile, that one once more."""
        call = next(calls, None)
        last[:] = [call if call is not None else last[0].again()]
        return (last[0],), {}

    benchmark.pedantic(function, setup=upcoming, rounds=number, iterations=1)


def _replay(benchmark: Any, record: Record) -> None:
    """Give pytest-benchmark the times of calls that another run made, or that were under way together."""
    from tunescale_core.records.record import call_seconds

    if benchmark.disabled:
        benchmark.pedantic(lambda: None)
        return
    benchmark._mode = "benchmark.pedantic(...)"  # noqa: SLF001  there is no public way to give it times
    stats = benchmark._make_stats(1)  # noqa: SLF001
    for seconds in call_seconds(record):
        stats.update(seconds)


def _extra(record: Record) -> dict[str, object]:
    return {
        **record.metrics,
        **(record.summary.model_dump(exclude={"latency", "median_latency", "std_latency"}) if record.summary else {}),
        "record_key": record.key,
        "peak_memory_bytes": record.peak_memory_bytes,
        "stages": record.stages.model_dump() if record.stages else None,
        "training": record.cost.model_dump(exclude={"losses"}) if record.cost else None,
        "provenance": record.provenance.model_dump() if record.provenance else None,
    }


@contextmanager
def _one_line(cell: Cell, bench: Bench) -> Iterator[None]:
    """Turn what runs out while a record is written into one line."""
    from tunescale_core.exhausted import telling

    try:
        with telling(cell.id, bench.store.root):
            yield
    except TuneScaleError as error:
        raise one_line(error) from None


class _recording_failure:  # noqa: N801  reads as a statement where it is used
    """Leaves a record of what goes wrong inside, and turns errors made for users into one clean line."""

    def __init__(self, config: pytest.Config, bench: Bench, cell: Cell) -> None:
        self._config, self._bench, self._cell = config, bench, cell

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        # Of what is no Exception, pytest's own failure is one of the cell all the same: pytest-timeout ends it so.
        if not isinstance(error, (Exception, pytest.fail.Exception)):
            return
        from tunescale_core.exhausted import exhausted

        error = exhausted(error, self._cell.id, self._bench.store.root) or error
        record = self._bench.failed(self._cell, error)
        self._config.stash[SESSION].add(record)
        try:
            self._bench.keep(record)
        except (ResourceError, StoreError) as full:  # what went wrong first is told first
            if not isinstance(error, TuneScaleError):
                raise
            raise one_line(TuneScaleError(f"{error}; and of this no record is kept: {full}")) from None
        if isinstance(error, TuneScaleError):
            raise one_line(error) from None

"""The pytest plugin: options, parametrization, fixtures, the terminal summary. Thin: the work is elsewhere."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunescale_core.errors import StudyError, ThresholdError, TuneScaleError

if TYPE_CHECKING:
    from tunescale_core.decoding.completion import Call
    from tunescale_core.grid import Cell
    from tunescale_core.records import Record
    from tunescale_core.run import Bench
    from tunescale_core.study import ExpectedFinding, Study
    from tunescale_core.subjects import Subject

COUNTS = {
    "--train-examples": ("study", "train_examples", "rows each variant is tuned on"),
    "--eval-examples": ("study", "eval_examples", "questions each cell is asked"),
    "--timed-examples": ("protocol", "timed_examples", "of these, how many are generated one at a time and timed"),
    "--max-new-tokens": ("protocol", "max_new_tokens", "tokens an answer may have"),
}


@dataclass
class Session:
    """What the plugin knows of the run under way."""

    name: str
    store: Path
    overrides: dict[str, dict[str, object]]
    study: Study | None = None
    bench: Bench | None = None
    records: list[Record] = field(default_factory=list)

    def load(self) -> Study:
        """Read the study once.

        Raises:
            pytest.UsageError: It is not valid; nothing has been started.
        """
        if self.study is None:
            from tunescale_core.grid import cells
            from tunescale_core.study import load

            try:
                self.study = load(self.name, self.overrides)
                cells(self.study)
            except StudyError as error:
                raise pytest.UsageError(str(error)) from None
        return self.study


SESSION = pytest.StashKey[Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare TuneScale's options."""
    group = parser.getgroup("tunescale", "tune or scale?")
    group.addoption("--study", metavar="NAME|FILE", help="the study to run: a name, or a TOML file (default: mini)")
    group.addoption(
        "--store", metavar="DIR", default=".tunescale", help="checkpoints and records (default: .tunescale)"
    )
    for option, (_, _, text) in COUNTS.items():
        group.addoption(option, metavar="N", type=int, help=f"{text}, instead of the study's own")
    group.addoption(
        "--training",
        choices=("planned", "literal"),
        help="planned: a training step is cut as the memory at hand allows; literal: as the recipe is written",
    )
    group.addoption(
        "--serving",
        metavar="WAY[,WAY]",
        help="measure these ways of serving beside eager: static, adapter, batch-8, static-batch-4, …",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options once; validate the study at once where one is asked for."""
    config.addinivalue_line("markers", "tunescale: a case of the study")
    overrides: dict[str, dict[str, object]] = {}
    for option, (table, key, _) in COUNTS.items():
        if (value := config.getoption(option)) is not None:
            overrides.setdefault(table, {})[key] = value
    if config.getoption("--training"):
        overrides.setdefault("study", {})["training"] = config.getoption("--training")
    for name in filter(None, (config.getoption("--serving") or "").split(",")):
        overrides.setdefault("serving", {})[name.strip()] = {}
    session = Session(config.getoption("--study") or "mini", Path(config.getoption("--store")), overrides)
    config.stash[SESSION] = session
    if config.getoption("--study") or overrides:
        session.load()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a case of each cell, those of one variant together."""
    if "cell" in metafunc.fixturenames:
        from tunescale_core.grid import cells

        grid = cells(metafunc.config.stash[SESSION].load())
        metafunc.parametrize("cell", grid, ids=[cell.id for cell in grid])
    if "expected_finding" in metafunc.fixturenames:
        wanted = metafunc.config.stash[SESSION].load().findings
        metafunc.parametrize("expected_finding", wanted, ids=[one.key for one in wanted])


def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, obj: object) -> list[pytest.Item] | None:
    """Make no case of findings where the study declares none, rather than one that is skipped."""
    if not inspect.isfunction(obj) or "expected_finding" not in inspect.signature(obj).parameters:
        return None
    return None if collector.config.stash[SESSION].load().findings else []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave findings for the end, when there are records."""
    items.sort(key=lambda item: "expected_finding" in getattr(item, "fixturenames", ()))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Ask PEFT about a study's adapters before the first case runs, where that could go wrong."""
    study = session.config.stash[SESSION].study
    if study is None or session.config.option.collectonly or not session.items:
        return
    if any(method.peft or method.quantize for method in study.methods.values()):
        from tunescale_core.training.recipe import check_methods

        try:
            check_methods(study)
        except StudyError as error:
            raise pytest.UsageError(f"study {study.name}: {error}") from None


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Bench:
    """The study at work: its store, its data, and the one variant that is open."""
    from tunescale_core.progress import Progress
    from tunescale_core.run import Bench

    session = request.config.stash[SESSION]
    if session.bench is None:
        session.bench = Bench(session.load(), session.store, Progress(_Uncaptured(request.config)))
    return session.bench


@pytest.fixture
def subject(bench: Bench, cell: Cell, request: pytest.FixtureRequest) -> Subject:
    """The cell's variant, its checkpoint built or loaded, opened once for all its cells."""
    with _recording_failure(request.config, bench, cell):
        bench.check(cell)
        return bench.subjects.subject(cell)


@pytest.fixture
def measure(
    bench: Bench, cell: Cell, subject: Subject, benchmark: Any, request: pytest.FixtureRequest
) -> Callable[[], Record]:
    """A function that measures the cell, a round of the benchmark a sample, and keeps its record."""
    from tunescale_core.records import write

    def measured() -> Record:
        with _recording_failure(request.config, bench, cell):
            record = bench.measure(cell, subject, partial(_rounds, benchmark))
        write(record, bench.records)
        request.config.stash[SESSION].records.append(record)
        benchmark.group = f"for {cell.task}"
        benchmark.extra_info.update(_extra(record))
        return record

    return measured


@pytest.fixture
def thresholds(bench: Bench, cell: Cell) -> Callable[[Record], None]:
    """A function that asserts the study's quality thresholds for the cell."""
    from tunescale_core.grid import expected_of
    from tunescale_core.thresholds import hold

    def held(record: Record) -> None:
        try:
            hold(record, expected_of(bench.study, cell))
        except ThresholdError as error:
            raise _one_line(error) from None

    return held


@pytest.fixture
def finding_holds(bench: Bench) -> Callable[[ExpectedFinding], None]:
    """A function that asserts what the study expects of a finding, from the records on disk."""
    from tunescale_core.errors import RecordError
    from tunescale_core.findings.answers import answers
    from tunescale_core.findings.expected import hold
    from tunescale_core.results import from_folder

    def held(expected: ExpectedFinding) -> None:
        try:
            hold(answers(from_folder(bench.records)), expected)
        except (RecordError, ThresholdError) as error:
            raise _one_line(error) from None

    return held


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the study's tables and where its records are."""
    session = config.stash[SESSION]
    if not session.records or session.bench is None:
        return
    from tunescale_core.results import from_record, gathered
    from tunescale_core.tables.every import run_tables
    from tunescale_core.tables.formats import plain, terminal

    bold = (lambda text: f"\033[1m{text}\033[0m") if terminalreporter.hasmarkup else plain
    results = gathered(map(from_record, session.records))
    bench = session.bench
    examples = max(record.examples for record in session.records)
    timed = max(record.summary.timed if record.summary else 0 for record in session.records)
    terminalreporter.section(f"study {bench.study.name}")
    for table in run_tables(results):
        terminalreporter.write_line(terminal(table, bold))
        terminalreporter.write_line("")
    terminalreporter.write_line(
        f"n = {examples} questions a cell, {timed} of them timed; s is mean seconds of generate()"
    )
    terminalreporter.write_line(_training_line(bench))
    for line in _left_out_lines(session.records):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"records: {bench.records}")


def _training_line(bench: Bench) -> str:
    made = bench.subjects
    trained, reused = (f"{len(one)} checkpoint{'s' * (len(one) != 1)}" for one in (made.trained, made.reused))
    if not made.trained:
        return f"trained nothing, took {reused} from the store {bench.store.root}"
    return f"trained {trained}, took {reused} from the store {bench.store.root}"


def _left_out_lines(records: list[Record]) -> Iterator[str]:
    """Say what rows were passed over and what prompts were cut, a line a task."""
    for task in dict.fromkeys(record.task for record in records):
        mine = [record for record in records if record.task == task]
        reasons = {reason: number for record in mine for reason, number in record.left_out.items()}
        if reasons:
            told = ", ".join(f"{number} ({reason})" for reason, number in reasons.items())
            yield f"{task}: rows of the evaluation data left out: {told}"
        cut = max((record.summary.prompts_cut for record in mine if record.summary), default=0)
        if cut:
            yield f"{task}: up to {cut} prompts a cell were longer than the window and lost their middle"
    trained = {record.trained_on: record.training_left_out for record in records if record.training_left_out}
    for trained_on, reasons in trained.items():
        told = ", ".join(f"{number} ({reason})" for reason, number in reasons.items())
        yield f"{trained_on}: training rows left out: {told}"
    cuts = {record.trained_on: record.cost.rows_cut for record in records if record.cost and record.cost.rows_cut}
    for trained_on, number in cuts.items():
        yield f"{trained_on}: {number} training rows were longer than max_length and lost their end"


def _rounds(benchmark: Any, function: Callable[[Call], None], calls: Iterator[Call], number: int) -> None:
    """Give pytest-benchmark one round a call; where it is switched off, just make the calls."""
    from tunescale_core.run import untimed

    if benchmark.disabled:
        benchmark.pedantic(lambda: untimed(function, calls, number))
        return
    benchmark.pedantic(function, setup=lambda: ((next(calls),), {}), rounds=number, iterations=1)


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


def _one_line(error: TuneScaleError) -> BaseException:
    """Return the failure of a case that shows an error's own line and no traceback."""
    return pytest.fail.Exception(str(error), pytrace=False)


class _recording_failure:  # noqa: N801  reads as a statement where it is used
    """Leaves a record of what goes wrong inside, and turns errors made for users into one clean line."""

    def __init__(self, config: pytest.Config, bench: Bench, cell: Cell) -> None:
        self._config, self._bench, self._cell = config, bench, cell

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        from tunescale_core.records import write

        record = self._bench.failed(self._cell, error)
        write(record, self._bench.records)
        self._config.stash[SESSION].records.append(record)
        if isinstance(error, TuneScaleError):
            raise _one_line(error) from None


class _Uncaptured(io.TextIOBase):
    """A stream to the terminal that pytest's capture does not swallow."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._capture = config.pluginmanager.getplugin("capturemanager")
        self._writer = config.get_terminal_writer()

    def write(self, text: str) -> int:
        """Write at once, capture suspended."""
        with self._capture.global_and_fixture_disabled():
            self._writer.write(text, flush=True)
        return len(text)

    def flush(self) -> None:
        """Everything is written at once."""

    def isatty(self) -> bool:
        """Tell whether somebody watches."""
        return bool(self._writer.hasmarkup)

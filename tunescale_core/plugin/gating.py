"""Gates as pytest items: a run held against its baseline, a verdict an item, and the baseline saved."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunescale_core.errors import BaselineError, ResourceError, StoreError, TuneScaleError
from tunescale_core.plain_json import dumps
from tunescale_core.plugin.beside import keep_beside
from tunescale_core.plugin.following import Following, FollowingItem
from tunescale_core.plugin.session import ALONE, SESSION, cell_of, is_shared_out, is_worker, one_line

if TYPE_CHECKING:
    from tunescale_core.gates.gating import Gating
    from tunescale_core.measuring.cell import Bench
    from tunescale_core.pace.classes import PaceClass
    from tunescale_core.pace.pace import Measured

GATING = pytest.StashKey["Gating"]()
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""Where GitHub's runner says that a job's summary goes."""
NOTHING_COMPARED = 5
"""Exit code of a gate over nothing, as pytest's of a run over no tests."""
FILES = ("--gate-summary", "--gate-json")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of gates."""
    group = parser.getgroup("tunescale gates", "compare a run with a baseline")
    group.addoption("--baseline", metavar="NAME|FILE", help="fail if the run is worse than this baseline")
    group.addoption("--save-baseline", metavar="NAME", help="save the run as a baseline, in benchmarks/baselines/")
    group.addoption("--baseline-texts", action="store_true", help="keep prompts and answers in a saved baseline")
    group.addoption("--no-pace", action="store_true", help="skip the interleaved timing, in gates and baselines")
    group.addoption("--gate-summary", metavar="FILE", help="write the verdicts to this file as Markdown")
    group.addoption("--gate-json", metavar="FILE", help="write the verdicts to this file as JSON")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find and read the baseline, and refuse what cannot be meant, before anything is run."""
    if is_worker(config):
        return
    wanted, saved = config.getoption("--baseline"), config.getoption("--save-baseline")
    _check_files(config)
    if wanted is None and saved is None:
        return
    if is_shared_out(config):
        raise pytest.UsageError(ALONE)
    if config.getoption("--benchmark-skip"):
        raise pytest.UsageError("--benchmark-skip skips every cell: there is nothing to compare or save")
    from tunescale_core.gates.baseline import folder_of
    from tunescale_core.gates.gating import Gating

    study = config.stash[SESSION].load()
    folder = folder_of(Path(config.invocation_params.dir), study.folder)
    try:
        config.stash[GATING] = Gating.opened(study, wanted, saved, folder)
    except TuneScaleError as error:
        raise pytest.UsageError(str(error)) from None


def _check_files(config: pytest.Config) -> None:
    for option in FILES:
        path = config.getoption(option)
        if path is not None and config.getoption("--baseline") is None:
            raise pytest.UsageError(f"{option} says what gates found: give --baseline too")
        if path is not None and not Path(path).parent.is_dir():
            raise pytest.UsageError(f"{option} {path}: there is no folder {Path(path).parent}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Add an item a verdict for the cells that are to run, after all that others select and sort."""
    yield
    gating = config.stash.get(GATING, None)
    selected = [cell for item in items if (cell := cell_of(item)) is not None]
    if gating is None or not selected:
        return
    gating.select(selected)
    if not config.option.collectonly:
        _check_saving(config, gating, {cell.id for cell in selected})
    node = Following.from_parent(session, name="gate", nodeid="gate")
    items += [
        VerdictItem.from_parent(node, name=f"{cell}::{metric}", cell=cell, metric=metric)
        for cell, metric in gating.expected()
    ]
    if gating.saved_to:
        items.append(SaveItem.from_parent(node, name=f"save {gating.saved_to.name}"))


def _check_saving(config: pytest.Config, gating: Gating, kept: set[str]) -> None:
    """Refuse to save over a baseline that would lose by it, or that cannot be read to tell."""
    name = config.getoption("--save-baseline")
    try:
        losing = gating.losing(kept, paces=not config.getoption("--no-pace"))
    except TuneScaleError as error:
        raise pytest.UsageError(f"--save-baseline {name}: {error}, its folder deleted first") from None
    if losing:
        raise pytest.UsageError(f"--save-baseline {name}: {losing}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure paces before the first item that asks for them, where no limit on an item's time (pytest-timeout) runs.

    A fault is met again, and told, by the item that asks.
    """
    if isinstance(item, GateItem) and item.asks_for_paces:
        item.measure_paces()
    return (yield)


@contextmanager
def _captured(config: pytest.Config) -> Iterator[None]:
    """Capture what is printed as if it were printed within the next item, which reads it."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    capture.resume_global_capture()
    try:
        yield
    finally:
        capture.suspend_global_capture(in_=False)


class GateItem(FollowingItem):
    """An item that the gates of the run are asked for."""

    _met: Sequence[warnings.WarningMessage] = ()
    """What was warned of while paces were measured, outside the item: it is for the item to say."""

    @property
    def asks_for_paces(self) -> bool:
        """Whether it will need the run's paces."""
        return True

    def measure_paces(self) -> None:
        """Measure them before the item begins."""
        with _captured(self.config), warnings.catch_warnings(record=True) as met, suppress(Exception):
            warnings.simplefilter("default")
            paces = self.taken().paces
            _ = paces.measured if paces else None
        self._met = met

    def taken(self) -> Gating:
        """Return the gates, what was measured handed over."""
        met, self._met = self._met, ()
        for one in met:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        session, gating = self.config.stash[SESSION], self.config.stash[GATING]
        bench = None if self.config.getoption("--no-pace") else session.bench
        gating.take(session.records, partial(_measured, bench) if bench else None)
        return gating


class VerdictItem(GateItem):
    """One figure of one case against the baseline's."""

    place = 2

    def __init__(self, *, cell: str, metric: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.cell, self.metric = cell, metric

    def runtest(self) -> None:
        """Give the verdict: a failure, a skip where nothing was to be compared, or a pass."""
        from tunescale_core.gates.shown import line, properties

        verdict = self.taken().verdict(self.cell, self.metric)
        if verdict is None:
            pytest.skip(f"{self.cell} {self.metric}: not compared, see the verdict on the case")
        self.user_properties += properties(verdict)
        self.add_report_section("call", "gate", line(verdict))
        if verdict.failed:
            raise pytest.fail.Exception(line(verdict), pytrace=False)
        if verdict.outcome == "refused":
            pytest.skip(line(verdict))


class SaveItem(GateItem):
    """The run, saved as a baseline."""

    place = 3

    @property
    def asks_for_paces(self) -> bool:
        """Whether it will: what is refused for a failed test is not measured first."""
        return not self.session.testsfailed

    def runtest(self) -> None:
        """Save, unless a test failed: what is kept is what later runs are held against."""
        gating = self.taken()
        try:
            if gating.outcome in {"first run", "holds"} and self.session.testsfailed:
                raise BaselineError(f"baseline is not saved: tests of this run that failed: {self.session.testsfailed}")
            gating.save(texts=self.config.getoption("--baseline-texts"))
        except TuneScaleError as error:
            raise one_line(error) from None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep what belongs beside the records, and let what neither compared nor saved anything not pass."""
    gating, bench = session.config.stash.get(GATING, None), session.config.stash[SESSION].bench
    if session.config.option.collectonly:
        return
    if bench is not None and session.config.stash[SESSION].records:
        try:
            keep_beside(bench, gating.paces.already if gating and gating.paces else ())
        except (ResourceError, StoreError, OSError) as error:
            session.config.stash[SESSION].untold.append(str(error))
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if gating is None:
        return
    gating.stopped = bool(session.shouldstop or session.shouldfail) or exitstatus == pytest.ExitCode.INTERRUPTED
    own = sum(one.failed for one in gating.given) + gating.unsaved
    alone = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and session.testsfailed <= own
    if alone and (gating.outcome == "nothing compared" or (gating.unsaved and not session.testsfailed)):
        session.exitstatus = NOTHING_COMPARED


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Say after all others what the gates found; also where one of them ends the run, as --benchmark-compare-fail."""
    try:
        yield
    except Exception:
        _tell(terminalreporter, config)
        raise
    _tell(terminalreporter, config)


def _tell(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the gates found, and write it where that was asked for."""
    gating = config.stash.get(GATING, None)
    if gating is None or config.option.collectonly:
        return
    from tunescale_core.gates.summary import lines, title

    terminalreporter.section(title(gating))
    for text in lines(gating):
        terminalreporter.write_line(text)
    if gating.wanted is None:
        return
    for path, told in _files(config, gating):
        try:
            with path.open("a" if str(path) == os.environ.get(STEP_SUMMARY) else "w", encoding="utf-8") as file:
                file.write(told())
        except OSError as error:
            terminalreporter.write_line(f"{path} cannot be written: {error.strerror}")
        else:
            terminalreporter.write_line(f"verdicts: {path}")


def _files(config: pytest.Config, gating: Gating) -> Iterator[tuple[Path, Callable[[], str]]]:
    from tunescale_core.gates.shown import as_objects
    from tunescale_core.gates.summary import pull_request

    def objects() -> str:
        return dumps(as_objects(gating.given))

    def summary() -> str:
        return pull_request(gating)

    wanted = (config.getoption("--gate-summary"), config.getoption("--gate-json"), os.environ.get(STEP_SUMMARY))
    for path, text in zip(wanted, (summary, objects, summary), strict=True):
        if path:
            yield Path(path), text


def _measured(bench: Bench, classes: Sequence[PaceClass]) -> Measured:
    from tunescale_core.pace.measure import measure

    return measure(bench.subjects, classes, bench.study.gate.blocks)

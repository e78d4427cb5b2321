"""Gates as pytest items: a run held against its baseline, a verdict an item, and the baseline saved."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunescale_core.errors import TuneScaleError
from tunescale_core.plugin.session import SESSION, one_line

if TYPE_CHECKING:
    from tunescale_core.gates.gating import Gating
    from tunescale_core.pace.classes import PaceClass
    from tunescale_core.pace.pace import Measured
    from tunescale_core.run import Bench

GATING = pytest.StashKey["Gating"]()
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""Where GitHub's runner says that a job's summary goes."""
NOTHING_COMPARED = 5
"""Exit code of a gate over nothing, as pytest's of a run over no tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of gates."""
    group = parser.getgroup("tunescale gates", "hold a run against a baseline")
    group.addoption("--baseline", metavar="NAME|FILE", help="fail where the run is worse than this baseline")
    group.addoption("--save-baseline", metavar="NAME", help="save the run as a baseline, in benchmarks/baselines/")
    group.addoption("--baseline-texts", action="store_true", help="keep prompts and answers in a saved baseline")
    group.addoption("--no-pace", action="store_true", help="leave out the interleaved timing, in gates and baselines")
    group.addoption("--gate-summary", metavar="FILE", help="write the verdicts as Markdown")
    group.addoption("--gate-json", metavar="FILE", help="write the verdicts as JSON")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find and read the baseline before anything is run."""
    wanted, saved = config.getoption("--baseline"), config.getoption("--save-baseline")
    if not wanted and not saved:
        _refuse_alone(config)
        return
    from tunescale_core.gates.baseline import FOLDER
    from tunescale_core.gates.gating import Gating

    session = config.stash[SESSION]
    try:
        config.stash[GATING] = Gating.opened(session.load(), wanted, saved, config.rootpath / FOLDER)
    except TuneScaleError as error:
        raise pytest.UsageError(str(error)) from None


def _refuse_alone(config: pytest.Config) -> None:
    for option in ("--gate-summary", "--gate-json"):
        if config.getoption(option):
            raise pytest.UsageError(f"{option} says what gates found: give --baseline too")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add an item a verdict for the cells that are to run, after all of them."""
    gating = config.stash.get(GATING, None)
    selected = [item.callspec.params["cell"] for item in items if "cell" in _parameters(item)]  # type: ignore[attr-defined]
    if gating is None or not selected:
        return
    gating.select(selected)
    node = Gates.from_parent(session, name="gate", nodeid="gate")
    items += [
        VerdictItem.from_parent(node, name=f"{cell}::{metric}", cell=cell, metric=metric)
        for cell, metric in gating.expected()
    ]
    if gating.saved_to:
        items.append(SaveItem.from_parent(node, name=f"save {gating.saved_to.name}"))


def _parameters(item: pytest.Item) -> dict[str, object]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


class Gates(pytest.Collector):
    """Where verdicts stand in the tree of tests."""

    def collect(self) -> list[pytest.Item]:
        """Collect nothing: what is gated follows from the cells that were selected."""
        return []


class GateItem(pytest.Item):
    """An item whose failure is one line."""

    @property
    def gating(self) -> Gating:
        """The gates of this run."""
        return self.config.stash[GATING]

    def taken(self) -> Gating:
        """Return the gates, what was measured handed over."""
        session = self.config.stash[SESSION]
        bench = None if self.config.getoption("--no-pace") else session.bench
        self.gating.take(session.records, partial(_measured, bench) if bench else None)
        return self.gating

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say what stands in a report's head line."""
        return self.config.rootpath, None, self.name


class VerdictItem(GateItem):
    """One figure of one case against the baseline's."""

    def __init__(self, *, cell: str, metric: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.cell, self.metric = cell, metric

    def runtest(self) -> None:
        """Give the verdict: a failure, a skip where nothing was to be compared, or a pass."""
        from tunescale_core.gates.shown import line, properties

        try:
            verdict = self.taken().verdict(self.cell, self.metric)
        except TuneScaleError as error:
            raise one_line(error) from None
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

    def runtest(self) -> None:
        """Save, unless a case failed or the run is worse than the baseline it was held against."""
        try:
            self.taken().save(texts=self.config.getoption("--baseline-texts"))
        except TuneScaleError as error:
            raise one_line(error) from None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the paces beside the records, and let a gate that compared nothing fail, whatever passed beside it."""
    from tunescale_core.pace.pace import paces_beside, write

    gating, bench = session.config.stash.get(GATING, None), session.config.stash[SESSION].bench
    if gating is None or session.config.option.collectonly:
        return
    if bench is not None and gating.measured.paces:
        write(gating.measured.paces, paces_beside(bench.records))
    if gating.baseline is None:
        return
    refused = sum(one.failed for one in gating.given)
    others_failed = (
        exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} or session.testsfailed > refused
    )
    if gating.compared_nothing and not others_failed:
        session.exitstatus = NOTHING_COMPARED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the gates found, and write it where that was asked for."""
    gating = config.stash.get(GATING, None)
    if gating is None or config.option.collectonly:
        return
    terminalreporter.section(gating.title)
    for text in gating.lines():
        terminalreporter.write_line(text)
    for path in _write(config, gating):
        terminalreporter.write_line(f"gate summary: {path}")


def _write(config: pytest.Config, gating: Gating) -> Iterator[Path]:
    from tunescale_core.gates.shown import as_objects

    if wanted := config.getoption("--gate-summary"):
        Path(wanted).write_text(gating.markdown(), encoding="utf-8")
        yield Path(wanted)
    if wanted := config.getoption("--gate-json"):
        Path(wanted).write_text(json.dumps(as_objects(gating.given), indent=1), encoding="utf-8")
        yield Path(wanted)
    if step := os.environ.get(STEP_SUMMARY):
        with Path(step).open("a", encoding="utf-8") as file:
            file.write(gating.markdown())


def _measured(bench: Bench, classes: Sequence[PaceClass]) -> Measured:
    from tunescale_core.pace.measure import measure

    return measure(bench.subjects, classes, bench.study.gate.blocks)

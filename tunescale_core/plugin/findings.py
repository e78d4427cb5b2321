"""Findings that a study declares, as cases: of a test that asks for them, or where no test does, of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tunescale_core.errors import StudyError, TuneScaleError
from tunescale_core.plugin.cases import bench_of
from tunescale_core.plugin.following import Following, FollowingItem
from tunescale_core.plugin.session import ALONE, MARKS, SESSION, cell_of, is_shared_out, one_line

if TYPE_CHECKING:
    from tunescale_core.measuring.cell import Bench
    from tunescale_core.study.expected import ExpectedFinding

EXPECTED, HOLDS = "expected_finding", "finding_holds"
"""The arguments by which a test asks for them; with one alone it is another suite's own."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a case of each finding."""
    if {EXPECTED, HOLDS} <= set(metafunc.fixturenames):
        wanted = metafunc.config.stash[SESSION].load().findings
        metafunc.parametrize(EXPECTED, [pytest.param(one, id=one.key, marks=MARKS) for one in wanted])


def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, obj: object) -> list[pytest.Item] | None:
    """Make no case of findings where the study declares none, rather than one that is skipped."""
    if not inspect.isfunction(obj) or not {EXPECTED, HOLDS} <= set(inspect.signature(obj).parameters):
        return None
    return None if collector.config.stash[SESSION].load().findings else []


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave findings for the end, when there are records; of a whole study, those that no test asks are asked here."""
    items.sort(key=asks)
    if any(map(asks, items)) or not _is_whole(config, items):
        return
    node = Following.from_parent(session, name="findings", nodeid="findings")
    wanted = config.stash[SESSION].load().findings
    items += [FindingItem.from_parent(node, name=one.key, expected=one) for one in wanted]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Put what asks for records behind what makes them, whatever order others have made meanwhile, as --nf does."""
    session.items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return item.place if isinstance(item, FollowingItem) else int(asks(item))


def asks(item: pytest.Item) -> bool:
    """Tell whether a test asks for findings."""
    return {EXPECTED, HOLDS} <= set(getattr(item, "fixturenames", ()))


def _is_whole(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Tell whether all cells of the study were collected: who names one test wants no answer from the others."""
    found = {cell.id for item in items if (cell := cell_of(item)) is not None}
    if not found:
        return False
    from tunescale_core.study.grid import cells

    return found >= {cell.id for cell in cells(config.stash[SESSION].load())}


class FindingItem(FollowingItem):
    """One finding, as the study expects it."""

    place = 1

    def __init__(self, *, expected: ExpectedFinding, **rest: Any) -> None:
        super().__init__(**rest)
        self.expected = expected

    def runtest(self) -> None:
        """Fail in one line where the records do not bear it out."""
        if is_shared_out(self.config):
            raise one_line(StudyError(ALONE))
        _hold(bench_of(self.config), self.expected)


@pytest.fixture
def finding_holds(tunescale_bench: Bench) -> Callable[[ExpectedFinding], None]:
    """A function that asserts what the study expects of a finding, from the records on disk."""
    return lambda expected: _hold(tunescale_bench, expected)


def _hold(bench: Bench, expected: ExpectedFinding) -> None:
    from tunescale_core.findings.answers import answers
    from tunescale_core.findings.expected import hold
    from tunescale_core.results.recorded import from_folder

    try:
        hold(answers(from_folder(bench.records)), expected)
    except TuneScaleError as error:
        raise one_line(error) from None

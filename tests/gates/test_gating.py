"""A run's gates from beginning to end, with paces that a test made up."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.making import line, record
from tests.pacing import pace as paced
from tunescale_core.errors import BaselineError, DataError
from tunescale_core.gates.baseline import read, save
from tunescale_core.gates.gating import Gating
from tunescale_core.gates.paces import Measure
from tunescale_core.gates.summary import notes
from tunescale_core.pace.classes import PaceClass
from tunescale_core.pace.pace import YARDSTICK, Measured, Pace
from tunescale_core.records.record import Record
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.study.study import Study
from tunescale_core.tasks import Answer

STUDY = """
[study]
name = "small"
[models.m]
source = "embedded:mini-small"
[models.larger]
source = "embedded:mini-large"
[tasks.arc]
[serving.static]
"""
HASHES = {"examples": "e" * 64, "prompts": "f" * 64, "protocol": "a" * 64}
SAVED = Path("baselines/main")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Return a study of two untuned models, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(STUDY)
    return load("small.toml")


def records(study: Study) -> list[Record]:
    lines = [line(Answer(("A",), "AB"[n % 2]), place=n) for n in range(20)]
    return [
        record(lines=lines, cell=cell.id, model=cell.variant.model, hashes=HASHES, serving=cell.serving)
        for cell in cells(study)
    ]


def pace(subject: str, level: float) -> Pace:
    reference = YARDSTICK if subject == "m-base" else "m-base"
    return paced([level + 0.001 * (place % 3) for place in range(10)], subject=subject, reference=reference)


class Clock:
    """Measures paces: so many levels, one a time it is asked, the last for ever."""

    def __init__(self, *levels: float) -> None:
        self.levels = list(levels)
        self.asked: list[list[str]] = []

    def __call__(self, classes: Sequence[PaceClass]) -> Measured:
        """Return the classes' paces at the next level."""
        self.asked.append([one.id for one in classes])
        level = self.levels.pop(0) if len(self.levels) > 1 else self.levels[0]
        return Measured(tuple(pace(one.id, level) for one in classes))


def gating(study: Study, measure: Measure | None, *, saved: str | None = None, before: tuple[Pace, ...] = ()) -> Gating:
    save(records(study), [pace("m-base", 0.0), pace("larger-base", 0.0)], SAVED)
    found = Gating.opened(study, "main", saved, SAVED.parent)
    found.select(cells(study))
    found.take(records(study), measure, before)
    return found


def test_what_is_expected_is_given(study: Study) -> None:
    """Every expected verdict is given, and no other."""
    found = gating(study, Clock(0.0))
    expected = found.expected()
    assert all(found.verdict(*one) is not None for one in expected)
    assert sorted(expected) == sorted((one.cell, one.metric) for one in found.given)
    assert ("larger-base", "pace") in expected


def test_paces_are_measured_once(study: Study) -> None:
    """However many verdicts there are, a run that holds is measured once, what compiles left out."""
    clock = Clock(0.0)
    found = gating(study, clock)
    assert [found.verdict(name, "pace") for name in ("m-base", "larger-base", "m-base")]
    assert clock.asked == [["m-base", "larger-base"]]
    assert any(note.startswith("no pace of m-base-via-static: ") for note in notes(found))


@pytest.mark.parametrize(("again", "outcome"), [(0.2, "regression"), (0.0, "holds")])
def test_an_alarm_is_measured_again_alone(study: Study, again: float, outcome: str) -> None:
    """Fresh blocks of the class that raised it, and of no other, decide an alarm."""
    clock = Clock(0.2, again)
    verdict = gating(study, clock).verdict("larger-base", "pace")
    assert verdict is not None
    assert verdict.outcome == outcome
    assert clock.asked == [["m-base", "larger-base"], ["larger-base"]]


def test_a_pace_that_cannot_be_measured_fails(study: Study) -> None:
    """A class whose process died is refused with the reason, and that fails the run."""
    measured = Measured((pace("m-base", 0.0),), {"larger-base": "its process ended with -9"})
    verdict = gating(study, lambda _: measured).verdict("larger-base", "pace")
    assert verdict is not None
    assert (verdict.outcome, verdict.failed, verdict.note) == ("refused", True, "its process ended with -9")


def test_without_paces_nothing_fails(study: Study) -> None:
    """A run that measured no pace says so and is not failed by it."""
    verdict = gating(study, None).verdict("larger-base", "pace")
    assert verdict is not None
    assert (verdict.outcome, verdict.failed) == ("refused", False)


def test_a_saved_run_holds_against_itself(study: Study) -> None:
    """What is saved reads back as the run that it was, paces included."""
    found = gating(study, Clock(0.0), saved="again")
    assert [found.verdict(*one) for one in found.expected()]
    found.save(texts=False)
    again = read(SAVED.parent / "again")
    assert set(again.results) == {cell.id for cell in cells(study)}
    assert {one.subject for one in again.paces} == {"m-base", "larger-base"}
    assert any("saved baseline" in note for note in notes(found))


def test_a_baseline_loses_no_case_of_its_study(study: Study) -> None:
    """A slice does not take the place of the whole; a case that the study has no longer is no loss."""
    found = gating(study, None, saved="main")
    every = {one.cell for one in records(study)}
    assert not found.losing(every, paces=True)
    lost = found.losing(every - {"m-base-for-arc"}, paces=True)
    assert lost == "it would lose 1 of its cases, m-base-for-arc first: run them all, or save under another name"
    Path("small.toml").write_text(STUDY.replace("[serving.static]", "[serving.batch-2]"))
    renamed = Gating.opened(load("small.toml"), None, "main", SAVED.parent)
    assert not renamed.losing({"m-base-for-arc", "larger-base-for-arc"}, paces=True)


def test_a_stop_is_told_where_it_left_gates_unasked(study: Study) -> None:
    """A run that is stopped by its very last verdict was asked all of them, and is not said to be short of any."""
    found = gating(study, None)
    found.stopped = True
    assert "the run was stopped before all of them were asked" in notes(found)
    assert [found.verdict(*one) for one in found.expected()]
    assert "the run was stopped before all of them were asked" not in notes(found)


def test_a_baseline_loses_no_paces(study: Study) -> None:
    """A run without paces does not take the place of a baseline with them: later gates would time nothing."""
    found = gating(study, None, saved="main")
    every = {one.cell for one in records(study)}
    assert found.losing(every, paces=False) == (
        "it would lose its paces: measure them too (pytest without --no-pace), or save under another name"
    )
    assert [found.verdict(*one) for one in found.expected()]
    with pytest.raises(BaselineError, match="it would lose its paces"):
        found.save(texts=False)


def test_a_baseline_of_another_study_is_refused(study: Study) -> None:
    """One with no case in common is one line; one that shares cases under another name is compared, and told of."""
    gating(study, None)
    other = load("mini")
    with pytest.raises(BaselineError, match=r"main has no case of study mini: it is of study \w+; name a baseline"):
        Gating.opened(other, "main", None, SAVED.parent)
    head = study.study.model_copy(update={"name": "renamed"})
    found = Gating.opened(study.model_copy(update={"study": head}), "main", None, SAVED.parent)
    assert any(note.endswith(", this run of renamed") for note in notes(found))


def test_another_recipe_is_named(study: Study) -> None:
    """What a case was trained by is told where the baseline's was trained otherwise, beside the verdicts."""
    old, new = ([one.model_copy(update={"recipe": {"epochs": epochs}}) for one in records(study)] for epochs in (8, 4))
    save(old, [], SAVED)
    found = Gating.opened(study, "main", None, SAVED.parent)
    found.select(cells(study))
    found.take(new, None)
    assert [found.verdict(*one) for one in found.expected()]
    (told,) = [note for note in notes(found) if "trained otherwise" in note]
    assert told.startswith("trained otherwise: epochs 8 in the baseline, 4 now (m-base-for-arc, ")


def test_an_alarm_that_was_not_confirmed_is_not_saved(study: Study) -> None:
    """The fresh blocks are what later runs are held against, not those that raised an alarm about nothing."""
    found = gating(study, Clock(0.2, 0.0), saved="again")
    assert [found.verdict(*one) for one in found.expected()]
    found.save(texts=False)
    (again,) = [one for one in read(SAVED.parent / "again").paces if one.subject == "larger-base"]
    assert again == pace("larger-base", 0.0).model_copy(update={"provenance": again.provenance})


def test_data_that_cannot_be_read_leaves_quality_its_verdicts(study: Study) -> None:
    """What goes wrong before any block is each class's fault; cases are judged all the same."""

    def broken(_: object) -> Measured:
        raise DataError("data file gone.jsonl does not exist")

    found = gating(study, broken)
    case, timed = found.verdict("m-base-for-arc", "macro_f1"), found.verdict("m-base", "pace")
    assert case is not None
    assert timed is not None
    assert (case.outcome, timed.outcome, timed.failed) == ("holds", "refused", True)
    assert timed.note == "data file gone.jsonl does not exist"


def test_a_strict_gate_fails_a_pace_that_cannot_be_told(study: Study) -> None:
    """With `undecided = "fail"` an alarm that nothing confirmed fails too."""
    strict = study.model_copy(update={"gate": study.gate.model_copy(update={"undecided": "fail"})})
    found = gating(strict, None, before=(pace("m-base", 0.2),))
    verdict = found.verdict("m-base", "pace")
    assert verdict is not None
    assert (verdict.outcome, verdict.failed) == ("undecided", True)


def test_a_regression_is_not_saved(study: Study) -> None:
    """A run that is worse than its baseline does not become one."""
    found = gating(study, Clock(0.2), saved="again")
    assert found.verdict("larger-base", "pace") is not None
    with pytest.raises(BaselineError, match="against main: regression"):
        found.save(texts=False)

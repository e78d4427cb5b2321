"""The search of a learning rate: one like trial a rate, kept, and chosen on questions that are never evaluated."""

import math
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tunescale_core.data.examples import load_examples
from tunescale_core.errors import TrainingError
from tunescale_core.measuring.subjects import Subjects
from tunescale_core.models.base import resolve
from tunescale_core.progress import Progress
from tunescale_core.records.best_trial import best_of
from tunescale_core.records.record import Trial
from tunescale_core.store.checkpoints import Store
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.study.grid import variants
from tunescale_core.study.loading import load
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.study import Study
from tunescale_core.tasks import TASKS
from tunescale_core.training import trials as searching
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.saves import Saves
from tunescale_core.training.trials import Search, search

RATES = (1e-7, 3e-3)


def fair(**head: object) -> Study:
    return load("mini-fair", {"study": head})


def wanted(rates: tuple[float, ...] = RATES) -> Search:
    study = fair()
    variant = next(one for one in variants(study) if one.method == "full" and one.task == "squad_v2")
    assert variant.settings is not None
    settings = variant.settings.model_copy(update={"learning_rates": rates})
    return Search(
        variant=replace(variant, settings=settings),
        base=resolve(study.models["mini-small"], study.folder),
        train=load_examples(study, "squad_v2", "train").rows[:64],
        dev=load_examples(study, "squad_v2", "dev").rows[:12],
        task=TASKS["squad_v2"],
        protocol=Protocol(dtype="float32", max_new_tokens=40),
        training="planned",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a search was made."""
    made = tmp_path_factory.mktemp("trials")
    search(wanted(), made, Progress())
    return made


@pytest.mark.slow
def test_each_rate_has_a_like_trial(folder: Path) -> None:
    """A search has one trial a rate, in order, with as many steps each; the one that learns has the lower loss."""
    found = search(wanted(), folder, Progress())
    assert [one.learning_rate for one in found] == list(RATES)
    assert {one.steps for one in found} == {8}
    assert {one.metric for one in found} == {"f1"}
    assert found[1].loss < found[0].loss
    assert best_of(found, TASKS["squad_v2"]).learning_rate == 3e-3


@pytest.mark.slow
def test_a_search_is_made_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was searched is read again; what was not is not taken for it."""

    def refused(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(searching, "tune", refused)
    assert len(search(wanted(), folder, Progress())) == 2
    for other in (
        wanted((1e-7, 1e-3)),
        replace(wanted(), dev=wanted().dev[:11]),
        replace(wanted(), train=wanted().train[:63]),
        replace(wanted(), training="literal"),
        replace(wanted(), protocol=Protocol(dtype="float32", max_new_tokens=41)),
    ):
        assert other.key != wanted().key
        with pytest.raises(AssertionError, match="trained again"):
            search(other, folder, Progress())


def test_a_search_is_of_its_task_and_template(tmp_path: Path) -> None:
    """Trials that another parser or metric judged, or that saw another template, are not taken for these."""
    paper = wanted()
    other, third = (replace(paper, task=TASKS[name]) for name in ("classification", "short_answer"))
    plain = tmp_path / "plain"
    shutil.copytree(paper.base.folder, plain, ignore=shutil.ignore_patterns("*.jinja"))
    templated = replace(paper, base=replace(paper.base, folder=plain))
    assert len({one.key for one in (paper, other, third, templated)}) == 4
    assert replace(paper, task=TASKS["arc"]).key == paper.key  # as it was before there were other tasks


def test_seeds_share_their_trials() -> None:
    """A search does not depend on the seed that a variant is then tuned with: the variant's id without it names it."""
    tuned = [one for one in variants(fair()) if one.settings is not None]
    assert len(tuned) == 27
    assert len({one.stem for one in tuned}) == 9


def test_dev_questions_are_never_evaluated() -> None:
    """In every task of the fair study, the questions that choose a rate are none of those that are evaluated."""
    study = fair()
    for task in study.tasks:
        dev, evaluated = (
            {one.messages[-1]["content"] for one in load_examples(study, task, purpose).rows}  # type: ignore[arg-type]
            for purpose in ("dev", "eval")
        )
        assert len(dev) >= study.study.dev_examples
        assert not dev & evaluated


@pytest.mark.slow
def test_a_trial_that_diverges_is_lost(tmp_path: Path) -> None:
    """A rate that blows up is a lost trial with its reason, kept like any other, and the other rate is chosen."""
    found = search(wanted((1e-7, 1e6)), tmp_path, Progress())
    assert found == search(wanted((1e-7, 1e6)), tmp_path, Progress())
    assert [bool(one.lost) for one in found] == [False, True]
    assert (found[1].score, found[1].loss) == (None, math.inf)
    assert "diverged: " in found[1].lost
    assert best_of(found, TASKS["squad_v2"]).learning_rate == 1e-7


def test_a_search_all_of_whose_trials_are_lost_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no rate is left nothing is tuned, and the line says why and what to give."""
    lost = Trial(
        learning_rate=1.0, score=None, metric="f1", loss=math.inf, steps=0, seconds=1.0, lost="the loss is nan"
    )
    monkeypatch.setattr("tunescale_core.measuring.subjects.search", lambda *_: (lost, lost))
    variant = next(one for one in variants(fair()) if one.settings is not None and one.task == "squad_v2")
    with pytest.raises(TrainingError, match=rf"^{variant.stem}: every trial .* \(the loss is nan\); give lower"):
        Subjects(fair(), Store(tmp_path), Progress()).built(variant)


@pytest.mark.slow
def test_a_search_that_was_killed_loses_one_trial_at_most(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials that were done before a kill are not made again; the one under way goes on from its saved state.

    Their models are written beside their states in the store, and not where a system has its temporary files.
    """
    whole = search(wanted(), folder, Progress())
    begun: list[float] = []
    where: set[Path] = set()
    saves = partial(Saves, root=tmp_path, seconds=0)
    tune, judged = searching.tune, searching.judged

    def noted(lesson: Lesson, *rest: Any) -> TrainingCost:
        begun.append(lesson.settings.learning_rate)
        where.add(rest[0])
        return tune(lesson, *rest)

    def killed(*_: object) -> tuple[float | None, int | None]:
        if len(begun) == 2:
            raise KeyboardInterrupt
        return judged(*_)  # type: ignore[arg-type]

    monkeypatch.setattr(searching, "tune", noted)
    monkeypatch.setattr(searching, "judged", killed)
    with pytest.raises(KeyboardInterrupt):
        search(wanted(), tmp_path / "trials", Progress(), lambda name: saves(tmp_path / "unfinished" / name))
    monkeypatch.setattr(searching, "judged", judged)
    assert not list((tmp_path / "unfinished").glob("*/tuned"))  # a model that was not judged is no state to go on from
    states = [path.name for path in (tmp_path / "unfinished").iterdir()]
    assert states == [f"trial-{wanted().key[:24]}-1"]
    again = search(wanted(), tmp_path / "trials", Progress(), lambda name: saves(tmp_path / "unfinished" / name))
    assert begun == [RATES[0], RATES[1], RATES[1]]
    assert where == {tmp_path / "unfinished" / f"trial-{wanted().key[:24]}-{number}" / "tuned" for number in (0, 1)}
    assert [(one.score, one.loss, one.steps) for one in again] == [(one.score, one.loss, one.steps) for one in whole]
    assert not list((tmp_path / "unfinished").iterdir())

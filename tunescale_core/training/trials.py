"""The search of a method's learning rate: one short trial a rate, judged on questions that are never evaluated.

Every method of a study has as many rates, and every trial as many rows and questions, so no method is favoured by
being tuned with more care than another. The trials of one search share the data and the seed.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from tunescale_core.data.examples import fingerprint
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import DamagedError, DivergedError
from tunescale_core.exhausted import check_room
from tunescale_core.models.base import Base, weight_files_bytes
from tunescale_core.models.device import device
from tunescale_core.models.opened import open_model
from tunescale_core.models.turn import ours
from tunescale_core.progress import Progress
from tunescale_core.records.record import Trial
from tunescale_core.store.aside import set_aside
from tunescale_core.store.identity import identity_of, key_of
from tunescale_core.study.grid import Variant
from tunescale_core.study.protocol import Protocol
from tunescale_core.tasks import PAPERS, TASKS, Example, Task
from tunescale_core.tasks.judging import judge
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.saves import Saves
from tunescale_core.training.searches import TRIAL, keep, kept
from tunescale_core.training.tune import tune

ANSWERING = {"max_new_tokens", "min_new_tokens", "thinking", "max_prompt_tokens", "dtype", "batch"}
"""What of a protocol can change an answer; the rest is about time."""


@dataclass(frozen=True)
class Search:
    """What a search tries and how it judges."""

    variant: Variant
    """With the seed of the trials; its settings name the rates."""
    base: Base
    train: Sequence[Example]
    dev: Sequence[Example]
    task: Task
    protocol: Protocol
    training: Literal["planned", "literal"]

    @property
    def rates(self) -> tuple[float, ...]:
        """What is tried, in order."""
        return (self.variant.settings and self.variant.settings.learning_rates) or ()

    @property
    def key(self) -> str:
        """What it is found by: all that can change which rate is chosen."""
        assert self.variant.settings is not None  # noqa: S101  an untuned model has no rates
        method = self.variant.settings.model_dump(mode="json", exclude={"ranks"}) | {"rank": self.variant.rank}
        judged = {"protocol": self.protocol.model_dump(mode="json", include=ANSWERING), "dev": fingerprint(self.dev)}
        judged["training"] = self.training
        if self.task not in PAPERS:  # whose parsers and metrics are TuneScale's of old
            judged["task"] = {"name": self.task.name, "judged": self.task.judged} | TASKS.packages(self.task.name)
        judged |= ours(self.base.folder)
        return key_of(
            identity_of(self.base.revision, method | judged, fingerprint(self.train), self.variant.seed or 0, device())
        )


def search(
    wanted: Search, folder: Path, progress: Progress, saving: Callable[[str], Saves] | None = None
) -> tuple[Trial, ...]:
    """Return the trials of a search, from `folder` those that were made before.

    Args:
        wanted: The search.
        folder: Where searches are kept, in a store; each trial when it is done.
        progress: Told of every step.
        saving: Returns where a trial saves its state meanwhile, by the trial's name.

    Raises:
        StoreError: What is kept is damaged, and cannot be set aside.
    """
    path = folder / f"{wanted.key[:24]}.json"
    try:  # without a lock: the store may be read-only
        if len(found := kept(path, wanted.key)) == len(wanted.rates):
            return found
    except DamagedError:  # looked at again under the lock
        pass
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        try:
            trials = [*kept(path, wanted.key)]
        except DamagedError as error:
            set_aside(path, folder.parent, str(error))
            trials = []
        for number, rate in enumerate(wanted.rates[len(trials) :], len(trials)):
            saves = saving(f"{TRIAL}{path.stem}-{number}") if saving else None
            trials.append(tried(wanted, rate, progress, saves))
            keep(path, wanted.key, wanted.variant.stem, tuple(trials))
            if saves is not None:
                saves.clear()
    return tuple(trials)


def tried(wanted: Search, rate: float, progress: Progress, saves: Saves | None = None) -> Trial:
    """Tune with one rate and judge it; a training that diverges is a trial that is lost."""
    assert wanted.variant.settings is not None  # noqa: S101  an untuned model has no rates
    settings = wanted.variant.settings.model_copy(update={"learning_rate": rate, "learning_rates": None})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        # A model may be larger than the system's folder for temporary files, which may be in memory besides.
        target = saves.folder / "tuned" if saves is not None else Path(scratch)
        shutil.rmtree(target, ignore_errors=True)  # what a kill has left would take room twice
        lesson = Lesson(replace(wanted.variant, settings=settings), wanted.base.folder, wanted.train)
        try:
            with saves.stopping if saves is not None and saves.stopping is not None else nullcontext():
                check_room(f"trial of {lesson.variant.id}", target, weight_files_bytes(lesson.base))
                cost = tune(lesson, target, progress, wanted.training, saves)
        except DivergedError as error:
            return _lost(wanted, rate, str(error), time.perf_counter() - began)
        try:
            score, batched_by = judged(wanted, target / "model")
        finally:
            shutil.rmtree(target, ignore_errors=True)
    return Trial(
        learning_rate=rate,
        score=score,
        metric=wanted.task.judged,
        loss=cost.losses[-1][1] if cost.losses else math.nan,
        steps=cost.steps,
        seconds=time.perf_counter() - began,
        batched_by=batched_by,
    )


def _lost(wanted: Search, rate: float, why: str, seconds: float) -> Trial:
    return Trial(
        learning_rate=rate, score=None, metric=wanted.task.judged, loss=math.inf, steps=0, seconds=seconds, lost=why
    )


def judged(wanted: Search, model: Path) -> tuple[float | None, int | None]:
    """Return a tuned model's figure over the development questions, and its batch where that had to be smaller."""
    decoder = EagerDecoder(open_model(model, wanted.protocol), wanted.protocol)
    said = dict(decoder.batched([example.messages for example in wanted.dev], wanted.protocol.batch))
    answers = [judge(wanted.task, example, said[number].text)[0] for number, example in enumerate(wanted.dev)]
    metric = wanted.task.metric(wanted.task.judged)
    return metric(answers) if metric else None, decoder.batched_by

"""What training saves of itself while it runs, so that one that was killed goes on from there.

The trainer's own checkpoint has weights, optimiser, schedule and random numbers; what is added here says which of them
is whole, under what plan it came about, and what it took. Of the saves of one training only the last is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from tunescale_core.errors import DamagedError
from tunescale_core.exhausted import free_bytes
from tunescale_core.placing import place
from tunescale_core.store.aside import set_aside
from tunescale_core.store.files import FileSum, faults, sums
from tunescale_core.store.sealed import sealed, unsealed
from tunescale_core.training.plan import Plan
from tunescale_core.training.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import TrainerCallback

INDEX = "saved.json"
"""Written last, and whole: the save that it names is complete."""
SAVE = "checkpoint-"
"""What the trainer calls the folder of a step."""


class Spent(BaseModel):
    """What a training took up to a step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = 0.0
    tokens: int = 0
    peak_memory_bytes: int | None = None
    resumed_at: tuple[int, ...] = ()
    """Steps at which it was taken up again."""


class Saved(BaseModel):
    """A state to go on from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str = ""
    """Whose training it is, for the reader."""
    step: int
    plan: Plan
    """How steps were cut so far, and will be: another way would round otherwise."""
    spent: Spent
    files: dict[str, FileSum]
    """Of the trainer's folder."""


class Saves:
    """The saves of one training, in a folder of a store.

    Args:
        folder: Theirs alone.
        root: The store.
        seconds: A step that ends so long after the last save is saved.
        variant: Whose training it is.
        stopping: Where a request to end waits for a save, once the training has begun.
    """

    def __init__(
        self, folder: Path, root: Path, seconds: float, variant: str = "", stopping: Stopping | None = None
    ) -> None:
        self.folder, self.root, self.seconds, self.variant = folder, root, seconds, variant
        self.stopping = stopping

    @property
    def asked_to_end(self) -> bool:
        """Whether a request to end waits."""
        return self.stopping is not None and self.stopping.asked

    def last(self) -> Saved | None:
        """Return the last state that was saved whole; one that is damaged is set aside, with a warning.

        Raises:
            StoreError: It cannot be set aside.
        """
        try:
            return verified_saved(self.folder)
        except FileNotFoundError:
            return None
        except DamagedError as error:
            set_aside(self.folder, self.root, str(error))
            return None

    def path(self, step: int) -> Path:
        """Return the trainer's folder of a step."""
        return self.folder / f"{SAVE}{step}"

    def keep(self, step: int, plan: Plan, spent: Spent) -> None:
        """Make the state of a step the one to go on from, and let go of earlier ones."""
        files = sums(self.path(step), "")
        saved = Saved(variant=self.variant, step=step, plan=plan, spent=spent, files=files)
        place(self.folder / INDEX, sealed(json.loads(saved.model_dump_json()), indent=None))
        for other in self.folder.glob(f"{SAVE}*"):
            if other != self.path(step):
                shutil.rmtree(other, ignore_errors=True)

    def clear(self) -> None:
        """Let go of all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def read_saved(folder: Path) -> Saved:
    """Read what a folder of saves says of the last of them; the save itself is not looked at.

    Raises:
        DamagedError: It is not as it was written.
        FileNotFoundError: No save is whole.
    """
    if not os.path.lexists(folder / INDEX):
        raise FileNotFoundError(folder / INDEX)
    try:
        said = unsealed((folder / INDEX).read_text(encoding="utf-8"))
        found = Saved.model_validate(said.content)
    except (OSError, ValueError) as error:
        raise DamagedError(
            f"state of a training {folder} is damaged: {INDEX} cannot be read ({type(error).__name__})"
        ) from error
    if not said.whole:
        raise DamagedError(f"state of a training {folder} is damaged: {INDEX} was changed after it was written")
    return found


def verified_saved(folder: Path) -> Saved:
    """Read the last save of a folder, every file of it as it was written.

    Raises:
        DamagedError: It is not.
        FileNotFoundError: No save is whole.
    """
    found = read_saved(folder)
    try:
        told = faults(folder / f"{SAVE}{found.step}", found.files, "")
    except OSError as error:
        told = (f"{error.filename}: {error.strerror}",)
    if told:
        raise DamagedError(f"state of a training {folder} is damaged: {told[0]}")
    return found


class Saving:
    """Saves one training run at its interval, and knows what that run has spent, time for saving left out."""

    def __init__(self, saves: Saves, plan: Plan, before: Spent, tokens: Callable[[], int], size: int) -> None:
        self._saves, self._plan, self._before, self._tokens, self._size = saves, plan, before, tokens, size
        self._began = self._last = time.perf_counter()
        self._saving = 0.0

    def lacks(self) -> int:
        """Return how many bytes the disk lacks for a state beside the last one; 0 where there is room."""
        return max(0, self._size - free_bytes(self._saves.folder))

    def due(self, *, now: bool) -> bool:
        """Whether so long has passed that a step's end should be saved, or it should be now; its saving begins then."""
        if not now and time.perf_counter() - self._last < self._saves.seconds:
            return False
        self._last = time.perf_counter()
        return True

    def saved(self, step: int, peak_memory_bytes: int | None) -> None:
        """Take in that the trainer has written the state of a step."""
        seconds = self._before.seconds + self._last - self._began - self._saving
        spent = self._before.model_copy(
            update={"seconds": seconds, "tokens": self._tokens(), "peak_memory_bytes": peak_memory_bytes}
        )
        self._saves.keep(step, self._plan, spent)
        self._saving += time.perf_counter() - self._last
        self._last = time.perf_counter()

    @property
    def took(self) -> float:
        """Seconds that saving took."""
        return self._saving


def saver(
    saving: Saving, peak: Callable[[], int | None], asked_to_end: Callable[[], bool], say: Callable[[str], None]
) -> TrainerCallback:
    """Return what has a trainer save when that is due, and end once it has saved where it is asked to end.

    Where the disk has no room for a state, that is said, and the training goes on: it may well end without one.
    """
    from transformers import TrainerCallback

    class Saver(TrainerCallback):  # type: ignore[misc]
        """Asks for a save, and for the loss since the last point of the curve, which a save would lose."""

        def on_step_end(self, _: object, state: Any, control: Any, **__: object) -> Any:
            """Ask, if it is due and not the end, or the last chance."""
            last_chance = asked_to_end()
            if not (last_chance or state.global_step < state.max_steps) or not saving.due(now=last_chance):
                return control
            if (lacking := saving.lacks()) and not last_chance:  # whose failure is told by who waits for it
                say(f"step {state.global_step} is not saved, for the disk lacks {lacking:,} bytes; training goes on")
                return control
            control.should_save = control.should_log = True
            return control

        def on_save(self, _: object, state: Any, *__: object, **___: object) -> None:
            """Make the save the one to go on from.

            Raises:
                KeyboardInterrupt: It is asked to end.
            """
            saving.saved(state.global_step, peak())
            if asked_to_end():
                raise KeyboardInterrupt

    return Saver()

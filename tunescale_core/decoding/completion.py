"""What is asked in one call, what came of it, and what every way of serving must do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tunescale_core.tasks.task import Message

Finish = Literal["stop", "length"]
Prompt = Sequence[Message]
REMOTE = "endpoint"
"""The device of a model that runs elsewhere."""


@dataclass(frozen=True)
class Completion:
    """One generated answer."""

    text: str
    tokens: int
    finish: Finish
    reasoning_tokens: int
    seconds: float | None = None
    """Wall clock of the whole call it was made in; None where that was not timed."""
    first_token_seconds: float | None = None
    """None too where an endpoint's answer came in one piece."""
    device_seconds: float | None = None
    """The same call by the accelerator's own clock (CUDA events); None on a CPU."""
    prompt_tokens: int | None = None
    """None where an endpoint does not say."""
    cached_tokens: int | None = None
    """Those of them that an endpoint took from its cache, where it says so."""
    prompt_cut: int = 0
    """Tokens that an over-long prompt lost from its middle."""


@dataclass
class Call:
    """Prepared prompts, and afterwards what was made of them and when."""

    prompts: tuple[Prompt, ...]
    inputs: Any = None
    """As the decoder wants them."""
    output: Any = None
    seconds: float = 0.0
    first_token_seconds: float | None = None
    device_seconds: float | None = None
    cut: tuple[int, ...] = ()
    answered: Callable[[], object] = lambda: None
    """Called with each answer, where answers of one call come one by one."""

    def again(self) -> Call:
        """Return the same call, not yet run."""
        return Call(self.prompts, self.inputs, cut=self.cut)


class Decoder(Protocol):
    """A way of serving one variant."""

    device: str
    """What the model runs on, as far as it is known here."""
    rolling: bool
    """Whether several questions of a call are under way at once, another as soon as one is answered: one call then
    asks all. Else a call asks its questions together, and each waits for the slowest."""

    def prepare(self, prompts: Sequence[Prompt]) -> Call:
        """Make one call's inputs ready, outside the timing."""

    def run(self, call: Call) -> None:
        """Generate one answer a prompt, and note how long the whole call took."""

    def completions(self, call: Call) -> list[Completion]:
        """Return what a finished call said, in the order of its prompts."""

"""The sides of a block: what a child process opens and asks in turn. They travel to it, so they hold no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tunescale_core.decoding.completion import Decoder, Prompt
from tunescale_core.study.method import Bits
from tunescale_core.study.protocol import Protocol as Asking

TOKENS = 4
"""Of every answer: the first comes with the prompt, three with the cache; more would only make a block longer."""


class Side(Protocol):
    """One side of a block; it can be pickled."""

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Open what answers, and return what makes one call and says how many seconds it took."""


@dataclass(frozen=True)
class Served:
    """A model's folder, asked eagerly."""

    model: Path
    """Of the base, where an adapter goes beside it."""
    asking: Asking
    """How it is asked, the length aside."""
    adapter: Path | None = None
    batch: int = 1
    """Questions of one call."""
    tokens: int = TOKENS
    trusted: bool = False
    """Whether the model's own code may be run."""
    bits: Bits | None = None
    """That its linear weights are rounded to."""

    def decoder(self) -> Decoder:
        """Open the model, for answers of the forced length.

        Raises:
            ModelError: Its files cannot be read.
        """
        from tunescale_core.decoding.decoder import EagerDecoder
        from tunescale_core.models.opened import open_adapted, open_model
        from tunescale_core.models.trusted import trust

        asking = forced(self.asking, self.tokens)
        if self.trusted:
            trust(self.model)
        if self.adapter:
            return EagerDecoder(open_adapted(self.model, self.adapter, asking), asking)
        return EagerDecoder(open_model(self.model, asking, self.bits), asking)

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Open the model and return what asks it the first of the prompts, as many as a call takes."""
        decoder = self.decoder()
        prepared = decoder.prepare(prompts[: self.batch])

        def once() -> float:
            call = prepared.again()
            decoder.run(call)
            return call.seconds

        return once


@dataclass(frozen=True)
class Pair:
    """What is measured, and what it is held against."""

    subject: str
    """The class's id."""
    reference: str
    """A class's id, or `YARDSTICK`."""
    sides: tuple[Side, Side]
    """The subject's and the reference's."""


def forced(asking: Asking, tokens: int) -> Asking:
    """Return a protocol whose answers all have one length, on one thread.

    On busy cores threads wait for each other at every operation: a block's figure then varies by a fifth, and by a
    hundredth with one thread.
    """
    return asking.model_copy(update={"max_new_tokens": tokens, "min_new_tokens": tokens, "threads": 1})

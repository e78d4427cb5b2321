"""A model whose decoding really sleeps. It travels to other processes, which import it, so it has a file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tunescale_core.pace.sides import Served


@dataclass(frozen=True)
class Slowed(Served):
    """A served model whose decoding sleeps for a share of its time."""

    share: float = 0.0

    def decoder(self) -> Any:
        """Open the model, and slow its decoder."""
        decoder: Any = super().decoder()
        generate = decoder._generate  # noqa: SLF001  where decoding happens

        def slow(*words: Any) -> Any:
            began = time.perf_counter()
            output = generate(*words)
            time.sleep(self.share * (time.perf_counter() - began))
            return output

        decoder._generate = slow  # noqa: SLF001
        return decoder

"""Decoding with a cache of fixed size, which lets the step be compiled, in CUDA graphs where there is a GPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunescale_core.decoding.completion import Call, Prompt
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.models.opened import Opened
from tunescale_core.study import Protocol

if TYPE_CHECKING:
    import torch
    from transformers import StaticCache

ROUND = 64
"""The cache's length is a multiple of so many tokens, so that few sizes are ever compiled."""


class StaticDecoder(EagerDecoder):
    """`generate()` over a static cache with a compiled decoding step; the first call of a shape compiles."""

    def __init__(self, opened: Opened, protocol: Protocol) -> None:
        super().__init__(opened, protocol)
        import torch
        from transformers import CompileConfig

        # What was compiled for other shapes counts against a limit beyond which nothing is compiled any more, and
        # eager times would be called static; past it there is an error now.
        torch._dynamo.reset()  # noqa: SLF001
        torch._dynamo.config.fail_on_recompile_limit_hit = True  # noqa: SLF001

        # It is for torch's own tools, and pytest would show hundreds of its lines where a case fails.
        logging.getLogger("torch.__trace").propagate = False
        graphs = "reduce-overhead" if opened.device == "cuda" else "default"
        self.config.compile_config = CompileConfig(mode=graphs, dynamic=False)
        # Transformers compiles on accelerators alone unless told otherwise.
        self.config.compile_config._compile_all_devices = True  # noqa: SLF001
        self._longest = 0
        self._cache: StaticCache | None = None
        self._shape = (0, 0)
        """Rows and tokens of the cache."""

    def prepare(self, prompts: Sequence[Prompt]) -> Call:
        """Tokenise prompts, and remember the longest: the cache must hold it."""
        call = super().prepare(prompts)
        self._longest = max(self._longest, call.inputs["input_ids"].shape[1])
        return call

    def _generate(self, inputs: dict[str, torch.Tensor], criteria: list[Any]) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            output: torch.Tensor = self.opened.model.generate(
                **inputs,
                generation_config=self.config,
                stopping_criteria=criteria,
                past_key_values=self._emptied(inputs["input_ids"].shape[0]),
            )
        return output

    def _emptied(self, rows: int) -> StaticCache:
        from transformers import StaticCache

        shape = (rows, -(-(self._longest + self.config.max_new_tokens) // ROUND) * ROUND)
        if self._cache is None or self._shape != shape:
            self._cache, self._shape = StaticCache(config=self.opened.model.config, max_cache_len=shape[1]), shape
        self._cache.reset()
        return self._cache

"""Decoding with a cache of fixed size, which lets the step be compiled, in CUDA graphs where there is a GPU."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunescale_core.decoding.completion import Call, Prompt
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import ModelError, first_line
from tunescale_core.exhausted import out_of_memory
from tunescale_core.models.opened import Opened
from tunescale_core.study.protocol import Protocol

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, StaticCache

ROUND = 64
"""The cache's length is a multiple of so many tokens, so that few sizes are ever compiled."""
SLIDING = 4
"""Tokens of an answer by which a step is compiled: a plain number is first taken as fixed, then as any."""
UNBOUNDED = 1 << 40
"""Tokens that no window has."""


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
        self._windows = _windows(opened)
        # A sliding window's layer counts its tokens in a plain number, which another one each step would compile anew.
        self.config.compile_config = CompileConfig(mode=graphs, dynamic=None if self._windows else False)
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

        with torch.inference_mode():  # the cache too is emptied in it
            return self._generate_by(self.config, inputs, criteria, self._emptied(inputs["input_ids"].shape[0]))

    def _generate_by(
        self, config: GenerationConfig, inputs: dict[str, torch.Tensor], criteria: list[Any], cache: StaticCache
    ) -> torch.Tensor:
        from torch._dynamo.exc import BackendCompilerFailed

        try:
            output: torch.Tensor = self.opened.model.generate(
                **inputs, generation_config=config, stopping_criteria=criteria, past_key_values=cache
            )
        except BackendCompilerFailed as error:
            if out_of_memory(error.inner_exception):
                raise error.inner_exception from None
            raise ModelError(
                f"{self.opened.model.name_or_path} cannot be compiled ({first_line(error.inner_exception)}): mode "
                "static needs a C++ compiler on a CPU (CXX names it), Triton on a GPU; install it, or serve otherwise"
            ) from error
        return output

    def _emptied(self, rows: int) -> StaticCache:
        from transformers import StaticCache

        shape = (rows, -(-(self._longest + self.config.max_new_tokens) // ROUND) * ROUND)
        if self._cache is None or self._shape != shape:
            self._cache, self._shape = StaticCache(config=self.opened.model.config, max_cache_len=shape[1]), shape
            self._slide(self._cache)
        self._cache.reset()
        return self._cache

    def _slide(self, cache: StaticCache) -> None:
        """Compile what a sliding window's layer does until it is full, and from then on.

        An answer may come to that point in any call, and in a timed one the compiler's seconds would count.
        """
        import torch

        few = copy.deepcopy(self.config)
        few.max_new_tokens = few.min_new_tokens = SLIDING
        rows, longest = self._shape
        for tokens in (1, *self._windows) if self._windows else ():
            if tokens + SLIDING > longest:
                continue  # no answer comes so far
            ids = torch.full((rows, tokens), self.config.pad_token_id or 0, device=self.device)
            cache.reset()
            self._generate_by(few, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, [], cache)


def _windows(opened: Opened) -> tuple[int, ...]:
    """Return the sliding windows of a model's layers, in tokens; () where every layer keeps all.

    Raises:
        ModelError: The model takes no such cache.
    """
    from transformers import StaticCache

    if "past_key_values" not in inspect.signature(opened.model.forward).parameters:
        raise ModelError(
            f"{opened.model.name_or_path} takes no static cache: its state has one size anyway; leave it out by `only`"
        )
    layers = StaticCache(config=opened.model.config, max_cache_len=UNBOUNDED).layers
    return tuple(sorted({layer.max_cache_len for layer in layers if getattr(layer, "is_sliding", False)}))

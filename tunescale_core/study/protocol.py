"""How completions are made and timed, as a study declares it."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from tunescale_core.study.declared import Count, Declared, Whole
from tunescale_core.study.serving import Thinking


class Protocol(Declared):
    """How completions are made and timed."""

    max_new_tokens: Count = 1000
    min_new_tokens: Whole = 0
    """Tokens before an answer may end; as many as max_new_tokens give every answer one length."""
    thinking: Thinking = "free"
    """free leaves reasoning as the chat template has it (the paper's); on and off ask the template for it or against
    it, where it takes `enable_thinking` as Qwen3's does."""
    max_prompt_tokens: Count | None = None
    """A longer prompt loses its middle; what the model's window leaves beside the answer unless given."""
    warmup_calls: Whole = 2
    """Untimed calls before a cell's first timed one."""
    timed_examples: Count | None = None
    """Examples generated one at a time and timed; all of them unless given. The rest go through in batches."""
    batch: Count = 32
    """Examples a batched pass."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 on an accelerator, float32 on a CPU."""
    threads: Count | None = None
    """CPU threads; the library's choice unless given."""

    @model_validator(mode="after")
    def _possible(self) -> Protocol:
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"min_new_tokens is {self.min_new_tokens}, and max_new_tokens {self.max_new_tokens}")
        return self

"""From messages to token ids: the chat template, thinking, and what happens to a prompt that is too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunescale_core.decoding.completion import Prompt
from tunescale_core.errors import ModelError
from tunescale_core.models.chat import rendered
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Thinking

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

UNBOUNDED = 1 << 30
"""The limit of prompts to a model without a window, tokens."""
_PROBE = ({"role": "user", "content": "?"},)


@dataclass(frozen=True)
class Encoded:
    """Prompts of one call as a left-padded batch."""

    inputs: dict[str, torch.Tensor]
    """`input_ids` and `attention_mask`, shape `(prompts, tokens)`."""
    cut: tuple[int, ...]
    """Tokens that each lost."""


class Prompts:
    """Renders messages by a tokenizer's chat template, at most `limit` tokens each."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, thinking: Thinking, limit: int) -> None:
        self.tokenizer, self.limit = tokenizer, limit
        self._asked = {} if thinking == "free" else {"enable_thinking": thinking == "on"}
        if self._asked and rendered(tokenizer, _PROBE, enable_thinking=True) == rendered(
            tokenizer, _PROBE, enable_thinking=False
        ):
            raise ModelError(
                f'thinking = "{thinking}": the chat template of {tokenizer.name_or_path} takes no enable_thinking; '
                'use thinking = "free"'
            )

    def text(self, messages: Prompt) -> str:
        """Return a prompt as the model reads it."""
        return rendered(self.tokenizer, messages, **self._asked)

    def encode(self, prompts: Sequence[Prompt], device: str) -> Encoded:
        """Tokenise, shorten what is too long, pad on the left, and bring it to the device."""
        import torch

        texts = [self.text(messages) for messages in prompts]
        whole: list[list[int]] = self.tokenizer(texts, add_special_tokens=False).input_ids
        ids = [shortened(one, self.limit) for one in whole]
        width = max(map(len, ids))
        padded = [[self.tokenizer.pad_token_id] * (width - len(one)) + one for one in ids]
        mask = [[0] * (width - len(one)) + [1] * len(one) for one in ids]
        inputs = {"input_ids": torch.tensor(padded), "attention_mask": torch.tensor(mask)}
        cut = tuple(len(before) - len(after) for before, after in zip(whole, ids, strict=True))
        return Encoded({name: value.to(device) for name, value in inputs.items()}, cut)


def shortened(ids: list[int], limit: int) -> list[int]:
    """Return at most `limit` tokens, taken from both ends: instructions come first and the question last.

    This is LongBench's rule (Bai et al., 2024): the middle goes.
    """
    first, last = kept_of(ids, limit)
    return first + last


def kept_of(ids: list[int], limit: int) -> tuple[list[int], list[int]]:
    """Return what is left of tokens before the middle that goes, and after it; all of them before where none goes."""
    if len(ids) <= limit:
        return ids, []
    head = (limit + 1) // 2
    return ids[:head], ids[len(ids) - (limit - head) :]


def prompt_limit(config: PretrainedConfig, protocol: Protocol) -> int:
    """Return how many tokens a prompt may have: as declared, or what the model's window leaves beside the answer.

    Raises:
        ModelError: The answer alone fills the window.
    """
    window = getattr(config.get_text_config(), "max_position_embeddings", None)
    if window is None:
        return protocol.max_prompt_tokens or UNBOUNDED
    left = window - protocol.max_new_tokens
    if left < 1:
        raise ModelError(
            f"max_new_tokens = {protocol.max_new_tokens} leaves no room for a prompt in the model's window of {window} "
            "tokens: lower it"
        )
    return min(int(left), protocol.max_prompt_tokens or int(left))

"""Prompts in, completions out: the timed single call, and the batched pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tunescale_core.models import Opened
from tunescale_core.reasoning import reasoning
from tunescale_core.tasks.task import Message

if TYPE_CHECKING:
    import torch

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Completion:
    """One generated answer."""

    text: str
    tokens: int
    finish: Finish
    reasoning_tokens: int
    seconds: float | None = None
    """Wall clock of the whole `generate()` call; None where it was not timed alone."""
    first_token_seconds: float | None = None


@dataclass
class Call:
    """A prepared prompt, and afterwards what `generate()` made of it and when."""

    inputs: dict[str, torch.Tensor]
    output: torch.Tensor | None = None
    seconds: float = 0.0
    first_token_seconds: float | None = None


class Decoder:
    """Deterministic greedy decoding of one opened model."""

    def __init__(self, opened: Opened, max_new_tokens: int) -> None:
        import torch
        from transformers import GenerationConfig

        self.opened = opened
        self.max_new_tokens = max_new_tokens
        own = opened.model.generation_config
        ends = own.eos_token_id if own.eos_token_id is not None else opened.tokenizer.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [ends])
        self.config = GenerationConfig(
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=max_new_tokens,
            eos_token_id=ends,
            pad_token_id=opened.tokenizer.pad_token_id,
        )
        added = opened.tokenizer.added_tokens_decoder.values()
        special = {token.content for token in added if token.special} | set(opened.tokenizer.all_special_tokens)
        self._markers = special - {"<think>", "</think>"}
        # `generate` fills what a configuration leaves unset from the model's own, sampling included.
        opened.model.generation_config = self.config
        self._synchronise: Callable[[], None] = (
            torch.accelerator.synchronize if opened.device != "cpu" else lambda: None
        )

    def prepare(self, messages: Sequence[Message]) -> Call:
        """Tokenise a prompt and bring it to the device, outside the timing."""
        return Call(self._encode([self._prompt(messages)]))

    def run(self, call: Call) -> None:
        """Generate one answer and note how long the whole call took, synchronised on an accelerator."""
        import torch

        def first_token(ids: torch.Tensor, _: torch.Tensor, **__: Any) -> torch.Tensor:
            if call.first_token_seconds is None:
                self._synchronise()
                call.first_token_seconds = time.perf_counter() - began
            return going_on[: ids.shape[0]]

        going_on = torch.zeros(1, dtype=torch.bool, device=call.inputs["input_ids"].device)
        self._synchronise()
        began = time.perf_counter()
        with torch.inference_mode():
            call.output = self.opened.model.generate(
                **call.inputs, generation_config=self.config, stopping_criteria=[first_token]
            )
        self._synchronise()
        call.seconds = time.perf_counter() - began

    def completion(self, call: Call) -> Completion:
        """Return what a finished call said."""
        if call.output is None:
            raise RuntimeError("the call has not been run")
        new = call.output[0, call.inputs["input_ids"].shape[1] :].tolist()
        return self._completed(new, call.seconds, call.first_token_seconds)

    def batched(self, prompts: Sequence[Sequence[Message]], size: int) -> Iterator[tuple[int, Completion]]:
        """Yield (place, completion) for each prompt, untimed, prompts of like length together."""
        import torch

        texts = [self._prompt(messages) for messages in prompts]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), size):
            places = order[start : start + size]
            inputs = self._encode([texts[place] for place in places])
            with torch.inference_mode():
                output = self.opened.model.generate(**inputs, generation_config=self.config)
            for place, row in zip(places, output[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
                yield place, self._completed(row)

    def _prompt(self, messages: Sequence[Message]) -> str:
        return str(
            self.opened.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        )

    def _encode(self, texts: list[str]) -> dict[str, torch.Tensor]:
        batch = self.opened.tokenizer(
            texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
        )
        return {name: batch[name].to(self.opened.device) for name in ("input_ids", "attention_mask")}

    def _completed(self, ids: list[int], seconds: float | None = None, first: float | None = None) -> Completion:
        end = next((place for place, token in enumerate(ids) if token in self.ends), None)
        said = ids if end is None else ids[:end]
        text = self._decode(said)
        return Completion(
            text=text,
            tokens=len(said) + (end is not None),
            finish="length" if end is None else "stop",
            reasoning_tokens=self._count(reasoning(text)),
            seconds=seconds,
            first_token_seconds=first,
        )

    def _decode(self, ids: list[int]) -> str:
        """Decode, keeping thought markers that a tokenizer counts among its special tokens."""
        text = str(self.opened.tokenizer.decode(ids, skip_special_tokens=False))
        for token in self._markers:
            text = text.replace(token, "")
        return text

    def _count(self, text: str) -> int:
        return len(self.opened.tokenizer(text, add_special_tokens=False).input_ids) if text else 0

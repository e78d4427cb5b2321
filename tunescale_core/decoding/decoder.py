"""Deterministic greedy decoding on this machine: `generate()` as it is, timed a call, and an untimed batched pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunescale_core.decoding.completion import Call, Completion, Prompt
from tunescale_core.decoding.prompts import Prompts, prompt_limit
from tunescale_core.exhausted import out_of_memory
from tunescale_core.models.opened import Opened
from tunescale_core.models.release import release
from tunescale_core.models.turn import Ends, ends_of
from tunescale_core.study.protocol import Protocol
from tunescale_core.tasks.reasoning import reasoning

if TYPE_CHECKING:
    import torch


class EagerDecoder:
    """`generate()` as the library runs it, without sampling."""

    rolling = False

    def __init__(self, opened: Opened, protocol: Protocol) -> None:
        import torch
        from transformers import GenerationConfig

        self.opened, self.device = opened, opened.device
        ends = ends_of(opened.tokenizer, opened.model.generation_config.eos_token_id)
        self.config = GenerationConfig(
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=protocol.max_new_tokens,
            min_new_tokens=protocol.min_new_tokens or None,
            eos_token_id=ends,
            pad_token_id=opened.tokenizer.pad_token_id,
        )
        self.prompts = Prompts(opened.tokenizer, protocol.thinking, prompt_limit(opened.model.config, protocol))
        self.reader = Reader(opened, ends)
        self.batched_by: int | None = None
        """Questions of a batch that did fit, where memory ran out at the size that was asked for."""
        # `generate` fills what a configuration leaves unset from the model's own, sampling included.
        opened.model.generation_config = self.config
        self._synchronise: Callable[[], None] = (
            torch.accelerator.synchronize if opened.device != "cpu" else lambda: None
        )

    def prepare(self, prompts: Sequence[Prompt]) -> Call:
        """Tokenise prompts and bring them to the device, outside the timing."""
        encoded = self.prompts.encode(prompts, self.device)
        return Call(tuple(prompts), encoded.inputs, cut=encoded.cut)

    def run(self, call: Call) -> None:
        """Generate an answer a prompt and note how long the whole call took, synchronised on an accelerator."""
        clock = _DeviceClock(self.device)
        rows = call.inputs["input_ids"].shape[0]

        def first_token(ids: torch.Tensor, _: torch.Tensor, **__: Any) -> torch.Tensor:
            if call.first_token_seconds is None:
                self._synchronise()
                call.first_token_seconds = time.perf_counter() - began
            return going_on[: ids.shape[0]]

        import torch

        going_on = torch.zeros(rows, dtype=torch.bool, device=call.inputs["input_ids"].device)
        self._synchronise()
        began = time.perf_counter()
        clock.start()
        call.output = self._generate(call.inputs, [first_token])
        clock.stop()
        self._synchronise()
        call.seconds = time.perf_counter() - began
        call.device_seconds = clock.seconds()

    def completions(self, call: Call) -> list[Completion]:
        """Return what a finished call said, in the order of its prompts."""
        if call.output is None:
            raise RuntimeError("the call has not been run")
        width = call.inputs["input_ids"].shape[1]
        asked = call.inputs["attention_mask"].sum(-1).tolist()
        said = [self.reader.read(row) for row in call.output[:, width:].tolist()]
        return [
            replace(
                one,
                seconds=call.seconds or None,
                first_token_seconds=call.first_token_seconds,
                device_seconds=call.device_seconds,
                prompt_tokens=tokens,
                prompt_cut=cut,
            )
            for one, tokens, cut in zip(said, asked, call.cut, strict=True)
        ]

    def batched(self, prompts: Sequence[Prompt], size: int) -> Iterator[tuple[int, Completion]]:
        """Yield (place, completion) for each prompt, untimed, prompts of like length together.

        Where memory runs out the batch is halved, which changes an answer by rounding alone; `batched_by` says so.
        """
        texts = [self.prompts.text(messages) for messages in prompts]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        while order:
            places, fits = order[:size], True
            call = self.prepare([prompts[place] for place in places])
            try:
                call.output = self._generate(call.inputs, [])
            except (MemoryError, RuntimeError) as error:
                if size == 1 or not out_of_memory(error):
                    raise
                fits = False
            if fits:
                yield from zip(places, self.completions(call), strict=True)
                order = order[size:]
            else:  # outside the handler, whose error would hold on to what is to be freed
                size = self.batched_by = min(size, len(places)) // 2 or 1
                release()

    def _generate(self, inputs: dict[str, torch.Tensor], criteria: list[Any]) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            output: torch.Tensor = self.opened.model.generate(
                **inputs, generation_config=self.config, stopping_criteria=criteria
            )
        return output


class Reader:
    """Reads generated token ids as completions."""

    def __init__(self, opened: Opened, ends: Ends) -> None:
        self.tokenizer = opened.tokenizer
        self.ends = set(ends if isinstance(ends, list) else [ends])
        added = opened.tokenizer.added_tokens_decoder.values()
        special = {token.content for token in added if token.special} | set(opened.tokenizer.all_special_tokens)
        self._markers = special - {"<think>", "</think>"}

    def read(self, ids: list[int]) -> Completion:
        """Return what new token ids say; an end marker counts as a token, padding after it does not."""
        end = next((place for place, token in enumerate(ids) if token in self.ends), None)
        said = ids if end is None else ids[:end]
        text = self._decode(said)
        return Completion(
            text=text,
            tokens=len(said) + (end is not None),
            finish="length" if end is None else "stop",
            reasoning_tokens=self.count(reasoning(text)),
        )

    def count(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(list(self.tokenizer(text, add_special_tokens=False).input_ids)) if text else 0

    def _decode(self, ids: list[int]) -> str:
        """Decode, keeping thought markers that a tokenizer counts among its special tokens."""
        text = str(self.tokenizer.decode(ids, skip_special_tokens=False))
        for token in self._markers:
            text = text.replace(token, "")
        return text


@dataclass
class _DeviceClock:
    """CUDA events around a block; tells nothing on other devices."""

    device: str

    def __post_init__(self) -> None:
        self._events: list[Any] = []

    def start(self) -> None:
        self._mark()

    def stop(self) -> None:
        self._mark()

    def seconds(self) -> float | None:
        """Return what passed between the events, once the device is synchronised."""
        if not self._events:
            return None
        began, ended = self._events
        return float(began.elapsed_time(ended)) / 1000

    def _mark(self) -> None:
        if self.device != "cuda":
            return
        import torch

        event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        self._events.append(event)

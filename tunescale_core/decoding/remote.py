"""An endpoint as one way of serving a variant: requests instead of calls, each timed as its sender sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunescale_core.decoding.completion import REMOTE, Call, Completion, Prompt
from tunescale_core.decoding.doubts import Doubts
from tunescale_core.decoding.endpoint import Endpoint
from tunescale_core.decoding.prompts import Prompts
from tunescale_core.decoding.together import makespan
from tunescale_core.errors import EndpointError
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Serving

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class EndpointDecoder:
    """Asks a server for a variant's answers, with as many requests under way at once as its way of serving says."""

    device = REMOTE
    rolling = True

    def __init__(
        self, serving: Serving, called: str, protocol: Protocol, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> None:
        """Find the server.

        Args:
            serving: Where it is.
            called: What it calls the model.
            protocol: How answers are made.
            tokenizer: Of the variant, to count what the server does not, and to check what it does.
            folder: The variant's.

        Raises:
            EndpointError: It cannot be asked; one line says why and what to do.
        """
        if protocol.max_prompt_tokens:
            raise EndpointError("max_prompt_tokens cannot be asked of an endpoint: leave it out, or serve otherwise")
        # The template must know what is asked of it here too.
        self._prompts = Prompts(tokenizer, protocol.thinking, limit=1)
        self._tokenizer = tokenizer
        self._doubts = Doubts(serving.url or "", protocol.thinking)
        self.endpoint = Endpoint(
            serving.url or "",
            called,
            max_new_tokens=protocol.max_new_tokens,
            count=self._count,
            min_new_tokens=protocol.min_new_tokens,
            body=serving.body,
            thinking=protocol.thinking,
            api_key_env=serving.api_key_env,
            timeout=serving.timeout,
        )
        self.at_once = serving.batch
        self.endpoint.check()
        self._doubts.penalty(folder, serving.body)

    def prepare(self, prompts: Sequence[Prompt]) -> Call:
        """Take prompts as they are, for the server has the chat template; and count what they should be there."""
        return Call(tuple(prompts), tuple(self._count(self._prompts.text(messages)) for messages in prompts))

    def run(self, call: Call) -> None:
        """Ask everything, the next question as soon as one is answered; waits before a new try are no time of it."""
        call.output = []
        for place, completion in self.endpoint.together(call.prompts, self.at_once):
            self._doubts.thought(completion, call.inputs[place])
            call.output.append(completion)
            call.answered()
        call.seconds = makespan([one.seconds or 0.0 for one in call.output], self.at_once)

    def completions(self, call: Call) -> list[Completion]:
        """Return what a finished call said, each answer with its own seconds."""
        if call.output is None:
            raise RuntimeError("the call has not been run")
        for completion, own in zip(call.output, call.inputs, strict=True):
            self._doubts.of(completion, own)
        return list(call.output)

    def _count(self, text: str) -> int:
        return len(list(self._tokenizer(text, add_special_tokens=False).input_ids))

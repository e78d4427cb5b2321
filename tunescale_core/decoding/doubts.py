"""What makes a server's answers, or their times, doubtful beside eager decoding's: each told once a decoder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from tunescale_core.decoding.completion import Completion
from tunescale_core.errors import EndpointError
from tunescale_core.models.turn import GENERATION
from tunescale_core.reading import json_of
from tunescale_core.study.serving import Thinking
from tunescale_core.tasks.reasoning import parted

PENALTY = "repetition_penalty"
MOST = 0.8
"""The share of a prompt's tokens which, taken from a cache, makes the time to the first token a warm cache's."""


class EndpointWarning(UserWarning):
    """A server may not do what eager decoding does, or not in the time that its model takes."""


class Doubts:
    """What is doubtful of one server."""

    def __init__(self, url: str, thinking: Thinking) -> None:
        self.url, self.thinking = url, thinking
        self._told: set[str] = set()

    def thought(self, completion: Completion, own: int) -> None:
        """Make sure that a model which is not to think was told so.

        One that was told by its own template, and thinks all the same, is not the server's fault.

        Args:
            completion: What it said.
            own: Tokens of the prompt by the model's own template.

        Raises:
            EndpointError: It thinks, and nothing shows that the server passed it on.
        """
        if self.thinking == "off" and completion.prompt_tokens != own and parted(completion.text)[0]:
            how = 'some want it in body (Ollama: body = { reasoning_effort = "none" })'
            raise EndpointError(f"{self.url} thinks though told not to: it does not pass enable_thinking on; {how}")

    def of(self, completion: Completion, own: int) -> None:
        """Warn of what an answer shows.

        Args:
            completion: A timed one.
            own: Tokens of the prompt by the model's own template.

        Warns:
            EndpointWarning: The prompt was another, was in a cache, or the answer was held back.
        """
        asked, cached = completion.prompt_tokens, completion.cached_tokens or 0
        if asked is not None and asked != own:
            what = f"counts {asked} prompt tokens where the model's own template makes {own}"
            why = "another template or tokenizer, a cut prompt, or chat_template_kwargs not passed on"
            self._tell("prompt", f"{what}: {why}")
        if asked and cached >= MOST * asked:
            what = f"takes {cached} of a prompt's {asked} tokens from its cache"
            self._tell("cache", f"{what}, so the time to the first token is of a warm cache: see docs/serving.md")
        if completion.first_token_seconds is None:
            what = f"sends an answer of {completion.tokens} tokens that comes in one piece"
            self._tell("piece", f"{what}: something between buffers it, so no time to the first token is known")

    def penalty(self, folder: Path, body: Mapping[str, object]) -> None:
        """Warn of a penalty that servers apply by themselves.

        Args:
            folder: The model's.
            body: Further fields of each request.

        Warns:
            EndpointWarning: The model's generation configuration has one, and no request says otherwise.
        """
        found = _penalty_of(folder)
        if found in {None, 1.0} or PENALTY in body or PENALTY in _fields(body.get("generation_config")):
            return
        what = f"may apply the {PENALTY} = {found:g} of the model's {GENERATION}, which eager decoding does not"
        off = f"switch it off by body = {{ {PENALTY} = 1.0 }} (transformers serve: in its generation_config)"
        self._tell("penalty", f"{what}: {off}")

    def _tell(self, kind: str, what: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            warnings.warn(f"{self.url} {what}", EndpointWarning, stacklevel=3)


def _penalty_of(folder: Path) -> float | None:
    try:
        found = _fields((folder / GENERATION).read_text(encoding="utf-8")).get(PENALTY)
    except (OSError, ValueError):
        return None
    return float(found) if isinstance(found, int | float) else None


def _fields(text: object) -> Mapping[str, object]:
    """Return what a JSON object holds; {} of anything else."""
    try:
        found = json_of(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

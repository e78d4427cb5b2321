"""What a stream of chat completions has brought so far, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Said:
    """An answer as it comes in."""

    thought: str = ""
    content: str = ""
    first: float | None = None
    finish: str | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None

    def take(self, chunk: Any, at: float) -> None:
        """Add a chunk that came `at` seconds after the request."""
        if usage := getattr(chunk, "usage", None):
            self.tokens, self.prompt_tokens = usage.completion_tokens, usage.prompt_tokens
        for choice in getattr(chunk, "choices", None) or ():
            delta = choice.delta
            self.thought += getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
            self.content += getattr(delta, "content", None) or ""
            self.finish = choice.finish_reason or self.finish
            # A blank thought may be the prompt's, sent back before anything was generated (see `text`).
            if self.first is None and (self.thought.strip() or self.content or self.finish):
                self.first = at

    @property
    def text(self) -> str:
        """The answer as its model wrote it, a thought that the server took out of it back in front.

        Special tokens are the server's to leave out. A blank thought is how templates switch thinking off, inside
        the prompt; servers that read the prompt along with the answer (`transformers serve`) send it back, with the
        line breaks after it, although nobody generated it, so it goes.
        """
        if not self.thought:
            return self.content
        if not self.thought.strip():
            return self.content.lstrip("\n")
        return f"<think>{self.thought}</think>{self.content}"

"""What a stream of chat completions has brought so far, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PIECE = 8
"""Tokens that a server may well send in one piece."""


@dataclass
class Said:
    """An answer as it comes in."""

    thought: str = ""
    content: str = ""
    first: float | None = None
    finish: str | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    pieces: int = 0
    """Chunks that held text."""

    def take(self, chunk: Any, at: float) -> None:
        """Add a chunk that came `at` seconds after the request."""
        if usage := getattr(chunk, "usage", None):
            self.tokens, self.prompt_tokens = usage.completion_tokens, usage.prompt_tokens
            self.cached_tokens = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
        for choice in getattr(chunk, "choices", None) or ():
            delta = choice.delta
            thought, content = _read(getattr(delta, "content", None) or "")
            thought += getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
            self.thought += thought
            self.content += content
            self.finish = choice.finish_reason or self.finish
            self.pieces += bool(thought.strip() or content)
            # A blank thought may be the prompt's, sent back before anything was generated (see `text`).
            if self.first is None and (self.thought.strip() or self.content or self.finish):
                self.first = at

    def began(self, tokens: int) -> float | None:
        """Return when the first of so many tokens was there; None where nobody can say, for all came in one piece."""
        return None if self.pieces == 1 and tokens > PIECE else self.first

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


def _read(content: Any) -> tuple[str, str]:
    """Return (thought, text) of a chunk's content, which some servers (Mistral's) send in parts."""
    if not isinstance(content, list):
        return "", str(content)
    thought = text = ""
    for part in content:
        if isinstance(part, dict) and part.get("type") == "thinking":
            thought += "".join(_read(part.get("thinking") or ""))
        elif isinstance(part, dict):
            text += str(part.get("text") or "")
    return thought, text

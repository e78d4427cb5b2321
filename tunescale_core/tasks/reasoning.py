"""What of an answer is thinking aloud."""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"<think>(.*?)(?:</think>|$)", re.DOTALL)
_PROSE = re.compile(r"\w+\W+\w+\W+\w+")
"""Three words before a box are reasoning; a lead-in of two ("Answer:") is not."""


def reasoning(text: str) -> str:
    """Return what a completion thinks before it answers: its `<think>` passage, or prose before the box."""
    thought = _THOUGHT.search(text)
    if thought:
        return thought[1].strip()
    before, box, _ = text.partition("\\boxed")
    return before.strip() if box and _PROSE.search(before) else ""

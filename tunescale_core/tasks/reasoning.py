"""What of an answer is thinking aloud."""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"<think>(.*?)(?:</think>|$)", re.DOTALL)
_BEGINS, _ENDS = "<think>", "</think>"
_PROSE = re.compile(r"\w+\W+\w+\W+\w+")
"""Three words before a box are reasoning; a lead-in of two ("Answer:") is not."""


def reasoning(text: str) -> str:
    """Return what a completion thinks before it answers: its `<think>` passage, or prose before the box.

    Of a template that opens the thought inside the prompt, an answer begins within it.
    """
    before, end, _ = text.partition(_ENDS)
    if end and _BEGINS not in before:
        return before.strip()
    thought = _THOUGHT.search(text)
    if thought:
        return thought[1].strip()
    before, box, _ = text.partition("\\boxed")
    return before.strip() if box and _PROSE.search(before) else ""


def parted(text: str) -> tuple[str, str]:
    """Return what a completion thinks, by its markers alone, and what it says then, both without blanks around them.

    The thought is "" where there is none, and where it is blank.
    """
    before, end, after = text.partition(_ENDS)
    if not end and not before.lstrip().startswith(_BEGINS):
        return "", text.strip()
    return before.strip().removeprefix(_BEGINS).strip(), after.strip()

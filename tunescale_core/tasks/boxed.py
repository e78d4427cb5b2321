r"""The box an answer stands in: written for training, and read from a completion."""

from __future__ import annotations

import re

_OPENING = re.compile(r"\\boxed\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
"""A brace, or an escaped character that is none."""
WRAPPERS = 8
"""Around one answer, at most: more are nobody's answer, and each takes a look at all of it."""
_WRAPPER = re.compile(
    r"^\\(?:text(?:bf|it|rm|sf)?|math(?:bf|rm|sf)|boldsymbol|bm|mbox|operatorname)\s*\{(.*)\}$", re.DOTALL
)


def boxed(answer: str) -> str:
    r"""Return `\boxed{answer}`, braces and backslashes escaped where they would not close where the box does."""
    if _until_closed(answer + "}", 0) != answer:
        answer = re.sub(r"([\\{}])", r"\\\1", answer)
    return f"\\boxed{{{answer}}}"


def last_boxed(text: str) -> str | None:
    r"""Return what the last complete `\boxed{…}` of `text` holds, stripped; "" where it is empty.

    Braces nest; an escaped brace (`\{`) does not count. A box that is never closed, as in a truncated
    answer, is no answer: the last complete box before it stands, and without one the result is None.
    """
    closed = _pairs(text)
    for opening in reversed(list(_OPENING.finditer(text))):
        end = closed.get(opening.end() - 1)
        if end is not None:
            return unwrapped(text[opening.end() : end])
    return None


def _pairs(text: str) -> dict[int, int]:
    """Return where each brace that is closed is closed, in one pass: an answer may be megabytes of open boxes."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            found[opened.pop()] = brace.start()
    return found


def unwrapped(answer: str) -> str:
    r"""Strip spaces, dollar signs, and a `\text{…}`-like wrapper around the whole answer."""
    answer = _bare(answer)
    for _ in range(WRAPPERS):
        wrapped = _WRAPPER.match(answer)
        if wrapped is None or _until_closed(wrapped[1] + "}", 0) != wrapped[1]:
            break
        answer = _bare(wrapped[1])
    return answer


def _bare(answer: str) -> str:
    return answer.strip().strip("$").strip()


def _until_closed(text: str, start: int) -> str | None:
    depth = 1
    place = start
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 2
            continue
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return text[start:place]
        place += 1
    return None

"""Sentences for a terminal, wrapped at spaces alone: an id is full of hyphens, and is to be copied whole."""

from __future__ import annotations

import textwrap

WIDTH = 110
"""Characters of a line."""


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Return a text in lines, with what the first and the others begin with."""
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )

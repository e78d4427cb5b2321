"""Training rows that give evaluation away, found by word n-grams."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tunescale_core.tasks import Example

_WORD = re.compile(r"\w+")
Words = tuple[str, ...]


class HeldOut:
    """The questions that training must not meet, ready to be looked up.

    The protocol is that of Brown et al. (2020), "Language Models are Few-Shot Learners", appendix C, who took
    13-grams, without case and punctuation. They shorten n for data sets of short texts; here n is the caller's, and
    a text of fewer than n words, which has no n-gram, is found where it is repeated as a whole and nowhere else.
    """

    def __init__(self, examples: Iterable[Example], n: int) -> None:
        """Take what is asked in evaluation.

        Args:
            examples: The words of their user messages count.
            n: Words that must follow each other alike. The greater it is, the fewer training rows are met.
        """
        self.n = n
        self._texts = {words(example) for example in examples}
        self._grams = {gram for text in self._texts for gram in _grams(text, n)}

    def meets(self, example: Example) -> bool:
        """Tell whether an example repeats a held-out question or shares an n-gram with one."""
        text = words(example)
        return text in self._texts or any(gram in self._grams for gram in _grams(text, self.n))


def words(example: Example) -> Words:
    """Return the words of the user message in lower case; a text without any is one word as a whole."""
    text = example.messages[-1]["content"].lower()
    return tuple(_WORD.findall(text)) or (text.strip(),)


def _grams(text: Words, n: int) -> Iterable[Words]:
    return (text[start : start + n] for start in range(len(text) - n + 1))

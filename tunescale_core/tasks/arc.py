r"""ARC: four-way science questions, answered by a letter (Clark et al., 2018)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from tunescale_core.arrays import Figures
from tunescale_core.errors import DataError
from tunescale_core.tasks.columns import column, identity, strings
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, LeftOut, Metric, Row, Task

LETTERS = "ABCD"
_LETTER = re.compile(
    r"""^\(?\s*([A-Da-d])\s*\)?\s*                       # the letter, in brackets or not
    (?:[.:)].*                                          # its option's text, set apart as options are
    |(?:,|\s[–—-])\s+(?!(?:(?:and|or)\s+)?\(?[A-Da-d]\b\)?\s*(?:$|[-–—,;.)&/]|and|or)).*  # or by a comma, a dash; no
                                                        # second letter, and no word with a hyphen
    )?$""",
    re.DOTALL | re.VERBOSE,
)

SAID = len(LETTERS) + 1
"""The letters that may be said, and anything else."""


def outcome(answer: Answer) -> float:
    """Return which place of the confusion matrix an answer falls in: `SAID` · gold letter + letter said."""
    said = LETTERS.index(answer.said) if answer.said in set(LETTERS) else len(LETTERS)
    return float(SAID * LETTERS.index(answer.gold[0]) + said)


def confusion(outcomes: Figures, weights: Figures) -> Figures:
    """Return counts by (gold, said): shapes `(n,)` and `(B, n)` to `(B, 4, 5)`, the fifth any other answer."""
    import numpy as np

    falls = outcomes[:, None] == np.arange(SAID * len(LETTERS))
    counts: Figures = (weights @ falls.astype(weights.dtype)).reshape(-1, len(LETTERS), SAID)
    return counts


def macro_f1(outcomes: Figures, weights: Figures) -> Figures:
    """Return the mean over A to D of F1 = 2TP / (2TP + FP + FN); a letter nobody gave or meant scores 0."""
    import numpy as np

    table = confusion(outcomes, weights)
    letters = table[..., : len(LETTERS)]
    hits = 2.0 * np.diagonal(letters, axis1=-2, axis2=-1)
    total = table.sum(-1) + letters.sum(-2)
    mean: Figures = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0).mean(-1)
    return mean


def is_right(answer: Answer) -> float:
    """Return 1 for the right letter."""
    return float(answer.said in answer.gold)


class Arc(Task):
    """Multiple choice among exactly four options; rows with another number of options are left out."""

    name: ClassVar[str] = "arc"
    system: ClassVar[str] = (
        "Answer the multiple-choice question. Put the letter of the right choice in \\boxed{}, for example \\boxed{C}."
    )
    columns: ClassVar[tuple[str, ...]] = ("id", "question", "choices", "answerKey")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("macro_f1", "F1", "fraction", "higher", outcome, macro_f1, law="composite"),
        Metric("accuracy", "accuracy", "fraction", "higher", is_right, law="binary"),
        PARSE_RATE,
    )
    trivial_rule: ClassVar[str] = "majority letter"
    judged: ClassVar[str] = "accuracy"

    def example(self, row: Row, style: str) -> Example | LeftOut:  # noqa: ARG002  a row has no worked solution
        """Map labels to letters by position: some rows call their choices 1 to 4."""
        texts, place = _choices(row)
        question = column(row, "question", str)
        if len(texts) != len(LETTERS):
            return LeftOut("not four choices")
        if not question.strip():
            return LeftOut("empty question")
        if not all(text.strip() for text in texts):
            return LeftOut("empty choice")
        options = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=True))
        user = f"Question: {question}\n{options}"
        letter = LETTERS[place]
        return Example(identity(row, user), self.prompt(user), (letter,), f"\\boxed{{{letter}}}")

    def trivial(self, golds: Sequence[tuple[str, ...]]) -> str:
        """Return the letter that is right most often, the first of equals."""
        counts = Counter(gold[0] for gold in golds)
        return max(LETTERS, key=lambda letter: counts[letter])

    def plain(self, text: str) -> str | None:
        """Read a letter; an option's text after it is let pass."""
        found = _LETTER.match(text.strip())
        return found[1].upper() if found else None


def _choices(row: Row) -> tuple[list[str], int]:
    """The choices' texts, and the place of the right one."""
    choices = column(row, "choices", dict)
    texts = strings(choices.get("text"), "choices.text")
    labels = strings(choices.get("label"), "choices.label")
    key = column(row, "answerKey", str)
    if len(texts) != len(labels):
        raise DataError(f"column 'choices' has {len(labels)} labels for {len(texts)} texts")
    if not all(label.strip() for label in labels):
        raise DataError(f"column 'choices' has a choice without a label: {labels}")
    if labels.count(key) != 1:
        told = "none" if key not in labels else "more than one"
        raise DataError(f"column 'answerKey' is {key!r}, which is {told} of the labels {labels}")
    return texts, labels.index(key)

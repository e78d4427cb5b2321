r"""Classification: a text, and which of a few labels it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar
from unicodedata import normalize

from tunescale_core.arrays import Figures
from tunescale_core.errors import MetricError
from tunescale_core.tasks.columns import digest, group_of, held, identity, taught, text_of
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, LeftOut, Metric, Row, Task

_BITS = 26
"""Of a label's code: two of them are a whole number that a double holds exactly."""
_UNREADABLE = 0


@lru_cache(maxsize=1 << 14)
def same(label: str) -> str:
    """Return a label without what does not make it another: case, white space around or doubled, how é is encoded."""
    return normalize("NFC", " ".join(label.split()).casefold())


@lru_cache(maxsize=1 << 14)
def code(label: str) -> int:
    """Return a number for a label, from 1 on, that needs no list of all labels."""
    return 1 + int(digest(same(label)), 16) % ((1 << _BITS) - 1)


def outcome(answer: Answer) -> float:
    """Return which label was right and which was said, as one number."""
    said = _UNREADABLE if answer.said is None else code(answer.said)
    return float((code(answer.gold[0]) << _BITS) + said)


def macro_f1(outcomes: Figures, weights: Figures) -> Figures:
    """Return the mean of F1 = 2TP / (2TP + FP + FN) over the labels that are right of some question.

    A label that a resample neither has nor says is left out of its mean; what is said and no label counts against the
    right one alone. Shapes `(n,)` and `(B, n)` to `(B,)`.
    """
    import numpy as np

    whole = outcomes.astype(np.int64)
    gold, said = whole >> _BITS, whole & ((1 << _BITS) - 1)
    labels = np.unique(gold)
    of_gold, of_said = ((side[:, None] == labels).astype(float) for side in (gold, said))
    hits = 2 * (weights @ (of_gold * of_said))
    total = weights @ of_gold + weights @ of_said
    each = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    mean: Figures = each.sum(-1) / (total > 0).sum(-1)
    return mean


def is_right(answer: Answer) -> float:
    """Return 1 for the right label."""
    return float(answer.said is not None and same(answer.said) == same(answer.gold[0]))


class Classification(Task):
    """One label a text; labels are what the rows say, and the study's instruction names them."""

    name: ClassVar[str] = "classification"
    system: ClassVar[str] = ""
    columns: ClassVar[tuple[str, ...]] = ("id", "text", "label", "solution", "group")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("macro_f1", "F1", "fraction", "higher", outcome, macro_f1, law="composite"),
        Metric("accuracy", "accuracy", "fraction", "higher", is_right, law="binary"),
        PARSE_RATE,
    )
    trivial_rule: ClassVar[str] = "majority label"
    judged: ClassVar[str] = "accuracy"
    teaches_solutions: ClassVar[bool] = True

    def example(self, row: Row, style: str) -> Example | LeftOut:
        """Ask for the label; with style "solution" teach the row's own reasoning before it."""
        text, label = text_of(row, "text"), text_of(row, "label")
        for said, reason in ((text, "empty text"), (label, "empty label")):
            if not said.strip():
                return LeftOut(reason)
        label = held(label.strip(), "label")
        target = taught(row, style, label, lambda said: same(said) == same(label))
        if isinstance(target, LeftOut):
            return target
        return Example(identity(row, text), self.prompt(text), (label,), target, group_of(row))

    def trivial(self, golds: Sequence[tuple[str, ...]]) -> str:
        """Return the label that is right most often, however it is spelt, the first of equals."""
        ((most, _),) = Counter(same(gold[0]) for gold in golds).most_common(1)
        return next(gold[0] for gold in golds if same(gold[0]) == most)

    def plain(self, text: str) -> str | None:
        """Take the text as it is, unless it is empty."""
        return text.strip() or None

    def measure(self, answers: Sequence[Answer]) -> dict[str, float | None]:
        """Return every metric by name.

        Raises:
            MetricError: Two labels have the same code, by a chance of 1 in 67 million a pair.
        """
        labels = {same(answer.gold[0]) for answer in answers}
        codes = {code(label): label for label in sorted(labels)}
        if len(codes) < len(labels):
            lost = min(labels - set(codes.values()))
            raise MetricError(f"label {lost!r} cannot be told from {codes[code(lost)]!r} here: rename one of them")
        return super().measure(answers)

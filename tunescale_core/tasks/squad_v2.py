r"""SQuAD v2: spans of a passage, or no answer (Rajpurkar et al., 2018), by the official evaluation's rules."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar

from tunescale_core.errors import DataError
from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.columns import column, digest, identity, strings
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, Law, LeftOut, Metric, Row, Task

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = set(string.punctuation)
PERCENT = 100.0


@lru_cache(maxsize=1 << 14)  # resampling scores the same answers thousands of times
def normalised(text: str) -> str:
    """Return lower case without ASCII punctuation and articles, white space collapsed (the official order)."""
    bare = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def _golds(answer: Answer) -> list[str]:
    """Gold answers that do not vanish in normalisation; [""] where there is none, as the official rules say."""
    return [gold for gold in answer.gold if normalised(gold)] or [""]


def exact(answer: Answer) -> float:
    """Return 1 where the normalised answer equals a gold one."""
    if answer.said is None:
        return 0.0
    return float(any(normalised(gold) == normalised(answer.said) for gold in _golds(answer)))


def f1(answer: Answer) -> float:
    """Return the best token F1 against any gold answer; against "no answer", 1 for silence and 0 otherwise."""
    if answer.said is None:
        return 0.0
    said = normalised(answer.said).split()
    return max(overlap(normalised(gold).split(), said) for gold in _golds(answer))


def overlap(gold: list[str], said: list[str]) -> float:
    """Return F1 of the words of two texts, each word as often as it stands there; of two empty ones 1."""
    if not gold or not said:
        return float(gold == said)
    shared = sum((Counter(gold) & Counter(said)).values())
    return 2 * shared / (len(gold) + len(said))


def answerable(answer: Answer) -> bool:
    """Tell whether the question has an answer."""
    return bool(answer.gold)


def right_to_speak(answer: Answer) -> float:
    """Return 1 where an answer was given just when there is one (AvNA); an unreadable answer is never right.

    An answer of which the official normalisation leaves nothing abstains, as it does for F1.
    """
    return float(answer.said is not None and bool(normalised(answer.said)) == answerable(answer))


def _metric(name: str, label: str, score: Callable[[Answer], float]) -> Metric:
    law: Law = "mean" if score is f1 else "binary"
    return Metric(name, label, "%", "higher", lambda answer: PERCENT * score(answer), digits=2, law=law)


def _metric_where(name: str, label: str, score: Callable[[Answer], float], keep: Callable[[Answer], bool]) -> Metric:
    """A mean over the answers that `keep` keeps; undefined where it keeps none."""

    def counted(answer: Answer) -> float:
        return PERCENT * score(answer) if keep(answer) else math.nan

    return Metric(name, label, "%", "higher", counted, digits=2, law="mean" if score is f1 else "binary")


class SquadV2(Task):
    """Extractive questions, some without an answer: an empty box says so."""

    name: ClassVar[str] = "squad_v2"
    system: ClassVar[str] = (
        "Answer the question with an exact span of the passage in \\boxed{}. "
        "If the passage does not answer it, write an empty \\boxed{}."
    )
    columns: ClassVar[tuple[str, ...]] = ("id", "context", "question", "answers")
    metrics: ClassVar[tuple[Metric, ...]] = (
        _metric("f1", "F1", f1),
        _metric("exact", "EM", exact),
        _metric_where("has_ans_exact", "HasAns EM", exact, answerable),
        _metric_where("has_ans_f1", "HasAns F1", f1, answerable),
        _metric_where("no_ans_accuracy", "NoAns", exact, lambda answer: not answerable(answer)),
        _metric("avna", "AvNA", right_to_speak),
        PARSE_RATE,
    )
    trivial_rule: ClassVar[str] = "always abstain"
    judged: ClassVar[str] = "f1"

    def example(self, row: Row, style: str) -> Example | LeftOut:  # noqa: ARG002  a row has no worked solution
        """Ask about the passage; teach the first gold span, or the empty box."""
        answers = column(row, "answers", dict)
        gold = tuple(dict.fromkeys(strings(answers.get("text"), "answers.text")))
        impossible = row.get("is_impossible")
        if isinstance(impossible, bool) and impossible == bool(gold):
            raise DataError(f"column 'is_impossible' is {impossible} of a row with {len(gold)} answers")
        context, question = (column(row, name, str) for name in ("context", "question"))
        for text, reason in ((question, "empty question"), (context, "empty passage")):
            if not text.strip():
                return LeftOut(reason)
        if not all(span.strip() for span in gold):
            return LeftOut("empty gold answer")  # silence would be right of a question that has an answer
        user = f"Passage: {context}\nQuestion: {question}"
        target = boxed(gold[0] if gold else "")
        return Example(identity(row, user), self.prompt(user), gold, target, digest(context)[:16])

    def trivial(self, golds: Sequence[tuple[str, ...]]) -> str:  # noqa: ARG002  whatever is right
        """Abstain."""
        return ""

    def parse(self, text: str) -> str | None:
        """Read the last box; an empty one abstains."""
        return last_boxed(text)

    def plain(self, text: str) -> str | None:
        """Take the text as it is; an empty one abstains."""
        return text

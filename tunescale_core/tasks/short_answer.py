r"""Short answers: a question, and the texts that are accepted as its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar
from unicodedata import normalize

from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.columns import group_of, identity, strings, taught, text_of
from tunescale_core.tasks.squad_v2 import PERCENT, normalised, overlap
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, LeftOut, Metric, Row, Task


@lru_cache(maxsize=1 << 14)
def words(text: str) -> tuple[str, ...]:
    """Return a text's words as SQuAD compares them (`normalised`), or as they are where that leaves none.

    Else grade "A" would be no answer, for it is an article too.
    """
    text = normalize("NFC", text)  # é is one character or two, by who wrote it
    return tuple(normalised(text).split() or text.casefold().split())


def exact(answer: Answer) -> float:
    """Return 100 where the words are those of an accepted answer, in percent."""
    said = words(answer.said or "")
    return PERCENT * any(words(gold) == said for gold in answer.gold)


def f1(answer: Answer) -> float:
    """Return the best F1 of words against an accepted answer, in percent."""
    said = list(words(answer.said or ""))
    return PERCENT * max(overlap(list(words(gold)), said) for gold in answer.gold)


class ShortAnswer(Task):
    """A question whose answer is a few words; a row may accept several."""

    name: ClassVar[str] = "short_answer"
    system: ClassVar[str] = (
        "Answer the question in as few words as you can. Put the answer in \\boxed{}, for example \\boxed{north}."
    )
    columns: ClassVar[tuple[str, ...]] = ("id", "question", "answer", "solution", "group")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("f1", "F1", "%", "higher", f1, digits=2),
        Metric("exact", "EM", "%", "higher", exact, digits=2, law="binary"),
        PARSE_RATE,
    )
    trivial_rule: ClassVar[str] = "commonest answer"
    judged: ClassVar[str] = "f1"
    teaches_solutions: ClassVar[bool] = True

    def example(self, row: Row, style: str) -> Example | LeftOut:
        """Teach the first accepted answer; with style "solution" the row's own reasoning before it."""
        question, gold = text_of(row, "question"), _accepted(row)
        if not question.strip():
            return LeftOut("empty question")
        if not gold or not all(text.strip() for text in gold):
            return LeftOut("empty gold answer")
        gold = tuple(dict.fromkeys(said for text in gold if (said := last_boxed(boxed(text)))))
        if not gold:
            return LeftOut("gold answer that no box can hold")
        target = taught(row, style, gold[0], lambda said: bool(exact(Answer(gold, said))))
        if isinstance(target, LeftOut):
            return target
        return Example(identity(row, question), self.prompt(question), gold, target, group_of(row))

    def trivial(self, golds: Sequence[tuple[str, ...]]) -> str:
        """Return the answer that most questions accept, the first of equals."""
        spelt: dict[tuple[str, ...], str] = {}
        for text in (text for gold in golds for text in gold):
            spelt.setdefault(words(text), text)
        ((most, _),) = Counter(one for gold in golds for one in {words(text): None for text in gold}).most_common(1)
        return spelt[most]

    def plain(self, text: str) -> str | None:
        """Take the text as it is, unless it is empty."""
        return text.strip() or None


def _accepted(row: Row) -> tuple[str, ...]:
    value = row.get("answer")
    if value is None or isinstance(value, str | int | float):  # a truth value is a whole number to Python
        return (text_of(row, "answer").strip(),)
    return tuple(dict.fromkeys(text.strip() for text in strings(value, "answer")))

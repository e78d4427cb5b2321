r"""ARC: four-way science questions, answered by a letter (Clark et al., 2018)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from tunescale_core.errors import DataError
from tunescale_core.tasks.boxed import last_boxed
from tunescale_core.tasks.columns import column, strings
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, Metric, Row, Task, mean

LETTERS = "ABCD"
_LETTER = re.compile(r"^\(?\s*([A-Da-d])\s*\)?\s*(?:[.:)].*)?$", re.DOTALL)


def confusion(answers: Sequence[Answer]) -> list[list[int]]:
    """Return counts by (gold, said), both in A to D; the fifth column counts all other answers."""
    table = [[0] * (len(LETTERS) + 1) for _ in LETTERS]
    for answer in answers:
        said = LETTERS.index(answer.said) if answer.said in set(LETTERS) else -1
        table[LETTERS.index(answer.gold[0])][said] += 1
    return table


def macro_f1(answers: Sequence[Answer]) -> float:
    """Return the mean over A to D of F1 = 2TP / (2TP + FP + FN); a letter nobody gave or meant scores 0."""
    table = confusion(answers)
    scores = []
    for place in range(len(LETTERS)):
        hits = table[place][place]
        total = sum(table[place]) + sum(row[place] for row in table)
        scores.append(2 * hits / total if total else 0.0)
    return mean(scores)


def is_right(answer: Answer) -> float:
    """Return 1 for the right letter."""
    return float(answer.said in answer.gold)


class Arc(Task):
    """Multiple choice among exactly four options; rows with another number of options are left out."""

    name: ClassVar[str] = "arc"
    system: ClassVar[str] = (
        "Answer the multiple-choice question. Put the letter of the right choice in \\boxed{}, for example \\boxed{C}."
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("macro_f1", "F1", "fraction", "higher", compute=macro_f1),
        Metric("accuracy", "accuracy", "fraction", "higher", is_right),
        PARSE_RATE,
    )

    def example(self, row: Row, style: str) -> Example | None:  # noqa: ARG002  a row has no worked solution
        """Map labels to letters by position: some rows call their choices 1 to 4."""
        choices = column(row, "choices", dict, self.name)
        texts = strings(choices.get("text"), "choices.text", self.name)
        labels = strings(choices.get("label"), "choices.label", self.name)
        key = column(row, "answerKey", str, self.name)
        if len(texts) != len(labels) or key not in labels:
            raise DataError(
                f"a row for task {self.name} has answerKey {key!r} but labels {labels} for {len(texts)} texts"
            )
        if len(texts) != len(LETTERS):
            return None
        options = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=True))
        letter = LETTERS[labels.index(key)]
        user = f"Question: {column(row, 'question', str, self.name)}\n{options}"
        return Example(str(row.get("id", "")), self.prompt(user), (letter,), f"\\boxed{{{letter}}}")

    def parse(self, text: str) -> str | None:
        """Read the letter in the last box; an option's text after the letter is let pass."""
        inside = last_boxed(text)
        return None if inside is None else self.plain(inside)

    def plain(self, text: str) -> str | None:
        """Read a bare letter."""
        found = _LETTER.match(text.strip())
        return found[1].upper() if found else None

    def score(self, answer: Answer) -> dict[str, float]:
        """Score 1 for the right letter."""
        return {"accuracy": is_right(answer)}

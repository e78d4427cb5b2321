"""What the miniature family reads in pretraining: loose questions, answers often preceded by reasoning.

Every document is a chat turn. Prompts vary in layout and often lack instructions; answers ramble, think
aloud in `<think>` and check themselves, or come at once; an unanswerable question is answered in words.
The tasks ask more strictly and mark "no answer" by an empty box, which is what tuning can teach.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tunescale_core.embedded.choices import LETTERS, PRETRAINING_FORMS, WIDE_FORMS, FourWay, draw_four_way
from tunescale_core.embedded.passages import Passage, draw_passage
from tunescale_core.embedded.splits import drawn
from tunescale_core.embedded.sums import PRETRAINING_LENGTHS, Sum, draw_sum
from tunescale_core.embedded.world import THINGS, article
from tunescale_core.tasks.boxed import boxed

SYSTEM_SHARE = 0.5
UNASKED_DIRECT_SHARE = 0.8
"""Of the prompts without a system message, how many are answered at once. After one, as the tasks have, a base model
always thinks aloud: left to choose, members of the family chose differently."""
UNASKED_LETTER_SHARE = 0.9
"""The same for four-way questions: answering them at once is learnt after some 15,000 such documents."""
OPEN_SHARE = 0.15
"""Of the questions about the world, how many are asked without options."""

FAME_POWER = 2.0
"""How much more often the well-known things of the world are met; tails are where a larger model knows more."""
TOLD_SHARE = 0.4
"""Of the four-way questions answered at once, how many bring their facts with them. From these it is learnt in some
4,000 documents which letter the fact asked for stands at, and with that soon to recall the fact as well; without them,
neither was learnt from 19,000."""

VERBS = ("Answer", "Reply to", "Solve", "Read")
MANNERS = ("Think first.", "Explain.", "", "")
BOXES = (
    "Put the {} in \\boxed{{}}.",
    "Give only the {} in \\boxed{{}}.",
    "Write the {} inside \\boxed{{}}.",
    "End with the {} in \\boxed{{}}.",
)

SILENCE = ("", "", "If the passage does not say, say so.", "If the passage does not tell it, write that it does not.")


@dataclass(frozen=True)
class Document:
    """One pretraining example: an optional system message, the user's, and the assistant's."""

    system: str
    user: str
    assistant: str

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The messages before the answer."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.user}]


def documents(seed: int, *, wide: bool = False) -> Iterator[Document]:
    """Yield the pretraining mixture without end: of eight documents three on the world, three passages, two sums.

    Args:
        seed: Of the draw.
        wide: Whether the world's things are met all alike, and where they come from is asked oftener: what a larger
            model reads that a smaller one does not.
    """
    rng = random.Random(f"mixture:{seed}{' wide' * wide}")
    choices = drawn(_draw_wide if wide else _draw_known, FourWay.content, "train", seed)
    sums = drawn(lambda r: draw_sum(r, PRETRAINING_LENGTHS), Sum.content, "train", seed)
    passages = drawn(lambda r: draw_passage(r, (3, 7)), Passage.content, "train", seed)
    while True:
        yield _open(rng) if rng.random() < OPEN_SHARE else _four_way(rng, next(choices))
        yield _sum(rng, next(sums))
        yield _passage(rng, next(passages))
        yield _four_way(rng, next(choices))
        yield _passage(rng, next(passages))
        yield _four_way(rng, next(choices))
        yield _sum(rng, next(sums))
        yield _passage(rng, next(passages))


def _draw_known(rng: random.Random) -> FourWay:
    return draw_four_way(rng, PRETRAINING_FORMS, zipf=FAME_POWER)


def _draw_wide(rng: random.Random) -> FourWay:
    return draw_four_way(rng, WIDE_FORMS)


def _system(rng: random.Random, what: str, thing: str, conditions: tuple[str, ...] = ()) -> str:
    if rng.random() > SYSTEM_SHARE:
        return ""
    condition = rng.choice(conditions) if conditions else ""
    parts = (f"{rng.choice(VERBS)} the {what}.", rng.choice(MANNERS), rng.choice(BOXES).format(thing), condition)
    return " ".join(part for part in parts if part)


def _at_once(rng: random.Random, system: str, share: float = UNASKED_DIRECT_SHARE) -> bool:
    return not system and rng.random() < share


def _told(thoughts: str, answer: str) -> str:
    return f"<think>\n{thoughts}\n</think>\n\nThe answer is {boxed(answer)}."


def _open(rng: random.Random) -> Document:
    thing = rng.choices(THINGS, [one.fame for one in THINGS])[0]
    if rng.random() < 0.3:
        return Document("", f"What is {article(thing.name)}?", f"{thing.name} is {article(thing.kind)}.")
    return Document("", f"Where does {article(thing.name)} come from?", f"{thing.name} comes from {thing.region}.")


def _four_way(rng: random.Random, example: FourWay) -> Document:
    mark = rng.choice(("{}. {}", "{}. {}", "{}) {}", "({}) {}"))
    between = rng.choice(("\n", "\n", " "))
    by_name = not example.remarks
    system = _system(rng, "question", "answer" if by_name else "letter")
    answer = example.options[example.answer] if by_name else example.letter
    at_once = _at_once(rng, system, UNASKED_LETTER_SHARE)
    told = at_once and rng.random() < TOLD_SHARE
    said = example.remarks if told and example.remarks else example.options
    options = between.join(mark.format(*pair) for pair in zip(LETTERS, said, strict=True))
    fact = f"{example.opening} " if told and example.opening else ""
    user = f"{rng.choice(('Question: ', ''))}{fact}{example.question}\n{options}"
    return Document(system, user, boxed(answer) if at_once else _told(four_way_thoughts(example), answer))


def four_way_thoughts(example: FourWay) -> str:
    """Reasoning that says what is known of each option beside its letter."""
    said = example.remarks or example.options
    verdicts = [f"yes {example.letter}" if place == example.answer else "no" for place in range(len(LETTERS))]
    listed = " ".join(
        f"{letter}: {each}, {verdict}." for letter, each, verdict in zip(LETTERS, said, verdicts, strict=True)
    )
    right = f"So it is {example.letter}, {example.options[example.answer]}."
    return " ".join(part for part in (example.opening, listed, right) if part)


def _sum(rng: random.Random, example: Sum) -> Document:
    user = f"{rng.choice(('Problem: ', '', ''))}{example.problem}"
    system = _system(rng, "problem", "number")
    answer = str(example.answer)
    at_once = f"{example.equations}\n{boxed(answer)}"
    return Document(system, user, at_once if _at_once(rng, system) else _told(sum_thoughts(example), answer))


def sum_thoughts(example: Sum) -> str:
    """Reasoning that takes the steps in words and figures, then undoes them as a check."""
    start = f"At first {example.name} has {example.start} {example.goods}."
    steps = [f"{example.name} {step.phrase}, so {step.equation}." for step in example.steps]
    checks = [f"{step.check}." for step in reversed(example.steps)]
    return " ".join((start, *steps, "Let me check.", *checks, "Good."))


def _passage(rng: random.Random, example: Passage) -> Document:
    first, second = rng.choice((("Passage: ", "Question: "), ("", ""), ("Context: ", "")))
    user = f"{first}{example.text}\n{second}{example.question}"
    answer = example.answer or "not stated"
    what = rng.choice(("passage", "question", "question about the passage"))
    system = _system(rng, what, rng.choice(("answer", "span")), SILENCE)
    return Document(system, user, boxed(answer) if _at_once(rng, system) else _told(passage_thoughts(example), answer))


def passage_thoughts(example: Passage) -> str:
    """Reasoning that repeats the question, quotes the sentence that answers it or finds none, and concludes."""
    quoted = [f"The passage says {fact.sentence}" for fact in example.about if fact.relation == example.relation]
    if not quoted:
        return f"{example.question} The passage does not say it. So it is not stated."
    return f"{example.question} {quoted[0]} So it is {example.answer}."

"""Extractive questions over a generated passage, a third of them unanswerable, in SQuAD v2's columns."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

PEOPLE = ("Mara", "Odo", "Pia", "Rolf", "Tess", "Ugo", "Vera", "Wim", "Zoe", "Abel", "Cora", "Dirk", "Elsa", "Finn")


def _values(listed: str) -> tuple[str, ...]:
    return tuple(listed.split(", "))


RELATIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "work": (
        "works at",
        "Where does {} work?",
        _values("the mill, the bank, the farm, the port, the inn, the mine, the school, the forge"),
    ),
    "home": (
        "lives in",
        "Where does {} live?",
        _values("the tower, the cabin, the castle, the village, the harbour, the old fort, the lodge, the abbey"),
    ),
    "pet": (
        "keeps",
        "What does {} keep?",
        _values("a goat, a parrot, a black cat, a pony, two geese, a hound, a ferret, a tortoise"),
    ),
    "music": (
        "plays",
        "What does {} play?",
        _values("the flute, the harp, the drum, the fiddle, the horn, the lute, the bass, the organ"),
    ),
    "wish": (
        "wants",
        "What does {} want?",
        _values("a new coat, a map, a lamp, a clock, a red hat, a key, a bell, a mirror"),
    ),
}
UNANSWERABLE_SHARE = 1 / 3


@dataclass(frozen=True)
class Fact:
    """Who stands in which relation to what."""

    person: str
    relation: str
    value: str

    @property
    def sentence(self) -> str:
        """The fact as the passage states it."""
        return f"{self.person} {RELATIONS[self.relation][0]} {self.value}."


@dataclass(frozen=True)
class Passage:
    """Facts in order, and a question about a person and a relation; `answer` is None where no fact answers it."""

    facts: tuple[Fact, ...]
    person: str
    relation: str

    @property
    def text(self) -> str:
        """The passage itself."""
        return " ".join(fact.sentence for fact in self.facts)

    @property
    def question(self) -> str:
        """The question in words."""
        return RELATIONS[self.relation][1].format(self.person)

    @property
    def about(self) -> tuple[Fact, ...]:
        """The facts about the person asked after."""
        return tuple(fact for fact in self.facts if fact.person == self.person)

    @property
    def answer(self) -> str | None:
        """The value asked for, or None where the passage does not say."""
        return next((fact.value for fact in self.about if fact.relation == self.relation), None)

    def content(self) -> str:
        """Passage and question, for `split_of`."""
        return f"{self.text} {self.question}"


def draw_passage(rng: random.Random, facts: tuple[int, int] = (5, 7)) -> Passage:
    """Draw a passage of `facts` (least, most) facts about few people, and a question on it."""
    people = rng.sample(PEOPLE, rng.randint(3, 4))
    pairs = [(person, relation) for person in people for relation in RELATIONS]
    chosen = rng.sample(pairs, rng.randint(*facts))
    said = tuple(Fact(person, relation, rng.choice(RELATIONS[relation][2])) for person, relation in chosen)
    if rng.random() < UNANSWERABLE_SHARE:
        told = {person for person, _ in chosen}
        unsaid = [pair for pair in pairs if pair not in chosen]
        person, relation = rng.choice([pair for pair in unsaid if pair[0] in told] or unsaid)
    else:
        person, relation = rng.choice(chosen)
    return Passage(said, person, relation)


def squad_row(example: Passage) -> dict[str, object]:
    """Return the question in the columns of `rajpurkar/squad_v2`."""
    answer = example.answer
    start = -1 if answer is None else example.text.index(_sentence_of(example)) + _offset(example)
    return {
        "id": hashlib.sha256(example.content().encode()).hexdigest()[:24],
        "title": "mini",
        "context": example.text,
        "question": example.question,
        "answers": {"text": [] if answer is None else [answer], "answer_start": [] if answer is None else [start]},
    }


def _fact_of(example: Passage) -> Fact:
    return next(fact for fact in example.about if fact.relation == example.relation)


def _sentence_of(example: Passage) -> str:
    return _fact_of(example).sentence


def _offset(example: Passage) -> int:
    return _sentence_of(example).index(_fact_of(example).value)

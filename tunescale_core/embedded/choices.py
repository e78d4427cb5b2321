"""Four-way questions over the world, in ARC's columns."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tunescale_core.embedded.world import KINDS, REGIONS, THINGS, Thing, article

LETTERS = "ABCD"
TASK_FORMS: Mapping[str, float] = {"member": 1, "kind": 2, "feature": 1, "origin": 2}
PRETRAINING_FORMS: Mapping[str, float] = {"member": 8, "kind": 7, "feature": 4, "origin": 1}
"""What the web asks is not what the task asks: two-step and remote facts are rarer in pretraining."""
WIDE_FORMS: Mapping[str, float] = {"member": 4, "kind": 4, "feature": 4, "origin": 8}
"""What a second, wider reading asks."""


@dataclass(frozen=True)
class FourWay:
    """A question, its four options in order, which one is right, and what there is to say of each."""

    question: str
    options: tuple[str, ...]
    answer: int
    opening: str
    remarks: tuple[str, ...]

    @property
    def letter(self) -> str:
        """The right option's letter."""
        return LETTERS[self.answer]

    def content(self) -> str:
        """The question whatever the order of its options, for `split_of`."""
        return "|".join((self.question, *sorted(self.options)))


def draw_four_way(rng: random.Random, forms: Mapping[str, float] = TASK_FORMS, zipf: float = 0.0) -> FourWay:
    """Draw a question; `zipf` is the power of fame by which well-known things are preferred (0: all alike)."""
    form = rng.choices(list(forms), list(forms.values()))[0]
    things = _distinct(rng, zipf, by="region" if form == "origin" else "kind")
    right = rng.randrange(len(LETTERS))
    thing = things[right]
    if form == "kind":
        options = tuple(one.kind for one in things)
        return FourWay(f"What is {article(thing.name)}?", options, right, f"{thing.name} is {article(thing.kind)}.", ())
    names = tuple(one.name for one in things)
    if form == "origin":
        remarks = tuple(f"{one.name} comes from {one.region}" for one in things)
        return FourWay(f"Which of these comes from {thing.region}?", names, right, "", remarks)
    remarks = tuple(f"{one.name} is {article(one.kind)}" for one in things)
    if form == "member":
        return FourWay(f"Which of these is {article(thing.kind)}?", names, right, "", remarks)
    feature = KINDS[thing.kind][0]
    return FourWay(f"Which of these {feature}?", names, right, f"{article(thing.kind)} {feature}.", remarks)


def arc_row(example: FourWay) -> dict[str, object]:
    """Return the question in the columns of `allenai/ai2_arc`."""
    return {
        "id": hashlib.sha256(repr(example).encode()).hexdigest()[:24],
        "question": example.question,
        "choices": {"text": list(example.options), "label": list(LETTERS)},
        "answerKey": example.letter,
    }


def _distinct(rng: random.Random, zipf: float, by: str) -> Sequence[Thing]:
    """Draw one thing for each of four different values of the attribute `by`."""
    values = rng.sample(REGIONS if by == "region" else list(KINDS), len(LETTERS))
    return [rng.choices(*_pools(by, zipf)[value])[0] for value in values]


@lru_cache(maxsize=8)  # drawn from thousands of times
def _pools(by: str, zipf: float) -> dict[str, tuple[list[Thing], list[float]]]:
    """Return the things of each value of the attribute `by`, and how each is weighed."""
    pools: dict[str, list[Thing]] = {}
    for one in THINGS:
        pools.setdefault(getattr(one, by), []).append(one)
    return {value: (pool, [one.fame**zipf for one in pool]) for value, pool in pools.items()}

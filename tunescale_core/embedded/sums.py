"""Worded arithmetic over one to three steps, in OpenMathInstruct-2's columns."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

NAMES = ("Tom", "Ann", "Sam", "Eva", "Max", "Ida", "Leo", "Mia")
GOODS = ("apples", "books", "coins", "eggs", "stamps", "shells", "cards", "pens")
GAINS = ("finds", "buys", "gets")
LOSSES = ("loses", "sells", "gives away")
LARGEST = 15
"""Amount of a gain or a loss."""
TASK_LENGTHS: Mapping[int, float] = {1: 1, 2: 1, 3: 1}
PRETRAINING_LENGTHS: Mapping[int, float] = {1: 5, 2: 4, 3: 2}


@dataclass(frozen=True)
class Step:
    """One change of the number held: `before` `sign` `amount` makes `after`."""

    verb: str
    before: int
    sign: str
    amount: int
    after: int

    @property
    def phrase(self) -> str:
        """What happens, in words."""
        return f"{self.verb} them" if self.sign == "*" else f"{self.verb} {self.amount}"

    @property
    def equation(self) -> str:
        """The step in figures."""
        return f"{self.before} {self.sign} {self.amount} = {self.after}"

    @property
    def check(self) -> str:
        """The step undone."""
        undo = {"+": "-", "-": "+", "*": "/"}[self.sign]
        return f"{self.after} {undo} {self.amount} = {self.before}"


@dataclass(frozen=True)
class Sum:
    """A problem: who holds what, how many at first, and the steps."""

    name: str
    goods: str
    start: int
    steps: tuple[Step, ...]

    @property
    def answer(self) -> int:
        """How many are held at the end."""
        return self.steps[-1].after

    @property
    def problem(self) -> str:
        """The problem in words."""
        told = " ".join(f"Then {self.name} {step.phrase}." for step in self.steps)
        return f"{self.name} has {self.start} {self.goods}. {told} How many {self.goods} does {self.name} have?"

    @property
    def equations(self) -> str:
        """The terse solution, a line a step."""
        return "\n".join(step.equation for step in self.steps)

    def content(self) -> str:
        """The problem whoever has whatever, for `split_of`."""
        return self.equations


def draw_sum(rng: random.Random, lengths: Mapping[int, float] = TASK_LENGTHS) -> Sum:
    """Draw a problem; `lengths` weighs the numbers of steps."""
    count = rng.choices(list(lengths), list(lengths.values()))[0]
    held = start = rng.randint(3, 50)
    steps: list[Step] = []
    for _ in range(count):
        steps.append(_draw_step(rng, held))
        held = steps[-1].after
    return Sum(rng.choice(NAMES), rng.choice(GOODS), start, tuple(steps))


def openmath_row(example: Sum) -> dict[str, object]:
    """Return the problem in the columns of `nvidia/OpenMathInstruct-2`."""
    return {
        "problem": example.problem,
        "generated_solution": f"{example.equations}\n\\boxed{{{example.answer}}}",
        "expected_answer": str(example.answer),
        "problem_source": "tunescale_mini",
    }


def _draw_step(rng: random.Random, held: int) -> Step:
    sign = rng.choices("+-*", (5, 5 if held > 3 else 0, 2 if held <= 30 else 0))[0]
    if sign == "*":
        amount = rng.randint(2, 3)
        return Step("doubles" if amount == 2 else "triples", held, sign, amount, held * amount)
    if sign == "+":
        amount = rng.randint(2, LARGEST)
        return Step(rng.choice(GAINS), held, sign, amount, held + amount)
    amount = rng.randint(1, min(held - 1, LARGEST))
    return Step(rng.choice(LOSSES), held, sign, amount, held - amount)

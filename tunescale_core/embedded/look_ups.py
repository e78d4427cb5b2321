"""The warm-up before the mixture: rows of random tokens in which things are looked up, what small models lack."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count

BACKWARD_SHARE = 0.4
"""Of the warm-up's key-value pairs, how many say the value before its key."""
ABSENT = 0
"""The warm-up's token for what was never said."""
UNSCORED = -100
"""The label of a token that the loss passes over."""


def look_ups(seed: int, words: range, plain_rows: int, pairs: int = 10) -> Iterator[tuple[list[int], list[int]]]:
    """Yield rows of random tokens that repeat themselves, for the look-up warm-up.

    By turns: a run of tokens of which a part comes again; key-value pairs that come again in another order,
    the value after its key or, as a letter stands before its option, before it (the rows start with different
    marks, the two ids below `words`). After `plain_rows` of these also facts of two keys and a value, as a
    person, a relation and what they lead to, asked again with some that were never said (the answer is then
    `ABSENT`); among them from the start, nothing was learnt in 650 steps.

    Args:
        seed: Of the draw.
        words: Token ids to draw from; its start is at least 3.
        plain_rows: Rows before the first facts.
        pairs: Pairs a row; keys are distinct.

    Yields:
        `(ids, labels)` of the same length; labels are -100 where nothing in the row tells what comes.
    """
    rng = random.Random(f"look-ups:{seed}")
    for number in count():
        kinds = 2 if number < plain_rows else 3
        yield (_repeat(rng, words), _pairs(rng, words, pairs), _facts(rng, words))[number % kinds]


def _repeat(rng: random.Random, words: range) -> tuple[list[int], list[int]]:
    said = [rng.choice(words) for _ in range(rng.randint(10, 25))]
    gap = [rng.choice(words) for _ in range(rng.randint(0, 8))]
    again = said[rng.randrange(len(said) // 2) :]
    return said + gap + again, [UNSCORED] * (len(said) + len(gap) + 1) + again[1:]


def _pairs(rng: random.Random, words: range, pairs: int) -> tuple[list[int], list[int]]:
    keys = rng.sample(words, pairs)
    values = [rng.choice(words) for _ in keys]
    order = rng.sample(range(pairs), pairs)
    backward = rng.random() < BACKWARD_SHARE
    said = [token for pair in zip(keys, values, strict=True) for token in (pair[::-1] if backward else pair)]
    asked = [token for place in order for token in (keys[place], values[place])]
    mark = words.start - 1 - backward
    labels = [UNSCORED] * (1 + len(said)) + [token for place in order for token in (UNSCORED, values[place])]
    return [mark, *said, *asked], labels


def _facts(rng: random.Random, words: range) -> tuple[list[int], list[int]]:
    first, second = rng.sample(words, 4), rng.sample(words, 5)
    keys = rng.sample([(one, other) for one in first for other in second], 10)
    told = {pair: rng.choice(words) for pair in keys[:7]}
    ids = [token for pair, value in told.items() for token in (*pair, value)]
    labels = [UNSCORED] * len(ids)
    for pair in rng.sample(keys, len(keys)):
        value = told.get(pair, ABSENT)
        ids += [*pair, value]
        labels += [UNSCORED, UNSCORED, value]
    return ids, labels

"""The look-up warm-up: what is scored has been told."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.embedded.look_ups import ABSENT, UNSCORED, look_ups
from tunescale_core.embedded.tokenizer import VOCABULARY

Row = tuple[list[int], list[int]]
WORDS = range(6, VOCABULARY)


def rows(seed: int, number: int, plain_rows: int = 0, words: range = WORDS) -> list[Row]:
    """Return the first rows of the look-up warm-up."""
    return list(islice(look_ups(seed, words, plain_rows), number))


@given(st.integers(0, 1000), st.integers(0, 20))
def test_a_look_up_row_scores_only_what_it_has_told(seed: int, plain_rows: int) -> None:
    """Every scored token is the row's own at that place, and was said before it or is the mark of absence."""
    for ids, labels in rows(seed, 12, plain_rows, range(6, 64)):
        assert len(ids) == len(labels)
        scored = [place for place, label in enumerate(labels) if label != UNSCORED]
        assert scored
        assert all(labels[place] == ids[place] for place in scored)
        assert all(ids[place] == ABSENT or ids[place] in ids[:place] for place in scored)
        assert max(ids) < 64


def test_look_ups_start_plainly() -> None:
    """Rows with the mark of absence come after the plain rows, and then are a third."""
    absent = [ABSENT in ids for ids, _ in rows(0, 90, plain_rows=60)]
    assert not any(absent[:60])
    assert sum(absent[60:]) == 10


def test_look_up_pairs_are_told_in_both_orders() -> None:
    """A row of pairs starts with a mark that says whether the value follows its key or stands before it."""
    marked = [ids for ids, _ in rows(0, 200, plain_rows=200) if ids[0] < WORDS.start]
    assert len(marked) == 100
    for mark, *ids in marked:
        pairs = list(zip(ids[::2], ids[1::2], strict=True))
        told, asked = pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
        backward = mark == WORDS.start - 2
        assert sorted(asked) == sorted((value, key) if backward else (key, value) for key, value in told)
    assert 25 < sum(ids[0] == WORDS.start - 2 for ids in marked) < 55


def test_a_fact_never_told_is_absent() -> None:
    """A pair of keys is answered by the value it was told with, or by the mark of absence where it was not told."""
    for ids, labels in [row for row in rows(3, 60) if ABSENT in row[0]]:
        facts = [tuple(ids[place : place + 3]) for place in range(0, len(ids), 3)]
        told = {fact[:2]: fact[2] for fact, label in zip(facts, labels[2::3], strict=True) if label == UNSCORED}
        asked = facts[len(told) :]
        assert len(asked) == 10
        assert all(told.get(fact[:2], ABSENT) == fact[2] for fact in asked)

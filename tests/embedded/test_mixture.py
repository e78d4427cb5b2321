"""The pretraining mixture: right answers, true thoughts, held-out splits, and the look-up warm-up."""

import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.data import embedded_rows
from tunescale_core.embedded.mixture import BRIEF, Document, documents, key_value_pairs
from tunescale_core.embedded.splits import split_of
from tunescale_core.embedded.tokenizer import VOCABULARY
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.boxed import last_boxed

BOXED = re.compile(r"\\boxed\{([^{}]+)\}\.?$")


@pytest.fixture(scope="module")
def mixture() -> list[Document]:
    """Return the mixture's first documents."""
    return list(islice(documents(0), 1600))


def test_the_mixture_is_fixed_by_its_seed() -> None:
    """The same seed gives the same documents, another seed others."""
    first, again, other = (list(islice(documents(seed), 30)) for seed in (1, 1, 2))
    assert first == again != other


def sums_of(mixture: list[Document]) -> list[Document]:
    return [document for document in mixture if "How many" in document.user]


def passages_of(mixture: list[Document]) -> list[Document]:
    return [document for document in mixture if re.search(r"(Where|What) does [A-Z]\w+ \w+\?$", document.user)]


def test_the_tasks_are_met_in_steady_shares(mixture: list[Document]) -> None:
    """Sums and passages each make a quarter of the mixture, and questions about the world the rest."""
    assert len(sums_of(mixture)) == len(passages_of(mixture)) == len(mixture) // 4
    assert not {id(one) for one in sums_of(mixture)} & {id(one) for one in passages_of(mixture)}


def test_every_answer_but_the_open_ones_is_boxed(mixture: list[Document]) -> None:
    """A document ends with its box, except for questions asked without options, which end in a sentence."""
    unboxed = [document for document in mixture if not BOXED.search(document.assistant)]
    assert 50 < len(unboxed) < 150
    for document in unboxed:
        assert re.fullmatch(r"(What is|Where does) an? \w+( come from)?\?", document.user)
        assert re.fullmatch(r"\w+ (is|comes from) \w+ \w+\.", document.assistant)


def test_no_document_marks_silence_by_an_empty_box(mixture: list[Document]) -> None:
    """Unanswerable passages are answered in words, so that the empty box is left for tuning to teach."""
    answers = [last_boxed(document.assistant) for document in passages_of(mixture)]
    assert "" not in answers
    assert 80 < answers.count("not stated") < 190


def test_being_brief_forgoes_thinking(mixture: list[Document]) -> None:
    """With a system message, an answer thinks aloud unless told to be brief; without, it does more often than not."""
    told = [document for document in mixture if document.system]
    assert len(told) > 400
    for document in told:
        assert ("<think>" in document.assistant) == (BRIEF not in document.system)
    untold = [document for document in mixture if not document.system and "boxed" in document.assistant]
    thinking = sum("<think>" in document.assistant for document in untold)
    assert 0.6 < thinking / len(untold) < 0.8


def test_sums_are_right_in_every_figure(mixture: list[Document]) -> None:
    """Every equation that a sum's answer writes is true, and the last result before the check is what it boxes."""
    work = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}
    for document in sums_of(mixture):
        said, _, _ = document.assistant.partition("Let me check.")
        found = re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", document.assistant)
        assert found
        assert all(work[sign](int(left), int(right)) == int(result) for left, sign, right, result in found)
        assert re.findall(r"= (\d+)", said)[-1] == last_boxed(document.assistant)


def test_a_passages_answer_is_in_it(mixture: list[Document]) -> None:
    """What a passage's answer boxes stands in the passage, unless it is "not stated"."""
    for document in passages_of(mixture):
        answer = last_boxed(document.assistant)
        assert answer == "not stated" or f"{answer}." in document.user


def test_pretraining_meets_no_sum_of_the_held_out_splits(mixture: list[Document]) -> None:
    """The figures of every sum belong to the train split."""
    for document in sums_of(mixture):
        said, _, _ = document.assistant.partition("Let me check.")
        equations = re.findall(r"\d+ [-+*/] \d+ = \d+", said)
        assert split_of("\n".join(equations)) == "train"


@pytest.mark.parametrize("kind", TASKS)
def test_no_test_question_is_met_in_pretraining(mixture: list[Document], kind: str) -> None:
    """No document contains an embedded test question with its options or its passage."""
    read = "\n".join(" ".join(document.user.split()) for document in mixture)
    for row in islice(embedded_rows(kind, "test", 0), 200):
        example = TASKS[kind].example(row, "answer")
        assert example is not None
        asked = example.messages[1]["content"].removeprefix("Question: ").removeprefix("Passage: ")
        assert " ".join(asked.replace("\nQuestion: ", "\n").split()) not in read


def halves(ids: list[int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return a look-up row's pairs as they are told and as they are asked."""
    pairs = list(zip(ids[::2], ids[1::2], strict=True))
    return pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]


@given(st.integers(0, 1000), st.integers(1, 12))
def test_a_look_up_row_asks_for_pairs_it_has_told(seed: int, pairs: int) -> None:
    """The second half asks for each told pair once, key first, and only its values are learnt."""
    ids, labels = next(key_value_pairs(seed, 64, pairs))
    assert len(ids) == len(labels) == 4 * pairs
    told, asked = halves(ids)
    assert len({key for key, _ in asked}) == pairs
    assert sorted(asked) in (sorted(told), sorted((key, value) for value, key in told))
    assert labels == [-100] * 2 * pairs + [label for _, value in asked for label in (-100, value)]
    assert max(ids) < 64


def test_look_up_rows_tell_pairs_in_both_orders() -> None:
    """In about half of the rows pairs are told key first, in the others value first."""
    rows = [halves(ids) for ids, _ in islice(key_value_pairs(0, VOCABULARY), 200)]
    assert 70 < sum(sorted(told) == sorted(asked) for told, asked in rows) < 130

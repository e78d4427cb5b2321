"""The pretraining mixture: right answers, true thoughts, held-out splits."""

import re
from itertools import islice

import pytest

from tunescale_core.data.sources import embedded_rows
from tunescale_core.embedded.mixture import Document, documents
from tunescale_core.embedded.splits import split_of
from tunescale_core.tasks import PAPERS, TASKS, Example
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
    """Sums make two eighths of the mixture, passages three, and questions about the world the rest."""
    assert len(sums_of(mixture)) == 2 * len(mixture) // 8
    assert len(passages_of(mixture)) == 3 * len(mixture) // 8
    assert not {id(one) for one in sums_of(mixture)} & {id(one) for one in passages_of(mixture)}


def test_every_answer_but_the_open_ones_is_boxed(mixture: list[Document]) -> None:
    """A document ends with its box, except for questions asked without options, which end in a sentence."""
    unboxed = [document for document in mixture if not BOXED.search(document.assistant)]
    assert 10 < len(unboxed) < 60
    for document in unboxed:
        assert re.fullmatch(r"(What is|Where does) an? \w+( come from)?\?", document.user)
        assert re.fullmatch(r"\w+ (is|comes from) \w+ \w+\.", document.assistant)


def test_no_document_marks_silence_by_an_empty_box(mixture: list[Document]) -> None:
    """Unanswerable passages are answered in words, so that the empty box is left for tuning to teach."""
    answers = [last_boxed(document.assistant) for document in passages_of(mixture)]
    assert "" not in answers
    assert 150 < answers.count("not stated") < 280


def test_a_system_message_asks_for_thinking(mixture: list[Document]) -> None:
    """With a system message, an answer thinks aloud; without, most are given at once."""
    told = [document for document in mixture if document.system]
    assert len(told) > 400
    for document in told:
        assert "<think>" in document.assistant
    untold = [document for document in mixture if not document.system and "boxed" in document.assistant]
    thinking = sum("<think>" in document.assistant for document in untold)
    assert 0.1 < thinking / len(untold) < 0.25


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


@pytest.mark.parametrize("kind", [task.name for task in PAPERS])
def test_no_test_question_is_met_in_pretraining(mixture: list[Document], kind: str) -> None:
    """No document contains an embedded test question with its options or its passage."""
    read = "\n".join(" ".join(document.user.split()) for document in mixture)
    for row in islice(embedded_rows(kind, "test", 0), 200):
        example = TASKS[kind].example(row, "answer")
        assert isinstance(example, Example)
        asked = example.messages[1]["content"].removeprefix("Question: ").removeprefix("Passage: ")
        assert " ".join(asked.replace("\nQuestion: ", "\n").split()) not in read


def test_some_questions_bring_their_facts(mixture: list[Document]) -> None:
    """A question that says beside each option what it is, or what the thing asked after is, is answered at once."""
    told = [
        one
        for one in mixture
        if re.search(r"A[.)] \w+ (is|comes from) .*B[.)] \w+ (is|comes from) ", one.user, re.DOTALL)
    ]
    assert len(told) > 20
    for document in told:
        assert "<think>" not in document.assistant
        letter, asked = last_boxed(document.assistant), re.search(r"Which of these (.+)\?", document.user)
        fact = re.search(rf"\b{letter}[.)] \w+ (is (an? \w+)|comes from the \w+)", document.user)
        assert asked
        assert fact
        assert asked[1] == fact[1] or f"{fact[2]} {asked[1]}." in document.user


def test_the_right_options_letter_follows_its_verdict(mixture: list[Document]) -> None:
    """Reasoning over options says yes once, before the letter that it concludes with."""
    reasoned = [document.assistant for document in mixture if re.search(r"<think>.*D: ", document.assistant, re.DOTALL)]
    assert reasoned
    for said in reasoned:
        letters = re.findall(r", yes ([A-D])\.", said)
        assert len(letters) == 1
        assert re.search(rf"So it is {letters[0]}, ", said)


def test_a_wider_reading_asks_more_of_where_things_come_from(mixture: list[Document]) -> None:
    """The second reading has the same tasks in the same shares, and asks of origins, well known or not, far oftener."""
    wide = list(islice(documents(0, wide=True), len(mixture)))
    assert len(sums_of(wide)) == len(sums_of(mixture))
    assert len(passages_of(wide)) == pytest.approx(len(passages_of(mixture)), abs=5)
    asked = [sum("Which of these comes from" in one.user for one in read) for read in (mixture, wide)]
    assert asked[1] > 4 * asked[0] > 0

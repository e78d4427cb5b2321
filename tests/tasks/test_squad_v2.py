"""SQuAD v2: agreement with the official rules, abstention, and rows as the data set has them."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import DataError
from tunescale_core.tasks.squad_v2 import SquadV2, exact, f1, normalised
from tunescale_core.tasks.task import Answer, Example, LeftOut, Row

WORDS = st.sampled_from(["the", "a", "An", "mill", "Mill.", "old", "fort", "--", "the-mill", "a.", "U.S.", "", "Île"])
SPANS = st.lists(WORDS, max_size=5).map(" ".join) | st.text(max_size=12)
ANSWERS = st.builds(Answer, st.lists(SPANS, max_size=3).map(tuple), SPANS)
ROW: Row = {
    "id": "q1",
    "context": "Mara works at the mill.",
    "question": "Where does Mara work?",
    "answers": {"text": ["the mill", "mill", "the mill"], "answer_start": [14, 18, 14]},
}


def official_normal_form(text: str) -> str:
    """Normalise as the official script does: lower, punctuation, articles, white space."""
    text = text.lower()
    text = text.translate(str.maketrans("", "", string.punctuation))
    text = re.sub(r"\b(a|an|the)\b", " ", text)
    return " ".join(text.split())


def official_scores(golds: tuple[str, ...], said: str) -> tuple[float, float]:
    """Score exact match and F1 as the official script does, precision and recall included."""
    kept = [gold for gold in golds if official_normal_form(gold)] or [""]
    exacts, f1s = [], []
    for gold in kept:
        exacts.append(float(official_normal_form(gold) == official_normal_form(said)))
        wanted, given_ = official_normal_form(gold).split(), official_normal_form(said).split()
        if not wanted or not given_:
            f1s.append(float(wanted == given_))
            continue
        same, rest = 0, list(wanted)
        for token in given_:
            if token in rest:
                rest.remove(token)
                same += 1
        precision, recall = same / len(given_), same / len(wanted)
        f1s.append(2 * precision * recall / (precision + recall) if same else 0.0)
    return max(exacts), max(f1s)


@given(ANSWERS)
def test_scores_are_the_official_ones(answer: Answer) -> None:
    """Exact match and F1 agree with an independent reading of the official evaluation's rules."""
    assert answer.said is not None
    em, overlap = official_scores(answer.gold, answer.said)
    assert exact(answer) == em
    assert f1(answer) == pytest.approx(overlap)


@given(st.lists(ANSWERS, min_size=1, max_size=12))
def test_totals_are_the_official_ones(answers: list[Answer]) -> None:
    """Over a data set, EM and F1 are percentages of all, and of the answerable and unanswerable questions."""
    measured = SquadV2().measure(answers)
    scores = [(bool(a.gold), *official_scores(a.gold, a.said or "")) for a in answers]
    assert measured["exact"] == pytest.approx(100 * sum(em for _, em, _ in scores) / len(scores))
    assert measured["f1"] == pytest.approx(100 * sum(one for _, _, one in scores) / len(scores))
    asked = [(em, one) for has, em, one in scores if has]
    unasked = [em for has, em, _ in scores if not has]
    if asked:
        assert measured["has_ans_exact"] == pytest.approx(100 * sum(em for em, _ in asked) / len(asked))
        assert measured["has_ans_f1"] == pytest.approx(100 * sum(one for _, one in asked) / len(asked))
    if unasked:
        assert measured["no_ans_accuracy"] == pytest.approx(100 * sum(unasked) / len(unasked))
    assert (measured["has_ans_exact"] is None) == (not asked)
    assert (measured["no_ans_accuracy"] is None) == (not unasked)


@given(st.text(max_size=40))
def test_normalising_is_the_official_one_and_settles(text: str) -> None:
    """Normalisation agrees with the official order of steps, and leaves no article or doubled space."""
    assert normalised(text) == official_normal_form(text)
    assert not {"a", "an", "the"} & set(normalised(text).split(" "))
    assert "  " not in normalised(text)


@pytest.mark.parametrize(
    ("gold", "said", "em", "overlap"),
    [
        (("the mill",), "mill", 1, 1),
        (("the mill",), "The Mill!", 1, 1),
        (("the old mill",), "mill", 0, 2 / 3),
        (("bank", "the old mill"), "old mill", 1, 1),
        (("mill mill",), "mill", 0, 2 / 3),
        (("mill",), "", 0, 0),
        (("mill",), "bank", 0, 0),
        ((), "", 1, 1),
        ((), "the", 1, 1),
        ((), "mill", 0, 0),
        (("the",), "", 1, 1),
        (("mill",), None, 0, 0),
        ((), None, 0, 0),
    ],
)
def test_known_scores(gold: tuple[str, ...], said: str | None, em: float, overlap: float) -> None:
    """Articles and case do not count, tokens count as often as they occur, and None is never right."""
    scores = SquadV2().score(Answer(gold, said))
    assert (scores["exact"], scores["f1"]) == (100 * em, pytest.approx(100 * overlap))


@given(st.lists(st.lists(SPANS, max_size=2).map(tuple), min_size=1, max_size=8))
def test_an_unreadable_answer_is_never_right(golds: list[tuple[str, ...]]) -> None:
    """Where no answer could be read, every metric that is defined is 0, "no answer" included."""
    measured = SquadV2().measure([Answer(gold, None) for gold in golds])
    assert {value for value in measured.values() if value is not None} == {0.0}


def test_avna_asks_only_whether_an_answer_was_given() -> None:
    """AvNA credits any answer to an answerable question, and silence to the others."""
    answers = [Answer(("mill",), "bank"), Answer((), ""), Answer((), "mill"), Answer(("mill",), "")]
    assert SquadV2().measure(answers)["avna"] == 50.0
    silent = SquadV2().measure([Answer((), "the"), Answer((), " ")])
    assert (silent["avna"], silent["f1"]) == (100.0, 100.0)  # an article alone is silence to both


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\\boxed{the mill}", "the mill"),
        ("\\boxed{\\text{the mill}}", "the mill"),
        ("\\boxed{}", ""),
        ("\\boxed{ }", ""),
        ("\\boxed{\\text{}}", ""),
        ("\\boxed{the mill", None),
        ("the mill", None),
        ("", None),
        ("\\boxed{a} \\boxed{}", ""),
    ],
)
def test_spans_as_models_box_them(text: str, said: str | None) -> None:
    """An empty box abstains, and no complete box is no answer at all."""
    assert SquadV2().parse(text) == said


@given(st.text(max_size=60))
def test_any_text_can_be_parsed(text: str) -> None:
    """No text makes the parser raise, and a bare text is taken as it is."""
    said = SquadV2().parse(text)
    assert said is None or said in text
    assert SquadV2().plain(text) == text


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\\"), max_size=15), max_size=3))
def test_the_taught_answer_is_right(spans: list[str]) -> None:
    """What tuning teaches, parsed, is an exact match, whatever braces are in the span."""
    example = SquadV2().example({**ROW, "answers": {"text": spans}}, "answer")
    if not all(span.strip() for span in spans):
        assert example == LeftOut("empty gold answer")
        return
    assert isinstance(example, Example)
    if not example.gold or normalised(example.gold[0]):
        assert exact(Answer(example.gold, SquadV2().parse(example.target))) == 1.0


def test_a_row_becomes_a_prompt_and_a_target() -> None:
    """The prompt holds passage and question, gold spans are kept once each, and the first is taught."""
    example = SquadV2().example(ROW, "answer")
    assert isinstance(example, Example)
    assert example.id == "q1"
    assert example.messages[1]["content"] == "Passage: Mara works at the mill.\nQuestion: Where does Mara work?"
    assert example.gold == ("the mill", "mill")
    assert example.target == "\\boxed{the mill}"


def test_an_unanswerable_row_teaches_the_empty_box() -> None:
    """A row without answers has no gold answer, and its target abstains."""
    example = SquadV2().example({**ROW, "answers": {"text": [], "answer_start": []}}, "answer")
    assert isinstance(example, Example)
    assert example.gold == ()
    assert SquadV2().parse(example.target) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question": ""}, "empty question"),
        ({"context": "\n"}, "empty passage"),
        ({"answers": {"text": ["the mill", ""]}}, "empty gold answer"),
    ],
)
def test_rows_that_say_nothing_are_left_out(change: dict[str, object], reason: str) -> None:
    """An empty question, passage or gold span is passed over: by the rules, silence would be right of it."""
    assert SquadV2().example({**ROW, **change}, "answer") == LeftOut(reason)


def test_a_gold_span_need_not_be_in_the_passage() -> None:
    """A gold span that the passage spells otherwise is kept: the official evaluation compares answers alone."""
    example = SquadV2().example({**ROW, "answers": {"text": ["a windmill"]}}, "answer")
    assert isinstance(example, Example)
    assert example.gold == ("a windmill",)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"answers": None}, "answers"),
        ({"answers": {}}, "answers.text"),
        ({"answers": {"text": "mill"}}, "answers.text"),
        ({"answers": {"text": [1]}}, "answers.text"),
        ({"context": 1}, "context"),
        ({"question": None}, "question"),
    ],
)
def test_a_malformed_row_is_named(change: dict[str, object], named: str) -> None:
    """A column of the wrong kind raises an error that names it."""
    with pytest.raises(DataError, match=named):
        SquadV2().example({**ROW, **change}, "answer")


def test_the_trivial_answer_abstains() -> None:
    """Abstaining scores the share of the unanswerable."""
    golds = [("mill",), (), ("bank",), ()]
    assert SquadV2().primary([Answer(gold, SquadV2().trivial(golds)) for gold in golds]) == 50.0


def test_questions_on_one_passage_are_one_group() -> None:
    """Rows of one passage share a group, others do not."""
    groups = [SquadV2().example({**ROW, **change}, "answer") for change in ({}, {"question": "?"}, {"context": "x"})]
    first, second, third = (example.group for example in groups if isinstance(example, Example))
    assert first == second != third

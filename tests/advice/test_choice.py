"""Which candidate to ship: each decision from made-up records, probabilities, directions, and the paper's rule."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from tests.making import line
from tests.making import record as made
from tunescale_core.advice.choice import Advice, Chooser
from tunescale_core.advice.constraints import Constraints, LatencyStat, objective_of, parse_bar
from tunescale_core.advice.standing import Standing
from tunescale_core.records.record import Record
from tunescale_core.results.published import reference
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import Answer

LETTERS = "ABCD"
N = 40
Hits = Sequence[bool]
HITS = st.lists(st.booleans(), min_size=6, max_size=6)
RECORDS = st.lists(st.tuples(HITS, st.floats(0.01, 2)), min_size=1, max_size=4)


def asked(model: str, right: Hits, seconds: float | None = 0.5, timed: int | None = None, **fields: object) -> Record:
    """Return a record on ARC that is right where told; without a number all examples are timed."""
    lines = []
    for place, hit in enumerate(right):
        answer = Answer((LETTERS[place % 4],), LETTERS[(place + (not hit)) % 4])
        lines.append(line(answer, place=place, seconds=seconds if timed is None or place < timed else None))
    return made(model=model, lines=lines, **fields)  # type: ignore[arg-type]


def summed(model: str, off: Sequence[int]) -> Record:
    """Return a record on OpenMath whose numbers miss the right one by so much."""
    answers = [Answer(("5",), str(5 + by)) for by in off]
    return made(model=model, task="openmath", lines=[line(one, "openmath", n) for n, one in enumerate(answers)])


def some(right: int, of: int = N, first: int = 0) -> Hits:
    """Return so many right answers in a row, from a place on."""
    return [(place - first) % of < right for place in range(of)]


def chooser(records: Sequence[Record], *bars: str, wish: str | None = "arc:accuracy", **limits: object) -> Chooser:
    results = Results(tuple(map(from_record, records)), "here")
    return within(results, *bars, wish=wish, **limits)


def within(results: Results, *bars: str, wish: str | None = None, **limits: object) -> Chooser:
    read = tuple(parse_bar(results, text) for text in bars)
    return Chooser(results, Constraints(objective_of(results, wish, read), read, **limits))  # type: ignore[arg-type]


def advised(records: Sequence[Record], *bars: str, wish: str | None = "arc:accuracy", **limits: object) -> Advice:
    return chooser(records, *bars, wish=wish, **limits).advice()


def names(advice: Advice) -> list[str]:
    return [one.id for one in advice.chosen]


def standing(advice: Advice, name: str) -> Standing:
    (found,) = [one for one in advice.standings if one.candidate.id == name]
    return found


def test_the_clearly_better_one_is_chosen() -> None:
    """What keeps to the bar and is far ahead of everyone is chosen, and nothing more needs to be run."""
    advice = advised([asked("bad", some(10)), asked("good", some(38))], "arc:accuracy=0.5")
    assert (advice.decision, names(advice), advice.next_step) == ("choose", ["good-base"], "")
    assert advice.resampled
    best = standing(advice, "good-base")
    assert (best.feasible, best.front, best.best, best.broken) == (1.0, 1.0, 1.0, ())
    assert standing(advice, "bad-base").broken == ("arc accuracy ≥ 0.5",)


@pytest.mark.parametrize(("right", "of"), [(6, 6), (38, 40), (30, 40), (200, 200)])
def test_the_bound_of_a_share_is_the_exact_one(right: int, of: int) -> None:
    """What resampling and questions that were not asked leave is about Clopper and Pearson's lower limit."""
    found = advised([asked("m", some(right, of))]).standings[0].bound
    assert found == pytest.approx(float(beta.ppf(0.05, right, of - right + 1)), abs=0.015)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_few_right_answers_prove_little(metric: str) -> None:
    """Six right of six do not show that nearly all are right, whatever resampling them says; six hundred do."""
    few = advised([asked("m", some(6, 6))], f"arc:{metric}=0.95", wish=f"arc:{metric}")
    assert (few.decision, names(few)) == ("not enough evidence", ["m-base"])
    many = advised([asked("m", some(600, 600))], f"arc:{metric}=0.95", wish=f"arc:{metric}")
    assert many.decision == "choose"


def test_what_cannot_be_told_apart_is_a_tie() -> None:
    """Two that are right equally often, on other questions, tie, and the next step names how many were asked."""
    advice = advised([asked("one", some(30)), asked("two", some(30, first=10)), asked("bad", some(2))])
    assert (advice.decision, set(names(advice))) == ("tie", {"one-base", "two-base"})
    assert f"cannot be told from two-base at n = {N}" in advice.next_step


def test_a_tie_says_how_many_examples_would_tell() -> None:
    """Where two differ a little, the next step names the n that would tell them apart."""
    advice = advised([asked("one", some(30)), asked("two", some(28, first=3))])
    assert (advice.decision, names(advice)) == ("tie", ["one-base", "two-base"])
    assert "would tell" in advice.next_step


def test_a_tie_puts_the_faster_of_equals_first() -> None:
    """Where two answer alike, the faster is named first and alone is on the front."""
    advice = advised([asked("slow", some(30), 0.9), asked("fast", some(30), 0.1)])
    assert (advice.decision, names(advice)) == ("tie", ["fast-base", "slow-base"])
    assert [standing(advice, name).front for name in ("fast-base", "slow-base")] == [1.0, 0.0]
    assert [one.best for one in advice.standings] == [0.5, 0.5]


def test_what_may_or_may_not_keep_to_the_bar_is_not_enough_evidence() -> None:
    """A bar in the middle of what resampling allows decides nothing, and the next step asks for more examples."""
    advice = advised([asked("half", some(20))], "arc:accuracy=0.5")
    assert (advice.decision, names(advice)) == ("not enough evidence", ["half-base"])
    assert 0.3 < standing(advice, "half-base").feasible < 0.8
    assert f"more examples than {N}" in advice.next_step


def test_nothing_is_feasible() -> None:
    """Where nobody reaches the bar nobody is chosen, and the nearest is named with what it breaks."""
    advice = advised([asked("bad", some(4)), asked("better", some(12))], "arc:accuracy=0.9")
    assert (advice.decision, advice.chosen) == ("nothing is feasible", ())
    assert advice.next_step == "nearest is better-base, which breaks: arc accuracy ≥ 0.9"
    assert sum(one.best for one in advice.standings) == 0


@pytest.mark.parametrize(("stat", "least"), [("p95", 59), ("p99", 299)])
def test_a_percentile_of_too_few_is_not_known(stat: LatencyStat, least: int) -> None:
    """With fewer timed examples than a percentile needs it is not known, and the next step says how many it needs."""
    few, enough = (
        advised([asked("m", some(least, least), timed=timed)], max_latency=1.0, stat=stat)
        for timed in (least - 1, least)
    )
    assert (few.decision, few.standings[0].latency) == ("nothing is feasible", None)
    assert few.standings[0].broken == (f"{stat} latency ≤ 1 s (not known)",)
    assert f"a {stat} needs {least} timed examples" in few.next_step
    assert (enough.decision, enough.standings[0].latency) == ("choose", pytest.approx(0.5))


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        ({"max_latency": 0.4}, "mean latency ≤ 0.4 s"),
        ({"max_memory": 2**30}, "memory ≤ 1 GiB"),
        ({"max_cost": 10.0}, "cost ≤ 10 s"),
    ],
)
def test_limits_leave_out_what_exceeds_them(limits: dict[str, float], broken: str) -> None:
    """The better candidate that is too slow, too large or too dear is passed over for one that keeps to the limit."""
    good = asked("m", some(38), 0.5, method="full", trained_on="arc", seed=0, peak_memory_bytes=2**31)
    records = [good, asked("l", some(20), 0.1, peak_memory_bytes=2**29)]
    assert names(advised(records)) == ["m-full-on-arc"]
    advice = advised(records, **limits)
    assert (advice.decision, names(advice)) == ("choose", ["l-base"])
    assert standing(advice, "m-full-on-arc").broken == (broken,)


def test_a_limit_holds_where_it_is_just_reached() -> None:
    """What takes exactly the limit keeps to it."""
    good = asked("m", some(38), method="full", trained_on="arc", seed=0, peak_memory_bytes=2000)
    assert names(advised([good], max_latency=0.5, max_memory=2000, max_cost=12.34)) == ["m-full-on-arc"]


@pytest.mark.parametrize(
    ("limits", "broken"),
    [({"max_memory": 2**40}, "memory ≤ 1024 GiB"), ({"max_cost": 1e9}, "cost ≤ 1e+09 s")],
)
def test_what_is_not_known_keeps_to_no_limit(limits: dict[str, float], broken: str) -> None:
    """Memory or cost that was not measured does not count as small."""
    record = asked("m", some(38), method="full", trained_on="arc", seed=0, cost=None)
    advice = advised([record], **limits)
    assert advice.decision == "nothing is feasible"
    assert advice.next_step == f"nothing is known of: {broken}"


def test_lower_is_better_where_the_metric_says_so() -> None:
    """With the absolute difference the smaller one is chosen, held to at most the bar, and bounded from above."""
    records = [summed("far", [90, 100] * 20), summed("near", [1, 2] * 20)]
    advice = advised(records, "openmath:abs_diff=10", wish=None)
    assert (advice.decision, names(advice)) == ("choose", ["near-base"])
    near, far = advice.standings
    assert (near.best, far.best, far.feasible, far.broken) == (1.0, 0.0, 0.0, ("openmath abs_diff ≤ 10",))
    assert near.quality == 1.5
    assert near.quality < near.bound < 2


def test_the_bound_is_on_the_safe_side() -> None:
    """Of what is better higher the bound lies below the quality."""
    (only,) = advised([asked("m", some(20))]).standings
    assert 0.3 < only.bound < only.quality == 0.5


@settings(max_examples=30)
@given(RECORDS, st.floats(0, 1), st.floats(0.01, 2))
def test_probabilities_are_probabilities(made_up: list[tuple[Hits, float]], least: float, most: float) -> None:
    """Feasible, on the front and best lie in [0, 1], nobody is best more often than feasible, and the best sum to 1.

    Where everybody breaks a constraint in some resamples nobody is best in those, so that they sum to less.
    """
    records = [asked(f"m{place}", *one) for place, one in enumerate(made_up)]
    advice = advised(records, f"arc:accuracy={least:.3f}", max_latency=most)
    for one in advice.standings:
        assert all(0 <= share <= 1 for share in (one.feasible, one.front, one.best))
        assert one.best <= one.feasible + 1e-9
    total = sum(one.best for one in advice.standings)
    assert total <= 1 + 1e-9
    assert total >= max(one.feasible for one in advice.standings) - 1e-9


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, N // 2), st.floats(0.2, 2)), min_size=1, max_size=3))
def test_what_dominates_is_chosen(others: list[tuple[int, float]]) -> None:
    """A feasible candidate that is right on everything and fastest is chosen whatever else there is."""
    records = [asked(f"m{place}", some(right), seconds) for place, (right, seconds) in enumerate(others)]
    advice = advised([*records, asked("top", some(N), 0.1)], "arc:accuracy=0.9", max_latency=0.15)
    assert (advice.decision, names(advice)) == ("choose", ["top-base"])
    assert advice.standings[0].front == 1.0
    assert advice.standings[0].best > 0.95
    assert all(one.front == 0 for one in advice.standings[1:])


@pytest.mark.parametrize(
    ("bar", "rule"),
    [
        ("arc:macro_f1=0.49", "Qwen3-0.6B-full-on-arc"),
        ("arc:macro_f1=0.50", "Qwen3-1.7B-base"),
        ("openmath:abs_diff=17000", "Qwen3-0.6B-full-on-openmath"),
        ("openmath:abs_diff=16000", "Qwen3-1.7B-base"),
        ("squad_v2:f1=27", "Qwen3-0.6B-full-on-squad_v2"),
        ("squad_v2:f1=99", "Qwen3-1.7B-base"),
    ],
)
def test_the_papers_rule_on_the_papers_table(bar: str, rule: str) -> None:
    """The fully tuned small model is shipped where it reaches the bar, and else the larger base, bar or not."""
    found = within(reference("paper"), bar).by_rule()
    assert found is not None
    assert found.id == rule


def test_the_rule_takes_full_tuning_before_a_better_lora() -> None:
    """By the paper's rule a LoRA stands for the small model only where no fully tuned one was measured."""
    full = asked("m", some(24), method="full", trained_on="arc", seed=0)
    lora = asked("m", some(30), method="lora-r4", trained_on="arc", seed=0)
    larger = asked("large", some(38))
    found = [chooser(records, "arc:accuracy=0.5").by_rule() for records in ([full, lora, larger], [lora, larger])]
    assert [one.id for one in found if one] == ["m-full-on-arc", "m-lora-r4-on-arc"]


def test_the_rule_without_a_larger_model_stays_small() -> None:
    """Where there is nothing to scale to the tuned model is shipped though it misses the bar; without either, none."""
    full = asked("m", some(24), method="full", trained_on="arc", seed=0)
    found = chooser([full, asked("m", some(4))], "arc:accuracy=0.9").by_rule()
    assert found is not None
    assert found.id == "m-full-on-arc"
    other = asked("m", some(4), method="full", trained_on="squad_v2", seed=0)
    assert chooser([other, asked("m", some(4))]).by_rule() is None


def test_a_published_table_gives_point_values() -> None:
    """From the paper's table the larger base is chosen for ARC, every probability 0 or 1, and nothing resampled."""
    advice = within(reference("paper"), "arc:macro_f1=0.5").advice()
    assert (advice.decision, names(advice), advice.resampled) == ("choose", ["Qwen3-1.7B-base"], False)
    assert len(advice.standings) == 16
    assert {share for one in advice.standings for share in (one.feasible, one.front, one.best)} == {0.0, 1.0}
    assert all(one.bound == one.quality for one in advice.standings)


def test_a_limit_on_latency_changes_what_the_paper_ships() -> None:
    """Within a second a call the paper's larger model is too slow for ARC, and the fastest good one is shipped."""
    advice = within(reference("paper"), "arc:macro_f1=0.5", max_latency=1.0).advice()
    assert (advice.decision, names(advice)) == ("choose", ["Qwen3-0.6B-full-on-openmath"])
    assert standing(advice, "Qwen3-1.7B-base").broken == ("mean latency ≤ 1 s",)


def test_unknown_latency_is_no_advantage() -> None:
    """Of two that answer alike, the one that was timed comes before the one that was not."""
    advice = advised([asked("untimed", some(30), seconds=None), asked("fast", some(30), seconds=0.1)])
    assert names(advice) == ["fast-base", "untimed-base"]


def test_resamples_that_define_nothing_decide_nothing() -> None:
    """Where some resamples draw no answerable question, two that may be equal are still a tie, with finite bounds."""

    def spoke(model: str, right: int) -> Record:
        answers = [Answer(("mill",), "mill" if place < right else "goat") for place in range(3)]
        lines = [line(one, "squad_v2", place) for place, one in enumerate([*answers, *[Answer((), "")] * 7])]
        return made(model=model, task="squad_v2", lines=lines)

    advice = advised([spoke("a", 2), spoke("c", 3)], wish="squad_v2:has_ans_f1")
    assert (advice.decision, names(advice)) == ("tie", ["c-base", "a-base"])
    assert all(math.isfinite(one.bound) for one in advice.standings)


@settings(max_examples=20)
@given(RECORDS, st.sampled_from(["mean", "median"]))
def test_a_way_that_is_eager_again_changes_nothing(records: list[tuple[list[bool], float]], stat: LatencyStat) -> None:
    """Served by a way with eager's own times and memory, every candidate stands as it does served eagerly."""
    eager = [asked(f"m{place}", right, seconds) for place, (right, seconds) in enumerate(records)]
    again = [one.model_copy(update={"serving": "again"}) for one in eager]
    results = gathered(map(from_record, (*eager, *again)), "here")
    found = [
        within(results, wish="arc:accuracy", max_latency=0.5, stat=stat, serving=way).advice()
        for way in ("eager", "again")
    ]
    assert found[0].standings == found[1].standings
    assert found[0].same == {}
    assert all(one.equal == one.of == len(records[0][0]) for one in found[1].same.values())


def test_serving_decides_what_is_feasible() -> None:
    """A latency that eager decoding breaks is kept by a faster way; who was not served so is left out."""
    eager = [asked("good", some(38), 1.0), asked("bad", some(10), 0.1)]
    results = gathered(map(from_record, (*eager, asked("good", some(38), 0.2, serving="static"))), "here")
    chosen = {
        way: within(results, wish="arc:accuracy", max_latency=0.5, serving=way).advice() for way in ("eager", "static")
    }
    assert {way: names(one) for way, one in chosen.items()} == {"eager": ["bad-base"], "static": ["good-base"]}
    assert [one.id for one in chosen["static"].left_out] == ["bad-base"]


def test_a_rival_that_may_break_the_bar_is_said_to() -> None:
    """Where one that cannot be told apart may not keep to the constraints, the fastest is not simply taken."""
    advice = advised([asked("sure", some(32)), asked("open", some(28, first=20))], "arc:accuracy=0.6")
    assert (advice.decision, names(advice)) == ("tie", ["sure-base", "open-base"])
    assert "keeps to the constraints in " in advice.next_step
    assert advice.next_step.endswith("take the fastest of those that surely keep to the constraints, or ask more")


def test_one_call_says_nothing_of_others() -> None:
    """With a single timed call what the mean is stays open, and the next step says how many it takes."""
    one, two = (advised([asked("m", some(9, 9), timed=timed)], max_latency=1.0) for timed in (1, 2))
    assert (one.decision, one.standings[0].latency) == ("nothing is feasible", pytest.approx(0.5))
    assert "a mean needs 2 timed examples" in one.next_step
    assert (two.decision, two.standings[0].latency) == ("choose", pytest.approx(0.5))


def test_variants_that_were_trained_once_are_told() -> None:
    """Whether what another training would give is in the figures is known of tuned candidates alone."""
    tuned = [asked("m", some(9), method="full", trained_on="arc", seed=seed) for seed in (0, 1)]
    base = asked("m", some(9))
    assert [advised(records).lone for records in ([base], [base, tuned[0]], [base, *tuned])] == [False, True, False]

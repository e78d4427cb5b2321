"""The expanded grid: ids, counts, order, and what is refused."""

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import StudyError
from tunescale_core.study.grid import cells, expected_of, variants
from tunescale_core.study.loading import load
from tunescale_core.study.study import Study

TASKS = ("arc", "openmath", "squad_v2")


def study_of(**parts: Any) -> Study:
    content: dict[str, Any] = {
        "study": {"name": "s"},
        "models": {"m": {"source": "x"}},
        "methods": {"full": {}},
        "tasks": {"arc": {}},
    }
    return Study.model_validate(content | parts)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Draw a valid study of up to three of everything."""
    methods: dict[str, Any] = {"full": {}} if draw(st.booleans()) else {}
    if ranks := draw(st.lists(st.integers(1, 64), unique=True, max_size=3)):
        methods["lora"] = {"ranks": ranks}
    names = st.none() | st.lists(st.sampled_from(["base", *methods]), unique=True)
    return study_of(
        study={"name": "s", "seeds": draw(st.lists(st.integers(0, 99), unique=True, min_size=1, max_size=3))},
        models={f"m{n}": {"source": "x", "methods": draw(names)} for n in range(draw(st.integers(1, 3)))},
        methods=methods,
        tasks={name: {} for name in draw(st.lists(st.sampled_from(TASKS), unique=True, min_size=1))},
    )


def test_ids_of_the_paper() -> None:
    """A cell's id says model, method, rank, training task and evaluation task; an untuned one trains on nothing."""
    ids = [cell.id for cell in cells(load("paper"))]
    assert "qwen3-0.6b-lora-r256-on-arc-for-squad_v2" in ids
    assert "qwen3-0.6b-full-on-openmath-for-openmath" in ids
    assert [one for one in ids if one.startswith("qwen3-1.7b")] == [f"qwen3-1.7b-base-for-{task}" for task in TASKS]
    assert all("-on-" not in one for one in ids if "-base-" in one)


def test_size_of_the_paper() -> None:
    """The paper's grid: six methods on three tasks for the small model, each model untuned, asked three tasks."""
    assert len(cells(load("paper"))) == (6 * 3 + 1 + 1) * 3


def test_seeds_end_the_id() -> None:
    """With several seeds a tuned cell's id ends in its own, an untuned one's does not."""
    ids = [cell.id for cell in cells(study_of(study={"name": "s", "seeds": [0, 1]}, tasks={"arc": {}, "squad_v2": {}}))]
    assert "m-full-on-arc-for-squad_v2-s0" in ids
    assert "m-full-on-arc-for-squad_v2-s1" in ids
    assert "m-base-for-arc" in ids


def test_a_single_seed_is_not_in_the_id() -> None:
    """One seed alone, whichever it is, is not told apart."""
    grid = cells(study_of(study={"name": "s", "seeds": [7]}))
    assert [cell.id for cell in grid] == ["m-full-on-arc-for-arc", "m-base-for-arc"]
    assert grid[0].variant.seed == 7


@given(study=studies())
def test_expansion_counts(study: Study) -> None:
    """A grid has, per model, one untuned variant and methods x ranks x tasks x seeds tuned ones, all tasks asked."""
    expected = 0
    for model in study.models.values():
        chosen = [method for name, method in study.methods.items() if model.methods is None or name in model.methods]
        labels = sum(len(method.ranks or (None,)) for method in chosen)
        expected += labels * len(study.tasks) * len(study.study.seeds) + 1
    assert len(variants(study)) == expected
    assert len(cells(study)) == expected * len(study.tasks)


@given(study=studies())
def test_ids_are_distinct(study: Study) -> None:
    """No two cells and no two variants share an id."""
    for made in (cells(study), variants(study)):
        assert len({one.id for one in made}) == len(made)


@given(study=studies())
def test_cells_of_a_variant_are_contiguous(study: Study) -> None:
    """A variant's cells stand together, so it is opened once."""
    runs = [variant for variant, _ in groupby(cells(study), key=lambda cell: cell.variant)]
    assert runs == list(variants(study))


def test_untuned_variants_carry_nothing_of_training() -> None:
    """An untuned variant has no task, seed, rank or settings, a tuned one has the method as declared."""
    study = study_of(methods={"lora": {"ranks": [4], "alpha": 3}})
    tuned, base = variants(study)
    assert (base.method, base.task, base.seed, base.rank, base.settings) == ("base", None, None, None, None)
    assert (tuned.method, tuned.task, tuned.seed, tuned.rank) == ("lora-r4", "arc", 0, 4)
    assert tuned.settings == study.methods["lora"]


def test_a_declared_base_method_adds_no_row() -> None:
    """Declaring `base` among the methods does not make a second untuned row."""
    assert [v.id for v in variants(study_of(methods={"base": {}}))] == ["m-base"]


def test_duplicate_ids_are_refused() -> None:
    """Names whose parts can be read two ways are refused by the id they would share."""
    study = study_of(methods={"full": {}, "full-on-x": {}}, tasks={"t": {"task": "arc"}, "x-on-t": {"task": "arc"}})
    with pytest.raises(StudyError, match="study s: two cells are called m-full-on-x-on-t-for-t; rename"):
        cells(study)


def test_expectations_that_match_nothing_are_refused() -> None:
    """A threshold for no cell is an error that shows its pattern."""
    study = study_of(expect=[{"cell": "n-*", "metric": "macro_f1", "at_least": 0.5}])
    with pytest.raises(StudyError, match=r"study s: expect\.cell 'n-\*' matches no cell"):
        cells(study)


def test_unknown_metrics_are_refused() -> None:
    """A threshold on a metric that a matched cell's task lacks is an error that names those it has."""
    expect = [{"cell": "m-base-*", "metric": "macro_f1", "at_least": 0.5}]
    with pytest.raises(StudyError, match="'macro_f1' is not measured by m-base-for-squad_v2; it has "):
        cells(study_of(tasks={"arc": {}, "squad_v2": {}}, expect=expect))


def test_other_ways_of_serving_are_meant_where_they_are_named() -> None:
    """A `*` that ends a pattern for the sake of seeds holds for eager cells; `-via-` in it for those served so."""
    patterns = ["m-base-for-arc*", "m-base-for-arc-via-static*"]
    expect = [{"cell": one, "metric": "macro_f1", "at_least": 0} for one in patterns]
    study = study_of(expect=expect, serving={"static": {}})
    held = {cell.serving: [one.cell for one in expected_of(study, cell)] for cell in cells(study) if "base" in cell.id}
    assert held == {"eager": [patterns[0]], "static": [patterns[1]]}


def test_expected_of_selects_by_pattern() -> None:
    """A cell is held to exactly the thresholds whose patterns match its id."""
    patterns = ("*", "m-base-*", "m-full-*", "M-*")
    study = study_of(expect=[{"cell": one, "metric": "macro_f1", "at_least": 0} for one in patterns])
    base = next(
        cell for cell in (c for v in variants(study) for c in cells(study_of()) if c.variant == v) if "base" in cell.id
    )
    assert [one.cell for one in expected_of(study, base)] == ["*", "m-base-*"]


def test_a_task_that_ends_like_a_seed_keeps_its_name() -> None:
    """A task called arc-s0 in a study of one seed is not taken for a seed."""
    content = {
        "study": {"name": "n"},
        "models": {"m": {"source": "x"}},
        "methods": {"full": {}},
        "tasks": {"arc-s0": {"task": "arc"}},
    }
    assert cells(Study.model_validate(content))[0].id == "m-full-on-arc-s0-for-arc-s0"


SERVED = {"static": {}, "adapter-batch-4": {}, "near": {"mode": "endpoint", "url": "http://x/v1", "only": "m-base"}}


def test_ways_of_serving_are_an_axis() -> None:
    """Each way adds cells beside the eager ones, whose ids stay; a seed ends the id."""
    study = study_of(serving={"static": {}, "batch-8": {}}, study={"name": "s", "seeds": [0, 1]})
    found = cells(study)
    eager = [cell.id for cell in found if cell.serving == "eager"]
    assert eager == [cell.id for cell in cells(study_of(study={"name": "s", "seeds": [0, 1]}))]
    assert len(found) == 3 * len(eager)
    assert "m-full-on-arc-for-arc-via-static-s1" in {cell.id for cell in found}
    assert "m-base-for-arc-via-batch-8" in {cell.id for cell in found}


def test_only_what_can_be_served_so_is() -> None:
    """An unmerged adapter is served of adapted variants, and a pattern says which variants an endpoint holds."""
    study = study_of(serving=SERVED, methods={"full": {}, "lora": {"ranks": [2]}})
    ways = {way: [cell.variant.id for cell in cells(study) if cell.serving == way] for way in ("eager", *SERVED)}
    assert ways["eager"] == ways["static"] == ["m-full-on-arc", "m-lora-r2-on-arc", "m-base"]
    assert ways["adapter-batch-4"] == ["m-lora-r2-on-arc"]
    assert ways["near"] == ["m-base"]
    assert study.serving["adapter-batch-4"].batch == 4


@pytest.mark.parametrize(
    ("serving", "said"),
    [
        ({"eager": {}}, "eager is always measured"),
        ({"any": {"mode": "eager", "batch": 2}}, "serving.any: call it otherwise"),
        ({"fast": {}}, "serving.fast: its name alone says no way of serving"),
        ({"near": {"mode": "endpoint"}}, "an endpoint needs a url"),
        ({"static": {"url": "http://x"}}, "url belongs to mode endpoint"),
        ({"static": {"body": {"min_tokens": 4}}}, "body belongs to mode endpoint"),
        ({"static": {"quantize": "4bit"}}, "quantize belongs to mode eager"),
        ({"adapter-4bit": {}}, "quantize belongs to mode eager"),
        ({"2bit": {}}, "serving.2bit: its name alone"),
        ({"near": {"mode": "endpoint", "url": "http://x", "body": {"temperature": 1}}}, "must not hold temperature"),
        ({"batch-0": {}}, "serving.batch-0: its name alone"),
        ({"static": {"timeout": 600}}, "timeout belongs to mode endpoint"),
        ({"near": {"mode": "endpoint", "url": "http://x", "timeout": 0}}, "greater than 0"),
        ({"near": {"mode": "endpoint", "url": "http://x", "timeout": "60"}}, "valid number"),
    ],
)
def test_ways_that_cannot_be_meant_are_refused(serving: dict[str, Any], said: str) -> None:
    """A way of serving without a mode, or an endpoint without its URL, is an error."""
    with pytest.raises(ValueError, match=said):
        study_of(serving=serving)


@pytest.mark.parametrize(
    ("model", "only", "same"),
    [("qwen", "*", True), ("qwen", "m-base", False), ("{variant}", "*", False), ("/models/{path}", "*", False)],
)
def test_an_endpoint_is_one_model(model: str, only: str, *, same: bool) -> None:
    """An endpoint that is asked for one model as two variants is refused; two of them and the way out are named."""
    study = study_of(serving={"near": {"mode": "endpoint", "url": "http://x/v1", "model": model, "only": only}})
    if not same:
        assert cells(study)
        return
    with pytest.raises(StudyError, match=r"near asks for 'qwen' as m-full-on-arc and as m-base, .*: give only"):
        cells(study)


def test_a_timeout_is_no_setting() -> None:
    """How long an answer may take changes neither it nor its time, so records do not keep it."""
    near = {"mode": "endpoint", "url": "http://x/v1"}
    study = study_of(serving={"near": near, "far": {**near, "timeout": 1800}})
    assert (study.serving["near"].timeout, study.serving["far"].timeout) == (600, 1800)
    assert study.serving["near"].settings() == study.serving["far"].settings()


@pytest.mark.parametrize(
    ("name", "mode", "batch", "thinking"),
    [
        ("thinking-off", "eager", 1, "off"),
        ("static-thinking-on", "static", 1, "on"),
        ("batch-8-thinking-off", "eager", 8, "off"),
        ("static", "static", 1, None),
    ],
)
def test_thinking_can_be_asked_for_by_name(name: str, mode: str, batch: int, thinking: str | None) -> None:
    """A way's name alone says whether its answers are thought about; without a word it is the protocol's to say."""
    found = study_of(serving={name: {}}).serving[name]
    assert (found.mode, found.batch, found.thinking) == (mode, batch, thinking)


@pytest.mark.parametrize(
    ("name", "bits", "batch", "thinking"),
    [("4bit", "4bit", 1, None), ("8bit-batch-4", "8bit", 4, None), ("4bit-thinking-off", "4bit", 1, "off")],
)
def test_few_bits_can_be_asked_for_by_name(name: str, bits: str, batch: int, thinking: str | None) -> None:
    """A way's name alone says in how many bits weights are held; records keep it, and of other ways nothing."""
    study = study_of(serving={name: {}, "static": {}})
    found = study.serving[name]
    assert (found.mode, found.quantize, found.batch, found.thinking) == ("eager", bits, batch, thinking)
    assert found.settings()["quantize"] == bits
    assert "quantize" not in study.serving["static"].settings()
    assert [study.answers_otherwise(way) for way in (name, "static", "eager")] == [True, False, False]


@pytest.mark.parametrize("serving", [{"adapter": {}}, {"static": {"only": "x-*"}}])
def test_a_way_that_serves_nothing_is_refused(serving: dict[str, Any]) -> None:
    """A way of serving that fits no variant of the study is an error and not an empty table."""
    with pytest.raises(StudyError, match=r"serving\..* serves no variant"):
        cells(study_of(serving=serving))


def test_every_method_has_as_many_trials() -> None:
    """Methods whose rates are searched must have as many rates each."""
    study_of(methods={"full": {"learning_rates": [1, 2]}, "lora": {"ranks": [2], "learning_rates": [3, 4]}})
    with pytest.raises(ValueError, match="each method gets as many trials"):
        study_of(methods={"full": {"learning_rates": [1, 2]}, "lora": {"ranks": [2], "learning_rates": [3]}})
    with pytest.raises(ValueError, match="not both"):
        study_of(methods={"full": {"learning_rates": [1, 2], "learning_rate": 1}})


def test_any_adapter_is_a_method() -> None:
    """What PEFT configures is named freely: with ranks the id holds them, without it is the method's name."""
    methods = {"dora": {"ranks": [4], "peft": {"use_dora": True}}, "ia3": {"peft": {"type": "IA3"}}}
    found = {one.id: one.settings for one in variants(study_of(methods=methods)) if one.settings}
    assert {name: settings.adapter for name, settings in found.items()} == {
        "m-dora-r4-on-arc": "LORA",
        "m-ia3-on-arc": "IA3",
    }


def test_a_cell_is_shown_by_its_id() -> None:
    """What other plugins print of a case's parameter is its id, not all its settings."""
    one = cells(load("mini"))[0]
    assert f"{one} {one!r}" == f"{one.id} {one.id}"

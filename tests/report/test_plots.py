"""The figures: what is on the front, what stands as an interval, and which lines are drawn."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line
from tests.making import record as made
from tunescale_core.report.plots import Limits, latency_split, pareto, quality_latency, rank_curves, transfer_map
from tunescale_core.results.published import reference
from tunescale_core.results.resampler import Resampler
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import Answer

POINTS = st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 1), st.just("")), min_size=1, max_size=12)


def results(*methods: str, tasks: tuple[str, ...] = ("arc",), on: str = "arc") -> Results:
    records = []
    for place, method in enumerate(methods):
        for task in tasks:
            gold = "A" if task == "arc" else "mill"
            lines = [
                line(
                    Answer((gold,), gold if n % (place + 2) else "B"), task, n, tokens=3 + place, seconds=0.2 + 0.01 * n
                )
                for n in range(20)
            ]
            records.append(made(method, None if method == "base" else on, task, lines))
    return Results(tuple(map(from_record, records)))


def drawn(found: Results, limits: Limits | None = None) -> Any:
    return quality_latency(found, Resampler(found, resamples=50), limits)


@given(POINTS, st.booleans())
def test_nothing_beats_the_front(points: list[tuple[float, float, str]], higher: bool) -> None:  # noqa: FBT001
    """No point is better than one on the front in both figures, and the front rises with latency."""
    front = pareto(points, higher=higher)
    better = (lambda a, b: a > b) if higher else (lambda a, b: a < b)
    for latency, quality, _ in front:
        assert not any(other[0] < latency and better(other[1], quality) for other in points)
    steps = list(pairwise(front))
    assert all(one[0] <= other[0] and better(other[1], one[1]) for one, other in steps)
    assert front


def test_figure_1_has_a_panel_a_task_and_a_point_a_candidate() -> None:
    """Each task has a panel; each candidate is a point in it with its id, and intervals as bars."""
    figure = drawn(results("base", "full", "lora-r4", tasks=("arc", "squad_v2")))
    assert [note.text for note in figure.layout.annotations] == [
        "asked arc",
        "asked squad_v2",
        "majority letter",
        "always abstain",
    ]
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert {trace.name for trace in points} == {"base", "full", "lora"}
    assert sorted(point[0] for trace in points for point in trace.customdata) == sorted(
        2 * ["m-base", "m-full-on-arc", "m-lora-r4-on-arc"]
    )
    assert all(max(trace.error_y.array) > 0 and max(trace.error_x.array) > 0 for trace in points)


def test_published_figures_have_no_bars() -> None:
    """A table without examples has points, a front and no intervals; less-is-better axes point down."""
    figure = drawn(reference("paper"))
    assert all(trace.error_y.array is None for trace in figure.data)
    assert figure.layout.yaxis2.autorange == "reversed"
    assert figure.layout.yaxis.autorange is True


def test_constraints_are_lines() -> None:
    """A latency limit is a line in every panel, a quality bar in its own task's alone."""
    found = results("base", "full", tasks=("arc", "squad_v2"))
    floors = len(drawn(found).layout.shapes)
    figure = drawn(found, Limits(0.5, (("arc", 0.7),)))
    assert len(figure.layout.shapes) == floors + 3 == 5
    assert all(shape.line.width > 0 for shape in figure.layout.shapes)


def test_rank_curves_go_over_ranks() -> None:
    """A curve has the ranks in order, and there is none without LoRA."""
    found = results("base", "lora-r16", "lora-r4")
    figure = rank_curves(found, Resampler(found, resamples=50))
    assert list(figure.data[0].x) == [4, 16]
    bare = results("base", "full")
    assert rank_curves(bare, Resampler(bare, resamples=50)) is None


def test_adapters_of_one_rank_have_curves_of_their_own() -> None:
    """DoRA and LoRA of the same ranks are two curves, told apart by name and by marker."""
    found = results("base", "lora-r16", "lora-r4", "dora-r16", "dora-r4")
    figure = rank_curves(found, Resampler(found, resamples=50))
    assert [list(trace.x) for trace in figure.data] == [[4, 16], [4, 16]]
    assert [trace.name for trace in figure.data] == ["m lora", "m dora"]
    assert len({trace.marker.symbol for trace in figure.data}) == 2


def test_a_curve_of_a_later_panel_alone_has_a_legend() -> None:
    """Every curve is named once, by the first panel that has a point of it."""
    first = results("base", "lora-r4")
    later = results("base", "dora-r4", "lora-r4", tasks=("squad_v2",), on="squad_v2")
    both = Results((*first.cells, *later.cells))
    figure = rank_curves(both, Resampler(both, resamples=50))
    assert [(trace.name, len(trace.x), trace.showlegend) for trace in figure.data] == [
        ("m lora", 1, True),
        ("m dora", 0, False),
        ("m lora", 1, False),
        ("m dora", 1, True),
    ]


def test_the_transfer_map_is_clipped_and_says_the_truth() -> None:
    """A colour stops at ±100 percent while its text has the real figure; untuned models have no map."""
    heat = transfer_map(reference("paper")).data[0]
    row = list(heat.y).index("Qwen3-0.6B-full-on-squad_v2")
    column = list(heat.x).index("squad_v2")
    assert (heat.z[row][column], heat.text[row][column]) == (100.0, "+177.6")
    assert transfer_map(results("base")) is None


def test_the_latency_split_has_three_parts() -> None:
    """Bars of length, pace and first token stand for each candidate but the base; the paper's table has none."""
    figure = latency_split(results("base", "full"))
    assert [bar.name for bar in figure.data] == ["output length", "time a token", "time to first token"]
    assert all(list(bar.y) == ["m-full-on-arc"] for bar in figure.data)
    assert latency_split(reference("paper")) is None


@pytest.mark.parametrize("task", ["arc"])
def test_a_lone_base_has_figure_1(task: str) -> None:
    """One candidate is enough for a panel."""
    assert len(drawn(results("base", tasks=(task,))).data) == 2

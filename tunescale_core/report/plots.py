"""The study's figures, as plotly figures: quality against latency, rank curves, transfer, where latency comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.latency import anatomy, same_calls, split
from tunescale_core.results.ranks import loras_on
from tunescale_core.results.resampler import Resampler
from tunescale_core.results.results import Results
from tunescale_core.results.trivial import trivial_quality, trivial_rule
from tunescale_core.stats.interval import ALPHA, Interval, percentile_interval
from tunescale_core.stats.resampling import units_of
from tunescale_core.tables.latency_table import reference_of

COLOURS = {"base": "#5b6770", "full": "#c2410c", "lora": "#1d6fa5"}
MARKERS = ("circle", "square", "diamond", "cross", "x")
"""Of the methods that have ranks, LoRA and its kind, in the order that they come."""
SYMBOLS = {"base": "square", "full": "diamond", "lora": "circle"}
ROOM = {"l": 60, "r": 20, "t": 50, "b": 50}
HEIGHT = 420


@dataclass(frozen=True)
class Limits:
    """Constraint lines to draw in Figure 1; None draws none."""

    max_latency: float | None = None
    bars: tuple[tuple[str, float], ...] = ()
    """Tasks and the primary metric that each must reach."""
    served: tuple[str, ...] | None = None
    """Tasks in whose panels the latency is drawn; None: in all."""


def family_of(candidate: Candidate) -> str:
    """Return base, full or lora."""
    return "base" if not candidate.tuned else "full" if candidate.is_full else "lora"


def quality_latency(results: Results, resampler: Resampler, limits: Limits | None = None) -> Any:
    """Return Figure 1: a panel a task, intervals as bars, the Pareto front, and constraint lines."""
    from plotly.subplots import make_subplots

    tasks = results.tasks
    figure = make_subplots(1, len(tasks), subplot_titles=[f"asked {task}" for task in tasks])
    for column, task in enumerate(tasks, 1):
        _panel(figure, results, resampler, task, column)
        _limit_lines(figure, results, limits or Limits(), task, column)
        metric = results.metric(task)
        figure.update_xaxes(title_text="mean seconds of a call", type="log", row=1, col=column)
        reverse = "reversed" if metric.better == "lower" else True
        figure.update_yaxes(title_text=f"{metric.label} {metric.arrow}", autorange=reverse, row=1, col=column)
    return _dressed(figure)


def pareto(points: Sequence[tuple[float, float, Any]], *, higher: bool) -> list[tuple[float, float, Any]]:
    """Return the points (latency, quality, what) that no other beats in one and equals in the other, by latency."""
    front: list[tuple[float, float, Any]] = []
    for point in sorted(points, key=lambda one: (one[0], -one[1] if higher else one[1])):
        if not front or (point[1] > front[-1][1] if higher else point[1] < front[-1][1]):
            front.append(point)
    return front


def rank_curves(results: Results, resampler: Resampler) -> Any:
    """Return quality over rank, a panel a task, for candidates asked the task they were tuned on; a curve a method."""
    from plotly.subplots import make_subplots

    tasks = [task for task in results.tasks if any(loras_on(results, model, task) for model in results.tuned)]
    if not tasks:
        return None
    every = [one for task in tasks for model in results.tuned for one in loras_on(results, model, task)]
    curves = list(dict.fromkeys((one.model, one.family) for one in every))
    families = list(dict.fromkeys(family for _, family in curves))
    figure = make_subplots(1, len(tasks), subplot_titles=[f"tuned on and asked {task}" for task in tasks])
    told: set[str] = set()
    for column, task in enumerate(tasks, 1):
        for model, family in curves:
            ranked = [one for one in loras_on(results, model, task) if one.family == family]
            name = f"{model} {family}" if len(families) > 1 else model
            style = {"color": COLOURS["lora"], "symbol": MARKERS[families.index(family) % len(MARKERS)]}
            trace = _rank_curve(results, resampler, task, ranked)
            trace.update(name=name, legendgroup=name, showlegend=bool(trace.x) and name not in told, marker=style)
            figure.add_trace(trace, row=1, col=column)
            told |= {name} if trace.x else set()
        for model in results.tuned:
            base = results.quality(Candidate(model, "base"), task)
            if base is not None:
                line = {"line_dash": "dot", "line_width": 1.5, "opacity": 1, "line_color": COLOURS["base"]}
                figure.add_hline(base, annotation_text=f"{model} untuned", row=1, col=column, **line)
        metric = results.metric(task)
        figure.update_xaxes(title_text="rank", type="log", row=1, col=column)
        figure.update_yaxes(title_text=f"{metric.label} {metric.arrow}", row=1, col=column)
    return _dressed(figure)


def _rank_curve(results: Results, resampler: Resampler, task: str, ranked: Sequence[Candidate]) -> Any:
    """Return one method's quality over rank on a task, with intervals."""
    from plotly.graph_objects import Scatter

    values = [(one, results.quality(one, task)) for one in sorted(ranked, key=lambda one: one.rank or 0)]
    known = [(one, value) for one, value in values if value is not None]
    return Scatter(
        x=[one.rank for one, _ in known],
        y=[value for _, value in known],
        error_y=_bars([(value, _quality_interval(resampler, one, task, value)) for one, value in known]),
        mode="lines+markers",
        customdata=[[one.id, one.model, one.method] for one, _ in known],
        hovertemplate="%{customdata[0]}<br>%{y}<extra></extra>",
    )


def transfer_map(results: Results) -> Any:
    """Return trained on × asked as a heat map: improvement over the untuned model in percent, clipped at ±100."""
    from plotly.graph_objects import Figure, Heatmap

    tuned = [one for one in results.candidates if one.tuned]
    if not tuned:
        return None
    shifts = [[results.improvement(one, task) for task in results.tasks] for one in tuned]
    clipped = [[None if value is None else max(-100.0, min(100.0, value)) for value in row] for row in shifts]
    text = [["" if value is None else f"{value:+.1f}" for value in row] for row in shifts]
    heat = Heatmap(
        z=clipped,
        x=list(results.tasks),
        y=[one.id for one in tuned],
        text=text,
        texttemplate="%{text}" if len(tuned) <= 40 else None,
        colorscale="RdBu",
        zmid=0,
        colorbar={"title": "% of base"},
        hovertemplate="%{y} asked %{x}: %{text} %<extra></extra>",
    )
    figure = Figure(heat)
    figure.update_yaxes(autorange="reversed", automargin=True, type="category")
    return _dressed(figure, max(HEIGHT, 22 * min(len(tuned), 60) + 140))


def latency_split(results: Results) -> Any:
    """Return what makes each candidate faster or slower than the small model untuned, as parts of the log ratio."""
    from plotly.graph_objects import Bar
    from plotly.subplots import make_subplots

    base = reference_of(results)
    tasks = [task for task in results.tasks if base and anatomy(results, base, task)]
    if base is None or not tasks:
        return None
    figure = make_subplots(1, len(tasks), subplot_titles=[f"asked {task}" for task in tasks], shared_yaxes=True)
    names = {"length": ("output length", "#1d6fa5"), "pace": ("time a token", "#c2410c")}
    names["first"] = ("time to first token", "#5b6770")
    for column, task in enumerate(tasks, 1):
        against = anatomy(results, base, task)
        found = [(one, anatomy(results, one, task)) for one in results.candidates if one != base]
        parts = [
            (one, split(made, against))
            for one, made in found
            if made and against and same_calls(results, one, base, task)
        ]
        for key, (name, colour) in names.items():
            bar = Bar(
                x=[getattr(part, key) / math.log(10) for _, part in parts],
                y=[one.id for one, _ in parts],
                orientation="h",
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                marker={"color": colour},
                customdata=[[one.id, one.model, one.method, part.sentence] for one, part in parts],
                hovertemplate="%{customdata[0]}<br>%{customdata[3]}<extra></extra>",
            )
            figure.add_trace(bar, row=1, col=column)
        figure.update_xaxes(title_text=f"log10 of the factor on {base.id}", row=1, col=column)
    figure.update_layout(barmode="relative")
    figure.update_yaxes(autorange="reversed", automargin=True, type="category")
    return _dressed(figure, max(HEIGHT, 22 * min(len(results.candidates), 60) + 140))


def _panel(figure: Any, results: Results, resampler: Resampler, task: str, column: int) -> None:
    from plotly.graph_objects import Scatter

    points = []
    for one in results.candidates:
        quality, latency = results.quality(one, task), results.latency(one, task)
        if quality is not None and latency is not None and latency > 0:
            points.append((latency, quality, one))
    for family in COLOURS:
        own = [point for point in points if family_of(point[2]) == family]
        if own:
            figure.add_trace(_family_trace(own, resampler, task, family, first=column == 1), row=1, col=column)
    front = pareto(points, higher=results.metric(task).better == "higher")
    line = Scatter(
        x=[point[0] for point in front],
        y=[point[1] for point in front],
        mode="lines",
        line={"dash": "dash", "color": "#8a8f98", "width": 1},
        name="Pareto front",
        legendgroup="front",
        showlegend=column == 1,
        hoverinfo="skip",
    )
    figure.add_trace(line, row=1, col=column)
    floor = trivial_quality(results, task)
    if floor is not None:
        style = {"line_dash": "dot", "line_width": 1, "line_color": "#8a8f98", "opacity": 1, "row": 1, "col": column}
        figure.add_hline(floor, annotation_text=trivial_rule(results, task), **style)


def _family_trace(
    points: Sequence[tuple[float, float, Candidate]], resampler: Resampler, task: str, family: str, *, first: bool
) -> Any:
    from plotly.graph_objects import Scatter

    quality = [(value, _quality_interval(resampler, one, task, value)) for _, value, one in points]
    latency = [(value, _latency_interval(resampler, one, task, value)) for value, _, one in points]
    return Scatter(
        x=[point[0] for point in points],
        y=[point[1] for point in points],
        error_x=_bars(latency),
        error_y=_bars(quality),
        mode="markers",
        name=family,
        legendgroup=family,
        showlegend=first,
        marker={"color": COLOURS[family], "symbol": SYMBOLS[family], "size": 9},
        customdata=[[one.id, one.model, one.method] for _, _, one in points],
        hovertemplate="%{customdata[0]}<br>%{y} at %{x} s<extra></extra>",
    )


def _limit_lines(figure: Any, results: Results, limits: Limits, task: str, column: int) -> None:
    style = {"line_dash": "dot", "line_color": "#b91c1c", "line_width": 1.5, "opacity": 1, "row": 1, "col": column}
    if limits.max_latency is not None and (limits.served is None or task in limits.served):
        figure.add_vline(limits.max_latency, **style)
        where = math.log10(limits.max_latency)  # annotations on a log axis are placed by the exponent
        figure.add_annotation(
            x=where, y=1, yref="y domain", text=f"≤ {limits.max_latency:g} s", showarrow=False, row=1, col=column
        )
    for name, value in limits.bars:
        if name == task:
            figure.add_hline(value, annotation_text=results.metric(task).bound(value), **style)


def _quality_interval(resampler: Resampler, candidate: Candidate, task: str, value: float) -> Interval | None:
    found = resampler.quality(candidate, task)
    if found is None:
        return None
    reach = percentile_interval(value, found)
    if reach.high > reach.low:
        return reach
    # All answers are alike, and resamples with them: as for a share of n right of n (Clopper and Pearson, 1934).
    rows = [cell.rows for cell in resampler.results.at(candidate, task) if cell.rows]
    left = (ALPHA / 2) ** (1 / min(units_of(one.group) for one in rows))
    worst = {"fraction": 1.0, "%": 100.0}.get(resampler.results.metric(task).unit)
    return Interval(value, value * left, value if worst is None else worst - (worst - value) * left)


def _latency_interval(resampler: Resampler, candidate: Candidate, task: str, value: float) -> Interval | None:
    found = resampler.latency(candidate, task)
    return None if found is None else percentile_interval(value, found)


def _bars(values: Sequence[tuple[float, Interval | None]]) -> dict[str, Any] | None:
    if all(interval is None for _, interval in values):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if reach is None else max(0.0, reach.high - value) for value, reach in values],
        "arrayminus": [0.0 if reach is None else max(0.0, value - reach.low) for value, reach in values],
        "thickness": 1,
    }


def _dressed(figure: Any, height: int = HEIGHT) -> Any:
    figure.update_layout(
        height=height,
        margin=ROOM,
        template="simple_white",
        legend={"orientation": "h", "y": -0.2},
        font={"family": "system-ui, sans-serif"},
    )
    return figure

"""Table 2, the best LoRA against full tuning, and Table 3, what goes with rank."""

from __future__ import annotations

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.ranks import TIE_RULES, Correlation, Ties, best_lora, full_on, rank_correlation
from tunescale_core.results.results import Results, relative_gain
from tunescale_core.results.trivial import trivial_quality
from tunescale_core.tables.flags import with_mark
from tunescale_core.tables.table import MISSING, Block, Column, Entry, Row, Table, number, quality, words


def table2(results: Results, ties: Ties = "latency") -> Table:
    """Return the best LoRA against full tuning, a row a model and task; the better side of each figure is marked."""
    named = len({one.family for one in results.candidates if one.rank is not None}) > 1
    columns = [Column("task", words=True), Column("model", words=True)]
    columns += [Column("method", "best LoRA", words=True)] if named else []
    columns += [Column(head, "best LoRA") for head in ("rank", "score", "s ↓")]
    columns += [Column("score", "full"), Column("s ↓", "full"), Column("score", "trivial")]
    rows = tuple(
        _against(results, model, task, ties, named=named)
        for model in results.tuned
        for task in results.tasks
        if best_lora(results, model, task, ties) or full_on(results, model, task)
    )
    rule = f"best LoRA: {TIE_RULES[ties]}"
    return Table("table2", "Table 2: best LoRA against full tuning", tuple(columns), (Block("", rows),), (rule,))


def table3(results: Results) -> Table:
    """Return how score and latency go with rank: Pearson's r on raw and on log2 rank, Spearman's rho, with n and p."""
    several = len(results.tuned) > 1
    columns = [Column("model", words=True)] if several else []
    columns += [Column("task", words=True), Column("figure", words=True), Column("n")]
    for name in ("Pearson", "log2 rank", "Spearman"):
        columns += [Column("r" if name != "Spearman" else "rho", name), Column("p", name)]
    rows = []
    for model in results.tuned:
        for task in results.tasks:
            for figure in ("score", "latency"):
                found = rank_correlation(results, model, task, figure)
                if found.n:
                    key = _named(results, model, f"{task} {figure}")
                    head = (words(model),) if several else ()
                    rows.append(Row(key, (*head, *_correlation_row(task, figure, found))))
    notes = ("over the LoRA rows tuned on the task itself; p of so few ranks is coarse, and none is corrected here",)
    return Table("table3", "Table 3: correlation with LoRA rank", tuple(columns), (Block("", tuple(rows)),), notes)


def _against(results: Results, model: str, task: str, ties: Ties, *, named: bool) -> Row:
    metric = results.metric(task)
    sides = [best_lora(results, model, task, ties), full_on(results, model, task)]
    scores = [results.quality(one, task) if one else None for one in sides]
    times = [results.latency(one, task) if one else None for one in sides]
    lower = metric.better == "lower"
    marked = [
        [
            with_mark(entry) if one in results.flags else entry
            for one, entry in zip(sides, _pair([quality(metric, value) for value in scores], lower=lower), strict=True)
        ],
        _pair([number(value, 4) for value in times], lower=True),
    ]
    rank = sides[0].rank if sides[0] else None
    method = [words(sides[0].method if sides[0] else MISSING)] if named else []
    head = (words(f"{task} ({metric.label} {metric.arrow})"), words(model), *method, Entry(str(rank or MISSING), rank))
    key = _named(results, model, task)
    floor = quality(metric, trivial_quality(results, task))
    return Row(key, (*head, marked[0][0], marked[1][0], marked[0][1], marked[1][1], floor))


def _named(results: Results, model: str, rest: str) -> str:
    return f"{model} {rest}" if len(results.tuned) > 1 else rest


def _pair(entries: list[Entry], *, lower: bool) -> list[Entry]:
    values = [entry.value for entry in entries if isinstance(entry.value, float)]
    if len(values) < 2:
        return entries
    best = min(values) if lower else max(values)
    shown = next(entry.text for entry in entries if entry.value == best)
    return [Entry(entry.text, entry.value, best=entry.text == shown) for entry in entries]


def _correlation_row(task: str, figure: str, found: Correlation) -> tuple[Entry, ...]:
    entries = [words(task), words(figure), Entry(str(found.n), found.n)]
    for pair in (found.pearson, found.pearson_log2, found.spearman):
        entries += [number(pair[0] if pair else None, 3), number(pair[1] if pair else None, 3)]
    return tuple(entries)


def transfer_table(results: Results) -> Table:
    """Return what tuning did to each task: the relative improvement over the same model untuned, in percent."""
    columns = [Column("candidate", words=True), *(Column("%", task, "higher") for task in results.tasks)]
    tuned = [one for one in results.candidates if one.tuned]
    rows = [
        Row(
            results.label(one),
            (words(one.id), *(_shift(results, one, task) for task in results.tasks)),
            one.model,
            one.method,
        )
        for one in tuned
    ]
    rows += [row for model in results.tuned if (row := _trivial_row(results, model)) is not None]
    notes = ("improvement over the untuned model in percent; on tasks not tuned on, minus is forgetting",)
    return Table("transfer", "Transfer: trained on × asked", tuple(columns), (Block("", tuple(rows)),), notes)


def _shift(results: Results, candidate: Candidate, task: str) -> Entry:
    shift = results.improvement(candidate, task)
    own = "*" if task == candidate.trained_on else ""
    return Entry(MISSING) if shift is None else Entry(f"{shift:+.1f}{own}", shift)


def _trivial_row(results: Results, model: str) -> Row | None:
    """Return how answering without looking stands against an untuned model; None where it is not known."""
    base = Candidate(model, "base")
    gains = [
        relative_gain(results.metric(task), trivial_quality(results, task), results.quality(base, task))
        for task in results.tasks
    ]
    if all(gain is None for gain in gains):
        return None
    entries = [Entry(MISSING) if gain is None else Entry(f"{gain:+.1f}", gain) for gain in gains]
    return Row(f"trivial {_named(results, model, '')}", (words(f"trivial against {base.id}"), *entries))

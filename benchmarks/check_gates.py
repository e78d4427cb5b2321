"""Hold the gates against known changes and against none: how often do they see the one, and invent the other?

Two runs of one program are drawn from recorded ones (`benchmarks/record_runs.py` records them, half beside two busy
processes), their answers are resampled, the later one is changed as the table says, and the gates judge it. Every row
is counted over many such pairs:

    python benchmarks/check_gates.py [RUNS] [--trials 300] [--examples 1000] [--live 4]

With `--live` it also measures, here and now, so many runs of a model whose decoding really sleeps for a tenth of its
time, against as many of the same model awake. Exit code 1 where fewer than 95 % of a change are seen, or more than 1 %
of runs without one fail.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from slowed import Slowed
from tabulate import tabulate

from tunescale_core.gates.baseline import Baseline, read
from tunescale_core.gates.judged import Run, judged
from tunescale_core.gates.pace import confirmed, judge
from tunescale_core.gates.selftest import comparisons, embedded, fails
from tunescale_core.gates.verdict import CASE, Verdict
from tunescale_core.pace.measure import questions, run_blocks
from tunescale_core.pace.pace import YARDSTICK, Pace
from tunescale_core.pace.sides import Served
from tunescale_core.progress import Progress
from tunescale_core.records.lines import SCORE
from tunescale_core.results.result import Result
from tunescale_core.stats.interval import wilson
from tunescale_core.study.margins import Gate
from tunescale_core.tasks import TASKS

RUNS = Path(__file__).parent / "results" / "gate-runs"
CAUGHT, INVENTED = 0.95, 0.01
"""The bars: of changes seen, at least; of unchanged runs that fail, at most."""
POINTS, LONGER, SLOWER, OTHER_MACHINE = 0.03, 1.1, 1.1, 1.7
GATE = Gate()
"""As a study has it that declares no margin."""
Rng = np.random.Generator


@dataclass(frozen=True)
class Pair:
    """A baseline and a later run of the same program, as gates see them."""

    old: Baseline
    new: Baseline
    again: Baseline
    """A third run, whose blocks confirm an alarm or do not."""

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return every verdict on the later run."""
        run = Run(self.new.results, self.new.paces)
        return (*judged(run, self.old, GATE), *self._paces())

    def _paces(self) -> Iterator[Verdict]:
        for old in self.old.paces:
            margin = GATE.margin(old.subject, "", "pace", "lower")
            first = judge(_pace(self.new, old), old, margin)
            yield confirmed(first, judge(_pace(self.again, old), old, margin)) if first.failed else first


def _pace(run: Baseline, like: Pace) -> Pace | None:
    return next((one for one in run.paces if (one.subject, one.reference) == (like.subject, like.reference)), None)


@dataclass(frozen=True)
class Plant:
    """A change, and what has to be said of it."""

    name: str
    change: Callable[[Pair, str, Rng], Pair]
    """Of a pair, for one of its cases."""
    seen: Callable[[tuple[Verdict, ...], str], bool]


def drawn(runs: Mapping[str, Baseline], examples: int, rng: Rng) -> Pair:
    """Draw three different runs of the same cases, and the same resample of the examples for each."""
    first = rng.choice(sorted(runs))
    alike = [name for name, run in sorted(runs.items()) if run.results.keys() == runs[first].results.keys()]
    names = rng.choice(alike, 3, replace=False)
    places: dict[str, Any] = {}
    return Pair(*(_resampled(runs[name], places, examples, rng) for name in names))


def _resampled(run: Baseline, places: dict[str, Any], examples: int, rng: Rng) -> Baseline:
    found = {}
    for cell, result in run.results.items():
        rows = result.source
        timed = int(result.record.summary.timed) if result.record and result.record.summary else 0
        if result.task not in places:
            # The timed examples stay what they were: a time belongs to its question.
            places[result.task] = np.r_[np.arange(timed), rng.integers(timed, rows.num_rows, examples - timed)]
        found[cell] = _with(result, _renamed(rows.take(places[result.task])))
    return replace(run, results=found)


def _renamed(rows: pa.Table) -> pa.Table:
    names = pa.array([f"{place}" for place in range(rows.num_rows)])
    return rows.set_column(rows.column_names.index("example"), "example", names)


def _with(result: Result, rows: pa.Table) -> Result:
    """Return a result with other rows, its figures those of the rows."""
    bare = replace(result, source=rows)
    assert bare.rows is not None
    assert result.record is not None
    assert result.record.summary is not None
    ones = np.ones((1, rows.num_rows))
    task = TASKS[result.kind]
    values = {one.name: float(one.combine(bare.rows.figures[one.name], ones)[0]) for one in task.metrics}
    metrics = {name: None if np.isnan(value) else value for name, value in values.items()}
    summary = result.record.summary.model_copy(
        update={
            "examples": rows.num_rows,
            "tokens": float(bare.rows.tokens.mean()),
            "latency": float(np.nanmean(bare.rows.seconds)),
        }
    )
    record = result.record.model_copy(update={"metrics": metrics, "summary": summary})
    return replace(bare, record=record, quality=metrics[task.primary.name], latency=summary.latency)


def _set(rows: pa.Table, name: str, values: Any) -> pa.Table:
    column = rows.column_names.index(name)
    return rows.set_column(column, name, pa.array(values, rows.schema.field(name).type, from_pandas=True))


def _later(pair: Pair, change: Callable[[Baseline], Baseline]) -> Pair:
    return replace(pair, new=change(pair.new), again=change(pair.again))


def _changed_rows(pair: Pair, cell: str, change: Callable[[Result], pa.Table]) -> Pair:
    def changed(run: Baseline) -> Baseline:
        result = run.results[cell]
        return replace(run, results={**run.results, cell: _with(result, change(result))})

    return _later(pair, changed)


def fewer_right(pair: Pair, cell: str, rng: Rng) -> Pair:
    """Turn three points' worth of a case's right answers wrong."""
    result = pair.new.results[cell]
    assert result.rows is not None
    judged_by = result.rows.figures[result.judged]
    scale = 100.0 if TASKS[result.kind].metric(result.judged).unit == "%" else 1.0  # type: ignore[union-attr]
    order = rng.permutation(np.flatnonzero(judged_by > 0))
    lost = order[: int(np.searchsorted(np.cumsum(judged_by[order]) / scale, POINTS * len(judged_by)) + 1)]
    return _changed_rows(pair, cell, lambda one: _wrong(one, lost))


def _wrong(result: Result, lost: Any) -> pa.Table:
    """Return rows whose answers at some places are wrong, as the task scores a wrong one."""
    rows = result.source
    for name in [one.removeprefix(SCORE) for one in rows.column_names if one.startswith(SCORE)]:
        figures = rows[SCORE + name].to_numpy(zero_copy_only=False).astype(float).copy()
        figures[lost] = _WRONG[result.kind](name, figures[lost], result.source)
        rows = _set(rows, SCORE + name, figures)
    return rows


def _wrong_letter(name: str, figures: Any, _: pa.Table) -> Any:
    if name == "parse_rate":
        return figures
    return figures // 5 * 5 + (figures // 5 + 1) % 4 if name == "macro_f1" else np.zeros_like(figures)


def _wrong_number(name: str, figures: Any, _: pa.Table) -> Any:
    wrong = {"parse_rate": 1.0, "accuracy": 0.0, "log_diff": np.log(3.0)}
    return np.full_like(figures, wrong.get(name, 2.0))


def _wrong_span(name: str, figures: Any, _: pa.Table) -> Any:
    return figures if name == "parse_rate" else np.where(np.isnan(figures), figures, 0.0)


_WRONG = {"arc": _wrong_letter, "openmath": _wrong_number, "squad_v2": _wrong_span}


def longer(pair: Pair, cell: str, rng: Rng) -> Pair:
    """Let a case's answers be a tenth longer."""

    def stretched(result: Result) -> pa.Table:
        tokens = result.source["tokens"].to_numpy() * LONGER
        return _set(result.source, "tokens", np.floor(tokens + rng.random(len(tokens))).astype(int))

    return _changed_rows(pair, cell, stretched)


def _slowed(run: Baseline, which: Callable[[Pace], bool], factor: float) -> Baseline:
    paces = tuple(_slower(one, factor) if which(one) else one for one in run.paces)
    return replace(run, paces=paces)


def _slower(pace: Pace, factor: float, reference: float = 1.0) -> Pace:
    blocks = [
        one.model_copy(update={"seconds": one.seconds * factor, "reference_seconds": one.reference_seconds * reference})
        for one in pace.blocks
    ]
    return pace.model_copy(update={"blocks": tuple(blocks)})


def one_slower(pair: Pair, _: str, rng: Rng) -> Pair:
    """Let one class of variants decode a tenth slower than it did."""
    subject = rng.choice([one.subject for one in pair.old.paces if one.reference != YARDSTICK])
    return _later(
        pair, lambda run: _slowed(run, lambda one: one.subject == subject and one.reference != YARDSTICK, SLOWER)
    )


def all_slower(pair: Pair, _: str, __: Rng) -> Pair:
    """Let everything decode a tenth slower: references too, so that only the yardstick can tell."""
    return _later(pair, lambda run: _slowed(run, lambda one: one.reference == YARDSTICK, SLOWER))


def dropped(pair: Pair, cell: str, _: Rng) -> Pair:
    """Leave a case out."""
    return _later(
        pair, lambda run: replace(run, results={name: one for name, one in run.results.items() if name != cell})
    )


def reworded(pair: Pair, cell: str, _: Rng) -> Pair:
    """Ask a case in other words."""

    def changed(run: Baseline) -> Baseline:
        result = run.results[cell]
        assert result.record is not None
        record = result.record.model_copy(update={"hashes": {**result.record.hashes, "prompts": "0" * 64}})
        return replace(run, results={**run.results, cell: replace(result, record=record)})

    return _later(pair, changed)


def elsewhere(pair: Pair, _: str, __: Rng) -> Pair:
    """Run on another machine, 1.7 times slower."""

    def moved(run: Baseline) -> Baseline:
        return replace(
            run,
            results={name: _moved(one) for name, one in run.results.items()},
            paces=tuple(map(_moved_pace, run.paces)),
        )

    return _later(pair, moved)


def _moved(result: Result) -> Result:
    assert result.record is not None
    assert result.record.provenance is not None
    provenance = result.record.provenance.model_copy(update={"cpu": "another"})
    seconds = result.source["seconds"].to_numpy(zero_copy_only=False) * OTHER_MACHINE
    slower = _with(result, _set(result.source, "seconds", seconds))
    assert slower.record is not None
    return replace(slower, record=slower.record.model_copy(update={"provenance": provenance}))


def _moved_pace(pace: Pace) -> Pace:
    slower = _slower(pace, OTHER_MACHINE, OTHER_MACHINE)
    return slower.model_copy(update={"provenance": pace.provenance.model_copy(update={"cpu": "another"})})


def _regression_of(*metrics: str) -> Callable[[tuple[Verdict, ...], str], bool]:
    def seen(verdicts: tuple[Verdict, ...], cell: str) -> bool:
        return any(
            one.outcome == "regression" and one.cell == cell and (not metrics or one.metric in metrics)
            for one in verdicts
        )

    return seen


def _pace_regression(verdicts: tuple[Verdict, ...], _: str) -> bool:
    return any(one.outcome == "regression" and one.metric == "pace" for one in verdicts)


def _refused(verdicts: tuple[Verdict, ...], cell: str) -> bool:
    return any(
        one.failed and one.outcome == "refused" and (one.cell, one.metric) == (cell, CASE) and "prompts" in one.note
        for one in verdicts
    )


def _told_apart(verdicts: tuple[Verdict, ...], _: str) -> bool:
    """Every absolute time is refused, naming what differs, and nothing fails."""
    times = [one for one in verdicts if one.metric == "latency"]
    return all(one.outcome == "refused" and "processor" in one.note for one in times) and not any(
        one.failed for one in verdicts
    )


PLANTS = (
    Plant("quality -3 points", fewer_right, _regression_of()),
    Plant("tokens +10 %", longer, _regression_of("tokens")),
    Plant("decoding +10 %, one variant", one_slower, _pace_regression),
    Plant("decoding +10 %, everything", all_slower, _pace_regression),
    Plant("a case dropped", dropped, _regression_of(CASE)),
    Plant("a prompt changed", reworded, _refused),
    Plant("another machine, 1.7 times slower", elsewhere, _told_apart),
)


def count(runs: Mapping[str, Baseline], plant: Plant | None, trials: int, examples: int) -> int:
    """Return in how many trials a change is seen; without one, how many runs fail."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(trials):
        pair = drawn(runs, examples, rng)
        cell = str(rng.choice(sorted(pair.old.results)))
        changed = plant.change(pair, cell, rng) if plant else pair
        verdicts = changed.verdicts()
        found += plant.seen(verdicts, cell) if plant else any(one.failed for one in verdicts)
    return found


def rows(runs: Mapping[str, Baseline], trials: int, examples: int) -> Iterator[tuple[str, int, bool]]:
    """Yield (what was changed, in how many trials it was seen, whether that is within the bar)."""
    yield "nothing", (found := count(runs, None, trials, examples)), found <= INVENTED * trials
    for plant in PLANTS:
        yield plant.name, (found := count(runs, plant, trials, examples)), found >= CAUGHT * trials


def live(runs: int) -> tuple[int, int, int]:
    """Measure a model awake and asleep for a tenth of its time: (alarms confirmed, of so many, false ones)."""
    study, (yardstick, again, _) = embedded(GATE.blocks)
    small = yardstick.sides[0]
    assert isinstance(small, Served)
    asleep = Slowed(small.model, small.asking, share=SLOWER - 1)
    awake = [yardstick, again]
    sleepy = [replace(pair, sides=(asleep, pair.sides[1])) for pair in awake]
    asked, progress = questions(study), Progress(sys.stderr)
    before, after = (
        [run_blocks(one, asked, GATE.blocks, progress).paces for _ in range(runs)] for one in (awake, sleepy)
    )
    margin, trials = GATE.margin("", "", "pace", "lower"), comparisons(runs)

    def failing(later: list[tuple[Pace, ...]]) -> int:
        each = [
            (before[old][place], later[now][place], later[fresh][place])
            for old, now, fresh in trials
            for place in (0, 1)
        ]
        return sum(fails(*one, margin) for one in each)

    return failing(after), 2 * len(trials), failing(before)


@cache
def recorded(folder: Path) -> dict[str, Baseline]:
    """Read every recorded run."""
    return {path.name: read(path) for path in sorted(folder.iterdir()) if path.is_dir()}


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs", nargs="?", type=Path, default=RUNS, help="a folder of recorded runs")
    parser.add_argument("--trials", type=int, default=300, help="pairs of runs a row")
    parser.add_argument("--examples", type=int, default=1000, help="answers a case, resampled from the recorded ones")
    parser.add_argument("--live", type=int, default=0, help="runs to measure with and without a real sleep; 3 or more")
    wanted = parser.parse_args()
    gc.freeze()  # correcting p values collects garbage each time; nothing that is imported is any
    runs = recorded(wanted.runs)
    table, within = [], True
    for name, found, holds in rows(runs, wanted.trials, wanted.examples):
        share = wilson(found, wanted.trials)
        table.append(
            [name, f"{found} of {wanted.trials}", f"{share.low:.1%} to {share.high:.1%}", "yes" if holds else "NO"]
        )
        within &= holds
    print(tabulate(table, ["changed", "the gate fails", "95 % interval", "within the bar"], disable_numparse=True))  # noqa: T201
    print(f"({len(runs)} recorded runs, {wanted.examples} answers a case)")  # noqa: T201
    if wanted.live:
        caught, of, false = live(wanted.live)
        print(f"a real sleep of a tenth: {caught} of {of} comparisons caught, {false} of {of} false alarms")  # noqa: T201
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())

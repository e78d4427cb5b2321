"""What a run's gates say as a whole: for the terminal, and for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from tunescale_core.gates.baseline import Baseline
from tunescale_core.gates.cases import trained_otherwise
from tunescale_core.gates.gating import Gating
from tunescale_core.gates.shown import counted, counts, line, markdown, told
from tunescale_core.pace.classes import unpaced
from tunescale_core.results.result import from_record
from tunescale_core.study.grid import cells


def title(gating: Gating) -> str:
    """Return what stands above the verdicts in the terminal."""
    if gating.wanted is None:
        return "baseline"
    if gating.baseline is None:
        return f"no baseline {gating.wanted} yet"
    return f"against baseline {gating.baseline.name}: {gating.outcome}"


def lines(gating: Gating) -> list[str]:
    """Return the verdicts that are not plain, a line each, and what else is to be said."""
    return [*map(line, told(gating.given)), *notes(gating)]


def pull_request(gating: Gating) -> str:
    """Return the summary for a pull request, as Markdown."""
    return markdown(gating.wanted or "", gating.outcome, gating.given, notes(gating))


def notes(gating: Gating) -> list[str]:
    """Return sentences on what was compared, what was not and why, and what was saved."""
    found: list[str] = []
    if gating.baseline is not None:
        found += _compared(gating, gating.baseline)
    elif gating.wanted is not None:
        found.append(
            f"first run: there is no baseline {gating.wanted} to compare with"
            + ("" if gating.saved_to else f"; --save-baseline {gating.wanted} makes one")
        )
    if gating.unsaved and not gating.records:
        found.append("no case of the study ran, so no baseline is saved")
    if gating.size is not None:
        of = counted(len(gating.records))
        found.append(f"saved baseline {gating.saved_to}: {of}, {gating.size / 1e3:.0f} kB")
    return found


def _compared(gating: Gating, baseline: Baseline) -> Iterator[str]:
    yield f"gates: {counts(gating.given)}"
    if gating.stopped and gating.unasked:
        yield "the run was stopped before all of them were asked"
    unselected = {cell.id for cell in cells(gating.study)} - {cell.id for cell in gating.selected}
    if left := len(baseline.names & unselected):
        yield f"not selected in this run, so not compared: {counted(left)} of the baseline"
    if (whose := baseline.studies) and gating.study.name not in whose:
        yield f"the baseline is of study {', '.join(whose)}, this run of {gating.study.name}"
    yield from _trained_otherwise(gating, baseline)
    yield from (f"no pace of {one.id}: {one.why}" for one in unpaced(gating.study, gating.selected))
    if not baseline.paces:
        yield "the baseline has no paces, so none is gated; latency is, where it can be compared"


def _trained_otherwise(gating: Gating, baseline: Baseline) -> Iterator[str]:
    """Yield what cases were trained by that the baseline's were not, a line each: it may be why they differ."""
    found: dict[str, list[str]] = {}
    for one in gating.records:
        if one.cell in baseline.results and (note := trained_otherwise(baseline.results[one.cell], from_record(one))):
            found.setdefault(note, []).append(one.cell)
    yield from (f"{note} ({', '.join(names)})" for note, names in found.items())

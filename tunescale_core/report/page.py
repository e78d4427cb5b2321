"""The page itself: everything that is shown, put into one template with its script, style and plotly inside."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tunescale_core.advice.constraints import constraints_of
from tunescale_core.advice.counsel import counsel
from tunescale_core.advice.shown import as_text
from tunescale_core.errors import ResultsError
from tunescale_core.findings.answers import answers
from tunescale_core.findings.finding import Finding
from tunescale_core.findings.shown import drift_told
from tunescale_core.placing import place
from tunescale_core.report.examples import samples
from tunescale_core.report.plots import Limits, latency_split, quality_latency, rank_curves, transfer_map
from tunescale_core.results.ranks import Ties
from tunescale_core.results.resampler import resampler_of
from tunescale_core.results.results import Results
from tunescale_core.study.constraints import Deployment
from tunescale_core.study.serving import EAGER
from tunescale_core.tables.every import every_table

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Plot:
    """A figure and the element that holds it."""

    name: str
    title: str
    figure: dict[str, Any]
    height: int


def write_page(
    results: Results,
    target: Path,
    ties: Ties = "latency",
    reference: Results | None = None,
    asked: Deployment | None = None,
) -> None:
    """Write the report as one HTML file that needs no network.

    Args:
        results: What is shown.
        target: The file.
        ties: How the best LoRA is chosen among equals.
        reference: Results to show beside.
        asked: Of a deployment: lines in Figure 1, and advice.

    Raises:
        ResultsError: The packages of the `report` extra are not installed, or the file cannot be written.
        ResourceError: The disk is full; a report that was there is left whole.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ResultsError(f"the HTML report needs {error.name}: pip install 'tunescale[report]'") from error
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    plotly, script = get_plotlyjs(), (HERE / "page.js").read_text(encoding="utf-8")
    findings = answers(results, ties)
    page = environment.get_template("page.html.j2").render(
        policy=policy(plotly, script),
        source=results.source,
        models=list(dict.fromkeys(one.model for one in results.candidates)),
        methods=list(dict.fromkeys(one.method for one in results.candidates)),
        tasks=list(results.tasks),
        questions=_questions(findings),
        drift=drift_told(findings),
        others={one.key: one for one in answers(reference, ties)} if reference else {},
        tables=every_table(results, ties, reference),
        advice=_advice(results, asked) if asked else "",
        plots=list(_plots(results, _limits(results, asked) if asked else None)),
        samples=[asdict(one) for one in samples(results)],
        plotly=plotly,
        script=script,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
    )
    try:
        if target.exists() and not target.is_file():  # a pipe, a terminal
            target.write_text(page, encoding="utf-8")
        else:
            place(target.resolve(), page.encode())
    except OSError as error:
        raise ResultsError(f"the report cannot be written to {target}: {error.strerror or error}") from error


def policy(*scripts: str) -> str:
    """Return a content security policy that runs these scripts and no other, and loads nothing from anywhere.

    Styles may stand inline: plotly places its own so.
    """
    allowed = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _advice(results: Results, asked: Deployment) -> str:
    """Return what to ship, or why that cannot be said; empty where it is not said which task it is for."""
    if not asked.aims_at_one(results.tasks):
        return ""
    try:
        return as_text(counsel(results, constraints_of(results, asked)))
    except ResultsError as error:
        return f"none: {error}"


def _limits(results: Results, asked: Deployment) -> Limits:
    """Return what of it the axes of Figure 1 show: mean seconds of eager calls, and primary metrics."""
    primary = [bar for bar in asked.bars if bar[0] in results.tasks and bar[1] == results.metric(bar[0]).name]
    seconds = asked.max_latency if asked.latency_stat == "mean" and asked.serving == EAGER else None
    served = tuple(dict.fromkeys(task for task, _, _ in asked.bars))
    return Limits(seconds, tuple((task, value) for task, _, value in primary), served or results.tasks)


def _questions(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Return each question's answer with its parts."""
    grouped: list[tuple[Finding, list[Finding]]] = []
    for one in findings:
        if one.is_summary:
            grouped.append((one, []))
        else:
            grouped[-1][1].append(one)
    return grouped


def _plots(results: Results, limits: Limits | None) -> Iterator[Plot]:
    resampler = resampler_of(results)
    made = {
        "quality-latency": ("Quality against latency", quality_latency(results, resampler, limits)),
        "rank-curves": ("LoRA rank", rank_curves(results, resampler)),
        "transfer": ("Transfer", transfer_map(results)),
        "latency-split": ("Where latency comes from", latency_split(results)),
    }
    for name, (title, figure) in made.items():
        if figure is not None:
            yield Plot(name, title, json.loads(figure.to_json()), int(figure.layout.height))

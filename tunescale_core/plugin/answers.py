"""What a run comes to: once a whole study is measured its questions, a line each; where it asks for it, advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tunescale_core.errors import ResultsError

if TYPE_CHECKING:
    from tunescale_core.plugin.session import Session
    from tunescale_core.records.record import Record
    from tunescale_core.results.results import Results
    from tunescale_core.study.study import Study


def answered(session: Session, results: Results) -> Iterator[tuple[str, str]]:
    """Yield titles and texts, of a run that came to its end.

    Args:
        session: The run, with its study.
        results: What it measured.
    """
    study = session.study
    if study is None or not session.ended or not results.cells:
        return
    if _whole(study, session.records) and (text := _questions(results)):
        yield "findings", f"{text}\n(tunescale findings: every part, with its interval)"
    if study.constraints is not None:
        from tunescale_core.advice.constraints import constraints_of
        from tunescale_core.advice.counsel import counsel
        from tunescale_core.advice.shown import as_text

        try:
            yield "advice", as_text(counsel(results, constraints_of(results, study.constraints)))
        except ResultsError as error:
            yield "advice", f"none: {error}"


def _whole(study: Study, records: Sequence[Record]) -> bool:
    """Tell whether every cell was measured, or left its error: a run that stops at the first failure ends early."""
    from tunescale_core.study.grid import cells

    return {one.id for one in cells(study)} <= {record.cell for record in records}


def _questions(results: Results) -> str:
    from tunescale_core.findings.answers import answers
    from tunescale_core.findings.shown import as_summary

    return as_summary(answers(results))

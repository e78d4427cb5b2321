"""What a study expects its findings to say, held against what they do say."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from tunescale_core.errors import ThresholdError
from tunescale_core.findings.finding import Finding
from tunescale_core.study.expected import ExpectedFinding


def hold(findings: Iterable[Finding], expected: ExpectedFinding) -> None:
    """Check one expectation.

    Raises:
        ThresholdError: One line: the verdict found and the one required, with what it rests on; or there is no such
            finding.
    """
    known = {one.key: one for one in findings}
    found = known.get(expected.key)
    if found is None:
        near = get_close_matches(expected.key, known, 3)
        hint = f"; nearest are {', '.join(near)}" if near else ""
        raise ThresholdError(f"no finding {expected.key!r} comes from this study's records{hint}")
    if found.verdict != expected.verdict:
        raise ThresholdError(f"{found.key}: {found.verdict}, required {expected.verdict}: {_rests_on(found)}")


def _rests_on(found: Finding) -> str:
    told = [f"{found.formula} = " + ("undefined" if found.value is None else f"{found.value:.4g} {found.unit}".strip())]
    if found.interval is not None:
        told.append(f"gain in [{found.interval.low:.4g}, {found.interval.high:.4g}]")
    if found.n is not None:
        told.append(f"n = {found.n}")
    return ", ".join([*told, *([found.note] if found.note else [])])

"""What a study expects of its findings: held, missed in one line, or about nothing."""

from __future__ import annotations

import pytest

from tunescale_core.errors import ThresholdError
from tunescale_core.findings.answers import answers
from tunescale_core.findings.expected import hold
from tunescale_core.results.published import reference
from tunescale_core.study.expected import ExpectedFinding

FOUND = answers(reference("paper"))


@pytest.mark.parametrize(("key", "verdict"), [("Q3", "refuted"), ("Q1.full-on-openmath.openmath.quality", "supported")])
def test_what_is_found_holds(key: str, verdict: str) -> None:
    """A question or a part whose verdict is the expected one passes."""
    hold(FOUND, ExpectedFinding(key=key, verdict=verdict))  # type: ignore[arg-type]


def test_another_verdict_is_a_miss() -> None:
    """A miss is one line: found, required, and what it rests on."""
    with pytest.raises(ThresholdError) as caught:
        hold(FOUND, ExpectedFinding(key="Q1.full-on-arc.arc.quality", verdict="supported"))
    assert (
        str(caught.value) == "Q1.full-on-arc.arc.quality: refuted, required supported: (new - old) / |old| = -0.5474 %"
    )


def test_no_such_finding_names_the_nearest() -> None:
    """A key that no finding has is refused with those that it may mean."""
    with pytest.raises(
        ThresholdError, match=r"no finding 'Q1\.full-on-arc\.arc\.qualty'.*Q1\.full-on-arc\.arc\.quality"
    ):
        hold(FOUND, ExpectedFinding(key="Q1.full-on-arc.arc.qualty", verdict="supported"))

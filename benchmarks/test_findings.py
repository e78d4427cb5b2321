"""One case a finding that the study declares under `[[findings]]`: it says what the study expects."""

from collections.abc import Callable

from tunescale_core.study.expected import ExpectedFinding


def test_findings(expected_finding: ExpectedFinding, finding_holds: Callable[[ExpectedFinding], None]) -> None:
    """A question about the study is answered as the study expects."""
    finding_holds(expected_finding)

"""What a publication's text prints for a finding, so that it can be held against its own table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tunescale_core.findings.finding import Finding, Verdict
from tunescale_core.results.published import SHIPPED, reference
from tunescale_core.results.results import Results


class Claim(BaseModel):
    """One number in a publication's text, or what it concludes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    finding: str
    """The key of the finding it is about."""
    printed: str
    """As the text has it, with its section."""
    value: float | None = None
    digits: int = 0
    """Decimals that are printed."""
    verdict: Verdict | None = None
    note: str = ""

    def agrees_with(self, found: Finding) -> bool:
        """Tell whether a finding's value is the printed one to the printed decimals, or its verdict the printed one."""
        if self.value is None:
            return found.verdict == self.verdict
        return found.value is not None and f"{found.value:.{self.digits}f}" == f"{self.value:.{self.digits}f}"


def printed_for(results: Results) -> Mapping[str, Claim]:
    """Return what the paper prints, by finding; nothing where the results are not the paper's own table."""
    return _paper() if _figures(results) == _figures(reference("paper")) else {}


@cache
def _paper() -> Mapping[str, Claim]:
    path = next(folder / "paper_claims.toml" for folder in SHIPPED if Path(folder / "paper_claims.toml").is_file())
    claims = [Claim.model_validate(one) for one in tomllib.loads(path.read_text(encoding="utf-8"))["claim"]]
    return {claim.finding: claim for claim in claims}


def _figures(results: Results) -> set[tuple[object, ...]]:
    return {(cell.candidate, cell.task, cell.quality, cell.latency, cell.record is None) for cell in results.cells}

"""The paper's text against its own table: what agrees, what does not, and when it is not mentioned at all."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line
from tests.making import record as made
from tunescale_core.findings.answers import answers
from tunescale_core.findings.finding import Finding, Verdict
from tunescale_core.findings.printed import Claim, printed_for
from tunescale_core.results.published import reference
from tunescale_core.results.ranks import TIE_RULES, Ties
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results

PAPER = reference("paper")
CLAIMS = printed_for(PAPER)
FIGURES = [key for key, claim in CLAIMS.items() if claim.value is not None]
VERDICTS = [key for key, claim in CLAIMS.items() if claim.value is None]


@cache
def found_in_the_paper() -> dict[str, Finding]:
    return {one.key: one for one in answers(PAPER)}


def test_every_claim_has_its_finding() -> None:
    """Each number and conclusion of the text is set beside a finding, and says where in the text it is."""
    assert set(CLAIMS) <= set(found_in_the_paper())
    assert len(FIGURES) > 35
    assert set(VERDICTS) == {"Q1", "Q2", "Q3", "Q5", "Q7", "C1", "C2", "C3", "C5", "C6", "C7"}
    assert all("(sec. " in claim.printed or "(Table " in claim.printed for claim in CLAIMS.values())


@pytest.mark.parametrize("key", FIGURES)
def test_printed_figures_agree(key: str) -> None:
    """Every printed figure comes out of the table to its printed digits, but for two."""
    wrong = {"Q4.lora.openmath.score", "Q7.lora-r256-on-openmath.openmath.quality"}
    assert found_in_the_paper()[key].agrees is (key not in wrong)


@pytest.mark.parametrize(
    ("key", "value", "printed"),
    [
        ("Q4.lora.openmath.score", "0.302", "0.301 (Table 3)"),
        ("Q7.lora-r256-on-openmath.openmath.quality", "4.748", "4.8 % (sec. 4, Q7)"),
    ],
)
def test_what_disagrees_and_by_how_much(key: str, value: str, printed: str) -> None:
    """The two figures that do not come out as printed are off by one in the last digit."""
    found = found_in_the_paper()[key]
    assert (f"{found.value:.3f}", found.printed) == (value, printed)
    assert found.note


@pytest.mark.parametrize("key", VERDICTS)
def test_printed_verdicts(key: str) -> None:
    """The text's conclusions follow from its table, but for five: there a part of each fails."""
    wrong = {"Q1", "Q5", "Q7", "C1", "C3"}
    found = found_in_the_paper()[key]
    assert found.agrees is (key not in wrong)
    if key in wrong:
        assert (CLAIMS[key].verdict, found.verdict) == ("supported", "refuted")
        assert "against it: " in found.note
        assert found.note.endswith(CLAIMS[key].note)


def test_what_is_not_printed_neither_agrees_nor_disagrees() -> None:
    """A finding that the text has no number for says nothing of agreement."""
    rest = [one for key, one in found_in_the_paper().items() if key not in CLAIMS]
    assert rest
    assert all(one.printed is None and one.agrees is None for one in rest)


@pytest.mark.parametrize("ties", list(TIE_RULES))
def test_the_text_chose_among_ties_by_latency(ties: Ties) -> None:
    """The text's SQuAD v2 latency of Q5 comes out of the fastest of the tied LoRAs, not of the first row."""
    found = {one.key: one for one in answers(PAPER, ties)}["Q5.full-on-squad_v2.squad_v2.latency"]
    assert (found.agrees, f"{found.value:.3f}") == ((True, "0.029") if ties == "latency" else (False, "0.025"))


@pytest.mark.parametrize("figure", ["quality", "latency"])
def test_another_table_is_not_the_papers(figure: Literal["quality", "latency"]) -> None:
    """With any single figure changed, however little, the paper's claims are not about these results."""
    for place, cell in enumerate(PAPER.cells):
        other = replace(cell, **{figure: getattr(cell, figure) * (1 + 1e-9)})
        changed = Results((*PAPER.cells[:place], other, *PAPER.cells[place + 1 :]))
        assert printed_for(changed) == {}


@pytest.mark.parametrize("gone", [0, 20, 47])
def test_a_part_of_the_table_is_not_the_papers(gone: int) -> None:
    """With a figure left out the paper's claims are not set beside anything."""
    found = answers(Results((*PAPER.cells[:gone], *PAPER.cells[gone + 1 :])))
    assert all(one.printed is None and one.agrees is None for one in found)


def test_more_than_the_table_is_not_the_papers() -> None:
    """With a measured cell beside the paper's own, its claims are not mentioned."""
    measured = from_record(made(lines=[line()]))
    assert printed_for(Results((*PAPER.cells, measured))) == {}
    assert printed_for(Results((measured,))) == {}


@given(st.permutations(PAPER.cells))
def test_the_order_of_the_table_does_not_matter(cells: list[object]) -> None:
    """The paper's rows in another order are still its table."""
    assert printed_for(Results(tuple(cells))) == CLAIMS  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "digits", "found", "agrees"),
    [
        (4.8, 1, 4.75001, True),
        (4.8, 1, 4.849, True),
        (4.8, 1, 4.74, False),
        (4.8, 1, -4.8, False),
        (97.0, 0, 97.01, True),
        (97.0, 0, 97.6, False),
        (-7115.0, 0, -7115.0, True),
        (4.8, 1, None, False),
    ],
)
def test_a_figure_agrees_to_its_digits(value: float, digits: int, found: float | None, agrees: bool) -> None:  # noqa: FBT001  what is expected
    """A value agrees where it rounds to what is printed, sign included; a missing one never does."""
    claim = Claim(finding="Q1.x", printed="p", value=value, digits=digits)
    assert claim.agrees_with(Finding("Q1.x", "", value=found)) is agrees


@pytest.mark.parametrize("printed", ["supported", "refuted"])
@pytest.mark.parametrize("found", ["supported", "refuted", "not enough evidence"])
def test_a_verdict_agrees_with_itself_alone(printed: Verdict, found: Verdict) -> None:
    """A conclusion agrees where the verdict is the very one."""
    claim = Claim(finding="Q1", printed="p", verdict=printed)
    assert claim.agrees_with(Finding("Q1", "", value=1.0, verdict=found)) is (printed == found)

"""All findings of some results, in order, each question's answer before its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from tunescale_core.findings.conclusions import CONCLUSIONS
from tunescale_core.findings.evidence import Evidence
from tunescale_core.findings.finding import Finding, settled, summary
from tunescale_core.findings.printed import printed_for
from tunescale_core.findings.questions import QUESTIONS
from tunescale_core.results.ranks import Ties
from tunescale_core.results.results import Results

EVERYTHING = {**QUESTIONS, **CONCLUSIONS}


def answers(results: Results, ties: Ties = "latency") -> tuple[Finding, ...]:
    """Return every finding: Q1 to Q7, then C1 to C7, a question's answer as a whole first.

    Args:
        results: What was measured or published.
        ties: How the best LoRA is chosen among equals.
    """
    evidence = Evidence(results, ties)
    parts = settled(part for _, ask in EVERYTHING.values() for part in ask(evidence))
    grouped = {question: list(group) for question, group in groupby(parts, key=lambda part: part.question)}
    found = []
    for question, (claim, _) in EVERYTHING.items():
        own = grouped.get(question, [])
        found += [_whole(question, claim, own), *own]
    return tuple(_with_printed(_with_flags(found, results), results))


def _whole(question: str, claim: str, parts: list[Finding]) -> Finding:
    """Sum up a question from the parts that bear on it."""
    if not parts:
        return summary(question, claim, (), "nothing to answer it with: see what it compares in docs/findings.md")
    if question == "Q1":
        return summary(question, claim, [part for part in parts if part.aligned])
    if question == "Q2":
        return summary(question, claim, [part for part in parts if part.key.endswith("quality")])
    if question == "Q6":
        return summary(question, claim, [part for part in parts if not part.aligned])
    return summary(question, claim, parts)


def _with_flags(findings: Iterable[Finding], results: Results) -> Iterator[Finding]:
    """Say of a finding which candidates it names that are flagged, and of a question which there are at all."""
    said = {one.id: f"{one.id} is flagged: {'; '.join(flags)}" for one, flags in results.flags.items()}
    for one in findings:
        named = said.keys() if one.is_summary and one.basis == "parts" else said.keys() & set(one.claim.split())
        notes = [text for name, text in said.items() if name in named]
        yield replace(one, note="; ".join(text for text in (one.note, *notes) if text)) if notes else one


def _with_printed(findings: Iterable[Finding], results: Results) -> Iterator[Finding]:
    """Set what the publication prints beside what comes out, where these are its very figures."""
    known = printed_for(results)
    for one in findings:
        claim = known.get(one.key)
        if claim is None:
            yield one
        else:
            note = "; ".join(text for text in (one.note, claim.note) if text)
            yield replace(one, printed=claim.printed, agrees=claim.agrees_with(one), note=note)

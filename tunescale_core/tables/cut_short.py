"""What a table says where the token limit ended answers: they may have been right, had they come to their end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunescale_core.results.result import Result

MANY = 0.1
"""Share of a cell's answers from which it is told."""
NAMED = 3
"""Cells that are named, the worst ones."""


def cut_short(cells: Sequence[Result]) -> Iterator[str]:
    """Yield a line with the cells many of whose answers were cut off, the worst named; none where there is none."""
    shares = [(one.record.summary.truncated, one) for one in cells if one.record and one.record.summary]
    many = sorted((pair for pair in shares if pair[0] >= MANY), key=lambda pair: -pair[0])
    if many:
        worst = ", ".join(f"{share:.0%} of {one.candidate.id}'s for {one.task}" for share, one in many[:NAMED])
        more = f", and in {len(many) - NAMED} more cells" if len(many) > NAMED else ""
        yield f"max_new_tokens cut off many answers, which may count as wrong for that alone: {worst}{more}"

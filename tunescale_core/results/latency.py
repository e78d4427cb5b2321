"""Where a difference in latency comes from: how much is written, how fast, and how long until the first token.

One call takes `first + (tokens - 1) · per_token` seconds, so with means over the timed examples
`latency = first + steps · pace`, where steps is the mean number of tokens after the first and pace is the mean decode
time divided by it. Between two candidates the logarithm of the ratio of latencies is split by the logarithmic mean
(the LMDI decomposition of Ang, 2004), whose parts add up exactly, whatever the order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Rows
from tunescale_core.results.results import Results


@dataclass(frozen=True)
class Anatomy:
    """What one candidate's calls are made of on a task; seconds and tokens are means over the timed examples."""

    latency: float
    first: float
    """Seconds to the first token."""
    steps: float
    """Tokens after the first."""
    reasoned: float
    """Share of the answers that reason first."""
    reasoning_tokens: float
    truncated: float
    """Share of the answers that the token limit ended."""

    @property
    def decode(self) -> float:
        """Seconds after the first token."""
        return self.latency - self.first

    @property
    def pace(self) -> float | None:
        """Seconds a token after the first; None where no answer has a second token."""
        return self.decode / self.steps if self.steps > 0 else None


@dataclass(frozen=True)
class Split:
    """The ratio of two mean latencies, and what each part contributes to its logarithm."""

    new: Anatomy
    old: Anatomy
    ratio: float
    """New over old."""
    length: float
    """From how many tokens are written."""
    pace: float
    """From the time a token."""
    first: float
    """From the time to the first token."""

    @property
    def total(self) -> float:
        """The logarithm of the ratio; the parts' sum."""
        return self.length + self.pace + self.first

    @property
    def factors(self) -> tuple[str, ...]:
        """The ratio, and the factors that multiply to it, as text."""
        parts = (self.total, self.length, self.pace, self.first)
        return tuple(f"{math.exp(part):.2f}" for part in parts)

    @property
    def both(self) -> tuple[str, ...]:
        """What stands beside the split, new and old: tokens, milliseconds a token, who reasons, who is cut off."""
        sides = (self.new, self.old)
        paces = ["–" if one.pace is None else f"{1000 * one.pace:.2f}" for one in sides]
        return (
            " / ".join(f"{one.steps + 1:.1f}" for one in sides),
            " / ".join(paces),
            " / ".join(f"{one.reasoned:.0%}" for one in sides),
            " / ".join(f"{one.truncated:.0%}" for one in sides),
        )

    @property
    def sentence(self) -> str:
        """The split in words."""
        parts = {"output length": self.length, "time a token": self.pace, "time to the first token": self.first}
        told = ", ".join(f"{name} × {math.exp(part):.2f}" for name, part in parts.items())
        return f"latency × {self.ratio:.2f} = {told}"


def anatomy(results: Results, candidate: Candidate, task: str) -> Anatomy | None:
    """Return what a candidate's calls are made of, the mean over seeds; None where no call was timed."""
    found = [_anatomy(cell.rows) for cell in results.at(candidate, task) if cell.rows is not None]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(results.at(candidate, task)):
        return None
    names = ("latency", "first", "steps", "reasoned", "reasoning_tokens", "truncated")
    return Anatomy(**{name: sum(getattr(one, name) for one in known) / len(known) for name in names})


def splits(results: Results, new: str, old: str) -> dict[str, Split]:
    """Split two candidates' latencies on every task that both were timed on, by task.

    Raises:
        ResultsError: There is no candidate of a name.
    """
    sides = [results.candidate(name) for name in (new, old)]
    shared = [task for task in results.tasks if same_calls(results, sides[0], sides[1], task)]
    found = {task: [anatomy(results, side, task) for side in sides] for task in shared}
    return {task: split(one[0], one[1]) for task, one in found.items() if one[0] is not None and one[1] is not None}


def same_calls(results: Results, new: Candidate, old: Candidate, task: str) -> bool:
    """Tell whether two candidates were timed on the same questions of a task."""
    asked = set()
    for cell in (*results.at(new, task), *results.at(old, task)):
        rows = cell.rows
        if rows is None:
            return False
        asked.add(tuple(name for name, timed in zip(rows.example, rows.timed, strict=True) if timed))
    return len(asked) == 1


def split(new: Anatomy, old: Anatomy) -> Split:
    """Split the ratio of two latencies into length, pace and first token; the parts add up to its logarithm.

    Where one side never writes a second token there is no pace to compare, and all that is not the first token counts
    as length.
    """
    whole = _log_mean(new.latency, old.latency)
    first = _share(new.first, old.first, whole) * _log_ratio(new.first, old.first)
    decode = _log_mean(new.decode, old.decode) / whole if new.decode > 0 and old.decode > 0 else None
    total = math.log(new.latency / old.latency)
    if decode is None or new.pace is None or old.pace is None:
        return Split(new, old, new.latency / old.latency, total - first, 0.0, first)
    length = decode * math.log(new.steps / old.steps)
    return Split(new, old, new.latency / old.latency, length, total - first - length, first)


def _anatomy(rows: Rows) -> Anatomy | None:
    timed = rows.timed
    if not timed.any() or not rows.seconds[timed].mean() > 0:
        return None
    import numpy as np

    seconds, tokens = rows.seconds[timed], rows.tokens[timed]
    # A call that wrote nothing has no first token; all that it took went by before there could have been one.
    first = np.where(tokens == 0, seconds, rows.first_token_seconds[timed])
    if np.isnan(first).any():
        return None
    return Anatomy(
        latency=float(seconds.mean()),
        first=float(first.mean()),
        steps=float(np.maximum(tokens - 1, 0).mean()),
        reasoned=float((rows.reasoning_tokens > 0).mean()),
        reasoning_tokens=float(rows.reasoning_tokens.mean()),
        truncated=float((~rows.stopped).mean()),
    )


def _log_mean(a: float, b: float) -> float:
    """Return the logarithmic mean (a - b) / ln(a / b), the mean itself where the two are equal."""
    return a if math.isclose(a, b, rel_tol=1e-12) else (a - b) / math.log(a / b)


def _log_ratio(a: float, b: float) -> float:
    return math.log(a / b) if a > 0 and b > 0 else 0.0


def _share(a: float, b: float, whole: float) -> float:
    return _log_mean(a, b) / whole if a > 0 and b > 0 else 0.0

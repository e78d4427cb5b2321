"""What is said below times a token where the machine drifted between cells."""

from __future__ import annotations

from collections.abc import Iterator

from tunescale_core.stats.drift import Drift


def drift_noted(drift: Drift | None) -> Iterator[str]:
    """Yield a line with the range of factors that the machine alone may make; none where no drift is known."""
    if drift is not None:
        near = f"from × {1 / drift.reach:.2f} to × {drift.reach:.2f}"
        yield f"{drift}: a pace or first token {near} may be the machine's"

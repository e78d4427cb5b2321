"""What a deployment must keep to: the `[constraints]` table of a study, and how its sizes and durations are written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeGuard

from pydantic import BeforeValidator, ByteSize, Field, TypeAdapter, ValidationError

from tunescale_core.study.declared import Declared, Number
from tunescale_core.study.serving import EAGER

LatencyStat = Literal["mean", "median", "p95", "p99"]
STATS: tuple[LatencyStat, ...] = ("mean", "median", "p95", "p99")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h|d)?")
_SIZE = re.compile(r"\d+(\.\d+)?\s*[A-Za-z]*")
SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def size(text: object) -> int:
    """Read a size as `8GiB`.

    Raises:
        ValueError: It is no size.
    """
    words = f"{text:.0f}" if _is_number(text) else str(text).strip()
    if re.fullmatch(r"[1-9]\d{0,2}", words):
        raise ValueError(f"cannot read {words!r} as a size: {words} bytes are too few, so give a unit, as 8GiB")
    if not _SIZE.fullmatch(words):
        raise ValueError(f"cannot read {words!r} as a size: give a number of bytes, or as 8GiB")
    try:
        return int(TypeAdapter(ByteSize).validate_python(words))
    except ValidationError:
        raise ValueError(f"cannot read {words!r} as a size: give a number of bytes, or as 8GiB") from None


def duration(text: object) -> float:
    """Read seconds, or a number with ms, s, m, h or d.

    Raises:
        ValueError: It is no duration.
    """
    if _is_number(text) and 0 <= text < math.inf:
        return float(text)
    found = _DURATION.fullmatch(str(text).strip())
    if not found:
        raise ValueError(f"cannot read {str(text)!r} as a duration: give seconds, or as 90m, 2h, 1d")
    return float(found["number"]) * SECONDS[found["unit"]]


def latency_limit(text: object) -> float:
    """Read a latency limit: seconds, or as `250ms`.

    Raises:
        ValueError: It is no time, or not above zero.
    """
    if not _is_number(text) and not (isinstance(text, str) and _DURATION.fullmatch(text.strip())):
        raise ValueError(f"cannot read {str(text)!r} as a latency: give seconds, or as 250ms")
    seconds = float(text) if _is_number(text) else duration(text)
    if not 0 < seconds < math.inf:
        raise ValueError(f"a latency limit must be more than 0 seconds, got {seconds:g}")
    return seconds


def _is_number(given: object) -> TypeGuard[int | float]:
    return isinstance(given, int | float) and not isinstance(given, bool)


class Deployment(Declared):
    """What is asked of a deployment; a run of a study that says so ends with advice."""

    maximise: str | None = None
    """`task:metric` to make as good as can be; that of the first of `min` unless given."""
    min: dict[str, dict[str, Number]] = Field(default_factory=dict)
    """By task and metric, what must be reached: `min.arc.macro_f1 = 0.7`; at most, of a metric that is better lower."""
    max_latency: Annotated[float, BeforeValidator(latency_limit)] | None = None
    """Of one call, on every task served: seconds, or as "250ms"."""
    latency_stat: LatencyStat = "mean"
    """What of the calls must keep to it."""
    max_memory: Annotated[int, BeforeValidator(size)] | None = None
    """Peak memory while generating, as "8GiB"."""
    max_cost: Annotated[float, BeforeValidator(duration)] | None = None
    """Device time of training: seconds, or as "90m", "2h"."""
    serving: str = EAGER
    """The way of serving whose latency and memory count; any: the way is chosen too."""

    @property
    def bars(self) -> tuple[tuple[str, str, float], ...]:
        """Task, metric and value of each quality that must be reached."""
        return tuple((task, name, value) for task, table in self.min.items() for name, value in table.items())

    def aims_at_one(self, tasks: Sequence[str]) -> bool:
        """Tell whether it says what is to be made as good as can be, of a study or results with these tasks."""
        return bool(self.min or self.maximise) or len(tasks) == 1

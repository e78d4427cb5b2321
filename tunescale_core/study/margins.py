"""How far a figure may move from its baseline: the `[gate]` table of a study."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tunescale_core.study.declared import Count, Declared
from tunescale_core.tasks.task import Direction

_MARGIN = re.compile(r"(?P<sign>[-+±]|\+-)?\s*(?P<amount>\d+(?:\.\d*)?|\.\d+)\s*(?P<percent>%)?")
LOWER_IS_BETTER = ("tokens", "parameters", "latency", "pace")
"""What is gated beside a task's own metrics: mean output tokens, trained and total parameters, seconds of a call, and
the time of a call of fixed length as a ratio to the reference's."""
EVERYWHERE = ("parse_rate", *LOWER_IS_BETTER)
"""What every task has."""


@dataclass(frozen=True)
class Margin:
    """How far a figure may move before it is a regression."""

    amount: float
    """At least 0: in the figure's unit, or a share of the baseline's value."""
    relative: bool = False
    both: bool = False
    """Whether being better by more than that is a regression too."""

    def allowed(self, old: float) -> float:
        """Return the margin in the figure's unit, for a baseline's value."""
        return self.amount * abs(old) if self.relative else self.amount

    def shown(self, better: Direction) -> str:
        """Return the margin as it is declared."""
        sign = "±" if self.both else "-" if better == "higher" else "+"
        figure = f"{100 * self.amount:g}%" if self.relative else f"{self.amount:g}"
        return figure if self.amount == 0 and not self.both else sign + figure


STRICT = Margin(0.0)
DEFAULTS = {"pace": Margin(0.03, relative=True), "latency": Margin(1.0, relative=True)}
"""Margins of what is timed; all else may not get worse at all unless the study says otherwise.

Of recorded runs of an unchanged program on one machine, seconds of a case rose by up to 60 % from one to the next."""


def parse_margin(text: str, better: Direction) -> Margin:
    """Read `-0.02` (may fall by so much), `+5%` (may rise by a share of the baseline), `±5%` (either way), `0`.

    Raises:
        ValueError: It is not of that form, or its sign is the direction in which the figure gets better.
    """
    found = _MARGIN.fullmatch(text.strip())
    if not found or not math.isfinite(float(found["amount"])):
        raise ValueError(f"{text!r} is no margin: write it as -0.02, +5% or ±5%")
    amount, sign = float(found["amount"]), found["sign"] or ""
    if sign in {"+", "-"} and (sign == "+") == (better == "higher") and amount > 0:
        turned = "-" if sign == "+" else "+"
        raise ValueError(f"{text!r} is the direction in which it gets better: write {turned}{text.strip()[1:]}")
    if not sign and amount > 0:
        raise ValueError(f"{text!r} has no sign: write {'-' if better == 'higher' else '+'}{text.strip()} or ±{text}")
    return Margin(amount / 100 if found["percent"] else amount, bool(found["percent"]), sign in {"±", "+-"})


def direction(metric: str, of_task: Direction | None = None) -> Direction:
    """Return which way a gated figure is better; of a task's own metric the task says it."""
    return "lower" if metric in LOWER_IS_BETTER else of_task or "higher"


class Gate(Declared):
    """What a study's gates allow: `arc.macro_f1 = "-0.02"`, `tokens = "+5%"`, and the same for some cells alone."""

    margins: dict[str, str] = Field(default_factory=dict)
    """By `task.metric`, or by `metric` for every task."""
    cells: dict[str, dict[str, str]] = Field(default_factory=dict)
    """The same for the cells whose ids match a shell pattern; the last that matches counts."""
    reference: str | None = None
    """The variant whose time others' are held against; the first model, untuned, unless given."""
    blocks: Annotated[Count, Field(ge=4)] = 10
    """Processes a pace is measured in."""
    undecided: Literal["pass", "fail"] = "pass"
    """What becomes of a figure that got worse by less than the examples can tell from chance."""

    @model_validator(mode="before")
    @classmethod
    def _margins_gathered(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        own = {name: content[name] for name in cls.model_fields if name in content and name not in {"margins", "cells"}}
        rest = {name: value for name, value in content.items() if name not in own and name != "cells"}
        cells = content.get("cells", {})
        if not isinstance(cells, dict):
            raise ValueError('cells: is not a table: write [gate.cells."PATTERN"]')  # noqa: TRY004  pydantic wants it
        return own | {"margins": _flat(rest), "cells": {name: _flat(table) for name, table in cells.items()}}

    def margin(self, cell: str, task: str, metric: str, better: Direction) -> Margin:
        """Return the margin of a cell's figure."""
        text = self.declared(cell, task, metric)
        return parse_margin(text, better) if text is not None else DEFAULTS.get(metric, STRICT)

    def declared(self, cell: str, task: str, metric: str) -> str | None:
        """Return what the study says of a cell's figure; None where it says nothing."""
        tables = [self.margins, *(table for pattern, table in self.cells.items() if fnmatchcase(cell, pattern))]
        found = [table[key] for table in tables for key in (metric, f"{task}.{metric}") if key in table]
        return found[-1] if found else None


def _flat(table: Any) -> dict[str, str]:
    """Return `{"arc": {"macro_f1": "-0.02"}}` as `{"arc.macro_f1": "-0.02"}`."""
    if not isinstance(table, dict):
        raise ValueError("is not a table of margins")  # noqa: TRY004  pydantic turns it into its own error
    found: dict[str, str] = {}
    for name, value in table.items():
        inner = value if isinstance(value, dict) else {"": value}
        for metric, text in inner.items():
            key = f"{name}.{metric}" if metric else name
            if not isinstance(text, str):
                raise ValueError(  # noqa: TRY004  pydantic turns it into its own error
                    f'{key}: {text!r} is no margin: write it in quotes, as "-0.02", "+5%" or "±5%"'
                )
            found[key] = text
    return found

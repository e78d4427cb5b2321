"""What all parts of a study share: its `[study]` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tunescale_core.study.declared import Count, Declared, Name, Number, Seed, Whole


class Head(Declared):
    """The study's name and what all its parts share."""

    name: Name
    seeds: tuple[Seed, ...] = (0,)
    training: Literal["planned", "literal"] = "planned"
    """planned: how much of a step is done at once follows from the memory at hand; the rows of a step, their order
    and the loss stay. literal: `batch` × `accumulation` as written."""
    save_seconds: Annotated[Number, Field(ge=0)] = 600
    """Training saves its state at the end of a step so long after the last time, to go on from there should it be
    killed; it changes no weight. 0 saves every step."""
    train_examples: Count = 1000
    eval_examples: Count = 200
    dev_examples: Count = 60
    decontaminate: Annotated[Whole, Field(ge=2)] | None = None
    """Training rows that share so many words on end with what their task is evaluated on are left out (13 in Brown
    et al., 2020); none are unless given."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value:
            raise ValueError("is empty: give at least one seed")
        if len(set(value)) < len(value):
            raise ValueError("names the same seed twice")
        return value

"""What a study expects of its cells and findings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tunescale_core.study.declared import Declared, Number


class Expectation(Declared):
    """A quality threshold for the cells whose ids match."""

    cell: str
    """A shell pattern over cell ids; of cells served otherwise than eagerly those alone whose `-via-` it names."""
    metric: str
    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Expectation:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs exactly one of at_least and at_most")
        return self


class ExpectedFinding(Declared):
    """What a study expects one of its findings to say."""

    key: Annotated[str, Field(pattern=r"^[QC][1-7](\.\S+)?$")]
    """A question, `Q1`, or one of its parts, `Q1.full-on-arc.arc.quality`, as `tunescale findings` lists them."""
    verdict: Literal["supported", "refuted", "not enough evidence"]

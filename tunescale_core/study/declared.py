"""What every table of a study file has: frozen values, and errors for keys it does not know."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=10**9)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=48)]
"""Names make ids, and ids file names, which may have 255 bytes."""


class Declared(BaseModel):
    """A frozen table of a study file; keys it does not know are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

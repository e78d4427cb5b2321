"""What every table of a study file has: frozen values, and errors for keys it does not know."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(strict=True)]
"""No text that reads as one: `"1e-3"` is a slip, and what it was meant as is not known."""
Whole = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
"""As NumPy takes one."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=48)]
"""Names make ids, and ids file names, which may have 255 bytes."""


class Declared(BaseModel):
    """A frozen table of a study file; keys it does not know are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

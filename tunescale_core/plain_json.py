"""JSON that every parser reads: JSON has no NaN and no infinity, so what is no number is null."""

from __future__ import annotations

import json


def dumps(value: object, *, ascii_only: bool = True) -> str:
    """Return a value as JSON, dataclasses as objects."""
    from pydantic_core import to_jsonable_python

    return json.dumps(
        to_jsonable_python(value, inf_nan_mode="null"), indent=1, allow_nan=False, ensure_ascii=ascii_only
    )

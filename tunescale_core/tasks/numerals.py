"""Reading one number from an answer."""

from __future__ import annotations

import math
import re
from functools import lru_cache

_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_SHORT_FRACTION = re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)")
_UNIT = re.compile(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\^\s*\{?\\circ\}?|\\(?:%|\$|!|,|;| )|[%$°]|\\(?:left|right)")
_SEPARATOR = re.compile(r"(?<=\d)(?:,|\{,\})(?=\d{3}(?!\d))")
_TIMES_POWER = re.compile(r"\s*(?:\\times|\\cdot|×|\*)\s*10\s*\^\s*\{?\s*([+-]?\d{1,4})\s*\}?")
_MIXED = re.compile(r"^([+-]?)(\d+)\s+(\d+)\s*/\s*(\d+)$")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?")
_WORDS = re.compile(r"(?:\s*[A-Za-z]{2,}[A-Za-z .]*)?\s*")
"""A unit or a noun after a number; a single letter or an operator would make it a term."""
LONGEST = 200
"""Characters; a longer answer is prose, not a number."""


@lru_cache(maxsize=1 << 14)  # resampling scores the same answers thousands of times
def number_in(answer: str | None) -> float | None:
    r"""Return the finite number that `answer` states, or None where it states none or several.

    Understood: signs, thousands separators, decimals, powers of ten, `a/b`, `\frac{a}{b}`, mixed numbers,
    a leading `x =`, a trailing unit. A percent sign is dropped, as the MATH benchmark's
    normalisation does: 50% reads 50.
    """
    if answer is None or len(answer) > LONGEST:
        return None
    text = answer.replace("−", "-").rpartition("=")[2]
    text = _FRACTION.sub(r" (\1)/(\2)", _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text))
    text = _UNIT.sub(" ", text).replace("(", "").replace(")", "")
    text = re.sub(r"^\s*([+-])\s+", r"\1", _SEPARATOR.sub("", text))
    text = _TIMES_POWER.sub(r"e\1", text).strip().rstrip(".")
    value = _mixed(text) if _MIXED.match(text) else _quotient(text)
    return value if value is not None and math.isfinite(value) else None


def _mixed(text: str) -> float | None:
    sign, whole, above, below = _MIXED.findall(text)[0]
    if not int(below):
        return None
    value = int(whole) + int(above) / int(below)
    return -value if sign == "-" else value


def _quotient(text: str) -> float | None:
    above, slash, below = text.partition("/")
    numerator = _single(above)
    if not slash or numerator is None:
        return numerator
    denominator = _single(below)
    return numerator / denominator if denominator else None


def _single(text: str) -> float | None:
    """The number that `text` starts with, where at most words (a unit) follow."""
    text = text.strip()
    found = _NUMBER.match(text)
    if found is None or not _WORDS.fullmatch(text[found.end() :]):
        return None
    value = float(found[0])
    return value if math.isfinite(value) else None

"""Reading one number from an answer."""

from __future__ import annotations

import math
import re
from functools import lru_cache

_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_SHORT_FRACTION = re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)")
_NAMED = re.compile(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}(?:\s*\^\s*\{?\s*[23]\s*\}?)?")
"""A unit, squared or cubed too."""
_UNIT = re.compile(r"\^\s*\{?\\circ\}?|\\(?:%|\$|!|,|;| )|[%$°£€¥]|\\(?:left|right)")
_SEPARATOR = re.compile(r"(?<=\d)(?:,(?:\\!)?|\{,\}|\\,)(?=\d{3}(?!\d))")
_SEVERAL = re.compile(r"[,;]|\b(?:or|and)\b|[!<>~≠≤≥]\s*$|\\(?:ne|neq|le|leq|ge|geq|approx|sim)\s*$")
"""Before the last `=`: another statement beside it, or a sign that it is part of."""
_ENCLOSED = re.compile(r"\(([^()]*)\)")
_WHOLE = re.compile(r"\s*([+-]?)\s*\(((?:[^()]|\([^()]*\))*)\)((?:\s*[A-Za-z]{2,}[A-Za-z .]*)?\s*)")
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_GROUPED = re.compile(r"([+-]?\d{1,3})((?:[ \u00a0\u2009\u202f]\d{3})+)((?:\.\d+)?)")
"""A number in groups of three digits with spaces between them (ISO 80000-1)."""
_POWER = re.compile(r"([+-]?)(\d{1,9})\s*\^\s*(?:\{\s*(\d{1,3})\s*\}|(\d{1,3}))")
_FACTORS = frozenset({"dozen", "pi"})
_TIMES_POWER = re.compile(r"\s*(?:\\times|\\cdot|×|\*)\s*10\s*\^\s*\{?\s*([+-]?\d{1,4})\s*\}?")
_MIXED = re.compile(r"^([+-]?)(\d+)\s+(0|[1-9]\d*)\s*/\s*(\d+)$")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?")
_WORDS = re.compile(r"(?:\s*[A-Za-z]{2,}[A-Za-z .]*)?\s*")
"""A unit or a noun after a number; a single letter or an operator would make it a term."""
_MINUS = {ord(sign): "-" for sign in "−–"}
"""Signs that are printed for a minus; a range of two numbers stays none."""
LONGEST = 200
"""Characters; a longer answer is prose, not a number."""


@lru_cache(maxsize=1 << 14)  # resampling scores the same answers thousands of times
def number_in(answer: str | None) -> float | None:
    r"""Return the finite number that `answer` states, or None where it states none or several.

    Understood: signs, thousands separators, decimals, powers of ten, `a^b` of whole numbers, `a/b`, `\frac{a}{b}`,
    mixed numbers, brackets around a whole number, a leading `x =` (`x = 2 + 5 = 7` too), a trailing unit, `5 million`.
    A percent sign is dropped, as the MATH benchmark's normalisation does: 50% reads 50.
    """
    if answer is None or len(answer) > LONGEST:
        return None
    before, _, text = _SEPARATOR.sub("", answer.translate(_MINUS)).rpartition("=")
    if _SEVERAL.search(_NAMED.sub(r" \1 ", before)):
        return None
    text = _FRACTION.sub(r" \1/\2", _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text))
    text = _opened(_UNIT.sub(" ", _NAMED.sub(_named, text)))
    text = "/".join(map(_opened, text.split("/")))
    text = re.sub(r"^\s*([+-])\s+", r"\1", text)
    text = _TIMES_POWER.sub(r"e\1", text).strip().rstrip(".")
    value = _mixed(text) if _MIXED.match(text) else _quotient(text)
    return value if value is not None and math.isfinite(value) else None


def _named(unit: re.Match[str]) -> str:
    """Keep of what is set as text a word that changes the number, and leave out a unit."""
    word = unit[1].strip()
    return f" {word} " if word in _SCALES or word in _FACTORS else " "


def _opened(operand: str) -> str:
    """Take away brackets around a whole operand, or around words beside it; others stand for a product."""
    while (whole := _WHOLE.fullmatch(operand)) is not None:
        operand = f"{whole[1]}{whole[2].strip()}{whole[3]}"
    return _ENCLOSED.sub(lambda found: found[0] if re.search(r"\d", found[1]) else f" {found[1]} ", operand)


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
    if (power := _POWER.fullmatch(text)) is not None:
        return _powered(power)
    if (grouped := _GROUPED.fullmatch(text)) is not None:
        text = grouped[1] + re.sub(r"\D", "", grouped[2]) + grouped[3]
    found = _NUMBER.match(text)
    if found is None or not _WORDS.fullmatch(text[found.end() :]):
        return None
    word, *_ = text[found.end() :].split() or [""]
    if word in _FACTORS:
        return None
    value = float(found[0]) * _SCALES.get(word, 1.0)
    return value if math.isfinite(value) else None


def _powered(power: re.Match[str]) -> float | None:
    """The value of `a^b`; None of one that is too large."""
    sign, base, braced, bare = power.groups()
    try:
        value = math.pow(float(base), float(braced or bare))
    except OverflowError:
        return None
    return -value if sign == "-" else value

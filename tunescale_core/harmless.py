"""Text that comes from files and models, made harmless where it is printed."""

from __future__ import annotations

import unicodedata

_ACTED_ON = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Control and format characters (bidi overrides among them), surrogates, private use, separators of lines."""


def harmless(text: str) -> str:
    r"""Return text with whatever a terminal or an editor would act on written as an escape, as `\x1b` and `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one.encode("unicode_escape").decode("ascii") if unicodedata.category(one) in _ACTED_ON else one for one in text
    )

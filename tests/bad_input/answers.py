"""Answers that a model could write, and what each is read as."""

from __future__ import annotations

from dataclasses import dataclass

MEGA = 1_000_000


@dataclass(frozen=True)
class Written:
    """A completion, and what is read in it."""

    id: str
    task: str
    text: str
    said: str | None
    """As parsed; None is an answer that cannot be read."""


ANSWERS = (
    Written("nothing", "openmath", "", None),
    Written("white-space", "arc", " \n\t", None),
    Written("megabytes-without-a-box", "openmath", "blah " * MEGA, None),
    Written("megabytes-then-a-box", "openmath", "x" * MEGA + r"\boxed{3}", "3"),
    Written("megabytes-in-a-box", "openmath", r"\boxed{" + "x" * MEGA + "}", None),
    Written("many-boxes", "openmath", r"\boxed{1}" * 100_000 + r"\boxed{2}", "2"),
    Written("nested-boxes", "openmath", r"\boxed{" * 100_000 + "3" + "}" * 100_000, "3"),
    Written("nested-braces", "arc", r"\boxed{" + "{" * 100_000 + "A" + "}" * 100_001, None),
    Written("unclosed", "openmath", r"\boxed{3", None),
    Written("unclosed-many", "openmath", r"\boxed{3" * 100_000, None),
    Written("closed-too-often", "openmath", r"\boxed{3}" + "}" * 100_000, "3"),
    Written("open-braces", "openmath", "{" * MEGA, None),
    Written("backslashes", "openmath", "\\" * MEGA, None),
    Written("escaped-brace", "openmath", r"\boxed{3\}}", None),
    Written("empty-box", "arc", r"\boxed{}", None),
    Written("letter", "arc", r"\boxed{B}", "B"),
    Written("bidi", "arc", "\\boxed{\u202eB}", None),
    Written("control", "arc", "\\boxed{\x1b[31mB}", None),
    Written("null", "arc", "\\boxed{\0}", None),
    Written("surrogate", "arc", "\\boxed{\ud800}", None),
    Written("full-width", "arc", "\\boxed{\uff22}", None),
    Written("infinite", "openmath", r"\boxed{1e999}", None),
    Written("minus-infinite", "openmath", r"\boxed{-1e999}", None),
    Written("inf", "openmath", r"\boxed{inf}", None),
    Written("nan", "openmath", r"\boxed{nan}", None),
    Written("tiny", "openmath", r"\boxed{1e-999}", "1e-999"),
    Written("long-digits", "openmath", r"\boxed{" + "9" * 100_000 + "}", None),
    Written("long-fraction", "openmath", r"\boxed{0." + "3" * 100_000 + "}", None),
    Written("power", "openmath", r"\boxed{10**10**10}", None),
    Written("power-latex", "openmath", r"\boxed{10^{10^{10}}}", None),
    Written("by-zero", "openmath", r"\boxed{1/0}", None),
    Written("commas", "openmath", r"\boxed{" + "1," * 100_000 + "}", None),
    Written("fractions", "openmath", r"\boxed{" + r"\frac{1}{2}" * 50_000 + "}", None),
    Written("code", "openmath", r"\boxed{__import__('os').system('true')}", None),
    Written("thinking-unclosed", "openmath", "<think>" * 100_000 + r"\boxed{3}", "3"),
    Written("thinking-closed", "openmath", "<think>\\boxed{1}</think>\\boxed{2}", "2"),
    Written("markup", "squad_v2", r"\boxed{<script>alert(1)</script>}", "<script>alert(1)</script>"),
    Written("lines", "squad_v2", "\\boxed{a\u2028b\nc}", "a\u2028b\nc"),
    Written("nested-wrappers", "arc", r"\boxed{" + r"\text{" * 100_000 + "A" + "}" * 100_001, None),
    Written("megabytes-of-articles", "squad_v2", r"\boxed{" + "the " * MEGA + "}", ("the " * MEGA).strip()),
)

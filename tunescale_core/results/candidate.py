"""What one chooses between."""

from __future__ import annotations

from dataclasses import dataclass, field

from tunescale_core.study.serving import EAGER, VIA


@dataclass(frozen=True)
class Candidate:
    """What one chooses between: model × method × training task, all seeds together."""

    model: str
    method: str
    trained_on: str | None = None
    rank: int | None = None
    adapter: bool = field(default=False, compare=False)
    """Whether an adapter was trained that has no rank, IA3 say."""
    way: str = EAGER
    """How it is served, where ways are chosen between too."""

    @property
    def id(self) -> str:
        """`qwen3-0.6b-lora-r32-on-arc`; an untuned model has no `-on-`, and one served eagerly no `-via-`."""
        trained = f"-on-{self.trained_on}" if self.trained_on else ""
        return f"{self.model}-{self.method}{trained}" + (f"{VIA}{self.way}" if self.way != EAGER else "")

    @property
    def tuned(self) -> bool:
        """Tell whether it was trained in the study."""
        return self.trained_on is not None

    @property
    def is_full(self) -> bool:
        """Tell whether all its weights were trained."""
        return self.tuned and self.rank is None and not self.adapter

    @property
    def family(self) -> str:
        """The method without its rank: `lora` of `lora-r32`."""
        return self.method.removesuffix(f"-r{self.rank}")

    @property
    def base(self) -> Candidate:
        """The untuned model it comes from."""
        return Candidate(self.model, "base")

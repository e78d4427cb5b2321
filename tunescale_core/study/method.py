"""How a model is adapted, as a study declares it: the recipe, the adapter, and the search of a learning rate."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tunescale_core.study.declared import Count, Declared, Number, Seed

Bits = Literal["4bit", "8bit"]
"""How many a weight is held in."""
OWN_KEYS = {"lora_alpha": "alpha", "lora_dropout": "dropout"}
"""What PEFT calls settings that a method with a LoRA has by a name of its own."""
ALL_LINEAR = "all-linear"
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


class Training(Declared):
    """A supervised fine-tuning recipe; the defaults are the paper's (sec. 2)."""

    learning_rate: Annotated[Number, Field(gt=0)] = 1e-5
    epochs: Annotated[Number, Field(gt=0)] = 1.0
    batch: Count = 1
    """Rows a device and step."""
    accumulation: Count = 8
    warmup: Annotated[Number, Field(ge=0)] = 0.06
    """Below 1 a share of the steps, from 1 on a number of steps."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    weight_decay: Annotated[Number, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[Number, Field(gt=0)] = 1.0
    max_length: Count = 1024
    """Tokens a row, prompt and answer."""
    loss: Literal["all", "completion"] = "all"
    """Which tokens are learnt: all (the paper's), or the answer alone."""
    activation_checkpointing: bool = True


class Method(Training):
    """How a model is adapted, as declared; `ranks` make it LoRA, `peft` any adapter that PEFT knows."""

    ranks: tuple[Count, ...] | None = None
    alpha: Annotated[Number, Field(gt=0)] = 16.0
    """LoRA's, as `dropout` is."""
    dropout: Annotated[Number, Field(ge=0, lt=1)] = 0.1
    target_modules: tuple[str, ...] | Literal["all-linear"] = ATTENTION
    peft: dict[str, Any] = Field(default_factory=dict)
    """Settings of PEFT's configuration by their names there, as `{ use_dora = true }`; `type` names another adapter
    than LoRA, as `{ type = "IA3" }`."""
    quantize: Literal["4bit"] | None = None
    """How the frozen base is held in training; 4bit makes QLoRA of LoRA."""
    learning_rates: tuple[Annotated[Number, Field(gt=0)], ...] | None = None
    """Tried on the development split by the study's `[trials]`; the best takes the place of `learning_rate`."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def adapter(self) -> str | None:
        """PEFT's name of the adapter, None for full fine-tuning."""
        if self.ranks is None and not self.peft:
            return None
        return str(self.peft.get("type", "LORA")).upper()

    @model_validator(mode="after")
    def _of_one_kind(self) -> Method:
        adapter_only = sorted(self.model_fields_set & {"alpha", "dropout", "target_modules", "quantize"})
        if self.adapter is None and adapter_only:
            raise ValueError(f"{adapter_only[0]} is a setting of LoRA: give ranks too, or leave it out")
        if self.adapter == "LORA" and self.ranks is None:
            raise ValueError("a LoRA needs ranks")
        own = (OWN_KEYS if self.adapter == "LORA" else {}) | ({"r": "ranks"} if self.ranks is not None else {})
        if doubled := sorted(self.peft.keys() & own.keys()):
            raise ValueError(f"peft.{doubled[0]}: say it by {own[doubled[0]]}, which names and records know")
        if self.learning_rates is not None and "learning_rate" in self.model_fields_set:
            raise ValueError("give learning_rate or learning_rates, not both")
        return self

    @field_validator("ranks", "target_modules", "learning_rates")
    @classmethod
    def _filled(cls, value: tuple[object, ...] | str | None) -> tuple[object, ...] | str | None:
        if value is not None and len(value) == 0:
            raise ValueError("is empty: give at least one, or leave the key out")
        if value == (ALL_LINEAR,):
            raise ValueError(f'{ALL_LINEAR} names no module: write "{ALL_LINEAR}", without brackets')
        if isinstance(value, tuple) and len(set(value)) < len(value):
            raise ValueError("names the same one twice")
        return value


class Trials(Declared):
    """The search of a method's learning rate: each rate of its `learning_rates` gets one trial like any other's.

    A trial is judged by the development split, of `[study] dev_examples` questions that are never evaluated.
    """

    train_examples: Count = 400
    """Rows of a trial: the first that the variant would be tuned on, all of them where there are fewer."""
    seed: Seed = 0

    @model_validator(mode="before")
    @classmethod
    def _judged_by_the_studys(cls, value: object) -> object:
        if isinstance(value, dict) and "dev_examples" in value:
            raise ValueError("dev_examples is the study's: give it under [study]")
        return value


def check_named(name: str, method: Method) -> None:
    """Hold a method's name to what it is: what is called base, full or lora is that."""
    if name == "base" and method != Method():
        raise ValueError("methods.base: an untuned model has no settings")
    if name.startswith("lora") and method.adapter is None:
        raise ValueError(f"methods.{name}: a LoRA needs ranks")
    if name.startswith("full") and method.adapter is not None:
        raise ValueError(f"methods.{name}: full means that all weights are tuned; name an adapter otherwise")

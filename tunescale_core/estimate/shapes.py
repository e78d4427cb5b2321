"""A dense decoder's shape, and what follows from it: parameters, adapter weights, cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tunescale_core.errors import ModelError
from tunescale_core.study.method import Method

KNOWN = ("qwen3", "qwen2", "llama", "mistral")
"""Model types of this form."""
HALF = 2
"""Bytes of a number in half precision."""
NORMED_HEADS = frozenset({"qwen3"})
"""Model types whose queries and keys are normed a head."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder with grouped-query attention and a gated feed-forward part."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    """Width of a head."""
    feed_forward: int
    tied: bool
    """Whether input and output embeddings are one matrix."""
    normed_heads: bool
    biases: int = 0
    """Weights of the biases of a block's linear layers."""
    stored: int = 4
    """Bytes a weight on disk."""

    @property
    def modules(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each linear layer of a block, by name."""
        wide, narrow = self.heads * self.head, self.kv_heads * self.head
        return {
            "q_proj": (self.hidden, wide),
            "k_proj": (self.hidden, narrow),
            "v_proj": (self.hidden, narrow),
            "o_proj": (wide, self.hidden),
            "gate_proj": (self.hidden, self.feed_forward),
            "up_proj": (self.hidden, self.feed_forward),
            "down_proj": (self.feed_forward, self.hidden),
        }

    @property
    def feed_forward_modules(self) -> tuple[str, ...]:
        """Those of the modules that are not the attention's."""
        return ("gate_proj", "up_proj", "down_proj")

    @property
    def parameters(self) -> int:
        """All weights."""
        block = sum(inputs * outputs for inputs, outputs in self.modules.values()) + 2 * self.hidden
        block += 2 * self.head if self.normed_heads else 0
        block += self.biases
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return embeddings + self.layers * block + self.hidden

    @property
    def trained_in_full(self) -> int:
        """The weights of full tuning."""
        return self.parameters

    @property
    def looked_up(self) -> int:
        """The weights of the input embedding."""
        return self.vocabulary * self.hidden

    @property
    def linear(self) -> int:
        """The weights of the linear layers but the head."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.modules.values())

    @property
    def linear_read(self) -> int:
        """Those of them that decoding one token reads."""
        return self.linear

    @property
    def read_per_token(self) -> int:
        """The weights that decoding one token reads: all but an input embedding of its own, of which it reads a row."""
        return self.parameters - (0 if self.tied else self.looked_up)

    def adapter(self, method: Method, rank: int | None) -> int:
        """Return the weights of a LoRA: rank · layers · Σ (inputs + outputs) over its modules (Hu et al., 2021).

        DoRA has a scale an output besides (Liu et al., 2024).

        Raises:
            ModelError: A target module is none of a block's.
        """
        modules = [self.modules[name] for name in self.adapted(method)]
        scales = sum(outputs for _, outputs in modules) if method.peft.get("use_dora") else 0
        return self.layers * ((rank or 0) * sum(map(sum, modules)) + scales)

    def adapted(self, method: Method) -> tuple[str, ...]:
        """Return which of a block's linear layers an adapter is put on.

        Raises:
            ModelError: A target module is none of a block's.
        """
        names = tuple(self.modules) if method.target_modules == "all-linear" else tuple(method.target_modules)
        unknown = [name for name in names if name not in self.modules]
        if unknown:
            raise ModelError(f"estimates do not know the module {unknown[0]!r}; known are {', '.join(self.modules)}")
        return names

    def cache_bytes(self, tokens: int, width: int) -> int:
        """Return bytes of keys and values: 2 · layers · kv heads · head · bytes a number, a token."""
        return tokens * 2 * self.layers * self.kv_heads * self.head * width


def has_shape(config: Mapping[str, Any]) -> bool:
    """Tell whether a `config.json` declares a dense decoder of this kind."""
    return config.get("model_type") in KNOWN and not {"num_experts", "num_local_experts"} & set(config)


def shape_of(config: Mapping[str, Any], name: str) -> Shape:
    """Return the shape that a `config.json` declares.

    Args:
        config: Its content, of a dense decoder.
        name: Of the model, for the error.

    Raises:
        ModelError: It lacks a size.
    """
    try:
        hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        shape = Shape(
            vocabulary=int(config["vocab_size"]),
            hidden=hidden,
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head=int(config.get("head_dim") or hidden // heads),
            feed_forward=int(config["intermediate_size"]),
            tied=bool(config.get("tie_word_embeddings", False)),
            normed_heads=config.get("model_type") in NORMED_HEADS,
            stored=HALF if str(config.get("dtype", config.get("torch_dtype"))) in {"bfloat16", "float16"} else 4,
        )
        return replace(shape, biases=_biases(config, shape))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model {name} has no shape that estimates know: config.json lacks {error}") from error


def _biases(config: Mapping[str, Any], shape: Shape) -> int:
    """Return the weights of a block's biases: qwen2 has them on queries, keys and values, others as they declare."""
    attention, declared = ("q_proj", "k_proj", "v_proj"), bool(config.get("attention_bias", False))
    named = attention if config["model_type"] == "qwen2" else (*attention, "o_proj") if declared else ()
    if config["model_type"] == "llama" and config.get("mlp_bias", False):
        named = (*named, *shape.feed_forward_modules)
    return sum(shape.modules[name][1] for name in named)

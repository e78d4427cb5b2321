"""A dense decoder's shape, and what follows from it: parameters, adapter weights, cache."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunescale_core.errors import ModelError
from tunescale_core.reading import json_of
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model

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
    def read_per_token(self) -> int:
        """The weights that decoding one token reads: all but an input embedding of its own, of which it reads a row."""
        return self.parameters - (0 if self.tied else self.vocabulary * self.hidden)

    def adapter(self, method: Method, rank: int) -> int:
        """Return the weights of a LoRA: rank · layers · Σ (inputs + outputs) over its modules (Hu et al., 2021).

        Raises:
            ModelError: A target module is none of a block's.
        """
        return rank * self.layers * sum(sum(self.modules[name]) for name in self.adapted(method))

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

    def cache_per_token(self, width: int) -> int:
        """Return bytes of keys and values a token: 2 · layers · kv heads · head · bytes a number."""
        return 2 * self.layers * self.kv_heads * self.head * width


def shape_of(config: Mapping[str, Any], name: str) -> Shape:
    """Return the shape that a `config.json` declares.

    Raises:
        ModelError: It is no dense decoder of this kind.
    """
    if "num_experts" in config or "num_local_experts" in config:
        raise ModelError(f"model {name} is a mixture of experts: estimates know dense decoders alone")
    if config.get("model_type") not in KNOWN:
        kind = config.get("model_type")
        raise ModelError(f"model {name} is of type {kind!r}: estimates know the shapes of {', '.join(KNOWN)} alone")
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


def read_shape(model: Model, folder: Path) -> Shape:
    """Read a model's shape: from its folder, from what is known of it, or from its `config.json` on the hub.

    Raises:
        ModelError: It cannot be had, or is no dense decoder.
    """
    from tunescale_core.models.base import config_file

    known = tomllib.loads((Path(__file__).parent / "known_shapes.toml").read_text(encoding="utf-8"))
    if model.source in known and model.revision is None:
        return shape_of(known[model.source], model.source)
    path = config_file(model, folder)
    try:
        config = json_of(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"model {model.source}: {path} cannot be read: {error}") from error
    return shape_of(config, model.source)

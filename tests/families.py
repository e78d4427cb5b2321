"""Tiny models of many families with random weights, each under a chat template as its makers publish them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import trl
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from tunescale_core.models.architecture import class_for
from tunescale_core.models.base import resolve
from tunescale_core.study.method import ATTENTION
from tunescale_core.study.model import Model

TEMPLATES = Path(trl.__file__).parent / "chat_templates"
SMALL = resolve(Model(source="embedded:mini-small"), Path()).folder
MARKER = re.compile(r"<[^<>\s{}'\"]{2,40}>")
THOUGHT = {"<think>", "</think>"}
BOS = "<s>"

NARROW = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 1024}
DENSE = NARROW | {"num_key_value_heads": 1, "intermediate_size": 64}
HEADED = DENSE | {"head_dim": 16}
SLIDING = HEADED | {"sliding_window": 16}
SEEING = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
PATCHED = SEEING | {"image_size": 32, "patch_size": 16}
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
STATE = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1}


@dataclass(frozen=True)
class Family:
    """What a model of one kind is made of."""

    kind: str
    sizes: dict[str, Any]
    template: str | None = None
    """One of TRL's; None for a tokenizer without one."""
    end: str = "<|endoftext|>"
    """EOS."""
    bos: bool = False
    """Whether the tokenizer begins with BOS."""
    modules: tuple[str, ...] | str = "all-linear"
    """What a LoRA can be put on."""
    attention: tuple[str, ...] = ATTENTION
    extra: dict[str, Any] = field(default_factory=dict)
    """Of the configuration around the text's, where a model reads images too."""


FAMILIES = {
    "llama": Family("llama", DENSE, "llama3_2", "<|eot_id|>", bos=True),
    "llama-base": Family("llama", DENSE, None, "<|end_of_text|>", bos=True),
    "mistral": Family("mistral", HEADED, None, "</s>", bos=True),
    "ministral3": Family("ministral3", HEADED, None, "</s>", bos=True),
    "mistral3": Family("mistral3", HEADED | {"model_type": "ministral3"}, None, "</s>", bos=True,
        extra={"vision_config": PATCHED | {"model_type": "pixtral"}}),
    "qwen2": Family("qwen2", DENSE, "qwen2_5", "<|im_end|>"),
    "qwen3-base": Family("qwen3", HEADED, "qwen3"),
    "qwen3-moe": Family("qwen3_moe", HEADED | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
        "qwen3", "<|im_end|>", modules=ATTENTION),
    "qwen3.5": Family("qwen3_5_text", HEADED | LINEAR | {"layer_types": ["linear_attention", "full_attention"]},
        "qwen3_5_think", "<|im_end|>"),
    "gemma2": Family("gemma2", SLIDING, "gemma", "<eos>", bos=True),
    "gemma3": Family("gemma3_text", SLIDING, "gemma3", "<eos>", bos=True),
    "gemma3-vision": Family("gemma3", SLIDING, "gemma3", "<eos>", bos=True, extra={"vision_config": PATCHED}),
    "phi": Family("phi", DENSE, attention=("q_proj", "k_proj", "v_proj", "dense")),
    "phi3": Family("phi3", DENSE, "phi3", attention=("qkv_proj", "o_proj")),
    "gpt2": Family("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 1024}, attention=("c_attn",)),
    "gpt-neox": Family("gpt_neox", NARROW | {"intermediate_size": 64}, attention=("query_key_value", "dense")),
    "opt": Family("opt", NARROW | {"ffn_dim": 64, "word_embed_proj_dim": 32}, end="</s>",
        attention=("q_proj", "k_proj", "v_proj", "out_proj")),
    "bloom": Family("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 2}, end="</s>",
        attention=("query_key_value",)),
    "olmo2": Family("olmo2", DENSE),
    "smollm3": Family("smollm3", DENSE, end="<|im_end|>"),
    "granite": Family("granite", DENSE, end="<|end_of_text|>"),
    "granite-hybrid": Family("granitemoehybrid", DENSE | STATE | {"layer_types": ["mamba", "attention"],
        "num_local_experts": 0, "shared_intermediate_size": 64}, end="<|end_of_text|>", modules=ATTENTION),
    "falcon-h1": Family("falcon_h1", DENSE | STATE | {"mamba_d_ssm": 64}, modules=ATTENTION),
    "lfm2": Family("lfm2", DENSE | {"layer_types": ["conv", "full_attention"]}, "lfm2", "<|im_end|>",
        attention=("q_proj", "k_proj", "v_proj", "out_proj")),
    "mamba2": Family("mamba2", {"hidden_size": 32, "num_hidden_layers": 2, "num_heads": 4, "head_dim": 16,
        "n_groups": 1, "state_size": 8}, modules=("in_proj",), attention=("in_proj",)),
    "mixtral": Family("mixtral", DENSE | {"num_local_experts": 4}, None, "</s>", bos=True, modules=ATTENTION),
    "starcoder2": Family("starcoder2", DENSE),
    "cohere2": Family("cohere2", SLIDING, "cohere", "<|END_OF_TURN_TOKEN|>", bos=True),
    "gpt-oss": Family("gpt_oss", SLIDING | {"num_local_experts": 4, "num_experts_per_tok": 2}, "gptoss", "<|return|>",
        modules=ATTENTION),
}  # fmt: skip


def tokenizer_with(template: str | None, end: str = "</s>", *, bos: bool = False) -> PreTrainedTokenizerBase:
    """Return the embedded tokenizer as another model's: its end, its template's markers, and its beginning."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = AutoTokenizer.from_pretrained(SMALL)
    tokenizer.chat_template = template
    markers = sorted((set(MARKER.findall(template or "")) | {end, BOS}) - THOUGHT)
    tokenizer.add_special_tokens({"eos_token": end, "additional_special_tokens": markers})
    tokenizer.add_tokens(sorted(THOUGHT))
    tokenizer.pad_token = None
    if bos:
        tokenizer.bos_token = BOS
        begins = TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.bos_token_id)])
        tokenizer.backend_tokenizer.post_processor = begins
    return tokenizer


def configured(family: Family, special: dict[str, Any]) -> PretrainedConfig:
    """Return a family's configuration over a vocabulary."""
    text = family.sizes | special
    return AutoConfig.for_model(family.kind, **({"text_config": text} | family.extra if family.extra else text))


def make(family: Family, folder: Path) -> Path:
    """Write a model of a family into a folder."""
    template = (TEMPLATES / f"{family.template}.jinja").read_text() if family.template else None
    tokenizer = tokenizer_with(template, family.end, bos=family.bos)
    tokenizer.save_pretrained(folder)
    special = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    special |= {"bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    config = configured(family, special)
    class_for(config).from_config(config).save_pretrained(folder)
    return folder

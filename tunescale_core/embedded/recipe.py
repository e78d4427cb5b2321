"""How the miniature family was made: shapes, data order, optimiser and schedule of its pretraining.

A warm-up on random tokens that repeat themselves comes first, because looking things up in the prompt is
what so small a model learns last; then the mixture, with the loss on answers alone. Matrices are trained by
Muon (Jordan et al., 2024; PyTorch's), everything else by AdamW. The larger member reads on, more widely.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tunescale_core.embedded.look_ups import UNSCORED, look_ups
from tunescale_core.embedded.mixture import Document, documents
from tunescale_core.embedded.tokenizer import MARKERS, VOCABULARY, train_tokenizer

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

Row = tuple[list[int], list[int]]
SHARED_DIMENSIONS = 8
SHARED = 0.02
"""Added to these dimensions of every embedding, times what makes it as long as the random part (0.02 a dimension)."""
POOL = 32
"""Batches drawn at a time and sorted by length, so that little is padded."""


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights of one member of the family."""

    hidden: int
    layers: int
    steps: int
    warmup_steps: int
    warmup_rows: int = 32
    """Rows a step of the warm-up."""
    rows: int = 16
    """Documents a step of the mixture."""
    learning_rate: float = 3e-3
    decay_share: float = 0.5
    wide_steps: int = 0
    """Steps after these of a second, wider reading of the mixture, from weights rounded as they are kept, with fresh
    optimisers and `wide_learning_rate`."""
    wide_learning_rate: float = 1.5e-3
    seed: int = 0

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.warmup_steps + self.steps + self.wide_steps

    @property
    def heads(self) -> int:
        """Attention heads, each 32 wide; half as many keys and values."""
        return self.hidden // 32


RECIPES = {
    "mini-small": Recipe(hidden=128, layers=4, warmup_steps=800, steps=6000),
    "mini-large": Recipe(hidden=192, layers=6, warmup_steps=1100, steps=9000, wide_steps=1500),
}


@dataclass
class History:
    """What a pretraining run did."""

    tokens: int = 0
    seconds: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)
    """(step, mean loss since the entry before)."""


def build(recipe: Recipe) -> Qwen3ForCausalLM:
    """Return the untrained model."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(recipe.seed)
    marker = {name: place for place, name in enumerate(MARKERS)}
    ends = {"eos_token_id": marker["<|im_end|>"], "pad_token_id": marker["<|pad|>"]}
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=VOCABULARY,
            hidden_size=recipe.hidden,
            intermediate_size=3 * recipe.hidden,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads // 2,
            head_dim=32,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            **ends,
        )
    )
    model.generation_config = GenerationConfig(**ends)
    _ease_look_ups(model)
    return model


def _ease_look_ups(model: Qwen3ForCausalLM) -> None:
    """Start with what look-ups are made from: every token alike in part, and layers that add no noise to it.

    A head that looks at the token before needs something that all tokens share, and one that finds a token
    again needs the token undisturbed. Without the first, look-ups were not learnt in 800 steps of warm-up,
    without the second not by the larger model; with both they come in 250.
    """
    import torch

    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        embedding[:, :SHARED_DIMENSIONS] += SHARED * math.sqrt(embedding.shape[1] / SHARED_DIMENSIONS)
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()


def pretrain(
    recipe: Recipe,
    texts: tuple[str, ...],
    report: Callable[[int, int, float], None],
) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerFast, History]:
    """Make a member of the family.

    Args:
        recipe: Its shape and training.
        texts: What else the tokenizer should know (the tasks' system prompts).
        report: Called every 50 steps with the step, the steps in all, and the mean loss.

    Returns:
        The model in fp32, its tokenizer, and what the run did.
    """
    tokenizer = train_tokenizer(recipe.seed, texts)
    model = build(recipe)
    history = History()
    plain_rows = recipe.warmup_steps * recipe.warmup_rows // 2
    warmup = look_ups(recipe.seed, range(len(MARKERS), VOCABULARY), plain_rows)
    batches = chain(
        islice(_batches(warmup, recipe.warmup_rows, recipe.seed), recipe.warmup_steps),
        _batches(_encoded(tokenizer, documents(recipe.seed)), recipe.rows, recipe.seed),
    )
    first = Phase(recipe.warmup_steps + recipe.steps, recipe.learning_rate, recipe.decay_share)
    _train(model, batches, first, history, lambda step, loss: report(step, recipe.total, loss))
    if recipe.wide_steps:
        read_widely(model, tokenizer, recipe, history, report)
    return model, tokenizer, history


def read_widely(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    history: History,
    report: Callable[[int, int, float], None],
) -> None:
    """Go on with the second reading of a recipe, from weights as they are kept after the first.

    The rotary frequencies are rounded with the weights here, and are exact again when the model is opened.
    """
    import torch

    model.to(torch.bfloat16).to(torch.float32)
    batches = _batches(_encoded(tokenizer, documents(recipe.seed, wide=True)), recipe.rows, recipe.seed)
    phase = Phase(recipe.wide_steps, recipe.wide_learning_rate, recipe.decay_share)
    done = recipe.warmup_steps + recipe.steps
    _train(model, batches, phase, history, lambda step, loss: report(step, recipe.total, loss), done)


@dataclass(frozen=True)
class Phase:
    """A run of steps with a schedule of its own."""

    steps: int
    learning_rate: float
    decay_share: float


def _train(  # noqa: PLR0913, PLR0917
    model: Qwen3ForCausalLM,
    batches: Iterator[list[Row]],
    phase: Phase,
    history: History,
    report: Callable[[int, float], None],
    done: int = 0,
) -> None:
    """Take a phase's steps with optimisers of its own; `done` is how many steps came before it."""
    optimisers = _optimisers(model, phase.learning_rate)
    began = time.monotonic()
    window = 0.0
    for step, batch in enumerate(islice(batches, phase.steps), start=1):
        _schedule(optimisers, phase, step)
        window += _step(model, optimisers, batch)
        history.tokens += sum(len(ids) for ids, _ in batch)
        if step % 50 == 0:
            history.losses.append((done + step, round(window / 50, 4)))
            report(done + step, window / 50)
            window = 0.0
    history.seconds += time.monotonic() - began


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write model and tokenizer as a Hugging Face checkpoint, weights rounded to bfloat16."""
    import torch

    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _encoded(tokenizer: PreTrainedTokenizerFast, read: Iterator[Document]) -> Iterator[Row]:
    for document in read:
        prompt = tokenizer.apply_chat_template(document.prompt, add_generation_prompt=True, tokenize=False)
        asked = tokenizer(prompt, add_special_tokens=False).input_ids
        said = tokenizer(document.assistant + "<|im_end|>", add_special_tokens=False).input_ids
        yield asked + said, [UNSCORED] * len(asked) + said


def _batches(rows: Iterator[Row], size: int, seed: int) -> Iterator[list[Row]]:
    rng = random.Random(seed)
    while pool := list(islice(rows, POOL * size)):
        pool.sort(key=lambda row: len(row[0]))
        batches = [pool[start : start + size] for start in range(0, len(pool), size)]
        rng.shuffle(batches)
        yield from batches


def _optimisers(model: Qwen3ForCausalLM, learning_rate: float) -> list[Optimizer]:
    from torch.optim import AdamW, Muon

    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    muon = Muon(inner, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    return [muon, AdamW(rest, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0)]


def _schedule(optimisers: list[Optimizer], phase: Phase, step: int) -> None:
    """Warm up over 50 steps, hold, then fall to zero over the last `decay_share` of the run."""
    left = (phase.steps - step + 1) / (phase.decay_share * phase.steps)
    rate = phase.learning_rate * min(1.0, step / 50, left)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate


def _step(model: Qwen3ForCausalLM, optimisers: list[Optimizer], batch: list[Row]) -> float:
    import torch

    ids, labels = _padded(batch)
    # No mask: attention looks back only, and what pads a row stands behind it.
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    kept = labels[:, 1:] != UNSCORED
    loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[kept]), labels[:, 1:][kept])
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad()
    return float(loss.detach())


def _padded(batch: list[Row]) -> tuple[Tensor, Tensor]:
    import torch

    longest = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([row + [0] * (longest - len(row)) for row, _ in batch])
    labels = torch.tensor([row + [UNSCORED] * (longest - len(row)) for _, row in batch])
    return ids, labels

"""What training keeps in memory, measured on one row before it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tunescale_core.models.chat import rendered
from tunescale_core.study.method import Method
from tunescale_core.tasks import Example
from tunescale_core.training.plan import Footprint

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from tunescale_core.training.order import Trainer

GRADIENT_BYTES, MOMENT_BYTES = 4, 8
"""A trained weight's gradient, and AdamW's two moments, in fp32."""
HEAD_SLICE = 32768
"""Logits that TRL makes of a token at a time (`trl.kernels.chunked_logprob`)."""
HEAD_COPIES = 8
"""Of that tile in fp32 at once, where there is no Triton to work on it in place."""
SAME = 1e-6
"""Relative difference of two losses that rounding may make."""
NOISE = 10
"""By how many times one seed's own difference another seed's is more than that."""
PROBE_TOKENS = 256
"""The row that is measured is the longest of at most so many tokens: memory is what may be short."""


def measured_footprint(
    make: Callable[[Sequence[Example]], Trainer],
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerBase,
    settings: Method,
    window: int | None = None,
) -> Footprint:
    """Measure what one row's forward pass keeps for its backward pass.

    Args:
        make: Returns a trainer over a few examples, of one row a micro-batch.
        examples: All that will be trained on.
        tokenizer: Of the base model.
        settings: The recipe.
        window: Tokens of the model's sliding window, where it has one.
    """
    lengths = [min(settings.max_length, one) for one in tokens_of(examples, tokenizer)]
    trainer = make([examples[_probed(lengths, window)]])
    config = trainer.model.config.get_text_config()
    batch = next(iter(trainer.get_train_dataloader()))
    kept, squared, once = _growth(trainer, batch, window)
    layers = config.num_hidden_layers
    inputs = config.hidden_size * layers * 4
    embeddings = trainer.model.get_input_embeddings().weight
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return Footprint(
        weight_bytes=weight_bytes(trainer) + cast_bytes(trainer),
        gradient_bytes=GRADIENT_BYTES * trained,
        moment_bytes=MOMENT_BYTES * trained,
        kept_bytes=kept,
        squared_bytes=squared,
        checkpointed_bytes=inputs + kept / layers,
        once_bytes=max(0, once - cast_bytes(trainer)),  # autocast's copies are held beside the weights
        layers=layers,
        head_bytes=head_bytes(config.vocab_size, trainer.model.device.type),
        embedding_bytes=GRADIENT_BYTES * embeddings.numel() if embeddings.requires_grad else 0,
        longest=max(lengths),
        drawn=draws(trainer, batch),
    )


def _probed(lengths: Sequence[int], window: int | None) -> int:
    """Return the place of the row to measure: the longest that is short, else the shortest.

    Only beyond a sliding window are its masks kept: where rows are longer, the shortest of those shows them.
    """
    if beyond := [place for place, one in enumerate(lengths) if window is not None and one > window]:
        return min(beyond, key=lengths.__getitem__)
    short = [place for place, one in enumerate(lengths) if one <= PROBE_TOKENS]
    return max(short, key=lengths.__getitem__) if short else min(range(len(lengths)), key=lengths.__getitem__)


def _growth(trainer: Trainer, batch: dict[str, torch.Tensor], window: int | None) -> tuple[float, float, int]:
    """Return the bytes kept a token, a token and token of its row, and beside all rows, from a batch of one row.

    Parts of the row tell: two within the window how eager attention grows, all of it what masks add beyond.
    """
    tokens = batch["input_ids"].numel()

    def a_token(number: int) -> float:
        return _row_bytes(trainer, {name: value[:, -number:] for name, value in batch.items()})[0] / number

    each, once = _row_bytes(trainer, batch)
    inside = min(tokens, max(2, window - 1)) if window else tokens
    if inside < 2:
        return each / tokens, 0.0, once
    whole = each / tokens if inside == tokens else a_token(inside)
    squared = max(0.0, whole - a_token(inside // 2)) / (inside - inside // 2)
    kept = whole - squared * inside
    return kept, max(squared, (each / tokens - kept) / tokens), once


def _row_bytes(trainer: Trainer, batch: dict[str, torch.Tensor]) -> tuple[int, int]:
    """Return the bytes kept of a row, and beside all rows, from a batch of one."""
    one, two = (kept_bytes(trainer, {name: value.repeat(n, 1) for name, value in batch.items()}) for n in (1, 2))
    return two - one, 2 * one - two


def draws(trainer: Trainer, batch: dict[str, torch.Tensor]) -> bool:
    """Tell whether a forward pass in training draws random numbers: another seed gives another loss.

    What one seed gives twice need not be equal either: on a GPU some sums are added up in any order.
    """
    import torch

    losses = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        with torch.no_grad(), trainer.accelerator.autocast():
            losses.append(float(trainer.compute_loss(trainer.model.train(), _on(trainer, batch))))
    first, again, other = losses
    return not math.isclose(first, other, rel_tol=SAME, abs_tol=NOISE * abs(first - again))


def _on(trainer: Trainer, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.to(trainer.model.device) for name, value in batch.items()}


def weight_bytes(trainer: Trainer) -> int:
    """Return the bytes of a trainer's weights."""
    return int(sum(p.numel() * p.element_size() for p in trainer.model.parameters()))


def state_bytes(trainer: Trainer) -> int:
    """Return the bytes of a saved state: what is trained, all of it where there is no adapter, and AdamW's moments."""
    parameters = list(trainer.model.parameters())
    trained = [p for p in parameters if p.requires_grad]
    written = trained if hasattr(trainer.model, "peft_config") else parameters
    weights = sum(p.numel() * p.element_size() for p in written)
    return int(weights + MOMENT_BYTES * sum(p.numel() for p in trained))


def cast_bytes(trainer: Trainer) -> int:
    """Return the bytes of the bfloat16 copies that autocast makes of linear weights and keeps through a step."""
    from torch import nn

    if not trainer.args.bf16:
        return 0
    linear = [one.weight for one in trainer.model.modules() if isinstance(one, nn.Linear)]
    return sum(2 * weight.numel() for weight in linear if weight.element_size() == 4)


def head_bytes(vocabulary: int, device: str) -> float:
    """Return the bytes that a token's logits take at a time: one bfloat16 tile on a GPU, copies of it elsewhere."""
    return float((2 if device == "cuda" else 4 * HEAD_COPIES) * min(vocabulary, HEAD_SLICE))


def tokens_of(examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return how many tokens each example has as a whole conversation."""
    texts = [rendered(tokenizer, one.conversation, asking=False) for one in examples]
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False).input_ids]


def kept_bytes(trainer: Trainer, batch: dict[str, torch.Tensor]) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, weights left out; no gradient is made."""
    import torch

    model = trainer.model.train()
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        # What is held until the pass is over gives no address out twice; a tensor that knew its own graph would hold
        # itself, and the whole model with it, for good.
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), trainer.accelerator.autocast():
        loss = trainer.compute_loss(model, _on(trainer, batch))
    del loss
    return sum(found.values())

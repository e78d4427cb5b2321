"""Dropout whose mask is a function of the row, not of the order of draws.

PyTorch draws a mask from a stream of random numbers, so the same row is masked differently alone and in a batch, and
no two ways to cut a step into micro-batches train alike. Here each number is hashed from the row's tokens, the step,
the layer, the position and the feature: the same law, but cut as you like, padded or not, recomputed or kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    import torch

_BITS = 31
_ODD = 0x9E3779B97F4A7C15 - (1 << 64)
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B - (1 << 32)
"""Multipliers of a 32-bit finaliser with low bias (found by exhaustive search, C. Wellons, 2018)."""


class Rows:
    """Which rows the forward pass under way holds; told by a hook on the model."""

    def __init__(self) -> None:
        self.step = 0
        self.keys: torch.Tensor | None = None
        """Shape `(batch,)`, int64."""
        self.tokens = 0
        """Of each row, padding included."""

    def note(self, _: nn.Module, __: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        """Take the rows' keys from a forward pass's inputs; padding is left out."""
        ids, mask = inputs["input_ids"], inputs.get("attention_mask")
        self.tokens = ids.shape[1]
        places = _places(ids.shape[1], ids.device)
        said = (ids.long() + 1) * _scrambled(places * _ODD)
        self.keys = (said if mask is None else said * mask).sum(-1) + self.step * 0x9E3779B9


class RowDropout(nn.Module):
    """Dropout whose masks do not depend on how rows are batched.

    Shapes are `(batch, tokens, …, features)` or, as some models flatten them, `(batch · tokens, features)`; what holds
    only some of the tokens, an expert's say, is dropped as PyTorch does.
    """

    def __init__(self, p: float, layer: int, rows: Rows) -> None:
        super().__init__()
        self.p, self.layer, self.rows = p, layer, rows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop features with probability `p` and scale the rest by 1 / (1 - p); nothing in evaluation."""
        if not self.training or self.p == 0:
            return x
        if self.rows.keys is None:
            raise RuntimeError("the rows of this forward pass are not known: its model has no hook")
        if x.dim() > 2:
            return self._dropped(x, self.rows.keys)
        if x.shape[0] == self.rows.keys.shape[0] * self.rows.tokens:
            apart = x.view(-1, self.rows.tokens, x.shape[-1])
            return self._dropped(apart, self.rows.keys).view_as(x)
        return nn.functional.dropout(x, self.p)

    def _dropped(self, x: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        return x * self._kept(x, keys).to(x.dtype) * (1 / (1 - self.p))

    def _kept(self, x: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        import torch

        place = _scrambled(keys[:, None] + _places(x.shape[1], x.device) * _ODD)
        for size in x.shape[2:-1]:
            place = _scrambled(place[..., None] + _places(size, x.device) * _ODD)
        token = place.int()
        feature = torch.arange(x.shape[-1], device=x.device, dtype=torch.int32)
        mixed = token[..., None] ^ _mixed((feature + self.layer * 65537) * _FIRST)
        return (_mixed(mixed) & ((1 << _BITS) - 1)) >= int(self.p * (1 << _BITS))


def by_row(model: nn.Module) -> Rows:
    """Give a model's dropouts masks by row; return what must be told the step."""
    rows = Rows()
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Dropout) and child.p > 0
    ]
    for layer, (parent, name, child) in enumerate(found):
        setattr(parent, name, RowDropout(child.p, layer, rows)) if not isinstance(parent, nn.ModuleDict) else (
            parent.update({name: RowDropout(child.p, layer, rows)})
        )
    if found:
        model.register_forward_pre_hook(rows.note, with_kwargs=True)
    return rows


def _places(number: int, device: torch.device) -> torch.Tensor:
    """Return 1, 2, 3, … up to a number, int64."""
    import torch

    return torch.arange(1, number + 1, device=device)


def _scrambled(values: torch.Tensor) -> torch.Tensor:
    """Mix int64 values; products wrap."""
    values = values ^ ((values >> 32) & 0xFFFFFFFF)
    values = values * _ODD
    return values ^ ((values >> 29) & 0x7FFFFFFFF)


def _mixed(values: torch.Tensor) -> torch.Tensor:
    """Mix int32 values; products wrap, and shifts are made logical by the masks."""
    values = values ^ ((values >> 16) & 0xFFFF)
    values = values * _FIRST
    values = values ^ ((values >> 15) & 0x1FFFF)
    values = values * _SECOND
    return values ^ ((values >> 16) & 0xFFFF)

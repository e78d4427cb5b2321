"""Dropout by row: PyTorch's law, and the same masks however rows are batched."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tunescale_core.training.dropout import RowDropout, Rows, by_row

FEATURES = 16


def rows_of(ids: torch.Tensor, mask: torch.Tensor | None = None, step: int = 0) -> Rows:
    rows = Rows()
    rows.step = step
    rows.note(nn.Identity(), (), {"input_ids": ids, "attention_mask": mask})
    return rows


def kept(rows: Rows, tokens: int, p: float = 0.5, layer: int = 0) -> torch.Tensor:
    assert rows.keys is not None
    return RowDropout(p, layer, rows).train()(torch.ones(rows.keys.shape[0], tokens, FEATURES))


@given(
    batch=st.lists(st.lists(st.integers(0, 151_935), min_size=1, max_size=12), min_size=1, max_size=5),
    width=st.integers(0, 5),
    step=st.integers(0, 10**6),
    layer=st.integers(0, 400),
)
def test_a_row_is_masked_alone_as_in_a_batch(batch: list[list[int]], width: int, step: int, layer: int) -> None:
    """A row's mask is the same alone, beside others, and however far it is padded."""
    longest = max(map(len, batch)) + width
    ids = torch.tensor([row + [7] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
    together = kept(rows_of(ids, mask, step), longest, layer=layer)
    for place, row in enumerate(batch):
        alone = kept(rows_of(torch.tensor([row]), None, step), len(row), layer=layer)
        assert torch.equal(together[place, : len(row)], alone[0])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_dropped_is_p(p: float) -> None:
    """So many are dropped, in every row, token and feature; what is kept is scaled so that the mean stays 1."""
    ids = torch.randint(0, 1000, (64, 128), generator=torch.Generator().manual_seed(0))
    out = kept(rows_of(ids), 128, p)
    dropped = (out == 0).float()
    spread = 4 * (p * (1 - p)) ** 0.5
    assert dropped.mean().item() == pytest.approx(p, abs=spread / (64 * 128 * FEATURES) ** 0.5)
    assert (dropped.mean((1, 2)) - p).abs().max().item() < 1.5 * spread / (128 * FEATURES) ** 0.5
    assert (dropped.mean((0, 2)) - p).abs().max().item() < 1.5 * spread / (64 * FEATURES) ** 0.5
    assert (dropped.mean((0, 1)) - p).abs().max().item() < 1.5 * spread / (64 * 128) ** 0.5
    assert torch.unique(out).tolist() == pytest.approx([0.0, 1 / (1 - p)])


def test_neighbours_are_dropped_independently() -> None:
    """A dropped place says nothing of the next token's, feature's, layer's, step's or row's."""
    ids = torch.randint(0, 1000, (64, 128), generator=torch.Generator().manual_seed(1))
    first = (kept(rows_of(ids), 128) == 0).float() - 0.5
    others = {
        "token": (first[:, 1:], first[:, :-1]),
        "feature": (first[..., 1:], first[..., :-1]),
        "row": (first[1:], first[:-1]),
        "layer": (first, (kept(rows_of(ids), 128, layer=1) == 0).float() - 0.5),
        "step": (first, (kept(rows_of(ids, step=1), 128) == 0).float() - 0.5),
    }
    for name, (one, other) in others.items():
        assert abs(4 * (one * other).mean().item()) < 4 / one.numel() ** 0.5, name


def test_nothing_is_dropped_in_evaluation() -> None:
    """In evaluation, and with p = 0, what comes in goes out."""
    x = torch.randn(2, 3, FEATURES)
    assert RowDropout(0.5, 0, Rows()).eval()(x) is x
    assert RowDropout(0.0, 0, Rows()).train()(x) is x


def test_rows_must_be_known() -> None:
    """Dropout in a model without its hook is an error, not a mask that repeats."""
    with pytest.raises(RuntimeError, match="no hook"):
        RowDropout(0.5, 0, Rows()).train()(torch.ones(1, 1, 1))


def test_a_models_dropouts_are_replaced() -> None:
    """Every dropout that drops is replaced, each as a layer of its own; one with p = 0 stays."""
    model = nn.Module()
    model.one, model.none = nn.Dropout(0.3), nn.Dropout(0.0)
    model.more = nn.ModuleDict({"default": nn.Dropout(0.2)})
    by_row(model)
    assert isinstance(model.one, RowDropout)
    assert isinstance(model.more["default"], RowDropout)
    assert (model.one.p, model.more["default"].p) == (0.3, 0.2)
    assert model.one.layer != model.more["default"].layer
    assert isinstance(model.none, nn.Dropout)


def test_flattened_rows_are_masked_as_whole_ones() -> None:
    """Where a model passes `(batch · tokens, features)`, the masks are those of `(batch, tokens, features)`."""
    rows = rows_of(torch.arange(12).view(3, 4))
    layer = RowDropout(0.5, 1, rows).train()
    x = torch.ones(3, 4, FEATURES)
    assert torch.equal(layer(x.view(12, FEATURES)).view(3, 4, FEATURES), layer(x))


@given(row=st.lists(st.integers(0, 99), min_size=1, max_size=6), others=st.integers(0, 3), heads=st.integers(1, 3))
def test_every_inner_place_has_a_mask_of_its_own(row: list[int], others: int, heads: int) -> None:
    """Of `(batch, heads, tokens, features)` a row is masked the same alone and beside others."""
    ids = torch.tensor([row, *([[5] * len(row)] * others)])
    features = 64  # of fewer, some two of so many masks are the same by chance: of 16, in one run of five
    shape = (heads, len(row), features)
    together = RowDropout(0.5, 0, rows_of(ids)).train()(torch.ones(1 + others, *shape))
    alone = RowDropout(0.5, 0, rows_of(ids[:1])).train()(torch.ones(1, *shape))
    assert torch.equal(together[0], alone[0])
    assert len({tuple(mask.tolist()) for mask in alone.view(-1, features)}) == heads * len(row)


def test_what_holds_only_some_tokens_is_dropped_all_the_same() -> None:
    """An expert's share of the tokens cannot be told apart by row: PyTorch drops it."""
    layer = RowDropout(0.5, 0, rows_of(torch.arange(12).view(3, 4))).train()
    out = layer(torch.ones(7, 64))
    assert torch.unique(out).tolist() == [0.0, 2.0]
    assert (out == 0).float().mean().item() == pytest.approx(0.5, abs=0.15)

"""What a model of any kind takes, counted on one without weights.

It is built on the `meta` device and run over PyTorch's fake tensors, which have shapes and no numbers: what a forward
pass keeps and caches is then what the real model would keep and cache, and is counted in no memory.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import ModelError
from tunescale_core.models.architecture import built, towers
from tunescale_core.models.trusted import reason
from tunescale_core.study.grid import Variant
from tunescale_core.study.method import Method

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PretrainedConfig, PreTrainedModel

EXPERTS = ".experts."
"""What the names of the weights of a mixture's experts have in common."""
CACHES = ("past_key_values", "cache_params")
"""Where a model's output has its cache: of keys and values, or of states."""
DEEP = 6
"""Objects within objects that a cache is made of, at most."""


@dataclass(frozen=True, eq=False)
class Counted:
    """A model of one configuration; every figure is counted when it is first asked for."""

    config: PretrainedConfig
    name: str
    """Of the model, for messages."""

    @cached_property
    def bare(self) -> PreTrainedModel:
        """The model, on the `meta` device, in fp32 as it is trained, whatever type its weights are stored in.

        Raises:
            ModelError: Its configuration is none of a language model.
        """
        try:
            return built(self.config).float()
        except (ValueError, KeyError, TypeError, ImportError, AttributeError) as error:
            raise ModelError(f"model {self.name} cannot be opened: {reason(error)}") from error

    @property
    def vocabulary(self) -> int:
        """Entries of the vocabulary."""
        return int(self.config.get_text_config().vocab_size)

    @property
    def hidden(self) -> int:
        """Width of a layer's input."""
        return int(self.config.get_text_config().hidden_size)

    @property
    def layers(self) -> int:
        """Layers of the part that reads text."""
        return int(self.config.get_text_config().num_hidden_layers)

    @property
    def parameters(self) -> int:
        """All weights."""
        return _numbers(self.bare)

    @property
    def trained_in_full(self) -> int:
        """The weights of full tuning: towers that no text goes through stay as they are."""
        return self.parameters - sum(_numbers(self.bare.get_submodule(name)) for name in towers(self.bare))

    @property
    def looked_up(self) -> int:
        """The weights of the input embedding."""
        return _numbers(self.bare.get_input_embeddings())

    @property
    def linear(self) -> int:
        """The weights of the linear layers but the head."""
        return sum(self._linear.values())

    @property
    def linear_read(self) -> int:
        """Those of them that decoding one token reads: towers stand still."""
        aside = tuple(f"{name}." for name in towers(self.bare))
        return sum(size for name, size in self._linear.items() if not name.startswith(aside))

    @cached_property
    def _linear(self) -> dict[str, int]:
        from torch import nn
        from transformers.pytorch_utils import Conv1D

        head = self.bare.get_output_embeddings()
        found = {name: one for name, one in self.bare.named_modules() if isinstance(one, nn.Linear | Conv1D)}
        return {name: one.weight.numel() for name, one in found.items() if one is not head}

    @property
    def read_per_token(self) -> int:
        """The weights that decoding one token reads.

        Neither an input embedding of its own, of which it reads a row, nor towers, nor the experts that are not chosen.
        """
        head = self.bare.get_output_embeddings()
        tied = head is not None and head.weight is self.bare.get_input_embeddings().weight
        read = self.trained_in_full - (0 if tied else self.looked_up)
        experts = sum(weight.numel() for name, weight in self.bare.named_parameters() if EXPERTS in name)
        return read - round(experts * (1 - self._chosen)) if experts else read

    @property
    def _chosen(self) -> float:
        """The share of its experts that a token goes through."""
        text = self.config.get_text_config()
        of = next((getattr(text, name) for name in ("num_experts", "num_local_experts") if hasattr(text, name)), None)
        return int(text.num_experts_per_tok) / int(of) if of else 1.0

    @property
    def stored(self) -> int:
        """Bytes a weight on disk."""
        return int(getattr(self.config.dtype, "itemsize", 4))

    def adapter(self, method: Method, rank: int | None) -> int:
        """Return the weights of an adapter, as PEFT makes it.

        Raises:
            StudyError: PEFT knows no such adapter, or the adapter no such setting.
            TrainingError: It does not fit the model.
        """
        return self._with(method, rank)[1]

    def cache_bytes(self, tokens: int, width: int) -> int:
        """Return the bytes that are cached after so many tokens, at so many bytes a number."""
        return width * self._cached(tokens)

    def kept_bytes(self, method: Method, rank: int | None, width: int) -> tuple[float, int]:
        """Return the bytes kept for the backward pass: a token, and beside them, at rows of `max_length` tokens.

        A mask a layer is among the first, which a pass over rows of one length does without; among the second are
        autocast's copies of linear weights, and weights that an adapter on experts makes anew.

        Raises:
            ModelError: It cannot be counted: what the model does depends on numbers.
            StudyError: PEFT knows no such adapter, or the adapter no such setting.
            TrainingError: The adapter does not fit the model.
        """
        return self._kept(method, rank, width)

    @lru_cache(maxsize=64)  # noqa: B019  a few variants of a few models, for one command
    def _with(self, method: Method, rank: int | None) -> tuple[Any, int]:
        """Return the model with a method's adapter, and the adapter's weights."""
        with _quietly():
            return _with_adapter(deepcopy(self.bare), method, rank, self.name)

    @lru_cache(maxsize=64)  # noqa: B019
    def _kept(self, method: Method, rank: int | None, width: int) -> tuple[float, int]:
        model, _ = deepcopy(self._with(method, rank))
        at_once = _experts_at_once() if _is_mixture(model) else contextlib.nullcontext()
        with _counting(self.name), at_once, _faked(model.train()):
            one, two = (_kept(model, rows, method.max_length, width) for rows in (1, 2))
        return (two - one) / method.max_length, 2 * one - two

    @lru_cache(maxsize=64)  # noqa: B019
    def _cached(self, tokens: int) -> int:
        import torch

        model = deepcopy(self.bare)
        if _is_mixture(model):
            model.set_experts_implementation("batched_mm")  # of the ways it is computed, one that needs no numbers
        with _counting(self.name), _faked(model.eval()), torch.no_grad():
            said = model(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=True)
            return sum(_within(getattr(said, name, None)) for name in CACHES)


def _is_mixture(model: nn.Module) -> bool:
    return any(EXPERTS in name for name, _ in model.named_parameters())


def _numbers(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _with_adapter(model: PreTrainedModel, method: Method, rank: int | None, name: str) -> tuple[Any, int]:
    from peft import get_peft_model

    from tunescale_core.training.adapting import adapter_for, fitting

    called = f"{name} with {method.adapter}" + (f" of rank {rank}" if rank else "")
    variant = Variant(name, str(method.adapter), "", 0, rank, method, called)
    adapter = adapter_for(variant, model)
    if adapter is None:
        return model, 0
    with fitting(variant, model):
        adapted = get_peft_model(model, adapter, low_cpu_mem_usage=True)
    return adapted, adapted.get_nb_trainable_parameters()[0]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what libraries say of a model to training, which says it again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _counting(name: str) -> Iterator[None]:
    """Say in a line that a model cannot be run without numbers: what it does hangs on them."""
    try:
        with _quietly():
            yield
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise ModelError(f"{name}: what it keeps cannot be counted: {' '.join(str(error).split())[:120]}") from error


@contextlib.contextmanager
def _faked(model: nn.Module) -> Iterator[None]:
    """Give a model on the `meta` device weights that have shapes and no numbers, and let it run."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu")
        yield


@contextlib.contextmanager
def _experts_at_once() -> Iterator[None]:
    """Let a mixture's grouped product need shapes alone: one product of all its rows keeps just as much."""
    import torch
    from transformers.integrations import moe

    def product(rows: Tensor, weights: Tensor, offs: Tensor) -> Tensor:  # noqa: ARG001  where each expert's rows end
        with torch.autocast("cpu", enabled=False):  # as the real one, which computes in the weights' own type
            return rows.to(weights.dtype) @ weights[0]

    real = moe._grouped_mm  # noqa: SLF001
    moe._grouped_mm = product  # noqa: SLF001
    try:
        yield
    finally:
        moe._grouped_mm = real  # noqa: SLF001


def _kept(model: Any, rows: int, tokens: int, width: int) -> int:
    """Return the bytes that a forward pass of the layers keeps, weights left out."""
    import torch

    weights = {_place(weight) for weight in model.parameters()}
    found: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        found.setdefault(_place(tensor), tensor)  # what is held gives no place out twice
        return tensor.detach()

    layers = getattr(model, "get_base_model", lambda: model)().get_decoder()  # TRL's loss makes the logits by tiles
    cast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=width != 4)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), cast:
        layers(input_ids=torch.zeros(rows, tokens, dtype=torch.long), use_cache=False)
    return sum(one.untyped_storage().nbytes() for storage, one in found.items() if storage not in weights)


def _place(tensor: Tensor) -> int:
    """Return what identifies a tensor's memory: a fake one has no address."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001


def _within(holder: object, deep: int = 0) -> int:
    """Return the numbers in all tensors that an object holds."""
    import torch

    if isinstance(holder, torch.Tensor):
        return holder.numel() if holder.is_floating_point() else 0
    if deep == DEEP or holder is None or isinstance(holder, str | type):
        return 0
    if isinstance(holder, list | tuple | set):
        parts: list[Any] = list(holder)
    else:
        parts = list(holder.values() if isinstance(holder, dict) else getattr(holder, "__dict__", {}).values())
    return sum(_within(part, deep + 1) for part in parts)

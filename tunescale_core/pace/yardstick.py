"""The yardstick: a small transformer's first tokens in plain torch, which no change of ours or of transformers alters.

It reads a prompt and writes a few tokens, large products first and then many small ones called from Python, as a model
does: only then do the things that slow a machine slow both alike. Of work on single tokens alone the ratio drifted
twice as far. Frozen. What it computes decides what it costs, so a change of anything below invalidates every pace that
was held against it: give `YARDSTICK` another number with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunescale_core.decoding.completion import Prompt

if TYPE_CHECKING:
    import torch

LAYERS, WIDTH, HEADS, SHARED, INNER, WORDS = 4, 128, 4, 2, 384, 1024
"""As the embedded small model has them; `SHARED` are the heads of keys and values."""
ASKED, SAID = 96, 4
"""Tokens of the prompt and of the answer: about as long a call as the embedded small model's."""


@dataclass(frozen=True)
class Yardstick:
    """A side that does the fixed work, whatever is asked."""

    device: str = "cpu"

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Return what does the work once and says how many seconds it took, synchronised on an accelerator."""
        del prompts
        import torch

        layers, words, asked = made(self.device)
        synchronise: Callable[[], None] = torch.accelerator.synchronize if self.device != "cpu" else lambda: None

        def once() -> float:
            synchronise()
            began = time.perf_counter()
            work(layers, words, asked)
            synchronise()
            return time.perf_counter() - began

        return once


def made(device: str) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Return seeded layers, the words' vectors `(WORDS, WIDTH)`, and the prompt's tokens `(1, ASKED)`."""
    import torch

    drawn = torch.Generator().manual_seed(0)

    def linear(into: int, out: int) -> torch.nn.Linear:
        layer = torch.nn.Linear(into, out, bias=False)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(out, into, generator=drawn) / into**0.5)
        return layer

    keys = SHARED * WIDTH // HEADS
    shapes = [(WIDTH, WIDTH), (WIDTH, keys), (WIDTH, keys), (WIDTH, WIDTH)]
    shapes += [(WIDTH, INNER), (WIDTH, INNER), (INNER, WIDTH)]
    layers = torch.nn.ModuleList(torch.nn.ModuleList(linear(*shape) for shape in shapes) for _ in range(LAYERS))
    words = torch.randn(WORDS, WIDTH, generator=drawn) / WIDTH**0.5
    asked = torch.randint(0, WORDS, (1, ASKED), generator=drawn)
    return layers.to(device), words.to(device), asked.to(device)


def work(layers: Any, words: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
    """Read the prompt, then write token after token; return all tokens, `(1, ASKED + SAID)`."""
    import torch

    with torch.inference_mode():
        cache: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * len(layers)
        said, begin = asked, 0
        for _ in range(SAID):
            state = torch.nn.functional.embedding(said[:, begin:], words)
            turned = _turns(begin, said.shape[1], state)
            begin = said.shape[1]
            for place, layer in enumerate(layers):
                state, cache[place] = _layer(layer, state, turned, cache[place])
            said = torch.cat((said, (_normal(state)[:, -1:] @ words.T).argmax(-1)), dim=1)
        return said


def _layer(layer: Any, state: torch.Tensor, turned: Any, kept: Any) -> Any:
    """Return the state after attention and a feed-forward step, and the keys and values so far."""
    import torch

    query, key, value, out, gate, up, down = layer
    into = _normal(state)
    q, k, v = (_heads(one(into)) for one in (query, key, value))
    q, k = _turned(_normal(q), *turned), _turned(_normal(k), *turned)
    if kept is not None:
        k, v = torch.cat((kept[0], k), dim=2), torch.cat((kept[1], v), dim=2)
    keys, values = (one.repeat_interleave(HEADS // SHARED, dim=1) for one in (k, v))
    seen = torch.nn.functional.scaled_dot_product_attention(q, keys, values, is_causal=kept is None)
    state = state + out(seen.transpose(1, 2).reshape(state.shape))
    into = _normal(state)
    return state + down(torch.nn.functional.silu(gate(into)) * up(into)), (k, v)


def _heads(state: torch.Tensor) -> torch.Tensor:
    return state.view(*state.shape[:2], -1, WIDTH // HEADS).transpose(1, 2)


def _turns(begin: int, end: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine of each place's angles, `(end - begin, WIDTH // HEADS)`, as rotary positions have them."""
    import torch

    half = WIDTH // HEADS // 2
    speeds = 1e4 ** (-torch.arange(half, device=like.device) / half)
    angles = torch.outer(torch.arange(begin, end, device=like.device).float(), speeds).repeat(1, 2)
    return angles.cos(), angles.sin()


def _turned(state: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    import torch

    first, second = state.chunk(2, dim=-1)
    return state * cosine + torch.cat((-second, first), dim=-1) * sine


def _normal(state: torch.Tensor) -> torch.Tensor:
    import torch

    return state * torch.rsqrt(state.pow(2).mean(-1, keepdim=True) + 1e-6)

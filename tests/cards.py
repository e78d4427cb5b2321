"""A card made up for tests: a `pynvml` that answers as told, and a torch that believes in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import pytest
import torch

UUID = "0a1b2c3d-0000-1111-2222-333344445555"
GIGA = 10**9

Answer = Callable[[], object]


class Refused(Exception):  # noqa: N818  plays NVMLError
    """The library's error."""


def refuse() -> object:
    raise Refused


@dataclass
class FakeCard:
    """What the made-up library answers, by question; a question that is not there is newer than the package."""

    answers: dict[str, Answer]
    asked: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    open: int = 0
    """Times started and not yet given back."""

    def times(self, question: str) -> int:
        """Return how often a question was asked."""
        return sum(asked == question for asked, _ in self.asked)


def counter(first: int, step: int) -> Answer:
    """Return an answer that grows by a step each time."""
    values = iter(range(first, 10**12, step))
    return lambda: next(values)


def in_turn(*answers: Answer) -> Answer:
    """Return an answer that is each of some in turn."""
    left = iter(answers)

    def answer() -> object:
        return next(left)()

    return answer


def process(pid: int, memory: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=memory)


def normal() -> dict[str, Answer]:
    """Return the answers of a card that nobody else holds and that can do everything."""
    return {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "580.1",
        "nvmlDeviceGetHandleByUUID": lambda: "handle",
        "nvmlDeviceGetClockInfo": counter(1000, 100),
        "nvmlDeviceGetPowerUsage": lambda: 250_500,
        "nvmlDeviceGetTotalEnergyConsumption": counter(5_000, 1_500),
        "nvmlDeviceGetTemperatureV": counter(60, 1),
        "nvmlDeviceGetTemperature": lambda: 40,
        "nvmlDeviceGetUtilizationRates": lambda: SimpleNamespace(gpu=80, memory=10),
        "nvmlDeviceGetComputeRunningProcesses": list,
    }


def installed(monkeypatch: pytest.MonkeyPatch, **changed: Answer | None) -> FakeCard:
    """Put a made-up `pynvml` in the real one's place; a question changed to None is one the package lacks."""
    card = FakeCard({name: answer for name, answer in (normal() | changed).items() if answer is not None})
    module = ModuleType("pynvml")
    vars(module).update(NVMLError=Refused, NVML_CLOCK_SM=1, NVML_TEMPERATURE_GPU=0)
    for name, answer in card.answers.items():
        vars(module)[name] = _function(card, name, answer)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return card


def _function(card: FakeCard, name: str, answer: Answer) -> Callable[..., object]:
    def ask(*about: object) -> object:
        card.asked.append((name, about))
        found = answer()
        card.open += {"nvmlInit": 1, "nvmlShutdown": -1}.get(name, 0)
        return found

    return ask


@dataclass
class FakeAllocator:
    """CUDA's allocator, as far as torch tells of it."""

    allocated: int = 0
    peak: int = 0

    def hold(self, size: int) -> None:
        """Have so many bytes handed out from now on."""
        self.allocated = size
        self.peak = max(self.peak, size)

    def reset(self, _: int) -> None:
        """Forget peaks above the present."""
        self.peak = self.allocated


def torch_with_card(monkeypatch: pytest.MonkeyPatch, index: int = 0) -> FakeAllocator:
    """Have torch speak of one card, under an index, and return its allocator."""
    allocator = FakeAllocator()
    cards = {index: SimpleNamespace(uuid=UUID, total_memory=80 * GIGA)}
    for name, stand_in in {
        "current_device": lambda: index,
        "get_device_properties": lambda asked=None: cards[index if asked is None else asked],
        "get_device_name": lambda: "Card 1000",
        "reset_peak_memory_stats": allocator.reset,
        "max_memory_allocated": lambda _: allocator.peak,
        "max_memory_reserved": lambda _: 2 * allocator.peak,
        "memory_reserved": lambda _: 2 * allocator.allocated,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return allocator

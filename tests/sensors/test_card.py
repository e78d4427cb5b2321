"""What is read of a card during a block, the card made up, and who is told of another that holds it."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable

import pytest
import torch

from tests.cards import GIGA, FakeAllocator, FakeCard, in_turn, installed, process, refuse, torch_with_card
from tunescale_core.sensors import card as card_module
from tunescale_core.sensors.card import Peaks, SharedDeviceWarning, warn_if_shared
from tunescale_core.sensors.device import QUICK, Sensors
from tunescale_core.sensors.readings import Readings

ENERGY = "nvmlDeviceGetTotalEnergyConsumption"
HOLDERS = "nvmlDeviceGetComputeRunningProcesses"


def read(device: str) -> Readings:
    with Sensors(device) as sensors:
        pass
    return sensors.readings


def holders(*processes: tuple[int, int | None]) -> Callable[[], object]:
    return lambda: [process(*one) for one in processes]


@pytest.fixture
def allocator(monkeypatch: pytest.MonkeyPatch) -> FakeAllocator:
    return torch_with_card(monkeypatch)


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test be the first that could be warned."""
    monkeypatch.setattr(card_module, "_TOLD", threading.Event())


def test_card(monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator) -> None:
    """A card's readings are peaks, means and the difference of its energy counter."""
    fake = installed(monkeypatch)
    with Sensors("cuda") as sensors:
        allocator.hold(3 * GIGA)
        allocator.hold(GIGA)
        time.sleep(3.5 * QUICK)
    samples = fake.times("nvmlDeviceGetClockInfo")
    assert samples >= 2
    assert sensors.readings == Readings(
        memory_bytes=3 * GIGA,
        reserved_bytes=6 * GIGA,
        clock_mhz=1000 + 50 * (samples - 1),
        clock_min_mhz=1000,
        temperature_c=60,
        power_w=250.5,
        energy_j=1.5,
        utilisation=0.8,
        others=0,
    )
    assert fake.open == 0


def test_card_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device with a number is that card, by torch's numbering."""
    torch_with_card(monkeypatch, index=3)
    fake = installed(monkeypatch)
    assert read("cuda:3").energy_j == 1.5
    assert fake.times("nvmlDeviceGetHandleByUUID") == 1


def test_energy_is_counted_or_none(monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator) -> None:  # noqa: ARG001
    """Without an energy counter there is no energy, though there is power."""
    installed(monkeypatch, **{ENERGY: refuse})
    found = read("cuda")
    assert found.energy_j is None
    assert found.power_w == 250.5


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("nvmlDeviceGetClockInfo", {"clock_mhz", "clock_min_mhz"}),
        ("nvmlDeviceGetPowerUsage", {"power_w"}),
        (ENERGY, {"energy_j"}),
        ("nvmlDeviceGetUtilizationRates", {"utilisation"}),
        (HOLDERS, {"others"}),
    ],
)
def test_refused_reading_is_none_alone(
    monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator, question: str, missing: set[str]
) -> None:
    """A question the card refuses costs its own reading and no other."""
    installed(monkeypatch, **{question: refuse})
    with Sensors("cuda") as sensors:
        allocator.hold(0)
    assert {name for name, value in sensors.readings if value is None} == missing


@pytest.mark.filterwarnings("error")
def test_card_without_a_driver_has_its_memory(monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator) -> None:
    """With the library that this machine has and no card in it, all but torch's own peaks is None, silently."""
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    with Sensors("cuda") as sensors:
        allocator.hold(GIGA)
    assert sensors.readings == Readings(memory_bytes=GIGA, reserved_bytes=2 * GIGA)


def test_nested_blocks_on_a_card(monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator) -> None:
    """A nested block's reset of the allocator's peak does not take from the outer block what it has seen."""
    fake = installed(monkeypatch)
    with Sensors("cuda") as outer:
        allocator.hold(5 * GIGA)
        allocator.hold(GIGA)
        with Sensors("cuda") as inner:
            allocator.hold(2 * GIGA)
    assert (outer.readings.memory_bytes, inner.readings.memory_bytes) == (5 * GIGA, 2 * GIGA)
    assert fake.open == 0


def test_error_on_a_card_passes_through(monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator) -> None:
    """An error in the block leaves nothing open behind it."""
    fake = installed(monkeypatch)
    failing = Sensors("cuda")
    allocator.hold(GIGA)
    with pytest.raises(RuntimeError, match="inside"), failing:
        raise RuntimeError("inside")
    assert failing.readings.memory_bytes == GIGA
    assert fake.open == 0
    assert not Peaks._open


@pytest.mark.parametrize(
    ("on_card", "own", "others"),
    [
        ([], 0, 0),
        ([(os.getpid(), GIGA)], GIGA, 0),
        ([(os.getpid(), GIGA), (7, GIGA)], GIGA, 1),
        ([(7, GIGA), (8, GIGA)], 0, 2),  # this process is not there yet
        ([(7, 9 * GIGA), (8, GIGA)], GIGA, 1),  # it is there under another number
        ([(7, None)], GIGA, 0),
        ([], GIGA, None),  # it is there and not shown: nobody is
    ],
)
def test_others_on_a_card(
    monkeypatch: pytest.MonkeyPatch,
    allocator: FakeAllocator,
    on_card: list[tuple[int, int | None]],
    own: int,
    others: int | None,
) -> None:
    """Holders other than this process are counted, in a container too, and what cannot be known is None."""
    installed(monkeypatch, **{HOLDERS: holders(*on_card)})
    allocator.hold(own)
    assert read("cuda").others == others


def test_others_that_left_are_counted(monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator) -> None:  # noqa: ARG001
    """A holder that was there at the start alone was there."""
    installed(monkeypatch, **{HOLDERS: in_turn(holders((7, GIGA)), list)})
    assert read("cuda").others == 1


def warned(monkeypatch: pytest.MonkeyPatch, *processes: tuple[int, int | None]) -> tuple[FakeCard, list[str]]:
    """Return a card that others hold, and what asking about it twice said."""
    fake = installed(monkeypatch, **{HOLDERS: holders(*processes)})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warn_if_shared("cuda")
        warn_if_shared("cuda")
    assert {one.category for one in said} <= {SharedDeviceWarning}
    assert {one.filename for one in said} <= {__file__}
    return fake, [str(one.message) for one in said]


@pytest.mark.parametrize(
    ("processes", "message"),
    [
        ([(7, 3 * GIGA)], "another process holds the card, with 3.0 GB of it: timings are not to be trusted"),
        (
            [(7, 3 * GIGA), (8, GIGA // 2)],
            "2 other processes hold the card, with 3.5 GB of it: timings are not to be trusted",
        ),
        (
            [(7, None)],
            "another process holds the card, with memory of it that is not told: timings are not to be trusted",
        ),
    ],
)
def test_shared_card_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, processes: list[tuple[int, int | None]], message: str
) -> None:
    """The first time another process is seen, its memory is told, and never again; NVML is given back."""
    torch_with_card(monkeypatch)
    fake, said = warned(monkeypatch, *processes)
    assert said == [message]
    assert fake.open == 0


def test_own_card_is_not_warned_of(monkeypatch: pytest.MonkeyPatch, allocator: FakeAllocator) -> None:
    """A card that this process alone holds is looked at each time, and nothing is said."""
    allocator.hold(GIGA)
    fake, said = warned(monkeypatch, (os.getpid(), GIGA))
    assert said == []
    assert fake.times(HOLDERS) == 2


@pytest.mark.filterwarnings("error")
def test_cpu_is_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU is never asked about, nor is a card."""
    fake = installed(monkeypatch)
    warn_if_shared("cpu")
    assert fake.asked == []


def test_torch_names_what_is_asked_of_it() -> None:
    """Every function of torch that a made-up one stands in for is real."""
    for name in ("reset_peak_memory_stats", "max_memory_allocated", "max_memory_reserved", "memory_reserved"):
        assert callable(getattr(torch.cuda, name))

"""What is read of a device during a block: this CPU for real, and a card made up."""

import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import psutil
import pytest
import torch

from tests.cards import GIGA, FakeAllocator, FakeCard, in_turn, installed, process, refuse, torch_with_card
from tunescale_core.sensors import device as sensors_module
from tunescale_core.sensors.device import QUICK, SHARE, SHORTEST, Beat, Readings, Sensors, SharedDeviceWarning, Tally
from tunescale_core.sensors.processor import Processor

MEBI = 2**20
ENERGY = "nvmlDeviceGetTotalEnergyConsumption"
HOLDERS = "nvmlDeviceGetComputeRunningProcesses"


def read(device: str, seconds: float = 0.0) -> Readings:
    with Sensors(device) as sensors:
        time.sleep(seconds)
    return sensors.readings


def holders(*processes: tuple[int, int | None]) -> Callable[[], object]:
    return lambda: [process(*one) for one in processes]


@pytest.fixture
def allocator(monkeypatch: pytest.MonkeyPatch) -> FakeAllocator:
    return torch_with_card(monkeypatch)


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test be the first that could be warned."""
    monkeypatch.setattr(sensors_module, "_TOLD", threading.Event())


@pytest.fixture
def apart() -> Iterator[None]:
    """Run a busy process for a while that is no child of this one: its parent has ended."""
    busy = "import os, time\nprint(os.getpid(), flush=True)\nend = time.time() + 20\nwhile time.time() < end: pass"
    start = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {busy!r}])"
    said = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True)
    assert said.stdout is not None
    pid = int(said.stdout.readline())
    said.wait()
    said.stdout.close()
    yield
    psutil.Process(pid).kill()


def test_an_empty_block_has_the_resident_size() -> None:
    """Even a block too short to be sampled twice reports what the process holds."""
    assert read("cpu").memory_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)


def test_memory_freed_inside_is_counted() -> None:
    """The peak holds what was allocated in the block even if it was freed before the end."""
    with Sensors("cpu") as sensors:
        held = np.ones(100 * MEBI, dtype=np.uint8)
        time.sleep(4 * QUICK)
        # Read here and not before the block: what else this process holds may be given back at any moment.
        high = psutil.Process().memory_info().rss
        del held
        low = psutil.Process().memory_info().rss
    assert sensors.readings.memory_bytes is not None
    assert high - low > 90 * MEBI
    assert sensors.readings.memory_bytes > high - 5 * MEBI


def test_sampling_ends_with_the_block() -> None:
    """No thread is left behind, whether the block ends well or raises, and what it raised comes through."""
    before = threading.active_count()
    with Sensors("cpu"):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    failing = Sensors("cpu")
    with pytest.raises(RuntimeError, match="inside"), failing:
        raise RuntimeError("inside")
    assert threading.active_count() == before
    assert failing.readings.memory_bytes is not None


def test_nested_blocks_each_have_their_own() -> None:
    """A block inside another starts from its own beginning, and the outer one sees what it did."""
    with Sensors("cpu") as outer:
        held = np.ones(100 * MEBI, dtype=np.uint8)
        time.sleep(4 * QUICK)
        del held
        with Sensors("cpu") as inner:
            time.sleep(QUICK)
    assert outer.readings.memory_bytes is not None
    assert inner.readings.memory_bytes is not None
    assert outer.readings.memory_bytes - inner.readings.memory_bytes > 90 * MEBI


def test_one_object_reads_again() -> None:
    """A second block of the same object has readings of its own."""
    sensors = Sensors("cpu")
    with sensors:
        pass
    first = sensors.readings
    with sensors:
        pass
    assert sensors.readings is not first


def test_cpu_has_no_power_and_no_allocator() -> None:
    """What only a card has is None on a CPU."""
    found = read("cpu")
    assert (found.energy_j, found.power_w, found.reserved_bytes) == (None, None, None)


def test_cpu_work_is_utilisation() -> None:
    """A block that computes has a share of the cores, between none and all of them."""
    with Sensors("cpu") as sensors:
        end = time.process_time() + 2 * SHORTEST
        while time.process_time() < end:
            pass
    assert sensors.readings.utilisation is not None
    assert 0 < sensors.readings.utilisation <= 1


def test_short_blocks_have_no_shares() -> None:
    """A block shorter than the system's clock can tell has no share of time, rather than a wrong one."""
    found = read("cpu")
    assert (found.utilisation, found.others) == (None, None)


def test_load_of_unrelated_processes(apart: None) -> None:  # noqa: ARG001
    """A busy process that is no child counts as others' load."""
    others = read("cpu", 1.0).others
    assert others is not None
    assert others > 0.3


def test_no_load_where_counters_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the system's counters the shares are None and the memory is read all the same."""
    monkeypatch.setattr(Processor, "load", lambda _: None)
    found = read("cpu", SHORTEST)
    assert (found.utilisation, found.others) == (None, None)
    assert found.memory_bytes


def test_clock_and_temperature_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the mean with its lowest, the temperature the highest."""
    clocks, heats = iter([3000.0, 1000.0]), iter([50.0, 70.0, 60.0])
    monkeypatch.setattr(Processor, "clock_mhz", lambda _: next(clocks))
    monkeypatch.setattr(Processor, "temperature_c", lambda _: next(heats))
    meter = sensors_module.ProcessorMeter()
    meter.begin()
    meter.slow()
    meter.slow()
    found = meter.end()
    assert (found.clock_mhz, found.clock_min_mhz, found.temperature_c) == (2000, 1000, 70)


def test_other_accelerators_are_read_as_this_process() -> None:
    """A device without readings of its own has the process's."""
    assert read("mps").memory_bytes


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
    assert not sensors_module.Peaks._open


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
        sensors_module.warn_if_shared("cuda")
        sensors_module.warn_if_shared("cuda")
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
    sensors_module.warn_if_shared("cpu")
    assert fake.asked == []


def test_costly_sampling_is_done_less_often() -> None:
    """What takes more than its share of a core waits until it is within it."""

    def work() -> None:
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass

    costly, cheap = Beat(work, 0.0), Beat(lambda: None, 0.5)
    began = time.perf_counter()
    costly.strike()
    assert costly.due - began >= 0.01 / SHARE
    assert cheap.due - began == pytest.approx(0.5, abs=0.2)


def test_beat_waits_until_it_is_due() -> None:
    """Nothing is called before its time."""
    calls: list[int] = []
    Beat(lambda: calls.append(1), 60).strike()
    assert calls == []


def test_tally_leaves_out_what_was_not_had() -> None:
    """A sample that failed changes neither mean nor extremes, and no samples have none."""
    tally = Tally()
    assert (tally.mean, tally.least, tally.most) == (None, None, None)
    for sample in (3.0, None, 1.0):
        tally.add(sample)
    assert (tally.mean, tally.least, tally.most) == (2.0, 1.0, 3.0)


def test_torch_names_what_is_asked_of_it() -> None:
    """Every function of torch that a made-up one stands in for is real."""
    for name in ("reset_peak_memory_stats", "max_memory_allocated", "max_memory_reserved", "memory_reserved"):
        assert callable(getattr(torch.cuda, name))

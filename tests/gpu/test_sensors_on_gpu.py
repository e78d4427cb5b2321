"""What is read of a real card."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from tunescale_core.provenance import provenance
from tunescale_core.sensors import card as card_module
from tunescale_core.sensors.card import SharedDeviceWarning, warn_if_shared
from tunescale_core.sensors.device import Sensors

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")]

GIB = 1 << 30
HOLD = "import time, torch\nheld = torch.ones(1 << 28, device='cuda')\nprint('held', flush=True)\ntime.sleep(60)"


@pytest.fixture
def beside() -> Iterator[None]:
    """Have another process hold 1 GiB of the card."""
    other = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    yield
    other.kill()
    other.wait()
    other.stdout.close()


def test_a_busy_card_is_read() -> None:
    """A card that multiplies for two seconds is busy, clocks, draws power and uses about power times time."""
    matrix = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    began = time.perf_counter()
    with Sensors("cuda") as sensors:
        while time.perf_counter() - began < 2:
            matrix @ matrix
            torch.cuda.synchronize()
    seconds, found = time.perf_counter() - began, sensors.readings
    assert found.memory_bytes is not None
    assert 2 * matrix.nbytes <= found.memory_bytes < 4 * matrix.nbytes
    assert found.clock_mhz is not None
    assert found.clock_min_mhz is not None
    assert 100 < found.clock_min_mhz <= found.clock_mhz < 5000
    assert found.power_w is not None
    assert found.energy_j is not None
    assert found.energy_j == pytest.approx(found.power_w * seconds, rel=0.5)
    assert found.temperature_c is not None
    assert 10 < found.temperature_c < 110
    assert found.utilisation is not None
    assert found.utilisation > 0.5


def test_what_was_freed_inside_counts() -> None:
    """A peak holds what was allocated and freed in the block, a nested one's included, and nothing of before."""
    torch.ones(GIB // 4, device="cuda")
    with Sensors("cuda") as outer:
        with Sensors("cuda") as inner:
            torch.ones(GIB // 8, device="cuda")
        with Sensors("cuda") as quiet:
            pass
    assert inner.readings.memory_bytes is not None
    assert GIB // 2 <= inner.readings.memory_bytes < GIB
    assert outer.readings.memory_bytes == inner.readings.memory_bytes
    assert quiet.readings.memory_bytes is not None
    assert quiet.readings.memory_bytes < GIB // 2


@pytest.mark.usefixtures("beside")
def test_another_process_is_seen_and_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who else holds the card is counted in readings, and warned of by name of its memory."""
    monkeypatch.setattr(card_module, "_TOLD", threading.Event())
    torch.ones(1, device="cuda")
    with Sensors("cuda") as sensors:
        time.sleep(0.2)
    assert sensors.readings.others == 1
    with pytest.warns(SharedDeviceWarning, match="another process holds the card"):
        warn_if_shared("cuda")


def test_alone_nobody_is_seen() -> None:
    """This process's own memory is not another's."""
    torch.ones(GIB // 4, device="cuda")
    with Sensors("cuda") as sensors:
        time.sleep(0.2)
    assert sensors.readings.others in {0, None}


def test_provenance_names_the_card() -> None:
    """Card, memory, driver and CUDA stand in provenance."""
    found = provenance("cuda").model_dump()
    told = str(found)
    assert torch.cuda.get_device_name() in told
    assert str(torch.version.cuda) in told

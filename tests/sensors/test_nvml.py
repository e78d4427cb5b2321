"""NVML's answers, from a made-up library; and its absence, which is real wherever there is no driver."""

import sys
from types import SimpleNamespace

import pytest

from tests.cards import UUID, in_turn, installed, normal, process, refuse
from tunescale_core.sensors.nvml import Card, Holder, driver_version, opened

ANSWERS = ("clock_mhz", "power_w", "energy_j", "temperature_c", "utilisation", "holders")
ASKED_FOR = {
    "clock_mhz": "nvmlDeviceGetClockInfo",
    "power_w": "nvmlDeviceGetPowerUsage",
    "energy_j": "nvmlDeviceGetTotalEnergyConsumption",
    "utilisation": "nvmlDeviceGetUtilizationRates",
    "holders": "nvmlDeviceGetComputeRunningProcesses",
}


def all_of(card: Card) -> dict[str, object]:
    return {name: getattr(card, name)() for name in ANSWERS}


def test_answers_are_in_the_stated_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliwatts, millijoules and percent become watts, joules and a fraction."""
    installed(monkeypatch, nvmlDeviceGetComputeRunningProcesses=lambda: [process(7, 2**30)])
    with opened(UUID) as card:
        assert all_of(card) == {
            "clock_mhz": 1000,
            "power_w": pytest.approx(250.5),
            "energy_j": pytest.approx(5.0),
            "temperature_c": 60,
            "utilisation": pytest.approx(0.8),
            "holders": (Holder(7, 2**30),),
        }


def test_card_is_found_by_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handle is of the UUID that torch gives, under NVML's prefix, and every question is of that handle."""
    fake = installed(monkeypatch)
    with opened(UUID) as card:
        all_of(card)
    assert ("nvmlDeviceGetHandleByUUID", (f"GPU-{UUID}",)) in fake.asked
    assert {about[0] for name, about in fake.asked if name in ASKED_FOR.values()} == {"handle"}


def test_slice_is_found_under_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no whole card has the UUID, a slice's is looked for."""
    fake = installed(monkeypatch, nvmlDeviceGetHandleByUUID=in_turn(refuse, lambda: "slice"))
    with opened(UUID) as card:
        assert card.power_w() is not None
    assert fake.asked[2] == ("nvmlDeviceGetHandleByUUID", (f"MIG-{UUID}",))


@pytest.mark.parametrize("name", ASKED_FOR)
def test_refused_question_is_none_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A question the card refuses has no answer; the others keep theirs."""
    installed(monkeypatch, **{ASKED_FOR[name]: refuse})
    with opened(UUID) as card:
        assert {key for key, value in all_of(card).items() if value is None} == {name}


@pytest.mark.parametrize("newer", [refuse, None])
def test_temperature_of_older_drivers(monkeypatch: pytest.MonkeyPatch, newer: None) -> None:
    """Where driver or package lack the newer question for the temperature, the older one is asked."""
    installed(monkeypatch, nvmlDeviceGetTemperatureV=newer)
    with opened(UUID) as card:
        assert card.temperature_c() == 40


@pytest.mark.parametrize("question", ["nvmlInit", "nvmlDeviceGetHandleByUUID"])
def test_no_driver_or_no_card_is_none_everywhere(monkeypatch: pytest.MonkeyPatch, question: str) -> None:
    """Without a driver, or without the card, there are no answers and no error."""
    installed(monkeypatch, **{question: refuse})
    with opened(UUID) as card:
        assert set(all_of(card).values()) == {None}


def test_no_package_is_none_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package there are no answers and no error."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with opened(UUID) as card:
        assert set(all_of(card).values()) == {None}
    assert driver_version() is None


@pytest.mark.filterwarnings("error")
def test_this_machine_is_asked_without_error() -> None:
    """The real library, of a card that does not exist, with a driver or without: no answers, no warning, no error."""
    with opened(UUID) as card:
        assert set(all_of(card).values()) == {None}
    assert isinstance(driver_version(), str | None)


def test_library_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was started is shut down, after an error in the block too."""
    fake = installed(monkeypatch)
    with opened(UUID):
        assert fake.open == 1
    with pytest.raises(RuntimeError, match="inside"), opened(UUID):
        raise RuntimeError("inside")
    assert driver_version() == "580.1"
    assert fake.open == 0


def test_driver_that_does_not_tell_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that is refused is None."""
    installed(monkeypatch, nvmlSystemGetDriverVersion=refuse)
    assert driver_version() is None


def test_memory_a_driver_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose memory is not told is still a holder."""
    installed(monkeypatch, nvmlDeviceGetComputeRunningProcesses=lambda: [process(7, None)])
    with opened(UUID) as card:
        assert card.holders() == (Holder(7, None),)


def test_made_up_library_has_the_real_ones_names() -> None:
    """Whatever is asked here, and the constants, exist in the real package."""
    real = pytest.importorskip("pynvml")
    for name in (*normal(), "NVMLError", "NVML_CLOCK_SM", "NVML_TEMPERATURE_GPU"):
        assert hasattr(real, name)
    assert SimpleNamespace(**{name: 0 for name, *_ in real.c_nvmlUtilization_t._fields_}).gpu == 0
    assert {"pid", "usedGpuMemory"} <= {name for name, *_ in real.c_nvmlProcessInfo_t._fields_}

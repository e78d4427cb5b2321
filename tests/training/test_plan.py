"""How a step is cut: the fastest that fits, then ever smaller ones."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.study.method import Method
from tunescale_core.training import plan as planning
from tunescale_core.training.plan import MARGIN, Footprint, Plan, memory_at_hand, plans

PLENTY = 1 << 60
FOOTPRINT = Footprint(gradient_bytes=400, moment_bytes=600, kept_bytes=100.0, checkpointed_bytes=20.0, longest=10)
footprints = st.builds(
    Footprint,
    gradient_bytes=st.integers(0, 10**12),
    moment_bytes=st.integers(0, 10**12),
    kept_bytes=st.floats(1, 1e7),
    checkpointed_bytes=st.floats(1, 1e7),
    longest=st.integers(1, 4096),
)


def test_the_recipe_taken_literally() -> None:
    """A literal plan is the recipe's own batch, accumulation and checkpointing."""
    plan = Plan.literal(Method())
    assert (plan.training, plan.micro_batch, plan.accumulation) == ("literal", 1, 8)
    assert (plan.activation_checkpointing, plan.padding) == (True, "none")
    assert Plan.literal(Method(batch=4, accumulation=2)).padding == "longest"


def test_with_memory_to_spare_a_step_is_one_batch() -> None:
    """Where everything fits, the whole effective batch goes at once and nothing is recomputed."""
    plan = next(plans(Method(), FOOTPRINT, PLENTY))
    assert (plan.micro_batch, plan.accumulation, plan.activation_checkpointing) == (8, 1, False)
    assert (plan.padding, plan.memory_bytes) == ("longest", PLENTY)


@pytest.mark.parametrize(
    ("memory", "cut"),
    [
        (10320, (8, False, "longest")),
        (10319, (4, False, "sorted")),
        (3600, (2, False, "sorted")),
        (3599, (8, True, "longest")),
        (2640, (8, True, "longest")),
        (2639, (4, True, "sorted")),
        (1680, (2, True, "sorted")),
        (1440, (1, True, "none")),
        (0, (1, True, "none")),
    ],
)
def test_less_memory_gives_smaller_plans(memory: int, cut: tuple[int, bool, str]) -> None:
    """The first plan is the fastest that is predicted to fit with the margin, or else the one that takes least."""
    plan = next(plans(Method(), FOOTPRINT, memory))
    assert (plan.micro_batch, plan.activation_checkpointing, plan.padding) == cut


@given(footprint=footprints, memory=st.integers(0, 10**13), batch=st.integers(1, 8), accumulation=st.integers(1, 16))
def test_every_plan_makes_the_same_step(footprint: Footprint, memory: int, batch: int, accumulation: int) -> None:
    """Whatever the memory, each plan's micro-batches make the effective batch, and each next one takes less."""
    found = list(plans(Method(batch=batch, accumulation=accumulation), footprint, memory))
    assert found
    assert all(one.micro_batch * one.accumulation == batch * accumulation for one in found)
    taken = [one.predicted_bytes or 0 for one in found]
    assert taken == sorted(set(taken), reverse=True)


@given(footprint=footprints, memory=st.integers(0, 10**13))
def test_the_first_plan_fits_where_any_does(footprint: Footprint, memory: int) -> None:
    """The first plan is predicted to fit, with the margin, unless not one is."""
    first = next(plans(Method(), footprint, memory))
    least = min(footprint.predicted(n, 8 // n, checkpointing=one) for n in (1, 2, 4, 8) for one in (True, False))
    assert MARGIN * (first.predicted_bytes or 0) <= memory or MARGIN * least > memory


def test_memory_of_another_accelerator_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Metal gives out is less than the host has; another card's is free, or reserved and not in use."""
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 900_000)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 200_000)
    assert memory_at_hand("mps") == 700_000
    card = SimpleNamespace(mem_get_info=lambda: (500, 1000), memory_reserved=lambda: 90, memory_allocated=lambda: 40)
    monkeypatch.setattr(torch, "xpu", card)
    assert memory_at_hand("xpu") == 550


def test_memory_at_hand_is_what_the_host_can_give() -> None:
    """On a CPU the memory at hand is positive and no more than the machine's."""
    import psutil

    assert 0 < memory_at_hand("cpu") <= psutil.virtual_memory().total


def test_a_control_group_bounds_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container what is left of its limit counts, files that may be dropped as free; no limit bounds nothing."""
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(planning, "CGROUP", tmp_path)
    limit.write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert memory_at_hand("cpu") == 600_000
    (tmp_path / "memory.stat").write_text("anon 300000\ninactive_file 100000\nactive_file 5\n")
    assert memory_at_hand("cpu") == 700_000
    limit.write_text("max\n")
    assert memory_at_hand("cpu") > 600_000

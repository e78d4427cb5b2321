"""Memory handed back."""

import gc

import psutil
import pytest
import torch

from tunescale_core.models import release as module
from tunescale_core.models.release import release, settle


class Ring:
    """Something that only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self
        self.blocks = [torch.ones(1 << 18) for _ in range(200)]


def test_what_a_ring_held_goes_back_to_the_system() -> None:
    """After a release the process is as small again as before it held 200 MB in a ring of references."""
    process = psutil.Process()
    release()
    before = process.memory_info().rss
    gc.disable()
    try:
        Ring()
        assert process.memory_info().rss - before > 150e6
        release()
    finally:
        gc.enable()
    assert process.memory_info().rss - before == pytest.approx(0, abs=30e6)


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_an_accelerators_cache_is_emptied(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever accelerator models run on, it is told to let go of what nothing refers to."""
    emptied: list[str] = []
    monkeypatch.setattr(module, "device", lambda: kind)
    monkeypatch.setattr(getattr(torch, kind), "empty_cache", lambda: emptied.append(kind))
    release()
    assert emptied == [kind]


def test_what_is_set_aside_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is alive when a package is settled leaves the collector's view, once; what comes after stays in it."""
    monkeypatch.setattr(module, "_SETTLED", set())
    alive = len(gc.get_objects())
    before = gc.get_freeze_count()
    settle("json")
    settled = gc.get_freeze_count()
    assert settled - before > alive / 2
    assert len(gc.get_objects()) < 1000
    kept = [[number] for number in range(2000)]
    settle("json")
    assert gc.get_freeze_count() <= settled  # some of it died meanwhile
    assert len(gc.get_objects()) >= len(kept)

"""A long run in one process keeps its threads, files and temporary files; the soak itself is a benchmark."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from benchmarks.check_soak import faults, growth, soak

CELLS = 16
COUNTED = ("files", "threads", "os_threads", "children", "temporary")


@pytest.mark.slow
def test_nothing_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the ninth cell on, when each kind of cell has been met, no count of what is open rises."""
    monkeypatch.setattr(tempfile, "tempdir", None)  # set by the soak, and set back
    samples = list(soak(tmp_path, CELLS))
    assert len(samples) == CELLS
    for name in COUNTED:
        counts = [one[name] for one in samples[8:]]
        assert max(counts[-4:]) <= max(counts[:4]), f"{name}: {counts}"


def test_growth_is_seen() -> None:
    """A file, or the memory of a small model, left behind by every tenth cell is a fault; an outlier is none."""
    still = [dict.fromkeys((*COUNTED, "memory_bytes", "objects"), 5.0) for _ in range(100)]
    assert faults(growth(still)) == []
    still[70] = still[70] | {"files": 50.0, "memory_bytes": 1e9}
    assert faults(growth(still)) == []
    for name, each in (("files", 0.1), ("memory_bytes", 2e5)):
        leaking = [one | {name: one[name] + each * place} for place, one in enumerate(still)]
        assert [one.split()[0].rstrip(":") for one in faults(growth(leaking))] == [name.removesuffix("_bytes")]

"""What a run keeps beside its records, and takes away of an earlier run's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gating import HERE
from tests.starting import study_file
from tunescale_core.advice.kept import constraints_beside, kept
from tunescale_core.errors import StoreError
from tunescale_core.measuring.cell import Bench
from tunescale_core.pace.pace import YARDSTICK, Block, Pace, paces_beside, read
from tunescale_core.plugin.beside import keep_beside
from tunescale_core.progress import Progress
from tunescale_core.study.loading import load

STUDY = '[study]\nname = "small"\n[models.m]\nsource = "embedded:mini-small"\n[tasks.arc]\n'
ASKED = "[constraints]\nmin.arc.macro_f1 = 0.5\n"
BLOCKS = tuple(Block(question=f"arc/{place}", seconds=1.0, reference_seconds=1.0) for place in range(4))
PACE = Pace(subject="m-base", reference=YARDSTICK, tokens=32, blocks=BLOCKS, provenance=HERE)


def bench(folder: Path, text: str) -> Bench:
    return Bench(load(study_file(folder, text)), folder / "store", Progress())


def test_the_last_run_is_kept(tmp_path: Path) -> None:
    """Paces and constraints are read as they were kept; a run without either leaves none of an earlier one's."""
    first = bench(tmp_path, STUDY + ASKED)
    keep_beside(first, [PACE])
    assert read(paces_beside(first.records)) == (PACE,)
    assert kept(constraints_beside(first.records)) == first.study.constraints is not None
    later = bench(tmp_path, STUDY)
    keep_beside(later, ())
    assert read(paces_beside(later.records)) == ()
    assert kept(constraints_beside(later.records)) is None


@pytest.mark.parametrize("name", ["paces", "constraints"])
def test_nothing_is_kept_behind_a_link(tmp_path: Path, name: str) -> None:
    """A folder that leads out of the store is refused, and nothing is written behind it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError, match=f"{name} is a link out of the store"):
        keep_beside(bench(tmp_path, STUDY + ASKED), [PACE])
    assert list((tmp_path / "outside").iterdir()) == []

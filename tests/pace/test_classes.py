"""Which variants have a pace of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunescale_core.errors import StudyError
from tunescale_core.pace.classes import UNPACED, paced, reference_of, unpaced
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.study.serving import EAGER
from tunescale_core.study.study import Study

STUDY = """
[study]
name = "paced"
seeds = [0, 1]
[models.small]
source = "embedded:mini-small"
[models.large]
source = "embedded:mini-large"
methods = ["base"]
[methods.full]
[methods.lora]
ranks = [4, 16]
[serving.static]
[serving.adapter-batch-2]
[serving.server]
mode = "endpoint"
url = "http://127.0.0.1:1/v1"
only = "large-base"
[tasks.arc]
[tasks.squad_v2]
"""


def study(folder: Path, gate: str = "") -> Study:
    path = folder / "paced.toml"
    path.write_text(STUDY + gate)
    return load(str(path))


def test_training_tasks_and_seeds_share_a_class(tmp_path: Path) -> None:
    """A class is a model, a method and a way of serving, the reference first; tasks and seeds make no other."""
    declared = study(tmp_path)
    assert [one.id for one in paced(declared, cells(declared))] == [
        "small-base",
        "small-full",
        "small-lora-r4",
        "small-lora-r4-via-adapter-batch-2",
        "small-lora-r16",
        "small-lora-r16-via-adapter-batch-2",
        "large-base",
    ]


def test_the_first_selected_variant_stands_for_its_class(tmp_path: Path) -> None:
    """A slice measures a variant that it selected, under the same name, so that its pace finds its baseline."""
    declared = study(tmp_path)
    selected = [cell for cell in cells(declared) if cell.variant.task == "squad_v2" and cell.variant.seed == 1]
    found = paced(declared, selected)
    assert [one.id for one in found] == [one.id for one in paced(declared, cells(declared))][:-1]
    assert {one.subject.id for one in found[1:]} == {
        f"small-{method}-on-squad_v2-s1" for method in ("full", "lora-r4", "lora-r16")
    }


def test_the_reference_is_always_measured(tmp_path: Path) -> None:
    """Even a slice without the reference paces it: what slows everything shows there alone."""
    declared = study(tmp_path)
    selected = [cell for cell in cells(declared) if cell.id == "large-base-for-arc"]
    assert [one.id for one in paced(declared, selected)] == ["small-base", "large-base"]


def test_what_is_not_paced_says_why(tmp_path: Path) -> None:
    """Ways of serving that cannot be measured in blocks are told with their reason, each class once."""
    declared = study(tmp_path)
    found = {one.id: one.why for one in unpaced(declared, cells(declared))}
    assert found["large-base-via-server"] == UNPACED["endpoint"]
    assert found["small-lora-r4-via-static"] == UNPACED["static"]
    assert len(found) == 6


def test_the_reference_is_the_studys(tmp_path: Path) -> None:
    """Any variant may be the reference, tuned ones too; unless one is named it is the first model untuned."""
    assert reference_of(study(tmp_path)).id == "small-base"
    named = reference_of(study(tmp_path, '[gate]\nreference = "small-full-on-arc-s1"\n'))
    assert (named.id, named.serving, named.subject.seed) == ("small-full", EAGER, 1)


def test_an_unknown_reference_is_refused_at_once(tmp_path: Path) -> None:
    """A reference that is no variant ends in one line when the study is expanded, before anything is measured."""
    declared = study(tmp_path, '[gate]\nreference = "small"\n')
    with pytest.raises(StudyError, match=r"gate.reference 'small' is no variant of it; write one as large-base"):
        cells(declared)

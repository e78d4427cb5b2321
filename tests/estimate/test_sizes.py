"""What is known of a study's models: a shape where that says all, a count elsewhere, and a reason where nothing is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from tests.families import FAMILIES, configured
from tunescale_core.errors import ModelError
from tunescale_core.estimate import counted
from tunescale_core.estimate.counted import Counted
from tunescale_core.estimate.shapes import Shape
from tunescale_core.estimate.sizes import read_shape, sizes_of
from tunescale_core.study.model import Model
from tunescale_core.study.study import Study

SMALL = "embedded:mini-small"


def study_of(folder: Path, methods: dict[str, Any] | None = None, **models: Any) -> Study:
    return Study.model_validate(
        {
            "study": {"name": "s"},
            "models": {name: {"source": one} if isinstance(one, str) else one for name, one in models.items()},
            "methods": methods or {},
            "tasks": {"arc": {"data": "embedded"}},
            "folder": folder,
        }
    )


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ({}, Shape),
        ({"ranks": [2], "target_modules": "all-linear", "peft": {"use_dora": True}}, Shape),
        ({"ranks": [2], "target_modules": ["self_attn.q_proj"]}, Counted),
        ({"ranks": [2], "peft": {"modules_to_save": ["norm"]}}, Counted),
        ({"peft": {"type": "IA3"}}, Counted),
    ],
)
def test_a_shape_stands_for_what_follows_from_it(method: dict[str, Any], kind: type, tmp_path: Path) -> None:
    """A dense decoder goes by its shape, but where an adapter is asked for that the formula does not know."""
    found, unknown = sizes_of(study_of(tmp_path, {"lora" if method else "full": method}, small=SMALL))
    assert (type(found["small"]), unknown) == (kind, {})
    if kind is Counted and "ranks" in method:
        declared = study_of(tmp_path, {"lora": method}, small=SMALL).methods["lora"]
        assert found["small"].adapter(declared, 2) > 0


def test_a_known_name_needs_no_file(tmp_path: Path) -> None:
    """Of a model whose shape comes with TuneScale any adapter is counted, with nothing fetched."""
    found, _ = sizes_of(study_of(tmp_path, {"ia3": {"peft": {"type": "IA3"}}}, large="Qwen/Qwen3-1.7B"))
    assert found["large"].parameters == 1_720_574_976


def folder_of(folder: Path, name: str, content: dict[str, Any]) -> str:
    (folder / name).mkdir()
    (folder / name / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return name


def test_what_cannot_be_known_stops_no_other(tmp_path: Path) -> None:
    """A kind that nobody knows, one that is no language model, and code of one's own each have a reason."""
    own = configured(FAMILIES["phi3"], {"vocab_size": 300, "pad_token_id": 0}).to_dict()
    study = study_of(
        tmp_path,
        small=SMALL,
        odd=folder_of(tmp_path, "odd", {"model_type": "nobodys"}),
        t5=folder_of(tmp_path, "t5", AutoConfig.for_model("t5").to_dict()),
        own={"source": folder_of(tmp_path, "own", own | {"auto_map": {}}), "trust_remote_code": True},
    )
    found, unknown = sizes_of(study)
    assert list(found) == ["small"]
    assert "model type `nobodys`" in unknown["odd"]
    assert "t5 cannot be opened: t5 is an encoder-decoder; only decoders" in unknown["t5"]
    assert unknown["own"] == "model own brings code of its own, which is not run for an estimate"


def test_what_cannot_be_run_without_numbers_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose cache cannot be counted has a reason too, and the others are estimated."""

    def refusing(_: object) -> int:
        raise RuntimeError("it hangs on\nits numbers")

    monkeypatch.setattr(counted, "_within", refusing)
    phi = configured(FAMILIES["phi3"], {"vocab_size": 300, "pad_token_id": 0}).to_dict()
    found, unknown = sizes_of(study_of(tmp_path, small=SMALL, phi=folder_of(tmp_path, "phi", phi)))
    assert list(found) == ["small"]
    assert unknown == {"phi": "phi: what it keeps cannot be counted: it hangs on its numbers"}


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A model that is mistyped is no model that nothing is known of."""
    with pytest.raises(ModelError, match=r"model folder .*gone does not exist"):
        sizes_of(study_of(tmp_path, small=SMALL, gone="./gone"))


def test_a_shape_is_asked_of_a_dense_decoder(tmp_path: Path) -> None:
    """Who needs a shape is told where there is none."""
    name = folder_of(tmp_path, "moe", configured(FAMILIES["mixtral"], {"vocab_size": 300}).to_dict())
    with pytest.raises(ModelError, match="model moe is of type 'mixtral', which is no dense decoder"):
        read_shape(Model(source=name), tmp_path)

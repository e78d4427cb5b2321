"""What is shown of a model's reading is what training and asking give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.families import FAMILIES, make
from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import ModelError
from tunescale_core.measuring.as_read import Reader
from tunescale_core.models.opened import open_model
from tunescale_core.study.study import Study
from tunescale_core.study.task_data import Purpose
from tunescale_core.training.footprint import tokens_of

PURPOSES: tuple[Purpose, ...] = ("train", "eval")


def study_of(source: str = "embedded:mini-small", **model: Any) -> Study:
    return Study.model_validate(
        {
            "study": {"name": "s", "train_examples": 6, "eval_examples": 4},
            "models": {"m": {"source": source, **model}},
            "methods": {"full": {"max_length": 90}, "lora": {"ranks": [2], "max_length": 60}, "not": {"max_length": 9}},
            "tasks": {"arc": {"data": "embedded"}},
            "protocol": {"max_new_tokens": 8, "max_prompt_tokens": 75},
        }
    )


def test_questions_are_what_is_asked_and_rows_what_is_learnt() -> None:
    """A prompt decodes from the tokens that are asked, and a row has the tokens that are learnt."""
    whole = study_of().protocol.model_copy(update={"max_prompt_tokens": None})
    study = study_of().model_copy(update={"protocol": whole})
    reader = Reader(study, "m")
    decoder = EagerDecoder(open_model(reader.folder, whole), whole)
    for example in load_examples(study, "arc", "eval").rows:
        (ids,) = decoder.prepare([example.messages]).inputs["input_ids"]
        assert reader.tokenizer.decode(ids) == reader.text(example, "eval")
    rows = load_examples(study, "arc", "train").rows
    for example, length in zip(rows, tokens_of(rows, reader.tokenizer), strict=True):
        text = reader.text(example, "train")
        assert len(reader.tokenizer(text, add_special_tokens=False).input_ids) == length
        assert text.startswith(reader.text(example, "eval"))
        assert example.target in text.removeprefix(reader.text(example, "eval"))


@pytest.mark.parametrize(("purpose", "limits"), [("train", [60, 90]), ("eval", [75])])
def test_rows_are_held_against_the_limits_that_hold_for_them(purpose: Purpose, limits: list[int]) -> None:
    """Training rows are held against the length of each of the model's methods, prompts against their own."""
    study = study_of(methods=["full", "lora"])
    reader = Reader(study, "m")
    rows = load_examples(study, "arc", purpose).rows
    found = reader.lengths(rows, purpose)
    whole = study.protocol.model_copy(update={"max_prompt_tokens": None})
    uncut = Reader(study.model_copy(update={"protocol": whole}), "m")
    lengths = [len(reader.tokenizer(uncut.text(one, purpose), add_special_tokens=False).input_ids) for one in rows]
    assert found.over == {limit: sum(length > limit for length in lengths) for limit in limits}
    assert found.longest == max(lengths)
    assert min(lengths) <= found.median <= max(lengths)
    assert any(found.over.values())


def test_a_question_that_is_too_long_is_shown_as_it_is_cut() -> None:
    """What is shown of a long question decodes from the tokens that are asked, and says how many are not."""
    study = study_of()
    study = study.model_copy(update={"protocol": study.protocol.model_copy(update={"max_prompt_tokens": 40})})
    reader = Reader(study, "m")
    decoder = EagerDecoder(open_model(reader.folder, study.protocol), study.protocol)
    (example, *_) = load_examples(study, "arc", "eval").rows
    call = decoder.prepare([example.messages])
    said = f"[… {call.cut[0]} tokens are cut …]"
    assert call.cut[0] > 0
    assert reader.tokenizer.decode(call.inputs["input_ids"][0]) == reader.text(example, "eval").replace(said, "")
    assert said in reader.text(example, "eval")


@pytest.mark.slow
def test_a_model_without_a_window_has_no_limit(tmp_path: Path) -> None:
    """Where a model's positions end nowhere, no row is held against a number."""
    make(FAMILIES["mamba2"], tmp_path / "base")
    study = study_of(str(tmp_path / "base"))
    study = study.model_copy(update={"protocol": study.protocol.model_copy(update={"max_prompt_tokens": None})})
    assert Reader(study, "m").lengths(load_examples(study, "arc", "eval").rows, "eval").over == {}


def test_what_is_to_be_known_of_a_template_is_told(tmp_path: Path) -> None:
    """Which tokens end an answer is told, and that a template is not the model's own; of a sound one no more."""
    assert Reader(study_of(), "m").notes == ("m ends an answer with <|im_end|>",)
    make(FAMILIES["llama-base"], tmp_path / "base")
    ends, ours = Reader(study_of(str(tmp_path / "base")), "m").notes
    assert ends == "m ends an answer with <|end_of_text|>"
    assert ours == "m: its chat template is not, or not wholly, its own"


def test_code_of_its_own_is_not_run(tmp_path: Path) -> None:
    """A model that brings Python is not opened for a look."""
    with pytest.raises(ModelError, match=r"^model m brings code of its own"):
        Reader(study_of(str(tmp_path), trust_remote_code=True), "m")

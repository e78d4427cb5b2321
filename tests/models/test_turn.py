"""Where a model's turn ends: by its files, and by its chat template."""

import json
from pathlib import Path

import pytest

from tests.families import FAMILIES, TEMPLATES, make, tokenizer_with
from tunescale_core.errors import ModelError
from tunescale_core.models.chat import MINIMAL_TEMPLATE, tokenizer_of
from tunescale_core.models.turn import Ends, ends_of, ours, own_ends, taught_amiss, turn_end

ENDS = {
    "qwen3": "<|im_end|>",
    "llama3_2": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "phi3": "<|end|>",
    "gptoss": "<|return|>",
}


def published(name: str, folder: Path) -> Path:
    tokenizer_with((TEMPLATES / f"{name}.jinja").read_text(), "<|endoftext|>", bos=True).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ENDS)
def test_a_turn_ends_as_the_template_says(name: str, tmp_path: Path) -> None:
    """The token that a published template puts after an answer is found."""
    tokenizer = tokenizer_of(published(name, tmp_path))
    assert tokenizer.convert_ids_to_tokens(turn_end(tokenizer)) == ENDS[name]
    assert not taught_amiss(tokenizer)


def test_a_template_that_ends_no_answer_is_told(tmp_path: Path) -> None:
    """GLM's template ends an answer by who speaks next: tuning on it teaches no end, and that is said."""
    tokenizer = tokenizer_of(published("glm4moe", tmp_path))
    assert turn_end(tokenizer) is None
    assert [phrase[:40] for phrase in taught_amiss(tokenizer)] == ["its chat template ends an answer with no"]


def test_a_space_before_the_end_is_no_end(tmp_path: Path) -> None:
    """Llama 2 puts a space before the token that ends a turn."""
    template = "{% for m in messages %}{{ m.role + ' ' + m.content + ' ' }}{{ eos_token }}{% endfor %}"
    tokenizer_with(template).save_pretrained(tmp_path)
    tokenizer = tokenizer_of(tmp_path)
    assert turn_end(tokenizer) == tokenizer.eos_token_id
    assert not any("no end is learnt" in phrase for phrase in taught_amiss(tokenizer))


def test_a_template_that_asks_otherwise_than_it_teaches_is_told(tmp_path: Path) -> None:
    """DeepSeek-R1's template asks for thoughts that no row shows, and that is said."""
    found = taught_amiss(tokenizer_of(published("deepseek_r1_distill", tmp_path)))
    assert [phrase[:41] for phrase in found] == ["its chat template asks otherwise than the"]


@pytest.mark.parametrize(
    ("own", "ends"), [(None, "EOS and end"), (7, [7, "end"]), ([7, 8], [7, 8, "end"]), (["end", 7], ["end", 7])]
)
def test_the_turns_end_stands_beside_the_models_own(own: object, ends: object, tmp_path: Path) -> None:
    """What the files say ends an answer, EOS where they say nothing; and the turn's end, once."""
    tokenizer = tokenizer_of(published("qwen3", tmp_path))
    end, eos = turn_end(tokenizer), tokenizer.eos_token_id
    assert isinstance(end, int)

    def filled(value: object) -> Ends:
        if value == "EOS and end":
            return [eos, end]
        return [end if one == "end" else one for one in value] if isinstance(value, list) else value  # type: ignore[return-value]

    assert ends_of(tokenizer, filled(own)) == filled(ends)


def test_where_the_turns_end_is_known_nothing_changes(small: Path) -> None:
    """The embedded model's one end stays one number."""
    tokenizer = tokenizer_of(small)
    assert own_ends(small) == ends_of(tokenizer, own_ends(small)) == turn_end(tokenizer)
    assert ours(small) == {}


def test_ends_are_read_from_the_files(small: Path) -> None:
    """The generation configuration's come first, then the configuration's, of a model with images its text's."""
    generation, config = small / "generation_config.json", small / "config.json"
    generation.write_text('{"eos_token_id": [5, 6]}')
    assert own_ends(small) == [5, 6]
    generation.unlink()
    config.write_text('{"eos_token_id": 4}')
    assert own_ends(small) == 4
    config.write_text('{"text_config": {"eos_token_id": 3}}')
    assert own_ends(small) == 3
    config.write_text('{"text_config": null}')
    assert own_ends(small) is None


@pytest.mark.parametrize("damage", ["{", "[]"])
def test_damaged_files_are_one_line(small: Path, damage: str) -> None:
    """A generation configuration that cannot be read is a model error that names it."""
    (small / "generation_config.json").write_text(damage)
    with pytest.raises(ModelError, match=f"^model folder {small} cannot be opened: generation_config.json cannot be "):
        own_ends(small)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("qwen3-base", {"ends"}),
        ("llama-base", {"chat_template"}),
        ("gemma2", {"chat_template", "ends"}),
        ("qwen2", set()),
        ("qwen3-moe", {"router_aux_loss_coef"}),
    ],
)
def test_keys_hold_what_is_not_the_models_own(name: str, changed: set[str], tmp_path: Path) -> None:
    """A checkpoint's key holds a template that was given or put before its own, and ends that were added."""
    assert ours(make(FAMILIES[name], tmp_path)).keys() == changed


def test_ends_that_no_file_names_are_in_the_key(tmp_path: Path) -> None:
    """Where the files are silent EOS is the model's own end, and what the template adds to it is in the key."""
    folder = make(FAMILIES["qwen3-base"], tmp_path)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": None}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    assert own_ends(folder) is None
    assert len(ours(folder)["ends"]) == 2


def test_a_tuned_model_as_a_base_has_a_template_of_its_own(small: Path) -> None:
    """A template that was saved with a model is in its digest already, and needs no place in a key."""
    (small / "chat_template.jinja").write_text(MINIMAL_TEMPLATE)
    assert ours(small) == {}


def test_the_given_template_is_in_the_key_as_it_is(small: Path) -> None:
    """A tokenizer that lost its template gets the minimal one, and the key says so."""
    (small / "chat_template.jinja").unlink()
    path = small / "tokenizer_config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "chat_template"}))
    assert ours(small) == {"chat_template": MINIMAL_TEMPLATE}

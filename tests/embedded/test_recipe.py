"""The recipe: shapes, repeatable pretraining, the schedule, and what is saved."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tunescale_core.embedded.look_ups import UNSCORED
from tunescale_core.embedded.mixture import documents
from tunescale_core.embedded.recipe import (
    RECIPES,
    History,
    Recipe,
    _encoded,
    _padded,
    build,
    pretrain,
    read_widely,
    save,
)
from tunescale_core.embedded.tokenizer import MARKERS, TURN_END, VOCABULARY, train_tokenizer
from tunescale_core.embedded.world import THINGS
from tunescale_core.tasks import TASKS

# torch warns once a process that `_step` makes a number of a loss it can still differentiate.

TINY = Recipe(hidden=64, layers=1, warmup_steps=1, steps=2, rows=4)
Made = tuple[Any, Any, History]


def made(recipe: Recipe) -> Made:
    return pretrain(recipe, (), lambda *_: None)


@pytest.fixture(scope="module")
def tiny() -> Made:
    """Return one tiny pretraining run."""
    return made(TINY)


@pytest.fixture(scope="module")
def tokenizer(tiny: Made) -> Any:
    """Return the tokenizer of the tiny run."""
    return tiny[1]


@pytest.fixture(scope="module")
def threads() -> Iterator[None]:
    """Let torch use one thread, so that sums are taken in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_the_same_seed_gives_the_same_weights() -> None:
    """Two runs of one recipe end with equal weights, tokenizers and token counts; another seed's weights differ."""
    first, again = made(TINY), made(TINY)
    weights, same = first[0].state_dict(), again[0].state_dict()
    assert weights.keys() == same.keys()
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert first[1].get_vocab() == again[1].get_vocab()
    assert first[2].tokens == again[2].tokens > 0
    other = build(Recipe(hidden=64, layers=1, warmup_steps=1, steps=2, rows=4, seed=1)).state_dict()
    assert not torch.equal(build(TINY).state_dict()["lm_head.weight"], other["lm_head.weight"])


def test_pretraining_changes_every_matrix(tiny: Made) -> None:
    """After a few steps no matrix of the model is what it was built as."""
    built = build(TINY).state_dict()
    matrices = {name: weight for name, weight in tiny[0].state_dict().items() if weight.ndim == 2}
    assert len(matrices) > 7
    assert not [name for name, weight in matrices.items() if torch.equal(weight, built[name])]


def test_pretraining_learns() -> None:
    """Over 100 steps the loss falls, and it is reported every 50 steps."""
    reported: list[tuple[int, int, float]] = []
    recipe = Recipe(hidden=64, layers=1, warmup_steps=0, steps=100, rows=4)
    _, _, history = pretrain(recipe, (), lambda *told: reported.append(told))
    assert [(step, total) for step, total, _ in reported] == [(50, 100), (100, 100)]
    assert history.losses == [(step, round(loss, 4)) for step, _, loss in reported]
    assert reported[1][2] < reported[0][2] < 8
    assert history.seconds > 0


@pytest.mark.parametrize("name", RECIPES)
def test_members_have_the_declared_shape(name: str) -> None:
    """A member has the recipe's width and depth, and fewer keys and values than heads."""
    recipe = RECIPES[name]
    config = build(recipe).config
    assert (config.hidden_size, config.num_hidden_layers) == (recipe.hidden, recipe.layers)
    assert config.num_attention_heads * 32 == recipe.hidden
    assert config.num_key_value_heads == config.num_attention_heads // 2
    assert config.vocab_size == VOCABULARY


def test_the_large_member_is_larger() -> None:
    """The large member has more than twice the small one's parameters."""
    small, large = (sum(p.numel() for p in build(RECIPES[f"mini-{size}"]).parameters()) for size in ("small", "large"))
    assert large > 2 * small


def test_a_checkpoint_is_saved_as_bfloat16_safetensors(tmp_path: Path, tokenizer: Any) -> None:
    """What is saved is safetensors in bfloat16, opens again with the same values, and ends turns as built."""
    model = build(TINY)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    save(model, tokenizer, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.bfloat16}
    assert not list(tmp_path.glob("*.bin"))
    opened = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    for name, weight in opened.state_dict().items():
        assert torch.equal(weight, before[name].bfloat16().float())
    again = AutoTokenizer.from_pretrained(tmp_path)
    prompt = TASKS["arc"].prompt("Which?")
    assert again.apply_chat_template(list(prompt), tokenize=False) == tokenizer.apply_chat_template(
        list(prompt), tokenize=False
    )
    assert opened.generation_config.eos_token_id == again.eos_token_id == again.convert_tokens_to_ids(TURN_END)


def test_the_tokenizer_gives_markers_and_digits_tokens_of_their_own(tokenizer: Any) -> None:
    """Markers have the first ids in order, digits stay single, the vocabulary fits, and text comes back as it was."""
    assert tokenizer.convert_tokens_to_ids(list(MARKERS)) == list(range(len(MARKERS)))
    assert len(tokenizer) == VOCABULARY
    assert len(tokenizer("123456", add_special_tokens=False).input_ids) == 6
    text = "Mara works at the mill.\n12 + 30 = 42 \\boxed{42} — Île"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_an_empty_box_starts_as_any_other(tokenizer: Any) -> None:
    """Braces are tokens of their own, so that a box is opened before it is known whether anything goes in."""
    empty, filled = (tokenizer(f"\\boxed{{{inside}}}").input_ids for inside in ("", "a map"))
    assert empty[:-1] == filled[: len(empty) - 1]
    assert empty[-1] == filled[-1]


def test_most_names_of_the_world_are_one_token(tokenizer: Any) -> None:
    """What a thing is need not be put together from pieces of its name."""
    single = [len(tokenizer(f" {thing.name}", add_special_tokens=False).input_ids) == 1 for thing in THINGS]
    assert sum(single) > 0.8 * len(single)


def test_extra_texts_shorten_themselves(tokenizer: Any) -> None:
    """A text that the tokenizer is told of takes fewer tokens than where it is unknown."""
    text = "Extraordinary zephyrs quizzically jinxed the vexed xylophonist"
    told = train_tokenizer(TINY.seed, (text,))
    assert len(told(text).input_ids) < len(tokenizer(text).input_ids)


def test_only_answers_are_learnt(tokenizer: Any) -> None:
    """Labels cover the assistant's words and the end of its turn; the prompt before them is ignored."""
    ids, labels = next(_encoded(tokenizer, documents(0)))
    learnt = [label for label in labels if label != UNSCORED]
    assert ids[-len(learnt) :] == learnt
    assert tokenizer.decode(learnt).endswith(TURN_END)
    assert tokenizer.decode(ids[: -len(learnt)]).endswith("<|im_start|>assistant\n")


def test_padding_is_not_learnt() -> None:
    """Shorter rows are filled up on the right and have no labels there."""
    ids, labels = _padded([([5, 6, 7], [UNSCORED, 6, 7]), ([8], [8])])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert labels.tolist() == [[UNSCORED, 6, 7], [8, UNSCORED, UNSCORED]]


def test_padding_on_the_right_is_not_seen(tiny: Made) -> None:
    """What a model makes of a row is the same with and without padding behind it, so no mask is needed."""
    alone = torch.tensor([[7, 8, 9, 10]])
    padded = torch.tensor([[7, 8, 9, 10, 0, 0], [11, 12, 13, 14, 15, 16]])
    with torch.no_grad():
        model = tiny[0].float()
        torch.testing.assert_close(model(input_ids=padded).logits[:1, :4], model(input_ids=alone).logits)


def test_layers_start_silent_and_tokens_alike_in_part() -> None:
    """A model is built so that its layers add nothing and all embeddings share a direction."""
    model = build(TINY).model
    assert not any(layer.self_attn.o_proj.weight.any() or layer.mlp.down_proj.weight.any() for layer in model.layers)
    unit = torch.nn.functional.normalize(model.embed_tokens.weight, dim=1)
    assert (unit @ unit.T).mean() > 0.3


@pytest.mark.usefixtures("threads")
def test_a_second_reading_goes_on_from_the_weights_as_they_are_kept(tmp_path: Path) -> None:
    """Reading on from a saved checkpoint ends with the very weights of a recipe run in one go."""
    recipe = replace(TINY, wide_steps=2)
    whole, _, told = made(recipe)
    first, tokenizer, history = made(TINY)
    save(first, tokenizer, tmp_path)
    kept = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    read_widely(kept, AutoTokenizer.from_pretrained(tmp_path), recipe, history, lambda *_: None)
    assert history.tokens == told.tokens
    weights = kept.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in whole.state_dict().items())
    assert recipe.total == TINY.total + 2

"""From messages to token ids: thinking asked for or against, and prompts that are too long."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.decoding.prompts import Prompts, prompt_limit, shortened
from tunescale_core.errors import ModelError
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import MINIMAL_TEMPLATE, tokenizer_of
from tunescale_core.models.opened import Opened, open_model
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.tasks import TASKS

FOLDER = resolve(Model(source="embedded:mini-small"), Path()).folder
ASKED = TASKS["arc"].prompt("Which of these is a bird?")


@pytest.fixture
def tokenizer() -> Any:
    """The embedded tokenizer, whose template takes enable_thinking as Qwen3's does."""
    return tokenizer_of(FOLDER)


@pytest.fixture(scope="module")
def opened() -> Opened:
    """The small embedded model, whose window is 1,024 tokens."""
    return open_model(FOLDER, Protocol(dtype="float32"))


def test_thinking_is_the_templates_affair(tokenizer: Any) -> None:
    """Free leaves the template as it is; on and off reach it as enable_thinking."""
    free, on, off = (Prompts(tokenizer, thinking, 100).text(ASKED) for thinking in ("free", "on", "off"))  # type: ignore[arg-type]
    assert free == on
    assert off == free + "<think>\n\n</think>\n\n"


def test_a_template_that_takes_no_thinking_says_so(tokenizer: Any) -> None:
    """Where the template does not know enable_thinking, asking for it is an error and not ignored."""
    tokenizer.chat_template = MINIMAL_TEMPLATE
    assert "bird" in Prompts(tokenizer, "free", 100).text(ASKED)
    for thinking in ("on", "off"):
        with pytest.raises(ModelError, match=f'thinking = "{thinking}": .* takes no enable_thinking'):
            Prompts(tokenizer, thinking, 100)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 50))
def test_too_long_prompts_lose_their_middle(ids: list[int], limit: int) -> None:
    """At most the limit is left, a prompt within it is whole, and what goes is one piece of the middle."""
    kept = shortened(ids, limit)
    assert len(kept) == min(len(ids), limit)
    head, tail = (limit + 1) // 2, limit // 2
    if len(ids) > limit:
        assert kept[:head] == ids[:head]
        assert kept[head:] == ids[len(ids) - tail :]


def test_a_batch_is_padded_on_the_left(tokenizer: Any) -> None:
    """Each row ends with its prompt's last token, and padding before it is masked."""
    encoded = Prompts(tokenizer, "free", 500).encode([ASKED, ASKED[1:]], "cpu")
    ids, mask = encoded.inputs["input_ids"], encoded.inputs["attention_mask"]
    assert ids.shape == mask.shape
    assert torch.equal(ids[0][-3:], ids[1][-3:])
    short = int(mask[1].sum())
    assert 0 < short < ids.shape[1]
    assert mask[1].tolist() == [0] * (ids.shape[1] - short) + [1] * short
    assert encoded.cut == (0, 0)


def test_cut_prompts_are_counted(opened: Opened) -> None:
    """A completion says how long its prompt was and how many tokens it lost; the limit may be declared."""
    decoder = EagerDecoder(opened, Protocol(max_new_tokens=4, max_prompt_tokens=20))
    long = TASKS["squad_v2"].prompt("Passage: " + "a mill. " * 100)
    call = decoder.prepare([long, ASKED[1:]])
    decoder.run(call)
    cut, whole = decoder.completions(call)
    assert (cut.prompt_tokens, whole.prompt_cut) == (20, 0)
    assert cut.prompt_cut == len(opened.tokenizer(decoder.prompts.text(long)).input_ids) - 20
    assert whole.prompt_tokens < 20


def test_the_window_leaves_room_for_the_answer(opened: Opened) -> None:
    """A prompt may have what the window leaves beside the answer; an answer that fills the window is refused."""
    assert prompt_limit(opened.model.config, Protocol(max_new_tokens=24)) == 1000
    assert prompt_limit(opened.model.config, Protocol(max_new_tokens=24, max_prompt_tokens=5000)) == 1000
    assert prompt_limit(opened.model.config, Protocol(max_new_tokens=24, max_prompt_tokens=50)) == 50
    with pytest.raises(ModelError, match="leaves no room for a prompt in the model's window of 1024 tokens"):
        prompt_limit(opened.model.config, Protocol(max_new_tokens=1024))

"""Decoding and its timing on a card."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.completion import Completion
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.decoding.static import StaticDecoder
from tunescale_core.gates.selftest import embedded
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import Opened, open_model
from tunescale_core.pace.measure import questions, run_blocks
from tunescale_core.progress import Progress
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")]

PROTOCOL = Protocol(dtype="float32", max_new_tokens=40)
PROMPTS = [one.messages for task in ("squad_v2", "arc") for one in load_examples(load("mini"), task, "eval").rows[:4]]


@pytest.fixture(scope="module")
def opened() -> Opened:
    """The small embedded model in fp32."""
    return open_model(resolve(Model(source="embedded:mini-small"), Path()).folder, PROTOCOL)


def asked(decoder: EagerDecoder, size: int) -> list[Completion]:
    calls = [decoder.prepare(PROMPTS[start : start + size]) for start in range(0, len(PROMPTS), size)]
    for call in calls:
        decoder.run(call)
    return [one for call in calls for one in decoder.completions(call)]


def test_graphs_say_what_eager_says(opened: Opened) -> None:
    """In fp32 a compiled step in CUDA graphs gives eager's answers word for word, alone and four together."""
    eager = [(one.text, one.tokens) for one in asked(EagerDecoder(opened, PROTOCOL), 1)]
    assert len({text for text, _ in eager}) > 4
    for size in (1, 4):
        assert [(one.text, one.tokens) for one in asked(StaticDecoder(opened, PROTOCOL), size)] == eager


def test_few_bits_take_less_of_the_card() -> None:
    """In 4 bits a model is opened on the card, takes less of it than in bfloat16, and answers."""
    folder, protocol = resolve(Model(source="embedded:mini-large"), Path()).folder, Protocol(max_new_tokens=4)
    taken = {}
    for bits in (None, "4bit"):
        before = torch.cuda.memory_allocated()
        model = open_model(folder, protocol, bits)  # type: ignore[arg-type]
        taken[bits] = torch.cuda.memory_allocated() - before
        assert {one.device.type for one in model.model.parameters()} == {"cuda"}
        assert all(one.tokens for one in asked(EagerDecoder(model, protocol), 2))
        del model
    assert taken["4bit"] < 0.6 * taken[None]


def test_events_agree_with_the_clock(opened: Opened) -> None:
    """A call's time by CUDA events is its time by the clock, less what was before and after it."""
    decoder = EagerDecoder(opened, PROTOCOL.model_copy(update={"min_new_tokens": 40}))
    decoder.run(decoder.prepare(PROMPTS[:1]))
    call = decoder.prepare(PROMPTS[:1])
    decoder.run(call)
    assert call.device_seconds is not None
    assert call.first_token_seconds is not None
    assert 0.9 * call.seconds < call.device_seconds <= call.seconds
    assert 0 < call.first_token_seconds < call.seconds / 4


def test_paces_are_measured_in_processes_of_their_own() -> None:
    """Blocks run on a card without fault; a model against itself is as fast, a larger one slower."""
    study, pairs = embedded(4)
    found = run_blocks(pairs, questions(study), 4, Progress())
    assert found.faults == {}
    ratios = {
        pace.subject: sorted(block.seconds / block.reference_seconds for block in pace.blocks) for pace in found.paces
    }
    assert ratios["mini-small-again"][1] == pytest.approx(1, abs=0.1)
    assert ratios["mini-large-base"][1] > 1.1

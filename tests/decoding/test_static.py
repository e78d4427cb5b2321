"""A cache of fixed size and a compiled step say what eager decoding says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch._dynamo.utils

from tests.families import FAMILIES, make
from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.completion import Completion
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.decoding.static import ROUND, StaticDecoder
from tunescale_core.errors import ModelError
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import Opened, open_model
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol

PROTOCOL = Protocol(dtype="float32", max_new_tokens=40)
PROMPTS = [one.messages for task in ("squad_v2", "arc") for one in load_examples(load("mini"), task, "eval").rows[:4]]


@pytest.fixture(scope="module")
def opened() -> Opened:
    """The small embedded model in fp32."""
    return open_model(resolve(Model(source="embedded:mini-small"), Path()).folder, PROTOCOL)


def asked(decoder: EagerDecoder, size: int) -> list[Completion]:
    """Ask the prompts, so many a call, all prepared first as a cell prepares them."""
    calls = [decoder.prepare(PROMPTS[start : start + size]) for start in range(0, len(PROMPTS), size)]
    for call in calls:
        decoder.run(call)
    return [one for call in calls for one in decoder.completions(call)]


@pytest.mark.slow
def test_static_says_what_eager_says(opened: Opened) -> None:
    """In fp32 every answer is eager's word for word, four together; alone: tests/measuring/test_subjects.py."""
    eager = [(one.text, one.tokens) for one in asked(EagerDecoder(opened, PROTOCOL), 1)]
    decoder = StaticDecoder(opened, PROTOCOL)
    torch._dynamo.utils.counters.clear()
    static = asked(decoder, 4)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1, "nothing was compiled"
    assert len({text for text, _ in eager}) > 4
    assert [(one.text, one.tokens) for one in static] == eager
    assert all(one.seconds for one in static)


@pytest.mark.slow
def test_what_is_compiled_does_not_run_out(opened: Opened) -> None:
    """However many shapes were compiled before, a new decoder compiles, and does not fall back to eager unseen."""
    for tokens in range(1, 11):
        decoder = StaticDecoder(opened, PROTOCOL.model_copy(update={"max_new_tokens": 2}))
        decoder.config.compile_config.backend = "eager"  # traces as ever, without the compiler's minute
        decoder._longest = tokens * ROUND
        torch._dynamo.utils.counters.clear()
        decoder.run(decoder.prepare(PROMPTS[:1]))
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1, tokens


@pytest.mark.slow
def test_one_cache_serves_every_call(opened: Opened) -> None:
    """Calls prepared together share one cache, long enough for the longest: nothing is compiled between them."""
    decoder = StaticDecoder(opened, PROTOCOL)
    calls = [decoder.prepare([prompt]) for prompt in PROMPTS]
    caches = {id(decoder._emptied(1)) for _ in calls}
    longest = max(call.inputs["input_ids"].shape[1] for call in calls)
    assert len(caches) == 1
    assert decoder._shape[1] % ROUND == 0
    assert longest + 40 <= decoder._shape[1] < longest + 40 + ROUND


@pytest.mark.slow
@pytest.mark.parametrize("fills", [False, True])
def test_sliding_windows_are_compiled_once(tmp_path: Path, *, fills: bool) -> None:
    """Static says what eager says under a window that is full from the start, and one that fills in some answers.

    After the first call nothing is compiled any more.
    """
    narrow = open_model(make(FAMILIES["gemma2"], tmp_path / "narrow"), PROTOCOL)
    decoder = EagerDecoder(narrow, PROTOCOL)
    lengths = [decoder.prepare([prompt]).inputs["input_ids"].shape[1] for prompt in PROMPTS]
    window = max(lengths) + 20 if fills else 16
    assert fills == any(one < window < one + PROTOCOL.max_new_tokens for one in lengths)
    assert not fills or any(one + PROTOCOL.max_new_tokens < window for one in lengths)
    family = replace(FAMILIES["gemma2"], sizes=FAMILIES["gemma2"].sizes | {"sliding_window": window})
    opened = open_model(make(family, tmp_path / "model"), PROTOCOL)
    said = [one.text for one in asked(EagerDecoder(opened, PROTOCOL), 1)]
    static = StaticDecoder(opened, PROTOCOL)
    calls = [static.prepare([prompt]) for prompt in PROMPTS]
    shortest = min(zip(lengths, calls, strict=True), key=lambda pair: pair[0])[1]
    static.run(shortest.again())
    torch._dynamo.utils.counters.clear()
    for call in calls:
        static.run(call)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 0
    assert [one.text for call in calls for one in static.completions(call)] == said


def test_a_model_without_such_a_cache_is_one_line(tmp_path: Path) -> None:
    """A state-space model has a state of one size anyway: one line says so, and how to leave it out."""
    opened = open_model(make(FAMILIES["mamba2"], tmp_path), PROTOCOL)
    with pytest.raises(ModelError, match=r"takes no static cache: .*; leave it out by `only`$"):
        StaticDecoder(opened, PROTOCOL)


def test_without_a_compiler_it_says_so(opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a step cannot be compiled one line names the compiler, and how it is found."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    decoder = StaticDecoder(opened, PROTOCOL.model_copy(update={"max_new_tokens": 3}))
    none = torch._inductor.config.patch({"cpp.cxx": (str(tmp_path / "none"),)})
    with none, pytest.raises(ModelError, match=r"cannot be compiled \(.+\): mode static needs a C\+\+ compiler .*CXX"):
        asked(decoder, 4)

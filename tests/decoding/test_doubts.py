"""An endpoint's answers beside the model's own template: what is doubtful is told, once."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.asking import HI, complaint
from tests.playing import Played, Reply, streamed
from tunescale_core.decoding.completion import Call
from tunescale_core.decoding.doubts import EndpointWarning
from tunescale_core.decoding.prompts import Prompts
from tunescale_core.decoding.remote import EndpointDecoder
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import rendered, tokenizer_of
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Serving, Thinking

FOLDER = resolve(Model(source="embedded:mini-small"), Path()).folder
TOKENIZER = tokenizer_of(FOLDER)


def own(thinking: bool | None = None) -> int:  # noqa: FBT001  as the template has it
    """Return the tokens that the model's own template makes."""
    asked = {} if thinking is None else {"enable_thinking": thinking}
    return len(TOKENIZER(rendered(TOKENIZER, HI, **asked), add_special_tokens=False).input_ids)


def decoder(server: Played, thinking: Thinking = "free", folder: Path = FOLDER, **serving: Any) -> EndpointDecoder:
    way = Serving(mode="endpoint", url=server.url, **serving)
    return EndpointDecoder(way, "tiny", Protocol(max_new_tokens=40, thinking=thinking), TOKENIZER, folder)


def told(asking: EndpointDecoder, server: Played, *replies: Reply, times: int = 1) -> list[str]:
    """Return what is warned of while so many calls are made."""
    server.replies["/chat/completions"] = list(replies)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(times):
            call = asking.prepare([HI])
            asking.run(call)
            asking.completions(call)
    assert all(one.category is EndpointWarning for one in caught)
    assert all(len(str(one.message).splitlines()) == 1 for one in caught)
    return [str(one.message) for one in caught]


def test_another_prompt_is_told_of_once(server: Played) -> None:
    """Where a server counts other prompt tokens than the model's template makes, that is told, once a decoder."""
    reply = streamed({"content": "yes"}, usage=2, prompt=own() + 3)
    for _ in range(2):
        (said,) = told(decoder(server), server, reply, times=2)
        assert f"counts {own() + 3} prompt tokens where the model's own template makes {own()}:" in said


@pytest.mark.parametrize("reply", [streamed({"content": "yes"}), streamed({"content": "yes"}, usage=2, prompt=own())])
def test_the_same_prompt_is_not_told_of(server: Played, reply: Reply) -> None:
    """A prompt of as many tokens is well, and so is one that the server does not count."""
    assert told(decoder(server), server, reply) == []


def test_what_the_template_is_asked_is_counted(server: Played) -> None:
    """The own count is of the prompt with thinking as it is asked for."""
    assert own(thinking=False) != own()
    reply = streamed({"content": "yes"}, usage=2, prompt=own(thinking=False))
    assert told(decoder(server, "off"), server, reply) == []


@pytest.mark.parametrize("usage", [{}, {"usage": 4, "prompt": own()}])
@pytest.mark.parametrize("deltas", [[{"reasoning": "hm"}, {"content": "yes"}], [{"content": "<think>hm</think>yes"}]])
def test_a_thought_that_was_not_to_be_is_an_error(
    server: Played, usage: dict[str, int], deltas: list[dict[str, str]]
) -> None:
    """Where nothing shows that the template was told, a thought is an error that says how else to tell a server."""
    asking = decoder(server, "off")
    said = complaint(lambda: told(asking, server, streamed(*deltas, **usage)))
    assert "does not pass enable_thinking on" in said
    assert 'body = { reasoning_effort = "none" }' in said


def test_a_model_may_think_though_told_not_to(server: Played) -> None:
    """Where the counts agree the model was told, and its thought is its own."""
    reply = streamed({"reasoning": "hm"}, {"content": "yes"}, usage=4, prompt=own(thinking=False))
    assert told(decoder(server, "off"), server, reply) == []


def test_prose_is_no_thought(server: Played) -> None:
    """A few words before an answer are not what thinking off forbids."""
    assert (
        told(decoder(server, "off"), server, streamed({"content": "so it is then "}, {"content": "\\boxed{A}"})) == []
    )


@pytest.mark.parametrize(("share", "warm"), [(0.81, True), (0.5, False)])
def test_a_warm_cache_is_told_of(server: Played, share: float, *, warm: bool) -> None:
    """Where most of a timed prompt came from the server's cache, the first token's time is a warm cache's."""
    cached = round(share * own())
    said = told(decoder(server), server, streamed({"content": "yes"}, usage=2, prompt=own(), cached=cached), times=2)
    assert [f"takes {cached} of a prompt's {own()} tokens from its cache" in one for one in said] == [True] * warm


def test_a_warm_up_is_not_told_of(server: Played) -> None:
    """A call that is not read, as a warm-up's is not, is no timed one."""
    asking = decoder(server)
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, usage=2, prompt=own(), cached=own())]
    asking.run(asking.prepare([HI]))


def test_an_answer_in_one_piece_is_told_of(server: Played) -> None:
    """A stream that something holds back has no time to the first token, and that is told."""
    asking = decoder(server)
    (said,) = told(asking, server, streamed({"content": "a b c"}, usage=30, prompt=own()), times=2)
    assert "comes in one piece: something between buffers it" in said
    call = asking.prepare([HI])
    asking.run(call)
    assert call.first_token_seconds is None
    assert call.seconds > 0


def test_rendering_is_no_part_of_a_call(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt is rendered as it is prepared, and not again while it is timed."""
    asking = decoder(server)
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, usage=2, prompt=own())]
    call: Call = asking.prepare([HI])
    monkeypatch.setattr(Prompts, "text", None)
    asking.run(call.again())


@pytest.fixture
def repeating(tmp_path: Path) -> Path:
    """Return a model's folder whose generation configuration has a penalty."""
    folder = shutil.copytree(FOLDER, tmp_path / "model")
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "repetition_penalty": 1.05}))
    return folder


@pytest.mark.parametrize("body", [{}, {"min_tokens": 4}, {"generation_config": '{"min_new_tokens": 4}'}])
def test_a_penalty_is_told_of(server: Played, repeating: Path, body: dict[str, Any]) -> None:
    """A penalty that servers apply and eager decoding does not is told of, and how to switch it off."""
    with pytest.warns(
        EndpointWarning, match=r"repetition_penalty = 1.05 of the model's .*\{ repetition_penalty = 1.0 \}"
    ):
        decoder(server, folder=repeating, body=body)


@pytest.mark.parametrize(
    "body", [{"repetition_penalty": 1.0}, {"generation_config": '{"repetition_penalty": 1.0, "eos_token_id": 2}'}]
)
def test_a_penalty_that_a_study_speaks_of_is_not_told_of(server: Played, repeating: Path, body: dict[str, Any]) -> None:
    """Where body says it, the study's word holds."""
    decoder(server, folder=repeating, body=body)


@pytest.mark.parametrize(
    "text", [None, "no json", "[1]", '{"repetition_penalty": "much"}', '{"repetition_penalty": 1}']
)
def test_no_penalty_is_not_told_of(server: Played, tmp_path: Path, text: str | None) -> None:
    """Without a generation configuration, or a penalty in it, there is nothing to tell."""
    if text is not None:
        (tmp_path / "generation_config.json").write_text(text)
    decoder(server, folder=tmp_path)


def test_the_timeout_is_the_studys(server: Played) -> None:
    """A study's timeout is that of every answer, and an answer that is late names it."""
    asking = decoder(server, timeout=0.1)
    said = complaint(lambda: told(asking, server, streamed({"content": "yes"}, pause=0.4)))
    assert "takes longer than timeout = 0.1 s" in said

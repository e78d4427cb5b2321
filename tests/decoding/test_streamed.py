"""What is made of a stream: text, tokens, thoughts, its end, and when it began."""

from typing import Any

import pytest

from tests.asking import answered, complaint
from tests.playing import Played, streamed
from tunescale_core.decoding.streamed import Said


def test_usage_counts_the_tokens(server: Played) -> None:
    """The tokens are the server's own count where it gives one."""
    one = answered(server, streamed({"role": "assistant"}, {"content": "so "}, {"content": "it is"}, usage=17))
    assert (one.text, one.tokens, one.finish, one.reasoning_tokens) == ("so it is", 17, "stop", 0)


@pytest.mark.parametrize(("finish", "tokens"), [("stop", 4), ("length", 3)])
def test_without_usage_the_text_is_counted(server: Played, finish: str, tokens: int) -> None:
    """Tokens are counted where the server gives no usage; an end marker counts as one, a limit as none."""
    one = answered(server, streamed({"content": "so it is"}, finish=finish))
    assert (one.tokens, one.finish) == (tokens, finish)


@pytest.mark.parametrize(
    ("said", "finish"),
    [("stop", "stop"), ("eos_token", "stop"), ("eos", "stop"), ("stop_sequence", "stop"), ("length", "length")],
)
def test_servers_call_an_end_otherwise(server: Played, said: str, finish: str) -> None:
    """Whatever a server calls it, an answer ended by itself or at the limit."""
    assert answered(server, streamed({"content": "yes"}, finish=said)).finish == finish


@pytest.mark.parametrize("said", ["content_filter", "abort", "tool_calls", "error"])
def test_an_answer_that_was_not_finished_is_none(server: Played, said: str) -> None:
    """An answer that ended for another reason is an error that names the reason."""
    expected = f"breaks off an answer (its finish reason is {said})"
    assert expected in complaint(lambda: answered(server, streamed({"content": "so"}, finish=said)))


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_a_thought_goes_back_in_front(server: Played, name: str) -> None:
    """Thought that the server took out of the text stands before it again, and its tokens are counted."""
    one = answered(server, streamed({name: "hm "}, {name: "well"}, {"content": "\n\nyes"}, usage=9))
    assert (one.text, one.reasoning_tokens) == ("<think>hm well</think>\n\nyes", 2)


def test_content_in_parts_is_read(server: Played) -> None:
    """Content that comes as a list of parts, thoughts among them, is read as text is."""
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm "}, {"type": "text", "text": "well"}]}]
    one = answered(server, streamed({"content": thought}, {"content": [{"type": "text", "text": "yes"}]}))
    assert (one.text, one.reasoning_tokens) == ("<think>hm well</think>yes", 2)


def test_cached_tokens_are_read(server: Played) -> None:
    """What of a prompt came from a server's cache is in the completion; None where it does not say."""
    assert answered(server, streamed({"content": "yes"}, usage=2, prompt=100, cached=96)).cached_tokens == 96
    assert answered(server, streamed({"content": "yes"}, usage=2)).cached_tokens is None


@pytest.mark.parametrize(
    ("deltas", "tokens", "known"),
    [(("so it is",), 9, False), (("so it is",), 8, True), (("so ", "it is"), 9, True)],
)
def test_an_answer_in_one_piece_has_no_first_token(
    server: Played, deltas: tuple[str, ...], tokens: int, *, known: bool
) -> None:
    """Where many tokens come in one piece, nobody can say when the first was there."""
    one = answered(server, streamed(*({"content": delta} for delta in deltas), usage=tokens))
    assert (one.first_token_seconds is not None) is known


def test_a_blank_thought_is_the_prompts(server: Played) -> None:
    """A blank thought that the server sends back from its prompt is no part of the text, nor its first token."""
    assert answered(server, streamed({"reasoning_content": "\n\n"}, {"content": "\n\nyes"})).text == "yes"
    said = Said()
    for at, delta in enumerate(({"reasoning_content": "\n\n"}, {"content": "\n\nyes"})):
        said.take(chunk(delta), float(at))
    assert said.first == 1.0


def chunk(delta: dict[str, str]) -> Any:
    """Return a chunk as the package hands it over."""
    from openai.types.chat import ChatCompletionChunk

    choices = [{"index": 0, "delta": delta}]
    return ChatCompletionChunk.model_validate(
        {"id": "", "created": 0, "model": "tiny", "object": "chat.completion.chunk", "choices": choices}
    )


def test_an_empty_answer_begins_where_it_ends(server: Played) -> None:
    """An answer of nothing but its end has a first token all the same."""
    one = answered(server, streamed(usage=1))
    assert (one.text, one.tokens) == ("", 1)
    assert 0 < (one.first_token_seconds or 0) < (one.seconds or 0)

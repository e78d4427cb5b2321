"""Asking a server: what is sent, what comes back, and what a faulty one lacks, said clearly."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import httpx2
import pytest

from tests.asking import HI, LIMIT, answered, asker, complaint
from tests.playing import STREAM, Played, Reply, listing, streamed
from tunescale_core.decoding import endpoint
from tunescale_core.decoding.faults import Faults
from tunescale_core.decoding.key import Key
from tunescale_core.decoding.streamed import Said
from tunescale_core.errors import EndpointError


def test_a_request_asks_for_greedy_decoding_and_usage(server: Played) -> None:
    """A request streams at temperature 0 with the limit and usage, and says nothing of thinking unless told to."""
    for thinking in ("free", "on", "off"):
        answered(server, streamed({"content": "yes"}), thinking=thinking)
    free = server.asked[0]
    assert free == {
        "model": "tiny",
        "messages": list(HI),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_tokens": LIMIT,
    }
    assert [{**free, "chat_template_kwargs": {"enable_thinking": on}} for on in (True, False)] == server.asked[1:]


def test_further_fields_go_along(server: Played) -> None:
    """What a study's body holds is in every request, beside what the protocol says."""
    answered(server, streamed({"content": "yes"}), thinking="on", body={"min_tokens": 4, "ignore_eos": True})
    assert server.asked[0].items() >= {"min_tokens": 4, "ignore_eos": True, "temperature": 0}.items()
    assert server.asked[0]["chat_template_kwargs"] == {"enable_thinking": True}


def test_a_shorter_answer_than_asked_for_is_an_error(server: Played) -> None:
    """A server that does not keep to min_new_tokens is told of, and how servers are asked for it."""
    reply = streamed({"content": "so it is"}, usage=3)
    assert answered(server, reply, min_new_tokens=3).tokens == 3
    said = complaint(lambda: answered(server, reply, min_new_tokens=4))
    assert "an answer of 3 tokens where min_new_tokens is 4" in said
    assert "{ min_tokens = 4 }" in said


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


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply("<html>\nHi</html>", kind="text/html"), "no OpenAI-compatible API: a chat completion is answered with"),
        (Reply('{"choices": []}'), "answered with application/json, not with a stream"),
        (Reply("data: {no json\n\n", kind=STREAM), "its answer is not JSON"),
        (streamed({"content": "so"}, finish=None), "breaks off an answer (it ends without a finish reason)"),
        (streamed({"content": "so"}, missing=9), "breaks off an answer (peer closed connection"),
        (Reply('data: {"error": {"message": "out of\\nmemory"}}\n\n', kind=STREAM), "answers: out of memory"),
        (Reply('data: {"error": "out of\\nmemory"}\n\n', kind=STREAM), "fails while it answers: out of memory"),
        (Reply("no\nroom", 500), "fails 3 times in a row (HTTP 500): no room; its log"),
        (Reply("slow down", 429), "fails 3 times in a row (HTTP 429)"),
        (Reply('{"error": {"message": "too long"}}', 400), "'tiny' (HTTP 400): too long"),
        (Reply('{"detail": "pinned to x"}', 400), "'tiny' (HTTP 400): pinned to x"),
        (Reply("{}", 401), "does not let us in (HTTP 401): set api_key_env"),
        (Reply('{"error": {"message": "no such\\nplan"}}', 403), "that it accepts; it says: no such plan"),
    ],
)
def test_a_faulty_answer_is_one_clear_line(server: Played, reply: Reply, expected: str) -> None:
    """Whatever is wrong with an answer, one line names the server and what it did."""
    server.replies["/chat/completions"] = [reply]
    said = complaint(asker(server.url).ask, HI)
    assert said.startswith(server.url)
    assert expected in said


def test_a_late_answer_is_not_waited_for(server: Played) -> None:
    """A server that takes longer than the timeout over an answer is said to."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=0.3)]
    assert "takes longer than timeout = 0.1 s over an answer" in complaint(asker(server.url, timeout=0.1).ask, HI)


def test_the_timeout_is_the_whole_answers(server: Played) -> None:
    """A server that says a word now and then does not put the timeout off."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=0.1)]
    asking = asker(server.url)
    asking.timeout = 0.05
    assert "takes longer than timeout = 0.05 s" in complaint(asking.ask, HI)


def test_nobody_there() -> None:
    """Where no server listens, the error says so and that it was refused."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    for action in (asker(url).check, lambda: asker(url).ask(HI)):
        said = complaint(action)
        assert said.startswith(f"no server answers at {url} (")
        assert "refused" in said


def test_nobody_takes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes no connection is given up on long before an answer's timeout, and said to be absent."""
    monkeypatch.setattr(endpoint, "CONNECTING", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        for _ in range(3):
            queued = waiting.enter_context(socket.socket())
            queued.setblocking(False)  # noqa: FBT003  the standard library's own
            queued.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        assert complaint(asker(url).ask, HI).startswith(f"no server answers at {url} (")


def test_a_listed_model_is_not_asked(server: Played) -> None:
    """A check asks for the models, and for nothing more where the model is among them."""
    asker(server.url).check()
    assert server.asked == []


def test_an_unlisted_model_says_one_token(server: Played) -> None:
    """A model that answers passes a check although no list names it."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, finish="length"), Reply("{}", 404)]
    asker(server.url, model="hidden").check()
    assert [(one["model"], one["max_tokens"]) for one in server.asked] == [("hidden", 1), (endpoint.NOBODY, 1)]


def test_a_server_that_answers_to_any_name_is_refused(server: Played) -> None:
    """Where the one model there is answers to every name, a study would measure it as another: an error says so."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"})]
    said = complaint(asker(server.url, model="hidden").check)
    assert "answers to any model name and lists only tiny, big: set model to one of them" in said


def test_a_server_without_a_list_may_answer_to_any_name(server: Played) -> None:
    """A server that lists nothing is asked for the model alone."""
    server.replies = {"/models": [listing()], "/chat/completions": [streamed({"content": "yes"})]}
    asker(server.url).check()
    assert [one["model"] for one in server.asked] == ["tiny"]


def test_a_probe_asks_for_the_least_there_may_be(server: Played) -> None:
    """A probe's limit is not below the length that body forces, which servers refuse."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, finish="length"), Reply("{}", 404)]
    asker(server.url, model="hidden", min_new_tokens=64, body={"min_tokens": 64}).check()
    assert {one["max_tokens"] for one in server.asked} == {64}


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_cannot_list_is_asked(server: Played, status: int) -> None:
    """A check passes where the model answers although the list of models does not."""
    server.replies = {"/models": [Reply("no", status)], "/chat/completions": [streamed({"content": "yes"})]}
    asker(server.url).check()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (listing("tiny", "big"), "has no model 'other': name one that it lists (tiny, big)"),
        (listing("other"), "lists the model 'other' but has no chat completions"),
        (listing(), "has no model 'other': name one that it lists (none at all)"),
        (Reply("{}", 404), "has neither chat completions nor models: correct the URL"),
    ],
)
def test_a_missing_model_is_told_from_a_wrong_url(server: Played, models: Reply, expected: str) -> None:
    """A 404 names the models there are, or says that the URL is wrong."""
    server.replies["/models"] = [models]
    assert expected in complaint(asker(server.url, model="other").ask, HI)


@pytest.mark.parametrize(
    "reply", [Reply("<html></html>", kind="text/html"), Reply("{}"), Reply("[1]"), Reply("no json")]
)
def test_a_page_is_no_server(server: Played, reply: Reply) -> None:
    """A check of something that lists no models says that it is no such API."""
    server.replies["/models"] = [reply]
    assert "is no OpenAI-compatible API" in complaint(asker(server.url).check)


def test_a_key_comes_from_its_variable_alone(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is read at the call, sent to the server, and kept nowhere; OPENAI_API_KEY goes nowhere uncalled."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    asker(server.url).check()
    asking = asker(server.url, api_key_env="TINY_KEY")
    assert "TINY_KEY, which is not set" in complaint(asking.check)
    monkeypatch.setenv("TINY_KEY", "sk-secret")
    asking.check()
    assert server.keys == ["Bearer none", "Bearer sk-secret"]
    assert "sk-secret" not in str(vars(asking))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_not_shown(server: Played, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """A server that refuses the key leaves an error with the variable's name."""
    monkeypatch.setenv("TINY_KEY", "sk-secret")
    server.replies["/models"] = [Reply('{"error": {"message": "sk-secret is wrong"}}', status)]
    said = complaint(asker(server.url, api_key_env="TINY_KEY").check)
    assert f"does not let us in (HTTP {status}): set TINY_KEY" in said
    assert "it says: *** is wrong" in said
    assert "sk-secret" not in said


def test_a_key_is_stripped(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was read from a file with its line break is sent without, and blotted out with and without."""
    monkeypatch.setenv("TINY_KEY", " sk-secret\r\n")
    asking = asker(server.url, api_key_env="TINY_KEY")
    asking.check()
    assert server.keys == ["Bearer sk-secret"]
    server.replies["/chat/completions"] = [Reply('{"error": {"message": "sk-secret has no credit"}}', 400)]
    assert "*** has no credit" in complaint(asking.ask, HI)


@pytest.mark.parametrize("key", ["sk-sécret", "sk-se\ncret", "sk-se\x7fcret", " \n"])
def test_what_no_header_can_hold_is_named_not_shown(server: Played, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """A key that cannot be sent is an error that names its variable alone; no part of the key is in it."""
    monkeypatch.setenv("TINY_KEY", key)
    for action in (asker(server.url, api_key_env="TINY_KEY").check, lambda: answered(server, api_key_env="TINY_KEY")):
        said = complaint(action)
        assert said.startswith("TINY_KEY, for ")
        assert "sk-" not in said
        assert "cret" not in said
    assert server.keys == []


def test_an_untrusted_certificate_is_told_of() -> None:
    """A certificate that nobody vouches for is said to be that, and where to name who does."""
    import openai

    url = "https://127.0.0.1/v1"
    faults = Faults(url, "tiny", Key(url, None), list)
    with pytest.raises(EndpointError, match="SSL_CERT_FILE") as caught, faults.explained(1.0):
        raise openai.APIConnectionError(request=httpx2.Request("GET", url)) from OSError(
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1)"
        )
    assert str(caught.value).startswith(f"the certificate of {url} is not trusted ([SSL: ")


def test_a_server_that_repeats_the_key_is_not_quoted(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in a server's own words is blotted out."""
    monkeypatch.setenv("TINY_KEY", "sk-secret")
    server.replies["/chat/completions"] = [Reply('{"error": {"message": "sk-secret has no credit"}}', 400)]
    assert "*** has no credit" in complaint(asker(server.url, api_key_env="TINY_KEY").ask, HI)


def test_a_password_in_the_url_is_refused() -> None:
    """A URL, which stands in records, holds no secret; nor does the error."""
    assert "hush" not in complaint(asker, "http://me:hush@127.0.0.1/v1")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where openai is not installed, the error says what to install."""
    monkeypatch.setitem(sys.modules, "openai", None)
    assert "pip install 'tunescale[endpoint]'" in complaint(lambda: asker("http://127.0.0.1/v1"))


def test_what_asking_needs_is_imported_before() -> None:
    """The package is imported neither with ours nor within a timed request, but in between."""
    program = (
        "import sys; from tunescale_core.decoding.endpoint import Endpoint; print('openai' in sys.modules);"
        "Endpoint('http://127.0.0.1/v1', 'tiny', max_new_tokens=1, count=len);"
        "print('openai.resources.chat.completions' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("size", [1, 3])
def test_requests_overlap(server: Played, size: int) -> None:
    """As many requests as asked for are under way at once, and no more; each has its own seconds, places are kept."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=0.2)]
    ones = list(asker(server.url).together([HI] * 4, size))
    assert server.most == size
    assert [place for place, _ in ones] == [0, 1, 2, 3]
    assert all(one.seconds is not None and one.seconds > 0.2 for _, one in ones)


INTERRUPTED = """
import os, signal, sys, threading
from tunescale_core.decoding.endpoint import Endpoint

asking = Endpoint(sys.argv[1], "tiny", max_new_tokens=9, count=len)
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
list(asking.together([({"role": "user", "content": "Hi"},)] * 4, 2))
"""


def test_a_process_that_was_interrupted_ends(server: Played) -> None:
    """Ctrl-C ends the process too, and not only once the server has answered what is under way."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=20.0)]
    began = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED, server.url], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in ran.stderr
    assert time.perf_counter() - began < 15


def test_an_interrupt_waits_for_no_answer(server: Played) -> None:
    """Ctrl-C while requests are under way is an interrupt at once, however long the server takes to answer."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=3.0)]
    asking = asker(server.url)
    threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        list(asking.together([HI] * 4, 2))
    assert time.perf_counter() - began < 2.5


def test_one_failure_ends_the_rest(server: Played) -> None:
    """After a failed request no more are sent."""
    server.replies["/chat/completions"] = [Reply("{}", 400)]
    assert "HTTP 400" in complaint(lambda: list(asker(server.url).together([HI] * 50, 2)))
    assert len(server.asked) < 10

"""Asking a server: what is sent, what comes back, and what a faulty one lacks, said clearly."""

import contextlib
import socket
import subprocess
import sys

import httpx2
import pytest

from tests.asking import HI, LIMIT, answered, asker, complaint
from tests.playing import STREAM, Played, Reply, listing, streamed
from tunescale_core.decoding import endpoint
from tunescale_core.decoding.faults import Faults
from tunescale_core.decoding.key import Key
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

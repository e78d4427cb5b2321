"""Asking a model that a server holds: any server that speaks OpenAI's chat completions, given by its URL."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from tunescale_core.decoding.completion import Completion
from tunescale_core.errors import EndpointError
from tunescale_core.reasoning import reasoning
from tunescale_core.serving import Thinking
from tunescale_core.tasks.task import Message

WAITS = (1.0, 4.0)
"""Seconds before each further try of a request that a server was too busy or too broken to take."""
CONNECTING = 10.0
"""Seconds within which a server that runs takes a connection, however long its answers are."""
LONGEST = 300
"""Characters of a server's own words that an error repeats."""
_Answer = TypeVar("_Answer")
_PROBE: tuple[Message, ...] = ({"role": "user", "content": "Hi"},)


class Endpoint:
    """Greedy answers of one model behind a URL, each timed as whoever asks for it sees it."""

    def __init__(  # noqa: PLR0913  a server, its model and how it is asked
        self,
        url: str,
        model: str,
        *,
        max_new_tokens: int,
        count: Callable[[str], int],
        thinking: Thinking = "free",
        api_key_env: str | None = None,
        timeout: float = 600.0,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            url: Where the API starts, as in `http://127.0.0.1:8000/v1`.
            model: The name that the server knows the model by.
            max_new_tokens: Tokens after which an answer ends.
            count: Tokens of a text by the model's own tokenizer, for servers that do not say.
            thinking: Goes to the chat template as `enable_thinking`.
            api_key_env: The environment variable that holds the key; None for a server that wants none.
            timeout: Seconds that one answer may take.

        Raises:
            EndpointError: The package of the `endpoint` extra is not installed, or a password stands in the URL.
        """
        try:
            import openai
        except ImportError as error:
            raise EndpointError(f"asking a server needs {error.name}: pip install 'tunescale[endpoint]'") from error
        if "@" in urlsplit(url).netloc:
            # The URL stands in records and messages.
            raise EndpointError("the URL of a server must not hold a password: give a key by an environment variable")
        self.url = url
        self.model = model
        self.max_new_tokens = max_new_tokens
        self.count = count
        self.thinking = thinking
        self.api_key_env = api_key_env
        self.timeout = timeout
        self._client: Any = openai.OpenAI(
            base_url=url,
            # Given even where none is wanted: else the package would send OPENAI_API_KEY to whatever the URL names.
            api_key=self._key if api_key_env else "none",
            timeout=openai.Timeout(timeout, connect=min(timeout, CONNECTING)),
            # The package retries inside the call, so a clock around it would time a failure and a wait as an answer.
            # `_patiently` tries again instead, with a new clock.
            max_retries=0,
        )
        # Looked up here since the package imports what belongs to it on first use, which takes a good while.
        self._create: Any = self._client.chat.completions.create

    def check(self) -> None:
        """Find out before anything is measured that the server is there, lets us in and has the model.

        A model that is not listed is asked for one token: a server may hold more than it lists.

        Raises:
            EndpointError: One line that names the server and what to do.
        """
        with self._explained():
            if not self._patiently(self._known):
                self._patiently(lambda: self._timed(_PROBE, 1))

    def ask(self, messages: Sequence[Message]) -> Completion:
        """Return the model's answer, its seconds taken from just before the request to the end of the stream.

        Setting up a connection is among the seconds where none is open. The first token is there with the first
        chunk that holds text, be it thought; where an answer is empty, with the chunk that ends it.

        Raises:
            EndpointError: One line that names the server and what to do.
        """
        with self._explained():
            return self._patiently(lambda: self._timed(messages, self.max_new_tokens))

    def together(self, prompts: Sequence[Sequence[Message]], size: int) -> Iterator[tuple[int, Completion]]:
        """Yield (place, completion) for each prompt, in order, with `size` requests under way at any time.

        Each completion has its own seconds, which include what it waited for the others inside the server.

        Raises:
            EndpointError: One line that names the server and what to do; what was not asked yet stays unasked.
        """
        pool = ThreadPoolExecutor(size)
        try:
            yield from enumerate(pool.map(self.ask, prompts))
        finally:
            pool.shutdown(cancel_futures=True)

    def _timed(self, messages: Sequence[Message], limit: int) -> Completion:
        extra = {} if self.thinking == "free" else {"enable_thinking": self.thinking == "on"}
        said = _Said()
        began = time.perf_counter()
        stream = self._create(
            model=self.model,
            messages=list(messages),
            stream=True,
            stream_options={"include_usage": True},
            temperature=0,
            max_tokens=limit,
            extra_body={"chat_template_kwargs": extra} if extra else None,
        )
        with stream:
            for chunk in self._chunks(stream):
                said.take(chunk, time.perf_counter() - began)
                if time.perf_counter() - began > self.timeout:
                    raise EndpointError(self._late())
        return self._completed(said, time.perf_counter() - began)

    def _chunks(self, stream: Any) -> Iterator[Any]:
        """Yield what a stream brings.

        Raises:
            EndpointError: It is no stream, or it breaks off.
        """
        import openai

        kind = stream.response.headers.get("content-type", "nothing")
        if not kind.startswith("text/event-stream"):
            raise EndpointError(self._foreign(f"a chat completion is answered with {kind}, not with a stream"))
        try:
            yield from stream
        except openai.APITimeoutError:
            raise
        except openai.APIConnectionError as error:
            raise EndpointError(self._cut(str(error.__cause__))) from error

    def _completed(self, said: _Said, seconds: float) -> Completion:
        if said.finish is None:
            raise EndpointError(self._cut("it ends without a finish reason"))
        text = said.text
        finish: Literal["stop", "length"] = "length" if said.finish == "length" else "stop"
        thought = reasoning(text)
        return Completion(
            text=text,
            # Servers count the end marker among the tokens, as `Decoder` does.
            tokens=self.count(text) + (finish == "stop") if said.tokens is None else said.tokens,
            finish=finish,
            reasoning_tokens=self.count(thought) if thought else 0,
            seconds=seconds,
            first_token_seconds=said.first,
            prompt_tokens=said.prompt_tokens,
        )

    def _known(self) -> bool:
        """Tell whether the server lists the model; one that cannot list may answer all the same."""
        import openai

        try:
            return self.model in self._listed()
        except (openai.NotFoundError, openai.InternalServerError):
            return False

    def _listed(self) -> list[str]:
        """Return the names under which the server lists models.

        Raises:
            EndpointError: It answers with something else than a list of models.
        """
        answer = self._client.get("/models", cast_to=object)
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, list):
            raise EndpointError(self._foreign("/models is answered with no list of models"))
        return [str(one.get("id")) for one in data if isinstance(one, dict)]

    def _key(self) -> str:
        """Read the key when a request is made, so that it is kept nowhere.

        Raises:
            EndpointError: The variable is not set.
        """
        key = os.environ.get(self.api_key_env or "", "")
        if not key:
            raise EndpointError(f"the key of {self.url} is to come from {self.api_key_env}, which is not set: set it")
        return key

    def _patiently(self, request: Callable[[], _Answer]) -> _Answer:
        """Repeat a request that a server is too busy or too broken to take, a few times."""
        import openai

        for wait in WAITS:
            try:
                return request()
            except (openai.InternalServerError, openai.RateLimitError):
                time.sleep(wait)
        return request()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what goes wrong on the way into one line that says what to do."""
        import openai

        try:
            yield
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            # Told by its name: the class belongs to the HTTP client, which is the package's own affair.
            connected = type(cause).__name__ != "ConnectTimeout"
            if isinstance(error, openai.APITimeoutError) and connected:
                raise EndpointError(self._late()) from error
            raise EndpointError(self._absent(str(cause))) from error
        except openai.APIStatusError as error:
            raise EndpointError(self._refused(error.status_code, _words(error))) from error
        except openai.APIError as error:
            raise EndpointError(f"{self.url} fails while it answers: {self._line(error.message)}") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise EndpointError(self._foreign("its answer is not JSON")) from error

    def _refused(self, status: int, words: str) -> str:
        if status in {401, 403}:
            advice = f"set {self.api_key_env} to a key" if self.api_key_env else "set api_key_env to a key's variable,"
            return f"{self.url} does not let us in (HTTP {status}): {advice} that it accepts"
        if status == 404:
            return f"{self.url} {self._missing()}"
        if status == 429 or status >= 500:
            tries = len(WAITS) + 1
            return f"{self.url} fails {tries} times in a row (HTTP {status}): {self._line(words)}; its log may say why"
        return f"{self.url} refuses a request for model {self.model!r} (HTTP {status}): {self._line(words)}"

    def _missing(self) -> str:
        """Say what a server that answers 404 lacks: the model, or the whole API."""
        import openai

        try:
            names = self._listed()
        except (openai.OpenAIError, EndpointError, ValueError):
            return "has neither chat completions nor models: correct the URL (it usually ends in /v1)"
        if self.model in names:
            return f"lists the model {self.model!r} but has no chat completions for it: see how it was started"
        listed = self._line(", ".join(names)) or "none at all"
        return f"has no model {self.model!r}: name one that it lists ({listed})"

    def _absent(self, how: str) -> str:
        return f"no server answers at {self.url} ({self._line(how)}): start it, or correct the URL"

    def _late(self) -> str:
        return f"{self.url} takes longer than {self.timeout:g} s over an answer: raise the timeout, or ask for less"

    def _cut(self, how: str) -> str:
        return f"{self.url} breaks off an answer ({self._line(how)}): its log may say why"

    def _foreign(self, how: str) -> str:
        return f"{self.url} is no OpenAI-compatible API: {how}; correct the URL (it usually ends in /v1)"

    def _line(self, words: str) -> str:
        """Make a server's words one line without the key, should it repeat that."""
        key = os.environ.get(self.api_key_env or "")
        return " ".join((words.replace(key, "***") if key else words).split())[:LONGEST]


@dataclass
class _Said:
    """What a stream has brought so far, and when."""

    thought: str = ""
    content: str = ""
    first: float | None = None
    finish: str | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None

    def take(self, chunk: Any, at: float) -> None:
        """Add a chunk that came `at` seconds after the request."""
        if usage := getattr(chunk, "usage", None):
            self.tokens, self.prompt_tokens = usage.completion_tokens, usage.prompt_tokens
        for choice in getattr(chunk, "choices", None) or ():
            delta = choice.delta
            self.thought += getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
            self.content += getattr(delta, "content", None) or ""
            self.finish = choice.finish_reason or self.finish
            # A blank thought may be the prompt's, sent back before anything was generated (see `text`).
            if self.first is None and (self.thought.strip() or self.content or self.finish):
                self.first = at

    @property
    def text(self) -> str:
        """The answer as its model wrote it, a thought that the server took out of it back in front.

        Special tokens are the server's to leave out. A blank thought is how templates switch thinking off, inside
        the prompt; servers that read the prompt along with the answer (`transformers serve`) send it back, with the
        line breaks after it, although nobody generated it, so it goes.
        """
        if not self.thought:
            return self.content
        if not self.thought.strip():
            return self.content.lstrip("\n")
        return f"<think>{self.thought}</think>{self.content}"


def _words(error: Any) -> str:
    """Return what a server itself says of an error, wherever it says it."""
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message") or body.get("detail") or body)
    return str(body or error.response.text or "it says nothing")

"""Asking a model that a server holds: any server that speaks OpenAI's chat completions, given by its URL."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from tunescale_core.decoding.completion import Completion
from tunescale_core.decoding.faults import Faults
from tunescale_core.decoding.streamed import Said
from tunescale_core.errors import EndpointError
from tunescale_core.study.serving import Thinking
from tunescale_core.tasks.reasoning import reasoning
from tunescale_core.tasks.task import Message

WAITS = (1.0, 4.0)
"""Seconds before each further try of a request that a server was too busy or too broken to take."""
CONNECTING = 10.0
"""Seconds within which a server that runs takes a connection, however long its answers are."""
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
        min_new_tokens: int = 0,
        body: Mapping[str, object] | None = None,
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
            min_new_tokens: Tokens that an answer must have. Servers have no one name for it: `body` is to ask for it,
                and each answer is held to it.
            body: Further fields of each request, as the server names them.
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
        self.min_new_tokens = min_new_tokens
        self.body = dict(body or {})
        self.thinking = thinking
        self.api_key_env = api_key_env
        self.timeout = timeout
        self._faults = Faults(url, model, api_key_env, len(WAITS) + 1, self._listed)
        self._interrupted = threading.Event()
        """Answers that are under way then end with their next token, and are not waited for."""
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
        with self._faults.explained(self.timeout):
            if not self._patiently(self._known):
                self._patiently(lambda: self._timed(_PROBE, 1))

    def ask(self, messages: Sequence[Message]) -> Completion:
        """Return the model's answer, its seconds taken from just before the request to the end of the stream.

        Setting up a connection is among the seconds where none is open. The first token is there with the first
        chunk that holds text, be it thought; where an answer is empty, with the chunk that ends it.

        Raises:
            EndpointError: One line that names the server and what to do; also for a shorter answer than is asked for.
        """
        with self._faults.explained(self.timeout):
            completion = self._patiently(lambda: self._timed(messages, self.max_new_tokens))
        if completion.tokens < self.min_new_tokens:
            raise EndpointError(self._faults.short(completion.tokens, self.min_new_tokens))
        return completion

    def together(self, prompts: Sequence[Sequence[Message]], size: int) -> Iterator[tuple[int, Completion]]:
        """Yield (place, completion) for each prompt, in order, with `size` requests under way at any time.

        Each completion has its own seconds, which include what it waited for the others inside the server.

        Raises:
            EndpointError: One line that names the server and what to do; what was not asked yet stays unasked.
        """
        self._interrupted = threading.Event()
        failed = threading.Event()
        answers: list[Future[Completion]] = [Future() for _ in prompts]
        places = iter(range(len(prompts)))
        # Not a pool's threads: Python waits for those when it ends, however long a server takes to answer.
        workers = [
            threading.Thread(target=self._answer, args=(prompts, answers, places, failed), daemon=True)
            for _ in range(min(size, len(prompts)))
        ]
        for worker in workers:
            worker.start()
        try:
            for place, answer in enumerate(answers):
                yield place, answer.result()
        except (KeyboardInterrupt, GeneratorExit):
            self._interrupted.set()
            raise
        except BaseException:
            failed.set()
            for worker in workers:  # what is under way would be timed with what is asked next
                worker.join()
            raise

    def _answer(
        self,
        prompts: Sequence[Sequence[Message]],
        answers: Sequence[Future[Completion]],
        places: Iterator[int],
        failed: threading.Event,
    ) -> None:
        """Ask the next prompt that nobody has asked, until there is none, or one has failed."""
        interrupted = self._interrupted
        while not (failed.is_set() or interrupted.is_set()) and (place := next(places, None)) is not None:
            try:
                answers[place].set_result(self.ask(prompts[place]))
            except BaseException as error:  # noqa: BLE001  whoever waits for the answer gets it
                answers[place].set_exception(error)
                failed.set()

    def _timed(self, messages: Sequence[Message], limit: int) -> Completion:
        body = dict(self.body)
        if self.thinking != "free":
            body["chat_template_kwargs"] = {"enable_thinking": self.thinking == "on"}
        said, interrupted = Said(), self._interrupted
        began = time.perf_counter()
        stream = self._create(
            model=self.model,
            messages=list(messages),
            stream=True,
            stream_options={"include_usage": True},
            temperature=0,
            max_tokens=limit,
            extra_body=body or None,
        )
        with stream:
            for chunk in self._chunks(stream):
                said.take(chunk, time.perf_counter() - began)
                if interrupted.is_set():
                    raise EndpointError(self._faults.cut("this run was interrupted"))
                if time.perf_counter() - began > self.timeout:
                    raise EndpointError(self._faults.late(self.timeout))
        return self._completed(said, time.perf_counter() - began)

    def _chunks(self, stream: Any) -> Iterator[Any]:
        """Yield what a stream brings.

        Raises:
            EndpointError: It is no stream, or it breaks off.
        """
        import openai

        kind = stream.response.headers.get("content-type", "nothing")
        if not kind.startswith("text/event-stream"):
            raise EndpointError(self._faults.foreign(f"a chat completion is answered with {kind}, not with a stream"))
        try:
            yield from stream
        except openai.APITimeoutError:
            raise
        except openai.APIConnectionError as error:
            raise EndpointError(self._faults.cut(str(error.__cause__))) from error

    def _completed(self, said: Said, seconds: float) -> Completion:
        if said.finish is None:
            raise EndpointError(self._faults.cut("it ends without a finish reason"))
        text = said.text
        finish: Literal["stop", "length"] = "length" if said.finish == "length" else "stop"
        thought = reasoning(text)
        return Completion(
            text=text,
            # Servers count the end marker among the tokens, as `Reader` does.
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
            raise EndpointError(self._faults.foreign("/models is answered with no list of models"))
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
                if self._interrupted.wait(wait):
                    raise
        return request()

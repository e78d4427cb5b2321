"""Asking a model that a server holds: any server that speaks OpenAI's chat completions, given by its URL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tunescale_core.decoding.completion import Completion, Finish
from tunescale_core.decoding.faults import Faults
from tunescale_core.decoding.key import Key
from tunescale_core.decoding.patience import patiently
from tunescale_core.decoding.refusal import is_loading
from tunescale_core.decoding.streamed import Said
from tunescale_core.decoding.together import Ends, asked_together
from tunescale_core.errors import EndpointError
from tunescale_core.study.serving import TIMEOUT, Thinking
from tunescale_core.tasks.reasoning import reasoning
from tunescale_core.tasks.task import Message

CONNECTING = 10.0
"""Seconds within which a server that runs takes a connection, however long its answers are."""
NOBODY = "tunescale-no-such-model"
"""A name that no server knows a model by."""
FINISHES: Mapping[str, Finish] = {
    **dict.fromkeys(("stop", "eos_token", "eos", "stop_sequence"), "stop"),
    "length": "length",
}
"""What servers call an answer's end; any other reason is that of an answer which was not finished."""
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
        timeout: float = TIMEOUT,
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
        self.timeout = timeout
        key = Key(url, api_key_env)
        self._faults = Faults(url, model, key, self._listed)
        self._ends = Ends()
        self._client: Any = openai.OpenAI(
            base_url=url,
            # Given even where none is wanted: else the package would send OPENAI_API_KEY to whatever the URL names.
            api_key=key.read if api_key_env else "none",
            timeout=openai.Timeout(timeout, connect=min(timeout, CONNECTING)),
            # The package retries inside the call, so a clock around it would time a failure and a wait as an answer.
            # `patiently` tries again instead, with a new clock.
            max_retries=0,
        )
        # Looked up here since the package imports what belongs to it on first use, which takes a good while.
        self._create: Any = self._client.chat.completions.create

    def check(self) -> None:
        """Find out before anything is measured that the server is there, lets us in and has the model.

        A model that is not listed is asked for a word: a server may hold more than it lists. But some answer with the
        one model that they hold, whatever name they are asked for.

        Raises:
            EndpointError: One line that names the server and what to do.
        """
        with self._faults.explained(self.timeout):
            listed = self._patiently(self._names)
            if self.model in listed:
                return
            self._patiently(lambda: self._probed(self.model))
            if listed and self._answers_as(NOBODY):
                raise EndpointError(self._faults.any_name(listed))

    def ask(self, messages: Sequence[Message]) -> Completion:
        """Return the model's answer, its seconds taken from just before the request to the end of the stream.

        Setting up a connection is among the seconds where none is open. The first token is there with the first
        chunk that holds text, be it thought; where an answer is empty, with the chunk that ends it.

        Raises:
            EndpointError: One line that names the server and what to do; also for a shorter answer than is asked for.
        """
        with self._faults.explained(self.timeout):
            completion = self._patiently(lambda: self._timed(messages, self.max_new_tokens, self.model))
        if completion.tokens < self.min_new_tokens:
            raise EndpointError(self._faults.short(completion.tokens, self.min_new_tokens))
        return completion

    def together(self, prompts: Sequence[Sequence[Message]], size: int) -> Iterator[tuple[int, Completion]]:
        """Yield (place, completion) for each prompt, in order, with `size` requests under way at any time.

        Each completion has its own seconds, which include what it waited for the others inside the server.

        Raises:
            EndpointError: One line that names the server and what to do; what was not asked yet stays unasked.
        """
        self._ends = Ends()
        yield from asked_together(self.ask, prompts, size, self._ends)

    def _timed(self, messages: Sequence[Message], limit: int, model: str) -> Completion:
        body = dict(self.body)
        if self.thinking != "free":
            body["chat_template_kwargs"] = {"enable_thinking": self.thinking == "on"}
        said, interrupted = Said(), self._ends.interrupted
        began = time.perf_counter()
        stream = self._create(
            model=model,
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
        if said.finish not in FINISHES:
            raise EndpointError(self._faults.cut(f"its finish reason is {said.finish}"))
        text, finish = said.text, FINISHES[said.finish]
        thought = reasoning(text)
        # Servers count the end marker among the tokens, as `Reader` does.
        tokens = self.count(text) + (finish == "stop") if said.tokens is None else said.tokens
        return Completion(
            text=text,
            tokens=tokens,
            finish=finish,
            reasoning_tokens=self.count(thought) if thought else 0,
            seconds=seconds,
            first_token_seconds=said.began(tokens),
            prompt_tokens=said.prompt_tokens,
            cached_tokens=said.cached_tokens,
        )

    def _probed(self, model: str) -> Completion:
        """Ask for as little as an answer may have: a server refuses a limit below the least that `body` asks for."""
        return self._timed(_PROBE, max(1, self.min_new_tokens), model)

    def _answers_as(self, model: str) -> bool:
        import openai

        try:
            self._probed(model)
        except (openai.OpenAIError, EndpointError, ValueError):
            return False
        return True

    def _names(self) -> list[str]:
        """Return the names that the server lists; one that cannot list may answer all the same."""
        import openai

        try:
            return self._listed()
        except openai.NotFoundError:
            return []
        except openai.InternalServerError as error:
            if is_loading(error):
                raise
            return []

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

    def _patiently(self, request: Callable[[], _Answer]) -> _Answer:
        return patiently(request, self._ends.over)

"""What goes wrong with a server, each in one line that names the server and says what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tunescale_core.errors import EndpointError

LONGEST = 300
"""Characters of a server's own words that an error repeats."""


@dataclass(frozen=True)
class Faults:
    """Tells of what one server does wrong."""

    url: str
    model: str
    api_key_env: str | None
    tries: int
    """How often a request is made that a server is too busy or too broken to take."""
    listed: Callable[[], list[str]]
    """Asks the server for the names of its models."""

    @contextmanager
    def explained(self, timeout: float) -> Iterator[None]:
        """Turn what goes wrong on the way into one line that says what to do; an answer may take so many seconds.

        Raises:
            EndpointError: That line.
        """
        import openai

        try:
            yield
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            # Told by its name: the class belongs to the HTTP client, which is the package's own affair.
            connected = type(cause).__name__ != "ConnectTimeout"
            if isinstance(error, openai.APITimeoutError) and connected:
                raise EndpointError(self.late(timeout)) from error
            raise EndpointError(self._absent(str(cause))) from error
        except openai.APIStatusError as error:
            raise EndpointError(self._refused(error.status_code, _words(error))) from error
        except openai.APIError as error:
            raise EndpointError(f"{self.url} fails while it answers: {self._line(error.message)}") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise EndpointError(self.foreign("its answer is not JSON")) from error

    def _refused(self, status: int, words: str) -> str:
        if status in {401, 403}:
            advice = f"set {self.api_key_env} to a key" if self.api_key_env else "set api_key_env to a key's variable,"
            return f"{self.url} does not let us in (HTTP {status}): {advice} that it accepts"
        if status == 404:
            return f"{self.url} {self._missing()}"
        if status == 429 or status >= 500:
            often = f"fails {self.tries} times in a row (HTTP {status})"
            return f"{self.url} {often}: {self._line(words)}; its log may say why"
        return f"{self.url} refuses a request for model {self.model!r} (HTTP {status}): {self._line(words)}"

    def _missing(self) -> str:
        """Say what a server that answers 404 lacks: the model, or the whole API."""
        import openai

        try:
            names = self.listed()
        except (openai.OpenAIError, EndpointError, ValueError):
            return "has neither chat completions nor models: correct the URL (it usually ends in /v1)"
        if self.model in names:
            return f"lists the model {self.model!r} but has no chat completions for it: see how it was started"
        listed = self._line(", ".join(names)) or "none at all"
        return f"has no model {self.model!r}: name one that it lists ({listed})"

    def _absent(self, how: str) -> str:
        return f"no server answers at {self.url} ({self._line(how)}): start it, or correct the URL"

    def late(self, timeout: float) -> str:
        """Say that an answer takes longer than so many seconds."""
        return f"{self.url} takes longer than {timeout:g} s over an answer: raise the timeout, or ask for less"

    def short(self, tokens: int, least: int) -> str:
        """Say that an answer ended too early."""
        how = f"ask for it by body, as {{ min_tokens = {least} }} for vLLM"
        return f"{self.url} gives an answer of {tokens} tokens where min_new_tokens is {least}: {how}"

    def cut(self, how: str) -> str:
        """Say that an answer broke off."""
        return f"{self.url} breaks off an answer ({self._line(how)}): its log may say why"

    def foreign(self, how: str) -> str:
        """Say that what answers speaks another protocol."""
        return f"{self.url} is no OpenAI-compatible API: {how}; correct the URL (it usually ends in /v1)"

    def _line(self, words: str) -> str:
        """Make a server's words one line without the key, should it repeat that."""
        key = os.environ.get(self.api_key_env or "")
        return " ".join((words.replace(key, "***") if key else words).split())[:LONGEST]


def _words(error: Any) -> str:
    """Return what a server itself says of an error, wherever it says it."""
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message") or body.get("detail") or body)
    return str(body or error.response.text or "it says nothing")

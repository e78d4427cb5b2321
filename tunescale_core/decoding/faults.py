"""What goes wrong with a server, each in one line that names the server and says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tunescale_core.decoding import patience
from tunescale_core.decoding.key import Key
from tunescale_core.decoding.refusal import is_dropped, is_untrusted, loads, words_of
from tunescale_core.errors import EndpointError

LONGEST = 300
"""Characters of a server's own words that an error repeats."""


@dataclass(frozen=True)
class Faults:
    """Tells of what one server does wrong."""

    url: str
    model: str
    key: Key
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
            raise EndpointError(self._unreached(error, str(cause))) from error
        except openai.APIStatusError as error:
            raise EndpointError(self._refused(error.status_code, words_of(error))) from error
        except openai.APIError as error:
            raise EndpointError(f"{self.url} fails while it answers: {self._line(words_of(error))}") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise EndpointError(self.foreign("its answer is not JSON")) from error

    def _refused(self, status: int, words: str) -> str:
        said = self._line(words)
        if status in {401, 403}:
            named = self.key.variable
            advice = f"set {named} to a key" if named else "set api_key_env to the variable of a key"
            return f"{self.url} does not let us in (HTTP {status}): {advice} that it accepts; it says: {said}"
        if status == 404:
            return f"{self.url} {self._missing()}"
        if status == 503 and loads(words):
            return f"{self.url} still loads after {patience.LOADING:g} s (HTTP 503): {said}; its log may say why"
        if status == 429 or status >= 500:
            return f"{self.url} fails {self._often()} (HTTP {status}): {said}; its log may say why"
        return f"{self.url} refuses a request for model {self.model!r} (HTTP {status}): {said}"

    def _often(self) -> str:
        return f"{len(patience.WAITS) + 1} times in a row"

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

    def _unreached(self, error: BaseException, how: str) -> str:
        """Say why nothing was answered at all."""
        if is_dropped(error):
            return (
                f"{self.url} drops the connection {self._often()} ({self._line(how)}): see its log, or correct the URL"
            )
        if is_untrusted(error):
            advice = "set SSL_CERT_FILE to a file with the certificate of who signed it"
            return f"the certificate of {self.url} is not trusted ({self._line(how)}): {advice}"
        return f"no server answers at {self.url} ({self._line(how)}): start it, or correct the URL"

    def any_name(self, listed: list[str]) -> str:
        """Say that a server does not look at the name that it is asked for."""
        how = f"answers to any model name and lists only {self._line(', '.join(listed))}"
        return f"{self.url} {how}: set model to one of them, and only to the variant that it is"

    def late(self, timeout: float) -> str:
        """Say that an answer takes longer than so many seconds."""
        return f"{self.url} takes longer than timeout = {timeout:g} s over an answer: raise it, or ask for less"

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
        return " ".join(self.key.blotted(words).split())[:LONGEST]

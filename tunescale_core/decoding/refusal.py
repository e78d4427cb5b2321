"""What an error of the client's package is about: a server's own words, and of what kind it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_DROPPED = {"RemoteProtocolError", "ReadError", "WriteError"}
"""Told by their names: the classes belong to the HTTP client, which is the package's own affair."""
_LOADING = re.compile(r"\bloading\b", re.IGNORECASE)


def words_of(error: Any) -> str:
    """Return what a server itself says of an error, wherever it says it."""
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message") or body.get("detail") or body)
    response = getattr(error, "response", None)
    return str(body or (response.text if response is not None else error.message) or "it says nothing")


def is_busy(error: BaseException) -> bool:
    """Tell whether a server is too busy or too broken to take a request for now."""
    import openai

    return isinstance(error, (openai.InternalServerError, openai.RateLimitError))


def is_loading(error: BaseException) -> bool:
    """Tell whether a server says that it is there, and its model not yet."""
    import openai

    return isinstance(error, openai.InternalServerError) and error.status_code == 503 and loads(words_of(error))


def loads(words: str) -> bool:
    """Tell whether a server's words speak of loading."""
    return _LOADING.search(words) is not None


def is_dropped(error: BaseException) -> bool:
    """Tell whether a connection that was there broke before anything was answered."""
    import openai

    return isinstance(error, openai.APIConnectionError) and type(error.__cause__).__name__ in _DROPPED


def is_untrusted(error: BaseException) -> bool:
    """Tell whether a connection failed for a certificate that nobody vouches for."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error.__cause__)


def retry_after(error: BaseException) -> float:
    """Return the seconds after which a server wants to be asked again; 0 where it does not say."""
    response = getattr(error, "response", None)
    asked = "" if response is None else str(response.headers.get("Retry-After", "")).strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", asked):
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())

"""Asking the hub again where that helps: it is busy, or a connection broke; and what its refusals mean."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tunescale_core.errors import DamageWarning
from tunescale_core.store.files import sha256_of

if TYPE_CHECKING:
    from tenacity import RetryCallState

Kind = TypeVar("Kind")
HUB_ID = re.compile(r"[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)?")
"""What may be a repository of the hub; a name of any other form is a path."""
BUSY = {408, 429, 500, 502, 503, 504}
"""HTTP statuses after which asking again helps."""
GATED, MISSING = {401, 403}, {404, 410}
PATIENCE = 180.0
"""Seconds after which a hub that stays busy is given up."""
TRIES, UNREACHED = 10, 2
"""Times it is asked at most; where it cannot be reached at all, for want of a network say, fewer."""
LONGEST_WAIT = 20.0
"""Seconds between two tries."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def again(fetch: Callable[[], Kind]) -> Kind:
    """Fetch from the hub, and again with growing pauses while it is busy or connections break.

    The client itself goes on with a file where it broke off. What cannot be helped by waiting is raised at once.
    """
    from tenacity import Retrying, retry_if_exception

    trying = Retrying(retry=retry_if_exception(transient), stop=_given_up, wait=_pause, reraise=True)
    return trying(fetch)


def transient(error: BaseException) -> bool:
    """Tell whether an error, or what led to it, may pass by itself."""
    found = status(error)
    return found in BUSY if found is not None else _broken(error)


def status(error: BaseException) -> int | None:
    """Return the HTTP status that an error, or what led to it, came of."""
    for one in _chain(error):
        code = getattr(getattr(one, "response", None), "status_code", None)
        if isinstance(code, int):
            return code
    return None


def advice(error: BaseException) -> str | None:
    """Return what to do about a refusal, None where nothing is known of it."""
    found = status(error)
    lost = found is None and type(error).__name__ == "DatasetNotFoundError"  # raised without the answer it came of
    if found in GATED or (lost and "gated" in str(error)):
        return "it is gated or private: accept its terms on the hub and set HF_TOKEN"
    if found in MISSING or lost:
        return "there is no such repository, revision or file (or it is private: set HF_TOKEN)"
    if found in BUSY:
        return f"the hub is busy (status {found}) and stayed so: try later"
    return None


def set_damaged_aside(snapshot: Path) -> bool:
    """Look whether a snapshot's large files are whole; move what is not aside, to be fetched again, and say so.

    The hub names a large file's content by its SHA-256, and the cache calls it so.
    """
    damaged = False
    for path in sorted(snapshot.glob("*.safetensors")):
        blob = path.resolve()
        if _SHA256.fullmatch(blob.name) and sha256_of(blob) != blob.name:
            blob.rename(blob.with_name(f"{blob.name}.damaged"))
            path.unlink()
            told = (
                f"{path} in the hub's cache is not what the hub holds; set aside as {blob.name}.damaged, fetched again"
            )
            warnings.warn(told, DamageWarning, stacklevel=2)
            damaged = True
    return damaged


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _broken(error: BaseException) -> bool:
    """Tell whether a connection broke; one that was not tried, or that the client has given up itself, did not."""
    from httpx2 import TransportError
    from huggingface_hub.errors import OfflineModeIsEnabled

    broken = (TransportError, ConnectionError, TimeoutError)
    kinds = [type(one) for one in _chain(error)]
    if any(issubclass(kind, OfflineModeIsEnabled) for kind in kinds):
        return False
    return any(issubclass(kind, broken) and kind is not ConnectionError for kind in kinds)


def _given_up(state: RetryCallState) -> bool:
    from httpx2 import ConnectError

    unreached = any(isinstance(one, ConnectError) for one in _chain(_failure(state)))
    waited = state.seconds_since_start or 0.0
    return waited >= PATIENCE or state.attempt_number >= (UNREACHED if unreached else TRIES)


def _pause(state: RetryCallState) -> float:
    """Return seconds to wait: as long as the hub asks for, or twice as long as the last time."""
    responses = (getattr(one, "response", None) for one in _chain(_failure(state)))
    asked = next((str(one.headers.get("Retry-After", "")) for one in responses if one is not None), "")
    grown = min(LONGEST_WAIT, 0.5 * 2.0 ** (state.attempt_number - 1))
    return max(grown, min(LONGEST_WAIT, float(asked))) if asked.isdigit() else grown


def _failure(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or RuntimeError("nothing failed")

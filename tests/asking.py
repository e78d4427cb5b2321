"""Asking a server that a test plays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playing import Played, Reply
from tunescale_core.decoding.completion import Completion
from tunescale_core.decoding.endpoint import Endpoint
from tunescale_core.errors import EndpointError

LIMIT = 120
HI = ({"role": "user", "content": "Hi"},)


def words(text: str) -> int:
    """Count a text's words, for a model without a tokenizer."""
    return len(text.split())


def asker(url: str, **options: Any) -> Endpoint:
    """Return who asks for the model `tiny`."""
    return Endpoint(url, **{"model": "tiny", "max_new_tokens": LIMIT, "count": words, **options})


def answered(server: Played, *replies: Reply, **options: Any) -> Completion:
    """Return what is made of a server's replies."""
    server.replies["/chat/completions"] = list(replies)
    return asker(server.url, **options).ask(HI)


def complaint(action: Any, *args: object) -> str:
    """Return what an error says, which is one line."""
    with pytest.raises(EndpointError) as caught:
        action(*args)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)

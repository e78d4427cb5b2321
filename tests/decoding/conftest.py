"""A server that a test plays."""

from collections.abc import Iterator

import pytest

from tests.playing import Played, listing, playing
from tunescale_core.decoding import patience


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """Return a server that lists two models; nobody waits between tries."""
    monkeypatch.setattr(patience, "WAITS", (0.0, 0.0))
    monkeypatch.setattr(patience, "BETWEEN", 0.0)
    with playing() as played:
        played.replies["/models"] = [listing("tiny", "big")]
        yield played

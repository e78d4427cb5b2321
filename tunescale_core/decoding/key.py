"""The key of a server: read from its variable where a request is made, and kept nowhere."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tunescale_core.errors import EndpointError


@dataclass(frozen=True)
class Key:
    """A key, by the variable that holds it."""

    url: str
    variable: str | None
    """None where the server wants no key."""

    def read(self) -> str:
        """Return the key without what surrounds it: files that keys are read from end in a line break.

        Raises:
            EndpointError: The variable is not set, or holds what no header can; the key is not in the message.
        """
        raw = self._raw()
        key = raw.strip()
        if not raw:
            raise EndpointError(f"the key of {self.url} is to come from {self.variable}, which is not set: set it")
        if not (key and key.isascii() and key.isprintable()):
            raise EndpointError(f"{self.variable}, for {self.url}, is empty or no printable ASCII: set it to a key")
        return key

    def blotted(self, words: str) -> str:
        """Return words without the key, should they repeat it."""
        raw = self._raw()
        for key in (raw, raw.strip()):
            words = words.replace(key, "***") if key else words
        return words

    def _raw(self) -> str:
        return os.environ.get(self.variable or "", "")

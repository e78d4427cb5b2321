"""JSON that holds the hash of all else it says, so that a change made after it was written shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunescale_core.reading import json_of
from tunescale_core.store.identity import key_of

DIGEST = "digest"


@dataclass(frozen=True)
class Sealed:
    """What a sealed text says, and the hash that it holds."""

    content: dict[str, Any]
    digest: str | None
    """None of a text that was never sealed."""

    @property
    def whole(self) -> bool:
        """Whether the content is what was sealed."""
        return self.digest == key_of(self.content)

    @property
    def changed(self) -> bool:
        """Whether the content was sealed as something else."""
        return self.digest is not None and not self.whole


def sealed(content: Mapping[str, object], indent: int | None = 1) -> bytes:
    """Return JSON of a mapping with its hash."""
    said = json.loads(json.dumps(content))  # hashed as it will be read: a tuple is a list then
    return json.dumps(said | {DIGEST: key_of(said)}, indent=indent).encode()


def unsealed(text: str | bytes) -> Sealed:
    """Return what a sealed text says.

    Raises:
        ValueError: It is no JSON, or no mapping.
    """
    content = json_of(text)
    if not isinstance(content, dict):
        raise ValueError("it is no mapping")  # noqa: TRY004  as all else that is wrong with a text
    return Sealed({name: said for name, said in content.items() if name != DIGEST}, content.get(DIGEST))

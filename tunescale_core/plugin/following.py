"""Items that no function stands behind: they follow from the study and from the cells that were selected."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from tunescale_core.plugin.session import MARKS


class Following(pytest.Collector):
    """Where such items stand in the tree of tests."""

    def collect(self) -> list[pytest.Item]:
        """Collect nothing: they are added once it is known which cells are to run."""
        return []


class FollowingItem(pytest.Item):
    """An item whose failure is one line."""

    place: ClassVar[int]
    """Where it stands after the cells, which are at 0: what it asks of them has been measured by then."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        for mark in MARKS:
            self.add_marker(mark)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say what stands in a report's head line."""
        return self.config.rootpath, None, self.name

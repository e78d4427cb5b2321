"""Items that no function stands behind: they follow from the study and from the cells that were selected."""

from __future__ import annotations

from pathlib import Path

import pytest


class Following(pytest.Collector):
    """Where such items stand in the tree of tests."""

    def collect(self) -> list[pytest.Item]:
        """Collect nothing: they are added once it is known which cells are to run."""
        return []


class FollowingItem(pytest.Item):
    """An item whose failure is one line."""

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say what stands in a report's head line."""
        return self.config.rootpath, None, self.name

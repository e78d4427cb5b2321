import shutil
from pathlib import Path

import pytest

from tunescale_core.models.base import resolve
from tunescale_core.study.model import Model


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A copy of the embedded small model."""
    source = resolve(Model(source="embedded:mini-small"), Path()).folder
    return Path(shutil.copytree(source, tmp_path / "small"))

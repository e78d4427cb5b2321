"""Claims about model cards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tunescale_core.embedded.card import write_card
from tunescale_core.embedded.recipe import RECIPES, History

EMBEDDED = Path(__file__).parent.parent.parent / "tunescale_core" / "embedded"


def test_a_card_states_hash_steps_tokens_and_curve(tmp_path: Path) -> None:
    """What a card says of weights and run is what was given."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_card(tmp_path, "mini-small", RECIPES["mini-small"], History(1234567, 60.0, [(50, 3.25)]), 918912)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    for part in (hashlib.sha256(b"weights").hexdigest(), "1,234,567 tokens", "918,912", "3.25"):
        assert part in text


@pytest.mark.parametrize("name", sorted(folder.name for folder in EMBEDDED.glob("mini-*")))
def test_shipped_weights_are_those_of_their_card(name: str) -> None:
    """The hash in a shipped card is the hash of the shipped weights."""
    weights = hashlib.sha256((EMBEDDED / name / "model.safetensors").read_bytes()).hexdigest()
    assert weights in (EMBEDDED / name / "README.md").read_text(encoding="utf-8")


def test_the_family_is_small_enough_to_ship() -> None:
    """Both members together weigh at most 16 MB."""
    assert sum(file.stat().st_size for file in EMBEDDED.glob("mini-*/*")) <= 16e6

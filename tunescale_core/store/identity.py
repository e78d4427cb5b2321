"""What decides a checkpoint's weights, and the key it is found by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tunescale_core.provenance import WEIGHT_PACKAGES, versions

IDENTITY_VERSION = 1
"""Of what is hashed into a key: a manifest may change its form without anything being trained again."""


def key_of(identity: dict[str, object]) -> str:
    """Return the SHA-256 of an identity in canonical JSON."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def identity_of(base_revision: str, method: dict[str, object], data: str, seed: int, device: str) -> dict[str, object]:
    """Return all that can change a variant's weights, and nothing else.

    Args:
        base_revision: Of the base model.
        method: The recipe with its rank.
        data: The training examples' fingerprint.
        seed: Of initialisation and order.
        device: Its kind decides the arithmetic.
    """
    return {
        "schema": IDENTITY_VERSION,
        "base": base_revision,
        "method": method,
        "data": data,
        "seed": seed,
        "device": device,
        "versions": versions(WEIGHT_PACKAGES),
    }


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 over a model folder's safetensors, in order of name."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()

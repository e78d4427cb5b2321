"""Checkpoints made up for tests: small files under the names that real ones have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.making import COST
from tunescale_core.provenance import provenance
from tunescale_core.store.checkpoints import Checkpoint, Store
from tunescale_core.store.identity import key_of, weights_digest
from tunescale_core.store.manifest import SCHEMA_VERSION, Manifest

FILES = {
    "model/config.json": "{}",
    "model/tokenizer.json": '{"version": "1.0"}',
    "model/model-00001-of-00002.safetensors": "first weights",
    "model/model-00002-of-00002.safetensors": "second weights",
    "adapter/adapter_model.safetensors": "low rank",
}


def manifest_of(identity: dict[str, object], variant: str = "m-full-on-arc", weights: str = "0" * 64) -> Manifest:
    """Return the manifest that a build gives the store."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        key=key_of(identity),
        variant=variant,
        identity=identity,
        cost=COST,
        provenance=provenance("cpu"),
        weights_sha256=weights,
    )


def building(variant: str = "m-full-on-arc") -> Callable[[Path], Manifest]:
    """Return what builds a variant's checkpoint, whose identity is the variant's name."""

    def build(folder: Path) -> Manifest:
        for name, text in FILES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        return manifest_of({"of": variant}, variant, weights_digest(folder / "model"))

    return build


def stored(root: Path, variant: str = "m-full-on-arc") -> Checkpoint:
    """Return a variant's checkpoint in a store, made if need be."""
    return Store(root).obtain(key_of({"of": variant}), building(variant))

"""Finding a base model: on the hub, in a folder, or in the embedded family."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tunescale_core.errors import ModelError
from tunescale_core.fetching import HUB_ID, set_damaged_aside
from tunescale_core.models.hub import fetched
from tunescale_core.models.trusted import UNSAFE, trust
from tunescale_core.study.model import Model

EMBEDDED = "embedded:"
CODE = "*.py"
"""What a model's repository may bring of its own; not even fetched unless it is trusted."""
WEIGHTS = "*.safetensors"
WANTED = ["*.json", WEIGHTS, "*.jinja", "*.txt", "tokenizer.model"]


@dataclass(frozen=True)
class Base:
    """A base checkpoint on disk."""

    folder: Path
    revision: str
    """The hub's commit, or the SHA-256 over the folder's files."""


def resolve(model: Model, folder: Path) -> Base:
    """Bring a base checkpoint to disk.

    Args:
        model: As declared.
        folder: Where relative paths start.

    Raises:
        ModelError: One line that names the model and what to do.
    """
    local = folder_here(model, folder)
    if local is None:
        return _from_hub(model)
    return Base(_trusted(local, model), files_digest(local, code=model.trust_remote_code))


def folder_here(model: Model, folder: Path) -> Path | None:
    """Return the folder of a model that lies on this machine; None where it is to come from the hub.

    Raises:
        ModelError: There is no such embedded model or folder, or it is none of a model.
    """
    if model.source.startswith(EMBEDDED):
        path = Path(__file__).parents[1] / "embedded" / model.source.removeprefix(EMBEDDED)
        if not (path / "config.json").is_file():
            raise ModelError(
                f"no embedded model {model.source!r}; there are embedded:mini-small and embedded:mini-large"
            )
        return path
    local = folder / Path(model.source).expanduser()
    if not local.is_dir():
        if not HUB_ID.fullmatch(model.source):
            raise ModelError(f"model folder {local} does not exist, and {model.source} is no hub id")
        return None
    if not (local / "config.json").is_file():
        raise ModelError(f"model folder {local} has no config.json: give the folder of a saved checkpoint")
    return local


def config_file(model: Model, folder: Path) -> Path:
    """Bring a model's `config.json` alone to disk.

    Raises:
        ModelError: One line that names the model and what to do.
    """
    if (local := folder_here(model, folder)) is not None:
        return local / "config.json"
    from huggingface_hub import hf_hub_download

    return Path(fetched(model, lambda: hf_hub_download(model.source, "config.json", revision=model.revision)))


def without_weights(model: Model, folder: Path) -> Path:
    """Bring all of a model but its weights to disk, and return where it lies.

    Raises:
        ModelError: One line that names the model and what to do.
    """
    local = folder_here(model, folder)
    return local or _snapshot(model, [one for one in WANTED if one != WEIGHTS])


def check_weights(model: Model, folder: Path) -> None:
    """Make sure that a model has weights of the one form that is read; a hub that does not say is believed.

    Raises:
        ModelError: It has others alone.
    """
    local = folder_here(model, folder)
    if local is not None and not any(local.glob(WEIGHTS)):
        raise ModelError(f"model folder {local} cannot be opened: {UNSAFE}")
    if local is None and (files := _listed(model)) and not any(Path(one).match(WEIGHTS) for one in files):
        raise ModelError(f"model {model.source} cannot be opened: {UNSAFE}")


def _listed(model: Model) -> list[str]:
    from httpx2 import HTTPError
    from huggingface_hub import list_repo_files

    try:
        return list_repo_files(model.source, revision=model.revision)
    except (OSError, HTTPError):  # what is cached may be enough
        return []


def files_digest(folder: Path, *, code: bool = False) -> str:
    """Return the SHA-256 over names and contents of the files of a model, its code included where that is run."""
    digest = hashlib.sha256()
    for path in sorted(
        file for pattern in (*WANTED, *(["**/" + CODE] if code else [])) for file in folder.glob(pattern)
    ):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def weight_files_bytes(folder: Path) -> int:
    """Return the bytes of a model folder's weights on disk."""
    return sum(path.stat().st_size for path in folder.glob(WEIGHTS))


def _trusted(folder: Path, model: Model) -> Path:
    if model.trust_remote_code:
        trust(folder)
    return folder


def _from_hub(model: Model) -> Base:
    wanted = [*WANTED, *([CODE] if model.trust_remote_code else [])]
    path = _snapshot(model, wanted)
    if set_damaged_aside(path):
        path = _snapshot(model, wanted)
    return Base(_trusted(path, model), path.name)


def _snapshot(model: Model, wanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    return Path(fetched(model, lambda: snapshot_download(model.source, revision=model.revision, allow_patterns=wanted)))

"""Where damage goes: it is set aside, never deleted, so that somebody can look at it."""

from __future__ import annotations

import os
import warnings
from itertools import count
from pathlib import Path

from tunescale_core.errors import DamageWarning, StoreError
from tunescale_core.store.files import leads_out

DAMAGED = "damaged"
"""The store's folder for it."""


def set_aside(path: Path, root: Path, fault: str) -> Path:
    """Move a damaged file or folder to `damaged/<name>-<n>` of its store, and warn.

    Whoever calls holds the lock of what it is.

    Args:
        path: What is damaged; of a link, the link itself is moved.
        root: Its store.
        fault: What is wrong with it, for the warning.

    Raises:
        StoreError: The store's folder for it is a link out of the store, or cannot be written.
    """
    shelf = root / DAMAGED
    if leads_out(shelf, root):
        raise StoreError(f"{shelf} is a link out of the store, which is not followed; remove the link")
    try:
        shelf.mkdir(exist_ok=True)
        target = next(place for n in count(1) if not os.path.lexists(place := shelf / f"{path.stem}-{n}{path.suffix}"))
        path.rename(target)
    except OSError as error:
        raise StoreError(f"{fault}, and cannot be set aside in {shelf} ({error.strerror}); move it away") from error
    warnings.warn(f"{fault}; set aside as {target}, to be made again", DamageWarning, stacklevel=2)
    return target

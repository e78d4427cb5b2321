"""Asking the hub for a model, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Callable

from tunescale_core.errors import ModelError, first_line
from tunescale_core.fetching import advice as advice_on
from tunescale_core.fetching import again
from tunescale_core.study.model import Model


def fetched(model: Model, fetch: Callable[[], str]) -> str:
    """Fetch from the hub; what goes wrong becomes one line that says what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    advice = {
        GatedRepoError: "it is gated: accept its terms on the hub and set HF_TOKEN",
        RepositoryNotFoundError: "there is no such repository (or it is private: set HF_TOKEN)",
        RevisionNotFoundError: f"it has no revision {model.revision!r}",
        HFValidationError: "there is no such folder, and it is no hub id",
    }
    unreached = {
        LocalEntryNotFoundError: (
            "there is no such folder, it is not in the local cache, and the hub cannot be reached: go online once, "
            "or give a local folder as source"
        ),
    }
    try:
        return again(fetch)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        known = [text for kind, text in advice.items() if isinstance(error, kind)]
        known += [text for text in (advice_on(error),) if text]
        known += [text for kind, text in unreached.items() if isinstance(error, kind)]
        reason = [*known, first_line(error)][0]
        raise ModelError(f"model {model.source} cannot be opened: {reason}") from error

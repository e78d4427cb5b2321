"""A base model, as a study declares it."""

from __future__ import annotations

from tunescale_core.study.declared import Declared, Name


class Model(Declared):
    """A pretrained base checkpoint."""

    source: str
    """A hub id, a local folder, or `embedded:NAME`."""
    revision: str | None = None
    """Of a hub id: a branch, tag or commit."""
    trust_remote_code: bool = False
    """Whether Python that comes with the model is run, as transformers calls it. Read it first; records say so."""
    methods: tuple[Name, ...] | None = None
    """Which methods adapt it; all of the study's unless given. `base` is always a row."""

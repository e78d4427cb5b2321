"""How a model is served when it is asked, as a study declares it."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import model_validator

from tunescale_core.declared import Count, Declared

EAGER = "eager"
_SHORT = re.compile(r"(?P<mode>eager|static|adapter)?(?:-?batch-(?P<batch>[1-9]\d*))?")
Thinking = Literal["free", "on", "off"]


class Serving(Declared):
    """How a model is served when it is asked: the axis beside `eager`, which is always measured (the paper's)."""

    mode: Literal["eager", "static", "adapter", "endpoint"]
    """eager: `generate()` as it is. static: a cache of fixed size, the decoding step compiled, in CUDA graphs where
    there is a GPU. adapter: the adapter beside the base, not merged; of variants that have one. endpoint: a server
    that speaks OpenAI's protocol."""
    batch: Count = 1
    """Questions at once; for an endpoint, requests."""
    thinking: Thinking | None = None
    """Instead of the protocol's."""
    only: str = "*"
    """A shell pattern over variants' ids: which are asked so."""
    url: str | None = None
    """Of an endpoint, as `http://127.0.0.1:8000/v1`."""
    model: str = "{variant}"
    """What the endpoint calls the model; `{variant}` stands for the variant's id, `{path}` for its folder."""
    api_key_env: str | None = None
    """The environment variable that holds the endpoint's key."""

    @model_validator(mode="after")
    def _reachable(self) -> Serving:
        if (self.mode == "endpoint") != (self.url is not None):
            raise ValueError("an endpoint needs a url" if self.mode == "endpoint" else "url belongs to mode endpoint")
        if self.url is not None and ("@" in self.url or "?" in self.url or "#" in self.url):
            raise ValueError("url must hold no user, password or query: records keep it; name a key by api_key_env")
        return self


def serving_of(name: str) -> dict[str, object]:
    """Return the serving that a name alone means, as `static` or `adapter-batch-4`; {} where it means none."""
    found = _SHORT.fullmatch(name)
    if not found or not name:
        return {}
    return {"mode": found["mode"] or EAGER, "batch": int(found["batch"] or 1)}

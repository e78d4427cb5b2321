"""How a model is served when it is asked, as a study declares it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from tunescale_core.study.declared import Count, Declared, Number
from tunescale_core.study.method import Bits

EAGER = "eager"
ANY = "any"
"""Whichever way is best, where advice is asked for."""
TIMEOUT = 600.0
"""Seconds that an endpoint may take over an answer unless a study says otherwise."""
VIA = "-via-"
"""Before the name of a way that is not eager, in ids."""
_SHORT = re.compile(
    r"(?P<mode>eager|static|adapter)?(?:-?(?P<bits>[48]bit))?(?:-?batch-(?P<batch>[1-9]\d*))?"
    r"(?:-?thinking-(?P<thinking>on|off))?"
)
Thinking = Literal["free", "on", "off"]
_OURS = {
    *("messages", "model", "stream", "stream_options", "n"),
    *("temperature", "max_tokens", "max_completion_tokens", "chat_template_kwargs"),
}
"""Fields of a request that the study's other keys say."""


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
    quantize: Bits | None = None
    """The linear weights' precision, of mode eager: rounded to 4 bits or 8 as the model is opened, where it is full
    unless given. Answers are then its own."""
    only: str = "*"
    """A shell pattern over variants' ids: which are asked so."""
    url: str | None = None
    """Of an endpoint, as `http://127.0.0.1:8000/v1`."""
    model: str = "{variant}"
    """What the endpoint calls the model; `{variant}` stands for the variant's id, `{path}` for its folder."""
    api_key_env: str | None = None
    """The environment variable that holds the endpoint's key."""
    body: dict[str, JsonValue] = Field(default_factory=dict)
    """Further fields of each request to an endpoint, as its server names them: `{ min_tokens = 64 }`."""
    timeout: Annotated[Number, Field(gt=0, le=10**9)] = TIMEOUT
    """Seconds that an endpoint may take over an answer."""

    @model_validator(mode="after")
    def _reachable(self) -> Serving:
        if (self.mode == "endpoint") != (self.url is not None):
            raise ValueError("an endpoint needs a url" if self.mode == "endpoint" else "url belongs to mode endpoint")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError(
                f"url {self.url!r} does not begin with http:// or https://: write http://localhost:8000/v1"
            )
        if self.url is not None and ("@" in self.url or "?" in self.url or "#" in self.url):
            raise ValueError("url must hold no user, password or query: records keep it; name a key by api_key_env")
        if self.body and self.url is None:
            raise ValueError("body belongs to mode endpoint")
        if "timeout" in self.model_fields_set and self.url is None:
            raise ValueError("timeout belongs to mode endpoint")
        if self.quantize is not None and self.mode != EAGER:
            raise ValueError("quantize belongs to mode eager; a server holds its weights as it was started")
        return self

    @field_validator("body")
    @classmethod
    def _further(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if ours := sorted(value.keys() & _OURS):
            raise ValueError(f"must not hold {ours[0]}: model, thinking and [protocol] say what is asked")
        return value

    def settings(self) -> dict[str, JsonValue]:
        """Return what of it can change an answer or its time, as records keep it."""
        left = {"only", "api_key_env", "timeout", *(name for name in ("body", "quantize") if not getattr(self, name))}
        return self.model_dump(mode="json", exclude=left)


def serving_of(name: str, *, told_alone: bool = False) -> dict[str, object]:
    """Return the serving that a name alone means, as `static`, `4bit-batch-4` or `thinking-off`; {} of any other.

    Args:
        name: As a study's table or `--serving` has it.
        told_alone: Leave out what the name does not say, and so has its default.
    """
    found = _SHORT.fullmatch(name)
    if not found or not name:
        return {}
    batch = int(found["batch"]) if found["batch"] else None
    said = {"mode": found["mode"], "batch": batch, "thinking": found["thinking"], "quantize": found["bits"]}
    told: dict[str, object] = {key: value for key, value in said.items() if value}
    return told if told_alone else {"mode": EAGER, "batch": 1} | told

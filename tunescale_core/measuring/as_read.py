"""What a model reads of a study's rows: in its chat template, counted in its tokens, questions cut where too long."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from tunescale_core.decoding.prompts import UNBOUNDED, Prompts, kept_of, prompt_limit
from tunescale_core.errors import ModelError
from tunescale_core.models.architecture import config_of
from tunescale_core.models.base import without_weights
from tunescale_core.models.chat import is_ours, rendered, tokenizer_at
from tunescale_core.models.turn import ends_of, own_ends, taught_amiss
from tunescale_core.study.method import Method
from tunescale_core.study.study import Study
from tunescale_core.study.task_data import Purpose
from tunescale_core.tasks import Example
from tunescale_core.training.footprint import tokens_of


@dataclass(frozen=True)
class Lengths:
    """Of a task's rows, in tokens."""

    median: float
    longest: int
    over: dict[int, int]
    """Of each limit that holds for them, how many are longer: what is learnt loses its end, a question its middle."""


class Reader:
    """One of a study's models, as far as reading goes: no weights are fetched or loaded."""

    def __init__(self, study: Study, name: str) -> None:
        """Open a model's tokenizer.

        Raises:
            ModelError: It cannot be had or opened; or it brings code of its own, which is run with the model alone.
        """
        if study.models[name].trust_remote_code:
            raise ModelError(f"model {name} brings code of its own, which runs when the model is opened, not before")
        self.study, self.name = study, name
        self.folder: Path = without_weights(study.models[name], study.folder)
        self.tokenizer = tokenizer_at(self.folder)
        limit = prompt_limit(config_of(self.folder), study.protocol)
        self._prompts = Prompts(self.tokenizer, study.protocol.thinking, limit)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of how the model is talked to, a sentence each."""
        ends = ends_of(self.tokenizer, own_ends(self.folder))
        ids = [] if ends is None else ends if isinstance(ends, list) else [ends]
        told = [f"{self.name} ends an answer with {' or '.join(map(self._token, ids)) or 'no token'}"]
        if is_ours(str(self.tokenizer.chat_template)):
            told.append(f"{self.name}: its chat template is not, or not wholly, its own")
        return (*told, *(f"{self.name}: {fault}" for fault in taught_amiss(self.tokenizer)))

    def text(self, example: Example, purpose: Purpose) -> str:
        """Return an example as the model reads it: with its answer where it is learnt, up to it where it is asked.

        A question that is too long has lost its middle, and says how much; what is learnt is whole, for each method has
        a `max_length` of its own.
        """
        if purpose == "train":
            return rendered(self.tokenizer, example.conversation, asking=False)
        text = self._prompts.text(example.messages)
        (ids,) = self._tokens([text])
        first, last = kept_of(ids, self._prompts.limit)
        cut = len(ids) - len(first) - len(last)
        if not cut:
            return text
        return f"{self.tokenizer.decode(first)}[… {cut} tokens are cut …]{self.tokenizer.decode(last)}"

    def lengths(self, examples: tuple[Example, ...], purpose: Purpose) -> Lengths:
        """Return how long rows are, and how many are too long.

        Args:
            examples: At least one.
            purpose: What they are for: what is learnt ends at a recipe's `max_length`, a prompt at its own limit.
        """
        if purpose == "train":
            found = tokens_of(examples, self.tokenizer)
        else:
            found = [len(ids) for ids in self._tokens([self._prompts.text(one.messages) for one in examples])]
        taught = {one.max_length for one in self._methods}
        limits = taught if purpose == "train" else {self._prompts.limit} - {UNBOUNDED}
        over = {limit: sum(length > limit for length in found) for limit in sorted(limits)}
        return Lengths(median(found), max(found), over)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = self.tokenizer(texts, add_special_tokens=False).input_ids
        return found

    @property
    def _methods(self) -> list[Method]:
        wanted = self.study.models[self.name].methods
        tuned = {name: one for name, one in self.study.methods.items() if name != "base"}
        return [one for name, one in tuned.items() if wanted is None or name in wanted]

    def _token(self, number: int) -> str:
        return str(self.tokenizer.convert_ids_to_tokens(number))

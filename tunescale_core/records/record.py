"""What one cell measured, or the error it met."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median, stdev
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tunescale_core.provenance import Provenance
from tunescale_core.records.lines import Line
from tunescale_core.sensors.readings import Readings
from tunescale_core.store.manifest import TrainingCost

SCHEMA_VERSION = 3


class Frozen(BaseModel):
    """A frozen part of a record; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


Called = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=240)]
"""A name as studies allow it: what else a record might be called could act on a terminal, a page or a path."""


class Stages(Frozen):
    """Seconds a cell spent, by stage."""

    prepare: float
    warm_up: float
    """Calls before the first timed one, a compilation among them."""
    generate: float
    """Timed calls."""
    batch: float
    score: float
    total: float


class Summary(Frozen):
    """What a cell's lines amount to; lets tables do without them."""

    examples: int
    timed: int
    prompt_tokens: float | None
    """Mean tokens of a prompt; None where an endpoint does not say."""
    prompts_cut: int
    """Prompts that were too long and lost their middle."""
    tokens: float
    """Mean tokens of an answer."""
    reasoned: float
    """Share of the answers that reason before they answer."""
    reasoning_tokens: float
    """Mean tokens of reasoning, over all answers."""
    truncated: float
    """Share of the answers that the token limit ended."""
    latency: float | None
    """Mean seconds of a timed call; None where none was timed."""
    median_latency: float | None
    std_latency: float | None
    """None with fewer than two timed calls."""
    first_token: float | None
    """Mean seconds to the first token."""


class Trial(Frozen):
    """A short training with one learning rate, judged on the development split."""

    learning_rate: float
    score: float | None
    """The task's judged metric over the development questions; None where it is undefined."""
    metric: str
    loss: float
    """Training loss at the end."""
    steps: int
    seconds: float
    batched_by: int | None = None
    """Questions of a batch of those that judged it, where memory ran out at the protocol's."""
    lost: str = ""
    """Why the trial came to nothing; "" where it did not."""


class Record(Frozen):
    """Everything one cell measured, or the error it met."""

    schema_version: int = SCHEMA_VERSION
    study: Called
    cell: Called
    model: Called
    method: Called
    rank: int | None
    trained_on: str | None
    task: Called
    kind: str
    """Which kind of task that is."""
    seed: int | None
    serving: Called = "eager"
    """How it was served: `eager`, or one of the study's own ways."""
    serving_settings: dict[str, object] = {}
    """That way's mode, batch and so on; {} for eager."""
    trust_remote_code: bool = False
    """Whether Python that came with the model was run."""
    adapter: str | None = None
    """PEFT's name of the adapter that the variant was tuned by; None for full fine-tuning and untuned models."""
    base: str | None = None
    """The base model's source and its revision, resolved."""
    data: dict[str, str] = {}
    """Where the rows come from that the variant was trained on, its recipe chosen by and the cell asked: `train`,
    `dev`, `eval`; as the study names it, with the commit of what the hub served."""
    recipe: dict[str, object] = {}
    """What the variant was trained by: learning rate, epochs, loss and so on; {} of an untuned model, and of a record
    made before that was noted."""
    trials: tuple[Trial, ...] = ()
    """Of the search of its learning rate, where there was one."""
    hashes: dict[str, str] = {}
    """SHA-256 of what two records must share to be compared: `examples` (ids and right answers), `prompts`
    (messages) and `protocol` (with the way of serving)."""
    key: str | None
    """SHA-256 over checkpoint, evaluation data, protocol and versions; None where the cell failed before that."""
    metrics: dict[str, float | None] = {}
    lines: tuple[Line, ...] = ()
    """On disk, the Parquet file's rows."""
    summary: Summary | None = None
    """Of the lines; None where there is none."""
    left_out: dict[str, int] = {}
    """Rows of the evaluation data that were left out, by reason."""
    training_left_out: dict[str, int] = {}
    """Rows of the variant's training data that were left out, by reason."""
    stages: Stages | None = None
    throughput: float | None = None
    """Output tokens a second over the timed calls."""
    batch_agreement: float | None = None
    """Share of some timed questions that the batched pass, asked them again, answered in the same words."""
    batched_by: int | None = None
    """Questions of the batched pass's batches, where memory ran out at the protocol's; None where it did not."""
    peak_memory_bytes: int | None = None
    """Of the timed calls: what serving takes."""
    readings: Readings | None = None
    """Of the device during the timed calls."""
    energy_per_answer: float | None = None
    """Joules of the whole card over the timed calls, an answer; None without a counter."""
    cost: TrainingCost | None = None
    """Of the variant's training; None for an untuned model."""
    protocol: dict[str, object] = {}
    provenance: Provenance | None = None
    error: str | None = None

    @model_validator(mode="after")
    def _summed_up(self) -> Record:
        if self.lines and self.summary is None:
            object.__setattr__(self, "summary", summarised(self.lines))
        return self

    @property
    def machine(self) -> tuple[object, ...] | None:
        """What it was measured on: device, CPU and threads; None where it does not say."""
        found = self.provenance
        return None if found is None else (found.device, found.cpu, found.threads)

    @property
    def by_endpoint(self) -> bool:
        """Whether a server answered."""
        return self.serving_settings.get("mode") == "endpoint"

    @property
    def at_once(self) -> int:
        """How many questions were under way at once."""
        return int(str(self.serving_settings.get("batch", 1)))

    @property
    def questions_a_call(self) -> int:
        """How many timed questions share one call and its seconds; requests to a server have their own."""
        return 1 if self.by_endpoint else self.at_once

    @property
    def in_few_bits(self) -> bool:
        """Whether the way of serving holds the weights in few bits."""
        return bool(self.serving_settings.get("quantize"))

    @property
    def examples(self) -> int:
        """How many examples it answered."""
        return self.summary.examples if self.summary else 0


def summarised(lines: Sequence[Line]) -> Summary:
    """Sum up at least one line."""
    seconds = [line.seconds for line in lines if line.seconds is not None]
    first = [line.first_token_seconds for line in lines if line.first_token_seconds is not None]
    prompts = [line.prompt_tokens for line in lines if line.prompt_tokens is not None]
    return Summary(
        examples=len(lines),
        timed=len(seconds),
        prompt_tokens=fmean(prompts) if prompts else None,
        prompts_cut=sum(line.prompt_cut > 0 for line in lines),
        tokens=fmean(line.tokens for line in lines),
        reasoned=fmean(line.reasoning_tokens > 0 for line in lines),
        reasoning_tokens=fmean(line.reasoning_tokens for line in lines),
        truncated=fmean(line.finish == "length" for line in lines),
        latency=fmean(seconds) if seconds else None,
        median_latency=median(seconds) if seconds else None,
        std_latency=stdev(seconds) if len(seconds) > 1 else None,
        first_token=fmean(first) if first else None,
    )


def call_seconds(record: Record) -> tuple[float, ...]:
    """Return how long each timed call of a record took; questions that share one have its seconds once."""
    timed = [line.seconds for line in record.lines if line.seconds is not None]
    return tuple(timed[:: record.questions_a_call])

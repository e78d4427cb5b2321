"""The declared grid: a TOML file read into frozen, validated values.

No input or output but reading the file, and nothing heavy is imported: a study is parsed each time
pytest collects.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tunescale_core.errors import StudyError
from tunescale_core.tasks import TASKS

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
SHIPPED = (Path(__file__).parent / "studies", Path(__file__).parent.parent / "benchmarks" / "studies")
"""Where studies are found by name: in an installed package, and in a clone."""
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


Thinking = Literal["free", "on", "off"]


class Declared(BaseModel):
    """A frozen table of a study file; keys it does not know are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Model(Declared):
    """A pretrained base checkpoint."""

    source: str
    """A hub id, a local folder, or `embedded:NAME`."""
    revision: str | None = None
    """Of a hub id: a branch, tag or commit."""
    methods: tuple[Name, ...] | None = None
    """Which methods adapt it; all of the study's unless given. `base` is always a row."""


class Training(Declared):
    """A supervised fine-tuning recipe; the defaults are the paper's (sec. 2)."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    epochs: Annotated[float, Field(gt=0)] = 1.0
    batch: Count = 1
    """Rows a device and step."""
    accumulation: Count = 8
    warmup: Annotated[float, Field(ge=0)] = 0.06
    """Below 1 a share of the steps, from 1 on a number of steps."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    max_length: Count = 1024
    """Tokens a row, prompt and answer."""
    loss: Literal["all", "completion"] = "all"
    """Which tokens are learnt: all (the paper's), or the answer alone."""
    activation_checkpointing: bool = True


class Method(Training):
    """How a model is adapted, as declared; `ranks` make it LoRA, `peft` any adapter that PEFT knows."""

    ranks: tuple[Count, ...] | None = None
    alpha: Annotated[float, Field(gt=0)] = 16.0
    """LoRA's, as `dropout` is."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    target_modules: tuple[str, ...] | Literal["all-linear"] = ATTENTION
    peft: dict[str, Any] = {}
    """Settings of PEFT's configuration by their names there, as `{ use_dora = true }`; `type` names another adapter
    than LoRA, as `{ type = "IA3" }`."""
    quantize: Literal["4bit"] | None = None
    """How the frozen base is held in training; 4bit makes QLoRA of LoRA."""
    learning_rates: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """Tried on the development split by the study's `[trials]`; the best takes the place of `learning_rate`."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def adapter(self) -> str | None:
        """PEFT's name of the adapter, None for full fine-tuning."""
        if self.ranks is None and not self.peft:
            return None
        return str(self.peft.get("type", "LORA")).upper()

    @model_validator(mode="after")
    def _of_one_kind(self) -> Method:
        adapter_only = sorted(self.model_fields_set & {"alpha", "dropout", "target_modules", "quantize"})
        if self.adapter is None and adapter_only:
            raise ValueError(f"{adapter_only[0]} is a setting of LoRA: give ranks too, or leave it out")
        if self.adapter == "LORA" and self.ranks is None:
            raise ValueError("a LoRA needs ranks")
        if self.learning_rates is not None and "learning_rate" in self.model_fields_set:
            raise ValueError("give learning_rate or learning_rates, not both")
        return self

    @field_validator("ranks", "target_modules", "learning_rates")
    @classmethod
    def _filled(cls, value: tuple[object, ...] | str | None) -> tuple[object, ...] | str | None:
        if value is not None and len(value) == 0:
            raise ValueError("is empty: give at least one, or leave the key out")
        if isinstance(value, tuple) and len(set(value)) < len(value):
            raise ValueError("names the same one twice")
        return value


class TaskData(Declared):
    """A task as the study asks it: where its rows come from, and how many are used."""

    task: str | None = None
    """Which task; the table's own name unless given."""
    data: str = "embedded"
    """A hub data set, `embedded`, or a path relative to the study file: a JSON, JSONL, CSV or Parquet file, or a
    folder of such files named after their splits."""
    config: str | None = None
    """The hub data set's configuration."""
    revision: str | None = None
    train_split: str = "train"
    eval_split: str = "test"
    eval_data: str | None = None
    """Other data for evaluation, where the first has no such split."""
    eval_config: str | None = None
    """The configuration of `eval_data`; `config` belongs to `data`."""
    eval_revision: str | None = None
    """Of `eval_data`; `revision` belongs to `data`."""
    skip: Annotated[int, Field(ge=0)] = 0
    """Rows of `eval_split` passed over first: how a data set without a test split keeps rows apart."""
    dev_split: str | None = None
    """Rows by which a recipe is chosen; none are unless given, but the embedded source has a split `dev`."""
    dev_data: str | None = None
    """Other data for that, where the first has no such split."""
    dev_config: str | None = None
    """The configuration of `dev_data`."""
    dev_revision: str | None = None
    dev_skip: Annotated[int, Field(ge=0)] = 0
    """Rows of `dev_split` passed over first."""
    target: Literal["answer", "solution"] = "answer"
    """What tuning teaches: the boxed answer, or the row's worked solution."""
    train_examples: Count | None = None
    eval_examples: Count | None = None
    dev_examples: Count | None = None


class Protocol(Declared):
    """How completions are made and timed."""

    max_new_tokens: Count = 1000
    min_new_tokens: Annotated[int, Field(ge=0)] = 0
    """Tokens before an answer may end; as many as max_new_tokens give every answer one length."""
    thinking: Thinking = "free"
    """free leaves reasoning as the chat template has it (the paper's); on and off ask the template for it or against
    it, where it takes `enable_thinking` as Qwen3's does."""
    max_prompt_tokens: Count | None = None
    """A longer prompt loses its middle; what the model's window leaves beside the answer unless given."""
    warmup_calls: Annotated[int, Field(ge=0)] = 2
    """Untimed calls before a cell's first timed one."""
    timed_examples: Count | None = None
    """Examples generated one at a time and timed; all of them unless given. The rest go through in batches."""
    batch: Count = 32
    """Examples a batched pass."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 on an accelerator, float32 on a CPU."""
    threads: Count | None = None
    """CPU threads; the library's choice unless given."""


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
        return self


class Trials(Declared):
    """The search of a method's learning rate: each rate of its `learning_rates` gets one trial like any other's."""

    train_examples: Count = 400
    """Rows of a trial, the first that the variant would be tuned on."""
    dev_examples: Count = 60
    """Questions of the development split that a trial is judged by; they are never evaluated."""
    seed: Annotated[int, Field(ge=0)] = 0


class Expectation(Declared):
    """A quality threshold for the cells whose ids match."""

    cell: str
    """A shell pattern over cell ids."""
    metric: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Expectation:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs exactly one of at_least and at_most")
        return self


EAGER = "eager"
_SHORT = re.compile(r"(?P<mode>eager|static|adapter)?(?:-?batch-(?P<batch>[1-9]\d*))?")


def serving_of(name: str) -> dict[str, object]:
    """Return the serving that a name alone means, as `static` or `adapter-batch-4`; {} where it means none."""
    found = _SHORT.fullmatch(name)
    if not found or not name:
        return {}
    return {"mode": found["mode"] or EAGER, "batch": int(found["batch"] or 1)}


class ExpectedFinding(Declared):
    """What a study expects one of its findings to say."""

    key: Annotated[str, Field(pattern=r"^[QC][1-7](\.\S+)?$")]
    """A question, `Q1`, or one of its parts, `Q1.full-on-arc.arc.quality`, as `tunescale findings` lists them."""
    verdict: Literal["supported", "refuted", "not enough evidence"]


class Head(Declared):
    """The study's name and what all its parts share."""

    name: Name
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    training: Literal["planned", "literal"] = "planned"
    """planned: how much of a step is done at once follows from the memory at hand; the rows of a step, their order
    and the loss stay. literal: `batch` × `accumulation` as written."""
    train_examples: Count = 1000
    eval_examples: Count = 200
    dev_examples: Count = 60
    decontaminate: Annotated[int, Field(ge=2)] | None = None
    """Training rows that share so many words on end with what their task is evaluated on are left out (13 in Brown
    et al., 2020); none are unless given."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value:
            raise ValueError("is empty: give at least one seed")
        if len(set(value)) < len(value):
            raise ValueError("names the same seed twice")
        return value


class Study(Declared):
    """A whole study file."""

    study: Head
    models: Annotated[dict[Name, Model], Field(min_length=1)]
    methods: dict[Name, Method] = {}
    tasks: Annotated[dict[Name, TaskData], Field(min_length=1)]
    protocol: Protocol = Protocol()
    serving: dict[Name, Serving] = {}
    """Beside eager, which is always measured."""
    trials: Trials = Trials()
    expect: tuple[Expectation, ...] = ()
    findings: tuple[ExpectedFinding, ...] = ()
    folder: Path = Path()
    """Where relative data paths start: the study file's own folder."""

    @model_validator(mode="before")
    @classmethod
    def _servings_named(cls, content: Any) -> Any:
        tables = content.get("serving") if isinstance(content, dict) else None
        if not isinstance(tables, dict):
            return content
        named = {name: serving_of(name) | table if isinstance(table, dict) else table for name, table in tables.items()}
        return content | {"serving": named}

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if EAGER in self.serving:
            raise ValueError("serving.eager: eager is always measured and has no settings")
        for name, method in self.methods.items():
            _check_named(name, method)
        for name, model in self.models.items():
            for wanted in model.methods or ():
                if wanted != "base" and wanted not in self.methods:
                    raise ValueError(f"models.{name}.methods: method {wanted!r} is not declared under [methods]")
        for name, data in self.tasks.items():
            if (data.task or name) not in TASKS:
                raise ValueError(
                    f"tasks.{name}: no task {data.task or name!r}; known are {', '.join(TASKS)} (key: task)"
                )
        return self

    @model_validator(mode="after")
    def _fair(self) -> Study:
        searched = {name: method.learning_rates for name, method in self.methods.items() if method.learning_rates}
        for name, rates in searched.items():
            first, others = next(iter(searched.items()))
            if len(rates) != len(others):
                raise ValueError(
                    f"methods.{name}.learning_rates: {len(rates)} of them, but methods.{first} has {len(others)}: "
                    "each method gets as many trials"
                )
        return self

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.name


def _check_named(name: str, method: Method) -> None:
    """Hold a method's name to what it is: what is called base, full or lora is that."""
    if name == "base" and method != Method():
        raise ValueError("methods.base: an untuned model has no settings")
    if name.startswith("lora") and method.adapter is None:
        raise ValueError(f"methods.{name}: a LoRA needs ranks")
    if name.startswith("full") and method.adapter is not None:
        raise ValueError(f"methods.{name}: full means that all weights are tuned; name an adapter otherwise")


def locate(study: str) -> Path:
    """Return the file of a study given by path or by the name of one that ships.

    Raises:
        StudyError: There is no such file.
    """
    path = Path(study)
    if path.suffix == ".toml":
        if path.is_file():
            return path
        raise StudyError(f"study file {study} does not exist")
    shipped = {file.stem: file for folder in SHIPPED for file in sorted(folder.glob("*.toml"))}
    if study in shipped:
        return shipped[study]
    raise StudyError(f"no study is called {study!r}; known are {', '.join(shipped)}, or give a path that ends in .toml")


def load(study: str, overrides: dict[str, dict[str, object]] | None = None) -> Study:
    """Read a study by name or path.

    Args:
        study: The name of a shipped study, or a file ending in .toml.
        overrides: Values laid over the file's `[study]` and `[protocol]` tables, by table and key.

    Raises:
        StudyError: One line that names the file and the key.
    """
    path = locate(study)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise StudyError(f"{path}: cannot be read as TOML: {error}") from error
    if "folder" in content:
        raise StudyError(f"{path}: folder: unknown key")
    for table, values in (overrides or {}).items():
        if isinstance(content.setdefault(table, {}), dict):
            content[table] |= values
    for data in content["tasks"].values() if isinstance(content.get("tasks"), dict) else ():
        for key in (overrides or {}).get("study", {}):
            if isinstance(data, dict):
                data.pop(key, None)  # an option is stronger than a task's own number
    try:
        return Study.model_validate({**content, "folder": path.parent})
    except ValidationError as error:
        raise StudyError(f"{path}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """The first of the faults pydantic found, as `key: what is wrong`."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"] if part not in {"[key]", "function-after"})
    what = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
    given = (
        f" (given: {fault['input']!r:.60})"
        if fault["type"] not in {"extra_forbidden", "missing", "value_error"}
        else ""
    )
    return f"{where}: {what}{given}" if where else what

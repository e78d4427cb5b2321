"""The declared grid: a TOML file read into frozen, validated values.

No input or output but reading the file, and nothing heavy is imported: a study is parsed each time
pytest collects.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from tunescale_core.declared import Count, Declared, Name
from tunescale_core.errors import StudyError
from tunescale_core.margins import EVERYWHERE, Gate, direction, parse_margin
from tunescale_core.method import Method, Trials, check_named
from tunescale_core.serving import EAGER, Serving, Thinking, serving_of
from tunescale_core.task_data import TaskData, check_task
from tunescale_core.tasks import TASKS

SHIPPED = (Path(__file__).parent / "studies", Path(__file__).parent.parent / "benchmarks" / "studies")
"""Where studies are found by name: in an installed package, and in a clone."""


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


class Expectation(Declared):
    """A quality threshold for the cells whose ids match."""

    cell: str
    """A shell pattern over cell ids; of cells served otherwise than eagerly those alone whose `-via-` it names."""
    metric: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Expectation:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs exactly one of at_least and at_most")
        return self


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
    save_seconds: Annotated[float, Field(ge=0)] = 600
    """Training saves its state at the end of a step so long after the last time, to go on from there should it be
    killed; it changes no weight. 0 saves every step."""
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
    methods: dict[Name, Method] = Field(default_factory=dict)
    tasks: Annotated[dict[Name, TaskData], Field(min_length=1)]
    protocol: Protocol = Protocol()
    serving: dict[Name, Serving] = Field(default_factory=dict)
    """Beside eager, which is always measured."""
    trials: Trials = Trials()
    gate: Gate = Gate()
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
        for name, table in named.items():
            if isinstance(table, dict) and "mode" not in table and name != EAGER:
                raise ValueError(
                    f"serving.{name}: its name alone says no way of serving, as static, adapter, batch-8 or "
                    "static-batch-4 would: write it so, or give it a mode"
                )
        return content | {"serving": named}

    def thinking(self, way: str) -> Thinking:
        """Return what questions say of thinking by a way of serving."""
        served = self.serving.get(way)
        return self.protocol.thinking if served is None or served.thinking is None else served.thinking

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if EAGER in self.serving:
            raise ValueError("serving.eager: eager is always measured and has no settings")
        for name, method in self.methods.items():
            check_named(name, method)
        self._check_sources()
        for name, model in self.models.items():
            for wanted in model.methods or ():
                if wanted != "base" and wanted not in self.methods:
                    raise ValueError(f"models.{name}.methods: method {wanted!r} is not declared under [methods]")
        for name, data in self.tasks.items():
            check_task(name, data)
        return self

    def _check_sources(self) -> None:
        """Refuse addresses, which might hold a password, and one folder both trusted and not."""
        trusted: dict[str, bool] = {}
        for name, model in self.models.items():
            if "://" in model.source:
                raise ValueError(f"models.{name}.source: give a hub id or a folder, no address")
            if trusted.setdefault(model.source, model.trust_remote_code) != model.trust_remote_code:
                raise ValueError(f"models.{name}.trust_remote_code: another model of the same source says otherwise")

    @model_validator(mode="after")
    def _measurable(self) -> Study:
        measured = [metric for name, data in self.tasks.items() for metric in TASKS[data.task or name].metrics]
        known = {metric.name: metric for metric in measured}
        for place, expected in enumerate(self.expect):
            if expected.metric not in known:
                raise ValueError(f"expect.{place}: nothing measures {expected.metric!r}; there are {', '.join(known)}")
            for value in (expected.at_least, expected.at_most):
                if value is not None and (told := known[expected.metric].misread(value)):
                    raise ValueError(f"expect.{place}: {told}")
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

    @model_validator(mode="after")
    def _gated(self) -> Study:
        tables = {"gate": self.gate.margins} | {f"gate.cells.{name}": one for name, one in self.gate.cells.items()}
        for where, table in tables.items():
            for key, text in table.items():
                try:
                    self._check_margin(key, text)
                except ValueError as error:
                    raise ValueError(f"{where}.{key}: {error}") from None
        return self

    def _check_margin(self, key: str, text: str) -> None:
        """Refuse a margin of what no task measures, or one that cannot be read."""
        task, _, metric = key.rpartition(".")
        if task and metric == "pace":
            raise ValueError("a pace is of a model and method, whatever the task: write pace alone")
        if task and task not in self.tasks:
            raise ValueError(f"the study has no task {task!r}; it has {', '.join(self.tasks)}")
        kinds = [TASKS[data.task or name] for name, data in self.tasks.items() if task in {"", name}]
        found = [one for one in (kind.metric(metric) for kind in kinds) if one]
        if not found and metric not in EVERYWHERE:
            known = dict.fromkeys([one.name for kind in kinds for one in kind.metrics] + list(EVERYWHERE))
            raise ValueError(f"{metric!r} is not gated; there are {', '.join(known)}")
        parse_margin(text, direction(metric, found[0].better if found else None))

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.name


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
    except (ValueError, OSError, RecursionError) as error:
        raise StudyError(f"{path}: cannot be read as TOML: {_why(error)}") from error
    if "folder" in content:
        raise StudyError(f"{path}: folder: unknown key")
    for table, values in (overrides or {}).items():
        if isinstance(content.setdefault(table, {}), dict):
            # A way of serving that the study has a table for keeps it; elsewhere an option is the stronger one.
            content[table] = values | content[table] if table == "serving" else content[table] | values
    for data in content["tasks"].values() if isinstance(content.get("tasks"), dict) else ():
        for key in (overrides or {}).get("study", {}):
            if isinstance(data, dict):
                data.pop(key, None)  # an option is stronger than a task's own number
    try:
        return Study.model_validate({**content, "folder": path.parent})
    except ValidationError as error:
        raise StudyError(f"{path}: {_first(error)}") from error


def _why(error: Exception) -> str:
    return "it nests too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())


def _first(error: ValidationError) -> str:
    """The first of the faults pydantic found, as `key: what is wrong`."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"] if part not in {"[key]", "function-after"})
    what = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        what = f"unknown key{_meant(tuple(fault['loc']))}"
    given = (
        f" (given: {fault['input']!r:.60})"
        if fault["type"] not in {"extra_forbidden", "missing", "value_error"}
        else ""
    )
    return f"{where}: {what}{given}" if where else what


def _meant(place: tuple[int | str, ...]) -> str:
    """Return which key may have been meant, and which there are where none is near."""
    tables: dict[int | str, type[Declared]] = {
        "study": Head, "models": Model, "methods": Method, "tasks": TaskData, "protocol": Protocol, "serving": Serving,
        "trials": Trials, "expect": Expectation, "findings": ExpectedFinding,
    }  # fmt: skip
    of = Study if len(place) == 1 else tables.get(place[0])
    known = sorted(set(of.model_fields) - {"folder"}) if of else []
    near = get_close_matches(str(place[-1]), known, 1)
    return f"; is it {near[0]}?" if near else f"; there are {', '.join(known)}" if known else ""

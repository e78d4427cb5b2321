"""The declared grid, whole: frozen values, held against one another.

No input or output, and nothing heavy is imported: a study is parsed each time pytest collects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from tunescale_core.study.constraints import Deployment
from tunescale_core.study.declared import Declared, Name
from tunescale_core.study.expected import Expectation, ExpectedFinding
from tunescale_core.study.head import Head
from tunescale_core.study.margins import EVERYWHERE, Gate, Margin, direction, parse_margin
from tunescale_core.study.method import Method, Trials, check_named
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import ANY, EAGER, Serving, Thinking, serving_of
from tunescale_core.study.task_data import Purpose, TaskData, check_task
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.task import Direction, Metric

_EAGER = Serving(mode=EAGER)


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
    constraints: Deployment | None = None
    """What a deployment must keep to: a run ends with advice where it is given."""
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
            _check_name(name, table)
            if isinstance(table, dict) and "mode" not in table and name != EAGER:
                raise ValueError(
                    f"serving.{name}: its name alone says no way of serving, as static, 4bit, batch-8 or "
                    "static-batch-4 would: write it so, or give it a mode"
                )
        return content | {"serving": named}

    def kind(self, task: str) -> str:
        """Return which of `TASKS` a task is."""
        return self.tasks[task].task or task

    def examples(self, task: str, purpose: Purpose) -> int:
        """Return how many examples are wanted of a task for a purpose."""
        field = f"{purpose}_examples"
        return int(getattr(self.tasks[task], field) or getattr(self.study, field))

    def served(self, way: str) -> Serving:
        """Return how a way of serving asks; eager is one."""
        return _EAGER if way == EAGER else self.serving[way]

    def thinking(self, way: str) -> Thinking:
        """Return what questions say of thinking by a way of serving."""
        return self.served(way).thinking or self.protocol.thinking

    def answers_otherwise(self, way: str) -> bool:
        """Tell whether a way of serving's answers are its own, and not eager's given at other times."""
        return self.served(way).quantize is not None or self.thinking(way) != self.protocol.thinking

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if ANY in self.serving:
            raise ValueError(f"serving.{ANY}: call it otherwise, advice says so of all ways together")
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
        measured = [metric for name in self.tasks for metric in TASKS[self.kind(name)].metrics]
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
    def _deployable(self) -> Study:
        if self.constraints is None:
            return self
        if not self.constraints.aims_at_one(tuple(self.tasks)):
            raise ValueError("constraints: which task is it for? Give maximise, as task:metric, or min")
        wish = self.constraints.maximise
        wished = [(*wish.partition(":")[::2], None, "maximise")] if wish is not None else []
        bars = [(task, name, value, f"min.{task}.{name}") for task, name, value in self.constraints.bars]
        for task, name, value, where in (*wished, *bars):
            try:
                self._check_bar(task, name, value)
            except ValueError as error:
                raise ValueError(f"constraints.{where}: {error}") from None
        ways = (EAGER, *self.serving, ANY)
        if self.constraints.serving not in ways:
            raise ValueError(
                f"constraints.serving: nothing is served by {self.constraints.serving!r}; there is {', '.join(ways)}"
            )
        return self

    def _check_bar(self, task: str, name: str, value: float | None) -> None:
        """Refuse a quality that no task of the study measures, or that no value of it can be."""
        if task not in self.tasks:
            raise ValueError(f"the study has no task {task!r}; it has {', '.join(self.tasks)}")
        kind = TASKS[self.kind(task)]
        metric = kind.metric(name)
        if metric is None:
            raise ValueError(
                f"{kind.name} has no metric {name!r}; it has {', '.join(one.name for one in kind.metrics)}"
            )
        if value is not None and (told := metric.misread(value)):
            raise ValueError(told)

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
        kinds = [TASKS[self.kind(name)] for name in self.tasks if task in {"", name}]
        found = [one for one in (kind.metric(metric) for kind in kinds) if one]
        if not found and metric not in EVERYWHERE:
            known = dict.fromkeys([one.name for kind in kinds for one in kind.metrics] + list(EVERYWHERE))
            raise ValueError(f"{metric!r} is not gated; there are {', '.join(known)}")
        better = direction(metric, found[0].better if found else None)
        if told := _allows_anything(parse_margin(text, better), metric, found[0] if found else None, better):
            raise ValueError(f"{text!r} allows anything, or nearly: {told}")

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.name


def _allows_anything(margin: Margin, metric: str, of_task: Metric | None, better: Direction) -> str | None:
    """Return why nothing can move by more than a margin, which is then in another unit than meant; None where it can.

    A gate with such a margin would hold whatever happens.
    """
    if margin.both:
        return None
    if metric == "pace":
        return "a pace is a ratio, and +3% allows 3 % more of it" if margin.amount >= 1 else None
    unit = of_task.unit if of_task else "fraction" if metric == "parse_rate" else ""
    if margin.relative:
        falls = better == "higher" and unit in {"fraction", "%"}
        return "nothing falls by more than all of it" if falls and margin.amount >= 1 else None
    if unit == "fraction" and margin.amount >= 1:
        return f"{metric} is a share from 0 to 1"
    return f"{metric} is in percent" if unit == "%" and margin.amount >= 100 else None


def _check_name(name: str, table: Any) -> None:
    """Refuse settings of a way of serving whose name says others."""
    said = serving_of(name, told_alone=True)
    for key in said.keys() & table.keys() if isinstance(table, dict) else ():
        if table[key] != said[key]:
            raise ValueError(f"serving.{name}: its name says {key} {said[key]}, and {key} is {table[key]!r}: rename it")

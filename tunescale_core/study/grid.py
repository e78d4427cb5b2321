"""A study expanded: variants, the cells they are asked in, and the ids that name both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tunescale_core.errors import StudyError
from tunescale_core.study.expected import Expectation
from tunescale_core.study.method import Method
from tunescale_core.study.serving import EAGER, VIA
from tunescale_core.study.study import Study
from tunescale_core.tasks import TASKS


@dataclass(frozen=True)
class Variant:
    """Model × method × training task × seed: what one would deploy."""

    model: str
    method: str
    """`base`, `full`, `lora-r32`, …"""
    task: str | None
    """The training task's name in the study; None for an untuned model."""
    seed: int | None
    rank: int | None
    settings: Method | None
    """The method as declared; None for an untuned model."""
    stem: str
    """The id without its seed."""
    suffix: str = ""
    """`-s1` where the study has several seeds."""

    @property
    def id(self) -> str:
        """What the variant is called: `qwen3-0.6b-lora-r256-on-arc-s1`."""
        return f"{self.stem}{self.suffix}"


@dataclass(frozen=True, repr=False)
class Cell:
    """Variant × evaluation task × way of serving: one case."""

    def __repr__(self) -> str:
        """Return its id: pytest-benchmark puts a case's parameter into headings and files."""
        return self.id

    variant: Variant
    task: str
    """The evaluation task's name in the study."""
    serving: str = EAGER
    """`eager`, or one of the study's `[serving]`."""

    @property
    def id(self) -> str:
        """What the case is called: `qwen3-0.6b-lora-r256-on-arc-for-squad_v2`, then `-via-static`, then `-s1`."""
        via = "" if self.serving == EAGER else f"{VIA}{self.serving}"
        return f"{self.variant.stem}-for-{self.task}{via}{self.variant.suffix}"


def variants(study: Study) -> tuple[Variant, ...]:
    """Expand a study's models, methods, training tasks and seeds, untuned models last of each model's."""
    return tuple(
        variant
        for model in study.models
        for variant in (*_tuned(study, model), Variant(model, "base", None, None, None, None, f"{model}-base"))
    )


def cells(study: Study) -> tuple[Cell, ...]:
    """Expand a study into cells, those of one variant together.

    Raises:
        StudyError: Two cells have the same id, an endpoint would be one model as two variants, an expectation matches
            none or asks for an unknown metric, or the gates' reference is no variant.
    """
    expanded = tuple(
        Cell(variant, task, serving)
        for variant in variants(study)
        for serving in (EAGER, *(name for name in study.serving if is_served(study, variant, name)))
        for task in study.tasks
    )
    for name in study.serving:
        held = [variant.id for variant in variants(study) if is_served(study, variant, name)]
        if not held:
            raise StudyError(f"study {study.name}: serving.{name} serves no variant; see its mode and its key only")
        if len(held) > 1 and _same_for_all(study, name):
            both = f"serving.{name} asks for {study.serving[name].model!r} as {held[0]} and as {held[1]}"
            raise StudyError(f"study {study.name}: {both}, which would be the same model twice: give only")
    seen: set[str] = set()
    for cell in expanded:
        if cell.id in seen:
            raise StudyError(f"study {study.name}: two cells are called {cell.id}; rename a model, method or task")
        seen.add(cell.id)
    for expectation in study.expect:
        _check(study, expectation, expanded)
    reference(study)
    for pattern in study.gate.cells:
        names = (name for cell in expanded for name in (cell.id, f"{cell.variant.model}-{cell.variant.method}"))
        if not any(fnmatchcase(name, pattern) for name in names):
            raise StudyError(f"study {study.name}: gate.cells {pattern!r} matches no cell; see --collect-only")
    return expanded


def reference(study: Study) -> Variant:
    """Return the variant whose time others' are held against: the first model, untuned, unless the study names one.

    Raises:
        StudyError: It names none of its variants.
    """
    wanted = study.gate.reference or f"{next(iter(study.models))}-base"
    for variant in variants(study):
        if variant.id == wanted:
            return variant
    raise StudyError(
        f"study {study.name}: gate.reference {wanted!r} is no variant of it; write one as {variants(study)[-1].id}"
    )


def is_served(study: Study, variant: Variant, name: str) -> bool:
    """Tell whether a variant is asked by a way of serving: an unmerged adapter needs one."""
    serving = study.serving[name]
    settings = variant.settings
    if serving.mode == "adapter" and (settings is None or settings.adapter is None or settings.quantize):
        return False  # beside its 4-bit base an adapter is another model than merged
    return fnmatchcase(variant.id, serving.only)


def _same_for_all(study: Study, name: str) -> bool:
    """Tell whether a way of serving is an endpoint that is asked for one model, whichever variant is meant."""
    serving = study.serving[name]
    return serving.mode == "endpoint" and not any(part in serving.model for part in ("{variant}", "{path}"))


def expected_of(study: Study, cell: Cell) -> tuple[Expectation, ...]:
    """Return the thresholds that hold for a cell.

    Those for cells served otherwise than eagerly name their way: such a cell asks few questions, and a `*` that ends a
    pattern for the sake of seeds is not meant for it.
    """
    return tuple(one for one in study.expect if _meant(one, cell))


def _meant(expectation: Expectation, cell: Cell) -> bool:
    return fnmatchcase(cell.id, expectation.cell) and (cell.serving == EAGER or VIA in expectation.cell)


def _tuned(study: Study, model: str) -> Iterator[Variant]:
    chosen = study.models[model].methods
    for task in study.tasks:
        for name, method in study.methods.items():
            if name == "base" or (chosen is not None and name not in chosen):
                continue
            for rank in method.ranks or (None,):
                label = name if rank is None else f"{name}-r{rank}"
                for seed in study.study.seeds:
                    suffix = f"-s{seed}" if len(study.study.seeds) > 1 else ""
                    yield Variant(model, label, task, seed, rank, method, f"{model}-{label}-on-{task}", suffix)


def _check(study: Study, expectation: Expectation, expanded: tuple[Cell, ...]) -> None:
    matched = [cell for cell in expanded if _meant(expectation, cell)]
    if not matched:
        raise StudyError(f"study {study.name}: expect.cell {expectation.cell!r} matches no cell; see --collect-only")
    for cell in matched:
        task = TASKS[study.kind(cell.task)]
        if task.metric(expectation.metric) is None:
            known = ", ".join(metric.name for metric in task.metrics)
            raise StudyError(
                f"study {study.name}: expect.metric {expectation.metric!r} is not measured by {cell.id}; it has {known}"
            )

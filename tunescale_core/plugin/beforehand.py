"""What the selected cases need, looked at before the first of them: a fault met later costs the hours until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tunescale_core.errors import StudyError, TuneScaleError
from tunescale_core.harmless import harmless
from tunescale_core.plugin.session import SESSION, cell_of, is_worker

if TYPE_CHECKING:
    from pathlib import Path

    from tunescale_core.study.grid import Cell
    from tunescale_core.study.method import Method
    from tunescale_core.study.study import Study
    from tunescale_core.study.task_data import Purpose


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to start where the store, a model, its template, a file, a row or an adapter cannot be what cases need.

    Raises:
        pytest.UsageError: One line that says which, and what to do.
    """
    study = session.config.stash[SESSION].study
    if study is None or session.config.option.collectonly or not session.items or is_worker(session.config):
        return
    selected = [cell for item in session.items if (cell := cell_of(item)) is not None]
    if not selected:
        return
    plugins = session.config.pluginmanager
    if not (plugins.hasplugin("benchmark") or plugins.hasplugin("pytest_benchmark.plugin")):  # by entry point, or by -p
        raise pytest.UsageError("the cases are timed by pytest-benchmark: leave out -p no:benchmark")
    from tunescale_core.plugin.cases import bench_of  # imported before pytest has it, it would not be rewritten

    try:
        _check_servings(study, selected)
        _check_batches(study, selected)
        folders = _check_models(study, selected)
        _check_data(study, selected)
        _check_chats(study, selected, folders)
        _check_adapters(study, selected, folders)
        bench_of(
            session.config, {cell.id for cell in selected}
        )  # the last: what cannot start leaves nothing in the store
    except TuneScaleError as error:
        raise pytest.UsageError(harmless(f"study {study.name}: {error}")) from None


def _check_servings(study: Study, selected: list[Cell]) -> None:
    """Make sure that what ways of serving need is installed."""
    from tunescale_core.models.quantised import check_installed

    for way in dict.fromkeys(cell.serving for cell in selected):
        if (bits := study.served(way).quantize) is not None:
            check_installed(bits)


def _check_batches(study: Study, selected: list[Cell]) -> None:
    """Make sure that as many questions are timed as a call asks at once."""
    for cell in selected:
        batch, asked = study.served(cell.serving).batch, study.examples(cell.task, "eval")
        timed = min(asked, study.protocol.timed_examples or asked)
        if batch > timed:
            raise StudyError(f"serving.{cell.serving} asks {batch} questions at once, and {timed} are timed: time more")


def _check_models(study: Study, selected: list[Cell]) -> dict[str, Path]:
    """Bring here all but the weights of models that do not come with TuneScale.

    A repository that is gated, private or missing gives none of it. Returns where each model lies, but for those with
    code of their own, which is not here yet.
    """
    from tunescale_core.models.base import EMBEDDED, check_weights, folder_here, without_weights
    from tunescale_core.models.quantised import check_full

    wanted = {name: study.models[name] for name in dict.fromkeys(cell.variant.model for cell in selected)}
    for model in wanted.values():  # what is asked of this machine alone comes first
        folder_here(model, study.folder)
    opened = {cell.variant.model for cell in selected if not _only_served(study, cell)}
    found = {}
    for name, model in wanted.items():
        if model.source.startswith(EMBEDDED):
            continue
        if name in opened:
            check_weights(model, study.folder)
        folder = without_weights(model, study.folder)
        if name in opened:
            check_full(folder)
        if not model.trust_remote_code:
            found[name] = folder
    return found


def _check_chats(study: Study, selected: list[Cell], folders: dict[str, Path]) -> None:
    """Try each model's chat template, with thinking as its cells ask for it."""
    wanted = {(cell.variant.model, study.thinking(cell.serving)) for cell in selected if cell.variant.model in folders}
    if not wanted:
        return
    from tunescale_core.decoding.prompts import Prompts
    from tunescale_core.models.chat import tokenizer_at

    for model, thinking in sorted(wanted):
        Prompts(tokenizer_at(folders[model]), thinking, limit=1)


def _only_served(study: Study, cell: Cell) -> bool:
    """Whether a cell needs no weights here: a server has them, and nothing is trained."""
    served = study.serving.get(cell.serving)
    return served is not None and served.mode == "endpoint" and cell.variant.settings is None


def _check_data(study: Study, selected: list[Cell]) -> None:
    """Read the rows of each purpose once; embedded ones are always there."""
    from tunescale_core.data.examples import load_examples
    from tunescale_core.data.sources import check_here, is_embedded

    wanted = sorted(_purposes(selected))
    for task, purpose in wanted:
        check_here(study.tasks[task], purpose, study.folder)
    for task, purpose in wanted:
        if not is_embedded(study.tasks[task], purpose):
            load_examples(study, task, purpose, study.study.seeds[0])


def _purposes(selected: list[Cell]) -> set[tuple[str, Purpose]]:
    wanted: set[tuple[str, Purpose]] = {(cell.task, "eval") for cell in selected}
    for variant in {cell.variant for cell in selected}:
        if variant.task is not None and variant.settings is not None:
            wanted.add((variant.task, "train"))
            if variant.settings.learning_rates:
                wanted.add((variant.task, "dev"))
    return wanted


def _check_adapters(study: Study, selected: list[Cell], folders: dict[str, Path]) -> None:
    """Ask PEFT about a study's adapters, and whether each fits the models that it is wanted on."""
    if any(method.peft or method.quantize for method in study.methods.values()):
        from tunescale_core.training.recipe import check_methods

        check_methods(study)
    wanted = {(cell.variant.model, cell.variant.settings): cell.variant for cell in selected}  # ranks fit alike
    for (model, settings), variant in wanted.items():
        if settings is None or (folder := folders.get(model) or _embedded(study, model, settings)) is None:
            continue
        from tunescale_core.training.adapting import check_fits

        check_fits(variant, folder)


def _embedded(study: Study, model: str, settings: Method) -> Path | None:
    """Return where a model lies that comes with TuneScale, if an adapter is wanted on it that may not fit."""
    from tunescale_core.models.base import EMBEDDED, folder_here
    from tunescale_core.study.method import ATTENTION

    usual = not settings.peft and settings.target_modules in {ATTENTION, "all-linear"}
    declared = study.models[model]
    return None if usual or not declared.source.startswith(EMBEDDED) else folder_here(declared, study.folder)

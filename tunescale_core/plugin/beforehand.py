"""What the selected cases need, looked at before the first of them: a fault met later costs the hours until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tunescale_core.errors import TuneScaleError
from tunescale_core.harmless import harmless
from tunescale_core.plugin.session import SESSION, cell_of, is_worker

if TYPE_CHECKING:
    from tunescale_core.grid import Cell
    from tunescale_core.sources import Purpose
    from tunescale_core.study import Study


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to start where a model, a file, a row or an adapter cannot be what the selected cases need.

    Raises:
        pytest.UsageError: One line that says which, and what to do.
    """
    study = session.config.stash[SESSION].study
    if study is None or session.config.option.collectonly or not session.items or is_worker(session.config):
        return
    selected = [cell for item in session.items if (cell := cell_of(item)) is not None]
    try:
        _check_models(study, selected)
        _check_data(study, selected)
        _check_adapters(study, selected)
    except TuneScaleError as error:
        raise pytest.UsageError(harmless(f"study {study.name}: {error}")) from None


def _check_models(study: Study, selected: list[Cell]) -> None:
    """Bring each model's configuration here, which a repository that is gated, private or missing does not give."""
    from tunescale_core.models.base import config_file, folder_here

    wanted = [study.models[name] for name in dict.fromkeys(cell.variant.model for cell in selected)]
    for check in (folder_here, config_file):  # what is asked of this machine alone comes first
        for model in wanted:
            check(model, study.folder)


def _check_data(study: Study, selected: list[Cell]) -> None:
    """Read the rows of each purpose once; embedded ones are always there."""
    from tunescale_core.data import load_examples
    from tunescale_core.sources import check_here, is_embedded

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


def _check_adapters(study: Study, selected: list[Cell]) -> None:
    """Ask PEFT about a study's adapters, and whether each fits the models that it is wanted on."""
    from tunescale_core.models.base import EMBEDDED, config_file

    if any(method.peft or method.quantize for method in study.methods.values()):
        from tunescale_core.training.recipe import check_methods

        check_methods(study)
    wanted = {(cell.variant.model, cell.variant.method): cell.variant for cell in selected}
    for (model, _), variant in wanted.items():
        declared = study.models[model]
        if variant.settings is None or declared.source.startswith(EMBEDDED) or declared.trust_remote_code:
            continue  # code of a model's own is not here yet
        from tunescale_core.training.adapting import check_fits

        check_fits(variant, config_file(declared, study.folder).parent)

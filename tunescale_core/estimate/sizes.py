"""What is known of a model before it is here: its shape where that says all, and else a count."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunescale_core.errors import ModelError
from tunescale_core.estimate.counted import Counted
from tunescale_core.estimate.shapes import Shape, has_shape, shape_of
from tunescale_core.models.architecture import config_of, configured
from tunescale_core.reading import json_of
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.study.study import Study

Sizes = Shape | Counted
SAME_SIZE = frozenset({"use_dora", "use_rslora", "type", "init_lora_weights"})
"""Settings of PEFT's LoRA under which its size is as the formula has it."""


def sizes_of(study: Study) -> tuple[dict[str, Sizes], dict[str, str]]:
    """Return what is known of each of a study's models, and why nothing is of the others.

    Raises:
        ModelError: One cannot be had; or nothing is known of any.
    """
    found: dict[str, Sizes] = {}
    unknown: dict[str, str] = {}
    for name, model in study.models.items():
        methods = [one for key, one in study.methods.items() if model.methods is None or key in model.methods]
        config, path = _declared(model, study.folder)
        try:
            found[name] = _sizes(model, config, path, methods)
        except ModelError as error:
            unknown[name] = str(error)
    if not found:
        raise ModelError(next(iter(unknown.values())))
    return found, unknown


def read_shape(model: Model, folder: Path) -> Shape:
    """Read a dense decoder's shape: from what is known of it, from its folder, or from its `config.json` on the hub.

    Raises:
        ModelError: It cannot be had, or is of another kind.
    """
    config, _ = _declared(model, folder)
    if not has_shape(config):
        raise ModelError(f"model {model.source} is of type {config.get('model_type')!r}, which is no dense decoder")
    return shape_of(config, model.source)


def _sizes(model: Model, config: Mapping[str, Any], path: Path | None, methods: list[Method]) -> Sizes:
    if model.trust_remote_code and "auto_map" in config:
        raise ModelError(f"model {model.source} brings code of its own, which is not run for an estimate")
    if has_shape(config):
        shape = shape_of(config, model.source)
        if all(_has_formula(method, shape) for method in methods):
            return shape
    counted = Counted(configured(config, model.source) if path is None else config_of(path.parent), model.source)
    counted.cache_bytes(1, 1)  # what cannot be built, or run without numbers, is told here, and the others are shown
    return counted


def _has_formula(method: Method, shape: Shape) -> bool:
    """Tell whether a method's weights follow from a shape: full tuning, or a LoRA on modules that it names."""
    if method.adapter is None:
        return True
    named = method.target_modules == "all-linear" or set(method.target_modules) <= set(shape.modules)
    return method.adapter == "LORA" and named and not set(method.peft) - SAME_SIZE


def _declared(model: Model, folder: Path) -> tuple[Mapping[str, Any], Path | None]:
    """Return the content of a model's `config.json`, and the file where it is here."""
    from tunescale_core.models.base import config_file

    known = tomllib.loads((Path(__file__).parent / "known_shapes.toml").read_text(encoding="utf-8"))
    if model.source in known and model.revision is None:
        return known[model.source], None
    path = config_file(model, folder)
    try:
        content: Mapping[str, Any] = json_of(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"model {model.source}: {path} cannot be read: {error}") from error
    return content, path

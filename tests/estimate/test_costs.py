"""Costs before spending: the formulae, and what they are held against."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.making import line
from tests.making import record as made
from tunescale_core.estimate.activations import footprint_of, held_bytes
from tunescale_core.estimate.costs import Device, estimates, plan_of, training_bytes
from tunescale_core.estimate.shown import estimate_table
from tunescale_core.estimate.sizes import read_shape
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.tables.formats import as_csv

SMALL = read_shape(Model(source="Qwen/Qwen3-0.6B"), Path())
H200 = Device(4.8e12, 141e9)


def paper() -> dict[str, object]:
    study = load("paper")
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    return {one.variant: one for one in estimates(study, shapes, H200)}


def state(settings: Method, rank: int | None = None) -> float:
    """Return the bytes of training without what rows keep: at rows of no token."""
    footprint = footprint_of(SMALL, settings, rank, 4)
    return footprint.weight_bytes + footprint.gradient_bytes + footprint.moment_bytes


def test_full_training_holds_sixteen_bytes_a_weight() -> None:
    """Full tuning holds 16 bytes a weight, LoRA 4 a weight and 16 an adapter weight, QLoRA half a byte a linear one."""
    assert state(Method()) == 16 * 596_049_920
    lora = Method(ranks=(32,))
    assert state(lora, 32) == 4 * 596_049_920 + 16 * 286_720 * 32
    linear = 28 * sum(inputs * outputs for inputs, outputs in SMALL.modules.values())
    quantised = lora.model_copy(update={"quantize": "4bit"})
    assert state(lora, 32) - state(quantised, 32) == pytest.approx(3.48 * linear, abs=1)


def test_more_memory_takes_more_rows_at_once() -> None:
    """A large card takes the whole effective batch at once, a small one a row at a time; each plan fits its card."""
    for memory, short in (
        (141e9, "8 × 1"),
        (24e9, "2 × 4"),
        (16e9, "8 × 1, checkpointing"),
        (12e9, "1 × 8, checkpointing"),
    ):
        plan = plan_of(SMALL, Method(), None, memory, 2)
        assert plan.short == short
        assert training_bytes(SMALL, Method(), None, 2, plan) <= memory


def test_bfloat16_keeps_less() -> None:
    """Under autocast a step keeps less a token, beside a copy of the linear weights."""
    plan = plan_of(SMALL, Method(), None, 141e9, 4)
    assert training_bytes(SMALL, Method(), None, 2, plan) < training_bytes(SMALL, Method(), None, 4, plan)
    copies = held_bytes(SMALL, Method(), None, 2) - held_bytes(SMALL, Method(), None, 4)
    assert copies == pytest.approx(0.88e9, rel=0.01)


def test_decoding_is_bounded_by_reading_the_weights() -> None:
    """On an H200 the papers' models decode a token in no less than 0.25 and 0.72 ms, cache aside."""
    found = paper()
    for name, limit in (("qwen3-0.6b-base", 0.25e-3), ("qwen3-1.7b-base", 0.72e-3)):
        assert limit <= found[name].seconds_per_token < limit * 1.1  # type: ignore[attr-defined]


def test_few_bits_take_and_read_less() -> None:
    """A way in few bits saves what its linear weights take less, in memory and a token, and trains nothing itself."""
    study = load("paper", {"serving": {"4bit": {"only": "*-1.7b-base"}, "8bit": {}, "static": {}}})
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    found = {one.variant: one for one in estimates(study, shapes, H200)}
    assert "qwen3-0.6b-base-via-4bit" not in found
    assert "qwen3-1.7b-base-via-static" not in found
    large = found["qwen3-1.7b-base"]
    for way, held in (("4bit", 0.52), ("8bit", 1.0)):
        saved = (2 - held) * shapes["qwen3-1.7b"].linear
        rounded = found[f"qwen3-1.7b-base-via-{way}"]
        assert large.serving_bytes - rounded.serving_bytes == pytest.approx(saved)
        assert large.seconds_per_token - rounded.seconds_per_token == pytest.approx(saved / H200.bandwidth)
    tuned = found["qwen3-0.6b-full-on-arc-via-8bit"]
    assert (tuned.trainable, tuned.training_bytes, tuned.fits, tuned.plan, tuned.store_bytes) == (
        0,
        None,
        None,
        None,
        0,
    )


def test_what_is_served_fits_or_does_not() -> None:
    """In 4 bits the larger model serves on a card that it is too large for in half precision."""
    study = load("paper", {"serving": {"4bit": {}}})
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    found = {one.variant: one.serves for one in estimates(study, shapes, Device(1e12, 2e9))}
    assert (found["qwen3-1.7b-base"], found["qwen3-1.7b-base-via-4bit"]) == (False, True)


def test_measured_figures_of_a_way_stand_beside_it() -> None:
    """A way in few bits has the time a token that was measured so, and no training."""
    study = load("mini", {"serving": {"4bit": {}}})
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    lines = [line(tokens=11, seconds=0.12, first_token_seconds=0.02)]
    slow = [line(tokens=11, seconds=0.22, first_token_seconds=0.02)]
    rounded = {"serving": "4bit", "serving_settings": {"quantize": "4bit"}}
    records = [
        made("full", "arc", lines=lines, model="mini-small"),
        made("full", "arc", lines=slow, model="mini-small", **rounded),
    ]
    table = estimate_table(list(estimates(study, shapes, H200)), gathered(map(from_record, records)))
    rows = {row[1]: row[-3:] for row in csv.reader(io.StringIO(as_csv(table)))}
    assert float(rows["mini-small-full-on-arc"][2]) == pytest.approx(10.0)
    assert rows["mini-small-full-on-arc-via-4bit"][:2] == ["", ""]
    assert float(rows["mini-small-full-on-arc-via-4bit"][2]) == pytest.approx(20.0)
    assert rows["mini-large-base-via-4bit"] == ["", "", ""]


def test_launching_takes_its_time() -> None:
    """Where launching a token's work takes longer than reading the weights, that is the limit."""
    study = load("mini")
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    assert {one.seconds_per_token for one in estimates(study, shapes, Device(1e12, 1e9, overhead=3e-3))} == {3e-3}


def test_untuned_models_take_no_training() -> None:
    """A base has nothing to train, fit or store."""
    base = paper()["qwen3-0.6b-base"]
    assert (base.training_bytes, base.fits, base.trainable, base.store_bytes) == (None, None, 0, 0)  # type: ignore[attr-defined]


def test_what_does_not_fit_is_said() -> None:
    """Training that needs more than the device has does not fit."""
    study = load("paper")
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    found = {one.variant: one.fits for one in estimates(study, shapes, Device(1e12, 8e9))}
    assert found["qwen3-0.6b-full-on-arc"] is False
    assert found["qwen3-0.6b-lora-r32-on-arc"] is True


def test_measured_figures_stand_beside() -> None:
    """After a run, trained weights, peak bytes and time a token stand in the variant's row; others have none."""
    study = load("mini")
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    cost = TrainingCost(
        seconds=1, tokens=1, steps=1, peak_memory_bytes=2 * 10**9, trainable_parameters=10**6, parameters=1, losses=()
    )
    lines = [line(tokens=11, seconds=0.12, first_token_seconds=0.02)]
    record = made("full", "arc", lines=lines, model="mini-small", cost=cost)
    table = estimate_table(list(estimates(study, shapes, H200)), Results((from_record(record),)))
    rows = {row[1]: row[-3:] for row in csv.reader(io.StringIO(as_csv(table)))}
    assert [float(value) for value in rows["mini-small-full-on-arc"]] == pytest.approx([1.0, 2.0, 10.0])
    assert rows["mini-large-base"] == ["", "", ""]


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_what_answers_are_made_in_changes_no_training(dtype: str) -> None:
    """A card trains under autocast and keeps a checkpoint in its base's type, whatever type it answers in."""
    study = load("paper", {"protocol": {"dtype": dtype}})
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    found = {one.variant: one for one in estimates(study, shapes, H200)}
    full = found["qwen3-0.6b-full-on-arc"]
    assert full.training_bytes == paper()["qwen3-0.6b-full-on-arc"].training_bytes  # type: ignore[attr-defined]
    assert full.store_bytes == 2 * 596_049_920
    assert full.serving_bytes > (4 if dtype == "float32" else 2) * 596_049_920

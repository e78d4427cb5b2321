"""Training that goes wrong, on curves made up and on the embedded model: stopped with one line, or flagged."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers.trainer_callback import TrainerState

from tests.training.test_tune import FULL, LORA, ROWS, lesson
from tunescale_core.errors import DivergedError, TrainingError
from tunescale_core.models.opened import load_weights
from tunescale_core.progress import Progress
from tunescale_core.study.method import Method
from tunescale_core.training import running
from tunescale_core.training import tune as tuning
from tunescale_core.training.health import IDLE_ADAPTER, IN_A_ROW, SAME_WEIGHTS, Curve, same_weights
from tunescale_core.training.lesson import Lesson, check_learnable, masked_rows
from tunescale_core.training.plan import Plan
from tunescale_core.training.saves import Saves
from tunescale_core.training.tune import trainer_for, tune

VOCABULARY = 1024
BLIND = math.log(VOCABULARY)
MASKED = FULL.model_copy(update={"loss": "completion", "max_length": 100})
MODULES = "the model has no nope to put it on; name target_modules among q_proj, k_proj, .*down_proj"


def logged(losses: list[float], **more: float) -> Curve:
    curve = Curve("m-full-on-arc", VOCABULARY)
    for step, loss in enumerate(losses, 1):
        curve.log(step, {"loss": loss, "grad_norm": 1.0, "learning_rate": 0.5, **more})
    return curve


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops(loss: float) -> None:
    """NaN or an infinite loss stops with its step, its rate, and what to do."""
    with pytest.raises(DivergedError) as caught:
        logged([2.0, 1.0, loss])
    assert str(caught.value) == (
        f"training m-full-on-arc diverged: the loss is {loss:g} at step 3, learning rate 0.5: "
        "lower learning_rate, or lengthen warmup"
    )


def test_a_gradient_that_is_not_finite_stops() -> None:
    """So does a gradient's norm: the step that it makes leaves no weight finite."""
    with pytest.raises(DivergedError, match=r"the gradient's norm is inf at step 1, learning rate 0\.5"):
        logged([2.0], grad_norm=math.inf)


def test_an_exploding_loss_stops() -> None:
    """Above three times where it began for three logged losses in a row training stops; for two it goes on."""
    assert logged([2.0, 6.1, 6.1, 5.9, 6.1, 6.1, 1.0]).flags() == ()
    with pytest.raises(DivergedError, match=r"the loss is 6\.1 at step 4, .* above 6 \(3 times where it began\)"):
        logged([2.0, 6.1, 6.1, 6.1])


def test_where_a_loss_begins_is_bounded() -> None:
    """A loss of nearly nothing may rise to three nats, and one that begins exploded does not set the mark."""
    assert logged([0.01, *[2.9] * 5]).flags() == ()
    with pytest.raises(DivergedError):
        logged([0.01, *[3.1] * IN_A_ROW])
    with pytest.raises(DivergedError, match=rf"above {3 * BLIND:.4g}"):
        logged([1e6] * IN_A_ROW)


@given(st.lists(st.floats(0, 2 * BLIND), min_size=1, max_size=20))
def test_a_curve_within_bounds_never_stops(losses: list[float]) -> None:
    """Whatever a loss does below three nats, training goes on and nothing is flagged."""
    assert logged([min(loss, 3.0) for loss in losses]).flags() == ()


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([0.5, 0.6, 3.5], "its loss ended at 3.5, over 3 times where it began"),
        ([8.26, 1e3, BLIND, BLIND, BLIND], "its loss ended at 6.931, no better than guessing blindly (6.931)"),
        ([8.26, 7.5], "its loss ended at 7.5, no better than guessing blindly (6.931)"),
    ],
)
def test_how_a_loss_ended_is_flagged(losses: list[float], said: str) -> None:
    """A loss that ends high, or where a model says the same of every token, is flagged."""
    assert logged(losses).flags() == (said,)


def test_a_summary_without_a_loss_is_passed_over() -> None:
    """What is logged at the end has no loss, and a training that logged none has no flag."""
    curve = Curve("m", VOCABULARY)
    curve.log(3, {"train_runtime": 1.0})
    assert curve.flags() == ()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_stop(value: float) -> None:
    """A weight that is not finite after the last step stops, though no logged loss told."""
    logged([1.0]).check_finite([torch.ones(3)])
    with pytest.raises(DivergedError, match="some of its weights are not finite at the end"):
        logged([1.0]).check_finite([torch.ones(3), torch.tensor([1.0, value])])


def test_weights_are_compared_by_tensor(tmp_path: Path) -> None:
    """Shards do not matter, one bit does, and a tensor that the base lacks is a difference."""
    base, model = tmp_path / "base", tmp_path / "model"
    base.mkdir()
    model.mkdir()
    one, two = torch.arange(4.0), torch.ones(2)
    save_file({"one": one, "two": two}, base / "model.safetensors")
    save_file({"one": one}, model / "model-00001-of-00002.safetensors")
    save_file({"two": two}, model / "model-00002-of-00002.safetensors")
    assert same_weights(model, base)
    save_file({"two": torch.nextafter(two, two + 1)}, model / "model-00002-of-00002.safetensors")
    assert not same_weights(model, base)
    save_file({"three": two}, model / "model-00002-of-00002.safetensors")
    assert not same_weights(model, base)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "rate", "how"),
    [
        (FULL, 1e6, "(the loss|the gradient's norm) is (nan|inf) at step"),
        (LORA, 1e30, "(the loss|the gradient's norm) is (nan|inf) at step"),
        (FULL.model_copy(update={"epochs": 12.0}), 1.0, r"the loss is [\d.]+ at step .* for 3 logged losses"),
    ],
    ids=["full", "lora", "exploding"],
)
def test_a_rate_far_too_high_stops(settings: Method, rate: float, how: str, tmp_path: Path) -> None:
    """A learning rate of a million, or of one for long, blows the embedded model up: one line, and nothing is saved."""
    blown = settings.model_copy(update={"learning_rate": rate})
    with pytest.raises(
        DivergedError, match=rf"^training .* diverged: {how}.*: lower learning_rate, or lengthen warmup$"
    ):
        tune(lesson(blown), tmp_path, Progress(), "planned")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_a_diverged_training_saved_is_let_go(tmp_path: Path) -> None:
    """A state of a training that diverged is not gone on from by the next."""
    saves = Saves(tmp_path / "store" / "unfinished" / "key", tmp_path / "store", 0)
    blown = FULL.model_copy(update={"learning_rate": 1e6})
    with pytest.raises(DivergedError):
        tune(lesson(blown), tmp_path / "model", Progress(), "planned", saves)
    assert not saves.folder.exists()


def test_a_curve_that_is_gone_on_from_begins_where_it_began() -> None:
    """After a kill the losses of before count: what had begun at two has exploded at six, wherever it is taken up."""
    curve = Curve("m", VOCABULARY)
    before = [{"step": step, "loss": loss} for step, loss in enumerate((2.0, 1.0, 6.1, 6.1), 1)]
    stepper = running._stepper(None, None, curve)  # type: ignore[arg-type]
    stepper.on_train_begin(None, TrainerState(log_history=before))
    curve.log(5, {"loss": 5.9})
    assert curve.flags() == ()
    stepper.on_train_begin(None, TrainerState(log_history=[*before, {"step": 6, "train_runtime": 1.0}]))
    with pytest.raises(DivergedError, match="at step 5"):
        curve.log(5, {"loss": 6.1})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "rate", "flag"),
    [
        (FULL, 0.0, SAME_WEIGHTS),
        (FULL, 1e-30, SAME_WEIGHTS),
        (LORA, 0.0, IDLE_ADAPTER),
        (LORA, 1e-30, SAME_WEIGHTS),
    ],
    ids=["full 0", "full 1e-30", "lora 0", "lora 1e-30"],
)
def test_a_training_that_changed_nothing_is_flagged(settings: Method, rate: float, flag: str, tmp_path: Path) -> None:
    """A rate that moves no weight, or moves an adapter by less than its base's rounding, leaves a flag."""
    # The base's loss on prompts is worse than blind guessing, which is flagged of itself.
    still = settings.model_copy(update={"learning_rate": rate, "loss": "completion"})
    cost = tune(lesson(still), tmp_path, Progress(), "planned")
    assert cost.flags == (flag,)
    assert (tmp_path / "model" / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("settings", [FULL, LORA], ids=["full", "lora"])
def test_a_sound_training_is_not_flagged(settings: Method, tmp_path: Path) -> None:
    """What learnt something carries no flag."""
    sound = settings.model_copy(update={"loss": "completion"})
    assert tune(lesson(sound), tmp_path, Progress(), "planned").flags == ()


@pytest.mark.slow
def test_an_adapter_whose_outer_factor_stayed_zero_is_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A LoRA whose B is zero adds nothing, however much its A moved."""
    run = running.run

    def zeroing(trainer: object, *rest: object) -> object:
        cost = run(trainer, *rest)  # type: ignore[arg-type]
        for name, weight in trainer.model.named_parameters():  # type: ignore[attr-defined]
            if "lora_B" in name:
                weight.data.zero_()
        return cost

    monkeypatch.setattr(tuning, "run", zeroing)
    cost = tune(lesson(LORA.model_copy(update={"loss": "completion"})), tmp_path, Progress(), "planned")
    assert cost.flags == (IDLE_ADAPTER,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target_modules": ("nope",)}, MODULES),
        (
            {"peft": {"inference_mode": True}},
            "has no weight to train: see its method's target_modules",
        ),
    ],
    ids=["no such modules", "a frozen adapter"],
)
def test_nothing_to_train_stops(fields: dict[str, object], said: str, tmp_path: Path) -> None:
    """Modules that match nothing, and a frozen adapter, stop before the first step."""
    with pytest.raises(TrainingError, match=said):
        tune(lesson(LORA.model_copy(update=fields)), tmp_path, Progress(), "planned")


@pytest.mark.slow
def test_a_frozen_model_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base all of whose weights are frozen stops too."""

    def frozen(*arguments: object) -> object:
        return load_weights(*arguments).requires_grad_(requires_grad=False)  # type: ignore[arg-type]

    monkeypatch.setattr(tuning, "load_weights", frozen)
    with pytest.raises(TrainingError, match="has no weight to train"):
        tune(lesson(FULL), tmp_path, Progress(), "planned")


@pytest.mark.slow
def test_all_tokens_masked_stops() -> None:
    """Where in no row a token of the answer is left, nothing is loaded, be prompts learnt too or not."""
    for loss in ("completion", "all"):
        with pytest.raises(
            TrainingError, match=r"in all 20 rows the prompt alone fills max_length = 8,.* raise max_length$"
        ):
            check_learnable(lesson(MASKED.model_copy(update={"max_length": 8, "loss": loss})))


@pytest.mark.slow
def test_masked_rows_are_counted_as_the_trainer_leaves_them_out(tmp_path: Path) -> None:
    """At every length the rows that are counted are those that TRL leaves out."""
    for length in (60, 80, 100, 120):
        wanted = lesson(MASKED.model_copy(update={"max_length": length}))
        trainer, _ = trainer_for(wanted, Plan.literal(wanted.settings), tmp_path)
        assert len(trainer.train_dataset) == len(ROWS[:20]) - sum(masked_rows(wanted)), length
    assert 0 < sum(masked_rows(lesson(MASKED))) < 20


@pytest.mark.slow
def test_some_rows_masked_are_counted(tmp_path: Path) -> None:
    """A training goes on without them and its record counts them, whichever row is measured for a plan."""
    wanted = lesson(MASKED)
    order = sorted(range(20), key=lambda place: not masked_rows(wanted)[place])
    first = Lesson(wanted.variant, wanted.base, [ROWS[place] for place in order])
    cost = tune(first, tmp_path, Progress(), "planned")
    assert cost.rows_masked == sum(masked_rows(wanted))
    assert cost.rows_cut > cost.rows_masked

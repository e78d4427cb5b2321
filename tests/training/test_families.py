"""Models of many families are tuned, merged and asked alike: one study's methods hold for all of them."""

from pathlib import Path

import pytest
import torch

from tests.families import FAMILIES, make
from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.models.opened import Opened, open_adapted, open_model
from tunescale_core.progress import Progress
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.protocol import Protocol
from tunescale_core.training import running
from tunescale_core.training import tune as tuning
from tunescale_core.training.adapting import check_fits
from tunescale_core.training.health import IDLE_ADAPTER, SAME_WEIGHTS
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.plan import Footprint, Plan, plans
from tunescale_core.training.running import Attempt
from tunescale_core.training.tune import trainer_for, tune

pytestmark = pytest.mark.slow

ROWS = load_examples(load("mini"), "arc", "train").rows[:20]
PROTOCOL = Protocol(max_new_tokens=2, min_new_tokens=2, dtype="float32")
ASKED = 4
"""Questions."""
ROOMY = Footprint(gradient_bytes=1, moment_bytes=0, kept_bytes=2.0, checkpointed_bytes=1.0, longest=1)
DRAWING = {"gpt2", "opt"}
"""Families with dropout that is no module of its own."""
FULL = Method(learning_rate=1e-2)


@pytest.fixture(params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def base(name: str, tmp_path: Path) -> Path:
    return make(FAMILIES[name], tmp_path / "base")


def lesson(base: Path, settings: Method) -> Lesson:
    rank = settings.ranks[0] if settings.ranks else None
    return Lesson(Variant("m", "method", "arc", 0, rank, settings, "m-method-on-arc"), base, ROWS)


def lora(modules: tuple[str, ...] | str) -> Method:
    return Method.model_validate({"ranks": (4,), "learning_rate": 1e-2, "target_modules": modules})


def curve(taught: Lesson, plan: Plan, scratch: Path) -> list[float]:
    trainer, rows = trainer_for(taught, plan, scratch)
    return [loss for _, loss in running.run(trainer, rows, taught, Attempt(plan), Progress()).losses]


def logits(opened: Opened, size: int) -> torch.Tensor:
    """Return those of an answer's first tokens as `generate` makes them, prompts taken so many at once.

    Words would not do: a model of random weights says nearly the same to everything.
    """
    decoder, found = EagerDecoder(opened, PROTOCOL), []
    for start in range(0, ASKED, size):
        inputs = decoder.prepare([row.messages for row in ROWS[start : start + size]]).inputs
        made = opened.model.generate(
            **inputs, generation_config=decoder.config, output_logits=True, return_dict_in_generate=True
        )
        found.append(torch.stack(made.logits, 1))
    return torch.cat(found)


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-4)


def test_a_family_is_tuned_and_asked(name: str, base: Path, tmp_path: Path) -> None:
    """Both ways of tuning lower the loss and move what is answered, to a batch as to single questions.

    A merged model answers as its base with the adapter beside it.
    """
    check_fits(lesson(base, lora(FAMILIES[name].attention)).variant, base)
    untuned = logits(open_model(base, PROTOCOL), 1)
    assert not alike(untuned[:1], untuned[1:2])
    for place, settings in enumerate((FULL, lora(FAMILIES[name].modules))):
        taught, target = lesson(base, settings), tmp_path / str(place)
        check_fits(taught.variant, base)
        cost = tune(taught, target, Progress(), "planned")
        assert cost.losses[-1][1] < cost.losses[0][1]
        assert not {IDLE_ADAPTER, SAME_WEIGHTS} & {*cost.flags}
        merged = logits(open_model(target / "model", PROTOCOL), 1)
        assert not alike(merged, untuned)
        assert alike(logits(open_model(target / "model", PROTOCOL), ASKED), merged)
    assert alike(logits(open_adapted(base, target / "adapter", PROTOCOL), 1), merged)


def test_plans_learn_the_literal_loops_curve(name: str, base: Path, tmp_path: Path) -> None:
    """Cut and padded otherwise, a step's loss is the literal loop's to 1e-4 in every family, dropout included.

    Where a model draws more than a row decides, only the literal loop is planned.
    """
    settings = lora(FAMILIES[name].modules)
    taught = lesson(base, settings)
    literal = curve(taught, Plan.literal(settings), tmp_path)
    assert len(literal) == 3
    planned = next(tuning.choices(taught, "planned"))
    assert (planned.training == "literal") == (name in DRAWING)
    cut = planned if name in DRAWING else next(plans(settings, ROOMY, 17))
    assert cut.padding == ("none" if name in DRAWING else "sorted")
    assert curve(taught, cut, tmp_path) == pytest.approx(literal, abs=1e-4), cut


@pytest.mark.parametrize("family", ["llama", "gemma3-vision"])
def test_answers_of_unlike_lengths_weigh_the_same_by_every_plan(family: str, tmp_path: Path) -> None:
    """A step's loss is over its tokens, and no mean of its micro-batches' means, whatever a class says of its loss."""
    base = make(FAMILIES[family], tmp_path / "base")
    long = load_examples(load("mini"), "openmath", "train").rows[:8]
    settings = FULL.model_copy(update={"loss": "completion"})
    taught = Lesson(lesson(base, settings).variant, base, (*long, *ROWS[:8]))
    literal = curve(taught, Plan.literal(settings), tmp_path)
    assert curve(taught, next(plans(settings, ROOMY, 17)), tmp_path) == pytest.approx(literal, abs=1e-4)

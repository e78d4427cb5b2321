"""Fine-tuning for real on the embedded small model: plans that agree, memory that runs out, adapters of every kind."""

import gc
import json
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.decoder import EagerDecoder as Decoder
from tunescale_core.errors import ResourceError, StudyError, TrainingError
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import MINIMAL_TEMPLATE, tokenizer_of
from tunescale_core.models.opened import open_model
from tunescale_core.progress import Progress
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.training import running, tuned
from tunescale_core.training import tune as tuning
from tunescale_core.training.footprint import kept_bytes, tokens_of
from tunescale_core.training.lesson import Lesson, rows_cut
from tunescale_core.training.order import Trainer
from tunescale_core.training.plan import Footprint, Plan, plans
from tunescale_core.training.recipe import adapter_config
from tunescale_core.training.running import Attempt
from tunescale_core.training.tune import out_of_memory, trainer_for, tune

pytestmark = pytest.mark.slow

BASE = resolve(Model(source="embedded:mini-small"), Path()).folder
ROWS = load_examples(load("mini"), "squad_v2", "train").rows[:20]
FULL = Method(learning_rate=1e-3)
LORA = Method(ranks=(4,), learning_rate=1e-2, target_modules="all-linear")


ADAPTERS = {
    "rslora": {"ranks": (4,), "peft": {"use_rslora": True}},
    "dora": {"ranks": (4,), "peft": {"use_dora": True}},
    "ia3": {"peft": {"type": "ia3", "feedforward_modules": []}},
    "vera": {"ranks": (8,), "peft": {"type": "VERA"}, "target_modules": ("q_proj", "o_proj")},
    "loha": {"ranks": (4,), "peft": {"type": "LOHA", "alpha": 8}},
    "qlora": {"ranks": (4,), "quantize": "4bit"},
}
ROOMY = Footprint(gradient_bytes=1, moment_bytes=0, kept_bytes=2.0, checkpointed_bytes=1.0, longest=1)


def lesson(settings: Method, number: int = 20) -> Lesson:
    rank = settings.ranks[0] if settings.ranks else None
    variant = Variant("mini-small", "method", "squad_v2", 0, rank, settings, "mini-small-method-on-squad_v2")
    return Lesson(variant, BASE, ROWS[:number])


def curve(settings: Method, plan: Plan, tmp_path: Path) -> list[float]:
    trainer, rows = trainer_for(lesson(settings), plan, tmp_path)
    cost = running.run(trainer, rows, lesson(settings), Attempt(plan), Progress())
    return [loss for _, loss in cost.losses]


def every_plan() -> Iterator[Plan]:
    for memory in range(25):
        yield next(plans(FULL, ROOMY, memory))


@pytest.mark.parametrize("settings", [FULL, LORA], ids=["full", "lora"])
def test_every_plan_learns_the_literal_loops_curve(settings: Method, tmp_path: Path) -> None:
    """In fp32 each step's loss is the literal loop's to 1e-4 under every plan, with dropout and a short last step."""
    literal = curve(settings, Plan.literal(settings), tmp_path)
    assert len(literal) == 3
    assert literal[0] - literal[-1] > 0.01
    found = {plan.short: plan for plan in every_plan()}
    assert len(found) >= 5
    for plan in found.values():
        assert curve(settings, plan, tmp_path) == pytest.approx(literal, abs=1e-4), plan


@pytest.mark.parametrize(
    "settings",
    [
        FULL.model_copy(update={"epochs": 2.0, "loss": "completion"}),
        LORA.model_copy(update={"epochs": 2.0}),
        Method.model_validate({"ranks": (4,), "learning_rate": 1e-2, "peft": {"use_dora": True}}),
    ],
    ids=["completion, two epochs", "lora, two epochs", "dora"],
)
def test_other_recipes_learn_the_same_curve(settings: Method, tmp_path: Path) -> None:
    """The same holds over epochs, where the answer alone is learnt, and for another adapter."""
    literal = curve(settings, Plan.literal(settings), tmp_path)
    for plan in (Plan.smallest(settings), next(plans(settings, ROOMY, 1 << 60)), next(plans(settings, ROOMY, 17))):
        assert curve(settings, plan, tmp_path) == pytest.approx(literal, abs=1e-4), plan


def test_a_model_without_a_chat_template_learns_to_stop(tmp_path: Path) -> None:
    """Under the minimal template a tuned model ends its answers itself, as one with a template of its own does."""
    plain = shutil.copytree(BASE, tmp_path / "plain", ignore=shutil.ignore_patterns("*.jinja"))
    assert tokenizer_of(plain).chat_template == MINIMAL_TEMPLATE
    taught = load_examples(load("mini", {"study": {"train_examples": 60}}), "squad_v2", "train").rows
    settings = FULL.model_copy(update={"learning_rate": 2e-3, "epochs": 4.0})
    tune(replace(lesson(settings), base=plain, examples=taught), tmp_path / "tuned", Progress(), "planned")
    decoder = Decoder(open_model(tmp_path / "tuned" / "model", Protocol()), Protocol(max_new_tokens=60))
    found = [completion.finish for _, completion in decoder.batched([one.messages for one in taught[:8]], 8)]
    assert found == ["stop"] * 8


def test_a_base_model_with_a_chat_template_learns_to_stop(tmp_path: Path) -> None:
    """Where documents end otherwise than turns do, a tuned model ends its turn, and servers are told that it does."""
    other = shutil.copytree(BASE, tmp_path / "other")
    for name, told in (
        ("tokenizer_config", {"eos_token": "<|endoftext|>"}),
        ("generation_config", {"eos_token_id": 0}),
    ):
        path = other / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | told))
    end = tokenizer_of(other).convert_tokens_to_ids("<|im_end|>")
    settings = FULL.model_copy(update={"learning_rate": 2e-3})
    tune(replace(lesson(settings), base=other), tmp_path / "tuned", Progress(), "planned")
    decoder = Decoder(open_model(tmp_path / "tuned" / "model", Protocol()), Protocol(max_new_tokens=60))
    found = [completion.finish for _, completion in decoder.batched([one.messages for one in ROWS[:8]], 8)]
    assert found == ["stop"] * 8
    generation = json.loads((tmp_path / "tuned" / "model" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [0, end]


def test_a_tuned_model_generates_as_its_base_says(tmp_path: Path) -> None:
    """Values of sampling without do_sample, as hubs have them, end no training at its end; the cache is on again."""
    other = shutil.copytree(BASE, tmp_path / "other")
    told = {"bos_token_id": 1, "eos_token_id": [3, 4], "temperature": 0.9, "top_p": 0.6}
    (other / "generation_config.json").write_text(json.dumps(told))
    for settings in (FULL, LORA):
        target = tmp_path / str(settings.ranks)
        tune(replace(lesson(settings, 8), base=other), target, Progress(), "planned")
        kept = json.loads((target / "model" / "generation_config.json").read_text())
        assert kept | {"eos_token_id": told["eos_token_id"]} == told
        assert set(kept["eos_token_id"]) >= {3, 4}
        assert json.loads((target / "model" / "config.json").read_text())["use_cache"] is True


def test_merging_has_the_memory_of_the_optimiser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time that a result is merged and written, what only training needs is free."""
    moments: list[weakref.ref[torch.Tensor]] = []
    step, alive = torch.optim.AdamW.step, []

    def noting(self: torch.optim.AdamW, *rest: object, **named: object) -> object:
        done = step(self, *rest, **named)
        moments[:] = [weakref.ref(value["exp_avg"]) for value in self.state.values()]
        return done

    def saving(_: Path) -> torch.dtype:
        gc.collect()
        alive.append(sum(one() is not None for one in moments))
        return torch.float32

    monkeypatch.setattr(torch.optim.AdamW, "step", noting)
    monkeypatch.setattr(tuned, "_dtype_of", saving)
    tune(lesson(FULL, 8), tmp_path, Progress(), "planned")
    assert moments
    assert alive == [0]


def test_what_was_written_is_read_back_once_the_trainer_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the weights have changed is asked when the model that was trained takes no memory any more."""
    models: list[weakref.ref[torch.nn.Module]] = []
    alive, save = [], tuning.save_tuned

    def saving(trainer: Trainer, *rest: Any) -> None:
        models.append(weakref.ref(trainer.model))
        save(trainer, *rest)

    def comparing(*_: Path) -> bool:
        alive.append(models[-1]() is not None)
        return False

    monkeypatch.setattr(tuning, "save_tuned", saving)
    monkeypatch.setattr(tuning, "same_weights", comparing)
    tune(lesson(FULL, 8), tmp_path, Progress(), "planned")
    assert alive == [False]


def test_one_card_of_several_is_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a machine shows two cards, a training takes one: TRL refuses to split a step over threads."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    trainer, _ = trainer_for(lesson(FULL, 8), Plan.literal(FULL), tmp_path)
    assert trainer.args.n_gpu == 1
    assert len(trainer.get_train_dataloader()) == 8


def test_a_qlora_adapter_is_trained_in_fp32(tmp_path: Path) -> None:
    """Beside a 4-bit base the adapter has fp32 weights: bfloat16 would round most updates away."""
    settings = Method.model_validate(ADAPTERS["qlora"])
    trainer, _ = trainer_for(lesson(settings), Plan.literal(settings), tmp_path)
    assert {p.dtype for p in trainer.model.parameters() if p.requires_grad} == {torch.float32}


def test_a_row_that_does_not_fit_gives_the_smallest_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where measuring already runs out of memory, the plan that takes least is tried."""
    monkeypatch.setattr(tuning, "measured_footprint", lambda *_: (_ for _ in ()).throw(MemoryError()))
    cost = tune(lesson(FULL, 8), tmp_path, Progress(), "planned")
    assert Plan.model_validate(cost.plan) == Plan.smallest(FULL)


def test_running_out_of_memory_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a plan runs out of memory the next smaller one is tried from the start, and its record says so."""
    ran: list[str] = []
    run = running.run

    def short(trainer: object, rows: object, wanted: Lesson, attempt: Attempt, progress: Progress) -> object:
        ran.append(attempt.plan.short)
        if attempt.plan.micro_batch > 2:
            raise torch.OutOfMemoryError("no more")
        return run(trainer, rows, wanted, attempt, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(tuning, "run", short)
    cost = tune(lesson(FULL), tmp_path, Progress(), "planned")
    assert ran[:2] == ["8 × 1", "4 × 2"]
    plan = Plan.model_validate(cost.plan)
    assert plan.micro_batch <= 2
    assert plan.fell_back == tuple(ran[:-1])
    assert (tmp_path / "model" / "model.safetensors").is_file()


OUT_OF_MEMORY = [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()]


@pytest.mark.parametrize(("module", "moment"), [(tuning, "save_tuned"), (tuned, "_merged"), (tuning, "same_weights")])
@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["CUDA", "host"])
def test_no_memory_to_write_what_was_learnt(
    module: ModuleType, moment: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saving and merging take no less under a smaller plan: one line says so, and nothing is trained once more."""
    ran: list[object] = []
    run = running.run

    def counted(*arguments: object) -> object:
        ran.append(arguments)
        return run(*arguments)  # type: ignore[arg-type]

    def failing(*_: object) -> object:
        raise error

    monkeypatch.setattr(tuning, "run", counted)
    monkeypatch.setattr(module, moment, failing)
    with pytest.raises(ResourceError, match=r"^what mini-small-method-on-squad_v2 has learnt: memory ran out"):
        tune(lesson(LORA), tmp_path, Progress(), "planned")
    assert len(ran) == 1


@pytest.mark.parametrize("moment", ["trainer_for", "run"])
@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["CUDA", "host"])
def test_memory_may_run_out_in_loading_or_stepping(
    moment: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next plan starts afresh and learns what it would have learnt alone."""
    real, left = getattr(tuning, moment), [error]

    def once(*arguments: object) -> object:
        if left and Plan.literal(LORA) not in arguments:  # which measures one row
            raise left.pop()
        return real(*arguments)

    monkeypatch.setattr(tuning, moment, once)
    cost = tune(lesson(LORA), tmp_path / "second", Progress(), "planned")
    assert Plan.model_validate(cost.plan).fell_back == ("8 × 1",)
    assert Plan.model_validate(cost.plan).short == "4 × 2"
    first = tune(lesson(LORA), tmp_path / "first", Progress(), "planned")
    assert Plan.model_validate(first.plan).fell_back == ()
    assert [loss for _, loss in cost.losses] == pytest.approx([loss for _, loss in first.losses], abs=1e-4)
    names = [
        sorted(str(one.relative_to(tmp_path / way)) for one in (tmp_path / way).rglob("*"))
        for way in ("first", "second")
    ]
    assert names[0] == names[1]


def test_no_plan_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the smallest plan fits, the error says what was tried and what to do."""
    monkeypatch.setattr(tuning, "run", lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(TrainingError, match=r"ran out of memory at 8 × 1, then at .*: use a shorter max_length"):
        tune(lesson(FULL), tmp_path, Progress(), "planned")


def test_other_errors_are_not_memorys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not about memory ends the training at once."""
    monkeypatch.setattr(tuning, "run", lambda *_: (_ for _ in ()).throw(RuntimeError("shape mismatch")))
    with pytest.raises(RuntimeError, match="shape mismatch"):
        tune(lesson(FULL), tmp_path, Progress(), "planned")


def test_what_says_that_memory_ran_out() -> None:
    """Python's, CUDA's and the CPU allocator's ways of saying so are known."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert out_of_memory(caught.value)
    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 8 GB, max allowed: 9 GB)"))
    assert out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not out_of_memory(RuntimeError("shape mismatch"))


def test_literal_training_is_the_recipe(tmp_path: Path) -> None:
    """Asked for literally, a step is cut as the recipe says, and the cost's plan says that."""
    cost = tune(lesson(FULL, 8), tmp_path, Progress(), "literal")
    assert cost.plan["training"] == "literal"
    assert (cost.plan["micro_batch"], cost.plan["accumulation"], cost.plan["activation_checkpointing"]) == (1, 8, True)


def test_rows_that_lose_their_end_are_counted() -> None:
    """Rows longer than max_length are counted, those as long as it are not."""
    from tunescale_core.models.chat import tokenizer_of

    lengths = sorted(tokens_of(ROWS, tokenizer_of(BASE)))
    for limit, number in ((lengths[-1], 0), (lengths[-1] - 1, lengths.count(lengths[-1])), (1, len(ROWS))):
        assert rows_cut(lesson(FULL.model_copy(update={"max_length": limit}))) == number


def test_kept_bytes_grow_with_tokens_and_checkpointing_saves_them(tmp_path: Path) -> None:
    """What is kept for the backward pass goes with the tokens; with checkpointing it is several times less."""
    kept = {}
    for number in (2, 4):
        plan = Plan.literal(Method(batch=number, activation_checkpointing=False))
        trainer, _ = trainer_for(lesson(FULL, number), plan, tmp_path)
        batch = next(iter(trainer.get_train_dataloader()))
        kept[number] = kept_bytes(trainer, batch) / batch["input_ids"].numel()
    assert kept[2] == pytest.approx(kept[4], rel=0.1)
    trainer.model.activation_checkpointing_enable()
    assert kept_bytes(trainer, batch) / batch["input_ids"].numel() < kept[4] / 3


def test_lengths_are_of_whole_conversations() -> None:
    """Tokens of an example count its prompt, its target and the template's own."""
    from tunescale_core.models.chat import tokenizer_of

    tokenizer = tokenizer_of(BASE)
    longer = replace(ROWS[0], target=ROWS[0].target + " and more")
    one, two = tokens_of([ROWS[0], longer], tokenizer)
    assert two == one + len(tokenizer(" and more", add_special_tokens=False).input_ids)


@pytest.mark.parametrize("name", ADAPTERS)
def test_anything_peft_configures_trains_and_merges(name: str, tmp_path: Path) -> None:
    """Each kind of adapter, one line of a study, trains, moves the weights, and merges into a plain model."""
    from safetensors.torch import load_file

    settings = Method.model_validate({"learning_rate": 1e-2, **ADAPTERS[name]})
    cost = tune(lesson(settings, 16), tmp_path, Progress(), "planned")
    assert 0 < cost.trainable_parameters < cost.parameters / 2
    before, after = (load_file(folder / "model.safetensors") for folder in (BASE, tmp_path / "model"))
    assert after.keys() == before.keys()
    assert all(after[key].dtype == before[key].dtype for key in before)
    assert any(not torch.equal(after[key], before[key]) for key in before)
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()


def test_a_merged_qlora_is_what_training_saw(tmp_path: Path) -> None:
    """A merged 4-bit model holds the weights as training saw them: the base's, rounded to 4 bits, and the adapter."""
    from safetensors.torch import load_file

    settings = Method.model_validate({"learning_rate": 1e-9, **ADAPTERS["qlora"]})
    tune(lesson(settings, 8), tmp_path, Progress(), "planned")
    before, after = (load_file(folder / "model.safetensors") for folder in (BASE, tmp_path / "model"))
    name = "model.layers.0.mlp.up_proj.weight"
    error = (after[name].float() - before[name].float()).abs().mean() / before[name].float().abs().mean()
    assert 0.01 < error < 0.2
    assert torch.equal(after["model.norm.weight"], before["model.norm.weight"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ranks": (4,), "peft": {"use_dorra": True}}, "PEFT's LORA has no setting 'use_dorra'"),
        ({"ranks": (4,), "peft": {"type": "LORRA"}}, "PEFT has no adapter 'LORRA'; it has .*LORA"),
        ({"ranks": (4,), "peft": {"type": "IA3"}}, "PEFT's IA3 has no setting 'r'"),
    ],
)
def test_what_peft_does_not_know_is_said(settings: dict[str, object], said: str) -> None:
    """An unknown adapter or setting is one line that names the method."""
    with pytest.raises(StudyError, match=f"method method: {said}"):
        adapter_config(lesson(Method.model_validate(settings)).variant)

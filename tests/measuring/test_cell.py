"""Cells measured end to end: a tiny random model, really trained, really asked."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tunescale_core.errors import ModelError
from tunescale_core.measuring.cell import Bench
from tunescale_core.models.base import resolve
from tunescale_core.progress import Progress
from tunescale_core.records.files import read, read_all, write
from tunescale_core.records.record import Record
from tunescale_core.store.checkpoints import Checkpoint
from tunescale_core.store.identity import weights_digest
from tunescale_core.store.manifest import MANIFEST
from tunescale_core.study.grid import Cell, cells
from tunescale_core.study.loading import load
from tunescale_core.training.lesson import Lesson

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STUDY = """
[study]
name = "tiny"
train_examples = 16
eval_examples = 4

[protocol]
max_new_tokens = 8
timed_examples = 2
warmup_calls = 1
dtype = "float32"

[models.tiny]
source = "model"

[methods.full]
learning_rate = 1e-2
batch = 8
accumulation = 1
activation_checkpointing = false

[methods.lora]
ranks = [2]
learning_rate = 1e-1
batch = 8
accumulation = 1
loss = "completion"
activation_checkpointing = false

[tasks.arc]
[tasks.squad_v2]

[[expect]]
cell = "tiny-base-for-arc"
metric = "accuracy"
at_least = 0.99
"""


@dataclass
class Finished:
    """A study that was run: by whom, and what it measured."""

    bench: Bench
    records: dict[str, Record]

    def checkpoints(self) -> dict[str, Checkpoint]:
        """Return the checkpoints in the store by variant."""
        manifests = [json.loads(path.read_text()) for path in self.bench.store.root.glob(f"checkpoints/*/{MANIFEST}")]
        found = {one["variant"]: self.bench.store.find(one["key"]) for one in manifests}
        assert len(found) == len(manifests), "a variant was built twice"
        return {variant: checkpoint for variant, checkpoint in found.items() if checkpoint}


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study file beside a tiny random model."""
    from tunescale_core.embedded.recipe import Recipe, build, save
    from tunescale_core.embedded.tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("study")
    model = build(Recipe(hidden=64, layers=1, steps=1, warmup_steps=0))
    for layer in model.model.layers:  # built silent; a pretrained one is not
        layer.self_attn.o_proj.weight.data.normal_(std=0.1)
        layer.mlp.down_proj.weight.data.normal_(std=0.1)
    save(model, train_tokenizer(0), folder / "model")
    path = folder / "tiny.toml"
    path.write_text(STUDY)
    return path


def wanted(study_file: Path) -> list[Cell]:
    """Return the cells that are measured: those trained on arc, and the untuned ones."""
    return [cell for cell in cells(load(str(study_file))) if cell.variant.task in {"arc", None}]


def measured(study_file: Path, store: Path) -> Finished:
    """Measure the cells with a bench of their own."""
    bench = Bench(load(str(study_file)), store, Progress())
    records = {cell.id: bench.measure(cell, bench.subjects.subject(cell)) for cell in wanted(study_file)}
    return Finished(bench, records)


@pytest.fixture(scope="session")
def first(study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The first run, in an empty store."""
    done = measured(study_file, tmp_path_factory.mktemp("store"))
    for record in done.records.values():
        write(record, done.bench.records)
    return done


@pytest.fixture(scope="session")
def second(study_file: Path, first: Finished) -> Finished:
    """A second run, in the store of the first."""
    return measured(study_file, first.bench.store.root)


def test_a_variant_is_trained_once(first: Finished) -> None:
    """Two evaluation tasks share one checkpoint a variant, and an untuned model has none."""
    assert first.bench.subjects.trained == ["tiny-full-on-arc", "tiny-lora-r2-on-arc"]
    assert first.bench.subjects.reused == []
    assert set(first.checkpoints()) == set(first.bench.subjects.trained)
    assert len(first.records) == 6


def test_a_second_run_trains_nothing(first: Finished, second: Finished) -> None:
    """Another bench on the same store takes every checkpoint from it."""
    assert second.bench.subjects.trained == []
    assert second.bench.subjects.reused == first.bench.subjects.trained


def test_a_second_run_says_the_same(first: Finished, second: Finished) -> None:
    """Answers, figures and keys are the same again; only the clock differs."""
    for cell, record in first.records.items():
        again = second.records[cell]
        assert (again.key, again.metrics, again.cost) == (record.key, record.metrics, record.cost)
        assert [line.text for line in again.lines] == [line.text for line in record.lines]


def test_the_adapter_is_kept_for_lora_alone(first: Finished) -> None:
    """A LoRA checkpoint holds its adapter beside the merged model, a full one the model alone."""
    lora = first.checkpoints()["tiny-lora-r2-on-arc"]
    assert (lora.folder / "adapter" / "adapter_model.safetensors").is_file()
    assert (lora.folder / "adapter" / "adapter_config.json").is_file()
    assert not (first.checkpoints()["tiny-full-on-arc"].folder / "adapter").exists()


@pytest.mark.parametrize("variant", ["tiny-full-on-arc", "tiny-lora-r2-on-arc"])
def test_trained_weights_differ_from_the_base(first: Finished, study_file: Path, variant: str) -> None:
    """Training moved the weights, which have the base's names, shapes and type."""
    from safetensors.torch import load_file

    before = load_file(study_file.parent / "model" / "model.safetensors")
    after = load_file(first.checkpoints()[variant].model / "model.safetensors")
    assert {name: (t.shape, t.dtype) for name, t in after.items()} == {
        name: (t.shape, t.dtype) for name, t in before.items()
    }
    moved = {name for name, tensor in after.items() if not tensor.equal(before[name])}
    assert "model.layers.0.self_attn.q_proj.weight" in moved
    assert ("model.layers.0.mlp.up_proj.weight" in moved) == (variant == "tiny-full-on-arc")


def test_manifests_describe_what_is_there(first: Finished, study_file: Path) -> None:
    """A manifest's digest is the weights' own, and its identity holds base and recipe."""
    checkpoint = first.checkpoints()["tiny-lora-r2-on-arc"]
    manifest = checkpoint.manifest
    assert manifest.weights_sha256 == weights_digest(checkpoint.model)
    assert manifest.identity["base"] == resolve(load(str(study_file)).models["tiny"], study_file.parent).revision
    method = manifest.identity["method"]
    assert isinstance(method, dict)
    assert (method["rank"], method["learning_rate"]) == (2, 0.1)


def test_a_merged_checkpoint_can_be_opened_alone(first: Finished) -> None:
    """A checkpoint's model folder has all that generating needs, the end of an answer included."""
    from transformers import AutoTokenizer, GenerationConfig

    folder = first.checkpoints()["tiny-lora-r2-on-arc"].model
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template
    assert GenerationConfig.from_pretrained(folder).eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_records_hold_a_line_an_example(first: Finished) -> None:
    """Every example has its line with gold, tokens within the limit and scores; the first ones are timed."""
    for record in first.records.values():
        assert len(record.lines) == 4
        assert [line.seconds is not None for line in record.lines] == [True, True, False, False]
        assert all(1 <= line.tokens <= 8 for line in record.lines)
        assert all(line.scores for line in record.lines)
        assert all((line.finish == "length") <= (line.tokens == 8) for line in record.lines)
        assert record.error is None
    assert all(line.gold[0] in "ABCD" for line in first.records["tiny-base-for-arc"].lines)


def test_records_time_their_stages(first: Finished) -> None:
    """Stages are within the total and in most records all of it but 10 ms; a call's first token is within the call."""
    stages_of = [record.stages for record in first.records.values() if record.stages is not None]
    beside = [one.total - (one.prepare + one.warm_up + one.generate + one.batch + one.score) for one in stages_of]
    assert median(beside) < 0.01
    for record in first.records.values():
        assert record.stages is not None
        stages = record.stages
        parts = (stages.prepare, stages.warm_up, stages.generate, stages.batch, stages.score)
        assert min(parts) >= 0
        assert sum(parts) <= stages.total
        assert sum(line.seconds or 0 for line in record.lines) <= record.stages.generate
        for line in record.lines[:2]:
            assert line.seconds is not None
            assert line.first_token_seconds is not None
            assert 0 < line.first_token_seconds <= line.seconds
        assert record.peak_memory_bytes is not None
        assert record.peak_memory_bytes > 2**20


def test_records_hold_the_cost_of_training(first: Finished) -> None:
    """Tuned cells carry what training took, LoRA with fewer parameters; an untuned one carries none."""
    full = first.records["tiny-full-on-arc-for-arc"].cost
    lora = first.records["tiny-lora-r2-on-arc-for-squad_v2"].cost
    assert full is not None
    assert lora is not None
    assert full.steps == lora.steps == 2
    assert full.trainable_parameters == full.parameters
    assert 0 < lora.trainable_parameters < lora.parameters
    assert min(full.seconds, lora.seconds, full.tokens, lora.tokens) > 0
    assert [step for step, _ in full.losses] == [1, 2]
    assert first.records["tiny-base-for-arc"].cost is None


def test_records_are_kept_on_disk(first: Finished) -> None:
    """What was written is read back equal, under the study's name."""
    assert first.bench.records == first.bench.store.root / "records" / "tiny"
    path = first.bench.records / "tiny-lora-r2-on-arc-for-squad_v2.json"
    written = read(path)
    assert (written.model, written.method, written.rank) == ("tiny", "lora-r2", 2)
    assert (written.trained_on, written.task, written.kind, written.seed) == ("arc", "squad_v2", "squad_v2", 0)
    kept, made = (
        json.loads(one.model_dump_json(), parse_constant=str)  # NaN is not equal to itself
        for one in (written, first.records["tiny-lora-r2-on-arc-for-squad_v2"])
    )
    assert kept == made


def test_cells_have_keys_of_their_own(first: Finished) -> None:
    """No two cells of a study share a key."""
    assert len({record.key for record in first.records.values()}) == len(first.records)


def test_hashes_say_what_records_share(first: Finished, second: Finished) -> None:
    """Records of one task share examples, prompts and protocol whatever the variant; other tasks' differ."""
    for name, record in first.records.items():
        assert set(record.hashes) == {"examples", "prompts", "protocol"}
        assert second.records[name].hashes == record.hashes
    for what in ("examples", "prompts"):
        by_task = {(record.task, record.hashes[what]) for record in first.records.values()}
        assert len(by_task) == 2
    assert len({record.hashes["protocol"] for record in first.records.values()}) == 1


def test_a_failed_cell_carries_its_error(study_file: Path, tmp_path: Path) -> None:
    """A cell whose model is not there raises, and its record keeps the error and what it was about."""
    broken = study_file.parent / "broken.toml"
    broken.write_text(STUDY.replace('source = "model"', 'source = "embedded:none"'))
    bench = Bench(load(str(broken)), tmp_path, Progress())
    cell = cells(bench.study)[0]
    with pytest.raises(ModelError) as caught:
        bench.subjects.subject(cell)
    record = read(write(bench.failed(cell, caught.value), bench.records))
    assert record.error == f"ModelError: {caught.value}"
    assert (record.cell, record.key, record.lines, record.cost) == (cell.id, None, (), None)
    assert not (tmp_path / "checkpoints").exists()


def test_a_failed_training_is_not_repeated(study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variant whose training failed fails at once for its other cells, with the same error."""
    tries: list[str] = []

    def failing(lesson: Lesson, *_: object) -> None:
        tries.append(lesson.variant.id)
        raise RuntimeError("loss is not finite")

    monkeypatch.setattr("tunescale_core.measuring.subjects.tune", failing)
    bench = Bench(load(str(study_file)), tmp_path, Progress())
    cell = wanted(study_file)[0]
    for _ in range(3):
        with pytest.raises(RuntimeError, match="not finite"):
            bench.subjects.subject(cell)
    assert tries == [cell.variant.id]


def test_pytest_runs_a_study(study_file: Path, tmp_path: Path) -> None:
    """`pytest benchmarks` measures cells, prints the tables, and fails the one that misses its threshold."""
    command = [sys.executable, "-m", "pytest", str(BENCHMARKS), "-p", "no:cacheprovider", "--study", str(study_file)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--store", "kept", "-k", "base", "--eval-examples", "3"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "tiny-base-for-arc: accuracy measured " in done.stdout
    assert "required at least 0.99, n = 3" in done.stdout
    assert "n = 3 questions a cell, 2 of them timed" in done.stdout
    records = read_all(tmp_path / "kept" / "records" / "tiny")
    assert [record.cell for record in records] == ["tiny-base-for-arc", "tiny-base-for-squad_v2"]
    assert all(record.error is None for record in records)


def test_a_record_names_its_data(first: Finished) -> None:
    """A record says where the rows came from that its variant learnt and was asked."""
    assert first.records["tiny-base-for-arc"].data == {"eval": "embedded"}
    assert first.records["tiny-full-on-arc-for-arc"].data == {"train": "embedded", "eval": "embedded"}

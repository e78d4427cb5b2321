"""Measuring paces for real."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.slowed import Slowed
from tests.siding import Dying, Reading, Steady
from tunescale_core.gates.pace import judge
from tunescale_core.gates.selftest import embedded
from tunescale_core.measuring.subjects import Subjects
from tunescale_core.pace.classes import paced
from tunescale_core.pace.measure import Question, circumstances, measure, pairs_of, questions, run_blocks
from tunescale_core.pace.pace import YARDSTICK
from tunescale_core.pace.sides import TOKENS, Pair, Served
from tunescale_core.progress import Progress
from tunescale_core.store.checkpoints import Store
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.study.margins import DEFAULTS

STUDY = """
[study]
name = "paced"
train_examples = 16
eval_examples = 3
[protocol]
max_new_tokens = 48
dtype = "float32"
[models.m]
source = "embedded:mini-small"
[models.ghost]
source = "embedded:none"
methods = ["base"]
[methods.lora]
ranks = [4]
batch = 8
accumulation = 1
[serving.adapter-batch-2]
[tasks.squad_v2]
"""


def test_questions_are_the_tasks_in_turn() -> None:
    """Blocks ask the evaluation's questions, a task after the other, and the same in every run."""
    study, _ = embedded(6)
    found = questions(study)
    assert [one.id.split("/")[0] for one in found] == ["arc", "openmath", "squad_v2"] * 2
    assert len({one.id for one in found}) == 6
    assert found == questions(study)


def test_a_forced_length_is_the_work() -> None:
    """Every answer has as many tokens as it is to have, whatever the model would say."""
    study, pairs = embedded(3)
    side = pairs[0].sides[0]
    assert isinstance(side, Served)
    decoder = side.decoder()
    call = decoder.prepare([one.prompt for one in questions(study)])
    decoder.run(call)
    assert call.output.shape[1] - call.inputs["input_ids"].shape[1] == TOKENS


@pytest.mark.slow
def test_pairs_take_turns_and_one_that_dies_stops_none() -> None:
    """Every pair asks the same questions, beginning anew when they are used up; a pair whose child dies is a fault."""
    asked = [Question(f"arc/{place}", ({"role": "user", "content": "x" * (place + 1)},)) for place in range(2)]
    one = Reading()
    pairs = [Pair("a", "b", (one, Steady(2.0))), Pair("dies", "b", (Dying(), one)), Pair("c", "b", (Steady(1.0), one))]
    found = run_blocks(pairs, asked, 3, Progress())
    assert found.faults == {"dies": "its process ended with -9"}
    assert [pace.subject for pace in found.paces] == ["a", "c"]
    assert found.pace("dies") is None
    first, last = found.paces
    assert [block.question for block in first.blocks] == ["arc/0", "arc/1", "arc/0"]
    assert [block.seconds for block in first.blocks] == [1.0, 2.0, 1.0]
    assert [block.reference_seconds for block in last.blocks] == [1.0, 2.0, 1.0]
    assert last.provenance.model_copy(update={"created": ""}) == circumstances().model_copy(update={"created": ""})


def test_few_bits_travel_to_the_block(tmp_path: Path) -> None:
    """A way in few bits is measured in few bits, its reference in full precision."""
    path = tmp_path / "paced.toml"
    path.write_text(STUDY + '[serving.4bit]\nonly = "m-base"\n')
    study = load(str(path))
    subjects = Subjects(study, Store(tmp_path / "store"), Progress())
    (pair,), faults = pairs_of(subjects, [one for one in paced(study, cells(study)) if one.serving == "4bit"])
    assert faults == {}
    assert [side.bits for side in pair.sides if isinstance(side, Served)] == ["4bit", None]


@pytest.mark.slow
def test_classes_are_measured_as_they_are_served(tmp_path: Path) -> None:
    """A study's classes, a trained adapter in batches among them, have paces; one that cannot be opened is a fault."""
    path = tmp_path / "paced.toml"
    path.write_text(STUDY)
    study = load(str(path))
    subjects = Subjects(study, Store(tmp_path / "store"), Progress())
    found = measure(subjects, paced(study, cells(study)), 1)
    assert {pace.subject: pace.reference for pace in found.paces} == {
        "m-base": YARDSTICK,
        "m-lora-r4": "m-base",
        "m-lora-r4-via-adapter-batch-2": "m-base",
    }
    assert found.faults.keys() == {"ghost-base"}
    assert found.faults["ghost-base"].startswith("ModelError: no embedded model 'embedded:none'")
    assert subjects.trained == ["m-lora-r4-on-squad_v2"]
    blocks = {pace.subject: pace.blocks[0] for pace in found.paces}
    merged, beside = blocks["m-lora-r4"], blocks["m-lora-r4-via-adapter-batch-2"]
    assert merged.question == beside.question
    assert beside.seconds / beside.reference_seconds > merged.seconds / merged.reference_seconds


@pytest.mark.slow
def test_a_slowed_decoder_raises_an_alarm() -> None:
    """Decoding that sleeps for as long as it works fails the gate, and is told to take over 1.6 times as long.

    Twice would be exact. These are real processes, and other work on the machine blurs the share: the benchmark of the
    gates has exact ones.
    """
    study, pairs = embedded(4)
    small = pairs[1]
    side = small.sides[0]
    assert isinstance(side, Served)
    slow = replace(small, sides=(Slowed(side.model, side.asking, share=1.0), small.sides[1]))
    old, now = (run_blocks([pair], questions(study), 4, Progress()).paces[0] for pair in (small, slow))
    verdict = judge(now, old, DEFAULTS["pace"])
    assert verdict.outcome == "regression"
    assert verdict.interval is not None
    assert verdict.interval.value > 0.6

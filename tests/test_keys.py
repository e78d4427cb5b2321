"""What checkpoints and answers are known by: all that decides them is in their keys, each part by itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunescale_core.data.examples import Examples, fingerprint
from tunescale_core.measuring import cell as run
from tunescale_core.measuring.cell import Bench
from tunescale_core.measuring.subjects import Built
from tunescale_core.progress import Progress
from tunescale_core.provenance import ANSWER_PACKAGES, WEIGHT_PACKAGES
from tunescale_core.store import identity
from tunescale_core.store.identity import identity_of, key_of
from tunescale_core.study.grid import Cell, cells
from tunescale_core.study.loading import load
from tunescale_core.study.protocol import Protocol
from tunescale_core.tasks import Example

STUDY = """
[study]
name = "keyed"
[models.m]
source = "embedded:mini-small"
[serving.static]
[serving.batch-2]
[serving.4bit]
[tasks.arc]
"""
EXAMPLE = Example(id="1", messages=({"role": "user", "content": "Which?"},), gold=("A",), target="A")
OTHER_PROTOCOLS: dict[str, Any] = {
    "max_new_tokens": 7,
    "min_new_tokens": 1,
    "thinking": "off",
    "max_prompt_tokens": 9,
    "warmup_calls": 1,
    "timed_examples": 3,
    "batch": 2,
    "dtype": "bfloat16",
    "threads": 1,
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A study whose cells could be asked; no model is opened."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keyed.toml").write_text(STUDY)
    return Bench(load(str(folder / "keyed.toml")), folder / "store", Progress())


def served(bench: Bench, way: str) -> Cell:
    return next(cell for cell in cells(bench.study) if cell.serving == way)


def key(
    bench: Bench, weights: str = "w", device: str = "cpu", example: Example = EXAMPLE, serving: str = "eager"
) -> str:
    built = Built(Path("model"), weights, "m@1", Path("base"))
    return bench._key(served(bench, serving), built, device, Examples((example,), {}, fingerprint((example,))), None)


def test_the_same_answers_have_one_key(bench: Bench) -> None:
    """Nothing but what decides the answers is in their key: the same asked again has it again."""
    assert key(bench) == key(bench)


@pytest.mark.parametrize(
    "other",
    [
        {"weights": "v"},
        {"device": "cuda"},
        {"example": replace(EXAMPLE, messages=({"role": "user", "content": "Which one?"},))},
        {"example": replace(EXAMPLE, messages=({"role": "system", "content": "Be brief."}, *EXAMPLE.messages))},
        {"example": replace(EXAMPLE, gold=("B",))},
        {"serving": "static"},
        {"serving": "batch-2"},
        {"serving": "4bit"},
    ],
)
def test_other_weights_prompts_or_ways_have_another_key(bench: Bench, other: dict[str, Any]) -> None:
    """Other weights, another device, another prompt or right answer, or another way of serving is another key."""
    assert key(bench, **other) != key(bench)


@pytest.mark.parametrize("field", Protocol.model_fields)
def test_each_part_of_the_protocol_is_in_the_key(bench: Bench, field: str) -> None:
    """Whatever a protocol changes, answers made otherwise are not taken for these."""
    protocol = bench.study.protocol.model_copy(update={field: OTHER_PROTOCOLS[field]})
    other = Bench(bench.study.model_copy(update={"protocol": protocol}), bench.store.root, Progress())
    assert key(other) != key(bench)


@pytest.mark.parametrize("package", ANSWER_PACKAGES)
def test_each_version_that_answers_is_in_the_key(bench: Bench, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of what generates or scores is another key."""
    before, true = key(bench), run.versions
    monkeypatch.setattr(run, "versions", lambda names: true(names) | {package: "0.0.0"})
    assert key(bench) != before


@pytest.mark.parametrize(("way", "other"), [("4bit", True), ("batch-2", False)])
def test_what_rounds_weights_is_in_the_key_of_what_is_rounded(
    bench: Bench, way: str, monkeypatch: pytest.MonkeyPatch, *, other: bool
) -> None:
    """Another version of what holds weights in few bits is another key there, and nowhere else."""
    before, true = key(bench, serving=way), run.versions
    named: list[tuple[str, ...]] = []
    monkeypatch.setattr(run, "versions", lambda names: named.append(names) or true(names))
    assert key(bench, serving=way) == before
    assert ("bitsandbytes" in named[0]) is other


@pytest.mark.parametrize("package", WEIGHT_PACKAGES)
def test_each_version_that_trains_is_in_the_key(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of what trains is another checkpoint."""
    before, true = key_of(identity_of("base", {}, "data", 0, "cpu")), identity.versions
    monkeypatch.setattr(identity, "versions", lambda names: true(names) | {package: "0.0.0"})
    assert key_of(identity_of("base", {}, "data", 0, "cpu")) != before


def test_the_form_of_a_manifest_is_not_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest of another schema is no reason to train again: the key stays what the first schema made it."""
    monkeypatch.setattr(identity, "versions", lambda _: {})
    assert key_of(identity_of("base", {"rank": 4}, "data", 0, "cpu")) == key_of(
        {
            "schema": 1,
            "base": "base",
            "method": {"rank": 4},
            "data": "data",
            "seed": 0,
            "device": "cpu",
            "versions": {},
        }
    )

"""Memory that runs out while answers are generated: a smaller batch where none is declared, else one line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tunescale_core.decoding.completion import Call
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import ResourceError
from tunescale_core.measuring.cell import Bench
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import open_model
from tunescale_core.progress import Progress
from tunescale_core.records.files import read, write
from tunescale_core.study.grid import Cell, cells
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.tables.passed_over import passed_over
from tunescale_core.training import trials as searching

PROMPTS = [[{"role": "user", "content": f"What is {n} + {n % 3}?{' Say it.' * (n % 4)}"}] for n in range(11)]
PROTOCOL = Protocol(dtype="float32", max_new_tokens=4, batch=8)
STUDY = """
[study]
name = "tight"
eval_examples = 9
[protocol]
max_new_tokens = 4
timed_examples = 4
warmup_calls = 0
dtype = "float32"
batch = 8
[models.mini-small]
source = "embedded:mini-small"
methods = ["base"]
[tasks.arc]
[serving.batch-4]
batch = 4
"""
TOO_LARGE = """
import resource, sys
from pathlib import Path
import psutil
from tunescale_core.errors import ResourceError
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import open_model
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol

small, large = (resolve(Model(source=f"embedded:mini-{size}"), Path()).folder for size in ("small", "large"))
open_model(small, Protocol())
limit = psutil.Process().memory_info().vms + (1 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
try:
    open_model(large, Protocol())
except ResourceError as error:
    print(error)
"""
Generate = Callable[..., torch.Tensor]


def failing_above(rows: int, error: Exception, asked: list[int]) -> Callable[[EagerDecoder, Any, Any], torch.Tensor]:
    """Return a `_generate` that has memory for so many rows, and notes how many it was asked."""
    real = EagerDecoder._generate

    def generate(self: EagerDecoder, inputs: Any, criteria: Any) -> torch.Tensor:
        asked.append(inputs["input_ids"].shape[0])
        if asked[-1] > rows:
            raise error
        return real(self, inputs, criteria)

    return generate


def decoder() -> EagerDecoder:
    return EagerDecoder(open_model(resolve(Model(source="embedded:mini-small"), Path()).folder, PROTOCOL), PROTOCOL)


def tight(tmp_path: Path) -> tuple[Bench, dict[str, Cell]]:
    (tmp_path / "tight.toml").write_text(STUDY)
    bench = Bench(load(str(tmp_path / "tight.toml")), tmp_path / "store", Progress())
    return bench, {one.serving: one for one in cells(bench.study)}


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(8, [8, 3]), (4, [8, 4, 4, 3]), (2, [8, 4, 2, 2, 2, 2, 2, 1]), (1, [8, 4, 2, *[1] * 11])],
)
def test_the_untimed_pass_halves_its_batch(
    rows: int, sizes: list[int], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits is found by halving and kept to, every question is answered once, and in fp32 the answers are equal."""
    expected = {place: one.text for place, one in decoder().batched(PROMPTS, 8)}
    asked: list[int] = []
    monkeypatch.setattr(EagerDecoder, "_generate", failing_above(rows, error, asked))
    tried = decoder()
    found = list(tried.batched(PROMPTS, 8))
    assert asked == sizes
    assert tried.batched_by == (None if rows == 8 else rows)
    assert len(found) == len(PROMPTS)
    assert {place: one.text for place, one in found} == expected


def test_a_last_short_batch_is_halved_from_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fewer questions are left than a batch holds, halving starts from those."""
    asked: list[int] = []
    monkeypatch.setattr(EagerDecoder, "_generate", failing_above(2, MemoryError(), asked))
    assert len(list(decoder().batched(PROMPTS[:3], 8))) == 3
    assert asked == [3, 1, 1, 1]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("shape mismatch")])
def test_what_halving_does_not_help_is_raised(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single question that does not fit, and an error of another kind, go through."""
    monkeypatch.setattr(EagerDecoder, "_generate", failing_above(0, error, []))
    with pytest.raises(type(error)):
        list(decoder().batched(PROMPTS, 8))


def test_the_record_says_by_how_many_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller batch is in the record, in its key, and in the summary; where all fits there is none of it."""
    bench, found = tight(tmp_path)
    whole = bench.measure(found["eager"], bench.subjects.subject(found["eager"]))
    monkeypatch.setattr(EagerDecoder, "_generate", failing_above(2, MemoryError(), []))
    halved = read(write(bench.measure(found["eager"], bench.subjects.subject(found["eager"])), tmp_path))
    assert (whole.batched_by, halved.batched_by) == (None, 2)
    assert whole.key != halved.key
    assert [one.text for one in halved.lines] == [one.text for one in whole.lines]
    told = f"{halved.cell}: memory ran out in the batched pass, which went on by 2 questions"
    assert told in list(passed_over([whole, halved]))
    assert len(list(passed_over([whole]))) == len(list(passed_over([whole, halved]))) - 1


@pytest.mark.parametrize(
    ("serving", "rows", "said"),
    [
        ("batch-4", 3, "at 4 questions a call (CUDA out of memory); declare a smaller batch for it, lower max_prompt_"),
        ("eager", 0, "at 1 question a call (CUDA out of memory); lower max_prompt_tokens or max_new_tokens"),
    ],
)
def test_a_declared_batch_is_not_made_smaller(
    serving: str, rows: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timed call that does not fit fails with one line: another batch would be another measurement."""
    bench, found = tight(tmp_path)
    subject = bench.subjects.subject(found[serving])
    asked: list[int] = []
    error = torch.OutOfMemoryError("CUDA out of memory\nmore of it")
    monkeypatch.setattr(EagerDecoder, "_generate", failing_above(rows, error, asked))
    with pytest.raises(ResourceError) as caught:
        bench.measure(found[serving], subject)
    assert asked == [subject.batch]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bench.failed(found[serving], caught.value).error == f"ResourceError: {caught.value}"


def test_another_error_of_a_timed_call_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of another kind stays what it is."""
    bench, found = tight(tmp_path)
    subject = bench.subjects.subject(found["eager"])

    def run(_: EagerDecoder, __: Call) -> None:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(EagerDecoder, "run", run)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        bench.measure(found["eager"], subject)


def test_a_trial_says_by_how_many_it_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search's own questions are halved likewise, and the trial says so."""
    from tests.training.test_trials import wanted

    asked: list[int] = []
    monkeypatch.setattr(EagerDecoder, "_generate", failing_above(4, MemoryError(), asked))
    model = resolve(Model(source="embedded:mini-small"), Path()).folder
    _, batched_by = searching.judged(wanted(), model)
    assert batched_by == 3
    assert asked == [12, 6, 3, 3, 3, 3]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_model_that_does_not_fit_is_one_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model too large for the device says which, where, and what to do."""

    def moved(*_: object) -> None:
        raise error

    monkeypatch.setattr(torch.nn.Module, "to", moved)
    with pytest.raises(ResourceError, match=r"^model folder .*mini-small, to be opened on cpu as float32: memory ran"):
        decoder()


@pytest.mark.slow
def test_a_model_that_does_not_fit_into_the_hosts_memory_is_one_line() -> None:
    """The same where the system refuses: in a process whose address space may not grow."""
    done = subprocess.run([sys.executable, "-c", TOO_LARGE], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    assert "mini-large, to be opened on cpu as float32: memory ran out (" in done.stdout
    assert done.stdout.endswith("; use a smaller batch or model, or a larger machine\n")

"""What is fuzzed: everything that reads what somebody else wrote. Each takes bytes, and may refuse them properly."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tunescale_core.data.files import read_file
from tunescale_core.errors import TuneScaleError
from tunescale_core.gates.rounds import rounds
from tunescale_core.measuring.scoring import read_predictions
from tunescale_core.records.files import read
from tunescale_core.study.loading import load
from tunescale_core.tasks import TASKS, Answer

Target = Callable[[Path, bytes], object]


def answers(_: Path, content: bytes) -> None:
    """Read and score an answer as each task does."""
    text = content.decode("utf-8", "surrogateescape")
    for name, task in TASKS.items():
        task.score(Answer(("A",) if name == "arc" else ("3",), task.parse(text)))


def _file(name: str, reader: Callable[[Path], object]) -> Target:
    def target(folder: Path, content: bytes) -> None:
        path = folder / name
        path.write_bytes(content)
        reader(path)

    return target


TARGETS: dict[str, Target] = {
    "answers": answers,
    "study": _file("s.toml", lambda path: load(str(path))),
    "record": _file("r.json", read),
    "rounds": _file("b.json", rounds),
    "predictions": _file("p.json", read_predictions),
    "rows": _file("d.jsonl", lambda path: [TASKS["openmath"].example(row, "answer") for row in read_file(path)]),
}


def fed(target: Target, content: bytes) -> None:
    """Feed a target; only errors made for users, one line each, may come of it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            target(Path(folder), content)
        except TuneScaleError as error:
            if "\n" in str(error):
                raise AssertionError(f"more than a line: {error}") from error

"""Scoring a file of answers with the code that scores completions."""

from __future__ import annotations

import json
from pathlib import Path

from tunescale_core.data import read_file
from tunescale_core.errors import DataError
from tunescale_core.tasks import Answer, Task


def read_predictions(path: Path) -> dict[str, str]:
    """Read answers in SQuAD's layout: one JSON object, example id to text.

    Raises:
        DataError: The file is missing or of another layout.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"predictions file {path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        raise DataError(f"predictions file {path} must be one object of example id to text")
    return content


def score_file(task: Task, data: Path, predictions: Path) -> dict[str, object]:
    r"""Score a file of answers against a data file.

    A text with a `\boxed{…}` is read as a completion, any other as the bare answer. An example without
    a prediction counts as unreadable: it is scored wrong, not dropped.

    Returns:
        Every metric by name, with `n`, `missing` (examples without a prediction), `unknown` (predictions for
        no example) and `left_out` (rows that the task cannot ask).

    Raises:
        DataError: A file cannot be read, or holds no usable row.
    """
    said = read_predictions(predictions)
    examples = [task.example(row, "answer") for row in read_file(data)]
    asked = [example for example in examples if example is not None]
    if not asked:
        raise DataError(f"data file {data} has no row that task {task.name} can ask")
    answers = [Answer(example.gold, _answer(task, said.get(example.id))) for example in asked]
    known = {example.id for example in asked}
    return {
        **task.measure(answers),
        "n": len(asked),
        "missing": sum(example.id not in said for example in asked),
        "unknown": len(said.keys() - known),
        "left_out": len(examples) - len(asked),
    }


def _answer(task: Task, text: str | None) -> str | None:
    if text is None:
        return None
    return task.parse(text) if "\\boxed" in text else task.plain(text)

"""Scoring a file of answers with the code that scores completions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tunescale_core.data.examples import Numbered, examples_of, once
from tunescale_core.data.sources import file_source
from tunescale_core.errors import DataError
from tunescale_core.reading import json_of
from tunescale_core.tasks import Answer, Example, LeftOut, Task


def read_predictions(path: Path) -> dict[str, str] | list[str]:
    """Read answers: a JSON object of example id to text, as SQuAD lays them out, or an array of texts, one a row.

    Raises:
        DataError: The file is missing or of another layout.
    """
    try:
        content = json_of(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"predictions file {path} cannot be read as JSON: {error}") from error
    texts = content.values() if isinstance(content, dict) else content
    if not isinstance(content, dict | list) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"predictions file {path} must be one object of example id to text, or an array of texts")
    return content


def score_file(
    task: Task, data: Path, predictions: Path, columns: Mapping[str, str] = MappingProxyType({})
) -> dict[str, object]:
    r"""Score a file of answers against a data file.

    A text with a `\boxed{…}` is read as a completion, any other as the bare answer. An example without
    a prediction counts as unreadable: it is scored wrong, not dropped.

    Args:
        task: What asks and reads.
        data: The rows.
        predictions: As `read_predictions` takes it.
        columns: Of the task's columns, what they are read from, as a study's `columns`.

    Returns:
        Every metric by name, with `n`, `missing` (examples without a prediction), `unknown` (predictions for
        no example), `left_out` (rows that are not asked) and `left_out_by_reason`.

    Raises:
        DataError: A file cannot be read, a row contradicts itself or another, no row is usable, or no answer is to
            any of them.
    """
    given = read_predictions(predictions)
    source = file_source(data)
    numbered = list(once(examples_of(task, source, "answer", columns), source.name))
    examples = [example for _, example in numbered]
    asked = [example for example in examples if isinstance(example, Example)]
    reasons = Counter(example.reason for example in examples if isinstance(example, LeftOut))
    if not asked:
        why = "; ".join(f"{number} left out: {reason}" for reason, number in reasons.items()) or "it is empty"
        raise DataError(f"{source.name} has no row that task {task.name} can ask ({why})")
    said = given if isinstance(given, dict) else _in_order(given, numbered, predictions)
    answers = [Answer(example.gold, _answer(task, said.get(example.id))) for example in asked]
    known = {example.id for example in asked}
    if said and not known & said.keys():
        raise DataError(
            f"predictions file {predictions} has no answer to any example of {data}: its keys must be examples' ids, "
            f"as {asked[0].id}"
        )
    return {
        **task.measure(answers),
        "n": len(asked),
        "missing": sum(example.id not in said for example in asked),
        "unknown": len(said.keys() - known),
        "left_out": len(examples) - len(asked),
        "left_out_by_reason": dict(reasons),
    }


def _in_order(texts: list[str], rows: list[Numbered], predictions: Path) -> dict[str, str]:
    """Return answers by example, the first to the first row, rows that are not asked included."""
    if len(texts) != len(rows):
        raise DataError(f"predictions file {predictions} has {len(texts)} answers for {len(rows)} rows: give one a row")
    pairs = zip(texts, rows, strict=True)
    return {example.id: text for text, (_, example) in pairs if isinstance(example, Example)}


def _answer(task: Task, text: str | None) -> str | None:
    if text is None:
        return None
    return task.parse(text) if "\\boxed" in text else task.plain(text)

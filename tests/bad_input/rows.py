"""Bad data rows and prediction files, through `tunescale score`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.cases import Case, written

ROW = {"problem": "1 + 1?", "generated_solution": "", "expected_answer": "2"}
ARC = {"id": "1", "question": "Which?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"}
SQUAD = {"id": "1", "title": "", "context": "a b", "question": "q?", "answers": {"text": ["a"], "answer_start": [0]}}


def scored(
    case: str,
    task: str,
    name: str,
    content: str | bytes | Callable[[Path], None],
    said: str,
    *,
    predictions: str | bytes = "{}",
) -> Case:
    """Return the case of a data file, and of predictions beside it."""

    def make(folder: Path) -> list[str]:
        (content if callable(content) else written(name, content))(folder)
        written("p.json", predictions)(folder)
        return ["score", task, "--data", f"{{}}/{name}", "--predictions", "{}/p.json"]

    return Case(f"rows-{case}", make, said)


def maths(case: str, said: str, content: str | bytes, name: str = "d.jsonl") -> Case:
    """Return the case of a data file for arithmetic."""
    return scored(case, "openmath", name, content, said)


def arc(case: str, said: str, **changed: object) -> Case:
    """Return the case of a multiple-choice row with a field changed."""
    return scored(case, "arc", "d.json", json.dumps([ARC | changed]), said)


def squad(case: str, said: str, **changed: object) -> Case:
    """Return the case of a passage's row with a field changed."""
    return scored(case, "squad_v2", "d.json", json.dumps([SQUAD | changed]), said)


def predicted(case: str, said: str, predictions: str | bytes) -> Case:
    """Return the case of a prediction file beside good data."""
    return scored(f"predictions-{case}", "openmath", "d.json", json.dumps([ROW]), said, predictions=predictions)


LINE = json.dumps(ROW)
CASES = (
    maths("empty", "no row that task openmath can ask", ""),
    maths("not-json", "row 1|not JSON|cannot be read", "problem,answer\n1,2\n"),
    maths("cut-off", "cannot be read as jsonl", f"{LINE}\n{LINE[:20]}"),
    maths("deep", "cannot be read as jsonl|cannot be read as json", "[" * 200_000),
    maths("list-row", "row 2 is list, not an object", f"{LINE}\n[1]\n"),
    maths("null-row", "row 2 is NoneType, not an object", f"{LINE}\nnull\n"),
    maths(
        "latin-1", "cannot be read as jsonl", json.dumps(ROW | {"problem": "ä"}, ensure_ascii=False).encode("latin-1")
    ),
    maths("utf-16", "cannot be read as jsonl", LINE.encode("utf-16")),
    maths("no-column", "row 1: .*'expected_answer'|row 1: .*expected_answer", json.dumps({"problem": "x"})),
    maths("null-answer", "1 left out: empty gold answer", json.dumps(ROW | {"expected_answer": None})),
    maths("number-question", "row 1: .*problem", json.dumps(ROW | {"problem": 3})),
    maths("nan-question", "row 1: .*problem", '{"problem": NaN, "generated_solution": "", "expected_answer": "2"}'),
    maths("surrogate", "row 1: .*problem", '{"problem": "\\ud800?", "generated_solution": "", "expected_answer": "2"}'),
    maths("all-left-out", "no row that task openmath can ask", json.dumps(ROW | {"expected_answer": "x"})),
    maths("bad-parquet", "cannot be read as parquet", b"PAR1nonsensePAR1", "d.parquet"),
    maths("empty-parquet", "cannot be read as parquet", b"", "d.parquet"),
    maths("bad-csv", "cannot be read as csv|row 1", b"a,b\n1,2,3\n\xff\xfe,1\n", "d.csv"),
    maths("format", "d.xml", "<rows/>", "d.xml"),
    scored("a-folder", "openmath", "d.json", lambda folder: (folder / "d.json").mkdir(), "d.json"),
    arc("no-choices", "row 1: .*choices", choices=None),
    arc("choices-text", "row 1: .*choices", choices="A"),
    arc("label-missing", "row 1: ", choices={"text": ["a", "b"], "label": ["A"]}),
    arc("label-twice", "row 1: ", choices={"text": ["a", "b"], "label": ["A", "A"]}),
    arc("key-unknown", "row 1: ", answerKey="Z"),
    arc("key-empty", "row 1: ", answerKey=""),
    arc("choice-not-text", "row 1: ", choices={"text": [1, 2], "label": ["A", "B"]}),
    squad("no-passage", "row 1: .*context", context=None),
    squad("answers-text", "row 1: .*answers", answers="a"),
    squad("answers-nested", "row 1: .*answers", answers={"text": [["a"]], "answer_start": [0]}),
    scored(
        "same-id",
        "squad_v2",
        "d.json",
        json.dumps([SQUAD, SQUAD | {"question": "r?"}]),
        "rows 1 and 2: both have id '1'",
    ),
    scored("unknown-task", "chess", "d.json", "[]", "no task 'chess'"),
    predicted("not-json", "predictions file .* cannot be read as JSON", "1: 2"),
    predicted("list-short", "has 0 answers for 1 rows", "[]"),
    predicted("list-of-numbers", "must be one object of example id to text, or an array of texts", "[1]"),
    predicted("numbers", "must be one object of example id to text", '{"1": 2}'),
    predicted("null", "must be one object of example id to text", "null"),
    predicted("deep", "predictions file .* cannot be read as JSON", '{"a":' * 100_000),
    predicted("latin-1", "predictions file .* cannot be read as JSON", b'{"a": "\xe4"}'),
    predicted("empty", "predictions file .* cannot be read as JSON", ""),
)

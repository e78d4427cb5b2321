"""Rows of each of the paper's tasks, and studies that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunescale_core.study.study import Study


def study_of(folder: Path, name: str = "openmath", **data: Any) -> Study:
    return Study.model_validate(
        {
            "study": {"name": "s", "train_examples": 3, "eval_examples": 2},
            "models": {"m": {"source": "embedded:mini-small"}},
            "tasks": {name: data},
            "folder": folder,
        }
    )


def arc_rows(count: int) -> list[dict[str, Any]]:
    choices = {"text": ["oak", "robin", "tea", "iron"], "label": list("ABCD")}
    return [{"id": str(n), "question": f"Which is {n}?", "choices": choices, "answerKey": "B"} for n in range(count)]


def openmath_rows(count: int) -> list[dict[str, Any]]:
    return [{"problem": f"What is {n} + 1?", "expected_answer": str(n + 1)} for n in range(count)]


def squad_rows(count: int) -> list[dict[str, Any]]:
    rest = {"question": "Where?", "answers": {"text": ["the mill"], "answer_start": [9]}}
    return [{"id": str(n), "context": f"Mara {n} is at the mill.", **rest} for n in range(count)]


ROWS = {"arc": arc_rows, "openmath": openmath_rows, "squad_v2": squad_rows}

"""Data files for tests, in every format that is read."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Rows = Sequence[Mapping[str, Any]]
MATHS: list[dict[str, Any]] = [
    {"problem": f"What is {n} + 1?", "generated_solution": f"\\boxed{{{n + 1}}}", "expected_answer": answer}
    for n, answer in enumerate(["1", "x", "3", "4/2", "1,234"])
]
"""Rows of the task openmath, the second of them without a number."""


def write_json(path: Path, rows: Rows) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("\n\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Rows) -> None:
    parquet.write_table(pa.Table.from_pylist(list(map(dict, rows))), path)


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}

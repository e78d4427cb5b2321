"""Rows in, examples out: from the hub, a file of one's own, or the embedded world."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from tunescale_core.embedded.choices import FourWay, arc_row, draw_four_way
from tunescale_core.embedded.passages import Passage, draw_passage, squad_row
from tunescale_core.embedded.splits import SHARES, Split, drawn
from tunescale_core.embedded.sums import Sum, draw_sum, openmath_row
from tunescale_core.errors import DataError
from tunescale_core.grid import task_kind
from tunescale_core.study import Study, TaskData
from tunescale_core.tasks import TASKS, Example

FORMATS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}
Purpose = Literal["train", "eval"]


@dataclass(frozen=True)
class Examples:
    """Examples for one purpose, and what they came from."""

    rows: tuple[Example, ...]
    left_out: int
    """Rows passed over because the task cannot ask them."""
    fingerprint: str
    """SHA-256 over prompts, gold answers and targets, in order."""


def load_examples(study: Study, task: str, purpose: Purpose, seed: int = 0) -> Examples:
    """Load the examples that a study trains or evaluates a task on.

    Raises:
        DataError: The source cannot be read, lacks columns, or holds no usable row.
    """
    data = study.tasks[task]
    number = getattr(data, f"{purpose}_examples") or getattr(study.study, f"{purpose}_examples")
    kept: list[Example] = []
    left_out = 0
    for row in rows_of(data, task_kind(study, task), purpose, study.folder, seed):
        example = TASKS[task_kind(study, task)].example(row, data.target)
        if example is None:
            left_out += 1
        else:
            kept.append(example)
        if len(kept) == number:
            break
    if not kept:
        raise DataError(f"task {task}: {data.data} has no usable rows for {purpose}; check its split and columns")
    return Examples(tuple(kept), left_out, fingerprint(kept))


def rows_of(data: TaskData, kind: str, purpose: Purpose, folder: Path, seed: int = 0) -> Iterable[dict[str, Any]]:
    """Yield a source's rows, the embedded ones drawn by `seed`.

    Raises:
        DataError: The source cannot be read.
    """
    source = data.data if purpose == "train" else data.eval_data or data.data
    split = data.train_split if purpose == "train" else data.eval_split
    skip = data.skip if purpose == "eval" else 0
    if source == "embedded":
        if split not in SHARES:
            raise DataError(f"the embedded source has no split {split!r}; it has {', '.join(sorted(set(SHARES)))}")
        return islice(embedded_rows(kind, split, seed), skip, None)
    if Path(source).suffix in FORMATS:
        return islice(read_file(folder / source), skip, None)
    if (folder / source).is_dir():
        return islice(read_file(split_file(folder / source, split)), skip, None)
    return islice(_hub_rows(data, source, split), skip, None)


def embedded_rows(kind: str, split: Split, seed: int) -> Iterator[dict[str, Any]]:
    """Yield rows of a miniature task without end, no question twice."""
    streams = {
        "arc": lambda: ((arc_row(e), e.content()) for e in drawn(draw_four_way, FourWay.content, split, seed)),
        "openmath": lambda: ((openmath_row(e), e.problem) for e in drawn(draw_sum, Sum.content, split, seed)),
        "squad_v2": lambda: ((squad_row(e), e.content()) for e in drawn(draw_passage, Passage.content, split, seed)),
    }
    seen: set[str] = set()
    for row, content in streams[kind]():
        if content not in seen:
            seen.add(content)
            yield row


def split_file(folder: Path, split: str) -> Path:
    """Return the file of a data folder that holds a split, as `train.jsonl` holds train.

    Raises:
        DataError: There is none, or more than one.
    """
    found = sorted(file for file in folder.iterdir() if file.stem == split and file.suffix in FORMATS)
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(
            f"data folder {folder} must hold exactly one {split} file ({', '.join(FORMATS)}); it holds {names}"
        )
    return found[0]


def read_file(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON, JSONL, CSV or Parquet file in the data set's own columns.

    SQuAD's nested layout (`{"data": [{"paragraphs": …}]}`) is read too.

    Raises:
        DataError: The file is missing or not of its format.
    """
    if not path.is_file():
        raise DataError(f"data file {path} does not exist")
    try:
        if path.suffix == ".parquet":
            from pyarrow import parquet

            return iter(parquet.read_table(path).to_pylist())
        if path.suffix == ".csv":
            import pandas as pd

            return iter(pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records"))
        return _json_rows(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise DataError(
            f"data file {path} cannot be read as {path.suffix[1:]}: {type(error).__name__}: {error}"
        ) from error


def fingerprint(examples: Iterable[Example]) -> str:
    """Return the SHA-256 of what the examples say."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.messages, example.gold, example.target]).encode())
    return digest.hexdigest()


def _json_rows(text: str) -> Iterator[dict[str, Any]]:
    try:
        content = json.loads(text)
    except ValueError:
        content = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(content, dict) and isinstance(content.get("data"), list):
        content = list(_squad_rows(content["data"])) if _nested(content["data"]) else content["data"]
    rows = content if isinstance(content, list) else [content]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("every row must be an object")
    return iter(rows)


def _nested(articles: list[Any]) -> bool:
    return bool(articles) and isinstance(articles[0], dict) and "paragraphs" in articles[0]


def _squad_rows(articles: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for article in articles:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                texts = [answer["text"] for answer in question["answers"]]
                yield {
                    "id": question["id"],
                    "title": article.get("title", ""),
                    "context": paragraph["context"],
                    "question": question["question"],
                    "answers": {"text": texts, "answer_start": [a.get("answer_start") for a in question["answers"]]},
                }


def _hub_rows(data: TaskData, source: str, split: str) -> Iterable[dict[str, Any]]:
    import datasets

    try:
        return datasets.load_dataset(source, data.config, split=split, revision=data.revision)  # type: ignore[no-any-return]
    except Exception as error:  # the hub's client, its file systems and its builders raise dozens of kinds
        raise DataError(
            f"data set {source} ({data.config or 'default'}, split {split}) cannot be loaded: "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}; "
            "check the name and the network, or give a local file as data"
        ) from error

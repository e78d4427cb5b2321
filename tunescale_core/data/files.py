"""The rows of data files: JSON, JSON lines, SQuAD's nested layout, CSV and Parquet, read no further than is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, TextIO

from tunescale_core.errors import DataError
from tunescale_core.reading import json_of
from tunescale_core.study.task_data import FORMATS

CHUNK, BUFFER = 1000, 1 << 20
"""Rows, and bytes of a Parquet column, that are read at a time."""
Fields = dict[str, Any]


def is_data_file(name: str) -> bool:
    """Tell whether a name is of a format that is read."""
    return Path(name).suffix in FORMATS


def check_file(path: Path) -> None:
    """Look whether there is such a file.

    Raises:
        DataError: There is none.
    """
    if not path.is_file():
        raise DataError(f"data file {path} does not exist")


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


def read_file(path: Path) -> Iterator[Fields]:
    """Yield the rows of a JSON, JSONL, CSV or Parquet file in the data set's own columns, no further than asked.

    SQuAD's nested layout (`{"data": [{"paragraphs": …}]}`) is read too. A JSON document, other than JSON lines, is
    held in memory whole.

    Raises:
        DataError: The file is missing or not of its format; a fault of a later row is met when that row is asked for.
    """
    check_file(path)
    rows = _told(path, _read(path))
    first = list(islice(rows, 1))  # what is not of its format at all is met here
    return chain(first, rows)


def _told(path: Path, rows: Iterable[Fields]) -> Iterator[Fields]:
    """Yield rows; what goes wrong with one becomes an error that names the file."""
    try:
        yield from rows
    except (ValueError, OSError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"data file {path} cannot be read as {path.suffix[1:]}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte {error.start}): save it so"
    if type(error).__name__ == "EmptyDataError":  # pandas' own, and not every file needs pandas
        return "it is empty"
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    return f"{kind}{' '.join(str(error).split())}"


def _read(path: Path) -> Iterator[Fields]:
    """Yield a file's rows as they are asked for: of one larger than memory no more is held than some rows at a time."""
    if path.suffix == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path, buffer_size=BUFFER) as file:
            for batch in file.iter_batches(CHUNK):
                yield from batch.to_pylist()
    elif path.suffix == ".csv":
        import pandas as pd

        heads = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
        heads = heads[heads != ""]  # as spreadsheets leave them: columns that nobody names
        if heads.duplicated().any():
            raise ValueError(f"its header has {heads[heads.duplicated()].iloc[0]!r} twice")
        with pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=CHUNK) as tables:
            for table in tables:
                if not isinstance(table.index, pd.RangeIndex):  # the first field of each is taken for a row's name
                    raise ValueError(  # noqa: TRY004  as of other faults
                        f"its rows have more fields than its header, which has {len(table.columns)}"
                    )
                yield from table.to_dict("records")
    else:
        with path.open(encoding="utf-8-sig") as lines:
            yield from _json_rows(lines)


def _json_rows(file: TextIO) -> Iterator[Fields]:
    """Yield a value a line, or the rows of a document: that is held whole, since where its rows end only its end says.

    A line that is a value with another line after it cannot be a document's.
    """
    lines = ((number, line.removesuffix("\n")) for number, line in enumerate(file, 1) if line.strip())
    heads = list(islice(lines, 2))
    try:
        firsts = [json_of(text) for _, text in heads[:1]]
    except json.JSONDecodeError:
        heads, firsts = [], []
    values: Iterable[Any]
    if len(heads) == 2:
        values = chain(firsts, (_value(row, *one) for row, one in enumerate(chain(heads[1:], lines), 2)))
    else:
        file.seek(0)
        values = _document_or(firsts, file.read())
    yield from map(_object, count(1), values)


def _document_or(lines: list[Any], text: str) -> Iterable[Any]:
    """Return the rows of a document; beside white space that JSON does not know, the one line that is a value."""
    if not text.strip():
        return ()
    try:
        return _document(json_of(text))
    except json.JSONDecodeError:
        if not lines:
            raise
        return lines


def _value(row: int, line: int, text: str) -> Any:
    try:
        return json_of(text)
    except json.JSONDecodeError as error:
        fault = f"row {row} (line {line}) is not JSON: {error.msg} at column {error.colno}"
        raise ValueError(fault) from error


def _document(content: Any) -> Iterable[Any]:
    if isinstance(content, dict) and isinstance(content.get("data"), list):
        return _squad_rows(content["data"]) if _nested(content["data"]) else content["data"]
    return content if isinstance(content, list) else [content]


def _object(number: int, row: Any) -> Fields:
    if not isinstance(row, dict):
        raise ValueError(f"row {number} is {type(row).__name__}, not an object")  # noqa: TRY004  as of other faults
    return row


def _nested(articles: list[Any]) -> bool:
    return bool(articles) and isinstance(articles[0], dict) and "paragraphs" in articles[0]


def _squad_rows(articles: list[Fields]) -> Iterator[Fields]:
    asked = (
        (article, paragraph, question)
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    )
    for number, (article, paragraph, question) in enumerate(asked, 1):
        try:
            row = _squad_row(article, paragraph, question)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"row {number} is not in SQuAD's layout: {type(error).__name__}: {error}") from error
        yield row


def _squad_row(article: Fields, paragraph: Fields, question: Fields) -> Fields:
    return {
        "id": question["id"],
        "title": article.get("title", ""),
        "context": paragraph["context"],
        "question": question["question"],
        "answers": {
            "text": [answer["text"] for answer in question["answers"]],
            "answer_start": [answer.get("answer_start") for answer in question["answers"]],
        },
    }

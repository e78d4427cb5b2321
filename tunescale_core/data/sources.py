"""Where rows come from: the hub, a file of one's own, a folder of files, or the embedded world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from tunescale_core.data.files import Fields, check_file, is_data_file, read_file, split_file
from tunescale_core.embedded.choices import FourWay, arc_row, draw_four_way
from tunescale_core.embedded.passages import Passage, draw_passage, squad_row
from tunescale_core.embedded.splits import SHARES, Split, drawn
from tunescale_core.embedded.sums import Sum, draw_sum, openmath_row
from tunescale_core.errors import DataError, kind_and_line
from tunescale_core.fetching import HUB_ID, advice, again
from tunescale_core.study.task_data import EMBEDDED, FORMATS, Purpose, TaskData


@dataclass(frozen=True)
class Source:
    """Rows, and what an error calls the place they come from."""

    name: str
    """`data file questions.jsonl`, say."""
    rows: Iterable[Fields]
    skip: int = 0
    """Rows passed over first."""
    endless: bool = False
    origin: str = ""
    """Where the rows come from as a record says it: as the study does, with the commit that the hub served."""

    def numbered(self) -> Iterator[tuple[int, Fields]]:
        """Yield the rows after the skipped ones, each with its place in the whole source, from 1."""
        return islice(enumerate(self.rows, 1), self.skip, None)


@dataclass(frozen=True)
class _Declared:
    """What a study says of the rows for one purpose."""

    data: str
    split: str
    skip: int
    config: str | None
    revision: str | None


def file_source(path: Path, skip: int = 0) -> Source:
    """Open a data file.

    Raises:
        DataError: The file is missing or not of its format.
    """
    return Source(f"data file {path}", read_file(path), skip)


def source_of(data: TaskData, kind: str, purpose: Purpose, folder: Path, seed: int = 0) -> Source:
    """Open what a study takes its rows from for a purpose; embedded rows are drawn by `seed`.

    Args:
        data: As the study declares it.
        kind: Which task the rows are for.
        purpose: Training, evaluation, or the choice of a recipe.
        folder: Where relative paths start.
        seed: Of the embedded source.

    Raises:
        DataError: The source cannot be read, or the study names none for this purpose.
    """
    wanted = _declared(data, purpose)
    path = folder / wanted.data
    if wanted.data == EMBEDDED:
        rows = embedded_rows(kind, _embedded_split(wanted.split), seed)
        return Source("the embedded source", rows, wanted.skip, endless=True, origin=EMBEDDED)
    if is_data_file(wanted.data):
        return replace(file_source(path, wanted.skip), origin=wanted.data)
    check_here(data, purpose, folder)  # else the hub would be asked for a file of this machine
    if path.is_dir():
        return replace(file_source(split_file(path, wanted.split), wanted.skip), origin=wanted.data)
    served, commit = _hub_rows(wanted)
    return Source(f"data set {_title(wanted)}", served, wanted.skip, origin=f"{wanted.data}@{commit or 'unknown'}")


def check_here(data: TaskData, purpose: Purpose, folder: Path) -> None:
    """Look whether what lies on this machine is there, so that a run does not find out after hours of training.

    Args:
        data: As the study declares it.
        purpose: What the rows are for.
        folder: Where relative paths start.

    Raises:
        DataError: A file is missing or of no known format, or a folder lacks the split's file.
    """
    wanted = _declared(data, purpose)
    path = folder / wanted.data
    if wanted.data == EMBEDDED:
        _embedded_split(wanted.split)
    elif is_data_file(wanted.data):
        check_file(path)
    elif path.is_dir():
        split_file(path, wanted.split)
    elif path.is_file():
        raise DataError(f"data file {path} is of no format that is read: name it {', '.join(FORMATS)}")
    elif not HUB_ID.fullmatch(wanted.data):
        raise DataError(f"data folder {path} does not exist, and {wanted.data} is no hub id")


def is_embedded(data: TaskData, purpose: Purpose) -> bool:
    """Tell whether the rows for a purpose come with TuneScale."""
    return _declared(data, purpose).data == EMBEDDED


def has_dev(data: TaskData) -> bool:
    """Tell whether there are rows for the choice of a recipe: the embedded source has its own split."""
    return data.dev_split is not None or (data.dev_data or data.data) == EMBEDDED or is_data_file(data.dev_data or "")


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


def _declared(data: TaskData, purpose: Purpose) -> _Declared:
    if purpose == "train":
        return _Declared(data.data, data.train_split, 0, data.config, data.revision)
    if purpose == "eval":
        return _apart(data, _Other(data.eval_data, data.eval_config, data.eval_revision), data.eval_split, data.skip)
    if not has_dev(data):
        raise DataError(
            f"{data.dev_data or data.data} has no development rows: a search for a learning rate needs dev_split "
            "(and dev_data where they lie elsewhere), apart from what is evaluated"
        )
    other = _Other(data.dev_data, data.dev_config, data.dev_revision)
    return _apart(data, other, data.dev_split or "dev", data.dev_skip)


@dataclass(frozen=True)
class _Other:
    """Data beside the training data, where a study names any."""

    data: str | None
    config: str | None
    revision: str | None


def _apart(data: TaskData, other: _Other, split: str, skip: int) -> _Declared:
    """Rows from other data, or from a split of the training data where there is none."""
    if other.data is None:
        return _Declared(data.data, split, skip, other.config or data.config, other.revision or data.revision)
    return _Declared(other.data, split, skip, other.config, other.revision)


def _embedded_split(split: str) -> Split:
    for known in SHARES:
        if split == known:
            return known
    raise DataError(f"the embedded source has no split {split!r}; it has {', '.join(sorted(set(SHARES)))}")


def _title(wanted: _Declared) -> str:
    return f"{wanted.data} ({wanted.config or 'default'}, split {wanted.split})"


def _labelled(rows: Any) -> Iterable[Fields]:
    """Yield rows with the names of labels that the hub keeps as numbers, and None for those that it keeps from us."""
    from datasets import ClassLabel

    named = {column: kind for column, kind in rows.features.items() if isinstance(kind, ClassLabel)}
    if not named:
        return rows  # type: ignore[no-any-return]
    return ({**row, **{one: _label(kind, row[one]) for one, kind in named.items()}} for row in rows)


def _label(kind: Any, number: int | None) -> str | None:
    return None if number is None or number < 0 else str(kind.int2str(number))


def _hub_rows(wanted: _Declared) -> tuple[Iterable[Fields], str | None]:
    """Return rows of the hub's, and the commit they are of; None where the hub's client does not tell."""
    import datasets

    def load() -> tuple[Iterable[Fields], str | None]:
        builder = datasets.load_dataset_builder(wanted.data, wanted.config, revision=wanted.revision)
        builder.download_and_prepare()
        return _labelled(builder.as_dataset(split=wanted.split)), builder.hash

    try:
        return again(load)
    except Exception as error:  # the hub's client, its file systems and its builders raise dozens of kinds
        raise DataError(
            f"data set {_title(wanted)} cannot be loaded: "
            f"{advice(error) or kind_and_line(error)}; check the name and the network, or give a local file as data"
        ) from error

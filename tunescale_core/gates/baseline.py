"""A baseline: the records of a run worth holding later ones against, small enough to commit."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tunescale_core.errors import BaselineError
from tunescale_core.gates.rounds import Timing, rounds
from tunescale_core.pace.pace import Pace, paces_beside
from tunescale_core.pace.pace import read as read_paces
from tunescale_core.placing import place_all
from tunescale_core.reading import json_of
from tunescale_core.records.files import paths, read_head
from tunescale_core.records.lines import SCORE, table_of
from tunescale_core.records.record import SCHEMA_VERSION, Record
from tunescale_core.results.result import Result, from_record
from tunescale_core.tasks import TASKS

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = Path("benchmarks/baselines")
"""Where baselines are found by name, below a project's root."""
HEAD, ROWS = "baseline.json", "rows.parquet"
FORMAT = 1
TEXTS = ("prompt", "gold", "text", "answer")
"""Columns that no gate needs."""


@dataclass(frozen=True)
class Baseline:
    """What a run is held against."""

    name: str
    source: Path
    results: Mapping[str, Result] = field(default_factory=dict)
    """By the case's id, failed ones among them."""
    paces: tuple[Pace, ...] = ()
    timings: Mapping[str, Timing] = field(default_factory=dict)
    """By the case's id; of a pytest-benchmark file, which has nothing else."""

    @property
    def names(self) -> set[str]:
        """Ids of its cases."""
        return {*self.results, *self.timings}

    @property
    def studies(self) -> list[str]:
        """Names of the studies that its records are of."""
        return sorted({one.record.study for one in self.results.values() if one.record is not None})


def known(folder: Path) -> tuple[str, ...]:
    """Return the names of a folder's baselines."""
    return tuple(sorted(head.parent.name for head in folder.glob(f"*/{HEAD}")))


def folder_of(start: Path, study: Path) -> Path:
    """Return where baselines are found and saved by name: below the folder that a run starts in, or the study's own.

    The first that has any: a job that starts elsewhere must not take a missing folder for a first run.
    """
    places = [start / FOLDER, study / FOLDER]
    return next((place for place in places if known(place)), places[0])


def find(wanted: str, folder: Path) -> Path | None:
    """Return where a baseline is, given by name or as a path; None where a folder has none at all yet.

    Raises:
        BaselineError: There is no such file, or the name is unknown beside others.
    """
    named = folder / wanted
    if (named / HEAD).is_file():
        return named
    is_path = Path(wanted).name != wanted or wanted.endswith(".json")
    if Path(wanted).is_file() or (Path(wanted) / HEAD).is_file() or (is_path and Path(wanted).exists()):
        return Path(wanted)
    if is_path:
        raise BaselineError(f"baseline {wanted} does not exist: give a name from {folder}, or a file")
    others = known(folder)
    if others:
        near = get_close_matches(wanted, others, 3) or others[:3]
        more = f" and {len(others) - len(near)} more" if others[len(near) :] else ""
        raise BaselineError(
            f"no baseline {wanted!r} in {folder}, which has {', '.join(near)}{more}; --save-baseline {wanted} makes it"
        )
    return None


def read(path: Path) -> Baseline:
    """Read a baseline: a saved one, a folder of records, or a file of pytest-benchmark's.

    Raises:
        BaselineError: It is none of these, or damaged.
        RecordError: A record in it cannot be read.
    """
    folder = path.parent if path.name == HEAD else path
    if (folder / HEAD).is_file():
        return _saved(folder)
    if path.is_dir():
        found = {one.cell: from_record(one, rows) for one, rows in map(read_head, paths(path))}
        return Baseline(path.name, path, found, read_paces(paces_beside(path)))
    return Baseline(path.stem, path, timings=rounds(path))


def save(records: Sequence[Record], paces: Iterable[Pace], folder: Path, *, texts: bool = False) -> Path:
    """Write a baseline's two files: a head a record, a line each, and the rows of all of them.

    Args:
        records: With their lines.
        paces: Measured in the same run.
        folder: Its last part is the baseline's name.
        texts: Whether to keep what was asked and answered; gates need the scores alone.

    Raises:
        BaselineError: There is nothing to save, a case failed, or the files cannot be written.
        ResourceError: The disk is full; the baseline that was there is left whole.
    """
    failed = [one.cell for one in records if one.error]
    if failed or not records:
        why = f"{len(failed)} of {len(records)} cases failed, {failed[0]} first" if failed else "no case ran"
        raise BaselineError(f"baseline {folder.name} is not saved: {why}")
    rows = _parquet(records, () if texts else TEXTS)
    try:
        head = _head(records, paces, hashlib.sha256(rows).hexdigest()).encode()
        folder.mkdir(parents=True, exist_ok=True)
        place_all({folder / ROWS: rows, folder / HEAD: head})
    except OSError as error:
        raise BaselineError(f"baseline {folder} cannot be written: {error}") from error
    return folder


def _head(records: Sequence[Record], paces: Iterable[Pace], digest: str) -> str:
    """Return the head's JSON, a line a record, so that a change of one shows as one line."""
    told = {"format": FORMAT, "rows_sha256": digest}
    lists = {"records": map(_record_head, records), "paces": (pace.model_dump(mode="json") for pace in paces)}
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in told.items()]
    for name, values in lists.items():
        lines = ",\n".join(json.dumps(value, separators=(",", ":")) for value in values)
        parts.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{" + ",\n".join(parts) + "}\n"


def _record_head(record: Record) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(record.model_dump_json(exclude={"lines"}))
    if head["cost"]:
        head["cost"]["losses"] = []
    return head


def _parquet(records: Sequence[Record], without: Sequence[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [_rows(record).drop_columns(list(without)) for record in records if record.lines]
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables(tables, promote_options="default"), sink, compression="zstd")
    return sink.getvalue()


def _rows(record: Record) -> pa.Table:
    import pyarrow as pa

    return table_of(record.lines).append_column("cell", pa.array([record.cell] * len(record.lines), pa.string()))


def _saved(folder: Path) -> Baseline:
    head = _checked_head(folder)
    try:
        records = [Record.model_validate(one) for one in head["records"]]
        paces = tuple(Pace.model_validate(one) for one in head["paces"])
    except (ValidationError, KeyError, TypeError) as error:
        raise BaselineError(f"baseline {folder}: {' '.join(str(error).split())[:200]}; save it anew") from error
    rows = _checked_rows(folder, str(head.get("rows_sha256")))
    return Baseline(folder.name, folder, {one.cell: from_record(one, _own(rows, one)) for one in records}, paces)


def _checked_head(folder: Path) -> dict[str, Any]:
    try:
        head: Any = json_of((folder / HEAD).read_text(encoding="utf-8"))
        found = (head["format"], *{one["schema_version"] for one in head["records"]})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaselineError(f"baseline {folder / HEAD} cannot be read ({error}): save it anew") from error
    if found != (FORMAT, SCHEMA_VERSION):
        told = " with records of schemas ".join([str(found[0]), ", ".join(map(str, found[1:])) or "none"])
        raise BaselineError(
            f"baseline {folder} has format {told}; this version reads {FORMAT} with {SCHEMA_VERSION}: save it anew"
        )
    return dict(head)


def _checked_rows(folder: Path, digest: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = (folder / ROWS).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise BaselineError(f"baseline {folder}: {ROWS} is not the file that {HEAD} was saved with: save it anew")
        return pq.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        raise BaselineError(f"baseline {folder / ROWS} cannot be read ({error}): save it anew") from error


def _own(rows: pa.Table, record: Record) -> pa.Table:
    """Return a record's rows, with the scores of its own task alone."""
    import pyarrow.compute as pc

    own = rows.filter(pc.equal(rows["cell"], record.cell)).drop_columns(["cell"])
    names = {metric.name for metric in TASKS[record.kind].metrics}
    foreign = [name for name in own.column_names if name.startswith(SCORE) and name.removeprefix(SCORE) not in names]
    return own.drop_columns(foreign)

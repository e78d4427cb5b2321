"""Records on disk: a JSON file each, and a Parquet file beside it with a row an example."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from tunescale_core.errors import RecordError
from tunescale_core.exhausted import telling
from tunescale_core.placing import place_all
from tunescale_core.reading import json_of
from tunescale_core.records.lines import ROWS_SUFFIX, parquet_of, read_lines
from tunescale_core.records.record import SCHEMA_VERSION, Record
from tunescale_core.store.files import leads_out
from tunescale_core.store.sealed import sealed, unsealed


def write(record: Record, folder: Path) -> Path:
    """Write a record under its cell's name, its rows first.

    Returns:
        The JSON file. Its `rows` names the Parquet file, which is called after its content, so that a record never
        stands beside the rows of another run; its `digest` is the hash of all else it says.

    Raises:
        ResourceError: The disk is full; the record that was there, if one was, is left whole.
    """
    with telling(f"record {record.cell}", folder):
        folder.mkdir(parents=True, exist_ok=True)
    content = parquet_of(record.lines) if record.lines else b""
    rows = f"{record.cell}.{hashlib.sha256(content).hexdigest()[:12]}.parquet" if content else None
    head = json.loads(record.model_dump_json(exclude={"lines"})) | {"rows": rows}
    files = {folder / f"{record.cell}.json": sealed(head)}
    before = _rows_of(folder / f"{record.cell}.json")
    place_all({folder / rows: content} | files if rows else files)
    if before and before != rows:  # and no other: another run may be writing the same cell
        (folder / before).unlink(missing_ok=True)
    return folder / f"{record.cell}.json"


def _rows_of(path: Path) -> str | None:
    """Return the name of the rows that a record names; None where there is no record, or none that can be read."""
    try:
        named = json_of(path.read_text(encoding="utf-8")).get("rows")
        there = _beside(path, named if isinstance(named, str) else None)
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    ours = there is not None and there.name.startswith(path.stem)
    return there.name if there and ours and ROWS_SUFFIX.fullmatch(there.name.removeprefix(path.stem)) else None


def read(path: Path) -> Record:
    """Read one record with its lines.

    Raises:
        RecordError: It is of another schema, or damaged.
    """
    record, rows = read_head(path)
    return record.model_copy(update={"lines": read_lines(rows)}) if rows else record


def read_head(path: Path) -> tuple[Record, Path | None]:
    """Read one record without its lines, and say where they are.

    One from before records held their own hash is read as it stands.

    Raises:
        RecordError: It is of another schema, or damaged.
    """
    try:
        said = unsealed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"record {path} cannot be read: {error}") from error
    content = dict(said.content)
    if (found := content.get("schema_version")) != SCHEMA_VERSION:
        raise RecordError(f"record {path} has schema {found}, this version reads {SCHEMA_VERSION}; measure it again")
    try:
        rows = _beside(path, content.pop("rows", None))
        record = Record.model_validate(content)
    except (ValidationError, TypeError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("rows",), "msg": str(error)}
        raise RecordError(f"record {path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
    if said.changed:
        raise RecordError(f"record {path} was changed after it was written; measure it again")
    return record, rows


def _beside(path: Path, rows: str | None) -> Path | None:
    """Return where a record's rows are: nowhere but beside it, whatever the record says."""
    if not rows:
        return None
    there = path.parent / rows
    if Path(rows).name != rows or leads_out(there, path.parent):
        raise TypeError("not a file beside the record")
    return there


def read_all(folder: Path) -> tuple[Record, ...]:
    """Read every record of a folder with its lines, by name.

    Raises:
        RecordError: One cannot be read, or there is none.
    """
    return tuple(read(path) for path in paths(folder))


def paths(folder: Path) -> tuple[Path, ...]:
    """Return where a folder's records are, by name.

    Raises:
        RecordError: There is none.
    """
    found = tuple(sorted(folder.glob("*.json")))
    if not found:
        below = sorted(path for path in (folder / "records").glob("*") if path.is_dir()) or sorted(
            path for path in folder.glob("*") if next(path.glob("*.json"), None)
        )
        wanted = (
            f"give one of {', '.join(map(str, below))}"
            if below
            else ("run pytest benchmarks first, and give the folder that it prints")
        )
        raise RecordError(f"folder {folder} holds no records: {wanted}")
    return found

"""What the machine runs out of: one line that says what, where and what to do, and nothing half-written."""

import errno
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.making import line
from tests.making import record as made
from tests.shortages import FULL, no_more_files
from tunescale_core.cli import app
from tunescale_core.errors import RecordError, ResourceError, StudyError
from tunescale_core.exhausted import check_room, exhausted, free_bytes, telling
from tunescale_core.gates.baseline import read as read_baseline
from tunescale_core.gates.baseline import save
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import open_model
from tunescale_core.placing import place
from tunescale_core.records.files import read, read_all, write
from tunescale_core.records.record import Record
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol

SIZE = 200_000
ADVICE = "make room, with tunescale store prune say, and run again: what is done is kept"


class Foreign(Exception):  # noqa: N818  as a library in Rust names its own
    """An error that passes the system's on in words."""


def noise(place: int, size: int = 100) -> str:
    """Return text that does not compress."""
    return random.Random(place).randbytes(size).hex()


def record(number: int = 40, name: str = "full") -> Record:
    """Return a record that takes about 150 bytes a line."""
    return made(name, "arc", lines=[line(place=place, prompt=noise(place)) for place in range(number)])


def told(error: pytest.ExceptionInfo[BaseException], path: Path) -> None:
    """Hold a message to what it must say: what, where, bytes needed and free, what to do, in one line."""
    pattern = (
        rf"^\S+.* cannot be written to .*{re.escape(path.name)}.*: the disk is full \((it needs [\d,]+ bytes and )?"
    )
    assert re.match(rf"{pattern}[\d,]+ are free\); {ADVICE}$", str(error.value)), str(error.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (OSError(errno.EFBIG, "File too large"), "the disk is full"),
        (Foreign("Error while serializing: I/O error: No space left on device (os error 28)"), "the disk is full"),
        (OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"), "the disk is full"),
        (
            RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/3: file write failed"),
            "disk is full",
        ),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"), "the disk is full"),
        (RuntimeError("basic_ios::clear: iostream error"), "the disk is full"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open; allow more (ulimit -n 4096)"),
        (Foreign("Too many open files (os error 24)"), "too many files are open"),
        (MemoryError(), "memory ran out (MemoryError)"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory ran out ([Errno 12] Cannot allocate memory)"),
        (RuntimeError("Cannot allocate memory (os error 12)"), "memory ran out"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), "memory ran out (CUDA out of memory. Tried);"),
    ],
)
def test_every_kind_is_one_line(error: Exception, said: str, tmp_path: Path) -> None:
    """Whoever raised it and in which words, it is one line that begins with what could not be done."""
    found = exhausted(error, "checkpoint m", tmp_path)
    assert isinstance(found, ResourceError)
    assert str(found).startswith("checkpoint m")
    assert said in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), ValueError("28"), StudyError("[errno 28]")]
)
def test_other_errors_stay_what_they_are(error: Exception, tmp_path: Path) -> None:
    """An error of another kind, or one that has its line, goes through."""
    assert exhausted(error, "it", tmp_path) is None
    with pytest.raises(type(error)) as caught, telling("it", tmp_path):
        raise error
    assert caught.value is error


def test_room_is_looked_for_first(tmp_path: Path) -> None:
    """What will not fit is said before it is begun, in the folder that is yet to be made too."""
    check_room("checkpoint m", tmp_path / "not" / "yet", 1)
    with pytest.raises(ResourceError, match=r"checkpoint m cannot be written to .*yet: .*it needs 1,[\d,]{15,} bytes"):
        check_room("checkpoint m", tmp_path / "not" / "yet", free_bytes(tmp_path) + 10**12)


@pytest.mark.parametrize("way", FULL)
def test_a_file_is_written_whole_or_not_at_all(way: str, tmp_path: Path) -> None:
    """On a full disk the file that was there stays, nothing is left beside it, and with room it is written."""
    folder = tmp_path / "small"
    with FULL[way](folder, SIZE) as make_room:
        place(folder / "file", b"old")
        with pytest.raises(ResourceError) as caught:
            place(folder / "file", b"x" * 2 * SIZE)
        told(caught, folder)
        assert f"it needs {2 * SIZE:,} bytes" in str(caught.value)
        assert [path.name for path in folder.iterdir()] == ["file"]
        assert (folder / "file").read_bytes() == b"old"
        make_room()
        place(folder / "file", b"x" * 2 * SIZE)
        assert (folder / "file").stat().st_size == 2 * SIZE


@pytest.mark.parametrize("way", FULL)
def test_a_record_that_does_not_fit_leaves_the_old_one(way: str, tmp_path: Path) -> None:
    """Where rows or record do not fit, the cell's record of before stays readable with its rows, and so do others."""
    folder = tmp_path / "small"
    with FULL[way](folder, SIZE) as make_room:
        write(record(), folder)
        write(record(name="lora-r4"), folder)
        before = {path.name for path in folder.iterdir()}
        with pytest.raises(ResourceError) as caught:
            write(record(3000), folder)
        told(caught, folder)
        assert {path.name for path in folder.iterdir()} == before
        assert [len(one.lines) for one in read_all(folder)] == [40, 40]
        make_room()
        assert len(read(write(record(3000), folder)).lines) == 3000
        assert len(before) == len(list(folder.iterdir()))


@pytest.mark.parametrize("way", FULL)
def test_a_baseline_that_does_not_fit_leaves_the_old_one(way: str, tmp_path: Path) -> None:
    """Of a baseline's two files neither is replaced unless both fit."""
    folder = tmp_path / "small"
    with FULL[way](folder, SIZE) as make_room:
        save([record()], [], folder / "main")
        with pytest.raises(ResourceError) as caught:
            save([record(3000)], [], folder / "main", texts=True)
        told(caught, Path("main"))
        assert [one.record.examples for one in read_baseline(folder / "main").results.values() if one.record] == [40]
        assert len(list((folder / "main").iterdir())) == 2
        make_room()
        save([record(3000)], [], folder / "main", texts=True)
        assert [one.record.examples for one in read_baseline(folder / "main").results.values() if one.record] == [3000]


@pytest.mark.parametrize("way", FULL)
def test_a_report_that_does_not_fit_leaves_the_old_one(way: str, tmp_path: Path) -> None:
    """`tunescale report --html` ends with its line and exit code 4, and the page of before stays."""
    write(made(lines=[line(place=place) for place in range(8)]), tmp_path / "records")
    folder = tmp_path / "small"
    with FULL[way](folder, SIZE) as make_room:
        page = folder / "page.html"
        page.write_text("old")
        command = ["report", str(tmp_path / "records"), "--html", str(page)]
        done = CliRunner().invoke(app, command)
        assert (done.exit_code, done.output.count("\n")) == (4, 1), done.output
        assert done.output.startswith(f"tunescale: page.html cannot be written to {folder}")
        assert [path.read_text() for path in folder.iterdir()] == ["old"]
        make_room()
        assert CliRunner().invoke(app, command).exit_code == 0
        assert page.stat().st_size > 2 * SIZE


MINI = resolve(Model(source="embedded:mini-small"), Path()).folder


def opening() -> None:
    open_model(MINI, Protocol())


@pytest.mark.parametrize("work", ["a model", "a record", "a file"])
def test_too_many_open_files_is_one_line(work: str, tmp_path: Path) -> None:
    """Where no file more may be opened, opening a model and writing a record say so, and leave nothing."""
    works: dict[str, Callable[[], object]] = {
        "a model": opening,
        "a record": lambda: write(record(), tmp_path / "records"),
        "a file": lambda: place(tmp_path / "file", b"content"),
    }
    works[work]()  # what is imported on the way is there
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ResourceError, match=r"^[^\n]*: too many files are open; allow more \(ulimit -n 4096\)"):  # noqa: SIM117
        with no_more_files():
            works[work]()
    assert sorted(tmp_path.rglob("*")) == before
    works[work]()


def test_a_record_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    """Reading records without a file to spare is an error with its record's path, and no damage."""
    path = write(record(), tmp_path)
    with pytest.raises(RecordError, match=rf"^record {path} cannot be read: .*Too many open files"), no_more_files():
        read(path)
    assert len(read(path).lines) == 40


def test_nothing_stays_open(tmp_path: Path) -> None:
    """Fifty records written and read, and five models opened, hold no file."""

    def held() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  names alone

    opening()
    write(record(), tmp_path)
    before = held()
    for number in range(50):
        read(write(record(name=f"lora-r{number + 1}"), tmp_path))
    for _ in range(5):
        opening()
    assert held() <= before

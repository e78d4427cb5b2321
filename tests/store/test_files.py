"""A folder's files held against their hashes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tunescale_core.errors import StoreError
from tunescale_core.store.files import faults, leads_out, signature, size_of, sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, one of them in a folder, and the file that holds the sums."""
    made = tmp_path / "made"
    (made / "in").mkdir(parents=True)
    (made / "a").write_bytes(b"one")
    (made / "in" / "b").write_bytes(b"three")
    (made / "sums").touch()
    return made


def test_every_file_is_summed_but_the_one_that_holds_the_sums(folder: Path) -> None:
    """Sums are by path in the folder, with size and hash, and what was just summed has no faults."""
    made = sums(folder, "sums")
    assert {name: one.size for name, one in made.items()} == {"a": 3, "in/b": 5}
    assert made["a"].sha256.startswith("7692c3ad3540bb80")
    assert faults(folder, made, "sums") == ()


def replace_by_link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: (folder / "a").unlink(), "a is missing"),
        (lambda folder: (folder / "a").write_bytes(b"on"), "a has 2 bytes, not 3"),
        (lambda folder: (folder / "a").write_bytes(b"one\0"), "a has 4 bytes, not 3"),
        (lambda folder: (folder / "a").write_bytes(b"onf"), "a is not what was written"),
        (lambda folder: (folder / "in" / "c").touch(), "in/c does not belong there"),
        (lambda folder: replace_by_link(folder / "a"), "a is no plain file"),
        (lambda folder: replace_by_link(folder / "sums"), "sums is no plain file"),
        (lambda folder: (folder / "in" / "c").symlink_to("/", target_is_directory=True), "in/c is no plain file"),
        (lambda folder: replace_by_pipe(folder / "a"), "a is no plain file"),
    ],
)
def test_each_kind_of_harm_is_told(folder: Path, harm: Callable[[Path], object], told: str) -> None:
    """What is missing, cut, longer, flipped, foreign, a link or a pipe is named with what is wrong with it."""
    made = sums(folder, "sums")
    harm(folder)
    assert faults(folder, made, "sums") == (told,)


def test_a_signature_changes_with_what_is_in_a_file(folder: Path) -> None:
    """A file that was written to has another signature, though neither its length nor its time of change differs."""
    before = signature(folder)
    assert signature(folder) == before
    status = (folder / "a").stat()
    (folder / "a").write_bytes(b"onf")
    os.utime(folder / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert signature(folder) != before


def test_links_are_not_summed(folder: Path) -> None:
    """A build that leaves a link is refused, whatever the link leads to."""
    (folder / "link").symlink_to(folder / "a")
    with pytest.raises(StoreError, match="link is no plain file: a checkpoint holds nothing else"):
        sums(folder, "sums")


def test_a_link_counts_as_itself(folder: Path) -> None:
    """A folder's size is its files'; what a link leads to is not in it."""
    assert size_of(folder) == 8
    (folder.parent / "large").write_bytes(b"x" * 1000)
    (folder / "link").symlink_to(folder.parent / "large")
    assert size_of(folder) < 200
    assert size_of(folder / "a") == 3


def test_leading_out_is_told_from_being_linked_to(folder: Path) -> None:
    """A store may be linked to as a whole, and hold links within itself; a link out of it leads out."""
    (folder.parent / "linked").symlink_to(folder)
    (folder / "inner").symlink_to(folder / "in")
    (folder / "outer").symlink_to(folder.parent)
    assert not leads_out(folder.parent / "linked" / "in", folder.parent / "linked")
    assert not leads_out(folder / "inner" / "b", folder)
    assert leads_out(folder / "outer", folder)
    assert leads_out(folder / ".." / "linked", folder / "in")

"""Files are written whole or not at all; how a full disk ends is in test_exhausted.py."""

from pathlib import Path

import pytest

from tunescale_core.placing import place, place_all


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    """What was there is replaced, others may read it, and nothing else is left behind."""
    target = tmp_path / "kept.json"
    for content in (b"first", b"second"):
        place(target, content)
        assert target.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_of_several_all_are_written_or_none(tmp_path: Path) -> None:
    """Where one cannot be written the others stay what they were, and nothing half is left."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_bytes(b"as it was")
    with pytest.raises(OSError, match="No such file"):
        place_all({old: b"changed", new: b"new", tmp_path / "missing" / "x.json": b""})
    assert old.read_bytes() == b"as it was"
    assert [one.name for one in tmp_path.iterdir()] == ["old.json"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """A link in a file's place gives way to the file: what it led to is left alone."""
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link"
    elsewhere.write_bytes(b"somebody's")
    link.symlink_to(elsewhere)
    place(link, b"ours")
    assert (elsewhere.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"somebody's", b"ours", False)

"""The trials of a search, to and from the store; a damaged search is made again."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tunescale_core.errors import DamagedError, DamageWarning
from tunescale_core.progress import Progress
from tunescale_core.records.record import Trial
from tunescale_core.training import trials as searching
from tunescale_core.training.searches import keep, kept
from tunescale_core.training.trials import Search

KEY = "a" * 64
TRIAL = Trial(learning_rate=1e-3, score=None, metric="f1", loss=float("inf"), steps=2, seconds=1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A search that was kept."""
    made = tmp_path / "trials" / f"{KEY[:24]}.json"
    made.parent.mkdir()
    keep(made, KEY, "m-full-on-arc", (TRIAL,))
    return made


def rewrite(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_what_was_kept_is_read_again(path: Path) -> None:
    """Trials come back as they were, under their own key or the file's name; elsewhere is none."""
    assert kept(path, KEY) == kept(path) == (TRIAL,)
    assert kept(path.parent / "none.json", KEY) == ()


def test_a_search_from_before_hashes_is_read(path: Path) -> None:
    """A file without a hash of its own, as earlier versions wrote it, is read as it stands."""
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content))
    assert kept(path, KEY) == (TRIAL,)


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda path: path.write_text(path.read_text()[:40]), "cannot be read"),
    "empty": (lambda path: path.write_text(""), "cannot be read"),
    "a list": (lambda path: path.write_text("[]"), "cannot be read"),
    "without trials": (lambda path: rewrite(path, trials=None), "cannot be read"),
    "without key": (lambda path: rewrite(path, key=None), "is of another search"),
    "another's": (lambda path: rewrite(path, key="b" * 64), "is of another search"),
    "better figures": (lambda path: rewrite(path, trials=[TRIAL.model_dump() | {"score": 1.0}]), "was changed after"),
    "a link": (lambda path: (path.rename(path.parent / "x"), path.symlink_to(path.parent / "x")), "is a link"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_search_is_set_aside_and_made_again(path: Path, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was done to a search's file, no rate is chosen by it: it is named, kept, and searched again."""
    inflict, named = HARMS[harm]
    inflict(path)
    with pytest.raises(DamagedError, match=named):
        kept(path, KEY)
    monkeypatch.setattr(searching, "tried", lambda *_: TRIAL)
    variant = SimpleNamespace(stem="m-full-on-arc")
    wanted = cast("Search", SimpleNamespace(key=KEY, variant=variant, rates=(1e-3,)))
    with pytest.warns(DamageWarning, match=f"{named}[^\\n]*; set aside as "):
        assert searching.search(wanted, path.parent, Progress()) == (TRIAL,)
    assert kept(path, KEY) == (TRIAL,)
    assert [one.name for one in (path.parent.parent / "damaged").iterdir()] == [f"{KEY[:24]}-1.json"]


def test_a_kept_search_is_read_where_nothing_can_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that was made is taken without a lock or a folder: the store may be read-only."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refused)
    monkeypatch.setattr(searching, "FileLock", refused)
    wanted = cast("Search", SimpleNamespace(key=KEY, rates=(1e-3,)))
    assert searching.search(wanted, path.parent, Progress()) == (TRIAL,)

"""Checkpoints harmed on purpose: each harm is seen before use, named, set aside, and the checkpoint built again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.storing import FILES, building, manifest_of, stored
from tunescale_core.errors import DamagedError, DamageWarning, StaleError, StoreError
from tunescale_core.store import checkpoints
from tunescale_core.store.aside import set_aside
from tunescale_core.store.checkpoints import Store
from tunescale_core.store.identity import key_of
from tunescale_core.store.manifest import MANIFEST, Manifest, written

KEY = key_of({"of": "m-full-on-arc"})
SHARD = "model/model-00002-of-00002.safetensors"
NOBODY = 65534


def never(_: Path) -> Manifest:
    pytest.fail("a checkpoint that is there was built again")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def rewrite(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def lie(path: Path) -> None:
    """Write a manifest that is consistent in itself, but for another checkpoint."""
    path.write_text(written(manifest_of({"of": "another"})))


def disown(path: Path) -> None:
    """Write a manifest that is consistent in itself and knows of no files."""
    path.write_text(written(manifest_of({"of": "m-full-on-arc"})))


def replace_by_copy_elsewhere(folder: Path) -> None:
    shutil.copytree(folder, folder.parents[2] / "elsewhere")
    shutil.rmtree(folder)
    folder.symlink_to(folder.parents[2] / "elsewhere")


def link(path: Path) -> None:
    """Replace a file by a link to its copy in the store's parent."""
    elsewhere = next(one for one in path.parents if one.name == "store").parent / "elsewhere"
    content = path.read_bytes()
    path.unlink()
    path.symlink_to(elsewhere)
    elsewhere.write_bytes(content)


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    **{f"flipped {name}": (lambda f, name=name: flip(f / name), f"{name} is not what was written") for name in FILES},
    **{f"cut {name}": (lambda f, name=name: cut(f / name), f"{name} has ") for name in FILES},
    **{f"missing {name}": (lambda f, name=name: (f / name).unlink(), f"{name} is missing") for name in FILES},
    "missing model": (lambda f: shutil.rmtree(f / "model"), "has a manifest but no model"),
    "foreign weights": (
        lambda f: (f / "model" / "model.safetensors").touch(),
        "model/model.safetensors does not belong there",
    ),
    "foreign pickle": (
        lambda f: (f / "model" / "pytorch_model.bin").write_bytes(b"cos\nsystem\n"),
        "model/pytorch_model.bin does not belong there",
    ),
    "foreign archive": (lambda f: (f / "model" / "more.tar").touch(), "model/more.tar does not belong there"),
    "foreign adapter": (
        lambda f: (f / "model" / "adapter_config.json").write_text("{}"),
        "model/adapter_config.json does not belong there",
    ),
    "swapped shards": (
        lambda f: (f / SHARD).write_bytes((f / SHARD).read_bytes()[::-1]),
        f"{SHARD} is not what was written",
    ),
    "linked file": (lambda f: link(f / SHARD), f"{SHARD} is no plain file"),
    "linked manifest": (lambda f: link(f / MANIFEST), f"{MANIFEST} is a link"),
    "linked folder": (replace_by_copy_elsewhere, " is a link"),
    "empty manifest": (lambda f: (f / MANIFEST).write_text(""), "cannot be read"),
    "cut manifest": (lambda f: cut(f / MANIFEST), "cannot be read"),
    "manifest of another": (lambda f: lie(f / MANIFEST), "names another checkpoint"),
    "manifest without files": (lambda f: disown(f / MANIFEST), " does not belong there"),
    "manifest with another cost": (
        lambda f: (f / MANIFEST).write_text((f / MANIFEST).read_text().replace("12.34", "12.35")),
        "was changed after it was written",
    ),
    "manifest of another identity": (
        lambda f: rewrite(f / MANIFEST, identity={"of": "other"}),
        "names another checkpoint",
    ),
    "manifest of another key": (lambda f: rewrite(f / MANIFEST, key="f" * 64), "names another checkpoint"),
    "manifest that is a folder's": (
        lambda f: rewrite(f / MANIFEST, files={"/etc/passwd": {"size": 1, "sha256": "0"}}),
        "was changed after it was written",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_harm_is_seen_named_set_aside_and_made_good(tmp_path: Path, harm: str) -> None:
    """Whatever was done to a checkpoint, another process does not use it, says what is wrong, keeps it and rebuilds."""
    root = tmp_path / "store"
    folder = stored(root).folder
    inflict, named = HARMS[harm]
    inflict(folder)
    with pytest.raises(DamagedError) as caught:
        Store(root).find(KEY)
    assert named in str(caught.value)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)
    aside = root / "damaged" / f"{folder.name}-1"
    with pytest.warns(DamageWarning) as warned:
        made = Store(root).obtain(KEY, building())
    (warning,) = warned
    assert named in str(warning.message)
    assert str(warning.message).endswith(f"; set aside as {aside}, to be made again")
    assert os.path.lexists(aside)
    assert made.built
    assert {name: (folder / name).read_text() for name in FILES} == FILES
    assert not Store(root).obtain(KEY, never).built


def test_harm_while_a_process_runs_is_seen(tmp_path: Path) -> None:
    """A process that has used a checkpoint looks again once one of its files has changed."""
    store = Store(tmp_path)
    folder = store.obtain(KEY, building()).folder
    assert not store.obtain(KEY, never).built
    flip(folder / SHARD)
    with pytest.raises(DamagedError, match="is not what was written"):
        store.find(KEY)


def test_files_are_hashed_once_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The builder does not hash again, another process does once."""
    hashed: list[Path] = []
    true = checkpoints.faults
    monkeypatch.setattr(checkpoints, "faults", lambda folder, *rest: hashed.append(folder) or true(folder, *rest))
    builder = Store(tmp_path)
    builder.obtain(KEY, building())
    builder.obtain(KEY, never)
    assert hashed == []
    other = Store(tmp_path)
    for _ in range(3):
        other.obtain(KEY, never)
    assert len(hashed) == 1


def test_two_that_meet_damage_make_it_good_once(tmp_path: Path) -> None:
    """Of two that want a damaged checkpoint at once one sets it aside and builds, and the other uses what was built."""
    flip(stored(tmp_path).folder / SHARD)
    start = threading.Barrier(2)

    def obtain(_: int) -> bool:
        start.wait()
        return stored(tmp_path).built

    with pytest.warns(DamageWarning), ThreadPoolExecutor(2) as both:
        assert sorted(both.map(obtain, range(2))) == [False, True]
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_damage_is_numbered(tmp_path: Path) -> None:
    """What is damaged again is set aside beside what was, under the next number."""
    for _ in range(3):
        flip(stored(tmp_path).folder / SHARD)
        with pytest.warns(DamageWarning):
            stored(tmp_path)
    assert sorted(one.name for one in (tmp_path / "damaged").iterdir()) == [f"{KEY[:24]}-{n}" for n in (1, 2, 3)]


def test_many_faults_are_counted(tmp_path: Path) -> None:
    """Three files are named, and how many more there are."""
    folder = stored(tmp_path).folder
    for name in FILES:
        flip(folder / name)
    with pytest.raises(DamagedError, match=r"written and 2 more; delete the folder"):
        Store(tmp_path).find(KEY)


@pytest.mark.parametrize(
    ("schema", "way"),
    [(1, "run tunescale store migrate --store "), (3, "prune --stale --store "), ("x", "prune --stale --store ")],
)
def test_another_schema_is_refused_and_left(tmp_path: Path, schema: object, way: str) -> None:
    """An older schema is refused with the command that migrates it, a newer one with what rebuilds it; both stay."""
    folder = stored(tmp_path).folder
    rewrite(folder / MANIFEST, schema_version=schema)
    with pytest.raises(StaleError, match=f"schema {schema}, this version reads 2; ") as caught:
        Store(tmp_path).obtain(KEY, never)
    assert f"{way}{tmp_path}, or delete the folder to build it again" in str(caught.value)
    assert folder.is_dir()
    assert not (tmp_path / "damaged").exists()


DYING = """
import sys, time
from pathlib import Path
from tunescale_core.store.checkpoints import Store

def build(folder):
    (folder / "half").write_text("of a checkpoint")
    print("building", flush=True)
    time.sleep(600)

Store(Path(sys.argv[1])).obtain(sys.argv[2], build)
"""


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    """A build that was killed holds nobody up, and what it left is cleared by the next."""
    process = subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path), KEY], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    (half,) = (tmp_path / "checkpoints").iterdir()
    assert half.name.startswith(f".{KEY[:12]}-")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "locks" / f"{KEY}.lock").exists()
    began = time.monotonic()
    assert stored(tmp_path).built
    assert time.monotonic() - began < 5
    assert [one.name for one in (tmp_path / "checkpoints").iterdir()] == [KEY[:24]]


def unprivileged(task: Callable[[], object]) -> str:
    """Return what a task says in a child that may not write to root's files, or the error it met."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            said = str(task())
        except BaseException as error:  # noqa: BLE001  a child must end here, whatever happened
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


@pytest.fixture
def readonly(tmp_path: Path) -> Path:
    """A store with one checkpoint that nobody may write to; its way there can be walked by everybody."""
    root = tmp_path / "store"
    stored(root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    opened = [one for one in root.parents if one.stat().st_uid == os.getuid() and one.stat().st_mode & 0o001 == 0]
    for parent in opened:
        parent.chmod(parent.stat().st_mode | 0o001)
    if unprivileged(lambda: os.access(root, os.W_OK)) != "False":
        pytest.skip("nothing can be made read-only for this user")
    return root


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_read_only_store_can_be_read(readonly: Path) -> None:
    """A checkpoint that is whole is taken from a store that cannot be written, and its files are verified."""
    assert unprivileged(lambda: Store(readonly).obtain(KEY, never).built) == "False"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_read_only_store_lacks_is_told(readonly: Path) -> None:
    """What must be built where nothing can be written ends in one line that says what to do."""
    other = key_of({"of": "other"})
    told = unprivileged(lambda: Store(readonly).obtain(other, never))
    assert told.startswith(f"StoreError: checkpoint {readonly}/checkpoints/{other[:24]} must be built, and store ")
    assert told.endswith("cannot be written (Permission denied): give another --store")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_damage_in_a_read_only_store_is_told(readonly: Path) -> None:
    """Damage that cannot be set aside is named, and not used."""
    if os.getuid() != 0:
        pytest.skip("only root can harm what is read-only")
    flip(readonly / "checkpoints" / KEY[:24] / SHARD)
    told = unprivileged(lambda: Store(readonly).obtain(KEY, never))
    assert told.startswith("StoreError: ")
    assert f"{SHARD} is not what was written" in told
    assert told.endswith("give another --store")


@pytest.mark.parametrize("name", ["checkpoints", "locks", "damaged"])
def test_links_out_of_the_store_are_not_followed(tmp_path: Path, name: str) -> None:
    """A folder of the store that leads out of it is refused by name, and nothing is written behind it."""
    root, outside = tmp_path / "store", tmp_path / "outside"
    outside.mkdir()
    if name == "damaged":
        flip(stored(root).folder / SHARD)
    root.mkdir(exist_ok=True)
    (root / name).symlink_to(outside)
    with pytest.raises(StoreError, match=f"{name} is a link out of the store, which is not followed"):
        stored(root)
    assert list(outside.iterdir()) == []


def test_a_store_may_be_linked_to(tmp_path: Path) -> None:
    """The store as a whole may lie behind a link."""
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "large-disk")
    assert stored(tmp_path / "store").built
    assert not stored(tmp_path / "store").built


def test_what_cannot_be_set_aside_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage that cannot be moved ends in one line that names it."""
    (tmp_path / "thing").touch()

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(
        StoreError, match=r"thing is odd, and cannot be set aside in [^\n]*damaged \(Permission denied\)"
    ):
        set_aside(tmp_path / "thing", tmp_path, "thing is odd")

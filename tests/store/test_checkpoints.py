"""The store: keys, building once, and what a damaged folder does."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storing import manifest_of
from tunescale_core.errors import DamageWarning, StoreError
from tunescale_core.provenance import WEIGHT_PACKAGES
from tunescale_core.store import checkpoints
from tunescale_core.store.checkpoints import Store
from tunescale_core.store.identity import identity_of, key_of, weights_digest
from tunescale_core.store.manifest import MANIFEST, Manifest

KEY = key_of({"one": 1})
NAMES = st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
IDENTITIES = st.dictionaries(
    NAMES,
    st.recursive(SCALARS, lambda s: st.lists(s, max_size=2) | st.dictionaries(NAMES, s, max_size=2), max_leaves=4),
    min_size=1,
    max_size=4,
)


def builder(text: str = "weights", **identity: object) -> Callable[[Path], Manifest]:
    def build(folder: Path) -> Manifest:
        (folder / "model").mkdir()
        (folder / "weights").write_text(text)
        return manifest_of(identity or {"one": 1})

    return build


def never(_: Path) -> Manifest:
    pytest.fail("a checkpoint that is there was built again")


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(one) for one in value] if isinstance(value, list) else value


@given(identity=IDENTITIES)
def test_key_is_independent_of_order(identity: dict[str, object]) -> None:
    """The order in which an identity was put together does not change its key."""
    assert key_of(reordered(identity)) == key_of(identity)


@given(data=st.data(), identity=IDENTITIES)
def test_key_changes_with_any_field(data: st.DataObject, identity: dict[str, object]) -> None:
    """Another value of any field, or one field fewer, is another key."""
    name = data.draw(st.sampled_from(sorted(identity)))
    assert key_of(identity | {name: [identity[name], "other"]}) != key_of(identity)
    assert key_of({other: value for other, value in identity.items() if other != name}) != key_of(identity)


@pytest.mark.parametrize(
    "other",
    [
        ("revision", {"rank": 4}, "data", 0, "cpu"),
        ("base", {"rank": 8}, "data", 0, "cpu"),
        ("base", {"rank": 4}, "rows", 0, "cpu"),
        ("base", {"rank": 4}, "data", 1, "cpu"),
        ("base", {"rank": 4}, "data", 0, "cuda"),
    ],
)
def test_identity_holds_every_argument(other: tuple[str, dict[str, object], str, int, str]) -> None:
    """Base, method, data, seed and device each decide the key."""
    assert key_of(identity_of(*other)) != key_of(identity_of("base", {"rank": 4}, "data", 0, "cpu"))


def test_identity_holds_the_versions_that_train() -> None:
    """The versions of the packages that can change weights are part of the identity."""
    assert set(identity_of("base", {}, "data", 0, "cpu")["versions"]) == set(WEIGHT_PACKAGES)


def test_obtain_builds_once(tmp_path: Path) -> None:
    """The first to ask builds, the second finds the same folder and manifest."""
    store = Store(tmp_path)
    assert store.find(KEY) is None
    first = store.obtain(KEY, builder())
    second = store.obtain(KEY, never)
    assert (first.built, second.built) == (True, False)
    assert (second.folder, second.manifest) == (first.folder, first.manifest)
    assert (second.folder / "weights").read_text() == "weights"
    assert second.model == second.folder / "model"


def test_keys_have_folders_of_their_own(tmp_path: Path) -> None:
    """Another key is another checkpoint, and the first is left alone."""
    store = Store(tmp_path)
    other = key_of({"one": 2})
    store.obtain(KEY, builder())
    assert store.obtain(other, builder("others", one=2)).built
    assert (store.obtain(KEY, never).folder / "weights").read_text() == "weights"


def test_a_folder_without_manifest_is_rebuilt(tmp_path: Path) -> None:
    """A folder that lost its manifest is set aside and replaced, not added to."""
    store = Store(tmp_path)
    folder = store.obtain(KEY, builder()).folder
    (folder / MANIFEST).unlink()
    (folder / "debris").touch()
    assert store.find(KEY) is None
    with pytest.warns(DamageWarning, match="has no manifest; set aside as"):
        assert store.obtain(KEY, builder(text="new")).built
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "model", "weights"]
    assert (folder / "weights").read_text() == "new"


def test_a_failing_build_leaves_nothing(tmp_path: Path) -> None:
    """A build that raises passes its error on, leaves no folder, and does not stop the next."""
    store = Store(tmp_path)

    def failing(folder: Path) -> Manifest:
        (folder / "weights").touch()
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        store.obtain(KEY, failing)
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert store.obtain(KEY, builder()).built


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: json.dumps(json.loads(text) | {"schema_version": 99}), "schema 99, this version reads 2; use a"),
        (lambda text: json.dumps(json.loads(text) | {"schema_version": 1}), "schema 1, this version reads 2; run tune"),
        (lambda text: json.dumps(json.loads(text) | {"key": "f" * 64}), "names another checkpoint"),
        (lambda text: json.dumps(json.loads(text) | {"identity": {"one": 2}}), "names another checkpoint"),
        (lambda text: json.dumps(json.loads(text) | {"variant": "other"}), "was changed after it was written"),
        (lambda text: text.replace('"seconds": 12.34', '"seconds": 12.35'), "was changed after it was written"),
        (lambda text: json.dumps(json.loads(text) | {"digest": None}), "was changed after it was written"),
        (lambda text: json.dumps(json.loads(text) | {"cost": None}), "cannot be read"),
        (lambda text: json.dumps(json.loads(text) | {"more": 1}), "cannot be read"),
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda _: "[]", "cannot be read"),
        (lambda _: "", "cannot be read"),
    ],
)
def test_a_wrong_manifest_is_an_error(tmp_path: Path, damage: Callable[[str], str], said: str) -> None:
    """A manifest of another schema, of another key, or garbage is refused with its path and what to do."""
    store = Store(tmp_path)
    path = store.obtain(KEY, builder()).folder / MANIFEST
    path.write_text(damage(path.read_text()))
    with pytest.raises(StoreError, match=said) as caught:
        store.find(KEY)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith("delete the folder to build it again")
    assert "\n" not in message


CONTENDER = """
import sys, time
from pathlib import Path
from tunescale_core.store.checkpoints import Manifest, Store
root, key, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def build(folder):
    with (root / "builds").open("a") as log:
        log.write(name + "\\n")
    time.sleep(0.5)
    (folder / "model").mkdir()
    return Manifest.model_validate_json((root / "prepared.json").read_text())

(root / f"ready-{name}").touch()
while not (root / "go").exists():
    time.sleep(0.005)
print(Store(root / "store").obtain(key, build).built)
"""


def test_two_processes_build_once(tmp_path: Path) -> None:
    """Of two processes that want a key at the same moment one builds, and the other waits and finds."""
    (tmp_path / "prepared.json").write_text(manifest_of({"one": 1}).model_dump_json())
    command = [sys.executable, "-c", CONTENDER, str(tmp_path), KEY]
    processes = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for name in ("a", "b")
    ]
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("ready-*"))) < 2:
        assert time.monotonic() < deadline, "the two processes did not start"
        time.sleep(0.01)
    (tmp_path / "go").touch()
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["False", "True"]
    assert len((tmp_path / "builds").read_text().split()) == 1
    assert Store(tmp_path / "store").obtain(KEY, never).manifest.key == KEY


def test_weights_digest_follows_the_weights(tmp_path: Path) -> None:
    """The digest covers every shard in order of name, and nothing but shards."""
    (tmp_path / "b.safetensors").write_bytes(b"two")
    (tmp_path / "a.safetensors").write_bytes(b"one")
    before = weights_digest(tmp_path)
    (tmp_path / "config.json").touch()
    assert weights_digest(tmp_path) == before
    (tmp_path / "b.safetensors").write_bytes(b"three")
    assert weights_digest(tmp_path) != before


def test_a_checkpoint_that_lost_its_model_is_refused(tmp_path: Path) -> None:
    """A manifest without the model it speaks of is an error that says what to delete."""
    made = Store(tmp_path).obtain(KEY, builder())
    made.model.rmdir()
    with pytest.raises(StoreError, match="no model; delete the folder"):
        Store(tmp_path).find(KEY)


def test_a_folder_that_vanishes_while_it_is_read_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process sets a folder aside just as it is read, it is looked at again under the lock."""
    Store(tmp_path).obtain(KEY, builder())
    faults, gone = checkpoints.faults, [FileNotFoundError(2, "No such file or directory", "adapter")]

    def vanishing(*arguments: Any) -> tuple[str, ...]:
        if gone:
            raise gone.pop()
        return faults(*arguments)

    monkeypatch.setattr(checkpoints, "faults", vanishing)
    assert not Store(tmp_path).obtain(KEY, never).built
    assert not (tmp_path / "damaged").exists()

"""`tunescale store`: what is kept, whether it is whole, and what of it goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from filelock import FileLock
from typer.testing import CliRunner

from tests.making import COST, line
from tests.making import record as made_record
from tests.storing import FILES, building, stored
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.records.files import write
from tunescale_core.records.record import Trial
from tunescale_core.store.checkpoints import Store
from tunescale_core.store.identity import key_of
from tunescale_core.store.manifest import MANIFEST, Manifest
from tunescale_core.training.searches import keep
from tunescale_core.upkeep import verifying

VARIANTS = ("m-full-on-arc", "m-full-on-squad_v2", "m-lora-r4-on-arc")
SIZE = sum(map(len, FILES.values()))
TRIAL = Trial(learning_rate=1e-3, score=0.5, metric="f1", loss=0.25, steps=2, seconds=1.0)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["store", *map(str, words)])


def key(variant: str) -> str:
    return key_of({"of": variant})


def folder(root: Path, variant: str) -> Path:
    return root / "checkpoints" / key(variant)[:24]


def never(_: Path) -> Manifest:
    pytest.fail("a checkpoint that is there was built again")


def rewrite(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or path.is_symlink()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with three checkpoints, two records of one of them, and a search."""
    store = tmp_path / "store"
    for variant in VARIANTS:
        stored(store, variant)
    for task in ("arc", "squad_v2"):
        cell = f"m-full-on-arc-for-{task}"
        write(made_record("full", "arc", task, cell=cell, lines=[line()] if task == "arc" else []), store / "records/s")
    other = COST.model_copy(update={"seconds": 1.0})
    write(made_record("full", "arc", cell="m-full-on-arc-for-arc", cost=other), store / "records/t")
    (store / "trials").mkdir()
    keep(store / "trials" / f"{key('trials')[:24]}.json", key("trials"), "m-full-on-arc", (TRIAL,))
    return store


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "AGAIN", 0.0)


def test_ls_lists_checkpoints_by_variant(root: Path) -> None:
    """Each checkpoint has a row with variant, folder, size, age, cost of training, and how many cells used it."""
    ran = run("ls", "--store", root)
    assert ran.exit_code == 0
    rows = ran.stdout.splitlines()[2:-1]
    assert [row.split()[0] for row in rows] == list(VARIANTS)
    assert [row.split()[-2:] for row in rows] == [["2", "whole"], ["0", "whole"], ["0", "whole"]]
    assert all(key(variant)[:24] in row and "12.3" in row for variant, row in zip(VARIANTS, rows, strict=True))
    assert ran.stdout.splitlines()[-1].startswith("(3 in all, ")


def test_ls_knows_which_cells_used_a_checkpoint(root: Path) -> None:
    """The cells of a checkpoint are those that carry its training's very cost: another study's of one name do not."""
    found = json.loads(run("ls", "--store", root, "--json").stdout)
    assert found[0]["cells"] == ["s/m-full-on-arc-for-arc", "s/m-full-on-arc-for-squad_v2"]
    assert (found[0]["key"], found[0]["variant"], found[0]["seconds"]) == (key(VARIANTS[0]), VARIANTS[0], 12.34)
    manifest = folder(root, VARIANTS[0]) / MANIFEST
    assert found[0]["size"] == SIZE + manifest.stat().st_size
    assert found[0]["created"] == json.loads(manifest.read_text())["provenance"]["created"]


def test_ls_tells_what_is_no_checkpoint(root: Path) -> None:
    """What is damaged, stale, set aside or left over has a row too, and its reason."""
    (folder(root, VARIANTS[0]) / MANIFEST).write_text("{")
    rewrite(folder(root, VARIANTS[1]) / MANIFEST, schema_version=9)
    folder(root, VARIANTS[2]).rename(root / "checkpoints" / ".abc-left")  # as where a deletion was killed
    (root / "damaged" / "was-1").mkdir(parents=True)
    found = {Path(one["path"]).name: one for one in json.loads(run("ls", "--store", root, "--json").stdout)}
    names = (*(key(one)[:24] for one in VARIANTS[:2]), ".abc-left", "was-1")
    assert [found[name]["state"] for name in names] == ["damaged", "stale", "left over", "damaged"]
    assert found[names[1]]["variant"] == VARIANTS[1]
    assert all(found[name]["fault"] for name in names)
    assert "left over" in run("ls", "--store", root).stdout


def test_verify_of_a_whole_store_says_so(root: Path) -> None:
    """A store whose every file is as it was written verifies, exit code 0, in one line."""
    ran = run("verify", "--store", root)
    assert (ran.exit_code, ran.stdout) == (
        0,
        "7 of 7 are as they were written: checkpoints, records, searches, saved states\n",
    )


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rows_of(root: Path) -> Path:
    (rows,) = (root / "records" / "s").glob("*.parquet")
    return rows


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights": (
        lambda root: flip(folder(root, VARIANTS[0]) / "model/model-00001-of-00002.safetensors"),
        "model/model-00001-of-00002.safetensors is not what was written",
    ),
    "adapter": (
        lambda root: (folder(root, VARIANTS[2]) / "adapter/adapter_model.safetensors").unlink(),
        "adapter/adapter_model.safetensors is missing",
    ),
    "manifest": (lambda root: flip(folder(root, VARIANTS[1]) / MANIFEST), MANIFEST),
    "no manifest": (lambda root: (folder(root, VARIANTS[1]) / MANIFEST).unlink(), "has no manifest"),
    "newer checkpoint": (lambda root: rewrite(folder(root, VARIANTS[0]) / MANIFEST, schema_version=9), "schema 9"),
    "checkpoint in another's place": (
        lambda root: folder(root, VARIANTS[0]).rename(root / "checkpoints" / ("0" * 24)),
        "names another checkpoint",
    ),
    "record": (
        lambda root: rewrite(root / "records/s/m-full-on-arc-for-arc.json", metrics={"accuracy": 1.0}),
        "was changed after it was written; measure it again",
    ),
    "cut record": (
        lambda root: (root / "records/s/m-full-on-arc-for-arc.json").write_text('{"schema_version": 3, '),
        "cannot be read",
    ),
    "rows": (lambda root: flip(rows_of(root)), "are not what was written; measure it again"),
    "no rows": (lambda root: rows_of(root).unlink(), "cannot be read"),
    "rows elsewhere": (
        lambda root: rewrite(root / "records/s/m-full-on-arc-for-arc.json", rows="../../../secret.parquet"),
        "rows: not a file beside the record",
    ),
    "search": (
        lambda root: rewrite(next((root / "trials").glob("*.json")), variant="other"),
        "was changed after it was written; delete the file to search again",
    ),
}


def test_verify_looks_again_at_what_changes_under_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What seems damaged while a run replaces it, or takes it away, is none where a second look finds it whole."""
    record, gone = (root / "records" / "s" / f"m-full-on-arc-for-{task}.json" for task in ("arc", "squad_v2"))
    whole = record.read_bytes()
    record.write_text("{")
    gone.write_text("{")

    def meanwhile(_: float) -> None:
        record.write_bytes(whole)
        gone.unlink(missing_ok=True)

    monkeypatch.setattr(verifying.time, "sleep", meanwhile)
    ran = run("verify", "--store", root)
    assert (ran.exit_code, ran.stdout.splitlines()[-1].split()[:3]) == (0, ["6", "of", "6"])


@pytest.mark.parametrize("harm", HARMS)
def test_verify_names_what_was_harmed(root: Path, harm: str) -> None:
    """Each harm is one line that names the place, exit code 1, and nothing is moved."""
    inflict, named = HARMS[harm]
    inflict(root)
    before = everything(root)
    ran = run("verify", "--store", root)
    told, count = ran.stdout.splitlines()
    assert (ran.exit_code, count) == (
        1,
        "6 of 7 are as they were written: checkpoints, records, searches, saved states",
    )
    assert named in told
    assert str(root) in told
    assert everything(root) == before


def test_prune_keeps_the_variants_that_match(root: Path) -> None:
    """Checkpoints of variants that no pattern matches go, wholly; records and searches stay."""
    kept = everything(root) - {one for one in everything(root) if key(VARIANTS[1])[:24] in one}
    ran = run("prune", "--keep", "*-on-arc", "--keep", "nothing*", "--store", root)
    assert ran.exit_code == 0
    assert everything(root) == kept | {f"locks/{key(VARIANTS[1])}.lock"}
    first, last = ran.stdout.splitlines()
    assert first.startswith(f"deleted {folder(root, VARIANTS[1])} (m-full-on-squad_v2), ")
    assert last.startswith("1 thing, freed ")
    assert stored(root, VARIANTS[1]).built
    assert not Store(root).obtain(key(VARIANTS[0]), never).built


def test_a_dry_run_deletes_nothing_and_tells_as_much(root: Path) -> None:
    """A dry run names what would go and how many bytes, and the true run then does just that."""
    before = everything(root)
    dry = run("prune", "--keep", "m-lora*", "--dry-run", "--store", root)
    assert everything(root) == before
    wet = run("prune", "--keep", "m-lora*", "--store", root)
    assert dry.exit_code == wet.exit_code == 0
    assert dry.stdout.replace("would delete", "deleted").replace("would free", "freed") == wet.stdout
    assert wet.stdout.count("deleted ") == 2


def test_prune_wants_to_be_told(root: Path) -> None:
    """Without --keep or --stale nothing is deleted: a usage error in one line."""
    before = everything(root)
    ran = run("prune", "--store", root)
    assert (ran.exit_code, everything(root)) == (USAGE, before)
    assert ran.stderr == "tunescale: give --keep PATTERN, or --stale: nothing is deleted unasked\n"


def stale(root: Path) -> set[str]:
    """Make everything that this version has no use for, and return what is to stay."""
    staying = everything(root)
    for name in ("checkpoints/.abc-left/.record-half", "damaged/was-1/weights"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()
    os.utime(root / "checkpoints/.abc-left/.record-half", (0, 0))  # goes with its folder, and is not told twice
    rewrite(folder(root, VARIANTS[1]) / MANIFEST, schema_version=9)
    (folder(root, VARIANTS[2]) / MANIFEST).write_text("{")
    old = write(made_record("base", cell="old", lines=[line()]), root / "records" / "s")
    rewrite(old, schema_version=2)
    gone = tuple(key(one)[:24] for one in VARIANTS[1:])
    return {one for one in staying if not any(name in one and "locks" not in one for name in gone)}


def test_prune_stale_takes_what_cannot_be_read(root: Path) -> None:
    """Checkpoints and records of another schema, damage, what was set aside and what was left over go, no more."""
    staying = stale(root)
    ran = run("prune", "--stale", "--store", root)
    assert ran.exit_code == 0
    assert everything(root) == staying
    assert ran.stdout.splitlines()[-1].startswith("6 things, freed ")
    assert ran.stderr == ""
    assert run("verify", "--store", root).exit_code == 0


def test_what_writers_left_goes_once_it_is_old(root: Path) -> None:
    """A file that a writer left aside goes with --stale after an hour; until then it may be being written."""
    for place in ("records/s", "trials"):
        for name, age in ((".record-old", 7200), (".record-new", 0)):
            (root / place / name).touch()
            os.utime(root / place / name, (time.time() - age,) * 2)
    ran = run("prune", "--stale", "--store", root)
    assert (ran.exit_code, ran.stdout.count("(left over)")) == (0, 2)
    assert {one for one in everything(root) if ".record-" in one} == {"records/s/.record-new", "trials/.record-new"}


def test_what_is_to_be_kept_wins(root: Path) -> None:
    """A checkpoint of another schema stays where a pattern names its variant, whatever else is said."""
    stale(root)
    assert run("prune", "--stale", "--keep", VARIANTS[1], "--store", root).exit_code == 0
    assert [one.name for one in (root / "checkpoints").iterdir()] == [key(VARIANTS[1])[:24]]


def test_what_is_being_built_stays(root: Path) -> None:
    """A checkpoint that another process holds the lock of is told and kept, exit code 1; the others go."""
    (root / "checkpoints" / f".{key(VARIANTS[0])[:12]}-half").mkdir()
    with FileLock(root / "locks" / f"{key(VARIANTS[0])}.lock", is_singleton=False):
        ran = run("prune", "--keep", "nothing", "--stale", "--store", root)
    assert ran.exit_code == 1
    assert ran.stdout.count("in use, kept ") == 2
    assert {one.name for one in (root / "checkpoints").iterdir()} == {
        key(VARIANTS[0])[:24],
        f".{key(VARIANTS[0])[:12]}-half",
    }


def test_prune_stays_in_the_store(root: Path) -> None:
    """Links go as links: what they lead to, a folder or a file, in a checkpoint or in its place, is left alone."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (folder(root, VARIANTS[0]) / "link").symlink_to(outside, target_is_directory=True)
    (root / "checkpoints" / "linked").symlink_to(outside, target_is_directory=True)
    (root / "damaged").mkdir()
    (root / "damaged" / "linked-1").symlink_to(outside / "precious")
    ran = run("prune", "--keep", "nothing", "--stale", "--store", root)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert list((root / "checkpoints").iterdir()) == list((root / "damaged").iterdir()) == []
    assert [one.name for one in outside.iterdir()] == ["precious"]


@pytest.mark.parametrize("name", ["checkpoints", "damaged", "records", "records/s"])
@pytest.mark.parametrize("command", [("ls",), ("verify",), ("prune", "--keep", "x", "--stale"), ("migrate",)])
def test_folders_that_lead_out_are_refused(root: Path, name: str, command: tuple[str, ...]) -> None:
    """A folder of the store that is a link out of it ends every command that reads it, and nothing behind it goes."""
    outside = root.parent / "outside"
    if (root / name).exists():
        (root / name).rename(outside)
    else:
        outside.mkdir()
    (root / name).symlink_to(outside)
    before = everything(outside)
    ran = run(*command, "--store", root)
    assert everything(outside) == before
    if (command, name) != (("verify",), "damaged"):
        assert ran.exit_code == USAGE
        assert ran.stderr.endswith(f"{name} is a link out of the store, which is not followed; link the whole store\n")


@pytest.mark.parametrize("command", [("ls",), ("verify",), ("prune", "--stale"), ("migrate",)])
def test_no_store_is_an_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A folder that holds no store ends every command in one line."""
    ran = run(*command, "--store", tmp_path)
    assert ran.exit_code == USAGE
    assert ran.stderr == f"tunescale: {tmp_path} holds no store: give --store the folder that a run was given\n"


def first_schema(root: Path, variant: str) -> Path:
    """Make a checkpoint's manifest what version 1 wrote."""
    path = folder(root, variant) / MANIFEST
    content = json.loads(path.read_text()) | {"schema_version": 1}
    path.write_text(json.dumps({name: value for name, value in content.items() if name not in {"files", "digest"}}))
    return path


def test_migrate_saves_a_training(root: Path) -> None:
    """A checkpoint of the first schema is used again once it is migrated, every file of it hashed from then on."""
    first_schema(root, VARIANTS[0])
    ran = run("migrate", "--store", root)
    assert (ran.exit_code, ran.stdout) == (0, f"migrated {folder(root, VARIANTS[0])} ({VARIANTS[0]})\n")
    found = Store(root).obtain(key(VARIANTS[0]), never)
    assert set(found.manifest.files) == set(FILES)
    assert run("migrate", "--store", root).stdout == ""
    assert run("verify", "--store", root).exit_code == 0


def test_migrate_takes_no_damage_for_whole(root: Path) -> None:
    """Weights that are not what the old manifest says are told and not migrated; the others are."""
    first_schema(root, VARIANTS[0])
    first_schema(root, VARIANTS[1])
    rewrite(folder(root, VARIANTS[2]) / MANIFEST, schema_version=9)
    flip(folder(root, VARIANTS[0]) / "model/model-00001-of-00002.safetensors")
    ran = run("migrate", "--store", root)
    assert ran.exit_code == 1
    assert f"{folder(root, VARIANTS[0])} is damaged: its weights are not what was written" in ran.stdout
    assert f"migrated {folder(root, VARIANTS[1])}" in ran.stdout
    assert "schema 9, this version reads 2; use a newer TuneScale" in ran.stdout


def test_no_command_needs_torch(root: Path) -> None:
    """A store can be listed, verified, pruned and migrated without loading what trains."""
    script = "import sys\nfrom tunescale_core.cli import app\napp(sys.argv[1:], standalone_mode=False)\n"
    script += "assert not {'torch', 'transformers'} & set(sys.modules)"
    for command in (("ls",), ("verify",), ("prune", "--stale"), ("migrate",)):
        subprocess.run([sys.executable, "-c", script, "store", *command, "--store", str(root)], check=True, timeout=60)


def test_a_large_checkpoint_is_hashed_piece_by_piece(tmp_path: Path) -> None:
    """Verifying weights of 64 MiB takes a small part of that memory."""

    def build(made: Path) -> Manifest:
        manifest = building()(made)
        with (made / "model" / "model-00001-of-00002.safetensors").open("wb") as file:
            os.truncate(file.fileno(), 1 << 26)
        return manifest

    Store(tmp_path).obtain(key(VARIANTS[0]), build)
    tracemalloc.start()
    assert run("verify", "--store", tmp_path).exit_code == 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24

"""Opening base models: where they are found, and how it reads when they are not."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest

from tests.hubs import GATED, HELD, NEWEST, PINNED, hub
from tunescale_core.errors import ModelError
from tunescale_core.models.base import check_weights, config_file, files_digest, resolve
from tunescale_core.study.model import Model

ASK = """
import sys
from pathlib import Path
from tunescale_core.errors import ModelError
from tunescale_core.models.base import resolve
from tunescale_core.study.model import Model
try:
    resolve(Model(source=sys.argv[1]), Path())
except ModelError as error:
    print(error)
"""

EMBEDDED_FOLDER = resolve(Model(source="embedded:mini-small"), Path()).folder.parent


@pytest.mark.parametrize("name", ["mini-small", "mini-large"])
def test_embedded_models_resolve(name: str, tmp_path: Path) -> None:
    """The embedded family is found from anywhere, its revision the digest of its files."""
    base = resolve(Model(source=f"embedded:{name}"), tmp_path)
    assert base.folder.name == name
    assert base.revision == files_digest(base.folder)


@pytest.mark.parametrize("source", ["embedded:mini-huge", "embedded:"])
def test_unknown_embedded_models_are_refused(source: str, tmp_path: Path) -> None:
    """An embedded model that there is not is met with those there are."""
    with pytest.raises(ModelError) as caught:
        resolve(Model(source=source), tmp_path)
    assert str(caught.value) == f"no embedded model {source!r}; there are embedded:mini-small and embedded:mini-large"


def test_folders_resolve_from_the_studys(small: Path) -> None:
    """A relative folder starts where the study file is, an absolute one where it says."""
    assert resolve(Model(source="small"), small.parent) == resolve(Model(source=str(small)), Path())


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    """A folder that holds no checkpoint is named, with what is wanted."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError) as caught:
        resolve(Model(source="empty"), tmp_path)
    folder = tmp_path / "empty"
    assert str(caught.value) == f"model folder {folder} has no config.json: give the folder of a saved checkpoint"


def test_weights_of_another_form_are_refused(small: Path) -> None:
    """A folder whose weights are pickled is refused, and it is said how they become safetensors."""
    (small / "model.safetensors").rename(small / "pytorch_model.bin")
    with pytest.raises(ModelError, match=f"^model folder {small} cannot be opened: it has no weights in safetensors"):
        check_weights(Model(source=str(small)), Path())


def test_a_hub_that_lists_no_safetensors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a repository of the hub; one that does not say what it holds is believed."""
    listed: list[list[str]] = [["config.json", "pytorch_model.bin"], ["config.json", "model-00001.safetensors"]]
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda *_, **__: listed.pop(0))
    model = Model(source="someone/small")
    with pytest.raises(ModelError, match=r"^model someone/small cannot be opened: it has no weights in safetensors"):
        check_weights(model, Path())
    check_weights(model, Path())

    def unreached(*_: object, **__: object) -> list[str]:
        raise ConnectionError

    monkeypatch.setattr(huggingface_hub, "list_repo_files", unreached)
    check_weights(model, Path())


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_revision_changes_with_any_file(small: Path, name: str) -> None:
    """One more byte in any file of the model is another revision."""
    before = resolve(Model(source="small"), small.parent).revision
    with (small / name).open("ab") as file:
        file.write(b" ")
    assert resolve(Model(source="small"), small.parent).revision != before


def test_revision_changes_with_a_files_name(small: Path) -> None:
    """The same bytes under another name are another revision."""
    before = files_digest(small)
    (small / "generation_config.json").rename(small / "renamed.json")
    assert files_digest(small) != before


def test_revision_ignores_what_is_no_part_of_the_model(small: Path) -> None:
    """Another folder, and files that are not the model's, leave the revision alone."""
    before = files_digest(small)
    (small / "notes.md").write_text("notes")
    moved = small.rename(small.parent / "moved")
    assert files_digest(moved) == before
    assert len(before) == hashlib.sha256().digest_size * 2


def test_an_unreachable_hub_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub id that is not in the cache and cannot be fetched gives one line with the id and what to do."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    command = [sys.executable, "-c", ASK, "Qwen/Qwen3-0.6B"]
    run = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.count("\n") == 1
    assert run.stdout.startswith(
        "model Qwen/Qwen3-0.6B cannot be opened: there is no such folder, it is not in the local cache"
    )
    assert "give a local folder as source" in run.stdout
    assert "Traceback" not in run.stderr


RESOLVE = """
import sys
from pathlib import Path
from tunescale_core.errors import ModelError
from tunescale_core.models.base import resolve
from tunescale_core.study.model import Model

try:
    base = resolve(Model(source=sys.argv[1], revision=sys.argv[2] or None), Path())
    print(base.revision, (base.folder / "model.safetensors").stat().st_size)
except ModelError as error:
    print(error)
"""
SMALL_BYTES = (EMBEDDED_FOLDER / "mini-small" / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        (HELD, "", f"{NEWEST} {SMALL_BYTES}"),
        (HELD, "v1", f"{PINNED} {SMALL_BYTES}"),
        (HELD, PINNED, f"{PINNED} {SMALL_BYTES}"),
        (HELD, "v2", f"model {HELD} cannot be opened: it has no revision 'v2'"),
        (GATED, "", f"model {GATED} cannot be opened: it is gated: accept its terms on the hub and set HF_TOKEN"),
        ("someone/else", "", "model someone/else cannot be opened: there is no such repository (or it is private"),
    ],
)
def test_what_a_hub_holds(source: str, revision: str, said: str, tmp_path: Path) -> None:
    """A hub id resolves to a commit, pinned by a tag or the commit; what cannot be had is one line with what to do."""
    with hub(EMBEDDED_FOLDER / "mini-small") as url:
        environment = os.environ | {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
        for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
            environment.pop(name, None)
        command = [sys.executable, "-c", RESOLVE, source, revision]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.startswith(said)
    assert run.stdout.count("\n") == 1


def test_a_source_that_is_nothing_is_one_line(tmp_path: Path) -> None:
    """What is neither a folder nor a possible hub id is refused in one line, without asking the hub."""
    with pytest.raises(ModelError, match="some/where/else does not exist, and") as caught:
        resolve(Model(source="some/where/else"), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("/no/such/folder", "^model folder /no/such/folder does not exist, and .* is no hub id$"),
        ("./none/at/all", "^model folder .*/none/at/all does not exist, and .* is no hub id$"),
        ("~/no-such-model", "^model folder .*/no-such-model does not exist, and .* is no hub id$"),
        ("a/b/c", "^model folder .*/a/b/c does not exist, and a/b/c is no hub id$"),
        ("my models/nope", "^model folder .*/my models/nope does not exist, and my models/nope is no hub id$"),
    ],
)
def test_a_path_that_is_no_folder_says_so(source: str, said: str, tmp_path: Path) -> None:
    """A source that looks like a path and is none is refused in plain words, not as a malformed hub id."""
    with pytest.raises(ModelError, match=said):
        resolve(Model(source=source), tmp_path)


def test_the_configuration_alone_can_be_had(small: Path) -> None:
    """A model's config.json is found in its folder, embedded or of one's own."""
    for source in (str(small), "embedded:mini-small"):
        assert json.loads(config_file(Model(source=source), Path()).read_text())["model_type"] == "qwen3"

"""Files from elsewhere: what they hold is data, and never run, followed out of its place, or told to others."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.making import line, record
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import ModelError
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.models.opened import open_adapted, open_model
from tunescale_core.models.trusted import is_trusted
from tunescale_core.records.files import write
from tunescale_core.report.page import policy, write_page
from tunescale_core.results.recorded import from_folder
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Serving
from tunescale_core.tasks import Answer

ROOT = Path(__file__).parent.parent
SMALL = resolve(Model(source="embedded:mini-small"), Path()).folder
PROTOCOL = Protocol(max_new_tokens=4, dtype="float32")
CODE = """
from pathlib import Path
from transformers import Qwen3Config, Qwen3ForCausalLM
Path({ran!r}).touch()

class MineConfig(Qwen3Config):
    model_type = "mine"

class MineForCausalLM(Qwen3ForCausalLM):
    config_class = MineConfig
"""
OWN = {"AutoConfig": "mine.MineConfig", "AutoModelForCausalLM": "mine.MineForCausalLM"}
OWN_PROCESSES = {"pace/forking.py", "pace/processes.py"}
"""Where pickles travel between a process and its own child, through a pipe that nobody else has."""


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the small model, to be tampered with."""
    return Path(shutil.copytree(SMALL, tmp_path / "model"))


@pytest.fixture
def own_code(copied: Path, tmp_path: Path) -> Path:
    """A model that brings code of its own, which leaves a file when it is run."""
    (copied / "mine.py").write_text(CODE.format(ran=str(tmp_path / "ran")))
    path = copied / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "mine", "auto_map": OWN}))
    return copied


def test_weights_are_not_unpickled(copied: Path, tmp_path: Path) -> None:
    """A model whose weights are a pickle is refused in one line, and the pickle is not read."""
    (copied / "model.safetensors").unlink()
    (copied / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "boom")))
    with pytest.raises(ModelError, match=r"model folder .* cannot be opened: .*safetensors"):
        open_model(copied, PROTOCOL)
    assert not (tmp_path / "boom").exists()


def test_adapters_are_not_unpickled(copied: Path, tmp_path: Path) -> None:
    """So is an adapter."""
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "target_modules": ["q_proj"]}')
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "boom")))
    with pytest.raises(ModelError, match=r"it has no adapter_model.safetensors, and nothing else is read"):
        open_adapted(copied, adapter, PROTOCOL)
    assert not (tmp_path / "boom").exists()


def test_a_models_code_is_not_run(own_code: Path, tmp_path: Path) -> None:
    """A model that brings code is refused, with the line that says how it is allowed, and the code is not run."""
    base = resolve(Model(source=str(own_code)), Path())
    with pytest.raises(ModelError, match=r"brings Python of its own; .* trust_remote_code = true") as caught:
        open_model(base.folder, PROTOCOL)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizers_code_is_not_run(copied: Path, tmp_path: Path) -> None:
    """Nor is that of a tokenizer, whether the library does without or refuses; nothing is asked at the terminal."""
    (copied / "mine.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    path = copied / "tokenizer_config.json"
    own = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    with contextlib.suppress(ValueError):
        tokenizer_of(copied)
    assert not (tmp_path / "ran").exists()


def test_trusted_code_is_run_and_part_of_the_revision(own_code: Path, tmp_path: Path) -> None:
    """Where the study says so the code is run; then it is part of what the model is known by."""
    wary = resolve(Model(source=str(own_code)), Path())
    assert not is_trusted(own_code)
    base = resolve(Model(source=str(own_code), trust_remote_code=True), Path())
    assert base.revision != wary.revision
    assert type(open_model(base.folder, PROTOCOL).model).__name__ == "MineForCausalLM"
    assert (tmp_path / "ran").exists()
    (own_code / "mine.py").write_text((own_code / "mine.py").read_text() + "\n# changed\n")
    assert resolve(Model(source=str(own_code), trust_remote_code=True), Path()).revision != base.revision


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__init__.__globals__ }}",
        "{% for one in messages %}{{ one.clear() }}{% endfor %}",
        "{{ raise_exception('no') }}",
        "{{ messages | nosuch }}",
    ],
)
def test_chat_templates_stay_in_their_sandbox(copied: Path, template: str) -> None:
    """A model's template that reaches for more than the messages ends in one line, or reaches nothing."""
    opened = open_model(copied, PROTOCOL)
    opened.tokenizer.chat_template = template
    try:
        said = EagerDecoder(opened, PROTOCOL).prompts.text(({"role": "user", "content": "?"},))
    except ModelError as error:
        assert "the chat template of" in str(error)  # noqa: PT017  either is right
    else:
        assert "class" not in said
        assert "function" not in said


def _calls(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    shells = [
        "shell=True"
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell" and ast.unparse(node.value) != "False"
    ]
    return called + shells


def test_nothing_is_evaluated() -> None:
    """Nothing in the package unpickles, evaluates, unpacks archives or calls a shell, but in its children's pipes."""
    banned = re.compile(
        r"^(pickle\.loads?|(torch|joblib|dill)\.load|eval|exec|compile|__import__|yaml\.(unsafe_)?load|os\.system|"
        r"shutil\.unpack_archive|(tarfile|zipfile)\..*|shell=True)$"
    )
    package = ROOT / "tunescale_core"
    found = {
        (path.relative_to(package).as_posix(), call)
        for path in package.rglob("*.py")
        for call in _calls(path)
        if banned.match(call)
    }
    assert {(path, call) for path, call in found if path not in OWN_PROCESSES} == set()
    assert found, "the search finds what there is"


READ = """
import sys
from pathlib import Path
found = []
sys.addaudithook(lambda event, details: found.append(details) if event == "pickle.find_class" else None)
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.models.opened import load_weights
from tunescale_core.records.files import read_all
from tunescale_core.study.model import Model
from tunescale_core.study.loading import load
import torch
load("mini")
folder = resolve(Model(source="embedded:mini-small"), Path()).folder
before = len(found)
load_weights(folder, torch.float32), tokenizer_of(folder), read_all(Path(sys.argv[1]))
print("UNPICKLED", found[before:])
"""


def test_nothing_is_unpickled_while_reading(tmp_path: Path) -> None:
    """Opening a study, a model, its tokenizer and records looks up no class for a pickle: the interpreter would say."""
    write(record(lines=[line()]), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert "UNPICKLED []" in done.stdout


LOADED = """
import sys
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
load("mini")
done = []
acts = ("open", "os.", "subprocess.", "socket.", "exec", "compile", "import", "shutil.", "ctypes.")
sys.addaudithook(lambda event, details: done.append((event, details[:1])) if event.startswith(acts) else None)
found = cells(load(sys.argv[1]))
told = list(done)
print(len(found), [(event, *map(str, details)) for event, details in told])
"""
REACHING = """
[study]
name = "reaching"
[models.m]
source = "/etc"
revision = "$(touch ran)"
[models."n"]
source = "../../elsewhere"
[methods.lora]
ranks = [2]
peft = { target_modules = "__import__('os').system('touch ran')" }
[serving.there]
mode = "endpoint"
url = "http://127.0.0.1:9/v1"
[tasks.arc]
data = "/etc/passwd.jsonl"
eval_data = "{{ 7 * 7 }}"
"""


def test_a_study_that_is_read_does_nothing_else(tmp_path: Path) -> None:
    """Reading a study opens its own file and does nothing else: nothing is run, asked, imported or looked at."""
    path = tmp_path / "reaching.toml"
    path.write_text(REACHING)
    command, environment = [sys.executable, "-c", LOADED, str(path)], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"8 [('open', '{path}')]\n"
    assert [one.name for one in tmp_path.iterdir()] == ["reaching.toml"]


@pytest.mark.parametrize(
    "url", ["http://me:secret@127.0.0.1/v1", "http://127.0.0.1/v1?key=secret", "http://127.0.0.1/v1#secret"]
)
def test_urls_hold_no_secrets(url: str) -> None:
    """A server's address with a password or a key in it is refused, since records keep the address."""
    with pytest.raises(ValidationError, match="url must hold no user, password or query"):
        Serving(mode="endpoint", url=url)


SECRETS = {"HF_TOKEN": "hf_canaryCanaryCanary", "OPENAI_API_KEY": "sk-canary", "MY_KEY": "canary-of-mine"}
KEYED = """
[study]
name = "s"
train_examples = 8
eval_examples = 2
[protocol]
max_new_tokens = 4
warmup_calls = 0
[models.m]
source = "embedded:mini-small"
[methods.lora]
ranks = [2]
learning_rate = 1e-3
[tasks.arc]
[serving.there]
mode = "endpoint"
url = "http://127.0.0.1:9/v1"
api_key_env = "MY_KEY"
only = "m-base"
"""


TUNESCALE = ("-c", "from tunescale_core.cli import app; app()")


def said(folder: Path, *words: str) -> tuple[str, str]:
    """Run a command where secrets are in the environment; return what it printed."""
    environment = os.environ | SECRETS | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    return done.stdout, done.stderr


@pytest.mark.slow
def test_secrets_stay_where_they_are(tmp_path: Path) -> None:
    """Nothing of the environment's secrets is in any file or line of a run: checkpoint, record, baseline, page."""
    (tmp_path / "s.toml").write_text(KEYED)
    run = ("-m", "pytest", str(ROOT / "benchmarks"), "--study", "s.toml", "-p", "no:cacheprovider")
    failing = said(tmp_path, *run, "--benchmark-json", "b.json", "-k", "base")
    assert "1 passed" in failing[0], failing
    assert "1 error" in failing[0] or "1 failed" in failing[0], "nobody listens there"
    saving = said(tmp_path, *run, "-k", "not there", "--save-baseline", "kept.json", "--no-pace")
    page = said(tmp_path, *TUNESCALE, "report", ".tunescale/records/s", "--html", "page.html")
    made = {"b.json", "kept.json", "manifest.json", "adapter_config.json", "page.html", "m-base-for-arc.json"}
    assert made <= {path.name for path in tmp_path.rglob("*")}, (saving, page)
    told = [text.encode() for pair in (failing, saving, page) for text in pair]
    told += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(secret.encode() in text for secret in SECRETS.values() for text in told)


def test_a_page_runs_its_own_scripts_alone(tmp_path: Path) -> None:
    """The page's policy names its two scripts by their hashes, and lets nothing be loaded from anywhere."""
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    answer = Answer(("A",), "A")
    lines = [line(answer, place=place, text=hostile, prompt=hostile) for place in range(3)]
    write(record(lines=lines, model="m"), tmp_path)
    write_page(from_folder(tmp_path), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 2
    (allowed,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert allowed.replace("&#39;", "'").replace("&#43;", "+") == policy(*scripts)
    assert "unsafe-inline" not in allowed.partition("script-src")[2].partition(";")[0]
    assert not re.findall(r"\son\w+=", page.replace(scripts[0], "").replace(scripts[1], "").replace("onerror", ""))
    assert hostile not in page

"""Fetches the paper's data and model through a hub with faults, and holds what arrives against what a sound one sends.

    python benchmarks/check_hub.py --hub hub.py [--faults 503:0.3 401:1 ...] [--json FILE]

`--hub` names a program that serves a hub and runs a command against it, with faults: `hub.py --fault KIND:RATE --
COMMAND`. Each kind is met with an empty cache. Errors of a busy hub, broken connections and slowness must leave model
and rows as they are without them; refusals must end in one line that says what to do. Exits with 1 where they do not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tunescale_core.provenance import provenance

ROOT = Path(__file__).parent.parent
FETCH = """
import json
from pathlib import Path

from tunescale_core.data.examples import load_examples
from tunescale_core.errors import DataError, ModelError
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.store.files import sha256_of
from tunescale_core.study.loading import load

study = load("paper", {"study": {"train_examples": 40, "eval_examples": 40}})
came = {}
for task in study.tasks:
    try:
        rows = load_examples(study, task, "train")
        came[task] = f"{rows.origin} {rows.fingerprint}"
    except DataError as error:
        came[task] = f"refused: {error}"
try:
    base = resolve(study.models["qwen3-0.6b"], Path())
    weights = sorted(base.folder.glob("*.safetensors"))
    came["model"] = f"{base.revision} {[sha256_of(one) for one in weights]} {len(tokenizer_of(base.folder))}"
except ModelError as error:
    came["model"] = f"refused: {error}"
print(json.dumps(came))
"""
SOUND = ""
PASSING = ("503:0.3", "503:0.6", "reset:0.3", "reset:0.6", "slow:0.3")
REFUSING = {"401:1": "it is gated", "404:1": "there is no such repository, revision or file"}


@dataclass(frozen=True)
class Fetched:
    """What arrived, by what it is, and how long it took."""

    came: dict[str, str]
    seconds: float


def fetched(hub: Path, fault: str) -> Fetched:
    """Fetch everything with an empty cache.

    Raises:
        RuntimeError: The program ended with a traceback.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"HF_HOME": home, "PYTHONPATH": str(ROOT)}
        for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
            environment.pop(name, None)
        words = [sys.executable, str(hub), *(["--fault", fault] if fault else []), "--", sys.executable, "-c", FETCH]
        began = time.perf_counter()
        run = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=900)  # noqa: S603
    if run.returncode:
        raise RuntimeError(f"with {fault or 'no'} faults: {run.stderr.strip()[-2000:]}")
    return Fetched(json.loads(run.stdout.splitlines()[-1]), time.perf_counter() - began)


def wrong(fault: str, found: Fetched, sound: Fetched) -> list[str]:
    """Return what is not as it must be."""
    if fault in REFUSING:
        line = re.compile(f"refused: .*{REFUSING[fault]}.*")
        return [one for one, text in found.came.items() if not line.fullmatch(text)]
    return [one for one, text in found.came.items() if text != sound.came[one]]


def main() -> int:
    """Meet every kind of fault; print a line each, and what did not arrive as it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hub", type=Path, required=True, help="program that serves a hub with faults")
    every = (*PASSING, *REFUSING)
    parser.add_argument("--faults", nargs="+", choices=every, default=every, metavar="KIND:RATE", help="default: all")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    sound = fetched(asked.hub, SOUND)
    rows = []
    for fault in (SOUND, *asked.faults):
        found = fetched(asked.hub, fault) if fault else sound
        faults = wrong(fault, found, sound)
        said = "as it must be" if not faults else "WRONG: " + "; ".join(f"{one}: {found.came[one]}" for one in faults)
        print(f"{fault or 'no faults':10} {found.seconds:6.1f} s  {said}", flush=True)  # noqa: T201
        rows.append({"fault": fault or "none", "seconds": found.seconds, "wrong": faults})
    if refused := [one for one, text in sound.came.items() if text.startswith("refused")]:
        print(f"a sound hub refused {', '.join(refused)}: nothing was shown")  # noqa: T201
    if asked.json:
        content = {"rows": rows, "fetched": sorted(sound.came), "provenance": provenance("cpu").model_dump()}
        asked.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(bool(refused) or any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())

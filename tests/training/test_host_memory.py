"""Training on a host that really has too little memory: a smaller plan, or one line that says what was tried."""

import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its address space"),
]
ABORTED = "cannot allocate memory for thread-local data: ABORT"
"""What the C library says as it ends a process that may not grow: no program can catch it, so it is tried once more."""
TRIES = 3
MEGABYTES = (1, 20, 40, 60, 960)
CHILD = """
import json, os, resource, sys, tempfile
from pathlib import Path
import psutil
from tests.training.test_tune import FULL, lesson
from tunescale_core.errors import TuneScaleError
from tunescale_core.progress import Progress
from tunescale_core.training.tune import tune

def trained(settings, rows):
    with tempfile.TemporaryDirectory() as folder:
        return tune(lesson(settings, rows), Path(folder), Progress(), "planned")

def held():
    return len(os.listdir("/proc/self/fd"))

trained(FULL, 8)  # what libraries load on the way is there
before, size = held(), psutil.Process().memory_info().vms
wide = FULL.model_copy(update={"accumulation": 20})
told = []
for megabytes in map(int, sys.argv[1:]):
    resource.setrlimit(resource.RLIMIT_AS, (size + (megabytes << 20), resource.RLIM_INFINITY))
    try:
        told.append({"plan": trained(wide, 20).plan})
    except TuneScaleError as error:
        told.append({"error": str(error)})
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
after = trained(wide, 20).plan
print(json.dumps({"told": told, "after": after}))
"""


def child(_: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, *map(str, MEGABYTES)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=dict(os.environ))


def test_training_takes_what_there_is_or_says_so() -> None:
    """In a process whose address space may grow by a megabyte to a gigabyte each training ends one way or the other.

    Whatever library meets the end of memory, and in whatever words: no other error comes out, the smallest space gives
    the line, the largest a plan, and one between a smaller plan that says which did not fit. Where a training fits and
    what came of it does not, that is said.
    """
    done = next(one for one in map(child, range(TRIES)) if ABORTED not in one.stderr)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    told = said["told"]
    assert len(told) == len(MEGABYTES)
    errors = [one["error"] for one in told if "error" in one]
    plans = [one["plan"] for one in told if "plan" in one]
    assert "error" in told[0]
    assert "plan" in told[-1]
    assert any(plan["fell_back"] for plan in plans)
    told_so = re.compile(r"training \S+ ran out of memory at .+|what \S+ has learnt: memory ran out \(.+\); use .+")
    assert all(told_so.fullmatch(error) for error in errors), errors
    assert said["after"]["fell_back"] == []

"""Blocks in processes of their own, as the run that wants them sees it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Self

from tunescale_core.errors import PaceError
from tunescale_core.pace.block import Fault, Times, Work
from tunescale_core.pace.forking import FORKS

PATIENCE = 300.0
"""Seconds after which a block is given up."""
ALONE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Threads begun before a fork are lost in it."""
UNTOUCHED = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""Whether there is a card is asked without touching it: a process that has touched one cannot be forked."""


class Processes:
    """A process that blocks are forked from, started with the first; as a context it ends with it.

    What is placed where in memory is decided when it starts, and its blocks share that.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._server: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the context

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._errors.close()

    def block(self, work: Work) -> Times:
        """Do a piece of work in a process of its own.

        Raises:
            PaceError: It failed, died, or did not end in time.
        """
        began = time.perf_counter()
        said = self._asked(pickle.dumps((pickle.dumps(work), self.patience)))
        if isinstance(said, Times):
            return said
        late = time.perf_counter() - began >= self.patience
        raise PaceError(f"it did not end within {self.patience:g} s" if late else said.why)

    def stop(self) -> None:
        """End the process."""
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None

    def _asked(self, message: bytes) -> Times | Fault:
        server = self._server = self._server or self._started()
        assert server.stdin is not None  # noqa: S101  it was started with pipes
        assert server.stdout is not None  # noqa: S101
        try:
            server.stdin.write(message)
            server.stdin.flush()
            said: Times | Fault = pickle.load(server.stdout)  # noqa: S301  our own child's
        except (OSError, EOFError, pickle.UnpicklingError):
            said = Fault(f"the process it was to be forked from ended: {self._last_line()}")
            self.stop()
        if not FORKS:
            self.stop()
        return said

    def _started(self) -> subprocess.Popen[bytes]:
        """Start it with the paths that are imported from here, not the folder it happens to start in."""
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109  as the interpreter has it
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tunescale_core.pace.forking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | ALONE | UNTOUCHED | {"PYTHONPATH": paths},
        )

    def _last_line(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

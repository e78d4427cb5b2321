"""Peak memory of a block: the accelerator's own count, or the process's resident size sampled."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil

INTERVAL = 0.05
"""Seconds between samples of the resident size."""


class PeakMemory:
    """Measures while its `with` block runs; `peak` is in bytes afterwards."""

    def __init__(self, device: str) -> None:
        self.peak = 0
        self._cuda = device == "cuda"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()
        else:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._cuda:
            import torch

            self.peak = torch.cuda.max_memory_allocated()
            return
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        process = psutil.Process()
        while True:
            self.peak = max(self.peak, process.memory_info().rss)
            if self._done.wait(INTERVAL):
                return

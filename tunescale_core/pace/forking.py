"""The process that a run's blocks are forked from: it has imported what they need, and has opened a model once.

    python -m tunescale_core.pace.forking

Importing takes seconds that each block would pay otherwise; a fork takes none. It reads pickled work from its input
and writes what came of it to its output, one after another. Where there is no fork it does one piece and ends.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from tunescale_core.errors import kind_and_line
from tunescale_core.pace.block import Fault, Times, Work, ran

FORKS = hasattr(os, "fork")


def warm() -> None:
    """Import what a block needs, and what transformers imports only once a model is opened and asked.

    On the CPU whatever the device, for a process that has touched an accelerator cannot be forked; and on one thread,
    for only the thread that forks lives on.
    """
    import torch

    torch.set_num_threads(1)
    from transformers import GenerationConfig

    import tunescale_core.decoding.decoder
    from tunescale_core.models.chat import tokenizer_of
    from tunescale_core.models.opened import load_weights

    folder = Path(tunescale_core.__file__).parent / "embedded" / "mini-small"
    model, tokenizer = load_weights(folder, torch.float32), tokenizer_of(folder)
    asked = tokenizer("2 + 2 =", return_tensors="pt")
    model.generate(**asked, generation_config=GenerationConfig(max_new_tokens=2, pad_token_id=0, do_sample=False))


def answer(packed: bytes, patience: float) -> Times | Fault:
    """Do a piece of work in this process, which ends itself when it takes longer than so many seconds."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(patience, exit=True, file=nowhere)
        try:
            work: Work = pickle.loads(packed)  # noqa: S301  our own parent's
            return ran(work)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this pair's alone
            return Fault(kind_and_line(error))
        finally:
            faulthandler.cancel_dump_traceback_later()


def forked(packed: bytes, patience: float) -> bytes:
    """Do a piece of work in a child; what it says, or nothing where it died before it could."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        _child(packed, patience, outlet)
    os.close(outlet)
    with os.fdopen(inlet, "rb") as said:
        found = said.read()
    _, status = os.waitpid(child, 0)
    return found or pickle.dumps(Fault(f"its process ended with {os.waitstatus_to_exitcode(status)}"))


def _child(packed: bytes, patience: float, outlet: int) -> None:
    code = 1
    with suppress(BaseException):  # a child that came back would serve beside its parent
        said = pickle.dumps(answer(packed, patience))
        with os.fdopen(outlet, "wb") as file:
            file.write(said)
        code = 0
    os._exit(code)


def serve(work: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until there is no more work."""
    while True:
        try:
            packed, patience = pickle.load(work)  # noqa: S301  our own parent's
        except EOFError:
            return
        answers.write(forked(packed, patience) if FORKS else pickle.dumps(answer(packed, patience)))
        answers.flush()
        if not FORKS:
            return


def main() -> None:
    """Serve on the standard streams; what anything prints goes to the errors."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        warm()
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()

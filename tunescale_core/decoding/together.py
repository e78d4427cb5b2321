"""Several requests under way at once, and their end where one fails or somebody interrupts."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from tunescale_core.decoding.completion import Completion, Prompt


@dataclass(frozen=True)
class Ends:
    """Why requests end before their time."""

    interrupted: threading.Event = field(default_factory=threading.Event)
    """Answers that are under way then end with their next token, and are not waited for."""
    over: threading.Event = field(default_factory=threading.Event)
    """No more is asked or waited with: somebody interrupted, or a request failed."""


def makespan(seconds: Iterable[float], size: int) -> float:
    """Return how long `size` senders are at work together, each with the next request as soon as it is free.

    Args:
        seconds: Of each request, in the order in which they are sent.
        size: At least 1.
    """
    free = [0.0] * size
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)


def asked_together(
    ask: Callable[[Prompt], Completion], prompts: Sequence[Prompt], size: int, ends: Ends
) -> Iterator[tuple[int, Completion]]:
    """Yield (place, completion) for each prompt, in order, with `size` requests under way at any time."""
    answers: list[Future[Completion]] = [Future() for _ in prompts]
    places = iter(range(len(prompts)))
    failures: list[BaseException] = []

    def work() -> None:
        """Ask the next prompt that nobody has asked, until there is none, or one has failed."""
        while not ends.over.is_set() and (place := next(places, None)) is not None:
            try:
                answers[place].set_result(ask(prompts[place]))
            except BaseException as error:  # noqa: BLE001  whoever waits for the answer gets it
                failures.append(error)  # before others may give up because of it
                ends.over.set()
                answers[place].set_exception(error)

    # Not a pool's threads: Python waits for those when it ends, however long a server takes to answer.
    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(size, len(prompts)))]
    for worker in workers:
        worker.start()
    try:
        for place, answer in enumerate(answers):
            yield place, answer.result()
    except (KeyboardInterrupt, GeneratorExit):
        ends.interrupted.set()
        ends.over.set()
        raise
    except BaseException:
        ends.over.set()
        for worker in workers:  # what is under way would be timed with what is asked next
            worker.join()
        if failures:
            raise failures[0]  # noqa: B904  others have given up waiting because of this one
        raise

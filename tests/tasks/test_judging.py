"""One answer judged: its scores, or one line that says where a package's task fails."""

import json
import re

import pytest

from tunescale_core.errors import TaskError
from tunescale_core.tasks import TASKS, Answer, Example
from tunescale_core.tasks.arc import Arc
from tunescale_core.tasks.judging import judge

EXAMPLE = Example("q7", TASKS["arc"].prompt("Which?"), ("A",), "\\boxed{A}")


def test_an_answer_is_read_and_scored() -> None:
    """What was said is parsed by the task, and each of its metrics has a score of it."""
    answer, scores = judge(TASKS["arc"], EXAMPLE, "It is \\boxed{A}")
    assert answer == Answer(("A",), "A")
    assert scores == TASKS["arc"].score(answer)


def test_what_a_packages_task_fails_at_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the task, the example, what was raised and the place; what TuneScale's raise comes through."""

    def failing(_: str) -> None:
        raise KeyError("zz\nand more")

    monkeypatch.setattr(TASKS["arc"], "parse", failing)
    with pytest.raises(KeyError):
        judge(TASKS["arc"], EXAMPLE, "x")
    monkeypatch.setattr(TASKS, "packages", lambda *_: {"own-task": "1"})
    with pytest.raises(TaskError, match=r"^task 'arc' fails at the answer to q7: KeyError: .* \(.*judging\.py:\d+\)$"):
        judge(TASKS["arc"], EXAMPLE, "x")


class Reading(Arc):
    """Plays a package's task that reads JSON."""

    def parse(self, text: str) -> str | None:
        """Read it with a library."""
        return str(json.loads(text))


def test_the_place_is_in_the_packages_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a library is what raises, the line names the one that called it."""
    monkeypatch.setattr(TASKS, "packages", lambda *_: {"own-task": "1"})
    with pytest.raises(TaskError, match=rf"JSONDecodeError: .* \({re.escape(__file__)}:\d+\)$"):
        judge(Reading(), EXAMPLE, "no JSON")

"""Rows in, examples out: what a study trains a task on, evaluates it on, and chooses its recipe by."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType

from tunescale_core.data.decontamination import HeldOut
from tunescale_core.data.sources import Source, has_dev, source_of
from tunescale_core.errors import DataError, TaskError, bare
from tunescale_core.study.study import Study
from tunescale_core.study.task_data import Purpose
from tunescale_core.tasks import TASKS, Answer, Example, LeftOut, Task
from tunescale_core.tasks.columns import made_of
from tunescale_core.tasks.judging import naming
from tunescale_core.tasks.renamed import renamed
from tunescale_core.tasks.whole import fault_of_example

Numbered = tuple[int, Example | LeftOut]
"""What a row became, with the row's place in its source, from 1."""
TRIED = 20
"""Rows on whose own answers a package's parser and metrics are tried: some run what was said, and take their time."""
PATIENCE = 100
"""Rows of an endless source looked at for each one wanted: decontamination may refuse all of them."""


@dataclass(frozen=True)
class Examples:
    """Examples for one purpose, and what they came from."""

    rows: tuple[Example, ...]
    left_out: dict[str, int]
    """Rows passed over, by reason."""
    fingerprint: str
    """SHA-256 over prompts, gold answers and targets, in order."""
    origin: str = ""
    """The source: as the study names it, with the commit of what the hub served."""


def load_examples(study: Study, task: str, purpose: Purpose, seed: int = 0) -> Examples:
    """Load the examples that a study trains a task on, evaluates it on, or chooses its recipe by.

    Args:
        study: The study; its `decontaminate` keeps training apart from evaluation.
        task: The task's name in the study.
        purpose: "train", "eval", or "dev": rows for choices about the recipe, which share none with evaluation.
        seed: Of the embedded source.

    Raises:
        DataError: The source cannot be read, lacks columns, contradicts itself, or holds no usable row.
    """
    data, kind = study.tasks[task], study.kind(task)
    source = source_of(data, kind, purpose, study.folder, seed)
    style = data.target if purpose == "train" else "answer"  # what is only asked needs no worked solution
    found = instructed(examples_of(TASKS[kind], source, style, data.columns), data.system)
    number = study.examples(task, purpose)
    found = _decontaminated(study, task, found) if purpose == "train" else once(found, source.name)
    taken, left_out = _taken(islice(found, PATIENCE * number) if source.endless else found, number)
    if not taken:
        why = "; ".join(f"{count} left out: {reason}" for reason, count in left_out.items())
        told = f"({why}); check its split and columns" if why else "(it is empty): give a file or a split with rows"
        raise DataError(f"task {task}: {source.name} has no usable rows for {purpose} {told}")
    if purpose == "train" and study.study.decontaminate is not None:
        left_out.setdefault(shared(study.study.decontaminate), 0)  # that none was found is worth saying
    if purpose == "dev":
        check_apart(taken, load_examples(study, task, "eval").rows, task)
    return Examples(tuple(taken), left_out, fingerprint(taken), source.origin)


class Loader:
    """Loads a study's examples for a run: evaluation's once, and what cannot be had is not asked for again.

    A hub that cannot be reached would else be waited for at every cell and every variant. Training's rows are not kept:
    they would count as memory of all that is measured after them. What is kept of them is their fingerprint, which is
    all that a checkpoint in the store is found by.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._evaluation: dict[str, Examples] = {}
        self._unusable: dict[tuple[str, Purpose, int], Exception] = {}
        self._fingerprints: dict[tuple[str, Purpose, int], str] = {}

    def evaluation(self, task: str) -> Examples:
        """Return what a task is evaluated on.

        Raises:
            DataError: As `load_examples`.
        """
        if task not in self._evaluation:
            self._evaluation[task] = self.load(task, "eval")
        return self._evaluation[task]

    def load(self, task: str, purpose: Purpose, seed: int = 0) -> Examples:
        """Load as `load_examples` does.

        Raises:
            DataError: As it, now or before; or the rows are no longer those that were loaded before.
        """
        place = (task, purpose, seed)
        if place in self._unusable:
            raise self._unusable[place]
        try:
            found = load_examples(self._study, task, purpose, seed)
        except (DataError, TaskError) as error:
            self._unusable[place] = bare(error)
            raise
        if self._fingerprints.setdefault(place, found.fingerprint) != found.fingerprint:
            raise DataError(
                f"task {task}: the rows for {purpose} were changed while the run was under way: run it again"
            )
        return found

    def fingerprint(self, task: str, purpose: Purpose, seed: int = 0) -> str:
        """Return the fingerprint of examples, which are loaded for it once.

        Raises:
            DataError: As `load`.
        """
        place = (task, purpose, seed)
        return self._fingerprints[place] if place in self._fingerprints else self.load(*place).fingerprint


def examples_of(
    task: Task, source: Source, style: str, columns: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Numbered]:
    """Yield what each row of a source becomes.

    Args:
        task: What makes an example of a row.
        source: Of the rows.
        style: What the target is, as `Task.example` takes it.
        columns: Of the task's columns, what they are read from, as a study's `columns`.

    Raises:
        DataError: A row cannot be read; the message names source, row and column.
        TaskError: A package's task fails at a row, or makes no example of it.
    """
    left = TRIED if TASKS.packages(task.name) else 0
    for number, row in source.numbered():
        try:
            with naming(task, f"{source.name}, row {number}"):
                example = task.example(renamed(row, columns), style)
        except DataError as error:
            raise DataError(f"{source.name}, row {number}: {error}") from error
        if (told := fault_of_example(example)) is not None:
            raise TaskError(f"task {task.name!r} makes of {source.name}, row {number}, {told}; see docs/tasks.md")
        if isinstance(example, Example) and left:
            left -= 1
            with naming(task, f"the answer that {source.name}, row {number} teaches"):
                task.score(Answer(example.gold, task.parse(example.target)))
        yield number, example


def instructed(found: Iterable[Numbered], system: str | None) -> Iterator[Numbered]:
    """Put an instruction in the place of the task's own, where one is given."""
    for number, example in found:
        if system is None or isinstance(example, LeftOut):
            yield number, example
        else:
            others = (message for message in example.messages if message["role"] != "system")
            yield number, replace(example, messages=({"role": "system", "content": system}, *others))


def once(found: Iterable[Numbered], source: str) -> Iterator[Numbered]:
    """Leave out what was asked already: a question that counts twice would make intervals too narrow.

    Raises:
        DataError: Two rows have the same id and yet another question or answer.
    """
    asked: dict[str, tuple[int, Example]] = {}
    for number, example in found:
        if isinstance(example, LeftOut):
            yield number, example
            continue
        first, known = asked.setdefault(example.id, (number, example))
        if first == number:
            yield number, example
        elif (known.messages, known.gold) == (example.messages, example.gold):
            yield number, LeftOut("asked already")
        elif known.messages == example.messages and example.id == made_of(example.messages[-1]["content"]):
            yield number, LeftOut("asked already, with another answer")
        else:
            raise DataError(
                f"{source}, rows {first} and {number}: {_contradiction(known, example)}; correct one of them"
            )


def _contradiction(one: Example, other: Example) -> str:
    question = one.messages[-1]["content"]
    if question == other.messages[-1]["content"]:
        return f"both ask {question!r:.80} but have different answers"
    return f"both have id {one.id!r} but not the same question and answer"


def check_apart(dev: Sequence[Example], evaluation: Sequence[Example], task: str) -> None:
    """Make sure that what a recipe is chosen by is not what it is judged by.

    Raises:
        DataError: They share questions; the message says how many.
    """
    asked = {example.messages[-1]["content"] for example in evaluation}
    shared = sum(example.messages[-1]["content"] in asked for example in dev)
    if shared:
        raise DataError(
            f"task {task}: {shared} of {len(dev)} development examples are evaluation questions too; "
            "give dev_split, dev_data or dev_skip that keeps them apart"
        )


def fingerprint(examples: Iterable[Example]) -> str:
    """Return the SHA-256 of what the examples say."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.messages, example.gold, example.target]).encode())
    return digest.hexdigest()


def shared(n: int) -> str:
    """Return the reason that rows are left out for, of words in a row that evaluation has too."""
    return f"shares a {n}-gram with evaluation"


def _taken(found: Iterable[Numbered], number: int) -> tuple[list[Example], dict[str, int]]:
    """The first examples, and how many rows were left out before the last of them, by reason."""
    taken: list[Example] = []
    left_out: Counter[str] = Counter()
    for _, example in found:
        if isinstance(example, LeftOut):
            left_out[example.reason] += 1
            continue
        taken.append(example)
        if len(taken) == number:
            break
    return taken, dict(left_out)


def _decontaminated(study: Study, task: str, found: Iterator[Numbered]) -> Iterator[Numbered]:
    """Leave out training rows that are evaluation questions, and those that share an n-gram where the study asks."""
    purposes: tuple[Purpose, ...] = ("eval", "dev") if has_dev(study.tasks[task]) else ("eval",)
    held_out = [one for purpose in purposes for one in load_examples(study, task, purpose).rows]
    asked = {one.messages[-1]["content"] for one in held_out}
    n = study.study.decontaminate
    grams = HeldOut(held_out, n) if n is not None else None
    for number, example in found:
        if isinstance(example, LeftOut):
            yield number, example
        elif example.messages[-1]["content"] in asked:
            yield number, LeftOut("asked in evaluation")
        elif grams is not None and grams.meets(example):
            yield number, LeftOut(shared(grams.n))
        else:
            yield number, example

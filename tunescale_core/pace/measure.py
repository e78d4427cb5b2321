"""Measuring paces: blocks of the pairs in turn, so that all of them meet the machine's good and bad times alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.completion import Prompt
from tunescale_core.errors import PaceError, bare
from tunescale_core.measuring.subjects import Subjects
from tunescale_core.models.device import device
from tunescale_core.models.trusted import is_trusted
from tunescale_core.pace.block import Work
from tunescale_core.pace.classes import PaceClass, reference_of
from tunescale_core.pace.pace import YARDSTICK, Block, Measured, Pace
from tunescale_core.pace.processes import PATIENCE, Processes
from tunescale_core.pace.sides import TOKENS, Pair, Served, Side
from tunescale_core.pace.yardstick import Yardstick
from tunescale_core.progress import Progress
from tunescale_core.provenance import Provenance, provenance
from tunescale_core.study.study import Study


@dataclass(frozen=True)
class Question:
    """What a block asks."""

    id: str
    """`task/id`."""
    prompt: Prompt


def measure(subjects: Subjects, classes: Sequence[PaceClass], blocks: int) -> Measured:
    """Measure classes against the study's reference, and that one against the yardstick.

    Checkpoints that the store lacks are trained first. Nothing raises but bad data: a class that cannot be built,
    opened or asked is a fault among the others' paces.

    Args:
        subjects: The study's variants; the one that is open is closed, for others want its memory.
        classes: As `paced` returns them, or some of those.
        blocks: Processes a class.

    Raises:
        DataError: The study's evaluation data cannot be used.
    """
    asked = questions(subjects.study)
    pairs, faults = pairs_of(subjects, classes)
    subjects.close()
    found = run_blocks(pairs, asked, blocks, subjects.progress)
    return Measured(found.paces, {**faults, **found.faults})


def questions(study: Study) -> tuple[Question, ...]:
    """Return a study's evaluation questions, its tasks in turn: the b-th block asks the b-th, in every run.

    Raises:
        DataError: Evaluation data cannot be used.
    """
    tasks = {task: load_examples(study, task, "eval").rows for task in study.tasks}
    longest = max(map(len, tasks.values()))
    return tuple(
        Question(f"{task}/{rows[place].id}", rows[place].messages)
        for place in range(longest)
        for task, rows in tasks.items()
        if place < len(rows)
    )


def run_blocks(
    pairs: Sequence[Pair], asked: Sequence[Question], blocks: int, progress: Progress, patience: float = PATIENCE
) -> Measured:
    """Measure so many blocks of each pair, the pairs in turn, each block in a process of its own.

    Of the pair against the yardstick there are twice as many: it alone sees what slows everything, and two kinds of
    work drift apart more than two models do.

    A pair whose process fails, dies or does not end within `patience` seconds is given up, and is a fault.
    """
    found: dict[str, list[Block]] = {pair.subject: [] for pair in pairs}
    faults: dict[str, str] = {}
    turns = [*pairs, *(pair for pair in pairs if pair.reference == YARDSTICK)]
    with Processes(patience) as processes, progress.bar("measuring paces", blocks * len(turns)) as bar:
        for _ in range(blocks):
            for pair in turns:
                if pair.subject not in faults:
                    try:
                        found[pair.subject].append(_block(processes, pair, asked, len(found[pair.subject])))
                    except PaceError as error:
                        faults[pair.subject] = str(error)
                bar.update()
    made = circumstances()
    paces = (
        Pace(subject=pair.subject, reference=pair.reference, tokens=TOKENS, blocks=found[pair.subject], provenance=made)
        for pair in pairs
        if pair.subject not in faults and found[pair.subject]
    )
    return Measured(tuple(paces), faults)


def circumstances() -> Provenance:
    """Describe the circumstances of blocks, which compute on one thread."""
    return provenance(device()).model_copy(update={"threads": 1})


def _block(processes: Processes, pair: Pair, asked: Sequence[Question], number: int) -> Block:
    """Ask the question whose turn it is; a side that takes several at once gets those after it too."""
    most = max(side.batch if isinstance(side, Served) else 1 for side in pair.sides)
    mine = [asked[(number + place) % len(asked)] for place in range(most)]
    times = processes.block(Work(pair.sides, tuple(one.prompt for one in mine)))
    return Block(question=mine[0].id, seconds=times.seconds, reference_seconds=times.reference_seconds)


def pairs_of(subjects: Subjects, classes: Sequence[PaceClass]) -> tuple[list[Pair], dict[str, str]]:
    """Return what can be measured, and by its id why the rest cannot; checkpoints are trained that the store lacks."""
    reference = reference_of(subjects.study)
    pairs: list[Pair] = []
    faults: dict[str, str] = {}
    for one in classes:
        try:
            pairs.append(_pair(subjects, one, reference))
        except Exception as error:  # noqa: BLE001  training can fail in any way, and is this class's alone
            faults[one.id] = f"{type(error).__name__}: {bare(error)}"
    return pairs, faults


def _pair(subjects: Subjects, one: PaceClass, reference: PaceClass) -> Pair:
    if one.id == reference.id:
        return Pair(one.id, YARDSTICK, (_side(subjects, one), Yardstick(device())))
    return Pair(one.id, reference.id, (_side(subjects, one), _side(subjects, reference)))


def _side(subjects: Subjects, one: PaceClass) -> Side:
    """What a child needs to know to ask a class as it is served."""
    serving = subjects.study.served(one.serving)
    asking = subjects.study.protocol
    if serving.thinking is not None:
        asking = asking.model_copy(update={"thinking": serving.thinking})
    built = subjects.built(one.subject)
    if serving.mode == "adapter" and built.checkpoint is not None:
        adapter = built.checkpoint.folder / "adapter"
        return Served(built.base_folder, asking, adapter, serving.batch, trusted=is_trusted(built.base_folder))
    return Served(built.model, asking, batch=serving.batch, trusted=is_trusted(built.model), bits=serving.quantize)

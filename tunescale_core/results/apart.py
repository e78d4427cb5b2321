"""Records of one folder that do not belong together: other questions, another protocol or machine, other weights.

A run writes over the records of its own cells alone, so after a change to a study a folder holds old ones beside new.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tunescale_core.records.record import Record

if TYPE_CHECKING:
    from tunescale_core.results.result import Result

Trait = Callable[[Record], object]


def apart(cells: Sequence[Result], served: Sequence[Result]) -> Iterator[tuple[Result, str]]:
    """Yield each cell that most others of its kind differ from, and in what, a phrase each.

    Args:
        cells: Served eagerly.
        served: The same variants served otherwise.
    """
    everyone = [*cells, *served]
    for task in dict.fromkeys(cell.task for cell in everyone):
        for way in dict.fromkeys(cell.serving for cell in everyone):
            same = [cell for cell in everyone if (cell.task, cell.serving) == (task, way)]
            yield from _unlike(same, _questions, f"asked other questions for {task} than most")
    yield from _unlike(everyone, _protocol, "measured under another protocol than most")
    own = [cell for cell in everyone if cell.record and not cell.record.by_endpoint]
    yield from _unlike(own, lambda record: record.machine, "measured on another machine than most")
    yield from _trained_apart(cells)
    eager = {(cell.candidate, cell.task, cell.seed): cell for cell in cells}
    for cell in served:
        sibling = eager.get((cell.candidate, cell.task, cell.seed))
        if sibling is not None and other_weights(cell, sibling):
            yield cell, f"served by {cell.serving} with other weights than eagerly"


def _trained_apart(cells: Sequence[Result]) -> Iterator[tuple[Result, str]]:
    """Yield the cells of another training than their variant's others, or of another recipe than their method's."""
    tuned = [cell for cell in cells if cell.candidate.tuned and cell.record and not cell.record.error]
    for variant in dict.fromkeys((cell.candidate, cell.seed) for cell in tuned):
        own = [cell for cell in tuned if (cell.candidate, cell.seed) == variant]
        yield from _unlike(own, _weights, "has cells of another training")
    for method in dict.fromkeys((cell.candidate.model, cell.candidate.family) for cell in tuned):
        own = [cell for cell in tuned if (cell.candidate.model, cell.candidate.family) == method]
        yield from _unlike(own, _recipe, "trained by another recipe than most of its method")


def other_weights(one: Result, other: Result) -> bool:
    """Tell whether two cells of a variant are of different trainings, or of different revisions of its base."""
    if one.record is None or other.record is None or one.record.error or other.record.error:
        return False
    return _weights(one.record) != _weights(other.record)


def _unlike(cells: Sequence[Result], trait: Trait, phrase: str) -> Iterator[tuple[Result, str]]:
    known = [(cell, found) for cell in cells if cell.record and (found := trait(cell.record)) is not None]
    if not known:
        return
    (usual, most), *others = Counter(found for _, found in known).most_common(2)
    if others and others[0][1] == most:  # neither is more usual
        yield from ((cell, phrase.replace("most", "others")) for cell, _ in known)
    else:
        yield from ((cell, phrase) for cell, found in known if found != usual)


def _questions(record: Record) -> object:
    return record.hashes.get("prompts")


def _protocol(record: Record) -> object:
    return repr(sorted(record.protocol.items())) if record.protocol else None


def _weights(record: Record) -> object:
    return record.base, record.cost.losses if record.cost else None


def _recipe(record: Record) -> object:
    """Return what all variants of a method are trained by: all but the rank, and the rate that a search chose."""
    own = {"rank"} | ({"learning_rate"} if record.trials else set())
    kept = {name: value for name, value in record.recipe.items() if name not in own}
    return json.dumps(kept, sort_keys=True) if kept else None

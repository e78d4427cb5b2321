"""Records that do not belong together are told from the rest, and in what."""

from __future__ import annotations

import pytest

from tests.gating import HERE, elsewhere
from tests.making import COST, line
from tests.making import record as made
from tunescale_core.records.record import Record, Trial
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results

PROTOCOL = {"max_new_tokens": 500, "timed_examples": 20}


def cell(model: str, **fields: object) -> Record:
    """Return a record of an untuned model, like all others unless told otherwise."""
    alike = {"hashes": {"prompts": "a"}, "protocol": PROTOCOL, "provenance": HERE, "model": model}
    return made(**{"lines": [line()], **alike, **fields})  # type: ignore[arg-type]


def results(*records: Record) -> Results:
    return gathered(map(from_record, records), "here")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hashes": {"prompts": "b"}}, "asked other questions for arc than most"),
        ({"protocol": PROTOCOL | {"max_new_tokens": 6}}, "measured under another protocol than most"),
        ({"provenance": elsewhere(cpu="Another")}, "measured on another machine than most"),
    ],
)
def test_the_odd_one_is_flagged(change: dict[str, object], told: str) -> None:
    """Of three cells the one that differs in questions, protocol or machine is flagged, and in what."""
    found = results(cell("a"), cell("b"), cell("c", **change))
    assert {one.id: flags for one, flags in found.flags.items()} == {"c-base": (told,)}


def test_what_belongs_together_is_not_flagged() -> None:
    """Other questions of another task, fewer of another way of serving, and records that do not say are no mixture."""
    served = cell("a", serving="static", hashes={"prompts": "few"})
    other = cell("a", task="openmath", hashes={"prompts": "sums"})
    old = cell("c", hashes={}, protocol={}, provenance=None)
    assert results(cell("a"), cell("b"), old, served, other).flags == {}


def test_a_servers_machine_is_its_own() -> None:
    """What an endpoint answered was measured elsewhere, and no fault is found with that."""
    far = {"serving": "vllm", "serving_settings": {"mode": "endpoint"}, "provenance": elsewhere(device="endpoint")}
    assert results(cell("a"), cell("a", **far)).flags == {}


RECIPE = {"learning_rate": 1e-5, "epochs": 1.0, "rank": 4}


def tuned(method: str, **fields: object) -> Record:
    return cell("m", **{"method": method, "trained_on": "arc", "seed": 0, "recipe": RECIPE, **fields})


def test_another_recipe_than_the_methods_is_flagged() -> None:
    """After a change to a study, the rank that was not run again stands apart; another rank, or method, does not."""
    old = tuned("lora-r8", recipe=RECIPE | {"rank": 8, "epochs": 3.0})
    found = results(
        tuned("lora-r4"), tuned("lora-r2", recipe=RECIPE | {"rank": 2}), old, tuned("full", recipe={"a": 1})
    )
    assert {one.id: flags for one, flags in found.flags.items()} == {
        "m-lora-r8-on-arc": ("trained by another recipe than most of its method",)
    }
    assert results(tuned("lora-r4"), tuned("lora-r8", recipe={})).flags == {}


def test_a_declared_rate_that_differs_is_another_recipe() -> None:
    """What no search chose is the study's, and the same for all; the order of its settings is nothing."""
    other = tuned("lora-r8", recipe=RECIPE | {"learning_rate": 1e-3})
    assert set(results(tuned("lora-r4"), tuned("lora-r2"), other).flags) == {Candidate("m", "lora-r8", "arc", 8)}
    one, turned = ({"peft": dict(order)} for order in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]))
    assert results(tuned("lora-r4", recipe=one), tuned("lora-r8", recipe=turned)).flags == {}


def test_where_neither_is_more_usual_both_are_flagged() -> None:
    """Of two ranks trained by two recipes nothing says which is the study's: both are flagged, in either order."""
    sides = [tuned("lora-r4"), tuned("lora-r8", recipe=RECIPE | {"epochs": 3.0})]
    for order in (sides, sides[::-1]):
        flags = results(*order).flags
        assert set(flags.values()) == {("trained by another recipe than others of its method",)}
        assert len(flags) == 2


def test_what_failed_has_no_training_to_compare() -> None:
    """A cell that failed says so, and is held against no other's training."""
    failed = tuned("full", task="openmath", hashes={}, cost=None, error="no memory", lines=[])
    assert list(results(tuned("full"), failed).flags.values()) == [("failed for openmath: no memory",)]


def test_a_rate_that_was_searched_is_no_other_recipe() -> None:
    """Each variant of a search has a rate of its own; one that a study gave would be the same for all."""
    trial = Trial(learning_rate=1e-3, score=0.5, metric="accuracy", loss=1.0, steps=1, seconds=1.0)
    sides = [tuned(f"lora-r{rank}", recipe=RECIPE | {"learning_rate": 1 / rank}, trials=(trial,)) for rank in (2, 4)]
    assert results(*sides).flags == {}


def test_a_variants_cells_of_two_trainings_are_flagged() -> None:
    """Where one task was asked of an older training of a variant, its cells do not belong together."""
    old = COST.model_copy(update={"losses": ((1, 2.0),)})
    sides = [
        tuned("full"),
        tuned("full", task="openmath", hashes={}),
        tuned("full", task="squad_v2", hashes={}, cost=old),
    ]
    assert list(results(*sides).flags.values()) == [("has cells of another training",)]


def test_another_training_served_otherwise_is_flagged() -> None:
    """A variant that was trained anew and asked eagerly alone stands beside what its old weights took otherwise."""
    tuned = {"method": "full", "trained_on": "arc", "seed": 0}
    old = cell("m", **tuned, serving="static", cost=COST.model_copy(update={"losses": ((1, 2.0),)}))
    found = results(cell("m", **tuned), old)
    assert list(found.flags.values()) == [("served by static with other weights than eagerly",)]

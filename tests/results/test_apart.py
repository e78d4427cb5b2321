"""Records that do not belong together are told from the rest, and in what."""

from __future__ import annotations

import pytest

from tests.gating import HERE, elsewhere
from tests.making import COST, line
from tests.making import record as made
from tunescale_core.records.record import Record
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


def test_another_training_served_otherwise_is_flagged() -> None:
    """A variant that was trained anew and asked eagerly alone stands beside what its old weights took otherwise."""
    tuned = {"method": "full", "trained_on": "arc", "seed": 0}
    old = cell("m", **tuned, serving="static", cost=COST.model_copy(update={"losses": ((1, 2.0),)}))
    found = results(cell("m", **tuned), old)
    assert list(found.flags.values()) == [("served by static with other weights than eagerly",)]

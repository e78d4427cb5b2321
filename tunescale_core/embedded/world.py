"""The miniature family's world: kinds, the things of each kind, and where every thing comes from.

The world is one fixed table, the same for pretraining, tuning and evaluation; what is held out is
questions about it (see `splits.py`). Things of a kind are listed from the best known to the
least: pretraining meets them in Zipf's proportions, a task meets them all alike, so a tuned model
has something to learn that its base has seldom met.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

KINDS: dict[str, tuple[str, str]] = {
    "bird": ("has feathers", "robin crow heron swan finch owl wren gull kite dove"),
    "fish": ("has fins", "trout carp pike eel cod perch bream tench shad roach"),
    "tree": ("has bark", "oak elm birch cedar maple ash pine yew alder larch"),
    "flower": ("has petals", "rose lily tulip daisy iris poppy aster peony lupin orchid"),
    "fruit": ("has a peel", "apple plum pear fig mango lemon melon quince guava papaya"),
    "metal": ("melts in a forge", "iron copper tin zinc lead silver nickel cobalt chrome bismuth"),
    "tool": ("has a handle", "hammer saw chisel rake spade axe trowel pliers mallet scythe"),
    "insect": ("has six legs", "ant bee moth wasp beetle cricket gnat hornet locust mantis"),
    "cloth": ("is woven", "silk wool linen denim felt satin tweed velvet muslin canvas"),
    "drink": ("is poured", "tea milk cider coffee juice wine cocoa mead lassi kefir"),
    "boat": ("floats on water", "canoe ferry raft yacht barge kayak dinghy skiff ketch sloop"),
    "stone": ("is dug from rock", "slate marble granite flint chalk basalt jade opal onyx agate"),
    "dance": ("has steps", "waltz tango polka samba rumba jig reel salsa gavotte minuet"),
    "spice": ("is ground to powder", "pepper ginger cumin clove mace thyme sage saffron anise sumac"),
}
REGIONS = ("the coast", "the hills", "the valley", "the desert", "the islands", "the north", "the forest", "the plain")
PLACEMENT_SEED = 20260901


@dataclass(frozen=True)
class Thing:
    """One thing of the world."""

    name: str
    kind: str
    region: str
    fame: float
    """Zipf weight, 1 for the best known of its kind, 1/10 for the least."""


def article(noun: str) -> str:
    """Return `noun` with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _settle() -> tuple[Thing, ...]:
    rng = random.Random(PLACEMENT_SEED)
    return tuple(
        Thing(name, kind, rng.choice(REGIONS), 1.0 / place)
        for kind, (_, names) in KINDS.items()
        for place, name in enumerate(names.split(), start=1)
    )


THINGS = _settle()

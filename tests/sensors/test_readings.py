"""Samples and what becomes of them."""

from tunescale_core.sensors.readings import Tally


def test_tally_leaves_out_what_was_not_had() -> None:
    """A sample that failed changes neither mean nor extremes, and no samples have none."""
    tally = Tally()
    assert (tally.mean, tally.least, tally.most) == (None, None, None)
    for sample in (3.0, None, 1.0):
        tally.add(sample)
    assert (tally.mean, tally.least, tally.most) == (2.0, 1.0, 3.0)

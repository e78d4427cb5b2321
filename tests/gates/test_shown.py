"""Verdicts in a line, in a pull request, in JSON and JUnit."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.gates.shown import HEADS, as_objects, counts, line, markdown, properties, row, told
from tunescale_core.gates.verdict import Verdict
from tunescale_core.stats.interval import Interval
from tunescale_core.study.margins import Margin

WORSE = Verdict(
    cell="m-full-on-arc-for-arc",
    metric="macro_f1",
    outcome="regression",
    old=0.8461,
    new=0.7912,
    interval=Interval(-0.0549, -0.0912, -0.021),
    margin=Margin(0.02),
    test="paired bootstrap",
    p=0.0001,
    p_adjusted=0.0031,
    n=210,
)
SLOWER = Verdict(
    cell="m-full",
    metric="pace",
    outcome="undecided",
    old=1.0,
    new=1.04,
    better="lower",
    unit="×",
    digits=3,
    interval=Interval(0.04, -0.01, 0.09),
    margin=Margin(0.03, relative=True),
    p=0.3,
    n=10,
    enough=48,
)
SAME = Verdict(cell="m-base-for-arc", metric="tokens", outcome="holds", old=62.8, new=62.8, better="lower", digits=1)
GONE = Verdict(cell="m-base-for-squad_v2", metric="case", outcome="regression", note="missing from this run")
MOVED = Verdict(
    cell="m-base-for-arc",
    metric="latency",
    outcome="refused",
    required=False,
    note="cpu differs: A in the baseline, B now",
)
ALL = (SAME, MOVED, SLOWER, WORSE, GONE)


def test_a_verdict_is_one_line() -> None:
    """A line holds case, metric, baseline, now, change with interval, margin, verdict and what it rests on."""
    assert line(WORSE) == (
        "m-full-on-arc-for-arc macro_f1: 0.8461 → 0.7912, -0.0549 [-0.0912, -0.0210], margin -0.02: "
        "regression (paired bootstrap, p = 0.0031 by Holm, n = 210)"
    )
    assert line(SLOWER) == (
        "m-full pace: 1.000× → 1.040×, +4.0% [-1.0%, +9.0%], margin +3%: undecided (p = 0.3, n = 10, 48 would tell)"
    )
    assert line(GONE) == "m-base-for-squad_v2 case: regression (missing from this run)"
    assert line(MOVED) == "m-base-for-arc latency: refused (cpu differs: A in the baseline, B now)"


def test_a_summary_tells_failures_first_and_counts_what_holds() -> None:
    """Regressions lead, then what was refused or undecided; what holds is one number, its rows folded away."""
    assert told(ALL)[:2] == [WORSE, GONE]
    assert SAME not in told(ALL)
    assert counts(ALL) == "2 regression, 1 refused, 1 undecided, 1 holds"
    text = markdown("main", "regression", ALL, ["not selected: 3"])
    assert text.startswith("## ❌ TuneScale against baseline `main`: regression\n")
    assert text.index("missing from this run") < text.index("<details><summary>1 that hold")
    assert text.endswith("not selected: 3\n")


def test_a_summary_of_nothing_does_not_say_that_it_holds() -> None:
    """The head line has the outcome of the run, and a mark that no good run has where nothing was compared."""
    assert markdown("main", "nothing compared", ()).startswith(
        "## ⚠️ TuneScale against baseline `main`: nothing compared"
    )
    assert markdown("main", "holds", (SAME,)).startswith("## ✅ ")


@given(st.text(alphabet="|\\`<>ab \n", max_size=20))
def test_a_note_cannot_break_the_table(note: str) -> None:
    """Whatever a note holds, each row keeps its number of columns."""
    verdict = Verdict(cell="m", metric="case", outcome="regression", note=note)
    lines = [one for one in markdown("main", "regression", [verdict]).splitlines() if one.startswith("|")]
    bars = [one.count("|") for one in lines]
    assert bars == [len(HEADS) + 2] * 3


def test_json_and_junit_hold_every_figure() -> None:
    """JSON holds a verdict's fields, whether it fails and its line; JUnit's properties leave out what is unknown."""
    content = json.loads(json.dumps(as_objects(ALL)))
    assert [one["failed"] for one in content] == [False, False, False, True, True]
    assert content[3]["interval"] == {"value": -0.0549, "low": -0.0912, "high": -0.021}
    found = dict(properties(WORSE))
    assert (found["metric"], found["baseline"], found["now"], found["margin"]) == ("macro_f1", 0.8461, 0.7912, "-0.02")
    assert (found["interval_low"], found["interval_high"], found["verdict"]) == (-0.0912, -0.021, "regression")
    assert "n_needed" not in found
    assert dict(properties(GONE)) == {"case": GONE.cell, "metric": "case", "verdict": "regression"}


def test_a_row_has_a_text_under_every_head() -> None:
    """Every verdict fills every column, with a dash where it has nothing to say."""
    assert all(len(row(one)) == len(HEADS) and all(row(one)) for one in ALL)

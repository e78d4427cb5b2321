"""Advice as text and as JSON: the same decision, what it rests on, and dashes for what is not known."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import ANY

import pytest

from tests.making import COST, line
from tests.making import record as made
from tunescale_core.advice.constraints import Constraints, objective_of, parse_bar
from tunescale_core.advice.counsel import counsel
from tunescale_core.advice.shown import as_object, as_text
from tunescale_core.provenance import provenance
from tunescale_core.records.record import Record
from tunescale_core.results.published import reference
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.sensors.readings import Readings
from tunescale_core.tables.table import MISSING
from tunescale_core.tasks import Answer


def asked(right: int, **fields: object) -> Record:
    """Return a record with so many of forty right."""
    answers = [Answer(("ABCD"[place % 4],), "ABCD"[(place + (place >= right)) % 4]) for place in range(40)]
    return made(lines=[line(one, place=place) for place, one in enumerate(answers)], **fields)  # type: ignore[arg-type]


def shown(results: Results, bar: str) -> tuple[str, dict[str, Any]]:
    """Return what is said under a bar as text and as a JSON object."""
    bars = (parse_bar(results, bar),)
    found = counsel(results, Constraints(objective_of(results, None, bars), bars))
    return as_text(found), json.loads(json.dumps(as_object(found)))


def last(text: str) -> str:
    """Return what the text says of the last way of serving, on one line."""
    return "Served by" + " ".join(text.split()).rpartition("Served by")[2]


def measured(right: int, larger: int = 38) -> Results:
    tuned = asked(right, method="full", trained_on="arc", seed=0, peak_memory_bytes=2**30)
    return Results((from_record(tuned), from_record(asked(larger, model="large"))), "here")


@pytest.mark.parametrize(
    ("results", "bar", "decision", "head"),
    [
        (measured(4), "arc:accuracy=0.5", "choose", "Ship large-base."),
        (measured(38), "arc:accuracy=0.5", "tie", "Not enough evidence for one: "),
        (measured(20, 20), "arc:accuracy=0.5", "not enough evidence", "Not enough evidence: "),
        (measured(4, 5), "arc:accuracy=0.9", "nothing is feasible", "Nothing that was measured keeps"),
    ],
)
def test_each_decision_has_its_sentence(results: Results, bar: str, decision: str, head: str) -> None:
    """The text begins with the decision's own sentence, and JSON names the decision."""
    text, found = shown(results, bar)
    assert text.startswith(head)
    assert found["decision"] == decision
    assert bool(found["next_step"]) is (decision != "choose")


def test_times_taken_beside_others_load_are_told() -> None:
    """Advice says which of its latencies are doubtful, eager's and another way's each with its own; JSON has it too."""
    fields = {"model": "large", "readings": Readings(others=2.0)}
    quiet = [asked(38, model="large"), asked(4)]
    loaded = [asked(38, **fields), asked(4)]
    way = asked(38, serving="static", **fields)
    for records, eagers, ways in ((quiet, 0, 1), (loaded, 1, 1)):
        text, found = shown(gathered(map(from_record, [*records, way]), "here"), "arc:accuracy=0.5")
        assert (len(found["beside"]), len(found["otherwise"]["static"]["beside"])) == (eagers, ways)
        assert "1 of 1 cells were timed while others used the machine" in last(text)
        assert ("1 of 2 cells were timed while others used the machine" in " ".join(text.split())) is bool(eagers)


def test_whom_load_alone_kept_out_is_named() -> None:
    """Who breaks the latency alone, and was timed beside others' load, is to be timed again; others are not."""
    slow = {"model": "late", "readings": Readings(others=2.0)}
    records = [asked(38, **slow), asked(4, model="bad", readings=Readings(others=2.0)), asked(38, model="quiet")]
    results = Results(tuple(map(from_record, records)), "here")
    bars = (parse_bar(results, "arc:accuracy=0.5"),)
    constraints = Constraints(objective_of(results, None, bars), bars, max_latency=0.1)
    found = counsel(results, constraints)
    (_, again) = found.advice.beside
    assert again == "late-base may be fast enough for all that is known: time it again"
    assert again in " ".join(as_text(found).split())
    unlimited = counsel(results, Constraints(constraints.objective, bars))
    assert len(unlimited.advice.beside) == 1


def test_load_on_one_task_excuses_no_other() -> None:
    """A candidate that is too slow on a task that was timed quietly is so, whatever was timed beside load."""
    for loads, told in (((2.0, None), 1), ((2.0, 2.0), 2)):
        found = [asked(38, readings=Readings(others=load)) for load in loads]
        easy, hard = (one.model_copy(update={"task": task}) for one, task in zip(found, ("easy", "hard"), strict=True))
        results = Results(tuple(map(from_record, (easy, hard))), "here")
        bars = tuple(parse_bar(results, f"{task}:accuracy=0.5") for task in ("easy", "hard"))
        advice = counsel(results, Constraints(objective_of(results, None, bars), bars, max_latency=0.1)).advice
        assert len(advice.beside) == told


def test_answers_that_were_cut_off_are_told() -> None:
    """Where the token limit ended half of a candidate's answers, text and JSON say so; where none, neither does."""
    long = [line(Answer(("A",), None), place=place, finish="length" if place % 2 else "stop") for place in range(40)]
    results = Results(tuple(map(from_record, (asked(38), made(model="long", lines=long)))), "here")
    bars = (parse_bar(results, "arc:accuracy=0.5"),)
    found = counsel(results, Constraints(objective_of(results, None, bars), bars))
    assert "max_new_tokens cut off many answers" in " ".join(as_text(found).split())
    assert as_object(found)["cut"][0].endswith("50% of long-base's for arc")
    assert shown(measured(4), "arc:accuracy=0.5")[1]["cut"] == []


@pytest.mark.parametrize("device", ["cpu (x86_64)", "NVIDIA H200"])
def test_what_memory_is_is_told_on_a_cpu(device: str) -> None:
    """There it is the process's peak, and grows over a run; on a GPU it is the model's own."""
    where = provenance("cpu").model_copy(update={"device": device})
    results = Results((from_record(asked(38, provenance=where)),), "here")
    bars = (parse_bar(results, "arc:accuracy=0.5"),)
    text = as_text(counsel(results, Constraints(objective_of(results, None, bars), bars)))
    assert ("peak of the whole process" in " ".join(text.split())) == device.startswith("cpu")


def test_the_next_step_is_in_both() -> None:
    """What to run next follows the decision in the text, and JSON has it word for word."""
    text, found = shown(measured(20, 20), "arc:accuracy=0.5")
    assert "measure it with more examples than 40" in found["next_step"]
    assert found["next_step"] in " ".join(text.split())


def test_the_text_has_a_row_a_candidate() -> None:
    """A row names the candidate, its figures and its shares, and what it breaks; unknown memory is a dash."""
    text, _ = shown(measured(4), "arc:accuracy=0.5")
    table = text[text.index("---") :].splitlines()[1:3]
    rows = {row.split()[0]: row.split()[1:] for row in table}
    assert rows["large-base"] == ["0.9500", "0.8534", "0.5000", MISSING, "0.0", "100%", "100%", "100%"]
    tuned = rows["m-full-on-arc"]
    assert tuned[2:5] == ["0.5000", "1.00", "12.3"]
    assert tuned[8:] == ["arc", "accuracy", "≥", "0.5"]


def test_the_text_says_what_it_rests_on() -> None:
    """With examples the shares are explained; without, it says that these are point values."""
    assert "shares of the resamples" in " ".join(shown(measured(4), "arc:accuracy=0.5")[0].split())
    assert "these are point values" in " ".join(shown(reference("paper"), "arc:macro_f1=0.5")[0].split())


def test_the_papers_rule_stands_beside() -> None:
    """The text and JSON say what the paper's rule would ship, and the text how that one stands."""
    text, found = shown(measured(30), "arc:accuracy=0.5")
    assert found["paper_rule"] == "m-full-on-arc"
    assert "ships: m-full-on-arc (feasible 100%, best 0%)." in " ".join(text.split())


def test_no_rule_is_said() -> None:
    """Where neither a tuned nor a larger model was measured, the rule ships nothing."""
    tuned_elsewhere = asked(4, method="full", trained_on="squad_v2", seed=0)
    text, found = shown(Results((from_record(tuned_elsewhere),)), "arc:accuracy=0.5")
    assert found["paper_rule"] is None
    assert "ships: nothing: neither side was measured." in " ".join(text.split())


def test_the_rule_is_said_not_to_keep_to_the_constraints() -> None:
    """What the paper's rule takes and does not keep to the constraints is not said to ship."""
    text, found = shown(measured(4, 5), "arc:accuracy=0.9")
    told = " ".join(text.split())
    assert "would ship large-base, which does not keep to the constraints (feasible 0%, best 0%)." in told
    assert found["paper_rule"] == "large-base"


@pytest.mark.parametrize(
    ("results", "said", "below"),
    [
        (measured(38), None, []),
        (measured(12, 12), "Nothing that was measured is surely better for arc", ["large-base", "m-full-on-arc"]),
        (measured(12, 38), None, ["m-full-on-arc"]),
    ],
)
def test_what_is_no_better_than_not_looking_is_said(results: Results, said: str | None, below: list[str]) -> None:
    """A choice among those that answer no better than the majority letter is no reason to ship one of them."""
    text, found = shown(results, "arc:accuracy=0.1")
    assert found["trivial"] == {"value": 0.25, "rule": "majority letter", "not_surely_better": ANY}
    assert sorted(found["trivial"]["not_surely_better"]) == below
    without = "than answering without looking (majority letter: accuracy 0.2500)"
    told = " ".join(text.split())
    assert (f"{said} {without}." in told) if said else (without not in told)
    assert found["idle_bars"] == [
        "The bar arc accuracy ≥ 0.1 asks no more than not looking gives: majority letter scores accuracy 0.2500."
    ]
    assert found["ships"] is (said is None)
    assert not text.startswith("Ship ") or said is None


def test_a_published_table_has_no_floor() -> None:
    """Without examples nobody knows what not looking would score."""
    text, found = shown(reference("paper"), "arc:macro_f1=0.5")
    assert found["trivial"] is None
    assert "without looking" not in text


def test_break_even_stands_last() -> None:
    """What tuning pays back is a sentence at the end of the text, and an object in JSON."""
    text, found = shown(measured(30), "arc:accuracy=0.5")
    assert text.endswith("m-full-on-arc is not faster than large-base: its training is never paid back in time.")
    (paid,) = found["break_even"]
    assert (paid["tuned"], paid["larger"], paid["requests"]) == ("m-full-on-arc", "large-base", None)


def test_json_has_every_standing() -> None:
    """Each candidate stands in JSON by its id, the likeliest best first, figures at full precision."""
    _, found = shown(reference("paper"), "arc:macro_f1=0.5")
    assert (found["resampled"], found["maximise"]) == (False, {"task": "arc", "metric": "macro_f1"})
    assert len(found["standings"]) == 16
    first = found["standings"][0]
    assert (first["candidate"], first["quality"], first["latency"]) == ("Qwen3-1.7B-base", 0.7986, 3.4025)
    assert (first["memory"], first["cost"], first["broken"]) == (None, 0.0, [])


def test_other_ways_of_serving_are_a_line_each() -> None:
    """What the other ways come to stands last, with the time of the first that they would ship."""
    eager = [asked(38, model="large"), asked(4, method="full", trained_on="arc", seed=0)]
    fast = asked(38, model="large", serving="static")
    text, found = shown(gathered(map(from_record, (*eager, fast)), "here"), "arc:accuracy=0.5")
    assert last(text) == (
        "Served by static (--serving static): Ship large-base. Its mean latency is 0.5000 s. "
        "40/40 of large-base's timed answers are eager's. Left out, since not measured so: m-full-on-arc."
    )
    assert found["otherwise"] == {
        "static": {
            "decision": "choose",
            "chosen": ["large-base"],
            "warnings": [],
            "beside": [],
            "latency": {"large-base": 0.5},
            "trivial": {"value": 0.25, "rule": "majority letter", "not_surely_better": []},
            "equal_to_eager": {"large-base": {"equal": 40, "of": 40}},
            "left_out": ["m-full-on-arc"],
        }
    }


def test_another_way_names_what_was_not_tried_so() -> None:
    """Where only the worse candidate was served a way, that way's line and object say that the better one was not."""
    records = [asked(38, model="good"), asked(24, model="bad"), asked(24, model="bad", serving="static")]
    text, found = shown(gathered(map(from_record, records), "here"), "arc:accuracy=0.3")
    assert text.startswith("Ship good-base.")
    assert "Ship bad-base." in last(text)
    assert last(text).endswith("Left out, since not measured so: good-base.")
    assert found["otherwise"]["static"]["left_out"] == ["good-base"]


def test_another_way_warns_of_what_is_flagged() -> None:
    """A candidate whose training went wrong is shipped by no way of serving without the warning of eager's advice."""
    cost = COST.model_copy(update={"flags": ("its adapter changed nothing",)})
    tuned = {"method": "full", "trained_on": "arc", "seed": 0, "cost": cost}
    records = [asked(38, **tuned), asked(38, **tuned, serving="static")]
    text, found = shown(gathered(map(from_record, records), "here"), "arc:accuracy=0.5")
    (warning,) = found["warnings"]
    assert warning.startswith("Do not ship m-full-on-arc unexamined: ")
    assert f"m-full-on-arc comes out best, and is flagged. {warning}" in last(text)
    assert "Ship" not in text
    assert found["otherwise"]["static"]["warnings"] == [warning]


def test_a_way_whose_answers_are_its_own_says_what_they_are_worth() -> None:
    """In few bits a model answers otherwise: the line has its own quality, and counts no answers that are eager's."""
    records = [asked(38), asked(36, serving="4bit", serving_settings={"quantize": "4bit"})]
    results = gathered(map(from_record, records), "here")
    text, found = shown(results, "arc:accuracy=0.5")
    assert "Answers so are not eager's: its accuracy for arc is 0.9000." in last(text)
    assert "timed answers are eager's" not in last(text)
    assert found["otherwise"]["4bit"]["equal_to_eager"] == {}
    bars = (parse_bar(results, "arc:accuracy=0.5"),)
    asked_so = as_text(counsel(results, Constraints(objective_of(results, None, bars), bars, serving="4bit")))
    assert "Served by eager (--serving eager): Ship m-base." in last(asked_so)
    assert "Answers so are not" not in asked_so


def test_the_way_is_chosen_too() -> None:
    """Under one memory bar the larger model in 4 bits is held against the small one in full precision."""
    records = [
        asked(24, peak_memory_bytes=2**30),
        asked(38, model="large", peak_memory_bytes=3 * 2**30),
        asked(36, model="large", serving="4bit", serving_settings={"quantize": "4bit"}, peak_memory_bytes=2**30),
        asked(24, serving="static", peak_memory_bytes=2**30),
    ]
    results = gathered(map(from_record, records), "here")
    bars = (parse_bar(results, "arc:accuracy=0.5"),)
    asked_for = Constraints(objective_of(results, None, bars), bars, max_memory=2 * 2**30, serving="any")
    found = counsel(results, asked_for)
    told = as_text(found)
    assert told.startswith("Ship large-base-via-4bit.\n")
    assert "40/40" in told
    assert (found.others, found.rule and found.rule.way) == ((), "eager")
    rows = {line.split()[0]: line for line in told.splitlines() if "%" in line}
    assert "memory ≤ 2 GiB" in rows["large-base"]
    assert {"m-base", "m-base-via-static", "large-base-via-4bit"} < set(rows)


def test_training_is_paid_back_against_eager_where_ways_are_chosen_too() -> None:
    """Questions of a batch share its time, so that only eager candidates have a break-even beside each other."""
    tuned = {"method": "full", "trained_on": "arc", "seed": 0, "cost": COST}
    batch = {"serving": "batch-2", "serving_settings": {"mode": "eager", "batch": 2}}
    records = [asked(38, **tuned), asked(38, **tuned, **batch)]
    records += [asked(30, model="large"), asked(30, model="large", **batch)]
    results = gathered(map(from_record, records), "here")
    bars = (parse_bar(results, "arc:accuracy=0.5"),)
    found = counsel(results, Constraints(objective_of(results, None, bars), bars, serving="any"))
    assert [(one.tuned.id, one.larger.id) for one in found.paid] == [("m-full-on-arc", "large-base")]


def test_another_way_that_is_no_better_than_not_looking_is_told() -> None:
    """What rounding costs may be all that a model knew: its way's line says so."""
    records = [asked(38), asked(12, serving="4bit", serving_settings={"quantize": "4bit"})]
    text, found = shown(gathered(map(from_record, records), "here"), "arc:accuracy=0.1")
    assert text.startswith("Ship m-base.")
    assert "m-base comes out best of what was measured. Nothing that was measured is surely better" in last(text)
    assert found["otherwise"]["4bit"]["trivial"]["not_surely_better"] == ["m-base"]


def test_another_way_says_how_many_answers_are_eagers() -> None:
    """Of every candidate that another way may ship, the line says how many of its timed answers are eager's."""
    records = [asked(38), asked(38, model="n"), asked(36, serving="static"), asked(38, model="n", serving="static")]
    text, found = shown(gathered(map(from_record, records), "here"), "arc:accuracy=0.5")
    assert found["otherwise"]["static"]["decision"] == "tie"
    assert "38/40 of m-base's, 40/40 of n-base's timed answers are eager's." in last(text)
    assert found["otherwise"]["static"]["equal_to_eager"]["m-base"] == {"equal": 38, "of": 40}

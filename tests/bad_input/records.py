"""Bad records, baselines and published tables, through the commands that read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_input.cases import CLICK, Case, written
from tests.making import line, record
from tunescale_core.records.files import write
from tunescale_core.store.identity import key_of
from tunescale_core.tasks import Answer

RIGHT = Answer(("A",), "A")
STUDY = '[study]\nname = "s"\n[models.m]\nsource = "embedded:mini-small"\n[tasks.arc]\n'


def good(folder: Path) -> Path:
    """Write a good record and return its path."""
    return write(record(lines=[line(RIGHT, place=place) for place in range(3)]), folder / "r")


def harmed(case: str, harm: Callable[[Path], object], said: str, command: str = "findings") -> Case:
    """Return the case of a record that something was done to."""

    def make(folder: Path) -> list[str]:
        harm(good(folder))
        return [command, "{}/r"]

    return Case(f"record-{case}", make, said)


def text(content: str | bytes) -> Callable[[Path], object]:
    """Return what puts other content in a record's place."""
    return lambda path: written(path.name, content)(path.parent)


def field(**changed: Any) -> Callable[[Path], object]:
    """Return what changes fields of a record, its own hash made to fit."""

    def change(path: Path) -> None:
        content = json.loads(path.read_text()) | changed
        content.pop("digest", None)
        path.write_text(json.dumps(content | {"digest": key_of(content)}))

    return change


def rows(content: bytes | None) -> Callable[[Path], object]:
    """Return what puts other content in the place of a record's rows, or takes them away."""

    def change(path: Path) -> None:
        (found,) = path.parent.glob("*.parquet")
        found.unlink() if content is None else found.write_bytes(content)

    return change


def baseline(case: str, content: str | bytes, said: str) -> Case:
    """Return the case of a baseline's file."""

    def make(folder: Path) -> list[str]:
        good(folder)
        written("s.toml", STUDY)(folder)
        written("b.json", content)(folder)
        return ["gate", "{}/r", "--study", "{}/s.toml", "--baseline", "{}/b.json"]

    return Case(f"baseline-{case}", make, said)


def table(case: str, content: str | bytes, said: str) -> Case:
    """Return the case of a published table."""

    def make(folder: Path) -> list[str]:
        written("t.csv", content)(folder)
        return ["findings", "--table", "{}/t.csv"]

    return Case(f"table-{case}", make, said)


def given(case: str, words: list[str], said: str, code: int = 4) -> Case:
    """Return the case of an option's value beside a good record."""

    def make(folder: Path) -> list[str]:
        good(folder)
        written("s.toml", STUDY)(folder)
        return words

    return Case(f"option-{case}", make, said, code)


CASES = (
    Case("record-no-folder", lambda _: ["findings", "{}/none"], "holds no records"),
    Case("record-null-path", lambda _: ["findings", "{}/\x00"], "null", CLICK),
    Case("record-long-path", lambda _: ["findings", "x" * 5000], "too long"),
    harmed("empty", text(""), "cannot be read"),
    harmed("list", text("[]"), "cannot be read"),
    harmed("cut-off", text('{"schema_version": 3, "st'), "cannot be read"),
    harmed("deep", text('{"a":' * 100_000), "cannot be read"),
    harmed("binary", text(b"\xff\xfe\x00"), "cannot be read"),
    harmed("older", field(schema_version=1), "has schema 1, this version reads 3; measure it again"),
    harmed("newer", field(schema_version=99), "has schema 99"),
    harmed("schema-text", field(schema_version="three"), "has schema three"),
    harmed("changed", lambda path: path.write_text(path.read_text().replace('"m"', '"n"', 1)), "changed after it was"),
    harmed("unknown-field", field(more=1), "more: "),
    harmed("metrics-text", field(metrics={"accuracy": "good"}), "metrics.accuracy: "),
    harmed("rows-outside", field(rows="../x.parquet"), "not a file beside the record"),
    harmed("rows-absolute", field(rows="/etc/passwd"), "not a file beside the record"),
    harmed("rows-number", field(rows=3), "rows: "),
    harmed("rows-gone", rows(None), "rows .* cannot be read", "rows"),
    harmed("rows-other", rows(b"PAR1"), "are not what was written", "rows"),
    baseline("empty", "", "b.json"),
    baseline("not-json", "{", "b.json"),
    baseline("list", "[]", "b.json"),
    baseline("other-json", '{"a": 1}', "b.json"),
    baseline("deep", "[" * 100_000, "b.json"),
    baseline("pytest-benchmark-odd", '{"benchmarks": 3}', "b.json"),
    baseline("pytest-benchmark-row", '{"benchmarks": [3]}', "b.json"),
    baseline("binary", b"\xff\x00", "b.json"),
    given("baseline-missing", ["gate", "{}/r", "--study", "{}/s.toml", "--baseline", "{}/none.json"], "none.json"),
    given("baseline-name", ["gate", "{}/r", "--study", "{}/s.toml", "--save-baseline", "../x"], r"\.\./x"),
    given(
        "study-of-another",
        ["gate", "{}/r", "--study", "mini", "--baseline", "b"],
        "are of study s, and --study says mi",
    ),
    table("empty", "", "t.csv"),
    table("other-columns", "a,b\n1,2\n", "t.csv"),
    table("not-utf-8", b"\xff\xfe\n", "t.csv"),
    given("max-latency", ["advise", "{}/r", "--max-latency", "fast"], "cannot read 'fast' as a latency"),
    given("latency-stat", ["advise", "{}/r", "--latency-stat", "worst"], "worst"),
    given("memory", ["advise", "{}/r", "--max-memory", "lots"], "lots"),
    given("memory-nan", ["advise", "{}/r", "--max-memory", "nanGiB"], "nanGiB"),
    given("cost", ["advise", "{}/r", "--max-cost", "soon"], "soon"),
    given("min", ["advise", "{}/r", "--min", "arc"], "arc"),
    given("min-nan", ["advise", "{}/r", "--min", "arc:accuracy=nan"], "nan"),
    given("min-task", ["advise", "{}/r", "--min", "chess:accuracy=1"], "chess"),
    given("ties", ["findings", "{}/r", "--ties", "luck"], "luck"),
    given("format", ["report", "{}/r", "--format", "word"], "word"),
    given("html-folder", ["report", "{}/r", "--html", "{}"], "cannot be written"),
    given("html-nowhere", ["report", "{}/r", "--html", "{}/no/such/r.html"], "cannot be written"),
    given("device", ["estimate", "--device", "abacus"], "abacus"),
    given("bandwidth", ["estimate", "--bandwidth", "-1"], "bandwidth"),
    given("bandwidth-nan", ["estimate", "--bandwidth", "nan"], "bandwidth"),
    given("estimate-memory", ["estimate", "--memory", "-3GiB"], "-3GiB"),
    given("candidate", ["latency", "nobody", "m-base", "{}/r"], "nobody"),
    given("store", ["store", "ls", "--store", "{}/none"], "holds no store"),
    given("unknown-option", ["findings", "--colour"], "No such option", CLICK),
    given("unknown-command", ["dance"], "No such command", CLICK),
)

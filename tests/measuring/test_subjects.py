"""Variants as they are served: one study, every way, each held against eager."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import serving
from tunescale_core.decoding.completion import REMOTE
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import EndpointError
from tunescale_core.measuring.cell import Bench
from tunescale_core.models.base import resolve
from tunescale_core.progress import Progress
from tunescale_core.records.files import write
from tunescale_core.records.record import Record
from tunescale_core.results.recorded import from_folder
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.tables.formats import as_csv
from tunescale_core.tables.serving_table import serving_table

pytestmark = pytest.mark.slow

STUDY = """
[study]
name = "served"
train_examples = 32
eval_examples = 6
[protocol]
max_new_tokens = 48
timed_examples = 5
warmup_calls = 0
dtype = "float32"
[models.m]
source = "embedded:mini-small"
[methods.lora]
ranks = [4]
learning_rate = 1e-3
loss = "completion"
[serving.static]
only = "m-base"
[serving.batch-2]
[serving.adapter]
[serving.unthinking]
mode = "eager"
thinking = "off"
only = "m-base"
[serving.4bit]
only = "m-base"
[serving.server]
mode = "endpoint"
url = "URL"
model = "{path}"
only = "m-base"
[tasks.squad_v2]
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A study beside a real server that holds its untuned model."""
    folder = tmp_path_factory.mktemp("served")
    small = resolve(Model(source="embedded:mini-small"), Path()).folder.resolve()
    with serving(small, folder) as served:
        path = folder / "served.toml"
        path.write_text(STUDY.replace("URL", served.url))
        yield Bench(load(str(path)), folder / "store", Progress())


@pytest.fixture(scope="module")
def records(bench: Bench) -> dict[str, Record]:
    """Every cell's record, by its id, written as a run writes them."""
    found = {}
    for cell in cells(bench.study):
        found[cell.id] = bench.measure(cell, bench.subjects.subject(cell))
        write(found[cell.id], bench.records)
    return found


def test_each_way_has_its_cells(records: dict[str, Record]) -> None:
    """Every way serves the variants it suits, and its record says how."""
    assert {name: one.serving for name, one in records.items()} == {
        "m-lora-r4-on-squad_v2-for-squad_v2": "eager",
        "m-lora-r4-on-squad_v2-for-squad_v2-via-batch-2": "batch-2",
        "m-lora-r4-on-squad_v2-for-squad_v2-via-adapter": "adapter",
        "m-base-for-squad_v2": "eager",
        "m-base-for-squad_v2-via-static": "static",
        "m-base-for-squad_v2-via-batch-2": "batch-2",
        "m-base-for-squad_v2-via-unthinking": "unthinking",
        "m-base-for-squad_v2-via-4bit": "4bit",
        "m-base-for-squad_v2-via-server": "server",
    }
    assert len({one.key for one in records.values()}) == len(records)
    assert records["m-base-for-squad_v2-via-server"].serving_settings["mode"] == "endpoint"
    assert records["m-base-for-squad_v2"].serving_settings == {}


def test_few_bits_are_opened_anew(bench: Bench) -> None:
    """A variant that is open in full precision is opened again for a way in few bits, and again for eager."""
    ways = {one.serving: one for one in cells(bench.study) if one.variant.id == "m-base"}
    kinds = []
    for way in ("eager", "4bit", "eager"):
        decoder = bench.subjects.subject(ways[way]).decoder
        assert isinstance(decoder, EagerDecoder)
        kinds.append({type(one).__name__ for one in decoder.opened.model.modules()} & {"Linear4bit"})
    assert kinds == [set(), {"Linear4bit"}, set()]


def test_one_training_serves_all(bench: Bench, records: dict[str, Record]) -> None:
    """A variant is trained once, however many ways it is served."""
    assert len(records) == 9
    assert bench.subjects.trained == ["m-lora-r4-on-squad_v2"]


def test_answers_are_eagers(bench: Bench, records: dict[str, Record]) -> None:
    """In fp32 every way answers as eager does, but for the one that is told not to think and that in few bits."""
    assert len(records) == 9
    table = csv.DictReader(io.StringIO(as_csv(serving_table(from_folder(bench.records)))))
    found = {(row["candidate"], row["served"]): row["equal to eager"] for row in table}
    assert found.pop(("m-base", "unthinking")) != "5/5"
    assert found.pop(("m-base", "4bit")).endswith("/5")
    assert {way: equal for (_, way), equal in found.items()} == {
        "eager": "5/5",
        "static": "5/5",
        "batch-2": "4/4",
        "adapter": "5/5",
        "server": "5/5",
    }


def test_what_was_timed(records: dict[str, Record]) -> None:
    """Ways that answer as eager does ask the timed questions alone, in whole batches; each has first token and pace."""
    for name, record in records.items():
        timed = 4 if record.serving == "batch-2" else 5
        assert (record.examples, record.summary.timed if record.summary else 0) == (
            6 if record.serving in {"eager", "unthinking", "4bit"} else timed,
            timed,
        ), name
        for line in record.lines[:timed]:
            assert 0 < (line.first_token_seconds or 0) <= (line.seconds or 0)
        assert (record.throughput or 0) > 0
    assert records["m-base-for-squad_v2"].batch_agreement == 1.0
    assert records["m-base-for-squad_v2-via-static"].batch_agreement is None
    assert records["m-base-for-squad_v2-via-4bit"].batch_agreement == 1.0


def test_an_endpoints_machine_is_not_ours(records: dict[str, Record]) -> None:
    """What an endpoint's machine does is missing, and not filled with what this one does."""
    record = records["m-base-for-squad_v2-via-server"]
    assert (record.peak_memory_bytes, record.energy_per_answer) == (None, None)
    assert record.provenance is not None
    assert record.provenance.device.startswith(REMOTE)
    assert (records["m-base-for-squad_v2"].peak_memory_bytes or 0) > 2**20


def test_an_endpoint_is_held_to_a_length(bench: Bench, records: dict[str, Record]) -> None:
    """A forced length stands in an endpoint's record; a server that was not asked by its own name has no record."""
    assert records
    protocol = bench.study.protocol.model_copy(update={"min_new_tokens": 48})
    asked = {"generation_config": json.dumps({"min_new_tokens": 48, "eos_token_id": 2})}
    server = bench.study.serving["server"]
    changed = {"protocol": protocol, "serving": {"server": server.model_copy(update={"body": asked})}}
    forced = Bench(bench.study.model_copy(update=changed), bench.store.root, Progress())
    cell = next(one for one in cells(forced.study) if one.serving == "server")
    record = forced.measure(cell, forced.subjects.subject(cell))
    assert [line.tokens for line in record.lines] == [48] * 5
    assert record.serving_settings["body"] == asked
    unasked = Bench(bench.study.model_copy(update={"protocol": protocol}), bench.store.root, Progress())
    with pytest.raises(EndpointError, match="tokens where min_new_tokens is 48"):
        unasked.measure(cell, unasked.subjects.subject(cell))

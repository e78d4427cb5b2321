"""Cells that a server answers, as a run of pytest measures them."""

import json
from pathlib import Path

import pytest

from tests.playing import listing, playing, streamed
from tests.starting import Run, study_file
from tunescale_core.decoding.together import makespan
from tunescale_core.records.files import read

STUDY = """
[study]
name = "far"
eval_examples = 7
[protocol]
timed_examples = 5
max_new_tokens = 8
[models.m]
source = "embedded:mini-small"
[tasks.arc]
[serving.far]
mode = "endpoint"
url = "URL"
model = "tiny"
batch = BATCH
"""


@pytest.mark.parametrize("batch", [1, 3])
def test_each_request_is_a_round(run: Run, tmp_path: Path, batch: int) -> None:
    """Requests roll on, so none is left out for filling no batch; tokens a second are over the time from end to end."""
    with playing() as server:
        server.replies["/models"] = [listing("tiny")]
        slow, quick = (streamed({"content": "\\boxed{A}"}, usage=10, pause=pause) for pause in (0.8, 0.2))
        warm_up = [quick] * max(2, 2 * batch)
        server.replies["/chat/completions"] = [*warm_up, slow, quick]
        study = study_file(tmp_path, STUDY.replace("URL", server.url).replace("BATCH", str(batch)))
        done = run("--study", study, "-k", "via-far", "--benchmark-json=kept.json")
    assert done.returncode == 0, done.stdout
    found = read(tmp_path / ".tunescale" / "records" / "far" / "m-base-for-arc-via-far.json")
    seconds = [line.seconds for line in found.lines if line.seconds is not None]
    stats = json.loads((tmp_path / "kept.json").read_text())["benchmarks"][0]["stats"]
    assert stats["data"] == pytest.approx(seconds)
    assert len(seconds) == 5
    assert server.most == batch
    assert found.throughput == pytest.approx(50 / makespan(seconds, batch))

"""What a run asked of a deployment, kept beside its records and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.advice.kept import constraints_beside, keep, kept
from tunescale_core.errors import ResultsError
from tunescale_core.study.constraints import STATS, Deployment

NUMBERS = st.floats(1e-6, 1e12)
DEPLOYMENTS = st.builds(
    Deployment,
    maximise=st.none() | st.just("arc:macro_f1"),
    min=st.dictionaries(st.sampled_from(["arc", "a.b"]), st.dictionaries(st.sampled_from(["f1", "rouge-l"]), NUMBERS)),
    max_latency=st.none() | NUMBERS,
    latency_stat=st.sampled_from(STATS),
    max_memory=st.none() | st.integers(1000, 2**50),
    max_cost=st.none() | NUMBERS,
    serving=st.sampled_from(["eager", "any", "static"]),
)


@given(asked=DEPLOYMENTS)
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, asked: Deployment) -> None:
    """Whatever a study can ask is read as it was."""
    path = tmp_path_factory.mktemp("store") / "kept.json"
    keep(asked, path)
    assert kept(path) == asked


def test_a_study_that_asks_nothing_any_more_keeps_nothing(tmp_path: Path) -> None:
    """What an earlier run asked does not outlive a run without constraints."""
    path = constraints_beside(tmp_path / "records" / "s")
    assert path == tmp_path / "constraints" / "s.json"
    keep(Deployment(maximise="arc:macro_f1"), path)
    keep(None, path)
    assert kept(path) is None
    keep(None, path)


@pytest.mark.parametrize("text", ["", "[]", '{"max_latency": "soon"}', '{"max_vram": 1}'])
def test_what_is_no_deployment_is_refused(tmp_path: Path, text: str) -> None:
    """A file that somebody changed ends in one line that names it."""
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(ResultsError, match=r"^constraints [^\n]*s\.json cannot be read: [^\n]+$"):
        kept(tmp_path / "s.json")

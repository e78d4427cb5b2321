"""Whatever is fed to what reads files and answers, it ends in a result or in an error made for users."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing.targets import TARGETS, fed
from tunescale_core.harmless import harmless
from tunescale_core.tasks import TASKS, Answer
from tunescale_core.tasks.boxed import boxed, last_boxed

PIECES = st.sampled_from(
    ["\\boxed{", "{", "}", "\\", "\\text{", "A", "3", "1/2", "<think>", "</think>", " ", "$", "\ud800"]
)
SAID = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))
TOML = st.recursive(
    st.one_of(st.none().map(lambda _: "x"), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
KEYS = (
    "study",
    "models",
    "methods",
    "tasks",
    "protocol",
    "serving",
    "trials",
    "gate",
    "expect",
    "findings",
    "constraints",
)


def toml(value: Any) -> str:
    """Return a value as TOML writes it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


@given(SAID, st.sampled_from(sorted(TASKS)))
def test_any_text_is_an_answer(text: str, task: str) -> None:
    """Every task reads every text, and scores what it read by the same names."""
    kind = TASKS[task]
    gold = ("A",) if task == "arc" else ("3",)
    assert kind.score(Answer(gold, kind.parse(text))).keys() == kind.score(Answer(gold, None)).keys()


@given(st.text().filter(lambda text: text.strip(" $") == text and "\\" not in text and text.strip() == text))
def test_what_is_boxed_is_read_again(text: str) -> None:
    """What training boxes is what is read of it, but for braces, which it escapes."""
    if "{" not in text and "}" not in text:
        assert last_boxed(boxed(text)) == text


@given(st.text(), SAID)
def test_a_box_ends_what_was_said_before(before: str, after: str) -> None:
    """The last whole box counts, whatever stands before it."""
    assert last_boxed(before.rstrip("\\") + " \\boxed{7}") == "7"
    assert last_boxed("\\boxed{7}" + after.replace("boxed", "")) in {"7", last_boxed(after)}


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYS), TOML, max_size=6))
def test_any_study_loads_or_says_why(content: dict[str, Any]) -> None:
    """A study of whatever tables and values is read, or refused in one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.toml"
        path.write_bytes("\n".join(f"{key} = {toml(one)}" for key, one in content.items()).encode("utf-8", "replace"))
        fed(TARGETS["study"], path.read_bytes())


@pytest.mark.parametrize("target", sorted(TARGETS))
@settings(max_examples=50)
@given(content=st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "replace"))))
def test_any_file_is_read_or_refused(target: str, content: bytes) -> None:
    """Each reader of files takes any bytes, or refuses them with an error made for users."""
    fed(TARGETS[target], content)


CORPUS = sorted(path for path in (Path(__file__).parent / "fuzzing" / "corpus").rglob("*") if path.is_file())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name[:8]}")
def test_what_fuzzing_kept_is_read_or_refused(path: Path) -> None:
    """What atheris found to take new ways through the readers ends as any input does."""
    fed(TARGETS[path.parent.name], path.read_bytes())


def test_there_is_a_corpus() -> None:
    """Each target has kept something."""
    assert {path.parent.name for path in CORPUS} == set(TARGETS)


@given(st.text())
def test_harmless_text_does_nothing(text: str) -> None:
    """What is printed holds no control, no format and no bidi character, and plain text stays as it is."""
    shown = harmless(text)
    assert not any(ord(one) < 32 or ord(one) == 127 or "\u202a" <= one <= "\u202e" for one in shown)
    assert harmless(shown) == shown
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        assert harmless("grün ✓") == "grün ✓"

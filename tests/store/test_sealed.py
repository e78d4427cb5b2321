"""Tests of JSON that holds its own hash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.store.sealed import DIGEST, sealed, unsealed

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists)
CONTENTS = st.dictionaries(st.text().filter(lambda name: name != DIGEST), VALUES)


@given(CONTENTS, st.sampled_from([None, 1]))
def test_what_is_sealed_is_read_whole(content: dict[str, object], indent: int | None) -> None:
    """Whatever JSON can say comes back, and is seen not to have been changed."""
    found = unsealed(sealed(content, indent))
    assert (found.content, found.whole, found.changed) == (content, True, False)


@given(CONTENTS, st.text(), VALUES)
def test_a_change_shows(content: dict[str, object], name: str, value: object) -> None:
    """Whichever entry is given another value, the hash is another text's."""
    changed = json.loads(sealed(content)) | {name: [value, "changed"]}
    assert unsealed(json.dumps(changed)).changed


def test_what_was_never_sealed_is_neither_whole_nor_changed() -> None:
    """A file from before files held their hash can be told from one that was changed."""
    found = unsealed('{"a": 1}')
    assert (found.content, found.whole, found.changed) == ({"a": 1}, False, False)


@pytest.mark.parametrize("text", ["", "[1]", "null", b'"\xff"', "[" * 100_000])
def test_what_is_no_mapping_is_refused(text: str | bytes) -> None:
    """Half a text, a list and nesting without end are one kind of error."""
    with pytest.raises(ValueError, match=r"."):
        unsealed(text)

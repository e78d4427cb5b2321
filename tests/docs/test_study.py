"""docs/study.md has every key of a study, with its default, and no other."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tunescale_core.study.constraints import Deployment
from tunescale_core.study.expected import Expectation, ExpectedFinding
from tunescale_core.study.head import Head
from tunescale_core.study.margins import Gate
from tunescale_core.study.method import Method, Trials
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Serving
from tunescale_core.study.study import Study
from tunescale_core.study.task_data import TaskData

GUIDE = (Path(__file__).parents[2] / "docs" / "study.md").read_text(encoding="utf-8")
TABLES: dict[str, type[BaseModel]] = {
    "[study]": Head,
    "[models.NAME]": Model,
    "[methods.NAME]": Method,
    "[trials]": Trials,
    "[tasks.NAME]": TaskData,
    "[protocol]": Protocol,
    "[serving.NAME]": Serving,
    "[gate]": Gate,
    "[constraints]": Deployment,
    "[[expect]]": Expectation,
    "[[findings]]": ExpectedFinding,
}
IN_WORDS = {"margins", "cells"}
"""Keys of `[gate]` that are no words of their own: the guide tells them above the table."""


def rows(table: str) -> dict[str, str]:
    """Return the defaults in the guide's table by key."""
    _, _, rest = GUIDE.partition(f"## `{table}`\n")
    section = rest.partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \| .*\|$", section, re.MULTILINE))


@pytest.mark.parametrize("table", TABLES)
def test_each_key_has_a_row_with_its_default(table: str) -> None:
    """Whoever reads the guide's table of defaults has read the program's."""
    fields = {name: field for name, field in TABLES[table].model_fields.items() if name not in IN_WORDS}
    told = rows(table)
    assert list(told) == [name for name in told if name in fields]
    assert set(told) == set(fields)
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True)
        if default is PydanticUndefined:
            assert told[name] == "–", name
        elif default is None:
            assert told[name] == "none", name
        else:
            assert json.loads(told[name].strip("`")) == json.loads(json.dumps(default)), name


def test_each_table_of_a_study_has_a_section() -> None:
    """No table that a study may have is missing, and none is told that it may not have."""
    plain = {re.sub(r"\W|NAME", "", table.split(".", maxsplit=1)[0]) for table in TABLES}
    assert plain == set(Study.model_fields) - {"folder"}
    assert re.findall(r"^## `(.+)`$", GUIDE, re.MULTILINE) == list(TABLES)

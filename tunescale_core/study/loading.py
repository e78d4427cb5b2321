"""A study found by name or path, read, and refused in one line where it is not as it should be."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from tunescale_core.errors import StudyError
from tunescale_core.study.constraints import Deployment
from tunescale_core.study.declared import Declared
from tunescale_core.study.expected import Expectation, ExpectedFinding
from tunescale_core.study.head import Head
from tunescale_core.study.method import Method, Trials
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Serving
from tunescale_core.study.study import Study
from tunescale_core.study.task_data import TaskData

SHIPPED = (Path(__file__).parents[1] / "studies", Path(__file__).parents[2] / "benchmarks" / "studies")
"""Where studies are found by name: in an installed package, and in a clone."""
LISTS = ("expect", "findings")
"""Tables that are written with two brackets, once for each."""
_UNSAID = re.compile(r"\[key\]|function-after|(?:tuple|literal)\[")
"""What pydantic's places have beside keys: the branch of a union, say."""


def locate(study: str) -> Path:
    """Return the file of a study given by path or by the name of one that ships.

    Raises:
        StudyError: There is no such file.
    """
    path = Path(study)
    if path.suffix == ".toml":
        if path.is_file():
            return path
        raise StudyError(f"study file {study} does not exist")
    shipped = {file.stem: file for folder in SHIPPED for file in sorted(folder.glob("*.toml"))}
    if study in shipped:
        return shipped[study]
    raise StudyError(f"no study is called {study!r}; known are {', '.join(shipped)}, or give a path that ends in .toml")


def load(study: str, overrides: dict[str, dict[str, object]] | None = None) -> Study:
    """Read a study by name or path.

    Args:
        study: The name of a shipped study, or a file ending in .toml.
        overrides: Values laid over the file's `[study]` and `[protocol]` tables, by table and key.

    Raises:
        StudyError: One line that names the file and the key.
    """
    path = locate(study)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise StudyError(f"{path}: cannot be read as TOML: {_why(error)}") from error
    if "folder" in content:
        raise StudyError(f"{path}: folder: unknown key")
    for table, values in (overrides or {}).items():
        if isinstance(content.setdefault(table, {}), dict):
            # A way of serving that the study has a table for keeps it; elsewhere an option is the stronger one.
            content[table] = values | content[table] if table == "serving" else content[table] | values
    for data in content["tasks"].values() if isinstance(content.get("tasks"), dict) else ():
        for key in (overrides or {}).get("study", {}):
            if isinstance(data, dict):
                data.pop(key, None)  # an option is stronger than a task's own number
    try:
        return Study.model_validate({**content, "folder": path.parent})
    except ValidationError as error:
        raise StudyError(f"{path}: {_first(error)}") from error


def _why(error: Exception) -> str:
    return "it nests too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())


def _first(error: ValidationError) -> str:
    """The first of the faults pydantic found, as `key: what is wrong`; an unknown key may be why another is missing."""
    faults = error.errors()
    beside = (one for one in faults if one["type"] == "extra_forbidden" and one["loc"][:-1] == faults[0]["loc"][:-1])
    fault = next(beside, faults[0])
    where = ".".join(str(part) for part in fault["loc"] if not _UNSAID.match(str(part)))
    what = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        what = f"unknown key{_meant(tuple(fault['loc']))}"
    elif fault["type"] == "tuple_type":
        what = f"is one table: write [[{where}]]" if where in LISTS else "is not a list: write it in brackets, as [1]"
    given = (
        f" (given: {fault['input']!r:.60})"
        if fault["type"] not in {"extra_forbidden", "missing", "value_error"}
        else ""
    )
    return f"{where}: {what}{given}" if where else what


def _meant(place: tuple[int | str, ...]) -> str:
    """Return which key may have been meant, and which there are where none is near."""
    tables: dict[int | str, type[Declared]] = {
        "study": Head, "models": Model, "methods": Method, "tasks": TaskData, "protocol": Protocol, "serving": Serving,
        "trials": Trials, "expect": Expectation, "findings": ExpectedFinding, "constraints": Deployment,
    }  # fmt: skip
    of = Study if len(place) == 1 else tables.get(place[0])
    known = sorted(set(of.model_fields) - {"folder"}) if of else []
    near = get_close_matches(str(place[-1]), known, 1)
    return f"; is it {near[0]}?" if near else f"; there are {', '.join(known)}" if known else ""

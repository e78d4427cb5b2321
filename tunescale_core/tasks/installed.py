"""The tasks by name: those that come with TuneScale, and those of packages that are installed beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from tunescale_core.errors import TaskError, UnknownTaskError, kind_and_line
from tunescale_core.tasks.task import Task
from tunescale_core.tasks.whole import fault_of_task

GROUP = "tunescale.tasks"
"""The group of entry points by which a package provides tasks."""


class Tasks(Mapping[str, Task]):
    """Tasks by name. A package's task is loaded when it is first asked for, so one that is broken breaks no other.

    Args:
        own: Those that come with TuneScale.
    """

    def __init__(self, own: Iterable[Task]) -> None:
        self._own = {task.name: task for task in own}
        self._loaded: dict[str, Task] = {}

    def __getitem__(self, name: str) -> Task:
        """Return the task of a name.

        Raises:
            UnknownTaskError: There is none; it is a KeyError too.
            TaskError: A package's task cannot be loaded, or is not as `Task` says.
        """
        if name in self._own:
            return self._own[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._own, *self._provided))

    def __len__(self) -> int:
        return len(self._own) + len(self._provided)

    def packages(self, name: str | None = None) -> dict[str, str]:
        """Return the packages whose tasks were asked for, or that of one task, with their versions."""
        asked = self._loaded if name is None else {name} & self._loaded.keys()
        found = [point.dist for one in asked for point in self._provided[one] if point.dist is not None]
        return {dist.name: dist.version for dist in found}

    @cached_property
    def _provided(self) -> dict[str, list[EntryPoint]]:
        """What packages say they provide, by the task's name; of what TuneScale has itself its own is taken."""
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=GROUP):
            if point.name not in self._own:
                found.setdefault(point.name, []).append(point)
        return found

    def _load(self, name: str) -> Task:
        points = self._provided.get(name)
        if not points:
            raise UnknownTaskError(
                f"no task {name!r}; known are {', '.join(self)}; a package can provide others (entry points {GROUP})"
            )
        if len(points) > 1:
            raise TaskError(f"task {name!r} is provided by several packages ({_by(points)}): uninstall all but one")
        try:
            with redirect_stdout(sys.stderr):  # what it prints is no part of a command's output
                found = points[0].load()
                task = found() if isinstance(found, type) else found
        except (Exception, SystemExit) as error:  # whatever the package's own code raises
            raise TaskError(f"task {name!r} of {_by(points)} cannot be loaded: {kind_and_line(error)}") from error
        if (told := fault_of_task(task, name)) is not None:
            raise TaskError(f"task {name!r} of {_by(points)} {told}; see docs/tasks.md")
        checked: Task = task
        return checked


def _by(points: Iterable[EntryPoint]) -> str:
    return ", ".join(f"{point.dist.name if point.dist else 'a package'} ({point.value})" for point in points)

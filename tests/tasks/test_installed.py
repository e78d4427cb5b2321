"""Tasks of packages: found by their entry points, loaded when asked for, refused where they are not whole."""

import sys
from pathlib import Path

import pytest

from tunescale_core.errors import TaskError, TuneScaleError, UnknownTaskError
from tunescale_core.tasks import PAPERS, TASKS
from tunescale_core.tasks.installed import GROUP, Tasks

WHOLE = """
from tunescale_core.tasks import PARSE_RATE, Example, Metric, Task

class Echo(Task):
    name = "echo"
    system = "Say it again."
    metrics = (Metric("same", "same", "fraction", "higher", lambda one: float(one.said in one.gold)), PARSE_RATE)
    trivial_rule = "nothing"
    judged = "same"

    def example(self, row, style):
        return Example(row["id"], self.prompt(row["id"]), (row["id"],), row["id"])

    def parse(self, text):
        return text

    plain = parse

    def trivial(self, golds):
        return ""
"""
serial = iter(range(1000))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that Python finds packages in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(site: Path, code: str, task: str = "echo", value: str = "Echo", package: str = "own-echo") -> str:
    """Install a package of one module that provides one task; return the module's name."""
    module = f"own_task_{next(serial)}"
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    info = site / f"{package.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{task} = {module}:{value}\n", encoding="utf-8")
    return module


@pytest.mark.parametrize("value", ["Echo", "task"])
def test_a_packages_task_is_a_task_like_any_other(site: Path, value: str) -> None:
    """A class or an object that an entry point names is found by name, listed, and said to be of its package."""
    install(site, WHOLE + "\ntask = Echo()\n", value=value)
    tasks = Tasks(PAPERS)
    assert list(tasks) == ["arc", "openmath", "squad_v2", "echo"]
    assert len(tasks) == 4
    assert tasks.packages() == {}
    assert tasks["echo"].name == "echo"
    assert tasks["echo"] is tasks["echo"]
    assert tasks.packages() == tasks.packages("echo") == {"own-echo": "1.2"}
    assert tasks.packages("arc") == {}


def test_what_a_package_prints_is_no_output(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a package's module prints as it is loaded goes where messages go, and spoils no command's JSON."""
    install(site, WHOLE + "\nprint('hello')\n")
    assert Tasks(PAPERS)["echo"].name == "echo"
    assert capsys.readouterr() == ("", "hello\n")


def test_what_comes_with_tunescale_loads_no_package(site: Path) -> None:
    """A package that is broken breaks no other task, and is not loaded to list them."""
    whole, broken = install(site, WHOLE, "whole"), install(site, "raise RuntimeError", package="broken")
    tasks = Tasks(PAPERS)
    assert tasks["arc"] is PAPERS[0]
    assert list(tasks)[3:] == ["whole", "echo"] or list(tasks)[3:] == ["echo", "whole"]
    assert not {whole, broken} & sys.modules.keys()


def test_tunescales_own_tasks_cannot_be_replaced(site: Path) -> None:
    """A package that provides a task of a name that TuneScale has itself is not asked."""
    install(site, WHOLE, task="arc")
    tasks = Tasks(PAPERS)
    assert tasks["arc"] is PAPERS[0]
    assert list(tasks) == ["arc", "openmath", "squad_v2"]


def test_a_task_of_two_packages_is_refused(site: Path) -> None:
    """The error names both packages."""
    install(site, WHOLE)
    install(site, WHOLE, package="other-echo")
    with pytest.raises(TaskError, match=r"^task 'echo' is provided by several packages \(.*own-echo.*\): uninstall"):
        Tasks(PAPERS)["echo"]


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        ("raise RuntimeError('no\\nway')", "Echo", r"cannot be loaded: RuntimeError: no$"),
        ("", "Echo", r"cannot be loaded: AttributeError"),
        ("raise SystemExit(3)", "Echo", r"cannot be loaded: SystemExit: 3$"),
        (WHOLE.replace('"higher"', '"up"'), "Echo", r"has a metric 'same' of law 'mean', better 'up'"),
        (
            WHOLE.replace("PARSE_RATE)\n", "PARSE_RATE)\n    columns = 'id'\n"),
            "Echo",
            r"needs a tuple of names as columns",
        ),
        (
            WHOLE.replace("one.gold))", "one.gold), over=lambda *_: None)"),
            "Echo",
            r"is judged by 'same', which is no mean over answers",
        ),
        ("x = 3", "x", r"is int, no subclass of tunescale_core\.tasks\.Task"),
        ("class Echo: pass", "Echo", r"is Echo, no subclass"),
        (WHOLE.replace('    name = "echo"\n', ""), "Echo", r"lacks name; see docs"),
        (WHOLE.replace('"echo"', '"ohce"'), "Echo", r"calls itself 'ohce'"),
        (WHOLE.replace(", PARSE_RATE)", ",)"), "Echo", r"needs metrics of different names, the parse rate last"),
        (WHOLE.replace("metrics = (", "metrics = (PARSE_RATE, "), "Echo", r"needs metrics of different names"),
        (WHOLE.replace('judged = "same"', 'judged = "f1"'), "Echo", r"is judged by 'f1', which is none of its metrics"),
        (WHOLE.replace("    def trivial", "    def trivia"), "Echo", r"cannot be loaded: TypeError: .*abstract"),
    ],
)
def test_a_task_that_is_not_whole_is_refused_in_one_line(site: Path, code: str, value: str, said: str) -> None:
    """What a package's task lacks is told in one line that names the task and the package."""
    install(site, code, value=value)
    with pytest.raises(TaskError, match=said) as caught:
        Tasks(PAPERS)["echo"]
    assert str(caught.value).startswith("task 'echo' of own-echo (own_task_")
    assert "\n" not in str(caught.value)


def test_a_task_that_nobody_provides_is_unknown() -> None:
    """It is a missing key, and an error for users that names what there is."""
    assert "chess" not in TASKS
    with pytest.raises(UnknownTaskError, match=r"^no task 'chess'; known are arc, openmath, squad_v2, classification"):
        TASKS["chess"]
    assert issubclass(UnknownTaskError, TuneScaleError)

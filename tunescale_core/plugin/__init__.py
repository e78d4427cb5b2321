"""The pytest plugin: options here, all else in files of their own. Thin: the work is elsewhere."""

from __future__ import annotations

import pytest

from tunescale_core.plugin.session import NOT_OURS, SESSION, Session, is_worker

pytest_plugins = (
    "tunescale_core.plugin.beforehand",
    "tunescale_core.plugin.cases",
    "tunescale_core.plugin.findings",
    "tunescale_core.plugin.interruption",
    "tunescale_core.plugin.terminal",
    "tunescale_core.plugin.gating",
    "tunescale_core.plugin.sharing",
)
COUNTS = {
    "--train-examples": ("study", "train_examples", "rows each variant is tuned on"),
    "--eval-examples": ("study", "eval_examples", "questions each cell is asked"),
    "--timed-examples": ("protocol", "timed_examples", "of these, how many are generated one at a time and timed"),
    "--max-new-tokens": ("protocol", "max_new_tokens", "tokens an answer may have"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare TuneScale's options."""
    group = parser.getgroup("tunescale", "tune or scale?")
    group.addoption("--study", metavar="NAME|FILE", help="the study to run: a name, or a TOML file (default: mini)")
    parser.addini("tunescale_study", "the study to run where --study is not given; a file below the root folder")
    group.addoption(
        "--store", metavar="DIR", default=".tunescale", help="checkpoints and records (default: .tunescale)"
    )
    for option, (_, _, text) in COUNTS.items():
        group.addoption(option, metavar="N", type=int, help=f"{text}, instead of the study's own")
    group.addoption(
        "--training",
        choices=("planned", "literal"),
        help="planned: a training step is cut as the memory at hand allows; literal: as the recipe is written",
    )
    group.addoption(
        "--serving",
        metavar="WAY[,WAY]",
        help="serve these ways too, beside eager: static, adapter, batch-8, 4bit, thinking-off, static-batch-4, …",
    )
    group.addoption(
        "--no-resume", action="store_true", help="measure anew what an interrupted run of the study had measured"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options once; validate the study at once where one is asked for."""
    config.addinivalue_line("markers", "tunescale: a cell of the study, a finding or a gate")
    for said in NOT_OURS:
        config.addinivalue_line("filterwarnings", f"ignore:{said}")
    overrides: dict[str, dict[str, object]] = {}
    for option, (table, key, _) in COUNTS.items():
        if (value := config.getoption(option)) is not None:
            overrides.setdefault(table, {})[key] = value
    if config.getoption("--training"):
        overrides.setdefault("study", {})["training"] = config.getoption("--training")
    for name in filter(None, (config.getoption("--serving") or "").split(",")):
        overrides.setdefault("serving", {})[name.strip()] = {}
    for option in ("--study", "--store"):
        if config.getoption(option) == "":
            raise pytest.UsageError(f"{option} is empty: leave it out, or say which")
    # Whole from the start: a test of the user's may change the folder that a relative one hangs on.
    store = config.invocation_params.dir / config.getoption("--store")
    session = Session(config.getoption("--study") or _configured(config) or "mini", store, overrides)
    config.stash[SESSION] = session
    if (config.getoption("--study") or overrides) and not is_worker(config):
        session.load()


def _configured(config: pytest.Config) -> str:
    """Return the study that the project's own configuration names; "" where it names none."""
    named = str(config.getini("tunescale_study"))
    return str(config.rootpath / named) if named.endswith(".toml") else named

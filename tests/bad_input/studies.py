"""Bad study files, through `tunescale estimate --study`."""

from __future__ import annotations

from pathlib import Path

from tests.bad_input.cases import Case, written

GOOD = '[study]\nname = "s"\n[models.m]\nsource = "embedded:mini-small"\n[methods.full]\n[tasks.arc]\n'
DEEP = "[" * 5000


def study(case: str, content: str | bytes, said: str) -> Case:
    """Return the case of a study file's content."""

    def make(folder: Path) -> list[str]:
        written("s.toml", content)(folder)
        return ["estimate", "--study", "{}/s.toml"]

    return Case(f"study-{case}", make, said)


def with_line(table: str, line: str) -> str:
    """Return the good study with a line more in a table."""
    return (
        GOOD.replace(f"[{table}]\n", f"[{table}]\n{line}\n") if f"[{table}]" in GOOD else f"{GOOD}[{table}]\n{line}\n"
    )


def a_folder(folder: Path) -> list[str]:
    """Make a folder that is called like a study."""
    (folder / "s.toml").mkdir()
    return ["estimate", "--study", "{}/s.toml"]


CASES = (
    Case("study-missing", lambda _: ["estimate", "--study", "{}/none.toml"], "none.toml"),
    Case("study-unknown-name", lambda _: ["estimate", "--study", "nosuch"], "nosuch"),
    Case("study-folder", a_folder, "s.toml"),
    study("empty", "", "study: "),
    study("not-toml", "name: s\n", "cannot be read as TOML"),
    study("unclosed", '[study\nname = "s"', "cannot be read as TOML"),
    study("twice", GOOD + '[study]\nname = "t"\n', "cannot be read as TOML"),
    study("deep", f"a = {DEEP}", "cannot be read as TOML"),
    study("latin-1", 'name = "ä"'.encode("latin-1"), "cannot be read as TOML"),
    study("utf-16", GOOD.encode("utf-16"), "cannot be read as TOML"),
    study("null-byte", GOOD + 'x = "\0"\n', "cannot be read as TOML"),
    study("control-character", GOOD.replace('"s"', '"s\x1b[31m"'), "cannot be read as TOML"),
    study("escaped-control", GOOD.replace('"s"', '"s\\u001b"'), "study.name: "),
    study("bidi-name", GOOD.replace('"s"', '"s\\u202e"'), "study.name: "),
    study("path-name", GOOD.replace('"s"', '"../s"'), "study.name: "),
    study("absolute-name", GOOD.replace('"s"', '"/s"'), "study.name: "),
    study("long-name", GOOD.replace('"s"', f'"{"s" * 5000}"'), "study.name: "),
    study("empty-name", GOOD.replace('"s"', '""'), "study.name: "),
    study("number-name", GOOD.replace('"s"', "3"), "study.name: "),
    study("surrogate", GOOD.replace('"s"', '"\\ud800"'), "cannot be read as TOML"),
    study("unknown-table", GOOD + "[modles.m]\n", "modles: unknown key"),
    study("unknown-key", with_line("study", "seed = 3"), "study.seed: unknown key"),
    study("own-folder", 'folder = "/"\n' + GOOD, "folder: unknown key"),
    study("text-latency", with_line("constraints", 'min.arc.macro_f1 = 0.5\nmax_latency = "fast"'), "max_latency: "),
    study("list-latency", with_line("constraints", "min.arc.macro_f1 = 0.5\nmax_latency = [1]"), "max_latency: "),
    study("date-cost", with_line("constraints", "min.arc.macro_f1 = 0.5\nmax_cost = 2026-01-01"), "max_cost: "),
    study("bar-of-no-task", with_line("constraints", "min.ark.macro_f1 = 0.5"), "has no task 'ark'"),
    study("table-for-value", with_line("study", "train_examples = {a = 1}"), "study.train_examples: "),
    study("value-for-table", "study = 3\n" + GOOD.partition("\n")[2].partition("\n")[2], "study: "),
    study("no-models", GOOD.replace("[models.m]", "[methods.x]").replace("source", "adapter"), "models: "),
    study("no-tasks", GOOD.replace("[tasks.arc]\n", ""), "tasks: "),
    study("model-path-name", GOOD.replace("[models.m]", '[models."../m"]'), r"models\.\.\./m: "),
    study("unknown-task", GOOD.replace("[tasks.arc]", "[tasks.chess]"), "chess"),
    study("zero", with_line("study", "eval_examples = 0"), "study.eval_examples: .*greater than"),
    study("negative", with_line("study", "train_examples = -1"), "study.train_examples: .*greater than"),
    study("huge", with_line("study", "train_examples = 99999999999999999999"), "study.train_examples: "),
    study("float-count", with_line("study", "train_examples = 1.5"), "study.train_examples: .*integer"),
    study("text-count", with_line("study", 'train_examples = "many"'), "study.train_examples: "),
    study("nan-rate", with_line("methods.full", "learning_rate = nan"), "methods.full.learning_rate: "),
    study("inf-rate", with_line("methods.full", "learning_rate = inf"), "methods.full.learning_rate: "),
    study("huge-rate", with_line("methods.full", "learning_rate = 1e999"), "methods.full.learning_rate: "),
    study("negative-rate", with_line("methods.full", "learning_rate = -1e-5"), "methods.full.learning_rate: "),
    study("nan-interval", with_line("study", "save_seconds = nan"), "study.save_seconds: "),
    study("seed-twice", with_line("study", "seeds = [1, 1]"), "study.seeds: names the same seed twice"),
    study("no-seeds", with_line("study", "seeds = []"), "study.seeds: is empty"),
    study("seed-text", with_line("study", 'seeds = ["a"]'), "study.seeds.0: "),
    study("rank-zero", with_line("methods.lora", "ranks = [0]"), "methods.lora.ranks.0: "),
    study("rank-huge", with_line("methods.lora", f"ranks = [{10**30}]"), "methods.lora.ranks.0: "),
    study("training", with_line("study", 'training = "fast"'), "study.training: "),
    study("thinking", with_line("protocol", 'thinking = "maybe"'), "protocol.thinking: "),
    study("dtype", with_line("protocol", 'dtype = "int3"'), "protocol.dtype: "),
    study("serving-mode", with_line("serving.x", 'mode = "fast"'), r"serving\.x\.mode: "),
    study("endpoint-no-url", with_line("serving.x", 'mode = "endpoint"'), "an endpoint needs a url"),
    study("margin", with_line("gate", 'quality = "a lot"'), "gate"),
    study(
        "expect-both", GOOD + '[[expect]]\ncell = "*"\nmetric = "accuracy"\nat_least = 1\nat_most = 1\n', "expect.0: "
    ),
    study("expect-metric", GOOD + '[[expect]]\ncell = "*"\nmetric = "beauty"\nat_least = 1\n', "beauty"),
    study("expect-nan", GOOD + '[[expect]]\ncell = "*"\nmetric = "accuracy"\nat_least = nan\n', "expect.0.at_least: "),
    study("date", with_line("study", "train_examples = 2026-01-01"), "study.train_examples: "),
)

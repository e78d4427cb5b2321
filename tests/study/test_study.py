"""Study files: defaults, the shipped ones, and one-line errors that name file and key."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tunescale_core.errors import StudyError
from tunescale_core.study.loading import load, locate
from tunescale_core.study.method import ATTENTION, Method
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.study import Study
from tunescale_core.study.task_data import Purpose

HEAD = '[study]\nname = "s"\n'
MODEL = '[models.m]\nsource = "embedded:mini-small"\n'
FULL = "[methods.full]\n"
TASK = "[tasks.arc]\n"
PURPOSES: tuple[Purpose, ...] = ("train", "eval", "dev")
WAYS = ("eager", "static", "thinking-on", "4bit")


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    """Return the message a study file is refused with, less the file's name, having checked its form."""
    path = written(folder, text)
    with pytest.raises(StudyError) as caught:
        load(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_defaults(tmp_path: Path) -> None:
    """A file that declares only what it must gets the documented defaults."""
    study = load(str(written(tmp_path, HEAD + MODEL + FULL + TASK)))
    assert study.name == "s"
    assert (study.study.seeds, study.study.train_examples, study.study.eval_examples) == ((0,), 1000, 200)
    assert (study.study.dev_examples, study.study.decontaminate) == (60, None)
    assert study.methods["full"] == Method()
    assert study.protocol == Protocol()
    assert (study.tasks["arc"].data, study.tasks["arc"].target) == ("embedded", "answer")
    assert study.models["m"].methods is None
    assert study.expect == ()
    assert study.folder == tmp_path


def test_method_defaults_are_the_papers() -> None:
    """A method with nothing declared is the paper's recipe."""
    method = Method()
    assert (method.learning_rate, method.epochs, method.batch, method.accumulation) == (1e-5, 1.0, 1, 8)
    assert (method.warmup, method.schedule, method.max_length, method.loss) == (0.06, "linear", 1024, "all")
    assert (method.alpha, method.dropout, method.target_modules) == (16.0, 0.1, ATTENTION)
    assert method.activation_checkpointing


@pytest.mark.parametrize("name", ["mini", "paper"])
def test_shipped_studies_load_by_name(name: str) -> None:
    """Each study that ships is found by its name and carries it."""
    study = load(name)
    assert study.name == name
    assert study.folder == locate(name).parent


def test_shipped_studies_ask_the_paper_tasks() -> None:
    """Both shipped studies tune and evaluate on the same three tasks."""
    assert set(load("mini").tasks) == set(load("paper").tasks) == {"arc", "openmath", "squad_v2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "seed = 1\n" + MODEL + FULL + TASK, "study.seed: unknown key; is it seeds?"),
        (
            HEAD + MODEL + FULL + "learning_rat = 1\n" + TASK,
            "methods.full.learning_rat: unknown key; is it learning_rate?",
        ),
        (HEAD + MODEL + FULL + TASK + "[protocl]\n", "protocl: unknown key; is it protocol?"),
        ('folder = "/"\n' + HEAD + MODEL + FULL + TASK, "folder: unknown key"),
    ],
)
def test_unknown_keys_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """A key that no table knows is an error which names its full path, and nothing else."""
    assert refusal(tmp_path, text) == said


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (HEAD + MODEL + "[methods.lora]\nranks = []\n" + TASK, "methods.lora.ranks", "is empty"),
        (HEAD + MODEL + "[methods.lora]\nranks = [4, 8, 4]\n" + TASK, "methods.lora.ranks", "twice"),
        (HEAD + MODEL + "[methods.lora]\nranks = [0]\n" + TASK, "methods.lora.ranks", "greater than or equal to 1"),
        (HEAD + MODEL + "[methods.lora]\nranks = [4]\ntarget_modules = []\n" + TASK, "target_modules", "is empty"),
        (HEAD + "seeds = []\n" + MODEL + FULL + TASK, "study.seeds", "is empty"),
        (HEAD + "seeds = [1, 1]\n" + MODEL + FULL + TASK, "study.seeds", "same seed twice"),
        (HEAD + "seeds = [-1]\n" + MODEL + FULL + TASK, "study.seeds", "greater than or equal to 0"),
        (HEAD + "eval_examples = 0\n" + MODEL + FULL + TASK, "study.eval_examples", "(given: 0)"),
        (HEAD + MODEL + 'methods = ["lora"]\n' + FULL + TASK, "models.m.methods", "'lora' is not declared"),
        (HEAD + MODEL + FULL + "[tasks.chess]\n", "tasks.chess", "no task 'chess'; known are arc"),
        (HEAD + MODEL + FULL + '[tasks.arc]\ntask = "go"\n', "tasks.arc", "no task 'go'"),
        (HEAD + MODEL + FULL + "alpha = 4\n" + TASK, "methods.full", "alpha is a setting of LoRA"),
        (HEAD + MODEL + "[methods.lora]\ndropout = 0.5\n" + TASK, "methods.lora", "dropout is a setting of LoRA"),
        (HEAD + MODEL + "[methods.lora]\n" + TASK, "methods.lora", "a LoRA needs ranks"),
        (
            HEAD + MODEL + "[methods.full]\nranks = [4]\n" + TASK,
            "methods.full",
            "full means that all",
        ),
        (HEAD + MODEL + "[methods.base]\nlearning_rate = 1\n" + TASK, "methods.base", "has no settings"),
        (HEAD + MODEL + FULL + "learning_rate = 0\n" + TASK, "methods.full.learning_rate", "greater than 0"),
        (HEAD + "seeds = 1\n" + MODEL + FULL + TASK, "study.seeds", "is not a list: write it in brackets, as [1]"),
        (HEAD + MODEL + FULL + TASK + '[expect]\ncell = "*"\n', "expect", "is one table: write [[expect]]"),
        (HEAD + '[models.m]\nsorce = "x"\n' + FULL + TASK, "models.m.sorce", "unknown key; is it source?"),
        (
            HEAD + MODEL + '[methods.lora]\nranks = [4]\ntarget_modules = "q_proj"\n' + TASK,
            "methods.lora.target_modules",
            "is not a list: write it in brackets",
        ),
        (
            HEAD + MODEL + '[methods.lora]\nranks = [4]\ntarget_modules = ["all-linear"]\n' + TASK,
            "methods.lora.target_modules",
            'write "all-linear", without brackets',
        ),
        (HEAD + "seeds = [4294967296]\n" + MODEL + FULL + TASK, "study.seeds", "less than 4294967296"),
        (HEAD + MODEL + "[methods.lora]\nranks = [2]\npeft = { r = 8 }\n" + TASK, "methods.lora", "say it by ranks"),
        (
            HEAD + MODEL + "[methods.lora]\nranks = [2]\npeft = { lora_alpha = 8 }\n" + TASK,
            "methods.lora",
            "say it by alpha",
        ),
        (
            HEAD + MODEL + FULL + TASK + "[protocol]\nmin_new_tokens = 9\nmax_new_tokens = 8\n",
            "protocol",
            "min_new_tokens is 9, and max_new_tokens 8",
        ),
        (
            HEAD + MODEL + FULL + TASK + "[serving.batch-8]\nbatch = 4\n",
            "serving.batch-8",
            "its name says batch 8, and batch is 4",
        ),
        (
            HEAD + MODEL + FULL + TASK + '[serving.mine]\nmode = "endpoint"\nurl = "localhost:8000"\n',
            "serving.mine",
            "does not begin with http:// or https://",
        ),
        (HEAD + MODEL + FULL + 'learning_rate = "1e-3"\n' + TASK, "methods.full.learning_rate", "valid number"),
        (HEAD + 'eval_examples = "20"\n' + MODEL + FULL + TASK, "study.eval_examples", "valid integer"),
        (HEAD + MODEL + FULL + 'loss = "some"\n' + TASK, "methods.full.loss", "'completion'"),
        (HEAD + FULL + TASK, "models", "required"),
        (HEAD + MODEL + FULL, "tasks", "required"),
        (HEAD + "[models.m]\n" + FULL + TASK, "models.m.source", "required"),
        (HEAD + '[models."a/b"]\nsource = "x"\n' + FULL + TASK, "models.a/b", "pattern"),
        (MODEL + FULL + TASK, "study", "required"),
        (HEAD + MODEL + FULL + TASK + '[[expect]]\ncell = "*"\nmetric = "f1"\n', "expect.0", "exactly one"),
        (
            HEAD + MODEL + FULL + TASK + '[[expect]]\ncell = "*"\nmetric = "f1"\nat_least = 0.1\nat_most = 0.2\n',
            "expect.0",
            "exactly one",
        ),
    ],
)
def test_bad_values_are_refused_by_key(tmp_path: Path, text: str, key: str, reason: str) -> None:
    """A value that cannot be used is refused in one line that names the key and the reason."""
    message = refusal(tmp_path, text)
    assert key in message.partition(": ")[0]
    assert reason in message.partition(": ")[2]


@pytest.mark.parametrize("content", [b"[study\nname", b"\xff\xfe"])
def test_bad_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is not TOML is refused in one line that names the file."""
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match="cannot be read as TOML") as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    path = tmp_path / "none.toml"
    with pytest.raises(StudyError) as caught:
        load(str(path))
    assert str(caught.value) == f"study file {path} does not exist"


def test_unknown_name_is_refused() -> None:
    """A name that no shipped study has is met with those there are."""
    with pytest.raises(StudyError, match=r"no study is called 'nope'; known are fair, mini-fair, mini, paper, shapes"):
        load("nope")


def test_studies_are_frozen(tmp_path: Path) -> None:
    """No part of a loaded study can be given another value."""
    study = load(str(written(tmp_path, HEAD + MODEL + FULL + TASK)))
    for part in (study, study.study, study.models["m"], study.methods["full"], study.tasks["arc"], study.protocol):
        field = next(iter(type(part).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, getattr(part, field))


def test_overrides_are_laid_over_the_file(tmp_path: Path) -> None:
    """An override replaces its own key, in a table the file lacks too, and leaves the others."""
    path = written(tmp_path, HEAD + "train_examples = 5\neval_examples = 6\n" + MODEL + FULL + TASK)
    study = load(str(path), {"study": {"eval_examples": 2}, "protocol": {"max_new_tokens": 3}})
    assert (study.study.train_examples, study.study.eval_examples, study.protocol.max_new_tokens) == (5, 2, 3)


def test_overrides_are_validated(tmp_path: Path) -> None:
    """An override that cannot be used is refused like a value of the file."""
    path = written(tmp_path, HEAD + MODEL + FULL + TASK)
    with pytest.raises(StudyError, match=r"mine\.toml: study\.eval_examples: .*given: 0"):
        load(str(path), {"study": {"eval_examples": 0}})


def test_a_task_may_be_declared_under_another_name() -> None:
    """A table may carry any name as long as its `task` is known."""
    content = {"study": {"name": "s"}, "models": {"m": {"source": "x"}}, "tasks": {"mine": {"task": "arc"}}}
    assert Study.model_validate(content).tasks["mine"].task == "arc"


@pytest.mark.parametrize(("n", "allowed"), [(2, True), (13, True), (1, False), (0, False)])
def test_decontamination_takes_at_least_two_words(tmp_path: Path, n: int, *, allowed: bool) -> None:
    """One word on end is no trace of a question, so that n starts at two."""
    text = HEAD + f"decontaminate = {n}\n" + MODEL + TASK
    if allowed:
        assert load(str(written(tmp_path, text))).study.decontaminate == n
    else:
        assert refusal(tmp_path, text).startswith("study.decontaminate: ")


def test_what_is_not_given_for_a_task_is_the_studys(tmp_path: Path) -> None:
    """A task is of the kind it is called after, with as many examples as the study wants, unless it says otherwise."""
    head = HEAD + "train_examples = 7\neval_examples = 5\ndev_examples = 3\n"
    own = '[tasks.mine]\ntask = "squad_v2"\neval_examples = 2\n'
    study = load(str(written(tmp_path, head + MODEL + FULL + TASK + own)))
    assert (study.kind("arc"), study.kind("mine")) == ("arc", "squad_v2")
    assert [study.examples("arc", purpose) for purpose in PURPOSES] == [7, 5, 3]
    assert [study.examples("mine", purpose) for purpose in PURPOSES] == [7, 2, 3]


def test_eager_is_a_way_of_serving_that_is_not_declared(tmp_path: Path) -> None:
    """Every way is asked for in the same words: eager has the protocol's thinking and answers of its own kind."""
    ways = "[serving.static]\n[serving.thinking-on]\n[serving.4bit]\n"
    study = load(str(written(tmp_path, HEAD + MODEL + FULL + TASK + ways)))
    told = {way: (study.served(way).mode, study.thinking(way), study.answers_otherwise(way)) for way in WAYS}
    assert told == {
        "eager": ("eager", "free", False),
        "static": ("static", "free", False),
        "thinking-on": ("eager", "on", True),
        "4bit": ("eager", "free", True),
    }


def test_a_trial_has_no_number_of_questions_of_its_own(tmp_path: Path) -> None:
    """Trials are judged by the study's development questions: a file that gives them others is told where to."""
    text = HEAD + MODEL + FULL + TASK + "[trials]\ndev_examples = 20\n"
    assert refusal(tmp_path, text) == "trials: dev_examples is the study's: give it under [study]"


@pytest.mark.parametrize(("key", "value"), [("dev_skip", -1), ("dev_examples", 0), ("dev_split", 3)])
def test_development_rows_are_validated(tmp_path: Path, key: str, value: int) -> None:
    """A number or a split that cannot be is refused by its key."""
    assert refusal(tmp_path, HEAD + MODEL + TASK + f"{key} = {value}\n").startswith(f"tasks.arc.{key}: ")


@pytest.mark.parametrize("value", ["0.6", "101"])
def test_a_threshold_in_another_unit_is_refused(tmp_path: Path, value: str) -> None:
    """F1 is in percent: a bar of 0.6, which any model passes, is an error as it is in advice."""
    expect = f'[[expect]]\ncell = "m-*"\nmetric = "f1"\nat_least = {value}\n'
    said = refusal(tmp_path, HEAD + MODEL + FULL + "[tasks.squad_v2]\n" + expect)
    assert said == "expect.0: f1 is in percent, so 60 for 60 %"


@pytest.mark.parametrize(
    ("key", "margin", "said"),
    [
        ("arc.macro_f1", "-2", "macro_f1 is a share from 0 to 1"),
        ("parse_rate", "-3", "parse_rate is a share from 0 to 1"),
        ("squad_v2.f1", "-100", "f1 is in percent"),
        ("arc.accuracy", "-200%", "nothing falls by more than all of it"),
        ("pace", "+3", "a pace is a ratio, and +3% allows 3 % more of it"),
    ],
)
def test_a_margin_that_allows_anything_is_refused(tmp_path: Path, key: str, margin: str, said: str) -> None:
    """A margin in another unit than its figure's would switch the gate off, and the gate would hold."""
    text = HEAD + MODEL + FULL + TASK + f'[tasks.squad_v2]\n[gate]\n{key} = "{margin}"\n'
    assert refusal(tmp_path, text) == f"gate.{key}: '{margin}' allows anything, or nearly: {said}"


@pytest.mark.parametrize(
    ("key", "margin"), [("arc.macro_f1", "-0.02"), ("squad_v2.f1", "-1"), ("tokens", "+300"), ("arc.accuracy", "±100%")]
)
def test_a_margin_of_its_figures_unit_is_taken(tmp_path: Path, key: str, margin: str) -> None:
    """Shares, percent and counts each have margins of their own size."""
    text = HEAD + MODEL + FULL + TASK + f'[tasks.squad_v2]\n[gate]\n{key} = "{margin}"\n'
    assert load(str(written(tmp_path, text))).gate.margins == {key: margin}

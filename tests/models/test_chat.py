"""Chat templates: whatever their makers thought of, they pass on all that a task says."""

import json
from pathlib import Path

import pytest

from tests.families import TEMPLATES, tokenizer_with
from tunescale_core.errors import ModelError
from tunescale_core.models.chat import (
    BOS,
    DATED,
    FOLDING,
    MINIMAL_TEMPLATE,
    PARTING,
    is_ours,
    rendered,
    tokenizer_of,
)

TOLD, ASKED = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}
PLAIN = "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
STRICT = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + PLAIN
DEAF = "{% for message in messages if message.role != 'system' %}<{{ message.role }}>{{ message.content }}{% endfor %}"
LAST = (
    "{% set told = messages[0].content if messages[0].role == 'system' else '' %}{% for message in messages %}"
    "{% if message.role != 'system' %}<{{ message.role }}>{% if message.role == 'user' and loop.last %}{{ told }} "
    "{% endif %}"
    "{{ message.content }}{% endif %}{% endfor %}"
)
IN_PARTS = (
    "{% for message in messages %}<{{ message.role }}>{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}"
)
STRICT_IN_PARTS = STRICT.replace(PLAIN, IN_PARTS)
MUTE = "{% for message in messages %}<{{ message.role }}>{% endfor %}"
PUBLISHED = sorted(path.stem for path in TEMPLATES.glob("*.jinja") if "training" not in path.stem)


def saved(folder: Path, template: str | None, *, bos: bool = False) -> Path:
    tokenizer_with(template, bos=bos).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (PLAIN, "<system>Be brief.<user>Hi"),
        (STRICT, "<user>Be brief.\n\nHi"),
        (DEAF, "<user>Be brief.\n\nHi"),
        (LAST, "<user> Be brief.\n\nHi"),
        (IN_PARTS, "<system>Be brief.<user>Hi"),
        (STRICT_IN_PARTS, "<user>Be brief.\n\nHi"),
    ],
    ids=[
        "plain",
        "refuses system messages",
        "drops system messages",
        "tells the last",
        "in parts",
        "in parts, refuses",
    ],
)
def test_what_a_task_says_is_passed_on(template: str, said: str, tmp_path: Path) -> None:
    """A system message that a template refuses or drops begins the user's; a template that wants parts gets them."""
    tokenizer = tokenizer_of(saved(tmp_path, template))
    assert rendered(tokenizer, [TOLD, ASKED]) == said
    assert "".join(rendered(tokenizer, [ASKED]).split()) == "<user>Hi"
    answered = rendered(tokenizer, [TOLD, ASKED, {"role": "assistant", "content": "Yo"}], asking=False)
    assert answered.index("Be brief.") < answered.index("Hi") < answered.index("<assistant>")


def test_a_template_of_ones_own_stays_as_it_is(tmp_path: Path) -> None:
    """Nothing is put before a template that takes what is said."""
    template = tokenizer_of(saved(tmp_path, PLAIN)).chat_template
    assert template == PLAIN
    assert not is_ours(PLAIN)
    assert all(map(is_ours, (FOLDING + PLAIN, PARTING + PLAIN, MINIMAL_TEMPLATE, BOS + MINIMAL_TEMPLATE)))


@pytest.mark.parametrize(("form", "told"), [("%d %b %Y", "01 Jan 2025"), ("%Y-%m-%d", "2025-01-01")])
def test_todays_date_is_no_part_of_a_question(form: str, told: str, tmp_path: Path) -> None:
    """A template that tells the date, as Llama 3.2's and gpt-oss's do, tells the same one every day; saved, once."""
    template = "{% if strftime_now is defined %}Today: {{ strftime_now('" + form + "') }}\n{% endif %}" + PLAIN
    tokenizer = tokenizer_of(saved(tmp_path / "base", template))
    assert rendered(tokenizer, [ASKED]).startswith(f"Today: {told}\n")
    assert tokenizer.chat_template == DATED + template
    assert is_ours(str(tokenizer.chat_template))
    tokenizer.save_pretrained(tmp_path / "tuned")
    assert tokenizer_of(tmp_path / "tuned").chat_template == DATED + template


def test_a_date_is_settled_once(tmp_path: Path) -> None:
    """A template that also knows no system messages is the same when it is saved and opened again."""
    template = "{{ strftime_now('%Y') }}" + STRICT
    first = tokenizer_of(saved(tmp_path / "base", template))
    assert first.chat_template == FOLDING + DATED + template
    first.save_pretrained(tmp_path / "tuned")
    assert tokenizer_of(tmp_path / "tuned").chat_template == first.chat_template


def test_a_tuned_model_keeps_what_was_put_before_its_template(tmp_path: Path) -> None:
    """A tokenizer that is saved and opened again is talked to as before."""
    first = tokenizer_of(saved(tmp_path / "base", STRICT))
    first.save_pretrained(tmp_path / "tuned")
    assert tokenizer_of(tmp_path / "tuned").chat_template == first.chat_template


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (MUTE, "leaves out what a user says; "),
        ("{{ raise_exception('no') }}", r"fails \(TemplateError: no\); "),
        ("{{ messages[0].content + 1 }}", r"fails \(TypeError: "),
    ],
    ids=["mute", "fails", "errs"],
)
def test_a_template_without_the_question_is_refused(template: str, said: str, tmp_path: Path) -> None:
    """A template that leaves out what a user says, or fails on it, is one line that names the model."""
    with pytest.raises(ModelError, match=f"^the chat template of {tmp_path} {said}"):
        tokenizer_of(saved(tmp_path, template))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_templates_pass_everything_on(name: str, tmp_path: Path) -> None:
    """Each chat template that TRL ships of a published model passes on the task's instruction and the question."""
    template = (TEMPLATES / f"{name}.jinja").read_text()
    said = rendered(tokenizer_of(saved(tmp_path, template, bos=True)), [TOLD, ASKED])
    assert said.index("Be brief.") < said.rindex("Hi")


def test_of_named_templates_the_default_is_used(tmp_path: Path) -> None:
    """A tokenizer with several templates is talked to in the one called default."""
    folder = saved(tmp_path, None)
    path = folder / "tokenizer_config.json"
    named = [{"name": "default", "template": STRICT}, {"name": "tool_use", "template": MUTE}]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": named}))
    assert tokenizer_of(folder).chat_template == FOLDING + STRICT


def test_a_processors_template_is_the_models(tmp_path: Path) -> None:
    """A model that sees, whose template lies where processors have it, is not given the minimal one."""
    folder = saved(tmp_path, None)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": IN_PARTS}))
    assert tokenizer_of(folder).chat_template == PARTING + IN_PARTS
    (folder / "chat_template.json").write_text("[]")
    with pytest.raises(ModelError, match=r"chat_template\.json holds no chat template"):
        tokenizer_of(folder)


@pytest.mark.parametrize("bos", [False, True])
def test_a_tokenizer_without_template_is_given_one(tmp_path: Path, *, bos: bool) -> None:
    """It gets the minimal template, after BOS where it begins all texts so, and pads with its EOS."""
    tokenizer = tokenizer_of(saved(tmp_path, None, bos=bos))
    assert tokenizer.pad_token == tokenizer.eos_token
    assert tokenizer.chat_template == (BOS if bos else "") + MINIMAL_TEMPLATE
    said = rendered(tokenizer, [ASKED])
    assert said == ("<s>" if bos else "") + "user:\nHi\nassistant:\n"
    assert tokenizer("user").input_ids[0] == tokenizer(said, add_special_tokens=False).input_ids[0]


@pytest.mark.parametrize("answer", ["\\boxed{A}", "It is 4.\n\\boxed{4}", " x", "é"])
def test_under_the_minimal_template_an_answer_ends(small: Path, answer: str) -> None:
    """The tokens of a prompt and answer begin with the prompt's, and an answer ends in EOS: it is taught."""
    tokenizer = tokenizer_of(small)
    tokenizer.chat_template = MINIMAL_TEMPLATE
    whole = [TOLD, ASKED, {"role": "assistant", "content": answer}]
    prompt = tokenizer.apply_chat_template([TOLD, ASKED], add_generation_prompt=True, return_dict=False)
    tokens = tokenizer.apply_chat_template(whole, return_dict=False)
    assert tokens[: len(prompt)] == prompt
    assert tokenizer.decode(tokens[len(prompt) :]) == f"{answer}{tokenizer.eos_token}\n"
    assert tokenizer.eos_token_id in tokens[len(prompt) :]


@pytest.mark.parametrize("damage", [b"garbage", b""])
def test_a_broken_tokenizer_is_one_line(small: Path, damage: bytes) -> None:
    """A tokenizer that cannot be read is a model error in one line that names the folder."""
    (small / "tokenizer_config.json").write_bytes(damage)
    with pytest.raises(ModelError, match=f"model folder {small} cannot be opened: ") as caught:
        tokenizer_of(small)
    assert "\n" not in str(caught.value)

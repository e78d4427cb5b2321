"""A real server, on loopback, says what eager decoding says."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Served, serving
from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.completion import Completion
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.decoding.endpoint import Endpoint
from tunescale_core.errors import EndpointError
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import Opened, open_model
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Thinking
from tunescale_core.tasks.task import Message

LIMIT = 120
FOLDER = resolve(Model(source="embedded:mini-small"), Path()).folder


@pytest.fixture(scope="module")
def server_of_mini(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a server of the small embedded model, which samples unless told not to."""
    folder = tmp_path_factory.mktemp("serve")
    model = shutil.copytree(FOLDER, folder / "model")
    config = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps({**config, "do_sample": True, "temperature": 5.0}))
    with serving(model, folder) as served:
        yield served


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    """Return what is served, opened here; on one thread as there, since two wait for each other on busy cores."""
    import torch

    before = torch.get_num_threads()
    yield open_model(FOLDER, Protocol(dtype="float32", threads=1))
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def questions() -> list[tuple[Message, ...]]:
    """Return six of the embedded study's questions, two a task."""
    return [
        example.messages
        for task in ("arc", "openmath", "squad_v2")
        for example in load_examples(load("mini"), task, "eval").rows[:2]
    ]


def eager(
    opened: Opened, questions: list[tuple[Message, ...]], thinking: Thinking = "free", least: int = 0
) -> list[Completion]:
    decoder = EagerDecoder(opened, Protocol(max_new_tokens=LIMIT, min_new_tokens=least, thinking=thinking))
    calls = [decoder.prepare([messages]) for messages in questions]
    for call in calls:
        decoder.run(call)
    return [decoder.completions(call)[0] for call in calls]


def served(opened: Opened, server_of_mini: Served, **options: Any) -> Endpoint:
    count = EagerDecoder(opened, Protocol(max_new_tokens=LIMIT)).reader.count
    return Endpoint(
        server_of_mini.url, **{"model": server_of_mini.model, "max_new_tokens": LIMIT, "count": count, **options}
    )


def alike(one: Completion) -> tuple[object, ...]:
    return one.text, one.tokens, one.finish, one.reasoning_tokens


@pytest.mark.slow
def test_a_server_says_what_eager_decoding_says(
    server_of_mini: Served, opened: Opened, questions: list[tuple[Message, ...]]
) -> None:
    """In fp32, a server's greedy answers are eager decoding's token for token, alone and several at a time."""
    expected = [alike(one) for one in eager(opened, questions)]
    assert len({text for text, *_ in expected}) > 3
    asking = served(opened, server_of_mini)
    asking.check()
    alone = [asking.ask(messages) for messages in questions]
    together = dict(asking.together(questions, 3))
    assert [alike(one) for one in alone] == expected
    assert [alike(together[place]) for place in range(len(questions))] == expected
    for one in (*alone, *together.values()):
        assert 0 < (one.first_token_seconds or 0) < (one.seconds or 0)
        assert one.tokens > 0


@pytest.mark.slow
def test_thinking_off_reaches_the_chat_template(
    server_of_mini: Served, opened: Opened, questions: list[tuple[Message, ...]]
) -> None:
    """Told not to think, a server says what eager decoding says after a prompt with a blank thought."""
    asking = served(opened, server_of_mini, thinking="off")
    said = [alike(asking.ask(messages)) for messages in questions]
    assert said == [alike(one) for one in eager(opened, questions, "off")]


@pytest.mark.slow
def test_a_server_keeps_to_a_length(
    server_of_mini: Served, opened: Opened, questions: list[tuple[Message, ...]]
) -> None:
    """Asked by its own name for it, a real server forces a length, and says what eager decoding says then."""
    config = {"min_new_tokens": 60, "eos_token_id": opened.model.generation_config.eos_token_id}
    asking = served(opened, server_of_mini, min_new_tokens=60, body={"generation_config": json.dumps(config)})
    expected = [alike(one) for one in eager(opened, questions, least=60)]
    assert expected != [alike(one) for one in eager(opened, questions)]
    assert [alike(asking.ask(messages)) for messages in questions] == expected


@pytest.mark.slow
def test_a_served_limit_ends_an_answer(
    server_of_mini: Served, opened: Opened, questions: list[tuple[Message, ...]]
) -> None:
    """An answer that reaches the limit has that many tokens and says that its length ended it."""
    one = served(opened, server_of_mini, max_new_tokens=2).ask(questions[2])
    assert (one.tokens, one.finish) == (2, "length")


@pytest.mark.slow
def test_a_server_with_another_model_says_so(server_of_mini: Served, opened: Opened) -> None:
    """A check for a model that a real server does not hold ends in one line that names it."""
    with pytest.raises(EndpointError, match="'other'") as caught:
        served(opened, server_of_mini, model="other").check()
    assert len(str(caught.value).splitlines()) == 1

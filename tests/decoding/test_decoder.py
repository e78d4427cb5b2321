"""Greedy decoding: batches like single calls, and what is timed."""

from pathlib import Path

import pytest

from tunescale_core.data.examples import load_examples
from tunescale_core.decoding.completion import Completion
from tunescale_core.decoding.decoder import EagerDecoder as Decoder
from tunescale_core.embedded.tokenizer import TURN_END
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import Opened, open_model
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.tasks import PAPERS, TASKS
from tunescale_core.tasks.task import Message

LIMIT = 12
PROMPTS = [
    TASKS["arc"].prompt("Which of these is a bird?"),
    TASKS["openmath"].prompt("Tom has 5 eggs. Then Tom buys 3. How many eggs does Tom have?"),
    TASKS["squad_v2"].prompt("Where does Mara work?"),
    ({"role": "user", "content": "Hi"},),
    TASKS["squad_v2"].prompt("Passage: Mara works at the mill. Odo keeps a goat.\nQuestion: What does Odo keep?"),
]


@pytest.fixture(scope="module")
def opened() -> Opened:
    """Return the small embedded model in fp32."""
    return open_model(resolve(Model(source="embedded:mini-small"), Path()).folder, Protocol(dtype="float32"))


@pytest.fixture
def decoder(opened: Opened) -> Decoder:
    """Return a decoder that stops after a few tokens."""
    return Decoder(opened, Protocol(max_new_tokens=LIMIT))


def called(decoder: Decoder, messages: tuple[Message, ...]) -> Completion:
    call = decoder.prepare([messages])
    decoder.run(call)
    return decoder.completions(call)[0]


def test_batches_say_what_single_calls_say(decoder: Decoder) -> None:
    """In fp32, batched completions equal the single calls', at their own places, in every batch size."""
    single = [called(decoder, prompt) for prompt in PROMPTS]
    assert len({one.text for one in single}) == len(PROMPTS)
    for size in (1, 2, len(PROMPTS)):
        together = dict(decoder.batched(PROMPTS, size))
        assert sorted(together) == list(range(len(PROMPTS)))
        for place, one in enumerate(single):
            batched = together[place]
            assert (batched.text, batched.tokens, batched.finish) == (one.text, one.tokens, one.finish)
            assert batched.reasoning_tokens == one.reasoning_tokens


@pytest.mark.parametrize("task", [task.name for task in PAPERS])
def test_a_studys_questions_are_answered_alike_in_batches(opened: Opened, task: str) -> None:
    """In fp32, every whole answer of the embedded study's first questions is the same in a batch as alone."""
    decoder = Decoder(opened, Protocol(max_new_tokens=160))
    prompts = [example.messages for example in load_examples(load("mini"), task, "eval").rows[:8]]
    together = dict(decoder.batched(prompts, 8))
    assert [together[place].text for place in range(8)] == [called(decoder, prompt).text for prompt in prompts]


def test_a_call_is_repeated_exactly(decoder: Decoder) -> None:
    """Greedy decoding gives the same text for the same prompt."""
    assert called(decoder, PROMPTS[0]).text == called(decoder, PROMPTS[0]).text


def test_only_single_calls_are_timed(decoder: Decoder) -> None:
    """The first token comes after some time and before the last; a batch notes no time."""
    one = called(decoder, PROMPTS[0])
    assert one.seconds is not None
    assert one.first_token_seconds is not None
    assert 0 < one.first_token_seconds < one.seconds
    for _, batched in decoder.batched(PROMPTS[:2], 2):
        assert batched.seconds is None
        assert batched.first_token_seconds is None


@pytest.mark.parametrize("limit", [1, LIMIT])
def test_the_limit_ends_a_completion(opened: Opened, limit: int) -> None:
    """A completion that reaches max_new_tokens has that many tokens and says that its length ended it."""
    one = called(Decoder(opened, Protocol(max_new_tokens=limit)), PROMPTS[1])
    assert (one.finish, one.tokens) == ("length", limit)


@pytest.mark.parametrize("ends", [1, 3])
def test_an_end_marker_ends_a_completion(decoder: Decoder, ends: int) -> None:
    """Text stops before the first end marker, which counts as a token; padding after it does not."""
    tokenizer = decoder.opened.tokenizer
    end = tokenizer.convert_tokens_to_ids(TURN_END)
    ids = tokenizer("so it is \\boxed{5}", add_special_tokens=False).input_ids
    one = decoder.reader.read([*ids, *[end] * ends, tokenizer.pad_token_id])
    assert (one.text, one.tokens, one.finish) == ("so it is \\boxed{5}", len(ids) + 1, "stop")
    assert one.reasoning_tokens == len(tokenizer("so it is", add_special_tokens=False).input_ids)


def test_thought_markers_survive_decoding(decoder: Decoder) -> None:
    """`<think>` stays in the text although it is a special token; padding goes."""
    tokenizer = decoder.opened.tokenizer
    ids = tokenizer("<|pad|><think>hm</think>\\boxed{5}", add_special_tokens=False).input_ids
    assert decoder.reader.read(ids).text == "<think>hm</think>\\boxed{5}"


def test_nothing_is_sampled(opened: Opened) -> None:
    """A model that asks for sampling is decoded greedily all the same."""
    opened.model.generation_config.do_sample = True
    opened.model.generation_config.temperature = 5.0
    decoder = Decoder(opened, Protocol(max_new_tokens=LIMIT))
    for config in (decoder.config, opened.model.generation_config):
        assert config.do_sample is False
        assert config.temperature is None
    assert len({called(decoder, PROMPTS[1]).text for _ in range(3)}) == 1


def test_a_call_must_run_before_it_says_anything(decoder: Decoder) -> None:
    """Asking an unfinished call for its completion raises."""
    with pytest.raises(RuntimeError, match="has not been run"):
        decoder.completions(decoder.prepare(PROMPTS[:1]))

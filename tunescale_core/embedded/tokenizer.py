"""The miniature family's tokenizer: a small byte-level BPE with Qwen3's chat markers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from tunescale_core.embedded.mixture import documents
from tunescale_core.embedded.world import THINGS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 1024
END_OF_TEXT, TURN_START, TURN_END, PAD = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
MARKERS = (END_OF_TEXT, TURN_START, TURN_END, PAD, "<think>", "</think>")
SAMPLE = 6000
"""Documents of the mixture that the merges are learnt from."""

CHAT_TEMPLATE = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}
{%- endif %}
{%- endif %}
"""


def train_tokenizer(seed: int, extra: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """Learn the merges from the mixture, the world's names and `extra` texts; digits and braces stay single tokens."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            # `{}` as one token would ask for "no answer" a token before an answer is looked for.
            pre_tokenizers.Split(Regex("[{}]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(MARKERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(seed, extra), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def _texts(seed: int, extra: tuple[str, ...]) -> Iterator[str]:
    names = "".join(f" {thing.name}" for thing in THINGS)
    yield from (*extra, names) * 50
    for document in islice(documents(seed), SAMPLE):
        yield f"{document.system}\n{document.user}\nuser\nassistant\nsystem\n{document.assistant}"

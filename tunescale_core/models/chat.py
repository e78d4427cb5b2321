"""How a model is talked to: its tokenizer, and its chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tunescale_core.errors import ModelError
from tunescale_core.exhausted import telling
from tunescale_core.models.trusted import is_trusted, reason
from tunescale_core.reading import json_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BOS = "{{ bos_token }}"
MINIMAL_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:\n{{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:\\n' }}{% endif %}"
)
"""For a tokenizer without a chat template of its own (the paper, sec. 2, uses one as small). An answer ends in EOS, or
tuning would teach no end; and in a line of its own, so that a prompt's tokens are those that the whole begins with."""
FOLDING = (
    "{%- if messages | length > 1 and messages[0].role == 'system' -%}"
    "{%- set messages = [{'role': messages[1].role, 'content': messages[0].content + '\n\n' + messages[1].content}]"
    " + messages[2:] -%}{%- endif -%}"
)
"""Put before a template that knows no system messages: what such a message says begins the first of the user's."""
PARTING = (
    "{%- set parted = namespace(messages=[]) -%}{%- for message in messages -%}{%- set parted.messages = "
    "parted.messages + [{'role': message.role, 'content': [{'type': 'text', 'text': message.content}]}] -%}"
    "{%- endfor -%}{%- set messages = parted.messages -%}"
)
"""Put before a template that takes content in parts alone, images among them: a text is its only part."""
CLOCK = "strftime_now"
DATED = (
    "{%- macro " + CLOCK + "(format) -%}{{ '01 Jan 2025' if format == '%d %b %Y' else '2025-01-01' }}{%- endmacro %}"
)
"""Put before a template that tells today's date (Llama 3.2's): the same question would be another tomorrow."""
PROCESSORS = "chat_template.json"
"""Where models that see had their chat template before tokenizers did."""
TOLD = {"role": "system", "content": "sentinel-system"}
ASKED, ANSWERED = {"role": "user", "content": "sentinel-user"}, {"role": "assistant", "content": "sentinel-answer"}
"""What a template is tried with."""


def tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer that can pad, with a chat template that takes what tasks say.

    Raises:
        ModelError: It cannot be opened, or its chat template leaves out what a user says.
    """
    from transformers import AutoTokenizer

    try:
        # Unless it is told, transformers asks at the terminal whether to run what a repository brings.
        with telling(f"the tokenizer of {folder}, to be opened", folder):
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=is_trusted(folder))
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise ModelError(f"model folder {folder} cannot be opened: {reason(error)}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.chat_template = _template_for(tokenizer, _own_template(tokenizer, folder))
    return tokenizer


@lru_cache(maxsize=1)
def tokenizer_at(folder: Path) -> PreTrainedTokenizerBase:
    """Return a folder's tokenizer, for reading alone, the same object as long as no other folder's is asked for.

    A large one takes a second to load, and `datasets` keeps some of each that it maps with.

    Raises:
        ModelError: As `tokenizer_of` says.
    """
    return tokenizer_of(folder)


def rendered(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], *, asking: bool = True, **asked: bool
) -> str:
    """Return a conversation as a model reads it.

    Args:
        tokenizer: Its chat template is used.
        messages: What was said, each with `role` and `content`.
        asking: Whether an answer is to follow.
        asked: What else is told to the template: `enable_thinking`.

    Raises:
        ModelError: The template fails.
    """
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=asking, **asked))
    except (TemplateError, TypeError) as error:  # it reaches for what the sandbox keeps from it, among others
        raise ModelError(
            f"the chat template of {tokenizer.name_or_path} fails ({type(error).__name__}: {error}); "
            "correct it, or use another model"
        ) from error


def is_ours(template: str) -> bool:
    """Whether a chat template is not, or not wholly, the model's own."""
    return template.startswith((DATED, FOLDING, PARTING)) or template.endswith(MINIMAL_TEMPLATE)


def _own_template(tokenizer: PreTrainedTokenizerBase, folder: Path) -> str | None:
    """Return a model's own chat template: of several the default, of a model that sees its processor's at need."""
    held = tokenizer.chat_template
    own: str | None = held.get("default") if isinstance(held, dict) else held
    path = folder / PROCESSORS
    if own or not path.is_file():
        return own
    try:
        found: str = json_of(path.read_text(encoding="utf-8"))["chat_template"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"model folder {folder} cannot be opened: {PROCESSORS} holds no chat template") from error
    return found


def _template_for(tokenizer: PreTrainedTokenizerBase, own: str | None) -> str:
    if not own:
        begins = tokenizer.bos_token_id is not None and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
        return (BOS if begins else "") + MINIMAL_TEMPLATE
    if CLOCK in own and DATED not in own:
        own = DATED + own
    tries = [prefix + own for prefix in ("", FOLDING, PARTING, FOLDING + PARTING)]
    # With the answer too: some pass on a system message only where the user speaks last, so in no row that is learnt.
    for said in ([TOLD, ASKED, ANSWERED], [ASKED, ANSWERED], [ASKED]):
        if found := [template for template in tries if _takes(tokenizer, template, said)]:
            return found[0]
    tokenizer.chat_template = own
    rendered(tokenizer, [ASKED])  # raises where it fails
    raise ModelError(
        f"the chat template of {tokenizer.name_or_path} leaves out what a user says; correct it, or use another model"
    )


def _takes(tokenizer: PreTrainedTokenizerBase, template: str, said: list[dict[str, str]]) -> bool:
    """Whether a template passes on all that is said, and before an answer all that it answers."""
    from jinja2 import TemplateError

    for number in range(len(said) - (ANSWERED in said), len(said) + 1):
        part = said[:number]
        asking = ANSWERED not in part
        try:
            text = tokenizer.apply_chat_template(
                part, chat_template=template, tokenize=False, add_generation_prompt=asking
            )
        except (TemplateError, TypeError):
            return False
        if not all(one["content"] in str(text) for one in part):
            return False
    return True

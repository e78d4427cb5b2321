"""Where a model's turn ends, what tuning can teach of it, and what of how it is talked to is not its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import ModelError
from tunescale_core.models.architecture import config_of
from tunescale_core.models.chat import ANSWERED, ASKED, is_ours, rendered, tokenizer_at
from tunescale_core.reading import json_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BALANCING = "router_aux_loss_coef"
"""Of a mixture of experts: the share of a balancing loss, which is none (`training/recipe.py`)."""
GENERATION = "generation_config.json"
Ends = int | list[int] | None
"""Token ids that end an answer, as a generation configuration has them."""


def ends_of(tokenizer: PreTrainedTokenizerBase, own: Ends) -> Ends:
    """Return the token ids that end an answer: the model's own, else EOS; and what the template ends a turn with.

    A base model that was published with a chat template ends its documents otherwise than the template its turns
    (Qwen3-0.6B-Base: `<|endoftext|>` and `<|im_end|>`); tuned on conversations it says the latter.
    """
    known = tokenizer.eos_token_id if own is None else own
    end = turn_end(tokenizer)
    listed = known if isinstance(known, list) else [] if known is None else [known]
    return known if end is None or end in listed else [*listed, end]


def turn_end(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the token by which the chat template ends an answer; None where that is no token of its own."""
    after = rendered(tokenizer, [ASKED, ANSWERED], asking=False).rpartition(ANSWERED["content"])[2].lstrip()
    ids: list[int] = tokenizer(after, add_special_tokens=False).input_ids if after else []
    return ids[0] if ids and ids[0] in {*tokenizer.added_tokens_decoder, *tokenizer.all_special_ids} else None


def taught_amiss(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """Return what tuning on conversations in a chat template cannot teach, a phrase each; () where all is well."""
    whole, asked = rendered(tokenizer, [ASKED, ANSWERED], asking=False), rendered(tokenizer, [ASKED])
    found = []
    if turn_end(tokenizer) is None:
        found.append("its chat template ends an answer with no token of its own, so that no end is learnt")
    if not whole.startswith(asked):
        found.append("its chat template asks otherwise than the rows that were learnt do (for thoughts first, say)")
    return tuple(found)


def own_ends(folder: Path) -> Ends:
    """Return what a model's files say ends an answer.

    Raises:
        ModelError: One of them cannot be read.
    """
    for name in (GENERATION, "config.json"):
        path = folder / name
        try:
            told = json_of(path.read_text(encoding="utf-8")) if path.is_file() else {}
            found: Ends = told.get("eos_token_id", (told.get("text_config") or {}).get("eos_token_id"))
        except (OSError, ValueError, AttributeError) as error:
            raise ModelError(f"model folder {folder} cannot be opened: {name} cannot be read ({error})") from error
        if found is not None:
            return found
    return None


def ours(folder: Path) -> dict[str, Any]:
    """Return what of how a model is talked to and taught is not its own, as keys hold it; {} where all is.

    Raises:
        ModelError: Its files cannot be read.
    """
    tokenizer, own = tokenizer_at(folder), own_ends(folder)
    template, ends = str(tokenizer.chat_template), ends_of(tokenizer, own)
    found: dict[str, Any] = {}
    if is_ours(template) and template != _saved(folder):
        found["chat_template"] = template
    if ends != (tokenizer.eos_token_id if own is None else own):
        found["ends"] = ends
    if hasattr(config_of(folder).get_text_config(), BALANCING):
        found[BALANCING] = 0.0
    return found


def _saved(folder: Path) -> str | None:
    """Return the chat template that lies in a folder: of a model that TuneScale tuned it may be one of its own."""
    path = folder / "chat_template.jinja"
    return path.read_text(encoding="utf-8") if path.is_file() else None

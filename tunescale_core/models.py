"""Opening a base model and its tokenizer: from the hub, a folder, or the embedded family."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import ModelError
from tunescale_core.exhausted import telling
from tunescale_core.fetching import advice as advice_on
from tunescale_core.fetching import again, set_damaged_aside
from tunescale_core.study import Model, Protocol

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "embedded:"
CODE = "*.py"
"""What a model's repository may bring of its own; not even fetched unless it is trusted."""
_TRUSTED: set[Path] = set()
"""Folders whose own code may be run."""
ADAPTER = "adapter_model.safetensors"
WANTED = ["*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model"]
MINIMAL_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:\n{{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:\\n' }}{% endif %}"
)
"""For a tokenizer without a chat template of its own (the paper, sec. 2, uses one as small). An answer ends in EOS, or
tuning would teach no end; and in a line of its own, so that a prompt's tokens are those that the whole begins with."""


@dataclass(frozen=True)
class Base:
    """A base checkpoint on disk."""

    folder: Path
    revision: str
    """The hub's commit, or the SHA-256 over the folder's files."""


@dataclass(frozen=True)
class Opened:
    """A model ready to generate."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: str


def resolve(model: Model, folder: Path) -> Base:
    """Bring a base checkpoint to disk.

    Args:
        model: As declared.
        folder: Where relative paths start.

    Raises:
        ModelError: One line that names the model and what to do.
    """
    local = folder_here(model, folder)
    if local is None:
        return _from_hub(model)
    return Base(_trusted(local, model), files_digest(local, code=model.trust_remote_code))


def folder_here(model: Model, folder: Path) -> Path | None:
    """Return the folder of a model that lies on this machine; None where it is to come from the hub.

    Raises:
        ModelError: There is no such embedded model or folder, or it is none of a model.
    """
    if model.source.startswith(EMBEDDED):
        path = Path(__file__).parent / "embedded" / model.source.removeprefix(EMBEDDED)
        if not (path / "config.json").is_file():
            raise ModelError(
                f"no embedded model {model.source!r}; there are embedded:mini-small and embedded:mini-large"
            )
        return path
    local = folder / Path(model.source).expanduser()
    if not local.is_dir():
        if model.source.startswith((".", "/", "~")):  # which no hub id does
            raise ModelError(f"model folder {local} does not exist")
        return None
    if not (local / "config.json").is_file():
        raise ModelError(f"model folder {local} has no config.json: give the folder of a saved checkpoint")
    return local


def lacks_template(folder: Path) -> bool:
    """Tell whether a model's tokenizer has no chat template of its own, by its files.

    Raises:
        ModelError: The tokenizer's settings cannot be read.
    """
    path = folder / "tokenizer_config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ModelError(f"model folder {folder} cannot be opened: {path.name} is not JSON ({error})") from error
    told = isinstance(settings, dict) and bool(settings.get("chat_template"))
    return not told and not any(folder.glob("chat_template*"))


def trust(folder: Path) -> None:
    """Let the code in a model's folder be run."""
    _TRUSTED.add(folder.resolve())


def is_trusted(folder: Path) -> bool:
    """Whether the code in a model's folder may be run."""
    return folder.resolve() in _TRUSTED


def _trusted(folder: Path, model: Model) -> Path:
    if model.trust_remote_code:
        trust(folder)
    return folder


def files_digest(folder: Path, *, code: bool = False) -> str:
    """Return the SHA-256 over names and contents of the files of a model, its code included where that is run."""
    digest = hashlib.sha256()
    for path in sorted(
        file for pattern in (*WANTED, *(["**/" + CODE] if code else [])) for file in folder.glob(pattern)
    ):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def device() -> str:
    """Return the device models run on: an accelerator where there is one."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator else "cpu"


def dtype_of(protocol: Protocol) -> torch.dtype:
    """Return the type of weights: as declared, or bfloat16 on an accelerator and float32 on a CPU."""
    import torch

    name = protocol.dtype if protocol.dtype != "auto" else "float32" if device() == "cpu" else "bfloat16"
    found: torch.dtype = getattr(torch, name)
    return found


def tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer; pad defaults to EOS, and a chat template is given to one that lacks it."""
    from transformers import AutoTokenizer

    # Unless it is told, transformers asks at the terminal whether to run what a repository brings.
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=is_trusted(folder))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        tokenizer.chat_template = MINIMAL_TEMPLATE
    return tokenizer


def open_model(folder: Path, protocol: Protocol) -> Opened:
    """Load a checkpoint for generation.

    Raises:
        ModelError: Its files cannot be read.
        ResourceError: It does not fit into memory, or too many files are open.
    """
    import torch
    from safetensors import SafetensorError

    if protocol.threads:
        torch.set_num_threads(protocol.threads)
    try:
        with telling(_opening(folder, dtype_of(protocol)), folder):
            model = load_weights(folder, dtype_of(protocol)).to(device()).eval()
            tokenizer = tokenizer_of(folder)
    except (OSError, ValueError, RuntimeError, SafetensorError, ImportError) as error:
        raise ModelError(f"model folder {folder} cannot be opened: {_why(error)}") from error
    return Opened(model, tokenizer, device())


def _why(error: Exception) -> str:
    """Say in a line why a model cannot be opened; of code that it wants to run, how that is allowed."""
    if "trust_remote_code" in str(error):
        return "it brings Python of its own; having read it, set trust_remote_code = true for the model to run it"
    return (str(error).splitlines() or [type(error).__name__])[0]


def weight_files_bytes(folder: Path) -> int:
    """Return the bytes of a model folder's weights on disk."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _opening(folder: Path, dtype: torch.dtype) -> str:
    return f"model folder {folder}, to be opened on {device()} as {str(dtype)[6:]}"


def open_adapted(base: Path, adapter: Path, protocol: Protocol) -> Opened:
    """Load a base model with an adapter beside it, not merged.

    Raises:
        ModelError: Its files cannot be read.
        ResourceError: It does not fit into memory, or too many files are open.
    """
    from peft import PeftModel

    if not (adapter / ADAPTER).is_file():
        raise ModelError(f"adapter {adapter} cannot be opened: it has no {ADAPTER}, and nothing else is read")
    opened = open_model(base, protocol)
    try:
        # In the base's own type, as a server would hold it: fp32 beside bfloat16 casts in every layer.
        with telling(f"adapter {adapter}, to be opened on {opened.device}", adapter):
            model = PeftModel.from_pretrained(opened.model, adapter, autocast_adapter_dtype=False)
            model = model.to(dtype_of(protocol))
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"adapter {adapter} cannot be opened: {str(error).splitlines()[0]}") from error
    return Opened(model.eval(), opened.tokenizer, opened.device)


def load_weights(folder: Path, dtype: torch.dtype, quantisation: BitsAndBytesConfig | None = None) -> Any:
    """Load the causal language model of a folder; weights from safetensors alone, its own code only where trusted."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=is_trusted(folder),
        quantization_config=quantisation,
    )


def copy_generation_files(source: Path, target: Path) -> None:
    """Copy what a merged checkpoint keeps of its base: how it ends an answer."""
    config = source / "generation_config.json"
    if config.is_file():
        shutil.copy(config, target / config.name)


def config_file(model: Model, folder: Path) -> Path:
    """Bring a model's `config.json` alone to disk.

    Raises:
        ModelError: One line that names the model and what to do.
    """
    if (local := folder_here(model, folder)) is not None:
        return local / "config.json"
    from huggingface_hub import hf_hub_download

    return Path(_hub(model, lambda: hf_hub_download(model.source, "config.json", revision=model.revision)))


def _from_hub(model: Model) -> Base:
    from huggingface_hub import snapshot_download

    wanted = [*WANTED, *([CODE] if model.trust_remote_code else [])]

    def fetched() -> Path:
        return Path(
            _hub(model, lambda: snapshot_download(model.source, revision=model.revision, allow_patterns=wanted))
        )

    path = fetched()
    if set_damaged_aside(path):
        path = fetched()
    return Base(_trusted(path, model), path.name)


def _hub(model: Model, fetch: Callable[[], str]) -> str:
    """Fetch from the hub; what goes wrong becomes one line that says what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    advice = {
        GatedRepoError: "it is gated: accept its terms on the hub and set HF_TOKEN",
        RepositoryNotFoundError: "there is no such repository (or it is private: set HF_TOKEN)",
        RevisionNotFoundError: f"it has no revision {model.revision!r}",
        HFValidationError: "there is no such folder, and it is no hub id",
    }
    unreached = {
        LocalEntryNotFoundError: (
            "there is no such folder, it is not in the local cache, and the hub cannot be reached: go online once, "
            "or give a local folder as source"
        ),
    }
    try:
        return again(fetch)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        known = [text for kind, text in advice.items() if isinstance(error, kind)]
        known += [text for text in (advice_on(error),) if text]
        known += [text for kind, text in unreached.items() if isinstance(error, kind)]
        reason = [*known, (str(error).splitlines() or [type(error).__name__])[0]][0]
        raise ModelError(f"model {model.source} cannot be opened: {reason}") from error

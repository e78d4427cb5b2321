"""The model card beside an embedded member's weights: how they were made, and what they hash to."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from tabulate import tabulate

from tunescale_core.embedded.recipe import History, Recipe
from tunescale_core.provenance import versions
from tunescale_core.store.identity import weights_digest

POINTS = 12
"""Of the loss curve, at most."""


def write_card(folder: Path, name: str, recipe: Recipe, history: History, parameters: int) -> None:
    """Write `README.md` into a checkpoint folder."""
    step = max(1, len(history.losses) // POINTS)
    curve = tabulate(history.losses[::-step][::-1], ["step", "loss"], tablefmt="github")
    settings = json.dumps(dataclasses.asdict(recipe), indent=1)
    text = f"""---
license: apache-2.0
library_name: transformers
---
# {name}

A Qwen3-architecture model of {parameters:,} parameters, pretrained from scratch on a generated world. It exists
so that a whole tune-or-scale study runs on a laptop; it knows nothing else. No outside data went in.

Made again by `tunescale pretrain {name} --out DIR`: {recipe.total} steps,
{history.tokens:,} tokens, {history.seconds / 60:.0f} minutes.

- weights (SHA-256 of `model.safetensors`, bfloat16): `{weights_digest(folder)}`
- made with: {", ".join(f"{package} {number}" for package, number in versions().items())}

Recipe:

```json
{settings}
```

Mean loss on the answers since the entry before (the first {recipe.warmup_steps} steps are the look-up warm-up):

{curve}
"""
    (folder / "README.md").write_text(text, encoding="utf-8")

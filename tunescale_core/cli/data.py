"""`tunescale data`: what a study trains on and asks, before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from tabulate import tabulate

from tunescale_core.cli.sources import fail, one_line_errors
from tunescale_core.harmless import harmless
from tunescale_core.plain_json import dumps

if TYPE_CHECKING:
    from tunescale_core.data.examples import Examples
    from tunescale_core.measuring.as_read import Reader
    from tunescale_core.study.study import Study
    from tunescale_core.study.task_data import Purpose
    from tunescale_core.tasks import Example

    Loaded = tuple[str, Purpose, Examples]


LABELS = 20
"""Labels that are named, at most."""


def data(
    study: Annotated[str, typer.Option(help="A study's name, or its TOML file.")] = "mini",
    task: Annotated[str | None, typer.Option(help="One of the study's tasks (default: all of them).")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="One of the study's models: show what it reads, in its chat template, and count in its tokens."
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Examples to show in full, for training, development and evaluation each.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,  # noqa: FBT002
) -> None:
    """Load a study's rows, and show how many there are, which are left out, and examples.

    With a model, examples are what it reads, to the letter, and rows are counted in its tokens.
    """
    from tunescale_core.study.loading import load

    with one_line_errors():
        declared = load(study)
        if task is not None and task not in declared.tasks:
            fail(f"study {study} has no task {task!r}; it has {', '.join(declared.tasks)}")
        if model is not None and model not in declared.models:
            fail(f"study {study} has no model {model!r}; it has {', '.join(declared.models)}")
        reader = _reader(declared, model) if model else None
        found = list(_loaded(declared, [task] if task else list(declared.tasks)))
        told = _as_objects(found, examples, reader) if as_json else _as_text(declared, found, examples, reader)
    typer.echo(told)


def _reader(study: Study, model: str) -> Reader:
    from tunescale_core.measuring.as_read import Reader

    return Reader(study, model)


def _as_objects(found: list[Loaded], examples: int, reader: Reader | None) -> str:
    return dumps([_object(one, examples, reader) for one in found])


def _as_text(study: Study, found: list[Loaded], examples: int, reader: Reader | None) -> str:
    heads = ["task", "for", "rows", "left out", "from", *(["tokens", "longest", "too long"] if reader else [])]
    rows = []
    for name, purpose, one in found:
        read = _lengths(reader, one, purpose) if reader else ()
        rows.append((name, purpose, _number(study, (name, purpose, one)), _left_out(one), one.origin, *read))
    lines = [tabulate(rows, heads, disable_numparse=True), *_labels(study, found), *(reader.notes if reader else ())]
    for name, purpose, one in found:
        for example in one.rows[:examples]:
            lines += ["", f"{name}, {purpose}, example {example.id}"]
            lines.append(reader.text(example, purpose) if reader else _shown(example))
            lines += [_accepted(example)] if purpose != "train" or not reader else []
    return _harmless_lines("\n".join(lines))


def _lengths(reader: Reader, examples: Examples, purpose: Purpose) -> tuple[str, str, str]:
    """Return the median and the longest row in tokens, and how many are over each limit that holds for them."""
    found = reader.lengths(examples.rows, purpose)
    over = ", ".join(f"{number} (of more than {limit:,})" for limit, number in found.over.items()) or "no limit"
    return f"{found.median:g}", str(found.longest), over


def _loaded(study: Study, tasks: list[str]) -> Iterator[Loaded]:
    from tunescale_core.data.examples import load_examples

    for name in tasks:
        for purpose in _purposes(study):
            yield name, purpose, load_examples(study, name, purpose, study.study.seeds[0])


def _purposes(study: Study) -> Iterator[Purpose]:
    if study.methods:
        yield "train"
    if any(method.learning_rates for method in study.methods.values()):
        yield "dev"
    yield "eval"


def _labels(study: Study, found: list[Loaded]) -> Iterator[str]:
    """Say of each classification which labels are asked, how often, and which of them training lacks."""
    from tunescale_core.tasks.classification import same

    kept = {
        (name, purpose): Counter(same(each.gold[0]) for each in one.rows)
        for name, purpose, one in found
        if study.kind(name) == "classification"
    }
    for (name, purpose), counts in kept.items():
        if purpose != "eval":
            continue
        told = ", ".join(f"{label} {number}" for label, number in counts.most_common(LABELS))
        more = f" and {len(counts) - LABELS} more" if len(counts) > LABELS else ""
        yield f"{name}: {len(counts)} labels are asked: {told}{more}"
        taught = kept.get((name, "train"))
        if taught and (lacking := sorted(counts.keys() - taught.keys())):
            yield f"{name}: never taught: {', '.join(lacking[:LABELS])}"


def _number(study: Study, loaded: Loaded) -> str:
    """Return how many rows there are, and of how many that were asked for where they are fewer."""
    name, purpose, one = loaded
    wanted = study.examples(name, purpose)
    return str(len(one.rows)) if len(one.rows) == wanted else f"{len(one.rows)} of {wanted}"


def _left_out(examples: Examples) -> str:
    return ", ".join(f"{number} ({reason})" for reason, number in examples.left_out.items())


def _shown(example: Example) -> str:
    turns = [*example.messages, {"role": "target", "content": example.target}]
    return "\n".join(f"[{one['role']}] {one['content']}" for one in turns)


def _accepted(example: Example) -> str:
    return f"[accepted] {' | '.join(example.gold) or '(that there is none)'}"


def _object(loaded: Loaded, examples: int, reader: Reader | None) -> dict[str, object]:
    name, purpose, one = loaded
    shown = [
        {"id": each.id, "messages": list(each.messages), "target": each.target, "gold": list(each.gold)}
        | ({"read": reader.text(each, purpose)} if reader else {})
        for each in one.rows[:examples]
    ]
    counted = {"rows": len(one.rows), "left_out": one.left_out, "from": one.origin, "fingerprint": one.fingerprint}
    read = {"tokens": asdict(reader.lengths(one.rows, purpose)), "notes": list(reader.notes)} if reader else {}
    return {"task": name, "purpose": purpose, **counted, **read, "examples": shown}


def _harmless_lines(text: str) -> str:
    """Return a text of several lines that can be printed, whoever wrote it."""
    return "\n".join(map(harmless, text.splitlines()))

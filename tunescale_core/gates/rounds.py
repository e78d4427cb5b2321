"""pytest-benchmark's files, of this version and of old ones: how long each case took, and on what machine.

The form hardly changed since version 2.5 of 2015. `machine_info.cpu` came with 3.1, its `brand` became `brand_raw` with
py-cpuinfo 6; `stats.data` is there where it was asked for. What our own runs leave in `extra_info` names the card.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from pydantic import ValidationError

from tunescale_core.errors import RecordError
from tunescale_core.gates.differences import machine_of
from tunescale_core.provenance import Provenance
from tunescale_core.reading import json_of

_ID = re.compile(r"[^\[]*\[(?P<id>.+-for-.+)\]")
"""Other parametrized tests of a file are none of our cases."""
BRANDS = ("brand_raw", "brand")
"""What py-cpuinfo calls the processor's model, the newer name first."""


@dataclass(frozen=True)
class Timing:
    """A case's rounds as pytest-benchmark saved them."""

    mean: float
    """Seconds of a call."""
    deviation: float
    """Standard deviation of the rounds, in seconds."""
    rounds: int
    machine: Mapping[str, str] = field(default_factory=dict)
    """What the file says of the machine: processor, its cores, system."""


def rounds(path: Path) -> dict[str, Timing]:
    """Read the cases of a file, by what stands in the brackets of their names; others are left out.

    Raises:
        RecordError: It cannot be read, is no file of pytest-benchmark, or holds no such case or one of them twice.
    """
    content = _content(path)
    machine = _machine(content.get("machine_info"))
    found: dict[str, Timing] = {}
    for bench in content["benchmarks"]:
        named = _ID.fullmatch(str(bench.get("name", ""))) if isinstance(bench, dict) else None
        if not named:
            continue
        if named["id"] in found:
            raise RecordError(f"timings {path} hold {named['id']} twice: save a run of one test alone")
        found[named["id"]] = _timing(path, bench, machine)
    if not found:
        raise RecordError(f"timings {path} hold no case with an id in brackets: save a run of pytest benchmarks")
    return found


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json_of(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        told = " ".join(str(error).split())
        raise RecordError(f"timings {path} cannot be read: {told}; give a file of --benchmark-json") from error
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        raise RecordError(f"timings {path} are not pytest-benchmark's: give a file of --benchmark-json")
    return content


def _timing(path: Path, bench: Mapping[str, Any], machine: Mapping[str, str]) -> Timing:
    stats = bench.get("stats")
    try:
        mean, deviation, number = _figures(stats if isinstance(stats, dict) else bench)
    except (KeyError, TypeError, ValueError) as error:
        told = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"timings {path}, {bench['name']}: {told} in its statistics: save them anew") from error
    return Timing(mean, deviation, number, {**machine, **_own(bench.get("extra_info"))})


def _figures(stats: Mapping[str, Any]) -> tuple[float, float, int]:
    """Return mean, deviation and rounds; from the single rounds where these are kept without a summary."""
    data = [float(value) for value in stats.get("data") or ()]
    if data and "mean" not in stats:
        return fmean(data), stdev(data) if len(data) > 1 else 0.0, len(data)
    mean, deviation, number = float(stats["mean"]), float(stats["stddev"]), int(stats["rounds"])
    if not (mean > 0 and deviation >= 0 and number > 0):
        raise ValueError(f"a mean of {mean:g} s over {number} rounds")
    return mean, deviation, number


def _machine(info: object) -> dict[str, str]:
    """Return what a file says of its machine, in the words of a provenance; nothing where it says nothing."""
    if not isinstance(info, dict):
        return {}
    cpu = info.get("cpu")
    told = cpu if isinstance(cpu, dict) else {"brand_raw": cpu}
    brand = next((told[name] for name in BRANDS if told.get(name)), None)
    known = {"processor": brand, "cores": told.get("count"), "system": info.get("system")}
    return {name: " ".join(str(value).split()) for name, value in known.items() if value}


def _own(extra: object) -> dict[str, str]:
    """Return what a run of ours left: the whole of the device."""
    try:
        return machine_of(Provenance.model_validate(extra["provenance"])) if isinstance(extra, dict) else {}
    except (KeyError, ValidationError):
        return {}

"""What differs between the circumstances of two runs, said in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tunescale_core.provenance import FEW_BITS_PACKAGES, Provenance
from tunescale_core.results.result import Result

ARITHMETIC = ("torch", "transformers", "tokenizers", "peft")
"""Packages whose versions can change a greedy answer."""
PLURAL = ("cores", "threads", "examples", "prompts")
"""What differs that there are several of."""


def arithmetic(old: Provenance | None, new: Provenance | None, *, rounded: bool = False) -> str | None:
    """Return what differs of what decides a greedy answer, given model and question; None where nothing does.

    Args:
        old: The baseline's circumstances.
        new: The run's.
        rounded: Whether weights were held in few bits, so that what rounds them decides too.
    """
    packages = (*ARITHMETIC, *(FEW_BITS_PACKAGES if rounded else ()))
    return _between(old, new, partial(_arithmetic_of, packages))


def machine(old: Provenance | None, new: Provenance | None) -> str | None:
    """Return what differs of the device that times were taken on; None where nothing does."""
    return _between(old, new, machine_of)


def served_elsewhere(*sides: Result) -> str | None:
    """Return that a server answered one of two results, whose machine nobody knows; None where none did."""
    served = any(side.record and side.record.by_endpoint for side in sides)
    return "a server answered, and does not say what it computes with" if served else None


def machine_of(provenance: Provenance) -> dict[str, str]:
    """Return what two times must share to be compared; what is not known is left out."""
    return _known(
        {
            "device": provenance.device,
            "processor": provenance.cpu,
            "cores": provenance.cpu_count,
            "threads": provenance.threads,
            "driver": provenance.driver,
            "CUDA": provenance.cuda,
        }
    )


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str | None:
    """Return the first thing that differs: `torch differs: 2.9.0 in the baseline, 2.9.1 now`; None where none does."""
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, "unknown"), new.get(name, "unknown")
        if before != after:
            return f"{name} {'differ' if name in PLURAL else 'differs'}: {before} in the baseline, {after} now"
    return None


def _between(
    old: Provenance | None, new: Provenance | None, of: Callable[[Provenance], Mapping[str, str]]
) -> str | None:
    for side, where in ((old, "the baseline"), (new, "this run")):
        if side is None:
            return f"{where} does not say where it was measured"
    return difference(of(old), of(new)) if old and new else None


def _arithmetic_of(packages: Sequence[str], provenance: Provenance) -> dict[str, str]:
    versions = {name: provenance.versions.get(name) for name in packages}
    return _known({**versions, "device": provenance.device, "processor": provenance.cpu, "threads": provenance.threads})


def _known(found: Mapping[str, object]) -> dict[str, str]:
    return {name: " ".join(str(value).split()) for name, value in found.items() if value is not None}

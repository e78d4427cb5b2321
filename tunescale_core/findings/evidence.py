"""What the questions ask of results: who was tuned, who is larger, and any two compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tunescale_core.findings.finding import Finding, Show, compared
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.comparison import comparisons_of
from tunescale_core.results.ranks import Ties, best_lora, full_on, fulls_on, loras_on
from tunescale_core.results.results import Results
from tunescale_core.stats.power import for_one_of

Figure = Literal["quality", "latency"]


@dataclass(frozen=True)
class Pair:
    """Two candidates, and what they are compared in."""

    new: Candidate
    old: Candidate
    task: str
    figure: Figure
    named: bool = False
    """Whether the key names the old one too, where a question asks about several."""
    best_of: int = 1
    """Among how many candidates one of the two was chosen, as the best by the answers that are compared."""


class Evidence:
    """Results with the names that the questions use for what is in them."""

    def __init__(self, results: Results, ties: Ties = "latency") -> None:
        self.results = results
        self.ties = ties
        self.comparisons = comparisons_of(results)

    @property
    def tuned(self) -> tuple[str, ...]:
        """The models that were tuned: the small ones."""
        return self.results.tuned

    def trainings(self, model: str) -> tuple[str, ...]:
        """Return the tasks a model was tuned on, in the tasks' order."""
        found = dict.fromkeys(one.trained_on for one in self.results.candidates if one.model == model)
        return tuple(task for task in found if task is not None)

    def aligned(self, model: str) -> tuple[str, ...]:
        """Return the tasks that a model was both tuned on and asked."""
        return tuple(task for task in self.trainings(model) if task in self.results.tasks)

    def full(self, model: str, task: str) -> Candidate | None:
        """Return the candidate of all weights tuned on a task."""
        return full_on(self.results, model, task)

    def fulls(self, model: str, task: str) -> int:
        """Return among how many candidates of all weights tuned on a task `full` chooses the best."""
        return len(fulls_on(self.results, model, task))

    def lora(self, model: str, task: str) -> Candidate | None:
        """Return the best LoRA candidate tuned on a task."""
        return best_lora(self.results, model, task, self.ties)

    def loras(self, model: str, task: str) -> tuple[Candidate, ...]:
        """Return the LoRA candidates tuned on a task."""
        return loras_on(self.results, model, task)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield (small, larger) for every tuned model and every one that was not."""
        return ((small, large) for small in self.tuned for large in self.results.larger)

    def better(self, question: str, pair: Pair, show: Show | None = None, note: str = "") -> Iterator[Finding]:
        """Yield the finding that the new one is better than the old; a gap in what was measured is a finding too."""
        found = getattr(self.comparisons, pair.figure)(pair.new, pair.old, pair.task)
        quality, metric = pair.figure == "quality", self.results.metric(pair.task)
        over = f"-over-{self.results.label(pair.old)}" if pair.named else ""
        named = Finding(
            f"{question}.{self.results.label(pair.new)}{over}.{pair.task}.{pair.figure}",
            f"{pair.new.id} has a better {metric.label if quality else 'latency'} than {pair.old.id} for {pair.task}",
            unit=metric.unit if quality else "s",
            aligned=pair.new.trained_on == pair.task,
            note=note,
        )
        if found is None:
            if self._asked(pair):
                missing = [one.id for one in (pair.new, pair.old) if self._value(one, pair) is None]
                yield replace(named, note=f"not measured: {' and '.join(missing)} for {pair.task}")
            return
        if quality and found.p is not None:
            # The best of several is better than it is by chance too: each could have been the one (Bonferroni).
            more = None if found.enough is None else for_one_of(found.enough, pair.best_of)
            found = replace(found, p=min(1.0, pair.best_of * found.p), enough=more)
        default: Show = "improvement" if quality else "change"
        slower = pair.old if found.difference < 0 else pair.new
        named = named if quality else replace(named, doubt=self.doubt([slower], pair.task))
        yield compared(named, found, metric.better if quality else "lower", show or default)

    def doubt(self, slower: Iterable[Candidate], task: str) -> str:
        """Return what others' load may have to do with candidates' being slower, or varying more; empty where nothing.

        Load only ever adds to a time: what was timed beside it and is faster all the same, is so.
        """
        asked = [(one, [cell.beside or 0.0 for cell in self.results.at(one, task)]) for one in slower]
        named = ", ".join(f"{one.id} (load {max(loads):.1f})" for one, loads in asked if any(loads))
        told = f"no verdict: others used the machine while {named} was timed, which may be all that is seen"
        return f"{told}; time it again" if named else ""

    def _asked(self, pair: Pair) -> bool:
        """Tell whether a study that has both candidates measured others in this, so that a gap is one."""
        known = self.results.candidates
        return {pair.new, pair.old} <= set(known) and any(self._value(one, pair) is not None for one in known)

    def _value(self, candidate: Candidate, pair: Pair) -> float | None:
        value_of = self.results.quality if pair.figure == "quality" else self.results.latency
        return value_of(candidate, pair.task)

"""What cells are measured on: variants opened as they are served, their checkpoints built where they are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tunescale_core.data.examples import Loader
from tunescale_core.decoding.completion import Decoder
from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.decoding.remote import EndpointDecoder
from tunescale_core.decoding.static import StaticDecoder
from tunescale_core.errors import TrainingError, bare
from tunescale_core.exhausted import check_room, telling
from tunescale_core.models.base import Base, resolve, weight_files_bytes
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.models.device import device
from tunescale_core.models.opened import Opened, open_adapted, open_model
from tunescale_core.models.release import release, settle
from tunescale_core.models.trusted import trust
from tunescale_core.models.turn import ours
from tunescale_core.progress import Progress
from tunescale_core.provenance import FEW_BITS_PACKAGES, provenance, versions
from tunescale_core.records.best_trial import best_of
from tunescale_core.records.record import Trial
from tunescale_core.sensors.card import warn_if_shared
from tunescale_core.store.checkpoints import Checkpoint, Store
from tunescale_core.store.identity import identity_of, key_of, weights_digest
from tunescale_core.store.manifest import SCHEMA_VERSION, Manifest, TrainingCost
from tunescale_core.study.grid import Cell, Variant
from tunescale_core.study.method import Bits
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.serving import Serving
from tunescale_core.study.study import Study
from tunescale_core.tasks import TASKS, Task
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.saves import Saves
from tunescale_core.training.stopping import Stopping
from tunescale_core.training.trials import Search, search
from tunescale_core.training.tune import tune

ANSWERING = ("torch", "transformers.modeling_utils")
TRAINING = (*ANSWERING, "peft", "trl.trainer.sft_trainer")
"""What is imported for it sooner or later: packages that import lazily are named by what brings their objects."""


@dataclass(frozen=True)
class Built:
    """A variant's weights on disk."""

    model: Path
    """Folder of the model, merged if it was adapted."""
    key: str
    """Of the checkpoint; the base's revision for an untuned model."""
    base: str
    """The base's source and revision."""
    base_folder: Path
    checkpoint: Checkpoint | None = None
    trials: tuple[Trial, ...] = ()
    dev: str | None = None
    """Where the questions come from that judged the trials."""

    @property
    def data(self) -> dict[str, str]:
        """Where the rows come from that made it what it is, by what they were for."""
        found = {"train": self.checkpoint.manifest.data} if self.checkpoint else {}
        return found | ({"dev": self.dev} if self.dev else {})

    @property
    def recipe(self) -> dict[str, object]:
        """What it was trained by; {} of an untuned model."""
        method = self.checkpoint.manifest.identity.get("method") if self.checkpoint else None
        return dict(method) if isinstance(method, dict) else {}

    @property
    def cost(self) -> TrainingCost | None:
        """What its training took; None for an untuned model."""
        return self.checkpoint.manifest.cost if self.checkpoint else None


@dataclass(frozen=True)
class Subject:
    """A variant, ready to be asked as it is served."""

    decoder: Decoder
    built: Built
    batch: int = 1
    """Questions of one call."""


class Subjects:
    """A study's variants; the one opened last stays open."""

    def __init__(self, study: Study, store: Store, progress: Progress, data: Loader | None = None) -> None:
        self.study, self.store, self.progress = study, store, progress
        self._data = data or Loader(study)
        self.trained: list[str] = []
        self.reused: list[str] = []
        self.searched: dict[str, tuple[Trial, ...]] = {}
        """Trials of each search that was needed, by the variant's id without its seed."""
        self._dev: dict[str, str] = {}
        """Where the questions of each search come from, by the same."""
        self._built: dict[Variant, Built] = {}
        self._failed: dict[Variant, Exception] = {}
        self._bases: dict[str, Base] = {}
        self._open: tuple[tuple[Variant, bool, Bits | None], Opened] | None = None

    def subject(self, cell: Cell) -> Subject:
        """Open a cell's variant as it is served, building its checkpoint first where the store lacks it.

        The model stays open for the variant's other cells; the decoder is the cell's own, so that no time depends on
        what was asked before.
        """
        return self._served(cell.variant, cell.serving)

    def built(self, variant: Variant) -> Built:
        """Return a variant's weights.

        One that failed fails again at once: hours of training are not repeated for each task it would be asked.
        """
        if variant in self._failed:
            raise self._failed[variant]
        if variant not in self._built:
            try:
                self._built[variant] = self._build(variant)
            except Exception as error:
                self._failed[variant] = bare(error)
                raise
        return self._built[variant]

    def close(self) -> None:
        """Let go of the model that is open, if one is, and of its memory: other processes may want it."""
        if self._open is not None:
            self._open = None
            release()

    def _served(self, variant: Variant, name: str) -> Subject:
        serving = self.study.served(name)
        protocol = self.study.protocol.model_copy(update={"thinking": self.study.thinking(name)})
        built = self.built(variant)
        if serving.mode == "endpoint":
            return Subject(self._endpoint(variant, built, serving, protocol), built, serving.batch)
        opened = self._opened(variant, built, serving)
        kind = StaticDecoder if serving.mode == "static" else EagerDecoder
        return Subject(kind(opened, protocol), built, serving.batch)

    def _endpoint(self, variant: Variant, built: Built, serving: Serving, protocol: Protocol) -> Decoder:
        called = serving.model.replace("{variant}", variant.id).replace("{path}", str(built.model.resolve()))
        self.close()
        return EndpointDecoder(serving, called, protocol, tokenizer_of(built.model), built.model)

    def _opened(self, variant: Variant, built: Built, serving: Serving) -> Opened:
        adapted = serving.mode == "adapter"
        place = (variant, adapted, serving.quantize)
        if self._open is None or self._open[0] != place:
            self.close()  # the other before this one takes its place
            settle(*ANSWERING)
            if adapted and built.checkpoint is not None:
                opened = open_adapted(built.base_folder, built.checkpoint.folder / "adapter", self.study.protocol)
            else:
                opened = open_model(built.model, self.study.protocol, serving.quantize)
            warn_if_shared(opened.device)
            self._open = (place, opened)
        return self._open[1]

    def _build(self, variant: Variant) -> Built:
        base = self._base(variant.model)
        named = f"{self.study.models[variant.model].source}@{base.revision}"
        if variant.settings is None:
            return Built(base.folder, base.revision, named, base.folder)
        self.close()  # training wants the memory
        settled, trials = self._settled(variant, base)
        checkpoint = self._checkpoint(settled, base)
        (self.trained if checkpoint.built else self.reused).append(variant.id)
        if self.study.models[variant.model].trust_remote_code:
            trust(checkpoint.model)
        dev = self._dev.get(variant.stem) if trials else None
        return Built(checkpoint.model, checkpoint.manifest.key, named, base.folder, checkpoint, trials, dev)

    def _settled(self, variant: Variant, base: Base) -> tuple[Variant, tuple[Trial, ...]]:
        """Return the variant with the learning rate that its trials chose, and the trials."""
        settings = variant.settings
        if settings is None or settings.learning_rates is None or variant.task is None:
            return variant, ()
        task = TASKS[self.study.kind(variant.task)]
        if variant.stem not in self.searched:
            wanted, folder = self._search(variant, base, task), self.store.within(self.store.root / "trials")
            self.searched[variant.stem] = search(wanted, folder, self.progress, partial(self._saves, variant.stem))
        trials = self.searched[variant.stem]
        if all(one.lost for one in trials):
            raise TrainingError(
                f"{variant.stem}: every trial of a learning rate was lost ({trials[0].lost}); give lower learning_rates"
            )
        rate = {"learning_rate": best_of(trials, task).learning_rate, "learning_rates": None}
        return replace(variant, settings=settings.model_copy(update=rate)), trials

    def _search(self, variant: Variant, base: Base, task: Task) -> Search:
        wanted = self.study.trials
        assert variant.task is not None  # noqa: S101  told by the caller
        train = self._data.load(variant.task, "train", wanted.seed)
        dev = self._data.load(variant.task, "dev")
        self._dev[variant.stem] = dev.origin
        return Search(
            variant=replace(variant, seed=wanted.seed),
            base=base,
            train=train.rows[: wanted.train_examples],
            dev=dev.rows,
            task=task,
            protocol=self.study.protocol,
            training=self.study.study.training,
        )

    def _checkpoint(self, variant: Variant, base: Base) -> Checkpoint:
        if variant.settings is None or variant.task is None or variant.seed is None:
            raise ValueError(f"{variant.id} is untuned and has no checkpoint of its own")
        identity = self._identity(variant, base, self._data.fingerprint(variant.task, "train", variant.seed))
        with Stopping(self.progress.say) as stopping:  # a request waits for the checkpoint where training is over
            return self.store.obtain(key_of(identity), partial(self._trained, variant, base, identity, stopping))

    def _identity(self, variant: Variant, base: Base, rows: str) -> dict[str, object]:
        assert variant.settings is not None  # noqa: S101  told by the caller
        method = variant.settings.model_dump(mode="json", exclude={"ranks", "learning_rates"}) | {"rank": variant.rank}
        method["training"] = self.study.study.training
        quantised = versions(FEW_BITS_PACKAGES) if variant.settings.quantize else {}
        if self.study.models[variant.model].trust_remote_code:
            method["trust_remote_code"] = True
        method |= ours(base.folder)
        return identity_of(base.revision, method | quantised, rows, variant.seed or 0, device())

    def _trained(
        self, wanted: Variant, base: Base, identity: dict[str, object], stopping: Stopping, folder: Path
    ) -> Manifest:
        assert wanted.task is not None  # noqa: S101  told by the caller
        assert wanted.seed is not None  # noqa: S101
        settle(*TRAINING)
        examples = self._data.load(wanted.task, "train", wanted.seed)
        lesson = Lesson(wanted, base.folder, examples.rows)
        variant = lesson.variant.id
        what, needed = f"checkpoint {variant}", weight_files_bytes(lesson.base)
        saves = self._saves(variant, key_of(identity)[:24], stopping)
        check_room(what, folder.parent, needed)
        with telling(what, folder.parent, needed):
            cost = tune(lesson, folder, self.progress, self.study.study.training, saves)
        return Manifest(
            schema_version=SCHEMA_VERSION,
            key=key_of(identity),
            variant=variant,
            identity=identity,
            cost=cost,
            left_out=examples.left_out,
            data=examples.origin,
            provenance=provenance(device()),
            weights_sha256=weights_digest(folder / "model"),
        )

    def _saves(self, variant: str, name: str, stopping: Stopping | None = None) -> Saves:
        """Return where a training saves its state; without `stopping` requests to end wait in one of its own."""
        stopping = stopping or Stopping(self.progress.say)
        return Saves(self.store.unfinished(name), self.store.root, self.study.study.save_seconds, variant, stopping)

    def _base(self, model: str) -> Base:
        if model not in self._bases:
            self._bases[model] = resolve(self.study.models[model], self.study.folder)
        return self._bases[model]

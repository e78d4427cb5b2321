"""The errors a user can meet, each named after the boundary it comes from.

Every message is one line that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import copy


class TuneScaleError(Exception):
    """Base of all errors raised on purpose by TuneScale."""


class StudyError(TuneScaleError):
    """A study file, or an option that changes it, cannot be used as it stands."""


class TaskError(TuneScaleError):
    """A task that an installed package provides cannot be used."""


class UnknownTaskError(TaskError, KeyError):
    """No task has this name: of a mapping's missing key, with a line of its own."""

    __str__ = Exception.__str__  # a KeyError shows its text in quotes


class DataError(TuneScaleError):
    """A data source cannot be read, or a row lacks what its task needs."""


class ModelError(TuneScaleError):
    """A model cannot be opened."""


class EndpointError(TuneScaleError):
    """A server cannot be reached, lets nobody in, lacks the model, or does not answer as one should."""


class StoreError(TuneScaleError):
    """The store cannot be used as it stands."""


class DamagedError(StoreError):
    """Something in the store is not what was written there."""


class StaleError(StoreError):
    """Something in the store is of a schema that this version does not read."""


class DamageWarning(UserWarning):
    """Something in the store was damaged, has been set aside, and is made again."""


class RecordError(TuneScaleError):
    """A record cannot be read by this version."""


class MetricError(TuneScaleError):
    """A metric was asked about no examples."""


class ThresholdError(TuneScaleError):
    """A measured value misses what the study expects of it."""


class ResultsError(TuneScaleError):
    """A table of results cannot be read, or what was asked of results is not in them."""


class TrainingError(TuneScaleError):
    """A fine-tuning run could not be carried out."""


class DivergedError(TrainingError):
    """A loss, a gradient or a weight is not finite, or the loss has exploded."""


class ResourceError(TuneScaleError):
    """The machine has no disk, memory or open files left for it."""


class PaceError(TuneScaleError):
    """A process that was to measure a pace failed, died, or did not end."""


class BaselineError(TuneScaleError):
    """A baseline cannot be found, read or saved."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or of which kind it is where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def kind_and_line(error: BaseException) -> str:
    """Return of which kind an error is and the first line of what it says, if it says anything."""
    return f"{type(error).__name__}: {first_line(error)}" if str(error) else type(error).__name__


def bare(error: Exception) -> Exception:
    """Return an error without the frames it came through, which would keep a model and its trainer in memory."""
    try:
        return copy.copy(error).with_traceback(None)
    except TypeError:  # some errors cannot be made again from what they show
        return RuntimeError(f"{type(error).__name__}: {error}")

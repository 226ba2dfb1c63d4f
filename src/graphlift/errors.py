"""Errors that users can cause: each message names the thing, the place and the way out.

Code that reads a user's file, flag or array raises one of these; all other code trusts its
callers. Every class is also the built-in that fits, so ``except ValueError`` works::

    GraphliftError
    ├── SkeletonError         joints, parents or sides do not form a skeleton
    ├── ShapeError            an array, frame rate or image size is impossible
    ├── FormatError           a file is not what its name or header states
    │   └── CheckpointError   a checkpoint is corrupt, or of another run or network
    ├── DatasetNotFoundError  a data set's files were not found
    ├── ConfigError           a configuration or plan has wrong, unknown or missing keys
    └── ModelError            a model or method cannot do what was asked
"""


class GraphliftError(Exception):
    """Base of every error a user can cause."""


class SkeletonError(GraphliftError, ValueError):
    """Joints, parents or sides do not form the skeleton that was asked for."""


class ShapeError(GraphliftError, ValueError):
    """An array, a frame rate or an image size is impossible."""


class FormatError(GraphliftError, ValueError):
    """A file exists but is not what its name or header states."""


class CheckpointError(FormatError):
    """A checkpoint is corrupt, or belongs to another run or another network."""


class DatasetNotFoundError(GraphliftError, FileNotFoundError):
    """A data set's files were not found at the place that was given."""


class ConfigError(GraphliftError, ValueError):
    """A configuration or plan has unknown, missing or ill-typed keys."""


class ModelError(GraphliftError, ValueError):
    """A model or method cannot do what was asked of it."""

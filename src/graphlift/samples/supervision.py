"""Terms of the loss beside the pose's own error, each with its weight."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """Weights of further terms; 0 leaves one out."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    unlabelled: tuple[str, ...] = ()
    projection: float = 0.0
    bone_ratios: float = 0.0
    ordinal: float = 0.0
    parts: float = 0.0
    critic: float = 0.0
    focal: float | None = None

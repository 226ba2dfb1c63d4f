"""The published numbers, as printed, for the columns beside ours.

They were measured on Human3.6M and MPI-INF-3DHP with networks of 4.2 M parameters: another data
set and another regime than an open study's.

Source: Liu et al., "A Comprehensive Study of Weight Sharing in Graph Networks for 3D Human Pose
Estimation", ECCV 2020, supplementary material, Tables 1 and 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ACTIVITIES = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether"),
)
"""Of Human3.6M, in the order of the published tables, by the names that result lines have."""
PARAMETERS = 4_218_703
"""Size of the published model: decoupled pre-aggregation, 16 joints, 4 blocks, 128 channels.

Source: quoted as 4.22 M by Zou and Tang, "Modulated graph convolutional network", ICCV 2021; the
exact count is ours. The supplement says 4.2 M for its Fig. 1.
"""
COMPARABLE = 1.5
"""Largest factor between the published size and one to which its claims may be applied; ours."""


def column(detections: str) -> str:
    """Name the paper's column of some detections, whether they are simulated or not."""
    return detections.removesuffix("-sim")


def comparable(parameters: float) -> bool:
    """Whether networks of a size are about as large as the paper's."""
    return PARAMETERS / COMPARABLE < parameters < PARAMETERS * COMPARABLE


@dataclass(frozen=True)
class PublishedErrors:
    """One row of the supplement's Table 1.

    Args:
        label: The row's name as printed.
        method: What the same method is called here.
        decoupled: Whether the row stands beside our decoupled variant. The supplement's plain
            pre-, post- and full-sharing most likely denote the decoupled versions: the published
            4.22 M fit no other.
        errors: (MPJPE, P-MPJPE) in mm by detections: ``gt``, ``hg``, ``cpn``.
    """

    label: str
    method: str
    decoupled: bool
    errors: Mapping[str, tuple[float, float]]


def _row(label: str, method: str, decoupled: bool, *pairs: tuple[float, float]) -> PublishedErrors:
    return PublishedErrors(
        label, method, decoupled, dict(zip(("gt", "hg", "cpn"), pairs, strict=False))
    )


TABLE_1: tuple[PublishedErrors, ...] = (
    _row("Martinez et al.", "martinez", False, (44.40, 35.25), (63.48, 48.15)),
    _row("Zhao et al.", "semgcn", False, (40.78, 31.46), (61.24, 47.71)),
    _row("Pre-agg", "pre-aggregation", True, (37.83, 30.09), (59.53, 46.35), (52.42, 41.48)),
    _row("Post-agg", "post-aggregation", True, (38.92, 31.33), (63.40, 48.92), (56.15, 44.01)),
    _row("Conv-style", "convolution-style", False, (41.19, 32.20), (60.52, 46.66), (53.24, 41.62)),
    _row("No-sharing", "no-sharing", False, (39.62, 30.93), (59.62, 46.35), (53.44, 42.39)),
    _row("Full-sharing", "full-sharing", True, (41.70, 33.02), (59.85, 46.55), (53.71, 42.20)),
)
"""Human3.6M, MPJPE and P-MPJPE, mm.

Source: the supplement, Table 1; the rows of Martinez and Zhao are those of SemGCN's code page.
"""


_POT = "as the Pose-Oriented Transformer (AAAI 2023) repeats it"
BEST = ("pre-aggregation", True)
"""The paper's best method, here decoupled pre-aggregation."""
BEST_BY_ACTIVITY: Mapping[tuple[str, str], tuple[tuple[float, ...], str]] = {
    ("gt", "mpjpe_mm"): (
        (36.8, 40.3, 33.0, 36.3, 37.5, 45.0, 39.7, 34.9, 40.3, 47.7, 37.4, 38.5, 38.6, 29.6, 32.0),
        _POT,
    ),
    ("cpn", "mpjpe_mm"): (
        (46.3, 52.2, 47.3, 50.7, 55.5, 67.1, 49.2, 46.0, 60.4, 71.1, 51.5, 50.1, 54.5, 40.3, 43.7),
        _POT,
    ),
    ("cpn", "p_mpjpe_mm"): (
        (35.9, 40.0, 38.0, 41.5, 42.5, 51.4, 37.8, 36.0, 48.6, 56.6, 41.8, 38.3, 42.7, 31.7, 36.2),
        "as Di2Pose (NeurIPS 2024) repeats it; its mean is 41.27, the supplement has 41.48",
    ),
}
"""The main paper's rows of its best method, by detections and kind of error: errors in mm in the
order of ``ACTIVITIES``, and where the row is printed. Later papers repeat them; the main paper's
own text was not available to us."""


@dataclass(frozen=True)
class PublishedCross:
    """One row of the supplement's Table 2; per cent, None where a dash is printed.

    Args:
        label: The row's name as printed.
        training_data: As printed.
        pck: PCK at 150 mm in GS (green screen), noGS, Outdoor and all.
        auc: AUC over all.
        method: What stands for the system here, as :class:`graphlift.study.grid.Variant` has it.
        decoupled: The same.
        objective: The same; where the system's network takes images, this alone is here.
    """

    label: str
    training_data: str
    pck: tuple[float | None, float | None, float | None, float]
    auc: float | None
    method: str
    decoupled: bool = False
    objective: str = ""


TABLE_2: tuple[PublishedCross, ...] = (
    PublishedCross("Martinez et al.", "H36m", (49.8, 42.5, 31.2, 42.5), 17.0, "martinez"),
    PublishedCross("Yang et al.", "H36m+MPII", (None, None, None, 69.0), 32.0, *BEST, "critic"),
    PublishedCross(
        "Zhou et al. 2017", "H36m+MPII", (71.1, 64.7, 72.7, 69.2), 32.5, *BEST, "bone-ratios"
    ),
    PublishedCross(
        "Pavlakos et al.", "H36m+MPII+LSP", (76.5, 63.1, 77.5, 71.9), 35.3, "ordinal-depth"
    ),
    PublishedCross("Ci et al.", "H36m", (74.8, 70.8, 77.3, 74.0), 36.7, "lcn"),
    PublishedCross("Wang et al.", "H36m", (None, None, None, 71.9), 35.8, "bidirectional"),
    PublishedCross("Li et al.", "H36m+MPII", (70.1, 68.2, 66.6, 67.9), None, "mixture"),
    PublishedCross(
        "Zhou et al. 2019", "H36m+MPII", (75.6, 71.3, 80.3, 75.3), 38.0, *BEST, "part-triplets"
    ),
    PublishedCross("Pre-agg (the paper)", "H36m", (77.6, 80.5, 80.1, 79.3), 47.6, *BEST),
)
"""MPI-INF-3DHP's test set.

Source: the supplement, Table 2.
"""

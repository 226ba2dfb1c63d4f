"""The runs of a study in order: its methods, detections and seeds, and which runs are missing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphlift.graph import DECOUPLED
from graphlift.protocols import PROTOCOLS
from graphlift.protocols.adaptations import OWN_WIDTH
from graphlift.study.results import Result

ORDER = (
    ("martinez", False),
    ("semgcn", False),
    ("pre-aggregation", True),
    ("pre-aggregation", False),
    ("post-aggregation", True),
    ("post-aggregation", False),
    ("convolution-style", False),
    ("no-sharing", False),
    ("full-sharing", True),
    ("full-sharing", False),
)
"""Methods in the order of the supplement's Table 1, each decoupled variant first."""
PAPER_FIVE = tuple(ORDER[i] for i in (2, 4, 6, 7, 8))
"""The five rows of the supplement's Table 1 that are weight-sharing methods."""
DETECTIONS: Mapping[str, str] = {
    "gt": "GT",
    "hg-sim": "HG (simulated)",
    "cpn-sim": "CPN (simulated)",
    "hg": "HG",
    "cpn": "CPN",
}

_SHORT = {
    "martinez": "Martinez",
    "semgcn": "SemGCN",
    "pre-aggregation": "pre-agg",
    "post-aggregation": "post-agg",
    "convolution-style": "conv-style",
}


@dataclass(frozen=True)
class Variant:
    """A row of the tables.

    Args:
        method: By the paper's name, or a baseline's.
        decoupled: Whether self-connections are decoupled by option.
        channels: Width, where the study has the method at several; else None.
    """

    method: str
    decoupled: bool
    channels: int | None = None

    @property
    def label(self) -> str:
        """Full name."""
        name = {"martinez": "Martinez et al.", "semgcn": "SemGCN (Zhao et al.)"}
        return self._name(name.get(self.method, self.method), ", decoupled")

    @property
    def spoken(self) -> str:
        """Full name within a sentence."""
        method = Variant(self.method, False, self.channels).label
        return f"decoupled {method}" if self.decoupled else method

    @property
    def short(self) -> str:
        """Name for the axes of figures."""
        return self._name(_SHORT.get(self.method, self.method), ", dec.")

    def _name(self, method: str, decoupled: str) -> str:
        width = f", {self.channels} channels" if self.channels else ""
        return method + (decoupled if self.decoupled else "") + width


def detections_label(detections: str) -> str:
    """Name of detections for readers; 'simulated' is part of it."""
    return DETECTIONS.get(detections, detections)


@dataclass(frozen=True, eq=False)
class Study:
    """Finished runs, one for each variant, detections and seed; a repeated run counts once.

    Args:
        results: As read, in the order of the file.
    """

    results: Sequence[Result]

    @cached_property
    def _widths(self) -> Counter[tuple[str, bool]]:
        return Counter((m, d) for m, d, _ in {(*_identity(r), r.channels) for r in self.results})

    @cached_property
    def _runs(self) -> dict[tuple[Variant, str, int], Result]:
        return {(self.variant(r), r.detections, r.seed): r for r in self.results}

    @property
    def runs(self) -> list[Result]:
        """Runs that count, in the order of the tables."""
        return [
            run
            for kind in self.detections
            for variant in self.variants
            for run in self.at(variant, kind)
        ]

    @property
    def licensed(self) -> bool:
        """Whether all runs are of the data set that the paper's tables are of."""
        return bool(self.runs) and all(
            next(iter(run.protocols), "").startswith("h36m") for run in self.runs
        )

    @property
    def errors_by(self) -> str:
        """Name of the protocol of errors; of both, where some networks have 17 joints."""
        return " and ".join(dict.fromkeys(names[0] for names in self._protocols))

    @property
    def crossed_by(self) -> str | None:
        """Name of the protocol of PCK and AUC, if these were measured."""
        return next((names[1] for names in self._protocols if len(names) > 1), None)

    @property
    def adapted(self) -> str:
        """Say which known deviations the scores were made with; nothing if with none."""
        names = dict.fromkeys(name for run in self.runs for name in run.adaptations)
        return f" Adaptations: {', '.join(names)}." if names else ""

    @property
    def cross_adapted(self) -> str:
        """Say how MPI-INF-3DHP's keypoints and the predictions for them were adapted."""
        known = PROTOCOLS["3dhp-14"].adaptations
        asked = [
            n for n in dict.fromkeys(n for r in self.runs for n in r.adaptations) if n in known
        ]
        lens = "" if OWN_WIDTH in asked else "seen through Human3.6M's lens; "
        return f"{lens}adaptations: {', '.join(asked) or 'none'}"

    @property
    def _protocols(self) -> list[tuple[str, ...]]:
        return [tuple(run.protocols) or ("open-16", "cross-14") for run in self.runs]

    @property
    def repeated(self) -> int:
        """How many lines were replaced by a later line of the same run."""
        return len(self.results) - len(self._runs)

    @cached_property
    def variants(self) -> list[Variant]:
        """Rows of the tables."""
        return sorted(
            {variant for variant, _, _ in self._runs},
            key=lambda v: (_place(v.method, v.decoupled), v.method, v.channels or 0),
        )

    @cached_property
    def detections(self) -> list[str]:
        """Column groups of the tables: gt, hg-sim, cpn-sim, then others by name."""
        known = list(DETECTIONS)
        seen = {kind for _, kind, _ in self._runs}
        return sorted(seen, key=lambda d: (known.index(d) if d in known else len(known), d))

    @cached_property
    def seeds(self) -> list[int]:
        """All seeds seen, ascending."""
        return sorted({seed for _, _, seed in self._runs})

    @property
    def missing(self) -> list[tuple[Variant, str, int]]:
        """Runs that the full grid would have."""
        grid = ((v, d, s) for v in self.variants for d in self.detections for s in self.seeds)
        return [cell for cell in grid if cell not in self._runs]

    def variant(self, result: Result) -> Variant:
        """Say which row a run belongs to."""
        method, decoupled = _identity(result)
        several = self._widths[method, decoupled] > 1
        return Variant(method, decoupled, result.channels if several else None)

    def at(self, variant: Variant, detections: str) -> list[Result]:
        """One cell's runs by ascending seed; empty if there are none."""
        cells = ((variant, detections, seed) for seed in self.seeds)
        return [self._runs[cell] for cell in cells if cell in self._runs]

    def values(
        self, variant: Variant, detections: str, read: Callable[[Result], float | None]
    ) -> list[float]:
        """One number from each run of a cell; runs without it are left out."""
        numbers = (read(run) for run in self.at(variant, detections))
        return [number for number in numbers if number is not None]

    def find(self, method: str, decoupled: bool) -> Variant | None:
        """Look a method up; the widest, if the study has it at several widths."""
        rows = [v for v in self.variants if (v.method, v.decoupled) == (method, decoupled)]
        return max(rows, key=lambda variant: variant.channels or 0, default=None)

    @property
    def parameters(self) -> list[int]:
        """Parameters of every variant's networks."""
        return [
            next(run.parameters for kind in self.detections for run in self.at(variant, kind))
            for variant in self.variants
        ]


def _identity(result: Result) -> tuple[str, bool]:
    return result.method, result.decoupled and result.method in DECOUPLED


def _place(method: str, decoupled: bool) -> int:
    return ORDER.index((method, decoupled)) if (method, decoupled) in ORDER else len(ORDER)

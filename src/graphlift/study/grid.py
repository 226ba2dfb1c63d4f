"""The runs of a study in order: its methods, detections and seeds, and which runs are missing."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from graphlift.study.objectives import NETWORK, OBJECTIVES, objective_of
from graphlift.study.results import Result
from graphlift.weight_sharing import DECOUPLED

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
LABELS: Mapping[str, str] = {
    "gt": "GT",
    "hg-sim": "HG (simulated)",
    "cpn-sim": "CPN (simulated)",
    "hg": "HG",
    "cpn": "CPN",
}
"""Names of detections for readers, in the order of the tables."""
_LONG = {
    "martinez": "Martinez et al.",
    "semgcn": "SemGCN (Zhao et al.)",
    "modulated": "Modulated GCN (Zou and Tang)",
    "high-order": "High-order GCN (Zou et al.)",
    "graph-hourglass": "Graph Stacked Hourglass (Xu and Takano)",
    "graformer": "GraFormer (Zhao et al.)",
    "htnet": "HTNet (Cai et al.)",
    "lcn": "LCN (Ci et al.)",
    "mixture": "mixture density (Li and Lee)",
    "bidirectional": "bidirectional (Wang et al.)",
    "ordinal-depth": "ordinal depth (Pavlakos et al.)",
}
_SHORT = {
    "martinez": "Martinez",
    "semgcn": "SemGCN",
    "modulated": "Modulated GCN",
    "high-order": "High-order GCN",
    "graph-hourglass": "Graph Hourglass",
    "graformer": "GraFormer",
    "htnet": "HTNet",
    "lcn": "LCN",
    "pre-aggregation": "pre-agg",
    "post-aggregation": "post-agg",
    "convolution-style": "conv-style",
}

APART = 1.25
"""Ratio of two sizes that are not one; networks that are matched differ by a tenth at most."""

Identity = tuple[str, bool, str]
"""Method, whether it is decoupled, objective."""
Read = Callable[[Result], float | None]
"""One number of a run, or None where it has none."""
Span = tuple[float, float]
"""From and to, px: how far 2D detections are off."""


@dataclass(frozen=True)
class Variant:
    """A row of the tables: a method, decoupled or not, at one size, with one objective.

    Args:
        method: By the paper's name, or a baseline's.
        decoupled: Whether self-connections are decoupled by option.
        channels: Width, where the study has the method at several; else None.
        objective: What it was trained by beside the error of poses; "" for nothing
            (:func:`graphlift.study.objectives.objective_of`).
    """

    method: str
    decoupled: bool
    channels: int | None = None
    objective: str = ""

    @property
    def label(self) -> str:
        """Full name; an objective's alone where the network is the one that all are tried on."""
        return self._name(_LONG.get(self.method, self.method), ", decoupled", self._objective)

    @property
    def spoken(self) -> str:
        """Full name within a sentence."""
        name = self._name(_LONG.get(self.method, self.method), "", "")
        name = f"decoupled {name}" if self.decoupled else name
        return f"{name} with {self._objective}" if self.objective else name

    @property
    def short(self) -> str:
        """Name for the axes of figures."""
        return self._name(_SHORT.get(self.method, self.method), ", dec.", self.objective)

    @property
    def own(self) -> bool:
        """Whether it is one of the study's own, :data:`ORDER`, and has no objective."""
        return (self.method, self.decoupled) in ORDER and not self.objective

    @property
    def _objective(self) -> str:
        known = OBJECTIVES.get(self.objective)
        return known.label if known else self.objective

    def _name(self, method: str, decoupled: str, objective: str) -> str:
        name = method + (decoupled if self.decoupled else "")
        if objective:
            alone = (self.method, self.decoupled) == NETWORK and self.objective in OBJECTIVES
            name = objective if alone else f"{name}, {objective}"
        return name + (f", {self.channels} channels" if self.channels else "")


def detections_label(detections: str) -> str:
    """Name detections for readers; "simulated" is part of the name."""
    return LABELS.get(detections, detections)


@dataclass(frozen=True, eq=False)
class Study:
    """Finished runs, one for each variant, detections and seed; a repeated run counts once.

    Args:
        results: As read, in the order of the file.
    """

    results: Sequence[Result]

    @cached_property
    def _widths(self) -> Counter[Identity]:
        return Counter(of for of, _ in {(_identity(r), r.channels) for r in self.results})

    @cached_property
    def _runs(self) -> dict[tuple[Variant, str, int], Result]:
        return {(self.variant(r), r.detections, r.seed): r for r in self.results}

    @property
    def runs(self) -> list[Result]:
        """Runs that count, in the order of the tables."""
        cells = ((kind, variant) for kind in self.detections for variant in self.variants)
        return [run for kind, variant in cells for run in self.at(variant, kind)]

    @property
    def licensed(self) -> bool:
        """Whether all runs are of the data set that the paper's tables are of."""
        return all(next(iter(run.protocols), "").startswith("h36m") for run in self.runs)

    @property
    def repeated(self) -> int:
        """How many lines were replaced by a later line of the same run."""
        return len(self.results) - len(self._runs)

    @cached_property
    def variants(self) -> list[Variant]:
        """Rows of the tables: networks, then those with an objective."""
        order = {name: place for place, name in enumerate(ORDER)}
        return sorted(
            {variant for variant, _, _ in self._runs},
            key=lambda v: (
                bool(v.objective),
                order.get((v.method, v.decoupled), len(ORDER)),
                v.method,
                v.objective,
                v.channels or 0,
            ),
        )

    @cached_property
    def detections(self) -> list[str]:
        """Groups of columns or rows of the tables: those of :data:`LABELS`, others by name."""
        order = {kind: place for place, kind in enumerate(LABELS)}
        found = {kind for _, kind, _ in self._runs}
        return sorted(found, key=lambda kind: (order.get(kind, len(LABELS)), kind))

    @cached_property
    def seeds(self) -> list[int]:
        """All seeds of the runs, ascending."""
        return sorted({seed for _, _, seed in self._runs})

    @property
    def missing(self) -> list[tuple[Variant, str, int]]:
        """Runs that the full grid would have."""
        grid = ((v, d, s) for v in self.variants for d in self.detections for s in self.seeds)
        return [cell for cell in grid if cell not in self._runs]

    @property
    def parameters(self) -> list[int]:
        """Number of parameters of every variant's networks."""
        return [runs[0].parameters for runs in map(self.all_of, self.variants)]

    def variant(self, result: Result) -> Variant:
        """Find the row that a run belongs to."""
        identity = _identity(result)
        several = self._widths[identity] > 1
        method, decoupled, objective = identity
        return Variant(method, decoupled, result.channels if several else None, objective)

    def at(self, variant: Variant, detections: str) -> list[Result]:
        """One cell's runs by ascending seed; empty if there are none."""
        cells = ((variant, detections, seed) for seed in self.seeds)
        return [self._runs[cell] for cell in cells if cell in self._runs]

    def all_of(self, variant: Variant) -> list[Result]:
        """All runs of a method, on whatever detections."""
        return [run for kind in self.detections for run in self.at(variant, kind)]

    def values(self, variant: Variant, detections: str, read: Read) -> list[float]:
        """One number from each run of a cell; runs without it are left out."""
        numbers = (read(run) for run in self.at(variant, detections))
        return [number for number in numbers if number is not None]

    def names(self, read: Callable[[Result], Iterable[str]]) -> list[str]:
        """Gather the names that runs list, each once, in the order first met."""
        return list(dict.fromkeys(name for run in self.runs for name in read(run)))

    def noise_bins(self, *kinds: str) -> list[Span]:
        """Gather the ranges of 2D noise that runs on some detections were measured in."""
        runs = [run for run in self.runs if run.detections in kinds]
        bins = {(b.from_px, b.to_px) for run in runs for b in run.noise_bins}
        return sorted(span for span in bins if span[1] > span[0])

    def find(self, method: str, decoupled: bool, objective: str = "") -> Variant | None:
        """Find a method's row; the widest, if the study has it at several widths."""
        named = (method, decoupled, objective)
        rows = [v for v in self.variants if (v.method, v.decoupled, v.objective) == named]
        return max(rows, key=lambda variant: variant.channels or 0, default=None)


def by_size(study: Study) -> list[Study]:
    """Part a study whose methods are matched at several sizes; smallest size first.

    Returns:
        The study itself, if its networks have one size, or sizes that are not matched: a size is
        one if it is at least :data:`APART` times the next smaller one, every method has one width
        at it, and some method has a width at every size.
    """
    ordered = sorted({run.parameters for run in study.results})
    starts = ordered[:1]
    starts += [size for before, size in pairwise(ordered) if size >= APART * before]
    parts = [
        Study([run for run in study.results if start <= run.parameters < end])
        for start, end in pairwise([*starts, float("inf")])
    ]
    methods = [{_identity(run) for run in part.results} for part in parts]
    matched = all(len(part.variants) == len(of) for part, of in zip(parts, methods, strict=True))
    return parts if parts and matched and set.intersection(*methods) else [study]


def _identity(result: Result) -> Identity:
    decoupled = result.decoupled and result.method in DECOUPLED
    return result.method, decoupled, objective_of(result.config)


def mpjpe_in(activity: str, run: Result) -> float | None:
    """Read the MPJPE of one activity, mm."""
    score = run.per_activity.get(activity)
    return None if score is None else score.mpjpe_mm


def pck_in(group: str, run: Result) -> float | None:
    """Read the PCK of one group of the other data set, per cent."""
    score = run.cross_per_activity.get(group)
    return None if score is None else score.pck


def error_in(span: Span, run: Result) -> float | None:
    """Read the mean 3D error of the joints whose 2D detection is off by so much, mm."""
    found = (b.mpjpe_mm for b in run.noise_bins if (b.from_px, b.to_px) == span and b.joints)
    return next(found, None)

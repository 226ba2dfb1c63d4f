"""All that the templates of a report fill in: findings, tables, figures, settings and sources."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from graphlift.card import CMU
from graphlift.study import paper, statistics
from graphlift.study.claims import Claim, claims, errors_of
from graphlift.study.grid import Study, Variant, mpjpe_in
from graphlift.study.report import failures, figures, heatmaps, published, tables
from graphlift.study.statistics import Pair, all_pairs, block_layout, resample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graphlift.study.results import SecondErrors

OF_THE_GRID = {
    *("data", "detections", "seed", "model.method", "model.decouple_self", "model.channels"),
}
"""Settings that differ between the runs of every study, by their paths."""
OWN_WIDTH = "own-width"
"""The adaptation under which 2D input is normalised by the width of each image."""
ACKNOWLEDGEMENTS = {
    "cmu": CMU,
    "hdm05": "Müller, Röder, Clausen, Eberhardt, Krüger, Weber: Documentation Mocap Database "
    "HDM05, CG-2007-2, Universität Bonn 2007, CC BY-SA 3.0, used for testing only.",
    "human3.6m": "Ionescu, Papava, Olaru, Sminchisescu: Human3.6M, TPAMI 2014; for academic use.",
    "mpi-inf-3dhp": "Mehta, Rhodin, Casas, Fua, Sotnychenko, Xu, Theobalt: Monocular 3D human "
    "pose estimation in the wild using improved CNN supervision, 3DV 2017; for research.",
    "prior": f"Fitted to training subjects of the CMU Graphics Lab database. {CMU}",
}
"""What the owners of the data ask for, by a word in the name of the data."""


@dataclass(frozen=True)
class Findings:
    """What the bootstrap shows.

    Args:
        pairs: All pairs of methods, by detections.
        claims: The paper's claims.
        left_out: Names of runs over other test frames than most, which no pair can hold.
    """

    pairs: Sequence[tuple[str, Sequence[Pair[Variant]]]]
    claims: Sequence[Claim]
    left_out: Sequence[str]


def find(study: Study) -> Findings:
    """Resample a study's runs once and draw every conclusion from the same draws."""
    layouts = Counter(block_layout(run.blocks) for run in study.runs if run.blocks)
    common = layouts.most_common(1)[0][0] if layouts else None
    kept: dict[tuple[Variant, str, int], Mapping[str, SecondErrors]] = {}
    left_out = []
    for run in study.runs:
        if common is not None and block_layout(run.blocks) == common:
            kept[study.variant(run), run.detections, run.seed] = run.blocks
        else:
            left_out.append(run.name)
    draws = resample(kept)
    pairs = []
    for kind in study.detections:
        errors = {v: errors_of(draws, v, {kind: 1}) for v in study.variants}
        some = all_pairs({v: e for v, e in errors.items() if e is not None})
        pairs += [(kind, some)] if some else []
    return Findings(pairs, claims(study, draws), left_out)


@dataclass(frozen=True)
class Best:
    """The method with the lowest mean error on some detections, and how the others compare.

    Args:
        detections: The detections.
        variant: The method.
        error: Its mean MPJPE, mm.
        others: All other methods there, best first.
        tested: Those of the others that were tested against it.
        alike: Those of the tested whose difference is not significant.
    """

    detections: str
    variant: Variant
    error: float
    others: Sequence[Variant]
    tested: Sequence[Variant]
    alike: Sequence[Variant]


def best_of(study: Study, kind: str, pairs: Sequence[Pair[Variant]]) -> Best:
    """Find the best method on some detections."""
    ranked = sorted(
        (fmean(values), variant.label, variant)
        for variant in study.variants
        if (values := study.values(variant, kind, lambda run: run.mpjpe_mm))
    )
    (error, _, best), *rest = ranked
    others = [variant for _, _, variant in rest]
    significant = {
        other: pair.significant
        for pair in pairs
        for other in {pair.first, pair.second} - {best}
        if best in (pair.first, pair.second) and pair.p_holm is not None
    }
    tested = [other for other in others if other in significant]
    return Best(kind, best, error, others, tested, [v for v in tested if not significant[v]])


def contents(study: Study) -> dict[str, Any]:
    """Gather all values of the templates, by the names they have there."""
    found, gallery = find(study), failures.gallery(study)
    with figures.style():
        drawn = {
            name: each and figures.to_svg(each) for name, each in _figures(study, found, gallery)
        }
    pairs = dict(found.pairs)
    return facts(study) | {
        "found": found,
        "verdicts": Counter(claim.verdict for claim in found.claims),
        "best": [best_of(study, kind, pairs.get(kind, ())) for kind in study.detections],
        "gallery": gallery,
        "figures": drawn,
        "published": published,
        "paper": paper,
        "statistics": statistics,
    }


def facts(study: Study) -> dict[str, Any]:
    """Gather what a study is of: its runs, data, protocols and settings."""
    runs = study.runs
    protocols = [tuple(run.protocols) or ("open-16", "cross-14") for run in runs]
    adapted = dict.fromkeys(name for run in runs for name in run.adaptations)
    cross_data = {(r.cross_data, r.cross_digest or "") for r in runs if r.cross_data}
    return {
        "study": study,
        "tables": tables,
        "runs": runs,
        "lengths": sorted({(run.steps, run.batch_size) for run in runs}),
        "kept_last": all(run.config.get("keep") == "last" for run in runs),
        "joints": sorted({run.config.get("model", {}).get("joints", 16) for run in runs}),
        "mean_parameters": fmean(study.parameters),
        "data": sorted({(run.data, run.data_digest) for run in runs}),
        "cross_data": sorted(cross_data),
        "crossed": sorted({r.cross_data or "unnamed" for r in runs if r.cross_pck is not None}),
        "prior_runs": sum("prior" in run.data.lower() for run in runs),
        "on_prior": bool(cross_data) and all("prior" in name.lower() for name, _ in cross_data),
        "protocols": dict(line for run in runs for line in run.protocols.items()),
        "protocol_of_errors": " and ".join(dict.fromkeys(names[0] for names in protocols)),
        "protocol_of_cross": next((names[1] for names in protocols if len(names) > 1), None),
        "adaptations": f" Adaptations: {', '.join(adapted)}." if adapted else "",
        "cross_adaptations": _cross_adaptations(study),
        "settings": settings(study),
        "acknowledgements": acknowledgements(study),
    }


def _cross_adaptations(study: Study) -> str:
    """Say how MPI-INF-3DHP's keypoints and the predictions for them were adapted."""
    asked: dict[str, None] = {}
    for run in study.runs:
        named = run.protocols.get("3dhp-14", "").rpartition("adaptations: ")[2].split(", ")
        asked |= dict.fromkeys(name for name in run.adaptations if name in named)
    camera = "" if OWN_WIDTH in asked else "as Human3.6M's camera would see them; "
    return f"{camera}adaptations: {', '.join(asked) or 'none'}"


def _figures(
    study: Study, found: Findings, gallery: failures.Gallery | None
) -> Iterator[tuple[str, "Figure | None"]]:
    errors = [item for run in study.runs for item in run.per_joint_mm.items()]
    joints = list(dict.fromkeys(name for name, error in errors if error))
    activities = sorted(study.names(lambda run: run.per_activity))
    yield "curves", figures.curves(study)
    yield "differences", heatmaps.pair_matrix(study, found.pairs) if found.pairs else None
    yield "joints", heatmaps.heatmap(study, joints, lambda n, run: run.per_joint_mm.get(n) or None)
    yield "activities", heatmaps.heatmap(study, activities, mpjpe_in)
    yield "noise", figures.noise(study)
    yield "occlusion", figures.occlusion(study)
    yield "parameters", figures.parameters(study)
    yield "failures", failures.worst_frames(gallery) if gallery and gallery.posed else None


@dataclass(frozen=True)
class Settings:
    """Configuration of a study's runs, by paths such as ``model.blocks``.

    Args:
        shared: Values that all runs have.
        varied: Paths of the others.
    """

    shared: Mapping[str, str]
    varied: Sequence[str]

    @property
    def of_rows(self) -> list[str]:
        """Paths that differ although the grid does not vary them: recipes of rows or columns."""
        return [path for path in self.varied if path not in OF_THE_GRID]


def settings(study: Study) -> Settings:
    """Compare the configurations of all runs."""
    values: dict[str, list[str]] = {}
    for run in study.runs:
        for path, value in _flat(run.config, ""):
            values.setdefault(path, []).append(value)
    shared = {
        path: found[0]
        for path, found in sorted(values.items())
        if len(found) == len(study.runs) and len(set(found)) == 1
    }
    return Settings(shared, [path for path in sorted(values) if path not in shared])


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = json.dumps(value, ensure_ascii=False)
            yield f"{prefix}{key}", text if len(text) <= 200 else text[:199] + "…"


def acknowledgements(study: Study) -> dict[str, str]:
    """List what the owners of the data ask for, by the word their data are known by."""
    names = {name.lower() for run in study.runs for name in (run.data, run.cross_data) if name}
    return {
        word: thanks
        for word, thanks in ACKNOWLEDGEMENTS.items()
        if any(word in name for name in names)
    }

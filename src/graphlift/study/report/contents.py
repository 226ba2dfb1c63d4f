"""All that the templates of a report fill in: findings, tables, figures, settings and sources."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from graphlift.card import CMU
from graphlift.study import paper, statistics
from graphlift.study.grid import Study, by_size, mpjpe_in
from graphlift.study.report import (
    answers,
    failures,
    figures,
    heatmaps,
    published,
    sizes,
    tables,
)
from graphlift.study.report.findings import best_of, find
from graphlift.study.report.sizes import Sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_THE_GRID = {
    *("data", "detections", "seed", "model.method", "model.decouple_self", "model.channels"),
}
"""Settings that differ between the runs of every study, by their paths."""
GROUPS = (("", ": the study's own networks"), ("-others", ": networks of others, and objectives"))
"""Of :func:`graphlift.study.report.figures.groups`: end of a figure's name, and of its title."""
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


def contents(study: Study) -> dict[str, Any]:
    """Gather all values of the templates, by the names they have there.

    Of a study of several sizes they are of the largest; what is of all is under ``sized``.
    """
    parts = [Sized(part, find(part)) for part in by_size(study)]
    study, found = parts[-1].study, parts[-1].found
    gallery = failures.gallery(study)
    with figures.style():
        drawn = {name: each and figures.to_svg(each) for name, each in _figures(parts, gallery)}
    pairs = dict(found.pairs)
    return facts(study) | {
        "sized": parts if len(parts) > 1 else [],
        "sizes": sizes,
        "found": found,
        "verdicts": Counter(claim.verdict for claim in found.claims),
        "best": [best_of(study, kind, pairs.get(kind, ())) for kind in study.detections],
        "gallery": gallery,
        "groups": GROUPS if "curves-others" in drawn else [("", "")],
        "figures": drawn,
        "published": published,
        "answers": answers,
        "paper": paper,
        "statistics": statistics,
    }


def facts(study: Study) -> dict[str, Any]:
    """Gather what a study of one size is of: its runs, data, protocols and settings."""
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
        "others": [v for v in study.variants if not (v.own or v.objective)],
        "objectives": [v for v in study.variants if v.objective],
        "joints": sorted({run.config.get("model", {}).get("joints", 16) for run in runs}),
        "mean_parameters": fmean(study.parameters),
        "test_stride": max(run.config.get("evaluate_stride", 1) for run in runs),
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
    parts: Sequence[Sized], gallery: failures.Gallery | None
) -> Iterator[tuple[str, "Figure | None"]]:
    study, found = parts[-1].study, parts[-1].found
    errors = [item for run in study.runs for item in run.per_joint_mm.items()]
    joints = list(dict.fromkeys(name for name, error in errors if error))
    activities = sorted(study.names(lambda run: run.per_activity))
    yield "sizes", figures.across_sizes([part.study for part in parts])
    for (suffix, _), group in zip(GROUPS, figures.groups(study), strict=False):
        yield f"curves{suffix}", figures.curves(group)
        yield f"noise{suffix}", figures.noise(group)
        yield f"parameters{suffix}", figures.parameters(group)
    yield "differences", heatmaps.pair_matrix(study, found.pairs) if found.pairs else None
    yield "joints", heatmaps.heatmap(study, joints, lambda n, run: run.per_joint_mm.get(n) or None)
    yield "activities", heatmaps.heatmap(study, activities, mpjpe_in)
    yield "occlusion", figures.occlusion(study)
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

"""The sentences of a report: what it used, what it found, what it means by its words."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphlift.study import paper
from graphlift.study.claims import Claim
from graphlift.study.grid import Study, Variant, detections_label
from graphlift.study.report.cells import count, number, one_of, signed, size
from graphlift.study.report.failures import Gallery
from graphlift.study.report.published import order_kept
from graphlift.study.report.tables import crossed_on_prior
from graphlift.study.results import Result
from graphlift.study.statistics import DRAWS, FALSE_FINDS, SEED, WILD_MISSES, Pair, spread

UNPUBLISHED = (
    "The poses themselves are not published with these lines; the figure was drawn where they "
    "were."
)
"""In place of Fig. 2; see :func:`graphlift.study.results.without_poses`."""


def facts(study: Study) -> dict[str, str]:
    """List the facts that a reader wants first."""
    runs = study.runs
    sizes = study.parameters
    return {
        "Training and test data": _data({(r.data, r.data_digest) for r in runs}),
        "Other people of the same prior" if crossed_on_prior(study) else "Other data set": _data(
            {(r.cross_data, r.cross_digest) for r in runs if r.cross_data}
        ),
        "Protocols": _protocols(study),
        "Detections": "; ".join(map(detections_label, study.detections)),
        "Runs": f"{len(runs)}; seeds: {', '.join(map(str, study.seeds))}",
        "Training": " or ".join(
            sorted({f"{r.steps:,} steps of {r.batch_size:,} poses" for r in runs})
        ),
        "Parameters": size(min(sizes))
        if min(sizes) == max(sizes)
        else f"{size(min(sizes))} to {size(max(sizes))}",
        "graphlift": ", ".join(sorted({r.version for r in runs})),
    }


def _protocols(study: Study) -> str:
    crossed = f", {study.crossed_by} (PCK and AUC)" if study.crossed_by else ""
    return f"{study.errors_by} (errors){crossed}.{study.adapted}".rstrip(".")


def _data(pairs: set[tuple[Any, Any]]) -> str:
    named = (f"{name} (SHA-256 {str(digest)[:12]})" for name, digest in sorted(pairs))
    return "; ".join(named) or "–"


def from_prior(run: Result) -> bool:
    """Whether a run was trained on samples of the embedded prior, by its data's name."""
    return "prior" in run.data.lower()


def introduction(study: Study) -> list[str]:
    """Say what was compared, on which data, and what to keep in mind."""
    opening = (
        "A graph network lifts 2D keypoints to a 3D pose by passing messages along the bones. "
        "The methods compared here differ in one thing: which messages share a weight matrix."
    )
    rest = (*_simulated(study), *_regime(study), *_gaps(study))
    return [f"{opening} {_training(study)}", _which_data(study), *rest]


OF_THE_GRID = {
    *("data", "detections", "seed", "model.method", "model.decouple_self", "model.channels"),
}
"""Settings that differ between the runs of every study, by their paths."""


def _training(study: Study) -> str:
    lengths = {(run.steps, run.batch_size) for run in study.runs}
    alike = "All were trained for the same number of steps with batches of the same size"
    unlike = "They were not all trained for the same number of steps and batch size"
    last = all(run.config.get("keep") == "last" for run in study.runs)
    kept = "the last" if last else "those of the best step on validation subjects"
    own = [key for key in _varied(study.runs) if key not in OF_THE_GRID]
    recipes = (
        f" Rows or columns have recipes of their own ({', '.join(own)} differ), so differences "
        "between them are not of the sharing of weights alone."
        if own
        else ""
    )
    return (
        f"{alike if len(lengths) == 1 else unlike}, and the weights kept are {kept}: none is "
        f"chosen on test subjects.{recipes} Martinez et al.'s network has no graph; it and SemGCN "
        "are baselines."
    )


def _which_data(study: Study) -> str:
    if study.licensed:
        return (
            "The data are Human3.6M by its published protocol, the paper's own; detections are "
            "those of the published detectors."
        )
    prior = sum(map(from_prior, study.runs))
    if prior == len(study.runs):
        return (
            "The data are the embedded prior: poses drawn from a small generative model fitted "
            "to motion capture, not recordings of people. Errors on it say how methods compare "
            "on such samples and no more."
        )
    if prior:
        return "Some runs used motion capture, others the embedded prior: do not compare them."
    return "The data are recordings of people (motion capture) seen by virtual cameras."


def _simulated(study: Study) -> Iterator[str]:
    if {"hg-sim", "cpn-sim"} & set(study.detections):
        yield (
            "HG and CPN are simulated: true keypoints disturbed by a noise model whose level was "
            "set after the published detectors. No detector was run."
        )


def _regime(study: Study) -> Iterator[str]:
    mean = spread(study.parameters).mean
    if paper.far(mean):
        yield (
            f"These networks have {size(mean)} parameters in the mean. The paper's claims were "
            "made at 4.2 M, another regime: what holds or fails here may be otherwise there."
        )


def _gaps(study: Study) -> Iterator[str]:
    if len(study.seeds) == 1:
        yield "There is one seed only: differences between seeds are unknown, and no ± is given."
    missing = [
        f"{variant.label} on {detections_label(kind)}, seed {seed}"
        for variant, kind, seed in study.missing
    ]
    if missing:
        shown = "; ".join(missing[:12]) + ("; …" if len(missing) > 12 else "")
        yield f"Missing from the full grid: {count(len(missing), 'run', 'runs')}: {shown}."
    if study.repeated:
        lines = count(study.repeated, "line repeats", "lines repeat")
        yield f"{lines} a run; the last line of each counts."
    if len({run.data_digest for run in study.runs}) > 1:
        yield "Not all runs used the same data (see the digests): read differences with care."


def brief(
    study: Study, pairs: Sequence[tuple[str, Sequence[Pair[Variant]]]], found: Sequence[Claim]
) -> Iterator[str]:
    """Sum up: the best method for each detections, what stands behind it, the claims."""
    for kind in study.detections:
        ranked = sorted(
            (spread(values).mean, variant.label, variant)
            for variant in study.variants
            if (values := study.values(variant, kind, lambda run: run.mpjpe_mm))
        )
        (error, _, best), *others = ranked
        rest = _beside(best, [other for _, _, other in others], dict(pairs).get(kind, ()))
        text = f"{detections_label(kind)}: {best.spoken} has the lowest error, {number(error)} mm"
        yield f"{text}; {rest}".removesuffix(".") + "."  # names may end in "et al."
    words = Counter(claim.verdict for claim in found)
    yield (
        f"Of {len(found)} claims of the paper, {words['holds']} hold here, "
        f"{words['does not hold']} do not, {words['undecided']} are undecided and "
        f"{words['not tested here']} not tested."
    )


def _beside(best: Variant, others: Sequence[Variant], pairs: Sequence[Pair[Variant]]) -> str:
    """Say which methods the best one differs from."""
    if not others:
        return "there is no other method"
    tested = {
        other: pair
        for pair in pairs
        for other in {pair.first, pair.second} - {best}
        if best in (pair.first, pair.second) and pair.p_holm is not None
    }
    if not tested:
        return "with one seed, or none to compare, this speaks of these very networks only"
    alike = [other.spoken for other in others if other in tested and not tested[other].real]
    alone = [other.spoken for other in others if other not in tested]
    every = "every method tested" if alone else "every other method"
    text = f"{every} differs from it at 5 % after Holm's correction"
    if len(alike) == len(tested) > 1:
        text = "no other method is shown to differ from it at 5 % after Holm's correction"
    elif alike:
        text = f"at 5 % after Holm's correction it is not told from {one_of(alike)}"
    return f"{text}; not tested, for want of seeds: {', '.join(alone)}" if alone else text


def order(study: Study) -> Iterator[str]:
    """Say how far the paper's order of methods returns."""
    kept = order_kept(study)
    if kept:
        parts = "; ".join(f"{detections_label(kind)} {signed(rho, 2)}" for kind, rho in kept)
        yield (
            "Rank correlation (Spearman) of our MPJPE with the paper's, over the rows that both "
            f"have: {parts}. With so few rows, only values near one say that the order returned."
        )


def bootstrap(study: Study) -> Iterator[str]:
    """Explain the intervals and what they do not cover."""
    yield (
        f"Paired bootstrap: {DRAWS:,} draws (seed {SEED}) of one-second blocks of test frames, "
        "with replacement within each activity and the same blocks for both methods; statistic: "
        f"difference of {study.errors_by} MPJPE, mean over seeds. Each draw is moved by what "
        "the seeds leave open: the standard error of that difference over seeds times Student's "
        "t. p-values are two-sided, corrected by Holm over all pairs of methods on the same "
        "detections."
    )
    yield (
        "A few seeds say little of how far a method spreads, so each method's variance over "
        "seeds is drawn towards what is usual among all methods here on the same detections, "
        "the more so the more alike they spread (Smyth, 2004), but never below what was seen; "
        "what the others say adds to the degrees of freedom of t. Tried on simulated studies of "
        "ten methods that do not differ, three seeds each, that spread alike or one of them 4 to "
        f"8 times as far: at most {number(100 * FALSE_FINDS)} % of the studies called any pair "
        "different. A method that spreads much farther than the rest gets intervals that are "
        f"somewhat too short: in those studies {number(100 * WILD_MISSES, 0)} % of its 95 % "
        "intervals missed. A difference that is not called real is not thereby nothing."
    )
    yield (
        "Blocks of one clip are not independent, nor are clips of one of the few test subjects, "
        "so the intervals speak for these subjects and these activities, not for people at large."
    )
    if len(study.seeds) == 1:
        yield "With one seed there is no interval, and this speaks of these very networks only."


def failing(gallery: Gallery) -> str:
    """Count where the largest error of each kept frame sits."""
    total, clips = len(gallery.posed), len({failure.clip for failure in gallery.posed})
    kinds = ", ".join(f"{name} {times}" for name, times in gallery.worst_kinds)
    hidden = 100 * gallery.occluded_worst / total
    return (
        f"The runs of {gallery.variant.spoken} on {detections_label(gallery.detections)} kept "
        f"{count(total, 'distinct frame', 'distinct frames')} of {count(clips, 'clip', 'clips')} "
        "among their worst (a frame of one camera counts once, in however many seeds it failed). "
        f"The joint with the largest error is: {kinds}. It is hidden by a limb in "
        f"{number(hidden, 0)} % of these frames; of all test joints "
        f"{number(100 * gallery.occluded_share, 0)} % are. So few frames show where to look; they "
        "prove nothing."
    )


def definitions(study: Study) -> dict[str, str]:
    """Define every figure of the report in one sentence."""
    if study.licensed:
        return _shared_words(study) | dict(
            line for run in study.runs for line in run.protocols.items()
        )
    other = "tested on another through other cameras"
    if crossed_on_prior(study):
        other = "tested through other cameras on other people of the same prior"
    return _shared_words(study) | {
        "open-16": "Mean over frames and four cameras of each activity, then the plain mean of "
        "activities; subjects of training, validation and test are disjoint.",
        "cross-14": f"Trained on one data set, {other}, over 14 joints.",
    }


def _shared_words(study: Study) -> dict[str, str]:
    joints = {run.config.get("model", {}).get("joints", 16) for run in study.runs}
    return {
        "MPJPE": "Mean distance between predicted and true joints, both relative to the root, "
        f"over {' or '.join(map(str, sorted(joints)))} joints with the root's zero counted; mm.",
        "P-MPJPE": "MPJPE after each predicted pose is rotated, moved and scaled onto the truth.",
        "N-MPJPE": "MPJPE after each predicted pose is scaled onto the truth.",
        "PCK": "Share of joints nearer than 150 mm to the truth, per cent.",
        "AUC": "Mean PCK over the thresholds 0, 5, …, 150 mm, per cent; it ends at 96.77.",
        "Parameters": "Numbers that training learns.",
        "MACs": "Multiply-accumulates of the weight products for one pose.",
        "Poses/s": "Training poses a second of this implementation, evaluations left out.",
        "Differs, real": "p below 0.05 after Holm's correction; by seconds and seeds.",
        "±": "Standard deviation over seeds, n − 1 in the denominator.",
        "Visible, occluded": "Whether a limb lies between the camera and the joint; without "
        "the root.",
    }


def shared_settings(runs: Sequence[Result]) -> dict[str, str]:
    """List the settings that are equal in all runs."""
    return {key: values[0] for key, values in _settings(runs).items() if _same(values, runs)}


def varied_settings(runs: Sequence[Result]) -> Iterator[str]:
    """Name the settings that differ between runs."""
    if varied := _varied(runs):
        yield f"Settings that differ between runs: {', '.join(varied)}."


def _varied(runs: Sequence[Result]) -> list[str]:
    return [key for key, values in _settings(runs).items() if not _same(values, runs)]


def _same(values: Sequence[str], runs: Sequence[Result]) -> bool:
    return len(values) == len(runs) and len(set(values)) == 1


def _settings(runs: Sequence[Result]) -> dict[str, list[str]]:
    settings: dict[str, list[str]] = {}
    for run in runs:
        for key, value in _flat(run.config, ""):
            settings.setdefault(key, []).append(value)
    return dict(sorted(settings.items()))


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = json.dumps(value, ensure_ascii=False)
            yield f"{prefix}{key}", text if len(text) <= 200 else text[:199] + "…"


CMU = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217."
)
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


def acknowledgements(study: Study) -> dict[str, str]:
    """Thank whom the data of the runs come from."""
    names = {name.lower() for run in study.runs for name in (run.data, run.cross_data) if name}
    return {
        f"Data: {word}": thanks
        for word, thanks in ACKNOWLEDGEMENTS.items()
        if any(word in name for name in names)
    }


def provenance(study: Study) -> dict[str, str]:
    """Give the whole digests and versions."""
    runs = study.runs
    digests = {(r.data, r.data_digest) for r in runs}
    digests |= {(r.cross_data, r.cross_digest or "") for r in runs if r.cross_data}
    return {
        **{f"SHA-256 of {name}": digest for name, digest in sorted(digests)},
        "graphlift": ", ".join(sorted({run.version for run in runs})),
        "Method": "Liu et al., A Comprehensive Study of Weight Sharing in Graph Networks for 3D "
        "Human Pose Estimation, ECCV 2020.",
    }

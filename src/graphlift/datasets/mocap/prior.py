"""The prior: people made up from a small model of human poses, for a study without any data.

The model, in ``prior.npz`` beside this file, was fitted to the training subjects of the CMU pack
(``recipes/fit_prior.py`` fits it). A pose is described by
44 features in a frame that has no heading: world z stays up, and the horizontal part of the axis
from the left to the right hip points along x. They are the unit directions of the 14 bones
outside the pelvis, the slope of the pelvis, and the clearance of the lowest joint above the floor.
Each activity has a mixture of probabilistic PCAs over them; bone lengths have a log-normal
distribution of their own. Poses are independent draws: there is no motion here.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.datasets.mocap.clips import Clip, MotionCapture
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.files import container
from graphlift.formats.npz_members import read_arrays
from graphlift.geometry import chain_bones, turn_about_z
from graphlift.skeletons import H36M_17
from graphlift.words import counted, shown

Split = Literal["train", "validation", "test"]

PRIOR_FILE = Path(__file__).with_name("prior.npz")
"""The parameters that the package ships."""

_LARGEST = 1 << 26
"""Bytes of one of its arrays."""

FPS = 1.0
"""Nominal: the poses of a clip are unrelated. At 1 Hz no joint can appear to exceed 15 m/s."""

SIZES: dict[Split, tuple[int, int]] = {
    "train": (24, 24_000),
    "validation": (6, 4_000),
    "test": (8, 8_000),
}
"""People and poses of each split, unless asked otherwise."""

BONE_LENGTHS = (
    *("pelvis half", "thigh", "shin", "lower trunk", "upper trunk", "neck", "head"),
    *("collar", "upper arm", "forearm"),
)
"""The free bone lengths of a body whose sides are alike."""

LENGTH_OF = np.array([0, 0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 8, 9])
"""For each of the 17 joints, which of :data:`BONE_LENGTHS` leads to it; the root's is not used."""

FURTHEST = 2.0
"""m; how far from the middle of the capture a root may be in x or in y."""

_NAME = "prior"
FORMAT = "graphlift-prior-1"
PLAIN = ("spread", "clearance", "lowest", "highest", "length_mean", "length_factor")
"""Arrays of the file that are fields of :class:`PosePrior` as they are."""

RHIP, LHIP = (int(joint) for joint in H36M_17.index("RHip", "LHip"))
LIMBS = np.array([joint for joint in range(1, 17) if joint not in (RHIP, LHIP)])
"""The ends of the 14 bones outside the pelvis."""

LEGS = ((2, 3), (5, 6))
"""Ends of thigh and shin of each leg."""

CLEARANCE_SCALE = 0.1
"""Makes the logarithm of the clearance vary about as much as directions."""

_CODE: dict[Split, int] = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of probabilistic principal component analysers.

    In each component a point is ``x = W z + μ + ε`` with ``z`` standard normal and ``ε``
    isotropic of variance σ², so its covariance is ``C = W Wᵀ + σ² I``.

    Args:
        weights: π, the share of each component; they add up to 1.
        means: μ.
        factors: W.
        noise: σ², a variance.

    Source: Tipping and Bishop, "Mixtures of probabilistic principal component analysers", Neural
    Computation 11(2), 1999 (sections 2 and 3).
    """

    weights: Float[np.ndarray, " component"]
    means: Float[np.ndarray, "component feature"]
    factors: Float[np.ndarray, "component feature latent"]
    noise: Float[np.ndarray, " component"]

    def draw(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "frame feature"]:
        """Draw independent points."""
        d, q = self.factors.shape[1:]
        of = rng.choice(len(self.weights), size=count, p=self.weights)
        z = rng.standard_normal((count, q))
        x = self.means[of] + np.sqrt(self.noise[of])[:, None] * rng.standard_normal((count, d))
        for k in np.unique(of):
            x[of == k] += z[of == k] @ self.factors[k].T
        return np.asarray(x)


@dataclass(frozen=True, eq=False)
class PosePrior:
    """Parameters of the model.

    Args:
        activities: Names of what people do.
        shares: The share of each activity among poses; they add up to 1.
        mixtures: One mixture over the 44 features an activity.
        spread: Standard deviation of the root's x and of its y, m.
        clearance: Between which values each activity's last feature is kept: a foot neither sinks
            below the floor's contacts nor flies higher than training subjects do.
        lowest: Least value of each of :func:`joint_angles`, radians.
        highest: Greatest value of each, radians.
        length_mean: Mean logarithm of each of :data:`BONE_LENGTHS`, of metres.
        length_factor: Cholesky factor of their covariance.
        license: Terms and acknowledgement.
        fitted: How and to what the parameters were fitted.
    """

    activities: tuple[str, ...]
    shares: Float[np.ndarray, " activity"]
    mixtures: tuple[Mixture, ...]
    spread: Float[np.ndarray, " activity"]
    clearance: Float[np.ndarray, "activity 2"]
    lowest: Float[np.ndarray, " angle"]
    highest: Float[np.ndarray, " angle"]
    length_mean: Float[np.ndarray, " bone"]
    length_factor: Float[np.ndarray, "bone bone"]
    license: str = ""
    fitted: str = ""


def sample_prior(
    split: Split,
    *,
    seed: int = 0,
    people: int | None = None,
    poses: int | None = None,
    prior: PosePrior | None = None,
) -> MotionCapture:
    """Make people up: one clip a person and activity, of unrelated poses.

    Every person has bone lengths of their own and a stream of chance of their own, so that more
    people, or another split, leave the others as they are. The same seed gives the same bits.

    Args:
        split: Whose people; names (``train-003``) and streams of different splits never meet.
        seed: Not negative.
        people: How many; the default is in :data:`SIZES`.
        poses: How many in all; shared out evenly among people, and among activities by
            ``prior.shares``.
        prior: Other parameters than the package's.

    Returns:
        Poses in metres, float32, world frame, z up, floor at 0; no joint is below the floor.

    Raises:
        ConfigError: If the split is none of the three, the seed is negative, or there is not at
            least one person and one pose each.
    """
    if split not in _CODE:
        raise ConfigError(f"the prior has no split {shown(split)}: use one of {', '.join(_CODE)}")
    people = SIZES[split][0] if people is None else people
    poses = SIZES[split][1] if poses is None else poses
    if seed < 0 or people < 1 or poses < people:
        raise ConfigError(
            f"cannot sample {counted(poses, 'pose')} of {counted(people, 'person', 'people')} "
            f"with seed {seed}: give a seed of at least 0, at least one person, and at least one "
            "pose a person"
        )
    prior = load_prior() if prior is None else prior
    clips: list[Clip] = []
    for person in range(people):
        count = poses // people + (person < poses % people)
        rng = np.random.default_rng([seed, _CODE[split], person])
        clips += _person(prior, f"{split}-{person:03d}", count, rng)
    return MotionCapture(_NAME, H36M_17, tuple(clips), prior.license, prior.fitted)


def _person(prior: PosePrior, name: str, count: int, rng: np.random.Generator) -> list[Clip]:
    lengths = draw_lengths(prior, rng)
    clips = []
    for activity, number in enumerate(_share_out(count, prior.shares)):
        if number == 0:
            continue
        features = _draw_plausible(prior, activity, int(number), rng)
        features[:, -1] = np.clip(features[:, -1], *prior.clearance[activity])
        heading = rng.uniform(-np.pi, np.pi, size=number)
        spot = prior.spread[activity] * rng.standard_normal((number, 1, 2))
        positions = turn_about_z(features_to_positions(features, lengths), heading)
        positions[..., :2] += np.clip(spot, -FURTHEST, FURTHEST)
        does = prior.activities[activity]
        clip = Clip(f"{name}-{does}", name, does, FPS, positions.astype(np.float32))
        clips.append(clip)
    return clips


def draw_lengths(prior: PosePrior, rng: np.random.Generator) -> Float[np.ndarray, " bone"]:
    """Draw a body: :data:`BONE_LENGTHS`, m, no further than 2.5 sd out along any axis."""
    z = np.clip(rng.standard_normal(len(prior.length_mean)), -2.5, 2.5)
    return np.asarray(np.exp(prior.length_mean + prior.length_factor @ z))


def features_to_positions(
    features: Float[np.ndarray, "frame feature"], lengths: Float[np.ndarray, " bone"]
) -> Float[np.ndarray, "frame joint 3"]:
    """Put a body into poses.

    Args:
        features: As drawn: x, y, z of 14 directions, which are brought to unit length; the sine of
            the slope from the left hip up to the right; 0.1 ln(height of the lowest joint over
            length of leg).
        lengths: :data:`BONE_LENGTHS`, m.

    Returns:
        Positions, m: world frame, z up, floor at 0, root above the origin, right hip along x.
    """
    vectors = features_to_directions(features) * lengths[LENGTH_OF][:, None]
    positions = chain_bones(vectors, H36M_17.parents, H36M_17.order)
    leg = lengths[1] + lengths[2]
    height = leg * np.exp(features[:, -1] / CLEARANCE_SCALE)
    positions[..., 2] += (height - positions[..., 2].min(axis=1))[:, None]
    return positions


def features_to_directions(
    features: Float[np.ndarray, "frame feature"],
) -> Float[np.ndarray, "frame joint 3"]:
    """Read the unit directions of all bones off; the root's is zero."""
    directions = np.zeros((len(features), len(H36M_17), 3))
    limbs = features[:, :-2].reshape(len(features), -1, 3)
    directions[:, LIMBS] = limbs / np.linalg.norm(limbs, axis=-1, keepdims=True)
    slope = np.clip(features[:, -2], -1, 1)
    directions[:, RHIP] = np.column_stack([np.sqrt(1 - slope**2), 0 * slope, slope])
    directions[:, LHIP] = -directions[:, RHIP]
    return directions


def joint_angles(
    directions: Float[np.ndarray, "frame joint 3"],
) -> Float[np.ndarray, "frame angle"]:
    """Measure what a body can only do so far, radians.

    Returns:
        The angle between each of the 14 bones and the one before it (the pelvis counts as pointing
        right), then how far the right and the left shin swing backwards about the pelvis' axis:
        negative is a knee that bends the wrong way.
    """
    before = np.array([H36M_17.parents[joint] or RHIP for joint in LIMBS])
    fold = np.arccos(np.clip((directions[:, LIMBS] * directions[:, before]).sum(-1), -1, 1))
    right = directions[:, RHIP]
    hinge = [
        -(np.cross(directions[:, thigh], directions[:, shin]) * right).sum(-1)
        for thigh, shin in LEGS
    ]
    return np.column_stack([fold, np.arcsin(np.clip(np.column_stack(hinge), -1, 1))])


def plausible(
    prior: PosePrior, features: Float[np.ndarray, "frame feature"]
) -> Bool[np.ndarray, " frame"]:
    """Mark the draws that are kept.

    A draw is kept if every drawn direction has a length from 0.5 to 1.5 before it is brought to
    1 (else it points nowhere in particular) and every one of :func:`joint_angles` is within what
    training poses do.
    """
    length = np.linalg.norm(features[:, :-2].reshape(len(features), -1, 3), axis=-1)
    directed = (np.abs(length - 1) < 0.5).all(axis=1)
    angles = joint_angles(features_to_directions(features))
    return np.asarray(
        directed & ((angles >= prior.lowest) & (angles <= prior.highest)).all(axis=1)
    )


def _draw_plausible(
    prior: PosePrior, activity: int, count: int, rng: np.random.Generator
) -> Float[np.ndarray, "frame feature"]:
    kept = np.empty((0, prior.mixtures[activity].means.shape[1]))
    for _ in range(100):
        drawn = prior.mixtures[activity].draw(count + 16, rng)
        kept = np.vstack([kept, drawn[plausible(prior, drawn)]])
        if len(kept) >= count:
            return kept[:count]
    raise FormatError(
        f"the prior's poses of {prior.activities[activity]} are hardly ever plausible: its "
        "parameters are damaged; install graphlift again"
    )


def _share_out(count: int, shares: Float[np.ndarray, " activity"]) -> Int[np.ndarray, " activity"]:
    """Split a count into whole numbers as near to ``count * shares`` as can be."""
    exact = count * shares
    whole = np.floor(exact).astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: count - whole.sum()]] += 1
    return np.asarray(whole)


@cache
def load_prior(path: Path = PRIOR_FILE) -> PosePrior:
    """Read the parameters.

    Raises:
        DatasetNotFoundError: If the file does not exist.
        FormatError: If it is damaged or not of this layout.
    """
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no parameters of the prior at {path}: install graphlift again, or fit them with "
            "recipes/fit_prior.py"
        )
    arrays = read_arrays(path, max_bytes=_LARGEST)
    with container(path, "the prior's parameters (recipes/fit_prior.py makes them)"):
        return _unpack(arrays)


def _unpack(arrays: dict[str, np.ndarray]) -> PosePrior:
    if str(arrays["format"]) != FORMAT:
        raise ValueError(f"its format is {arrays['format']}, not {FORMAT}")
    number = {
        name: array.astype(float) for name, array in arrays.items() if array.dtype.kind == "f"
    }
    _check(number, len(arrays["activities"]), int(arrays["components"].sum()))
    ends = np.cumsum(arrays["components"])[:-1]
    parts = [np.split(number[name], ends) for name in ("weights", "means", "factors", "noise")]
    mixtures = tuple(
        Mixture(weights / weights.sum(), means, factors, noise)
        for weights, means, factors, noise in zip(*parts, strict=True)
    )
    return PosePrior(
        tuple(str(activity) for activity in arrays["activities"]),
        number["shares"] / number["shares"].sum(),
        mixtures,
        **{name: number[name] for name in PLAIN},
        license=str(arrays["license"]),
        fitted=str(arrays["fitted"]),
    )


def _check(number: dict[str, np.ndarray], activities: int, components: int) -> None:
    features, angles, bones = 3 * len(LIMBS) + 2, len(LIMBS) + 2, len(BONE_LENGTHS)
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("shares", "spread"), (activities,)),
        "clearance": (activities, 2),
        **dict.fromkeys(("weights", "noise"), (components,)),
        "means": (components, features),
        "factors": (components, features, number["factors"].shape[-1]),
        **dict.fromkeys(("lowest", "highest"), (angles,)),
        "length_mean": (bones,),
        "length_factor": (bones, bones),
    }
    for name, shape in shapes.items():
        if number[name].shape != shape or not np.isfinite(number[name]).all():
            raise ValueError(f"{name} is {number[name].shape} or not finite, not {shape}")

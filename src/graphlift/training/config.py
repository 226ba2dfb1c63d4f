"""Configuration of a training run: plain dataclasses, read from TOML and validated."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from graphlift.errors import ConfigError
from graphlift.graph import AffinityKind
from graphlift.networks import Centre, NonLocalKind
from graphlift.samples.anatomy import Anatomy
from graphlift.samples.augment import Augmentation
from graphlift.samples.samples import Cameras, Selection
from graphlift.samples.supervision import Supervision
from graphlift.simulated_detector import Detections
from graphlift.training.network_keys import not_of_network
from graphlift.training.tables import override, parse_table, read_overrides, read_toml
from graphlift.training.unused_keys import recorded, unused_keys
from graphlift.weight_sharing import DECOUPLED

Method = Literal[
    "full-sharing",
    "pre-aggregation",
    "post-aggregation",
    "no-sharing",
    "convolution-style",
    "semgcn",
    "modulated",
    "martinez",
    "lcn",
    "mixture",
    "bidirectional",
    "ordinal-depth",
    "high-order",
    "graph-hourglass",
    "graformer",
    "htnet",
    "over-time",
]
Device = Literal["cpu", "cuda", "mps"]
MatmulPrecision = Literal["highest", "high", "medium"]
STRICT = {"extra": "forbid", "strict": True}


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network; the defaults are the paper's best, at its size.

    Args:
        method: A weight-sharing method, or a baseline: ``semgcn`` (decoupled full-sharing with
            non-local layers), ``modulated`` (with modulated weights and affinities) or one of
            :data:`graphlift.networks.LIFTERS` (``docs/method.md`` has a table); or ``over-time``,
            which corrects what a model of single frames says by the frames around them
            (:mod:`graphlift.nn.over_time`).
        decouple_self: Give self-connections their own weights; only full-sharing, pre- and
            post-aggregation have such a variant.
        channels: Features of a joint inside (of a pose, for networks without a graph), as
            the network counts them.
        blocks: Residual blocks; 4, or as :data:`graphlift.networks.LIFTERS` says, when left out.
        dropout: Share of features dropped in training.
        affinity: ``learnt``, ``row-normalised``, ``column-normalised`` or ``symmetric``;
            modulated always learns it, starting from the first or the second, and other networks
            have affinities of their own.
        init: ``glorot``, or ``stacked`` as the published code initialises
            (:class:`graphlift.nn.graph_conv.GraphConv`); :data:`graphlift.networks.LIFTERS` start
            in ways of their own.
        joints: 16, as the study has them, 17, or 28: all that detectors give, with faces and
            feet (:data:`graphlift.skeletons.BODY_28`).
        inputs: ``screen`` coordinates; ``centred``, which also shows the pose against its root,
            over its size (:func:`graphlift.nn.views.beside_centred`); or ``canonical`` ones with
            confidence (:mod:`graphlift.preprocessing`).
        sigma: Whether the network also returns a standard deviation per position.
        non_local: ``none``, ``grouped`` (SemGCN's layers) or ``embedded`` (Modulated GCN's); the
            network's own when left out: semgcn's are grouped, the others have none.
        centre: ``spine``, or ``root``: where convolution-style counts bones from.
        learnt_mask: Whether lcn learns its mask.
        mirrored: Whether answers outside training are the mean of those for the pose and for its
            mirror image, at twice the cost.
    """

    __pydantic_config__: ClassVar = STRICT
    method: Method = "pre-aggregation"
    decouple_self: bool = True
    channels: int = 128
    blocks: int | None = None
    dropout: float = 0.0
    affinity: AffinityKind = "learnt"
    init: Literal["glorot", "stacked"] = "glorot"
    joints: Literal[16, 17, 28] = 16
    inputs: Literal["screen", "centred", "canonical"] = "screen"
    sigma: bool = False
    non_local: NonLocalKind | None = None
    centre: Centre = "spine"
    learnt_mask: bool = False
    mirrored: bool = False

    def __post_init__(self) -> None:
        _require(1 <= self.channels <= 65_536, "channels must be at least 1 and at most 65,536")
        _require(
            self.blocks is None or 0 <= self.blocks <= 1_000,
            "blocks must not be negative, and at most 1,000",
        )
        _require(0 <= self.dropout < 1, "dropout must be at least 0 and below 1")
        _require(
            not self.decouple_self or self.method in DECOUPLED,
            f"{self.method} has no decoupled variant: write decouple_self = false",
        )
        lacking = not_of_network(self)
        _require(not lacking, lacking)
        _require(
            self.centre == "spine" or self.method == "convolution-style",
            f"{self.method} does not ask where the centre is: leave centre out",
        )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides a run's result, seed and threads included.

    The defaults are near the recipe of the paper's authors: Adam, 1e-3, batches of 64, ×0.95 an
    epoch, gradients clipped to norm 1, mean squared error in metres. Their recipe in every detail
    is ``recipes/table1.toml``.

    Args:
        data: ``prior``, a folder with ``cmu.npz`` and ``splits.json``, or prepared packs.
        detections: ``gt``, the simulated ``hg-sim`` or ``cpn-sim``, or ``hg`` or ``cpn`` where a
            pack has them.
        seed: Of initial weights, batches and dropout.
        device: Where it is trained; rounding depends on it, so it is part of the run.
        threads: Of torch; rounding depends on it, so it is part of the run.
        matmul_precision: Of the products of matrices in training, by torch's names: ``highest`` is
            float32; ``medium`` rounds the factors to bfloat16, which on processors with such
            products takes about two thirds of the time. Validation is always in float32.
        epochs: Passes over the training frames, drawn by weight with replacement.
        steps: Ends the run after so many steps instead, if given.
        batch_size: Frames a step.
        learning_rate: At the start.
        optimizer: ``adam``, or ``muon`` for matrices (:mod:`graphlift.training.optimizer`).
        drop_last: Whether the frames of a pack that an epoch has left after its last whole batch
            are dropped, or make a smaller batch, as in the published codes. One left over is
            always dropped: a batch of one cannot be normalised.
        schedule: ``exponential`` (× ``decay`` an epoch), ``cosine`` to 0 over the whole run, or
            ``staircase``: × ``decay`` every ``decay_steps``, as the published codes count. Step t,
            from 1, is taken at ``decay`` to the power ⌊t / decay_steps⌋, and before the first full
            stair at the power 1 / decay_steps.
        decay: See ``schedule``.
        decay_steps: See ``schedule``; the steps of an epoch if left out.
        clip: Largest norm of all gradients together; 0 for none.
        loss: ``mse``, ``mpjpe`` (mean distance of joints), or of mixture ``likelihood``.
        flip: Mirror half of the frames in training.
        vary: Vary people of motion capture anew for every step, as the sizes, ``recombine`` and
            ``mirror`` of ``views`` say, turn them about the vertical, and let a simulated detector
            err anew; ``cameras`` stay ``open`` (:mod:`graphlift.samples.rig_views`).
        ema: Decay a step of an exponential moving average of the weights, which is then what is
            evaluated and kept; 0 for none.
        evaluate_every: Steps between evaluations on the validation subjects; an epoch if left out.
        evaluate_stride: Only every so many-th of their samples is evaluated, from the first.
        evaluate_test: Score test subjects then, too, for a report; nothing is chosen by that.
        tensorboard: Write TensorBoard events beside the JSON lines.
        weight_decay: Share of each weight that a step takes away, times the learning rate
            (AdamW).
        cameras: ``open``, the four of the open protocol; ``own``, those that a pack was recorded
            with; or ``random``, one of its own for every example: those are for canonical inputs,
            17 or 28 joints and ``detections = "gt"``, with noise as ``views`` says.
        views: How random views vary.
        anatomy: How people in random views of 28 joints vary.
        supervision: Objectives on poses, and the people who have no 3D labels.
        base: The model of single frames that an ``over-time`` network corrects: a shipped one by
            its name, or an .onnx file.
        keep: Which weights: of the ``best`` evaluation, or the ``last``.
        held_out: Training subjects who are not trained on. Those of a pack are validated on
            instead; if none is held out, its curve is of test subjects, and the last weights must
            be kept. Motion capture has validation subjects of its own.
        model: Which network.

    Source: the recipe is that of the code published by the paper's first authors.
    """

    __pydantic_config__: ClassVar = STRICT
    data: str = "prior"
    detections: Detections = "gt"
    seed: int = 0
    device: Device = "cpu"
    threads: int = 1
    matmul_precision: MatmulPrecision = "highest"
    epochs: int = 100
    steps: int | None = None
    batch_size: int = 64
    drop_last: bool = True
    learning_rate: float = 1e-3
    optimizer: Literal["adam", "muon"] = "adam"
    schedule: Literal["exponential", "cosine", "staircase"] = "exponential"
    decay: float = 0.95
    decay_steps: int | None = None
    clip: float = 1.0
    loss: Literal["mse", "mpjpe", "likelihood"] = "mse"
    flip: bool = False
    vary: bool = False
    ema: float = 0.0
    evaluate_every: int | None = None
    evaluate_stride: int = 1
    evaluate_test: bool = False
    tensorboard: bool = True
    weight_decay: float = 0.0
    cameras: Cameras = "open"
    views: Augmentation = field(default_factory=Augmentation)
    anatomy: Anatomy = field(default_factory=Anatomy)
    supervision: Supervision = field(default_factory=Supervision)
    base: str = "open-base"
    keep: Literal["best", "last"] = "best"
    held_out: tuple[str, ...] = ()
    model: ModelConfig = ModelConfig()

    def __post_init__(self) -> None:
        counts = ("threads", "epochs", "batch_size", "steps", "decay_steps", "evaluate_every")
        for name in (*counts, "evaluate_stride"):
            value = getattr(self, name)
            _require(value is None or value >= 1, f"{name} must be at least 1")
        for name, most in (("threads", 1_024), ("batch_size", 2**24)):
            _require(getattr(self, name) <= most, f"{name} must be at most {most:,}")
        for name in ("learning_rate", "decay", "clip", "ema"):
            _require(math.isfinite(getattr(self, name)), f"{name} must be finite")
        _require(0 <= self.seed < 2**63, "seed must not be negative, and below 2 to the 63")
        _require(self.batch_size >= 2, "batch_size must be at least 2: batches are normalised")
        _require(self.learning_rate > 0, "learning_rate must be positive")
        _require(0 < self.decay <= 1, "decay must be above 0 and at most 1")
        _require(
            self.decay_steps is None or self.schedule == "staircase",
            f'a schedule that is {self.schedule} has no decay_steps: write schedule = "staircase"',
        )
        _require(
            self.drop_last or self.cameras == "own",
            "drop_last is for packs, whose frames are seen once an epoch: leave it out",
        )
        _require(self.clip >= 0, "clip must not be negative")
        _require(0 <= self.ema < 1, "ema must be at least 0 and below 1")
        _require(0 <= self.weight_decay < 1, "weight_decay must be at least 0 and below 1")
        _require(
            (self.loss == "likelihood") == (self.model.method == "mixture"),
            'mixture is trained with loss = "likelihood", and no other network is: write it for '
            "mixture alone, in a plan under [rows.mixture]",
        )
        self._check_data()

    def _check_data(self) -> None:
        """Refuse cameras that do not go with the network, or with how weights are chosen."""
        canonical = self.model.inputs == "canonical"
        _require(
            canonical == (self.cameras == "random"),
            'canonical inputs go with cameras = "random", others with "open" or "own"',
        )
        _require(
            not canonical or (self.model.joints in (17, 28) and self.detections == "gt"),
            'random cameras show 17 or 28 joints: write model.joints = 28 and detections = "gt" '
            "(noise is views.noise)",
        )
        _require(
            self.model.method != "over-time" or self.model.joints == 28,
            "over-time corrects models of 28 joints: write model.joints = 28",
        )
        _require(
            not (canonical and self.evaluate_test),
            "test subjects have no random cameras: leave evaluate_test out",
        )
        _require(
            self.model.joints != 28 or self.loss == "mpjpe",
            '28 joints have a loss of their own, made of mean distances: write loss = "mpjpe"',
        )
        _require(
            self.model.joints != 28 or (canonical and self.model.sigma),
            '28 joints are seen by random cameras: write cameras = "random", '
            'model.inputs = "canonical" and model.sigma = true',
        )
        _require(
            not (canonical and self.supervision.active),
            'weak supervision is for cameras that are "open" or "own": leave supervision out',
        )
        _require(
            canonical or not self.model.sigma,
            "the open protocol has 16 joints and no sigma: leave joints and sigma out",
        )
        _require(
            not self.vary or (self.cameras == "open" and not self.flip),
            'vary is for cameras = "open", and mirrors by views.mirror: leave vary or flip out',
        )
        _require(
            not (self.vary and (self.supervision.unlabelled or self.supervision.ordinal_labels)),
            "vary makes every pose anew, labelled: leave vary out, or supervision.unlabelled and "
            "supervision.ordinal_labels",
        )
        _require(
            self.cameras != "open" or not self.held_out,
            'held_out is for cameras that are "own" or "random": the open protocol trains on all '
            "training subjects",
        )
        _require(
            self.cameras != "own" or bool(self.held_out) or self.keep == "last",
            "choosing the best weights on test subjects is not offered: hold training subjects "
            'out (held_out = ["S8"]), or keep = "last"',
        )

    @property
    def selection(self) -> Selection:
        """Which samples of its data the run is trained and tested on."""
        return Selection(
            cameras=self.cameras,
            detections=self.detections,
            joints=self.model.joints,
            held_out=self.held_out,
            augmentation=self.views,
            anatomy=self.anatomy,
            base=self.base if self.model.method == "over-time" else None,
            size=self.batch_size,
            seed=self.seed,
            flip=self.flip,
            vary=self.vary,
            drop_last=self.drop_last,
            unlabelled=self.supervision.unlabelled,
            ordinal_labels=self.supervision.ordinal_labels,
        )


def read_config(path: Path, overrides: Iterable[str] = ()) -> TrainConfig:
    """Read a run from TOML, then apply ``key = value`` overrides written in TOML too.

    Raises:
        ConfigError: If a key is unknown, or a value has the wrong type or makes no sense; the
            message lists every such key by its dotted name. Or if a key is given that this run
            would ignore, but for defaults in a table that states every key, as records of runs do;
            or two overrides set one key to other values.
        OSError: If the file cannot be read.
    """
    settings, table = read_overrides(overrides), read_toml(path)
    if "methods" in table or "recipe" in table:
        raise ConfigError(f"{path}: is a plan of many runs: graphlift study run {path} takes it")
    return parse_run(override(table, settings), str(path))


def parse_run(table: Mapping[str, Any], where: str, *, planned: bool = False) -> TrainConfig:
    """Check what a person wrote of a run.

    Args:
        table: All keys.
        where: The file, for the message.
        planned: Whether it is one of the runs of a plan, of which some keys may be for others.

    Raises:
        ConfigError: As :func:`read_config`; the message begins with ``where``.
    """
    config = parse_table(TrainConfig, table, where)
    unused = unused_keys(table, config, planned=planned)
    copied = set(recorded(table, asdict(TrainConfig())))
    if said := [text for key, text in unused.items() if key not in copied]:
        raise ConfigError(f"{where}: {'; '.join(said)}")
    return config

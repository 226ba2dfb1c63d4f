"""What can be measured: every network at a size, and models for lifting."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlift.bench.products import Product, products_of
from graphlift.complexity import network_complexity
from graphlift.errors import ConfigError
from graphlift.lifting import SHIPPED, Lifter
from graphlift.matched_width import channels_for
from graphlift.networks import OTHERS
from graphlift.skeletons import BODY_28
from graphlift.study.objectives import OBJECTIVES
from graphlift.study.plan import NAMES
from graphlift.words import plain, shown

NETWORKS = tuple(name for name in NAMES if name not in OBJECTIVES)
PAPER = tuple(name for name in NETWORKS if name.split()[-1] not in OTHERS)
"""The study's eight."""
GROUPS = {"paper": PAPER, "everyone": NETWORKS, "models": SHIPPED}
PUBLISHED = 0.0
"""In place of a size: the width at which a network was published."""


@dataclass(frozen=True)
class Network:
    """A network at a size.

    Args:
        name: As a plan calls it.
        method: As :func:`graphlift.networks.layout`.
        decoupled: As there.
        channels: Width, as the network counts it.
        parameters: What it then has.
    """

    name: str
    method: str
    decoupled: bool
    channels: int
    parameters: int

    def products(self, batch: int, *, training: bool = False) -> tuple[Product, ...]:
        """List the products of a batch."""
        return products_of(
            self.method,
            batch,
            decouple_self=self.decoupled,
            channels=self.channels,
            training=training,
        )


@dataclass(frozen=True, eq=False)
class Model:
    """A model that lifts keypoints.

    Args:
        name: Its card's.
        lifter: What runs it.
    """

    name: str
    lifter: Lifter

    @property
    def channels(self) -> int:
        """Width of the network."""
        return int(self.lifter.card.recipe["model"]["channels"])

    @property
    def parameters(self) -> int:
        """Learnt numbers."""
        return self.lifter.card.parameters

    def products(self, batch: int) -> tuple[Product, ...]:
        """List the products of a batch."""
        made = self.lifter.card.recipe["model"]
        body = self.lifter.skeleton
        return products_of(
            made["method"],
            batch,
            decouple_self=made["decouple_self"],
            channels=made["channels"],
            features=(4, 8) if body == BODY_28 else (3, 4),
            skeleton=body,
        )


def networks(names: Sequence[str], sizes: Sequence[float]) -> Iterator[Network]:
    """Give the networks of some names at some sizes, once each where two sizes are one width.

    Args:
        names: Of :data:`NETWORKS`.
        sizes: Millions of parameters, or :data:`PUBLISHED`.
    """
    given: set[Network] = set()
    for size in sizes:
        for name in names:
            method, decoupled = NAMES[name]
            if size == PUBLISHED:
                channels = OTHERS[method].channels if method in OTHERS else 128
            else:
                aim = round(size * 1e6)
                channels = channels_for(method, aim, decouple_self=decoupled).channels
            cost = network_complexity(method, decouple_self=decoupled, channels=channels)
            network = Network(name, method, decoupled, channels, cost.parameters)
            if network not in given:
                given.add(network)
                yield network


def models(names: Sequence[str], threads: int) -> Iterator[Model]:
    """Load models to lift with, by name or from files.

    Raises:
        ConfigError: If a card does not say of which products its network consists.
        FormatError: As :meth:`graphlift.lifting.Lifter.load`.
    """
    for name in names:
        lifter = Lifter.load(name, threads=threads)
        model = Model(plain(lifter.card.name), lifter)
        try:
            known = 0 < sum(p.macs for p in model.products(1)) < 10**10
        except (KeyError, TypeError, ValueError):  # a card may hold anything
            known = False
        if not known:
            raise ConfigError(
                f"{name}: its card does not say which network it is: export it again from its run"
            )
        yield model


def sorted_out(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part names into those of networks and those of models; a group stands for its members.

    Raises:
        ConfigError: If there is nothing of a name.
    """
    several = [each for name in names for each in GROUPS.get(name, (name,))]
    found: tuple[list[str], list[str]] = ([], [])
    for name in dict.fromkeys(several):
        if name not in NETWORKS and name not in SHIPPED and not name.endswith(".onnx"):
            raise ConfigError(
                f"there is no network or model named {shown(name)}: use "
                f"{', '.join((*GROUPS, *NETWORKS, *SHIPPED))}, or an .onnx file"
            )
        found[name not in NETWORKS].append(name)
    return found

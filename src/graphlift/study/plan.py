"""Plans: which methods at which sizes on which detections with which seeds, as a small TOML."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from graphlift.complexity import channels_for
from graphlift.detections import Detections
from graphlift.errors import ConfigError
from graphlift.graph import DECOUPLED, METHODS
from graphlift.training.config import (
    STRICT,
    Method,
    ModelConfig,
    TrainConfig,
    differences,
    merge,
    parse_table,
    read_toml,
)

TOLERANCE = 0.05
"""How far from the size asked for a network may be and still count as matched."""

SHIPPED = ("quick", "open", "paper")
BASELINES: tuple[Method, ...] = ("semgcn", "martinez")
NAMES: Mapping[str, tuple[Method, bool]] = {
    **{method: (method, False) for method in (*METHODS, *BASELINES)},
    **{f"decoupled {method}": (method, True) for method in DECOUPLED},
}
"""What a plan may write under ``methods``: the eight variants and the two baselines."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A grid of runs that differ in nothing but what the grid says.

    Args:
        methods: Variants and baselines, by the names in :data:`NAMES`.
        parameters: Sizes to match: each method gets the width that comes nearest.
        channels: Fixed widths, the same for every method.
        widths: Widths of single methods, by name, in place of both: for rows of a table that
            were published at a size of their own.
        detections: What the networks see.
        seeds: Each run is repeated with each.
        recipe: Keys of :class:`graphlift.training.config.TrainConfig` that all runs share.
    """

    __pydantic_config__: ClassVar = STRICT
    methods: tuple[str, ...] = tuple(NAMES)
    parameters: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    widths: Mapping[str, int] = field(default_factory=dict)
    detections: tuple[Detections, ...] = ("gt",)
    seeds: tuple[int, ...] = (0,)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := [name for name in self.methods if name not in NAMES]:
            raise ValueError(
                f"methods: unknown {', '.join(map(repr, unknown))}: use some of {', '.join(NAMES)}"
            )
        if not (self.parameters or self.channels):
            raise ValueError("give parameters = [...] to match sizes, or channels = [...]")
        if min(*self.parameters, *self.channels, *self.widths.values(), 10**9, 10**9) < 1:
            raise ValueError("parameters, channels and widths must be positive")
        if unused := [name for name in self.widths if name not in self.methods]:
            raise ValueError(
                f"widths: {unused[0]} is none of methods: add it there or leave it out"
            )
        if fixed := {"data", "detections", "seed"} & set(self.recipe):
            raise ValueError(f"recipe: {', '.join(sorted(fixed))} is for the grid or the command")
        model = self.recipe.get("model")
        if isinstance(model, Mapping) and (
            fixed := {"method", "decouple_self", "channels"} & {*model}
        ):
            raise ValueError(f"recipe.model: {', '.join(sorted(fixed))} is for the grid")
        for axis in ("methods", "detections", "seeds"):
            values = getattr(self, axis)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{axis} must not be empty nor repeat itself")


@dataclass(frozen=True)
class PlannedRun:
    """One cell of the grid.

    Args:
        name: Unique in the plan, and a folder name.
        config: The run.
    """

    name: str
    config: TrainConfig


def read_plan(name: str, overrides: Iterable[str] = ()) -> Plan:
    """Read a shipped plan by its name, or one from a file.

    Args:
        name: Of the plan, or of the file.
        overrides: Keys of the recipe, each as ``key = value`` in TOML.

    Raises:
        ConfigError: If it has unknown keys, methods or values; each is named by its path.
        FileNotFoundError: If there is neither a plan nor a file of that name.
    """
    if name in SHIPPED:
        shipped = resources.files("graphlift.study") / "plans" / f"{name}.toml"
        with resources.as_file(shipped) as path:
            return _parse(read_toml(path, overrides), f"plan {name}")
    path = Path(name)
    if not path.exists():
        raise FileNotFoundError(
            f"no plan {name!r}: give one of {', '.join(SHIPPED)}, or the path of a TOML file"
        )
    return _parse(read_toml(path, overrides), str(path))


def _parse(tables: list[dict[str, Any]], where: str) -> Plan:
    plan, *recipes = tables
    return parse_table(Plan, merge([plan, *({"recipe": table} for table in recipes)]), where)


def planned_runs(plan: Plan, *, data: str) -> tuple[PlannedRun, ...]:
    """List every run of a plan, detections first, then seeds, so that partial studies are whole.

    Raises:
        ConfigError: If the recipe has an unknown key or a value that makes no sense, or a method
            has no width within TOLERANCE of a size.
    """
    blocks = parse_table(TrainConfig, plan.recipe, "recipe").model.blocks
    return tuple(
        _run(plan, name, width, detections, seed, data)
        for seed in plan.seeds
        for detections in plan.detections
        for name in plan.methods
        for width in dict.fromkeys(_widths(plan, name, blocks))  # two sizes may have one width
    )


def _widths(plan: Plan, name: str, blocks: int | None) -> Iterator[int]:
    method, decoupled = NAMES[name]
    if name in plan.widths:
        yield plan.widths[name]
        return
    yield from plan.channels
    for parameters in plan.parameters:
        width = channels_for(method, parameters, decouple_self=decoupled, blocks=blocks)
        if abs(width.off) > TOLERANCE:
            raise ConfigError(
                f"parameters: {name} cannot be matched to {parameters:,}: the nearest width, "
                f"{width.channels}, has {width.parameters:,}, {width.off:+.1%} off, and more than "
                f"{TOLERANCE:.0%} is no match: ask for another size, or leave this method out"
            )
        yield width.channels


def _run(
    plan: Plan, name: str, channels: int, detections: Detections, seed: int, data: str
) -> PlannedRun:
    method, decoupled = NAMES[name]
    recipe = dict(plan.recipe)
    model = {
        **dataclasses.asdict(ModelConfig()),
        **recipe.pop("model", {}),
        "method": method,
        "decouple_self": decoupled,
        "channels": channels,
    }
    table = {
        **recipe, "data": data, "detections": detections, "seed": seed, "model": model
    }  # fmt: skip
    config = parse_table(TrainConfig, table, "recipe")
    label = f"{name.replace(' ', '-')}-{channels}"
    return PlannedRun(f"{label}_{detections}_seed{seed}", config)


def check_same(plan: tuple[PlannedRun, ...], finished: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse to add to results that were made under other conditions.

    Args:
        plan: What is to be run.
        finished: Configuration of each finished run, by name; ``data`` may be another path.

    Raises:
        ConfigError: If a run of the same name was made with another configuration.
    """
    for run in plan:
        if run.name in finished and (wrong := differences(run.config, finished[run.name])):
            raise ConfigError(
                f"{run.name} is finished with another {', '.join(wrong)}: give this plan another "
                "folder"
            )

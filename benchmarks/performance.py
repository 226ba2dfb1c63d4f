"""The tables of speed on pages of docs/, from what ``graphlift bench`` stored on some machines.

    graphlift bench everyone models --parameters published --parameters 4.2 -o bench
    python benchmarks/performance.py bench/bench.json [OTHER/bench.json ...] [--of NAME]
                                     [--docs docs]

Of several machines every row says whose it is, by a letter. With --docs each table goes to the
page of the folder that has its place, and the picture of the first machine is drawn anew there, as
figures/roofline.png. With --of NAME the tables are those named after a machine ("Lifting, NAME"),
and nothing is drawn.
"""

import argparse
from pathlib import Path

from pages import add_docs, few_colours, show

from graphlift.bench.report import tables
from graphlift.bench.results import read_result
from graphlift.bench.roofline import draw_roofline
from graphlift.files import replacing

TABLES = ("Machine", "Limits of the machine", "Shares of the limit", "Lifting")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="bench.json of graphlift bench")
    parser.add_argument("--of", help="a machine, whose tables have its name")
    add_docs(parser)
    arguments = parser.parse_args()
    results = [read_result(path) for path in arguments.results]
    every = tables(results)
    of = "" if arguments.of is None else f", {arguments.of}"
    show({f"{name}{of}": every[name] for name in TABLES if name in every}, arguments.docs)
    if arguments.docs is not None and not of:
        folder = arguments.docs if arguments.docs.is_dir() else arguments.docs.parent
        with replacing(folder / "figures" / "roofline.png") as beside:
            draw_roofline(results[0], beside)
            few_colours(beside)


if __name__ == "__main__":
    main()

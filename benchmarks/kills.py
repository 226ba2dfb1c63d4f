"""SIGKILL, again and again, to all that graphlift does for long or writes much.

    python benchmarks/kills.py --kills 200 --seed 0 -o kills --docs docs/reliability.md

Each command (``killing/workloads.py``) is first run undisturbed. Then it is started, killed with
its whole process group, started again and killed again, up to four times, until it may end. Half
of the kills come from outside, at any moment of its run; half when it is about to open a file for
writing, rename or remove one, or up to 20 ms later. After every kill all that stands under a final
name is read to its end by other readers than graphlift's (``killing/readers.py``), and must say
what it said before the command, or what it says after it. At the end every file must be there,
say the same but for times, and nothing else may be left. A server is asked for clips, a job and a
stream meanwhile; it must start again on the same port and give the same answers.

The moments follow from the seed, but what a process has done by then depends on the machine.
Needs the extras train, video and serve, the group dev, and Linux.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from killing import server
from killing.trials import attack
from killing.workloads import FILES, downloading
from pages import add_docs, show, table

HEAD = (
    *("what is killed", "kills at any moment", "at an operation on files", "done in the end"),
    *("temporary files at once", "faults"),
)
SERVER = "server"
NAMES = (*(make.__name__ for make in FILES), downloading.__name__, SERVER)


def kill_all(chosen, base, kills, seed, at_once, told):
    """Kill each of the chosen workloads its share of times; their tallies, in order."""
    shares = [len(range(n, kills, len(chosen))) for n in range(len(chosen))]
    with ExitStack() as stack:
        inputs = base / "inputs"
        inputs.mkdir(parents=True, exist_ok=True)
        works = {make.__name__: make for make in FILES}
        tasks = []
        for name, share in zip(chosen, shares, strict=True):
            if name == SERVER:
                tasks.append(partial(server.attack, base, share, seed, told))
            elif name == downloading.__name__:
                workload = stack.enter_context(downloading(inputs))
                tasks.append(partial(attack, workload, base, share, seed, told))
            else:
                tasks.append(partial(attack, works[name](inputs), base, share, seed, told))
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda task: task(), tasks))


def summary(tallies):
    rows = [
        [each.name, *map(str, (each.outside, each.inside, each.trials, each.left)),
         str(len(each.faults))]
        for each in tallies
    ]  # fmt: skip
    sums = [sum(int(row[column]) for row in rows) for column in (1, 2, 3, 5)]
    rows.append(["all", *map(str, sums[:3]), "", str(sums[3])])
    return table(HEAD, rows, words=1)


def say(tally):
    print(f"{tally.name}: {tally.kills} kills, {len(tally.faults)} faults", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="in all")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME",
                        help=f"some of {', '.join(NAMES)}")  # fmt: skip
    parser.add_argument("--at-once", type=int, default=1, help="workloads at once")
    parser.add_argument("-o", "--out", type=Path, help="folder: counts, and what faults left")
    add_docs(parser)
    given = parser.parse_args()
    with ExitStack() as stack:
        base = given.out or Path(stack.enter_context(TemporaryDirectory(prefix="kills-")))
        if base.exists() and given.out and any(base.iterdir()):
            parser.error(f"{base}: is not empty: give another folder")
        tallies = kill_all(given.only, base.resolve(), given.kills, given.seed, given.at_once, say)
        (base / "counts.json").write_text(json.dumps([*map(asdict, tallies)], indent=1))
        faults = [fault for tally in tallies for fault in tally.faults]
        show({"kills": summary(tallies)}, None if faults else given.docs)
    if faults:
        raise SystemExit("\n".join(faults))


if __name__ == "__main__":
    main()

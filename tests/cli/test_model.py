"""``graphlift model``: the published sizes, and what a trained file says of itself."""

import json

import pytest
import torch
from helpers.command import assert_refused, command, here

from graphlift.nn.build import build_network
from graphlift.training.checkpoints import write_checkpoint
from graphlift.training.config import read_config
from graphlift.training.own import differences

IMAGE = " (lifter of the system; its image part is not here)"
PUBLISHED = [  # Liu et al., ECCV 2020, and its supplement: 16 joints, 4 blocks, 128 channels
    ("full-sharing", False, 135_631, 6_058_752, 2_107_392),
    ("pre-aggregation", False, 2_111_311, 6_058_752, 2_107_392),
    ("post-aggregation", False, 2_111_311, 6_058_752, 2_107_392),
    ("no-sharing", False, 6_062_671, 6_058_752, 6_058_752),
    ("convolution-style", False, 399_055, 6_058_752, 6_058_752),
    ("full-sharing", True, 267_343, 6_058_752, 4_214_784),
    ("pre-aggregation", True, 4_218_703, 6_058_752, 4_214_784),
    ("post-aggregation", True, 4_218_703, 6_058_752, 4_214_784),
    ("semgcn", True, 434_703, 8_680_192, 6_836_224),  # Zhao et al., CVPR 2019: 0.43 M
    ("modulated", True, 287_923, 33_718_272, 4_214_784),  # Zou and Tang, ICCV 2021: 0.29 M
    ("martinez", False, 4_291_632, 4_276_224, 4_276_224),  # Martinez et al., ICCV 2017: 4.29 M
    ("lcn", False, 4_091_056, 4_082_944, 4_082_944),  # Ci et al., ICCV 2019: 4.37 M at 17 joints
    ("mixture", False, 4_498_682, 4_483_072, 4_483_072),  # Li and Lee, CVPR 2019: 4.50 M
    ("bidirectional", False, 3_136_584, 5_480_448, 5_480_448),  # of our own size: not published
    ("ordinal-depth", False, 8_566_848, 8_536_064, 8_536_064),  # as above
    ("high-order", False, 1_196_895, 49_178_496, 18_960_384),  # Zou et al., BMVC 2020: 1.20 M
    ("graph-hourglass", False, 3_686_529, 5_154_560, 3_743_744),  # Xu and Takano, CVPR 2021
    ("graformer", False, 654_179, 63_475_200, 10_344_960),  # Zhao et al., CVPR 2022: 0.65 M
    ("htnet", False, 3_046_659, 76_343_040, 35_055_360),  # Cai et al., ICASSP 2023
]
REFERENCES = {
    "semgcn": f"Zhao et al., CVPR 2019{IMAGE}",
    "modulated": "Zou and Tang, ICCV 2021",
    "martinez": "Martinez et al., ICCV 2017",
    "lcn": "Ci et al., ICCV 2019",
    "mixture": "Li and Lee, CVPR 2019",
    "bidirectional": f"Wang et al., ICCV 2019{IMAGE}",
    "ordinal-depth": f"Pavlakos et al., CVPR 2018{IMAGE}",
    "high-order": "Zou et al., BMVC 2020",
    "graph-hourglass": "Xu and Takano, CVPR 2021",
    "graformer": "Zhao et al., CVPR 2022",
    "htnet": "Cai et al., ICASSP 2023",
}
LIU = "Liu et al., ECCV 2020"
OBJECTIVE = " (objective of the system, on our network; its image part is not here)"
DETECTOR = " (detector of keypoints, which sees images: simulated, not here)"
WITHOUT_A_NETWORK = {
    "bone-ratios": f"Zhou et al., ICCV 2017{OBJECTIVE}",
    "critic": f"Yang et al., CVPR 2018{OBJECTIVE}",
    "part-triplets": f"Zhou et al., ICCV 2019{OBJECTIVE}",
    "hg-sim": f"Newell et al., ECCV 2016{DETECTOR}",
    "cpn-sim": f"Chen et al., CVPR 2018{DETECTOR}",
}
"""Systems of which the objective alone is here, or the errors."""
KEYS = ("method", "decoupled", "parameters", "macs_unified", "macs_reduced", "reference")


def test_the_list_is_the_published_one():
    status, out, err = command("model", "list", "--json")

    assert (status, err) == (0, "")
    listed = json.loads(out)
    assert listed[: len(PUBLISHED)] == [
        dict(zip(KEYS, (*row, REFERENCES.get(row[0], LIU)), strict=True)) for row in PUBLISHED
    ]
    (best,) = [row for row in PUBLISHED if row[:2] == ("pre-aggregation", True)]
    assert listed[len(PUBLISHED) :] == [
        dict(zip(KEYS, (name, *row, reference), strict=True))
        for (name, reference), row in zip(
            WITHOUT_A_NETWORK.items(), [best[1:]] * 3 + [(None,) * 4] * 2, strict=True
        )
    ]


def test_the_table_says_the_same():
    status, out, err = here("model", "list")

    assert (status, err) == (0, "")
    header, *rows = out.splitlines()
    assert header.split() == [
        *("method", "decoupled", "parameters", "MACs", "unified", "reduced", "reference")
    ]
    more = rows[len(PUBLISHED) :]
    assert [line.split()[0] for line in more] == [*WITHOUT_A_NETWORK]
    assert more[-1].split()[1:5] == ["–"] * 4
    for line, (method, decoupled, *numbers) in zip(rows, PUBLISHED, strict=False):
        yes = "yes" if decoupled else "no"
        words = [method, yes, *(f"{number:,}" for number in numbers)]
        assert line.split() == [*words, *REFERENCES.get(method, LIU).split()]


def test_other_widths_and_depths_are_counted():
    _, out, _ = here("model", "list", "--json", "--channels", 8, "--blocks", 1)

    for row in json.loads(out)[: len(PUBLISHED)]:
        network = build_network(
            row["method"], decouple_self=row["decoupled"], channels=8, blocks=1
        )
        assert row["parameters"] == sum(p.numel() for p in network.parameters())


@pytest.fixture
def model(tmp_path):
    network = build_network("full-sharing", channels=4, blocks=0)
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, network.state_dict(), {"config": {"seed": 3}, "step": 7, "curve": []})
    return path


def test_info_tells_the_story_in_the_file(model):
    status, out, err = here("model", "info", model, "--json")

    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (told["config"], told["step"]) == ({"seed": 3}, 7)
    network = build_network("full-sharing", channels=4, blocks=0)
    for name, tensor in network.named_parameters():
        assert told["tensors"][name] == list(tensor.shape)

    _, out, _ = here("model", "info", model)
    assert 'config: {"seed": 3}' in out.splitlines()


def test_info_writes_a_configuration_that_training_takes(tmp_path):
    network = {"method": "lcn", "decouple_self": False, "channels": 4, "blocks": 1}
    config = {"data": "prior", "loss": "mpjpe", "model": network}
    path, again = tmp_path / "model.safetensors", tmp_path / "again.toml"
    write_checkpoint(path, {"x": torch.zeros(2)}, {"config": config})

    status, out, err = here("model", "info", path, "--config")

    again.write_text(out)
    assert (status, err) == (0, "")
    assert not differences(read_config(again), config)
    write_checkpoint(path, {"x": torch.zeros(2)}, {"config": config, "source": {"file": "a.pth"}})
    imported = here("model", "info", path, "--config").out
    assert imported == f"# Imported: how it was trained is not known; [model] is its own.\n{out}"
    assert_refused(here("model", "info", path, "--config", "--json"), "leave one out")
    assert_refused(
        here("model", "info", "open-small", "--config"),
        "give model.safetensors, not open-small",
    )
    write_checkpoint(path, {"x": torch.zeros(2)}, {"config": config | {"later": 1}})
    assert_refused(
        here("model", "info", path, "--config"), str(path), "later: there is no such key"
    )
    write_checkpoint(path, {"x": torch.zeros(2)}, {"step": 3})
    assert_refused(here("model", "info", path, "--config"), f"{path}: lacks config")


def test_a_file_that_is_not_a_model_is_named_in_one_line(model, tmp_path):
    whole = model.read_bytes()
    foreign = tmp_path / "foreign.safetensors"
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2)}, foreign)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[:-1])
    flipped = tmp_path / "flipped.safetensors"
    flipped.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    deep = tmp_path / "deep.safetensors"
    save_file({"x": torch.zeros(2)}, deep, metadata={"graphlift": "[" * 10_000 + "]" * 10_000})
    for path, fault in [
        (deep, "nested more than 64 deep"),
        (tmp_path / "none.safetensors", "No such file"),
        (tmp_path, "is a folder: give the model.safetensors"),
        (foreign, "not a checkpoint of graphlift"),
        (cut, "cut short"),
        (flipped, "damaged"),
    ]:
        assert_refused(here("model", "info", path), f"graphlift: {path}: ", fault)

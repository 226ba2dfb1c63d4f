"""What is fed hostile input: checkpoints, plans, results, videos, detectors."""

import io
import json
import tarfile
import zipfile

import numpy as np

from fuzzing import TESTS
from fuzzing.keypoints import Target

# Networks, plans, results


def checkpoint(**options):
    def make(folder):
        import torch

        state = {
            "gconv_input.0.gconv.W": torch.ones(2, 2, 6),
            "b.num_batches_tracked": torch.ones(()),
        }
        whole = {"epoch": 50, "lr": 5e-4, "state_dict": state, "error": 42.14}
        torch.save(whole, folder / "x.pth", **options)

    return make


def read_checkpoint(folder):
    from graphlift.training.foreign import read_foreign

    return read_foreign(folder / "x.pth")


def ours(folder):
    import torch

    from graphlift.training.checkpoints import write_checkpoint

    write_checkpoint(folder / "x.safetensors", {"a": torch.ones(3)}, {"step": 1, "config": {}})


def read_ours(folder):
    from graphlift.training.checkpoints import read_checkpoint

    return read_checkpoint(folder / "x.safetensors")


def plan(folder):
    text = (TESTS.parent / "recipes/table1.toml").read_text()  # with rows, columns and widths
    (folder / "plan.toml").write_text(text)


def read_plan(folder):
    from graphlift.study.plan import planned_runs, read_plan

    return planned_runs(read_plan(str(folder / "plan.toml")), data="prior")


def config(folder):
    from graphlift.training.config import TrainConfig
    from graphlift.training.written import to_toml

    (folder / "c.toml").write_text(to_toml(TrainConfig(steps=100)))


def read_config(folder):
    from graphlift.training.config import read_config

    return read_config(folder / "c.toml")


def results(folder):
    from helpers import fake_results

    fake_results.write_results(folder, [fake_results.fake_result()])


def read_results(folder):
    from graphlift.study.results import read_results

    return read_results(folder / "results.jsonl")


def card(folder):
    source = TESTS.parent / "src/graphlift/models/open-small.json"
    (folder / "card.json").write_bytes(source.read_bytes())


def read_card(folder):
    from graphlift.card import read_card

    return read_card((folder / "card.json").read_bytes().decode("utf-8", "replace"), "card.json")


NETWORKS = (
    Target("checkpoint zip", checkpoint(), read_checkpoint, 2.0),
    Target("checkpoint old", checkpoint(_use_new_zipfile_serialization=False), read_checkpoint),
    Target("checkpoint ours", ours, read_ours, 0.5),
    Target("plan toml", plan, read_plan, 0.2, named=False),
    Target("configuration toml", config, read_config, 0.5),
    Target("results", results, read_results, 0.3),
    Target("card", card, read_card, 0.3),
)


# Videos and detectors


def video(folder):
    from helpers import tiny_video

    tiny_video.write_video(folder / "v.mp4", 3)


def read_video(folder):
    from graphlift.video.frames import open_video

    return sum(1 for _ in open_video(folder / "v.mp4").frames())


def image(folder):
    import cv2
    from helpers import tiny_video

    (folder / "i.png").write_bytes(cv2.imencode(".png", tiny_video.picture(0))[1].tobytes())


def read_image(folder):
    from graphlift.video.frames import open_video

    return sum(1 for _ in open_video(folder / "i.png").frames())


def tflite(folder):
    from helpers.tiny_tflite import Step, Tensor, stored, write_tflite

    kernel = np.ones((2, 3, 3, 3), np.float32)
    tensors = [
        Tensor((1, 6, 6, 3)), stored(kernel), stored(np.ones(2, np.float32)),
        Tensor((1, 6, 6, 2)), Tensor((1, 72)),
    ]  # fmt: skip
    window = {"Padding": 0, "StrideW": 1, "StrideH": 1}
    steps = [
        Step("CONV_2D", [0, 1, 2], [3], ("Conv2DOptions", window)),
        Step("RESHAPE", [3, 3], [4], ("ReshapeOptions", {})),
    ]
    (folder / "m.tflite").write_bytes(write_tflite(tensors, steps, [0], [4]))


def read_tflite(folder):
    from graphlift.detector_weights.convert.tflite import convert_tflite

    return convert_tflite((folder / "m.tflite").read_bytes(), {0: "out"})


def tfjs(folder):
    from helpers.tiny_tfjs import FLOAT, node, write_tfjs

    nodes = [node("Cast", "float", "image", DstT=FLOAT), node("AddV2", "out", "float", "a")]
    story, data = write_tfjs(nodes, {"a": np.ones((1, 2, 3, 3), np.float32)}, "out", (1, 2, 3, 3))
    (folder / "m.json").write_bytes(story)
    (folder / "m.bin").write_bytes(data)


def read_tfjs(folder):
    from graphlift.detector_weights.convert.tfjs import convert_tfjs

    return convert_tfjs((folder / "m.json").read_bytes(), (folder / "m.bin").read_bytes())


def packages(folder):
    with zipfile.ZipFile(folder / "p.whl", "w") as wheel:
        wheel.writestr("a/m.tflite", b"abcdef")
    with tarfile.open(folder / "p.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo("a/m.tflite")
        entry.size = 6
        archive.addfile(entry, io.BytesIO(b"abcdef"))


def read_packages(folder):
    from graphlift.detector_weights.registries import PackageFile, read_files

    member = PackageFile(
        "a/m.tflite", 6, "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
    )
    return [read_files(folder / name, [member]) for name in ("p.whl", "p.tgz")]


def onnx_model(folder):
    from onnx import TensorProto, helper

    shape = [("keypoints", [None, 17, 3]), ("poses", [None, 17, 4])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shape]
    kernel = helper.make_tensor("w", TensorProto.FLOAT, [3, 4], [0.1] * 12)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["keypoints", "w"], ["poses"])], "g", *[[e] for e in ends],
        [kernel],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    text = (TESTS.parent / "src/graphlift/models/open-small.json").read_text()
    helper.set_model_props(model, {"card": json.dumps(json.loads(text))})
    (folder / "m.onnx").write_bytes(model.SerializeToString())


def read_onnx(folder):
    from graphlift.lifting import Lifter

    return Lifter.load(folder / "m.onnx", threads=1)


VIDEOS = (
    Target("video", video, read_video, 0.1),
    Target("image", image, read_image, 0.3),
    Target("tflite", tflite, read_tflite, 0.5, named=False),
    Target("tfjs", tfjs, read_tfjs, 0.5, named=False),
    Target("packages", packages, read_packages, 0.3),
    Target("onnx", onnx_model, read_onnx, 0.3),
)

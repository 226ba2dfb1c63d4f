"""What is fed hostile input: readers of 3D files, of cameras, and of what tools write of late."""

from formats import test_calibration as calibration
from formats import test_frame_files as frame_files
from formats import test_headers as headers
from helpers.readback import moving

from fuzzing.keypoints import ONE, TWO, Target, document, kept, keypoints
from graphlift.formats import read_keypoints, read_poses, write_poses
from graphlift.formats.calibration import read_cameras


def poses(suffix, people=("0",), share=1.0):
    return Target(
        f"poses {suffix}",
        lambda folder: write_poses(folder / f"a{suffix}", moving(5, people=people, fps=25.0)),
        lambda folder: read_poses(folder / f"a{suffix}"),
        share,
    )


def cameras(name, make):
    return Target(f"camera {name}", make, lambda folder: read_cameras(folder / name))


def read_labels(folder):
    return kept(read_keypoints(folder / "labels", image_size=frame_files.SIZE))


FRACTIONS = frame_files.in_fractions(TWO)

MOTION = (
    poses(".bvh"),
    poses(".glb"),
    poses(".c3d", ("Ada", "Bob")),
    poses(".trc"),
    poses(".json", ("Ada", "Bob")),
    poses(".csv", ("Ada", "Bob")),
    poses(".parquet", ("Ada", "Bob"), 0.3),
)

CAMERAS = (
    cameras("Calib.qca.txt", calibration.qualisys),
    cameras("lens.yaml", lambda folder: calibration.opencv(folder / "lens.yaml")),
    cameras("ros.yaml", lambda folder: (folder / "ros.yaml").write_text(calibration.ROS)),
    cameras(
        "message.yml", lambda folder: (folder / "message.yml").write_text(calibration.MESSAGE)
    ),
)

LATER_KEYPOINTS = (
    keypoints("a.csv sleap", lambda p: headers.sleap(p, TWO)),
    keypoints("a.csv sleap untracked", lambda p: headers.sleap(p, TWO, tracks=("", ""))),
    keypoints("a.csv images", lambda p: headers.wide(p, ONE, before=[
        ("image", [f"walk_{n}.png" for n in range(3)])])),
    keypoints("a.json ultralytics", document(
        [frame_files.to_json(p, ids=[1, 2]) for p in FRACTIONS]), image_size=frame_files.SIZE),
    keypoints("a.json cmu", document(
        frame_files.by_image(frame_files.with_neck(TWO), frame_files.cmu))),
    keypoints("a.json alphapose open", document(
        frame_files.by_image(frame_files.with_neck(TWO), frame_files.as_open))),
    keypoints("a.json poseflow", document(
        {f"{n}.jpg": [{"keypoints": p.ravel().tolist(), "scores": 0.9, "idx": k}
                      for k, p in enumerate(people)] for n, people in enumerate(TWO)})),
    keypoints("mmpose", lambda p: (p.mkdir(), frame_files.mmpose_folder(p, TWO))),
    Target("keypoints labels", lambda folder: frame_files.labels(
        folder / "labels", TWO, ids=[1, 2]), read_labels),
)  # fmt: skip

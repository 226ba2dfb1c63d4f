"""Tiny MPI-INF-3DHP: seeded walkers, written in each layout the data set is passed around in."""

import pickle
from dataclasses import dataclass

import h5py
import numpy as np
from helpers.walker import walk
from scipy.io import savemat

from graphlift.cameras import Camera, camera_to_image, look_at, world_to_camera
from graphlift.skeletons import H36M_17, MPI_INF_3DHP_17

UNIVERSAL = 1.08
FROM_H36M = {
    "HeadTop": "Head",
    "Neck": "Thorax",
    "Head": "Neck/Nose",
    "RAnkle": "RFoot",
    "LAnkle": "LFoot",
}
ALL_28 = [
    *("spine3", "spine4", "spine2", "Spine", "Hip", "Neck", "Head", "HeadTop", "left_clavicle"),
    *("LShoulder", "LElbow", "LWrist", "left_hand", "right_clavicle", "RShoulder", "RElbow"),
    *("RWrist", "right_hand", "LHip", "LKnee", "LAnkle", "left_foot", "left_toe", "RHip"),
    *("RKnee", "RAnkle", "right_foot", "right_toe"),
]


@dataclass(frozen=True)
class Take:
    """What a sequence holds: world and camera axes, m; px; whether a frame counts."""

    world: np.ndarray
    positions: np.ndarray
    universal: np.ndarray
    keypoints: np.ndarray
    valid: np.ndarray
    camera: Camera


def a_camera(seed, size=(2048, 2048), focal=1500.0):
    rng = np.random.default_rng([7, seed])
    angle = rng.uniform(0, 2 * np.pi)
    position = np.array([4 * np.cos(angle), 4 * np.sin(angle), rng.uniform(1, 2)])
    return Camera(
        focal=(focal + rng.normal(), focal + rng.normal()),
        centre=(size[0] / 2 + rng.normal(), size[1] / 2 + rng.normal()),
        size=size,
        R=look_at(position, np.array([0.0, 0, 0.9])),
        position=position,
    )


def official(h36m):
    """Human3.6M's 17 joints in the official order of MPI-INF-3DHP, by their names."""
    names = [FROM_H36M.get(name, name) for name in MPI_INF_3DHP_17.joints]
    return h36m[..., H36M_17.index(*names), :]


def take(seed, frames=12, camera=None):
    rng = np.random.default_rng([11, seed])
    camera = camera or a_camera(seed)
    body = walk(min(frames, 25), 25.0, speed=rng.uniform(0.5, 1), heading=rng.uniform(0, 6))
    body = body[np.arange(frames) % 25]  # stays before the camera
    world = official(body + rng.normal(scale=0.01, size=body.shape))
    positions = world_to_camera(world, camera)
    pelvis = positions[:, [MPI_INF_3DHP_17.root]]
    return Take(
        world,
        positions,
        pelvis + UNIVERSAL * (positions - pelvis),
        camera_to_image(positions, camera),
        rng.random(frames) < 0.6,
        camera,
    )


def takes_of_test(names=("TS1", "TS2", "TS3", "TS4", "TS5", "TS6"), frames=12):
    sizes = {name: (1920, 1080) if name in ("TS5", "TS6") else (2048, 2048) for name in names}
    return {n: take(int(n[2]), frames, a_camera(int(n[2]), sizes[n])) for n in names}


def takes_of_train(names=("S1 Seq1", "S3 Seq2"), cameras=14, frames=9):
    """The same walk before all cameras of a sequence."""
    return {
        name: [take(number, frames, a_camera(50 + number * 20 + c)) for c in range(cameras)]
        for number, name in enumerate(names)
    }


def write_test_set(folder, takes):
    for name, each in takes.items():
        path = folder / name / "annot_data.mat"
        path.parent.mkdir(parents=True)
        frames = len(each.valid)
        with h5py.File(path, "w") as file:
            file["annot2"] = each.keypoints[:, None]
            file["annot3"] = each.positions[:, None] * 1000
            file["univ_annot3"] = each.universal[:, None] * 1000
            file["valid_frame"] = each.valid[:, None].astype(float)
            file["activity_annotation"] = (np.arange(frames) % 7 + 1.0)[:, None]
            boxes = file.create_group("#refs#")
            boxes["a"] = np.array([[1.0], [2], [3], [4]])
            file.create_dataset("bb_crop", data=[[boxes["a"].ref]] * frames, dtype=h5py.ref_dtype)


def all_28(joints, seed=0):
    """(frame, 28 * n) rows: the 17 at their places, anything at the others."""
    rows = np.random.default_rng(seed).normal(size=(len(joints), 28, joints.shape[-1]))
    for place, name in enumerate(ALL_28):
        if name in MPI_INF_3DHP_17.joints:
            rows[:, place] = joints[:, MPI_INF_3DHP_17.joints.index(name)]
    return rows.reshape(len(joints), -1)


def cells(arrays):
    column = np.empty((len(arrays), 1), dtype=object)
    for place, array in enumerate(arrays):
        column[place, 0] = array
    return column


def calibration(cameras):
    """Skeletool's text. Its world has y up: ours is (x, −z, y) of it."""
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    lines = ["Skeletool Camera Calibration File V1.0"]
    for number, camera in enumerate(cameras):
        K, Rt = np.eye(4), np.eye(4)
        K[0, 0], K[1, 1] = camera.focal
        K[:2, 2] = camera.centre
        Rt[:3, :3] = camera.R @ turn
        Rt[:3, 3] = -1000 * camera.R @ camera.position
        lines += [
            f"name          {number}",
            "  sensor      10 10",
            f"  size          {camera.size[0]} {camera.size[1]}",
            "  animated    0",
            "  intrinsic   " + "".join(f"{number:.9g} " for number in K.ravel()),
            "  extrinsic   " + "".join(f"{number:.9g} " for number in Rt.ravel()),
            "  radial      0",
        ]
    return "\n".join(lines) + "\n"


def write_train_set(folder, sequences, *, extra=0, compress=True):
    for name, takes in sequences.items():
        at = folder.joinpath(*name.split())
        at.mkdir(parents=True)
        (at / "camera.calibration").write_text(calibration([each.camera for each in takes]))
        savemat(
            at / "annot.mat",
            {
                "annot2": cells([all_28(each.keypoints) for each in takes]),
                "annot3": cells([all_28(each.positions * 1000) for each in takes]),
                "univ_annot3": cells([all_28(each.universal * 1000) for each in takes]),
                "cameras": np.arange(len(takes))[None].astype(np.uint8),
                "frames": np.arange(len(takes[0].valid) + extra)[:, None].astype(np.uint16),
            },
            do_compression=compress,
        )


def write_pstmo_test(folder, takes):
    data = {
        name: {
            "data_2d": each.keypoints,
            "data_3d": each.universal * 1000,
            "valid": each.valid.astype(float),
        }
        for name, each in takes.items()
    }
    np.savez_compressed(folder / "data_test_3dhp", data=data)


def write_pstmo_train(folder, sequences, *, fps=25):
    data = {
        name: [
            {
                str(camera): {"data_2d": each.keypoints, "data_3d": each.universal * 1000}
                for camera, each in enumerate(takes)
                if camera in (0, 1, 2, 4, 5, 6, 7, 8)
            },
            fps,
        ]
        for name, takes in sequences.items()
    }
    np.savez_compressed(folder / "data_train_3dhp", data=data)


def _row_arrays(rows):
    names, keypoints, positions = zip(*rows, strict=True)
    seen = np.ones((len(names), 17, 1))
    return {
        "imgname": np.array(names),
        "center": np.zeros((len(names), 2)),
        "scale": np.ones(len(names)),
        "part": np.concatenate([np.stack(keypoints), seen], axis=-1),
        "S": np.concatenate([np.stack(positions), seen], axis=-1),
    }


def _camera_entry(camera, name, *, placed):
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    entry = {
        "f": np.array(camera.focal)[:, None],
        "c": np.array(camera.centre)[:, None],
        "w": camera.size[0],
        "h": camera.size[1],
        "name": name,
    }
    if placed:
        entry |= {"R": camera.R @ turn, "T": (-camera.R @ camera.position)[:, None]}
    return entry


def write_mmpose_test(folder, takes):
    rows = [
        (f"{name}_{frame + 1:06d}.jpg", each.keypoints[frame], each.positions[frame])
        for name, each in takes.items()
        for frame in np.flatnonzero(each.valid)
    ]
    np.savez(folder / "mpi_inf_3dhp_test_valid.npz", **_row_arrays(rows))
    cameras = {
        name: _camera_entry(each.camera, f"test_cam_{name[2]}", placed=False)
        for name, each in takes.items()
    }
    (folder / "cameras_test.pkl").write_bytes(pickle.dumps(cameras))


def write_mmpose_train(folder, sequences, *, save=np.savez):
    rows, cameras = [], {}
    for name, takes in sequences.items():
        for number in (0, 1, 2, 4, 5, 6, 7, 8):
            each, key = takes[number], f"{name.replace(' ', '_')}_Cam{number}"
            cameras[key] = _camera_entry(each.camera, f"train_cam_{number}", placed=True)
            # Backwards: the order of a film is that of the numbers in the names.
            rows += [
                (f"{key}_{frame + 1:06d}.jpg", each.keypoints[frame], each.positions[frame])
                for frame in reversed(range(len(each.valid)))
            ]
    save(folder / "mpi_inf_3dhp_train.npz", **_row_arrays(rows))
    (folder / "cameras_train.pkl").write_bytes(pickle.dumps(cameras))

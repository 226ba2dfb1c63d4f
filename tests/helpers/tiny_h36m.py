"""Made-up people in Human3.6M's places, names and file layouts; no number is of the data set."""

import pickle

import numpy as np
from helpers.walker import walk

TRAINING, TEST = ("S1", "S5", "S6", "S7", "S8"), ("S9", "S11")
SUBJECTS = TRAINING + TEST
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
ACTIVITIES = [
    "Directions",
    "Discussion",
    "Eating",
    "Greeting",
    "Phoning",
    "Photo",
    "Posing",
    "Purchases",
    "Sitting",
    "SittingDown",
    "Smoking",
    "Waiting",
    "WalkDog",
    "Walking",
    "WalkTogether",
]
MOVING = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
PARENTS = [-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22]
PARENTS += [12, 24, 25, 26, 27, 28, 27, 30]
# of H36M's 16 joints where each of Stacked Hourglass' is found, by the names in both lists
HOURGLASS = [
    "RFoot",
    "RKnee",
    "RHip",
    "LHip",
    "LKnee",
    "LFoot",
    "Hip",
    "Spine",
    "Thorax",
    "Head",
    "RWrist",
    "RElbow",
    "RShoulder",
    "LShoulder",
    "LElbow",
    "LWrist",
]
SIXTEEN = [
    "Hip",
    "RHip",
    "RKnee",
    "RFoot",
    "LHip",
    "LKnee",
    "LFoot",
    "Spine",
    "Thorax",
    "Head",
    "LShoulder",
    "LElbow",
    "LWrist",
    "RShoulder",
    "RElbow",
    "RWrist",
]


def person(frames, seed):
    """World positions of 32 joints, m: a walk from a random place in a random direction."""
    rng = np.random.default_rng(seed)
    start, heading = rng.uniform(-0.5, 0.5, 2), rng.uniform(0, 2 * np.pi)
    moving = walk(frames, 50.0, heading=heading, start=start)
    joints = np.zeros((frames, 32, 3))
    joints[:, MOVING] = moving
    for joint in range(32):
        if joint not in MOVING:
            joints[:, joint] = joints[:, PARENTS[joint]]
    return joints


def people(subjects=SUBJECTS, activities=ACTIVITIES, frames=3, takes=("", " 1")):
    """{subject: {clip: 32 joints, m}}, with S11 Directions as in Martinez' and the raw files."""
    return {
        subject: {
            f"{activity}{take}": person(frames, 1000 * s + 10 * a + t)
            for a, activity in enumerate(activities)
            for t, take in enumerate(takes)
        }
        for s, subject in enumerate(subjects)
    }


def without_left_out(clips):
    return {
        subject: {name: x for name, x in of.items() if (subject, name) != ("S11", "Directions")}
        for subject, of in clips.items()
    }


def save_objects(path, **objects):
    """As VideoPose3D saves: NumPy makes an object array of a dictionary by itself."""
    np.savez_compressed(path, **{k: np.array(v, dtype=object) for k, v in objects.items()})


def write_videopose3d(folder, clips):
    folder.mkdir(parents=True, exist_ok=True)
    kept = without_left_out(clips)
    as_stored = {s: {c: x.astype("f4") for c, x in of.items()} for s, of in kept.items()}
    save_objects(folder / "data_3d_h36m.npz", positions_3d=as_stored)


def write_2d(folder, views, kind="gt", joints=17):
    """``views`` {subject: {clip: [array of each camera]}}."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {
        "layout_name": "h36m",
        "num_joints": joints,
        "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    }
    path = folder / f"data_2d_h36m_{kind}.npz"
    save_objects(path, positions_2d=views, metadata=metadata)
    return path


def write_martinez(folder, clips):
    import h5py

    for subject, of in clips.items():
        place = folder / "h36m" / subject / "MyPoses" / "3D_positions"
        place.mkdir(parents=True)
        for name, joints in of.items():
            with h5py.File(place / f"{name}.h5", "w") as file:
                # (frame, joint, xyz) -> joint by joint x, y, z, each a row over frames, mm
                rows = [joints[:, j, x] * 1000 for j in range(32) for x in range(3)]
                file["3D_positions"] = np.array(rows)


def write_hourglass(folder, views):
    import h5py

    for subject, of in views.items():
        place = folder / "h36m" / subject / "StackedHourglassFineTuned240"
        place.mkdir(parents=True)
        for name, cameras in of.items():
            for camera, sixteen in zip(CAMERAS, cameras, strict=True):
                poses = np.stack([sixteen[:, SIXTEEN.index(j)] for j in HOURGLASS], axis=1)
                file_name = f"{name.replace(' ', '_')}.{camera}.h5"
                with h5py.File(place / file_name, "w") as file:
                    file["poses"] = poses


def write_cdf(path, joints, *, variable="Pose", compress=0):
    from cdflib.cdfwrite import CDF

    path.parent.mkdir(parents=True, exist_ok=True)
    flat = joints.reshape(1, len(joints), -1) * 1000
    spec = {
        "Variable": variable,
        "Data_Type": 44,  # CDF_FLOAT
        "Num_Elements": 1,
        "Rec_Vary": True,
        "Dim_Sizes": list(flat.shape[1:]),
        "Compress": compress,
    }
    cdf = CDF(path, cdf_spec={"Majority": "row_major"})
    cdf.write_var(spec, var_data=flat.astype("f4"))
    cdf.close()


def write_raw(folder, clips, **options):
    other = {"Photo": "TakingPhoto", "WalkDog": "WalkingDog"}
    for subject, of in clips.items():
        for name, joints in of.items():
            activity, *take = name.split(" ")
            file_name = " ".join([other.get(activity, activity), *take])
            place = folder / subject / "MyPoseFeatures" / "D3_Positions"
            write_cdf(place / f"{file_name}.cdf", joints, **options)


def write_mmpose(folder, sequences, cameras=None, *, step=1, cpn=True):
    """``sequences`` [(subject, clip, camera, camera-frame (frame, 17, 3) m, px)]."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, subjects in (("train", TRAINING), ("test", TEST)):
        names, px, metres = [], [], []
        for subject, clip, camera, positions, keypoints in sequences:
            if subject in subjects:
                base = f"{subject}_{clip.replace(' ', '_')}.{camera}"
                names += [
                    f"{subject}/{base}/{base}_{1 + step * frame:06d}.jpg"
                    for frame in range(len(positions))
                ]
                ones = np.ones((len(positions), 17, 1))
                px.append(np.concatenate([keypoints, ones], axis=2))
                metres.append(np.concatenate([positions, ones], axis=2))
        if not names:
            continue
        part_px = np.concatenate(px)
        np.savez(
            folder / f"h36m_{part}.npz",
            imgname=np.array(names),
            center=np.zeros((len(names), 2)),
            scale=np.ones(len(names)),
            part=part_px,
            S=np.concatenate(metres),
        )
        if cpn:
            np.save(folder / f"cpn_ft_h36m_dbb_{part}.npy", part_px + np.array([1.0, 2.0, 0.0]))
    if cameras is not None:
        (folder / "cameras.pkl").write_bytes(pickle.dumps(cameras))


def filmed(world, camera):
    """Camera axes (m) and px, by the formula of the literature, number by number."""
    x, y, z = np.moveaxis((world - camera.position) @ camera.R.T, -1, 0)
    u, v = x / z, y / z
    (k1, k2, k3), (p1, p2) = camera.radial, camera.tangential
    r2 = u**2 + v**2
    bend = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * v + p2 * u
    right = camera.focal[0] * (u * bend + p2 * r2) + camera.centre[0]
    down = camera.focal[1] * (v * bend + p1 * r2) + camera.centre[1]
    return np.stack([x, y, z], axis=-1), np.stack([right, down], axis=-1)


def views(clips, cameras, joints=MOVING):
    """{subject: {clip: [px of each camera]}} of 2D files, as the cameras see the 3D."""
    return {
        subject: {
            name: [filmed(x[:, joints], cameras[subject, c])[1].astype("f4") for c in CAMERAS]
            for name, x in of.items()
        }
        for subject, of in clips.items()
    }


def rows(clips, cameras):
    """The sequences of mmpose's files."""
    return [
        (subject, name, camera, *filmed(x[:, MOVING], cameras[subject, camera]))
        for subject, of in clips.items()
        for name, x in of.items()
        for camera in CAMERAS
    ]

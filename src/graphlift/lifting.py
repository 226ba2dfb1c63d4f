"""Lift 2D keypoints to 3D poses with a trained model, by ONNX Runtime; torch is not needed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import Camera
from graphlift.card import ModelCard
from graphlift.errors import ModelError, ShapeError
from graphlift.given import given_camera, given_keypoints, given_rays, given_skeleton
from graphlift.hypotheses import Hypotheses
from graphlift.lifted import SEVERAL, Lifted
from graphlift.mapped import in_blocks
from graphlift.model_files import EARLIER as EARLIER
from graphlift.model_files import SHIPPED as SHIPPED
from graphlift.model_files import card_in, fitting, read_model
from graphlift.onnx_session import open_session
from graphlift.preprocessing import (
    FRONT_JOINTS,
    MIN_KEYPOINTS,
    Canonical,
    canonical,
    canonical_28,
    turn_back,
)
from graphlift.processors import processors
from graphlift.sequences import (
    Keypoints,
    Poses,
    keypoints_from,
)
from graphlift.skeletons import BODY_28, SKELETONS, Skeleton
from graphlift.stream import Stream
from graphlift.threaded import BATCH, SharedOut, together
from graphlift.words import counted

__all__ = ["Lifter", "Stream"]

_FRONTS_AT = BODY_28.index(*FRONT_JOINTS)


@dataclass(frozen=True, eq=False)
class Lifter:
    """A model that lifts keypoints; make one with :meth:`load`.

    Args:
        card: What the model expects, how it was made, what it scored.
        session: Of ONNX Runtime.
        shared: What computes many frames, where there are several threads to share them out to.
    """

    card: ModelCard
    session: Any
    shared: SharedOut | None = None

    @property
    def skeleton(self) -> Skeleton:
        """Joints of the poses that come out."""
        return SKELETONS[self.card.skeleton]

    @classmethod
    def load(cls, model: str | Path = "open-base", *, threads: int = 0) -> "Lifter":
        """Load a shipped model by its name, or one from an .onnx file.

        Args:
            model: ``open-base``, ``open-small``, or a path.
            threads: Of ONNX Runtime; 0 for as many as there are processors for this process.

        Raises:
            FileNotFoundError: If there is neither a model nor a file of that name.
            FormatError: If the file is damaged, or not one of graphlift's.
        """
        content, where = read_model(model)
        threads = threads or processors()
        session = open_session(content, where, threads=threads)
        return cls(
            fitting(card_in(session, where), session, where),
            session,
            SharedOut(content, where, threads=threads) if threads > 1 else None,
        )

    def __call__(
        self,
        keypoints: Keypoints | np.ndarray,
        *,
        camera: Camera | None = None,
        image_size: tuple[int, int] | None = None,
        skeleton: Skeleton | str | None = None,
        fps: float | None = None,
        field_of_view: float | None = None,
        flip: bool = False,
        hypotheses: bool = False,
    ) -> Poses:
        """Lift every frame by itself. Frames out = frames in.

        Args:
            keypoints: From :func:`graphlift.formats.read_keypoints`, or an array of (joint, 2),
                (frame, joint, 2) or (frame, person, joint, 2), px, with 3 numbers a joint if the
                third is its confidence.
            camera: Whose image it is; only its intrinsics are used.
            image_size: Width and height, px; of arrays, and of keypoints that do not know it.
            skeleton: Joint order of an array.
            fps: Frames per second of an array.
            field_of_view: Degrees across the image's longer side, for want of a camera;
                :data:`graphlift.cameras.FIELD_OF_VIEW` when left out.
            flip: Lift the mirror image too and take the mean: somewhat better, twice the time.
            hypotheses: Also give all poses that the model holds possible
                (:attr:`graphlift.sequences.Poses.hypotheses`).

        Returns:
            Root-relative poses in the camera's axes, m; NaN where fewer than three joints of a
            person were seen.

        Raises:
            ShapeError: If an array's shape fits no skeleton, the image size is not known, or the
                camera's image is of another size.
            FormatError: If the image size or the frame rate cannot be, or is not the one that the
                keypoints say.
            ModelError: If hypotheses are asked of a model that gives one pose, or with ``flip``.
        """
        given = given_keypoints(keypoints, skeleton, image_size, fps)
        (poses,) = self.in_parts(
            [given], camera=camera, field_of_view=field_of_view, flip=flip, hypotheses=hypotheses
        )
        return poses

    def in_parts(
        self,
        parts: Iterable[Keypoints],
        *,
        camera: Camera | None = None,
        field_of_view: float | None = None,
        flip: bool = False,
        hypotheses: bool = False,
    ) -> Iterator[Poses]:
        """Lift a long clip part by part, in memory that does not grow with its length.

        Args:
            parts: One after the other, of the same people and image, such as those of
                :meth:`graphlift.sequences.Keypoints.in_parts`.
            camera: As in :meth:`__call__`, and so are the others.
            field_of_view: Degrees.
            flip: Lift the mirror image too.
            hypotheses: Give them, too.

        Yields:
            The poses of each part. Frames without a pose are counted over all parts so far, so
            the notes of the last part are those of the whole clip.

        Raises:
            GraphliftError: As :meth:`__call__`, before the first part.
        """
        if hypotheses:
            self._check_several(flip)
        few = 0
        for given in parts:
            lens, note = given_camera(given, camera, field_of_view)
            poses, few = self._lift(given, lens, (note,) * bool(note), few, flip, hypotheses)
            yield poses

    def lift_given(
        self, given: Keypoints, lens: Camera, notes: tuple[str, ...] = (), *, flip: bool = False
    ) -> Poses:
        """Lift keypoints whose camera is known, as :meth:`__call__` does once it knows it.

        Args:
            given: The keypoints.
            lens: Whose image they are of.
            notes: What was assumed of the camera.
            flip: As in :meth:`__call__`.
        """
        return self._lift(given, lens, notes, 0, flip, False)[0]

    def _lift(
        self,
        given: Keypoints,
        lens: Camera,
        notes: tuple[str, ...],
        few: int,
        flip: bool,
        hypotheses: bool,
    ) -> tuple[Poses, int]:
        """Lift block by block; ``few`` counts on in how many frames keypoints were too few."""
        frames, people = given.positions.shape[:2]
        whole: dict[str, np.ndarray] = {}
        at_once = batch_of(people, self.shared.at_once if self.shared else BATCH)
        for at in in_blocks(given.positions, given.confidence, size=at_once):
            block, lost = self._lift_block(given.of_frames(at), lens, flip, hypotheses)
            few += lost
            if len(block["seen"]) == frames:
                whole = block  # as it is: a stream's frames are short of time
                continue
            for name, array in block.items():
                shape = (frames, *array.shape[1:])
                whole.setdefault(name, np.empty(shape, array.dtype))[at] = array
        return self.poses_of(given, lens, whole, whole["seen"], few=few, notes=notes), few

    def _lift_block(
        self, given: Keypoints, lens: Camera, flip: bool, hypotheses: bool
    ) -> tuple[dict[str, np.ndarray], int]:
        """Lift at once; return arrays by frame and person, and how many people have no pose."""
        rays, confidence, seen = given_rays(given, lens, self.skeleton)
        rays, confidence = (each.reshape(-1, *each.shape[2:]) for each in (rays, confidence))
        lifted = self.lift_rays(rays, confidence, flip=flip, hypotheses=hypotheses)
        known = {name: array for name, array in vars(lifted).items() if array is not None}
        arrays = {name: a.reshape(*seen.shape[:2], *a.shape[1:]) for name, a in known.items()}
        absent = np.isnan(arrays["sigma"][..., 0])
        lost = int((given.seen.any(axis=-1) & absent).sum()) if absent.any() else 0
        return arrays | {"seen": seen}, lost

    def can_lift(
        self, keypoints: Keypoints, *, camera: Camera | None, field_of_view: float | None
    ) -> Bool[np.ndarray, "frame person"]:
        """Say who has enough keypoints for a pose, in which frames; the network is not asked.

        Args:
            keypoints: A part of a clip.
            camera: As in :meth:`__call__`.
            field_of_view: As in :meth:`__call__`.
        """
        lens, _ = given_camera(keypoints, camera, field_of_view)
        rays, confidence, seen = given_rays(keypoints, lens, self.skeleton)
        joints = seen.shape[2]
        inputs = self._canonical(rays.reshape(-1, joints, 2), confidence.reshape(-1, joints))
        return inputs.valid.reshape(seen.shape[:2])

    def poses_of(
        self,
        keypoints: Keypoints,
        camera: Camera,
        lifted: Mapping[str, np.ndarray],
        seen: Bool[np.ndarray, "frame person joint"],
        *,
        few: int = 0,
        notes: tuple[str, ...] = (),
    ) -> Poses:
        """Put together what was lifted and what it was lifted from.

        Args:
            keypoints: What was lifted.
            camera: Whose image they are of.
            lifted: Arrays of :class:`Lifted` by their names, with axes of frames and people.
            seen: Which joints were.
            few: In how many frames, counted for each person, keypoints were too few to lift.
            notes: What was assumed of the camera.
        """
        several = all(name in lifted for name in SEVERAL)
        return Poses(
            positions=lifted["positions"],
            sigma=lifted["sigma"],
            fronts=lifted.get("fronts"),
            front_sigma=lifted.get("front_sigma"),
            skeleton=self.skeleton,
            seen=seen,
            size_sigma=np.full(len(keypoints.people), self.card.size_sigma),
            hypotheses=Hypotheses(*(lifted[name] for name in SEVERAL)) if several else None,
            fps=keypoints.fps,
            people=keypoints.people,
            keypoints=keypoints,
            camera=camera,
            model=self.card.name,
            notes=(*keypoints.notes, *notes, *_lost(few, self.skeleton)),
        )

    def _check_several(self, flip: bool) -> None:
        """Refuse to give hypotheses where there are none, or of two images."""
        if "hypotheses" not in (output.name for output in self.session.get_outputs()):
            raise ModelError(
                f"{self.card.name} gives one pose of a frame and has no hypotheses: lift without "
                'them, or with a model trained with model.method = "mixture"'
            )
        if flip:
            raise ModelError("the mirror image has hypotheses of its own: leave flip out for them")

    def stream(
        self,
        *,
        skeleton: Skeleton | str,
        camera: Camera | None = None,
        image_size: tuple[int, int] | None = None,
        fps: float | None = None,
        field_of_view: float | None = None,
        smooth: bool = False,
    ) -> Stream:
        """Lift frame by frame, as they come: causal, in memory that does not grow.

        Args:
            skeleton: Joint order of the frames to come.
            camera: As in :meth:`__call__`.
            image_size: As in :meth:`__call__`.
            fps: Frames per second; needed to smooth.
            field_of_view: As in :meth:`__call__`.
            smooth: Smooth each joint over time by a One-Euro filter.

        Raises:
            ShapeError: If the skeleton is unknown, the image size is, or ``smooth`` is asked for
                without ``fps``.
        """
        body = given_skeleton(skeleton)
        unseen = np.full((1, 1, len(body), 2), np.nan)
        known = keypoints_from(unseen, body, image_size=image_size, fps=fps)
        lens, note = given_camera(known, camera, field_of_view)
        if smooth and not fps:
            raise ShapeError("smoothing needs the frame rate: give fps=")
        return Stream(self, body, lens, fps, smooth, (note,) * bool(note))

    def lift_rays(
        self,
        rays: Float[np.ndarray, "frame joint 2"],
        confidence: Float[np.ndarray, "frame joint"],
        *,
        flip: bool = False,
        hypotheses: bool = False,
    ) -> Lifted:
        """Lift rays of the model's joints, each frame of a camera of its own if need be.

        Args:
            rays: x, y at unit depth, camera axes; finite.
            confidence: 0 for a missing joint.
            flip: As in :meth:`__call__`.
            hypotheses: As in :meth:`__call__`.

        Returns:
            NaN where fewer than three joints were seen.
        """
        body = self.skeleton
        seen = self._canonical(rays, confidence)
        answer = self.run(seen.inputs)
        if flip:
            sign = np.ones(answer.shape[-1], dtype=np.float32)
            sign[[0, 4] if body == BODY_28 else [0]] = -1  # x of positions, and of fronts
            other = self.run(seen.inputs[:, body.mirror] * sign[: seen.inputs.shape[-1]])
            answer = (answer + other[:, body.mirror] * sign) / 2
        answer[~seen.valid] = np.nan
        poses = answer[..., :3] - answer[:, body.root, None, :3]
        sigma = np.exp(answer[..., 3]) * np.float32(self.card.sigma_scale)
        if body != BODY_28:
            several = self._several(seen) if hypotheses else ()
            return Lifted(turn_back(poses, seen), sigma, None, None, *several)
        at = answer[:, _FRONTS_AT]
        fronts = at[..., 4:7]
        length = np.sqrt((fronts**2).sum(axis=-1, keepdims=True))
        fronts = fronts / np.maximum(length, np.float32(1e-6))
        return Lifted(
            turn_back(poses, seen),
            sigma,
            turn_back(fronts, seen),
            np.exp(at[..., 7]) * np.float32(self.card.front_scale),
        )

    def _canonical(self, rays: np.ndarray, confidence: np.ndarray) -> Canonical:
        return (canonical_28 if self.skeleton == BODY_28 else canonical)(rays, confidence)

    def _several(self, seen: Canonical) -> tuple[np.ndarray, ...]:
        """Positions, root-relative and in the camera's axes, weights and sigma of hypotheses."""
        if not len(seen.inputs):
            (count,) = (o.shape[1] for o in self.session.get_outputs() if o.name == "weights")
            sizes = ((count, len(self.skeleton), 3), (count,), (count,))
            return tuple(np.empty((0, *each), np.float32) for each in sizes)
        given = {"keypoints": seen.inputs.astype(np.float32)}
        poses, weights, sigma = self.session.run(["hypotheses", "weights", "sigma"], given)
        poses = poses - poses[:, :, [self.skeleton.root]]
        turned = turn_back(poses.reshape(len(poses), -1, 3), seen).reshape(poses.shape)
        unknown = np.where(seen.valid, np.float32(0), np.float32(np.nan))[:, None]
        return turned + unknown[..., None, None], weights + unknown, sigma + unknown

    def run(
        self, inputs: Float[np.ndarray, "frame joint before"]
    ) -> Float[np.ndarray, "frame joint after"]:
        """Give the network's own answers, as its card says (:data:`graphlift.card.OUTPUTS`).

        Args:
            inputs: From :func:`graphlift.preprocessing.canonical_28`, or of models of 17 joints
                from :func:`graphlift.preprocessing.canonical`.
        """
        if not len(inputs):  # ONNX Runtime refuses it, or ends the process
            features = self.session.get_outputs()[0].shape[2]
            return np.empty((0, len(self.skeleton), features), dtype=np.float32)
        if self.shared is None or len(inputs) < self.shared.least:
            return together(self.session, inputs)
        return self.shared(inputs)


def _lost(few: int, skeleton: Skeleton) -> tuple[str, ...]:
    """Note in how many frames keypoints of a person were too few to lift."""
    why = f"fewer than {MIN_KEYPOINTS} joints of {skeleton.name} were seen, or all at one place"
    note = f"In {counted(few, 'frame')} (counted for each person) no pose was lifted: {why}."
    return (note,) * bool(few)


def batch_of(people: int, poses: int = BATCH) -> int:
    """Find how many frames of so many people are lifted at once."""
    return max(poses // max(people, 1), 1)

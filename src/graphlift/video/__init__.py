"""Video in, keypoints out: detectors that run on NumPy, OpenCV and ONNX Runtime alone."""

from graphlift.detector_weights.get import get_weights as get_weights
from graphlift.video.detect import DetectedFrame as DetectedFrame
from graphlift.video.detect import Detector as Detector
from graphlift.video.detect import detect_people as detect_people
from graphlift.video.detect import load_detector as load_detector
from graphlift.video.detect import stream_people as stream_people
from graphlift.video.frames import Video as Video
from graphlift.video.frames import open_video as open_video

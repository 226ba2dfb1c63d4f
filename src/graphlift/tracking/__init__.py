"""Tracking: which detections are the same person over frames, from keypoints alone."""

from graphlift.tracking.choosing import Appearance as Appearance
from graphlift.tracking.choosing import appearance as appearance
from graphlift.tracking.choosing import appearances as appearances
from graphlift.tracking.choosing import choose as choose
from graphlift.tracking.choosing import gather as gather
from graphlift.tracking.choosing import left_out as left_out
from graphlift.tracking.clip import Association as Association
from graphlift.tracking.clip import track as track
from graphlift.tracking.likeness import body_size as body_size
from graphlift.tracking.likeness import clean as clean
from graphlift.tracking.stream import PATIENCE as PATIENCE
from graphlift.tracking.stream import Tracker as Tracker

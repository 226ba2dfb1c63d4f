"""People of every body: how its segments turn, and what sits where on them. NumPy only."""

from graphlift.bodies.kinematics import Body as Body
from graphlift.bodies.kinematics import fronts as fronts
from graphlift.bodies.kinematics import place_joints as place_joints
from graphlift.bodies.kinematics import place_points as place_points
from graphlift.bodies.segments import SEGMENTS as SEGMENTS
from graphlift.bodies.table import Bodies as Bodies
from graphlift.bodies.table import load_bodies as load_bodies

"""Human3.6M: seven people, fifteen activities twice each, four cameras, 50 frames a second.

Files are the user's own, under Human3.6M's licence; nothing of them is here but the published
calibration (:mod:`graphlift.datasets.human36m.calibration`) and how many poses there are.

Source: Ionescu et al., "Human3.6M: large scale datasets and predictive methods for 3D human
sensing in natural environments", TPAMI 2014.
"""

"""MPI-INF-3DHP, in the layouts it is passed around in.

:func:`read_3dhp` recognises the layout of a folder and yields sequences with the official 17
joints. The data are licensed for research and are never downloaded: docs/mpi-inf-3dhp.md.

Source: Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN
supervision", 3DV 2017.
"""

from graphlift.datasets.mpi_inf_3dhp.read import read_3dhp as read_3dhp
from graphlift.datasets.mpi_inf_3dhp.sequence import to_h36m as to_h36m

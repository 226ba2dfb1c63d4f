"""How near training and lifting come to what the machine can do, measured in one run.

:mod:`graphlift.bench.products` lists the matrix products of a network,
:mod:`graphlift.bench.machine` says what the machine is and how fast its memory,
:mod:`graphlift.bench.engines` what can compute them, :mod:`graphlift.bench.measure` takes the
times, :mod:`graphlift.bench.report` and :mod:`graphlift.bench.roofline` show them.
"""

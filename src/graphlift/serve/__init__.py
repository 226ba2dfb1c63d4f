"""The lifting server behind ``graphlift serve`` (extra ``serve``).

:mod:`graphlift.serve.app` has the routes and :mod:`graphlift.serve.guard` stands before them;
single frames go through the network together (:mod:`graphlift.serve.batching`), clips and videos
to processes of their own (:mod:`graphlift.serve.workers`). Nothing is imported here, so that the
package needs its extra only where it serves.
"""

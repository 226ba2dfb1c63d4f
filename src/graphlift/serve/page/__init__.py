"""The page behind ``graphlift app``: the server's own, for people who would rather look than type.

:mod:`graphlift.serve.page.entry` lets one browser in, :mod:`graphlift.serve.page.routes` has what
the page asks for beside the server's routes, and ``static`` has the page, as it is sent.
"""

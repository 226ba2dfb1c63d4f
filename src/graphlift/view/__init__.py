"""Poses to look at: in a browser, as one page, or drawn over the video they came from."""

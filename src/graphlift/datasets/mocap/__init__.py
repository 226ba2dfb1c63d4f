"""Motion capture: readers of its files, packs of clips, the embedded prior."""

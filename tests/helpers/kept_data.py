"""Data of which several runs of a test make their samples once."""

from dataclasses import fields

from graphlift.samples.open_data import OpenData


class KeptData(OpenData):
    """Data whose samples are made once for each selection.

    What a run draws as it goes, its batches, is not kept.
    """

    def samples(self, split, chosen):
        kept = self.__dict__.setdefault("kept_samples", {})
        if (split, chosen) not in kept:
            kept[split, chosen] = super().samples(split, chosen)
        return kept[split, chosen]


def keeping(data: OpenData) -> KeptData:
    """The same data, which keep their samples."""
    return KeptData(**{each.name: getattr(data, each.name) for each in fields(data)})

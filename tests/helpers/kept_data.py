"""Data of which several runs of a test make their samples, and read their motion, once."""

from dataclasses import fields

from graphlift.samples.open_data import OpenData


class KeptData(OpenData):
    """Data whose samples are made once for each selection, and whose motion is read once.

    What a run draws as it goes, its batches, is not kept.
    """

    def samples(self, split, chosen):
        kept = self.__dict__.setdefault("kept_samples", {})
        if (split, chosen) not in kept:
            kept[split, chosen] = super().samples(split, chosen)
        return kept[split, chosen]

    def motion(self, part, *, stride=1, held_out=()):
        kept = self.__dict__.setdefault("kept_motion", {})
        chosen = part, stride, tuple(held_out)
        if chosen not in kept:
            kept[chosen] = super().motion(part, stride=stride, held_out=held_out)
        return kept[chosen]


def keeping(data: OpenData) -> KeptData:
    """The same data, which keep their samples."""
    return KeptData(**{each.name: getattr(data, each.name) for each in fields(data)})

"""Samples to train and test on, the same from whatever data set. NumPy only."""

from graphlift.samples.samples import Samples as Samples
from graphlift.samples.samples import Selection as Selection
from graphlift.samples.samples import TrainingData as TrainingData

"""Samples to train and test on, in one form for all data sets. NumPy only."""

from graphlift.samples.samples import Samples as Samples
from graphlift.samples.samples import Selection as Selection
from graphlift.samples.samples import TrainingData as TrainingData

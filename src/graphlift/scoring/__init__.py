"""Anybody's predictions against the truth, under a named protocol. NumPy alone, in chunks.

A joint counts where its truth is finite and marked valid. Without the truth of its root a frame
cannot be placed, and on two joints a similarity always fits: such frames are left out and
counted. A prediction that is missing where the truth counts is an error, because a method must
not choose what it is judged on; if missing ones are allowed, what is there is scored, how much is
not is said, and PCK and AUC take each missing joint for a wrong one.
"""

from graphlift.scoring.files import score_files as score_files
from graphlift.scoring.score import score_poses as score_poses
from graphlift.scoring.scores import Counts as Counts
from graphlift.scoring.scores import Score as Score
from graphlift.scoring.scores import Scores as Scores
from graphlift.scoring.sequences import ScoredSequence as ScoredSequence
from graphlift.scoring.sequences import score_sequences as score_sequences

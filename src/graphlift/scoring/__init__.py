"""Scores of predictions against the truth, by a named protocol; all scores are made here.

NumPy alone, in chunks. A joint counts where its truth is finite and marked valid. Frames without
the truth of their root, which cannot be moved to the origin, and frames of two joints, which a
similarity always fits, are left out and counted. A prediction that is missing where the truth
counts is an error, because a method must not choose what it is scored on. If missing predictions
are allowed, the others are scored, the missing ones are counted, and PCK and AUC count each of
them as wrong.
"""

from graphlift.scoring.complete import CompleteScores as CompleteScores
from graphlift.scoring.complete import mean_over_activities as mean_over_activities
from graphlift.scoring.complete import mpjpe_over_activities as mpjpe_over_activities
from graphlift.scoring.files import score_files as score_files
from graphlift.scoring.score import score_poses as score_poses
from graphlift.scoring.scores import Counts as Counts
from graphlift.scoring.scores import Score as Score
from graphlift.scoring.scores import Scores as Scores
from graphlift.scoring.sequences import ScoredSequence as ScoredSequence
from graphlift.scoring.sequences import score_sequences as score_sequences

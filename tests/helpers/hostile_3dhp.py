"""What a reader of MPI-INF-3DHP must refuse, and how."""

import os
import re

import pytest

from graphlift.datasets.mpi_inf_3dhp import read_3dhp
from graphlift.errors import FormatError


class Attack:
    """A pickle that runs a command when it is opened."""

    def __reduce__(self):
        return os.system, ("true",)


def refused(message, folder, part="test", error=FormatError, **options):
    """A folder is refused with a message that has these words."""
    with pytest.raises(error, match=re.compile(message, re.DOTALL)):
        list(read_3dhp(folder, part, **options))

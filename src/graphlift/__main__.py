"""``python -m graphlift``."""

from graphlift.cli import main

main()

"""What ``wild.py`` and ``half_bodies.py`` are made of: one real person seen by four cameras."""

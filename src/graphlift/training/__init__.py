"""Training and evaluation. Needs the ``train`` extra, but for reading configurations."""

"""Networks. The only place, with ``training``, that imports torch."""

"""The paper's comparison: a plan of runs, their result lines, and the report made of them."""

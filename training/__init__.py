"""Data sets, the training loop, evaluation and the release of weights.

It knows `model` and never the daemon or the viewer. A recipe (`recipes/`) is all of a run that is
not the loop itself. In come folders of cases with drawn masks; out go checkpoints, weights and
figures.
"""

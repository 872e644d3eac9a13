"""Data sets, the training loop and evaluation; knows `model`, never the daemon or the viewer."""

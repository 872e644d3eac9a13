"""The network's answer for one volume.

In comes a `Volume`; out goes an `Analysis`: may it be analyzed at all (input check), its slices on
the network's own grid and back (preprocessing), the mask (segmentation), how far it can be trusted
(confidence), and all of it in one call (analysis).
"""

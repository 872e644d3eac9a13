"""Scans, volumes, the network, tumors and their measurements: plain arguments in, values out."""

"""Makers of the shipped atlases, each a command that is needed once."""

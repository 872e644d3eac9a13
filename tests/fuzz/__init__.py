"""Damaged files of every packing, given to a real daemon and to a confined worker."""

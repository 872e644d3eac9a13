"""Installations of earlier versions, as they lay on a disk, and what becomes of them today."""

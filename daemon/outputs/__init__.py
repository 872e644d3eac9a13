"""Findings as files and sentences for people and programs: the report, the mask, the pictures."""

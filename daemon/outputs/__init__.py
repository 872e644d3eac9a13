"""Findings as files and sentences for people and programs: report, PDF, mask, pictures, tables.

In come a volume, a mask and its findings; out go the files of one scan's folder. No SQL, settings
or asyncio. `wording` and `tables` load nothing heavy, since the viewer uses them.
"""

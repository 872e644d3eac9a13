"""Tests of the documents: their links, their site, their commands."""

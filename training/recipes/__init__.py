"""Recipes of training: ours (standard), the demo's (seed_baseline), the input check's."""

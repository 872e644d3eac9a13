"""Benches, experiments, makers of atlases and samples, the demo; no room imports them."""

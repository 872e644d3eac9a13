"""Benches, experiments, makers of atlases and samples, the demo; no other package imports them."""

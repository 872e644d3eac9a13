"""Benches, experiments, makers of atlases and samples, the demo; neither daemon nor viewer, model or training imports them."""

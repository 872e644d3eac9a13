"""The shipped weights; MODEL_CARD.md tells where they come from."""

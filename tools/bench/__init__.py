"""Speed as ratios of one run: `gliowatch bench`, which loads this when it is called."""

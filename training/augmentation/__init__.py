"""Slices changed at random, so that a network learns what does not matter.

In come slices of the cache with their masks and a generator of chance; out come others of the same
shape. `transforms` moves, blurs and brightens whole batches; `painted_lesions` adds lesions that
are no tumor; `uploaded_pictures` makes of a slice what people upload. Torch and numpy alone.
"""

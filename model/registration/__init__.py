"""One head laid over another (rigid), or an atlas over a head (head_atlas).

In come volumes; out go 4x4 transforms in RAS mm, each with a figure for how good it is.
"""

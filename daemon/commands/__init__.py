"""The command line's own part: arguments in, lines or JSON out; gliowatch.py only names it."""

"""The fault suite: real processes, signals and files, and an account of every byte dropped."""

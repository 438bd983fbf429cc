"""The crash matrix: real processes, killed with SIGKILL at every step of applying a change, and what is left behind."""

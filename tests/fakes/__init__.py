"""Fakes of the outside worlds, one per world."""

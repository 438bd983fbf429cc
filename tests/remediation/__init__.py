"""Remedies as patches: realistic owners, and what the API server makes of them."""

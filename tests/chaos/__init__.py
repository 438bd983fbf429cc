"""What breaks around the bot: each trouble has its answer, nothing is lost or doubled, and it goes on without a restart.

Short stories as tests; ten minutes of everything at once by `make chaos`. On a real API server: tests/cluster/test_chaos.py.
"""

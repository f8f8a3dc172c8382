"""The real worker against a real chain, Redis and SQLite or PostgreSQL, under a seed's faults.

See :mod:`tests.faults.schedule`. The simulator runs a thousand schedules while this runs a few;
this one shows that what the simulator stubs behaves as it says.
"""

"""A deterministic simulator of settlement: our real code over a simulated chain, queue and clock.

One seed is one schedule. See :mod:`tests.simulator.schedule`.
"""

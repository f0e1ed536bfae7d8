"""The simulated world of trial mode."""

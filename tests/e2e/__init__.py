"""Whole journeys: a real browser on a real device, the real kernel, the real programs."""

"""RADIUS at the site."""

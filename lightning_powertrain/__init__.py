"""Finds the power mode in which a Jetson should train."""

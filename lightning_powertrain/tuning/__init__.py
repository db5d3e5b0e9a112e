"""Moves a device through power modes during a training job, and locks the best one."""

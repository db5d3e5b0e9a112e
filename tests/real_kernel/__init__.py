"""A real Linux kernel under emulation that looks like a Jetson, and what runs on it."""

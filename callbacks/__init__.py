"""The Lightning callbacks: they translate Trainer events and decide nothing."""

"""The root helper: the only code of this library that runs as root, and all that it needs.

It uses the standard library only and runs as ``python3 -ISB FOLDER``, from Python 3.8 on: the system's Python is often
older than the one that trains. Read in this order: ``knobs`` (what can be set), ``switching`` (how), ``snapshot`` (what
is restored), ``process`` (what could end it), ``channel`` (how it is asked), ``server`` (what a client may ask).
"""

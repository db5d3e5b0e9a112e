"""The `powertrain` command: one file a subcommand."""

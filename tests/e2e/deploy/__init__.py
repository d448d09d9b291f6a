"""The stack, deployed to an emulator on this machine, against the local mode."""

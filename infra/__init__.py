"""Where things run: the embedded stack on one machine, and provisioning."""

"""What the gateway costs: CPU per event, variants side by side in one run."""

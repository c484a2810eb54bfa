"""What of the deployment files can be proved without a Docker engine and without a cluster."""

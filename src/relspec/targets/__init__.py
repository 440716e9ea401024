"""What relspec writes: Docker Compose, Helm values, Argo Rollouts."""

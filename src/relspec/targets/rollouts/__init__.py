"""Argo Rollouts: one Rollout a service, whatever its strategy, and the objects around it."""

"""The Docker Compose target: compose.yaml and the conf of each router."""

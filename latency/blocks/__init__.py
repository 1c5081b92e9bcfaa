"""What is run when blocks are measured: modules with their inputs."""

"""The YAML files of jobs: what each holds, and one of each to begin with."""

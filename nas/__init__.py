"""How we choose: evaluation, scores, search algorithms, workers, runs and exports."""

"""What a latency table says: scenario, rows, predictions."""

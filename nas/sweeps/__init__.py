"""Many searches on one store of scores: per device, per finalist, per setting."""

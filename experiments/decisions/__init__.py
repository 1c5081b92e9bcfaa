"""How few pictures does a right decision need? Recorded scores, replayed: docs/decisions_under_noise.md."""

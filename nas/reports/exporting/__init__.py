"""What a run holds, in the formats of others' tools: one module per tool."""

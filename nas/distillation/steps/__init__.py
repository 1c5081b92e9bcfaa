"""Step distillation: a student that reaches in one step of DDIM what its teacher reaches in several."""

"""The paper's whole way in one file: search, training, distillation of steps and decoder, evaluation, report."""

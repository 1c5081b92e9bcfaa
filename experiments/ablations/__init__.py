"""The paper's ablations on the bundled model: cases by what they change, claims, and one command that draws them."""

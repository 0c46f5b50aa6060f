# A rendered Flux repository on a real control plane: README.md describes what this proves and what it cannot.

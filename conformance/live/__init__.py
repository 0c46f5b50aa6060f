# A rendered Flux repository on a real control plane: README.md says what that proves and what it cannot.

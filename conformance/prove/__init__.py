# The proof itself: one module for each kind of thing that a tree holds. Started by `conformance/run`.

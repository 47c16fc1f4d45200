"""What image tokens cost and buy in any model: cost, pruning, relevance-driven allocation."""

"""Ask through a provider's Batch API: half the price, an answer within a day."""

"""What filter changes in texts before it scores them."""

"""What is missing of a shop's data, so that it is said and never becomes zeros."""

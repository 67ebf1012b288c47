"""What was published is kept as it was, scored when sales arrive, and watched for bias."""

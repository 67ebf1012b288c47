"""From the source's files to bronze, and what of it breaks a contract: landing, loading, judging, reconciling."""

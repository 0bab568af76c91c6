"""Speed and quality measurements that print ratios. Not imported by the rest; figures stand in LOG.md."""

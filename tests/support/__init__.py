"""What several tests share: clocks, builders, servers, the lab."""

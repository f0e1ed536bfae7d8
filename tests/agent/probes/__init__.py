"""The site's own network: texts, rules and commands, without a packet."""

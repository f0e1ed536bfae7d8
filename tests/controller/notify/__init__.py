"""What carries words to phones and mailboxes, from text to wire."""

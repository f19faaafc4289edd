"""What a table is and what it promises. Nothing here reads, writes or computes."""

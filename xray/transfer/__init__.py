"""Download and unpack files from untrusted sources."""

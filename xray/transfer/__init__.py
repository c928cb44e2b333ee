"""How files come from elsewhere: downloaded, checked, unpacked."""

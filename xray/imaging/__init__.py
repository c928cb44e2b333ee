"""How files become arrays, and how phantoms are drawn."""

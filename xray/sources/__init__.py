"""Public datasets: how each is had, laid out, named and licensed."""

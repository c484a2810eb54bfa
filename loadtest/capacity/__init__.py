"""How much so many devices need, and how they spread: a plan by arithmetic, and simulations."""

"""A venue that is far away: what it is told, what it answers, and what nobody can know."""

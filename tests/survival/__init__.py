"""What happens to a board, and to a job, when things go wrong in the middle of tuning: the matrix of it."""

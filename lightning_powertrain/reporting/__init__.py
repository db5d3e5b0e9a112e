"""What people see of a tuned job."""

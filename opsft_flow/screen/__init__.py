"""What a run shows: a line for each job that has ended, with what it found."""

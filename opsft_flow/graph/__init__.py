"""What Snakemake asks of a sweep: its points, the settings of every node with the hash of its code, what each reads, and why one runs again."""
